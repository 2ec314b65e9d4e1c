#!/usr/bin/perl

# HTTP/3: what was not sent whole is journaled as cut off, what was is not.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use IO::Socket::INET;
use Test::More;

plan(skip_all => 'this nginx has no HTTP/3') unless `@{[Mpk::nginx()]} -V 2>&1` =~ /--with-http_v3_module/;

$ENV{MPK_HTTP3} = 1;

my $t = Mpk->new;
my $redis = $t->redis;

# one order's keys have something to do after the answer: post_action waits for $after

my $after = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') // die "no port: $!";
$t->conf(reveal => 'post_action @after;', location => 'location @after { if ($request_method != POST) { return 204; } if ($mpk_order != C-1) { return 204; }'
    . " proxy_pass http://127.0.0.1:@{[$after->sockport]}; }")->start;

# reveal(order, how many keys of 500 bytes, %options of the POST)
sub reveal {
    my ($order, $count, %options) = @_;
    $t->file($order, items => [ map { { sku => "S-$_", product => "P $_", key => "XK7QX$_-" . 'x' x 500 } } 1 .. $count ]);
    my $link = $t->mint($order);
    my $nonce = $t->nonce($link);
    my $paused = delete $options{paused} and $redis->pause;
    my $r = $t->request('POST', $link, headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'), %options);
    $t->get('/');    # nginx reads the end of the stream before this
    $redis->resume if $paused;
    return $r;
}

sub becomes {
    my ($order, $events, $name) = @_;
    wait_for(sub { $t->events($order) eq "filed link_minted opened$events" }, $name);
    is($t->events($order), "filed link_minted opened$events", $name);
}

for (['A-1', 1], ['A-2', 200], ['A-3', 500]) {
    my ($order, $count) = @$_;
    my $r = reveal($order, $count);
    is($r->{status}, 200, "a reveal of $count keys is answered");
    like($r->{body}, qr/XK7QX$count-/, 'to the last key');
    is($t->events($order), 'filed link_minted opened viewed', 'and is not cut off');
}

my $r = reveal('B-1', 500, stop => 1000);
ok(length $r->{body} < 200000, 'a client that goes in the middle');
becomes('B-1', ' viewed cut_off', 'was cut off');

cmp_ok($t->journal('B-1')->{entries}[-1]{sent}, '>', 1000, 'after some bytes');
is($t->journal('B-1')->{entries}[-1]{items}[-1], 500, 'without the last key');

# nginx has written all of this one, but has not ended its stream

$r = reveal('C-1', 1, stop => 1);
is($r->{status}, 200, 'an answer whose stream does not end');
like($r->{body}, qr/XK7QX1-/, 'which shows the key');
close $after->accept;
ok(wait_for(sub { $t->read('access.log') =~ /"POST .*order=C-1 / }, 'its end'), 'and is reset by the client');
is($t->events('C-1'), 'filed link_minted opened viewed', 'was not cut off');

reveal('B-2', 1, paused => 1, timeout => 1);
is($t->get('/')->{body}, "shop\n", 'a client that goes during the read');
becomes('B-2', '', 'uses nothing up');

$t->finish;
