#!/usr/bin/perl

# The module as built loads; and what judges the other tests can itself fail: the
# harness sees a dead worker and a sanitizer's report, the runner counts a crash.

use warnings;
use strict;

use Cwd qw(getcwd);
use Test::More;

use lib 't/lib';
use Mpk;

my $top = getcwd;
my $module = $ENV{MPK_MODULE} // 'objs/ngx_http_mpk_module.so';


# the module

my $t = Mpk->new;
$t->redis;
$t->conf;

my ($good, $out) = $t->check;
ok($good, 'nginx loads the module') or diag($out);
unlike($out, qr/\[(warn|error|alert|emerg)\]/, 'and has nothing to say about the configuration');

my $dynamic = `readelf -d $module`;
my %needed = map { $_ => 1 } $dynamic =~ /\(NEEDED\).*\[(.+?)\.so/g;
ok($needed{"lib$_"}, "it is linked with $_") for qw(hiredis yajl crypto);
unlike($dynamic, qr/R(UN)?PATH/, 'and looks for libraries in no folder of its own');

SKIP: {
    skip 'make install is for the ordinary build', 3 if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

    my ($folder) = `@{[Mpk::nginx()]} -V 2>&1` =~ /--modules-path=(\S+)/;
    my $said = `env PATH=/usr/bin:/bin make --no-print-directory install DESTDIR=@{[$t->dir]}/root 2>&1`;
    my $installed = $t->dir . "/root$folder/ngx_http_mpk_module.so";
    ok(-f $installed, "make install finds nginx's modules folder with an ordinary user's PATH") or diag($said);

    local $ENV{MPK_MODULE} = $installed;
    $t->conf;
    ($good, $out) = $t->check;
    ok($good, 'what it has put there loads') or diag($out);

    $said = `make --no-print-directory build NGINX_SRC=@{[$t->dir]}/none 2>&1`;
    like($said, qr{\Q@{[$t->dir]}\E/none has no nginx}, 'a folder without nginx is said to be so');
}


# requests of one connection

$t->conf;
$t->start;

my $port = $t->port('shop');
my $socket = Mpk::Http::connection($port);
my $buffer;
print $socket map { Mpk::Http::text('GET', "/$_", keepalive => 1) } 1 .. 3;
is_deeply([ map { Mpk::Http::response($socket, 10, 0, \$buffer)->{headers}{'x-shop'} } 1 .. 3 ],
    [ 'GET /1', 'GET /2', 'GET /3' ], 'pipelined answers are told apart');
is($buffer, '', 'to the last byte');
close $socket;


# the harness: a worker that dies, in earnest

is_deeply([ $t->complaints ], [], 'a server that does well gives no cause for complaint');

SKIP: {
    skip 'valgrind keeps the signal', 1 if $ENV{MPK_VALGRIND};

    my ($worker) = $t->workers;
    kill 'SEGV', $worker;
    wait_for(sub { grep { $_ != $worker } $t->workers }, 'another worker comes');
    like(join("\n", $t->complaints), qr/exited (on signal 11|with code 1)/, 'a worker that dies is seen');
}


# every other cause

my @causes = (
    [ 'an [alert]', 'error.log', '2026/11/23 05:00:00 [alert] 1#1: open socket #3 left in connection 4' ],
    [ 'an [emerg]', 'error.log', '2026/11/23 05:00:00 [emerg] 1#1: bind() failed' ],
    [ 'a worker that exits', 'error.log', '2026/11/23 05:00:00 [notice] 1#1: worker process 7 exited with code 1' ],
    [ "UBSan's line", 'stderr', 'x.c:1:2: runtime error: signed integer overflow' ],
    [ "UBSan's log", 'ubsan.7', 'x.c:1:2: runtime error: signed integer overflow' ],
    [ "ASan's log", 'asan.7', '==7==ERROR: AddressSanitizer: heap-use-after-free' ],
    [ "LeakSanitizer's report", 'stderr', '==7==ERROR: LeakSanitizer: detected memory leaks' ],
    [ "valgrind's log", 'valgrind.7', '==7== Invalid read of size 8' ],
);

for my $cause (@causes) {
    my ($name, $file, $line) = @$cause;
    my $other = Mpk->new;
    $other->write($file, "$line\n");
    is(scalar(() = $other->complaints), 1, "the harness complains of $name");
}

{
    my $other = Mpk->new;
    $other->write('error.log', "2026/11/23 05:00:00 [notice] 1#1: worker process 7 exited with code 0\n"
        . "2026/11/23 05:00:00 [error] 1#1: *1 connect() failed\n");
    $other->write('valgrind.7', '');
    is_deeply([ $other->complaints ], [], 'but not of an error or of a worker that is done');
}


# a test that dies leaves nothing running

sub leftovers {
    my ($script) = @_;
    my $file = $t->write('dies.pl', "use lib 't/lib'; use Mpk; my \$t = Mpk->new; \$t->redis; sub keeps { \$t }"
        . " \$| = 1; print \$t->redis->{pid}, ' ', \$t->dir, ' '; $script");
    my $said = `$^X $file 2>/dev/null`;
    my $status = $?;
    my ($pid, $dir, $nginx) = split ' ', $said;
    return join ' ', $status ? 'died' : 'lived', grep { -e } "/proc/$pid", $dir, $nginx ? "/proc/$nginx" : ();
}

is(leftovers('die'), 'died', 'a test that dies leaves no Redis and no folder');
is(leftovers('$t->conf(http => "nonsense;"); $t->start;'), 'died', 'nor if nginx does not start');
is(leftovers('$t->conf; $t->start; print $t->{nginx}; die'), 'died', 'nor an nginx that did');


# the runner

sub tally {
    my ($script) = @_;
    my $dir = $t->dir . '/runner';
    mkdir $dir;
    open my $f, '>', "$dir/x.t" or die "$dir: $!";
    print $f "#!/usr/bin/perl\n\$| = 1; $script\n";
    close $f;
    unlink "$dir/objs/tally";
    my $status = system "cd $dir && $top/misc/run-tests t x.t >/dev/null 2>&1";
    my $count = `cat $dir/objs/tally 2>/dev/null`;
    my $last = (split /\n/, `cd $dir && $top/misc/run-tests --sum`)[-1];
    return ($status ? 'bad' : 'good') . ": $count$last";
}

my @runs = (
    [ 'tests that pass', 'print "ok 1\nok 2\n1..2\n"', "good: t 2 0\n2 passed, 4 failed" ],
    [ 'a test that fails', 'print "ok 1\nnot ok 2\n1..2\n"; exit 1', "bad: t 1 1\n1 passed, 5 failed" ],
    [ 'a crash after the last test', 'print "ok 1\n1..1\n"; kill "SEGV", $$', "bad: t 1 1\n1 passed, 5 failed" ],
    [ 'a file that ends early', 'print "1..3\nok 1\n"', "bad: t 1 1\n1 passed, 5 failed" ],
    [ 'a file without tests', '', "bad: t 0 1\n0 passed, 5 failed" ],
    [ 'a file that bails out', 'print "ok 1\nBail out!\n"; exit 1', "bad: 0 passed, 5 failed" ],
);

# four or five stages that did not run count as failed, too

is(tally($_->[1]), $_->[2], "the runner counts $_->[0]") for @runs;

unlink glob($t->dir . '/asan.*'), glob($t->dir . '/valgrind.*');
$t->finish(alerts => qr/exited on signal 11|exited with (fatal )?code \d+|DEADLYSIGNAL|AddressSanitizer/);
