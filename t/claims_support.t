#!/usr/bin/perl

# What support does with a claim: a decision has a finding (R7), goodwill is the shop's.

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

my (undef, %field) = $t->stored($redis, 'F-1');
unlike(join('', %field), qr/Blocked/, 'I4: the words are sealed');
is($t->journal('F-1')->{verdict}, 'intact', 'the journal is intact');

$t->finish;
