#!/usr/bin/perl

# Redis Cluster: an order is found wherever its slot is, and goes; a node that dies, hangs,
# comes or leaves costs its own orders a moment, and nobody a reload.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(child);
use Mpk::Cluster;
use Mpk::Load;
use Mpk::Tls;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 3 : 1;
my $key = qr/XK7QX/;
my $t = Mpk->new;
my $dir = $t->dir;
my $cluster;

my $location = 'location = /track { mpk_track on; mpk_track_limit address=100000 order=100000; } location /claim/ { mpk_claim on; }
    location = /metrics { mpk_status prometheus; }';

sub serve {
    my ($url, %conf) = @_;
    ok($t->quit, 'nginx ends') if $t->{nginx};
    $t->conf(workers => 2, listen => 'reuseport', redis => $url, location => $location, %conf)->start;
}

sub status { return $t->api('GET', "orders/$_[0]")->{status} }
sub filed { my ($id) = @_; wait_for(sub { $t->api('PUT', "orders/$id", $t->order)->{status} =~ /^20[01]$/ }, "$id is filed", 20) }
# steady(masters): commits to each succeed so often in a row that all workers had their turn,
# which reuseport sees to: of those who share a socket the kernel wakes one in long runs

my $steadied = 0;

sub steady {
    my (@masters) = @_;
    return wait_for(sub {
        $steadied++;
        for my $master (@masters) {
            for my $order ($cluster->orders("Y$steadied", 8, $master)) {
                return 0 if $t->api('PUT', "orders/$order", $t->order)->{status} != 201;
            }
        }
        return 1;
    }, 'commits are taken', 20);
}

sub log_has { my ($what, $name) = @_; ok($t->logged($what), $name) }


# the tags

{
    my @tags = Mpk::Cluster::tags();
    my @slots = map { Mpk::Cluster::slot_of_tag($_) } @tags;
    is(Mpk::Cluster::crc16('123456789'), 0x31c3, 'CRC16 as the Cluster has it');
    is(scalar(keys %{{ map { $_ => 1 } @slots }}), 64, '64 tags, each in a slot of its own');

    for ([ 3, 21, 22 ], [ 6, 10, 11 ], [ 16, 4, 4 ], [ 64, 1, 1 ]) {
        my ($masters, $least, $most) = @$_;
        my @count = (0) x $masters;
        for my $slot (@slots) {
            my ($of) = grep { int($_ * 16384 / $masters) <= $slot && $slot < int(($_ + 1) * 16384 / $masters) } 0 .. $masters - 1;
            $count[$of]++;
        }
        @count = sort { $a <=> $b } @count;
        is("$count[0] to $count[-1]", "$least to $most", "$masters masters have $least to $most buckets each");
    }
}


# what nginx -t refuses

for (
    [ 'a cluster without nodes', 'redis+cluster://', qr/redis\+cluster/ ],
    [ 'a list with nothing in it', 'redis+cluster://127.0.0.1:7000,,127.0.0.1:7001', qr/host/ ],
    [ 'a list that ends with a comma', 'redis+cluster://127.0.0.1:7000,', qr/host/ ],
    [ 'a bad port in a list', 'redis+cluster://127.0.0.1:7000,127.0.0.1:70000', qr/port/ ],
    [ 'a database of a cluster', 'redis+cluster://127.0.0.1:7000/1', qr/database/ ],
    [ 'a user in the URL of a cluster', 'redis+cluster://mpk:hunter2@127.0.0.1:7000', qr/password_file/ ],
    [ 'a scheme that is none', 'redis+clusters://127.0.0.1:7000', qr/redis\+cluster/ ],
    [ 'TLS without tls_ca', 'rediss+cluster://127.0.0.1:7000', qr/tls_ca/ ],
    [ 'tls_ca without TLS', "redis+cluster://127.0.0.1:7000 tls_ca=$dir/ca.pem", qr/rediss/ ],
    [ 'a Sentinel\'s password without Sentinels', "redis+cluster://127.0.0.1:7000 sentinel_password_file=$dir/none", qr/redis\+sentinel/ ],
    [ 'a name that does not resolve', 'redis+cluster://127.0.0.1:7000,no-such-host.invalid:7000', qr/no-such-host/ ],
) {
    my ($name, $redis, $text) = @$_;
    $t->conf(redis => $redis);
    my ($good, $out) = $t->check;
    ok(!$good && $out =~ $text && $out =~ /mpk_redis/ && $out =~ /nginx\.conf:\d+/, "$name is refused, with file, line and reason")
        or diag($out);
    unlike($out, qr/hunter2/, 'and without the password');
}

