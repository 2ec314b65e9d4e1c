#!/usr/bin/perl

# Customers and the API for minutes under the sanitizers, while Redis meets one random
# fault after the other: nothing is reported, lost or shown twice; the workers live
# through it all, and neither their memory nor their file descriptors grow.

use warnings;
use strict;

use lib 't/lib';
use Mpk qw(memory);
use Mpk::Load;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'under the sanitizers only: make test-asan, make soak' unless $ENV{MPK_SANITIZED};

my $seconds = $ENV{MPK_SECONDS} // 60;
my $t = Mpk->new(asan_options => 'quarantine_size_mb=4');
my $dir = $t->dir;
my $redis = $t->redis(tcp => 1);
my $replica = $t->redis(name => 'replica', tcp => 1, of => $redis);

sub followed {
    $redis->followed(1, 20) or die 'the replica does not follow';
}

followed();
$t->conf(workers => 2, redis => "redis://127.0.0.1:$redis->{port} timeout=400ms durability=replicas=1",
    location => 'location = /track { mpk_track on; }')->start;

my @workers = sort $t->workers;

my $seed = $ENV{MPK_SEED} // int time;
srand $seed;
note("MPK_SEED=$seed");

my @faults = (
    [ 'Redis is killed' => sub { $redis->stop('KILL'); sleep rand 0.5; $redis->start; followed() } ],
    [ 'Redis is stopped' => sub { $redis->stop; sleep rand 0.5; $redis->start; followed() } ],
    [ 'Redis hangs' => sub { $redis->pause; sleep rand 1; $redis->resume } ],
    [ 'the replica hangs' => sub { $replica->pause; sleep rand 1.5; $replica->resume } ],
    [ 'the replica goes' => sub { $replica->stop('KILL'); sleep rand 0.5; $replica->start; followed() } ],
    [ 'connections are killed' => sub { $redis->cmd('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') } ],
    [ 'scripts are forgotten' => sub { $redis->cmd('SCRIPT', 'FLUSH') } ],
    [ 'memory is full' => sub { $redis->cmd('CONFIG', 'SET', 'maxmemory', 1); sleep rand 0.5; $redis->cmd('CONFIG', 'SET', 'maxmemory', 0) } ],
    [ 'Redis pauses its clients' => sub { $redis->cmd('CLIENT', 'PAUSE', int rand 600, 'ALL') } ],
    [ 'Redis reads only' => sub { $redis->cmd('CONFIG', 'SET', 'min-replicas-to-write', 2); sleep rand 0.5; $redis->cmd('CONFIG', 'SET', 'min-replicas-to-write', 0) } ],
    [ 'clients go away' => sub { gone() } ],
);

# requests that nobody waits for

sub gone {
    for (1 .. 10) {
        my $s = Mpk::Http::connection($t->port('edge')) or next;
        print $s Mpk::Http::text('GET', '/mpk/v1/claims', headers => { Authorization => "Bearer $t->{token}" });
        $s->flush;
        sleep rand 0.01;
    }
}

sub sample {
    my ($memory, $files) = (0, 0);
    for my $pid (@workers) {
        $memory += memory($pid, 'VmRSS');
        my @files = glob "/proc/$pid/fd/*";
        $files += @files;
    }
    return ($memory, $files);
}

my $load = Mpk::Load->new(test => $t, seconds => $seconds, long => 1, clients => 3);
my $start = time;
my (%count, @memory, @files);

while (time < $start + $seconds - 3) {
    my $fault = $faults[rand @faults];
    eval { $fault->[1]->(); 1 } or do { delete $_->{client} for $redis, $replica };
    $count{$fault->[0]}++;
    sleep 0.3 + rand 1;
    my ($memory, $files) = sample();
    push @memory, $memory;
    push @files, $files;
}

$_->resume for $redis, $replica;
eval { $redis->cmd('CONFIG', 'SET', 'maxmemory', 0); 1 } or delete $redis->{client};
$redis->cmd('CONFIG', 'SET', $_, 0) for qw(maxmemory min-replicas-to-write);
$load->back('after all faults', 15);

note("$count{$_} x $_") for sort keys %count;
$load->check(20);
is(join(' ', sort $t->workers), "@workers", 'I5: the workers are those of the beginning');

sub peak { my ($most) = sort { $b <=> $a } @_; return $most }
my $third = int(@memory / 3);
my ($before, $after) = (peak(@memory[$third .. 2 * $third - 1]), peak(@memory[2 * $third .. $#memory]));
note("resident, KB: " . join ' ', map { $memory[$_ * $#memory / 9] } 0 .. 9);
note("file descriptors: " . join ' ', map { $files[$_ * $#files / 9] } 0 .. 9);
cmp_ok($after, '<', 1.15 * $before, 'memory is flat');
cmp_ok(peak(@files[2 * $third .. $#files]), '<=', peak(@files[$third .. 2 * $third - 1]) + 10, 'so are file descriptors');

$t->finish;
