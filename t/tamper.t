#!/usr/bin/perl

# I9: whoever can write to Redis shows no key and has no evidence signed as intact, whatever
# bytes of an order he changes, moves from another order or takes from an earlier revision of
# it; but for a rollback of all of it, which an anchor finds.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $json = JSON::PP->new->utf8;
my $key = qr/XK7QX-BBBBB|NEW-KEY/;

$t->conf(location => <<'CONF')->start;
    location = /track { mpk_track on; mpk_track_limit address=100000 order=100000; }
    location = /metrics { mpk_status prometheus; }
    location /claim/ { mpk_claim on; }
    location /account/ { set $customer $arg_as; mpk_account $customer trusted; }
CONF

my @fields = qw(h f i c k);
my %as_json = (Accept => 'application/json');

# prepared(id): an order that was viewed and has a claim; another link of it is still good
my %spare;

sub prepared {
    my ($id, %over) = @_;
    my $link = $t->link($id, account => "of-$id", %over);
    $t->confirm($link);
    my ($claim) = $t->track($id)->{json}{claim_url} =~ m{//[^/]+(/.*)};
    my $r = $t->post($claim, { name => 'Ann', order => $id, email => 'ann@example.com', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE',
        category => 'other', description => 'It fails.' }, headers => \%as_json);
    die "$id: $r->{status}" unless $r->{status} == 201;
    $spare{$id} = $t->mint($id);
    return $id;
}

sub stored { my ($id) = @_; my ($key, %field) = $t->stored($redis, $id); return \%field }
sub path { my ($id) = @_; my ($key) = $t->stored($redis, $id); return $key }

# put(key, fields): the hash has these fields and no others
sub put {
    my ($key, $fields) = @_;
    $redis->cmd('DEL', $key);
    $redis->cmd('HSET', $key, %$fields);
}

# reveal(id): a confirmation of the spare link that is as good as any
sub reveal {
    my ($id) = @_;
    return $t->request('POST', $spare{$id}, body => Mpk::Http::form(email => 'ann@example.com'),
        headers => { %as_json, 'Content-Type' => 'application/x-www-form-urlencoded', 'Idempotency-Key' => 'n' . rand });
}

# shows(id): what of an order can be seen, by whichever way; "" for nothing
sub shows {
    my ($id) = @_;
    my @seen;
    my $r = reveal($id);
    push @seen, "link $r->{status}" if $r->{status} == 200 || $r->{body} =~ $key;
    $r = $t->get($spare{$id}, headers => \%as_json);
    push @seen, "page $r->{status}" if $r->{status} == 200;
    $r = $t->track($id);
    push @seen, "tracking $r->{status}" if $r->{status} == 200;
    $r = $t->get("/account/?as=of-$id", headers => \%as_json);
    push @seen, "account" if $r->{status} != 200 || $r->{body} =~ /"order":"\Q$id\E"/;
    $r = $t->api('GET', "orders/$id");
    push @seen, "API $r->{status}" if $r->{status} == 200;
    $r = $t->api('POST', "orders/$id/links");
    push @seen, "a new link $r->{status}" if $r->{status} == 200;
    $r = $t->api('GET', 'claims');
    push @seen, "claims" if $r->{status} != 200 || $r->{body} =~ /"order":"\Q$id\E"/;

    for my $call (qw(journal evidence)) {
        $r = $t->api('GET', "orders/$id/$call");
        my $v = $call eq 'journal' ? $r->{json} : $r->{json}{evidence}{verification};
        push @seen, "$call $r->{status} $v->{verdict}" if $r->{status} != 200 || $v->{verdict} !~ /^(altered|unverifiable)$/;
        push @seen, "$call has entries or a person" if $r->{body} =~ /"n":|ann\@example/;
    }

    return join ', ', @seen;
}

# refused(id): the quick form of it, for each of many changes
sub refused {
    my ($id) = @_;
    return $t->api('GET', "orders/$id")->{status} == 500 && reveal($id)->{status} != 200;
}

my $id = prepared('A-1');
my $order = path($id);
my $good = stored($id);
is(join(' ', sort keys %$good), 'c e1 e2 e3 e4 e5 e6 f h i k', 'an order has all fields that there are');
is(shows($id), 'link 200, tracking 200, account, API 200, a new link 200, claims, journal 200 intact, journal has entries or a person, '
    . 'evidence 200 intact, evidence has entries or a person', 'untouched, it can be seen in every way');
put($order, $good);


$redis->cmd('HSET', $order, 'f', 'x');
my $page = $t->api('GET', "orders/$id/evidence?format=html");
is($page->{status}, 200, 'the page of an order that is not authentic');
like($page->{body}, qr/This order was altered in the database/, 'says so');
unlike($page->{body}, qr/ann\@|Office|id="|No version of the terms/, 'and nothing else');
put($order, $good);


# every byte, alone

my $bytes = 0;

for my $field (@fields) {
    my @read;
    for my $at (0 .. length($good->{$field}) - 1) {
        my $value = $good->{$field};
        substr($value, $at, 1) ^= chr 1 << $at % 8;
        $redis->cmd('HSET', $order, $field, $value);
        push @read, $at unless refused($id);
        $bytes++;
    }
    $redis->cmd('HSET', $order, $field, $good->{$field});
    is("@read", '', "no byte of $field can be changed");

    # keys are not read where none is shown

    my $nothing = $field eq 'k' ? qr/^page 200, a new link 200, claims$/ : qr/^$/;

    for my $change (sub { '' }, sub { substr $_[0], 0, -1 }, sub { "$_[0]\0" }, sub { 'x' x length $_[0] }) {
        put($order, { %$good, $field => $change->($good->{$field}) });
        like(shows($id), $nothing, "nothing shows an order whose $field is another");
    }

    put($order, $good);
    $redis->cmd('HDEL', $order, $field);
    if ($field eq 'h') {
        is(reveal($id)->{status}, 404, 'without its head an order is not there');
    } else {
        like(shows($id), $nothing, "nothing shows an order without its $field");
    }
    put($order, $good);
}

note("$bytes bytes");


# in pairs

srand($ENV{MPK_SEED} // 16);
my @read;

for (1 .. 150) {
    my %changed = %$good;
    my @where = map { my $f = $fields[rand @fields]; [ $f, int rand length $good->{$f} ] } 1, 2;
    substr($changed{$_->[0]}, $_->[1], 1) ^= chr 1 + int rand 255 for @where;
    next if !grep { $changed{$_} ne $good->{$_} } @fields;
    put($order, \%changed);
    push @read, join '+', map { "@$_" } @where unless refused($id);
}

is("@read", '', 'no two bytes can be changed');
put($order, $good);


# from another order: an attacker's own, whose email he knows

$t->file('E-1', email => 'ann@example.com', account => 'eve');
my $other = stored(prepared('A-2', items => [ { sku => 'S', product => 'Other', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE' } ]));
@read = ();

for my $set (1 .. 31) {
    my %mixed = (%$good, map { $set & 1 << $_ ? ($fields[$_] => $other->{$fields[$_]}) : () } 0 .. 4);
    next if !grep { $mixed{$_} ne $good->{$_} } @fields;
    put($order, \%mixed);
    push @read, $set unless refused($id);
}

is("@read", '', 'no fields of another order go with those of this one');
put($order, { %$other });
is(shows($id), '', 'nor does another order as a whole');
put($order, { %$good, f => stored('E-1')->{f} });
is(shows($id), '', "with the attacker's email it is shown to nobody");
put($order, $good);


# from an earlier revision of the same order

my $early = { %$good };
is($t->api('POST', "orders/$id/claims/1/replace", { key => 'NEW-KEY-00000-11111', finding => { result => 'defective', text => 'Blocked by its maker.' } })->{status}, 200, 'its key is replaced');
my $late = stored($id);
@read = ();
my $sets = 0;

for my $set (1 .. 30) {
    my %mixed = (%$late, map { $set & 1 << $_ ? ($fields[$_] => $early->{$fields[$_]}) : () } 0 .. 4);
    my @old = grep { $mixed{$_} ne $late->{$_} } @fields;
    next if !@old || !grep { $mixed{$_} ne $early->{$_} } @fields;
    put($order, \%mixed);
    push @read, join '+', @old unless refused($id);
    $sets++;
}

is("@read", '', "no fields of two revisions go together ($sets mixtures)");
cmp_ok($sets, '>=', 5, 'and there were some');


# all of an earlier revision: that is what remains

put($order, $late);
my $anchor = $t->api('GET', "orders/$id/evidence")->{json}{evidence}{verification}{head};
put($order, $early);
is($t->journal($id)->{verdict}, 'intact', 'a rollback of a whole order is consistent');
is($t->journal($id, "?anchor=$anchor")->{verdict}, 'missing', 'and found by an anchor');
is($t->api('GET', "orders/$id/evidence?anchor=$anchor")->{json}{evidence}{verification}{verdict}, 'missing', 'in the evidence, too');
put($order, $late);


# entries: dropped, moved, forged, of another order, of another revision

sub verdict {
    my ($change, $what, $expected) = @_;
    my %all = (%$late, %$change);
    put($order, { map { $_ => $all{$_} } grep { defined $all{$_} } keys %all });
    my @v = map { $_->{verdict} . ($_->{entry} ? " $_->{entry}" : '') } $t->journal($id),
        $t->api('GET', "orders/$id/evidence")->{json}{evidence}{verification};
    is("@v", "$expected $expected", $what);
    put($order, $late);
}

verdict({}, 'untouched, the journal is intact', 'intact');
verdict({ "e$_" => undef }, "entry $_ is missing", "missing $_") for 1, 4, 7;
verdict({ e2 => $late->{e3}, e3 => $late->{e2} }, 'two entries that change places are found', 'altered 2');
verdict({ e3 => $late->{e2} }, 'an entry that stands twice is found', 'altered 3');
verdict({ e2 => $late->{e3}, e3 => $late->{e4}, e4 => $late->{e5}, e5 => $late->{e6}, e6 => $late->{e7}, e7 => undef },
    'an entry that is left out is found', 'altered 2');
verdict({ e8 => $late->{e7} }, 'an entry beyond the head is none', 'intact');
verdict({ e3 => $other->{e3} }, "another order's entry is found", 'altered 3');
verdict({ map { ("e$_" => $other->{"e$_"}) } 1 .. 6 }, "another order's whole journal is found", 'altered 1');
verdict({ e3 => '' }, 'an empty entry is found', 'altered 3');
verdict({ e3 => "$late->{e3}\0" }, 'a byte more is found', 'altered 3');

my @wrong;
for my $n (1, 4, 7) {
    my $kid = 1 + length $t->key('journal')->{kid};
    for my $at (0 .. length($late->{"e$n"}) - 1) {
        my $entry = $late->{"e$n"};
        substr($entry, $at, 1) ^= chr 1 << $at % 8;
        $redis->cmd('HSET', $order, "e$n", $entry);
        my $j = $t->journal($id);
        my $said = join ' ', $j->{verdict}, $j->{entry} // ();
        push @wrong, "$n at $at: $said" unless $said eq "altered $n" || $at < $kid && $j->{verdict} =~ /^(unverifiable|altered)$/;
    }
    $redis->cmd('HSET', $order, "e$n", $late->{"e$n"});
}
is(join(', ', @wrong), '', 'no byte of an entry can be changed');


# a key that this keyring lacks

my $kid = $t->key('journal')->{kid};
(my $renamed = $late->{e4}) =~ s/\Q$kid\E/'z' x length $kid/e;
verdict({ e4 => $renamed }, 'an entry of a key that is not there is not said to be altered', 'unverifiable 4');
like($t->read('error.log'), qr/\[error\].*journal of order "A-1" can't be verified: journal key "z+" is not in the keyring/, 'and the key is named');
(my $head = $late->{h}) =~ s/\Q$kid\E/'z' x length $kid/e;
put($order, { %$late, h => $head });
is(shows($id), '', 'nothing shows an order of a key that is not there');
is($t->journal($id)->{verdict}, 'unverifiable', 'nor is it said to be altered');
like($t->read('error.log'), qr/\[crit\].*order "A-1" can't be verified: journal key "z+" is not in the keyring/, 'and the key is named');
put($order, $late);


# nothing of Redis gets into the log as it is there

my $lines = qr/^forged line/m;
($renamed = $late->{e4}) =~ s/\Q$kid\E/substr("\nforged line" . 'z' x 32, 0, length $kid)/e;
verdict({ e4 => $renamed }, 'a key id that is none', 'altered 4');
($head = $late->{h}) =~ s/\Q$kid\E/substr("\nforged line" . 'z' x 32, 0, length $kid)/e;
put($order, { %$late, h => $head });
is(shows($id), '', 'nothing shows an order of a key id that is none');
is($t->journal($id)->{verdict}, 'altered', 'which is not authentic');
unlike($t->read('error.log'), $lines, 'and no line of the log is made of it');
put($order, $late);


# what a newer release has written

my ($revision) = $late->{h} =~ /^(\d+ )/;
$head = $late->{h};
substr($head, length($revision) + 1 + length($kid) + 32, 1) = "\x03";
put($order, { %$late, h => $head });
is(shows($id), '', 'nothing shows an order that a newer release has written');
is($t->api('GET', "orders/$id")->{status}, 500, 'which is an error');
like($t->read('error.log'), qr/\[crit\].*order "A-1" was written by a newer release/, 'that the log explains');
put($order, $late);


# one order that is not authentic does not hide the others

$t->file('N-1', account => 'both');
$t->file('N-2', account => 'both');
my $n1 = path('N-1');
$redis->cmd('HSET', $n1, 'f', 'x');
my $r = $t->get('/account/?as=both', headers => \%as_json);
is(join(' ', $r->{status}, map { $_->{order} } @{$json->decode($r->{body})->{orders}}), '200 N-2', 'an account shows its other orders');


# a reply that is too large fails alone: the others on its connection are answered

my @others = map { [ $t->link("B-$_"), "B-$_" ] } 1 .. 20;
my $large = path($t->file('L-1'));
$redis->cmd('HSET', $large, 'h', 'x' x (9 * 1024 * 1024));
my $connects = $t->metric('redis_connects_total');
my $nonces = { map { $_->[0] => $t->nonce($_->[0]) } @others };
my @waiting = map {
    my $ask = Mpk::Http::connection($t->port('edge'));
    print $ask Mpk::Http::text('GET', '/mpk/v1/orders/L-1', headers => { Authorization => "Bearer $t->{token}" });
    $ask->flush;
    ($ask, $t->confirming($_->[0], $nonces->{$_->[0]}));
} @others;
my %answers;
$answers{$_ % 2 ? 'another' : 'large'}{Mpk::Http::response($waiting[$_])->{status}}++ for 0 .. $#waiting;
is_deeply(\%answers, { large => { 503 => 20 }, another => { 200 => 20 } }, 'a reply that is too large fails alone');
is($t->metric('redis_connects_total'), $connects, 'and ends no connection');
like($t->read('error.log'), qr/\[error\].*a command was refused with TOOLARGE: a reply is larger than 8 MB/, 'and the log says so');
is($t->track('L-1')->{status}, 503, 'nor does it break a page') for 1;
is($t->api('DELETE', 'orders/L-1')->{status}, 503, 'nor an erasure');
$redis->cmd('DEL', $large);
is($t->api('GET', 'orders/L-1')->{status}, 404, 'until it is removed');


# what is not authentic can be erased, and leaves a tombstone

my $gone = path($t->file('G-1', account => 'gone'));
my $gone_link = $t->mint('G-1');
for my $damage ([ 'h', 'nothing that is a head' ], [ 'h', '' ], [ 'f', 'x' ], [ 'i', '' ]) {
    my (%saved) = @{$redis->cmd('HGETALL', $gone)};
    $redis->cmd('HSET', $gone, @$damage);
    is($t->api('GET', 'orders/G-1')->{status}, 500, "an order with another $damage->[0] is not shown");
    $r = $t->api('DELETE', 'orders/G-1');
    is("$r->{status} " . ($r->{json}{state} // ''), '200 erased', 'but erased');
    is(join(' ', map { s/\d+/n/r } sort @{$redis->cmd('HKEYS', $gone)}), 'en h', 'with all that it had');
    is($t->api('PUT', 'orders/G-1', $t->order)->{status}, 409, 'its number is not free');
    is($t->journal('G-1')->{verdict}, 'erased', 'which the journal says');
    is($t->confirm($gone_link)->{status}, 404, 'no link shows it');
    $redis->cmd('DEL', $gone);
    $redis->cmd('HSET', $gone, %saved);
}
is($t->confirm($gone_link)->{status}, 200, 'restored, it is what it was');


# also with mpk_retention

{
    my $kept = Mpk->new;
    my $store = $kept->redis;
    $kept->conf(http => 'mpk_retention 30d;')->start;
    my $used = $kept->link('G-1');
    is($kept->confirm($used)->{status}, 200, 'a link is used');
    my ($k) = $kept->stored($store, 'G-1');
    $store->cmd('HSET', $k, 'f', 'x');
    is($kept->api('DELETE', 'orders/G-1')->{status}, 200, 'the order is damaged, and erased');
    cmp_ok($store->cmd('TTL', $k), '>', 29 * 86400, 'the tombstone stays as long as an order');
    is($kept->api('PUT', 'orders/G-1', $kept->order)->{status}, 409, 'so that its number is not free');
    isnt($kept->confirm($used)->{status}, 200, 'and the used link shows nothing');
    ok($kept->quit, 'nginx ends');
}


# ops learn of it

like($t->read('error.log'), qr/\[crit\].*mpk: order "A-1" is not authentic: somebody changed it in Redis/, 'the log names the order');
my %unread = $t->get('/metrics')->{body} =~ /^mpk_orders_unread_total\{reason="(\w+)"\} (\d+)$/mg;
cmp_ok($unread{not_authentic}, '>', $bytes, 'a metric counts them');
cmp_ok($unread{unknown_key}, '>', 0, 'those of unknown keys apart');
cmp_ok($unread{newer_release}, '>', 0, 'and those of a newer release');

put($order, $late);
is($t->journal($id)->{verdict}, 'intact', 'put back, it is as it was');
is(reveal($id)->{status}, 200, 'and its link was not used up');

$t->finish;
