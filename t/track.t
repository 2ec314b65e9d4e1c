#!/usr/bin/perl

# Order Tracking: the order to who knows its number and email, and nothing to anybody else.

use warnings;
use strict;

use lib 't/lib';
use IO::Socket::UNIX;
use Mpk qw(past);
use Mpk::Http2;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);
use Time::Piece ();

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');

$t->conf(workers => 2, listen => '', http => 'real_ip_header X-Real; set_real_ip_from 127.0.0.1; access_log off;'
    . ' mpk_claim_window 7d;', location => <<CONF)->start;
        location = /track { mpk_track on; proxy_pass http://127.0.0.1:$shop; }
        location = /old { mpk_track on; mpk_fallthrough on; proxy_pass http://127.0.0.1:$shop; }
        location = /tight { mpk_track on; mpk_track_limit address=3 order=5 window=60s; }
        location = /busy { mpk_track on; mpk_track_limit address=100000 order=100000; }
CONF

my $address = 0;

# track(order, email, %options): a lookup from an address of its own
sub track {
    my ($order, $email, %o) = @_;
    return $t->track($order, %o, email => $email, headers => {
        'X-Real' => $o{address} // '10.0.' . int(++$address / 250) . '.' . $address % 250, %{$o{headers} // {}} });
}

# later(time, seconds), words(time): RFC 3339, and as the English pages have it
sub seconds { return Time::Piece->strptime($_[0], '%Y-%m-%dT%H:%M:%SZ')->epoch }
sub later { my ($at, $more) = @_; return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime seconds($at) + $more) }
sub words { return strftime('%-d %B %Y, %H:%M UTC', gmtime seconds($_[0])) }


# the order's page

$t->file('T-1', purchased_at => '2020-01-01T00:00:00Z', items => [ map { { sku => "S$_", product => "Office $_",
    key => "ABCDE-FGHIJ-KLMNO-PQRS$_" } } 1 .. 2 ]);

my $r = track('T-1', 'ann@example.com');
is($r->{status}, 200, 'number and email show the order');
is($r->{json}{order}, 'T-1', 'its id');
is($r->{json}{state}, 'ready', 'its state');
is(join(' ', map { $_->{masked} } @{$r->{json}{items}}), "\x{2022}\x{2022}\x{2022}\x{2022}PQRS1 \x{2022}\x{2022}\x{2022}\x{2022}PQRS2",
    'keys are masked');
unlike($r->{body}, qr/ABCDE-FGHIJ/, 'no key is shown by looking');
is($t->events('T-1'), 'filed', 'looking is no view');
is($r->{json}{claim_until}, later($r->{json}{released_at}, 7 * 86400), 'R6: the time for claims ends seven days after the release');
is_deeply([ grep { !exists $r->{json}{$_} } qw(purchased_at delivered_at first_viewed_at reveal_url views claim_url claims) ], [],
    'all members are there');

is(track(' #T-1 ', " ANN\@Example.com\t")->{status}, 200, 'a "#", spaces and capitals are forgiven');
# browsers send the domain of an email field as A-labels, people type it as it is

my ($typed, $sent) = ("Ann\@M\xc3\xbcller.example", 'ann@xn--mller-kva.example');

$t->file('T-IDN', email => $sent);
$t->file('T-IDN-2', email => "ann\@m\xc3\xbcller.example");
is(track($_->[0], $_->[1])->{status}, 200, "an order filed with one spelling of a domain is found: $_->[0], $_->[1]")
    for map { my $id = $_; map { [ $id, $_ ] } $typed, $sent } qw(T-IDN T-IDN-2);
is(track('T-IDN', 'ann@muller.example')->{status}, 404, 'a domain without its umlaut is another one');

is(track('T-1', 'a.nn@example.com')->{status}, 404, 'a dot more is another address');
is(track('T-1', 'ann+x@example.com')->{status}, 404, 'a plus tag is another address');

# what people type, and paste

for my $typed ('t-1', 'T-1.', 'Order no. T-1', "T\xe2\x80\x911", "\xef\xbc\xb4\xef\xbc\x8d\xef\xbc\x91", "\xc2\xa0T-1\xc2\xa0", "\xe2\x84\x96 t-1,") {
    my $r = track($typed, 'ann@example.com');
    is("$r->{status} $r->{json}{order}", '200 T-1', "\"$typed\" is T-1");
}

$t->file('low-1', email => 'low@example.com');
is(track('LOW-1', 'low@example.com')->{status}, 200, 'small letters of an id are found, too');
$t->file('Low-1', email => 'low@example.com', items => [ { sku => 'X', product => 'Another', key => 'K-1' } ]);
is(track('Low-1', 'low@example.com')->{json}{order}, 'Low-1', 'an id that is typed as it is comes first');
is(track('t-1', 'eve@example.com')->{status}, 404, 'another email finds nothing, however the number is typed');

# show: each link is good once, and says how the customer came

sub show {
    my ($url) = @_;
    my ($path) = $url =~ m{(/r/.*)};
    my $nonce = $t->nonce($path);
    return $t->post($path, "nonce=$nonce", headers => { Accept => 'application/json', Origin => 'null' });
}

my $one = $r->{json}{items}[1]{reveal_url};
my $shown = show($one);
is($shown->{status}, 200, 'show gives the key, without a challenge');
is_deeply([ map { $_->{key} } @{$shown->{json}{items}} ], [ 'ABCDE-FGHIJ-KLMNO-PQRS2' ], 'the one item\'s key');
is($shown->{json}{channel}, 'track', 'the channel is track');
is(show($one)->{status}, 410, 'the link is good once');
is(scalar @{show($r->{json}{reveal_url})->{json}{items}}, 2, 'show all gives all of them');
isnt(track('T-1', 'ann@example.com')->{json}{items}[0]{reveal_url}, $r->{json}{items}[0]{reveal_url}, 'links are fresh each time');

$r = track('T-1', 'ann@example.com');
is_deeply([ map { "$_->{channel} $_->{ip}" } @{$r->{json}{views}} ], [ ('track 127.0.0.1') x 2 ], 'the customer sees the own views');
is(join(' ', map { $_->{state} } @{$r->{json}{items}}), 'viewed viewed', 'and which keys were shown');
ok($r->{json}{delivered_at}, 'shown is delivered');

# the page

my $page = track('T-1', 'ann@example.com', html => 1);
is($page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'a page for a browser');
like($page->{body}, qr{<form method="post" action="/r/[^"]+"><input type="hidden" name="nonce" value="[^"]{54}">}, 'with buttons that show');
like($page->{body}, qr/on the order tracking page/, 'and the views in words');
like($page->{headers}{'cache-control'}, qr/no-store/, 'it is stored nowhere');
my ($action, $nonce) = $page->{body} =~ m{action="(/r/[^"]+)"><input type="hidden" name="nonce" value="([^"]+)"};
is($t->request('POST', $action, headers => { 'Content-Type' => 'application/x-www-form-urlencoded', Origin => 'null' },
    body => "nonce=$nonce")->{status}, 200, 'the button of the page works as it stands');

$t->file('T-2');
$t->mint('T-2');
$r = track('T-2', 'ann@example.com', html => 1);
like($r->{body}, qr{Report it by <time datetime="([^"]+)">([^<]+)</time> and we look into it}, 'R6: while the time is open, until when');
my ($at, $words) = $r->{body} =~ m{Report it by <time datetime="([^"]+)">([^<]+)</time>};
$r = track('T-2', 'ann@example.com');
is("$at $words", later($r->{json}{released_at}, 7 * 86400) . " " . words($at), 'R6: with date, hour and the zone');
is("$r->{json}{claim_until} $r->{json}{items}[0]{claim_until}", "$at $at", 'R6: as JSON, too, and of each item');

$t->file('T-old', past(8 * 86400));
$t->mint('T-old');
$r = track('T-old', 'ann@example.com', html => 1);
like($r->{body}, qr{exchange a key that does not work without further questions ended on <time datetime="([^"]+)">}, 'R6: after it, when it ended');
like($r->{body}, qr/Your statutory rights, also for defects, are not affected/, 'R6: and that statutory rights stay');
unlike($r->{body}, qr/Report a problem/, 'R6: nothing is offered then');
$r = track('T-old', 'ann@example.com');
is($r->{json}{claim_until}, later($r->{json}{purchased_at}, 7 * 86400), 'R6: as JSON, too');
is($r->{json}{items}[0]{claim_until}, undef, 'R6: no item can be reported');
is($r->{json}{rights}, 'Your statutory rights, also for defects, are not affected.', 'R6: whatever else is');

$t->file('T-3', state => 'held');
$r = track('T-3', 'ann@example.com');
is($r->{json}{state}, 'held', 'a held order is shown');
is($r->{json}{reveal_url}, undef, 'without links');
is($r->{json}{items}[0]{reveal_url}, undef, 'for its items neither');
is($r->{json}{items}[0]{masked}, undef, 'and nothing of its key');
like(track('T-3', 'ann@example.com', html => 1)->{body}, qr/We are checking your order/, 'its page says that it is under review');

$t->file('T-4', state => 'held');
$t->api('POST', 'orders/T-4/cancel', { reason => 'fraud' });
is(track('T-4', 'ann@example.com')->{json}{state}, 'cancelled', 'a cancelled order is shown to its customer');

$r = $t->get('/track');
is($r->{status}, 200, 'GET is the form');
like($r->{body}, qr/name="order".*name="email"/s, 'with its two fields');
is($t->request('HEAD', '/track')->{status}, 200, 'HEAD, too');
is($t->get('/track', headers => { Accept => 'application/json' })->{body}, "{\"fields\":[\"order\",\"email\"]}\n", 'for programs, its fields');

for my $bad ([ '', 'ann@example.com' ], [ 'T-1', '' ], [ ' . ', 'ann@example.com' ], [ 'T-1', 'ann' ], [ 'T-1', 'an n@example.com' ],
    [ 'T-1', 'ann@example.com,bob@example.com' ], [ 'x' x 65, 'ann@example.com' ]) {
    is(track(@$bad)->{status}, 422, "\"$bad->[0]\", \"$bad->[1]\" is no lookup");
}

is(track('T-1', 'ann@example.com', headers => { 'Content-Type' => 'text/plain' })->{status}, 422, 'a body of another kind is none');

for (['a % alone', 'order=%'], ['a field twice', 'order=T-1&order=T-1&email=ann%40example.com'], ['one that is too large', 'order=' . 'x' x 20000]) {
    my ($what, $body) = @$_;
    my $r = $t->post('/track', $body);
    is($r->{status}, 422, "a form that can't be read, $what: refused");
    like($r->{body}, qr{<form method="post".*name="order"}s, "a form that can't be read, $what: the page is there again");
}
is($t->request('POST', '/track', headers => { 'Content-Type' => 'application/json', Accept => 'application/json', 'X-Real' => '10.9.9.9' },
    body => '{"order":"T-1","email":"ann@example.com"}')->{status}, 200, 'JSON is as good as a form');
is($t->request('PUT', '/track', body => 'x')->{body}, "shop\n", 'another method goes on to the shop');


# strangers learn nothing

$t->file('T-BIG', items => [ map { { sku => 'S', product => 'P' x 200, key => 'K' x 300 } } 1 .. 400 ]);

sub answer {
    my ($order, $email, %o) = @_;
    my $r = track($order, $email, html => 1, %o);
    (my $raw = $r->{raw}) =~ s/^Date: [^\r]+\r\n//mi;
    $raw =~ s/\Q$order\E/ORDER/g;
    return $raw;
}

my $wrong = answer('T-1', 'bob@example.com');
like($wrong, qr{^HTTP/1.1 404 }, 'a wrong email is a 404');
is(answer('T-9', 'bob@example.com'), $wrong, 'an unknown order answers with the same bytes as a wrong email');
is(answer('T-4', 'bob@example.com'), $wrong, 'so does a cancelled one');
is(answer('T-BIG', 'bob@example.com') =~ s/Content-Length: \d+//r, $wrong =~ s/Content-Length: \d+//r, 'so does one of 400 keys');

$wrong = answer('T-1', 'bob@example.com', path => '/old');
like($wrong, qr{X-Shop: POST /old\r\n.*shop}s, 'with mpk_fallthrough a wrong email goes on to the shop');
is(answer('T-9', 'bob@example.com', path => '/old'), $wrong, 'as an unknown order does');
is(track('T-1', 'ann@example.com', path => '/old')->{status}, 200, 'and the right one is shown here');

# in time: two samples of the same kind differ as much as known and unknown orders do

my %times;
my $socket = Mpk::Http::connection($t->port('edge'));

for my $n (1 .. 600) {
    for my $kind (qw(known unknown big)) {
        my $order = { known => 'T-1', unknown => "T-9", big => 'T-BIG' }->{$kind};
        my $from = time;
        Mpk::Http::request($t->port('edge'), 'POST', '/busy', socket => $socket, keepalive => 1, headers => {
            'Content-Type' => 'application/x-www-form-urlencoded', Accept => 'application/json' },
            body => Mpk::Http::form(order => $order, email => 'bob@example.com'));
        push @{$times{$kind}}, time - $from;
    }
}

sub quantile { my ($list, $q) = @_; my @s = sort { $a <=> $b } @$list; return $s[$#s * $q] }

for my $kind (qw(known big)) {
    my ($a, $b) = map { quantile($times{$_}, 0.5) * 1e6 } $kind, 'unknown';
    cmp_ok(abs($a - $b), '<', 0.15 * $b + 20, sprintf 'a %s order takes as long as an unknown one', $kind)
        or diag(sprintf '%.0f us against %.0f us', $a, $b);
    note(sprintf 'median of %s %.0f us, unknown %.0f us', $kind, $a, $b);
}


# nobody can guess

$t->file('L-1');

for my $n (1 .. 3) {
    is(track('L-1', "x$n\@example.com", path => '/tight', address => '10.1.0.1')->{status}, 404, "failure $n of an address");
}

$r = track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.1');
is($r->{status}, 429, 'after its failures an address is refused, be it right or wrong');
is($r->{headers}{'retry-after'}, 60, 'and told when to come back');
is(track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.2')->{status}, 200, 'the customer comes from another address');
like(track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.1', html => 1)->{body}, qr/Please wait a little/, 'a page says so');

for my $n (1 .. 8) {
    is(track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.3')->{status}, 200, "what is right does not count ($n)");
}

# a number that is not typed as it is

$t->file('N-1');
is(track('n-1.', 'ann@example.com', path => '/tight', address => '10.1.9.1')->{status}, 200, "a near miss that is meant right does not count ($_)") for 1 .. 7;
my @spelled = ('N-1', 'n-1', 'N-1.', 'no. n-1', '#n-1', '(N-1)');
is(join(' ', map { track($spelled[$_], 'eve@example.com', path => '/tight', address => "10.1.8.$_")->{status} } 0 .. 5),
    '404 404 404 404 404 429', 'an order has one count of wrong lookups, however it is spelled');

for my $n (1 .. 4) {
    track('L-9', "x$n\@example.com", path => '/tight', address => "2001:db8:1:1::$n");
}
is(track('L-1', 'ann@example.com', path => '/tight', address => '2001:db8:1:1:ffff::1')->{status}, 429, 'an IPv6 /64 is one address');
is(track('L-1', 'ann@example.com', path => '/tight', address => '2001:db8:1:2::1')->{status}, 200, 'the next /64 is another');

track('L-7', "y$_\@example.com", path => '/tight', address => "64:ff9b::198.51.100.$_") for 1 .. 4;
is(track('L-1', 'ann@example.com', path => '/tight', address => '64:ff9b::198.51.100.9')->{status}, 200, 'whom NAT64 brings each have an address');
track('L-8', "z$_\@example.com", path => '/tight', address => '64:ff9b::203.0.113.9') for 1 .. 3;
is(track('L-1', 'ann@example.com', path => '/tight', address => '203.0.113.9')->{status}, 429, 'which is the IPv4 address in it');

# three failures of 10.1.0.1 stand for L-1; its later tries were refused before they counted

is(track('L-1', 'x@example.com', path => '/tight', address => '10.1.0.4')->{status}, 404, 'the order\'s fourth failure');
is(track('L-1', 'x@example.com', path => '/tight', address => '10.1.0.4')->{status}, 404, 'its fifth');
is(track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.5')->{status}, 429, 'many addresses are refused by the order');
is($t->confirm($t->mint('L-1'))->{status}, 200, 'a link in an email is open all the same');

# both counters end with their window

my @counters = map { @{$redis->cmd('KEYS', $_)} } 'mpk:*:l:*';
is(scalar(grep { $redis->cmd('TTL', $_) > 0 } @counters), scalar @counters, 'each counter has an end');
cmp_ok(scalar(grep { my $left = $redis->cmd('TTL', $_); $left > 0 && $left <= 60 } @counters), '>=', 2, 'those of the window with it');
$redis->cmd('EXPIRE', $_, 1) for @counters;
ok(wait_for(sub { track('L-1', 'ann@example.com', path => '/tight', address => '10.1.0.1')->{status} == 200 }, 'the window ends', 20),
    'and lets its customer in then');

$redis->cmd('DEL', $_) for map { @{$redis->cmd('KEYS', $_)} } 'mpk:*:l:*';
my @sockets = map { Mpk::Http::connection($t->port('edge')) } 1 .. 40;
for my $n (0 .. $#sockets) {
    print {$sockets[$n]} Mpk::Http::text('POST', '/track', headers => { 'X-Real' => '10.2.0.1', Accept => 'application/json',
        'Content-Type' => 'application/x-www-form-urlencoded' }, body => Mpk::Http::form(order => 'T-1', email => "g$n\@example.com"));
}
my %answers;
$answers{Mpk::Http::response($_)->{status}}++ for @sockets;
is_deeply(\%answers, { 404 => 10, 429 => 30 }, 'guesses at the same instant, over two workers, are counted one by one');

# at_once(path, [address, email]...): such lookups of T-1 at the same instant, while Redis rests; their answers, in that order
sub at_once {
    my ($path, @who) = @_;
    my @sockets = map { Mpk::Http::connection($t->port('edge')) } @who;
    $redis->cmd('CLIENT', 'PAUSE', 150);
    for my $n (0 .. $#who) {
        print {$sockets[$n]} Mpk::Http::text('POST', $path, headers => { 'X-Real' => $who[$n][0], Accept => 'application/json',
            'Content-Type' => 'application/x-www-form-urlencoded' }, body => Mpk::Http::form(order => 'T-1', email => $who[$n][1]));
    }
    return map { Mpk::Http::response($_)->{status} } @sockets;
}

sub counts { my %n; $n{$_}++ for @_; return join ' ', map { "$n{$_} x $_" } sort keys %n }

is(counts(at_once('/track', map { [ '10.2.0.2', 'ann@example.com' ] } 1 .. 30)), '30 x 200', 'of right lookups behind one address, at the same instant, none counts');
is(track('T-1', 'eve@example.com', address => '10.2.0.2')->{status}, 404, 'and it is open afterwards');
$redis->cmd('DEL', $_) for map { @{$redis->cmd('KEYS', $_)} } 'mpk:*:l:*';
my @answers = at_once('/tight', (map { [ "10.3.0.$_", "g$_\@example.com" ] } 1 .. 200), [ '10.4.0.1', 'ann@example.com' ]);
is(counts(@answers), '5 x 404 196 x 429', 'of guesses from as many addresses at the same instant, no more than the order\'s limit are answered');
is($answers[-1], 429, 'and not the right one behind them');
$redis->cmd('DEL', $_) for map { @{$redis->cmd('KEYS', $_)} } 'mpk:*:l:*';
is(counts(at_once('/tight', map { [ '10.3.1.1', "g$_\@example.com" ] } 1 .. 40)), '3 x 404 37 x 429', 'an address answers no more than its own');
ok(wait_for(sub { track('T-1', 'ann@example.com', path => '/tight', address => '10.3.1.2')->{status} == 200 }, 'the order'), 'and can\'t close an order to others');
is($t->confirm($t->link('T-5'))->{status}, 200, 'a stranger at the limit has closed no link');


# HTTP/2, and Redis away

my $down = Mpk->new;
my $store = $down->redis;
$down->conf(listen => 'http2', location => 'location = /track { mpk_track on; }')->start;

my $h2 = Mpk::Http::h2($down->port('edge'), 'POST', '/track', headers => { Accept => 'application/json' },
    body => 'order=D-1&email=ann%40example.com');
is($h2->{status}, 404, 'over HTTP/2');
$store->stop;
$h2 = Mpk::Http::h2($down->port('edge'), 'POST', '/track', headers => { Accept => 'application/json' },
    body => 'order=D-1&email=ann%40example.com');
is($h2->{status}, 503, 'without Redis, 503');
is(Mpk::Http::h2($down->port('edge'), 'GET', '/track')->{status}, 200, 'and the form');
ok($down->quit, 'ends');


# a unix socket gives customers no address, unless realip does

my $local = Mpk->new;
$local->redis;
my $warning = qr/\[warn\].*the customer's address is "unix:": .* set "set_real_ip_from unix:" and "real_ip_header"/;
my @local = (listen => "; listen unix:@{[$local->dir]}/edge.sock", location => 'location = /track { mpk_track on; }');

sub locally {
    my ($method, $path, %o) = @_;
    my $s = IO::Socket::UNIX->new(Peer => $local->dir . '/edge.sock') or die "edge.sock: $!";
    return Mpk::Http::request(0, $method, $path, %o, socket => $s);
}

$local->conf(@local, http => 'set_real_ip_from unix:; real_ip_header X-Real;')->start;
is(locally('GET', '/track', headers => { 'X-Real' => '192.0.2.1' })->{status}, 200, 'over a unix socket with realip');
unlike($local->read('error.log'), $warning, 'there is no warning');
ok($local->quit, 'ends');
$local->conf(@local)->start;
is(locally('PUT', '/mpk/v1/orders/U-1', headers => { Authorization => "Bearer $local->{token}" }, body => '{}')->{status}, 415, "the shop's backend");
unlike($local->read('error.log'), $warning, 'may call from there');
is(locally('GET', '/track')->{status}, 200, 'a customer without an address') for 1, 2;
is(scalar(() = $local->read('error.log') =~ /$warning/g), 1, 'is warned of, once');
ok($local->quit, 'ends');

$t->finish;
