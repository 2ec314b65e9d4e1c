#!/usr/bin/perl

# The feed under faults: whatever is killed, restarted or replaced, each event of the journals
# is handed out, and nothing but events of the journals; a master that is away delays its own.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(child);
use Mpk::Cluster;
use Mpk::Sentinels;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 3 : 1;
my ($t, $name, %pids);

my $owner = $$;

END { local $?; kill 'KILL', keys %pids if %pids && $$ == $owner }

sub events { my ($query) = @_; return $t->api('GET', "events?$query") }
sub kept { return map { +{ %{decode_json($_)} } } split /\n/, $t->read("$name.got") }

# filing(orders): each is filed held, released, and its mail minted, however often it takes
sub filing {
    my (@orders) = @_;
    return child(sub {
        for my $order (@orders) {
            Mpk::wait_for(sub { eval { $t->api(@$_)->{status} } =~ /^20[01]$/ }, "@$_[0, 1]", 60) or POSIX::_exit(1)
                for [ 'PUT', "orders/$order", $t->order(state => 'held') ], [ 'POST', "orders/$order/release" ],
                    [ 'POST', "orders/$order/links", undef ];
        }
    });
}

# consumer(n): keeps what it gets, then acknowledges it; now and then it forgets to, closes
# before the answer comes, delays an event, or asks for another part
sub consumer {
    my ($n) = @_;
    my $pid = child(sub {
        srand $n;
        open my $f, '>>', $t->dir . "/$name.got" or POSIX::_exit(1);
        until (-e $t->dir . "/$name.stop") {
            my $query = "group=$name&from=start&idle=2s&wait=1s&consumer=c$n&count=" . (1 + int rand 20);
            if (rand() < 0.1) {
                my $socket = eval { Mpk::Http::connection($t->port('edge')) } or next;
                print $socket Mpk::Http::text('GET', "/mpk/v1/events?$query", headers => { Authorization => "Bearer $t->{token}" });
                $socket->flush;
                sleep rand 0.05;
                Mpk::Http::slam($socket);
                next;
            }
            my $r = eval { events($query) };
            if (!$r || $r->{status} != 200 || !$r->{json}) { sleep 0.05; next }
            my @events = @{$r->{json}{events}} or next;
            syswrite $f, join '', map { JSON::PP->new->canonical->encode($_) . "\n" } @events;
            next if rand() < 0.05;
            if (rand() < 0.1) {
                my $later = shift @events;
                eval { $t->api('POST', 'events/ack', { group => $name, id => $later->{id}, retry_after => 1 }) };
            }
            eval { $t->api('POST', 'events/ack', { group => $name, ids => [ map { $_->{id} } @events ] }) } if @events;
        }
    });
    $pids{$pid} = 1;
    return $pid;
}

