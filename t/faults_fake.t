#!/usr/bin/perl

# A Redis that misbehaves: whatever it does, no key without its entry (I1), no token
# that pays twice (I2), a clear answer, and service again once it is well.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use Mpk::FakeRedis;
use JSON::PP;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;

# the file "mode" says which command is answered how: "HMGET silent", "EVALSHA say -ERR\r\n"

my $reads = 0;

my $fake = Mpk::FakeRedis->new(test => $t, real => $redis, hello => {
    AUTH => sub { return $t->read('mode') =~ /^AUTH/ ? "-NOSCRIPT No matching script\r\n" : "+OK\r\n" },
}, script => sub {
    my ($words) = @_;
    my ($on, $what, $bytes) = split / /, $t->read('mode'), 3;

    # two reads are answered at once, and the second one is refused
    if ($on && $on eq 'both') {
        open my $asked, '>>', $t->dir . '/asked';
        print $asked "$words->[0]\n";
        return uc $words->[0] ne 'HMGET' ? [ 'pass' ] : ++$reads % 2 ? '' : "*4\r\n" . "\$-1\r\n" x 4 . "-READONLY You can't write\r\n";
    }

    # whose an order is is read first: as it was a moment ago
    if ($on && $on eq 'before') {
        return uc $words->[0] eq 'HMGET' && @$words == 4 ? $t->read('was') : [ 'pass' ];
    }

    return [ 'pass' ] unless $on && uc $words->[0] eq $on;
    $bytes =~ s/\\r\\n/\r\n/g if defined $bytes;
    return $what eq 'say' ? $bytes : [ $what, $bytes ];
});

$t->conf(redis => "redis://127.0.0.1:$fake->{port} connect_timeout=5s timeout=2s", location => <<'CONF')->start;
        location = /track { mpk_track on; }
        location /claim/ { mpk_claim on; }
CONF

my $key = qr/XK7QX/;
my $n = 0;

sub well {
    $fake->mode('');
    return wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 },
        'service is back', 10);
}

$fake->mode('');
is($t->confirm($t->link('A-0'))->{status}, 200, 'with a Redis that behaves, a reveal works');

$fake->mode('HMGET slow');
my $link = $t->link('A-1');
is($t->get($link)->{status}, 200, 'a read that comes byte by byte works');
$fake->mode('EVALSHA slow');
is($t->confirm($link)->{status}, 200, 'a commit that is answered byte by byte works');


# the read fails: nothing was written, and the same confirmation works afterwards

my %reads = (
    'closes' => 'close',
    'closes in the middle of its answer' => 'close *4\r\n$1\r\n2\r\n$20\r\nabc',
    'resets the connection' => 'reset',
    'stays silent' => 'silent',
    'sends garbage' => 'say hello, this is no RESP\r\n',
    'announces a huge array' => 'say *100000000\r\n',
    'announces a huge string' => 'say *4\r\n$500000000\r\n',
    'nests without end' => 'say ' . '*1\r\n' x 40,
    'sends an array of another length' => 'say *1\r\n$1\r\n1\r\n',
    'sends another type' => 'say :7\r\n',
    'sends fields that are no order' => 'say *6\r\n$1\r\n1\r\n$3\r\nfoo\r\n$3\r\nbar\r\n$1\r\nx\r\n$1\r\nk\r\n$-1\r\n',
);

for my $what (sort keys %reads) {
    my $link = $t->link('R-' . ++$n);
    my $nonce = $t->nonce($link);

    $fake->mode("HMGET $reads{$what}");
    my $r = $t->confirm($link, nonce => $nonce);
    is($r->{status}, 503, "a Redis that $what on a read: 503");
    ok($r->{headers}{'retry-after'}, 'with Retry-After');
    unlike($r->{body}, $key, 'and no key');

    well();
    is($t->events("R-$n"), 'filed link_minted opened', 'nothing was written');
    is($t->confirm($link, nonce => $nonce)->{status}, 200, 'and the same confirmation works afterwards');
}


