#!/usr/bin/perl

# Overload and brown-out: what waits for Redis is bounded, and beyond that refused at
# once; nobody else waits; memory stays flat; a Redis that returns is not run over.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Mpk qw(quick memory);
use Test::More;
use Time::HiRes qw(sleep time);

my $slow = $ENV{MPK_VALGRIND} ? 10 : $ENV{MPK_SANITIZED} ? 3 : 1;
my $max = 16384;          # commands of one connection
my $each = 64;            # commands of one listing of the claims
my $t = Mpk->new;
my $dir = $t->dir;
my $redis = $t->redis;

$t->conf(redis => "unix:$dir/redis.sock timeout=60s", location => 'location = /metrics { mpk_status prometheus; }')->start;

my %token = (Authorization => "Bearer $t->{token}");

sub worker { my ($pid) = $t->workers; return $pid }
sub files { my @f = glob "/proc/@{[worker()]}/fd/*"; return scalar @f }

# so many listings at once, none of which is answered yet

sub ask {
    my ($n) = @_;
    return map {
        my $s = Mpk::Http::connection($t->port('edge')) or die "connect: $!";
        print $s Mpk::Http::text('GET', '/mpk/v1/claims', headers => { %token });
        $s->flush;
        $s;
    } 1 .. $n;
}

sub readable { my @r = IO::Select->new(@_)->can_read(0); return scalar @r }

is(Mpk::Http::response((ask(1))[0])->{status}, 200, 'a listing of the claims');

my ($first, @resident, @files);
my $fit = $max / $each;

for my $round (1 .. 4) {
    my $calls = $redis->calls('zrangebyscore');
    $redis->pause;

    my @waiting = ask($fit);
    my @refused = ask(60);

    my $took = quick(sub { @refused = map { Mpk::Http::response($_) } @refused });
    is(join(' ', sort map { $_->{status} } @refused), join(' ', (503) x 60), "round $round: what is too much is 503");
    cmp_ok($took, '<', 2 * $slow, sprintf 'at once: sixty in %.0f ms', $took * 1000);
    ok($refused[0]{headers}{'retry-after'}, 'with Retry-After');
    is(readable(@waiting), 0, 'what fits waits');
    $took = quick(sub { $t->get('/') for 1 .. 50 });
    cmp_ok($took, '<', 1 * $slow, sprintf 'I6: nobody else does: fifty pages in %.0f ms', $took * 1000);

    $redis->resume;
    my @r = map { Mpk::Http::response($_) } @waiting;
    my $answered = grep { $_->{status} == 200 } @r;
    my $did = $redis->calls('zrangebyscore') - $calls;

    # what the edge itself asks for takes a place, too

    cmp_ok($answered, '>=', $fit - 1, 'and is answered when Redis returns');
    cmp_ok($did, '<=', $max, 'which has no more to do than that');
    cmp_ok($did, '>=', $max - 2, 'and no less');
    is($t->confirm($t->link("R-$round"))->{status}, 200, 'service is as before');
    undef @waiting;

    push @resident, memory(worker(), 'VmRSS');
    push @files, files();
}

# each listing that was refused is as many commands; what the edge itself asks for can be, too

my $refused = $t->metric('redis_overflows_total') - 4 * 60 * $each;
cmp_ok($refused, '>=', 0, 'mpk_status counts what was too much');
cmp_ok($refused, '<', 200, 'and little else');

note("resident, KB: @resident; files: @files");
cmp_ok($resident[-1], '<', 1.15 * $resident[1], 'memory stays flat') unless $ENV{MPK_SANITIZED};
cmp_ok($files[-1], '<=', $files[0] + 2, 'so do file descriptors');


# connections that fail at once: tried again ever more slowly, whoever asks

ok($t->quit, 'quit');
$redis->stop;

my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "listen: $!";
$t->conf(redis => 'redis://127.0.0.1:' . $listen->sockport)->start;

my ($made, $asked) = (0, 0);
my $until = time + 3;

while (time < $until) {
    if (IO::Select->new($listen)->can_read(0.005)) {
        $made++;
        close $listen->accept;
    }

    # a command that waits for a connection needs us

    my $s = Mpk::Http::connection($t->port('edge')) or next;
    print $s Mpk::Http::text('GET', '/mpk/v1/orders/A-1', headers => { %token });
    $s->flush;
    $asked++;
    IO::Select->new($s)->can_read(0.02);
}

note("$made connections for $asked requests within 3 s");
cmp_ok($made, '<=', 14, 'no more than a dozen connections in three seconds');
cmp_ok($made, '>=', 3, 'though it goes on trying');
cmp_ok($asked, '>', 50, 'whatever the requests');
$t->finish;
