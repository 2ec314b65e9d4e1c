#!/usr/bin/perl

# Redis Cluster: nodes that tell nonsense, or what was true before they hung: nobody is sent
# round for ever, nobody believes them, and nobody waits without end.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use Mpk;
use Mpk::FakeRedis;
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 3 : 1;
my $t = Mpk->new;
my $dir = $t->dir;

my $location = 'location = /metrics { mpk_status prometheus; }';

sub serve {
    my ($url, %conf) = @_;
    ok($t->quit, 'nginx ends') if $t->{nginx};
    $t->conf(workers => 2, redis => $url, location => $location, %conf)->start;
}

sub status { return $t->api('GET', "orders/$_[0]")->{status} }
sub log_has { my ($what, $name) = @_; ok($t->logged($what), $name) }


# a server that is no cluster, and one that tells nonsense

my $plain = $t->redis(name => 'plain', tcp => 1);
serve("redis+cluster://127.0.0.1:$plain->{port} timeout=300ms");
is(status('X'), 503, 'a server that is no cluster: 503');
log_has(qr/\[error\].*redis:\/\//, 'the log says which URL to take');

my $fake;
$fake = Mpk::FakeRedis->new(test => $t, real => $plain, script => sub {
    my ($words) = @_;
    my $port = $t->read('fake.port');
    my $name = uc $words->[0];
    for (split /\n/, $t->read('mode')) {
        my ($on, $bytes) = split / /, $_, 2;
        next if $on ne $name;
        $t->write("said.$name", 1);
        return $bytes =~ s/\\r\\n/\r\n/gr =~ s/PORT/$port/gr;
    }
    return [ 'pass' ] if $name ne 'CLUSTER';
    return "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n\$9\r\n127.0.0.1\r\n:$port\r\n\$40\r\n" . 'a' x 40 . "\r\n";
});
$t->write('fake.port', $fake->{port});
$fake->mode('');
serve("redis+cluster://127.0.0.1:$fake->{port} timeout=300ms connect_timeout=300ms", workers => 1);
ok(wait_for(sub { status('X') == 404 }, 'service'), 'a cluster of one serves');

my $dead = $t->port('dead3');
$t->release('dead3');
for (
    [ 'HMGET', 'sends clients round in a circle', '-MOVED 1 127.0.0.1:PORT' ],
    [ 'HMGET', 'sends them round with ASK', '-ASK 1 127.0.0.1:PORT' ],
    [ 'HMGET', 'sends them where nobody is', "-MOVED 1 127.0.0.1:$dead" ],
    [ 'HMGET', 'sends them to a slot that is none', '-MOVED 16384 127.0.0.1:PORT' ],
    [ 'HMGET', 'sends them to no port', '-MOVED 1 127.0.0.1' ],
    [ 'HMGET', 'sends them to a name', '-MOVED 1 somewhere:7000' ],
    [ 'HMGET', 'sends them nowhere', '-MOVED' ],
    [ 'HMGET', 'says TRYAGAIN forever', '-TRYAGAIN not now' ],
    [ 'HMGET', 'says CLUSTERDOWN', '-CLUSTERDOWN Hash slot not served' ],
) {
    my ($command, $name, $bytes) = @$_;
    $fake->mode("$command $bytes\\r\\n");
    my $start = time;
    is(status('X'), 503, "a node that $name: 503");
    cmp_ok(time - $start, '<', 1 * $slow, sprintf 'after %.0f ms', (time - $start) * 1000);
    $fake->mode('');
    ok(wait_for(sub { status('X') == 404 }, 'service', 5 * $slow), 'and well again');
}

for (
    [ 'no node', '*0' ],
    [ 'no list', '+OK' ],
    [ 'half a list', '*1\r\n*2\r\n:0\r\n:16383' ],
    [ 'slots that are none', '*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$9\r\n127.0.0.1\r\n:PORT' ],
    [ 'a port that is none', '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:0' ],
    [ 'an error', '-ERR This instance has cluster support disabled' ],
) {
    my ($name, $bytes) = @$_;
    $fake->mode("CLUSTER $bytes\\r\\n");
    ok($t->reload, 'a reload');
    is(status('X'), 503, "CLUSTER SLOTS tells $name: 503");
    is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');
    $fake->mode('');
    ok(wait_for(sub { status('X') == 404 }, 'service', 5 * $slow), 'and well again');
}

# once the slots are known, what can't be used leaves them as they are

for (
    [ 'no node', '*0' ],
    [ 'a name without an address', '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$4\r\nname\r\n:PORT' ],
    [ 'more slots than there are', join '\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:', '*2', 'PORT', $dead ],
) {
    my ($name, $bytes) = @$_;
    unlink "$dir/said.CLUSTER";
    $fake->mode("HMGET -MOVED 1 127.0.0.1:PORT\\r\\n\nCLUSTER $bytes\\r\\n");
    is(status('X'), 503, 'a node that has its clients ask for the slots');
    ok(wait_for(sub { -e "$dir/said.CLUSTER" }, 'CLUSTER SLOTS'), "and tells of $name");
    $fake->mode("CLUSTER $bytes\\r\\n");
    is(status('X'), 404, 'changes nothing');
    $fake->mode('');
}
ok($t->quit, 'nginx ends');

# a master that hung, was replaced, and comes back without knowing: it finds nothing, the new one the order

my ($old, $next);
my $whose = sub {
    my ($words) = @_;
    my @ports = map { $t->read($_) } 'old.port', 'next.port';
    my $moved = $_[1] && -e "$dir/moved";
    if (-e "$dir/mute" && uc $words->[0] =~ /^(HMGET|CLUSTER)$/) {
        $t->write('asked', $t->read('asked') . "$words->[1]\n");
        return [ 'silent' ];
    }
    return ":1\r\n" if uc $words->[0] eq 'WAIT';
    return [ 'pass' ] if uc $words->[0] =~ /^(XRANGE|EVAL|EVALSHA)$/ || $moved && uc $words->[0] ne 'CLUSTER';
    return $_[1] ? "-MOVED 1 127.0.0.1:$ports[0]\r\n" : "*" . (@$words - 2) . "\r\n" . "\$-1\r\n" x (@$words - 2) if uc $words->[0] eq 'HMGET';
    return "*2\r\n" . join '', map {
        my ($first, $last, $port) = @$_;
        "*3\r\n:$first\r\n:$last\r\n*3\r\n\$9\r\n127.0.0.1\r\n:$port\r\n\$40\r\n" . $port x 8 . "\r\n";
    } $moved ? ([ 0, 1, $ports[0] ], [ 2, 16383, $ports[1] ]) : ([ 0, 16381, $ports[0] ], [ 16382, 16383, $ports[1] ]);
};
$old = Mpk::FakeRedis->new(test => $t, real => $plain, script => sub { $whose->($_[0], 0) }, hello => { TIME => sub {
    my $bad = $t->read('ping') or return Mpk::FakeRedis::clock();
    $t->write('pinged', '');
    return $bad eq 'mute' ? [ 'silent' ] : "-$bad\r\n";
} });
$next = Mpk::FakeRedis->new(test => $t, real => $plain, script => sub { $whose->($_[0], 1) });
$t->write('old.port', $old->{port});
$t->write('next.port', $next->{port});
serve("redis+cluster://127.0.0.1:$old->{port} timeout=300ms connect_timeout=300ms", workers => 1);
is($t->api('PUT', 'orders/X', $t->order)->{status}, 201, 'an order');

for my $round (1 .. 6) {
    unlink "$dir/moved";
    ok(wait_for(sub { status('X') == 404 }, 'the old master'), 'the master that will be replaced');
    kill 'STOP', $old->{pid};
    ok(wait_for(sub { status('X') == 503 }, '503', 5), 'hangs');
    sleep rand 0.4;
    $t->write('moved', '');
    kill 'CONT', $old->{pid};
    my @said;
    wait_for(sub { push @said, status('X'); 5 == grep { $_ == 200 } @said }, 'the new master', 10 * $slow);
    is(join(' ', grep { $_ ne 503 } @said), '200 200 200 200 200', 'what it tells, back again, is not believed');
}

# nor is one that hung while nobody had a question for it

sub metrics { return $t->get('/metrics')->{body} }
sub lost { return $t->metric('redis_lost_total') }

for my $round (1 .. 3) {
    unlink "$dir/moved";
    ok(wait_for(sub { status('X') == 404 }, 'the old master'), 'the master that will be replaced');
    my $lost = lost();
    my $ready = sub { my ($is) = @_; metrics() =~ /^mpk_redis_node_ready\{[^}]*:$old->{port}"[^}]*\} $is$/m };
    ok(wait_for(sub { $ready->(1) }, 'the status'), 'is there');
    kill 'STOP', $old->{pid};
    ok(wait_for(sub { $ready->(0) }, 'a TIME that is not answered', 4 * $slow),
        'hangs, which nobody needs to find out');
    is(lost(), $lost, 'and nobody\'s command is lost');
    $t->write('moved', '');
    my $s = Mpk::Http::connection($t->port('edge'));
    print $s Mpk::Http::text('GET', '/mpk/v1/orders/X', headers => { Authorization => "Bearer $t->{token}" });
    $s->flush;
    kill 'CONT', $old->{pid};
    like(Mpk::Http::response($s)->{status}, qr/^(200|503)$/, 'what it tells, back again, is not believed');
    ok(wait_for(sub { status('X') == 200 }, 'the new master', 10 * $slow), 'and the new one is');
}

# one that does not like the question

for my $bad ('MISCONF Errors writing to the AOF file', 'NOPERM this user has no permissions', 'BUSY Redis is busy',
    "MOVED 1 127.0.0.1:$next->{port}", "ASK 1 127.0.0.1:$next->{port}")
{
    my ($name) = split / /, $bad;
    my $mark = $t->mark;
    unlink "$dir/moved", "$dir/pinged";
    ok(wait_for(sub { status('X') == 404 }, 'the old master'), 'a master');
    my $redirects = $t->metric('redis_redirects_total');
    $t->write('ping', $bad);
    ok(wait_for(sub { -e "$dir/pinged" && unlink "$dir/pinged" }, 'a TIME'), "that answers a TIME with $name") for 1, 2;
    $t->write('ping', '');
    is(status('X'), 404, 'is asked as before');
    is($t->metric(qq(redis_errors_total{error="$name"})), 0, 'of a command that nobody gave');
    is($t->metric('redis_redirects_total'), $redirects, 'nor was it sent elsewhere');
    unlike($t->log_since($mark), qr/refused with $name/, 'and that the log does not tell');
}

# one that hangs again, and nobody who could say what it is by now: not for good, and not for a worker that ends

for my $round (1, 2) {
    serve("redis+cluster://127.0.0.1:$old->{port} timeout=300ms connect_timeout=1s", workers => 1);
    unlink "$dir/moved", "$dir/mute";
    ok(wait_for(sub { status('X') == 404 }, 'the old master'), 'a master');
    kill 'STOP', $old->{pid};
    ok(wait_for(sub { status('X') == 503 }, '503', 5), 'that hung');
    $t->write('mute', '');
    kill 'CONT', $old->{pid};
    my ($start, $s);
    ok(wait_for(sub {
        $start = time;
        $s = Mpk::Http::connection($t->port('edge'));
        print $s Mpk::Http::text('GET', "/mpk/v1/orders/Y-$round", headers => { Authorization => "Bearer $t->{token}" });
        $s->flush;
        return !IO::Select->new($s)->can_read(0.2);
    }, 'a question', 10 * $slow), 'a question');
    kill 'QUIT', $t->{nginx} if $round == 2;
    is(Mpk::Http::response($s)->{status}, 503, 'is not put to it when it is back' . ($round == 2 ? ', when nginx ends, either' : ''));
    cmp_ok(time - $start, '<', 2.5 * $slow, sprintf 'that takes %.0f ms', (time - $start) * 1000);
    unlike($t->read('asked'), qr/:o:Y-$round$/m, 'nobody asked it');

    if ($round == 1) {
        ok(wait_for(sub { $start = time; status('Y-1'); $t->read('asked') =~ /:o:Y-1$/m }, 'a question'), 'but when nobody else could say, for long enough');
        cmp_ok(time - $start, '<', 2 * $slow, sprintf 'and not waited for without end: %.0f ms', (time - $start) * 1000);
    }

    unlink "$dir/mute";
    next if $round == 2;
    ok(wait_for(sub { status('X') == 404 }, 'the old master', 10 * $slow), 'nor is it doubted for good');
}

# what nobody waits for holds up no worker

serve("redis+cluster://127.0.0.1:$old->{port} timeout=20s", workers => 1);
ok(wait_for(sub { status('X') == 404 }, 'the old master'), 'a master');
unlink "$dir/pinged";
$t->write('ping', 'mute');
ok(wait_for(sub { -e "$dir/pinged" }, 'a TIME'), 'that does not answer a TIME');
my $quit = time;
ok($t->quit, 'nginx ends');
cmp_ok(time - $quit, '<', 5 * $slow, sprintf 'without its answer: %.0f ms', (time - $quit) * 1000);
$t->write('ping', '');


# what it had of idle connections is not trusted either

serve("redis+cluster://127.0.0.1:$old->{port} timeout=300ms connect_timeout=300ms durability=replicas=1", workers => 1);

sub peers {
    my ($to) = map { sprintf '0100007F:%04X', $_ } @_;
    return map { (split)[1] } grep { (split)[2] eq $to && (split)[3] eq '01' } split /\n/, do { local (@ARGV, $/) = "/proc/net/tcp"; <> };
}

for my $round (1 .. 2) {
    ok(wait_for(sub { $t->api('PUT', "orders/P-$round", $t->order)->{status} == 201 }, 'a commit', 10 * $slow), 'a master that takes commits');
    ok(wait_for(sub { peers($old->{port}) >= 2 }, 'two connections'), 'by a connection of their own');
    my %before = map { $_ => 1 } peers($old->{port});
    kill 'STOP', $old->{pid};
    ok(wait_for(sub { status('X') == 503 }, '503', 5), 'hangs');
    kill 'CONT', $old->{pid};
    ok(wait_for(sub { status('X') == 404 }, 'the old master', 10 * $slow), 'and is back');
    is(join(' ', grep { $before{$_} } peers($old->{port})), '', 'no connection is left of those before');
}
ok($t->quit, 'nginx ends');

$t->finish;
