#!/usr/bin/perl

# Redis over TLS, with passwords and ACLs: what must be verified is, and what fails says
# why; the rest of the site is served.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Mpk::Tls;
use Test::More;

my $t = Mpk->new;
my $dir = $t->dir;
my $tls = $t->port('tls');
my $other = $t->port('other');
my $old = $t->port('old');
my $mutual = $t->port('mutual');

my $certs = Mpk::Tls->new($t);
$certs->certificate('server', 'localhost');
$certs->certificate('elsewhere', 'elsewhere.example');
$certs->certificate('client', 'edge');
$certs->expired('expired', 'server');

$t->release($_) for qw(tls other old mutual);

$t->redis(name => 'good', args => $certs->args($tls, 'server'));
$t->redis(name => 'wrong', args => $certs->args($other, 'elsewhere'));
$t->redis(name => 'old', args => $certs->args($old, 'expired'));
$t->redis(name => 'mutual', args => $certs->args($mutual, 'server', 'yes'));

# worker(redis): one that connects there, with a log of its own; a handshake may take its time
sub worker {
    my ($redis) = @_;
    $t->quit if $t->{nginx};
    unlink "$dir/error.log";
    $t->conf(redis => "$redis connect_timeout=5s")->start;
}

sub serves {
    my ($name, $redis) = @_;
    worker($redis);
    my $good = wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, $name, 5);
    ok($good, "$name works");
    is($t->confirm($t->link('T-' . int rand 1e9))->{status}, 200, 'and a reveal goes all the way') if $good;
}

sub fails {
    my ($name, $redis, $reason) = @_;
    worker($redis);
    is($t->api('GET', 'orders/nobody')->{status}, 503, "$name: 503");
    like($t->read('error.log'), $reason, "$name: the error log says why");
    is($t->get('/')->{body}, "shop\n", "$name: the rest of the site is served");
}

serves('TLS with the right CA', "rediss://localhost:$tls tls_ca=$dir/ca.pem");
fails('a certificate of another CA', "rediss://localhost:$tls tls_ca=$dir/evil.pem", qr/\[error\].*certificate verify|\[error\].*verif/);
fails('a certificate for another name', "rediss://localhost:$other tls_ca=$dir/ca.pem", qr/\[error\].*localhost/);
serves('tls_name for that certificate', "rediss://localhost:$other tls_ca=$dir/ca.pem tls_name=elsewhere.example");
fails('an expired certificate', "rediss://localhost:$old tls_ca=$dir/ca.pem", qr/\[error\].*expired/);
fails('no certificate where Redis asks for one', "rediss://localhost:$mutual tls_ca=$dir/ca.pem", qr/\[error\]/);
serves('a client certificate', "rediss://localhost:$mutual tls_ca=$dir/ca.pem tls_cert=$dir/client.pem tls_key=$dir/client.key");


# passwords and ACLs

my $redis = $t->redis(name => 'acl');
$t->least($redis);

my $right = $t->write('right', "sesame\n", 0600);
my $wrong = $t->write('wrong.password', "sesam\n", 0600);
my $sock = "unix:$dir/acl.sock";

serves('the least rights that docs/operations.md gives', "$sock user=mpk password_file=$right");
unlike($t->read('error.log'), qr/\[(error|warn)\].*mpk_redis/, 'and the log has no complaint');
is($t->api('GET', 'orders/nobody')->{status}, 404, 'reading works');
fails('a wrong password', "$sock user=mpk password_file=$wrong", qr/\[error\].*(WRONGPASS|password)/);
serves('a database by its number', "$sock:3");
like($redis->cmd('INFO', 'keyspace'), qr/db3:/, 'which is where things are');


# a password that changes

serves('no password', $sock);
$redis->cmd('CONFIG', 'SET', 'requirepass', 'changed');
$redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok(wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 503 }, '503', 5), 'a password that was changed: 503');
ok($t->logged(qr/\[error\].*(NOAUTH|password)/, 5), 'and the log says why') or diag($t->read('error.log'));
$redis->cmd('CONFIG', 'SET', 'requirepass', '');
ok(wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, '404', 10), 'changed back, service is back without a reload');

$t->finish;
