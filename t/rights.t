#!/usr/bin/perl

# A right that the Redis user lacks is an error when nginx connects, by name: never half a
# commit.

use warnings;
use strict;

use lib 't/lib';
use IO::Socket::UNIX;
use Mpk;
use Test::More;

plan skip_all => 'sanitizers find nothing new in it' if $ENV{MPK_VALGRIND};

my $t = Mpk->new;
my $redis = $t->redis;

$t->conf(redis => $t->least($redis), location => 'location = /status { mpk_status json; }')->start;

sub ready { return $t->get('/status')->{status} == 200 }
sub keys_in_redis { return scalar grep { !/^mpk:(?:meta|texts)\z/ } @{$redis->cmd('KEYS', '*')} }

ok(wait_for(\&ready, 'ready'), 'the rights of docs/operations.md suffice');
is(keys_in_redis(), 0, 'trying them leaves nothing in Redis');
unlike($t->read('error.log'), qr/was refused/, 'and nothing in the log');

open my $f, '<', 'docs/operations.md' or die "docs/operations.md: $!";
my ($rights) = map { /^    user mpk on >password (.*)/ ? $1 : () } <$f>;
my %not_needed = map { $_ => 1 } qw(ping role info select client|setname evalsha);
my @commands = grep { !$not_needed{$_} } map { /^\+(\S+)$/ ? $1 : () } split ' ', $rights;

cmp_ok(scalar @commands, '>', 20, 'docs/operations.md names the commands');

# without(name, change, restore, what the log says): takes a right away while nginx is
# connected, has it connect anew, and gives the right back
sub without {
    my ($name, $change, $restore, $says) = @_;
    my $mark = $t->mark;
    $redis->cmd('ACL', 'SETUSER', 'mpk', @$change);
    $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    ok(wait_for(sub { $t->log_since($mark) =~ $says }, 'the log'), "without $name nginx says so when it connects") or diag($t->log_since($mark));
    ok(wait_for(sub { !ready() }, '503'), 'and is not ready');
    is($t->api('PUT', "orders/N", $t->order)->{status}, 503, 'an order is not filed');
    is(keys_in_redis(), 0, 'nor half of it');
    $redis->cmd('ACL', 'SETUSER', 'mpk', @$restore);
    ok(wait_for(\&ready, 'ready'), 'with it, it serves');
}

without('+xadd', [ '-xadd' ], [ '+xadd' ], qr/\[error\].*EVAL of the commands in use was refused with "NOPERM xadd:.*grant the Redis user/);
without('+eval', [ '-eval' ], [ '+eval' ], qr/\[error\].*EVAL of the commands in use was refused with "NOPERM[^"]*eval.*grant the Redis user/);
without('+evalsha', [ '-evalsha' ], [ '+evalsha' ], qr/\[error\].*EVALSHA was refused with "NOPERM[^"]*evalsha.*grant the Redis user/);
without('the keys', [ 'resetkeys', '~shop:*' ], [ '~mpk:*' ], qr/\[error\].*was refused with "NOPERM \w+:.*grant the Redis user the commands and key patterns/);

# the same script, by hand, for each command

my $monitor = IO::Socket::UNIX->new(Peer => $redis->{socket}) or die "$redis->{socket}: $!";
syswrite $monitor, "MONITOR\r\n";
my $seen = '';
wait_for(sub { sysread $monitor, $seen, 4096, length $seen; $seen =~ /OK/ }, 'MONITOR');
$redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'USER', 'mpk');
wait_for(sub { sysread $monitor, $seen, 65536, length $seen; $seen =~ /"EVAL" "[^\r\n]*" "0"\r\n/ }, 'the script') or diag($seen);
close $monitor;
my ($script) = $seen =~ /"EVAL" "([^\r\n]*)" "0"\r\n/;
$script =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;

my $user = Mpk::Redis->connected($redis->{socket});
$user->cmd('AUTH', 'mpk', 'sesame');
is($user->cmd('EVAL', $script, 0), '', 'the script finds nothing missing');

for my $command (@commands) {
    next if $command eq 'eval';
    my ($name) = $command =~ /^(\w+)/;
    $redis->cmd('ACL', 'SETUSER', 'mpk', '-' . $command =~ s/\|.*//r);         # Redis 6.2 knows no subcommand here
    my $got = eval { $user->cmd('EVAL', $script, 0) } // $@;
    like($got, qr/NOPERM $name:/, "it finds that +$command is missing");
    is(keys_in_redis(), 0, 'and leaves nothing') if $command ne 'unlink';
    $redis->cmd('ACL', 'SETUSER', 'mpk', map { "+$_" } grep { /^$name\b/ } @commands);
}

# what else can fail does not keep it from serving

$redis->cmd('CONFIG', 'SET', 'maxmemory', 1);
$redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok(wait_for(sub { $redis->clients }, 'connections'), 'it connects to a Redis without memory');
is($t->api('GET', 'orders/N')->{status}, 404, 'and reads there');
$redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
ok(wait_for(sub { $t->api('PUT', 'orders/N', $t->order)->{status} =~ /^20/ }, 'a commit'), 'and commits once it has some');

$t->finish;
