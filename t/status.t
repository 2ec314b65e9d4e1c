#!/usr/bin/perl

# mpk_status and mpk_zone: each counter moves by what has happened and by nothing else,
# over workers, reloads and dead workers; readiness; no secret; what Prometheus takes.

use warnings;
use strict;

use lib 't/lib';
use File::Spec::Functions qw(rel2abs);
use JSON::PP;
use Mpk qw(child);
use Mpk::FakeRedis;
use Test::More;
use Time::HiRes qw(sleep time);

my $t = Mpk->new;
my $dir = $t->dir;
my $shop = $t->port('shop');
my $redis = $t->redis;
my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my @json = (Accept => 'application/json');
my $status = 'location = /metrics { mpk_status prometheus; } location = /status { mpk_status json; }';

my $locations = <<'CONF';
        location = /track { mpk_track on; mpk_track_limit address=2; }
        location = /account { mpk_account $http_x_mpk_account_of_the_test trusted; }
        location /claim/ { mpk_claim on; }
        location ~ ^/onscreen/(?<order_id>[^/]+)$ { internal; mpk_onscreen $order_id trusted; }
        location = /thanks { ssi on; ssi_types *; proxy_pass http://127.0.0.1:SHOP; }
CONF

$locations =~ s/SHOP/$shop/;
$locations =~ s/\$http_x_mpk_account_of_the_test/\$customer/;

my @parts = (workers => 2, http => 'map $http_x_customer $customer { default $http_x_customer; }',
    server => "location /claim/files/ { mpk_claim_access on; proxy_pass http://127.0.0.1:$shop;
        location /claim/files/in/ { proxy_pass http://127.0.0.1:$shop; } }",
    location => "$locations $status", shop => <<'SHOP');
        location ~ ^/now/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200 "x"; }
        location = /thanks { return 200 'x<!--#include virtual="/onscreen/A-1" -->y'; }
SHOP

$t->conf(@parts)->start;


# metrics(): all samples, "name" or "name value value", by their value
sub metrics {
    my ($text) = @_;
    my %m;
    for (split /\n/, $text // $t->get('/metrics')->{body}) {
        next if /^#/;
        /^mpk_(\w+?)(?:_total)?(?:\{(.*)\})? (\S+)$/ or die "no sample: $_";
        my ($name, $labels, $value) = ($1, $2 // '', $3);
        $m{join ' ', $name, $labels =~ /="((?:[^"\\]|\\.)*)"/g} = $value;
    }
    return \%m;
}

sub status { return decode_json($t->get('/status')->{body}) }

# what only ever grows, but for what depends on the clock

sub counters {
    my $m = metrics();
    return { map { $_ => $m->{$_} } grep { /^(requests|failures|refusals|views|repeats|ndjson_lines|redis_errors|store_seconds_count)\b|^redis_[a-z]+$/ } keys %$m };
}

