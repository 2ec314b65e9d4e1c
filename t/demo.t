#!/usr/bin/perl

# make demo, as an ordinary user meets it: from an order to the key on the screen, or what
# is in its way; and nothing is left behind.

use warnings;
use strict;

use lib 't/lib';
use Mpk;
use POSIX qw(:sys_wait_h);
use Test::More;

plan skip_all => 'the demo is for the ordinary build' if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

my $t = Mpk->new;
my $port = $t->port('demo');
my $folder = $t->dir . '/demo';
mkdir $folder;

# what nginx and Redis are started by is no ordinary user's PATH, and no jobserver's

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
local $ENV{PATH} = '/usr/local/bin:/usr/bin:/bin';
local $ENV{TMPDIR} = $folder;

sub demo {
    my (@arguments) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $t->dir . '/said';
        open STDERR, '>&', \*STDOUT;
        exec 'make', '--no-print-directory', 'demo', @arguments or POSIX::_exit(127);
    }
    return $pid;
}

sub said { return $t->read('said') }

sub ends {
    my ($pid) = @_;
    my $end;
    wait_for(sub { waitpid($pid, WNOHANG) == $pid && defined($end = $?) }, 'its end', 60) or kill 'KILL', -$pid;
    return $end;
}

# left(pid): what of it still runs, or lies about
sub left {
    my ($pid) = @_;
    my @left = glob("$folder/*");
    for my $how ([ '-g', $pid ], [ '-f', "$folder/mpk-demo" ]) {
        open my $processes, '-|', 'pgrep', '-a', @$how or die "pgrep: $!";
        push @left, <$processes>;
    }
    return join ' ', @left;
}


my $pid = demo("PORT=$port", 'ONCE=1');
my $end = ends($pid);
isnt($end, 0, 'a port in use ends it');
like(said(), qr/^Port $port is in use: run "make demo PORT=\d+"/m, 'with what to do');
is(left($pid), '', 'and nothing is left');

$t->release('demo');
$pid = demo("PORT=$port", 'ONCE=1');
$end = ends($pid);
is($end, 0, 'make demo ONCE=1 ends well') or diag(said());
like(said(), qr/"entries":.*"event":"viewed".*"ip":"127\.0\.0\.1"/, 'the key was shown, the journal tells when and to whom');
like(said(), qr/\n0\n.*Done\./s, 'nothing secret is in Redis');
is(left($pid), '', 'nothing is left');

$pid = demo("PORT=$port");
ok(wait_for(sub { said() =~ /Ctrl-C stops it/ }, 'the demo', 60), 'make demo leaves the site running') or diag(said());
my ($link) = said() =~ m{a fresh link.*?\n\s*http://[^/]+(/r/\S+)}s;
like(Mpk::Http::request($port, 'GET', $link)->{body}, qr/Office 2024 Home/, 'with a link to try');
kill 'INT', -$pid;
ends($pid);
is(left($pid), '', 'Ctrl-C stops it, and nothing is left');

$t->finish;
