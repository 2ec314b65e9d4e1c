#!/usr/bin/perl

# The documents for developers name what is there: files, functions, tables, make's targets;
# links lead somewhere; each directive and variable is documented.

use warnings;
use strict;

use File::Basename;
use Test::More;

plan skip_all => 'the documents are the same on this nginx' if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

my $top = 'ngx_mpk_module';
my @documents = qw(CONTRIBUTING.md docs/architecture.md t/README.md);

# the checks themselves can fail

{
    my @names = ('core/mpk_policy.c:mpk_policy_decide', 'core/mpk_policy.c:mpk_policies', 'core/mpk_policy.h:mpk_event_t',
        'http/ngx_http_mpk_stats.h:ngx_http_mpk_shm_s');

    is_deeply([ unknown(map { "`$_`" } @names) ], [], 'a function, a table, a type, a structure');
    is_deeply([ unknown('`core/mpk_policy.c:mpk_token_verify`', '`core/none.c`', '`t/none/`', '`make none`', '`MPK_NONE`') ],
        [ qw(core/mpk_policy.c:mpk_token_verify core/none.c t/none/), 'make none', 'MPK_NONE' ], 'what is called there, or is not, is found');
}

for my $document (@documents) {
    my $text = content($document);
    is_deeply([ unknown($text) ], [], "$document: each name is one");
    cmp_ok(scalar(() = $text =~ /`[^`\n]+`/g), '>', 20, 'of many');
}

for my $document (@documents, 'README.md', 'SECURITY.md', glob('docs/*.md'), "$top/pages/README.md") {
    is_deeply([ broken($document) ], [], "$document: links lead somewhere");
}


# the states of a connection

my ($states) = content("$top/redis/ngx_mpk_redis_int.h") =~ /\{([^{}]*)\} ngx_mpk_redis_state_t;/;
my ($section) = content('docs/architecture.md') =~ /^## A Redis connection\n(.*?)^## /ms;

is_deeply([ $section =~ /^\| `([A-Z]+)` \|/mg ], [ grep { $_ ne 'STATES' } $states =~ /^\s+NGX_MPK_REDIS_([A-Z]+)\b/mg ],
    "docs/architecture.md has each state of a connection, in the code's order");


# directives and variables

my $directives = content('docs/directives.md');
my @directives = content("$top/http/module/ngx_http_mpk_module.c") =~ /^    \{ ngx_string\("(mpk_\w+)"\)/mg;
my @variables = content("$top/http/module/ngx_http_mpk_variables.c") =~ /^    \{ ngx_string\("(mpk_\w+)"\)/mg;

cmp_ok(scalar @directives, '>', 20, 'directives');
cmp_ok(scalar @variables, '>', 8, 'variables');
is_deeply([ grep { $directives !~ /^## $_\n\n    Syntax:  $_ /m } @directives ], [], 'docs/directives.md has each directive');
is_deeply([ grep { index($directives, "`\$$_`") < 0 } @variables ], [], 'and each variable');

# events and outcomes: each name in the code is in the variable's row; what is cut off is no
# request

for ([ 'event', 'ngx_http_mpk_event_name', 'mpk_event_name' ], [ 'outcome', 'ngx_http_mpk_outcome_name' ]) {
    my ($variable, @functions) = @$_;
    my ($row) = $directives =~ /^\| `\$mpk_$variable` \| (.*) \|$/m;
    my $words = content("$top/http/ngx_http_mpk_words.c") . content("$top/core/mpk_policy_words.c");
    my @names = grep { $_ ne 'cut_off' } map { $words =~ /^$_\(.*?\{(.*?)^\}/ms ? $1 =~ /mpk_literal\("(\w+)"\)/g : () } @functions;
    push @names, $words =~ /mpk_row\("(\w+)"/g if $variable eq 'outcome';
    cmp_ok(scalar @names, '>', 15, "names for \$mpk_$variable");
    is_deeply([ grep { index($row, "`$_`") < 0 } @names ], [], "docs/directives.md has each value of \$mpk_$variable");
}


# the version is one

my ($version) = content("$top/http/ngx_http_mpk.h") =~ /NGX_HTTP_MPK_VERSION\s+"([^"]+)"/;

is((content('CHANGES') =~ /^Changes with ngx_mpk_module (\S+)/m)[0], $version, 'CHANGES begins with the version in the code');
is((content('docs/openapi.yaml') =~ /^  version: (\S+)/m)[0], $version, 'docs/openapi.yaml has it, too');

done_testing();


sub content {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}


# Of what stands in backticks, and of make's targets in examples: names of files,
# file:definition, targets, macros and environment variables that are not there.

sub unknown {
    my $text = join ' ', @_;
    my (@unknown, %seen);

    for my $name (grep { !$seen{$_}++ } $text =~ /`([^`\n]+)`/g, $text =~ /^    (make [a-z][\w.-]*)/mg) {

        if ($name =~ m{^([\w.-]+(?:/[\w.-]+)*\.[ch]):(\w+)$}) {
            push @unknown, $name unless defined path($1) && defines(content(path($1)), $2);

        } elsif ($name =~ m{^(?:[\w-]+/)+(?:[\w.-]+\.\w+)?$|^\w+\.pm$}) {
            push @unknown, $name unless defined path($name) || $name =~ /^objs\//;

        } elsif ($name =~ /^make ([a-z][\w.-]*)/) {
            push @unknown, $name unless content('Makefile') =~ /^(?:[\w.-]+ )*\Q$1\E(?: [\w.-]+)*:/m;

        } elsif ($name =~ /^(?:NGX_HTTP_MPK|NGX_MPK|MPK)_\w+/) {
            push @unknown, $name unless sources() =~ /\b$&\b/;
        }
    }

    return @unknown;
}


sub path {
    my ($name) = @_;
    my ($path) = grep { -e } $name, "$top/$name", "$top/http/$name", "t/lib/$name";
    return $path;
}


# By nginx's style a definition's name begins its line, if it is a function.

sub defines {
    my ($text, $name) = @_;
    return $text =~ /^$name\(|\b$name(?:\[\w*\])+\s*=\s*\{|^(?:\}|typedef enum.*\}) $name;|^struct $name \{/m;
}


my $sources;

sub sources {
    return $sources //= join '', map { content($_) } 'Makefile', grep({ $_ ne 't/docs.t' } glob("$top/*/*.[ch] $top/http/*/*.[ch] t/*.t t/browser/*.mjs misc/* t/lib/*.pm t/lib/Mpk/*.pm"));
}


sub broken {
    my ($document) = @_;
    my @broken;

    for my $link (content($document) =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ m{^https?://};

        my ($file, $anchor) = split /#/, $link, 2;
        $file = length $file ? dirname($document) . "/$file" : $document;

        push @broken, $link unless -e $file && (!defined $anchor || grep { $_ eq $anchor } anchors($file));
    }

    return @broken;
}


# As GitHub makes them of headings.

sub anchors {
    my ($file) = @_;
    return map { lc($_) =~ s/[^\w\s-]//gr =~ s/\s/-/gr } content($file) =~ /^#+ (.*)/mg;
}
