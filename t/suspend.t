#!/usr/bin/perl

# R11: an order, or some of its items, is suspended: no channel shows a key until it is
# resumed, and nobody but the shop and its support learns why.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(ago wait_for);
use Mpk::Cluster;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $json = JSON::PP->new->utf8;

$t->conf(redis => $t->least($redis), shop => <<'SHOP', location => <<CONF)->start;
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

my $has = qr/XK7QX|KEY-|EEEEE|BBBBB/;
my $why = qr/dispute|chargeback|fraud/i;
my @two = map { { sku => "S$_", product => "Office $_", key => "KEY-$_-AAAAA-BBBBB" } } 1, 2;
my $dispute = { reason => 'dispute', note => 'A chargeback of the bank' };

sub suspend { my ($id, $body, %o) = @_; return $t->api('POST', "orders/$id/suspend", $body // $dispute, %o) }
sub resume { my ($id, $body, %o) = @_; return $t->api('POST', "orders/$id/resume", $body // { note => 'The bank agreed' }, %o) }

# read_now(order): a commit in its bucket, whose lists are read for the metrics then, and not when it is the bucket's turn
my $other = 0;
sub read_now {
    my ($id) = @_;
    my $tag = Mpk::Cluster::tag($id);
    1 until Mpk::Cluster::tag('O-' . ++$other) eq $tag;
    $t->file("O-$other");
    suspend("O-$other");
    resume("O-$other");
}

sub order { return $t->api('GET', "orders/$_[0]")->{json} }
sub path { my ($url) = @_; return $url =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : undef }


# what it takes

for ([ {}, '/reason' ], [ { reason => 'whim' }, '/reason' ], [ { reason => 'other' }, '/note' ],
    [ { reason => 'fraud', note => 'x' x 2001 }, '/note' ], [ { reason => 'fraud', note => 7 }, '/note' ],
    [ { reason => 'fraud', until => 'Friday' }, '/until' ],
    [ { reason => 'fraud', items => [] }, '/items' ], [ { reason => 'fraud', items => [ 2, 1 ] }, '/items' ])
{
    $t->file('V-1');
    my $r = suspend('V-1', $_->[0]);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", 'a suspension with a bad ' . substr($_->[1], 1) . ' is refused');
}

is(resume('V-1', {})->{json}{errors}[0]{pointer}, '/note', 'resuming needs a note that says why');
is(suspend('V-1', { reason => 'fraud', items => [ 2 ] })->{status}, 422, 'an item that is not there is not suspended');
is(suspend('nobody')->{status}, 404, 'nor an order that is not there');
is(resume('V-1')->{json}{type}, 'urn:mpk:not_suspended', 'R11: an order that is not suspended is not resumed');
is(suspend('V-1', undef, token => 'read-token')->{status}, 403, 'the role read suspends nothing');
is(suspend('V-1', undef, token => $_)->{status}, 200, 'a token of the shop or of support does') for 'shop-token', 'support-token';
is(resume('V-1', undef, token => 'support-token')->{status}, 200, 'and resumes');

$t->file('V-2', state => 'held');
is(suspend('V-2')->{json}{type}, 'urn:mpk:held', 'R11: a held order is not suspended');
$t->api('POST', 'orders/V-2/cancel', { reason => 'fraud' });
is(suspend('V-2')->{json}{type}, 'urn:mpk:cancelled', 'R11: nor a cancelled one');
is(resume('V-2')->{json}{type}, 'urn:mpk:cancelled', 'R11: which is not resumed, either');


# R10

$t->file('R-1');
my $r = suspend('R-1');
is("$r->{status} $r->{json}{state}", '200 ready', 'the order is suspended');
like($r->{json}{suspended_at}, qr/Z$/, 'the answer says since when');
my $again = suspend('R-1');
is_deeply([ $again->{status}, $again->{json} ], [ 200, $r->{json} ], 'R10: again, the same answer');
is($t->events('R-1'), 'filed suspended', 'R10: and no other entry');
$r = suspend('R-1', { reason => 'fraud' });
is("$r->{status} $r->{json}{type}", '409 urn:mpk:differs', 'R10: with other content it is refused');
is(resume('R-1')->{json}{suspended_at}, undef, 'it is resumed');
is(resume('R-1')->{status}, 200, 'R10: again, the same answer');
is(resume('R-1', { note => 'other' })->{json}{type}, 'urn:mpk:differs', 'R10: with other content it is refused');
is($t->events('R-1'), 'filed suspended resumed', 'R10: there is one entry for each');


# every channel

my $link = $t->link('C-1', account => 'carl');
my $unused = $t->mint('C-1');
my $nonce = $t->nonce($link);
is($t->confirm($link, nonce => $nonce)->{status}, 200, 'a key was shown');
like($t->confirm($link, nonce => $nonce)->{body}, $has, 'and can be shown again');
my $page = $t->track('C-1')->{json};
suspend('C-1');

my %seen = (
    'a repeat of the view' => [ 409, $t->confirm($link, nonce => $nonce) ],
    'a link that was not used' => [ 409, $t->confirm($unused, nonce => $t->nonce($unused) || 'x') ],
    'its confirm page' => [ 409, $t->get($unused) ],
    'a link of the order page' => [ 409, $t->confirm(path($page->{reveal_url}), nonce => 'x') ],
    'the on-screen page' => [ 409, $t->get('/checkout/C-1') ],
    'the fragment' => [ 200, $t->get('/thanks/C-1') ],
    'the order page' => [ 200, $t->track('C-1', html => 1) ],
    'the order page as JSON' => [ 200, $t->track('C-1') ],
    'the account' => [ 200, $t->get('/account') ],
    'the claim form' => [ 409, $t->get(path($page->{claim_url})) ],
);

for (sort keys %seen) {
    my ($status, $r) = @{$seen{$_}};
    is($r->{status}, $status, "R11: $_ is answered with $status");
    unlike($r->{body}, $has, "R11: $_ shows nothing of a key");
    unlike($r->{body}, $why, "R11: $_ does not say why");
    like($r->{body}, qr/on hold|suspended/i, "R11: $_ says that it is on hold");
}

like($t->get($unused)->{body}, qr{Your order is on hold.*contact our support}s, 'R11: the page says where to turn');
is($json->decode($t->get($unused, headers => { Accept => 'application/json' })->{body})->{rule}, 'R11', 'a program reads the rule');
is($t->api('POST', 'orders/C-1/links')->{json}{type}, 'urn:mpk:suspended', 'R11: no link is minted');

for my $language ([ 'de', 'angehalten' ], [ 'fr', 'suspendue' ], [ 'es', 'en suspenso' ]) {
    like($t->get($unused, headers => { 'Accept-Language' => $language->[0] })->{body}, qr/$language->[1]/, "R11: in $language->[0], too");
}

my $json_page = $t->track('C-1')->{json};
is_deeply([ @$json_page{qw(reveal_url claim_url)}, @{$json_page->{items}[0]}{qw(masked reveal_url state)} ],
    [ undef, undef, undef, undef, 'viewed' ], 'R11: the order has no links, and R8 stays');
is($t->events('C-1'), 'filed link_minted link_minted opened viewed repeated suspended', 'R11: nothing was used up, and nothing else is journaled');

resume('C-1');
like($t->confirm($link, nonce => $nonce)->{body}, $has, 'R11: once it is resumed, the repeat shows the key again');
like($t->confirm($unused)->{body}, $has, 'R11: and so does the link that was not used');
like($t->track('C-1')->{json}{items}[0]{masked}, qr/EEEEE/, 'R11: the order page is what it was');


# some items

$link = $t->link('I-1', items => \@two);
my $second = $t->mint('I-1', { items => [ 2 ] });
suspend('I-1', { reason => 'fraud', items => [ 1 ] });
$page = $t->track('I-1')->{json};
is_deeply([ $page->{reveal_url}, map { !!$_->{suspended}, !!$_->{masked}, !!$_->{reveal_url} } @{$page->{items}} ],
    [ undef, !!1, !!0, !!0, !!0, !!1, !!1 ], 'R11: the order page shows the other item alone');
like($t->track('I-1', html => 1)->{body}, qr/a part of it, is on hold.*Office 1.*On hold.*Office 2/s, 'R11: as a page, too');
is($t->confirm($link, nonce => 'x')->{status}, 409, 'R11: a link to both shows none');
my $shown = $t->confirm($second)->{json};
is_deeply([ map { $_->{key} } @{$shown->{items}} ], [ 'KEY-2-AAAAA-BBBBB' ], 'R11: a link to the other shows it');
suspend('I-1');
is($t->confirm(path($page->{items}[1]{reveal_url}), nonce => 'x')->{status}, 409, 'R11: the rest can be suspended, too');
is($t->journal('I-1')->{entries}[-1]{reason}, 'dispute', 'R11: with a reason of its own');


# who learns why

is(order('C-1')->{suspended_at}, undef, 'a resumed order says nothing of it');
suspend('C-1');
is(order('C-1')->{suspended_for}, 'dispute', 'the shop reads the reason');
my $read = $t->api('GET', 'orders/C-1', undef, token => 'read-token');
like($read->{json}{suspended_at}, qr/Z$/, 'the role read learns that it is suspended');
unlike($read->{body}, $why, 'R11: and not why');
is($t->api('GET', 'orders/C-1/journal', undef, token => 'read-token')->{status}, 403, 'R11: it has no journal');
is_deeply([ map { "$_->{event} " . ($_->{reason} // '') . " $_->{note} $_->{actor}" } grep { $_->{note} } @{$t->journal('C-1')->{entries}} ],
    [ 'suspended dispute A chargeback of the bank shop', 'resumed  The bank agreed shop', 'suspended dispute A chargeback of the bank shop' ],
    'the journal has reason and note of each');

my $evidence = $t->api('GET', 'orders/C-1/evidence', undef, token => 'support-token');
like($evidence->{json}{evidence}{suspended_at}, qr/Z$/, 'evidence says since when');
is(scalar(grep { ($_->{note} // '') eq 'A chargeback of the bank' && $_->{at} } @{$evidence->{json}{evidence}{entries}}), 2, 'and when and why');
like($evidence->{json}{evidence}{activity}, qr/put on hold by the shop.*dispute.*no longer on hold/s, 'in words, too');
my $print = $t->api('GET', 'orders/C-1/evidence?format=html', undef, token => 'support-token')->{body};
like($print, qr/Put on hold by the shop.*Reason: dispute.*A chargeback of the bank/s, 'and in print');

my (undef, %field) = $t->stored($redis, 'C-1');
unlike(join('', %field), qr/chargeback/, 'I4: the note is sealed');


# the list

my @listed = map { $_->{order} } @{$t->api('GET', 'orders?state=suspended')->{json}{orders}};
is_deeply(\@listed, [ 'I-1', 'C-1' ], 'the suspended orders are listed, oldest first');

$t->file("L-$_"), suspend("L-$_", { reason => 'other', note => 'look' }) for 1 .. 7;
my ($after, @pages) = ('');
do {
    $r = $t->api('GET', "orders?state=suspended&limit=4$after")->{json};
    push @pages, map { $_->{order} } @{$r->{orders}};
    $after = '&after=' . ($r->{next} // '');
} while ($r->{next});
is(join(' ', @pages), 'I-1 C-1 L-1 L-2 L-3 L-4 L-5 L-6 L-7', 'in pages, each once');

$r = $t->api('GET', 'orders?state=suspended&limit=1')->{json}{orders}[0];
is_deeply([ @$r{qw(order state email suspended_for)}, !!$r->{suspended_at} ], [ 'I-1', 'ready', 'ann@example.com', 'dispute', !!1 ],
    'with what is needed to look into it');
is($t->api('GET', 'orders?state=suspended', undef, token => $_->[0])->{status}, $_->[1], "for the role $_->[2]")
    for [ 'support-token', 200, 'support' ], [ 'read-token', 403, 'read: no' ];
is($t->api('GET', "orders$_->[0]")->{json}{errors}[0]{pointer}, $_->[1], "orders$_->[0] is refused")
    for [ '', '?state' ], [ '?state=ready', '?state' ], [ '?state=suspended&limit=51', '?limit' ];

resume('L-1');
$t->api('DELETE', 'orders/L-2');
is($t->api('POST', 'orders/L-3/cancel', { reason => 'fraud' })->{status}, 200, 'R5: an undelivered suspended order is cancelled');
@listed = map { $_->{order} } @{$t->api('GET', 'orders?state=suspended')->{json}{orders}};
is(join(' ', @listed), 'I-1 C-1 L-4 L-5 L-6 L-7', 'a resumed, an erased and a cancelled order leave the list');
is(order('L-3')->{suspended_at}, undef, 'a cancelled order is not suspended any more');

my ($key) = $t->stored($redis, 'L-4');
$redis->cmd('DEL', $key);
is(scalar @{$t->api('GET', 'orders?state=suspended')->{json}{orders}}, 5, 'one that is gone is not listed');
my ($list) = $key =~ /^(mpk:\{..\})/;
ok(wait_for(sub { !grep { $_ eq 'L-4' } @{$redis->cmd('ZRANGE', "$list:suspended", 0, -1)} }, 'it is dropped'), 'and the list forgets it');

# one that expired, and was filed again

$redis->cmd('DEL', ($t->stored($redis, 'L-5'))[0]);
$t->file('L-5');
@listed = map { $_->{order} } @{$t->api('GET', 'orders?state=suspended')->{json}{orders}};
is(join(' ', @listed), 'I-1 C-1 L-6 L-7', 'an order that was filed anew is not listed');
ok(wait_for(sub { !grep { $_ eq 'L-5' } map { @{$redis->cmd('ZRANGE', $_, 0, -1)} } @{$redis->cmd('KEYS', 'mpk:*:suspended')} }, 'it is dropped'), 'and the list forgets it');

# metrics

ok(wait_for(sub { $t->metric('suspended_orders') == 4 }, 'the metric'), 'metrics say how many are suspended');
($key) = $t->stored($redis, 'C-1');
($list) = $key =~ /^(mpk:\{..\})/;
resume('C-1');
suspend('C-1');
$redis->cmd('ZADD', "$list:suspended", int((time - 20 * 86400) * 1000), 'C-1');
read_now('C-1');
my $old = sub { my $n = $t->metric('suspended_oldest_seconds'); return $n >= 20 * 86400 && $n < 20 * 86400 + 60 };

ok(wait_for($old, 'the metric', 80), 'and for how long the oldest has been');
resume('C-1');
ok(wait_for(sub { $t->metric('suspended_oldest_seconds') < 86400 && $t->metric('suspended_orders') == 3 }, 'the metric'),
    'one that is resumed is no longer counted');

# an order that is there stays listed, however old its suspension; one that is gone is forgotten

($key) = $t->stored($redis, 'I-1');
($list) = $key =~ /^(mpk:\{..\})/;
$redis->cmd('ZADD', "$list:suspended", int((time - 900 * 86400) * 1000), 'I-1');
$t->write('nginx.conf', $t->read('nginx.conf') =~ s/(mpk_keyring )/mpk_retention 7d; $1/r);
$t->reload or die 'no reload';
read_now('I-1');
ok(wait_for(sub { $t->metric('suspended_oldest_seconds') >= 900 * 86400 }, 'the metric', 80), 'a suspended order is kept in the list, whatever mpk_retention says');
$redis->cmd('DEL', $key);
read_now('I-1');
ok(wait_for(sub { $t->metric('suspended_oldest_seconds') < 900 * 86400 && $t->metric('suspended_orders') == 2 }, 'the metric', 80), 'one that has expired is not counted for ever');

# the end of a replaced key

my $claim = $t->track('D-1', email => $t->confirm($t->link('D-1'))->{status} == 200 ? 'ann@example.com' : die)->{json}{claim_url};
$t->post(path($claim), { name => 'Ann', order => 'D-1', email => 'ann@example.com', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', category => 'blocked', description => 'x' },
    headers => { Accept => 'application/json' })->{status} == 201 or die 'no claim';
$t->api('POST', 'orders/D-1/claims/1/replace', { key => 'NEW-KEY-00000-11111', note => 'Sorry', finding => { result => 'defective', text => 'Blocked by its maker.' } })->{status} == 200 or die 'not replaced';
my $masked = sub { $t->track('D-1')->{json}{claims}[0]{masked} };
like($masked->(), qr/EEEEE$/, 'the end of a replaced key is shown');
suspend('D-1');
is($masked->(), undef, 'R11: not while its item is suspended');
like(order('D-1')->{claims}[0]{masked}, qr/EEEEE$/, 'but to the shop');

like($t->get('/metrics')->{body}, qr/^mpk_refusals_total\{rule="R11"\} [1-9]/m, 'refusals are counted by the rule');

$t->finish;
