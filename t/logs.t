#!/usr/bin/perl

# I4: the access log has no token, also of requests that die before nginx has read them, of
# servers that have no endpoint, and in variables that are made of an address.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $plain = $t->port('plain');

$t->conf(http => <<"HTTP", server => 'mpk_reveal_path /key/; large_client_header_buffers 2 2k; client_header_timeout 1s; set $kept $request_uri; access_log ' . $t->dir . '/all.log all;',
    log_format all '\$status "\$request" \$request_uri \$uri \$document_uri \$http_referer \$kept \$mpk_uri';
    server {
        listen 127.0.0.1:$plain;
        access_log @{[$t->dir]}/all.log all;
        set \$kept \$request_uri;
        location / { return 301 https://\$host\$request_uri; }
    }
HTTP
    location => 'location /key/ { mpk_reveal on; } location /claim/ { mpk_claim on; } location = /track { mpk_track on; }
        location /static/ { return 200 "$request_uri"; }');
$t->start;

$t->file('A-1');
my $link = $t->api('POST', 'orders/A-1/links')->{json}{url} =~ s{^http://[^/]+}{}r;
like($link, qr{^/key/}, 'a link');
is($t->confirm($link)->{status}, 200, 'that shows a key');
my ($claim) = $t->track('A-1')->{json}{claim_url} =~ m{//[^/]+(/.*)};
my @tokens = map { m{^/\w+/(.+)} ? $1 : die $_ } $link, $claim;

# sent(bytes, port): raw bytes to nginx, and what it answers
sub sent {
    my ($bytes, $port) = @_;
    my $s = Mpk::Http::connection($port // $t->port('edge'));
    local $SIG{PIPE} = 'IGNORE';
    syswrite $s, $bytes;
    my $answer = '';
    1 while sysread $s, $answer, 65536, length $answer;
    return ($answer =~ m{^HTTP/1.1 (\d+)})[0] // 'none';
}

for my $path ($link, $claim) {
    my ($name) = $path =~ m{^/(\w+)};
    is(sent("GET $path HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, "a bad Host ($name)");
    is(sent("GET $path HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"), 400, 'a bad Content-Length');
    is(sent("GET $path HTTP/1.1\r\n\r\n"), 400, 'no Host');
    is(sent("GET $path HTTP/1.1\r\nHost: x\r\nX: " . 'y' x 3000 . "\r\n\r\n"), 400, 'headers that are too large');
    is(sent("GET $path" . 'z' x 3000 . " HTTP/1.1\r\nHost: x\r\n\r\n"), 414, 'an address that is too long');
    sent("GET $path HTTP/1.1\r\nHost: x\r\nX: ");                          # 408: too slow, or gone
    { my $s = Mpk::Http::connection($t->port('edge')); syswrite $s, "GET $path HTTP/1.1\r\nHost: x\r\n"; close $s; }
    is($t->get("$path?a=b", port => $plain)->{status}, 301, 'a redirect to https');
    is($t->get("/elsewhere$path", port => $plain)->{status}, 301, 'also of an address within another');
    is($t->get('/x', port => $plain, headers => { Referer => "https://shop.example$path" })->{status}, 301, 'and from there');
    $t->get($path);
    $t->get($path =~ s{/}{/%2e/}r =~ s{/(key|claim)/}{/$1%2f}r);
    $t->request('OPTIONS', $path);
    $t->get('/static/x', headers => { Referer => "https://shop.example$path" });
}

is($t->get('/static/plain?q=1')->{body}, '/static/plain?q=1', 'another request');
ok(wait_for(sub { $t->read('all.log') =~ m{"GET /static/plain\?q=1 HTTP/1\.1" /static/plain\?q=1 /static/plain /static/plain - /static/plain\?q=1 /static/plain\?q=1$}m }, 'the log'),
    'is logged as it is');
ok(wait_for(sub { $t->read('all.log') =~ /^408 /m || $t->read('all.log') =~ /^400 "GET/m }, 'the log'), 'what is too slow is logged');

my $log = $t->read('all.log');
cmp_ok(scalar(() = $log =~ /^/mg), '>', 26, 'all requests are logged');
is(scalar(() = $log =~ /\Q$_\E/g), 0, 'without the token') for @tokens;
is(scalar(() = $log =~ /\Q@{[substr $_, 0, 40]}\E/g), 0, 'nor its beginning') for @tokens;
is(scalar(() = $log =~ /\Q@{[substr $_, -30]}\E/g), 0, 'nor its end') for @tokens;
like($log, qr{^301 "GET /claim/\[hidden\]\?a=b HTTP/1.1" /claim/\[hidden\]\?a=b /claim/\[hidden\] /claim/\[hidden\] - /claim/\[hidden\]\?a=b}m, 'but with all the rest');

$t->finish;
