#!/usr/bin/perl

# What ops meets, each under a load of customers: connections that are killed, scripts
# that are forgotten, memory or disk that is full, a password that changed, a
# certificate that expired.  Nothing needs a reload, and nothing is lost.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Mpk::Load;
use Mpk::Tls;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 2 : 1;
my $t = Mpk->new;
my $dir = $t->dir;

my $tls = $t->port('tls');
my $certs = Mpk::Tls->new($t);
$certs->certificate('server', 'localhost');
$certs->expired('expired', 'server');
$t->release('tls');


# its disk is small, where we may mount one, though not too small for the load

mkdir "$dir/redis.d";
my $mounted = $> == 0 && system("mount -t tmpfs -o size=256m tmpfs $dir/redis.d 2>/dev/null") == 0;
my $test = $$;
END { local $?; system('umount', '-l', "$dir/redis.d") if $mounted && $$ == $test }

my $password = $t->write('password', "one\n", 0600);
my @args = @{$certs->args($tls, 'server')};
my $redis = $t->redis(args => [ @args, '--requirepass', 'one' ], password => 'one');

$t->conf(workers => 2, listen => 'reuseport', redis => "rediss://localhost:$tls tls_ca=$dir/ca.pem password_file=$password timeout=500ms",
    location => 'location = /metrics { mpk_status prometheus; }')->start;

my $load = Mpk::Load->new(test => $t, clients => 3);
$load->back('at the beginning', 5 * $slow);

sub kill_clients {
    eval { $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') };
}

sub logged { my ($what) = @_; ok($t->logged($what), 'the log says why') }


for (1 .. 3) {
    kill_clients();
    $load->back('CLIENT KILL', 2 * $slow);
}

$redis->cmd('SCRIPT', 'FLUSH');
$load->back('SCRIPT FLUSH', 1 * $slow);

# a worker that is still connecting again would refuse reads, too

ok(wait_for(sub { !grep { $t->api('GET', 'orders/nobody')->{status} != 404 } 1 .. 16 }, 'all workers read'), 'all workers read');
$redis->cmd('CONFIG', 'SET', 'maxmemory', 1);
$load->gone('maxmemory reached');
logged(qr/OOM.*maxmemory/);
is($t->api('GET', 'orders/nobody')->{status}, 404, 'reads go on') or diag(grep { /^mpk_redis/ } map { "$_\n" } split /\n/, $t->get('/metrics')->{body});
$redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
$load->back('memory again', 2 * $slow);

sub restart {
    my ($password) = @_;
    $redis->stop;
    $redis->{args} = [ @args, '--requirepass', $password ];
    $redis->{password} = $password;
    $redis->start;
}

restart('two');
$load->gone('restarted with another password');
logged(qr/AUTH was refused: compare user= and password_file=/);
restart('one');
$load->back('the old password again', 4 * $slow);

$redis->cmd('CONFIG', 'SET', 'tls-cert-file', "$dir/expired.pem");
kill_clients();
$load->gone('the certificate has expired');
logged(qr/expired/);
$redis->cmd('CONFIG', 'SET', 'tls-cert-file', "$dir/server.pem");
$load->back('a good certificate', 4 * $slow);

$redis->cmd('CLIENT', 'PAUSE', 700 * $slow, 'ALL');
$load->back('Redis pauses', 5 * $slow);


SKIP: {
    skip 'a small disk needs root and the right to mount', 9 unless $mounted;

    # Redis says so, if it may fall behind the disk

    $redis->cmd('CONFIG', 'SET', 'appendfsync', 'everysec');
    system("dd if=/dev/zero of=$dir/redis.d/filler bs=64k >/dev/null 2>&1");
    $load->gone('the disk is full');
    logged(qr/MISCONF.*disk/);
    unlink "$dir/redis.d/filler";
    $load->back('room again', 6 * $slow);

    # it ends, if it may not

    $redis->cmd('CONFIG', 'SET', 'appendfsync', 'always');
    system("dd if=/dev/zero of=$dir/redis.d/filler bs=64k >/dev/null 2>&1");
    $load->gone('the disk is full, and Redis has ended');
    unlink "$dir/redis.d/filler";
    $redis->stop('KILL');
    $redis->start;
    $load->back('room again, and Redis', 4 * $slow);
}

$load->enough;
$load->check(15);
$t->finish;
