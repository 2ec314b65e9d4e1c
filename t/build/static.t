#!/usr/bin/perl

# nginx with the module built in (--add-module) starts and shows a key.

use warnings;
use strict;

use Cwd qw(getcwd);
use lib 't/lib';
use Mpk;
use Mpk::Build;
use Test::More;

my $top = getcwd;
my $objs = "$top/objs/static";
my $folder = Mpk::Build::nginx('trixie') // BAIL_OUT('there is no source of nginx');

# what is built is nginx as a whole: the less of it, and the less optimized, the better

my $small = join ' ', map { "--without-http_${_}_module" } qw(ssi userid autoindex geo split_clients grpc memcached
    browser empty_gif upstream_hash upstream_ip_hash upstream_least_conn upstream_random gzip);

my $log = `rm -rf $objs && mkdir -p $objs && cd $objs && ln -s $folder/source/* . && { ./configure $small \\
    --with-http_ssl_module --with-http_v2_module --with-cc-opt=-O0 --add-module=$top \\
    && make -j2 -f objs/Makefile binary; } 2>&1`;
ok($? == 0, 'nginx is built with the module inside') or diag(substr $log, -2000), BAIL_OUT('it is not');

my $dynamic = `readelf -d $objs/objs/nginx`;
like($dynamic, qr/\(NEEDED\).*\[lib$_\.so/, "it is linked with $_") for qw(hiredis yajl idn2 crypto);

$ENV{MPK_NGINX} = "$objs/objs/nginx";

my $t = Mpk->new;
$t->redis;
$t->conf(http => 'add_header Content-Security-Policy "default-src \'self\'" always;');
$t->write('nginx.conf', $t->read('nginx.conf') =~ s/^load_module.*$//mr);
$t->start;

my $r = $t->confirm($t->link('S-1'));
is($r->{status}, 200, 'a confirmation is answered');
like($r->{json}{items}[0]{key}, qr/./, 'with the key');
is_deeply([ $r->{raw} =~ /^Content-Security-Policy: (.*?);/mg ], [ "default-src 'none'" ], 'and with one policy, whatever add_header adds');

$t->finish;
