package Mpk::Node;

# Programs for node, with packages of npm's that are installed once, under objs/.

use warnings;
use strict;

use File::Compare qw(compare);
use File::Copy qw(copy);
use File::Path qw(make_path);


# found(program): it can be run
sub found { my ($p) = @_; return grep { -x } $p =~ m{/} ? $p : map { "$_/$p" } split /:/, $ENV{PATH} }


# packages(from, home): installs what from/package-lock.json says; '' or what went wrong
sub packages {
    my ($from, $home) = @_;

    return "node is missing: install Debian's package nodejs (make deps)" unless found('node');

    make_path($home);

    # npm writes node_modules/.package-lock.json last

    return '' if -e "$home/node_modules/.package-lock.json"
        && !grep { compare("$from/$_", "$home/$_") } qw(package.json package-lock.json);

    return "npm is missing: install Debian's package npm (make deps)" unless found('npm');

    copy("$from/$_", "$home/$_") or die "$home/$_: $!" for qw(package-lock.json package.json);
    my $out = `cd $home && npm ci --ignore-scripts --no-audit --no-fund 2>&1`;
    return '' if $? == 0;

    unlink "$home/package-lock.json";
    return $out;
}

1;
