#!/usr/bin/perl

# Evidence (4.6): the signed document, its page, and that whatever is done to a journal in
# Redis by hand is found, by the journal and by the evidence alike.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $utf8 = JSON::PP->new->utf8;

$t->conf(http => 'mpk_policy_version 2026-1; real_ip_header X-Real; set_real_ip_from 127.0.0.1;', server => 'mpk_consent on;')->start;

# seen(id): an order of four entries: filed, link_minted, opened, viewed
sub seen {
    my ($id, %over) = @_;
    my $r = $t->confirm($t->link($id, %over), consent_supply => 'yes', consent_waiver => 'yes', language => 'fr',
        headers => { 'User-Agent' => 'Mozilla/5.0 <script>alert(1)</script>' });
    die "$id: $r->{status}" unless $r->{status} == 200;
    return $id;
}

sub evidence { my ($id, $query, %how) = @_; return $t->api('GET', "orders/$id/evidence" . ($query // ''), undef, %how) }


# the document

my $r = evidence(seen('A-1', purchased_at => '2026-11-23T04:00:00Z', customer_name => 'Ann Smith', purchase_ip => '203.0.113.9', device_id => 'd-1', account => 'u-1'));
my $e = $r->{json}{evidence};

is($r->{status}, 200, 'there is evidence of an order');
is($r->{headers}{'content-type'}, 'application/json', 'as JSON');
is($r->{headers}{'cache-control'}, 'no-store', 'which is not stored');
unlike($r->{body}, qr/XK7QX/, 'and has no product key');
like($e->{items}[0]{masked}, qr/EEEEE$/, 'but what it ends with');
is($e->{issuer}, 'http://127.0.0.1:' . $t->port('edge'), 'it says who issues it');
like($e->{issued_at}, qr/^20\d\d-.*Z$/, 'and when');
is("$e->{order} $e->{state} $e->{purchased_at}", 'A-1 ready 2026-11-23T04:00:00Z', 'it has the order');
is_deeply($e->{person}, { email => 'ann@example.com', account => 'u-1', name => 'Ann Smith',
    purchase_ip => '203.0.113.9', device_id => 'd-1' }, 'it has the person');
is_deeply($e->{entries}, $t->journal('A-1')->{entries}, 'it has every entry as the journal gives it');
is($e->{entries}[3]{ip}, '127.0.0.1', 'with the IP address in clear');
is_deeply($e->{policy}, [ '2026-1' ], 'it has the policy as recorded');
is("$e->{consent}[0]{n} $e->{consent}[0]{language}", '4 fr', 'it has the consent as recorded');
is($e->{consent}[0]{text}, $e->{entries}[3]{consent}{text}, 'by the hash of its text');
is($e->{verification}{verdict}, 'intact', 'it has the verdict');
is($e->{verification}{anchor}, 'none', 'and that there was no anchor to compare with');
like($e->{verification}{head}, qr/^4:[\w-]{43}$/, 'it has the head');
is(() = $e->{activity} =~ /\n/g, 4, 'the activity has a line for each entry');
like($e->{activity}, qr/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC \| KEY SHOWN \| item 1 \| by the link in an email \| IP address 127\.0\.0\.1 \| billing email address given .*\| browser: Mozilla/m,
    'which people can read');
is_deeply([ sort keys %{$e->{stripe}} ], [ qw(access_activity_log cancellation_rebuttal customer_email_address customer_name
    customer_purchase_ip product_description refund_refusal_explanation service_date) ],
    "it has Stripe's fields, but none for terms that nobody filed");
is($e->{stripe}{customer_purchase_ip}, '203.0.113.9', 'with the IP address of the purchase');

my ($written, $jws) = $r->{body} =~ /^\{"evidence":(.*),"jws":"([\w.-]+)"\}\n$/s;
my ($header, $payload, $signature) = map { decode_base64url($_) } split /\./, $jws;

is_deeply($utf8->decode($header), { alg => 'EdDSA', typ => 'mpk-evidence+json', kid => $t->key('evidence')->{kid} },
    'the signature names its key');
ok($payload eq $written, 'and is over the very bytes of the document');
is(length $signature, 64, 'with Ed25519');

my $head = $t->request('HEAD', '/mpk/v1/orders/A-1/evidence', headers => { Authorization => "Bearer $t->{token}" });
is("$head->{status} $head->{headers}{'content-length'} [$head->{body}]", "200 @{[length $r->{body}]} []", 'HEAD tells its length');

# a scanner opens the link, too; forms and JSON

my %by = (customer => { 'X-Real' => '203.0.113.7' }, scanner => { 'X-Real' => '198.51.100.66' });

# opened_by(id, type of the confirmation, who): its evidence, after these have opened its link and
# the customer has confirmed
sub opened_by {
    my ($id, $type, @who) = @_;
    my $link = $t->link($id);
    my %fields = (email => 'ann@example.com', map { ($_ => 'yes') } qw(consent_supply consent_waiver));
    $fields{nonce} = $t->get($link, headers => { Accept => 'application/json', %{$by{$_}} })->{body} =~ s/.*"nonce":"([^"]+)".*/$1/sr for @who;
    my $r = $t->request('POST', $link, headers => { %{$by{customer}}, 'Content-Type' => $type },
        body => $type =~ /json/ ? $utf8->encode(\%fields) : Mpk::Http::form(%fields));
    is($r->{status}, 200, "$id: the customer confirms");
    return evidence($id)->{json}{evidence};
}

my $form = 'application/x-www-form-urlencoded';
my $seen = opened_by('J-1', $form, 'customer', 'scanner');
like($seen->{stripe}{refund_refusal_explanation}, qr/opened on [^,]* from IP address 203\.0\.113\.7, and confirmed by its button on/,
    'of two openings, the one from the address of the view is told');
unlike($seen->{stripe}{refund_refusal_explanation}, qr/198\.51/, "a scanner's is not told as the customer's");
is($seen->{entries}[-1]{form}, JSON::PP::true, 'the journal says that a form confirmed it');

$seen = opened_by('J-2', $form, 'scanner');
unlike($seen->{stripe}{refund_refusal_explanation}, qr/opened|button/, 'a view whose link only a scanner opened has no opening');

$seen = opened_by('J-3', 'application/json', 'customer');
like($seen->{stripe}{refund_refusal_explanation}, qr/203\.0\.113\.7, and confirmed on/, 'JSON confirms');
unlike($seen->{stripe}{refund_refusal_explanation}, qr/button/, 'but presses no button');
ok(!exists $seen->{entries}[-1]{form}, 'and is no form');

# what did not happen is not said

$t->file('A-2', state => 'held');
is_deeply([ sort keys %{evidence('A-2')->{json}{evidence}{stripe}} ], [ qw(customer_email_address product_description) ],
    'of an order that was neither delivered nor viewed no field says so');
$t->link('A-3');
is(evidence('A-3')->{json}{evidence}{stripe}{refund_refusal_explanation}, undef, 'without a view no refund is refused');


# who may have it

is(evidence('A-1', '', token => 'support-token')->{status}, 200, 'the role "support" gets evidence');
is(evidence('A-1', '', token => "$_-token")->{status}, 403, "the role \"$_\" does not") for qw(shop read);
is(evidence('A-1', '', token => 'none')->{status}, 401, 'nor does a stranger');
is(evidence('nobody')->{status}, 404, 'of an order that is not there there is none');
is($t->api('POST', 'orders/A-1/evidence')->{headers}{allow}, 'GET, HEAD', 'it is only read');
is(evidence('A-1', '?anchor=nonsense')->{status}, 422, 'a bad anchor is refused');
is(evidence('A-1', '?format=pdf')->{json}{errors}[0]{pointer}, '?format', 'so is another format');


# the public half, for whoever verifies

my $public = $utf8->decode(scalar `bin/mpk-keyring public @{[$t->dir]}/keyring.json`)->{keys};
is_deeply($public, [ { kty => 'OKP', crv => 'Ed25519', use => 'sig', alg => 'EdDSA', map { $_ => $t->key('evidence')->{$_} } qw(kid x) } ],
    'mpk-keyring public prints the public half, and nothing secret');
system('bin/mpk-keyring', 'rotate', $t->dir . '/keyring.json', 'evidence');
is(scalar @{$utf8->decode(scalar `bin/mpk-keyring public @{[$t->dir]}/keyring.json`)->{keys}}, 2, 'of older generations, too');


# what can be done to the journal in Redis by hand: t/tamper.t has more of it

sub key { my ($id) = @_; my ($key) = $t->stored($redis, $id); return $key }

# rewrite(id, n, sub): entry n is written again, changed
sub rewrite {
    my ($id, $n, $change) = @_;
    my $entry = $redis->cmd('HGET', key($id), "e$n");
    $change->($entry);
    $redis->cmd('HSET', key($id), "e$n", $entry);
}

sub flip { my ($at) = @_; return sub { substr($_[0], $at, 1) ^= "\x01" } }

# found(id, verdict, name): the journal and the evidence say the same of it
sub found {
    my ($id, $verdict, $name, $query) = @_;
    for my $call (qw(journal evidence)) {
        my $r = $t->api('GET', "orders/$id/$call" . ($query // ''));
        my $v = $call eq 'journal' ? $r->{json} : $r->{json}{evidence}{verification};
        is(join(' ', $r->{status}, $v->{verdict} // (), $v->{entry} // ()), "200 $verdict", "$name ($call)");
    }
}

my $n = 0;

sub tampered {
    my ($verdict, $name, $at, $how) = @_;
    my $id = seen('T-' . ++$n);
    rewrite($id, $at, $how);
    found($id, $verdict, $name);
    return $id;
}

# the entry: a key's id and its length, 32 bytes of MAC, the length of the clear part, a version, the event

my $clear = 1 + length($t->key('journal')->{kid}) + 32;

my $altered = tampered('altered 4', 'an altered event is found', 4, sub { substr($_[0], $clear + 2, 1) = "\x06" });
my $closed = tampered('altered 4', 'an altered personal part is found', 4, flip(-1));
my $junk = tampered('altered 2', 'an entry that can\'t be read is found', 2, sub { $_[0] = substr $_[0], 0, $clear + 2 });


# what is not proved is shown, and said to be so

$e = evidence($altered)->{json}{evidence};
is(scalar @{$e->{entries}}, 4, 'an altered entry is shown');
is($e->{stripe}{refund_refusal_explanation}, undef, 'and is no evidence');
is($e->{stripe}{service_date} // '', do { my @d = gmtime; my $m = (qw(January February March April May June July August September
    October November December))[$d[4]]; "$d[3] $m " . ($d[5] + 1900) }, 'what comes before it is');
like($e->{activity}, qr/handed out.*\n.*link opened.*\n\(What follows is not proved.*\n.*link opened/, 'the activity says where this begins');
my $page = evidence($altered, '?format=html')->{body};
is(() = $page =~ /Not proved/g, 1, 'so does the page');
like($page, qr/The journal was altered: entry 4/, 'with the verdict');

$e = evidence($closed)->{json}{evidence};
is("$e->{entries}[3]{event} " . ($e->{entries}[3]{ip} // 'closed'), 'viewed closed', 'an entry whose personal part does not open is shown without it');
$e = evidence($junk)->{json}{evidence};
is_deeply($e->{entries}[1], { n => 2, order => $junk }, 'of one that can\'t be read there is its number');
is($e->{entries}[2]{event}, 'opened', 'and it does not hide the others');


# of an order that was erased

seen('Z-1');
$t->api('DELETE', 'orders/Z-1');
found('Z-1', 'erased', 'an erased order says so');
$r = evidence('Z-1');
unlike($r->{body}, qr/ann\@|127\.0\.0\.1"|"person"/, 'its evidence has nothing personal');
is_deeply($r->{json}{evidence}{stripe}, {}, 'and claims nothing');
$r = evidence('Z-1', '?format=html');
like($r->{body}, qr/personal data of this order was erased/, 'nor does its page');
unlike($r->{body}, qr/id="items"|No version of the terms/, 'which is silent on what it can\'t know');


# an anchor outside Redis: what $mpk_journal_head left in the access log

sub head {
    my ($id, $n) = @_;
    my $head;
    wait_for(sub { ($head) = $t->read('access.log') =~ /order=\Q$id\E [^\n]*head=($n:\S+)/ }, 'the log');
    return $head // '';
}

sub anchor { my ($id, $anchor) = @_; return evidence($id, "?anchor=$anchor")->{json}{evidence}{verification}{anchor} }

my $order = key(seen('R-1'));
my $before = $redis->cmd('DUMP', $order);
$t->mint('R-1');
my $anchor = head('R-1', 5);

is($anchor, evidence('R-1')->{json}{evidence}{verification}{head}, 'the head in the log is the one in the evidence');
found('R-1', 'intact', 'an untouched order agrees with its anchor', "?anchor=$anchor");
is(anchor('R-1', $anchor), 'agrees', 'and the evidence says that it was compared');
is(anchor('R-1', $anchor =~ s/:/%3A/r), 'agrees', 'an anchor is decoded as any value of a query');
found('R-1', 'intact', 'also for the journal', '?anchor=' . join '', map { sprintf '%%%02x', ord } split //, $anchor);
is(evidence('R-1', "?anchor=$anchor%")->{status}, 422, 'what cannot be decoded is none');
is(evidence('R-1', '?format=ht%6Dl')->{headers}{'content-type'}, 'text/html; charset=utf-8', 'other values are decoded, too');
found('R-1', 'intact', 'an older anchor is as good', '?anchor=' . head('R-1', 4));

my $after = $redis->cmd('DUMP', $order);
$redis->cmd('RESTORE', $order, 0, $before, 'REPLACE');
found('R-1', 'intact', 'a rollback of the whole order is consistent in itself');
found('R-1', 'missing 5', 'and found by its anchor', "?anchor=$anchor");
is(anchor('R-1', $anchor), 'absent', 'whose entry is not there');
found('R-1', 'intact', 'but not by one from before', '?anchor=' . head('R-1', 4));

$t->mint('R-1');
found('R-1', 'intact', 'an order that has gone on since its rollback is consistent, too');
found('R-1', 'altered 5', 'and found by its anchor', "?anchor=$anchor");
is(anchor('R-1', $anchor), 'differs', 'whose entry is another');

$redis->cmd('RESTORE', $order, 0, $after, 'REPLACE');
found('R-1', 'intact', 'put back, it agrees again', "?anchor=$anchor");

# an entry of what was rolled back, among those that came instead

my $old = $redis->cmd('HGET', $order, 'e5');
$redis->cmd('RESTORE', $order, 0, $before, 'REPLACE');
$t->mint('R-1') for 1 .. 2;
found('R-1', 'intact', 'an order can go on differently');
rewrite('R-1', 5, sub { $_[0] = $old });
found('R-1', 'altered 6', 'an entry that was written before a rollback is found among those after it');
$redis->cmd('RESTORE', $order, 0, $after, 'REPLACE');

rewrite('R-1', 2, flip(-1));
$anchor = head('R-1', 5);
found('R-1', 'altered 2', 'an anchor does not hide what comes before it', "?anchor=$anchor");
is(anchor('R-1', $anchor), 'agrees', 'though its own entry agrees');


# the page

my %title = (en => 'Evidence for order', de => 'Nachweis zur Bestellung', fr => 'Justificatif de la commande', es => 'Justificante del pedido');
my %shown = (en => 'Key shown', de => 'Schlüssel angezeigt', fr => 'Clé affichée', es => 'Clave mostrada');

for my $language (sort keys %title) {
    seen("H-$language", locale => $language, items => [ { sku => 'A&B', product => 'Office <2024>', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE' } ]);
    $r = evidence("H-$language", '?format=html', headers => { 'Accept-Language' => 'en' });
    is("$r->{status} $r->{headers}{'content-type'}", '200 text/html; charset=utf-8', "$language: the page");
    like($r->{body}, qr/<html lang="$language".*<h1>$title{$language} H-$language<\/h1>.*<strong>$shown{$language}<\/strong>.*127\.0\.0\.1/s,
        "$language: in the order's language");
    unlike($r->{body}, qr/XK7QX/, "$language: without the key");
}

like($r->{body}, qr/Office &lt;2024&gt;.*A&amp;B.*Mozilla\/5\.0 &lt;script&gt;/s, 'what others wrote is escaped');
unlike($r->{body}, qr/<script/, 'no script is on it');
like(evidence('A-1', '?format=html', headers => { 'Accept-Language' => 'fr' })->{body}, qr/<html lang="fr"/, 'without a locale, in the browser\'s');

my %headers = ('cache-control' => 'no-store', 'referrer-policy' => 'no-referrer', 'x-content-type-options' => 'nosniff',
    'x-robots-tag' => 'noindex', 'content-security-policy' => qr/default-src 'none'.*frame-ancestors 'none'/);
like($r->{headers}{$_}, qr/$headers{$_}/, "it has $_") for sort keys %headers;

is(evidence('A-1', '?format=html', token => 'shop-token')->{status}, 403, 'the page is for the role "support", too');
$head = $t->request('HEAD', '/mpk/v1/orders/A-1/evidence?format=html', headers => { Authorization => "Bearer $t->{token}" });
is("$head->{status} [$head->{body}]", '200 []', 'HEAD has no body');

$t->finish;
