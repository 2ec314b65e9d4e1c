#!/usr/bin/perl

# The API: filing, release, cancel, links, journal; rules R5, R9 and R10; who may what.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;

$t->conf(location => "location /open/ { mpk_api on; mpk_api_tokens off; }"
    . " location /old/ { mpk_api on; mpk_api_tokens off; mpk_fallthrough on;"
    . " proxy_pass http://127.0.0.1:" . $t->port('shop') . "; }"
    . " location /proxied/ { mpk_api on; mpk_api_tokens off; proxy_pass http://127.0.0.1:" . $t->port('shop') . "; }")->start;


# filing

my $order = $t->order(state => undef, account => 'u-1', customer_name => 'Ann Ünal', purchase_ip => '203.0.113.9',
    device_id => 'd-1', locale => 'de-DE');

my $r = $t->api('PUT', 'orders/A-1', $order);
is($r->{status}, 201, 'an order is filed');
is($r->{json}{state}, 'held', 'it is held unless the shop says otherwise');
is($r->{headers}{'cache-control'}, 'no-store', 'the answer is not stored');
is($t->api('PUT', 'orders/A-1', $order)->{status}, 200, 'R10: filing it again with the same content is a no-op');

for (['email', 'eve@example.com'], ['purchased_at', '2026-11-22T04:00:00Z'], ['state', 'ready'], ['account', 'u-2'],
    ['customer_name', 'Eve'], ['purchase_ip', '203.0.113.8'], ['device_id', 'd-2'], ['locale', 'en'])
{
    my $other = { %$order, $_->[0] => $_->[1] };
    $r = $t->api('PUT', 'orders/A-1', $other);
    is($r->{status}, 409, "R10: filing it again with another $_->[0] is refused");
    is($r->{json}{rule}, 'R10', 'R10: and says by which rule');
}

for my $fit ([ platform => 'windows' ], [ edition => 'Pro' ], [ requires => 'Windows 11' ], [ activation_url => 'https://maker.example/key' ],
    [ support_url => 'https://maker.example/help' ])
{
    is($t->api('PUT', 'orders/A-1', { %$order, items => [ { %{$order->{items}[0]}, @$fit } ] })->{status}, 409,
        "R10: filing it again with another $fit->[0] is refused");
}

my $other = { %$order, items => [ { %{$order->{items}[0]}, key => 'XK7QX-OTHER' } ] };
is($t->api('PUT', 'orders/A-1', $other)->{status}, 409, 'R10: filing it again with another key is refused');
is($t->events('A-1'), 'filed', 'R10: and nothing is written');

my ($typed, $sent) = ("Ann\@M\xc3\xbcller.example", 'ann@xn--mller-kva.example');
is($t->api('PUT', 'orders/A-IDN', $t->order(email => $typed, account => $sent))->{status}, 201, 'an address may have umlauts in its domain');
is($t->api('PUT', 'orders/A-IDN', $t->order(email => $sent, account => $typed))->{status}, 200, 'R10: its A-labels are the same content');
like($t->api('GET', 'orders/A-IDN')->{body}, qr{"email":"\Q$typed\E"}, 'it reads back as it was first filed');
is($t->api('PUT', 'orders/A-1', $order)->{status}, 200, 'the first content is still a no-op');

$r = $t->api('GET', 'orders/A-1');
is($r->{status}, 200, 'the order can be read');
is($r->{json}{email}, 'ann@example.com', 'with its email');
is($r->{json}{account}, 'u-1', 'with its account');
is($r->{json}{purchased_at}, $Mpk::purchased, 'with its time of purchase');
like($r->{json}{items}[0]{masked}, qr/EEEEE$/, 'with masked keys');
unlike($r->{body}, qr/XK7QX/, 'never with a key');
is($r->{json}{used}, JSON::PP::false, 'an order that nobody viewed is not used');

