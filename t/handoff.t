#!/usr/bin/perl

# Hand-off: what the module does not answer reaches the upstream unharmed, and the rest of
# the site does not notice when Redis is away (I6).

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::INET;
use Mpk qw(child);
use Mpk::Http2;
use Test::More;
use Time::HiRes qw(time);

# a shop that says what it got: the request line, a header, the body's length and hash

my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $sink = $listen->sockport;

my $pid = child(sub {
    while (my $c = $listen->accept) {
        my $raw = '';
        while ($raw !~ /\r\n\r\n/) { sysread($c, $raw, 65536, length $raw) or last }
        my ($head, $body) = split /\r\n\r\n/, $raw, 2;
        my ($length) = ($head // '') =~ /^Content-Length: (\d+)/mi;
        while (length $body < ($length // 0)) { sysread($c, $body, 65536, length $body) or last }
        my ($line) = $head =~ /^(.*) HTTP/;
        my ($mark) = $head =~ /^X-Mark: ([^\r]+)/mi;
        my $text = join('|', $line, $mark // '', length $body, sha256_hex($body)) . "\n";
        print $c "HTTP/1.1 200 OK\r\nContent-Length: " . length($text) . "\r\nConnection: close\r\n\r\n$text";
        close $c;
    }
});

close $listen;
END { kill 'TERM', $pid if $pid }

my $t = Mpk->new;
my $redis = $t->redis;
my $h2 = $t->port('h2');

$t->conf(http => 'access_log off; client_max_body_size 4m; client_body_buffer_size 8k; keepalive_requests 1000000;',
    server => "listen 127.0.0.1:$h2 http2;", redis => "unix:@{[$t->dir]}/redis.sock", location => <<CONF, reveal => <<REVEAL)->start;
        location = /track { mpk_track on; mpk_fallthrough on; mpk_track_limit address=10000 order=10000; proxy_pass http://127.0.0.1:$sink; }
        location /old/ { mpk_api on; mpk_api_tokens off; mpk_fallthrough on; proxy_pass http://127.0.0.1:$sink; }
        location /api/ { mpk_api on; mpk_api_tokens off; proxy_pass http://127.0.0.1:$sink; }
        location /links/ { mpk_reveal on; mpk_fallthrough on; proxy_pass http://127.0.0.1:$sink; }
        location = /small { mpk_track on; client_max_body_size 8k; error_page 400 413 /mute; }
        location = /mute { internal; proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:@{[$t->port('mute')]}; }
CONF
            mpk_fallthrough on;
            if (\$arg_lang) { set \$lang \$arg_lang; }
            limit_except GET HEAD { proxy_pass http://127.0.0.1:$sink; }
REVEAL

# what the upstream should have got
sub got { my ($method, $path, $body) = @_; return join('|', "$method $path", 'kept', length $body, sha256_hex($body)) . "\n" }

my %form = ('Content-Type' => 'application/x-www-form-urlencoded', 'X-Mark' => 'kept');
my %json = ('Content-Type' => 'application/json', 'X-Mark' => 'kept');
my $form = 'order=OLD-1&email=ann%40example.com';
my $reason = '{"reason":"fraud","note":"' . 'x' x 1500 . '"}';
my $file = join '', map { chr 32 + $_ % 90 } 1 .. 300_000;

my @cases = (
    [ 'an unknown order that is tracked', 'POST', '/track', $form, %form ],
    [ 'an unknown order that the API is asked about', 'GET', '/old/orders/OLD-1', '', %form ],
    [ 'an unknown order with a body', 'POST', '/old/orders/OLD-1/cancel', $reason, %json ],
    [ 'an unknown order with a body in a temporary file', 'PUT', '/old/else/OLD-1', $file, %json ],
    [ 'an unknown order with a body that is large', 'POST', '/old/orders/OLD-1/cancel', $reason . ' ' x 90000, %json ],
    [ 'another method', 'DELETE', '/track', '', %form ],
    [ 'another path with a large body', 'POST', '/api/other?x=1', $file, %json ],
    [ 'a path without a link', 'POST', '/links/a/b', $file, %form ],
);

for my $case (@cases) {
    my ($name, $method, $path, $body, %headers) = @$case;
    my $has = length $body;

    is($t->request($method, $path, headers => \%headers, $has ? (body => $body) : ())->{body}, got($method, $path, $body),
        "HTTP/1.1: $name goes on as it is");
    is(Mpk::Http::h2($h2, $method, $path, headers => \%headers, $has ? (body => $body) : ())->{body}, got($method, $path, $body),
        "HTTP/2: $name goes on as it is");

    next unless $has;

    my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack '(a1000)*', $body;
    is($t->request($method, $path, headers => { %headers, 'Transfer-Encoding' => 'chunked' }, body => "${chunked}0\r\n\r\n")->{body},
        got($method, $path, $body), "chunked: $name goes on as it is");

    my $socket = Mpk::Http::connection($t->port('edge'));
    print $socket Mpk::Http::text($method, $path, headers => { %headers, Expect => '100-continue', 'Content-Length' => $has });
    sysread $socket, my $go, 4096;
    like($go, qr{^HTTP/1.1 100 }, "Expect: 100-continue: $name is asked for");
    print $socket $body;
    is(Mpk::Http::response($socket)->{body}, got($method, $path, $body), "Expect: 100-continue: $name goes on as it is");
}

is($t->api('PUT', 'orders/NEW-1', $t->order)->{status}, 201, 'a new order is filed');
is($t->request('POST', '/track', headers => { %form, Accept => 'application/json' }, body => $form =~ s/OLD/NEW/r)->{status}, 200,
    'an order that Redis knows is not handed on');


# the body of a link's form, if the order has gone

my $gone = '/r/' . $t->sign($t->claims('nobody'));
my %typed = ('Content-Type' => 'application/x-www-form-urlencoded');
like($t->request('POST', $gone, headers => \%typed, body => 'email=a')->{body}, qr/^POST .*\|7\|/, 'a link without an order goes to the upstream');
my $big = $t->request('POST', $gone, headers => \%typed, body => 'email=' . 'a' x 20_000);
is($big->{status}, 413, 'not with a body that was not kept whole');
unlike($big->{body}, qr/\|/, 'of which the upstream sees nothing');

my $socket = Mpk::Http::connection($t->port('edge'));
print $socket "POST $gone HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: $typed{'Content-Type'}\r\nTransfer-Encoding: chunked\r\n\r\n";
$socket->flush;
$t->get('/');
print $socket "0\r\n\r\n";
like(Mpk::Http::response($socket)->{body}, qr/^POST .*\|0\|/, 'an empty body in chunks is empty there, too');

# blocks within the location

my $there = $t->link('A-1');
like($t->get("$there?lang=de")->{body}, qr/name="email"/, 'a link with an argument of "if" is a link');
is($t->request('POST', $there, headers => \%typed, body => 'email=eve%40example.com')->{status}, 422, 'and one with a method of "limit_except"');

# an error page is on its way while the client goes on sending

for my $bad ("3000\r\n" . 'x' x 100, "zz\r\n") {
    $t->release('mute');
    my $mute = IO::Socket::INET->new(Listen => 4, LocalAddr => '127.0.0.1', LocalPort => $t->port('mute'), ReuseAddr => 1) or die "mute: $!";
    my $s = Mpk::Http::connection($t->port('edge'));
    print $s "POST /small HTTP/1.1\r\nHost: x\r\nContent-Type: $typed{'Content-Type'}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na=bcd\r\n";
    $s->flush;
    $t->get('/');
    print $s $bad;
    $s->flush;
    ok(IO::Select->new($mute)->can_read(10), 'the error page is asked for');
    my $page = $mute->accept;
    print $s 'yyyy';
    $s->flush;
    is($t->get('/')->{status}, 200, 'the rest goes on');
    sysread $page, my $request, 4096;
    like($request, qr/^GET \/mute HTTP.*Content-Length: 0\r/s, 'and is asked without a body');
    print $page "HTTP/1.0 200 OK\r\n\r\nsorry";
    close $page;
    is(Mpk::Http::response($s)->{body}, 'sorry', 'and shown');
}

# the rest of the site, with Redis and without; Redis that stands still, too

sub loop {
    my ($n) = @_;
    my (@times, %status);
    my $socket = Mpk::Http::connection($t->port('edge'));
    for (1 .. $n) {
        my $from = time;
        $status{Mpk::Http::request($t->port('edge'), 'GET', '/', socket => $socket, keepalive => 1)->{status}}++;
        push @times, time - $from;
    }
    @times = sort { $a <=> $b } @times;
    return (\%status, map { 1e6 * $times[$#times * $_] } 0.5, 0.99);
}

# others go on asking for orders all the while
sub asking {
    my ($work) = @_;
    my $asker = child(sub {
        while (1) { eval { $t->request('POST', '/track', headers => { %form }, body => $form, timeout => 2) }; select undef, undef, undef, 0.005 }
    });
    my @result = $work->();
    kill 'KILL', $asker;
    waitpid $asker, 0;
    return @result;
}

my $n = $ENV{MPK_VALGRIND} ? 200 : 3000;
loop($n);
my ($with, $median, $slow) = asking(sub { loop($n) });

kill 'STOP', $redis->{pid};
my ($paused, $paused_median, $paused_slow) = asking(sub { loop($n) });
kill 'CONT', $redis->{pid};

$redis->stop;
my ($without, $gone_median, $gone_slow) = asking(sub { loop($n) });

is_deeply($_->[1], { 200 => $n }, "$_->[0]: each request to the rest of the site is answered")
    for [ 'Redis runs', $with ], [ 'Redis stands still', $paused ], [ 'Redis is gone', $without ];

for ([ 'stands still', $paused_median, $paused_slow ], [ 'is gone', $gone_median, $gone_slow ]) {
    my ($name, $m, $s) = @$_;
    cmp_ok($m, '<', 2 * $median + 200, "with a Redis that $name the rest of the site is as quick");
    cmp_ok($s, '<', 100_000, "and none of its requests waits");
}
note(sprintf 'us, median and 99 %%: Redis runs %.0f %.0f, stands still %.0f %.0f, is gone %.0f %.0f', $median, $slow,
    $paused_median, $paused_slow, $gone_median, $gone_slow);

$t->finish;
