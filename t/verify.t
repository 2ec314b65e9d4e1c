#!/usr/bin/perl

# mpk-verify: it says of each order in a Redis whether it is as it was written.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Mpk::Tls;
use Test::More;

plan skip_all => 'nginx has no part in it' if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND} || $ENV{MPK_NGINX};

my $t = Mpk->new;
my $dir = $t->dir;
my $tls = $t->port('tls');
my $other = $t->port('other');

my $certs = Mpk::Tls->new($t);
$certs->certificate('server', 'localhost');
$certs->certificate('elsewhere', 'elsewhere.example');
$certs->certificate('client', 'edge');
$certs->expired('expired', 'server');
$t->release($_) for qw(tls other);

my $redis = $t->redis(args => $certs->args($tls, 'server', 'yes'));

$t->conf->start;

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC)};
my $log = `make --no-print-directory TOOLS=$dir TOOLS_OPT='-O0 -fsanitize=address,undefined -fno-sanitize-recover=all' $dir/mpk-verify 2>&1`;
ok(-x "$dir/mpk-verify", 'mpk-verify is built') or diag($log);

# verify(arguments): its exit status, and what it prints, with words by their counts
sub verify {
    my (@args) = @_;
    @args = ("unix:$redis->{socket}", "$dir/keyring.json") if !@args;
    my $out = `$dir/mpk-verify @args 2>&1`;
    my $status = $? >> 8;
    my %count = $out =~ /^(orders|intact|erased|altered|missing|unverifiable|newer|sealed|stray) (\d+)$/mg;
    my @faults = sort grep { !/^(orders|intact|erased|altered|missing|unverifiable|newer|sealed|stray) \d+$|^key |^edge / } split /\n/, $out;
    return join(', ', $status, map({ "$_ $count{$_}" } grep { $count{$_} } sort keys %count), @faults);
}

sub key { my ($id) = @_; my ($key) = $t->stored($redis, $id); return $key }
sub flip { my ($id, $field, $at) = @_; my $v = $redis->cmd('HGET', key($id), $field); substr($v, $at, 1) ^= "\1"; $redis->cmd('HSET', key($id), $field, $v) }

is(verify(), '0', 'an empty Redis has nothing wrong');

$t->confirm($t->link("A-$_")) for 1 .. 8;
$t->file("B-$_") for 1 .. 300;
$t->file('Z-1');
$t->api('DELETE', 'orders/Z-1');
is(verify(), '0, erased 1, intact 308, orders 309', 'orders that nobody has touched are intact');
like(scalar `$dir/mpk-verify unix:$redis->{socket} $dir/keyring.json`, qr/^key journal @{[$t->key('journal')->{kid}]} 309\nkey wrap @{[$t->key('wrap')->{kid}]} 308$/m,
    'the keys that they need are counted');

flip('A-1', 'h', 70);
flip('A-2', 'f', 20);
$redis->cmd('HDEL', key('A-3'), 'e2');
flip('A-4', 'e3', -1);
$redis->cmd('HDEL', key('A-5'), 'k');
my ($k6, %a6) = $t->stored($redis, 'A-6');
(my $elsewhere = $k6) =~ s/\{..\}/$k6 =~ m({bh}) ? '{bd}' : '{bh}'/e;
$redis->cmd('HSET', $elsewhere, %a6);

is(verify(), '1, altered 4, erased 1, intact 303, missing 1, orders 310, stray 1, '
    . 'altered A-1, altered A-2, altered A-4 entry 3, altered A-5, missing A-3 entry 2, stray A-6', 'what is wrong is named');

$redis->cmd('DEL', $elsewhere, map { key("A-$_") } 1 .. 5);

# over TLS

