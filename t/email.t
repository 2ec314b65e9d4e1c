#!/usr/bin/perl

# A mistyped billing email is corrected: at once by the shop, by support after a hold in
# which the old address can stop it.  Only the address that holds finds the order, and what
# was viewed under another one is withheld from it.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(wait_for);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $quick = $t->port('quick');
my $h2 = $t->port('h2');
my $json = JSON::PP->new->utf8;

$t->conf(redis => $t->least($redis), server => "listen 127.0.0.1:$h2 http2;", shop => <<'SHOP', location => <<CONF, http => <<HTTP)->start;
        location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200 "x"; }
SHOP
        location ~ ^/onscreen/(?<order_id>[^/]+)\$ { internal; mpk_onscreen \$order_id trusted; }
        location /checkout/ { proxy_pass http://127.0.0.1:$shop; }
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location = /account { mpk_account \$http_who trusted; }
        location /claim/ { mpk_claim on; }
        location = /metrics { mpk_status prometheus; }
CONF
    server {
        listen 127.0.0.1:$quick;
        mpk_email_change_hold 1s;
        location /mpk/v1/ { mpk_api on; mpk_api_tokens @{[$t->dir]}/api-tokens; }
    }
HTTP

my $has = qr/XK7QX|KEY-|EEEEE|BBBBB/;
my ($old, $new) = ('ann@example.com', 'anne@example.com');
my @two = map { { sku => "S$_", product => "Office $_", key => "KEY-$_-AAAAA-BBBBB" } } 1, 2;
my %page = (Accept => 'text/html');

sub change { my ($id, $email, %o) = @_; return $t->api('PUT', "orders/$id/email", { email => $email // $new, note => 'mistyped', %{$o{more} // {}} }, token => $o{token} // 'shop-token') }
sub held { my ($id, $email) = @_; return change($id, $email, token => 'support-token') }
sub order { return $t->api('GET', "orders/$_[0]", undef, token => $_[1] // 'shop-token')->{json} }
sub path { my ($url) = @_; return ($url // '') =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : undef }
sub listed { my ($who) = @_; return $json->decode($t->get('/account', headers => { Who => $who, Accept => 'application/json' })->{body}) }
sub keep { my ($id, $email, %o) = @_; return $t->post('/track', { order => $id, email => $email, keep => 'yes' }, headers => { Accept => 'application/json', %{$o{headers} // {}} }) }

sub indexes {
    my ($id) = @_;
    return grep { grep { $_ eq $id } @{$redis->cmd('ZRANGE', $_, 0, -1)} } @{$redis->cmd('KEYS', 'mpk:{??}:a:*')};
}

# holds for a second, then the new one holds
sub soon {
    my ($id, $email) = @_;
    my $r = $t->request('PUT', "/mpk/v1/orders/$id/email", port => $quick, headers => { Authorization => 'Bearer support-token',
        'Content-Type' => 'application/json' }, body => $json->encode({ email => $email // $new, note => 'mistyped' }));
    $r->{status} == 200 or die "$r->{status} $r->{body}";
    ok(wait_for(sub { $t->track($id, email => $email // $new)->{status} == 200 }, 'the new address'), 'the new address holds after a while');
}


# what it takes

$t->file('V-1');
for ([ {}, '/email' ], [ { email => $new }, '/note' ], [ { email => 'Ann', note => 'x' }, '/email' ], [ { email => '', note => 'x' }, '/email' ],
    [ { email => "$old, $new", note => 'x' }, '/email' ], [ { email => 'x' x 250 . '@example.com', note => 'x' }, '/email' ],
    [ { email => $new, note => 'x' x 2001 }, '/note' ], [ { email => $new, note => 'x', show_viewed => 'yes' }, '/show_viewed' ],
    [ { email => $new, note => 'x', at => 'once' }, '/at' ])
{
    my $r = $t->api('PUT', 'orders/V-1/email', $_->[0]);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", 'a correction with a bad ' . substr($_->[1], 1) . ' is refused');
}

is(change('nobody')->{status}, 404, 'an order that is not there is not corrected');
is(change('V-1', $new, token => 'read-token')->{status}, 403, 'the role read corrects nothing');
my $r = $t->api('PUT', 'orders/V-1/email', { email => $new, note => 'x', show_viewed => JSON::PP::true }, token => 'support-token');
is("$r->{status} $r->{json}{type}", '403 urn:mpk:forbidden', 'support does not show viewed keys to another address');
$r = $t->api('POST', 'orders/V-1/email');
is("$r->{status} $r->{headers}{allow}", '405 PUT', 'it is a PUT');
is($t->events('V-1'), 'filed', 'none of that is journaled');

$t->file('V-2', state => 'held');
is(change('V-2')->{status}, 200, 'a held order is corrected');
is($t->api('POST', 'orders/V-2/release')->{status}, 200, 'and released');
$t->file('V-3', state => 'held');
$t->api('POST', 'orders/V-3/cancel', { reason => 'fraud' });
is(change('V-3')->{json}{type}, 'urn:mpk:cancelled', 'a cancelled one is not corrected');
$t->file('V-4');
$t->api('DELETE', 'orders/V-4');
is(change('V-4')->{json}{type}, 'urn:mpk:erased', 'nor one that was erased');
$t->file('V-5');
$t->api('POST', 'orders/V-5/suspend', { reason => 'fraud' });
is(change('V-5')->{status}, 200, 'a suspended one is');


# at once

my $link = $t->link('A-1');
my $nonce = $t->nonce($link);
$r = change('A-1');
is("$r->{status} $r->{json}{state}", '200 ready', 'the shop corrects an address');
like($r->{json}{holds_from}, qr/Z$/, 'the answer says since when it holds');
my $again = change('A-1');
is_deeply([ $again->{status}, $again->{json} ], [ 200, $r->{json} ], 'R10: again, the same answer');
is(change('A-1', 'anne@EXAMPLE.com')->{status}, 200, 'R10: also in another spelling');
is($t->events('A-1'), 'filed link_minted opened email_changed', 'R10: there is one entry');
is(order('A-1')->{email}, $new, 'the order has the new address');
is($t->track('A-1')->{status}, 404, 'tracking does not find it by the old one');
is_deeply([ $t->track('A-1')->{json}, $t->track('A-1')->{headers}{'content-length'} ],
    [ $t->track('A-0')->{json}, $t->track('A-0')->{headers}{'content-length'} ], 'I8: the same as of an order that is not there');
is($t->track('A-1', email => $new)->{json}{order}, 'A-1', 'but by the new one');
is(Mpk::Http::h2($h2, 'POST', '/track', headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded' },
    body => Mpk::Http::form(order => 'A-1', email => $_->[0]))->{status}, $_->[1], "over HTTP/2: $_->[1]") for [ $old, 404 ], [ $new, 200 ];

$r = $t->confirm($link, nonce => $nonce);
is("$r->{status} $r->{json}{type}", '410 urn:mpk:revoked', 'a link that was handed out before is closed');
is($t->confirm($link, nonce => $nonce, email => $new)->{status}, 410, 'also for the new address');
is($t->get($link)->{status}, 410, 'and is not opened');
$link = $t->mint('A-1');
is($t->confirm($link)->{json}{type}, 'urn:mpk:challenge', 'a new link wants the new address');
like($t->confirm($link, email => $new)->{body}, $has, 'and shows it the key');
is(scalar @{order('A-1')->{views}}, 1, 'the view counts as ever');

my $token = sub { return '/r/' . $t->sign($t->claims('A-2', @_)) };
$t->file('A-2');
my $before = $token->(iat => time - 2);
my $paged = path($t->track('A-2')->{json}{reveal_url});
change('A-2');
is($t->confirm($before, email => $new, nonce => 'x')->{status}, 410, 'a link that the shop signed itself before is closed, too');
is($t->confirm($paged, nonce => 'x')->{status}, 410, 'and one of the order page');
is($t->get($token->(iat => time + 1))->{status}, 200, 'one that it signs later is not');
$paged = path($t->track('A-2', email => $new)->{json}{reveal_url});
like($t->confirm($paged)->{body}, $has, 'nor one of a page that the new address gets at once');

$t->file('A-3', email => 'Ann.B@example.com');
is(change('A-3', 'ann.b@EXAMPLE.COM')->{status}, 200, 'R10: the same address in another spelling');
is($t->events('A-3'), 'filed', 'R10: changes nothing');


# what was viewed

$link = $t->link('K-1', items => \@two);
is($t->confirm($t->mint('K-1', { items => [ 1 ] }))->{status}, 200, 'a key was shown to the old address');
change('K-1');
$r = $t->api('POST', 'orders/K-1/links', { items => [ 1 ] });
is("$r->{status} $r->{json}{type}", '409 urn:mpk:withheld', 'no link to it is minted for the new one');
$r = $t->track('K-1', email => $new)->{json};
is_deeply([ map { [ !!$_->{withheld}, !!$_->{reveal_url}, !!$_->{masked} ] } @{$r->{items}} ], [ [ !!1, !!0, !!0 ], [ !!0, !!1, !!1 ] ],
    'tracking has a link to the other key alone');
is_deeply([ map { $_->{item} } @{$t->confirm(path($r->{reveal_url}))->{json}{items}} ], [ 2 ], 'a link to both shows the other one');
$r = $t->track('K-1', email => $new, html => 1)->{body};
is_deeply([ map { $_->{ip} } @{$t->track('K-1', email => $new)->{json}{views}} ], [ undef, '127.0.0.1' ], 'without the IP address of the view by the old one');
is_deeply([ map { $_->{ip} } @{order('K-1')->{views}} ], [ ('127.0.0.1') x 2 ], 'which the shop reads');
like($r, qr/Office 1.*Shown before the email address was corrected.*Office 2/s, 'the page says where to turn');
unlike($r, qr/KEY-1|1-AAAAA/, 'and shows nothing of the key');

$link = $t->link('K-2');
$nonce = $t->nonce($link);
$t->confirm($link, nonce => $nonce);
change('K-2');
my $claims = $t->claims('K-2', iat => time + 1, ch => 'track');
$r = $t->confirm('/r/' . $t->sign($claims), nonce => 'x');
is("$r->{status} $r->{json}{type}", '410 urn:mpk:withheld', 'a link to it alone says so');
like($t->get('/r/' . $t->sign($claims), headers => \%page)->{body}, qr/This key was shown before.*write to our support/s, 'in words');
for my $language ([ 'de', 'bereits angezeigt' ], [ 'fr', 'déjà été affichée' ], [ 'es', 'ya se mostró' ]) {
    like($t->get('/r/' . $t->sign($claims), headers => { %page, 'Accept-Language' => $language->[0] })->{body}, qr/$language->[1]/, "in $language->[0], too");
}
is($t->confirm($link, nonce => $nonce)->{status}, 410, 'R3: an old repeat shows nothing');
like($t->get('/checkout/K-2', headers => { 'Sec-Fetch-Dest' => 'document' })->{body}, $has, 'what the shop itself puts on screen is no link, and of no address');
my ($mine) = grep { $_->{order} eq 'K-2' } @{listed($new)->{orders}};
is($mine->{items}[0]{withheld}, JSON::PP::true, 'the account withholds it, too');

is(change('K-2', $new, more => { show_viewed => JSON::PP::true })->{status}, 200, 'the shop says that it may be shown');
like($t->confirm($t->mint('K-2'), email => $new)->{body}, $has, 'then it is');
my ($last) = grep { $_->{event} eq 'email_changed' } reverse @{$t->journal('K-2')->{entries}};
is_deeply([ @$last{qw(show_viewed email_old email_new correction)} ], [ JSON::PP::true, $new, $new, 1 ], 'which is journaled');

$t->file('K-3');
$t->confirm($t->mint('K-3'));
change('K-3');
$t->post(path($t->track('K-3', email => $new)->{json}{claim_url}), { order => 'K-3', email => $new, name => 'Anne', key => $t->order->{items}[0]{key},
    category => 'other', description => 'x' });
$t->api('POST', 'orders/K-3/claims/1/replace', { key => 'NEW-KEY-00000', finding => { result => 'defective', text => 'blocked' } });
like($t->confirm($t->mint('K-3'), email => $new)->{body}, qr/NEW-KEY-00000/, 'a replacement is shown');


# after a hold

$link = $t->link('H-1');
$r = held('H-1');
is($r->{status}, 200, 'support asks for a correction');
cmp_ok($r->{json}{holds_from} cmp '2026', '>', 0, 'it holds later');
is_deeply(held('H-1')->{json}, $r->{json}, 'R10: again, the same answer');
is($t->get($link)->{status}, 410, 'the old links are closed at once');
is(order('H-1')->{email}, $old, 'the old address holds meanwhile');
is_deeply(order('H-1')->{email_change}, { email => $new, holds_from => $r->{json}{holds_from}, show_viewed => JSON::PP::false }, 'the shop reads what is to come');
is(order('H-1', 'read-token')->{email_change}, undef, 'the role read does not');
is($t->track('H-1', email => $new)->{status}, 404, 'the new one does not find it yet');
is((grep { $_->{order} eq 'H-1' } @{listed($new)->{orders}}), 0, 'not in an account, either');
is((grep { $_->{order} eq 'H-1' } @{listed($old)->{orders}}), 1, 'the old one does');
my $seen = $t->track('H-1')->{json};
is($seen->{email_changes_at}, $r->{json}{holds_from}, 'tracking by the old one tells that it is about to change');
my $html = $t->track('H-1', html => 1)->{body};
like($html, qr/about to change.*<form method="post">.*name="email" value="ann\@example\.com".*Keep this address/s, 'and offers to keep it');
unlike($html . $json->encode($seen), qr/anne/, 'and never tells the new one');
for my $language ([ 'de', 'Diese Adresse beibehalten' ], [ 'fr', 'Conserver cette adresse' ], [ 'es', 'Conservar esta dirección' ]) {
    like($t->track('H-1', html => 1, headers => { 'Accept-Language' => $language->[0] })->{body}, qr/$language->[1]/, "in $language->[0], too");
}
like($t->confirm($t->mint('H-1'))->{body}, $has, 'a link that is minted meanwhile is for the old address');

# stopped by the customer

is(keep('H-1', $new)->{status}, 404, 'the new address does not stop it');
is(keep('H-1', 'x@example.com')->{status}, 404, 'nor does a stranger');
$r = keep('H-1', $old, headers => { 'Sec-Fetch-Site' => 'cross-site' });
is("$r->{status} $r->{json}{type}", '403 urn:mpk:foreign', 'nor another site');
$r = $t->post('/track', { order => 'H-1', email => $old, keep => 'yes' });
like($r->{body}, qr/keeps your email address/, 'the old one does, with a form');
unlike($r->{body}, qr/about to change/, 'and it is not about to change any more');
$r = keep('H-1', $old);
is_deeply([ $r->{status}, $r->{json}{kept}, $r->{json}{email_changes_at} ], [ 200, JSON::PP::true, undef ], 'R10: again, the same answer');
is($t->events('H-1'), 'filed link_minted email_changed link_minted opened viewed email_kept', 'R10: there is one entry');
$last = $t->journal('H-1')->{entries}[-1];
is_deeply([ @$last{qw(actor email_old email_new correction channel)} ], [ 'customer', $old, $new, 1, 'track' ], 'with who stopped what');
is(order('H-1')->{email_change}, undef, 'nothing is to come');

# by support, and replaced

held('H-1');
$r = held('H-1', $old);
is("$r->{status} @{[$r->{json}{holds_from} // 'none']}", '200 none', 'support stops it by naming the old address');
is_deeply(held('H-1', $old)->{json}, $r->{json}, 'R10: again, the same answer');
held('H-1');
held('H-1', 'anna@example.com');
is(order('H-1')->{email_change}{email}, 'anna@example.com', 'a third address takes the place of the second');
is($t->events('H-1') =~ s/.* viewed //r, 'email_kept email_changed email_kept email_changed email_changed', 'each is journaled');
$r = change('H-1', 'anna@example.com');
is(order('H-1')->{email}, 'anna@example.com', 'the shop ends the hold');
held('H-1');
$again = held('H-1', 'anna@example.com')->{json};
is_deeply($again, $r->{json}, 'support stops one more by naming the address that holds, and reads since when');
is_deeply(held('H-1', 'anna@example.com')->{json}, $again, 'R10: again, the same answer');

# until it holds

$t->file('H-2', items => \@two);
$link = $t->link('H-3', items => \@two);
my $repeat = $t->mint('H-3', { items => [ 1 ] });
soon($_) for 'H-2', 'H-3';
is($t->track('H-2')->{status}, 404, 'then the old one does not find it any more');
is(keep('H-2', $old)->{status}, 404, 'nor stops it');
is((grep { $_->{order} eq 'H-2' } @{listed($new)->{orders}}), 1, 'an account lists it under the new one');
is((grep { $_->{order} eq 'H-2' } @{listed($old)->{orders}}), 0, 'and no more under the old one');
is(listed($old)->{total}, scalar @{listed($old)->{orders}}, 'nor counts it there');
is($t->get($_)->{status}, 410, 'links of before are closed') for $link, $repeat;
like($t->confirm($t->mint('H-3'), email => $new)->{body}, $has, 'a new one shows the keys');

$t->file('H-4');
$r = $t->request('PUT', "/mpk/v1/orders/H-4/email", port => $quick, headers => { Authorization => 'Bearer support-token', 'Content-Type' => 'application/json' },
    body => $json->encode({ email => $new, note => 'mistyped' }));
my $meanwhile = $t->mint('H-4');
ok(wait_for(sub { $t->track('H-4', email => $new)->{status} == 200 }, 'the new address'), 'the new address holds');
is($t->confirm($meanwhile, nonce => 'x', email => $new)->{status}, 410, 'a link that was minted during the hold is closed when it ends');


# an account

$t->file('C-1', account => 'carl');
change('C-1');
is(listed('carl')->{orders}[0]{order}, 'C-1', 'an order with an account stays in it');
is((grep { $_->{order} eq 'C-1' } @{listed($new)->{orders}}), 0, 'and is not listed under an address');
is(scalar(my @of = indexes('C-1')), 1, 'nor in its index');


# evidence

$t->file('E-1');
$t->confirm($t->mint('E-1'));
soon('E-1');
change('E-1', $new, more => { show_viewed => JSON::PP::true });
$t->confirm($t->mint('E-1'), email => $new);
my $evidence = $t->api('GET', 'orders/E-1/evidence', undef, token => 'support-token')->{json}{evidence};
is($evidence->{person}{email}, $new, 'evidence has the address that holds');
is_deeply([ map { [ $_->{event}, $_->{correction} ] } grep { $_->{event} =~ /viewed|email/ } @{$evidence->{entries}} ],
    [ [ 'viewed', undef ], [ 'email_changed', 1 ], [ 'email_changed', 1 ], [ 'viewed', 1 ] ], 'and which view was under which');
like($evidence->{activity}, qr/KEY SHOWN.*email address of the order corrected \| correction 1 \| the new address holds from 20\S+ .*by support.*KEY SHOWN[^\n]*email address as of correction 1/s,
    'in words, too: when, by whom');
unlike($evidence->{activity}, qr/anne?\@/, 'without the addresses');
my $print = $t->api('GET', 'orders/E-1/evidence?format=html', undef, token => 'support-token')->{body};
like($print, qr/Email address of the order corrected.*correction 1 · ann\@example\.com → anne\@example\.com · the new address holds from.*email address as of correction 1/s, 'and in print');

my (undef, %field) = $t->stored($redis, 'E-1');
unlike(join('', %field), qr/anne?\@|mistyped/, 'I4: both addresses and the note are sealed');


# erased

$t->file('X-1');
held('X-1');
change('X-1', 'anna@example.com');
is(scalar(@of = indexes('X-1')), 3, 'an order is in the index of each address that it had or was to have');
$t->api('DELETE', 'orders/X-1');
is(scalar(@of = indexes('X-1')), 0, 'and in none when it is erased');


# its bound

$t->file('B-1');
change('B-1', "b$_\@example.com") for 1 .. 7;
held('B-1', 'b8@example.com');
$r = held('B-1', 'b9@example.com');
is("$r->{status} $r->{json}{type}", '429 urn:mpk:exhausted', 'support does not use up all of an order\'s corrections');
change('B-1', "b$_\@example.com") for 9 .. 10;
is(order('B-1')->{email}, 'b10@example.com', 'an address can be corrected ten times');
$r = change('B-1', 'b11@example.com');
is("$r->{status} $r->{json}{type}", '429 urn:mpk:exhausted', 'and not more often');
is(change('B-1', 'b10@example.com')->{status}, 200, 'R10: the last again is the last again');


# metrics

my $metrics = $t->get('/metrics')->{body};
like($metrics, qr/^mpk_email_changes_total\{actor="support-desk"\} [1-9]\d*$/m, 'changes are counted by token');
like($metrics, qr/^mpk_email_changes_total\{actor="shop-only"\} [1-9]\d*$/m, 'of the shop, too');
like($metrics, qr/^mpk_email_changes_total\{actor="reader"\} 0$/m, 'and from zero');
like($metrics, qr/^mpk_requests_total\{endpoint="track",event="email_kept",outcome="done"\} 1$/m, 'what customers keep is counted');

$t->finish;
