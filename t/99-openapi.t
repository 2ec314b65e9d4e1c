#!/usr/bin/perl

# docs/openapi.yaml: it is OpenAPI, and what the other tests have seen of the API, kept by
# the harness in the file that MPK_ANSWERS names, is what it says.  Alone, it runs t/api.t.

use warnings;
use strict;

use lib 't/lib';
use File::Copy qw(copy);
use Mpk::Node;
use Test::More;

plan skip_all => 'the answers are the same on this nginx' if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

my $home = 'objs/openapi';
my $answers = $ENV{MPK_ANSWERS} // "$home/answers.ndjson";
my $missing = Mpk::Node::packages('t/openapi', $home);

is($missing, '', 'what the test needs is installed');

if (!$missing && !$ENV{MPK_ANSWERS}) {
    unlink $answers;
    local $ENV{MPK_ANSWERS} = $answers;
    is(system("$^X t/api.t > $home/api.log 2>&1"), 0, 't/api.t passes');
}

# a module finds its packages beside itself

copy('t/openapi/check.mjs', $home) or die "$home: $!";
open my $from, '-|', 'node', "$home/check.mjs", 'docs/openapi.yaml', $answers or die "node: $!";

my $ended = 0;

while (my $line = <$from>) {
    chomp $line;
    if ($line =~ /^(not )?ok \d+ - (.*)/) {
        ok(!$1, $2);
    } elsif ($line =~ /^1\.\.(\d+)$/) {
        $ended = $1;
    } elsif ($line =~ /^# (unseen: .*|.* passed over)$/) {
        note($1);
    } else {
        diag($line =~ s/^# //r);
    }
}

close $from;
is($?, 0, 'the check ran');
ok($ended, 'to its end');

done_testing();
