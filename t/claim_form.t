#!/usr/bin/perl

# R6, as the customer reads it: until when a key can be reported, what remains after that,
# and a form that loses nothing when it was open for too long.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Mpk qw(ago past);
use Mpk::Http2;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my $shop = $t->port('shop');
my $json = JSON::PP->new->utf8;
my $day = 86400;

mkdir "$dir/pages";
$t->write('pages/en.json', $json->encode({ 'shop.support_url' => 'https://shop.example/help', 'shop.support_email' => 'help@shop.example',
    'date' => '%d %B %Y, <%H:%M> UTC' }));

my %h2 = (port => $t->port('h2'), headers => { 'Content-Type' => 'application/json', Accept => 'application/json' });

$t->conf(redis => $t->least($redis), http => <<HTTP, shop => <<'SHOP', location => <<CONF)->start;
    real_ip_header X-Real; set_real_ip_from 127.0.0.1;
    mpk_pages $dir/pages;
    mpk_policy_url https://shop.example/policy;
    mpk_claim_window 5d;
    server {
        listen 127.0.0.1:$h2{port} http2;
        mpk_public_url http://127.0.0.1:$h2{port};
        location /claim/ { mpk_claim on; }
    }
HTTP
        location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200 "x"; }
SHOP
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location = /account { set \$who carl; mpk_account \$who trusted; }
        location ~ ^/onscreen/(?<order_id>[^/]+)\$ { internal; mpk_onscreen \$order_id trusted; }
        location /checkout/ { proxy_pass http://127.0.0.1:$shop; }
        location /claim/ { mpk_claim on; mpk_track_limit address=3 order=5 window=60s; }
        location /claim/files/ { mpk_claim_access on; proxy_pass http://127.0.0.1:$shop; }
CONF

my $rights = 'Your statutory rights, also for defects, are not affected.';
my $policy = 'https://shop.example/policy';
my %support = (url => 'https://shop.example/help', email => 'help@shop.example');
my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my %ann = (name => 'Ann Example', email => 'ann@example.com', key => $key, category => 'not_accepted', description => 'It says "invalid key".');
my %found = (finding => { result => 'defective', text => 'Its maker has blocked it.' });
my %json = (Accept => 'application/json');

sub path { my ($url) = @_; return $url =~ m{^(?:http://127\.0\.0\.1:\d+)?(/.*)} ? $1 : undef }

# token(id, %claims), expired(id): the path of a claim's form; one that was open for two days
sub token { my ($id, %over) = @_; return '/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef, %over)) }
sub expired { my ($id, %over) = @_; return token($id, iat => time - 2 * $day, exp => time - $day, %over) }

# inside(path): what the token in it says
sub inside { my ($token) = $_[0] =~ m{([^/]+)$}; return $json->decode(decode_base64url((split /\./, $token)[1])) }

# viewed(id, %over): an order whose keys were shown; decide: what support says of its first claim
sub viewed { my ($id, %over) = @_; $t->confirm($t->link($id, %over))->{status} == 200 or die 'no view'; return $id }
sub decide { my ($id, $what, %body) = @_; my $r = $t->api('POST', "orders/$id/claims/1/$what", \%body); $r->{status} == 200 or die $r->{body} }
sub report { my ($id, %over) = @_; return $t->post(token($id), { %ann, order => $id, %over }, headers => \%json) }

# page(answer): its text, without the style
sub page { my ($r) = @_; return $r->{body} =~ s{<style>.*?</style>}{}sr }
sub ends { my ($r, $words) = @_; $words //= 'by|until'; return join ' ', page($r) =~ m{(?:$words) <time datetime="([^"]+)">}g }


# what remains where the shop's promise ends: on pages and as JSON

sub remains {
    my ($what, $reach) = @_;
    my ($html, $problem) = map { $reach->($_) } {}, \%json;

    like(page($html), qr{\Q$rights\E <a href="\Q$policy\E">.*<footer id="support">.*\Q$support{url}\E.*mailto:\Q$support{email}\E}s,
        "$what: statutory rights stay, and support is there");
    is_deeply({ %{$json->decode($problem->{body})}{qw(rights policy_url support)} },
        { rights => $rights, policy_url => $policy, support => \%support }, "$what: as JSON, too");
    return ($html, $json->decode($problem->{body}));
}

viewed('R-late', past(6 * $day));
my ($html, $problem) = remains('late', sub { $t->get(token('R-late'), headers => $_[0]) });
like(page($html), qr/The period in which we exchange a key that does not work without further questions is over\./,
    'R6: late is what the shop\'s own promise is');
is(ends($html, 'ended on'), $problem->{claim_until}, 'R6: and says when it ended');
is("$html->{status} $problem->{rule}", '403 R6', 'R6: with the rule');

my $used = $t->link('R-used');
$t->confirm($used);
($html, $problem) = remains('used', sub { $t->get($used, headers => $_[0]) });
like($problem->{used_at}, qr/^\d{4}-\d\d-\d\dT/, 'used: as JSON it says when');

report(viewed('R-refund'));
decide('R-refund', 'refund', reason => 'None left.', %found);
remains('refunded', sub { $t->get('/r/' . $t->sign($t->claims('R-refund')), headers => $_[0]) });
remains('decided', sub { $t->post('/claim/files/' . $t->sign($t->claims('R-refund', aud => 'claim', ch => undef, items => [1])), {}, headers => $_[0]) });
remains('a refunded claim', sub { $t->track('R-refund', headers => $_[0], html => 1) });

report(viewed('R-reject', items => [ { sku => 'S', product => 'P', key => $key, support_url => 'https://maker.example/help' } ]));
decide('R-reject', 'reject', reason => 'product_use');
($html) = remains('a rejected claim', sub { $t->track('R-reject', headers => $_[0], html => 1) });
like(page($html), qr{maker’s support can help\. <a href="https://maker.example/help">}, 'questions of use go to the maker');


# until when

viewed('U-1', account => 'carl');
my $order = $t->track('U-1')->{json};
my $until = $order->{claim_until};
is(inside($order->{claim_url})->{exp} - inside($order->{claim_url})->{iat}, $day, 'R6: a form is good for a day');

is(ends($t->track('U-1', html => 1)), $until, 'R6: the order\'s page says until when');
is(ends($t->get('/account')), $until, 'R6: the account, too');
is($json->decode($t->get('/account', headers => \%json)->{body})->{orders}[0]{claim_until}, $until, 'R6: as JSON');

my $link = $t->mint('U-1');
is(ends($t->get($link)), $until, 'R6: the page before the key, too');
is($json->decode($t->get($link, headers => \%json)->{body})->{claim_until}, $until, 'R6: as JSON');
my %form = (nonce => $t->nonce($link), email => 'ann@example.com');
my $r = $t->post($link, \%form);
is(ends($r), $until, 'R6: that with the key');
like(page($r), qr{<time datetime="\Q$until\E">\d+ \w+ \d{4}, &lt;\d\d:\d\d&gt; UTC</time>}, 'with what the catalogue says, escaped');
like(page($r), qr{<a class="button quiet" href="/claim/[^"]+">Report a problem</a>}, 'R6: with the form');
$r = $t->post($link, \%form, headers => \%json);
is("$r->{json}{claim_until} $r->{json}{items}[0]{claim_until}", "$until $until", 'R6: as JSON');
like($r->{json}{claim_url}, qr{/claim/}, 'R6: with the form');

$t->file('U-2');
$r = $t->get('/checkout/U-2');
like(page($r), qr{\Q$key\E|XK7QX.*<time datetime="[^"]+">.*href="/claim/}s, 'R6: on the screen after the order, too');
is(ends($r), $t->track('U-2')->{json}{claim_until}, 'R6: until the same time');

viewed('U-3', past(5 * $day - 3600));
$order = $t->track('U-3')->{json};
cmp_ok(inside($order->{claim_url})->{exp} - inside($order->{claim_url})->{iat}, '<=', 3600, 'R6: a form is not good for longer than the time for claims');

$link = $t->link('U-4', past(6 * $day));
unlike(page($t->get($link)), qr/report it by/, 'R6: when it is over, the page before the key does not offer it');
$r = $t->post($link, { nonce => $t->nonce($link), email => 'ann@example.com' });
like(page($r), qr{XK7QX.*ended on <time datetime="[^"]+">.*\Q$rights\E}s, 'R6: nor does that with the key, and says why');
unlike(page($r), qr{/claim/|tracking page</a>}, 'R6: with no form');
$r = $t->confirm($t->mint('U-4'));
is_deeply([ @{$r->{json}}{qw(claim_url rights)}, $r->{json}{items}[0]{claim_until} ], [ undef, $rights, undef ], 'R6: as JSON, too');

report(viewed('U-5'));
is_deeply([ @{$t->track('U-5')->{json}}{qw(claim_url)} ], [ undef ], 'R6: what was reported is not offered again');
unlike(page($t->track('U-5', html => 1)), qr/<summary>If a key/, 'R6: nor on its page');

# a replacement counts from its own time, and the page tells the items apart

my @two = map { { sku => "S$_", product => "Office $_", key => "KEY-$_" } } 1, 2;
viewed('U-6', past(4 * $day), items => \@two);
is(report('U-6', key => 'KEY-1')->{status}, 201, 'one of two keys is reported');
decide('U-6', 'replace', key => 'NEW-1', %found);
$order = $t->track('U-6')->{json};
my @until = map { $_->{claim_until} } @{$order->{items}};
cmp_ok($until[0], 'gt', $until[1], 'R6: a replaced key can be reported for longer');
is($order->{claim_until}, $until[0], 'R6: the order says the latest');
$r = $t->track('U-6', html => 1);
like(page($r), qr{<li>Office 1: until <time datetime="$until[0]">[^<]+</time></li>\s*<li>Office 2: until <time datetime="$until[1]">}, 'R6: its page each of them');
$link = $t->mint('U-6');
is(ends($t->get($link)), $until[1], 'R6: before all keys are shown, the earliest');
is(ends($t->post($link, { nonce => $t->nonce($link), email => 'ann@example.com' })), "@until", 'R6: with the keys, each of them');


# a form that was open for too long

my $from = 0;
sub stranger { return { 'X-Real' => '10.0.0.' . ++$from, %json } }

viewed('E-1');
my $old = expired('E-1');
is($t->get($old)->{status}, 410, 'an expired form is not opened again');
$r = $t->post($old, { %ann, order => 'E-1' }, headers => \%json);
is("$r->{status} $r->{json}{state}", '201 open', 'R6: one that was filled in goes through');
is($t->post($old, { %ann, order => 'E-1' }, headers => \%json)->{status}, 200, 'R10: sent twice, it is the same claim');
is($t->events('E-1'), 'filed link_minted opened viewed claim_opened', 'R10: and one entry');

viewed('E-2');
$old = expired('E-2');
my %typed = (%ann, order => 'E-2', name => '', description => '<script>alert(1)</script>');
$html = $t->post($old, \%typed);
is($html->{status}, 422, 'R6: one with something missing comes back');
like(page($html), qr{value="ann\@example\.com".*>\Q$key\E</textarea>.*"not_accepted" selected.*&lt;script&gt;alert\(1\)&lt;/script&gt;</textarea>}s,
    'with all that was typed, escaped');
my ($fresh) = page($html) =~ m{<form method="post" action="(/claim/[^"]+)">};
isnt($fresh, undef, 'and goes on with a fresh address') or BAIL_OUT('no fresh form');
is(inside($fresh)->{jti}, inside($old)->{jti}, 'R10: which is the same form');
cmp_ok(inside($fresh)->{exp}, '>', time + $day - 60, 'for another day');
$r = $t->post($old, \%typed, headers => \%json);
is("$r->{status} $r->{json}{errors}[0]{pointer} " . inside($r->{json}{claim_url})->{jti}, "422 /name " . inside($old)->{jti}, 'as JSON, too');
is($t->post($fresh, { %typed, name => 'Ann' }, headers => \%json)->{status}, 201, 'R6: it goes through then');
is(join(' ', map { my $r = $t->post($_, { %typed, name => 'Ann' }, headers => \%json); "$r->{status}/$r->{json}{claim}" } $fresh, $old),
    '200/1 200/1', 'R10: sent again by the old address or the fresh one, it is the same claim');

viewed('E-late', past(5 * $day + 5));
$r = $t->post(expired('E-late'), { %ann, order => 'E-late' }, headers => \%json);
is("$r->{status} $r->{json}{type}", '403 urn:mpk:late', 'R6: nothing is late for longer than it was');

# it tells a stranger nothing, and has no tries of its own

sub tries {
    my ($id, $fields, %how) = @_;
    my $r = $t->post($how{path} // expired($id, jti => 'AAAAAAAAAAAAAAAAAAAAAA'), { %ann, order => $id, %$fields },
        headers => { %{stranger()}, 'Accept-Language' => 'de', $how{html} ? (Accept => 'text/html') : () });
    return ($r->{raw} // '') =~ s/^Date: [^\r]+\r\n//mir =~ s/\Q$id\E/ORDER/gr =~ s/^Content-Length: \d+\r\n//mir;
}

viewed('E-3', locale => 'fr');
for my $html (0, 1) {
    my $wrong = tries('E-3', { email => 'eve@example.com' }, html => $html);
    like($wrong, $html ? qr/^HTTP\/1.1 422 .*value="eve\@example\.com"/s : qr/^HTTP\/1.1 422 .*urn:mpk:not_buyer/s, 'I8: a wrong email is refused');
    is(tries('E-X', { email => 'eve@example.com' }, html => $html), $wrong, 'I8: an order that is not there with the same bytes');
    unlike($wrong, qr/claim_until|<time|action=|claim_url/, 'I8: which say nothing of the order');
}
is($t->events('E-3'), 'filed link_minted opened viewed', 'nothing of it was a claim');

viewed('E-4');
my @answers = map { $t->post(expired('E-4'), { %ann, order => 'E-4', email => "x$_\@example.com" },
    headers => { %json, 'X-Real' => '10.1.0.1' })->{status} } 1 .. 4;
is("@answers", '422 422 422 429', 'R6: wrong emails are as few as Order Tracking permits');
is($t->post(expired('E-4'), { %ann, order => 'E-4' }, headers => { %json, 'X-Real' => '10.1.0.1' })->{status}, 429, 'the right one is not told apart then');
is($t->post(expired('E-4'), { %ann, order => 'E-4' }, headers => { %json, 'X-Real' => '10.1.0.2' })->{status}, 201, 'its customer comes from elsewhere');
@answers = map { $t->post(expired('E-X4'), { %ann, order => 'E-X4', email => "x$_\@example.com" },
    headers => { %json, 'X-Real' => '10.1.0.3' })->{status} } 1 .. 4;
is("@answers", '422 422 422 429', 'I8: as few of an order that is not there');

viewed('E-5');
@answers = map { $t->post($_ % 2 ? expired('E-5') : token('E-5'), { %ann, order => 'E-5', key => "wrong-$_" },
    headers => stranger())->{status} } 1 .. 11;
is("@answers", join(' ', (422) x 10, 429), 'R6: wrong keys count together, whether the form has expired or not');
is($t->post(expired('E-5'), { %ann, order => 'E-5' }, headers => stranger())->{status}, 429, 'R6: and close both');

# from another site

for my $path (token('E-3'), expired('E-3')) {
    $r = $t->post($path, { %ann, order => 'E-3' }, headers => { %json, Origin => 'https://evil.example' });
    is("$r->{status} $r->{json}{type}", '403 urn:mpk:foreign', 'another site can\'t send the form');
}
is($t->post(expired('E-3'), { %ann, order => 'E-3' }, headers => { %json, Origin => 'null' })->{status}, 201, 'the page itself can');

# over HTTP/2, and without Redis

viewed('E-6');
is(Mpk::Http::h2($h2{port}, 'POST', expired('E-6'), %h2, body => $json->encode({ %ann, order => 'E-6' }))->{status}, 201,
    'an expired form goes through over HTTP/2');
viewed('E-7');
$redis->stop;
is(Mpk::Http::h2($h2{port}, 'POST', expired('E-7'), %h2, body => $json->encode({ %ann, order => 'E-7' }))->{status}, 503, 'without Redis, 503');

my $logs = $t->read('error.log') . $t->read('access.log');
unlike($logs, qr/eyJ[\w-]+\.[\w-]+|XK7QX|ann\@example/, 'no token, key or email is in a log');

$t->finish;
