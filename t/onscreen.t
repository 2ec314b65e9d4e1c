#!/usr/bin/perl

# On-screen: the shop's own page shows the keys, because the upstream says so.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');

my $onscreen = <<'CONF';
        location ~ ^/onscreen/(?<order_id>[^/]+)$ { internal; mpk_onscreen $order_id trusted; }
        location = /by-header { internal; mpk_onscreen $upstream_http_x_order; }
        location = /again { internal; mpk_onscreen $upstream_http_x_order; mpk_reveal_grace 1s; }
        location ~ ^/consenting/(?<agreed_id>[^/]+)$ { internal; mpk_onscreen $agreed_id trusted; mpk_consent on; }
CONF

# what the shop's own answer says of itself

my $own = <<'CONF';
        location ~ ^/own/(.+)$ {
            add_header Cache-Control "public, max-age=3600"; add_header Cache-Control immutable; add_header Expires "Thu, 31 Dec 2037 23:55:55 GMT";
            add_header Content-Disposition "attachment; filename=thanks.html"; add_header Accept-Ranges bytes; add_header Set-Cookie "cart=; Max-Age=0";
            charset iso-8859-1; default_type text/html;
            add_header X-Accel-Redirect /onscreen/$1; return 200 "<p>";
        }
CONF

my @conf = (workers => 2, shop => $own . <<'SHOP', location => $onscreen . <<CONF);
        location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200 "the shop's page"; }
        location ~ ^/header/(.+)$ { add_header X-Order $1; add_header X-Accel-Redirect /by-header; return 200 "x"; }
        location ~ ^/again/(.+)$ { add_header X-Order $1; add_header X-Accel-Redirect /again; return 200 "x"; }
        location ~ ^/agreed/(.+)$ { add_header X-Accel-Redirect /consenting/$1; return 200 "x"; }
        location = /none { add_header X-Accel-Redirect /by-header; return 200 "x"; }
        location ~ ^/thanks/(.+)$ { default_type text/html; return 200 "<h1>Thank you</h1><!--#include virtual=\"/onscreen/$1\" --><p>Bye</p>"; }
SHOP
        location ~ ^/(checkout|header|again|agreed|none|own)\\b { proxy_pass http://127.0.0.1:$shop; }
        location /thanks/ { ssi on; proxy_pass http://127.0.0.1:$shop; }
        location /choose/ { rewrite ^/choose/(.*)\$ /onscreen/\$1 last; }
CONF

$t->conf(@conf, http => 'access_log off;')->start;

# open(path, %headers): the page as a program sees it
sub page {
    my ($path, %headers) = @_;
    my $r = $t->get($path, headers => { Accept => 'application/json', %headers });
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{body}) };
    return $r;
}

$t->file('S-1');
my $r = page('/checkout/S-1');
is($r->{status}, 200, 'X-Accel-Redirect shows the key at once');
is($r->{json}{items}[0]{key}, 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'it is the order\'s');
is($r->{json}{channel}, 'onscreen', 'the channel is onscreen');
my $entry = $t->journal('S-1')->{entries}[-1];
is($entry->{event}, 'viewed', 'the view is in the journal');
is($entry->{channel}, 'onscreen', 'with its channel');
is($entry->{ip}, '127.0.0.1', 'and its address');
is(page('/checkout/S-1')->{json}{repeat}, JSON::PP::true, 'a reload is a repeat');
is($t->events('S-1'), 'filed viewed repeated', 'and is journaled as one');
is($t->api('POST', 'orders/S-1/cancel', { reason => 'fraud' })->{json}{rule}, 'R5', 'an order that was shown can\'t be cancelled');
like($t->get('/checkout/S-1')->{body}, qr/<code dir="ltr".*XK7QX/, 'a browser gets the page with the key');
like($t->get('/checkout/S-1')->{headers}{'cache-control'}, qr/no-store/, 'which is stored nowhere');

