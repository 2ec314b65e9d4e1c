#!/usr/bin/perl

# Keys are rotated on two edges while both serve: staged, promoted once each edge has loaded
# them, pruned when no order needs them.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(child);
use Test::More;

plan skip_all => 'it is about two edges, not about memory' if $ENV{MPK_VALGRIND} || $ENV{MPK_SANITIZED};

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my $other = Mpk->new;
my @conf = (redis => "unix:$redis->{socket} connect_timeout=5s timeout=10s", workers => 2,
    location => 'location = /metrics { mpk_status prometheus; } location = /status { mpk_status json; } location = /track { mpk_track on; }');

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC)};
system("make --no-print-directory tools >$dir/make.log 2>&1") == 0 or die $t->read('make.log');

sub install { $other->write('keyring.json', $t->read('keyring.json'), 0600) }

sub keyring {
    my ($what, @args) = @_;
    my $out = `bin/mpk-keyring $what $dir/keyring.json @args 2>&1`;
    return ($? >> 8, $out);
}

sub kids { my ($use) = @_; return map { $_->{kid} } grep { $_->{use} eq $use } @{decode_json($t->read('keyring.json'))->{keys}} }
sub current { my ($use) = @_; return (map { $_->{kid} } grep { $_->{use} eq $use && !$_->{staged} } @{decode_json($t->read('keyring.json'))->{keys}})[0] }
sub incomplete { my ($edge) = @_; return $edge->metric('keyring_incomplete') }

my $redis_cli = "-s $redis->{socket}";

install();
$t->conf(@conf)->start;
$other->conf(@conf)->start;

ok(wait_for(sub { 2 == grep { /^e:/ } @{$redis->cmd('HKEYS', 'mpk:meta')} }, 'mpk:meta'), 'each edge writes which keys it has loaded');
my %meta = @{$redis->cmd('HGETALL', 'mpk:meta')};
is(scalar(grep { /^\d+( \*\w+-\d+-\w+){5}$/ } values %meta), 2, 'by their ids alone');
is(incomplete($_), 0, 'no edge lacks a key') for $t, $other;


# an edge that has not loaded the staged key

my ($status, $out) = keyring('promote', 'wrap', $redis_cli);
like($out, qr/no staged key with use "wrap": run mpk-keyring stage/, 'nothing to promote');
($status, $out) = keyring('stage', 'wrap');
is($status, 0, 'a key is staged') or diag($out);
my ($staged) = grep { $_ ne current('wrap') } kids('wrap');
($status, $out) = keyring('stage', 'wrap');
isnt($status, 0, 'one at a time');
like($out, qr/\Q$staged\E is staged already: run mpk-keyring promote/, 'which it says');
($status, $out) = keyring('promote', 'wrap', $redis_cli);
isnt($status, 0, 'it is not promoted before all edges have it');
like($out, qr/these edges have not loaded \Q$staged\E: \S+ \S+: .*unchanged/, 'and both are named');
ok($t->reload, 'one loads it');
ok(wait_for(sub { (keyring('promote', 'wrap', $redis_cli))[1] =~ /these edges have not loaded \Q$staged\E: \S+: / }, 'one is left'), 'then one is left');
is(current('wrap') ne $staged, 1, 'the keyring is unchanged');
sub lacking { my ($edge) = @_; return join ' ', map { "$_->{edge}/$_->{kid}" } @{decode_json($edge->get('/status')->{body})->{keys_lacking}} }
ok(wait_for(sub { lacking($t) =~ m{^\S+/\Q$staged\E$} }, 'the list'), 'its status lists the key and the edge that lacks it') or diag(lacking($t));
my ($lacking) = lacking($t) =~ m{^(.+)/};
ok(exists {@{$redis->cmd('HGETALL', 'mpk:meta')}}->{"e:$lacking"}, 'by the name that it has in mpk:meta');
is($t->metric(qq(key_lacking{edge="$lacking",kid="$staged"})), 1, 'and so do the metrics');
is(lacking($other), '', 'the other lacks what it can not list');
($status, $out) = keyring('promote', 'wrap', '-s', "$dir/nowhere.sock");
isnt($status, 0, 'without Redis it is not promoted');
like($out, qr/cannot read mpk:meta/, 'which it says');
install();
ok($other->reload, 'the other loads it, too');
ok(wait_for(sub { (keyring('promote', 'wrap', $redis_cli))[0] == 0 }, 'promoted'), 'and it is promoted');
is((kids('wrap'))[0], $staged, 'to the front');
is(current('wrap'), $staged, 'and is current');
unlike($t->read('keyring.json'), qr/staged/, 'staged no more');


# 15 rotations while both serve

