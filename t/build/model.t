#!/usr/bin/perl

# docs/model/commit.pml, the protocol of a commit, checked by spin: every assertion holds,
# and each of the mistakes that the model can make on purpose breaks the one that it should.

use warnings;
use strict;

use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

my $model = getcwd . '/docs/model/commit.pml';
my $dir = tempdir(CLEANUP => 1);

ok(`spin -V 2>/dev/null`, 'spin is there') or BAIL_OUT("install Debian's package spin (make deps)");

# checked(macros): how many states were seen, and the assertion that does not hold
sub checked {
    my (@macros) = @_;
    my $flags = join ' ', map { "-D$_" } @macros;
    my $out = `cd $dir && rm -f pan* && { spin -a $flags $model && gcc -O2 -DSAFETY -DVECTORSZ=2048 -DCOLLAPSE pan.c -o pan \\
        && timeout 1200 ./pan -m100000 -E -w26; } 2>&1`;
    my ($states) = $out =~ /(\d+) states, stored/;
    my ($errors) = $out =~ /errors: (\d+)/;
    my ($broken) = $out =~ /assertion violated\s+(.*?) \(at depth/;
    diag($out) if !defined $errors || $out =~ /max search depth too small|out of memory/;
    return ($states // 0, $errors // 'none', $broken // '');
}

for ([ 'a failover' ], [ 'a backup that is restored', 'RESTORE' ]) {
    my ($what, @macros) = @$_;
    my ($states, $errors, $broken) = checked(@macros);
    is("$errors $broken", '0 ', "with $what nothing happens that must not");
    cmp_ok($states, '>', 1_000_000, 'in any order of what happens');
    note("$states states");
}

for (
    [ 'I1: a key that is sent before its view is committed', qr/shown/, 'SHOW_EARLY' ],
    [ 'R5: a commit that does not compare what was read', qr/cancelled/, 'NO_GUARD' ],
    [ 'I2: a master that fails, without durability', qr/shown/, 'NO_WAIT' ],
    [ 'I3: a confirmation sent again that is not found by its nonce', qr/^0$/, 'NO_LOOKUP' ],
    [ 'I10: an outbox that is written apart from the order', qr/delivered/, 'TWO_STEPS' ],
    [ 'I10: a consumer that acknowledges before its work', qr/delivered/, 'ACK_EARLY' ],
    [ 'R5: a guard that compares the revision alone, and a restored backup', qr/cancelled/, 'REVISION', 'RESTORE' ],
) {
    my ($what, $expected, @macros) = @$_;
    my (undef, $errors, $broken) = checked(@macros);
    is($errors, 1, "is refuted: $what");
    like($broken, $expected, 'by the assertion that it breaks');
}

done_testing();
