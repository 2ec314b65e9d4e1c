#!/usr/bin/perl

# I1, I2, I3, I5, I7 under load: Redis and nginx's workers are killed at random while
# links are opened from many connections; then what the clients got is compared with
# the journal.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{MPK_SECONDS} // 12;
my $clients = 6;

my $t = Mpk->new;
my $redis = $t->redis;

$t->conf(workers => 2, redis => "unix:@{[$t->dir]}/redis.sock timeout=500ms")->start;


# a client: files orders, mints links, and fires two confirmations with different
# nonces at each at once, then sends the first again until it gets an answer

sub attempt {
    my ($code, $until) = @_;
    while (time < $until) {
        my $result = eval { $code->() };
        return $result if defined $result;
        sleep 0.02;
    }
    return;
}

sub client {
    my ($me, $log, $until) = @_;
    my $n = 0;
    my %accept = (Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded');

    while (time < $until) {
        my $id = "I-$me-" . ++$n;

        attempt(sub { $t->file($id) }, $until + 5) or last;
        print $log "filed $id\n";
        my $link = attempt(sub { $t->mint($id, undef, headers => { 'Idempotency-Key' => $id }) }, $until + 5) or last;
        my @nonces = map { attempt(sub { $t->nonce($link) || undef }, $until + 5) } 1 .. 2;
        last if grep { !defined } @nonces;

        my @sockets = map {
            my $s = eval { Mpk::Http::connection($t->port('edge')) };
            if ($s) {
                print $s Mpk::Http::text('POST', $link, headers => \%accept,
                    body => Mpk::Http::form(nonce => $_, email => 'ann@example.com'));
                $s->flush;
            }
            $s;
        } @nonces;

        my @r = map { $_ ? Mpk::Http::response($_, 5) : { status => 0, body => '' } } @sockets;

        my $again = sub {
            my ($i) = @_;
            return attempt(sub {
                my $r = $t->confirm($link, nonce => $nonces[$i]);
                return $r->{status} =~ /^(200|410)$/ ? $r : undef;
            }, $until + 5);
        };

        for my $i (0, 1) {
            printf $log "got %s %d %d %d\n", $id, $i, $r[$i]{status}, $r[$i]{body} =~ /XK7QX/ ? 1 : 0;
            my $r = $again->($i) or next;
            printf $log "got %s %d %d %d\n", $id, $i, $r->{status}, $r->{body} =~ /XK7QX/ ? 1 : 0;
        }
    }
}

$SIG{PIPE} = 'IGNORE';
my $until = time + $seconds;
my @children;

for my $me (1 .. $clients) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open my $log, '>', $t->dir . "/client.$me";
        srand $me;
        client($me, $log, $until);
        close $log;
        POSIX::_exit(0);
    }
    push @children, $pid;
}

my $kills = 0;
srand 7;

while (time < $until - 2) {
    sleep 0.4 + rand 0.8;

    if (rand() < 0.5) {
        my @workers = $t->workers;
        kill 'KILL', $workers[rand @workers] if @workers;

    } else {
        $redis->stop('KILL');
        sleep rand 0.3;
        $redis->start;
    }

    $kills++;
}

waitpid $_, 0 for @children;

sub told { my ($path) = @_; my $r = $t->api('GET', "orders/$path"); return $r->{status} == 503 ? undef : $r }

ok(attempt(sub { told('nobody') }, time + 10), 'service is back');
cmp_ok($kills, '>=', 5, "$kills kills of Redis and of workers");


# what the clients got, against the journal

my (%filed, %shown, %answers);

for my $me (1 .. $clients) {
    for (split /\n/, $t->read("client.$me")) {
        my ($what, $id, $i, $status, $key) = split / /;
        $filed{$id} = 1 if $what eq 'filed';
        next unless $what eq 'got';
        $answers{$status}++;
        $shown{$id}{$i}++ if $key;
    }
}

my (@lost, @unjournaled, @twice, @broken);

for my $id (sort keys %filed) {
    # each worker has a connection of its own, and comes back when it does
    my $r = attempt(sub { told("$id/journal") }, time + 10);
    my $j = $r->{json};
    my $entries = $j->{entries};

    if (!$entries) {
        push @lost, $id;
        next;
    }

    push @broken, "$id $j->{verdict}" if $j->{verdict} ne 'intact';

    my %events;
    $events{$_->{event}}++ for @$entries;
    my $viewed = $events{viewed} // 0;
    my $keys = 0;
    $keys += $_ for values %{$shown{$id} // {}};

    push @twice, $id if keys %{$shown{$id} // {}} > 1 || $viewed > 1;
    push @unjournaled, $id if $keys > $viewed + ($events{repeated} // 0);
    push @broken, "$id numbers" if grep { $entries->[$_]{n} != $_ + 1 } 0 .. $#$entries;
}

note(scalar(keys %filed) . " orders; answers: " . join ', ', map { "$answers{$_} x $_" } sort keys %answers);

cmp_ok(scalar(keys %shown), '>', 20, 'many keys were shown');
cmp_ok($answers{410} // 0, '>', 20, 'and many second confirmations refused');
is("@lost", '', 'I3, I7: no order that was acknowledged is lost');
is("@broken", '', 'I3: no entry is lost, altered or counted twice');
is("@unjournaled", '', 'I1: no key without its entry');
is("@twice", '', 'I2: no token paid twice');

$t->finish(alerts => qr/exited on signal 9/);
