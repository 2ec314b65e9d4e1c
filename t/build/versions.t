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
my (@builds, @runs);

for my $what (grep { $_ ne $own } split ' ', ($ENV{SUITES} // 'bullseye bookworm trixie sid') . ' ' . ($ENV{TREES} // '')) {
    my $folder = Mpk::Build::nginx($what);
    ok($folder, "there is an nginx of $what") or next;

    my $version = Mpk::Build::version("$folder/nginx");
    next if $seen{$version}++;

    (my $objs = "objs/versions/$version") =~ tr/ /-/;
    push @builds, [ $version, $folder, Mpk::Build::begin($objs, NGINX => "$folder/nginx", NGINX_SRC => "$folder/source",
        CC_OPT => '-O0') ];
}

for (@builds) {
    my ($version, $folder, $build) = @$_;
    my ($module, $said) = Mpk::Build::module($build);
    ok($module, "nginx $version: the module builds without a warning, and is loaded") or diag($said), next;

    # nginx 1.18 gives all of a quiet test's connections to one worker: t/status.t wants both

    my @files = (qw(reveal tls), $version =~ /^1\.18\./ ? () : 'status', `$folder/nginx -V 2>&1` =~ /--with-http_v3_module/ ? ('http3', 'reveal over HTTP/3') : ());
    push @runs, map { [ $version, "$folder/nginx", $module, $_ ] } @files;
}

# they wait for the most part: some at once

while (my @now = splice @runs, 0, 5) {
    my @out = map {
        my ($version, $nginx, $module, $file) = @$_;
        local @ENV{qw(MPK_NGINX MPK_MODULE MPK_HTTP3)} = ($nginx, $module, $file =~ s/ over.*// ? 1 : 0);
        open my $out, '-|', "$^X -It/lib t/$file.t 2>&1" or die "t/$file.t: $!";
        $out;
    } @now;

    for my $run (@now) {
        my $out = shift @out;
        my $said = join '', grep { !/^ok / } <$out>;
        ok(close($out), "nginx $run->[0]: t/" . $run->[3] =~ s/( |$)/.t$1/r . ' passes') or diag($said);
    }
}

done_testing();
