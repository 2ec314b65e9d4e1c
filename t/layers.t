#!/usr/bin/perl
# The layers of the module, by the symbols of its objects and by its #include lines: calls
# go down only, and the files of a layer do not go round in circles.

use warnings;
use strict;

use Test::More;

use File::Basename;

# Each layer uses those below it; two in one row do not use each other.

my @layers = (['module'], ['customer', 'api', 'desk', 'status'], ['view'], ['store', 'answer'],
              ['request'], ['http'], ['redis'], ['core'], ['pages']);

my %rank;

for my $i (0 .. $#layers) {
    $rank{$_} = -$i for @{ $layers[$i] };
}

# What every file of an nginx module names: its configurations and contexts are found by it.

my %common = (ngx_http_mpk_module => 1);

my $top = 'ngx_mpk_module';

# The protocol's part of redis/ is plain C.

my $plain = qr/^ngx_mpk_redis_(?:resp|slots)\./;
my $nginx = qr/^ngx_(?!mpk_redis_(?:resp|slots)\.)/;

# the checks themselves can fail

{
    my $uses = {
        'view/a' => { 'store/b' => 'x' }, 'store/b' => { 'view/a' => 'y', 'answer/c' => 'z' },
        'answer/c' => { 'request/d' => 'v' }, 'request/d' => {},
    };

    is_deeply([wrong($uses)], ['store/b uses answer/c: z', 'store/b uses view/a: y'],
              'a call upward and one to a sibling are found');
    is_deeply([circles($uses)], ['store/b view/a'], 'a circle is found');
    is_deeply([wrong({ 'core/a' => { 'pages/b' => 'x' } })], [], 'a call downward is none');
}

my @sources = glob("$top/core/*.c $top/redis/*.c $top/http/*.c $top/http/*/*.c");
my @headers = glob("$top/core/*.h $top/redis/*.h $top/http/*.h $top/http/*/*.h $top/pages/*.h");

my $uses = symbols(map { object($_) } @sources);

is_deeply([wrong($uses)], [], 'calls go down the layers');
is_deeply([circles($uses)], [], 'no files use each other in a circle');

# nm does not see inline functions, nor tables that the compiler has resolved

my %home = map { basename($_) => layer($_) } @headers;

is(scalar keys %home, scalar @headers,
   'each header has a name of its own: a static build puts all folders into one include path');

my (@upward, @late, @foreign);

for my $file (@sources, @headers) {
    my $core;

    for my $include (includes($file)) {

        if ($include =~ /^mpk_/) {
            $core = 1;

        } elsif ($include =~ $nginx) {
            push @late, "$file: $include" if $core;
            push @foreign, "$file: $include" if layer($file) eq 'core';
        }

        my $home = $home{$include} // next;

        push @upward, "$file: $include"
            if $home ne layer($file) && $rank{$home} >= $rank{layer($file)};
    }
}

is_deeply(\@upward, [], 'headers are included down the layers');
is_deeply(\@foreign, [], 'core includes no header of nginx');

# ngx_config.h sets _GNU_SOURCE: glibc must not have been configured without it

is_deeply(\@late, [], "nginx's headers are included before any other");

my @unsure = grep { layer($_) !~ /^(?:core|pages)$/ && basename($_) !~ $plain && !first_is_nginx($_) }
             @sources, @headers;

is_deeply(\@unsure, [], "what uses nginx includes its headers first");

done_testing();


sub layer {
    my ($file) = @_;
    return basename(dirname($file));
}


sub includes {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    return map { /^#include [<"]([^">]+)/ ? $1 : () } <$in>;
}


sub first_is_nginx {
    my ($file) = @_;
    my ($first) = includes($file);
    return ($first // '') =~ $nginx;
}


# The object that the module was linked of.

sub object {
    my ($source) = @_;

    my $built = dirname($ENV{MPK_MODULE} // 'objs/ngx_http_mpk_module.so');
    my $name = layer($source) . '/' . basename($source, '.c') . '.o';
    my ($object) = grep { -f } map { "$built/$_/objs/addon/$name" } 'nginx', 'source';

    BAIL_OUT("$source has no object") unless $object;

    return $object;
}


# {file => {file that it uses => symbols}}

sub symbols {
    my @objects = @_;
    my (%defined, %undefined);

    for my $object (@objects) {
        my $file = layer($object) . '/' . basename($object, '.o');

        for (`nm -g --format=posix "$object"`) {
            my ($symbol, $type) = split;
            $type eq 'U' ? push @{ $undefined{$file} }, $symbol : ($defined{$symbol} = $file);
        }
    }

    die "nm found nothing\n" unless %defined;

    my %uses;

    for my $file (keys %undefined) {
        for my $symbol (sort @{ $undefined{$file} }) {
            my $user = $defined{$symbol} // next;

            next if $user eq $file || $common{$symbol};

            my $names = \$uses{$file}{$user};
            $$names = defined $$names ? "$$names $symbol" : $symbol;
        }
    }

    return \%uses;
}


sub wrong {
    my ($uses) = @_;
    my @wrong;

    for my $file (sort keys %$uses) {
        for my $used (sort keys %{ $uses->{$file} }) {
            my ($from, $to) = (dirname($file), dirname($used));

            push @wrong, "$file uses $used: $uses->{$file}{$used}"
                if $from ne $to && $rank{$to} >= $rank{$from};
        }
    }

    return @wrong;
}


# The files of each circle.

sub circles {
    my ($uses) = @_;
    my (%seen, @circles);

    for my $file (sort keys %$uses) {
        next if $seen{$file};

        my %down = reachable($uses, $file);
        my @circle = grep { my %up = reachable($uses, $_); $up{$file} } sort keys %down;

        $seen{$_} = 1 for @circle;
        push @circles, "@circle" if @circle;
    }

    return @circles;
}


sub reachable {
    my ($uses, $from) = @_;
    my %reached;
    my @next = keys %{ $uses->{$from} // {} };

    while (defined(my $file = shift @next)) {
        next if $reached{$file}++;
        push @next, keys %{ $uses->{$file} // {} };
    }

    return %reached;
}
