#!/usr/bin/perl

# What support does with a claim: it opens one for a customer who wrote to it (R6); a
# decision has a finding, goodwill is the shop's, and what it did is journaled (R7).

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Mpk qw(ago);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my %token = (shop => 'till-token', support => 'support-token', read => 'read-token', all => 'api-token');
$t->write('api-tokens', $t->read('api-tokens') . 'till:' . sha256_hex($token{shop}) . ":shop\n");
$t->conf(redis => $t->least($redis), location => <<'CONF')->start;
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location /claim/ { mpk_claim on; }
CONF
$token{all} = $t->{token};

my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';

# claimed(id, %over): files an order, has its key shown and reported
sub claimed {
    my ($id, %over) = @_;
    $t->confirm($t->link($id, %over))->{status} == 200 or die 'no view';
    my $r = $t->post('/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef)), { name => 'Ann Example', order => $id,
        email => 'ann@example.com', key => $key, category => 'not_accepted', description => 'It fails' }, headers => { Accept => 'application/json' });
    $r->{status} == 201 or die "no claim: $r->{status}";
}

sub decide {
    my ($id, $what, $body, $token) = @_;
    return $t->api('POST', "orders/$id/claims/1/$what", $body, token => $token{$token // 'support'});
}

sub finding { return { result => $_[0], text => $_[1] // 'The maker says so.' } }

sub order { return $t->api('GET', "orders/$_[0]", undef, token => $token{$_[1] // 'support'})->{json} }

sub evidence { return $t->api('GET', "orders/$_[0]/evidence", undef, token => $token{support})->{json}{evidence} }

sub printed { return $t->api('GET', "orders/$_[0]/evidence?format=html", undef, token => $token{support})->{body} }


# R7: what is given has a finding

claimed('F-1');

for ([ 'replace', { key => 'NEW-1' } ], [ 'refund', { reason => 'None left' } ]) {
    my ($what, $body) = @$_;
    my $r = decide('F-1', $what, $body);
    is("$r->{status} $r->{json}{type} $r->{json}{rule}", '409 urn:mpk:finding R7', "R7: no $what without a finding");
    is(decide('F-1', $what, { %$body, finding => undef })->{status}, 409, "R7: null is none, for a $what");

    for ([ {}, '/finding/result' ], [ { result => 'defective' }, '/finding/text' ], [ { result => 'defective', text => '' }, '/finding/text' ],
        [ { result => 'broken', text => 'x' }, '/finding/result' ], [ { result => 'defective', text => 'x' x 4001 }, '/finding/text' ],
        [ { result => 'defective', text => 'x', by => 'me' }, '/finding/by' ], [ 'defective', '/finding' ])
    {
        $r = decide('F-1', $what, { %$body, finding => $_->[0] });
        is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", "R7: a $what with a bad " . substr($_->[1], 1) . ' is refused');
    }
}

is($t->events('F-1') =~ /claim_opened$/ ? 1 : 0, 1, 'R7: nothing of that was done');
my $r = decide('F-1', 'replace', { key => 'NEW-1', finding => finding('defective', 'Blocked <by> its maker') });
is("$r->{status} $r->{json}{claim}{state}", '200 replaced', 'R7: with one it is');
is(decide('F-1', 'replace', { key => 'NEW-1', finding => finding('defective', 'Blocked <by> its maker') })->{status}, 200, 'R10: again, it is the same');
is(decide('F-1', 'replace', { key => 'NEW-1', finding => finding('not_reproduced', 'Blocked <by> its maker') })->{json}{type}, 'urn:mpk:decided',
    'R10: with another finding it is refused');
is(decide('F-1', 'replace', { key => 'NEW-1', finding => finding('defective') })->{json}{type}, 'urn:mpk:decided', 'R10: also with other words');

is_deeply(order('F-1')->{claims}[0]{finding}, { result => 'defective', text => 'Blocked <by> its maker' }, 'support reads the finding');
is_deeply(order('F-1', 'read')->{claims}[0]{finding}, { result => 'defective' }, 'the role read its result, and no words');
my $page = $t->track('F-1');
unlike($page->{body}, qr/Blocked|defective/, 'the customer neither');
my $entry = $t->journal('F-1')->{entries}[-1];
is("$entry->{finding} $entry->{finding_text}", 'defective Blocked <by> its maker', 'the journal has both');
like(evidence('F-1')->{activity}, qr/report decided: key replaced \| item 1 \| finding: the key is defective/, 'evidence says it');
like(printed('F-1'), qr/Finding: the key is defective.*Blocked &lt;by&gt; its maker/s, 'in print, too');


# a rejection may have one

claimed('F-2');
is(decide('F-2', 'reject', { reason => 'not_defective', finding => finding('goodwill') })->{json}{errors}[0]{pointer}, '/finding/result', 'R7: goodwill rejects nothing');
is(decide('F-2', 'reject', { reason => 'not_defective', finding => finding('not_reproduced', 'Tried on two computers') })->{status}, 200, 'R7: a rejection may say what was found');
is_deeply(order('F-2')->{claims}[0]{finding}, { result => 'not_reproduced', text => 'Tried on two computers' }, 'and it is kept');
claimed('F-3');
is(decide('F-3', 'reject', { reason => 'late' })->{status}, 200, 'R7: and need not');
is(order('F-3')->{claims}[0]{finding}, undef, 'then there is none');


# goodwill

claimed('G-1');
my $gift = { reason => 'None left', finding => finding('goodwill', 'A good customer') };
$r = decide('G-1', 'refund', $gift);
is("$r->{status} $r->{json}{type}", '403 urn:mpk:forbidden', 'R7: support alone may give no goodwill');
$r = decide('G-1', 'refund', { %$gift, finding => finding('defective') }, 'shop');
is("$r->{status} $r->{json}{type}", '403 urn:mpk:forbidden', 'R7: nor the shop find anything');
is(decide('G-1', 'refund', { reason => 'None left' }, 'shop')->{status}, 403, 'R7: or decide without');
is(decide('G-1', $_->[0], $_->[1], 'shop')->{status}, 403, "R7: the shop does not $_->[0]")
    for [ 'needs_info', { message => 'x' } ], [ 'reject', { reason => 'late' } ];
is(decide('G-1', 'refund', $gift, 'read')->{status}, 403, 'nor the role read');
is(decide('G-1', 'refund', $gift, 'shop')->{status}, 200, 'R7: the shop gives goodwill');
is(decide('G-1', 'refund', $gift, 'all')->{status}, 200, 'R10: the same by a token of all roles');
is($t->journal('G-1')->{entries}[-1]{actor}, 'till', 'the journal says who gave it');

my $evidence = evidence('G-1');
like($evidence->{activity}, qr/report decided: key refunded \| item 1 \| finding: goodwill of the shop/, 'evidence says what it was');
unlike(join(' ', $evidence->{activity}, values %{$evidence->{stripe}}), qr/defect/, 'R7: and calls it no defect');
my $print = printed('G-1');
like($print, qr/Goodwill of the shop/, 'in print, too');
unlike($print, qr/defect/i, 'R7: and no defect');



# R6: support opens a claim

my %mail = (item => 1, name => 'Ann Example', category => 'blocked', description => 'My key was blocked <today>', received_at => ago(60));

sub report {
    my ($id, $body, $token) = @_;
    return $t->api('POST', "orders/$id/claims", $body, token => $token{$token // 'support'});
}

my @past = (imported => JSON::PP::true, purchased_at => ago(20 * 86400), delivered_at => ago(20 * 86400));

$t->link('M-1', items => [ map { { sku => "S$_", product => "P$_", key => "KEY-$_-AAAAA" } } 1 .. 3 ]);

for ([ { item => 0 }, '/item' ], [ { item => 501 }, '/item' ], [ { item => '1' }, '/item' ], [ { item => undef }, '/item' ], [ { name => '' }, '/name' ],
    [ { name => 'x' x 256 }, '/name' ], [ { category => 'broken' }, '/category' ], [ { description => '' }, '/description' ],
    [ { description => 'x' x 4001 }, '/description' ], [ { received_at => 'today' }, '/received_at' ], [ { received_at => ago(-120) }, '/received_at' ],
    [ { received_at => undef }, '/received_at' ], [ { key => '' }, '/key' ], [ { key => 'x' x 8193 }, '/key' ], [ { exception => '' }, '/exception' ],
    [ { exception => 'x' x 4001 }, '/exception' ], [ { email => 'ann@example.com' }, '/email' ])
{
    $r = report('M-1', { %mail, %{$_->[0]} });
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", 'a report with a bad ' . substr($_->[1], 1) . ' is refused');
}

is(report('M-1', { %mail, item => 4 })->{json}{type}, 'urn:mpk:no_item', 'as is one of an item that is not there');
is(report('nobody', \%mail)->{status}, 404, 'and of an order that is not there');
is(report('M-1', \%mail, $_)->{status}, 403, "the role $_ opens none") for qw(shop read);
is($t->api('GET', 'orders/M-1/claims', undef, token => $token{support})->{status}, 405, 'the path is only sent to');
is(report('M-1', { %mail, received_at => ago(3600) })->{json}{type}, 'urn:mpk:undelivered', 'R6: nothing was reported before the delivery');
$t->file('M-2');
is(report('M-2', \%mail)->{json}{type}, 'urn:mpk:undelivered', 'R6: nor of an order that was not delivered');
is($t->events('M-1'), 'filed link_minted', 'none of that was a claim');

my $at = ago(0);
sleep 1 while ago(0) eq $at;
$mail{received_at} = ago(0);
$r = report('M-1', \%mail);
is_deeply([ $r->{status}, $r->{json} ], [ 201, { order => 'M-1', state => 'ready', claim => { claim => 1, state => 'open' } } ], 'R6: support opens a claim');
my $same = report('M-1', \%mail);
is_deeply([ $same->{status}, $same->{json} ], [ 200, $r->{json} ], 'R10: the same again is the same');
$r = report('M-1', { %mail, description => 'Other' });
is("$r->{status} $r->{json}{type} $r->{json}{rule}", '409 urn:mpk:claimed R6', 'R10: other content is another report, and one is open');
is(report('M-1', { %mail, item => 2, key => 'key 2 aaaaa' })->{json}{claim}{claim}, 2, 'R6: another item has its own');
is(report('M-1', { %mail, item => 3, key => 'KEY-2-AAAAA' })->{json}{claim}{claim}, 3, 'R6: the key need not be right');
is($t->events('M-1'), 'filed link_minted claim_opened claim_opened claim_opened', 'R9: each is one entry');

my @opened = grep { $_->{event} eq 'claim_opened' } @{$t->journal('M-1')->{entries}};
is_deeply([ map { $_->{key_matched} } @opened ], [ undef, JSON::PP::true, JSON::PP::false ], 'the journal says whether the key was the right one');
is_deeply([ @{$opened[0]}{qw(actor name note category received_at token_id)} ], [ 'support-desk', @mail{qw(name description category received_at)}, undef ],
    'and who wrote what, when, and who opened it');

my $claim = order('M-1')->{claims}[0];
is_deeply([ @$claim{qw(state name description received_at exception)} ], [ 'open', @mail{qw(name description received_at)}, undef ], 'the order has the claim');
is(order('M-1', 'read')->{claims}[0]{description}, undef, 'without its words for the role read');
is_deeply([ map { "$_->{order}/$_->{claim}" } grep { $_->{order} eq 'M-1' } @{$t->api('GET', 'claims', undef, token => $token{support})->{json}{claims}} ],
    [ qw(M-1/1 M-1/2 M-1/3) ], 'and the list of open claims has it');
is($t->track('M-1')->{json}{claims}[0]{state}, 'open', 'as has the customer');
is(decide('M-1', 'reject', { reason => 'late' })->{status}, 200, 'it is decided as any other');
is(report('M-1', \%mail)->{status}, 200, 'R10: the same report is still that claim');
is(report('M-1', { %mail, description => 'Again' })->{status}, 201, 'R6: and another can be opened');

# late ones

$t->link('M-3', @past);
my %late = (%mail, received_at => ago(86400));
$r = report('M-3', \%late);
is("$r->{status} $r->{json}{type} $r->{json}{rule}", '409 urn:mpk:late R6', 'R6: a late report is refused');
like($r->{json}{detail}, qr/"exception"/, 'with what to do about it');
is(report('M-3', { %late, received_at => ago(14 * 86400) })->{status}, 201, 'R6: what support received in time is not late');
is(decide('M-3', 'reject', { reason => 'other', note => 'x' })->{status}, 200, 'that is decided');
is(report('M-3', { %late, exception => 'The customer was in <hospital>' })->{status}, 201, 'R6: a late one is taken with a reason');
is(order('M-3')->{claims}[1]{exception}, 'The customer was in <hospital>', 'which support reads');
is(order('M-3', 'read')->{claims}[1]{exception}, undef, 'the role read does not');
is($t->journal('M-3')->{entries}[-1]{exception}, 'The customer was in <hospital>', 'and the journal has');
like(evidence('M-3')->{activity}, qr/problem with a key reported \| item 1 \| sent to support at \S+Z \| taken as an exception/, 'evidence says that it was one');
like(printed('M-3'), qr/Taken as an exception: The customer was in &lt;hospital&gt;/, 'in print, too');
like(printed('M-1'), qr/The key that was given is the item’s.*The key that was given is not the item’s/s, 'which says whether the key was right');
unlike($t->track('M-3')->{body}, qr/hospital/, 'the customer does not read it');

$t->api('POST', 'orders/M-3/claims/2/reject', { reason => 'late' });
$t->api('POST', 'orders/M-3/suspend', { reason => 'fraud' });
is(report('M-3', { %late, exception => 'x' })->{json}{type}, 'urn:mpk:suspended', 'R11: nothing is reported while it is suspended');


# R7: what support did

claimed('N-1');
my $sha = sha256_hex('a picture');
my $note = { text => 'Asked <the> maker', session => 'offered', files => [ { name => 'Photo & Co.png', sha256 => $sha }, { name => 'b.txt', sha256 => uc $sha } ] };
sub noted { return decide('N-1', 'note', @_) }

for ([ {}, '/text' ], [ { text => '' }, '/text' ], [ { files => [] }, '/text' ], [ { text => 'x' x 4001 }, '/text' ], [ { text => 'x', session => 'maybe' }, '/session' ],
    [ { text => 'x', files => [ 'a' ] }, '/files/0' ], [ { text => 'x', files => 'a' }, '/files' ], [ { files => [ { name => 'a' } ] }, '/files/0/sha256' ],
    [ { files => [ { name => 'a', sha256 => 'x' x 64 } ] }, '/files/0/sha256' ], [ { files => [ { name => "a\nb", sha256 => $sha } ] }, '/files/0/name' ],
    [ { files => [ { name => 'a', sha256 => $sha }, { name => 'x' x 256, sha256 => $sha } ] }, '/files/1/name' ],
    [ { files => [ { name => 'a', sha256 => $sha, size => 1 } ] }, '/files/0/size' ], [ { files => [ map { { name => "$_", sha256 => $sha } } 1 .. 33 ] }, '/files' ],
    [ { text => 'x', state => 'open' }, '/state' ])
{
    $r = noted($_->[0]);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $_->[1]", 'a note with a bad ' . substr($_->[1], 1) . ' is refused');
}

is(noted($note, $_)->{status}, 403, "the role $_ notes nothing") for qw(shop read);
is($t->api('POST', 'orders/N-1/claims/2/note', $note)->{json}{type}, 'urn:mpk:no_claim', 'nor is anything noted of a claim that is not there');
$r = noted($note);
is("$r->{status} $r->{json}{claim}{state}", '200 open', 'R7: a note is taken, and changes nothing of the claim');
is(noted($note)->{status}, 200, 'R10: the same again is the same');
is($t->events('N-1') =~ s/.* claim_opened/claim_opened/r, 'claim_opened claim_note', 'R10: and one entry');
$entry = $t->journal('N-1')->{entries}[-1];
is_deeply([ @$entry{qw(claim note session files actor)} ], [ 1, 'Asked <the> maker', 'offered',
    [ { name => 'Photo & Co.png', sha256 => $sha }, { name => 'b.txt', sha256 => $sha } ], 'support-desk' ], 'the journal has all of it');

noted({ session => 'declined' });
is(noted({ files => [ map { { name => "f$_" . 'x' x 250, sha256 => $sha } } 10 .. 41 ] })->{status}, 200, 'R7: a note has up to 32 files');
is(noted($note)->{status}, 200, 'R7: what was noted before can be noted again');
decide('N-1', 'reject', { reason => 'not_defective' });
is(noted({ text => 'Called her' })->{json}{claim}{state}, 'rejected', 'R7: also of a decided claim');
is($t->events('N-1') =~ s/.* claim_opened/claim_opened/r, 'claim_opened claim_note claim_note claim_note claim_note claim_rejected claim_note', 'each is one entry');
is(scalar @{$t->journal('N-1')->{entries}[-4]{files}}, 32, 'with all its files');
is(scalar(grep { $_->{order} eq 'N-1' } @{$t->api('GET', 'claims', undef, token => $token{support})->{json}{claims}}), 0, 'and it stays decided');

like(evidence('N-1')->{activity}, qr/support's note about the report \| item 1 \| files: 2 \| remote session offered.*remote session declined by the customer.*files: 32/s,
    'evidence lists what was done');
like(printed('N-1'), qr/Remote session offered.*File: Photo &amp; Co\.png<br><code translate="no">$sha.*Asked &lt;the&gt; maker.*Remote session declined/s, 'in print, too');
unlike($t->track('N-1')->{body}, qr/maker|Called|offered/, 'the customer does not read it');


# I4

my %sealed = map { my (undef, %field) = $t->stored($redis, $_); ($_ => join('', values %field)) } qw(F-1 M-1 M-3 N-1);
unlike($sealed{'F-1'}, qr/Blocked/, 'I4: what was found is sealed');
unlike($sealed{'M-1'} . $sealed{'M-3'}, qr/blocked <|Ann Example|hospital|KEY-2-/, 'I4: what the customer wrote is, and why it was taken');
unlike($sealed{'N-1'}, qr/maker|Co\.png|$sha/, 'I4: and what was noted');
is($t->journal($_)->{verdict}, 'intact', "the journal of $_ is intact") for sort keys %sealed;
unlike($t->read('error.log'), qr/mpk_redis.*refused/, 'the least rights that docs/operations.md gives suffice');

$t->finish;
