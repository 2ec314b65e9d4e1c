#!/usr/bin/perl

# Edges go by the clock of Redis.  An edge whose own clock is wrong, and a Redis whose clock
# jumps, let no link pay twice, close none, and lose no order.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use List::Util qw(max);
use Mpk qw(ago);
use Mpk::Clock;
use Test::More;
use Time::Local qw(timegm);

plan skip_all => 'valgrind has a clock of its own' if $ENV{MPK_VALGRIND};

my $hour = 3600;
my $day = 24 * $hour;
my $key = qr/XK7QX/;

my $t = Mpk->new;
my $of_redis = Mpk::Clock->new($t, 'redis', 0);
my $redis = $t->redis(clock => $of_redis);
my @conf = (redis => "unix:$redis->{socket} connect_timeout=5s timeout=10s", http => 'mpk_retention 60d;',
    location => 'location = /metrics { mpk_status prometheus; } location = /status { mpk_status json; }
        location = /track { mpk_track on; } location /claim/ { mpk_claim on; }
        location = /account { set $who ann; mpk_account $who trusted; }');

$t->conf(@conf)->start;

# another edge, with a clock that the test sets

my $other = Mpk->new;
$other->write('keyring.json', $t->read('keyring.json'));
$other->{keys} = $t->{keys};
my $clock = $other->{clock} = Mpk::Clock->new($other, 'edge', 0);
$other->conf(@conf)->start;

sub skew { my ($edge) = @_; return $edge->get('/metrics')->{body} =~ /^mpk_clock_skew_seconds\{node="[^"]+"\} (-?\d+)$/m ? $1 : 'none' }
sub seconds { my ($y, $mon, $d, $h, $m, $s) = $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/ or return 0; return timegm($s, $m, $h, $d, $mon - 1, $y) }
sub about { my ($got, $expected, $name) = @_; cmp_ok(abs($got - $expected), '<', 60, $name) }

# jump(seconds): the other edge's clock is so far ahead, and its workers know
sub jump {
    my ($ahead, $name) = @_;
    $clock->set($ahead);
    ok(wait_for(sub { abs(skew($other) - $ahead) <= 1 }, 'the metric'), "an edge whose clock is $name tells so in a metric");
}

is(skew($t), 0, 'an edge whose clock is right has no skew');

my $n = 0;

for (
    [ 31 * $day, '31 days ahead' ], [ 365 * $day, 'a year ahead' ],
    [ -$hour, 'an hour behind' ], [ -400 * $day, 'more than a year behind' ],
) {
    my ($ahead, $name) = @$_;
    my $order = 'A-' . ++$n;

    my $link = $t->link($order, account => 'ann');
    my $nonce = $t->nonce($link);
    my $mark = $other->mark;
    jump($ahead, $name);
    ok($n > 1 || wait_for(sub { $other->log_since($mark) =~ /\[warn\].*this machine's clock is \d+ s ahead of this server's/ }, 'the log'), 'and in its log');
    is($other->get('/status')->{status}, 200, 'and stays ready');

    # what one edge makes is good on the other

    is($other->get($link)->{status}, 200, 'a link that the right edge minted opens there');
    is($other->confirm($link, nonce => $nonce)->{status}, 200, 'a confirm page of the right edge can be sent there');
    like($other->confirm($link, nonce => $nonce)->{body}, $key, 'and again, within the grace');
    is($t->confirm($link, nonce => $nonce)->{status}, 200, 'the same on the right edge');

    my $minted = $other->mint($order);
    is($t->get($minted)->{status}, 200, 'a link that it mints opens on the right edge');
    $nonce = $other->nonce($minted);
    is($t->confirm($minted, nonce => $nonce)->{status}, 200, 'with the page of the one, confirmed on the other');

    # I2: no used link pays again

    for my $used ($link, $minted) {
        is($_->confirm($used)->{status}, 410, 'a used link is used on ' . ($_ == $t ? 'the right edge' : 'that one')) for $t, $other;
    }

    # wrong challenges close a link for a quarter of an hour

    my $closed = $t->link("C-$n");
    $other->confirm($closed, email => 'eve@example.com') for 1 .. 10;
    is($_->confirm($closed)->{status}, 429, 'a link is closed by wrong challenges on both') for $t, $other;
    my (undef, %field) = $t->stored($redis, "C-$n");
    my ($until) = map { /^10 (\d+)$/ } map { $field{$_} } grep { /^w:/ } keys %field;
    about($until // 0, time + 900, 'for 15 minutes, whatever the clock of the edge that counted');

    # journal and expiry

    my $journal = $t->journal($order);
    is($journal->{verdict}, 'intact', 'the journal is intact');
    about(seconds($_->{at}), time, "$_->{event} has the time of Redis") for @{$journal->{entries}};
    my ($viewed) = grep { $_->{event} eq 'viewed' } @{$journal->{entries}};
    about(seconds($viewed->{edge_at}), time + $ahead, 'and beside it the time of the edge');
    ok(!exists $journal->{entries}[0]{edge_at}, 'which an edge in time does not add');

    is($other->api('PUT', "orders/F-$n", $t->order(account => 'ann', purchased_at => ago(5 * $day)))->{status}, 201, 'an order is filed there');
    about($redis->cmd('TTL', ($t->stored($redis, "F-$n"))[0]), 55 * $day, 'and expires when it would anywhere');

    my ($claim) = ($other->track($order)->{json}{claim_url} // '') =~ m{//[^/]+(/.*)};
    is($t->get($claim // '/claim/none')->{status}, 200, 'a form for claims that it hands out opens on the right edge');
    ($claim) = ($t->track($order)->{json}{claim_url} // '') =~ m{//[^/]+(/.*)};
    is($other->get($claim // '/claim/none')->{status}, 200, 'and one of the right edge on it');
    is($t->track("F-$n")->{status}, 200, 'the order is found on the right edge');
    is($other->track($order)->{status}, 200, 'and the other on that one');

    # indexes

    my $list = decode_json($other->get('/account', headers => { Accept => 'application/json' })->{body});
    is($list->{total}, 2 * $n, 'an account has all of its orders');
}

# a jump while it serves, there and back

$clock->set(0);
ok(wait_for(sub { abs(skew($other)) <= 1 }, 'the metric'), 'a clock that is right again has no skew');
my $link = $t->link('J-1');
my $nonce = $other->nonce($link);
jump(2 * $day, '2 days ahead');
is($other->confirm($link, nonce => $nonce)->{status}, 200, 'a page from before a jump is good after it');
jump(-2 * $day, '2 days behind');
is($other->confirm($link, nonce => $nonce)->{json}{items}[0]{key} // '', 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'the grace, too');
$clock->set(0);

# the clock of Redis jumps: an order's time does not go back, and nothing is closed for good

sub redis_jump {
    my ($ahead, $name) = @_;
    $of_redis->set($ahead);
    ok(wait_for(sub { abs(skew($t) + $ahead) <= 1 && abs(skew($other) + $ahead) <= 1 }, 'the metric'), "both edges know that Redis is $name");
}

my $used = $t->link('R-1');
is($t->confirm($used)->{status}, 200, 'a view');
my $open = $t->mint('R-1');
redis_jump(20 * $day, '20 days ahead');
my $later = $t->mint('R-1');
redis_jump(0, 'right again');
is($_->confirm($used)->{status}, 410, 'the used link stays used') for $t, $other;
is($t->get($open)->{status}, 200, 'one minted before the jump is open');
is($other->confirm($open)->{status}, 200, 'and shows the key');

my @at = map { seconds($_->{at}) } @{$t->journal('R-1')->{entries}};
is_deeply(\@at, [ sort { $a <=> $b } @at ], 'the order\'s time did not go back');
about($at[-1], time + 20 * $day, 'its last event has the time of the one before');
is($t->journal('R-1')->{verdict}, 'intact', 'its journal is intact');

# what was begun while it was ahead does not last until then

my ($ahead, $seen) = map { $t->link($_) } 'R-3', 'R-4';
redis_jump(25 * $day, '25 days ahead');
$t->confirm($ahead, email => 'eve@example.com') for 1 .. 10;
is($t->confirm($ahead)->{status}, 429, 'a link is closed');
my $page = $t->nonce($seen);
is($t->confirm($seen, nonce => $page)->{status}, 200, 'another is used');
redis_jump(0, 'right again');
is($t->confirm($ahead)->{status}, 200, 'the closed one is open');
is($t->confirm($seen, nonce => $page)->{status}, 410, 'the used one is not repeated');

redis_jump(-$hour, 'an hour behind');
my $behind = $t->link('R-2', account => 'ann');
is($t->confirm($behind)->{status}, 200, 'a Redis that is behind serves');
is($t->confirm($used)->{status}, 410, 'and what is used stays used, though its link is from the future');
redis_jump(0, 'right again');
is($t->confirm($behind)->{status}, 410, 'that, too');

# a worker that has not heard of Redis' clock yet

for my $ahead (40 * $day, -40 * $day) {
    my $order = 'S-' . ++$n;
    my $link = $t->link("$order-1");
    $clock->set($ahead);
    ok($other->quit, 'an edge whose clock is wrong ends');
    kill 'STOP', $redis->{pid};
    $other->start;
    my $s = Mpk::Http::connection($other->port('edge'));
    print $s Mpk::Http::text('PUT', "/mpk/v1/orders/$order-2", headers => { Authorization => "Bearer $other->{token}", 'Content-Type' => 'application/json' }, body => encode_json($other->order));
    $s->flush;
    my $l = Mpk::Http::connection($other->port('edge'));
    print $l Mpk::Http::text('GET', $link);
    $l->flush;
    ok(!IO::Select->new($s, $l)->can_read(0.5), 'starts while Redis hangs: requests wait');
    kill 'CONT', $redis->{pid};
    is(Mpk::Http::response($s)->{status}, 201, 'an order is filed once it is back');
    about(seconds($t->journal("$order-2")->{entries}[0]{at}), time, 'at its time');
    is(Mpk::Http::response($l)->{status}, 200, 'and a link is open');

    my @refused;
    for my $round (1 .. 3) {
        $other->reload;
        push @refused, grep { $_ != 200 } map { $other->get($link)->{status} } 1 .. 10;
    }
    is("@refused", '', 'and stays open while nginx reloads');
}

ok($other->quit, 'the other edge ends');
is(join("\n", $other->complaints), '', 'without complaints');

$t->finish;
