package Mpk::Build;

# Building the module in folders of its own.

use warnings;
use strict;

use Cwd qw(getcwd);

# a make that was started by make would take its variables over

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES NGINX NGINX_SRC CC CC_OPT LD_OPT)};


# begin(folder, %variables): starts to build the module there
sub begin {
    my ($folder, %variables) = @_;
    my $command = join ' ', "make --no-print-directory -j2 build 'OBJS=$folder'",
        map { "'$_=$variables{$_}'" } sort keys %variables;
    open my $make, '-|', "$command 2>&1" or die "make: $!";
    return [ $make, $folder ];
}

# module(what begin() returned): waits; (its path, or nothing, and what make said)
sub module {
    my ($make, $folder) = @{$_[0]};
    my $said = do { local $/; <$make> };
    my $module = "$folder/ngx_http_mpk_module.so";
    return (close $make && -f $module ? getcwd . "/$module" : undef, $said);
}


# nginx(what): a folder with "nginx" and "source", see misc/nginx-build; nothing if there is none
sub nginx {
    my ($what) = @_;
    chomp(my $folder = `misc/nginx-build '$what'`);
    return $? == 0 ? $folder : undef;
}


# version(nginx): "1.26.3" or "Angie 1.10.0"
sub version {
    my ($nginx) = @_;
    return `$nginx -v 2>&1` =~ m{: (?:nginx|([^/]+))/(\S+)} ? join(' ', grep { defined } $1, $2) : '';
}


1;
