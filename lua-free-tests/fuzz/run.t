#!/usr/bin/perl

# Runs each fuzzer for FUZZ_SECONDS, two at a time, from the inputs in corpus/ and from
# those that earlier runs found, which are kept in the user's cache.

use warnings;
use strict;

use File::Path qw(make_path);
use POSIX qw(:sys_wait_h);
use Test::More;

my $seconds = $ENV{FUZZ_SECONDS} // 15;
my @fuzzers = map { m{fuzz_(\w+)\.c$} } glob 'lua-free-tests/fuzz/fuzz_*.c';
my $kept = ($ENV{XDG_CACHE_HOME} || ($ENV{HOME} // '') . '/.cache') . '/ngx_mpk_module/corpus';
my (%running, %status);

make_path($kept, { error => \my $errors });
$kept = 'objs/fuzz/corpus' unless -w $kept;

sub reap {
    my $pid = waitpid -1, 0;
    $status{delete $running{$pid}} = $? if $running{$pid};
}

for my $name (@fuzzers) {
    reap() while keys %running >= 2;
    make_path("$kept/$name");

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "objs/fuzz/$name.log";
        open STDERR, '>&', \*STDOUT;
        exec "objs/fuzz/fuzz_$name", "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=2048',
            '-print_final_stats=1', "-artifact_prefix=objs/fuzz/$name.", "$kept/$name",
            "lua-free-tests/fuzz/corpus/$name"
            or POSIX::_exit(127);
    }

    $running{$pid} = $name;
}

reap() while keys %running;

for my $name (@fuzzers) {
    my $log = do { local (@ARGV, $/) = "objs/fuzz/$name.log"; <> } // '';
    my ($runs) = $log =~ /number_of_executed_units:\s*(\d+)/;
    is($status{$name}, 0, "the $name fuzzer found nothing" . ($runs ? " in $runs inputs" : '')) or diag(substr $log, -3000);
    cmp_ok($runs // 0, '>', 1000, "and ran more than 1000");
}

done_testing();
