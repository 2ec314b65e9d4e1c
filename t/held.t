#!/usr/bin/perl

# Held orders are seen: their list, oldest first, how many wait and for how long; and how long
# releases take, and first views.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(ago wait_for);
use Mpk::Clock;
use Mpk::Cluster;
use Mpk::Http;
use Test::More;

my $t = Mpk->new;
my $clock = $ENV{MPK_VALGRIND} ? undef : Mpk::Clock->new($t, 'redis', 0);
my $redis = $t->redis($clock ? (clock => $clock) : ());
my $h2 = $t->port('h2');
my $json = JSON::PP->new->utf8;

$t->conf(redis => $t->least($redis), server => "listen 127.0.0.1:$h2 http2;", location => <<'CONF')->start;
        location = /track { mpk_track on; }
        location = /metrics { mpk_status prometheus; }
        location = /status { mpk_status json; }
CONF

my $dispute = { reason => 'dispute', note => 'A chargeback' };

sub held { return $t->api('GET', 'orders?state=held' . ($_[0] // ''), undef, @_[1 .. $#_]) }
sub listed { return join ' ', map { $_->{order} } @{held()->{json}{orders}} }
sub list { return Mpk::Cluster::tag($_[0]) =~ s/^\{?(..)\}?$/mpk:{$1}:held/r }
sub done { my ($what, $id, $body) = @_; my $r = $t->api('POST', "orders/$id/$what", $body // {}); $r->{status} == 200 or die "$what $id: $r->{status} $r->{body}" }

# read_now(order): a commit in its bucket, whose lists are read for the metrics then, and not when it is the bucket's turn
my $other = 0;
sub read_now {
    my ($id) = @_;
    my $tag = Mpk::Cluster::tag($id);
    1 until Mpk::Cluster::tag('O-' . ++$other) eq $tag;
    $t->file("O-$other", state => 'held');
    done('release', "O-$other");
}


# the list

my $r = held();
is_deeply([ $r->{status}, $r->{json} ], [ 200, { orders => [], next => undef } ], 'there is nothing to release');
$t->file("H-$_", state => 'held', $_ == 3 ? (email => 'bob@example.com') : ()) for 1 .. 6;
$t->file('R-1', state => 'ready');
$t->file('S-1');
done('suspend', 'S-1', $dispute);
is(listed(), 'H-1 H-2 H-3 H-4 H-5 H-6', 'held orders are listed, oldest first, and no others');
is($t->api('GET', 'orders?state=suspended')->{json}{orders}[0]{order}, 'S-1', 'nor are they on the list of suspended ones');
$t->file('H-1', state => 'held');
is(listed(), 'H-1 H-2 H-3 H-4 H-5 H-6', 'R10: one that is filed again stays where it was');

my $first = held('&limit=1')->{json}{orders}[0];
is_deeply([ sort keys %$first ], [ qw(email filed_at order purchased_at state) ], 'with what is needed to look into it');
is("$first->{order} $first->{state} $first->{email}", 'H-1 held ann@example.com', 'each with its own');
is(held()->{json}{orders}[2]{email}, 'bob@example.com', 'email, too');

my ($after, @pages) = ('');
do {
    $r = held("&limit=4$after")->{json};
    push @pages, join ' ', map { $_->{order} } @{$r->{orders}};
    $after = '&after=' . ($r->{next} // '');
} while ($r->{next});
is(join(' | ', @pages), 'H-1 H-2 H-3 H-4 | H-5 H-6', 'in pages, each once');

is(held('', token => $_->[0])->{status}, $_->[1], "for the role $_->[2]") for [ 'shop-token', 200, 'shop' ], [ 'support-token', 200, 'support' ], [ 'read-token', 403, 'read: no' ];
is($t->api('GET', "orders$_->[0]")->{json}{errors}[0]{pointer}, $_->[1], "orders$_->[0] is refused")
    for [ '', '?state' ], [ '?state=', '?state' ], [ '?state=ready', '?state' ], [ '?state=hel', '?state' ], [ '?state=held&limit=0', '?limit' ], [ '?state=held&after=x', '?after' ];
$r = Mpk::Http::h2($h2, 'GET', '/mpk/v1/orders?state=held', headers => { authorization => "Bearer $t->{token}" });
is_deeply($json->decode($r->{body}), held()->{json}, 'over HTTP/2 it is the same');

# a line of a file

$r = $t->api('POST', 'orders', join("\n", map { $json->encode({ %{$t->order}, order => "N-$_", state => $_ == 1 ? 'held' : 'ready' }) } 1, 2), headers => { 'Content-Type' => 'application/x-ndjson' });
is(listed(), 'H-1 H-2 H-3 H-4 H-5 H-6 N-1', 'one that a file of orders has is listed, too');

# what leaves it

done('release', 'H-2');
done('cancel', 'H-3', { reason => 'fraud' });
$t->api('DELETE', 'orders/H-4');
is(listed(), 'H-1 H-5 H-6 N-1', 'a released, a cancelled and an erased order leave the list');
done('release', 'H-2');
is(listed(), 'H-1 H-5 H-6 N-1', 'R10: released again, it does not return');

$redis->cmd('DEL', ($t->stored($redis, 'H-5'))[0]);
is(listed(), 'H-1 H-6 N-1', 'one that has expired is not listed');
ok(wait_for(sub { !grep { $_ eq 'H-5' } @{$redis->cmd('ZRANGE', list('H-5'), 0, -1)} }, 'it is dropped'), 'and the list forgets it');

$redis->cmd('DEL', ($t->stored($redis, 'H-6'))[0]);
$t->file('H-6', state => 'ready');
is(listed(), 'H-1 N-1', 'nor is one that was filed anew as ready');
ok(wait_for(sub { !grep { $_ eq 'H-6' } @{$redis->cmd('ZRANGE', list('H-6'), 0, -1)} }, 'it is dropped'), 'and the list forgets it');

# before the upgrade

$redis->cmd('ZREM', list('N-1'), 'N-1');
is(listed(), 'H-1', 'an order that another release has filed is not on the list');
done('release', 'N-1');
is(listed(), 'H-1', 'it is released all the same');


# metrics

ok(wait_for(sub { $t->metric('held_orders') == 1 }, 'the metric'), 'metrics say how many are held');
$redis->cmd('ZADD', list('H-1'), int((time - 3 * 86400) * 1000), 'H-1');
read_now('H-1');
my $old = sub { my $n = $t->metric('held_oldest_seconds'); return $n >= 3 * 86400 && $n < 3 * 86400 + 60 };
ok(wait_for($old, 'the metric', 80), 'and for how long the oldest has been');
my $status = $json->decode($t->get('/status')->{body});
ok($status->{held_orders} == 1 && $status->{held_oldest_seconds} >= 3 * 86400 && $status->{suspended_orders} == 1, 'as JSON, too');
done('release', 'H-1');
ok(wait_for(sub { $t->metric('held_oldest_seconds') == 0 && $t->metric('held_orders') == 0 }, 'the metric'), 'one that is released is no longer counted');


# how long it takes

# histogram(name): the count of each bucket by itself, and their sum
sub histogram {
    my ($name) = @_;
    my $body = $t->get('/metrics')->{body};
    my ($last, %h) = (0);
    while ($body =~ /^mpk_order_${name}_seconds_bucket\{le="([^"]+)"\} (\d+)$/mg) {
        $h{$1} = $2 - $last if $2 > $last;
        $last = $2;
    }
    my ($sum) = $body =~ /^mpk_order_${name}_seconds_sum (\d+)$/m;
    my ($count) = $body =~ /^mpk_order_${name}_seconds_count (\d+)$/m;
    is($count, $last, "$name: the last bucket holds all");
    my $j = $json->decode($t->get('/status')->{body})->{"order_$name"};
    is_deeply([ $j->{count}, $j->{seconds} ], [ $count, $sum ], "$name: as JSON, too");
    return { %h, sum => $sum };
}

my @bounds = (60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 345600, 604800, 1209600, '+Inf');
for my $name (qw(release first_view)) {
    is(join(' ', $t->get('/metrics')->{body} =~ /^mpk_order_${name}_seconds_bucket\{le="([^"]+)"\}/mg), "@bounds", "$name: from a minute to two weeks");
}

my %before = map { $_ => histogram($_) } qw(release first_view);
is_deeply({ map { $_ => $before{release}{$_} } grep { $_ ne 'sum' } keys %{$before{release}} }, { 60 => 4 }, 'each release is counted once');
is_deeply({ map { $_ => $before{first_view}{$_} } grep { $_ ne 'sum' } keys %{$before{first_view}} }, {}, 'no first view yet');

# once more, and what is refused

done('release', 'H-1');
is($t->api('POST', 'orders/S-1/release')->{status}, 200, 'a ready order is released');
is($t->api('POST', 'orders/H-3/release')->{status}, 409, 'a cancelled one is not');
is_deeply(histogram('release'), $before{release}, 'neither is counted');

my $link = $t->mint('H-1');
my $nonce = $t->nonce($link);
is($t->confirm($link, nonce => $nonce, email => 'bob@example.com')->{status}, 422, 'a view that is refused');
is($t->confirm($link, nonce => $nonce)->{status}, 200, 'a first view');
$t->confirm($link, nonce => $nonce);
$t->confirm($t->mint('H-1'));
$t->confirm($t->link('I-1', imported => JSON::PP::true, purchased_at => ago(3 * 86400), delivered_at => ago(2 * 86400)));
$t->confirm($t->link('I-2', imported => JSON::PP::true, purchased_at => ago(3 * 86400)));
ok(wait_for(sub { ($t->metric('order_first_view_seconds_count') // 0) >= 1 }, 'it is counted'), 'is counted');
my $seen = histogram('first_view');
delete $seen->{sum};
is_deeply($seen, { 60 => 1 }, 'once: no repeat, no second view, and none of an imported order');
done('release', $t->file('I-3', imported => JSON::PP::true, state => 'held'));
is_deeply(histogram('release'), $before{release}, 'nor the release of one');

# hours, by the clock of Redis

SKIP: {
    skip 'valgrind has a clock of its own', 13 unless $clock;

    $t->file('L-1', state => 'held');
    $t->file('L-2');
    my ($released, $viewed) = map { histogram($_) } qw(release first_view);
    my $hours = 3 * 3600;
    my $took = sub { my ($now, $was) = @_; return $now->{14400} == 1 && $now->{sum} - $was->{sum} >= $hours - 5 && $now->{sum} - $was->{sum} < $hours + 60 };

    $clock->set($hours);
    wait_for(sub { $t->get('/metrics')->{body} =~ /^mpk_clock_skew_seconds\{[^}]*\} -(\d+)$/m && abs($1 - $hours) <= 2 }, 'the clock', 30) or die 'no clock';

    done('release', 'L-1');
    ok($took->(histogram('release'), $released), 'three hours until a release lie in their bucket, and in the sum');
    is($t->confirm($t->mint('L-2'))->{status}, 200, 'a view of an order that was filed as ready');
    $t->confirm($t->mint('L-1'));
    ok(wait_for(sub { ($t->metric('order_first_view_seconds_count') // 0) == 3 }, 'it is counted'), 'is counted');
    my $now = histogram('first_view');
    ok($took->($now, $viewed), 'since then');
    is($now->{60}, 2, 'one that was held is, since its release');
}

$t->finish;
