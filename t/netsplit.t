#!/usr/bin/perl

# A Redis Cluster whose network is cut in silence, or whose disk is full, under load: one master
# from everybody, then one together with nginx.  What was acknowledged holds, the other masters'
# orders notice nothing, and service comes back without a reload.

use warnings;
use strict;

use lib 't/lib';
use Mpk qw(child);
use Mpk::Cluster;
use Mpk::Load;
use Mpk::Network;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(sleep time);

Mpk::Network::apart();

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 2 : 1;
my $t = Mpk->new;
my $dir = $t->dir;


# the disk of one node is small, where we may mount one

mkdir "$dir/c0.d";
my $mounted = $> == 0 && system("mount -t tmpfs -o size=24m tmpfs $dir/c0.d 2>/dev/null") == 0;
my $test = $$;
END { local $?; system('umount', '-l', "$dir/c0.d") if $mounted && $$ == $test }

my ($net, $why) = Mpk::Network->new(6);
plan(skip_all => "no network to cut, and no small disk: $why") unless $net || $mounted;

my $cluster = Mpk::Cluster->new($t, net => $net, args => [ '--cluster-require-full-coverage', 'no' ]);

sub serve {
    my ($durability) = @_;
    ok($t->quit, 'nginx ends') if $t->{nginx};
    $t->conf(workers => 2, listen => 'reuseport', redis => $cluster->url . " timeout=2s durability=$durability", location => 'location = /track { mpk_track on;
        mpk_track_limit address=100000 order=100000; }')->start;
}

sub status { return $t->api('GET', "orders/$_[0]")->{status} }
sub put { my ($id, $account) = @_; return $t->api('PUT', "orders/$id", $t->order(account => $account))->{status} }

sub whole {
    my ($id, $account) = @_;
    my $filed = put($id, $account);
    return "filed $filed" if $filed !~ /^20[01]$/;
    my $shown = $t->confirm($t->mint($id))->{status};
    return $shown == 200 ? 'looked up ' . status($id) : "shown $shown";
}

sub well { ok($cluster->well(20 * $slow), 'the cluster is well') }
sub slave { my ($node) = @_; return $node->info('replication')->{role} eq 'slave' }
sub since { my ($start, $what) = @_; note(sprintf "$what after %.2f s", time - $start) }

# customer(master): an account whose list of orders is kept there; filing needs the list, too

my @customers;

sub customer {
    my ($master) = @_;
    my ($found, $account, %known);

    while (1) {
        ($found) = grep { $cluster->owner($_->[1]) == $master } @customers;
        return $found->[0] if $found;

        my @lists = map { @{$_->cmd('KEYS', 'mpk:*:a:*')} } $cluster->masters;
        %known = map { $_ => 1 } @lists;
        $account = 'customer-' . @customers;
        die "an order of $account" if put("C-$account", $account) != 201;
        my ($list) = grep { !$known{$_} } map { @{$_->cmd('KEYS', 'mpk:*:a:*')} } $cluster->masters;
        push @customers, [ $account, Mpk::Cluster::slot_of_tag($list =~ /\{(.+?)\}/) ];
    }
}

# steady(): commits to each master succeed so often in a row that all workers had their turn,
# which reuseport sees to: of those who share a socket the kernel wakes one in long runs

my $steadied = 0;

sub steady {
    my @masters = $cluster->masters;
    return ok(wait_for(sub {
        $steadied++;
        return !grep { put($_) != 201 } map { $cluster->orders("Y$steadied", 8, $_) } @masters;
    }, 'commits are taken', 20 * $slow), 'commits are taken by all workers');
}

# of(name, master): its replica, the other masters, a customer, and orders of it, of which the first is filed

sub of {
    my ($name, $master) = @_;
    my ($replica) = $cluster->replicas($master);
    my @orders = $cluster->orders($name, 400, $master);
    my $account = customer($master);
    steady();
    is(put($orders[0], $account), 201, "$name: an order on $master->{name}");
    return ($replica, [ grep { $_ != $master } $cluster->masters ], $account, @orders);
}


