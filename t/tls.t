#!/usr/bin/perl

# Redis over TLS, with passwords and ACLs: what must be verified is, and what fails says
# why; the rest of the site is served.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Test::More;

my $t = Mpk->new;
my $dir = $t->dir;
my $tls = $t->port('tls');
my $other = $t->port('other');
my $old = $t->port('old');
my $mutual = $t->port('mutual');

sub openssl { system("openssl @_ >>$dir/openssl.log 2>&1") == 0 or die "openssl @_: " . $t->read('openssl.log') }

sub certificate {
    my ($name, $subject, $ca, $days) = @_;
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$subject -keyout $dir/$name.key -out $dir/$name.csr");
    $t->write("$name.ext", "subjectAltName=DNS:$subject\n");
    openssl("x509 -req -in $dir/$name.csr -CA $dir/$ca.pem -CAkey $dir/$ca.key -CAcreateserial -days $days -extfile $dir/$name.ext -out $dir/$name.pem");
}

openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$_ -keyout $dir/$_.key -out $dir/$_.pem") for qw(ca evil);
certificate('server', 'localhost', 'ca', 30);
certificate('elsewhere', 'elsewhere.example', 'ca', 30);
certificate('client', 'edge', 'ca', 30);

$t->write('ca.cnf', "[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index\nserial=$dir/serial\nnew_certs_dir=$dir\npolicy=p\ncopy_extensions=none\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n");
$t->write('index', '');
$t->write('serial', "4711\n");
openssl("ca -batch -config $dir/ca.cnf -md sha256 -cert $dir/ca.pem -keyfile $dir/ca.key -in $dir/server.csr -out $dir/expired.pem -startdate 20200101000000Z -enddate 20200201000000Z -notext");

$t->release($_) for keys %{$t->{reserved}};

sub tls_args {
    my ($port, $name, $clients) = @_;
    return [ '--tls-port', $port, '--tls-cert-file', "$dir/$name.pem", '--tls-key-file',
        $name eq 'expired' ? "$dir/server.key" : "$dir/$name.key", '--tls-ca-cert-file', "$dir/ca.pem", '--tls-auth-clients', $clients // 'no' ];
}

$t->redis(name => 'good', args => tls_args($tls, 'server'));
$t->redis(name => 'wrong', args => tls_args($other, 'elsewhere'));
$t->redis(name => 'old', args => tls_args($old, 'expired'));
$t->redis(name => 'mutual', args => tls_args($mutual, 'server', 'yes'));

sub serves {
    my ($name, $redis) = @_;
    $t->quit if $t->{nginx};
    unlink "$dir/error.log";
    $t->conf(redis => $redis)->start;
    my $good = wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, $name, 5);
    ok($good, "$name works");
    is($t->confirm($t->link('T-' . int rand 1e9))->{status}, 200, 'and a reveal goes all the way') if $good;
}

sub fails {
    my ($name, $redis, $reason) = @_;
    $t->quit if $t->{nginx};
    unlink "$dir/error.log";
    $t->conf(redis => $redis)->start;
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
ok(wait_for(sub { $t->read('error.log') =~ /\[error\].*(NOAUTH|password)/ }, 'the log', 5), 'and the log says why') or diag($t->read('error.log'));
$redis->cmd('CONFIG', 'SET', 'requirepass', '');
ok(wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, '404', 10), 'changed back, service is back without a reload');

$t->finish;