$t->file('S-2');
is(page('/header/S-2')->{json}{order}, 'S-2', 'the order\'s id can be a header of the upstream');
is($t->get('/none')->{status}, 404, 'an upstream that gives none shows nothing');
like($t->read('error.log'), qr/\[error\].*mpk_onscreen: the upstream's value "[^"]*" is not an order id/, 'and the error log says so');

$t->file('S-3');
$r = page('/again/S-3');
is($r->{json}{repeat}, JSON::PP::false, 'the first view');
ok(wait_for(sub { my $r = page('/again/S-3'); $r->{status} == 200 && !$r->{json}{repeat} }, 'grace ends', 8), 'after the grace a reload is a new view');
like($t->events('S-3'), qr/^filed viewed (repeated )*viewed$/, 'in the journal, too');

# not from outside

is($t->get('/onscreen/S-1')->{status}, 404, 'the location is not reached from outside');
is($t->get('/choose/S-1')->{status}, 404, 'a rewrite that lets the client choose shows nothing');
like($t->read('error.log'), qr/\[error\].*mpk_onscreen: not reached by X-Accel-Redirect or a subrequest/, 'and the error log says so');
is($t->get('/checkout/NO-SUCH')->{status}, 404, 'an unknown order is not found');

# nobody looks

$t->file('S-4');
$r = $t->request('HEAD', '/checkout/S-4');
is($r->{status}, 200, 'HEAD is answered');
$r = page('/checkout/S-4', 'Sec-Purpose' => 'prefetch');
unlike($r->{body}, qr/XK7QX/, 'a prefetch shows no key');
ok($r->{json}{reveal_url}, 'but a link to it');
unlike($t->get('/checkout/S-4', headers => { Purpose => 'prefetch' })->{body}, qr/XK7QX/, 'on a page neither');
is($t->events('S-4'), 'filed', 'and neither is a view');
my $page = $t->get('/checkout/S-4', headers => { Purpose => 'prefetch' })->{body};
my ($action, $nonce) = $page =~ m{<form method="post" action="(/r/[^"]+)">\s*<input type="hidden" name="nonce" value="([^"]+)">};
is($t->request('POST', $action, headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }, body => "nonce=$nonce")->{status}, 200,
    'the button of that page shows the key');
is($t->journal('S-4')->{entries}[-1]{channel}, 'onscreen', 'by the channel onscreen');
is(page('/checkout/S-4', 'Sec-Fetch-Site' => 'cross-site')->{status}, 200, 'the way back from a payment page is no other site\'s doing');

# a part of another page, by Sec-Fetch-Dest