# done(orders): nothing is left for the group; what it got is what the journals have
sub done {
    my (@orders) = @_;

    ok(Mpk::wait_for(sub {
        my ($g) = grep { $_->{group} eq $name } @{(eval { $t->api('GET', 'events/groups') } // {})->{json}{groups} // []};
        return $g && !grep { $g->{$_} } qw(lag pending delayed parked);
    }, 'nothing is left', 60 * $slow), "$name: in the end nothing is left") or diag($t->api('GET', 'events/groups')->{body});

    $t->write("$name.stop", '');
    for my $pid (keys %pids) { waitpid $pid, 0; delete $pids{$pid} }

    my (%got, %ids, @missing, @strange);
    for (kept()) {
        $got{"$_->{order} $_->{n} $_->{event}"}++;
        $ids{"$_->{order} $_->{n} $_->{event} " . ($_->{head} // '')}{$_->{id}} = 1;
    }

    my $entries = 0;
    for my $order (@orders) {
        my $journal = $t->journal($order);
        push @strange, "$order is $journal->{verdict}" if $journal->{verdict} ne 'intact';
        for (@{$journal->{entries}}) {
            $entries++;
            push @missing, "$order $_->{n} $_->{event}" if !delete $got{"$order $_->{n} $_->{event}"};
        }
    }

    my $many = kept();
    is("@missing[0 .. ($#missing < 4 ? $#missing : 4)]", '', "$name: I10: each event of the journals was handed out");
    is(scalar(grep { keys %$_ > 1 } values %ids), 0, 'one entry has one id');
    is(join(', ', @strange), '', 'the journals are whole');
    note("$name: $entries entries, handed out $many times");
    return keys %got;
}

sub workers_killed { my @w = $t->workers; kill 'KILL', $w[rand @w] if @w }


# a server: kill -9 of workers and of Redis, reloads

$t = Mpk->new;
$name = 'server';
my $redis = $t->redis;
$t->conf(workers => 2, level => 'info')->start;

my @orders = map { "S-$_" } 1 .. 120;
my @filing = map { my $half = $_; filing(grep { $_ =~ /(\d+)$/ && $1 % 2 == $half } @orders) } 0, 1;
consumer($_) for 1 .. 3;

for my $round (1 .. 4) {
    sleep 0.3 + rand 0.3;
    workers_killed();
    sleep 0.2;
    if ($round == 2) { $redis->stop('KILL'); sleep 0.2; $redis->start }
    $t->reload if $round == 3;
}

waitpid $_, 0 for @filing;
is(scalar(done(@orders)), 0, 'and nothing that is in no journal');

my ($pid) = $t->workers;

sub gone_away {
    for (1 .. 300) {
        my $socket = Mpk::Http::connection($t->port('edge'));
        print $socket Mpk::Http::text('GET', '/mpk/v1/events?group=server&wait=60s', headers => { Authorization => "Bearer $t->{token}" });
        $socket->flush;
        Mpk::Http::slam($socket);
    }
    return wait_for(sub { events('group=server&wait=1s')->{status} == 200 }, 'room');
}

ok(gone_away(), 'clients that go away while they wait leave room');

SKIP: {
    skip 'the sanitizers keep what was freed', 1 if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};
    my $before = Mpk::memory($pid, 'VmRSS');
    gone_away() for 1, 2;
    my $grown = Mpk::memory($pid, 'VmRSS') - $before;
    cmp_ok($grown, '<', 1024, "and no memory: $grown kB more after 600 of them");
}

ok($t->quit, 'nginx ends');
my @bad = $t->complaints(qr/exited on signal 9/);
is(join("\n", @bad), '', 'no log complains');
$_->stop for values %{$t->{redis}};


# behind Sentinels: the master is killed

$t = Mpk->new;
$name = 'sentinels';
my $s = Mpk::Sentinels->new($t);
$t->conf(workers => 2, redis => $s->url(@{$s->{sentinels}}) . ' timeout=500ms durability=replicas=1')->start;
ok($t->serves, 'behind Sentinels');

@orders = map { "T-$_" } 1 .. 40;
@filing = filing(@orders);
consumer($_) for 1 .. 2;
sleep 0.4;
my $old = $s->master;
$old->stop('KILL');
ok(wait_for(sub { my $m = eval { $s->master }; $m && $m != $old }, 'another master', 30), 'a master is killed, and replaced');
waitpid $_, 0 for @filing;
done(@orders);
ok($t->quit, 'nginx ends');
is(join("\n", $t->complaints), '', 'no log complains');
$_->stop for values %{$t->{redis}};


# a Cluster: a master that is away delays its own events only, and answers say so

$t = Mpk->new;
$name = 'cluster';
my $cluster = Mpk::Cluster->new($t, replicas => 0, args => [ '--cluster-require-full-coverage', 'no' ]);
$t->conf(workers => 1, redis => $cluster->url . ' timeout=500ms')->start;
ok($t->serves, 'in a Cluster');

my ($first, @others) = $cluster->masters;
my @theirs = $cluster->orders('O', 6, $others[0]);
my @own = $cluster->orders('P', 6, $first);
is(scalar(grep { $t->api('PUT', "orders/$_", $t->order)->{status} == 201 } @theirs, @own), 12, 'orders on two masters');
my $all = events('group=cluster&from=start&count=256&idle=3s');
is(scalar(grep { $_->{order} =~ /^[OP]/ } @{$all->{json}{events}}), 12, 'their events are handed out') or diag($all->{body});
is($all->{json}{delayed}, undef, 'none is delayed');

$cluster->kill($first);
my $part;
ok(wait_for(sub { $part = events('group=cluster&count=256&idle=1s'); $part->{status} == 200 && $part->{json}{delayed} }, 'an answer', 20), 'without a master the feed answers');
cmp_ok($part->{json}{delayed}, '<', 64, "and says how many buckets are delayed: $part->{json}{delayed}");
my %seen;
ok(wait_for(sub { $seen{$_->{order}} = 1 for @{events('group=cluster&count=256&idle=1s')->{json}{events} // []}; !grep { !$seen{$_} } @theirs }, 'theirs', 20),
    'events of the others come again');
is(scalar(grep { $seen{$_} } @own), 0, 'those of the master that is away do not');
my $groups = $t->api('GET', 'events/groups');
my $listed = $cluster->owner(Mpk::Cluster::slot_of_tag('mpk:meta')) == $first ? '503 0' : '200 1';
is("$groups->{status} " . ($groups->{json}{delayed} ? 1 : 0), $listed, 'so do the groups, unless their list is there');

$cluster->start($first);
ok(wait_for(sub { $seen{$_->{order}} = 1 for @{events('group=cluster&count=256&idle=1s')->{json}{events} // []}; !grep { !$seen{$_} } @own }, 'its own', 30),
    'once it is back its events come');

$t->finish;
