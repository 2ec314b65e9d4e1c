#!/usr/bin/perl

# A network that delays, swallows, cuts and refuses, between nginx and Redis and between
# Redis and its replica, under load: what was answered holds, and service comes back with
# the network.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Mpk::Load;
use Mpk::Proxy;
use Test::More;
use Time::HiRes qw(time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 2 : 1;
my $t = Mpk->new;

my $master = $t->redis(name => 'master', tcp => 1);
my $proxy = Mpk::Proxy->new($t, $master->{port});
my $between = Mpk::Proxy->new($t, $master->{port});
my $replica = $t->redis(name => 'replica', tcp => 1, of => { port => $between->{port} }, args => [ '--repl-timeout', 2 ]);


$master->followed(1);
$master->cmd('CONFIG', 'SET', 'repl-timeout', 2);
$t->conf(workers => 2, listen => 'reuseport', redis => "redis://127.0.0.1:$proxy->{port} timeout=600ms durability=replicas=1",
    location => 'location = /track { mpk_track on; mpk_track_limit address=100000 order=100000; }')->start;

my $load = Mpk::Load->new(test => $t, clients => 3, lookups => 1);
$load->back('at the beginning', 5 * $slow);


# between nginx and Redis

$proxy->mode('delay', 30);
$load->back('30 ms each way', 5 * $slow);

my @modes = (
    [ 'delay' => 'more delay than the timeout', 800 ],
    [ 'drop' => 'a network that swallows all' ],
    [ 'answers' => 'one that swallows the answers' ],
    [ 'cut' => 'one that ends connections' ],
    [ 'reset' => 'one that resets them' ],
    [ 'refuse' => 'nobody who listens' ],
);

for (@modes, @modes) {
    my ($mode, $what, @ms) = @$_;
    $proxy->mode($mode, @ms);
    $load->gone($what);

    my $start;
    ok(wait_for(sub { $start = time; $t->api('GET', 'orders/nobody')->{status} == 503 }, 'reads'), 'reads, too');
    cmp_ok(time - $start, '<', 1.5 * $slow, sprintf 'within a bound: %.0f ms', (time - $start) * 1000);

    $start = time;
    $proxy->mode('pass');
    $load->back("$what, no more", 6 * $slow, $start);
}


# between Redis and its replica

for ([ 'drop' => 'a partition' ], [ 'refuse' => 'a replica that is refused' ]) {
    my ($mode, $what) = @$_;

    # each worker has connections of its own, and comes back when it does

    wait_for(sub { !grep { $t->api('GET', 'orders/nobody')->{status} != 404 } 1 .. 16 }, 'all workers read');
    $between->mode($mode);
    $load->gone("$what: the replica does not follow");
    is($t->api('GET', 'orders/nobody')->{status}, 404, 'reads go on');
    my $start = time;
    $between->mode('pass');
    $load->back("$what, no more", 12 * $slow, $start);
}

$load->enough;
$load->check(10);


# from here on the network keeps back what the test says, and nothing is a matter of time

ok($t->quit, 'quit');
$master->followed(1);
$t->conf(redis => "redis://127.0.0.1:$proxy->{port} connect_timeout=10s timeout=10s durability=replicas=1")->start;

# asked(method, path, body, %headers): sends it while answers are held, waits until the order
# is read, and gives the client
sub asked {
    my ($method, $path, $body, %headers) = @_;
    my $reads = $master->calls('hmget');
    $proxy->mode('hold', 'answers');
    my $client = Mpk::Http::connection($t->port('edge'));
    print $client Mpk::Http::text($method, $path, headers => \%headers, body => $body);
    ok(wait_for(sub { $master->calls('hmget') > $reads }, 'the read'), "$method: the order is read");
    return $client;
}

sub stored { my ($order) = @_; return $master->cmd('KEYS', "mpk:*:o:$order")->[0] }


# what is on its way when its order goes

for my $fate ('gone', 'erased') {
    my $link = $t->link($fate);
    my $stored = stored($fate);
    my $client = asked('POST', $link, 'email=eve%40example.com', 'Content-Type' => 'application/x-www-form-urlencoded',
        'Idempotency-Key' => 'x');

    # of an order that is erased, the head alone is left

    $master->cmd($fate eq 'gone' ? ('DEL', $stored) : ('HDEL', $stored, grep { $_ ne 'h' } @{$master->cmd('HKEYS', $stored)}));
    $proxy->mode('pass');
    is(Mpk::Http::response($client)->{status}, 422, "a wrong challenge whose order is $fate before it is counted is answered");
    is(join(' ', @{$master->cmd('HKEYS', $stored)}), $fate eq 'gone' ? '' : 'h', 'it brings nothing back');
}


# what was read as done already, on a server that is not the one that confirms it

$t->file('twice');
my $stored = stored('twice');
my $client = asked('PUT', '/mpk/v1/orders/twice', JSON::PP->new->encode($t->order), Authorization => "Bearer $t->{token}",
    'Content-Type' => 'application/json');
$master->cmd('DEL', $stored);
$proxy->mode('pass');
is(Mpk::Http::response($client)->{status}, 201, 'I7: and filed again, since it is not there any longer');
is($master->cmd('EXISTS', $stored), 1, 'it is there');


# a backup that is restored while a view is under way, and an order that was cancelled since:
# both have the revision that the view was decided by

$t->file('undone', state => 'held');
$stored = stored('undone');
my $backup = $master->cmd('DUMP', $stored);
is($t->api('POST', 'orders/undone/cancel', { reason => 'fraud', not_sent => JSON::PP::true })->{status}, 200, 'an order is cancelled');
my $cancelled = $master->cmd('DUMP', $stored);
$master->cmd('RESTORE', $stored, 0, $backup, 'REPLACE');
is($t->api('POST', 'orders/undone/release')->{status}, 200, 'and, in another history, released');

$client = asked('POST', '/r/' . $t->sign($t->claims('undone')), 'email=ann%40example.com', 'Idempotency-Key' => 'x',
    'Content-Type' => 'application/x-www-form-urlencoded', Accept => 'application/json');
$proxy->mode('hold', 'requests');
$master->cmd('RESTORE', $stored, 0, $cancelled, 'REPLACE');
$proxy->mode('pass');
my $r = Mpk::Http::response($client);
is($r->{status}, 410, 'R5: the view that was under way does not win over the cancellation');
unlike($r->{body}, qr/XK7QX/, 'no key is shown');
is($t->events('undone'), 'filed cancelled', 'nor is a view journaled');

$t->finish;