# beside(what, masters, code): what customers of other masters meet meanwhile, many of them at least

my $besides = 0;

sub beside {
    my ($what, $masters, $do) = @_;
    my $name = 'W' . ++$besides;
    my @each = map { my $account = customer($_); [ map { [ $_, $account ] } $cluster->orders($name, 400, $_) ] } @$masters;
    my $end = "$dir/$name.end";
    my $parent = $$;
    my $pid = child(sub {
        open my $out, '>', "$dir/$name";
        $out->autoflush(1);
        my $n = 0;
        until (-e $end || getppid != $parent) {
            my $order = $each[$n++ % @each][$n / @each % 400];
            my $start = time;
            my $told = eval { whole(@$order) } // "no answer $@";
            printf $out "%.3f %s\n", time - $start, $told =~ s/\s+/ /gr;
        }
        close $out;
    });

    my $many = sub { my $before = () = $t->read($name) =~ /\n/g; wait_for(sub { 50 < (() = $t->read($name) =~ /\n/g) - $before }, 'many others', 30) };
    my $good = eval { $do->($many); 1 };
    my $failed = $@;
    $t->write("$name.end", '');
    waitpid $pid, 0;
    die $failed unless $good;

    my @told = map { [ split / /, $_, 2 ] } split /\n/, $t->read($name);
    my ($worst) = sort { $b <=> $a } map { $_->[0] } @told;
    is(join(', ', grep { defined } (grep { $_ ne 'looked up 200' } map { $_->[1] } @told)[0 .. 9]), '', "$what: orders of the other masters go all the way");
    cmp_ok($worst, '<', 1 * $slow, sprintf '%d of them, filed, minted, opened, shown and looked up in %.0f ms at most', scalar @told, $worst * 1000);
}

# until_read(what, bound, since, order): from now on it is there, or not told; never none

sub until_read {
    my ($what, $bound, $start, $order) = @_;
    my %told;
    my $read = wait_for(sub { my $s = status($order); $told{$s}++; $s == 200 }, 'reads', 20 * $slow);
    ok($read && time - $start < $bound, sprintf '%s: orders are read again after %.2f s, %s at most', $what, time - $start, $bound);
    is(join(' ', grep { !/^(200|503)$/ } keys %told), '', 'I7: none of the answers before is that there is no such order');
}


serve('replicas=1');
my $load = Mpk::Load->new(test => $t, clients => 4, lookups => 1);
$load->back('at the beginning', 5 * $slow, undef, map { ($cluster->orders('I', 1, $_))[0] } $cluster->masters);
my @workers = $t->workers;


SKIP: {
    skip 'a small disk needs root and the right to mount', 1 unless $mounted;

    my $master = $cluster->{nodes}[0];
    my ($replica, $others, $whose, $mine, @more) = of('F', $master);
    my $fill = sub { system("dd if=/dev/zero of=$dir/c0.d/filler bs=64k >/dev/null 2>&1") };
    my $start;

    # Redis says so, if it may fall behind the disk

    $master->cmd('CONFIG', 'SET', 'appendfsync', 'everysec');

    beside('the disk of a master is full', $others, sub {
        my ($many) = @_;
        $fill->();
        ok(wait_for(sub { put(shift @more, $whose) == 503 }, '503'), 'the disk of a master is full: no commit to its orders is acknowledged');
        is(join(' ', map { put(shift @more, $whose) } 1 .. 8), join(' ', (503) x 8), 'by any worker');
        is(status($mine), 200, 'and they are still read');
        ok($t->logged(qr/\[error\].*mpk_redis.*MISCONF.*disk/), 'the log says why');
        $many->();
        is($master->info('replication')->{role}, 'master', 'nobody takes over');
        is(put(shift @more, $whose), 503, 'all the time');
        unlink "$dir/c0.d/filler";
        $start = time;
        $load->back('room again', 4 * $slow, $start, $more[0]);
    });

    # it ends, if it may not

    $master->cmd('CONFIG', 'SET', 'appendfsync', 'always');

    beside('a master ends, since its disk is full', $others, sub {
        $fill->();
        $start = time;
        ok(wait_for(sub { put(shift @more, $whose); waitpid($master->{pid}, WNOHANG) == $master->{pid} }, 'it ends'),
            'the disk is full, and the master may not fall behind: it ends');
        delete $master->{pid};
        $cluster->promoted($replica);
        since($start, "$replica->{name} took over");
        until_read('its replica has taken over', 8 * $slow, $start, $mine);
    });

    unlink "$dir/c0.d/filler";
    $start = time;
    $master->start;
    $load->back('room again, and a second node', 8 * $slow, $start, $more[0]);
    well();
}


