#!/usr/bin/perl

# An order whose journal is as long as it may be: what is refused, what goes on, and that
# its journal and its evidence are answered whole, in bounded memory.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'takes minutes, and finds nothing more there' if $ENV{MPK_VALGRIND};

my $t = Mpk->new;
my $redis = $t->redis;
my $all = 4000;
my $customers = 3500;

$t->conf(location => 'location = /track { mpk_track on; }', http => 'keepalive_requests 100000;')->start;

sub memory {
    my ($pid) = $t->workers;
    open my $f, '<', "/proc/$pid/status" or die "status: $!";
    my ($kb) = map { /^VmHWM:\s+(\d+)/ } <$f>;
    return $kb / 1024;
}

# mint(n): so many links, over one connection
my $done = 0;

sub mint {
    my ($n) = @_;
    my $s = Mpk::Http::connection($t->port('edge'));
    my ($buffer, %got) = ('');
    for (1 .. $n) {
        print $s Mpk::Http::text('POST', '/mpk/v1/orders/A-1/links', keepalive => 1,
            headers => { Authorization => 'Bearer secret-token', 'Content-Length' => 0 });
        $s->flush;
        $got{Mpk::Http::response($s, 10, 0, \$buffer)->{status}}++;
    }
    return join ' ', map { "$_ x $got{$_}" } sort keys %got;
}

# asked(method, what): sends a call about the order, and does not wait for the answer
sub asked {
    my ($method, $what) = @_;
    my $client = Mpk::Http::connection($t->port('edge'));
    print $client Mpk::Http::text($method, '/mpk/v1/orders/A-1' . ($what ? "/$what" : ''), headers => { Authorization => 'Bearer secret-token' });
    return $client;
}

$t->file('A-1');
is($t->confirm($t->mint('A-1'))->{status}, 200, 'an order is viewed');
my $spare = $t->mint('A-1');
my $revision = ($t->revision($redis, 'A-1'))[0];
is(mint($customers - 2 - $revision), '200 x ' . ($customers - 2 - $revision), 'links are minted');
is($t->confirm('/r/' . $t->sign($t->claims('A-1')))->{status}, 200, "the view that is entry $customers");
is(($t->revision($redis, 'A-1'))[0], $customers, 'is there');

my $r = $t->request('POST', $spare, body => Mpk::Http::form(email => 'ann@example.com'), headers => { Accept => 'application/json',
    'Content-Type' => 'application/x-www-form-urlencoded', 'Idempotency-Key' => 'x' });
is("$r->{status} " . ($r->{body} =~ /urn:mpk:(\w+)/)[0], '429 exhausted', 'R2: no further view is shown, for it would not be journaled');
unlike($r->{body}, qr/XK7QX/, 'without the key');
is($r->{headers}{'retry-after'}, undef, 'nor a time, since there is none');
is($t->get($spare)->{status}, 200, 'a link can be opened');
is(($t->revision($redis, 'A-1'))[0], $customers, 'which is not journaled any more');
is($t->track('A-1')->{status}, 200, 'the order is found');

is(mint($all - $customers), '200 x ' . ($all - $customers), 'what the shop does goes on');
$r = $t->api('POST', 'orders/A-1/links');
is("$r->{status} $r->{json}{type}", '429 urn:mpk:exhausted', 'up to the end of the journal');

my ($key) = $t->stored($redis, 'A-1');
cmp_ok($redis->cmd('HSTRLEN', $key, 'h'), '<', 20_000, 'the head stays small');

my $before = memory();
my $j = $t->journal('A-1');
is("$j->{verdict} " . @{$j->{entries}}, "intact $all", 'the journal is answered, whole');
my $e = $t->api('GET', 'orders/A-1/evidence')->{json}{evidence};
is("$e->{verification}{verdict} " . @{$e->{entries}}, "intact $all", 'and the evidence');
is(() = $e->{activity} =~ /KEY SHOWN/g, 2, 'with the first view and the last');
is(() = $e->{stripe}{access_activity_log} =~ /KEY SHOWN/g, 2, 'also where there is room for few lines');
like($e->{stripe}{access_activity_log}, qr/\(Left out here, but in the journal: 3\d\d\d lines\)/, 'and it says what was left out');
is($t->api('GET', 'orders/A-1/evidence?format=html')->{status}, 200, 'as a page, too');
my $took = memory() - $before;
note(sprintf 'the worker grew by %.1f MB', $took);
cmp_ok($took, '<', $ENV{MPK_SANITIZED} ? 400 : 60, 'in bounded memory');


# what goes wrong while it is read or erased leaves it whole

my $link = $t->link('B-1');
my %said;

for my $wait (map { $_ / 1000 } 0 .. 9) {
    my $client = asked('GET', 'evidence');
    sleep $wait;
    $redis->stop('KILL');
    my $r = Mpk::Http::response($client, 20);
    $said{$r->{status}}++;
    $said{torn}++ if $r->{status} == 200 && $r->{body} !~ /"n":$all\b.*\}\s*\z/s;
    $redis->start;
    wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, 'service is back', 20);
}

is(join(' ', grep { !/^(200|503)$/ } sort keys %said), '', 'with Redis killed meanwhile, the evidence is whole, or there is none for now')
    or diag(join ' ', %said);
note(join ' ', map { "$said{$_} x $_" } sort keys %said);

for my $bytes (1, 1000, 100_000) {
    my $client = asked('GET', 'evidence');
    read($client, my $some, $bytes);
    close $client;
}

is($t->confirm($link)->{status}, 200, 'a client that goes away in the middle of it harms nobody');
is($t->journal('A-1')->{verdict}, 'intact', 'the order is intact');

my $erased = asked('DELETE');
$redis->stop('KILL');
my $status = Mpk::Http::response($erased, 20)->{status};
$redis->start;
wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, 'service is back', 20);
my $left = (keys %{{ ($t->stored($redis, 'A-1'))[1 .. 4] }});
ok($status == 503 || $left == 2, 'erased is what was said to be') or diag("$status, $left fields");
like($t->journal('A-1')->{verdict}, qr/^(intact|erased)$/, 'one or the other');

is($t->api('DELETE', 'orders/A-1')->{status}, 200, 'it can be erased');
is(join(' ', sort keys %{{ ($t->stored($redis, 'A-1'))[1 .. 4] }}), 'e' . ($all + 1) . ' h', 'with all its entries');
is($t->journal('A-1')->{verdict}, 'erased', 'which the journal says');

$t->finish;
