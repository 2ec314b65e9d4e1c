#!/usr/bin/perl

# Orders of the shop's past: filed with what the shop says of them, which is marked as its
# word wherever it is shown, and which proves nothing.

use warnings;
use strict;
use utf8;

use lib 't/lib';
use Encode ();
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;

$t->conf(server => 'mpk_consent on;', location => 'location = /track { mpk_track on; } location /claim/ { mpk_claim on; }')->start;

my ($purchased, $delivered, $viewed) = map { sprintf '2025-03-0%dT10:00:00Z', $_ } 1 .. 3;
my %past = (imported => JSON::PP::true, purchased_at => $purchased, delivered_at => $delivered, first_viewed_at => $viewed);

sub state { return $t->api('GET', "orders/$_[0]")->{json} }


# filed, once

my $r = $t->api('PUT', 'orders/I-1', $t->order(%past), token => 'shop-token');
is("$r->{status} $r->{json}{state}", '201 ready', 'an order of the past is filed, by the role "shop"');
is($t->api('PUT', 'orders/I-1', $t->order(%past))->{status}, 200, 'R10: the same again, the same answer');
is($t->api('PUT', 'orders/I-1', $t->order(%past, first_viewed_at => $delivered))->{status}, 409, 'R10: another past is other content');
is($t->api('PUT', 'orders/I-1', $t->order(purchased_at => $purchased))->{status}, 409, 'R10: so is none');
is($t->api('PUT', 'orders/I-9', $t->order(%past), token => 'support-token')->{status}, 403, 'no other role imports');

my $o = state('I-1');
is_deeply([ @$o{qw(imported delivered_at first_viewed_at released_at used views_count)} ],
    [ JSON::PP::true, $delivered, $viewed, $delivered, JSON::PP::true, 0 ], 'it has the times that the shop says, and no view of ours');
is($o->{items}[0]{state}, 'viewed', 'R8: its key is used');
cmp_ok($o->{filed_at}, 'gt', $viewed, 'it was filed now: times before that are the shop\'s word');
is_deeply($o->{views}, [], 'there is no view to list');

$t->file('I-2', %past, delivered_at => undef, first_viewed_at => undef, state => 'held');
$o = state('I-2');
is_deeply([ @$o{qw(state imported delivered_at first_viewed_at used)} ], [ 'held', JSON::PP::true, undef, undef, JSON::PP::false ],
    'one that was not delivered is only filed');
ok($t->file('N-1') && !exists state('N-1')->{imported}, 'any other order is not imported');

for (
    [ { imported => 'yes' }, '/imported' ], [ { imported => JSON::PP::false }, '/delivered_at' ], [ { imported => undef }, '/delivered_at' ],
    [ { delivered_at => '2025-02-28T10:00:00Z' }, '/delivered_at' ], [ { delivered_at => 'yesterday' }, '/delivered_at' ],
    [ { delivered_at => '2199-01-01T00:00:00Z', first_viewed_at => undef }, '/delivered_at' ], [ { first_viewed_at => $purchased }, '/first_viewed_at' ],
    [ { delivered_at => undef }, '/first_viewed_at' ], [ { state => 'held' }, '/state' ], [ { viewed_at => $viewed }, '/viewed_at' ],
) {
    my ($over, $pointer) = @$_;
    $r = $t->api('PUT', 'orders/I-8', $t->order(%past, %$over));
    is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $pointer", 'refused: ' . JSON::PP->new->canonical->allow_nonref->encode($over));
}


# the journal says whose word it is, and so do the outbox, the log and the metrics

my $entry = $t->journal('I-1')->{entries}[0];
is_deeply([ @$entry{qw(n event delivered_at first_viewed_at actor)} ], [ 1, 'imported', $delivered, $viewed, 'shop-only' ],
    'the journal has what was said, and by whom');
is($t->events('I-2'), 'imported', 'also of one that was not delivered');
is($t->events('N-1'), 'filed', 'another order is filed');
my ($key) = @{$redis->cmd('KEYS', 'mpk:*:o:I-1')};
my ($stream) = $key =~ s/:o:.*/:out/r;
my @out = map { my %f = @{$_->[1]}; $f{o} eq 'I-1' ? $f{e} : () } @{$redis->cmd('XRANGE', $stream, '-', '+')};
is("@out", 'imported', 'the outbox says so, too: who mails what was filed does not mail it');
ok(wait_for(sub { $t->read('access.log') =~ m{"PUT /mpk/v1/orders/I-1 HTTP/1\.1" 201 .* event=imported outcome=done order=I-1} }, 'log'), 'so does the log');

