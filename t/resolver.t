#!/usr/bin/perl

# The server's name is asked for again while Redis can't be reached: failover by DNS.

use warnings;
use strict;

use lib 't/lib';
use IO::Socket::INET;
use Mpk qw(child);
use Test::More;

# a name server that says where "localhost" is: the file beside it has the address

my $t = Mpk->new;
my $answer = $t->write('address', '127.0.0.1');
my $dns = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die "udp: $!";
my $dns_port = $dns->sockport;

my $pid = child(sub {
    while (defined $dns->recv(my $query, 512)) {
        my ($id, $name) = (substr($query, 0, 2), substr $query, 12);
        my ($question) = $name =~ /^(.*?\0....)/s or next;
        my $address = $t->read('address');
        my $found = $address =~ /^\d/;
        my $reply = $id . pack('n5', $found ? 0x8180 : 0x8183, 1, $found ? 1 : 0, 0, 0) . $question
            . ($found ? pack('nnnNn', 0xc00c, 1, 1, 1, 4) . pack('C4', split /\./, $address) : '');
        $dns->send($reply);
    }
});

END { kill 'TERM', $pid if $pid }

my $port = do { my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "no free port: $!"; $s->sockport };
my $first = $t->redis(name => 'first', args => [ '--port', $port, '--bind', '127.0.0.1' ]);

$t->conf(redis => "redis://localhost:$port connect_timeout=2s timeout=5s",
    http => "resolver 127.0.0.1:$dns_port ipv6=off valid=1s; resolver_timeout 2s;")->start;
is($t->api('PUT', 'orders/D-1', $t->order)->{status}, 201, 'Redis is where the name was when the configuration was read');

# the server moves

$first->stop;
is($t->api('GET', 'orders/D-1')->{status}, 503, 'it has gone: 503');

my $second = $t->redis(name => 'second', args => [ '--port', $port, '--bind', '127.0.0.2' ]);
$t->write('address', '127.0.0.2');
ok(wait_for(sub { $t->api('GET', 'orders/D-1')->{status} == 404 }, 'the other one', 20), 'the name leads elsewhere: another server, without a reload');
is($t->api('PUT', 'orders/D-2', $t->order)->{status}, 201, 'which takes orders');
like($second->cmd('KEYS', 'mpk:*:o:*')->[0], qr/:o:D-2$/, 'as it should');

# the name is gone, too

$t->write('address', 'none');
$second->stop;
ok($t->logged(qr/\[warn\].*"localhost" could not be resolved .*keeping the known addresses/),
    'a name that is not found is a warning');
$second->start;
ok(wait_for(sub { $t->api('GET', 'orders/D-2')->{status} == 200 }, 'back', 20),
    'and the addresses known stay in use');

ok($t->reload, 'workers go while a name is asked for');

$t->finish;
