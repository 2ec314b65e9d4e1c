#!/usr/bin/perl

# The reveal: rules R1 to R4 and R8, every row of the reveal's table of answers.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
$t->keyring('link');
my $redis = $t->redis;

my $sink = $t->port('sink');

$t->conf(
    http => "mpk_policy_version 2026-1; mpk_held_usual 14m30s; server { listen 127.0.0.1:$sink; location / { return 200 sink; } }",
    shop => "location /r/ { proxy_pass http://127.0.0.1:$sink; add_header X-Shop \"\$request_method \$request_uri\";"
        . ' add_header X-Body $request_body; }',
)->start;

my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my %json = (Accept => 'application/json');


# a whole reveal, in HTML

my $link = $t->link('A-1');
my $r = $t->get($link);

is($r->{status}, 200, 'GET shows the confirm page');
like($r->{headers}{'content-type'}, qr{^text/html; charset=utf-8$}, 'HTML by default');
like($r->{body}, qr/name="nonce" value="[\w-]{54}"/, 'the confirm page has a nonce');
like($r->{body}, qr/name="email"/, 'the confirm page asks for the email');
unlike($r->{body}, qr/type="email"/, 'in a field that takes jürgen@example.com, too');
like($r->{body}, qr/Office 2024/, 'the confirm page names the product');
unlike($r->{body}, qr/XK7QX/, 'the confirm page does not hold the key');

my %expected = ('cache-control' => 'no-store', 'referrer-policy' => 'no-referrer',
    'x-content-type-options' => 'nosniff', 'x-robots-tag' => 'noindex');

is($r->{headers}{$_}, $expected{$_}, "the confirm page has $_") for sort keys %expected;

my $csp = $r->{headers}{'content-security-policy'};
like($csp, qr/default-src 'none'/, 'the policy allows nothing by default');
like($csp, qr/frame-ancestors 'none'/, 'no page may frame it');
unlike($csp, qr/unsafe/, 'nothing unsafe is allowed');

my ($nonce) = $r->{body} =~ /name="nonce" value="([\w-]+)"/;

$r = $t->request('POST', $link, headers => { Origin => 'null',
    'Content-Type' => 'application/x-www-form-urlencoded', 'Sec-Fetch-Site' => 'same-origin' },
    body => Mpk::Http::form(nonce => $nonce, email => " Ann\@Example.COM "));

is($r->{status}, 200, 'a POST with nonce and email shows the key, Origin: null');
like($r->{body}, qr{<code[^>]*><span>XK7QX-</span>}, 'the key is grouped');
(my $shown = $r->{body}) =~ s/<[^>]+>//g;
like($shown, qr/\Q$key\E/, 'the groups make up the key');
is($r->{headers}{$_}, $expected{$_}, "the key's page has $_") for sort keys %expected;

# of many keys: what a key adds to the page, beside what the shop has filed of it

my @weight = map {
    my $items = [ map { { sku => sprintf('S-%03d', $_), product => sprintf('Product %03d', $_), key => sprintf('KEY%02d-AAAAA-BBBBB-CCCCC-DDDDD', $_ % 100) } } 1 .. $_ ];
    my $r = $t->confirm($t->mint($t->file("K-$_", items => $items)), headers => { Accept => 'text/html' });
    length $r->{body};
} 250, 500;
my $each = ($weight[1] - $weight[0]) / 250 - length('S-001Product 001KEY01-AAAAA-BBBBB-CCCCC-DDDDD');
cmp_ok($each, '<=', 400, sprintf 'each of 500 keys has %.0f bytes of markup', $each);
cmp_ok($each, '>', 100, 'so it is the page that was measured');
is($r->{headers}{'etag'}, undef, 'no ETag');
is($r->{headers}{'accept-ranges'}, undef, 'no ranges');

use Digest::SHA qw(sha256_base64);
for my $element (qw(style script)) {
    my ($inline) = $r->{body} =~ m{<$element(?: type="module")?>(.*?)</$element>}s;
    my $hash = sha256_base64($inline);
    $hash .= '=' while length($hash) % 4;
    like($csp, qr/$element-src 'sha256-\Q$hash\E'/, "the policy has the hash of the $element");
}