my @bad = (
    [ 'no body', undef, 422 ],
    [ 'no JSON', '{', 400 ],
    [ 'a form feed', "{\f}", 400 ],
    [ 'an array', '[]', 400 ],
    [ 'a repeated member', '{"email":"a@b","email":"a@b"}', 400 ],
    [ 'no email', $t->order(email => undef), 422, '/email' ],
    [ 'an email without @', $t->order(email => 'ann'), 422, '/email' ],
    (map { [ 'the email ' . s/\n/\\n/r, $t->order(email => $_), 422, '/email' ] } 'a b@c.de', 'ann@example.com,bob@example.com',
        "ann\@example.com\n", "ann\@example.com\nBcc: eve\@example.com", 'Ann <ann@example.com>', ' ann@example.com',
        'ann@example..com', "ann\@m\xc3\xbc ller.example"),
    [ 'a number for email', $t->order(email => 7), 422, '/email' ],
    [ 'no time', $t->order(purchased_at => undef), 422, '/purchased_at' ],
    [ 'a bad time', $t->order(purchased_at => 'yesterday'), 422, '/purchased_at' ],
    [ 'a time in the future', $t->order(purchased_at => Mpk::ago(-2 * 86400)), 422, '/purchased_at' ],
    [ 'a time in a century', $t->order(purchased_at => '2126-01-01T00:00:00Z'), 422, '/purchased_at' ],
    [ 'the time 0', $t->order(purchased_at => '1970-01-01T00:00:00Z'), 422, '/purchased_at' ],
    (map { [ "the purchase_ip $_", $t->order(purchase_ip => $_), 422, '/purchase_ip' ] } '203.0.113.7, 10.0.0.1', '203.0.113.7:443',
        '[::1]', 'fe80::1%eth0', '203.0.113', 'localhost'),
    [ 'a bad state', $t->order(state => 'cancelled'), 422, '/state' ],
    [ 'an unknown member', $t->order(colour => 'red'), 422, '/colour' ],
    [ 'no items', $t->order(items => []), 422, '/items' ],
    [ 'an item that is no object', $t->order(items => [ 1 ]), 422, '/items/0' ],
    [ 'an item without a key', $t->order(items => [ { sku => 'a', product => 'b' } ]), 422, '/items/0/key' ],
    [ 'an empty key', $t->order(items => [ { sku => 'a', product => 'b', key => '' } ]), 422, '/items/0/key' ],
    [ 'a key over 4096 bytes', $t->order(items => [ { sku => 'a', product => 'b', key => 'k' x 4097 } ]), 422, '/items/0/key' ],
    [ 'an unknown member of an item', $t->order(items => [ { sku => 'a', product => 'b', key => 'k', x => 1 } ]), 422, '/items/0/x' ],
    [ '501 items', $t->order(items => [ map { { sku => 'a', product => 'b', key => 'k' } } 1 .. 501 ]), 422, '/items' ],
    [ 'keys over 256 KB in all', $t->order(items => [ map { { sku => 'a', product => 'b', key => 'k' x 4096 } } 1 .. 65 ]), 422, '/items' ],
);

for (@bad) {
    my ($what, $body, $status, $pointer) = @$_;
    $r = $t->api('PUT', 'orders/B-1', $body);
    is($r->{status}, $status, "an order with $what is refused");
    is($r->{headers}{'content-type'}, 'application/problem+json', 'as a problem');
    is($r->{json}{errors}[0]{pointer}, $pointer, "that points to $pointer") if $pointer;
}

is($t->api('GET', 'orders/B-1')->{status}, 404, 'nothing of a refused order is kept');

# what items fit

my %fit = (platform => 'windows', edition => 'Pro', requires => 'A PC with "Windows" 11', activation_url => 'https://maker.example/key?a=1&b=2',
    support_url => 'http://maker.example/');
