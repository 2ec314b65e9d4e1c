#!/usr/bin/perl

# A real Redis that is stopped, killed, paused, restarted empty; clients that go away
# at each stage; reload and quit while commands are pending.

use warnings;
use strict;

use lib 't/lib';
use Mpk qw(quick);
use JSON::PP;
use Mpk::Http2;
use Mpk::Tls;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

# what is freed is given back, so that memory that ends is needed

$ENV{MALLOC_MMAP_THRESHOLD_} = 8192;

my $t = Mpk->new;
my $redis = $t->redis;
my ($h2, $tls) = map { $t->port($_) } qw(h2 tls);
my $dir = $t->dir;
Mpk::Tls->new($t)->certificate('edge', 'localhost');

# whether this nginx has a filter that changes bodies

my $filters = `@{[Mpk::nginx()]} -V 2>&1` =~ /--with-http_sub_module/;

# small buffers, so that a big answer does not go to the kernel at once

$t->conf(redis => "unix:$dir/redis.sock timeout=1s", listen => 'sndbuf=16k',
    server => "listen 127.0.0.1:$h2 http2; listen 127.0.0.1:$tls ssl sndbuf=16k; ssl_certificate $dir/edge.pem; ssl_certificate_key $dir/edge.key; send_timeout 2s; output_buffers 1 16k; postpone_output 0;",
    http => 'map $mpk_order $changed { E-9 "</html>"; default ""; }', reveal => $filters ? 'sub_filter_types *; sub_filter $changed "</html>\n";' : '')->start;

my $key = qr/XK7QX/;
my $slow = $ENV{MPK_VALGRIND} ? 10 : 1;

sub served { wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, 'service is back', 10) }


# Redis goes

my $link = $t->link('A-1');
my $nonce = $t->nonce($link);

$redis->stop('KILL');
my $r;
cmp_ok(quick(sub { $r = $t->confirm($link, nonce => $nonce) }), '<', 2 * $slow, 'with Redis killed, a reveal is answered soon');
is($r->{status}, 503, 'R2: with 503');
ok($r->{headers}{'retry-after'}, 'R2: and Retry-After');
unlike($r->{body}, $key, 'R2: without the key');
is($t->api('PUT', 'orders/A-2', $t->order)->{status}, 503, 'filing: 503');
is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');
cmp_ok(quick(sub { $t->get('/') for 1 .. 50 }), '<', 2 * $slow, 'I6: as fast as ever');

$redis->start;
ok(served(), 'with Redis back, service is back without a reload');
is($t->events('A-1'), 'filed link_minted opened', 'I3: what was committed is there');
is($t->confirm($link, nonce => $nonce)->{status}, 200, 'and the same confirmation works');

$redis->stop;
is($t->get($link)->{status}, 503, 'with Redis stopped, a link is unavailable');
like($t->get($link)->{body}, qr/Nothing has been used|nothing has been used|try again/i, 'and the page says what to do');
$redis->start;
ok(served(), 'and back again');


# Redis hangs

$link = $t->link('B-1');
$nonce = $t->nonce($link);
$redis->pause;
my $took = quick(sub { $r = $t->confirm($link, nonce => $nonce) });
is($r->{status}, 503, 'with Redis paused, a reveal ends in 503');
cmp_ok($took, '>', 0.8, 'not before the timeout');
cmp_ok($took, '<', 2.5 * $slow, 'and not long after it');
cmp_ok(quick(sub { $t->get('/') for 1 .. 20 }), '<', 1 * $slow, 'I6: nobody else waits');
$redis->resume;
ok(served(), 'resumed, it is back');
is($t->confirm($link, nonce => $nonce)->{status}, 200, 'and the same confirmation works');


# Redis comes back empty

$redis->stop;
$redis->wipe;
$redis->start;
ok(served(), 'an empty Redis serves');
is($t->get($link)->{status}, 404, 'it does not know the order');
is($t->confirm($t->link('C-1'))->{status}, 200, 'a new order works, the script is sent again');


# the client goes away

sub gone {
    my ($order, $events, $name) = @_;
    ok(wait_for(sub { $t->events($order) eq $events }, "events $events: " . $t->events($order), 8), $name);
}