# each error by its name

for my $error ('LOADING Redis is loading', 'READONLY You can\'t write', 'MASTERDOWN Link is down',
    'CLUSTERDOWN Hash slot not served', 'MOVED 3999 127.0.0.1:6381', 'ASK 3999 127.0.0.1:6381',
    'TRYAGAIN Multiple keys', 'OOM command not allowed', 'MISCONF Redis is configured', 'NOREPLICAS Not enough',
    'NOAUTH Authentication required', 'NOPERM this user', 'BUSY Redis is busy', 'ERR unknown')
{
    my ($name) = split / /, $error;

    for my $command ('HMGET', 'EVALSHA') {
        my $link = $t->link('E-' . ++$n);
        my $nonce = $t->nonce($link);

        $fake->mode("$command say -$error\\r\\n");
        my $r = $t->confirm($link, nonce => $nonce);
        is($r->{status}, 503, "-$name on $command: 503");

        # what a script has done before it fails stays

        my $lost = $command eq 'EVALSHA' && $name =~ /^(ERR|NOPERM)$/ ? 'lost' : 'unavailable';
        ok(wait_for(sub { $t->read('access.log') =~ /outcome=$lost order=E-$n / }, 'the log'), "which is $lost");
        unlike($r->{body}, $key, 'and no key');

        well();
        is($t->confirm($link, nonce => $nonce)->{json}{repeat}, JSON::PP::false, 'nothing was used up');
    }

    $name = 'refused: unknown error' if $name eq 'ERR';
    like($t->read('error.log'), qr/$name/, "$name is in the error log");
}


# an answer that makes a commit gather, and behind it one that makes the worker leave

$fake->mode('both');
$t->write('asked', '');
my @clients;

for my $n (1, 2) {
    push @clients, Mpk::Http::connection($t->port('edge'));
    syswrite $clients[-1], Mpk::Http::text('PUT', "/mpk/v1/orders/G-$n", body => encode_json($t->order),
        headers => { 'Content-Type' => 'application/json', Authorization => "Bearer $t->{token}" });
    ok(wait_for(sub { $t->read('asked') eq "HMGET\n" x $n }, 'the read'), "order $n of two is read");
}

is(Mpk::Http::response($_)->{status}, 503, '-READONLY behind the answer to a read: 503') for @clients;
well();
is($t->read('asked'), "HMGET\n" x 2, 'and the commit that had gathered is not sent');
is($t->api('GET', 'orders/G-1')->{status}, 404, 'nothing was written');


# the commit's answer never comes: nobody knows, nothing is shown, and the same
# confirmation is a repeat of the view that is in the journal

my %commits = ('the connection is cut after the commit' => 'lose', 'the commit is answered too late' => 'silent');

for my $what (sort keys %commits) {
    my $link = $t->link('L-' . ++$n);
    my $nonce = $t->nonce($link);

    $fake->mode("EVALSHA $commits{$what}");
    my $r = $t->confirm($link, nonce => $nonce);
    is($r->{status}, 503, "$what: 503");
    unlike($r->{body}, $key, 'I1: and no key');

    well();
    my $again = $t->confirm($link, nonce => $nonce);
    is($again->{status}, 200, 'the same confirmation shows the key');

    if ($commits{$what} eq 'lose') {
        is($again->{json}{repeat}, JSON::PP::true, 'R3: as a repeat of the view that was committed');
        is($t->events("L-$n"), 'filed link_minted opened viewed repeated', 'I3: which is there once');

    } else {
        is($again->{json}{repeat}, JSON::PP::false, 'as the first view');
        is($t->events("L-$n"), 'filed link_minted opened viewed', 'I3: which is there once');
    }

    is($t->confirm($link, nonce => $t->nonce($t->link('L-' . ++$n)))->{status}, 410, 'I2: another nonce gets nothing');
}


# filing and release whose answer never came, sent again, are found by their content

$t->file('F-0', state => 'held');       # Redis knows the script of a commit with a worklist