my $fitting = $t->order(items => [ { %{$order->{items}[0]}, %fit }, $order->{items}[0] ]);
is($t->api('PUT', 'orders/B-FIT', $fitting)->{status}, 201, 'items say what they fit');
is($t->api('PUT', 'orders/B-FIT', $fitting)->{status}, 200, 'R10: filed again, they say the same');
$r = $t->api('GET', 'orders/B-FIT');
is_deeply({ map { $_ => $r->{json}{items}[0]{$_} } keys %fit }, \%fit, 'the order gives it back');
is_deeply([ grep { exists $r->{json}{items}[1]{$_} } keys %fit ], [], 'of those items only');

for ([ activation_url => 'javascript:alert(1)' ], [ support_url => 'https://shop.example@evil.example/' ], [ platform => 'w' x 256 ], [ requires => 1 ]) {
    my ($member, $value) = @$_;
    $r = $t->api('PUT', 'orders/B-1', $t->order(items => [ { %{$order->{items}[0]}, $member => $value } ]));
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 /items/0/$member", "a bad $member is refused");
}

my @items = map { { sku => "S-$_", product => "Product $_", key => "K$_-" . 'x' x 500 } } 1 .. 500;
is($t->api('PUT', 'orders/B-2', $t->order(items => \@items))->{status}, 201, '500 items and 250 KB of keys can be filed');
$r = $t->confirm($t->mint('B-2'));
is_deeply([ map { $_->{key} } @{$r->{json}{items}} ], [ map { $_->{key} } @items ], 'and shown');

$r = $t->request('PUT', '/mpk/v1/orders/B-3', headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'text/plain' }, body => '{}');
is($r->{status}, 415, 'another content type is refused');

for my $id ('a b', 'x' x 65, '%2e%2e%2fa', 'ä', 'a%00b') {
    is($t->api('GET', "orders/$id")->{status} =~ /^40[04]$/ ? 1 : 0, 1, "the order id \"" . substr($id, 0, 12) . "\" is none");
}

# an order number that is no id: nginx decodes "%2F", and resolves "." and ".."

for my $id ('a%20b', 'A%2F1', 'A%2f1', '.', '..', '%2e', '.%2E', 'x' x 65) {
    $r = $t->api('PUT', "orders/$id", $t->order);
    is("$r->{status} $r->{json}{type} $r->{json}{errors}[0]{pointer}", '422 urn:mpk:invalid {id}', "nothing is filed as \"$id\"")
        or diag($r->{raw});
}

for my $id ('a%20b', 'A%2F1', 'A%2f1') {
    $r = $t->api('GET', "orders/$id");
    is("$r->{status} $r->{json}{type}", '404 urn:mpk:absent', "\"$id\" is no order");
    like($r->{json}{detail}, qr{such as "/"}, 'and the answer says why');
    is($t->get("/old/orders/$id")->{headers}{'x-shop'}, "GET /old/orders/$id", 'mpk_fallthrough hands that on, too');
}

for (['PUT', 422], ['GET', 404]) {
    is($t->request($_->[0], '/open/orders/A/1')->{headers}{'content-type'}, 'application/problem+json', "$_->[0]: a slash alone is told, too");
    is($t->request($_->[0], '/open/orders/A/1')->{status}, $_->[1], 'with its status');
}

is($t->request('PUT', '/mpk/v1/orders/A%2F1', body => '{}')->{status}, 401, 'a stranger is not told about ids');
is($t->request('POST', '/proxied/orders/A-1/invoice')->{headers}{'x-shop'}, 'POST /proxied/orders/A-1/invoice',
    "a path of the shop's below an order goes on to the shop");
is($t->request('POST', '/proxied/orders/A-1/invoice?back=%2Fhome')->{status}, 200, 'whatever its query');
is($t->request('PUT', '/x/../proxied/')->{headers}{'x-shop'}, 'PUT /x/../proxied/', 'and the address of the location itself');
is($t->request('PUT', '/proxied/orders/A%2F1', headers => { 'Content-Type' => 'application/json' }, body => '{}')->{status}, 422,
    'but no order number with a slash does');