SKIP: {
    skip $why, 1 unless $net;

    # nobody reaches the master

    my ($master) = ($cluster->masters)[1];
    my ($replica, $others, $whose, $mine, @more) = of('A', $master);
    my $start;

    beside('a master is cut off', $others, sub {
        $start = time;
        $cluster->cut($master);
        my $answered = time;
        isnt(put(shift @more, $whose), 201, 'a master is cut off: what it does not answer is not acknowledged');
        cmp_ok(time - $answered, '<', 3 * $slow, sprintf 'after its timeout of 2 s: %.2f s', time - $answered);
        is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');
        $cluster->promoted($replica);
        since($start, "$replica->{name} took over");
        until_read('its replica has taken over', 8 * $slow, $start, $mine);
        is(join(' ', map { put(shift @more, $whose) } 1 .. 8), join(' ', (503) x 8), 'I7: what the new master alone has is not acknowledged');

        my ($listed) = $cluster->orders('L', 1, $others->[0]);
        is(put($listed, $whose), 503, 'an order elsewhere that its customer could not find is not filed');
        is(status($listed), 404, 'I7: nor half filed');

        $start = time;
        $cluster->heal($master);
        $load->back('the network is back', 6 * $slow, $start, @more[0 .. 3]);
    });

    ok(wait_for(sub { slave($master) && !$cluster->connections->{$master->{name}} }, 'it is left'), 'the deposed master follows, and is left by all workers');
    well();


    # nginx, and nobody else, reaches the master

    ($master) = ($cluster->masters)[2];
    ($replica, $others, $whose, $mine, @more) = of('B', $master);
    my ($theirs) = $cluster->orders('BT', 1, $others->[0]);
    is(put($theirs), 201, 'an order elsewhere');
    my (%read, @acknowledged);
    $start = time;
    $cluster->sever($master);

    wait_for(sub {
        my $order = shift @more;
        push @acknowledged, $order if put($order, $whose) =~ /^2/;
        $read{status($mine)}++;
        return $replica->info('replication')->{role} eq 'master' && $master->cmd('CLUSTER', 'INFO') =~ /cluster_state:fail/;
    }, 'its replica has taken over', 20 * $slow);

    since($start, "$replica->{name} took over, $master->{name} knows");
    is("@acknowledged", '', 'a master is cut off together with nginx: I7: what it alone has is never acknowledged');
    is(join(' ', grep { !/^(200|503)$/ } keys %read), '', 'I7: its orders are read, or not told');
    is(join(' ', map { status($mine) } 1 .. 8), join(' ', (503) x 8), 'once it knows, they are not told');
    my $answered = time;
    is(status($theirs), 503, 'nor are those of others');
    cmp_ok(time - $answered, '<', 3 * $slow, sprintf 'within the timeout: %.2f s', time - $answered);
    is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');

    $start = time;
    $cluster->mend($master);
    until_read('the network is back', 6 * $slow, $start, $mine);
    $load->back('the network is back', 6 * $slow, $start, @more[0 .. 3], $theirs);
    ok(wait_for(sub { slave($master) && !$cluster->connections->{$master->{name}} }, 'it is left'), 'the deposed master follows, and is left by all workers');
    well();


    # nginx reaches nobody

    steady();
    $cluster->sever;
    $load->gone('nginx is cut off from all');
    is(join(' ', map { status($_) } $mine, $theirs), '503 503', 'no order is told');
    $start = time;
    $cluster->mend;
    until_read('the network is back', 6 * $slow, $start, $mine);
    $load->back('the network is back', 6 * $slow, $start, @more[4 .. 7], $theirs);
    well();
}