for my $redis ('redis+cluster://127.0.0.1', 'redis+cluster://127.0.0.1:7000,[::1]:7001,localhost', 'redis+cluster://127.0.0.1:7000/0',
    'redis+cluster://127.0.0.1:7000 timeout=2s connections=2 durability=replicas=1')
{
    $t->conf(redis => $redis);
    my ($good, $out) = $t->check;
    ok($good, "$redis is accepted") or diag($out);
}


my $start = time;
$cluster = Mpk::Cluster->new($t);
note(sprintf 'six nodes in %.2f s', time - $start);


# every seed but one is dead, and that one is a replica

my ($replica) = $cluster->replicas(($cluster->masters)[0]);
serve($cluster->url($t->port('dead1'), $t->port('dead2'), $replica) . ' timeout=2s');
$start = time;
ok(wait_for(sub { status('nobody') == 404 }, 'service', 10 * $slow), 'all seeds but one are dead, that one is a replica: it serves');
note(sprintf 'after %.2f s', time - $start);

my @masters = $cluster->masters;
my @each = map { ($cluster->orders("A$_", 1, $masters[$_]))[0] } 0 .. 2;

for my $order (@each) {
    is($t->confirm($t->link($order))->{status}, 200, "a reveal of an order on " . $cluster->master_of($order)->{name});
}

sub connections { my $c = $cluster->connections; return join ' ', map { "$_:$c->{$_}" } sort keys %$c }

my $each = join ' ', map { my $n = $_; "$n->{name}:" . ((grep { $_ == $n } @masters) ? 2 : 0) } @{$cluster->{nodes}};
wait_for(sub { connections() eq $each }, undef, 3 * $slow);
is(connections(), $each, 'each of two workers has one connection to each master, and none to replicas');


ok($t->reload, 'a reload') for 1, 2;
wait_for(sub { connections() eq $each }, undef, 3 * $slow);
is(connections(), $each, 'reloads leave no connection behind');
my @workers = $t->workers;


# claims of all buckets

