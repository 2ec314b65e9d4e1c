#!/usr/bin/perl

# durability=: a key is shown once its view would survive the loss of the master; what
# replicas do not follow is not answered, and nothing else waits for them.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use Mpk qw(quick);
use Mpk::FakeRedis;
use Mpk::Load;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 3 : 1;
my $key = qr/XK7QX/;
my $t = Mpk->new;
my $dir = $t->dir;


# a master and two replicas; nginx knows the master by a name that can be turned over

my @redis = $t->redis(name => 'r0', tcp => 1);
push @redis, map { $t->redis(name => "r$_", tcp => 1, of => $redis[0]) } 1 .. 2;

sub point {
    my ($to) = @_;
    unlink "$dir/new.sock";
    symlink $to->{socket}, "$dir/new.sock" or die "symlink: $!";
    rename "$dir/new.sock", "$dir/current.sock" or die "rename: $!";
}


# the master is killed; the replica that has most takes over, the others follow it

sub failover {
    my ($master, @replicas) = @_;
    $master->stop('KILL');
    $_->resume for @replicas;
    wait_for(sub { !grep { $_->info('replication')->{master_link_status} ne 'down' } @replicas }, 'the master is gone');
    my ($best, @rest) = sort { $b->info('replication')->{slave_repl_offset} <=> $a->info('replication')->{slave_repl_offset} }
        @replicas;
    $best->follow;
    $_->follow($best) for @rest;
    point($best);
    $master->{of} = $best;
    $master->start;
    return ($best, @rest, $master);
}


point($redis[0]);
$redis[0]->followed(2);
my $current = "unix:$dir/current.sock connect_timeout=5s";
$t->conf(redis => "$current timeout=4s durability=replicas=1",
    location => 'location /track { mpk_track on; }')->start;


# one WAIT for all that gathered

is($t->confirm($t->link('A-0'))->{status}, 200, 'with replicas that follow, a reveal works');

my $link = $t->link('A-1');
my @more = map { [ $t->link("A-2-$_") ] } 1 .. 40;
push @$_, $t->nonce($_->[0]) for @more;
my $nonce = $t->nonce($link);
my ($master, @replicas) = @redis;
my %before = map { $_ => $master->calls($_) } qw(wait evalsha hmget);

$_->pause for @replicas;
my @sockets = ($t->confirming($link, $nonce));
ok(wait_for(sub { $master->calls('evalsha') == $before{evalsha} + 1 }, 'the first commit'), 'a commit goes out at once');
push @sockets, map { $t->confirming(@$_) } @more;
ok(wait_for(sub { $master->calls('hmget') >= $before{hmget} + 41 }, 'the reads'), 'reads go on while its WAIT is out');
is($master->calls('evalsha'), $before{evalsha} + 1, 'further commits gather');
is(scalar(my @early = IO::Select->new(@sockets)->can_read(0)), 0, 'I1: nobody is answered yet');
$_->resume for @replicas;

my @r = map { Mpk::Http::response($_) } @sockets;
is(scalar(grep { $_->{status} == 200 && $_->{body} =~ $key } @r), 41, 'with the replicas back all get their keys');
cmp_ok($master->calls('wait') - $before{wait}, '<=', 4, 'of ' . @sockets . ' commits: '
    . ($master->calls('wait') - $before{wait}) . ' WAITs');


# no replica follows

ok($t->quit, 'quit');
$t->conf(redis => "$current timeout=1s durability=replicas=1", location => 'location /track { mpk_track on; }')->start;

$link = $t->link('B-1');
$nonce = $t->nonce($link);
my $other = $t->nonce($link);
my $fresh = $t->link('B-2');
my $late = $t->link('B-3');
my $late_nonce = $t->nonce($late);
my $filed = $t->order(state => 'held');
my $entries = $master->entries;
my $r;