$load->enough;
$load->check(10);
is(join(' ', $t->workers), "@workers", 'all that with the same workers');
is(join(' ', $cluster->stray), '', 'no key lies outside its order\'s slot');


# without durability: what docs/operations.md says that can be lost, and what can't

SKIP: {
    skip $why, 1 unless $net;

    serve('none');
    my ($master) = ($cluster->masters)[0];
    my ($replica, $others, $whose, $before, $opened, $after) = of('N', $master);

    my $shown = $t->mint($before);
    is($t->confirm($shown)->{status}, 200, 'a key is shown');
    my $link = $t->link($opened);
    my $nonce = $t->nonce($link);

    my $offset = $master->info('replication')->{master_repl_offset};
    ok(wait_for(sub { $replica->info('replication')->{slave_repl_offset} >= $offset }, 'the replica'), 'and its replica has that');

    # it will know late

    $master->cmd('CONFIG', 'SET', 'cluster-node-timeout', 60000);
    my $start = time;
    $cluster->sever($master);
    $cluster->promoted($replica);

    is(put($after, $whose), 201, 'a master that is cut off with nginx, and does not know: an order is filed');
    is($t->confirm($link, nonce => $nonce)->{status}, 200, 'and a key shown');
    my $head;
    ok(wait_for(sub { ($head) = $t->read('access.log') =~ /event=viewed .*order=\Q$opened\E .*head=(\d+:\S+)/ }, 'the log'), 'which the log tells');

    $start = time;
    $cluster->mend($master);
    ok(wait_for(sub { slave($master) }, 'it follows'), 'the network is back, and it has been replaced');
    $master->cmd('CONFIG', 'SET', 'cluster-node-timeout', $cluster->{timeout});
    steady();
    since($start, 'commits to all masters');

    is(status($after), 404, 'what it alone had is gone: the order');
    is($t->events($opened), 'filed link_minted opened', 'the view');
    isnt($t->journal($opened, '?anchor=' . $head =~ s/([^A-Za-z0-9:_-])/sprintf '%%%02X', ord $1/ger)->{verdict}, 'intact', 'as the head in the log tells');
    is($t->confirm($link)->{status}, 200, 'so that its link is good again');
    is($t->events($opened), 'filed link_minted opened opened viewed', 'and the view is recorded');
    is($t->journal($opened)->{verdict}, 'intact', 'in a journal that is intact');

    is($t->events($before), 'filed link_minted opened viewed', 'I1: what the replica had is not');
    is($t->journal($before)->{verdict}, 'intact', 'I3: nor altered');
    is($t->confirm($shown)->{status}, 410, 'I2: nor paid twice');


    # a new master takes commits at once, and the one before, back again, is not believed

    ($master) = ($cluster->masters)[1];
    ($replica, $others, $whose, $before, $after) = of('Z', $master);

    beside('a master is cut off', $others, sub {
        my ($many) = @_;
        $start = time;
        $cluster->cut($master);
        $cluster->promoted($replica);
        since($start, "$replica->{name} took over");
        ok(wait_for(sub { put($after, $whose) =~ /^20/ }, 'commits', 10 * $slow), sprintf 'without durability commits are taken after %.2f s', time - $start);
        $many->();

        my %told;
        $start = time;
        $cluster->heal($master);
        ok(wait_for(sub { $told{status($after)}++; slave($master) && $master->info('replication')->{master_link_status} eq 'up' }, 'it follows', 10 * $slow),
            sprintf 'the deposed master follows after %.2f s', time - $start);
        is(join(' ', grep { !/^(200|503)$/ } keys %told), '', 'and what was filed meanwhile was there all the time');
    });

    steady();
    is(status($after), 200, 'and is');
}

$t->finish;
