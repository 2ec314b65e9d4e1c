#!/usr/bin/perl

# The module as built loads, and one that cannot be built says why; and what judges the other tests can itself fail: the
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
ok($needed{"lib$_"}, "it is linked with $_") for qw(hiredis yajl idn2 crypto);
unlike($dynamic, qr/R(UN)?PATH/, 'and looks for libraries in no folder of its own');

SKIP: {
    skip 'that is for the ordinary build', 22 if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

    my ($folder) = `@{[Mpk::nginx()]} -V 2>&1` =~ /--modules-path=(\S+)/;
    my $said = `env PATH=/usr/bin:/bin make --no-print-directory install DESTDIR=@{[$t->dir]}/root 2>&1`;
    my $installed = $t->dir . "/root$folder/ngx_http_mpk_module.so";
    ok(-f $installed, "make install finds nginx's modules folder with an ordinary user's PATH") or diag($said);

    local $ENV{MPK_MODULE} = $installed;
    $t->conf;
    ($good, $out) = $t->check;
    ok($good, 'what it has put there loads') or diag($out);


    # a build that cannot be says why in one line; sources of nothing but a version stand for a release

    my $dir = $t->dir;
    my $build = sub { my ($first) = split /^make/m, `make --no-print-directory build OBJS=$dir/objs @_ 2>&1`; $first };

    for my $version (qw(1.16.1 1.99.1)) {
        my $core = "$dir/nginx-$version/src/core";
        system('mkdir', '-p', $core, "$core/../http/v3") == 0 or die "mkdir $core";
        $t->write("nginx-$version/configure", "exit 1\n");
        $t->write("nginx-$version/src/core/nginx.h", sprintf "#define nginx_version %d%03d%03d\n#define NGINX_VERSION \"%s\"\n",
            split(/\./, $version), $version);
    }

    my $fake = $t->write('nginx-fake', "#!/bin/sh\necho 'nginx version: nginx/1.99.1'\necho \"configure arguments: \$FLAGS\"\n", 0755);

    is($build->("NGINX_SRC=$dir/none"), "$dir/none has no nginx: install nginx-dev, or set NGINX_SRC to a source tree\n",
        'a folder without nginx is said to be so');
    is($build->("NGINX_SRC=$dir/nginx-1.16.1"), "$dir/nginx-1.16.1 is nginx 1.16.1: the module needs 1.18.0 or later\n", 'so is an old nginx');
    is($build->("NGINX=$dir/none"), "$dir/none: there is no such nginx\n", 'and one that is not there');
    like($build->("NGINX=$fake"), qr/^\Q$fake\E is 1\.99\.1, but \S+ is [\d.]+: set NGINX_SRC to the source of 1\.99\.1\n$/,
        'and sources of another version than the nginx is of');
    like($build->("NGINX=@{[Mpk::nginx()]} NGINX_SRC=$dir/nginx-1.99.1"), qr/ is [\d.]+, but \S+ is 1\.99\.1: set NGINX_SRC/, 'either way');

    my $broken = $t->write('broken.so', do { local (@ARGV, $/) = $module; <> } =~ s/(\d,\d,\d,[01]{20})([01])/$1 . (1 - $2)/er);
    $said = `misc/nginx-loads @{[Mpk::nginx()]} $broken 2>&1`;
    like($said, qr/^\S+ does not load the module: module "\S+" is not binary compatible\b.*\n$/, 'and a module that does not go with the nginx');
    is($? >> 8, 1, 'which is a failure');
    is(system('misc/nginx-loads', Mpk::nginx(), $module), 0, 'ours does');


    # what nginx is configured with

    my $flags = sub {
        my (%env) = @_;
        local @ENV{keys %env} = values %env;
        return scalar `misc/nginx-flags 2>&1`;
    };

    my @default = qw(--with-compat --with-threads --with-http_ssl_module --with-http_v2_module --with-http_v3_module);
    my $default = $flags->(NGINX_SRC => "$dir/nginx-1.99.1");
    is(join(' ', $default =~ /^(--with-(?!cc|ld).*)$/mg), "@default", 'without an nginx TLS, HTTP/2 and, where there is, HTTP/3 are there');
    like($default, qr/^# nginx $/m, 'and no nginx is taken for the one that is meant');

    my $like = $flags->(NGINX => $fake, NGINX_SRC => "$dir/nginx-1.99.1", FLAGS => "--with-cc-opt='-O3 -DNGX_ODD=1 -flto -I/usr/include"
        . " -I/nowhere -specs=/nowhere/x -D_FORTIFY_SOURCE=3' --with-ld-opt='-specs=/nowhere/y -L/usr/lib -L/nowhere' --prefix=/opt/nginx"
        . ' --add-dynamic-module=/nowhere/z --with-stream=dynamic --with-http_perl_module=dynamic --with-http_v2_module --with-pcre=/nowhere');
    is(join(' ', $like =~ /^(--(?!with-(?:cc|ld)).*)$/mg), '--prefix=/opt/nginx --with-http_v2_module',
        'with one all that it has and that does not ask for other modules and libraries');
    like($like, qr{^--with-cc-opt=(?!.*(?:nowhere|O3|lto|SOURCE=3)).* -DNGX_ODD=1 -I/usr/include }m, 'what changes its headers');
    like($like, qr{^--with-ld-opt=(?!.*nowhere).* -L/usr/lib$}m, 'and where libraries are');

    for (['gcc', ''], ['gcc -D_FORTIFY_SOURCE=3', ''], ['gcc', '-O0']) {
        my ($cc, $opt) = @$_;
        my ($options) = $flags->(CC => $cc, CC_OPT => $opt) =~ /^--with-cc-opt=(.*)$/m;
        is(system("$cc -Werror $options -include stdio.h -c -x c /dev/null -o $dir/x.o 2>&1"), 0,
            "$cc $opt: _FORTIFY_SOURCE is not defined twice");
    }


    # what is missing

    my $lacks = sub {
        my ($header) = @_;
        my $cc = $t->write('cc', "#!/bin/sh\ngrep -q $header $dir/autotest.c && exit 1\nexec gcc \"\$@\"\n", 0755);
        my ($source) = $flags->() =~ /^# source (.*)$/m;
        return scalar `cd $source && CC=$cc NGX_OBJS=$dir NGX_AUTOTEST=$dir/autotest NGX_AUTOCONF_ERR=$dir/autoconf.err ngx_addon_dir=$top sh -c '. $top/config' 2>&1`;
    };

    for (['hiredis/hiredis.h', 'hiredis', 'libhiredis-dev'], ['yajl/', 'yajl 2', 'libyajl-dev'],
        ['idn2.h', 'libidn2', 'libidn2-dev'], ['openssl/', 'OpenSSL 3 or later', 'libssl-dev']) {
        my ($header, $name, $package) = @$_;
        like($lacks->($header), qr/error: ngx_http_mpk_module needs \Q$name\E: install it with its headers \(Debian: $package\)$/,
            "a machine without $name is told what to install");
    }
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
    [ 'tests that pass', 'print "ok 1\nok 2\n1..2\n"', "good: t 2 0\n2 passed, 5 failed" ],
    [ 'a test that fails', 'print "ok 1\nnot ok 2\n1..2\n"; exit 1', "bad: t 1 1\n1 passed, 6 failed" ],
    [ 'a crash after the last test', 'print "ok 1\n1..1\n"; kill "SEGV", $$', "bad: t 1 1\n1 passed, 6 failed" ],
    [ 'a file that ends early', 'print "1..3\nok 1\n"', "bad: t 1 1\n1 passed, 6 failed" ],
    [ 'a file without tests', '', "bad: t 0 1\n0 passed, 6 failed" ],
    [ 'a file that bails out', 'print "ok 1\nBail out!\n"; exit 1', "bad: 0 passed, 6 failed" ],
);

# stages that did not run count as failed, too

is(tally($_->[1]), $_->[2], "the runner counts $_->[0]") for @runs;

unlink glob($t->dir . '/asan.*'), glob($t->dir . '/valgrind.*');
$t->finish(alerts => qr/exited on signal 11|exited with (fatal )?code \d+|DEADLYSIGNAL|AddressSanitizer/);