my $lines = join '', map { encode_json($t->order(%past, order => "L-$_")) . "\n" } 1 .. 3;
$r = $t->request('POST', '/mpk/v1/orders', headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/x-ndjson' },
    body => $lines . encode_json($t->order(%past, order => 'L-4', state => 'held')) . "\n");
my @results = map { decode_json($_) } split /\n/, $r->{body};
is("$results[0]{order} $results[0]{status} $results[0]{errors}[0]{pointer}", 'L-4 422 /state', 'a file of orders: a line with a wrong past fails alone');
is($results[1]{created}, 3, 'the others are filed');
is($t->events('L-2') . ' ' . state('L-2')->{first_viewed_at}, "imported $viewed", 'with their past');


# what the rules make of it

$r = $t->api('POST', 'orders/I-1/cancel', { reason => 'fraud' });
is("$r->{status} $r->{json}{rule}", '409 R5', 'R5: what was delivered before is not cancelled');
like($r->{json}{detail}, qr/delivered at \Q$delivered\E, as the shop said when it was imported\.$/, 'R5: on whose word');
is(state('I-1')->{policy}{claim}, 'R6', 'R6: the time for claims counts from the purchase, not from the import');

$t->file('I-3', %past, purchased_at => "2026-11-23T05:00:00Z", delivered_at => '2026-11-23T05:00:00Z', first_viewed_at => '2026-11-23T05:00:00Z');
my $link = $t->mint('I-3');
my $confirm = $t->get($link, headers => { Accept => 'application/json' });
ok(!decode_json($confirm->{body})->{consent}, 'no consent is asked for what was seen before');
is($t->confirm($link)->{status}, 200, 'a link shows its key once more');
$o = state('I-3');
is("$o->{first_viewed_at} $o->{views_count}", '2026-11-23T05:00:00Z 1', 'which is the first view of ours, not the first');

is($t->api('POST', 'orders/I-2/release')->{status}, 200, 'one that was held goes on as any other');
is($t->events('I-2'), 'imported released', 'and is mailed by that event');


# evidence: the shop's word, marked, and nothing proved by it

my $e = $t->api('GET', 'orders/I-1/evidence')->{json}{evidence};
is_deeply([ @$e{qw(imported delivered_at first_viewed_at)}, $e->{verification}{verdict} ], [ JSON::PP::true, $delivered, $viewed, 'intact' ], 'evidence says that it was imported');
is_deeply([ grep { !/^customer_|^product_/ } sort keys %{$e->{stripe}} ], [], 'no field claims a delivery or a view');
like($e->{activity}, qr/order filed by the shop from its records; .* the shop's word, not recorded here .* delivered at \Q$delivered\E/, 'the activity has it as the shop\'s word');

$e = $t->api('GET', 'orders/I-3/evidence')->{json}{evidence};
like($e->{stripe}{refund_refusal_explanation}, qr/The first view that was recorded was on 20/, 'a view since then is the first that was recorded');
is(join(' ', grep { defined $e->{stripe}{$_} } qw(service_date cancellation_rebuttal)), '', 'and no first delivery');

for ([ en => qr/The shop filed this order from its own records\..*not proved/, qr/according to the shop’s own records/ ],
    [ de => qr/aus seinen eigenen Aufzeichnungen eingetragen\..*nicht bewiesen/, qr/Nach den eigenen Aufzeichnungen des Shops/ ],
    [ fr => qr/d’après ses propres données\..*pas prouvées/, qr/D’après les données de la boutique/ ],
    [ es => qr/a partir de sus propios datos\..*no están probadas/, qr/Según los datos de la propia tienda/ ])
{
    my ($language, $evidence, $views) = @$_;
    $t->file("P-$language", %past, locale => $language);
    my $page = $t->api('GET', "orders/P-$language/evidence?format=html")->{body};
    like(text($page), $evidence, "$language: the page of evidence says so");
    like(text($t->track("P-$language", html => 1)->{body}), $views, "$language: the customer's page has no view of ours");
}

my $page = $t->track('P-en', html => 1)->{body};
unlike($page, qr/<ul>\s*<\/ul>/, 'and no empty list');
unlike($page, qr/No key of this order has been shown yet/, 'nor that there was none');
unlike($t->api('GET', 'orders/N-1/evidence?format=html')->{body}, qr/own records/, 'another order\'s evidence says nothing of it');


# erased, it still says so

is($t->api('DELETE', 'orders/I-1')->{status}, 200, 'erased');
$o = state('I-1');
is_deeply([ @$o{qw(state imported delivered_at)} ], [ 'erased', JSON::PP::true, $delivered ], 'whose word its times are is kept');

sub text { return Encode::decode('UTF-8', $_[0]) }

$t->finish;
