#!/usr/bin/perl

# Claims: what a customer may report (R6), what support decides of it (R7), and that a
# desk gets verified facts.

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Mpk qw(wait_for ago past);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $json = JSON::PP->new->utf8;
my $form = 'application/x-www-form-urlencoded';

my %token = (shop => 'till-token', support => 'support-token', read => 'read-token');
$t->write('api-tokens', $t->read('api-tokens') . 'till:' . sha256_hex($token{shop}) . ":shop\n");

$t->conf(redis => $t->least($redis), location => <<CONF, shop => <<'SHOP')->start;
        proxy_set_header X-Mpk-Claim "";
        proxy_set_header X-Mpk-Order "";
        proxy_set_header X-Mpk-Items "";
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location /claim/ { mpk_claim on; }
        location /claim/files/ {
            mpk_claim_access on;
            client_max_body_size 20m;
            proxy_set_header X-Mpk-Claim \$mpk_claim;
            proxy_set_header X-Mpk-Order \$mpk_order;
            proxy_set_header X-Mpk-Items \$mpk_items;
            if (\$arg_if) { proxy_pass http://127.0.0.1:$shop; }
            location /claim/files/in/ { proxy_pass http://127.0.0.1:$shop; }
            proxy_pass http://127.0.0.1:$shop;
        }
        location = /around { ssi on; ssi_types *; proxy_pass http://127.0.0.1:$shop; }
CONF
        location /claim/files/ {
            add_header X-Desk "$http_x_mpk_order/$http_x_mpk_claim/$http_x_mpk_items $content_length";
            return 201 "desk\n";
        }
        location = /around { return 200 'x<!--#include virtual="/claim/files/x" -->y'; }
        location /echo { add_header X-Desk "[$http_x_mpk_order]"; return 200; }
SHOP

my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my %ann = (name => 'Ann Example', email => 'ann@example.com', key => $key, category => 'not_accepted',
    description => "It says \"invalid key\".\nTwice.");

# look(order): the order's page, as JSON; what its customer sees
sub look {
    my ($order) = @_;
    return $t->track($order)->{json};
}

sub path { my ($url) = @_; return $url =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : undef }

# claim(path, %fields): sends the form; JSON
sub claim {
    my ($path, %fields) = @_;
    my $headers = delete $fields{headers} // {};
    return $t->post($path, \%fields, headers => { Accept => 'application/json', %$headers });
}

# viewed(id, %over): files an order and has its keys shown; the path of its claim form
sub viewed {
    my ($id, %over) = @_;
    $t->confirm($t->link($id, %over))->{status} == 200 or die 'no view';
    return path(look($id)->{claim_url});
}

sub decide {
    my ($order, $n, $what, $body, $token) = @_;
    return $t->api('POST', "orders/$order/claims/$n/$what", $body, token => $token // $token{support});
}

# found(what): a decision with a finding
my %finding = (finding => { result => 'defective', text => 'The maker has blocked it.' });
sub found { my ($order, $n, $what, $body) = @_; return decide($order, $n, $what, { %finding, %$body }) }

sub order { return $t->api('GET', "orders/$_[0]")->{json} }



# R6: what it takes

my $path = viewed('C-1');
like($path, qr{^/claim/}, 'a viewed key can be reported by a link of the order\'s page');

my $r = $t->get($path, headers => { Accept => 'application/json' });
is($r->{status}, 200, 'the form is there');
is_deeply($json->decode($r->{body})->{fields}, [qw(name order email key category description)], 'with the fields of the policy');
like($t->get($path)->{body}, qr{<textarea id="key".*<select id="category"}s, 'as a page, too');

for my $field (qw(name order email key category description)) {
    my %some = (%ann, order => 'C-1');
    delete $some{$field};
    my $r = claim($path, %some);
    is("$r->{status} $r->{json}{rule} " . join(' ', map { $_->{pointer} } @{$r->{json}{errors}}), "422 R6 /$field",
        "R6: without $field there is no claim");
}

is(claim($path, %ann, order => 'C-2')->{json}{errors}[0]{pointer}, '/order', 'R6: nor for another order');
is(claim($path, %ann, order => 'C-1', category => 'broken')->{json}{errors}[0]{pointer}, '/category', 'R6: nor of an unknown category');
is(claim($path, %ann, order => 'C-1', description => 'x' x 4001)->{json}{errors}[0]{pointer}, '/description', 'R6: nor with a novel');
$r = claim($path, %ann, order => 'C-1', email => 'eve@example.com');
is("$r->{status} $r->{json}{rule} $r->{json}{type}", '422 R6 urn:mpk:not_buyer', 'R6: the billing email is needed');
$r = claim($path, %ann, order => 'C-1', key => "${key}F");
is("$r->{status} $r->{json}{rule} $r->{json}{type}", '422 R6 urn:mpk:wrong_key', 'R6: and the key itself');

for (['a % alone', 'order=C-1&description=100%'], ['a field twice', 'name=Ann&name=Eve'], ['one that is too large', 'description=' . 'x' x 40000]) {
    my ($what, $body) = @$_;
    my $r = $t->post($path, $body);
    is($r->{status}, 422, "a form that can't be read, $what: refused");
    like($r->{body}, qr{<textarea id="key"}, "a form that can't be read, $what: the page is there again");
}

is($t->events('C-1'), 'filed link_minted opened viewed', 'none of that was a claim');

my $html = $t->request('POST', $path, headers => { 'Content-Type' => $form },
    body => Mpk::Http::form(%ann, order => 'C-1', key => '<script>', name => '"><b>'));
is($html->{status}, 422, 'a wrong form comes back');
like($html->{body}, qr{href="#key"}, 'and says what is wrong');
like($html->{body}, qr{value="&quot;&gt;&lt;b&gt;".*&lt;script&gt;.*<option value="not_accepted" selected>.*Twice\.}s,
    'with what was typed, escaped');

$r = claim($path, %ann, order => '#C-1', key => "  $key\r\n", email => ' Ann@Example.COM ');
is($r->{status}, 201, 'R6: order, email and key make a claim; "#", spaces and capitals are forgiven');
is("$r->{json}{claim} $r->{json}{state}", '1 open', 'it has a number');
my $upload = path($r->{json}{upload_url});
like($upload, qr{^/claim/files/}, 'and says where screenshots go');
is($t->events('C-1'), 'filed link_minted opened viewed claim_opened', 'R9: it is one entry');

my $entry = $t->journal('C-1')->{entries}[-1];
is("$entry->{claim} @{$entry->{items}} $entry->{category} $entry->{name} $entry->{actor}", '1 1 not_accepted Ann Example customer',
    'the entry says who claims what');
is($entry->{note}, $ann{description}, 'and the description');
is($t->journal('C-1')->{verdict}, 'intact', 'the journal is intact');

$r = claim($path, %ann, order => 'C-1');
is("$r->{status} $r->{json}{claim}", '200 1', 'the same form sent again is the same claim');

my $other = path(look('C-1')->{claim_url} // '');
is($other, undef, 'a key with an open claim is not offered again');
my $fresh = '/claim/' . $t->sign($t->claims('C-1', aud => 'claim', ch => undef));
$r = claim($fresh, %ann, order => 'C-1');
is("$r->{status} $r->{json}{rule} $r->{json}{type}", '409 R6 urn:mpk:claimed', 'R6: one open claim for an item');
$html = $t->request('POST', $fresh, headers => { 'Content-Type' => $form }, body => Mpk::Http::form(%ann, order => 'C-1'));
is($html->{status}, 409, 'the page says so');
like($html->{body}, qr/reported this key already/, 'in plain words');

# late, undelivered, cancelled, another token

my $old = viewed('C-old', past(7 * 86400 - 30));
$r = claim($old, %ann, order => 'C-old');
is($r->{status}, 201, 'R6: within the window there is a claim');
$t->file('C-late', past(7 * 86400 + 5));
$t->confirm($t->mint('C-late'));
is(look('C-late')->{claim_url}, undef, 'R6: after it, the order\'s page offers none');
$t->file('C-slow', purchased_at => ago(8 * 86400));
$t->confirm($t->mint('C-slow'));
like(look('C-slow')->{claim_url}, qr{/claim/}, 'R6: one that was bought long ago, and released now, can be reported');
my $late = '/claim/' . $t->sign($t->claims('C-late', aud => 'claim', ch => undef));
$r = claim($late, %ann, order => 'C-late');
is("$r->{status} $r->{json}{rule} $r->{json}{type}", '403 R6 urn:mpk:late', 'R6: and a claim is late');
like($r->{json}{detail}, qr/maker's support/, 'with the way on');
is($t->get($late)->{status}, 403, 'the form says so, too');
like($t->get($late)->{body}, qr/Our exchange period is over/, 'in plain words');

$t->file('C-new');
my $new = '/claim/' . $t->sign($t->claims('C-new', aud => 'claim', ch => undef));
$r = claim($new, %ann, order => 'C-new');
is("$r->{status} $r->{json}{type}", '409 urn:mpk:undelivered', 'R6: what was not delivered can\'t be reported');
$t->api('POST', 'orders/C-new/cancel', { reason => 'fraud' });
is(claim($new, %ann, order => 'C-new')->{status}, 410, 'nor what was cancelled');
$t->api('DELETE', 'orders/C-new');
is(claim($new, %ann, order => 'C-new')->{status}, 404, 'nor what was erased');
is(claim($new, order => 'C-new')->{status}, 404, 'whatever is sent');
is(claim('/claim/' . $t->sign($t->claims('C-nobody', aud => 'claim', ch => undef)), %ann, order => 'C-nobody')->{status}, 404,
    'nor what is not there');
is($t->get('/claim/' . $t->sign($t->claims('C-1')))->{status}, 404, 'a reveal token is no claim token');
is($t->get('/r/' . $t->sign($t->claims('C-1', aud => 'claim', ch => undef)))->{status}, 404, 'nor the other way round');
is($t->get('/claim/' . $t->sign($t->claims('C-1', aud => 'claim', ch => undef, exp => time - 61, iat => time - 100)))->{status}, 410,
    'an expired one says so');
is($t->get('/claim/nonsense')->{status}, 404, 'a forged one is unknown');

# wrong tries close the form for a while

my $tries = viewed('C-tries');
my $another = sub { '/claim/' . $t->sign($t->claims('C-tries', aud => 'claim', ch => undef)) };
is(join(' ', map { claim($another->(), %ann, order => 'C-tries', key => "wrong-$_")->{status} } 1 .. 11), join(' ', (422) x 10, 429),
    'R6: ten wrong tries are answered, whatever form they come with');
is(claim($tries, %ann, order => 'C-tries')->{status}, 429, 'R6: and close the order\'s claims for a while');
my ($stored, %tries) = $t->stored($redis, 'C-tries');
is(join(' ', grep { /^w:/ } keys %tries), 'w:claim', 'R6: they have one counter');
$redis->cmd('HSET', $stored, 'w:claim', '10 ' . (time - 1));
is(claim($tries, %ann, order => 'C-tries')->{status}, 201, 'R6: never for good');

# several items, long keys

my $many = viewed('C-many', items => [ { sku => 'A', product => 'P1', key => 'KEY-1' }, { sku => 'B', product => 'P2',
    key => "-----BEGIN-----\nline one\nline two\n" } ]);
is(claim($many, %ann, order => 'C-many', key => "-----BEGIN-----\r\nline one\r\nline two")->{status}, 201,
    'a key of many lines is known as a form sends it');
is_deeply(order('C-many')->{claims}[0]{item}, 2, 'the item is found by its key');
ok(look('C-many')->{claim_url}, 'the other key can be reported, too');

# a key typed loosely

my $loose = viewed('C-loose', items => [ map { { sku => $_, product => "P $_", key => $_ } } $key, 'AB-12', 'ab 12', 'AB12' ]);
is(claim($loose, %ann, order => 'C-loose', key => $_)->{json}{type}, 'urn:mpk:wrong_key', "R6: $_ could be any of three keys")
    for 'Ab12', 'a-b-1-2';
is(claim($loose, %ann, order => 'C-loose', key => lc $key =~ s/-/\xe2\x80\x93 /r =~ s/-//gr)->{status}, 201, 'R6: case, blanks and dashes are forgiven');
is(claim($loose, %ann, order => 'C-loose', key => ' ab 12 ')->{status}, 201, 'R6: what is exactly one of the keys is that one');
is(join(' ', map { $_->{item} } @{order('C-loose')->{claims}}), '1 3', 'R6: each claim is of its item');
is(claim($loose, %ann, order => 'C-loose', key => "\xc2\xa0-")->{json}{type}, 'urn:mpk:wrong_key', 'R6: blanks are no key');
my (undef, %loose) = $t->stored($redis, 'C-loose');
like($loose{'w:claim'}, qr/^3 /, 'R6: wrong tries count');


# the desk: verified facts, and nothing forged

my $file = "--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\r\n" . ('p' x 100_000) . "\r\n--x--\r\n";
my %desk = (headers => { 'Content-Type' => 'multipart/form-data; boundary=x', 'X-Mpk-Order' => 'FORGED', 'X-Mpk-Claim' => '9' },
    body => $file);

$r = $t->request('POST', $upload, %desk);
is("$r->{status} $r->{headers}{'x-desk'}", "201 C-1/1/1 " . length $file, 'files go on to the desk, with verified facts');
is($t->request('POST', '/claim/files/forged', %desk)->{status}, 404, 'not with a forged token');
is($t->request('POST', '/claim/files/', %desk)->{status}, 404, 'not without one');
is($t->request('POST', $upload . '/x', %desk)->{status}, 404, 'not with more behind it');
is($t->request('POST', '/claim/files/' . $t->sign($t->claims('C-1', aud => 'claim', ch => undef)), %desk)->{status}, 403,
    'not with one that names no item');
is($t->request('POST', '/claim/files/' . $t->sign($t->claims('C-many', aud => 'claim', ch => undef, items => [ $_->[0] ])), %desk)->{status},
    $_->[1], "with one for item $_->[0]: $_->[1]") for [ 1, 403 ], [ 2, 201 ];
is($t->request('POST', "/claim/files/forged?if=1", %desk)->{status}, 404, 'not by way of an "if"');
is($t->request('POST', "$upload?if=1", %desk)->{status}, 201, 'where a good one gets through');
is($t->request('POST', '/claim/files/in/x', %desk)->{status}, 404, 'not by a location within');
unlike($t->get('/around')->{body}, qr/desk/, 'not by a subrequest');
ok(wait_for(sub { $t->events('C-1') =~ /claim_opened claim_files claim_files$/ }, 'the journal'), 'each that got through is journaled');
is($t->get('/echo', headers => { 'X-Mpk-Order' => 'FORGED' })->{headers}{'x-desk'}, '[]', 'elsewhere the headers are cleared');


# R7: support

for my $call ([ 'needs_info', { message => 'x' } ], [ 'replace', { key => 'N' } ], [ 'refund', { reason => 'x' } ],
    [ 'reject', { reason => 'late' } ])
{
    is(decide('C-1', 1, @$call, $token{$_})->{status}, 403, "the role $_ may not $call->[0]") for qw(shop read);
}
like($t->read('error.log'), qr/the role of API token "till" does not allow this/, 'and the log says who tried');

is($t->api('GET', 'claims', undef, token => $token{shop})->{status}, 403, 'nor see the list');

for ([ 'needs_info', {}, '/message' ], [ 'replace', {}, '/key' ], [ 'replace', { key => 'x' x 4097 }, '/key' ],
    [ 'refund', {}, '/reason' ], [ 'reject', {}, '/reason' ], [ 'reject', { reason => 'mood' }, '/reason' ],
    [ 'reject', { reason => 'other' }, '/note' ], [ 'replace', { key => $key }, '/key' ])
{
    my ($what, $body, $pointer) = @$_;
    my $r = decide('C-1', 1, $what, $body);
    is("$r->{status} " . ($r->{json}{errors}[0]{pointer} // ''), "422 $pointer",
        "R7: $what needs " . substr($pointer, 1) . (keys %$body ? ', and a good one' : ''));
}

$r = decide('C-1', 2, 'reject', { reason => 'late' });
is("$r->{status} $r->{json}{type}", '404 urn:mpk:no_claim', 'a claim that is not there');
is(decide('C-1', 0, 'reject', { reason => 'late' })->{status}, 404, 'nor one with number 0');
is($t->api('POST', 'orders/C-1/claims/x/reject', { reason => 'late' })->{status}, 404, 'nor one without a number')
    or diag $r->{body};

$r = decide('C-1', 1, 'needs_info', { message => "A screenshot, <please>" });
is("$r->{status} $r->{json}{claim}{state}", '200 needs_info', 'support can ask for more');
is(decide('C-1', 1, 'needs_info', { message => "A screenshot, <please>" })->{status}, 200, 'R10: again, it is the same');
is($t->events('C-1'), 'filed link_minted opened viewed claim_opened claim_files claim_files claim_needs_info', 'R10: and one entry');
$html = $t->request('POST', '/track', headers => { 'Content-Type' => $form },
    body => Mpk::Http::form(order => 'C-1', email => 'ann@example.com'));
like($html->{body}, qr{We need something more.*A screenshot, &lt;please&gt;.*action="/claim/files/}s,
    'the customer sees it, and where to send it');
is(look('C-1')->{claims}[0]{note}, 'A screenshot, <please>', 'as JSON, too');

my $link = $t->mint('C-1');
$r = found('C-1', 1, 'replace', { key => 'NEW-KEY-00000-11111', note => 'Sorry!' });
is("$r->{status} $r->{json}{claim}{state}", '200 replaced', 'support replaces the key');
is(found('C-1', 1, 'replace', { key => 'NEW-KEY-00000-11111', note => 'Sorry!' })->{status}, 200, 'R10: again, it is the same');
$r = found('C-1', 1, 'replace', { key => 'NEW-KEY-00000-22222', note => 'Sorry!' });
is("$r->{status} $r->{json}{rule} $r->{json}{type}", '409 R7 urn:mpk:decided', 'R7: a claim is decided once');
is(found('C-1', 1, 'refund', { reason => 'x' })->{status}, 409, 'R7: not in another way either');
is(decide('C-1', 1, 'needs_info', { message => 'x' })->{status}, 409, 'R7: nor reopened');

my $o = order('C-1');
is("$o->{items}[0]{state} $o->{claims}[0]{state} $o->{claims}[0]{decision} $o->{claims}[0]{generation}", 'new replaced replace 1',
    'R7: the new key starts as not viewed; the claim was about the old one');
like($o->{claims}[0]{masked}, qr/EEEEE$/, 'the old key is kept with the claim, masked');
is($o->{used} ? 1 : 0, 1, 'R8: the order stays used');
is($o->{views_count}, 1, 'R8: and its view a view');

$r = $t->confirm($link);
is_deeply([ map { $_->{key} } @{$r->{json}{items}} ], [ 'NEW-KEY-00000-11111' ], 'a link now shows the new key');
unlike($r->{body}, qr/EEEEE/, 'R7: and never the defective one');
is(order('C-1')->{items}[0]{state}, 'viewed', 'then it is viewed');
my $opened = $t->journal('C-1')->{entries};
is_deeply([ map { $_->{generations} } @{$opened}[-2, -1] ], [ undef, [2] ], 'the journal tells generations apart')
    if $opened->[-2]{event} eq 'opened' && !$opened->[-2]{items};
like($t->events('C-1'), qr/claim_replaced/, 'the replacement is in the journal');
is((grep { $_->{event} eq 'claim_replaced' } @$opened)[0]{actor}, 'support-desk', 'R7: with the token\'s name as actor');

$path = path(look('C-1')->{claim_url});
is(claim($path, %ann, order => 'C-1')->{json}{type}, 'urn:mpk:wrong_key', 'the defective key can\'t be reported again');
is(claim($path, %ann, order => 'C-1', key => 'NEW-KEY-00000-11111')->{json}{claim}, 2, 'but the new one can');

$r = found('C-1', 2, 'refund', { reason => 'The publisher has withdrawn the product.' });
is("$r->{status} $r->{json}{claim}{state}", '200 refunded', 'a refund has its reason');
is(order('C-1')->{items}[0]{state}, 'refunded', 'the item says so');
$r = $t->api('POST', 'orders/C-1/links');
is("$r->{status} $r->{json}{rule}", '409 R7', 'R7: no link is minted for a refunded key');
my $signed = '/r/' . $t->sign($t->claims('C-1'));
is($t->get($signed)->{status}, 410, 'R7: nor is it shown');
$r = claim($path, %ann, order => 'C-1', key => 'NEW-KEY-00000-11111');
is("$r->{status} $r->{json}{type}", '410 urn:mpk:refunded', 'R7: nor can it be reported again, with the same status');
is($t->confirm($signed, nonce => 'x')->{status}, 410, 'R7: by no way');
is(look('C-1')->{items}[0]{reveal_url}, undef, 'R7: tracking offers nothing');
like(look('C-1')->{claims}[1]{note}, qr/withdrawn/, 'the customer reads why');

my $evidence = $t->api('GET', 'orders/C-1/evidence', undef, token => $token{support})->{json}{evidence};
is(join(' ', map { "$_->{claim} $_->{state}" } @{$evidence->{claims}}), '1 replaced 2 refunded', 'the evidence holds the claims');
is($evidence->{claims}[0]{description}, $ann{description}, 'with what the customer wrote');
like($t->api('GET', 'orders/C-1/evidence?format=html', undef, token => $token{support})->{body}, qr/Refunded.*Key replaced/s, 'the printed one, too');

is(decide('C-old', 1, 'reject', { reason => 'product_use' })->{status}, 200, 'a rejection has its reason');
is("@{look('C-old')->{claims}[0]}{qw(state decision reason)}", 'rejected reject product_use', 'the customer sees it');
$html = $t->request('POST', '/track', headers => { 'Content-Type' => $form },
    body => Mpk::Http::form(order => 'C-old', email => 'ann@example.com'));
like($html->{body}, qr/maker’s support can help/, 'in plain words');
is($t->request('POST', path(claim(viewed('C-x'), %ann, order => 'C-x')->{json}{upload_url}), %desk)->{status}, 201, 'an open claim takes files');
is($t->request('POST', $upload, %desk)->{status}, 403, 'a decided one takes none');


# the list of open claims

my $list = $t->api('GET', 'claims?state=open', undef, token => $token{support})->{json};
is_deeply([ map { "$_->{order}/$_->{claim}" } @{$list->{claims}} ], [qw(C-tries/1 C-many/1 C-loose/1 C-loose/2 C-x/1)], 'open claims, oldest first');
is("@{$list->{claims}[0]}{qw(name email product category state)}", 'Ann Example ann@example.com Office 2024 not_accepted open',
    'with what support needs');
is($list->{next}, undef, 'and no next page');

for my $n (1 .. 60) {
    my $id = "L-$n";
    my $p = viewed($id);
    claim($p, %ann, order => $id)->{status} == 201 or die;
}

my (@seen, $after);
my $pages = 0;
do {
    my $r = $t->api('GET', 'claims?limit=10' . ($after ? '&after=' . $after =~ s{/}{%2F}r : ''), undef, token => $token{support});
    $after = $r->{json}{next};
    push @seen, map { $_->{order} } @{$r->{json}{claims}};
    $pages++;
} while ($after && $pages < 20);
is($pages, 7, 'the list comes in pages, over all buckets');
is("@seen", join(' ', 'C-tries', 'C-many', 'C-loose', 'C-loose', 'C-x', map { "L-$_" } 1 .. 60), 'each claim once, in order');
is($t->api('GET', "claims?$_")->{status}, 422, "a bad $_ is refused") for 'limit=0', 'limit=51', 'after=x', 'state=all';

is($t->api('POST', 'claims')->{status}, 405, 'the list is only read');
is($t->api('GET', 'orders/C-many/claims/1/reject')->{status}, 405, 'and a decision only sent');


# asking before acting: the answer is the one that acting gives

for my $state (
    [ 'held', sub { $t->file($_[0], state => 'held') } ],
    [ 'ready', sub { $t->file($_[0]) } ],
    [ 'delivered', sub { $t->link($_[0]) } ],
    [ 'viewed', sub { viewed($_[0]) } ],
    [ 'late', sub { $t->file($_[0], past(8 * 86400)); $t->mint($_[0]) } ],
    [ 'cancelled', sub { $t->file($_[0]); $t->api('POST', "orders/$_[0]/cancel", { reason => 'fraud' }) } ],
    [ 'reported', sub { claim(viewed($_[0]), %ann, order => $_[0]) } ],
    [ 'rejected', sub { claim(viewed($_[0]), %ann, order => $_[0]); decide($_[0], 1, 'reject', { reason => 'late' }) } ],
    [ 'refunded', sub { claim(viewed($_[0]), %ann, order => $_[0]); found($_[0], 1, 'refund', { reason => 'none left' }) } ],
    [ 'erased', sub { viewed($_[0]); $t->api('DELETE', "orders/$_[0]") } ])
{
    my ($name, $reach) = @$state;
    my (%asked, %done);

    for my $what (qw(cancel claim refund)) {
        my $id = "P-$name-$what";
        $reach->($id);
        $asked{$what} = order($id)->{policy}{$what};

        my $r = $what eq 'cancel' ? $t->api('POST', "orders/$id/cancel", { reason => 'fraud' })
              : $what eq 'claim' ? claim('/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef)), %ann, order => $id)
              : found($id, 1, 'refund', { reason => 'asked before' });
        $done{$what} = $r->{status} =~ /^20/ ? 'allowed' : $r->{json}{rule} // ($r->{json}{type} =~ s/urn:mpk://r);
    }

    is_deeply(\%asked, \%done, "R5, R6, R7: what an order that is $name says is what is done");
}


# an order has room for 64 claims, and none ever leaves it

viewed('C-full');

for my $n (1 .. 64) {
    claim(path(look('C-full')->{claim_url}), %ann, order => 'C-full')->{status} == 201 or die;
    decide('C-full', $n, 'reject', { reason => 'late' })->{status} == 200 or die;
}

$r = $t->post('/claim/' . $t->sign($t->claims('C-full', aud => 'claim', ch => undef)), { %ann, order => 'C-full' });
is($r->{status}, 409, 'an order takes no more than 64 claims');
is($r->{headers}{'retry-after'}, undef, 'and does not say to come back');
unlike($r->{body}, qr/try again/i, 'on its page either');


# nothing in the logs, nothing plain in Redis

$t->get('/echo', headers => { Referer => "http://shop.example$path" });
my $logs = $t->read('error.log') . $t->read('access.log');
unlike($logs, qr/eyJ[\w-]+\.[\w-]+/, 'no token is in a log');
like($logs, qr{"POST /claim/\[hidden\] HTTP/1.1" 201}, 'claim links are hidden in the request line');
like($logs, qr{"POST /claim/(files/)?\[hidden\] HTTP/1.1" 201 .*event=claim_access outcome=done order=C-1 items=1}, 'so are the desk\'s');
like($logs, qr{event=claim_opened outcome=done order=C-1 items=1}, 'the log tells which claim it was');

$redis->cmd('SAVE');
my $dump = $t->read('redis.d/dump.rdb') . join '', map { $t->read($_ =~ s{.*/(redis\.d/)}{$1}r) }
    glob $t->dir . '/redis.d/appendonlydir/*';
like($dump, qr/claim_refunded/, 'what Redis stores is looked through');
unlike($dump, qr/Ann Example|invalid key|NEW-KEY|withdrawn/, 'names, descriptions and keys are sealed in Redis');

is($t->journal('C-1')->{verdict}, 'intact', 'the journal is intact at the end');


# a domain's A-labels

my ($typed, $sent) = ("ann\@m\xc3\xbcller.example", 'ann@xn--mller-kva.example');
$t->confirm($t->link('C-IDN', email => $typed), email => $sent)->{status} == 200 or die 'no view';
is(claim(path($t->track('C-IDN', email => $sent)->{json}{claim_url}), %ann, order => 'C-IDN', email => $typed)->{status}, 201,
    'R6: either spelling of the domain of an email will do');


# Redis away

unlike($t->read('error.log'), qr/mpk_redis.*refused/, 'the least rights that docs/operations.md gives suffice');

$redis->stop;
$r = claim($path, %ann, order => 'C-1');
is($r->{status}, 503, 'a claim that can\'t be recorded is 503');
is($t->request('POST', $upload, %desk)->{status}, 503, 'and the desk gets nothing unverified');
is(decide('C-many', 1, 'reject', { reason => 'late' })->{status}, 503, 'nor is anything decided');
is($t->api('GET', 'claims')->{status}, 503, 'nor listed');

$t->finish;
