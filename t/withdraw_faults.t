#!/usr/bin/perl

# I12: a confirmed statement of withdrawal outlives a client that disconnects, clocks that are
# wrong, workers and a Redis that are killed, and what somebody changed in Redis.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use Mpk qw(ago child wait_for);
use Mpk::Clock;
use Mpk::Http2;
use Test::More;

plan skip_all => 'valgrind has a clock of its own' if $ENV{MPK_VALGRIND};

my $day = 24 * 3600;

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my $json = JSON::PP->new->utf8;
my $h2 = $t->port('h2');
my $clock = $t->{clock} = Mpk::Clock->new($t, 'edge', 0);

mkdir "$dir/pages";
$t->write('pages/en.json', $json->encode({ 'shop.support_email' => 'help@shop.example' }));

$t->conf(redis => $t->least($redis), http => 'mpk_retention 60d;', server => "listen 127.0.0.1:$h2 http2; mpk_pages $dir/pages;",
    location => <<'CONF')->start;
        location = /withdraw { mpk_withdraw on; }
        location = /metrics { mpk_status prometheus; }
CONF

my %support = (token => 'support-token');

sub fields { my ($order, %over) = @_; return { name => 'Ann Example', order => $order, email => 'ann@example.com', form => "f-$order", confirm => 'yes', %over } }
sub state_it { my ($order, %over) = @_; return $t->post('/withdraw', fields($order, %over), headers => { Accept => 'application/json' }) }
sub open_ones { return $t->api('GET', 'withdrawals?state=open', undef, %support)->{json} }
sub unmatched { my ($order) = @_; return grep { ($_->{order} // '') eq $order } @{open_ones()->{unmatched} // []} }
sub became { my ($order) = @_; my $w = $t->api('GET', "orders/$order", undef, %support)->{json}{withdrawals}; return $w ? join ' ', map { $_->{state} } @$w : 'none' }

# stating(order): sends a confirmed statement, and does not wait; the socket
sub stating {
    my ($order, %over) = @_;
    my $socket = Mpk::Http::connection($t->port('edge'));
    print $socket Mpk::Http::text('POST', '/withdraw', headers => { Accept => 'application/json',
        'Content-Type' => 'application/x-www-form-urlencoded' }, body => Mpk::Http::form(%{fields($order, %over)}));
    $socket->flush;
    Mpk::Http::taken($socket);
    return $socket;
}


# the client disconnects

for my $how ('closes the connection', 'resets it') {
    my ($match, $other) = $how =~ /^closes/ ? ('G-1', 'G-2') : ('G-3', 'G-4');
    $t->file($match);
    $redis->pause;
    for my $order ($match, $other) {
        my $socket = stating($order);
        $how =~ /^closes/ ? close $socket : Mpk::Http::slam($socket);
    }
    $t->get('/');
    $redis->resume;
    ok(wait_for(sub { became($match) eq 'granted' }, 'the commit'), "I12: a client that confirms and $how has withdrawn");
    ok(wait_for(sub { unmatched($other) == 1 }, 'the list'), 'I12: so has one whose statement goes to support');
}

for my $how ('resets its stream', 'closes the connection') {
    my ($match, $other) = $how =~ /^resets/ ? ('G-5', 'G-6') : ('G-7', 'G-8');
    $t->file($match);
    $redis->pause;
    my $c = Mpk::Http2->new($h2);
    my @streams = map { $c->request('POST', '/withdraw', { Accept => 'application/json',
        'Content-Type' => 'application/x-www-form-urlencoded' }, Mpk::Http::form(%{fields($_)})) } $match, $other;
    Mpk::Http::taken($c->{socket});
    $t->get('/');
    if ($how =~ /^resets/) {
        $c->reset($_) for @streams;
        Mpk::Http::taken($c->{socket});
    } else {
        close $c->{socket};
    }
    $t->get('/');
    $redis->resume;
    ok(wait_for(sub { became($match) eq 'granted' }, 'the commit'), "I12: over HTTP/2 a client that confirms and $how has withdrawn");
    ok(wait_for(sub { unmatched($other) == 1 }, 'the list'), 'I12: so has one whose statement goes to support');
}


$t->finish;
