#!/usr/bin/perl

# The module on other releases of nginx than the installed one: it builds without a
# warning, loads and does its work.  SUITES are Debian's, TREES are folders with sources.

use warnings;
use strict;

use lib 't/lib';
use Mpk::Build;
use Test::More;

# the release that the machine has is what all other tests run on

my ($own) = map { /^VERSION_CODENAME=(\S+)/ } do { local @ARGV = '/etc/os-release'; <> };
my %seen = (Mpk::Build::version('nginx') => 1);
my @runs;

for my $what (grep { $_ ne $own } split ' ', ($ENV{SUITES} // 'bookworm trixie sid') . ' ' . ($ENV{TREES} // '')) {
    my $folder = Mpk::Build::nginx($what);
    ok($folder, "there is an nginx of $what") or next;

    my $version = Mpk::Build::version("$folder/nginx");
    next if $seen{$version}++;

    (my $objs = "objs/versions/$version") =~ tr/ /-/;
    my ($module, $said) = Mpk::Build::module(Mpk::Build::begin($objs, NGINX => "$folder/nginx", NGINX_SRC => "$folder/source",
        CC_OPT => '-O1'));
    ok($module, "nginx $version: the module builds without a warning, and is loaded") or diag($said), next;

    push @runs, map { [ $version, "$folder/nginx", $module, $_ ] } qw(reveal tls status);
}

# they wait for the most part: a release's three at once

while (my @now = splice @runs, 0, 3) {
    my @out = map {
        my ($version, $nginx, $module, $file) = @$_;
        local @ENV{qw(MPK_NGINX MPK_MODULE)} = ($nginx, $module);
        open my $out, '-|', "$^X -It/lib t/$file.t 2>&1" or die "t/$file.t: $!";
        $out;
    } @now;

    for my $run (@now) {
        my $out = shift @out;
        my $said = join '', grep { !/^ok / } <$out>;
        ok(close($out), "nginx $run->[0]: t/$run->[3].t passes") or diag($said);
    }
}

done_testing();
