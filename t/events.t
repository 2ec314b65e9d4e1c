#!/usr/bin/perl

# The feed: what consumer groups get of the journals over HTTP, and what becomes of it.

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Mpk qw(child quick);
use Test::More;
use Time::HiRes qw(sleep time);

my $t = Mpk->new;
my $redis = $t->redis;

$t->write('api-tokens', $t->read('api-tokens') . join('', map { "$_->[0]:" . sha256_hex("$_->[0]-token") . ":$_->[1]\n" }
    [ 'feed', 'feed' ], [ 'courier', 'courier' ], [ 'both', 'shop,feed' ]), 0600);
$t->conf(redis => $t->least($redis), location => 'location = /metrics { mpk_status prometheus; } location = /status { mpk_status json; }')->start;

sub events { my ($query, %how) = @_; return $t->api('GET', "events?$query", undef, token => 'feed-token', %how) }
sub taken { my $r = events(@_); return $r->{status} == 200 ? @{$r->{json}{events}} : die "$r->{status} $r->{body}" }
sub mark { my ($how, %body) = @_; return $t->api('POST', "events/$how", \%body, token => 'feed-token') }
sub ack { my ($group, @events) = @_; return @events ? mark('ack', group => $group, ids => [ map { $_->{id} } @events ]) : undef }
sub named { return join ' ', sort map { "$_->{order}:$_->{n}:$_->{event}" } @_ }
sub bucket_of { my ($order) = @_; my ($key) = @{$redis->cmd('KEYS', "mpk:{??}:o:$order")}; return $key =~ /^(mpk:\{..\})/ ? $1 : die "no $order" }
sub group_of { my ($name) = @_; return grep { $_->{group} eq $name } @{$t->api('GET', 'events/groups', undef, token => 'feed-token')->{json}{groups}} }

# drained(query): takes and acknowledges until nothing is left
sub drained {
    my ($query) = @_;
    my ($group) = $query =~ /group=([\w-]+)/;
    my @all;
    while (my @some = taken($query)) { push @all, @some; ack($group, @some) }
    return @all;
}


# docs/openapi.yaml describes whatever an entry has in clear

{
    my ($code, $api) = map { open my $f, '<', $_ or die "$_: $!"; local $/; <$f> } 'ngx_mpk_module/core/mpk_journal.c', 'docs/openapi.yaml';
    my %clear = map { $_ => 1 } $code =~ /\[MPK_CLEAR_\w+\] = mpk_literal\("(\w+)"\)/g;
    my ($event) = $api =~ /^    Event:\n(.*?)\n\n/ms;
    cmp_ok(scalar keys %clear, '>', 20, 'members of entries');
    is_deeply([ grep { $event !~ /^        $_: /m } sort keys %clear ], [], 'docs/openapi.yaml has them in events');
}


# who may

is($t->api('GET', 'events?group=who', undef, token => $_->[0])->{status}, $_->[1], "the token $_->[0] gets $_->[1]")
    for [ 'feed-token', 200 ], [ 'courier-token', 200 ], [ 'both-token', 200 ], [ 'secret-token', 200 ], [ 'shop-token', 403 ], [ 'read-token', 403 ],
        [ 'support-token', 403 ], [ 'none', 401 ];
is($t->api('POST', 'events/ack', { group => 'who', ids => [] }, token => 'shop-token')->{status}, 403, 'nor may the shop acknowledge');
is($t->api('PUT', 'orders/X-1', $t->order, token => 'both-token')->{status}, 201, 'a token of two roles files orders, too');
is($t->api('GET', 'orders/X-1', undef, token => $_)->{status}, 403, "with $_ no order is read") for 'feed-token', 'courier-token';
is($t->api('PUT', 'orders/X-2', $t->order, token => 'feed-token')->{status}, 403, 'nor filed');

for ([ 'role', 'a:' . sha256_hex('a') . ':shop,fed' ], [ 'empty role', 'a:' . sha256_hex('a') . ':shop,' ]) {
    my $kept = $t->read('api-tokens');
    $t->write('api-tokens', "$kept$_->[1]\n", 0600);
    my ($good, $said) = $t->check;
    ok(!$good && $said =~ /api-tokens:8: a line must be .*"feed" or "courier"/, "nginx -t refuses an unknown $_->[0]") or diag($said);
    $t->write('api-tokens', $kept, 0600);
}


