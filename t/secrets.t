#!/usr/bin/perl

# I4: no key, token, nonce, email or password in a log, nor in clear in Redis; answers
# that hold a secret are never compressed.

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $h2 = $t->port('h2');

# the packaged module is for the packaged nginx

my $brotli = '/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so';
$brotli = '' if $ENV{MPK_NGINX} || !-e $brotli;

$t->conf(main => $brotli ? "load_module $brotli;" : '',
    http => ($brotli ? 'brotli on; brotli_types *; brotli_min_length 1; ' : '') . 'limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m; gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;'
        . ' add_header Content-Security-Policy "default-src \'self\'" always; add_header Cache-Control "public, max-age=3600" always;'
        . ' add_header X-Robots-Tag all always; add_header Strict-Transport-Security max-age=600 always; expires 1h;',
    server => "listen 127.0.0.1:$h2 http2;",
    location => 'location /r/limited { limit_req zone=slow; mpk_reveal on; } location /far/ { limit_req zone=slow; proxy_pass http://127.0.0.1:' . $t->port('shop') . '; }')->start;

my @secrets = ('XK7QX', 'ann@example.com', 'Ann Secret', 'acc-4711', '203.0.113.77', 'dev-4711', $t->{token},
    map { $_->{k} // $_->{d} } @{$t->{keys}});

my $link = $t->link('A-1', account => 'acc-4711', customer_name => 'Ann Secret', purchase_ip => '203.0.113.77', device_id => 'dev-4711');
my ($token) = $link =~ m{^/r/(.+)};
my $nonce = $t->nonce($link);

push @secrets, $token, $nonce, substr($token, -20), 'eve@example.com';

$t->confirm($link, nonce => $nonce, email => 'eve@example.com');
my $shown = $t->confirm($link, nonce => $nonce, headers => { Referer => "https://shop.example$link" });
is($shown->{status}, 200, 'the key is shown');
$t->get("$link?utm=1");
$t->get("$link/below");
$t->get('/elsewhere', headers => { Referer => "https://shop.example$link?x=1#y" });
Mpk::Http::h2($h2, 'GET', $link, headers => { referer => "https://shop.example$link" });
Mpk::Http::h2($h2, 'POST', $link, body => 'nonce=x', headers => { 'content-type' => 'application/x-www-form-urlencoded' });
$t->request('POST', $link, headers => { 'Content-Type' => 'text/plain' }, body => 'x');
$t->request('POST', $link, headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'a=%');
$t->request('DELETE', $link);
is($t->get("/r%2f$token")->{status}, 410, 'a link may be written in another way');
is($t->get("/%72/$token")->{status}, 410, 'or in this');
is($t->get("/x/../%72/$token?a=b")->{status}, 410, 'or in that');
$t->request('PUT', '/mpk/v1/orders/A-1', headers => { Authorization => "Bearer $t->{token}x" }, body => '{}');

# limit_req complains about a link, in its address and in the Referer

$t->get("/r/limited$token") for 1 .. 3;
$t->get('/far/', headers => { Referer => "https://shop.example$link" }) for 1 .. 3;
my $errors = $t->read('error.log');
like($errors, qr{limiting requests.*"GET /r/\[hidden\] HTTP/1.1"}, 'limit_req complains about a link, its token hidden');
like($errors, qr{limiting requests.*referrer: "https://shop.example/r/\[hidden\]"}, 'and hidden in the referrer');

wait_for(sub { $t->read('access.log') =~ /elsewhere/ }, 'the log');
my $access = $t->read('access.log');
like($access, qr{"POST /r/\[hidden\] HTTP/1.1" 200 .*event=viewed outcome=done order=A-1 items=1 channel=email token=[\w-]{22} store=\d\.\d{3} head=4:[\w-]{43} uri=/r/\[hidden\] referer="https://shop.example/r/\[hidden\]"},
    'the access log tells the whole view, and no token');
like($access, qr{"GET /r/\[hidden\] HTTP/2.0" 410}, 'also over HTTP/2');
like($access, qr{uri=/r/\[hidden\]\?utm=1}, '$mpk_uri keeps the arguments');
like($access, qr{"GET /r/\[hidden\] HTTP|/r/\[hidden\]}, 'what is below a link is hidden, too');

for my $secret (@secrets) {
    my $what = substr($secret, 0, 6) . '...';
    is(index($errors, $secret), -1, "$what is not in the error log");
    is(index($access, $secret), -1, "$what is not in the access log");
    is(index($t->read('stderr'), $secret), -1, "$what is not on stderr");
}

my $stored = '';

for my $key (@{$redis->cmd('KEYS', '*')}) {
    my $type = $redis->cmd('TYPE', $key);
    my $value = $redis->cmd($type eq 'hash' ? ('HGETALL', $key) : $type eq 'stream' ? ('XRANGE', $key, '-', '+')
        : $type eq 'zset' ? ('ZRANGE', $key, 0, -1) : ('GET', $key));
    $stored .= "$key\n" . flat($value);
}

# what a process can write to, in pieces

sub memory {
    my ($pid) = @_;
    no warnings 'portable';
    open my $maps, '<', "/proc/$pid/maps" or die "maps: $!";
    open my $mem, '<:raw', "/proc/$pid/mem" or die "mem: $!";
    return map {
        my ($from, $to) = map { hex } /^([0-9a-f]+)-([0-9a-f]+) rw/;
        my $bytes;
        defined $to && sysseek($mem, $from, 0) && sysread($mem, $bytes, $to - $from) ? $bytes : ();
    } <$maps>;
}

sub flat { my ($v) = @_; return ref $v ? join("\n", map { flat($_) } @$v) : $v // '' }

like($stored, qr/Office 2024/, 'what is public is in Redis');

for my $secret (@secrets, '127.0.0.1') {
    is(index($stored, $secret), -1, substr($secret, 0, 6) . '... is not in Redis');
}

my $aof = join '', map { do { local (@ARGV, $/) = $_; <> } // '' } glob "$redis->{dir}/appendonlydir/* $redis->{dir}/log";
is(index($aof, $_), -1, substr($_, 0, 6) . '... is not in its files') for @secrets, '127.0.0.1';


# a worker that has shown keys has them in its memory no longer; one that filed them is another

SKIP: {
    skip 'the memory is not laid out as it would be', 5 if $ENV{MPK_VALGRIND} || $ENV{MPK_SANITIZED};
    skip "a worker's memory can't be read here", 5 unless open my $mem, '<', '/proc/' . ($t->workers)[0] . '/mem';

    my $product = 'QQKEY-' . join '-', map { join '', map { chr 65 + int rand 26 } 1 .. 5 } 1 .. 4;
    my @links = map { $t->link("M-$_", items => [ { sku => 'OFF-24', product => 'Office 2024', key => $product } ]) } 1, 2;
    ok($t->reload, 'a new worker');

    my ($last) = $product =~ /(\w+)$/;
    like($t->request('POST', $links[0], headers => { 'Content-Type' => 'application/x-www-form-urlencoded', 'Idempotency-Key' => 'm' },
        body => Mpk::Http::form(email => 'ann@example.com'))->{body}, qr{-</span><span>$last}, 'shows a page with a key');
    is($t->confirm($links[1])->{json}{items}[0]{key}, $product, 'and JSON with one');

    # on the page it stands in groups

    my ($worker) = $t->workers;
    my @parts = ($product, substr($product, -11), join('-</span><span>', (split /-/, $product)[-2, -1]));
    my $holds = sub { my (@what) = @_; return scalar grep { my $bytes = $_; grep { index($bytes, $_) >= 0 } @what } memory($worker) };
    ok($holds->($t->dir), 'its memory can be read');
    ok(wait_for(sub { !$holds->(@parts) }, 'it forgets'), 'and keeps neither');
}


# compression, ranges

my %gzip = ('Accept-Encoding' => 'gzip');
my $other = $t->link('B-1');
is($t->get('/', headers => \%gzip)->{headers}{'content-encoding'}, 'gzip', "the shop's answers are compressed");
is($t->get($other, headers => \%gzip)->{headers}{'content-encoding'}, undef, 'the confirm page is not');
is($t->confirm($other, headers => \%gzip)->{headers}{'content-encoding'}, undef, 'the key is not');
is($t->get($other, headers => \%gzip)->{headers}{'content-encoding'}, undef, 'a refusal is not');
is($t->api('GET', 'orders/B-1', undef, headers => \%gzip)->{headers}{'content-encoding'}, undef, "the API's answers are not");

SKIP: {
    skip 'no packaged brotli for this nginx', 7 unless $brotli;

    my %br = ('Accept-Encoding' => 'br');
    my $link = $t->link('B-3');
    is($t->get('/', headers => \%br)->{headers}{'content-encoding'}, 'br', "brotli: the shop's answers are compressed");
    my %answer = ('the confirm page' => $t->get($link, headers => \%br), 'the key as JSON' => $t->confirm($link, headers => \%br),
        'a refusal' => $t->get($link, headers => \%br), 'an order' => $t->api('GET', 'orders/B-1', undef, headers => \%br));
    is($answer{$_}{headers}{'content-encoding'}, undef, "brotli: $_ is not") for sort keys %answer;
    my $page = $t->confirm($t->link('B-4'), headers => { %br, Accept => 'text/html' });
    is($page->{headers}{'content-encoding'}, undef, 'brotli: the page with the key is not');
    like($page->{body}, qr/<code dir="ltr".*XK7QX/, 'but can be read as it is');
}

is($t->get($t->link('B-2'), headers => { Range => 'bytes=0-10' })->{status}, 200, 'there are no ranges');

for my $r ($t->get('/r/none'), $t->get($link), $t->api('GET', 'orders/none'), $t->api('GET', 'orders/A-1', undef, token => 'none'),
    $t->request('POST', $link, headers => { 'Sec-Fetch-Site' => 'cross-site' }))
{
    is($r->{headers}{'cache-control'}, 'no-store', "$r->{status}: not stored");
    is($r->{headers}{'referrer-policy'}, 'no-referrer', "$r->{status}: no referrer");
    is($r->{headers}{'x-content-type-options'}, 'nosniff', "$r->{status}: no sniffing");
    like($r->{headers}{'content-security-policy'}, qr/default-src 'none'.*frame-ancestors 'none'/, "$r->{status}: the policy");
}

# add_header and expires of the whole site

like($t->get('/')->{headers}{'content-security-policy'}, qr/^default-src 'self'$/, "the site's answers have its own policy");

my $last = $t->link('B-5');
for (['the confirm page', $t->get($last)], ['the page with the key', $t->confirm($last, headers => { Accept => 'text/html' })],
    ['a refusal', $t->get($last)], ['an order', $t->api('GET', 'orders/B-1')], ['a journal', $t->api('GET', 'orders/B-1/journal')])
{
    my ($what, $r) = @$_;
    my ($head) = $r->{raw} =~ /^(.*?)\r\n\r\n/s;
    my @policies = $head =~ /^Content-Security-Policy: (.*?)\r?$/mg;
    is(scalar @policies, 1, "$what: one policy");
    like("@policies", qr/^default-src 'none';/, "$what: its own");
    is_deeply([ $head =~ /^((?:Cache-Control|X-Robots-Tag|Expires): .*?)\r?$/mg ], [ 'Cache-Control: no-store', 'X-Robots-Tag: noindex' ],
        "$what: nothing permits to store it");
    like($head, qr/^Strict-Transport-Security: max-age=600\r?$/m, "$what: the site's other headers stay");
}

# bodies: keys, emails and tokens are not written to a temporary file, however they come and
# whatever nginx's own buffer is

my %json = (Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/json');
my %form = ('Content-Type' => 'application/x-www-form-urlencoded');
my @keys = map { { sku => 'OFF-24', product => 'Office 2024', key => "KEY-$_-" . 'x' x 4000 } } 1 .. 50;

sub chunks { my ($body, $size) = @_; return join('', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $body) . "0\r\n\r\n" }

# slowly(method, path, headers, body): in pieces that arrive one by one
sub slowly {
    my ($method, $path, $headers, $body) = @_;
    my $s = Mpk::Http::connection($t->port('edge'));
    my $text = Mpk::Http::text($method, $path, headers => $headers, body => $body);
    my @pieces = unpack '(a30000)*', $text;
    for my $i (0 .. $#pieces) { print {$s} $pieces[$i]; $s->flush; Mpk::Http::taken($s) if $i < $#pieces }
    return Mpk::Http::response($s);
}

for my $how ('', 'client_body_buffer_size 64;', 'client_body_in_file_only clean;') {
    $t->quit;
    $t->conf(http => $how, server => "listen 127.0.0.1:$h2 http2;", api => 'client_max_body_size 0;',
        location => 'location = /track { mpk_track on; } location /claim/ { mpk_claim on; }')->start;
    my $name = $how || 'the default buffer';
    my $mark = $t->mark;
    my $n = substr sha256_hex($how), 0, 8;
    my $order = JSON::PP->new->encode($t->order(items => \@keys));
    my $large = JSON::PP->new->encode($t->order(items => \@keys, note => 'x' x 2e6));
    my $put = sub { my ($id, $body, %more) = @_; return $t->request('PUT', "/mpk/v1/orders/$id-$n", headers => { %json, %more }, body => $body) };

    is($put->('A', $order)->{status}, 201, "$name: an order of 200 KB");
    is($put->('B', chunks($order, $_), 'Transfer-Encoding' => 'chunked')->{status}, $_ == 7 ? 201 : 200, "$name: in chunks of $_ bytes") for 7, 100000;
    is(slowly('PUT', "/mpk/v1/orders/C-$n", \%json, $order)->{status}, 201, "$name: that comes slowly");
    is(Mpk::Http::h2($h2, 'PUT', "/mpk/v1/orders/D-$n", headers => \%json, body => $order)->{status}, 201, "$name: over HTTP/2");
    my $read = $t->link("E-$n", items => \@keys);
    is(join(' ', map { $_->{key} } @{$t->confirm($read)->{json}{items}}), join(' ', map { $_->{key} } @keys), "$name: as it was sent");
    my $padded = $order . ' ' x (1024 * 1024 - length $order);
    is($put->('A', $padded)->{status}, 200, "$name: of 1 MB");
    is($put->('A', "$padded ")->{status}, 413, "$name: one byte more is refused");
    is($put->('A', chunks("$padded ", 5000), 'Transfer-Encoding' => 'chunked')->{status}, 413, "$name: in chunks, too");
    is($put->('F', $large)->{status}, 413, "$name: one of 2 MB is refused");
    is($put->('F', chunks($large, 65536), 'Transfer-Encoding' => 'chunked')->{status}, 413, "$name: in chunks, too");
    is(Mpk::Http::h2($h2, 'PUT', "/mpk/v1/orders/F-$n", headers => \%json, body => $large)->{status}, 413, "$name: over HTTP/2, too");
    my $form = Mpk::Http::form(order => "A-$n", email => 'ann@example.com', description => 'x' x 3000);
    is($t->request('POST', '/track', headers => \%form, body => $form)->{status}, 200, "$name: a form with an address");
    is($t->request('POST', '/track', headers => { %form, 'Transfer-Encoding' => 'chunked' }, body => chunks($form, 10))->{status}, 200, "$name: in chunks");
    my ($claim) = $t->track("E-$n", headers => { Accept => 'application/json' })->{json}{claim_url} =~ m{(/claim/.*)};
    is($t->post($claim, { name => 'Ann', order => "E-$n", email => 'ann@example.com', key => $keys[0]{key}, category => 'other', description => 'x' },
        headers => { Accept => 'application/json' })->{status}, 201, "$name: a claim form with a key");
    my $s = Mpk::Http::connection($t->port('edge'));
    is(Mpk::Http::request(0, 'PUT', "/mpk/v1/orders/A-$n", socket => $s, keepalive => 1, headers => \%json, body => $order)->{status}, 200, "$name: and the connection serves")
        for 1, 2;
    unlike($t->log_since($mark), qr/temporary file/, "$name: none of them is written to a file");
    is(join(' ', glob $t->dir . '/body/*'), '', "$name: nor left in one");
}

$t->finish;