$fake->mode('EVALSHA lose');
is($t->api('PUT', 'orders/F-1', $t->order(state => 'held'))->{status}, 503, 'filing: the answer never comes');
well();
is($t->api('PUT', 'orders/F-1', $t->order(state => 'held'))->{status}, 200, 'filing: sent again, it is found');
$fake->mode('EVALSHA lose');
is($t->api('POST', 'orders/F-1/release')->{status}, 503, 'release: the answer never comes');
well();
is($t->api('POST', 'orders/F-1/release')->{status}, 200, 'release: sent again, it is found');
$fake->mode('EVALSHA lose');
is($t->api('POST', 'orders/F-1/links', undef, headers => { 'Idempotency-Key' => 'm' })->{status}, 503, 'link: the answer never comes');
well();
is($t->api('POST', 'orders/F-1/links', undef, headers => { 'Idempotency-Key' => 'm' })->{status}, 200, 'link: sent again, it is found');
is($t->events('F-1'), 'filed released link_minted', 'I3: each is in the journal once');


# bytes that nobody asked for

$fake->mode('HMGET more +SURPRISE\r\n');
$t->api('GET', 'orders/F-1') for 1 .. 3;
well();
is($t->confirm($t->link('S-1'))->{status}, 200, 'after bytes that nobody asked for, answers still belong to their requests');


# an email that is corrected between the two reads of a page

$fake->mode('');
$t->confirm($t->link('E-1'));
my ($form) = $t->track('E-1')->{json}{claim_url} =~ m{//[^/]+(/.*)};
$t->post($form, { order => 'E-1', email => 'ann@example.com', name => 'Ann', key => $t->order->{items}[0]{key}, category => 'other', description => 'x' });
$t->api('POST', 'orders/E-1/claims/1/needs_info', { message => 'Which device?' });
my (undef, %was) = $t->stored($redis, 'E-1');
$t->write('was', "*2\r\n" . join '', map { '$' . length($was{$_}) . "\r\n$was{$_}\r\n" } 'h', 'f');
is($t->api('PUT', 'orders/E-1/email', { email => 'anne@example.com', note => 'mistyped' })->{status}, 200, 'an email is corrected');

$fake->mode('before');
is($t->track('E-1')->{status}, 404, 'a page that was asked for a moment before does not show the order to the old one');
my $open = '/claim/' . $t->sign($t->claims('E-1', aud => 'claim', ch => undef, items => [1], iat => time - 9999, exp => time - 999));
is($t->post("$open?claim=1", { answer => 'x', email => 'ann@example.com' })->{status}, 403, 'nor takes its answer');
well();
is($t->track('E-1', email => 'anne@example.com')->{json}{claims}[0]{state}, 'needs_info', 'the new one finds it');


# a script that Redis has forgotten

$redis->cmd('SCRIPT', 'FLUSH');
is($t->confirm($t->link('S-2'))->{status}, 200, 'a forgotten script is sent again');


# a password that is answered with an error of another command

my $password = $t->write('password', "one\n", 0600);
$fake->mode('AUTH');
$t->conf(redis => "redis://127.0.0.1:$fake->{port} connect_timeout=5s timeout=2s password_file=$password");
ok($t->reload, 'a reload with a password');
is($t->api('GET', 'orders/nobody')->{status}, 503, 'AUTH answered with the error of another command: 503');
ok($t->logged(qr/AUTH was refused: compare user= and password_file=/), 'and what to look at is in the error log');
ok(well(), 'and service once it is accepted');


# the rest of the site

$fake->mode('HMGET silent');
my $waiting = Mpk::Http::connection($t->port('edge'));
print $waiting Mpk::Http::text('GET', $link);
my $start = Time::HiRes::time();
is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site does not wait for a silent Redis');
cmp_ok(Time::HiRes::time() - $start, '<', 0.25 * ($ENV{MPK_VALGRIND} ? 10 : 1), 'I6: not a quarter of a second');

well();
$t->finish;
