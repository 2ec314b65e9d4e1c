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

$t->conf(http => 'mpk_policy_version 2026-1;', server => 'mpk_consent on;')->start;

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
is_deeply([ sort keys %{$e->{stripe}} ], [ qw(access_activity_log cancellation_policy_disclosure cancellation_rebuttal
    customer_email_address customer_name customer_purchase_ip product_description refund_policy_disclosure
    refund_refusal_explanation service_date) ], "it has Stripe's fields");
is($e->{stripe}{customer_purchase_ip}, '203.0.113.9', 'with the IP address of the purchase');

my ($written, $jws) = $r->{body} =~ /^\{"evidence":(.*),"jws":"([\w.-]+)"\}\n$/s;
my ($header, $payload, $signature) = map { decode_base64url($_) } split /\./, $jws;

is_deeply($utf8->decode($header), { alg => 'EdDSA', typ => 'mpk-evidence+json', kid => $t->key('evidence')->{kid} },
    'the signature names its key');
ok($payload eq $written, 'and is over the very bytes of the document');
is(length $signature, 64, 'with Ed25519');

my $head = $t->request('HEAD', '/mpk/v1/orders/A-1/evidence', headers => { Authorization => "Bearer $t->{token}" });
is("$head->{status} $head->{headers}{'content-length'} [$head->{body}]", "200 @{[length $r->{body}]} []", 'HEAD tells its length');

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


# what can be done in Redis by hand

sub stream {
    my ($id) = @_;
    my ($order) = @{$redis->cmd('KEYS', "mpk:*:o:$id")};
    (my $stream = $order) =~ s/:o:.*/:journal/;
    my (undef, undef, @ids) = $t->stored_head($redis, $order);
    return ($order, $stream, @ids);
}

sub fields { my (undef, $f) = @{$redis->cmd('XRANGE', $_[0], $_[1], $_[1])->[0]}; return @$f }

