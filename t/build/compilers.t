#!/usr/bin/perl

# Other compilers and processors: the module builds without a warning; on 32 bits and on
# aarch64 core's unit tests run, too.

use warnings;
use strict;

use lib 't/lib';
use Mpk::Build;
use Test::More;

# Ubuntu's gcc, and that of hardened builds, defines _FORTIFY_SOURCE by itself

my @compilers = (
    [ 'clang' => 'clang' ],
    [ 'gcc that fortifies by itself' => 'gcc -D_FORTIFY_SOURCE=3' ],
    map { [ $_ => scalar `misc/foreign-cc $_` ] } qw(i386 arm64)
);

# all at once: configure has only one thing to do at a time

my @builds = map {
    my ($name, $cc) = @$_;
    chomp $cc;
    ok($cc, "$name: there is a compiler");
    $cc ? [ $name, $cc, Mpk::Build::begin("objs/compilers/$name" =~ tr/ /-/r, CC => $cc, NGINX => '',
        $cc =~ /FORTIFY/ ? () : (CC_OPT => '-O1')) ] : ();
} @compilers;

for (@builds) {
    my ($name, $cc, $build) = @$_;
    my ($module, $said) = Mpk::Build::module($build);
    ok($module, "$name: the module builds without a warning") or diag($said);

    next if $name !~ /^(?:i386|arm64)$/;

    my $unit = "objs/compilers/$name/unit";
    $said = `make --no-print-directory -j2 units UNIT=$unit UNIT_CC='$cc \$(UNIT_FLAGS)' 2>&1`;
    is($?, 0, "$name: the unit tests build without a warning") or diag($said =~ s/^.* -o .*\n//gmr), next;

    for my $test (glob 'lua-free-tests/unit/test_*.c') {
        $test =~ s{.*/(.*)\.c}{$1};
        my $out = `$unit/$test lua-free-tests/vectors 2>&1`;
        ok($? == 0 && $out =~ /^1\.\.\d/m, "$name: $test passes") or diag($out =~ s/^ok .*\n//gmr);
    }
}

done_testing();