is($t->api('PUT', 'orders/' . 'x' x 64, $t->order)->{status}, 201, 'an id may have 64 characters');
is($t->api('PUT', 'orders/a._-Z9', $t->order)->{status}, 201, 'of letters, digits, ".", "_", "-"');


# release

is($t->api('POST', 'orders/nobody/release')->{status}, 404, 'an order that is not there is not released');
is($t->api('POST', 'orders/A-1/release')->{json}{state}, 'ready', 'a held order is released');
is($t->api('POST', 'orders/A-1/release')->{status}, 200, 'R10: released again, the same answer');
is($t->events('A-1'), 'filed released', 'R10: and no second entry');
is($t->api('PUT', 'orders/A-1', $order)->{status}, 200, 'R10: filing is still a no-op after the release');


# links

$t->file('C-1', state => 'held');
$r = $t->api('POST', 'orders/C-1/links');
is($r->{status}, 409, 'R5: no link while held');
is($r->{json}{rule}, 'R1', 'and the rule is named');
is($t->api('POST', 'orders/nobody/links')->{status}, 404, 'no link for an order that is not there');

$r = $t->api('POST', 'orders/A-1/links', { ttl => 3600 });
is(join(' ', sort keys %{$r->{json}}), 'expires_at token_id url', 'a link is minted');
is($t->api('GET', 'orders/A-1')->{json}{delivered_at} // '', $t->journal('A-1')->{entries}[2]{at}, 'and the order is delivered by it');

my $again = $t->api('POST', 'orders/A-1/links', { ttl => 3600 }, headers => { 'Idempotency-Key' => 'mail-1' });
is($t->api('POST', 'orders/A-1/links', { ttl => 3600 }, headers => { 'Idempotency-Key' => 'mail-1' })->{json}{url},
    $again->{json}{url}, 'the same Idempotency-Key gives the same link');
isnt($t->api('POST', 'orders/A-1/links', { ttl => 3600 }, headers => { 'Idempotency-Key' => 'mail-2' })->{json}{url},
    $again->{json}{url}, 'another one another link');

for ([ { ttl => 1 }, '/ttl' ], [ { ttl => 'x' }, '/ttl' ], [ { items => [] }, '/items' ], [ { items => [ 2, 1 ] }, '/items' ],
    [ { items => [ 'a' ] }, '/items' ], [ { token_id => 'short' }, '/token_id' ])
{
    $r = $t->api('POST', 'orders/A-1/links', $_->[0]);
    is($r->{status}, 422, 'a link with bad ' . substr($_->[1], 1) . ' is refused');
    is($r->{json}{errors}[0]{pointer}, $_->[1], "pointing to $_->[1]");
}

is($t->api('POST', 'orders/A-1/links', { items => [ 2 ] })->{status}, 422, 'no link for an item that the order does not have');

$t->file('C-2');
my $claims = $t->claims('C-2');
my $id = Mpk->token_id($claims->{jti});
$r = $t->api('POST', 'orders/C-2/links', { token_id => $id });
is($r->{status}, 200, 'a link that the shop signed is registered');
is($r->{json}{token_id}, $id, 'by its token id');
is($t->api('POST', 'orders/C-2/links', { token_id => $id })->{status}, 200, 'and again, the same');
is($t->events('C-2'), 'filed link_minted', 'with one entry');


# R5: cancel

is($t->api('POST', 'orders/nobody/cancel', { reason => 'fraud' })->{status}, 404, 'an order that is not there is not cancelled');

for ([ {}, '/reason' ], [ { reason => 'mood' }, '/reason' ], [ { reason => 'other' }, '/note' ]) {
    $r = $t->api('POST', 'orders/C-1/cancel', $_->[0]);
    is($r->{status}, 422, 'a cancel with a bad ' . substr($_->[1], 1) . ' is refused');
}

is($t->api('POST', 'orders/C-1/cancel', { reason => 'fraud' })->{json}{state}, 'cancelled', 'R5: a held order is cancelled');
is($t->api('POST', 'orders/C-1/cancel', { reason => 'fraud' })->{status}, 200, 'R10: cancelled again, the same answer');
is($t->api('POST', 'orders/C-1/cancel', { reason => 'payment_failed' })->{status}, 409, 'R10: for another reason it is refused');
is($t->api('POST', 'orders/C-1/release')->{status}, 409, 'a cancelled order is not released');
is($t->api('POST', 'orders/C-1/links')->{status}, 409, 'and gets no link');

$t->file('C-3');
is($t->api('POST', 'orders/C-3/cancel', { reason => 'other', note => 'asked for' })->{status}, 200, 'R5: a ready order is cancelled before delivery');

$r = $t->api('POST', 'orders/C-2/cancel', { reason => 'fraud' });
is($r->{status}, 409, 'R5: not after delivery');
is($r->{json}{rule}, 'R5', 'R5: by this rule');
like($r->{json}{detail}, qr/delivered at 20\d\d-.*channel email/, 'R5: with the time and channel of the delivery');


# what OpenAPI does not have is refused, whatever it was meant to be

$t->file('U-1', state => 'held');

for (['POST', 'orders/U-1/release', { note => 'checked' }, '/note'], ['POST', 'orders/U-1/cancel', { reason => 'fraud', not_snt => JSON::PP::true }, '/not_snt'],
    ['POST', 'orders/U-1/cancel', { reason => 'fraud', not_sent => 'yes' }, '/not_sent'], ['POST', 'orders/U-1/cancel', { reason => 'fraud', note => 7 }, '/note'],
    ['POST', 'orders/U-1/links', { TTL => 60 }, '/TTL'], ['POST', 'orders/U-1/links', { 'a/b' => 1 }, '/a~1b'],
    ['POST', 'orders/U-1/links', { token_id => 7 }, '/token_id'], ['DELETE', 'orders/U-1', { dry_run => JSON::PP::true }, '/dry_run'],
    ['DELETE', "orders/U-1/links/$id", { note => 'x' }, '/note'],
    map { [ 'POST', "orders/U-1/claims/1/$_->[0]", { %{$_->[1]}, colour => 'red' }, '/colour' ] } ['needs_info', { message => 'x' }],
        ['replace', { key => 'x' }], ['refund', { reason => 'x' }], ['reject', { reason => 'late' }])
{
    my ($method, $path, $body, $pointer) = @$_;
    $r = $t->api($method, $path, $body);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $pointer", "$method $path refuses $pointer");
}

is($t->events('U-1'), 'filed', 'and none of that did anything');
is($t->api('POST', 'orders/U-1/release', {})->{status}, 200, 'an empty object is as good as no body');
is($t->api('POST', 'orders/U-1/links', { items => undef, ttl => undef, token_id => undef })->{status}, 200, 'and null as no member');
is($t->api('DELETE', 'orders/U-1', {})->{status}, 200, 'also where there is nothing to say');


# who may what

for ([ undef, 401 ], [ 'wrong', 401 ], [ '', 401 ]) {
    $r = $t->request('GET', '/mpk/v1/orders/A-1', headers => { defined $_->[0] ? (Authorization => "Bearer $_->[0]") : () });
    is($r->{status}, $_->[1], 'without a good token: 401');
    is($r->{headers}{'www-authenticate'}, 'Bearer', 'and what to send');
}

is($t->api('GET', 'orders/A-1', undef, token => "  $t->{token}")->{status}, 200, 'any number of blanks stands behind "Bearer"');
is($t->api('GET', 'orders/nobody', undef, token => 'wrong')->{status}, 401, 'a stranger does not learn what there is');
is($t->api('GET', 'orders/A-1', undef, token => 'read-token')->{status}, 200, 'the role "read" reads the state');
is($t->api('GET', 'orders/A-1', undef, token => 'read-token')->{json}{email}, undef, 'but no email');
is($t->api('GET', 'orders/A-1', undef, token => 'read-token')->{json}{views}, undef, 'and no views');
is($t->api('GET', 'orders/A-1/journal', undef, token => 'read-token')->{status}, 403, 'and no journal');
is($t->api('POST', 'orders/A-1/links', undef, token => 'support-token')->{status}, 403, 'the role "support" mints no links');
is($t->api('GET', 'orders/A-1/journal', undef, token => 'support-token')->{status}, 200, 'but reads the journal');
is($t->api('POST', 'orders/A-1/links', undef, token => 'shop-token')->{status}, 200, 'the role "shop" mints links');
like($t->read('error.log'), qr/role of API token "reader" does not allow/, 'a refused role is in the error log, by name');
is($t->journal('A-1')->{entries}[-1]{actor}, 'shop-only', "the token's name is the actor");
is($t->get('/open/orders/A-1')->{status}, 200, 'mpk_api_tokens off leaves it to nginx');

$r = $t->api('DELETE', 'orders/A-1/release');
is($r->{status}, 405, 'another method is refused');
is($r->{headers}{allow}, 'POST', 'with those that there are');
is($t->api('POST', 'orders/A-1')->{headers}{allow}, 'DELETE, GET, HEAD, PUT', 'for the order, too');
is($t->api('GET', 'orders/A-1/links/' . 'A' x 22)->{headers}{allow}, 'DELETE', 'for a link');
is($t->api('PUT', 'orders')->{headers}{allow}, 'GET, HEAD, POST', 'for all orders');
is($t->api('PUT', 'claims')->{headers}{allow}, 'GET, HEAD', 'for claims');
is($t->get('/old/orders/nobody')->{headers}{'x-shop'}, 'GET /old/orders/nobody', 'mpk_fallthrough hands an unknown order on');
is($t->get('/old/orders/A-1')->{headers}{'x-shop'}, undef, 'but not a known one');
is($t->get('/old/other')->{headers}{'x-shop'}, 'GET /old/other', 'what the API does not know goes on');


# the journal; what is done to it by hand is for evidence.t

sub prepared { my ($id) = @_; $t->confirm($t->link($id)); return $id }

my $j = $t->journal(prepared('J-0'));
is($j->{verdict}, 'intact', 'an untouched journal is intact');
is(scalar @{$j->{entries}}, 4, 'with all entries');
is($t->api('GET', 'orders/J-0/journal?anchor=nonsense')->{status}, 422, 'a bad anchor is refused');


# values moved in Redis

prepared('K-1'); prepared('K-2');
my ($k1, $k2) = map { $redis->cmd('KEYS', "mpk:*:o:$_")->[0] } qw(K-1 K-2);
my $own = $redis->cmd('HGET', $k1, 'k');
$redis->cmd('HSET', $k1, 'k', $redis->cmd('HGET', $k2, 'k'));
my $r1 = $t->confirm('/r/' . $t->sign($t->claims('K-1')));
is($r1->{status}, 503, "an order with another order's key is not read");
unlike($r1->{body}, qr/XK7QX/, 'and nothing is shown');
like($t->read('error.log'), qr/\[crit\].*order "K-1" is not authentic/, 'ops learn of it');
$redis->cmd('HSET', $k1, 'k', $own);
is($t->events('K-1'), 'filed link_minted opened viewed opened', 'nothing was used up');

$redis->cmd('HSET', $k2, 'h', 'garbage');
is($t->api('GET', 'orders/K-2')->{status}, 500, 'a broken order is an error');
like($t->read('error.log'), qr/\[crit\].*order "K-2" is not authentic/, 'that ops learn of');


# R9, over HTTP/2, and by many at once

is($t->api('GET', 'orders/A-1')->{status}, 200, 'all is well after that');

$t->finish;