# begin(order, revision, from, to): another revision, and another MAC if two are given
sub begin {
    my ($order, $revision, $from, $to) = @_;
    my ($r, $packed, @ids) = $t->stored_head($redis, $order);
    $packed =~ s/\Q$from\E/$to/ if defined $from;
    $t->put_head($redis, $order, $revision // $r, $packed, @ids);
}

sub ids {
    my ($order, @ids) = @_;
    my ($r, $packed) = $t->stored_head($redis, $order);
    $t->put_head($redis, $order, $r, $packed, @ids);
}

# rewrite(id, n, field, change): entry n is written again, in its place, a field of it changed
sub rewrite {
    my ($id, $n, %change) = @_;
    my ($order, $stream, @ids) = stream($id);
    my %f = fields($stream, $ids[$n - 1]);
    $change{$_}->($f{$_}) for keys %change;
    $ids[$n - 1] = $redis->cmd('XADD', $stream, '*', map { $_ => $f{$_} } sort keys %f);
    ids($order, @ids);
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
    my ($verdict, $name, $how) = @_;
    my $id = seen('T-' . ++$n);
    $how->($id, stream($id));
    found($id, $verdict, $name);
    return $id;
}

tampered('intact', 'an untouched journal is intact', sub { });

# the entry

my $altered = tampered('altered 4', 'an altered event is found', sub { rewrite($_[0], 4, e => sub { $_[0] =~ s/"viewed"/"opened"/ }) });
tampered('altered 1', 'an altered time is found, in the first entry, too', sub { rewrite($_[0], 1, e => sub { $_[0] =~ s/"at":"20/"at":"19/ }) });
tampered('altered 2', 'an added blank is found', sub { rewrite($_[0], 2, e => sub { $_[0] .= ' ' }) });
my $closed = tampered('altered 4', 'an altered personal part is found', sub { rewrite($_[0], 4, x => flip(20)) });
tampered('altered 3', 'a personal part that was taken away is found', sub { rewrite($_[0], 3, x => sub { $_[0] = '' }) });
tampered('altered 3', 'an altered MAC is found', sub { rewrite($_[0], 3, m => flip(-2)) });
tampered('altered 3', 'a MAC of another key is found', sub { rewrite($_[0], 3, m => sub { $_[0] =~ s/.*\./$t->key('token')->{kid} . '.'/e }) });
tampered('altered 3', 'an entry without its MAC is found', sub { rewrite($_[0], 3, m => sub { $_[0] = '' }) });
tampered('altered 2', 'bytes that move from one part to the next are found', sub {
    my $byte;
    rewrite($_[0], 2, e => sub { $byte = chop $_[0] });
    rewrite($_[0], 2, x => sub { $_[0] = $byte . $_[0] });
});
my $junk = tampered('altered 2', 'an entry that is no JSON is found', sub { rewrite($_[0], 2, e => sub { $_[0] = '{' }) });

# its place

tampered("missing $_->[0]", "a missing entry is found, the $_->[1]", sub { $redis->cmd('XDEL', $_[2], $_[2 + $_->[0]]) })
    for [ 1, 'first' ], [ 3, 'third' ], [ 4, 'last' ];
tampered('altered 2', 'entries in another order are found', sub { my ($id, $o, $s, @ids) = @_; ids($o, @ids[0, 2, 1, 3]) });
tampered('altered 3', 'an entry that stands twice is found', sub { my ($id, $o, $s, @ids) = @_; ids($o, @ids[0, 1, 1, 3]) });
tampered('altered 5', 'an entry too many is found', sub { my ($id, $o, $s, @ids) = @_; ids($o, @ids, $ids[3]) });
tampered('altered 2', 'an entry that is left out is found', sub { my ($id, $o, $s, @ids) = @_; ids($o, @ids[0, 2, 3]) });

my $other = seen('O-1');
tampered('altered 4', "another order's entry, copied, is found", sub {
    my ($id, $o, $s, @ids) = @_;
    my (undef, $from, @theirs) = stream($other);
    $ids[3] = $redis->cmd('XADD', $s, '*', fields($from, $theirs[3]));
    ids($o, @ids);
});

# two orders of one bucket share a stream, so that an id of one is good for the other

my (%bucket, @pair);

for (my $i = 1; !@pair; $i++) {
    my (undef, $stream) = stream($t->file("P-$i"));
    @pair = ($bucket{$stream}, "P-$i") if $bucket{$stream};
    $bucket{$stream} = "P-$i";
}

for my $id (@pair) {
    $t->confirm($t->mint($id), consent_supply => 'yes', consent_waiver => 'yes');
}

my ($mine, undef, @mine) = stream($pair[0]);
my ($theirs, undef, @theirs) = stream($pair[1]);
ids($mine, @mine[0 .. 2], $theirs[3]);
found($pair[0], 'altered 4', "another order's entry, pointed to, is found");
ids($mine, @theirs);
found($pair[0], 'altered 1', "another order's whole journal is found");
ids($mine, @mine);
found($pair[0], 'intact', 'put back, it is intact');

# the end

tampered('missing 4', 'a cut end is found', sub { my ($id, $o, $s, @ids) = @_; ids($o, @ids[0 .. 2]) });
my $short = tampered('altered 3', 'a cut end is found, the revision set back, too', sub {
    my ($id, $o, $s, @ids) = @_;
    ids($o, @ids[0 .. 2]);
    begin($o, 3);
});
tampered('altered 4', 'a revision that was set back alone is found', sub { begin($_[1], 3) });
tampered('missing 1', 'a journal that is gone is found', sub { ids($_[1]) });
tampered('altered 4', "another head's MAC is found", sub {
    my ($id, $o, $s, @ids) = @_;
    my @mac = map { my %f = fields($s, $_); decode_base64url($f{m} =~ s/.*\.//r) } @ids;
    begin($o, undef, @mac[3, 2]);
});


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
like(evidence($short)->{json}{evidence}{activity}, qr/handed out.*\n\(What follows.*\n.*link opened/, 'nothing is proved by an entry that is not the head');
$e = evidence($junk)->{json}{evidence};
is_deeply($e->{entries}[1], { n => 2 }, 'of one that is no JSON there is its number');
is($e->{entries}[2]{event}, 'opened', 'and it does not hide the others');

my ($o) = stream(seen('U-1'));
my $filed = $redis->cmd('HGET', $o, 'f');
$redis->cmd('HSET', $o, 'f', $redis->cmd('HGET', (stream('A-1'))[0], 'f'));
$e = evidence('U-1')->{json}{evidence};
is("$e->{verification}{verdict} $e->{entries}[3]{event} " . ($e->{entries}[3]{ip} // 'closed'), 'intact viewed closed',
    'with a data key that does not open the journal is verified all the same, and shown as far as it is in clear');
is($e->{person}, undef, 'without the person');
is(evidence('U-1', '?format=html')->{status}, 200, 'as a page, too');
like($t->read('error.log'), qr/\[crit\].*"U-1"/, 'ops learn of it');

flip(-1)->($filed);
$redis->cmd('HSET', $o, 'f', $filed);
$e = evidence('U-1')->{json}{evidence};
is("$e->{verification}{verdict} $e->{entries}[3]{ip} " . ($e->{person} // 'nobody'), 'intact 127.0.0.1 nobody',
    'personal data that does not open leaves the rest');


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

my ($order) = stream(seen('R-1'));
my $before = $redis->cmd('DUMP', $order);
$t->mint('R-1');
my $anchor = head('R-1', 5);

is($anchor, evidence('R-1')->{json}{evidence}{verification}{head}, 'the head in the log is the one in the evidence');
found('R-1', 'intact', 'an untouched order agrees with its anchor', "?anchor=$anchor");
is(anchor('R-1', $anchor), 'agrees', 'and the evidence says that it was compared');
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

$redis->cmd('RESTORE', $order, 0, $before, 'REPLACE');
$t->mint('R-1') for 1 .. 2;
my (undef, undef, @went) = stream('R-1');
found('R-1', 'intact', 'an order can go on differently');
$redis->cmd('RESTORE', "$order.old", 0, $after);
my (undef, undef, @old) = $t->stored_head($redis, "$order.old");
$redis->cmd('DEL', "$order.old");
ids($order, @went[0 .. 3], $old[4], $went[5]);
found('R-1', 'altered 6', 'an entry that was written before a rollback is found among those after it');
$redis->cmd('RESTORE', $order, 0, $after, 'REPLACE');

# a rollback by hand: end, revision and head's MAC together

$anchor = do { seen('R-2'); head('R-2', 4) };
my ($cut, $s, @ids) = stream('R-2');
my @mac = map { my %f = fields($s, $_); decode_base64url($f{m} =~ s/.*\.//r) } @ids;
ids($cut, @ids[0 .. 2]);
begin($cut, 3, @mac[3, 2]);
found('R-2', 'intact', 'an end that is cut off with care is a rollback');
found('R-2', 'missing 4', 'and found by its anchor', "?anchor=$anchor");

rewrite('R-1', 2, e => sub { $_[0] =~ s/email/track/ });
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