$_->pause for @replicas;
my $s = $t->confirming($link, $nonce);
ok(wait_for(sub { $master->entries == $entries + 1 }, 'the view'), 'no replica follows: the view is written');
my $reads = quick(sub {
    is($t->api('GET', 'orders/B-1')->{status}, 200, 'an order is read meanwhile');
    is($t->get($fresh)->{status}, 200, 'a confirm page is shown');
    is($t->get('/track')->{status}, 200, 'and the tracking page');
    is($t->track('B-1', html => 1)->{status}, 200, 'with an order');
});
is(scalar(my @now = IO::Select->new($s)->can_read(0)), 0, 'I1: while the reveal is not answered');
my $took = quick(sub { $r = Mpk::Http::response($s) });
cmp_ok($reads, '<', 0.25 * $slow, sprintf 'reads and pages do not wait: four in %.0f ms', $reads * 1000);
is($r->{status}, 503, 'R2: the reveal is then 503');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
unlike($r->{body}, $key, 'I1: without the key');
cmp_ok($reads + $took, '<', 0.5 + 0.5 * $slow, sprintf 'within a bound: %.0f ms, of timeout=1s', ($reads + $took) * 1000);

$entries = $master->entries;
$took = quick(sub { $r = $t->confirm($late, nonce => $late_nonce) });
is($r->{status}, 503, 'the breaker is open: the next commit is 503');
cmp_ok($took, '<', 0.2 * $slow, sprintf 'at once: %.0f ms', $took * 1000);
unlike($r->{body}, $key, 'without a key');
is($t->api('PUT', 'orders/B-4', $filed)->{status}, 503, 'filing likewise');
is($master->entries, $entries, 'and nothing is written');
is($t->confirm($link, nonce => $nonce)->{status}, 503, 'I1: nor is the lost view repeated');
is($t->confirm($link, nonce => $other)->{status}, 410, 'I2: another nonce gets nothing');
is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');

$_->resume for @replicas;
ok($t->serves, 'the replicas are back: commits are taken again, by itself');
$r = $t->confirm($link, nonce => $nonce);
is($r->{status}, 200, 'R3: the same nonce shows the key');
is($r->{json}{repeat}, JSON::PP::true, 'R3: as a repeat, not a second view');
is($t->events('B-1'), 'filed link_minted opened opened viewed repeated', 'I3: the view is there once');
is($t->confirm($late, nonce => $late_nonce)->{json}{repeat}, JSON::PP::false, 'what was refused was not used up');
is($t->api('PUT', 'orders/B-4', $filed)->{status}, 201, 'nor filed');
like($t->read('error.log'), qr/WAIT was acknowledged by 0 of 1 within 500ms/, 'the log says why');
like($t->read('error.log'), qr/durability restored, accepting commits/, 'and that it is over');


# what was done, and lost, is not "done already" until replicas have it

is($t->api('PUT', 'orders/C-1', $t->order(state => 'held'))->{status}, 201, 'an order is held');
$_->pause for @replicas;
is($t->api('POST', 'orders/C-1/release')->{status}, 503, 'it is released, no replica follows: 503');
is($t->api('GET', 'orders/C-1')->{json}{state}, 'ready', 'reads see it');
isnt($t->api('POST', 'orders/C-1/release')->{status}, 200, 'I7: sent again it is not acknowledged, though it is there');
$_->resume for @replicas;
ok($t->serves, 'the replicas are back');
my $written = $master->calls('hset');
is($t->api('POST', 'orders/C-1/release')->{status}, 200, 'R10: and it is acknowledged');
is($master->calls('hset'), $written + 1, 'after a write of its own, since a WAIT is for the last one of its connection');
is($t->events('C-1'), 'filed released', 'I3: once');


# one of two is enough for replicas=1, and not for replicas=2

$replicas[0]->pause;
is($t->confirm($t->link('D-1'))->{status}, 200, 'replicas=1: one that follows is enough');
ok($t->quit, 'quit');
$t->conf(redis => "$current timeout=600ms durability=replicas=2")->start;
is($t->api('PUT', 'orders/D-2', $t->order)->{status}, 503, 'replicas=2: one is not');
$replicas[0]->resume;
ok($t->serves, 'both are');


# a worker that starts while no replica follows writes nothing