sub difference {
    my ($before, $after) = @_;
    return { map { my $n = ($after->{$_} // 0) - ($before->{$_} // 0); $n ? ($_ => $n) : () } keys %{{ %$before, %$after }} };
}

# a request is counted once it has ended, which its client need not have seen yet

my $base;

sub moves {
    my ($name, $expected, $code) = @_;
    $base //= counters();
    my $result = $code->();
    my %expected = map { ($_ eq 'store' ? 'store_seconds_count' : $_) => $expected->{$_} } keys %$expected;
    my $moved;
    wait_for(sub {
        $moved = difference($base, counters());
        keys %$moved == keys %expected && !grep { ($moved->{$_} // 0) != $expected{$_} } keys %expected;
    }, undef, 2);
    is_deeply($moved, \%expected, $name) or diag(explain($moved));
    $base = counters();
    return $result;
}

# moved(code): what one request moves, where not all of it is known
sub moved {
    my ($code) = @_;
    my $before = counters();
    $code->();
    my $moved;
    wait_for(sub { $moved = difference($before, counters()); grep { /^requests/ } keys %$moved }, 'it is counted', 5);
    return $moved;
}

sub confirm { my ($link, %o) = @_; return $t->confirm($link, %o) }
sub track { my ($order, $email) = @_; return $t->track($order, email => $email) }

# both workers have their connections and have loaded the scripts before anything is counted

sub settled {
    my ($workers, $seconds) = @_;
    wait_for(sub { my $m = metrics(); $m->{workers} == $workers && $m->{workers_ready} == $workers
        && 2 * $workers == $m->{'redis_node_ready ' . $redis->{socket}} + $m->{'redis_node_commits ' . $redis->{socket}} }, 'all workers tell of themselves', $seconds);
}

ok(settled(2), 'both workers tell of themselves, and are ready');
is(metrics()->{redis_connects}, 2, 'each has connected once');
my $loading = 0;
ok(wait_for(sub { $t->confirm($t->link('W-' . ++$loading)); 0 < (metrics()->{'redis_errors NOSCRIPT'} // 0) }, 'a script'),
    'the first commit has loaded the script');
wait_for(sub { (metrics()->{'requests reveal viewed done'} // 0) == $loading }, 'all of them are counted');


# each by itself

my ($link, $nonce, $other);

moves('an order is filed', { 'requests api filed done' => 1, store => 1 }, sub { $t->file('A-1', account => '42') });
moves('filed again', { 'requests api filed same' => 1, store => 1 }, sub { $t->file('A-1', account => '42') });
moves('filed otherwise: R10', { 'requests api filed differs' => 1, 'refusals R10' => 1, store => 1 },
    sub { $t->api('PUT', 'orders/A-1', $t->order(email => 'bob@example.com', account => '42')) });
moves('filed held', { 'requests api filed done' => 1, store => 1, 'redis_errors NOSCRIPT' => 1 }, sub { $t->file('A-2', state => 'held') });
moves('a bad body', { 'requests api filed invalid' => 1 }, sub { $t->api('PUT', 'orders/A-3', '{"email":7}') });
moves('one that is no JSON', { 'requests api filed body' => 1 }, sub { $t->api('PUT', 'orders/A-3', '{') });
moves('one of another type', { 'requests api filed media_type' => 1 },
    sub { $t->request('POST', '/mpk/v1/orders', headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'text/csv' }, body => 'x') });
moves('an id that is none', { 'requests api released absent' => 1 }, sub { $t->api('POST', 'orders/A:1/release') });
moves('a wrong token', { 'requests api read unauthorized' => 1 }, sub { $t->api('GET', 'orders/A-1', undef, token => 'wrong') });
moves('no token', { 'requests api claim_refunded unauthorized' => 1 }, sub { $t->request('POST', '/mpk/v1/orders/A-1/claims/1/refund') });
moves('a role that may not', { 'requests api link_minted forbidden' => 1 }, sub { $t->api('POST', 'orders/A-1/links', undef, token => 'read-token') });
moves('nor this', { 'requests api listed forbidden' => 1 }, sub { $t->api('GET', 'claims', undef, token => 'read-token') });
moves('a method that is not there', { 'requests api none method' => 1 }, sub { $t->api('PATCH', 'orders/A-1') });
moves('nor here', { 'requests reveal none method' => 1 }, sub { $t->request('PUT', '/r/x', body => 'x') });
moves('an order is read', { 'requests api read same' => 1, store => 2 }, sub { $t->api('GET', 'orders/A-1') });
moves('claims are listed', { 'requests api listed same' => 1, store => 1 }, sub { $t->api('GET', 'claims') });
ok(wait_for(sub { $t->read('access.log') =~ m{"POST /mpk/v1/orders/A-1/links HTTP/1\.1" 403 .* event=link_minted outcome=forbidden } }, '403'),
    'the log says who was refused, and what');
moves('minting while held: R1', { 'requests api link_minted held' => 1, 'refusals R1' => 1, store => 1 },
    sub { $t->api('POST', 'orders/A-2/links', {}) });
$link = moves('a link is minted', { 'requests api link_minted done' => 1, store => 1 }, sub { $t->mint('A-1') });
$nonce = moves('it is opened', { 'requests reveal opened done' => 1, store => 1 }, sub { $t->nonce($link) });
$other = moves('and again', { 'requests reveal opened done' => 1, store => 1 }, sub { $t->nonce($link) });
moves('a HEAD', { 'requests reveal opened done' => 1, store => 1 }, sub { $t->request('HEAD', $link) });
moves('a forged link', { 'requests reveal opened absent' => 1 }, sub { $t->get('/r/forged') });
moves('a wrong email: R4', { 'requests reveal viewed challenge' => 1, 'refusals R4' => 1, store => 1 },
    sub { confirm($link, nonce => $nonce, email => 'eve@example.com') });
moves('another site: R4', { 'requests reveal viewed foreign' => 1, 'refusals R4' => 1 },
    sub { confirm($link, nonce => $nonce, headers => { 'Sec-Fetch-Site' => 'cross-site' }) });
moves('the key is shown', { 'requests reveal viewed done' => 1, 'views email' => 1, store => 1 }, sub { confirm($link, nonce => $nonce) });
moves('and repeated', { 'requests reveal repeated done' => 1, 'repeats email' => 1, store => 1 }, sub { confirm($link, nonce => $nonce) });
moves('used up: R3', { 'requests reveal viewed used' => 1, 'refusals R3' => 1, store => 1 }, sub { confirm($link, nonce => $other) });
moves('a cancellation after delivery: R5', { 'requests api cancelled delivered' => 1, 'refusals R5' => 1, store => 1 },
    sub { $t->api('POST', 'orders/A-1/cancel', { reason => 'fraud', note => 'x' }) });
moves('a decision of no claim: R7', { 'requests api claim_rejected no_claim' => 1, 'refusals R7' => 1, store => 1 },
    sub { $t->api('POST', 'orders/A-1/claims/7/reject', { reason => 'other', note => 'x' }) });

moves('the tracking form', { 'requests track tracked form' => 1 }, sub { $t->get('/track') });
my $page = moves('an order is tracked', { 'requests track tracked done' => 1, store => 3 }, sub { track('A-1', 'ann@example.com') });
moves('a wrong email', { 'requests track tracked absent' => 1, store => 2 }, sub { track('A-1', 'eve@example.com') });
moves('another one', { 'requests track tracked absent' => 1, store => 2 }, sub { track('A-1', 'eve@example.com') });
moves('one too many', { 'requests track tracked limited' => 1, store => 1 }, sub { track('A-1', 'eve@example.com') });

my $order = decode_json($page->{body});
my ($button) = $order->{reveal_url} =~ m{(/r/.*)};
$nonce = moves('the button of the page', { 'requests reveal opened done' => 1, store => 1 }, sub { $t->nonce($button) });
moves('a view by tracking', { 'requests reveal viewed done' => 1, 'views track' => 1, store => 1 }, sub { confirm($button, nonce => $nonce, email => '') });

my $list = moves('the account', { 'requests account listed done' => 1, store => 3 },
    sub { $t->get('/account', headers => { @json, 'X-Customer' => '42' }) });
my ($mine) = decode_json($list->{body})->{orders}[0]{reveal_url} =~ m{(/r/.*)};
$nonce = moves('its button', { 'requests reveal opened done' => 1, store => 1 }, sub { $t->nonce($mine) });
moves('a view by the account', { 'requests reveal viewed done' => 1, 'views account' => 1, store => 1 }, sub { confirm($mine, nonce => $nonce, email => '') });
moves('nobody logged in is not ours', {}, sub { $t->get('/account') });

moves('a view on screen, after a redirect', { 'requests onscreen viewed done' => 1, 'views onscreen' => 1, store => 1 },
    sub { $t->get('/now/A-1', headers => { @json }) });
moves('a fragment in a page is counted, and is no view', { 'requests onscreen repeated done' => 1, store => 1 }, sub { $t->get('/thanks') });

my ($claim) = $order->{claim_url} =~ m{(/claim/.*)};
my %report = (name => 'Ann', order => 'A-1', email => 'ann@example.com', key => $key, category => 'other', description => 'x');
my $report = sub { my (%over) = @_; return $t->request('POST', $claim, headers => { @json, 'Content-Type' => 'application/json' }, body => encode_json({ %report, %over })) };
moves('the claim form', { 'requests claim none form' => 1, store => 1 }, sub { $t->get($claim) });
moves('a claim with a wrong key: R6', { 'requests claim claim_opened wrong_key' => 1, 'refusals R6' => 1, store => 1 }, sub { $report->(key => 'WRONG-WRONG-WRONG-WRONG') });
my $claimed = moves('a claim', { 'requests claim claim_opened done' => 1, store => 1 }, sub { $report->() });
my ($files) = decode_json($claimed->{body})->{upload_url} =~ m{(/claim/files/.*)};
moves('its files, of which the journal is told afterwards', { 'requests claim_access claim_access done' => 1, store => 2 }, sub { $t->request('POST', $files, body => 'x') });
moves('files of nobody', { 'requests claim_access claim_opened absent' => 1 }, sub { $t->request('POST', '/claim/files/x', body => 'x') });
moves('and further in', { 'requests claim_access claim_opened absent' => 1 }, sub { $t->request('POST', '/claim/files/in/x', body => 'x') });

my $lines = join '', map { encode_json($_) . "\n" } (map { $t->order(order => "N-$_") } 1 .. 3), $t->order(order => 'N-1'),
    $t->order(order => 'N-2', email => 'eve@example.com');
moves('a file of orders', { 'requests api filed done' => 1, 'ndjson_lines created' => 3, 'ndjson_lines unchanged' => 1, 'ndjson_lines failed' => 2,
    'refusals R10' => 1, store => 5 }, sub { $t->request('POST', '/mpk/v1/orders', body => "$lines!\n",
    headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/x-ndjson' }) });

moves('the rest of the site, and mpk_status itself, are not counted', {}, sub { $t->get('/'); $t->get('/status') for 1 .. 3 });


# the histogram

my $m = metrics();
my @bounds = qw(0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 +Inf);
is_deeply([ sort grep { /^store_seconds_bucket/ } keys %$m ], [ sort map { "store_seconds_bucket $_" } @bounds ], 'the buckets are those that the documents say');
my @cumulated = map { $m->{"store_seconds_bucket $_"} } @bounds;
is_deeply(\@cumulated, [ sort { $a <=> $b } @cumulated ], 'each holds those below it');
is($cumulated[-1], $m->{store_seconds_count}, 'the last holds all');

$redis->pause;
my $s = Mpk::Http::connection($t->port('edge'));
print $s Mpk::Http::text('GET', '/mpk/v1/orders/A-1', headers => { Authorization => "Bearer $t->{token}" });
$s->flush;
ok(wait_for(sub { my $m = metrics(); my $n = 0; $n += $m->{"redis_queue_depth $_"} // 0 for 0, 1; $n > 0 }, 'the queue', 5), 'what waits is the depth of the queue');
sleep 0.6;
$redis->resume;
Mpk::Http::response($s);
ok(wait_for(sub { difference($base, counters())->{store_seconds_count} }, 'the wait'), 'a wait that took over half a second');
my $late = metrics();
cmp_ok($late->{'store_seconds_bucket +Inf'} - $late->{'store_seconds_bucket 0.5'}, '>=', 1 + $m->{'store_seconds_bucket +Inf'} - $m->{'store_seconds_bucket 0.5'},
    'lies in a bucket above');
my $waited = $late->{store_seconds_sum} - $m->{store_seconds_sum};
ok($waited > 0.5 && $waited < 10, sprintf 'and in the sum: %.3f s', $waited);
ok(wait_for(sub { my $m = metrics(); !grep { $m->{"redis_queue_depth $_"} } 0, 1 }, 'the queue', 5), 'then nothing waits');
$base = undef;


# both workers count into one

my %pid;
$t->get('/track') for 1 .. 3;
ok($t->quit, 'quit');
$t->conf(@parts, location => "$locations $status location = /pid { add_header X-Pid \$pid; mpk_track on; }")->start;
ok(settled(2), 'settled');
my $asked = 0;
wait_for(sub { $pid{$t->get('/pid')->{headers}{'x-pid'} // ''}++; $asked++; keys %pid == 2 && $asked > 20 }, 'both workers are asked', 30);
is(scalar keys %pid, 2, 'both workers were asked');
ok(wait_for(sub { (metrics()->{'requests track tracked form'} // 0) == $asked }, 'all of them', 3), "what they did adds up: $asked");


# reload, and a worker that dies

sub reloads {
    my ($name, $reloads) = @_;
    my %codes;
    unlink "$dir/enough";
    my $poller = child(sub {
        my $until = time + 60;
        $codes{$t->get('/status')->{status}}++ while time < $until && !-e "$dir/enough";
        $t->write('polled', encode_json(\%codes));
    });
    ok($t->reload, 'reload') for 1 .. $reloads;
    $t->write('enough', '');
    waitpid $poller, 0;
    my $codes = decode_json($t->read('polled'));
    is(join(' ', keys %$codes), '200', "$name: asked $codes->{200} times") or diag(explain($codes));
}

my $before = counters();
reloads('ready throughout three reloads', 3);
ok(settled(2), 'the new workers tell of themselves, the old ones no longer');
my $after = counters();
my $moved = difference($before, $after);
is_deeply($moved, { redis_connects => 6 }, 'counters survive reloads: only connections were made');

my ($victim) = $t->workers;
kill 'KILL', $victim;
ok(wait_for(sub { my @w = $t->workers; @w == 2 && !grep { $_ == $victim } @w }, 'another worker'), 'a worker is killed');
ok(settled(2), 'another takes its place');
is_deeply(difference($after, counters()), { redis_connects => 1 }, 'counters survive that');

my ($stopped) = $t->workers;
kill 'STOP', $stopped;
sleep 1;
is(metrics()->{workers}, 2, 'a worker that is held up is believed for a while');
ok(wait_for(sub { metrics()->{workers} == 1 }, 'it is left out', 10), 'and left out then');
kill 'CONT', $stopped;
ok(settled(2), 'until it goes on');

# one connection is one worker's: the other one's report is by its timer

my $same = Mpk::Http::connection($t->port('edge'));
my ($buffer, $fewest) = ('', 9);
for (1 .. 13) {
    sleep 0.5;
    print $same Mpk::Http::text('GET', '/metrics', keepalive => 1);
    $same->flush;
    my $told = metrics(Mpk::Http::response($same, 10, 0, \$buffer)->{body})->{workers};
    $fewest = $told if $told < $fewest;
}
close $same;
is($fewest, 2, 'workers go on telling, whoever is asked');

$t->conf(@parts, workers => 1);
ok($t->reload, 'a reload with one worker less');
ok(settled(1, 2), 'who has gone is not told of any longer');

$t->conf(@parts, http => 'mpk_zone 512k; map $http_x_customer $customer { default $http_x_customer; }');
ok($t->reload, 'a reload with another size');
ok(settled(2), 'settled');
is(metrics()->{'requests track tracked form'} // 0, 0, 'begins anew');
$base = undef;


# Redis is away, and back

my $r = $t->get('/status');
is($r->{status}, 200, 'ready: 200');
is($r->{headers}{'content-type'}, 'application/json', 'as JSON');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be cached');
is(decode_json($r->{body})->{ready}, JSON::PP::true, 'it says so');
is($t->request('HEAD', '/status')->{status}, 200, 'HEAD likewise');
is($t->get('/metrics')->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'Prometheus gets its type');
is($t->get('/metrics')->{headers}{'cache-control'}, 'no-store', 'not to be cached');
for my $method (qw(POST PUT DELETE)) {
    $r = $t->request($method, '/status', body => 'x');
    is("$r->{status} $r->{headers}{allow}", '405 GET, HEAD', "$method is refused");
}

$link = $t->link('B-1');
$nonce = $t->nonce($link);
$base = undef;
$redis->stop;
ok(wait_for(sub { $t->get('/status')->{status} == 503 }, '503'), 'Redis is stopped: 503');
$r = $t->get('/status');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
is($r->{headers}{'content-type'}, 'application/json', 'still as JSON');
is(decode_json($r->{body})->{ready}, JSON::PP::false, 'it says so');
is($t->request('HEAD', '/status')->{status}, 503, 'HEAD likewise');
is($t->get('/metrics')->{status}, 200, 'Prometheus goes on getting metrics');
ok(wait_for(sub { my $m = metrics(); $m->{ready} == 0 && $m->{workers_ready} == 0 && $m->{workers} == 2
    && $m->{"redis_node_ready $redis->{socket}"} == 0 && $m->{"redis_node_commits $redis->{socket}"} == 0 }, 'nobody is ready'),
    'which say that no worker is ready, and no server');

# a worker between two attempts sends nothing

my $counted = counters();
$moved = moved(sub { is(confirm($link, nonce => $nonce)->{status}, 503, 'a view is refused') });
is($moved->{'requests reveal viewed unavailable'}, 1, 'counted as unavailable');
is($moved->{'failures unavailable'}, 1, 'as a failure');
is($moved->{'refusals R2'}, 1, 'and refused by R2');
ok($moved->{redis_unsent} >= 1, 'its commands were not sent');
ok(!$moved->{'views email'}, 'no view is counted');
is($moved->{store_seconds_count} // 0, 0, 'nor a wait, since there was none');
$moved = moved(sub { is($t->api('PUT', 'orders/B-2', $t->order)->{status}, 503, 'filing is refused') });
is_deeply({ map { /^(requests|refusals)/ ? ($_ => $moved->{$_}) : () } keys %$moved }, { 'requests api filed unavailable' => 1 }, 'which is no R2');
ok(wait_for(sub { metrics()->{redis_failures} > $counted->{redis_failures} }, 'attempts'), 'attempts that fail are counted');
my $never = 1;
for (1 .. 40) { $never = 0 if $t->get('/status')->{status} != 503; sleep 0.02 }
ok($never, 'it never says 200 between attempts');

$counted = counters();
$redis->start;
ok(wait_for(sub { $t->get('/status')->{status} == 200 }, '200'), 'Redis is back: 200, without a reload');
ok(settled(2), 'for all workers');
is(difference($counted, counters())->{redis_connects}, 2, 'each has connected again');
is(confirm($link, nonce => $nonce)->{status}, 200, 'and the view is taken');

$redis->cmd('CONFIG', 'SET', 'maxmemory', 1);
ok(wait_for(sub { $t->api('PUT', 'orders/full', $t->order)->{status} == 503 && $t->get('/status')->{status} == 503 }, '503'),
    'a Redis that is reached, but refuses commits: 503');
is($t->api('GET', 'orders/B-1')->{status}, 200, 'while reads go on');
ok(wait_for(sub { $t->api('PUT', 'orders/full', $t->order); metrics()->{workers_ready} == 0 }, 'both workers'), 'both workers tell that they are refused');
$redis->cmd('CONFIG', 'SET', 'maxmemory', 0);
my $taken = time;
ok(wait_for(sub { $t->api('PUT', 'orders/full', $t->order)->{status} =~ /^20/; $t->get('/status')->{status} == 200 }, '200')
    && time - $taken < 4, 'once it has taken one: 200');
ok(settled(2, 10), 'and of any worker after five seconds');
reloads('ready throughout a reload after that', 1);


# a Redis that would throw orders away

is(join(' ', map { $_->{evicts} } @{status()->{redis}{nodes}}), '0', 'a policy that does not evict is no matter');
$redis->cmd('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
$redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { my @n = @{status()->{redis}{nodes}}; @n == 1 && $n[0]{evicts} == 2 }, 'both workers'), 'one that does is in the status of whoever connects');
like($t->get('/metrics')->{body}, qr/^mpk_redis_node_evicts\{node="[^"]+"\} 2$/m, 'and in the metrics');
like($t->read('error.log'), qr/\[error\].*maxmemory-policy "allkeys-lru" allows eviction, orders would be lost: set "maxmemory-policy noeviction"/, 'the log has a remedy');
$redis->cmd('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
$redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal');
ok(wait_for(sub { my @n = @{status()->{redis}{nodes}}; @n == 1 && $n[0]{evicts} == 0 }, 'both workers'), 'and gone once it is set right');


# no secret, no order, nobody's name

my $token = ($link =~ m{/r/(.*)})[0];
for my $path ('/metrics', '/status') {
    my $body = $t->get($path)->{body};
    unlike($body, qr/A-1|B-1|N-1|W-\d|example\.com|\Q$key\E|XK7QX|\Q$token\E|eyJ|\Q$t->{token}\E|support(?!-desk")|127\.0\.0\.1/, "$path: no order, address, token or key");
    unlike($body, qr/$_/, "$path: nor what is in the keyring") for map { quotemeta substr $_->{k} // $_->{d}, 0, 12 } @{$t->{keys}};
}


# what Prometheus, its rules and the dashboard make of it

$t->api('GET', 'events?group=told');
wait_for(sub { $t->get('/metrics')->{body} =~ /group="told"/ }, 'a group');
my $text = $t->get('/metrics')->{body};
$t->write('metrics', $text);
my $said = `promtool check metrics <$dir/metrics 2>&1`;
is("$? $said", '0 ', 'promtool check metrics has nothing to say');
$said = `promtool check rules conf-examples/monitoring/alerts.yml 2>&1`;
is($?, 0, 'promtool check rules takes the rules') or diag($said);

# that they fire when they should, and not otherwise

# fires(name, alerts, minute?, series): these alerts fire in that minute, and no others
sub fires {
    my ($name, $alerts, @series) = @_;
    my $at = (@series % 2 ? shift @series : 25) . 'm';
    my %series = @series;
    my %all = ('mpk_ready' => '1x30', 'mpk_workers' => '2x30', 'mpk_workers_ready' => '2x30', 'mpk_refusals_total{rule="R2"}' => '0x30',
        'mpk_failures_total{outcome="error"}' => '0x30', 'mpk_redis_errors_total{error="OOM"}' => '0x30', 'mpk_redis_lost_total' => '0x30',
        'mpk_redis_node_ready{node="r"}' => '2x30', 'mpk_redis_node_evicts{node="r"}' => '0x30', 'mpk_redis_queue_depth{worker="0"}' => '3x30', 'mpk_redis_shortfalls_total' => '0x30',
        'mpk_redis_overflows_total' => '0x30', 'mpk_redis_failures_total' => '0x30', 'mpk_store_seconds_bucket{le="0.25"}' => '0+60x30',
        'mpk_store_seconds_bucket{le="0.5"}' => '0+60x30', 'mpk_store_seconds_bucket{le="+Inf"}' => '0+60x30', 'mpk_redis_certificate_expiry_timestamp_seconds{certificate="tls_ca"}' => '9000000x30',
        'mpk_refusals_total{rule="R4"}' => '0+6x30', 'mpk_requests_total{endpoint="track",outcome="limited"}' => '0+1x30', 'mpk_requests_total{endpoint="api",outcome="unauthorized"}' => '0+1x30',
        'mpk_key_created_timestamp_seconds{use="wrap"}' => '0x30', 'mpk_key_created_timestamp_seconds{use="lookup"}' => '-40000000x30', %series);
    my @input = map { my $v = $all{$_}; (my $s = $_) =~ s/\}$/,instance="e"}/ or $_ .= '{instance="e"}'; $s = $_ if $s !~ /instance/;
        { series => $s, values => $v =~ /\+/ ? $v : $v =~ s/^(\d+)x/$1+0x/r } } keys %all;
    my @known = do { open my $f, '<', 'conf-examples/monitoring/alerts.yml' or die; map { /- alert: (\w+)/ } <$f> };
    my @tests = map { my $alert = $_; { eval_time => $at, alertname => $alert, exp_alerts => [] } }
        grep { my $alert = $_; !grep { $_ eq $alert } @$alerts } @known;
    $t->write('rules-test.json', encode_json({ rule_files => [ rel2abs("conf-examples/monitoring/alerts.yml") ], evaluation_interval => '1m',
        tests => [ { interval => '1m', input_series => \@input, alert_rule_test => \@tests },
            map { { interval => '1m', input_series => \@input, promql_expr_test => [ { expr => "count(ALERTS{alertname=\"$_\",alertstate=\"firing\"})",
                eval_time => $at, exp_samples => [ { value => 1 } ] } ] } } @$alerts ] }));
    my $said = `promtool test rules $dir/rules-test.json 2>&1`;
    is($?, 0, $name) or diag($said);
}

fires('no alert while all is well', []);
fires('alerts of a Redis that is away', [ qw(MpkNotReady MpkWorkerNotReady MpkRedisNodeAway MpkViewsRefused) ], mpk_ready => '0x30', mpk_workers_ready => '0x30',
    'mpk_redis_node_ready{node="r"}' => '0x30', 'mpk_refusals_total{rule="R2"}' => '0+1x30');
fires('of one that refuses, and forgets', [ qw(MpkRedisError MpkStoredDataUnusable MpkRedisEvicts) ], 'mpk_redis_node_evicts{node="r"}' => '1x30', 'mpk_redis_errors_total{error="OOM"}' => '0+1x30', 'mpk_failures_total{outcome="error"}' => '0+1x30');
fires('of one that is slow, or goes away', [ qw(MpkStoreSlow MpkQueueLong MpkReconnects MpkOutcomesUnknown MpkDurabilityShort) ], 'mpk_store_seconds_bucket{le="0.25"}' => '0+30x30',
    'mpk_redis_queue_depth{worker="0"}' => '2000x30', 'mpk_redis_failures_total' => '0+9x30', 'mpk_redis_lost_total' => '0+1x30', 'mpk_redis_shortfalls_total' => '0+1x30');
fires('of orders that somebody changed, events that nobody read, a clock that is off and a keyring of another edge', [ qw(MpkOrderNotAuthentic MpkEventsLost MpkClockSkew MpkKeyringIncomplete) ],
    'mpk_keyring_incomplete' => '1x30',
    'mpk_orders_unread_total{reason="not_authentic"}' => '0+1x30', 'mpk_events_lost_total' => '0+1x30', 'mpk_clock_skew_seconds{node="r"}' => '-7x30');
fires('of a consumer group that is behind, and of events that were changed', [ qw(MpkGroupBehind MpkEventsUnproved) ],
    'mpk_group_oldest_seconds{group="mail"}' => '901x30', 'mpk_events_unproved_total' => '0+1x30');
fires('of none that is not', [], 'mpk_group_oldest_seconds{group="mail"}' => '900x30', 'mpk_events_unproved_total' => '5x30');
fires('of somebody who guesses', [ qw(MpkChallengesFail MpkTrackingLimited MpkApiRefused) ], 'mpk_refusals_total{rule="R4"}' => '0+90x30',
    'mpk_requests_total{endpoint="api",outcome="unauthorized"}' => '0+9x30',
    'mpk_requests_total{endpoint="track",outcome="limited"}' => '0+9x30');
fires('of what grows old', [ qw(MpkCertificateExpires MpkKeyOld) ], 'mpk_redis_certificate_expiry_timestamp_seconds{certificate="tls_ca"}' => '90000x30',
    'mpk_key_created_timestamp_seconds{use="wrap"}' => '-40000000x30');

sub bucket { my ($name, $fast) = @_; return ("mpk_order_${name}_seconds_bucket{le=\"3600\"}" => "0+${fast}x80", map { ("mpk_order_${name}_seconds_bucket{le=\"$_\"}" => '0+10x80') } 172800, '+Inf') }

fires('of orders that wait', [ qw(MpkHeldLong MpkSuspendedLong) ], 'mpk_held_oldest_seconds' => '86401x30', 'mpk_suspended_oldest_seconds' => '1209601x30');
fires('of none that need not', [], 'mpk_held_oldest_seconds' => '86400x30', 'mpk_suspended_oldest_seconds' => '1209600x30');
fires('of releases and first views that take long', [ qw(MpkReleaseSlow MpkFirstViewSlow) ], 85, bucket(release => 7), bucket(first_view => 0));
fires('of none that are in time', [], 85, bucket(release => 10), bucket(first_view => 6));

my %known = map { $_ => 1 } $text =~ /^# TYPE (\w+)/mg;
for my $histogram (qw(mpk_store_seconds mpk_order_release_seconds mpk_order_first_view_seconds)) {
    $known{"${histogram}_$_"} = 1 for qw(bucket sum count);
}

my $doc = join '', map { open my $f, '<', $_ or die "$_: $!"; local $/; <$f> } 'docs/operations.md';
$known{mpk_redis_certificate_expiry_timestamp_seconds} = 1;

for my $file ('alerts.yml', 'grafana.json') {
    open my $f, '<', "conf-examples/monitoring/$file" or die "$file: $!";
    my $content = do { local $/; <$f> };
    ok(eval { decode_json($content) }, 'grafana.json parses') if $file =~ /json/;
    my %used = map { $_ => 1 } $content =~ /\b(mpk_(?!redis on|module)[a-z_]+)\b/g;
    delete @used{qw(mpk_module mpk_redis mpk_status)};
    ok(keys %used > 8, "$file names metrics: " . keys %used);
    is_deeply([ grep { !$known{$_} } sort keys %used ], [], "$file: each of them is told");
}

my ($alerts, $panels) = map { open my $f, '<', "conf-examples/monitoring/$_" or die "$_: $!"; local $/; <$f> } 'alerts.yml', 'grafana.json';
my %alert = map { $_ => 1 } join(' ', $alerts =~ /expr: ((?:[^\n]|\n {10,})+)/g) =~ /\b(mpk_[a-z_]+)\b/g;
is_deeply([ grep { $panels !~ /\b$_\b/ } sort keys %alert ], [], 'each metric with an alert has a panel: ' . keys %alert);

is_deeply([ grep { $doc !~ /`\Q$_\E`/ } sort grep { !/_(bucket|sum|count)$/ } keys %known ], [], 'docs/operations.md has all of them');

# both formats tell the same

my $j = decode_json($t->get('/status')->{body});
$m = metrics();
is($m->{"build_info $j->{version}"}, 1, "the version is told: $j->{version}");
is_deeply($j->{refusals}, { map { /^refusals (.+)/ ? ($1 => $m->{$_} + 0) : () } keys %$m }, 'refusals are the same in JSON');
is_deeply($j->{views}, { map { /^views (.+)/ ? ($1 => $m->{$_} + 0) : () } keys %$m }, 'views, too');
is_deeply($j->{failures}, { map { /^failures (.+)/ ? ($1 => $m->{$_} + 0) : () } keys %$m }, 'failures, too');
is_deeply($j->{redis}{errors}, { map { /^redis_errors (.+)/ ? ($1 => $m->{$_} + 0) : () } keys %$m }, 'errors, too');
is_deeply({ map { ("requests $_->{endpoint} $_->{event} $_->{outcome}" => $_->{count}) } @{$j->{requests}} },
    { map { /^requests / ? ($_ => $m->{$_} + 0) : () } keys %$m }, 'requests, too');
is($j->{store}{count}, $m->{store_seconds_count}, 'waits, too');
is($j->{redis}{connects}, $m->{redis_connects}, 'connections, too');


# a Redis that misbehaves

ok($t->quit, 'quit');
my $fake = Mpk::FakeRedis->new(test => $t, real => $redis, script => sub {
    my ($words) = @_;
    my ($on, $what, $bytes) = split / /, $t->read('mode'), 3;
    return [ 'pass' ] unless $on && uc $words->[0] eq $on;
    $bytes =~ s/\\r\\n/\r\n/g if defined $bytes;
    return $what eq 'say' ? $bytes : [ $what ];
});
$fake->mode('');
$t->conf(redis => "redis://127.0.0.1:$fake->{port}/0 connect_timeout=5s timeout=2s", location => $status)->start;
$link = $t->link('C-1');
$nonce = $t->nonce($link);
$t->confirm($t->link('C-0'));
wait_for(sub { my $m = metrics(); $m->{"redis_node_ready 127.0.0.1:$fake->{port}"} }, 'the server by name');
is(metrics()->{"redis_node_ready 127.0.0.1:$fake->{port}"}, 1, 'a server is named by host and port');
$base = undef;

for my $error (qw(OOM NOPERM MISCONF ASK)) {
    $fake->mode("EVALSHA say -$error no\\r\\n");
    my $how = $error eq 'NOPERM' ? 'lost' : 'unavailable';    # within a script others may have been executed
    moves("$error is counted by name", { "redis_errors $error" => 1, "requests reveal viewed $how" => 1, "failures $how" => 1, 'refusals R2' => 1, store => 1 },
        sub { confirm($link, nonce => $nonce) });
}

$fake->mode('EVALSHA say -NEVERHEARD of it\r\n');
moves('an unknown error as "other"', { 'redis_errors other' => 1, 'requests reveal viewed lost' => 1, 'failures lost' => 1, 'refusals R2' => 1, store => 1 },
    sub { confirm($link, nonce => $nonce) });

$fake->mode('EVALSHA close');
moves('a commit that is cut off is lost', { redis_lost => 1, redis_failures => 1, redis_connects => 1, 'requests reveal viewed lost' => 1, 'failures lost' => 1, 'refusals R2' => 1, store => 1 },
    sub { my $r = confirm($link, nonce => $nonce); $fake->mode(''); $r });
ok($t->quit, 'quit');


# what is stored can't be opened: each answer with 500 is a failure

my $ring = $t->read('keyring.json');
system('bin/mpk-keyring', 'new', "$dir/other.json") == 0 or die 'mpk-keyring';
my ($foreign) = $t->read('other.json') =~ /(\{[^{}]*"use":"wrap"[^{}]*\})/ or die 'no wrap key';
(my $swapped = $ring) =~ s/\{[^{}]*"use":"wrap"[^{}]*\}/$foreign/ or die 'no wrap key';
$t->write('keyring.json', $swapped, 0600);
$t->conf(location => "$locations $status location = /track-any { mpk_track on; }", http => 'map $http_x_customer $customer { default $http_x_customer; }')->start;
ok(settled(1), 'ready');
$base = undef;

for ([ 'api read', 2, sub { $t->api('GET', 'orders/A-1') } ], [ 'api listed', 2, sub { $t->api('GET', 'claims') } ],
    [ 'account listed', 3, sub { $t->get('/account', headers => { @json, 'X-Customer' => '42' }) } ])
{
    my ($what, $store, $code) = @$_;
    my $r = moves("$what: a failure", { "requests $what error" => 1, 'failures error' => 1, store => $store }, $code);
    is($r->{status}, 500, 'answered with 500');
}

# so is one whose items somebody changed, of the customer who may see it

$t->file('T-1');
$redis->cmd('HSET', $redis->cmd('KEYS', 'mpk:{??}:o:T-1')->[0], 'i', 'x');
$base = undef;
$r = moves('tracking it: a failure', { 'requests track tracked error' => 1, 'failures error' => 1, store => 2 }, sub { $t->track('T-1', path => '/track-any') });
is($r->{status}, 503, 'answered with 503');

$t->write('keyring.json', $ring, 0600);
ok($t->quit, 'quit');


# errors at connect

$redis->cmd('CONFIG', 'SET', 'requirepass', 'sesame');
$t->conf(location => $status)->start;
ok(wait_for(sub { metrics()->{'redis_errors NOAUTH'} }, 'NOAUTH'), 'NOAUTH at connect is counted');
is($t->get('/status')->{status}, 503, 'and not ready');
$redis->cmd('CONFIG', 'SET', 'requirepass', '');
ok(wait_for(sub { $t->get('/status')->{status} == 200 }, '200'), 'until it is taken away');
ok($t->quit, 'quit');


# durability: ready is who takes commits, not who answers reads

$t->conf(redis => "unix:$redis->{socket} timeout=400ms durability=replicas=1", location => $status)->start;
ok(wait_for(sub { $t->get('/status')->{status} == 503 }, '503'), 'no replica follows: 503');
ok(wait_for(sub { my $m = metrics(); $m->{"redis_node_ready $redis->{socket}"} == 1 && $m->{"redis_node_commits $redis->{socket}"} == 0 }, 'the server'),
    'though the server answers');
ok(wait_for(sub { metrics()->{redis_shortfalls} >= 1 }, 'a shortfall'), 'WAITs that were not reached are counted');
my $never_ready = 1;
for (1 .. 30) { $never_ready = 0 if $t->get('/status')->{status} != 503; sleep 0.05 }
ok($never_ready, 'and it stays so');
ok($t->quit, 'quit');


# nginx -t

sub refused {
    my ($name, $pattern, %part) = @_;
    $t->conf(%part);
    my ($good, $out) = $t->check;
    ok(!$good && $out =~ $pattern, "$name is refused, and why") or diag($out);
}

sub taken {
    my ($name, %part) = @_;
    $t->conf(%part);
    my ($good, $out) = $t->check;
    ok($good, "$name is taken") or diag($out);
}

refused("mpk_zone $_", qr/"mpk_zone" directive is too small .* use 192k or more.*nginx\.conf:\d+/, http => "mpk_zone $_;") for '1k', '191k', '0';
refused("mpk_zone $_", qr/"mpk_zone" directive must be a size, e\.g\. "256k".*nginx\.conf:\d+/, http => "mpk_zone $_;") for 'x', '64kk', '-64k';
refused('mpk_zone twice', qr/"mpk_zone" directive is duplicate/, http => 'mpk_zone 192k; mpk_zone 192k;');
refused('mpk_zone in a server', qr/"mpk_zone" directive is not allowed here/, server => 'mpk_zone 192k;');
refused('a zone with no room for all workers', qr/"mpk_zone" of 192k has room for \d+ workers, but "worker_processes" is 40: set "mpk_zone 512k;"/,
    http => 'mpk_zone 192k;', workers => 40);
refused('mpk_status xml', qr/"mpk_status" directive must be "prometheus" or "json".*nginx\.conf:\d+/, location => 'location /s { mpk_status xml; }');
refused('mpk_status twice', qr/"mpk_status" directive is duplicate/, location => 'location /s { mpk_status json; mpk_status json; }');
refused('mpk_status beside mpk_api', qr/can't share a location/, api => 'mpk_status json;');
refused('mpk_status in a server', qr/"mpk_status" directive is not allowed here/, server => 'mpk_status json;');
taken('mpk_zone 192k', http => 'mpk_zone 192k;');
taken('the room that it asked for', http => 'mpk_zone 512k;', workers => 40);
taken('mpk_zone 1m', http => 'mpk_zone 1m;');

$t->conf(location => $status);
(my $conf = $t->read('nginx.conf')) =~ s/^\s*mpk_public_url.*\n|^\s*mpk_(reveal|api|reveal_challenge|api_tokens) .*\n//mg;
$t->write('nginx.conf', $conf);
my ($good, $out) = $t->check;
ok($good, 'mpk_status alone needs no mpk_public_url') or diag($out);
$conf =~ s/^\s*mpk_redis.*\n//m;
$t->write('nginx.conf', $conf);
($good, $out) = $t->check;
ok(!$good && $out =~ /"mpk_status" needs "mpk_redis"/, 'but mpk_redis') or diag($out);


# certificates and keys

my $now = time;
system('bin/mpk-keyring', 'rotate', "$dir/keyring.json", 'wrap') == 0 or die 'mpk-keyring';
($ring = $t->read('keyring.json')) =~ s/("use":"token".*?"iat":)\d+/${1}1700000000/ or die 'no iat';
$ring =~ s/(.*"use":"wrap".*?"iat":)\d+/${1}1600000000/s or die 'no iat';
$ring =~ s/("use":"journal".*?)"iat":\d+,/$1/ or die 'no iat';
$t->write('keyring.json', $ring, 0600);
for (qw(soon late)) {
    my $days = $_ eq 'soon' ? 10 : 300;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days -subj /CN=$_ -keyout $dir/$_.key -out $dir/$_.pem 2>/dev/null") == 0 or die 'openssl';
}
$t->write('ca.pem', $t->read('late.pem') . $t->read('soon.pem'));
$t->conf(redis => "rediss://localhost:1 tls_ca=$dir/ca.pem tls_cert=$dir/late.pem tls_key=$dir/late.key", location => $status)->start;
$m = metrics();
my %created = map { /^key_created_timestamp_seconds (\w+)$/ ? ($1 => $m->{$_}) : () } keys %$m;
is($created{token}, 1700000000, "a key's time is its own");
ok(abs($created{wrap} - $now) < 60, "the current one's, as mpk-keyring made it") or diag("$created{wrap}, $now");
is(join(' ', sort keys %created), 'evidence lookup token wrap', 'of each use that tells it');
my $days = sub { ($m->{"redis_certificate_expiry_timestamp_seconds $_[0]"} - time) / 86400 };
ok(abs($days->('tls_cert') - 300) < 0.1, 'tls_cert expires in 300 days');
ok(abs($days->('tls_ca') - 10) < 0.1, 'the first of tls_ca in 10');
$t->write('metrics', $t->get('/metrics')->{body});
is(`promtool check metrics <$dir/metrics 2>&1`, '', 'promtool has nothing to say of that either');
$j = decode_json($t->get('/status')->{body});
is($j->{keys_created_at}{token}, '2023-11-14T22:13:20Z', 'JSON has a time in words');
ok(exists $j->{keys_created_at}{journal} && !defined $j->{keys_created_at}{journal}, 'and null where the keyring does not tell it');
like($j->{redis_certificates_expire_at}{ca}, qr/^\d{4}-\d\d-\d\dT/, 'of certificates, too');

$t->finish(alerts => qr/exited on signal 9|\[emerg\].*mpk_(zone|status)|\[emerg\].*can't share/);