is($t->confirm($t->link('A-IDN', email => "ann\@m\xc3\xbcller.example"), email => 'ann@xn--mller-kva.example')->{status}, 200,
    'the A-labels of a domain are the domain');
is($t->confirm($t->link('A-IDN-2', email => 'ann@xn--mller-kva.example'), email => "ann\@m\xc3\xbcller.example")->{status}, 200,
    'either way');

is($t->confirm($t->link('A-EAI', email => "j\xc3\xbcrgen\@example.com"), email => "j\xc3\xbcrgen\@example.com")->{status}, 200,
    'an address with an umlaut is one');

is($t->events('A-1'), 'filed link_minted opened viewed', 'the view is in the journal');

my $view = $t->journal('A-1')->{entries}[3];
is($view->{ip}, '127.0.0.1', 'the view has the IP address');
is($view->{channel}, 'email', 'the view has its channel');
is($view->{challenge}, 'email', 'the view has the challenge that was passed');
is($view->{policy}, '2026-1', 'the view has the policy version');
is($view->{actor}, 'customer', 'the view was made by the customer');
is_deeply($view->{items}, [ 1 ], 'the view has the items');
like($view->{at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'the view has its time');


# R3: one view, and its repeat

$r = $t->confirm($link, nonce => $nonce);
is($r->{status}, 200, 'R3: the same confirmation again shows the key again');
is($r->{json}{repeat}, JSON::PP::true, 'R3: as a repeat');
is($r->{json}{items}[0]{key}, $key, 'R3: the same key');

$r = $t->confirm($link, nonce => $nonce, email => 'eve@example.com');
is($r->{status}, 422, 'R3, R4: a repeat passes the challenge, too');

$r = $t->get($link);
is($r->{status}, 410, 'R3: a used link is gone');
like($r->{body}, qr/used/i, 'R3: the page says so');
like($r->{body}, qr{href="/track"}, 'R3: and points to the tracking page');

my $fresh = $t->link('A-2');
my $other = $t->nonce($fresh);
is($t->confirm($link, nonce => $other)->{status}, 410, 'R3: another nonce does not reveal it again');

is($t->events('A-1'), 'filed link_minted opened viewed repeated',
    'R3: repeats are journaled, refusals write nothing');


# R4: what uses nothing up

$link = $t->link('B-1');

is($t->request('HEAD', $link)->{status}, 200, 'R4: HEAD answers');
is($t->request('HEAD', $link)->{body}, '', 'R4: HEAD has no body');
is($t->events('B-1'), 'filed link_minted', 'R4: HEAD leaves no trace');

for (['Sec-Purpose', 'prefetch;prerender'], ['Sec-Purpose', "x\r\nSec-Purpose: prefetch"], ['Purpose', 'prefetch'], ['X-Moz', 'prefetch']) {
    is($t->get($link, headers => { $_->[0] => $_->[1] })->{status}, 200, "R4: a prefetch by $_->[0] gets the page");
    is($t->events('B-1'), 'filed link_minted', 'R4: a prefetch leaves no trace');
}

$nonce = $t->nonce($link);

my $confirm = sub {
    my (%headers) = @_;
    return $t->confirm($link, nonce => $nonce, headers => \%headers)->{status};
};

is($confirm->('Sec-Fetch-Site' => 'cross-site'), 403, 'R4: a cross-site POST is refused');
is($confirm->('Origin' => 'https://evil.example'), 403, 'R4: a foreign Origin is refused');
is($confirm->('Sec-Purpose' => 'prefetch'), 403, 'R4: a prefetching POST is refused');
is($t->confirm($link, nonce => $nonce, email => 'eve@example.com')->{status}, 422, 'R4: a wrong email is refused');
is($t->confirm($link, nonce => $nonce, email => '')->{status}, 422, 'R4: a missing email is refused');
is($t->confirm($link, nonce => $other)->{status}, 422, "R4: another link's nonce is refused");
is($t->confirm($link, nonce => 'A' x 54)->{status}, 422, 'R4: a made-up nonce is refused');
is($t->request('POST', $link, headers => \%json)->{status}, 422, 'R4: an empty POST is refused');
for my $method (qw(OPTIONS PUT DELETE PATCH)) {
    my $r = $t->request($method, $link);
    is("$r->{status} " . ($r->{headers}{'x-shop'} // ''), '405 ', "$method with a link does not go to the shop");
}
is($t->events('B-1'), 'filed link_minted opened', 'R4: none of these used anything up');

is($confirm->('Sec-Fetch-Site' => 'none'), 200, 'R4: Sec-Fetch-Site: none is fine');
is($confirm->('Sec-Fetch-Site' => 'same-site'), 200, 'R4: Sec-Fetch-Site: same-site is fine');
is($confirm->('Sec-Fetch-Site' => 'same-origin'), 200, 'R4: Sec-Fetch-Site: same-origin is fine');
is($confirm->('Origin' => 'http://127.0.0.1:' . $t->port('edge')), 200, 'R4: the own Origin is fine');

for (['If-Match', '"x"'], ['If-None-Match', '*'], ['If-Unmodified-Since', 'Thu, 01 Jan 2026 00:00:00 GMT']) {
    like($t->confirm($link, nonce => $nonce, headers => { @$_ })->{body}, qr/\Q$key/, "R2: the key of a recorded view is shown, whatever $_->[0] says");
}

$link = $t->link('B-2');
$t->nonce($link) for 1 .. 34;
is($t->events('B-2'), join(' ', 'filed link_minted', ('opened') x 30), 'R4: thirty openings of an order in a day are journaled');

$link = $t->link('B-3');
$nonce = $t->nonce($link);
$t->confirm($link, nonce => $nonce, email => "eve$_\@example.com") for 1 .. 10;
$r = $t->confirm($link, nonce => $nonce);
is($r->{status}, 429, 'R4: ten wrong challenges close the link for a while, for the right one too');
is($r->{headers}{'retry-after'}, 900, 'R4: and the answer says for how long');
is($t->confirm($link, nonce => $nonce, headers => { %json })->{json}{type}, 'urn:mpk:closed', 'R4: in JSON it is "closed"');
is($t->events('B-3'), 'filed link_minted opened', 'R4: and nothing is used up');
my ($stored) = @{$redis->cmd('KEYS', 'mpk:*:o:B-3')};
my ($wrong) = grep { /^w:/ } @{$redis->cmd('HKEYS', $stored)};
my ($count, $until) = split ' ', $redis->cmd('HGET', $stored, $wrong);
is($count, 10, 'R4: each is counted once');
ok(abs($until - time - 900) < 60, 'R4: the counter ends a quarter of an hour after the first');
is($t->confirm($t->mint('B-3'))->{status}, 200, 'R4: another link of the order is not closed');
$redis->cmd('HSET', $stored, $wrong, '10 ' . (time - 1));
is($t->confirm($link, nonce => $nonce, email => 'eve@example.com')->{status}, 422, 'R4: never for good');
ok(Mpk::wait_for(sub { $redis->cmd('HGET', $stored, $wrong) =~ /^1 / }, 'the count'), 'R4: it begins anew');
is($t->confirm($link, nonce => $nonce)->{status}, 200, 'R4: and the right one is let in');

$link = $t->link('B-4');
$nonce = $t->nonce($link);
my @sockets = map { Mpk::Http::connection($t->port('edge')) } 1 .. 61;
for my $n (0 .. $#sockets) {
    print {$sockets[$n]} Mpk::Http::text('POST', $link, headers => { 'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(nonce => $nonce, email => $n == $#sockets ? 'ann@example.com' : "eve$n\@example.com"));
}
my @statuses = map { Mpk::Http::response($_)->{status} } @sockets;
is(join(' ', map { my $s = $_; scalar grep { $_ == $s } @statuses } 422, 429), '10 51', 'R4: of guesses at the same instant ten are answered');
is("$statuses[-1] " . $t->events('B-4'), '429 filed link_minted opened', 'R4: and not the right one behind them');


# R1: held, cancelled, absent

$t->file('C-1', state => 'held');
my $claims = $t->claims('C-1');
my $token = $t->sign($claims);
$r = $t->get("/r/$token");
is($r->{status}, 409, 'R1: a held order is under review');
like($r->{headers}{refresh}, qr/^\d+$/, 'R1: the page reloads itself');
like($r->{body}, qr/Usually this takes no more than 15 minutes\./, 'and says how long the review usually takes');
my ($stay) = $r->{body} =~ /href="(\?mpk_stay=1)"/;
$r = $t->get("/r/$token" . ($stay // ''));
is("$r->{status} " . ($r->{headers}{refresh} // 'stays'), '409 stays', 'its visitor can stop that');
unlike($r->{body}, qr/mpk_stay/, 'once');
like($r->{body}, qr/href="">Check now</, 'and look again by hand');
is($t->confirm("/r/$token", nonce => $nonce)->{status}, 409, 'R1: a POST shows nothing, either');
is($t->api('POST', 'orders/C-1/release')->{status}, 200, 'the order is released');
is($t->confirm("/r/$token")->{status}, 200, 'R1: released, the same link shows the key');

$t->file('C-2', state => 'held');
is($t->api('POST', 'orders/C-2/cancel', { reason => 'fraud', not_sent => JSON::PP::true })->{status}, 200,
    'the order is cancelled');
$token = $t->sign($t->claims('C-2'));
is($t->get("/r/$token")->{status}, 410, 'R1: a cancelled order is gone');
is($t->confirm("/r/$token", nonce => $nonce)->{status}, 410, 'R1: a POST shows nothing, either');

$token = $t->sign($t->claims('nobody-filed-it'));
$r = $t->get("/r/$token");
is($r->{status}, 404, 'an order that Redis does not know is not found');


# 4.4: tokens

for my $case (
    [ 'garbage', 'not-a-token' ],
    [ 'a forged signature', $t->sign($t->claims('A-2'), key => { %{$t->key('token')}, k => 'A' x 43 }) ],
    [ 'alg none', $t->sign($t->claims('A-2'), header => { alg => 'none', typ => 'JWT', kid => $t->key('token')->{kid} }) ],
    [ 'another audience', $t->sign($t->claims('A-2', aud => 'claim', ch => undef)) ],
    [ 'an unknown member', $t->sign($t->claims('A-2', admin => 1)) ],
    [ "the journal's key", $t->sign($t->claims('A-2'), key => $t->key('journal')) ],
    [ 'a link key for another channel', $t->sign($t->claims('A-2', ch => 'track'), key => $t->key('link')) ],
    [ 'over 1 KiB', $t->sign($t->claims('A-2')) . 'A' x 1024 ],
) {
    is($t->get("/r/$case->[1]")->{status}, 404, "a link with $case->[0] is not found");
    is($t->request('POST', "/r/$case->[1]", headers => { 'Content-Type' => 'application/x-www-form-urlencoded' },
        body => 'nonce=x')->{status}, 404, "a POST with $case->[0] is not found");
}

$token = $t->sign($t->claims('A-2', exp => time - 61, iat => time - 100));
is($t->get("/r/$token")->{status}, 410, 'an expired link is gone');
is($t->confirm("/r/$token", nonce => $nonce)->{status}, 410, 'and shows nothing');

for my $more ('/more', '/../r2', '%2Fmore', '/more?x=1') {
    my $r = $t->get("/r/$token$more");
    is("$r->{status} " . ($r->{headers}{'x-shop'} // ''), '404 ', "a link with \"$more\" behind it does not go to the shop");
}

# as mail clients leave it

my $stray = $t->mint('B-2');
for my $behind ('/', '.', ',', ')', '>', '%3E', '%C2%A0', '%20', '%22', "'", ';', '!', '?', '.)', '%20%3E') {
    is($t->get("$stray$behind")->{status}, 200, "a link with \"$behind\" behind it opens the confirm page");
}
is($t->confirm("$stray.", nonce => $t->nonce("$stray)"))->{status}, 200, 'and shows the key');
is($t->get($stray)->{status}, 410, 'once');
unlike($t->read('access.log'), qr/\Q@{[substr $stray, 3, 60]}\E/, 'the log has no token of it');
is($t->get('/r/')->{headers}{'x-shop'}, 'GET /r/', 'a path without a token goes to the shop');

$t->file('D-1');
$token = $t->sign($t->claims('D-1'), key => $t->key('link'));
is($t->confirm("/r/$token")->{status}, 200, 'a link that the shop signed itself shows the key');
is($t->api('GET', 'orders/D-1')->{json}{delivered_at}, $t->api('GET', 'orders/D-1')->{json}{first_viewed_at},
    'its order counts as delivered by the view');

$token = $t->sign($t->claims('D-1', ch => 'track'));
$nonce = $t->nonce("/r/$token");
is($t->confirm("/r/$token", nonce => $nonce, email => '')->{status}, 200, 'other channels are asked for no email');


# items

$t->file('E-1', items => [ map { { sku => "S$_", product => "P$_", key => "KEY-$_" } } 1 .. 3 ]);
my $path = $t->mint('E-1', { items => [ 1, 3 ] });
$r = $t->confirm($path);
is(join(' ', map { $_->{key} } @{$r->{json}{items}}), 'KEY-1 KEY-3', 'a link for some items shows those');
is(join(' ', map { $_->{state} } @{$t->api('GET', 'orders/E-1')->{json}{items}}), 'viewed new viewed',
    'R8: the items shown are viewed, the others not');
is($t->get('/r/' . $t->sign($t->claims('E-1', items => [ 4 ])))->{status}, 404, 'an item that is not there is not found');

my $text = join '', map { "line $_ of a \"licence\" <file> &amp;\r\n" } 1 .. 40;
$t->file('E-2', items => [ { sku => 'T', product => 'T', key => $text } ]);
$r = $t->confirm($t->mint('E-2'));
is($r->{json}{items}[0]{key}, $text, 'a key of many lines arrives unharmed, in JSON');
my $html = $t->request('POST', $path = $t->mint('E-2'), headers => { 'Content-Type' => 'application/x-www-form-urlencoded' },
    body => Mpk::Http::form(nonce => $t->nonce($path), email => 'ann@example.com'))->{body};
my ($code) = $html =~ m{<code[^>]*>(.*?)</code>}s;
my %entity = ('amp' => '&', 'lt' => '<', 'gt' => '>', 'quot' => '"', '#39' => "'", '#13' => "\r");
$code =~ s/&([^;]+);/$entity{$1} \/\/ "?"/ge;
is($code, $text, 'and in HTML');


# bodies

$link = $t->link('F-1');
$nonce = $t->nonce($link);

for my $type ('text/plain', 'application/jsonp', 'application/json+x', 'application') {
    $r = $t->request('POST', $link, headers => { %json, 'Content-Type' => $type }, body => 'hello');
    is($r->{status}, 415, "another content type is refused: $type");
}

for my $type ('Application/JSON', 'application/json;charset=utf-8', 'application/json ; charset=utf-8') {
    $r = $t->request('POST', $link, headers => { %json, 'Content-Type' => $type }, body => '{"a":1,"a":2}');
    is($r->{status}, 400, "JSON in another spelling is read: $type");
}

$r = $t->request('POST', $link, headers => { %json, 'Content-Type' => 'application/json' }, body => '{"a":1,"a":2}');
is($r->{status}, 400, 'JSON with a repeated member is refused');
$r = $t->request('POST', $link, headers => { %json, 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'a=%zz');
is($r->{status}, 400, 'a broken form is refused');
$r = $t->request('POST', $link, headers => { %json, 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'a=' . 'x' x 20000);
is($r->{status}, 413, 'a body over 16 KB is refused');
is(eval { decode_json($r->{body})->{type} }, 'urn:mpk:body', 'as a problem');

# a person's form

my $form = 'application/x-www-form-urlencoded';

for (['a % alone', $form, "nonce=$nonce&email=ann%"], ['a field twice', $form, "nonce=$nonce&email=ann%40example.com&email=eve%40example.com"],
    ['a NUL', $form, "nonce=$nonce&email=ann%00%40example.com"], ['one that is too large', $form, "nonce=$nonce&email=" . 'x' x 20000],
    ['multipart', 'multipart/form-data; boundary=b', "--b\r\nContent-Disposition: form-data; name=\"nonce\"\r\n\r\n$nonce\r\n--b--\r\n"],
    ['no form', 'text/plain', "nonce=$nonce"], ['JSON that is none', 'application/json', '{'])
{
    my ($what, $type, $body) = @$_;
    $r = $t->request('POST', $link, headers => { 'Content-Type' => $type, 'Idempotency-Key' => 'k-1' }, body => $body);
    is($r->{status}, 422, "a form that can't be read, $what: refused");
    like($r->{body}, qr{<form method="post".*name="nonce" value="[^"]+"}s, "a form that can't be read, $what: the page is there again");
}

is($t->events('F-1'), 'filed link_minted opened', 'and nothing is used up');

my $body = encode_json({ nonce => $nonce, email => 'ann@example.com' });
$r = $t->request('POST', $link, headers => { %json, 'Content-Type' => 'application/json',
    'Transfer-Encoding' => 'chunked' },
    body => sprintf "%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 10, substr($body, 0, 10),
        length($body) - 10, substr $body, 10);
is($r->{status}, 200, 'a JSON body in chunks shows the key');


# Idempotency-Key in place of a nonce

$link = $t->link('G-1');
my $post = sub {
    my ($idempotency) = @_;
    return $t->request('POST', $link, headers => { %json, 'Content-Type' => 'application/json',
        'Idempotency-Key' => $idempotency }, body => '{"email":"ann@example.com"}');
};
is($post->('k-1')->{status}, 200, 'an Idempotency-Key stands for a nonce');
is(decode_json($post->('k-1')->{body})->{repeat}, JSON::PP::true, 'the same one is a repeat');
is($post->('k-2')->{status}, 410, 'another one is not');


# what is handed on

$r = $t->request('POST', '/r/', body => 'a body for the shop');
is($r->{headers}{'x-body'}, 'a body for the shop', 'what is no link goes to the shop with its body');
$r = $t->request('PUT', '/r/', body => 'x' x 500);
is($r->{headers}{'x-body'}, 'x' x 500, 'another method, too');
$r = $t->request('POST', '/r/', headers => { 'Transfer-Encoding' => 'chunked' }, body => "5\r\nhello\r\n0\r\n\r\n");
is($r->{headers}{'x-body'}, 'hello', 'also in chunks');

$t->quit;
$t->conf(reveal => 'mpk_fallthrough on;', http => "server { listen 127.0.0.1:$sink; location / { return 200 sink; } }", shop => "location /r/ { proxy_pass http://127.0.0.1:$sink;"
    . ' add_header X-Body $request_body; }')->start;
$token = $t->sign($t->claims('an-older-order'));
is($t->get("/r/$token")->{body}, 'sink', 'mpk_fallthrough hands an unknown order on');
$r = $t->request('POST', "/r/$token", headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'nonce=1&email=a%40b');
is($r->{headers}{'x-body'}, 'nonce=1&email=a%40b', 'with the body that was read');
is($t->get($link)->{status}, 410, 'and answers for the orders that it knows');
is($t->get('/r/forged')->{status}, 404, 'and for forged links');


# JSON answers

$r = $t->get($t->link('H-1'), headers => { Accept => 'text/html;q=0.5, application/json' });
my $facts = decode_json($r->{body});
is(join(' ', sort keys %$facts), 'challenge claim_until consent consent_product expires_at items nonce order products warning', 'the confirm page in JSON');
$r = $t->get('/r/bad', headers => \%json);
is($r->{headers}{'content-type'}, 'application/problem+json', 'a refusal in JSON is a problem');
is(decode_json($r->{body})->{status}, 404, 'with its status');
$r = $t->get($t->link('H-2'), headers => { Accept => 'application/json;q=0.5, text/html' });
like($r->{headers}{'content-type'}, qr/html/, 'Accept is weighed');

# the link is opened again for each of them; two lines are one list

my $weighed = $t->link('H-ACCEPT');
for (["application/json\r\nAccept: text/html;q=0.5", 'json'], ["text/html;q=0.5\r\nAccept: application/json", 'json'],
    ["text/html\r\nAccept: application/json;q=0.5", 'html'], ["text/html\t;\tq=0.1,\tapplication/json", 'json'], ['text/*, application/json;q=0.9', 'html'],
    ['application/*', 'json'], ['*/*', 'html'], ['application/json, text/plain, */*', 'json'], ['application/json;q=0.5, */*', 'html'])
{
    like($t->get($weighed, headers => { Accept => $_->[0] })->{headers}{'content-type'}, qr/$_->[1]/, 'Accept: ' . $_->[0] =~ s/\s+/ /gr);
}

is($t->get($weighed, headers => { 'Accept-Language' => "it\r\nAccept-Language: fr" })->{body} =~ /<html lang="fr"/ ? 1 : 0, 1,
    'two lines of Accept-Language are one list');


# the bounds of an order

$t->file('I-1');
my @minted = map { $t->api('POST', 'orders/I-1/links', {}) } 1 .. 260;
is((grep { $_->{status} != 200 } @minted), 0, 'minting a link is never refused');
my ($oldest, $newest) = map { $minted[$_]{json}{url} =~ m{(/r/.*)} } 0, 259;
is($t->confirm($oldest)->{status}, 200, 'a link that was forgotten still works');
is($t->confirm($oldest, nonce => 'other')->{status}, 410, 'once');
is($t->confirm($newest)->{status}, 200, 'as does the newest');

$t->get('/r/' . $t->sign($t->claims('I-2'))) for $t->file('I-2'), 1 .. 299;
is($t->events('I-2'), join(' ', 'filed', ('opened') x 30), '300 fresh links that are opened leave 30 entries');
is($t->confirm($t->mint('I-2'))->{status}, 200, 'and close nothing');

$link = $t->link('I-3');
$nonce = $t->nonce($link);
my @repeats = map { $t->confirm($link, nonce => $nonce, headers => { %json }) } 0 .. 21;
is(join(' ', map { $_->{status} } @repeats[0, 20, 21]), '200 200 429', 'R3: a view is repeated twenty times, and no more');
is($repeats[21]{json}{type}, 'urn:mpk:exhausted', 'which has a name');
my $wait = $repeats[21]{headers}{'retry-after'};
ok($wait > 3500 && $wait <= 3601, 'and a time: when the grace ends');
unlike($repeats[21]{body}, qr/XK7QX/, 'without the key');
is(() = $t->events('I-3') =~ /repeated/g, 20, 'R2: each that showed a key is journaled');

# a second token that the shop has signed with the same id

$t->file('I-4', items => [ map { { sku => "S$_", product => "P$_", key => "KEY-$_" } } 1, 2 ]);
my $same = $t->claims('I-4', items => [ 1 ]);
my $one = '/r/' . $t->sign($same);
my $two = '/r/' . $t->sign({ %$same, items => [ 2 ] });
is(join(' ', map { $_->{key} } @{$t->confirm($one, headers => { %json })->{json}{items}}), 'KEY-1', 'a token shows its items');
$r = $t->confirm($two, nonce => 'x', headers => { %json });
is($r->{status}, 404, 'another with the same id shows no others');
unlike($r->{body}, qr/KEY-2/, 'nor a key of them');

# a link that the shop revokes

$t->file('I-5');
my $minted = $t->api('POST', 'orders/I-5/links', {}, headers => { 'Idempotency-Key' => 'mail-5' })->{json};
my ($revoked) = $minted->{url} =~ m{(/r/.*)};
is($t->api('DELETE', "orders/I-5/links/$minted->{token_id}", undef, token => 'read-token')->{status}, 403, 'the role "read" may not revoke a link');
is($t->get($revoked)->{status}, 200, 'a link is good');
my $d = $t->api('DELETE', "orders/I-5/links/$minted->{token_id}");
is("$d->{status} $d->{json}{state}", '200 ready', 'it is revoked');
is($t->api('DELETE', "orders/I-5/links/$minted->{token_id}")->{status}, 200, 'R10: again, it is the same');
is(join(' ', $t->get($revoked)->{status}, $t->confirm($revoked, nonce => 'x')->{status}), '410 410', 'and shows nothing any more');
$r = $t->get($revoked, headers => { %json });
is($r->{body} =~ /urn:mpk:(\w+)/ ? $1 : '', 'revoked', 'which has a name');
is($t->api('POST', 'orders/I-5/links', {}, headers => { 'Idempotency-Key' => 'mail-5' })->{json}{type}, 'urn:mpk:revoked', 'nor is it minted again');
is(join(' ', map { my $r = $t->api('DELETE', "orders/I-5/links/$_"); "$r->{status} $r->{json}{type}" } 'A' x 22, 'short', 'A' x 23),
    join(' ', ('404 urn:mpk:no_link') x 3), 'a link that the order does not know is not found');
is($t->events('I-5'), 'filed link_minted opened link_revoked', 'it is one entry');
my $viewed = $t->api('POST', 'orders/I-5/links', {})->{json};
my ($other_path) = $viewed->{url} =~ m{(/r/.*)};
my $again = $t->nonce($other_path);
is($t->confirm($other_path, nonce => $again)->{status}, 200, 'another link shows the key');
is($t->api('DELETE', "orders/I-5/links/$viewed->{token_id}")->{status}, 200, 'a used one can be revoked');
is($t->confirm($other_path, nonce => $again)->{status}, 410, 'and is not even repeated');

# the same Idempotency-Key gives the same link after a rotation

my $first = $t->api('POST', 'orders/I-2/links', {}, headers => { 'Idempotency-Key' => 'rotated' })->{json};
system('bin/mpk-keyring', 'rotate', $t->dir . '/keyring.json', 'token') == 0 or die 'no rotation';
ok($t->reload, 'the token key is rotated');
my $second = $t->api('POST', 'orders/I-2/links', {}, headers => { 'Idempotency-Key' => 'rotated' })->{json};
is($second->{token_id}, $first->{token_id}, 'R10: the same call gives the same link');
is($t->confirm($second->{url} =~ m{(/r/.*)})->{status}, 200, 'which shows the key');
is($t->confirm($first->{url} =~ m{(/r/.*)}, nonce => 'y')->{status}, 410, 'once, however it was signed');

# two confirmations of a link race: the answer of the one that comes second is not about a key

my $slow = Mpk->new;
my $store = $slow->redis;
$slow->conf(listen => 'sndbuf=2k')->start;
$link = $slow->link('A-1');
my @race = map {
    my $s = Mpk::Http::connection($slow->port('edge'), 256);
    [ $s, Mpk::Http::text('POST', $link, headers => { Accept => 'text/html', 'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(nonce => $slow->nonce($link), email => 'ann@example.com')) ];
} 1, 2;
$store->cmd('CLIENT', 'PAUSE', 200);
print { $_->[0] } $_->[1] for @race;
$_->[0]->flush for @race;
read($_->[0], $_->[2], 12) for @race;
is(join(' ', sort map { substr $_->[2], 9 } @race), '200 410', 'R3: of two confirmations one shows the key');
my ($loser) = grep { $_->[2] =~ /410/ } @race;
Mpk::Http::slam($loser->[0]);
my ($winner) = grep { $_->[2] =~ /200/ } @race;
1 while read $winner->[0], my $rest, 4096;
$slow->confirm($slow->link('A-2'));
is($slow->events('A-1'), 'filed link_minted opened opened viewed', 'and the other one, cut off, is not journaled');
ok($slow->quit, 'ends');

$t->finish;