sub post_text {
    my ($link, $nonce, %how) = @_;
    return Mpk::Http::text('POST', $link, headers => { 'Content-Type' => 'application/x-www-form-urlencoded',
        Accept => 'application/json' }, body => Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
}

$link = $t->link('D-1');
$nonce = $t->nonce($link);
my $s = Mpk::Http::connection($t->port('edge'));
print $s substr post_text($link, $nonce), 0, -10;
$s->flush;
Mpk::Http::taken($s);
Mpk::Http::slam($s);
is($t->confirm($link, nonce => $nonce)->{json}{repeat}, JSON::PP::false, 'a client that goes in the middle of its body uses nothing up');

$link = $t->link('D-2');
$nonce = $t->nonce($link);
$redis->pause;
$s = Mpk::Http::connection($t->port('edge'));
print $s post_text($link, $nonce);
$s->flush;
Mpk::Http::taken($s);
Mpk::Http::slam($s);
sleep 0.1;
$redis->resume;
ok(served(), 'a client that goes during the read');
gone('D-2', 'filed link_minted opened', 'uses nothing up: the read is not followed by a commit');

# at any moment of a reveal

my $cut = 0;

for my $try (1 .. 40) {
    $link = $t->link("D-3-$try");
    $nonce = $t->nonce($link);
    $s = Mpk::Http::connection($t->port('edge'));
    print $s post_text($link, $nonce);
    $s->flush;
    sleep 0.00003 * $try;
    Mpk::Http::slam($s);

    my $events = '';
    wait_for(sub { my $now = $t->events("D-3-$try"); my $same = $now eq $events; $events = $now; $same }, 'steady', 5);
    like($events, qr/^filed link_minted opened( viewed cut_off| viewed)?$/, 'a client that goes at any moment leaves a whole story')
        or last;
    $cut++ if $events =~ /cut_off/;
}

note("$cut of 40 were cut off");


# an answer that does not fit into the socket's buffer

my @items = map { { sku => "S-$_", product => "P $_", key => "XK7QX$_-" . 'x' x 500 } } 1 .. 500;
$t->file('E-1', items => \@items);
$link = $t->mint('E-1');
$nonce = $t->nonce($link);
$s = Mpk::Http::connection($t->port('edge'), 2048);
print $s post_text($link, $nonce);
$s->flush;
ok(wait_for(sub { $t->events('E-1') =~ /viewed/ }, 'the view'), 'a big answer begins');
sysread $s, my $begin, 1000;
Mpk::Http::slam($s);
gone('E-1', 'filed link_minted opened viewed cut_off', 'an answer that was cut off is journaled as such');
is($t->journal('E-1')->{verdict}, 'intact', 'and the journal is intact');
my $end = $t->journal('E-1')->{entries}[-1];
cmp_ok($end->{sent}, '>', 1000, 'it says how many bytes were sent');
is($end->{items}[-1], 500, 'the last key was not');
is(scalar @{$end->{items}}, 501 - $end->{items}[0], 'nor were those before it');
cmp_ok(abs($end->{sent} / 560 - $end->{items}[0]), '<', 30, 'from the first that did not leave on') or diag(explain([ @$end{qw(sent items)} ]));

# a client that stops reading, until nginx gives up: then it reads what the kernel has still

for (['E-A', $t->port('edge'), 0], ['E-B', $tls, 1]) {
    my ($order, $port, $encrypted) = @$_;
    my $way = $encrypted ? 'TLS' : 'HTTP/1.1';

    SKIP: {
        skip 'libio-socket-ssl-perl is missing', 3 if $encrypted && !eval { require IO::Socket::SSL; 1 };

        $t->file($order, items => \@items);
        my $link = $t->mint($order);
        my $nonce = $t->nonce($link);
        my $client = Mpk::Http::connection($port, 2048);
        IO::Socket::SSL->start_SSL($client, SSL_verify_mode => 0) or die 'no TLS' if $encrypted;
        syswrite $client, post_text($link, $nonce);
        gone($order, 'filed link_minted opened viewed cut_off', "$way: a client that does not read is cut off");

        my $read = '';
        1 while sysread $client, $read, 65536, length $read;
        $read =~ s/^.*?\r\n\r\n//s;
        my $cut = $t->journal($order)->{entries}[-1];
        is($cut->{sent}, length $read, "$way: after the bytes that it has in the end");
        is_deeply($cut->{items}, [ grep { index($read, $items[$_ - 1]{key}) < 0 } 1 .. 500 ], "$way: without the keys that it has not");
    }
}

my $c = Mpk::Http2->new($h2, 1000);
$t->file('E-2', items => \@items);
$link = $t->mint('E-2');
$nonce = $t->nonce($link);
my $stream = $c->request('POST', $link, { 'content-type' => 'application/x-www-form-urlencoded', accept => 'application/json' },
    Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
my $data = '';
while (my ($type, undef, undef, $payload) = $c->next(10)) {
    $data .= $payload if $type == Mpk::Http2::DATA;
    last if length $data >= 1000;
}
is(length $data, 1000, 'HTTP/2: the window is all that comes');
$c->reset($stream);
gone('E-2', 'filed link_minted opened viewed cut_off', 'HTTP/2: an answer that was reset is journaled as cut off');
is($t->journal('E-2')->{entries}[-1]{sent}, 1000, 'HTTP/2: with the bytes of the body that were sent');
is_deeply($t->journal('E-2')->{entries}[-1]{items}, [ 2 .. 500 ], 'HTTP/2: and the items whose keys were not: the first was');

# taken(order, JSON or HTML, window): an answer of three keys, as far as the window lets it; then the
# stream is reset
sub taken {
    my ($order, $accept, $window) = @_;
    $t->file($order, items => [ @items[0 .. 2] ]);
    my $link = $t->mint($order);
    my $nonce = $t->nonce($link);
    my $c = Mpk::Http2->new($h2, $window);
    my $stream = $c->request('POST', $link, { 'content-type' => 'application/x-www-form-urlencoded', accept => $accept },
        Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
    my $data = '';
    while (my ($type, $flags, undef, $payload) = $c->next(10)) {
        next unless $type == Mpk::Http2::DATA;
        $data .= $payload;
        last if length $data >= $window || $flags & 1;
    }
    $c->reset($stream);
    $c->request('GET', '/');
    while (my ($type) = $c->next(10)) { last if $type == Mpk::Http2::HEADERS }    # the reset was read
    return $data;
}

for my $accept (qw(application/json text/html)) {
    my $way = "HTTP/2, $accept";
    my $order = $accept eq 'text/html' ? 'E-8' : 'E-7';
    my $whole = taken("$order-0", $accept, 100000);
    my @end = map { index($whole, $items[$_]{key}) + length $items[$_]{key} } 0 .. 2;
    cmp_ok($end[0], '<', $end[2], "$way: an answer of three keys");

    my $data = taken("$order-1", $accept, length($whole) - 3);
    like($data, qr/XK7QX3-x{500}/, "$way: a client that takes all but the last bytes has its keys");
    taken("$order-2", $accept, $end[1]);
    taken("$order-3", $accept, $end[0] - 1);

    gone("$order-2", 'filed link_minted opened viewed cut_off', "$way: one that takes two of three keys is cut off");
    gone("$order-3", 'filed link_minted opened viewed cut_off', "$way: so is one that takes all but the last byte of one");
    is($t->events("$order-1"), 'filed link_minted opened viewed', "$way: but not one that has them all");

    my ($two, $none) = map { $t->journal("$order-$_")->{entries}[-1] } 2, 3;
    is_deeply([ $two->{items}, $two->{sent} ], [ [3], $end[1] ], "$way: the third did not leave");
    is_deeply([ $none->{items}, $none->{sent} ], [ [1, 2, 3], $end[0] - 1 ], "$way: none did");

    my @told = map { $t->api('GET', "orders/$order-$_/evidence")->{json}{evidence}{stripe}{refund_refusal_explanation} // 'none' } 1 .. 3;
    like($told[0], qr/: 3 of 3\..*Views in all: 1\./, "$way: evidence has the view");
    like($told[1], qr/: 2 of 3\..*Views in all: 1\./, "$way: of two keys");
    is($told[2], 'none', "$way: but none of a key that did not leave");
}

# a filter that changes the body of E-9

SKIP: {
    skip 'this nginx has no sub_filter', 2 unless $filters;

    taken('E-9', 'text/html', length(taken('E-8-4', 'text/html', 100000)) - 30);
    gone('E-9', 'filed link_minted opened viewed cut_off', 'HTTP/2: what left of a page that a filter changed is not known');
    is_deeply([ @{$t->journal('E-9')->{entries}[-1]}{qw(event items sent)} ], [ 'cut_off', [1, 2, 3], undef ], 'HTTP/2: so none of its keys is told to have');
}

$link = $t->link('E-3');
$nonce = $t->nonce($link);
$redis->pause;
$stream = $c->request('POST', $link, { 'content-type' => 'application/x-www-form-urlencoded' },
    Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
sleep 0.1;
$c->reset($stream);
sleep 0.1;
$redis->resume;
ok(served(), 'HTTP/2: a stream that is reset during the read');
gone('E-3', 'filed link_minted opened', 'uses nothing up');

$link = $t->link('E-4');
$nonce = $t->nonce($link);
$stream = $c->request('POST', $link, { 'content-type' => 'application/x-www-form-urlencoded' },
    Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
$c->frame(Mpk::Http2::WINDOW_UPDATE, 0, $stream, pack 'N', 100000);
$data = '';
while (my ($type, $flags, $id, $payload) = $c->next(10)) {
    next unless $id == $stream;
    $data .= $payload if $type == Mpk::Http2::DATA;
    last if $type == Mpk::Http2::DATA && $flags & 1;
}
like($data, $key, 'HTTP/2: a whole answer shows the key');
sleep 0.1;
is($t->events('E-4'), 'filed link_minted opened viewed', 'HTTP/2: and is not cut off');

# at once, so that both are there when the worker looks

$link = $t->link('E-6');
$c->{socket}->autoflush(0);
$c->reset($c->request('GET', $link));
$c->{socket}->flush;
$c->{socket}->autoflush(1);
ok(served(), 'HTTP/2: a stream that is reset with its request');
gone('E-6', 'filed link_minted', 'leaves no trace');

my $h = Mpk::Http::h2($h2, 'GET', $t->link('E-5'));
is($h->{status}, 200, 'HTTP/2: the confirm page');


# what follows has time, however long a busy machine takes for it

ok($t->quit, 'quit');
$redis->cmd('DEL', 'mpk:meta');
$t->conf(location => 'location = /metrics { mpk_status prometheus; }')->start;

# what the edge asks for itself, once a minute, is done

ok(wait_for(sub { $redis->cmd('EXISTS', 'mpk:meta') }, 'mpk:meta'), 'the edge has written its keys');


# system calls that fail

# fail_calls(worker, system calls, how they fail): from now on; the pid of who sees to it, 0 where
# nobody can
sub fail_calls {
    my ($worker, $calls, @how) = @_;
    my $tracer = fork // die "fork: $!";

    if ($tracer == 0) {
        open STDERR, '>', "$dir/strace";
        exec 'strace', '-p', $worker, '-e', "trace=$calls", map { ('-e', "inject=$_") } @how or POSIX::_exit(127);
    }

    my $gone;
    wait_for(sub {
        $gone = waitpid($tracer, WNOHANG) == $tracer;
        open my $f, '<', "/proc/$worker/status" or return 1;
        return $gone || grep { /^TracerPid:\s+$tracer$/ } <$f>;
    }, 'strace');
    return $gone ? 0 : $tracer;
}

sub calls_work {
    my ($tracer) = @_;
    kill 'INT', $tracer;
    waitpid $tracer, 0;
}

# read_at_once([ link, nonce ], ...): confirms them; the worker, which stands still until it is
# told to go on, with the answers to all reads before it, and the clients
sub read_at_once {
    my (@links) = @_;
    my $calls = $redis->calls('hmget');
    my ($worker) = $t->workers;

    $redis->pause;
    my @client = map { $t->confirming(@$_) } @links;
    ok(wait_for(sub { $t->metric('redis_queue_depth{worker="0"}') == @links }, 'the reads'), 'reads are under way');
    kill 'STOP', $worker;
    $redis->resume;
    ok(wait_for(sub { $redis->calls('hmget') == $calls + @links }, 'the answers'), 'and answered');
    $redis->cmd('PING');        # answered behind all of them
    return ($worker, @client);
}


# nginx gives the kernel 64 commands at once, and the next ones fail

SKIP: {
    my (@order, %link, %nonce, %before, @refused, $lost, $unsent);

    # a command of the edge's own may be written alone before them: then none of theirs is, so once more

    for my $try (1 .. 5) {
        @order = map { "G-$try-$_" } 1 .. 80;
        %link = map { $_ => $t->link($_) } @order;
        %nonce = map { $_ => $t->nonce($link{$_}) } @order;
        %before = map { $_ => $t->metric($_) } qw(redis_lost_total redis_unsent_total store_seconds_count);

        my ($worker, @client) = read_at_once(map { [ $link{$_}, $nonce{$_} ] } @order);
        my $tracer = fail_calls($worker, 'writev', 'writev:error=EPIPE:when=2');
        kill 'CONT', $worker;
        @refused = grep { Mpk::Http::response($_)->{status} == 503 } @client;
        skip 'strace can\'t be had here: ' . $t->read('strace'), 8 unless $tracer;

        calls_work($tracer);
        ($lost, $unsent) = map { $t->metric("redis_${_}_total") - $before{"redis_${_}_total"} } qw(lost unsent);
        last if $lost;
        served();
    }

    is(scalar @refused, @order, 'a write that breaks off between two parts: all are refused');
    ok($lost == 64 || $lost == 65, 'the first part may be executed') or diag($lost);          # the edge's own command among them
    ok($unsent == @order - 64 || $unsent == @order - 63, 'the second was not sent') or diag($unsent);
    is($t->metric('store_seconds_count') - $before{store_seconds_count}, @order, 'all have waited for Redis');
    ok(served(), 'the connection is back');

    my %told = map { $_ => $t->events($_) } @order;
    my $viewed = grep { $told{$_} =~ /viewed/ } @order;
    cmp_ok($viewed, '>', 0, 'some of the first part was');
    cmp_ok($viewed, '<=', 64, 'and nothing of the second');

    my @wrong = grep {
        my $r = $t->confirm($link{$_}, nonce => $nonce{$_});
        $r->{status} != 200 || $r->{body} !~ $key
            || $t->events($_) ne ($told{$_} =~ /viewed/ ? "$told{$_} repeated" : "$told{$_} viewed");
    } @order;
    is("@wrong", '', 'I2: sent again, each gets its key, for one view');
}

# the C library takes an error of brk() for an address

my $starved = qr/(?!)/;

SKIP: {
    skip 'a sanitizer dies without memory, and so does valgrind', 7 if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

    $t->file('H-1', items => \@items);
    my $link = $t->mint('H-1');
    my $nonce = $t->nonce($link);

    my ($worker, $client) = read_at_once([ $link, $nonce ]);
    $starved = qr/\[emerg\] $worker#\d+: .*(malloc|posix_memalign)\(.*\) failed \(12: /;
    $redis->pause;
    kill 'CONT', $worker;
    is($t->get('/')->{body}, "shop\n", 'the view is being committed');
    my $tracer = fail_calls($worker, 'brk,mmap', 'mmap:error=ENOMEM', 'brk:retval=0');
    $redis->resume;
    my $r = Mpk::Http::response($client);
    close $client;
    skip 'strace can\'t be had here: ' . $t->read('strace'), 4 unless $tracer;

    calls_work($tracer);
    is($r->{status}, 500, 'memory that ends with the commit: no answer is made');
    unlike($r->{raw}, $key, 'and no key shown');
    gone('H-1', 'filed link_minted opened viewed cut_off', 'the journal tells both');
    is($t->confirm($link, nonce => $nonce)->{status}, 200, 'I2: sent again, the keys are shown');
}


# reload and quit while commands are pending

$link = $t->link('F-1');
$nonce = $t->nonce($link);
$redis->pause;
$s = Mpk::Http::connection($t->port('edge'));
print $s post_text($link, $nonce);
$s->flush;
Mpk::Http::taken($s);
my ($old) = $t->workers;
kill 'HUP', $t->{nginx};
ok(wait_for(sub { my @w = $t->workers; @w > 1 || $w[0] != $old }, 'a new worker'), 'a reload begins');
$redis->resume;
$r = Mpk::Http::response($s);
is($r->{status}, 200, 'a reveal under way during a reload is answered');
like($r->{body}, $key, 'with the key');
ok(wait_for(sub { !kill 0, $old }, 'the old worker goes', 10), 'and the old worker goes');
is($t->events('F-1'), 'filed link_minted opened viewed', 'and the new one serves');

$redis->pause;
ok($t->reload(10), 'a reload while Redis hangs leaves no worker behind');
$redis->resume;
ok(served(), 'and the new worker serves');
ok($t->reload(10), 'an idle reload') for 1 .. 3;
is($redis->clients, 1, 'reloads leave no connection behind');

$link = $t->link('F-2');
$nonce = $t->nonce($link);
$redis->pause;
$s = Mpk::Http::connection($t->port('edge'));
print $s post_text($link, $nonce);
$s->flush;
Mpk::Http::taken($s);
kill 'QUIT', $t->{nginx};
sleep 0.1;
$redis->resume;
$r = Mpk::Http::response($s);
is($r->{status}, 200, 'a reveal under way when nginx is told to quit is answered');
ok($t->quit, 'and nginx quits');

$t->finish(alerts => $starved);