$t->write('client.both', $t->read('client.pem') . $t->read('client.key'), 0600);
my $intact = '0, erased 1, intact 303, orders 304';
my @mine = ("-i $dir/client.both", "rediss://localhost:$tls", "$dir/keyring.json");
is(verify("-c $dir/ca.pem", @mine), $intact, 'TLS with a certificate of both sides');
is(verify("-c $dir/ca.pem -s localhost -i $dir/client.both", "rediss://127.0.0.1:$tls", "$dir/keyring.json"), $intact, 'a name for an address');
like(verify("-c $dir/evil.pem", @mine), qr/^2, mpk-verify: rediss:.*certificate/, 'TLS with a certificate of another CA');
like(verify(@mine), qr/^2, mpk-verify: rediss:.*certificate/, 'which the system does not trust either');
like(verify("-c $dir/ca.pem -s elsewhere.example", @mine), qr/^2, mpk-verify: rediss:.*hostname mismatch/, 'TLS with a certificate for another name');
like(verify("-c $dir/ca.pem -i $dir/client.both", "rediss://127.0.0.1:$tls", "$dir/keyring.json"), qr/^2, mpk-verify: rediss:.*IP address mismatch/, 'or for no address');
like(verify("-c $dir/ca.pem", "rediss://localhost:$tls", "$dir/keyring.json"), qr{^2, mpk-verify: .*(certificate required|reset|closed)}, 'TLS without a certificate where Redis asks for one');
like(verify("-c $dir/none", @mine), qr/^2, mpk-verify: .*No such file/, 'a CA that is not there');
like(verify("localhost:$tls", "$dir/keyring.json"), qr/^2, mpk-verify: Redis: /, 'no TLS where Redis speaks it');
my $old = $t->redis(name => 'old', args => $certs->args($other, 'expired'));
like(verify("-c $dir/ca.pem", "rediss://localhost:$other", "$dir/keyring.json"), qr/^2, mpk-verify: rediss:.*expired/, 'an expired certificate');
$old->stop('KILL');

# a rollback, and the heads from an access log

my @heads = map { "$_->{order} $_->{n}:" . $t->api('GET', "orders/$_->{order}/evidence")->{json}{evidence}{verification}{head} =~ s/.*://r }
    map { $t->journal($_)->{entries}[-1] } 'A-7', 'A-8';
$t->write('heads', join '', map { "$_\n" } @heads);
is(verify('-a', "$dir/heads", "unix:$redis->{socket}", "$dir/keyring.json"), '0, erased 1, intact 303, orders 304', 'orders agree with their heads');
my $backup = $redis->cmd('DUMP', key('A-7'));
$t->mint('A-7');
my $head = $t->api('GET', 'orders/A-7/evidence')->{json}{evidence}{verification}{head};
$t->write('heads', "A-7 $head\n");
$redis->cmd('RESTORE', key('A-7'), 0, $backup, 'REPLACE');
is(verify(), '0, erased 1, intact 303, orders 304', 'a rollback is consistent in itself');
is(verify('-a', "$dir/heads", "unix:$redis->{socket}", "$dir/keyring.json"), '1, erased 1, intact 302, missing 1, orders 304, missing A-7 entry 5',
    'and found by its head');

# other keys

system('bin/mpk-keyring', 'rotate', "$dir/keyring.json", $_) for qw(journal wrap);
is(verify(), '0, erased 1, intact 303, orders 304', 'older keys still verify');
my $ring = $t->read('keyring.json');
$t->write('short.json', $ring =~ s/^.*"kid":"\Q@{[$t->key('journal')->{kid}]}\E".*\n//mr, 0600);
system('bin/mpk-keyring', 'new', "$dir/other.json");
is(verify("unix:$redis->{socket}", "$dir/other.json"), join(', ', '1, orders 304, unverifiable 304', sort map { "unverifiable $_" } qw(A-6 A-7 A-8 Z-1), map { "B-$_" } 1 .. 300),
    'without their journal key orders can\'t be verified');

# what it can't do, it says

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';     # it exits where it is

like(verify("unix:$dir/none", "$dir/keyring.json"), qr/^2, mpk-verify: unix:.*: No such file/, 'a Redis that is not there');
like(verify("unix:$redis->{socket}", "$dir/none"), qr/^2, mpk-verify: .*none: No such file/, 'a keyring that is not there');
like(verify('nothing'), qr/^2, .*usage: mpk-verify/, 'nothing to do');

$t->finish;
