#!/usr/bin/perl

# R12: statements by letter and email, what is granted at once and what support decides;
# what was withdrawn is shown no more.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(ago wait_for);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $json = JSON::PP->new->utf8;

my @conf = (redis => $t->least($redis), shop => <<'SHOP', location => <<CONF);
        location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200 "x"; }
        location ~ ^/thanks/(.+)$ { default_type text/html; return 200 '<!--#include virtual="/onscreen/$1" -->'; }
SHOP
        location ~ ^/onscreen/(?<order_id>[^/]+)\$ { internal; mpk_onscreen \$order_id trusted; }
        location /checkout/ { proxy_pass http://127.0.0.1:$shop; }
        location /thanks/ { ssi on; proxy_pass http://127.0.0.1:$shop; }
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location = /account { set \$who carl; mpk_account \$who trusted; }
        location /claim/ { mpk_claim on; }
        location = /metrics { mpk_status prometheus; }
CONF
$t->conf(@conf, server => 'mpk_withdraw_refuse on;')->start;

my $has = qr/XK7QX|KEY-|EEEEE|BBBBB/;
my @two = map { { sku => "S$_", product => "Office $_", key => "KEY-$_-AAAAA-BBBBB" } } 1, 2;
my %support = (token => 'support-token');

sub state_it { my ($id, %over) = @_; return $t->api('POST', "orders/$id/withdrawals", { name => 'Ann Example', %over }, %support) }
sub decide { my ($id, $n, $what, $body) = @_; return $t->api('POST', "orders/$id/withdrawals/$n/$what", $body // {}, %support) }
sub order { return $t->api('GET', "orders/$_[0]")->{json} }
sub path { my ($url) = @_; return $url =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : undef }
sub viewed { my ($id, %over) = @_; my $link = $t->link($id, %over); $t->confirm($link)->{status} == 200 or die 'no view'; return $link }
sub why { my $r = state_it(@_); return $r->{json}{withdrawal}{state} . ' ' . (order($_[0])->{withdrawals}[-1]{why} // '') }


# what it takes

$t->file('V-1');

for ([ {}, '/name' ], [ { name => '' }, '/name' ], [ { name => 'x' x 201 }, '/name' ], [ { name => 'A', items => [] }, '/items' ],
    [ { name => 'A', received_at => 'Friday' }, '/received_at' ], [ { name => 'A', received_at => ago(-3600) }, '/received_at' ],
    [ { name => 'A', medium => 'page' }, '/medium' ], [ { name => 'A', medium => 'fax' }, '/medium' ], [ { name => 'A', email => 'ann' }, '/email' ],
    [ { name => 'A', note => 'x' x 2001 }, '/note' ], [ { name => 'A', why => 'x' }, '/why' ])
{
    my $r = $t->api('POST', 'orders/V-1/withdrawals', $_->[0], %support);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", 'a statement with a bad ' . substr($_->[1], 1) . ' is refused');
}

is($t->api('POST', 'orders/V-1/withdrawals', { name => 'A' }, token => $_)->{status}, 403, 'so is one of another role') for 'shop-token', 'read-token';
is(state_it('nobody')->{status}, 404, 'or of an order that is not there');
is(state_it('V-1', items => [ 2 ])->{status}, 422, 'or of an item that is not there');
is(decide('V-1', $_, 'accept')->{json}{type}, 'urn:mpk:no_withdrawal', "R12: withdrawal $_ that is not there is not decided") for 0, 1, 'x';
is(decide('V-1', 1, 'reject')->{json}{errors}[0]{pointer}, '/reason', 'R12: a rejection has a reason');
is($t->events('V-1'), 'filed', 'none of that was a withdrawal');


# granted at once, and gone

my $link = $t->link('G-1', account => 'carl', purchased_at => ago(3 * 86400 + 60));
my $page = $t->track('G-1')->{json};
my ($stated, $due) = (ago(3 * 86400), ago(3 * 86400 - 14 * 86400));
my $r = state_it('G-1', received_at => $stated, medium => 'letter', email => 'ann@example.org', note => 'A letter to the shop');
is("$r->{status} $r->{json}{state} $r->{json}{withdrawal}{state}", '201 withdrawn granted', 'R12: what was never viewed is granted at once');
is_deeply([ @{state_it('G-1', received_at => $stated, medium => 'letter', email => 'ann@example.org', note => 'A letter to the shop')}{qw(status json)} ],
    [ 200, $r->{json} ], 'R10: again, the same answer');
is($t->events('G-1'), 'filed link_minted withdrawn', 'R10: and no other entry');
is(state_it('G-1')->{json}{type}, 'urn:mpk:withdrawn', 'R12: there is nothing left to withdraw');

my $entry = $t->journal('G-1')->{entries}[-1];
is_deeply([ @$entry{qw(withdrawal stated_at medium name email note actor)}, $entry->{items} ],
    [ 1, $stated, 'letter', 'Ann Example', 'ann@example.org', 'A letter to the shop', 'support-desk', [ 1 ] ], 'the journal has all of it');
is($entry->{refund_due}, $due, 'with the day by which it is repaid: 14 days after the statement');

my $show = order('G-1');
is_deeply([ @$show{qw(state)}, !!$show->{withdrawn_at}, $show->{items}[0]{state}, @{$show->{withdrawals}[0]}{qw(state stated_at granted judged medium name email note)} ],
    [ 'withdrawn', !!1, 'withdrawn', 'granted', $stated, [ 1 ], [], 'letter', 'Ann Example', 'ann@example.org', 'A letter to the shop' ],
    'so has the order');
my $read = $t->api('GET', 'orders/G-1', undef, token => 'read-token');
is($read->{json}{withdrawals}[0]{state}, 'granted', 'the role read learns what became of it');
unlike($read->{body}, qr/Ann|example\.org|letter/, 'and nothing of the person');

my %seen = (
    'a link that was not used' => [ 410, $t->confirm($link, nonce => 'x') ],
    'its confirm page' => [ 410, $t->get($link) ],
    'a link of the order page' => [ 410, $t->confirm(path($page->{reveal_url}), nonce => 'x') ],
    'the on-screen page' => [ 410, $t->get('/checkout/G-1') ],
    'the fragment' => [ 200, $t->get('/thanks/G-1') ],
    'the order page' => [ 200, $t->track('G-1', html => 1) ],
    'the order page as JSON' => [ 200, $t->track('G-1') ],
    'the account' => [ 200, $t->get('/account') ],
    'the claim form' => [ 410, $t->get('/claim/' . $t->sign($t->claims('G-1', aud => 'claim', ch => undef))) ],
);

for (sort keys %seen) {
    my ($status, $r) = @{$seen{$_}};
    is($r->{status}, $status, "I11: $_ is answered with $status");
    unlike($r->{body}, $has, "I11: $_ shows nothing of a key");
    like($r->{body}, qr/withdrawn|withdrew/i, "I11: $_ says that it was withdrawn");
}

$page = $t->track('G-1')->{json};
is_deeply([ @$page{qw(reveal_url claim_url)}, @{$page->{items}[0]}{qw(masked reveal_url)} ], [ undef, undef, undef, undef ], 'I11: the order has no links');
is($page->{withdrawals}[0]{refund_due}, $due, 'the customer reads by when it is repaid');
unlike($json->encode($page), qr/A letter to the shop/, 'not what support noted');
is($t->api('POST', 'orders/G-1/links')->{json}{type}, 'urn:mpk:withdrawn', 'I11: no link is minted');
is($t->api('POST', 'orders/G-1/suspend', { reason => 'fraud' })->{json}{type}, 'urn:mpk:withdrawn', 'nor is it suspended');
is($t->api('POST', 'orders/G-1/cancel', { reason => 'fraud' })->{json}{type}, 'urn:mpk:withdrawn', 'nor cancelled');

for my $language ([ 'de', 'widerrufen' ], [ 'fr', 'renoncé' ], [ 'es', 'desistido' ]) {
    like($t->get($link, headers => { 'Accept-Language' => $language->[0] })->{body}, qr/$language->[1]/, "R12: in $language->[0], too");
}


# which are judged

$t->file('J-held', state => 'held');
is(state_it('J-held')->{json}{state}, 'withdrawn', 'R12: a held order is granted back');
is($t->api('POST', 'orders/J-held/release')->{json}{type}, 'urn:mpk:withdrawn', 'R12: and is not released');

$t->file('J-half', state => 'held', items => \@two);
is(state_it('J-half', items => [ 2 ])->{json}{state}, 'held', 'R12: so is one item of it');
is($t->api('POST', 'orders/J-half/release')->{json}{state}, 'ready', 'R12: the rest is released');
is_deeply([ map { $_->{key} } @{$t->confirm($t->mint('J-half'))->{json}{items}} ], [ 'KEY-1-AAAAA-BBBBB' ], 'I11: and shown alone');

$link = viewed('J-viewed');
is(why('J-viewed'), 'open viewed', 'R12: a viewed key goes to support');
like($t->confirm($link)->{body}, qr/used|XK7QX/, 'R12: and stays shown until it is decided');

$t->file('J-part', items => \@two);
$t->confirm($t->mint('J-part', { items => [ 1 ] }))->{status} == 200 or die;
$r = state_it('J-part');
is("$r->{json}{state} $r->{json}{withdrawal}{state}", 'ready open', 'R12: of an order that was viewed in part');
$show = order('J-part')->{withdrawals}[0];
is_deeply([ @$show{qw(granted judged why)} ], [ [ 2 ], [ 1 ], 'viewed' ], 'R12: the other item is granted, the viewed one is judged');
$entry = $t->journal('J-part')->{entries}[-1];
is_deeply([ @$entry{qw(event items left_open reason)} ], [ 'withdrawn', [ 2 ], [ 1 ], 'viewed' ], 'R12: in one entry');

$t->file('J-late', purchased_at => ago(41 * 86400));
is(why('J-late'), 'open late', 'R12: after the window it goes to support');
$t->file('J-in-time', purchased_at => ago(40 * 86400));
is(why('J-in-time', received_at => ago(30 * 86400)), 'granted ', 'R12: a letter that came in time was in time');
$t->file('J-early');
is(why('J-early', received_at => '1971-01-01T00:00:00Z'), 'open early', 'R12: a date before the purchase is for support to look at');
decide('J-early', 1, 'reject', { reason => 'A wrong date.' });
$t->file('J-business', buyer => 'business');
is(why('J-business'), 'open business', 'R12: so does a business buyer');
$t->file('J-suspended');
$t->api('POST', 'orders/J-suspended/suspend', { reason => 'fraud' });
is(why('J-suspended'), 'open suspended', 'R12: and a suspended order');
$t->file('J-cancelled');
$t->api('POST', 'orders/J-cancelled/cancel', { reason => 'fraud' });
is(why('J-cancelled'), 'open cancelled', 'R12: and a cancelled one');
is(decide('J-cancelled', 1, 'accept')->{json}{type}, 'urn:mpk:cancelled', 'R12: which is not repaid this way');
$t->file('J-imported', imported => JSON::PP::true, delivered_at => ago(7200), first_viewed_at => ago(3600));
is(why('J-imported'), 'open viewed', 'R12: and what the shop says was viewed');

$t->file('J-erased');
$t->api('DELETE', 'orders/J-erased');
is(state_it('J-erased')->{json}{type}, 'urn:mpk:erased', 'R12: an erased order says nothing any more');

my %claim = (name => 'Ann', email => 'ann@example.com', category => 'blocked', description => 'x', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE');

sub claimed {
    my ($id) = @_;
    return $t->post('/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef)), { %claim, order => $id },
        headers => { Accept => 'application/json' });
}

sub replace { return $t->api('POST', "orders/$_[0]/claims/1/replace", { key => 'NEW-KEY-00000-11111', finding => { result => 'defective', text => 'Blocked' } }, %support) }

viewed('J-replaced');
claimed('J-replaced')->{status} == 201 or die 'no claim';
replace('J-replaced')->{status} == 200 or die 'not replaced';
is(why('J-replaced'), 'open replaced', 'R12: and a used key that was replaced');


# mpk_withdraw_refuse

my %consents = (consents => { supply => JSON::PP::true, waiver => JSON::PP::true, at => ago(7200), ip => '192.0.2.1', text_sha256 => 'a' x 64,
    confirmed_at => ago(7100) });
viewed('M-1', %consents);
$r = state_it('M-1');
is("$r->{status} $r->{json}{state} $r->{json}{withdrawal}{state}", '201 ready rejected', 'R12: where both consents were confirmed before the view, it is refused at once');
$entry = $t->journal('M-1')->{entries}[-1];
is("@$entry{qw(event reason)}", 'withdrawal_rejected consents', 'R12: the journal says why');
is_deeply([ map { !!$_ } @{order('M-1')->{withdrawals}[0]}{qw(automatic consented_at confirmed_at viewed_at)} ], [ !!1, !!1, !!1, !!1 ],
    'R12: with the three times');
delete $consents{consents}{confirmed_at};
viewed('M-2', %consents);
is(why('M-2'), 'open viewed', 'R12: not if they were not confirmed');
is_deeply([ map { !!$_ } @{order('M-2')->{withdrawals}[0]}{qw(automatic consented_at confirmed_at viewed_at)} ], [ !!0, !!1, !!0, !!1 ],
    'R12: which is marked by its absence');
$t->file('M-3', %consents);
is(why('M-3'), 'granted ', 'R12: nor if no key was viewed');


# support decides

$r = decide('J-viewed', 1, 'accept', { note => 'As a courtesy' });
is("$r->{status} $r->{json}{state} $r->{json}{withdrawal}{state}", '200 withdrawn accepted', 'R12: support accepts');
is(decide('J-viewed', 1, 'accept', { note => 'As a courtesy' })->{status}, 200, 'R10: again, the same answer');
is(decide('J-viewed', 1, 'accept')->{json}{type}, 'urn:mpk:decided', 'R10: not with other content');
is(decide('J-viewed', 1, 'reject', { reason => 'x' })->{json}{type}, 'urn:mpk:decided', 'R12: nor the other way round');
is($t->confirm($link)->{status}, 410, 'I11: an old repeat shows nothing any more');
is_deeply([ map { "$_->{event} " . ($_->{actor} // '') } @{$t->journal('J-viewed')->{entries}}[-2, -1] ],
    [ 'withdrawal_stated support-desk', 'withdrawn support-desk' ], 'each is journaled, with its actor');

$r = decide('J-part', 1, 'reject', { reason => 'The key was used on 3 May.' });
is("$r->{status} $r->{json}{state} $r->{json}{withdrawal}{state}", '200 ready rejected', 'R12: support rejects');
like($t->track('J-part', html => 1)->{body}, qr/Office 2.*Withdrawn.*The key was used on 3 May/s, 'R12: the customer reads why, and what was granted');
is($t->events('J-part'), 'filed link_minted opened viewed withdrawn withdrawal_rejected', 'R12: in the journal, too');

is(decide('J-suspended', 1, 'accept')->{json}{state}, 'withdrawn', 'R12: a suspended order can be accepted');
is(order('J-suspended')->{suspended_at}, undef, 'R11: and is not suspended any more');

viewed('D-claim');
claimed('D-claim')->{status} == 201 or die 'no claim';
state_it('D-claim');
decide('D-claim', 1, 'accept');
is(replace('D-claim')->{json}{type}, 'urn:mpk:withdrawn', 'R7: a key of a withdrawn order is not replaced');
is($t->api('POST', 'orders/D-claim/claims/1/reject', { reason => 'other', note => 'Withdrawn' }, %support)->{status}, 200, 'R7: its claim is closed');


# evidence

my $evidence = $t->api('GET', 'orders/J-part/evidence', undef, %support);
like($evidence->{json}{evidence}{activity}, qr/withdrawn from the contract, to be repaid \| item 2 .*statement received at .*to be repaid by .*withdrawal from the contract rejected \| item 1/s,
    'evidence says what was withdrawn and what was rejected');
my $print = $t->api('GET', 'orders/J-part/evidence?format=html', undef, %support)->{body};
like($print, qr/Withdrawn from the contract.*statement received on.*Withdrawal from the contract rejected/s, 'in print, too');

$print = $t->api('GET', 'orders/J-viewed/evidence?format=html', undef, %support)->{body};
like($print, qr/<span class="soft">Withdrawn</, 'in print, a withdrawn item is withdrawn');
unlike($print, qr/Not shown yet/, 'and not one that was never shown');

my (undef, %field) = $t->stored($redis, 'G-1');
unlike(join('', %field), qr/Ann Example|example\.org|letter to/, 'I4: name, address and note are sealed');
my (undef, %other) = $t->stored($redis, 'V-1');
ok(exists $field{w} && !exists $other{w}, 'an order without withdrawals has no field for them');


# the list

sub listed { return map { "$_->{order}/$_->{withdrawal}" } @{$t->api('GET', 'withdrawals?state=open' . ($_[0] // ''), undef, %support)->{json}{withdrawals}} }

is(join(' ', listed()), 'J-late/1 J-business/1 J-cancelled/1 J-imported/1 J-replaced/1 M-2/1', 'what is to be judged is listed, oldest first');
$r = $t->api('GET', 'withdrawals', undef, %support)->{json}{withdrawals}[0];
is_deeply([ @$r{qw(order state why name billing_email)}, !!$r->{stated_at}, !!$r->{purchased_at} ], [ 'J-late', 'open', 'late', 'Ann Example', 'ann@example.com', !!1, !!1 ],
    'with what is needed to judge it');
is($t->api('GET', "withdrawals?$_")->{status}, 422, "a bad $_ is refused") for 'limit=0', 'after=x', 'state=all';
is($t->api('GET', 'withdrawals', undef, token => $_)->{status}, 403, "the list is support's") for 'shop-token', 'read-token';
is($t->api('POST', 'withdrawals')->{status}, 405, 'and only read');

$t->file("L-$_", buyer => 'business'), state_it("L-$_") for 1 .. 4;
my ($after, @pages) = ('');
do {
    $r = $t->api('GET', "withdrawals?limit=4$after", undef, %support)->{json};
    push @pages, map { $_->{order} } @{$r->{withdrawals}};
    $after = '&after=' . ($r->{next} // '');
} while ($r->{next});
is(join(' ', @pages), 'J-late J-business J-cancelled J-imported J-replaced M-2 L-1 L-2 L-3 L-4', 'in pages, each once');

decide('L-1', 1, 'accept');
decide('L-2', 1, 'reject', { reason => 'x' });
$t->api('DELETE', 'orders/L-3');
my ($key) = $t->stored($redis, 'L-4');
$redis->cmd('DEL', $key);
is(join(' ', listed()), 'J-late/1 J-business/1 J-cancelled/1 J-imported/1 J-replaced/1 M-2/1', 'what is decided, erased or gone leaves the list');
my ($list) = $key =~ /^(mpk:\{..\})/;
ok(wait_for(sub { !grep { $_ eq 'L-4/1' } @{$redis->cmd('ZRANGE', "$list:withdrawals", 0, -1)} }, 'it is dropped'), 'and is dropped from it');


# what the journal knows of consents

my @with = (consent_supply => 'yes', consent_waiver => 'yes');
$t->conf(@conf, server => 'mpk_consent supply;')->reload or die 'no reload';

$t->file('N-1', items => \@two);
$t->confirm($t->mint('N-1', { items => [ 2 ] }), @with)->{status} == 200 or die 'no view';
my $at = $t->journal('N-1')->{entries}[-1]{at};
$t->conf(@conf)->reload or die 'no reload';
$t->confirm($t->mint('N-1', { items => [ 1 ] }))->{status} == 200 or die 'no view';
state_it('N-1', items => [ $_ ]) for 1, 2;
is_deeply([ map { $_->{consented_at} } @{order('N-1')->{withdrawals}} ], [ undef, $at ], 'R12: consent is that of the items it is about');

sub in_list { my ($in) = grep { $_->{order} eq 'N-1' && $_->{withdrawal} == $_[0] } @{$t->api('GET', 'withdrawals', undef, %support)->{json}{withdrawals}}; return $in }

is(in_list(2)->{consented_at}, $at, 'the list has it, too');
$t->mint('N-1') for 1 .. 64;
ok(!exists in_list(2)->{consented_at} && order('N-1')->{withdrawals}[1]{consented_at} eq $at, 'but does not deny it where the view is further back');
decide('N-1', $_, 'accept') for 1, 2;


# metrics

ok(wait_for(sub { $t->metric('withdrawals_open') == 6 }, 'the metric'), 'metrics say how many are open');
($key) = $t->stored($redis, 'J-late');
($list) = $key =~ /^(mpk:\{..\})/;
$redis->cmd('ZADD', "$list:withdrawals", int((time - 20 * 86400) * 1000), 'J-late/1');
state_it('J-late', items => [ 1 ]);
ok(wait_for(sub { my $n = $t->metric('withdrawals_oldest_seconds'); $n >= 20 * 86400 && $n < 20 * 86400 + 60 }, 'the metric'), 'and since when the oldest is');
like($t->get('/metrics')->{body}, qr/^mpk_refusals_total\{rule="R12"\} [1-9]/m, 'refusals are counted by the rule');
is(decide('J-late', 2, 'accept')->{json}{state}, 'withdrawn', 'each of two statements can be decided');
is(decide('J-late', 1, 'accept')->{json}{type}, 'urn:mpk:withdrawn', 'R12: once');
is(decide('J-late', 1, 'reject', { reason => 'decided by the other' })->{status}, 200, 'R12: the other one is closed');


# a withdrawn order in Redis is that of a newer release, to one that does not know it; it can be erased

is($t->api('DELETE', 'orders/G-1')->{status}, 200, 'a withdrawn order is erased');
$show = order('G-1');
is_deeply([ $show->{state}, !!$show->{withdrawn_at}, $show->{withdrawals} ], [ 'erased', !!1, undef ], 'and still says when it was withdrawn');

is($t->journal('J-part')->{verdict}, 'intact', 'the journal is intact at the end');

$t->finish;
