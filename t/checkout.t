#!/usr/bin/perl

# What the customer accepted at the checkout is filed with the order: sealed, told to those who
# may read personal data, and not asked for again.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(ago);
use Mpk::Http;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $h2 = $t->port('h2');
my $shop = $t->port('shop');
my $json = JSON::PP->new->utf8->canonical;

$t->conf(server => "listen 127.0.0.1:$h2 http2; mpk_consent supply;", location => <<CONF, shop => <<'SHOP')->start;
        location = /track { mpk_track on; }
        location /onscreen/ { proxy_pass http://127.0.0.1:$shop; }
        location ~ ^/keys/(?<id>[^/]+)\$ { internal; mpk_onscreen \$id trusted; }
CONF
        location ~ ^/onscreen/(.+)$ { add_header X-Accel-Redirect /keys/$1; return 200; }
SHOP

my $hex = join '', ('0123456789abcdef') x 4;
my %terms = (version => '2026-11 <b>', url => 'https://shop.example/terms?of=keys&v=11', accepted_at => ago(63), ip => '203.0.113.7', sha256 => $hex);
my %consents = (supply => JSON::PP::true, waiver => JSON::PP::true, at => ago(62), ip => '2001:db8::7', text_sha256 => uc $hex, confirmed_at => ago(61));
my %checkout = (terms => \%terms, consents => \%consents, buyer => 'business');
my @same = ({ %terms }, { %consents, text_sha256 => $hex }, 'business');
my %order = (purchased_at => ago(60));

sub file_raw { my ($id, %over) = @_; return $t->api('PUT', "orders/$id", $t->order(%order, %over)) }
sub order { return $t->api('GET', "orders/$_[0]", undef, @_[1 .. $#_])->{json} }
sub three { return [ @{$_[0]}{qw(terms consents buyer)} ] }


# filed, and shown to whom

is(file_raw('T-1', %checkout)->{status}, 201, 'an order is filed with what was accepted at its checkout');
is_deeply(three(order('T-1')), \@same, 'the shop reads it as it was filed');
is_deeply(three(order('T-1', token => 'support-token')), \@same, 'and so does support');
my $read = $t->api('GET', 'orders/T-1', undef, token => 'read-token');
is_deeply(three($read->{json}), [ undef, undef, undef ], 'the role read does not');
unlike($read->{body}, qr/203\.0\.113|$hex|business/i, 'not in any member');
is_deeply(three($t->track('T-1')->{json}), [ undef, undef, undef ], 'nor does a page');
my $evidence = sub { return $t->api('GET', "orders/$_[0]/evidence", undef, token => 'support-token')->{json}{evidence} };
is_deeply(three($evidence->('T-1')), \@same, 'evidence has it');

# a dispute: what was accepted before the purchase

sub utc { return $_[0] =~ s/T(.*)Z/ $1 UTC/r }

my @disclosures = qw(refund_policy_disclosure cancellation_policy_disclosure);
my $e = $evidence->('T-1');
for (@disclosures) {
    like($e->{stripe}{$_}, qr/accepted the shop's terms, version "2026-11 <b>", on \Q@{[utc($terms{accepted_at})]}\E from IP address 203\.0\.113\.7\. Their address is "\Q$terms{url}\E"; .*$hex/,
        "$_: version, time, address");
    like($e->{stripe}{$_}, qr/withdrawal is lost by this, on \Q@{[utc($consents{at})]}\E from IP address 2001:db8::7; .* durable medium on \Q@{[utc($consents{confirmed_at})]}\E\. The purchase was made on \Q@{[utc($order{purchased_at})]}\E\./,
        "$_: and the consents");
    like($e->{stripe}{$_}, qr/as the shop filed them with the order on \Q@{[utc($e->{filed_at})]}\E\.$/, "$_: whose word it is");
}

my $after = file_raw('T-4', terms => { %terms, accepted_at => ago(30) }, consents => { %consents, at => ago(29), confirmed_at => undef });
is_deeply([ @{$evidence->('T-4')->{stripe}}{@disclosures} ], [ undef, undef ], 'what was accepted after the purchase is no disclosure');
$t->confirm($t->mint('T-4'));
is_deeply([ @{$evidence->('T-4')->{stripe}}{@disclosures} ], [ undef, undef ], 'nor after a view');

my $print = $t->api('GET', 'orders/T-1/evidence?format=html', undef, token => 'support-token')->{body};
like($print, qr/The buyer is a business/, 'the printed page has the buyer');
like($print, qr/On \Q@{[utc($terms{accepted_at})]}\E, from the address 203\.0\.113\.7, the customer accepted .* version 2026-11 &lt;b&gt;, https:\/\/shop\.example\/terms\?of=keys&amp;v=11.*$hex/s, 'the terms');
like($print, qr/On \Q@{[utc($consents{at})]}\E, from the address 2001:db8::7, both consents were given.*$hex.*durable medium on \Q@{[utc($consents{confirmed_at})]}\E/s, 'and the consents');
file_raw('T-5', consents => { %consents, waiver => JSON::PP::false, confirmed_at => undef });
$print = $t->api('GET', 'orders/T-5/evidence?format=html', undef, token => 'support-token')->{body};
ok($print =~ /were not both given/ && $print !~ /durable|business|No version/, 'and what was not given');

my (undef, %field) = $t->stored($redis, 'T-1');
unlike(join('', %field), qr/203\.0\.113\.7|shop\.example|$hex|2026-11/i, 'I4: it is sealed');

is(file_raw('T-2')->{status}, 201, 'an order without it is filed');
is_deeply(three(order('T-2')), [ undef, undef, undef ], 'and says nothing of it');
is($t->api('PUT', 'orders/T-3', { %{$t->order(%order, buyer => 'consumer')}, terms => undef, consents => undef })->{status}, 201, 'as one with null is');
my (undef, %without) = $t->stored($redis, 'T-2');
my (undef, %null) = $t->stored($redis, 'T-3');
is_deeply([ map { length $null{$_} } qw(h f i) ], [ map { length $without{$_} } qw(h f i) ], 'of which nothing more is stored');


# R10

is(file_raw('T-1', %checkout)->{status}, 200, 'R10: the same again is the same');
is(file_raw('T-1', %checkout, terms => { %terms, sha256 => uc $hex })->{status}, 200, 'R10: also with a hash in capital letters');
for ([ 'another version', terms => { %terms, version => '2026-12' } ], [ 'another time', consents => { %consents, confirmed_at => ago(59) } ],
    [ 'no consents', consents => undef ], [ 'another buyer', buyer => undef ])
{
    my ($name, %over) = @$_;
    is(file_raw('T-1', %checkout, %over)->{json}{type}, 'urn:mpk:differs', "R10: $name is other content");
}


# what is refused: over HTTP/1.1, HTTP/2 and as a line of a file

my %bad = (
    '/buyer' => { buyer => 'shop' },
    '/terms' => { terms => 'accepted' },
    '/terms/url' => { terms => { %terms, url => 'javascript:alert(1)' } },
    '/terms/accepted_at' => { terms => { %terms, accepted_at => ago(-86400 - 60) } },
    '/terms/ip' => { terms => { %terms, ip => '203.0.113.7, 10.0.0.1' } },
    '/terms/sha256' => { terms => { %terms, sha256 => substr $hex, 1 } },
    '/terms/hash' => { terms => { %terms, hash => $hex } },
    '/consents/waiver' => { consents => { %consents, waiver => 'yes' } },
    '/consents/at' => { consents => { %consents, at => 'now' } },
    '/consents/text_sha256' => { consents => { map { $_ => $consents{$_} } grep { $_ ne 'text_sha256' } keys %consents } },
    '/consents/confirmed_at' => { consents => { %consents, confirmed_at => $terms{accepted_at} } },
);
my %headers = ('Authorization' => "Bearer $t->{token}", 'Content-Type' => 'application/json');
my %lower = map { lc $_ => $headers{$_} } keys %headers;
my @lines;

for my $pointer (sort keys %bad) {
    my $body = $t->order(%order, %{$bad{$pointer}});
    my $r = $t->api('PUT', 'orders/B-1', $body);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $pointer", "$pointer is refused");
    $r = Mpk::Http::h2($h2, 'PUT', '/mpk/v1/orders/B-1', headers => \%lower, body => $json->encode($body));
    is("$r->{status} " . eval { $json->decode($r->{body})->{errors}[0]{pointer} }, "422 $pointer", "$pointer is, over HTTP/2, too");
    push @lines, $json->encode({ %$body, order => 'B-' . (2 + @lines) });
}

my $r = $t->api('POST', 'orders', join("\n", @lines, $json->encode({ %{$t->order(%order, %checkout)}, order => 'N-1' })) . "\n",
    headers => { 'Content-Type' => 'application/x-ndjson' });
my @results = map { $json->decode($_) } split /\n/, $r->{body};
is(join(' ', map { $_->{errors}[0]{pointer} } @results[0 .. $#results - 1]), join(' ', sort keys %bad), 'as lines of a file, each is refused alone');
is("$results[-1]{created} $results[-1]{failed}", "1 @{[ scalar keys %bad ]}", 'and a good one is filed');
is_deeply(three(order('N-1')), \@same, 'with all that it says');


# consents that were given are not asked for

my %asks = map { $_->[0] => $_->[1] } [ 'neither' => {} ], [ 'both' => { consents => \%consents } ],
    [ 'supply alone' => { consents => { %consents, waiver => JSON::PP::false } } ], [ 'the waiver alone' => { consents => { %consents, supply => JSON::PP::false } } ];

for my $name (sort keys %asks) {
    my $id = 'C-' . (1 + grep { $_ lt $name } keys %asks);
    my $link = $t->link($id, %order, %{$asks{$name}});
    my $asked = $name ne 'both';
    my $box = qr/name="consent_supply"/;

    for (0, 1) {
        my $page = $_ ? Mpk::Http::h2($h2, 'GET', $link) : $t->get($link);
        is($page->{status}, 200, "$name: the confirm page");
        is($page->{body} =~ $box ? 1 : 0, $asked ? 1 : 0, $asked ? "$name: the page has the boxes" : "$name: the page has no boxes");
    }

    my $facts = $json->decode($t->get($link, headers => { Accept => 'application/json' })->{body});
    is(!!$facts->{consent}, !!$asked, "$name: a program is told the same");
    is(!!($t->track($id, html => 1)->{body} =~ /type="submit"/), !$asked, "$name: the order page's button " . ($asked ? 'leads to the boxes' : 'shows the key'));

    $t->file("$id-s", %order, %{$asks{$name}});
    my $screen = $t->get("/onscreen/$id-s");
    is($screen->{body} =~ /XK7QX/ ? 1 : 0, $asked ? 0 : 1, "$name: on the screen, " . ($asked ? 'the boxes come first' : 'the key is shown at once'));
    is($screen->{body} =~ $box ? 1 : 0, $asked ? 1 : 0, "$name: with boxes only where they are needed");

    my $shown = $t->confirm($link);
    is($shown->{status}, $asked ? 422 : 200, $asked ? "$name: without a consent there is no key" : "$name: the key is shown");
    is($t->confirm($link, consent_supply => 1, consent_waiver => 1)->{status}, 200, "$name: with it there is") if $asked;
    my ($view) = grep { $_->{event} eq 'viewed' } @{$t->journal($id)->{entries}};
    is(!!$view->{consent}, !!$asked, "$name: only what was asked is journaled");
}


# erased with the rest

$t->api('DELETE', 'orders/T-1');
is_deeply(three(order('T-1')), [ undef, undef, undef ], 'it is erased with the order');

$t->finish;