# what is asked

for ([ 'group=', '?group' ], [ 'x=1', '?group' ], [ 'group=a%20b', '?group' ], [ 'group=' . 'a' x 33, '?group' ], [ 'group=a&count=0', '?count' ],
    [ 'group=a&count=257', '?count' ], [ 'group=a&wait=61s', '?wait' ], [ 'group=a&wait=x', '?wait' ], [ 'group=a&idle=0', '?idle' ],
    [ 'group=a&idle=2h', '?idle' ], [ 'group=a&from=then', '?from' ], [ 'group=a&events=filed,nothing', '?events' ], [ 'group=a&events=', '?events' ],
    [ 'group=a&part=2/2', '?part' ], [ 'group=a&part=0/65', '?part' ], [ 'group=a&part=1', '?part' ], [ 'group=a&consumer=a%20b', '?consumer' ])
{
    my $r = events($_->[0]);
    is("$r->{status} " . ($r->{json}{errors}[0]{pointer} // ''), "422 $_->[1]", "refused: $_->[0]");
}

is($t->request('HEAD', '/mpk/v1/events?group=a', headers => { Authorization => 'Bearer feed-token' })->{status}, 405, 'HEAD would take events that nobody sees');

for ([ { ids => [] }, '/group' ], [ { group => 'a' }, '' ], [ { group => 'a', ids => [], id => 'x' }, '' ], [ { group => 'a', ids => [ 'x' ] }, '/ids' ],
    [ { group => 'a', id => 'QS0x' }, '/id' ], [ { group => 'a', ids => [ ('x') x 257 ] }, '/ids' ],
    [ { group => 'a', ids => [], retry_after => -1 }, '/retry_after' ], [ { group => 'a', ids => [], retry_after => 604801 }, '/retry_after' ],
    [ { group => 'a', ids => [], retry_after => 1, park => JSON::PP::true }, '/retry_after' ])
{
    my $r = mark('ack', %{$_->[0]});
    is("$r->{status} " . ($r->{json}{errors}[0]{pointer} // ''), "422 $_->[1]", 'ack refuses ' . substr encode_json($_->[0]), 0, 60);
}


# handed out: all that happened, in order within an order, as the journal has it

$t->file('A-1', state => 'held');
$t->api('POST', 'orders/A-1/release');
my $link = $t->mint('A-1');
$t->confirm($link);
$t->file("A-$_") for 2 .. 20;

my @events = taken('group=one&from=start&consumer=c-1&count=256');
my @a1 = grep { $_->{order} eq 'A-1' } @events;

is(join(' ', map { $_->{event} } @a1), $t->events('A-1'), 'the events of an order, in their order');
is(scalar(grep { $_->{event} eq 'filed' } @events), 21, 'of all orders');
unlike(encode_json(\@events), qr/XK7QX|ann\@|127\.0\.0\.1|eyJ/, 'without keys, addresses and links');

my %members = map { $_->{n} => $_ } @{$t->journal('A-1')->{entries}};
my @personal = qw(ip user_agent accept_language challenge consent consent_product policy name note);

for (@a1) {
    my %entry = %{$members{$_->{n}}};
    delete @entry{@personal};
    my %event = %$_;
    is(join(' ', delete $event{attempt}, length(delete $event{id}) > 20, (delete $event{head}) =~ /^$_->{n}:[\w-]{43}$/), '1 1 1', "$_->{event}: attempt, id, head");
    is_deeply(\%event, \%entry, 'and the clear members of its entry');
}

my ($head) = $t->read('access.log') =~ /event=viewed outcome=done order=A-1 .*head=(\S+)/;
is((grep { $_->{event} eq 'viewed' } @a1)[0]{head}, $head, 'the head is that of the access log');

is(scalar taken('group=one'), 0, 'what was handed out is not handed out again at once');
is(scalar taken('group=two&from=start&count=256'), scalar @events, 'another group gets all');


# acknowledged, or again after idle

is(ack('one', @a1)->{body}, encode_json({ acknowledged => scalar @a1 }) . "\n", 'acknowledged');
is(ack('one', @a1)->{body}, qq({"acknowledged":0}\n), 'an id that is not known any more is no error');
is(mark('ack', group => 'one', id => encode_base64url('nobody:1:filed:12345678'))->{body}, qq({"acknowledged":0}\n), 'nor one that never was');
is(mark('ack', group => 'nobody', id => $a1[0]{id})->{body}, qq({"acknowledged":0}\n), 'nor a group that is not there');

my ($first) = taken('group=again&from=start&count=1&idle=1s');
my @again;
ok(wait_for(sub { @again = grep { $_->{id} eq $first->{id} } taken('group=again&count=256&idle=60s') }, 'again'), 'an event that was not acknowledged comes again');
is($again[0]{attempt}, 2, 'as the second attempt');
is_deeply({ %{$again[0]}, attempt => 1 }, $first, 'with the same id');
ack('again', @again);
ok(wait_for(sub { !grep { $_->{group} eq 'again' && $_->{lag} } @{$t->api('GET', 'events/groups')->{json}{groups}} }, 'all read'), 'all was handed out');
drained('group=again');


# count, part, filter

is(scalar taken('group=counted&from=start&count=1'), 1, 'count=1');
is(scalar taken('group=counted&count=5'), 5, 'count=5');
is(scalar drained('group=counted&count=7'), @events - 6, 'the rest of them, whichever buckets they are in');

my %parts;
for my $part (0 .. 4) {
    push @{$parts{$_->{id}}}, $part for drained("group=parted&from=start&part=$part/5");
}
is(scalar keys %parts, scalar @events, 'the parts together have all');
is(scalar(grep { @$_ > 1 } values %parts), 0, 'and each event is in one');

is(named(drained('group=some&from=start&events=released,viewed')), 'A-1:2:released A-1:5:viewed', 'those that are wanted');
is(scalar drained('group=some'), 0, 'the others are acknowledged');


# from=now: nothing that is older than a minute

my $tag;
for my $n (1 .. 200) {
    $t->file("N-$n");
    $tag = bucket_of("N-$n");
    last if $redis->cmd('XLEN', "$tag:out") == 1;
    undef $tag;
}
$redis->cmd('DEL', "$tag:out");
$redis->cmd('XADD', "$tag:out", int(1000 * (time - 120)) . '-0', qw(o past n 1 e filed));
is(scalar(grep { $_->{order} eq 'past' } drained('group=start&from=start')), 1, 'from=start: all there is');
is(scalar(grep { $_->{order} eq 'past' } drained('group=now&from=now')), 0, 'from=now: nothing old');
is(scalar(grep { $_->{order} eq 'past' } drained('group=default')), 0, 'which is the default');
is(scalar(grep { $_->{order} eq 'past' } drained('group=now&from=start')), 0, 'a group begins once');


# a group that is lost is made again where it began, not at the end

$t->file('G-1');
$redis->cmd('XGROUP', 'DESTROY', bucket_of('G-1') . ':out', $_) for qw(now default);
is(scalar(grep { $_->{order} eq 'G-1' } drained("group=$_")), 1, "$_: an event that came before a lost group was made again") for qw(now default);
ok(!(grep { $_->{order} eq 'past' } drained('group=now')), 'and nothing old');


# delayed, parked

$t->file('P-1');
my ($p) = grep { $_->{order} eq 'P-1' } taken('group=now&count=256');
is(mark('ack', group => 'now', id => $p->{id}, retry_after => 1)->{body}, qq({"delayed":1}\n), 'put off for a second');
is((group_of('now'))[0]{delayed}, 1, 'the group says so');
is(scalar taken('group=now'), 0, 'and is not handed out');
my @later;
ok(wait_for(sub { @later = taken('group=now') }, 'it is due'), 'until it is due');
is("$later[0]{id} $later[0]{attempt}", "$p->{id} 2", 'again, and the attempts are counted');
is(mark('ack', group => 'now', id => $p->{id}, park => JSON::PP::true)->{body}, qq({"parked":1}\n), 'parked');
is(scalar taken('group=now'), 0, 'it is not handed out');
is(mark('ack', group => 'now', id => $p->{id}, retry_after => 0)->{body}, qq({"delayed":0}\n), 'nor can it be put off');
my $parked = $t->api('GET', 'events/parked?group=now', undef, token => 'feed-token')->{json};
is(named(@{$parked->{parked}}), 'P-1:1:filed', 'it is listed');
is_deeply([ @{$parked->{parked}[0]}{qw(id attempts)}, !!$parked->{parked}[0]{parked_at}, !!$parked->{more} ], [ $p->{id}, 2, !!1, !!0 ], 'with attempts and time');
is((group_of('now'))[0]{parked}, 1, 'and counted');
is(mark('unpark', group => 'now', ids => [ $p->{id} ])->{body}, qq({"unparked":1}\n), 'unparked');
is(mark('unpark', group => 'now', ids => [ $p->{id} ])->{body}, qq({"unparked":0}\n), 'once');
@later = taken('group=now');
is("$later[0]{id} $later[0]{attempt}", "$p->{id} 1", 'it is handed out, as for the first time');
ack('now', @later);

# those that are due again get at most half, and come first

drained('group=now');
$t->file("H-$_") for 1 .. 12;
my @half = taken('group=now&count=256');
mark('ack', group => 'now', id => $_->{id}, retry_after => 0) for @half;
my @due = taken('group=now&count=8');
is(scalar(grep { $_->{attempt} == 2 } @due), 4, 'if only such are left, half of count is handed out');
mark('ack', group => 'now', id => $_->{id}, retry_after => 0) for @due;
$t->file("I-$_") for 1 .. 12;
my @mixed = taken('group=now&count=8');
cmp_ok(scalar(grep { $_->{attempt} > 1 } @mixed), '<=', 4, 'at most half of those handed out were due again');
is(scalar @mixed, 8, 'others are new');
ack('now', @mixed);
is(named(@mixed, drained('group=now&count=8')), named(@half, map { { order => "I-$_", n => 1, event => 'filed' } } 1 .. 12), 'all are handed out in the end');


# what can't be proved is not handed out

sub lines { my ($mark) = @_; return () = $t->log_since($mark) =~ /\[error\].*was not handed out/g }

my $unproved = sub { $t->metric('events_unproved_total') };

for my $case ([ 'an entry that was changed', sub { my ($key, $e) = @_; substr($e->(2), -1) ^= "\1" }, 'released', 'authentic|match|forged' ],
    [ 'one behind an entry that was changed', sub { my ($key, $e) = @_; substr($e->(1), 6 + ord $e->(1), 1) ^= "\1" }, 'released', '' ],
    [ 'an entry that is missing', sub { my ($key, $e) = @_; $redis->cmd('HDEL', $key, 'e2'); return }, 'released', 'missing' ],
    [ 'an order of another type', sub { my ($key) = @_; $redis->cmd('DEL', $key); $redis->cmd('SET', $key, 'x'); return }, 'filed', '' ])
{
    my ($what, $change, $event) = @$case;
    my $id = 'U-' . ++$members{u};
    my ($was, $marked) = ($unproved->(), $t->mark);
    $t->file($id, state => 'held');
    $t->api('POST', "orders/$id/release");
    my ($key, %field) = $t->stored($redis, $id);
    my %set;
    my $entry = sub :lvalue { my ($n) = @_; $set{"e$n"} //= $field{"e$n"}; $set{"e$n"} };
    $change->($key, $entry);
    $redis->cmd('HSET', $key, %set) if %set;
    my @got = grep { $_->{order} eq $id } drained('group=now');
    ok(!(grep { $_->{event} eq $event } @got), "not handed out: $what");
    cmp_ok($unproved->(), '>', $was, 'it is counted');
    like($t->log_since($marked), qr/\[error\].*event \d of order "$id" was not handed out to group "now": .*; it is parked/, 'and logged');
    my @left;
    ok(wait_for(sub { @left = grep { $_->{order} eq $id } @{$t->api('GET', 'events/parked?group=now')->{json}{parked}}; @got + @left == 2 }, 'parked'), 'and parked')
        or diag($t->api('GET', 'events/parked?group=now')->{body});

    # once the order is as it was, it can be handed out

    $redis->cmd('DEL', $key);
    $redis->cmd('HSET', $key, %field);
    mark('unpark', group => 'now', ids => [ map { $_->{id} } @left ]);
    my @all = grep { $_->{order} eq $id } (@got, drained('group=now'));
    my %ids = map { $_->{event} => 1 } @all;
    is(join(' ', sort keys %ids), 'filed released', 'restored and unparked, it is handed out') or diag(named(@all));
}

# a pointer to what was never committed, or is none, is passed over

my $at = bucket_of('A-2');
my $was = $unproved->();
$redis->cmd('XADD', "$at:out", '*', @$_) for [ qw(o A-2 n 7 e released) ], [ qw(o A-2 n x e released) ], [ qw(o A-2) ], [ qw(a b) ], [ 'o', 'A/2', 'n', 1, 'e', 'filed' ],
    [ 'o', 'A-2', 'n', 1, 'e', "fi\nled" ], [ qw(o A-2 n 1 e released) ];
is(named(drained('group=now')), '', 'pointers to nothing are passed over');
is($unproved->(), $was, 'without a word');
$redis->cmd('XADD', "$at:out", '*', qw(o A-2 n 1 e filed));
my ($twice) = drained('group=now');
is($twice->{id}, (grep { $_->{order} eq 'A-2' } @events)[0]{id}, 'two pointers to one entry have one id');

# what is erased, or has expired, is told

$t->file($_) for qw(E-1 E-2);
$t->api('DELETE', 'orders/E-1');
$redis->cmd('DEL', ($t->stored($redis, 'E-2'))[0]);
my @gone = grep { $_->{order} =~ /^E/ } drained('group=now');
is(named(@gone), 'E-1:1:filed E-1:2:erased E-2:1:filed', 'events of orders that are gone are handed out');
is_deeply([ map { my %e = %$_; delete @e{qw(id attempt)}; \%e } grep { $_->{order} eq 'E-2' } @gone ],
    [ { order => 'E-2', n => 1, event => 'filed', erased => JSON::PP::true } ], 'with what is left of them');
is_deeply([ map { "$_->{n}" . ($_->{erased} ? ' erased' : " $_->{head}" =~ s/:.*//r) } sort { $a->{n} <=> $b->{n} } grep { $_->{order} eq 'E-1' } @gone ],
    [ '1 erased', '2 2' ], 'the erasure itself is proved');
is($unproved->(), $was, 'none of this is unproved');

# an entry whose key another edge has

my ($u) = map { $t->file("K-$_"); "K-$_" } 1;
my ($key, %field) = $t->stored($redis, $u);
my ($len) = unpack 'C', $field{e1};
$redis->cmd('HSET', $key, 'e1', substr($field{e1}, 0, 1) . 'z' x $len . substr $field{e1}, 1 + $len);
is(scalar taken('group=now&idle=1s'), 0, 'an entry of an unknown key is not handed out');
like($t->read('error.log'), qr/"$u".*its journal key is not in the keyring; it is tried again/, 'the log says why');
$redis->cmd('HSET', $key, %field);
ok(wait_for(sub { grep { $_->{order} eq $u } drained('group=now') }, 'it comes'), 'with the key it comes by itself');


# waiting

my $start = time;
is(scalar taken('group=now&wait=1s'), 0, 'nothing comes');
cmp_ok(time - $start, '>=', 0.9, 'after a second');

# it asks by itself half a second after it began at the earliest

my ($woken, @waited);
for my $try (1 .. 10) {
    my $later = child(sub { sleep 0.1; $t->file("W-1-$try") });
    $start = time;
    @waited = taken('group=now&wait=20s');
    $woken = time - $start;
    waitpid $later, 0;
    is(named(@waited), "W-1-$try:1:filed", 'a commit ends the wait, with its event');
    ack('now', @waited);
    last if $woken < 0.45;
}
cmp_ok($woken, '<', 0.45, 'one of this edge at once');

# all who wait share what asks Redis

my @sockets = map { my $s = Mpk::Http::connection($t->port('edge')); print $s Mpk::Http::text('GET', '/mpk/v1/events?group=now&wait=20s',
    headers => { Authorization => 'Bearer feed-token' }); $s->flush; $s } 1 .. 64;

ok(wait_for(sub { events('group=now&wait=1s')->{status} == 429 }, '429'), 'only so many may wait');
my $crowd = events('group=now&wait=1s');
is("$crowd->{status} $crowd->{headers}{'retry-after'} $crowd->{json}{type}", '429 1 urn:mpk:limited', 'another reads when to come again');
is(events('group=now')->{status}, 200, 'who does not wait is answered');

$redis->cmd('CONFIG', 'RESETSTAT');
sleep 1;
my $calls = $redis->calls('evalsha');
cmp_ok($calls, '<=', 4 * 64, '64 who wait cost as much as one');
cmp_ok($calls, '>=', 64, 'which asks all buckets');
note("64 idle consumers of a group: $calls EVALSHA in a second");
is($redis->clients, 1, 'on the connection that there is');

# those who go away leave nothing behind

close $_ for splice @sockets, 0, 60;
ok(wait_for(sub { events('group=now&wait=1s')->{status} == 200 }, 'room'), 'a client that goes away makes room');
$t->file('W-2');
my ($ready) = IO::Select->new(@sockets)->can_read(10);
my @others = @{decode_json(Mpk::Http::response($ready, 10)->{body})->{events}};
is(named(@others), 'W-2:1:filed', 'one of them with the event');
ack('now', @others);
close $_ for @sockets;

# a reload answers who waits

my $waiting = Mpk::Http::connection($t->port('edge'));
print $waiting Mpk::Http::text('GET', '/mpk/v1/events?group=now&wait=60s', headers => { Authorization => 'Bearer feed-token' });
$waiting->flush;
sleep 0.3;
ok(quick(sub { $t->reload or die 'no reload' }) < 30, 'a reload does not wait for who waits');
my $answer = Mpk::Http::response($waiting, 10);
is("$answer->{status} $answer->{body}", qq(200 {"events":[]}\n), 'who gets an answer');


# groups, and their metrics

$t->file("M-$_") for 1 .. 3;
my @m = taken('group=two&count=256');
my ($two) = group_of('two');
is_deeply([ @$two{qw(lag delayed parked)} ], [ 0, 0, 0 ], 'two: all was handed out');
cmp_ok($two->{pending}, '>=', @events + 3, 'and nothing acknowledged');
cmp_ok($two->{oldest_seconds}, '>', 0, 'since then');
ok(wait_for(sub { $t->get('/metrics')->{body} =~ /^mpk_group_pending\{group="two"\} $two->{pending}$/m }, 'the metric', 80), 'as the metrics say');
like($t->get('/metrics')->{body}, qr/^mpk_group_$_\{group="two"\} \d+$/m, "and $_") for qw(lag delayed parked oldest_seconds);
is_deeply([ map { $_->{group} } @{decode_json($t->get('/status')->{body})->{groups}} ], [ sort map { $_->{group} } @{$t->api('GET', 'events/groups')->{json}{groups}} ],
    'and JSON');
drained('group=two&idle=1s');

my %have = map { $_->{group} => 1 } @{$t->api('GET', 'events/groups')->{json}{groups}};
my $room = 16 - keys %have;
is(join(' ', map { events("group=g-$_")->{status} } 1 .. $room), join(' ', (200) x $room), 'there may be 16 groups');
my $full = events('group=g-more');
is("$full->{status} $full->{json}{errors}[0]{pointer}", '422 ?group', 'and no more');
is(events('group=now')->{status}, 200, 'those that are there work');


# after FLUSHALL a group begins where it began

$redis->cmd('FLUSHALL');
$t->file('F-1');
is(named(drained('group=now')), 'F-1:1:filed', 'after FLUSHALL nothing that comes is lost');

# one consumer, as fast as it can

my $many = 1500;
my $lines = join '', map { encode_json({ %{$t->order}, order => "B-$_" }) . "\n" } 1 .. $many;
is($t->api('POST', 'orders', $lines, headers => { 'Content-Type' => 'application/x-ndjson' })->{status}, 200, "$many orders");
$start = time;
is(scalar(drained('group=now&count=256')), $many, 'their events');
note(sprintf 'one consumer: %d events a second, with the time that this client takes', $many / (time - $start));

# Redis away

$redis->stop('KILL');
my $away = events('group=now&wait=20s');
is("$away->{status} $away->{json}{type}", '503 urn:mpk:unavailable', 'without Redis 503') or diag($away->{body});
ok($away->{headers}{'retry-after'}, 'with Retry-After');
$redis->start;
$t->least($redis);
ok(wait_for(sub { $t->api('PUT', 'orders/F-2', $t->order)->{status} =~ /^20/ }, 'Redis'), 'Redis is back');
ok(wait_for(sub { grep { $_->{order} eq 'F-2' } drained('group=now') }, 'the feed'), 'and so is the feed');

$t->finish(alerts => qr{api-tokens:8: a line must be});
