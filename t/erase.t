#!/usr/bin/perl

# What is erased is gone from Redis, its append-only file, a dump and a replica; what is
# kept says only that there was an order.  And mpk_retention, which forgets by itself.

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use JSON::PP;
use Mpk qw(ago);
use Test::More;

my $t = Mpk->new;
my $port = do {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no free port: $!";
    $s->sockport;
};
# what is stored stands in the files as it is

my @plain = ('--rdbcompression', 'no', '--repl-diskless-sync-delay', 0);
my $redis = $t->redis(args => [ '--port', $port, '--bind', '127.0.0.1', @plain ]);
my $replica = $t->redis(name => 'replica', args => [ '--replicaof', '127.0.0.1', $port, @plain ]);
my $json = JSON::PP->new->utf8;

$t->write('api-tokens', $t->read('api-tokens') . 'till:' . sha256_hex('till-token') . ":shop\n");

my %conf = (location => <<'CONF');
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location /claim/ { mpk_claim on; }
        location /account/ { set $customer $arg_as; mpk_account $customer trusted; }
CONF

$conf{redis} = $t->least($redis);
$t->conf(%conf)->start;

sub account {
    my ($as) = @_;
    my $r = $t->get("/account/?as=$as", headers => { Accept => 'application/json' });
    return join ' ', map { $_->{order} } @{$json->decode($r->{body})->{orders}};
}

# key(order): its hash in Redis; stored(order): each value that is stored for it
sub key { my ($id) = @_; return (@{$redis->cmd('KEYS', "mpk:{*}:o:$id")})[0] }

sub stored {
    my ($id) = @_;
    my (undef, %field) = $t->stored($redis, $id);
    return @field{grep { !/^(h|i|w:.*)$/ } sort keys %field};     # neighbours have the same products
}

sub files {
    my ($dir) = @_;
    return join '', map { $t->read(s{.*/($dir/)}{$1}r) } glob($t->dir . "/$dir/dump.rdb"), glob($t->dir . "/$dir/appendonlydir/*");
}


# an order with all that there can be

ok(wait_for(sub { $replica->cmd('INFO', 'replication') =~ /master_link_status:up/ }, 'linked', 20), 'a replica follows');