ok($t->quit, 'quit');
$_->stop for @replicas;
wait_for(sub { $master->info('replication')->{connected_slaves} == 0 }, 'the replicas go');
$t->conf(redis => "$current timeout=600ms durability=replicas=1")->start;
$entries = $master->entries;
is($t->api('PUT', 'orders/D-3', $t->order)->{status}, 503, 'no replica at all: filing is 503');
is($master->entries, $entries, 'and nothing is written');
ok($t->reload, 'a reload meanwhile leaves no worker behind');
$_->start for @replicas;
$master->followed(2);
ok($t->serves, 'replicas that come are enough');
ok($t->reload, 'a reload');
is($master->clients, 2, 'a worker has one connection more, and reloads leave none behind');


# the master is killed right after the answer

my $survived = 0;
my $rounds = $ENV{MPK_ROUNDS} // 8;

for my $round (1 .. $rounds) {
    my $order = "E-$round";
    $link = $t->link($order);
    $nonce = $t->nonce($link);
    $r = $t->confirm($link, nonce => $nonce);
    @redis = failover(@redis);
    last if $r->{status} != 200;
    wait_for(sub { $t->api('GET', "orders/$order")->{status} == 200 }, 'the new master', 10);
    last if $t->events($order) !~ /^filed link_minted (opened )?viewed$/ || $t->journal($order)->{verdict} ne 'intact';
    $redis[0]->followed(2);
    $t->serves or last;
    $survived++;
}

is($survived, $rounds, "I1, I3: $rounds masters killed right after a view's answer: each view is on the next master");

my $seconds = $ENV{MPK_SECONDS} // 12;
my $load = Mpk::Load->new(test => $t, seconds => $seconds, long => 1, clients => 4);
my $until = time + $seconds;
my $failovers = 0;
srand 7;

while (time < $until - 2) {
    sleep 0.3 + rand 0.4;

    # replicas that lag when the master goes

    my ($killed, @others) = @redis;
    $_->pause for @others;
    sleep 0.05 + rand 0.1;
    @redis = failover(@redis);
    $failovers++;
    $redis[0]->followed(2);
}

note("$failovers failovers under load");
cmp_ok($failovers, '>=', 3, 'failovers under load, with replicas that lag');
$load->check(10);


# the rights that docs/operations.md gives

$redis[0]->cmd('ACL', 'SETUSER', 'mpk', 'reset');
my $least = $t->least($redis[0]);
$redis[0]->cmd('ACL', 'SETUSER', 'mpk', '+wait');
ok($t->quit, 'quit');
$redis[0]->followed(2);
$t->conf(redis => "$least durability=replicas=1")->start;
ok($t->serves, 'the least rights that docs/operations.md gives suffice');
is($t->confirm($t->link('K-1'))->{status}, 200, 'for a view');
is($t->api('PUT', 'orders/K-2', $t->order)->{status}, 201, 'for an order');
is($t->api('PUT', 'orders/K-2', $t->order)->{status}, 200, 'and for the same again');


# a Redis that misbehaves just then

($master, @replicas) = @redis;
ok($t->quit, 'quit');
$_->stop for @redis;
my $real = $t->redis;

my $fake = Mpk::FakeRedis->new(test => $t, real => $real, script => sub {
    my ($words) = @_;
    my ($on, $what, $bytes) = split / /, $t->read('mode'), 3;
    my $name = uc $words->[0];
    return $name eq 'WAIT' ? ":1\r\n" : $name eq 'WAITAOF' ? "*2\r\n:1\r\n:0\r\n" : [ 'pass' ]
        unless $on && $name eq $on;
    $bytes =~ s/\\r\\n/\r\n/g if defined $bytes;
    return $what eq 'say' ? $bytes : [ $what, $bytes ];
});

my $url = "redis://127.0.0.1:$fake->{port} connect_timeout=5s timeout=2s";
$fake->mode('');

my %waits = (
    'is short' => 'say :0\r\n',
    'is refused' => 'say -ERR not now\r\n',
    'is refused for want of rights' => 'say -NOPERM this user\r\n',
    'is refused by what is a replica now' => 'say -ERR WAIT cannot be used with replica instances.\r\n',
    'is answered as Redis never does' => 'say +OK\r\n',
    'never comes' => 'silent',
    'is cut off' => 'close',
    'is cut off in the middle' => 'close :',
    'is reset' => 'reset',
    'is no RESP' => 'say hello\r\n',
    'comes with bytes that nobody asked for' => 'say :0\r\n+SURPRISE\r\n',
);

