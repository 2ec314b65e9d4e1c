#!/usr/bin/perl

# I1, I2, I3, I5, I7 under load: Redis and nginx's workers are killed at random while
# links are opened from many connections; then what the clients got is compared with
# the journal.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Mpk::Load;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{MPK_SECONDS} // 12;

my $t = Mpk->new;
my $redis = $t->redis;

$t->conf(workers => 2, redis => "unix:@{[$t->dir]}/redis.sock timeout=500ms")->start;

my $load = Mpk::Load->new(test => $t, seconds => $seconds);
my $until = time + $seconds;
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

$load->check(20);
cmp_ok($kills, '>=', 5, "$kills kills of Redis and of workers");

$t->finish(alerts => qr/exited on signal 9/);