my $link = $t->link('E-1', account => 'ann-7', customer_name => 'Ann Example', purchase_ip => '192.0.2.7', device_id => 'phone-9');
$t->confirm($link);
my ($claim) = $t->track('E-1')->{json}{claim_url} =~ m{//[^/]+(/.*)};
is($t->post($claim, { name => 'Ann Example', order => 'E-1', email => 'ann@example.com', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE',
    category => 'other', description => 'It fails.' }, headers => { Accept => 'application/json' })->{status}, 201, 'an order with all that there can be');
$t->file('E-2');
$t->file('E-3', account => 'ann-7');
my $neighbour = $t->journal('E-2');

is(account('ann-7'), 'E-3 E-1', 'it is in its account');
is(account('ann@example.com'), 'E-2', 'one without an account is found by its email');

my %before = map { $_ => [ stored($_) ] } qw(E-1 E-2);
my $anchor = $t->api('GET', 'orders/E-1/journal')->{json};
my @entries = @{$anchor->{entries}};
ok(wait_for(sub { !grep { index(files('replica.d'), $_) < 0 } map { @$_ } values %before }, 'the replica has it all'),
    'the test finds in a replica\'s file what is stored');
ok(!(grep { index(files('redis.d'), $_) < 0 } map { @$_ } values %before), 'and in the append-only file');

for my $who ([ 'support-token', 'support' ], [ 'read-token', 'read' ]) {
    is($t->api('DELETE', 'orders/E-1', undef, token => $who->[0])->{status}, 403, "the role $who->[1] may not erase");
}

$redis->stop;
is($t->api('DELETE', 'orders/E-1')->{status}, 503, 'without Redis nothing is erased');
$redis->start;
$t->least($redis);
ok(wait_for(sub { $t->api('GET', 'orders/E-1')->{status} == 200 }, 'service'), 'and nothing half');
is($t->events('E-1'), join(' ', map { $_->{event} } @entries), 'all entries are there');

my $r = $t->api('DELETE', 'orders/E-1', undef, token => 'till-token');
is("$r->{status} " . ($r->{json}{state} // ''), '200 erased', 'an order is erased');


# what is left

$r = $t->api('GET', 'orders/E-1');
is("$r->{status} $r->{json}{state}", '200 erased', 'that it was there can still be told');
is_deeply([ grep { $r->{json}{$_} } qw(filed_at released_at delivered_at first_viewed_at erased_at) ],
    [qw(filed_at released_at delivered_at first_viewed_at erased_at)], 'and when what happened to it');
is(ref $r->{json}{items} && @{$r->{json}{items}} . @{$r->{json}{claims}}, '00', 'no items, no claims');
unlike($r->{body}, qr/ann|Ann|192\.0\.2|phone|Office|XK7/, 'and nobody\'s data');

my $j = $t->journal('E-1');
is($j->{verdict}, 'erased', 'the journal\'s verdict is erased');
is(join(' ', map { "$_->{n} $_->{event} $_->{actor}" } @{$j->{entries}}), (@entries + 1) . ' erased till', 'what is left of it says who did it');
unlike($t->api('GET', 'orders/E-1/journal')->{body}, qr/127\.0\.0\.1|ann@/, 'but of nobody else anything');

is($t->track('E-1')->{status}, 404, 'tracking does not know it');
is($t->get($link)->{status}, 404, 'nor do its links');
is($t->confirm($link, nonce => 'x')->{status}, 404, 'nor shows anything a key');
is($t->get($claim)->{status}, 404, 'nor is there anything to report');
is(account('ann-7'), 'E-3', 'the account has forgotten it');
is_deeply($t->api('GET', 'claims')->{json}{claims}, [], 'its claim is no longer open');
is_deeply($redis->cmd('ZRANGE', key('E-1') =~ s/:o:.*/:claims/r, 0, -1), [], 'nor named in the list');

is($t->api('DELETE', 'orders/E-1')->{json}{state}, 'erased', 'R10: again, it is the same');
is(scalar @{$t->journal('E-1')->{entries}}, 1, 'R10: without another entry');
$r = $t->api('PUT', 'orders/E-1', $t->order(account => 'ann-7'));
is("$r->{status} $r->{json}{type}", '409 urn:mpk:erased', 'its number is not given again');
is($t->api('POST', 'orders/E-1/release')->{status}, 409, 'nothing can be done to it');
is($t->api('DELETE', 'orders/nobody')->{status}, 404, 'what is not there can\'t be erased');

is($t->api('DELETE', 'orders/E-2')->{status}, 200, 'an order without an account is erased');
is(account('ann@example.com'), '', 'and not found by its email any more');
is($t->events('E-3'), 'filed', 'its neighbours stay as they were');
is($t->journal('E-3')->{verdict}, 'intact', 'and verify');

my @members = map { @{$redis->cmd('ZRANGE', $_, 0, -1)} } @{$redis->cmd('KEYS', 'mpk:{*}:a:*')};
is("@members", 'E-3', 'no index names what was erased');


# nothing of it can be read from Redis' files, once they are rewritten

my @secrets = map { @$_ } values %before;
ok(@secrets > 10, scalar @secrets . ' values were stored of them');

for ([ $redis, 'redis.d', 'the append-only file' ], [ $replica, 'replica.d', 'a replica\'s' ]) {
    my ($server, $dir, $what) = @$_;
    wait_for(sub { $server->cmd('INFO', 'replication') !~ /master_link_status:down/ }, 'replication', 20);
    ok(wait_for(sub { eval { $server->cmd('BGREWRITEAOF') } }, 'a rewrite'), "the append-only file is rewritten ($what)");
    ok(wait_for(sub { my $i = $server->cmd('INFO', 'persistence');
        $i =~ /aof_rewrite_in_progress:0/ && $i =~ /aof_rewrite_scheduled:0/ && $i =~ /aof_last_bgrewrite_status:ok/
        && !grep { index(files($dir), $_) >= 0 } @secrets }, 'rewritten'), "nothing is left in $what");
    $server->cmd('SAVE');
    my $dump = files($dir);
    is((grep { index($dump, $_) >= 0 } @secrets), 0, "nor in a dump ($what)");
    like($dump, qr/E-1/, 'which knows the order\'s number');
}

my $tombstone = { @{$redis->cmd('HGETALL', key('E-1'))} };
is(join(' ', sort keys %$tombstone), 'e' . (@entries + 1) . ' h', 'the data key is gone, with all that it sealed');


# mpk_retention

$t->conf(%conf, http => 'mpk_retention 1h;');
ok($t->reload, 'retention is switched on');

$r = $t->api('PUT', 'orders/R-old', $t->order(purchased_at => ago(3601)));
is("$r->{status} $r->{json}{errors}[0]{pointer}", '422 /purchased_at', 'an order that would expire at once is refused');
$t->file('R-1', purchased_at => ago(600));
my $ttl = $redis->cmd('TTL', key('R-1'));
ok($ttl > 2990 && $ttl <= 3000, 'an order expires so long after its purchase');
$t->file('R-2', purchased_at => ago(-600));
$ttl = $redis->cmd('TTL', key('R-2'));
ok($ttl > 3590 && $ttl <= 3600, 'and never later than so long after it was filed');
$t->api('DELETE', 'orders/R-1');
$ttl = $redis->cmd('TTL', key('R-1'));
ok($ttl > 2900 && $ttl <= 3000, 'what is left of an erased one, too');
$t->api('POST', 'orders/R-2/cancel', { reason => 'fraud' });
ok($redis->cmd('TTL', key('R-2')) > 3500, 'what happens to an order does not change that');
$t->file('R-3', purchased_at => ago(0));
$t->conf(%conf, http => 'mpk_retention 2h;');
ok($t->reload, 'retention is lengthened');
$t->api('POST', 'orders/R-3/links');
ok($redis->cmd('TTL', key('R-3')) > 7000, 'which holds for an order from its next event on');

$t->conf(%conf, http => 'mpk_retention 3s;');
ok($t->reload, 'retention is short');
$t->file("S-$_", purchased_at => ago(0)) for 1 .. 20;
ok(wait_for(sub { $t->api('GET', "orders/S-1")->{status} == 404 }, 'expired', 10), 'an order leaves Redis after its time');
ok(wait_for(sub { !@{$redis->cmd('KEYS', 'mpk:{*}:o:S-*')} }, 'all of them', 10), 'all do');

# nor does anything keep a trace of them

my $left = sub { map { @{$redis->cmd('ZRANGE', $_, 0, -1)} } @{$redis->cmd('KEYS', "mpk:{*}:$_[0]")} };

for my $n (1 .. 3) {
    my $link = $t->link("V-$n", account => 'gone', purchased_at => ago(0));
    $t->confirm($link);
    my ($claim) = $t->track("V-$n")->{json}{claim_url} =~ m{//[^/]+(/.*)};
    is($t->post($claim, { name => 'Ann', order => "V-$n", email => 'ann@example.com', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE',
        category => 'other', description => 'It fails.' }, headers => { Accept => 'application/json' })->{status}, 201, "a claim of an order that expires, $n");
}

is(scalar(grep { /^V-/ } $left->('claims')), 3, 'the claims are listed');
ok(wait_for(sub { !@{$redis->cmd('KEYS', 'mpk:{*}:o:V-*')} }, 'expired', 10), 'the orders expire');
is_deeply([ grep { $_->{order} =~ /^V-/ } @{$t->api('GET', 'claims')->{json}{claims}} ], [], 'their claims are not shown');
ok(wait_for(sub { !grep { /^V-/ } $left->('claims') }, 'the list forgets'), 'and forgotten by the list');
sub total { $json->decode($t->get('/account/?as=gone', headers => { Accept => 'application/json' })->{body})->{total} }
ok(wait_for(sub { total() == 0 }, 'the account forgets', 10), 'the account forgets them, and counts them no more');
$t->file('V-5', account => 'gone', purchased_at => ago(0));
sleep 2;
$t->file('V-6', account => 'gone', purchased_at => ago(0));
is(total(), 2, 'two new ones are there');
ok(wait_for(sub { total() == 1 && $redis->cmd('EXISTS', key('V-6') // 'none') }, 'the older goes', 10), 'the older one is counted no more, while the other is there');
wait_for(sub { total() == 0 }, 'both go', 10);
$t->file('V-4', account => 'gone', purchased_at => ago(0));
is(total(), 1, 'a new one is there');
my ($index) = grep { "@{$redis->cmd('ZRANGE', $_, 0, -1)}" =~ /V-4/ } @{$redis->cmd('KEYS', 'mpk:{*}:a:*')};
ok(wait_for(sub { !$redis->cmd('EXISTS', $index) }, 'the index expires', 15), 'an index that nobody reads expires');

# no order's expiry touches another's journal

is($t->journal('R-3')->{verdict}, 'intact', 'the journal of an order that stays is whole');
is(scalar @{$t->journal('R-3')->{entries}}, 2, 'with all its entries');

unlike($t->read('error.log'), qr/a command was refused/, 'the least rights that docs/operations.md gives suffice');

$t->finish;