my @clients = map { my $n = $_; child(sub {
    my ($first, $second) = $n % 2 ? ($t, $other) : ($other, $t);
    my $count = 0;
    until (-e "$dir/enough") {
        my $id = "L-$n-" . ++$count;
        my @wrong;
        my $expect = sub { my ($what, $edge, $r, $status) = @_; push @wrong, "$what $r->{status} $r->{body}" if $r->{status} ne $status; return $r };
        $expect->('file', $first, $first->api('PUT', "orders/$id", $first->order), 201);
        my $r = $expect->('mint', $second, $second->api('POST', "orders/$id/links", undef, headers => { 'Idempotency-Key' => $id }), 200);
        my ($link) = ($r->{json}{url} // '') =~ m{(/r/.*)};
        $link //= '/r/none';
        my $page = $expect->('open', $first, $first->get($link, headers => { Accept => 'application/json' }), 200);
        my $nonce = eval { decode_json($page->{body})->{nonce} } // '';
        $expect->('confirm', $second, $second->confirm($link, nonce => $nonce), 200);
        $expect->('again', $first, $first->confirm($link, nonce => $nonce), 200);
        $expect->('used', $first, $first->confirm($link), 410);
        $expect->('track', $first, $first->track($id), 200);
        my $j = $expect->('journal', $second, $second->api('GET', "orders/$id/journal"), 200);
        push @wrong, "verdict $j->{body}" if ($j->{json}{verdict} // '') ne 'intact';
        $expect->('evidence', $first, $first->api('GET', "orders/$id/evidence"), 200);
        open my $f, '>>', "$dir/load.$n" or die;
        print $f "$id: $_\n" for @wrong ? @wrong : 'good';
    }
}) } 1 .. 2;

my @uses = (qw(token wrap journal evidence)) x 4;
my $rotated = 0;

for my $use (@uses[0 .. 14]) {
    my $good = (keyring('stage', $use))[0] == 0;
    install();
    $good &&= $t->reload && $other->reload;
    my $why;
    $good &&= wait_for(sub { my ($s, $o) = keyring("promote", $use, $redis_cli); $why = $o; $s == 0 }, "promoted $use") || diag($why);
    install();

    # the edges do not load it at the same time

    $good &&= ($rotated % 2 ? $t : $other)->reload;
    $good &&= ($rotated % 2 ? $other : $t)->reload;
    $rotated += $good;
}

$t->write('enough', '');
waitpid $_, 0 for @clients;
is($rotated, 15, 'keys are rotated fifteen times');
my @said = map { split /\n/, $t->read("load.$_") } 1, 2;
my @wrong = grep { !/: good$/ } @said;
cmp_ok(scalar @said, '>', 30, 'while customers come: ' . @said . ' orders');
is(join("\n", @wrong), '', 'none of them gets a wrong answer');
is(incomplete($_), 0, 'no edge lacks a key') for $t, $other;


# pruning

my ($old) = grep { $_ ne current('journal') } kids('journal');
my $verify = "objs/mpk-verify unix:$redis->{socket} $dir/keyring.json";
($status, $out) = keyring('prune', $old, '</dev/null');
isnt($status, 0, 'a key is not pruned without a report');
like($out, qr/pass the output of mpk-verify on stdin/, 'which it says');
$t->file('P-1');
my $in_use = current('journal');
keyring('rotate', 'journal');
keyring('rotate', 'wrap');
$t->{keys} = decode_json($t->read('keyring.json'))->{keys};
for my $use (qw(journal wrap)) {
    my ($used) = grep { $_ ne current($use) } kids($use);
    my $o = `$verify 2>&1 | bin/mpk-keyring prune $dir/keyring.json $used 2>&1`;
    isnt($?, 0, "a $use key that orders need is not pruned") or diag($o);
    like($o, qr/orders need \Q$used\E: \d+/, 'and it says how many');
    $o = `$verify 2>&1 | bin/mpk-keyring prune $dir/keyring.json @{[current($use)]} 2>&1`;
    like($o, qr/is the current $use key/, 'nor the current one');
}
like(`echo orders 0 | bin/mpk-keyring prune $dir/keyring.json @{[(kids('evidence'))[-1]]} 2>&1`, qr/could no longer be verified/, 'nor one of evidence');
like(`bin/mpk-keyring prune $dir/keyring.json @{[(kids('token'))[-1]]} </dev/null 2>&1`, qr/say after how many days/, 'nor one of links, without a number of days');
like(`bin/mpk-keyring prune $dir/keyring.json @{[(kids('token'))[-1]]} 30 2>&1`, qr/replaced less than 30 days ago/, 'nor before those have passed');
is(system("bin/mpk-keyring prune $dir/keyring.json @{[(kids('token'))[-1]]} 0 >/dev/null 2>&1"), 0, 'after them it is');
like(`echo orders 0 | bin/mpk-keyring prune $dir/keyring.json nobody 2>&1`, qr/has no key nobody/, 'a key that is not there');
like(`printf 'orders 3\\nunverifiable 1\\n' | bin/mpk-keyring prune $dir/keyring.json $old 2>&1`, qr/not all orders are intact/, 'nor when some orders could not be read');

# a key that only entries of a journal need, an order that is not intact, a Redis that is not the edges'

$redis->cmd('FLUSHALL');
ok($t->reload && $other->reload, 'the edges');
$t->file('P-2');
keyring('rotate', 'journal');
install();
ok($t->reload && $other->reload, 'load another journal key');
ok(wait_for(sub { 2 == grep { /\*\Q@{[current('journal')]}\E/ } @{$redis->cmd('HVALS', 'mpk:meta')} }, 'mpk:meta'), 'and say so');
$t->mint('P-2');
my ($entries) = grep { $_ ne current('journal') } kids('journal');
like(`$verify 2>&1 | bin/mpk-keyring prune $dir/keyring.json $entries 2>&1`, qr/orders need \Q$entries\E: 1/, 'an entry of a journal needs its key');
my ($wrap) = grep { $_ ne current('wrap') } kids('wrap');
$redis->cmd('HDEL', ($t->stored($redis, 'P-2'))[0], 'e1');
like(`$verify 2>&1 | bin/mpk-keyring prune $dir/keyring.json $wrap 2>&1`, qr/not all orders are intact/, 'nothing is pruned while an order is not intact');
$redis->cmd('DEL', ($t->stored($redis, 'P-2'))[0]);
like(`$verify -n 3 2>&1 | bin/mpk-keyring prune $dir/keyring.json $wrap 2>&1`, qr/is it that of mpk_redis, and the database/, 'nor by the report of another database');
my ($edge) = map { s/^e://r } grep { /^e:/ } @{$redis->cmd('HKEYS', 'mpk:meta')};
like(`printf 'orders 3\nedge a $wrap\n' | bin/mpk-keyring prune $dir/keyring.json $wrap 2>&1`, qr/an edge still uses \Q$wrap\E/, 'nor a key that an edge still uses');
$redis->cmd('HSET', 'mpk:meta', "e:\e[31mforged*", time . ' x');
keyring('stage', 'wrap');
($status, $out) = keyring('promote', 'wrap', $redis_cli);
like($out, qr/have not loaded \S+: [\w.\[ -]+: install/, 'what is in Redis is not printed as it is');
unlike($out, qr/\e/, 'without control characters');
$redis->cmd('HDEL', 'mpk:meta', "e:\e[31mforged*");

# once no order needs it

my $n = kids('journal');
my $o = `$verify 2>&1 | bin/mpk-keyring prune $dir/keyring.json $old 2>&1`;
is($?, 0, 'a key that no order needs is pruned') or diag($o);
like($t->read("keyring.json.before-$old"), qr/\Q$old\E/, 'and kept beside the keyring');
is((stat "$dir/keyring.json.before-$old")[2] & 0777, 0600, 'where nobody else reads it');
is(scalar(kids('journal')), $n - 1, 'alone');
ok(!grep({ $_ eq $old } kids('journal')), 'that one');
ok($t->reload && wait_for(sub { ($t->check)[0] }, 'nginx -t'), 'and nginx takes the keyring');


# an edge that lacks a current key of another one

my $mark = $other->mark;
keyring('rotate', 'token');
ok($t->reload, 'a key is rotated on one edge only');
ok(wait_for(sub { grep { /\*\Q@{[current('token')]}\E/ } @{$redis->cmd('HVALS', 'mpk:meta')} }, 'mpk:meta'), 'which uses it');
ok($other->reload, 'the other compares again');
ok(wait_for(sub { incomplete($other) >= 1 }, 'the metric'), 'and lacks it, which its metric tells');
like($other->log_since($mark), qr/\[error\].*mpk: edge "[\w.-]+-[0-9a-f]{8}" uses 1 keys that are not in this keyring, "\Q@{[current('token')]}\E" among them/, 'and its log');
$redis->cmd('HSET', 'mpk:meta', 'e:large', time . ' ' . '*a ' x 2000, 'e:ahead', time + 86400 . ' *gone', "e:x\nforged", time . " *y\nforged *" . 'z' x 100 . ' * ** *', 'e:old', '1 *gone', 'e:odd', 'x *odd');
$mark = $other->mark;
ok($other->reload, 'somebody writes there what is no key');
ok(wait_for(sub { $other->log_since($mark) =~ /edge "\?" uses \d+ keys that are not in this keyring, "\?" among them/ }, 'the log'), 'which is logged');
unlike($other->log_since($mark), qr/^forged/m, 'but not as it is');
unlike($other->log_since($mark), qr/"a" among them/, 'nor is more than an edge can have');
ok(!grep({ $_ eq 'e:old' || $_ eq 'e:odd' || $_ eq 'e:large' || $_ eq 'e:ahead' } @{$redis->cmd('HKEYS', 'mpk:meta')}), 'what is a day old, has no time, is too long or ahead is deleted');

# at the bounds

$redis->cmd("HDEL", "mpk:meta", "e:x\nforged");
my @many = map { ("e:many$_", time . " *of$_") } 1 .. 70;
$redis->cmd('HSET', 'mpk:meta', @many, map { ("e:long$_", substr(time . ' a' x 4096, 0, $_)) } 4096, 4097);
ok($other->reload, 'many edges');
ok(wait_for(sub { incomplete($other) >= 60 }, 'the metric'), 'are compared');
cmp_ok(incomplete($other), '<=', 64, 'but 64 at most');
is(join(' ', sort grep { /^e:long/ } @{$redis->cmd('HKEYS', 'mpk:meta')}), 'e:long4096', 'each of 4,096 bytes at most');

# mpk-keyring where there is nothing but BusyBox, openssl and redis-cli, as in a container

sub program { my ($name) = @_; return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0] }

my $busybox = program('busybox') or die "busybox is missing: install Debian's package busybox (make deps)";
mkdir "$dir/bin";
symlink $busybox, "$dir/bin/$_" for split ' ', `$busybox --list`;
symlink program($_), "$dir/bin/$_" for qw(openssl redis-cli);

my $small = "$dir/small.json";

sub small {
    my ($what, @args) = @_;
    my $out = `env -i PATH=$dir/bin $dir/bin/sh bin/mpk-keyring $what $small @args 2>&1`;
    return ($? >> 8, $out);
}

sub small_keys { my ($use) = @_; return grep { $_->{use} eq $use } @{decode_json($t->read('small.json'))->{keys}} }

($status, $out) = small('new');
is("$status $out", '0 ', 'BusyBox: new');
is((stat $small)[2] & 0777, 0600, 'BusyBox: for its owner alone');
like((small('new'))[1], qr/exists and is not overwritten/, 'BusyBox: never overwrites');
chmod 0640, $small;
chown 1, 2, $small if $> == 0;
my @like = (stat $small)[2, 4, 5];
is(join(' ', small(@$_)), '0 ', "BusyBox: @$_") for [ 'add', 'link' ], map { [ 'rotate', $_ ] } qw(token link wrap journal evidence);
is(scalar(small_keys($_)), 2, "BusyBox: two keys for $_") for qw(token link wrap journal evidence);
($status, $out) = small('stage', 'wrap');
is($status, 0, 'BusyBox: stage') or diag($out);
my ($next) = map { $_->{kid} } grep { $_->{staged} } small_keys('wrap');
like((small('promote', 'wrap', $redis_cli))[1], qr/these edges have not loaded \Q$next\E/, 'BusyBox: not before all edges have it');
$redis->cmd('DEL', 'mpk:meta');
$redis->cmd('HSET', 'mpk:meta', 'e:small', time . " $next");
($status, $out) = small('promote', 'wrap', $redis_cli);
is($status, 0, 'BusyBox: promote') or diag($out);
is((small_keys('wrap'))[0]{kid}, $next, 'BusyBox: which is current');
my ($old_token, $old_wrap) = map { (small_keys($_))[-1]{kid} } qw(token wrap);
like((small('prune', $old_token, 30))[1], qr/replaced less than 30 days ago/, 'BusyBox: prune refuses');
is((small('prune', $old_token, 0))[0], 0, 'BusyBox: prune by days');
like((small('prune', $old_wrap, '</dev/null'))[1], qr/pass the output of mpk-verify/, 'BusyBox: prune needs a report');
$t->write('report', "orders 3\nedge small $next\n");
is((small('prune', $old_wrap, "<$dir/report"))[0], 0, 'BusyBox: prune by a report');
is(join(' ', map { scalar small_keys($_) } qw(token wrap)), '1 2', 'BusyBox: these keys are gone');
is(join(' ', (stat $small)[2, 4, 5]), "@like", 'BusyBox: owner and mode are as before');
is(scalar @{decode_json((small('public'))[1])->{keys}}, 2, 'BusyBox: public');
chown $>, -1, $small;
$t->conf(@conf);
$t->write('nginx.conf', $t->read('nginx.conf') =~ s/keyring\.json/small.json/r);
ok(($t->check)[0], 'BusyBox: nginx takes the keyring');

ok($other->quit, 'the other edge ends');
is(join("\n", $other->complaints), '', 'without complaints');
$t->finish;