$t->file('S-10');
for my $dest (qw(image iframe frame embed object script style empty)) {
    $r = page('/checkout/S-10', 'Sec-Fetch-Dest' => $dest);
    unlike($r->{body}, qr/XK7QX/, "loaded as $dest, no key is shown");
    ok($r->{json}{reveal_url}, "but a link to it, as $dest");
    like($t->get('/checkout/S-10', headers => { 'Sec-Fetch-Dest' => $dest })->{body}, qr{<form method="post" action="/r/}, "a button, as $dest");
}
is($t->events('S-10'), 'filed', 'and none of these is a view');
like($t->get('/checkout/S-10', headers => { 'Sec-Fetch-Dest' => 'document' })->{body}, qr/XK7QX/, 'loaded as a page, the key is shown');

# headers of the shop's answer

$t->file('S-11');
$r = $t->get('/own/S-11');
like($r->{body}, qr/XK7QX/, 'the shop caches its own answer: the key is shown');
my ($head) = $r->{raw} =~ /^(.*?)\r\n\r\n/s;
is_deeply([ $head =~ /^(?:Cache-Control|Expires): .*?(?=\r)/gm ], [ 'Cache-Control: no-store' ], 'with one Cache-Control, and no Expires');
unlike($head, qr/^(?:Content-Disposition|Accept-Ranges):/m, 'it is no download');
like($head, qr{^Content-Type: text/html; charset=utf-8\r?$}m, 'its charset is that of the page');
like($head, qr/^Set-Cookie: cart=/m, "the shop's cookies stay");

# held, then released

$t->file('S-5', state => 'held');
$r = $t->get('/checkout/S-5');
is($r->{status}, 409, 'a held order is under review');
like($r->{body}, qr/We are checking your order/, 'its page says so');
my $pause = $r->{headers}{refresh};
is($pause, 5, 'and reloads itself soon at first');
like($t->get('/checkout/S-5?a=1&b=%22')->{body}, qr/href="\?a=1&amp;b=%22&amp;mpk_stay=1"/, "to stop that keeps the arguments of the shop's own address");
is($t->get('/checkout/S-5?a=1&mpk_stay=1')->{headers}{refresh}, undef, 'stopped, it does not');
$t->api('POST', 'orders/S-5/release');
is(page('/checkout/S-5')->{json}{items}[0]{key}, 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'released, the same address shows the key');

$t->file('S-6', state => 'held');
$t->api('POST', 'orders/S-6/cancel', { reason => 'fraud' });
is($t->get('/checkout/S-6')->{status}, 410, 'a cancelled order is gone');

# consent first

$t->file('S-7');
$page = $t->get('/agreed/S-7')->{body};
unlike($page, qr/XK7QX/, 'where consent is needed, no key is shown at once');
like($page, qr/name="consent_supply".*name="consent_waiver"/s, 'but the two boxes');
($action, $nonce) = $page =~ m{<form method="post" action="(/r/[^"]+)">\s*<input type="hidden" name="nonce" value="([^"]+)">};
ok($action, 'their form goes to a link');
is($t->events('S-7'), 'filed', 'which is no view');

# the fragment

$t->file('S-8');
$page = $t->get('/thanks/S-8')->{body};
like($page, qr{<h1>Thank you</h1><div class="mpk" lang="en".*<button type="submit">Show my key</button>.*</div>\s*<p>Bye</p>}s, 'a fragment with a button stands in the shop\'s page');
unlike($page, qr/XK7QX/, 'the key does not');
is($t->events('S-8'), 'filed', 'and it is no view');
($action, $nonce) = $page =~ m{action="(/r/[^"]+)">.*name="nonce" value="([^"]+)"}s;
$r = $t->request('POST', $action, headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded', Origin => 'null' },
    body => "nonce=$nonce");
is($r->{status}, 200, 'its button shows the key');
like($r->{body}, qr/"channel":"onscreen"/, 'by the channel onscreen');
$t->file('S-9', state => 'held');
like($t->get('/thanks/S-9')->{body}, qr{<div class="mpk".*We are checking your order.*</div>\s*<p>Bye</p>}s, 'held, the fragment says so');
like($t->get('/thanks/S-6')->{body}, qr{This order was cancelled.*<p>Bye</p>}s, 'cancelled, too');
like($t->get('/thanks/NO-SUCH')->{body}, qr{can’t be shown right now.*<p>Bye</p>}s, 'unknown, it shows nothing');

# the shop's own fragment, whose end is long: it is sent without a copy

my $pages = $t->dir . '/pages';
mkdir $pages;
open my $builtin, '<', 'ngx_mpk_module/pages/fragment.mustache' or die "fragment.mustache: $!";
$t->write('pages/fragment.mustache', join('', <$builtin>) . '<p>' . 'x' x 600 . '</p>');
$t->conf(@conf, http => "access_log off; mpk_pages $pages;")->reload or die 'no reload';
like($t->get('/thanks/S-6')->{body}, qr{cancelled.*x{600}</p>.*<p>Bye</p>}s, 'a fragment with a long end is whole');
$t->write('pages/fragment.mustache', '');
$t->reload or die 'no reload';
like($t->get('/thanks/S-6')->{body}, qr{<h1>Thank you</h1>\s*<p>Bye</p>}s, 'an empty one leaves nothing');
$t->conf(@conf, http => 'access_log off;')->reload or die 'no reload';

# a view on screen and a cancel at the same instant: one of them wins

my %won;
for my $n (1 .. 40) {
    my $id = $t->file("R-$n");
    my ($view, $cancel) = map { Mpk::Http::connection($t->port('edge')) } 1 .. 2;
    my @texts = (Mpk::Http::text('GET', "/checkout/$id", headers => { Accept => 'application/json' }),
        Mpk::Http::text('POST', "/mpk/v1/orders/$id/cancel", headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/json' },
            body => '{"reason":"fraud"}'));
    my @sockets = ($view, $cancel);
    for my $i ($n % 2 ? (0, 1) : (1, 0)) { my $s = $sockets[$i]; print $s $texts[$i]; $s->flush }
    my ($v, $c) = map { Mpk::Http::response($_)->{status} } $view, $cancel;
    $won{"$v $c"}++;
}
is((grep { !/^(200 409|410 200)$/ } keys %won), 0, 'a view and a cancel at once: exactly one wins') or diag(join ', ', map { "$_: $won{$_}" } %won);

# without Redis

$redis->stop;
is($t->get('/checkout/S-1')->{status}, 503, 'without Redis no key is shown');
like($t->get('/thanks/S-1')->{body}, qr{can’t be shown right now.*<p>Bye</p>}s, 'and the shop\'s page stands');

$t->finish;