for my $order (@each) {
    my $r = $t->track($order);
    my ($path) = decode_json($r->{body})->{claim_url} =~ m{^http://127\.0\.0\.1:\d+(/.*)};
    $r = $t->post($path, { name => 'Ann', email => 'ann@example.com', order => $order, category => 'not_accepted',
        key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', description => 'It says no.' }, headers => { Accept => 'application/json' });
    is($r->{status}, 201, "a claim of $order");
}

my $claims = $t->api('GET', 'claims?state=open')->{json}{claims} // [];
is(join(' ', map { $_->{order} } @$claims), "@each", 'open claims of all masters are listed, oldest first');
is(join(' ', $cluster->stray), '', 'no key lies outside its order\'s slot');


# a client that asks all the time, by itself, and files more into the same slot; how often it was
# told what

my $watched = 0;

sub watched {
    my ($slot, $orders, $do) = @_;
    my @more = grep { Mpk::Cluster::slot($_) == $slot } map { 'W-' . ++$watched . "-$_" } 1 .. 5000;
    my $end = "$dir/watched.end";
    unlink $end, "$dir/watched";
    my $parent = $$;
    my $pid = child(sub {
        open my $out, '>', "$dir/watched";
        $out->autoflush(1);
        my $n = 0;
        until (-e $end || getppid != $parent) {
            my $r = eval { $t->api('GET', 'orders/' . $orders->[$n % @$orders]) } // { status => 0 };
            print $out "GET-$r->{status}\n";
            $r = eval { $t->api('PUT', 'orders/' . $more[$n++ % @more], $t->order) } // { status => 0 };
            print $out 'PUT-', $r->{status} == 201 ? 200 : $r->{status}, "\n";
        }
    });

    my $many = sub { wait_for(sub { -e "$dir/watched" && 10 < (() = $t->read('watched') =~ /\n/g) }, 'what the client was told') };
    my $good = eval { $many->(); $do->(); 1 };
    my $why = $@;
    $t->write('watched.end', '');
    waitpid $pid, 0;
    die $why unless $good;

    my %told;
    $told{$_}++ for split /\n/, $t->read('watched');
    return join ', ', map { "$_ x $told{$_}" } sort keys %told;
}

sub only_good {
    my ($told, $name) = @_;
    like($told, qr/^GET-200 x \d+, PUT-200 x \d+$/, $name);
    note($told);
}


# slots that move

my $order = $each[0];
my $slot = Mpk::Cluster::slot($order);
my ($from, $to) = ($cluster->owner($slot), $masters[1]);

only_good(watched($slot, [ $order ], sub {
    for my $round (1 .. 6) {
        $cluster->migrate($slot, $from, $to);
        is(status($order), 200, 'a slot has moved: its order is found') or last;
        is($t->confirm($t->mint($order))->{status}, 200, 'and its keys are shown at once') or last;
        $cluster->agreed($slot, $to);
        ($from, $to) = ($to, $from);
    }
}), 'a slot moves to and fro: a client is never refused');

is($t->journal($order)->{verdict}, 'intact', 'I3: its journal is intact');


# a slot that has moved by half: the hashes of some orders are here, the outbox and others there

my @half = grep { Mpk::Cluster::slot($_) == $slot } map { "H-$_" } 1 .. 800;
splice @half, 7;
my $new = pop @half;
my (%link, %nonce);
$t->file($_, email => "$_\@example.com") for @half[2 .. 5];
for (@half[0, 1]) {
    $link{$_} = $t->link($_);
    $nonce{$_} = $t->nonce($link{$_});
}

my $tag = Mpk::Cluster::tag($order);
sub errors { my ($node, $name) = @_; return ($node->info('errorstats')->{"errorstat_$name"} // '') =~ /count=(\d+)/ ? $1 : 0 }
sub tryagains { return errors($_[0], 'TRYAGAIN') }
sub redirects { my $n = 0; $n += errors($_, 'ASK') + errors($_, 'MOVED') for @masters; return $n }
sub followed { return $t->metric('redis_redirects_total') }

for my $first ('the outbox stays', 'the outbox moves first') {
    my @moved = $first =~ /stays/ ? map { "mpk:{$tag}:o:$_" } @half[0, 2, 3] : ("mpk:{$tag}:out");
    my $who = $half[$first =~ /stays/ ? 0 : 1];

    $cluster->begin($slot, $from, $to);
    $cluster->move($from, $to, @moved);

    my ($redirects, $followed) = (redirects(), followed());
    is(join(' ', map { my $r = $t->api('GET', "orders/$_"); "$r->{status} " . ($r->{json}{email} // '') } @half[2 .. 5]),
        join(' ', map { "200 $_\@example.com" } @half[2 .. 5]), "$first: orders on both sides are read");
    cmp_ok(redirects(), '>=', $redirects + ($first =~ /stays/ ? 2 : 0), 'where ASK says');
    ok(wait_for(sub { followed() - $followed == redirects() - $redirects }, 'the count'), 'which mpk_status counts');     # the edge's own among them
    is(status("$new-none"), 404, 'and what is on neither is not found') if Mpk::Cluster::slot("$new-none") == $slot;
    is(status($new), 404, 'an order that is on neither side is not found');
    is($t->journal($half[2])->{verdict}, 'intact', 'an order and its outbox on two sides are read');

    my ($here, $there) = map { tryagains($_) } $from, $to;
    my $s = $t->confirming($link{$who}, $nonce{$who});
    ok(wait_for(sub { tryagains($from) + tryagains($to) > $here + $there + 8 }, 'TRYAGAIN', 5),
        'a commit that needs both sides is tried again');

    $cluster->settle($slot, $from, $to);
    my $r = Mpk::Http::response($s);
    is($r->{status}, 200, 'and done once the slot has moved');
    like($r->{body}, $key, 'with the key');
    is($t->events($who), 'filed link_minted opened viewed', 'I3: once');

    $cluster->agreed($slot, $to);
    ($from, $to) = ($to, $from);
}


# a new order while its bucket's outbox is there already: the old side says ASK, the new one TRYAGAIN

$cluster->begin($slot, $from, $to);
$cluster->move($from, $to, "mpk:{$tag}:out");
{
    my $there = tryagains($to);
    my $s = Mpk::Http::connection($t->port('edge'));
    print $s Mpk::Http::text('PUT', "/mpk/v1/orders/$new", headers => { Authorization => 'Bearer secret-token',
        'Content-Type' => 'application/json' }, body => JSON::PP->new->encode($t->order));
    $s->flush;
    ok(wait_for(sub { tryagains($to) >= $there + 10 }, 'TRYAGAIN', 1.5), 'a new order is tried again where its outbox is');
    $cluster->settle($slot, $from, $to);
    is(Mpk::Http::response($s)->{status}, 201, 'and filed once the slot has moved');
    $cluster->agreed($slot, $to);
    ($from, $to) = ($to, $from);
}


# one that does not get on

$link{$half[4]} = $t->mint($half[4]);
$cluster->begin($slot, $from, $to);
$cluster->move($from, $to, "mpk:{$tag}:out");
$start = time;
my $r = $t->api('POST', "orders/$half[5]/links");
is($r->{status}, 503, 'a slot that stays half moved: 503');
cmp_ok(time - $start, '<', 2.5 * $slow, sprintf 'after the timeout of 2 s: %.2f s', time - $start);
is($t->api('POST', "orders/$each[1]/links")->{status}, 200, 'other slots go on');
$cluster->settle($slot, $from, $to);
is($t->api('POST', "orders/$half[5]/links")->{status}, 200, 'and this one, once it has moved');
is(join(' ', $cluster->stray), '', 'no key lies outside its order\'s slot');
($from, $to) = ($to, $from);


# a seventh node comes, and leaves

my $added = $cluster->add;
only_good(watched($slot, [ $order, $half[2] ], sub {
    $start = time;
    $cluster->migrate($slot, $from, $added);
    ok(wait_for(sub { status($order); $cluster->connections->{$added->{name}} == 2 }, 'connections to the new node', 45 * $slow),
        'a node that is added is learnt by all workers');
    note(sprintf 'after %.2f s', time - $start);
    is($t->confirm($t->mint($order))->{status}, 200, 'and serves');
    $cluster->agreed($slot, $added);
}), 'a node is added: a client is never refused');

only_good(watched($slot, [ $order, $half[2] ], sub {
    $cluster->migrate($slot, $added, $from);
    $cluster->agreed($slot, $from);
    ok(wait_for(sub { status($order); $cluster->connections->{$added->{name}} == 0 }, 'the node is left', 45 * $slow),
        'a node that has no slots any longer is left by all workers');
    $cluster->remove($added);
    is($t->confirm($t->mint($order))->{status}, 200, 'its slots serve elsewhere');
}), 'it is removed: a client is never refused');

is(join(' ', $t->workers), "@workers", 'all that with the same workers');
$cluster->well;


# what loses nothing, under load

my $load = Mpk::Load->new(test => $t, name => 'L', long => 1, clients => 3, lookups => 1);
$load->back('load', 5 * $slow);

sub of_each { my ($name, @masters) = @_; return map { ($cluster->orders("$name$_", 1, $masters[$_]))[0] } 0 .. $#masters }

for my $master ($cluster->masters) {
    my ($replica) = $cluster->replicas($master);
    $start = time;
    $cluster->failover($replica);
    $load->back("CLUSTER FAILOVER of $master->{name} to $replica->{name}", 10 * $slow, $start, of_each("F-$master->{name}-", $cluster->masters));
}

# to_and_fro(buckets): their slots move, each to another master and back

sub to_and_fro {
    for my $bucket (@_) {
        my $slot = Mpk::Cluster::slot_of_tag((Mpk::Cluster::tags())[$bucket]);
        my $home = $cluster->owner($slot);
        my ($other) = grep { $_ != $home } $cluster->masters;

        for ([ $home, $other ], [ $other, $home ]) {
            $cluster->migrate($slot, @$_);
            $cluster->agreed($slot, $_->[1]);
        }
    }
}

@masters = $cluster->masters;
$start = time;
to_and_fro(0, 17, 40, 63);
$load->back('eight migrations', 5 * $slow, $start, of_each('M', @masters));

$start = time;
$_->cmd('SCRIPT', 'FLUSH') for @masters;
$load->back('SCRIPT FLUSH', 2 * $slow, $start, of_each('S', @masters));

$start = time;
$_->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') for @masters;
$load->back('CLIENT KILL', 3 * $slow, $start, of_each('K', @masters));

ok(steady(@masters), 'commits are taken by all workers');
my @full = of_each('O', @masters);
my $elsewhere = $t->link($full[1]);
my $confirmed = $t->nonce($elsewhere);
$masters[0]->cmd('CONFIG', 'SET', 'maxmemory', 1);
ok(wait_for(sub { $t->api('PUT', "orders/$full[0]", $t->order)->{status} == 503 }, '503'), 'the memory of a node is full: its orders 503');
is($t->confirm($elsewhere, nonce => $confirmed)->{status}, 200, 'and no others');
log_has(qr/OOM.*maxmemory/, 'and the log has a remedy');
$start = time;
$masters[0]->cmd('CONFIG', 'SET', 'maxmemory', 0);
$load->back('memory again', 2 * $slow, $start, @full);

$load->enough;
$load->check(15);
is(join(' ', $cluster->stray), '', 'no key lies outside its order\'s slot');


# nodes are known by another name than their address, or by none

for (
    [ 'hostname', 'by names that only they know' ],
    [ 'unknown-endpoint', 'by a port alone' ],
) {
    my ($type, $how) = @$_;
    for my $node (@{$cluster->{nodes}}) {
        $node->cmd('CONFIG', 'SET', 'cluster-announce-hostname', "$node->{name}.example");
        $node->cmd('CONFIG', 'SET', 'cluster-preferred-endpoint-type', $type);
    }
    my @known = $cluster->living;
    ok(wait_for(sub { my $told = 0; for (@known) { $told += () = $_->cmd('CLUSTER', 'NODES') =~ /,c\d\.example/g } $told == 36 }, 'names'),
        "nodes announced $how");

    serve($cluster->url . ' timeout=2s');
    ok(wait_for(sub { status('nobody') == 404 }, 'service', 5 * $slow), 'are reached');
    my ($order) = of_each("A-$type", $cluster->masters);
    $t->file($order);
    my $slot = Mpk::Cluster::slot($order);
    my ($from, $to) = ($cluster->masters)[0, 1];

    only_good(watched($slot, [ $order, @each ], sub {
        for (1, 2) {
            $cluster->migrate($slot, $from, $to);
            is($t->confirm($t->mint($order))->{status}, 200, 'and a slot that moves is followed') or last;
            $cluster->agreed($slot, $to);
            ($from, $to) = ($to, $from);
        }
    }), 'a client is never refused');
}

$_->cmd('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'ip') for @{$cluster->{nodes}};


# masters that die and hang, under load, with a replica that has it all

serve($cluster->url . ' timeout=2s durability=replicas=1');
$load = Mpk::Load->new(test => $t, name => 'D', clients => 3, lookups => 1);
$load->back('load', 5 * $slow, undef, of_each('DB', $cluster->masters));
my $c = $cluster->connections;
cmp_ok((sort { $b <=> $a } values %$c)[0], '<=', 4, 'with durability a worker has two connections to a node at most');
is(join(' ', map { $_->calls('wait') > 0 ? 1 : 0 } $cluster->masters), '1 1 1', 'commits wait for replicas on each of them');

$start = time;
to_and_fro(1, 18, 41, 62);
$load->back('eight migrations', 5 * $slow, $start, of_each('DM', $cluster->masters));

for my $how (qw(kill pause)) {
    my $what = $how eq 'kill' ? 'SIGKILL' : 'SIGSTOP';

    for my $round (0, 1) {
        my ($master, $other) = ($cluster->masters)[$round, 2];
        my ($replica) = $cluster->replicas($master);
        my ($mine) = $cluster->orders("D-$how-$round", 1, $master);
        my ($others) = $cluster->orders("D-$how-$round", 1, $other);

        # both workers have seen the last failover's end

        filed($_) for $mine, $others;
        ok(steady($cluster->masters), 'commits are taken, by all workers');
        $start = time;
        $cluster->$how($master);

        my $r = $t->api('POST', "orders/$others/links");
        is($r->{status}, 200, "$what of $master->{name}: orders elsewhere go on");
        is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');

        if ($how eq 'pause' && $round) {
            ok($t->reload, 'a reload while a node hangs leaves no worker behind');
            ok(wait_for(sub { status($others) == 200 }, 'reads', 5 * $slow), 'and the new workers serve');
        }

        $cluster->promoted($replica);
        my $promoted = time - $start;
        ok(wait_for(sub { status($mine) == 200 }, 'reads', 20 * $slow), sprintf '%s: read after %.2f s, its replica took over after %.2f s',
            $what, time - $start, $promoted);

        $how eq 'kill' ? $cluster->start($master) : $cluster->resume($master);
        $load->back("$what of a master", 12 * $slow, $start, $mine);
        $cluster->well;
    }
}

$load->enough;
$load->check(10);
is(join(' ', $cluster->stray), '', 'no key lies outside its order\'s slot');
is($t->api('GET', 'claims?state=open')->{json}{claims} ? scalar @{$t->api('GET', 'claims?state=open')->{json}{claims}} : 0, 3,
    'and the claims are still there');


# slots that have no master

serve($cluster->url . ' timeout=600ms');
@masters = $cluster->masters;
my ($gone) = $cluster->replicas($masters[0]);
my @orders = of_each('N', @masters);
filed($_) for @orders;

$cluster->kill($_) for $gone, $masters[0];
ok(wait_for(sub { status($orders[1]) == 503 }, 'CLUSTERDOWN'), 'a slot without a master, and all wanted: CLUSTERDOWN is 503');
log_has(qr/\[error\].*mpk_redis.*(CLUSTERDOWN|down|coverage)/, 'the log says so');
$start = time;
$_->cmd('CONFIG', 'SET', 'cluster-require-full-coverage', 'no') for $cluster->living;
ok(wait_for(sub { status($orders[1]) == 200 && status($orders[2]) == 200 }, 'others', 10 * $slow),
    'cluster-require-full-coverage no: the others serve');
note(sprintf 'after %.2f s', time - $start);
my $told = 0;
for (1 .. 20) {
    $told++ if status($orders[1]) == 200 && status($orders[2]) == 200 && status($orders[0]) == 503;
}
is($told, 20, 'all the time, and the orders of that slot are 503');
$start = time;
status($orders[0]) for 1 .. 5;
cmp_ok((time - $start) / 5, '<', 1 * $slow, sprintf 'within the timeout: %.0f ms each', (time - $start) * 200);
is($t->api('GET', 'claims?state=open')->{status}, 503, 'the claims of some buckets are not told as those of all');

$start = time;
$cluster->start($_) for $masters[0], $gone;
ok(wait_for(sub { 3 == grep { status($_) == 200 } @orders }, 'all', 20 * $slow), 'the master is back: all serve');
note(sprintf 'after %.2f s', time - $start);
$cluster->well;
ok($t->quit, 'nginx ends');

# mpk-verify reads all masters

if (!$ENV{MPK_SANITIZED}) {
    local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC)};
    delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC)};
    my $built = `make --no-print-directory TOOLS=$dir $dir/mpk-verify 2>&1`;
    my @orders = map { @{$_->cmd('KEYS', 'mpk:{??}:o:*')} } $cluster->masters;
    my @masters = $cluster->masters;
    my $out = `$dir/mpk-verify 127.0.0.1:$masters[1]{port} $dir/keyring.json 2>&1`;
    is($?, 0, 'mpk-verify finds nothing wrong in the cluster') or diag($built . $out);
    is(($out =~ /^intact (\d+)$/m)[0], scalar @orders, 'in the orders of all masters');
}

$_->stop('KILL') for @{$cluster->{nodes}};


# TLS, and a password that changes

my $certs = Mpk::Tls->new($t);
$certs->certificate('node', 'localhost', 'DNS:localhost,IP:127.0.0.1');
$certs->expired('expired', 'node');
my $safe = Mpk::Cluster->new($t, name => 'tls', replicas => 0, tls => $certs, password => 'one');
my $password = $t->write('password', "one\n", 0600);
my $url = $safe->url(@{$safe->{nodes}}[0, 1]) . " tls_ca=$dir/ca.pem timeout=1s connect_timeout=1s";

serve("$url password_file=$password tls_name=elsewhere.example");
is(status('X'), 503, 'certificates for another name: 503');
serve("$url password_file=$password tls_name=localhost");
ok(wait_for(sub { status('X') == 404 }, 'service', 5 * $slow), 'certificates for tls_name serve');
serve("$url password_file=$password");
ok(wait_for(sub { status('X') == 404 }, 'service', 5 * $slow), 'certificates for the address serve, too');
is($t->confirm($t->link(($safe->orders('T', 1, $_))[0]))->{status}, 200, "a reveal on $_->{name}") for $safe->masters;

my @secret = map { ($safe->orders('P', 1, $_))[0] } $safe->masters;

sub all_safe { my (@command) = @_; $_->cmd(@command) for @{$safe->{nodes}} }
sub refused { my ($what) = @_; ok(wait_for(sub { 3 == grep { status($_) == 503 } @secret }, '503', 10 * $slow), "$what: 503") }
sub served {
    my ($what) = @_;
    my $start = time;
    ok(wait_for(sub { 3 == grep { status($_) == 404 } @secret }, '404', 10 * $slow), "$what: service is back without a reload");
    note(sprintf 'after %.2f s', time - $start);
}

all_safe('CONFIG', 'SET', 'requirepass', 'two');
all_safe('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
refused('another password');
log_has(qr/AUTH was refused/, 'and the log says why');
all_safe('CONFIG', 'SET', 'requirepass', 'one');
served('the old password');

all_safe('CONFIG', 'SET', 'tls-cert-file', "$dir/expired.pem");
all_safe('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
refused('certificates that have expired');
log_has(qr/expired/, 'and the log says why');
all_safe('CONFIG', 'SET', 'tls-cert-file', "$dir/node.pem");
served('good certificates');


# the least rights that docs/operations.md gives

{
    for (@{$safe->{nodes}}) {
        $t->least($_);
        $_->cmd('ACL', 'SETUSER', 'mpk', '+cluster|slots', '+asking');
    }

    my $least = $safe->url . " tls_ca=$dir/ca.pem user=mpk password_file=$dir/least timeout=1s connect_timeout=1s";
    serve($least, workers => 1);
    ok(wait_for(sub { status('X') == 404 }, 'service', 5 * $slow), 'the least rights suffice');
    is($t->confirm($t->link(($safe->orders('R', 1, $_))[0]))->{status}, 200, "for a view on $_->{name}") for $safe->masters;
    is($t->api('GET', 'claims?state=open')->{status}, 200, 'for the claims of all buckets');

    my ($here, $there) = $safe->masters;
    my ($moved) = $safe->orders('RA', 1, $here);
    my $slot = Mpk::Cluster::slot($moved);
    $t->file($moved);
    $safe->begin($slot, $here, $there);
    $safe->move($here, $there, @{$here->cmd('CLUSTER', 'GETKEYSINSLOT', $slot, 200)});
    is(status($moved), 200, 'and for a slot that moves');

    $there->cmd('ACL', 'SETUSER', 'mpk', '-asking');
    my $mark = $t->mark;
    is(status($moved), 503, 'without +asking: 503');
    ok(wait_for(sub { $t->log_since($mark) =~ /refused with NOPERM/ }, 'the log'), 'and the log tells of a right that lacks');
    $there->cmd('ACL', 'SETUSER', 'mpk', '+asking');
    is(status($moved), 200, 'with it, it is found again');
    $safe->settle($slot, $here, $there);

    $_->cmd('ACL', 'SETUSER', 'mpk', '-cluster|slots') for @{$safe->{nodes}};
    serve($least, workers => 1);
    is(status('X'), 503, 'without +cluster|slots: 503');
    log_has(qr/CLUSTER SLOTS was refused: grant the Redis user \+cluster\|slots/, 'and the log says so');
}

$t->finish(alerts => qr/\[emerg\]/);