sub misbehaves {
    my ($wait, $prefix, %what) = @_;
    my $n = 0;

    for my $what (sort keys %what) {
        my $order = "$prefix-" . ++$n;
        my $link = $t->link($order);
        my $nonce = $t->nonce($link);

        $fake->mode("$wait $what{$what}");
        my $r = $t->confirm($link, nonce => $nonce);
        is($r->{status}, 503, "the answer to $wait $what: 503");
        unlike($r->{body}, $key, 'I1: and no key');
        is($t->api('GET', "orders/$order")->{status}, 200, 'reads go on');

        $fake->mode('');
        ok($t->serves, 'well again');
        my $again = $t->confirm($link, nonce => $nonce);
        is($again->{json}{repeat}, JSON::PP::true, 'R3: the same nonce is a repeat');
        is($t->events($order), 'filed link_minted opened viewed repeated', 'I3: the view is there once');
    }
}

$t->conf(redis => "$url durability=replicas=1")->start;
misbehaves('WAIT', 'G', %waits);
like($t->read('error.log'), qr{grant the Redis user \+wait;}, 'the log names the right that lacks');

for my $error ('READONLY You can\'t write', 'NOPERM this user', 'LOADING Redis is loading', 'OOM command not allowed') {
    my ($name) = split / /, $error;
    my $link = $t->link("H-$name");
    my $nonce = $t->nonce($link);

    $fake->mode("EVALSHA say -$error\\r\\n");
    is($t->confirm($link, nonce => $nonce)->{status}, 503, "-$name on a commit: 503");
    $fake->mode('');
    ok($t->serves, 'well again');
    is($t->confirm($link, nonce => $nonce)->{json}{repeat}, JSON::PP::false, 'nothing was used up');
}

$real->cmd('SCRIPT', 'FLUSH');
is($t->confirm($t->link('H-1'))->{status}, 200, 'a forgotten script is sent again');
ok($t->quit, 'quit');

$t->conf(redis => "$url durability=aof")->start;
is($t->confirm($t->link('I-0'))->{status}, 200, 'aof: what is on disk is answered');
misbehaves('WAITAOF', 'I', 'is short' => 'say *2\r\n:0\r\n:1\r\n', 'is answered as Redis never does' => 'say *1\r\n:1\r\n',
    'is refused without an append-only file'
        => 'say -ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n');
like($t->read('error.log'), qr/needs "appendonly yes"/, 'the log says what aof needs');
ok($t->quit, 'quit');


# aof before Redis 7.2

SKIP: {
    skip 'this Redis knows WAITAOF', 4 if $real->knows('waitaof');

    $t->conf(redis => "unix:$real->{socket} timeout=1s durability=aof")->start;
    $entries = $real->entries;
    is($t->api('PUT', 'orders/J-1', $t->order)->{status}, 503, 'aof on an old Redis: filing is 503');
    is($real->entries, $entries, 'and nothing is written');
    is($t->api('GET', 'orders/I-0')->{status}, 200, 'reads go on');
    like($t->read('error.log'), qr/\[error\].*durability=aof needs Redis >= 7\.2/, 'the log has the remedy');
    ok($t->quit, 'quit');
}


# what nginx -t refuses

for my $value ('replicas', 'replicas=', 'replicas=0', 'replicas=17', 'replicas=-1', 'replicas=1x', 'AOF', 'aof=1') {
    $t->conf(redis => "unix:$dir/redis.sock durability=$value");
    my ($good, $out) = $t->check;
    ok(!$good && $out =~ /durability=\Q$value\E.*"replicas=" with 1 to 16, or "aof"/, "durability=$value is refused, with the values that are not");
}

$t->conf(redis => "unix:$dir/redis.sock durability=aof timeout=19ms");
my ($good, $out) = $t->check;
ok(!$good && $out =~ /timeout=, which must be 20ms or more/, 'a timeout that leaves no time for a WAIT is refused');

for my $value ('none', 'aof', 'replicas=1', 'replicas=16') {
    $t->conf(redis => "unix:$dir/redis.sock durability=$value");
    ($good, $out) = $t->check;
    ok($good, "durability=$value is taken") or diag($out);
}

$t->finish(alerts => qr/\[emerg\]/);
