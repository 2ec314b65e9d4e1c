#!/usr/bin/perl

# The reveal over HTTP/3, on an nginx that has it; the client is Debian's Chromium.

use warnings;
use strict;

use lib 't/lib';
use IO::Socket::INET;
use IPC::Open2 qw(open2);
use JSON::PP;
use Mpk;
use Mpk::Build;
use Mpk::Node;
use Mpk::Tls;
use Test::More;

my $chromium = $ENV{MPK_CHROMIUM} // '/usr/bin/chromium';
my $home = 'objs/browser';

Mpk::Node::found($chromium) or BAIL_OUT("$chromium is missing: install Debian's package chromium (make deps)");
my $missing = Mpk::Node::packages('t/browser', $home);
$missing and BAIL_OUT($missing);

my $folder = Mpk::Build::nginx('trixie') // BAIL_OUT('there is no source of nginx');
my ($module, $said) = Mpk::Build::module(Mpk::Build::begin('objs/http3', NGINX => "$folder/nginx",
    NGINX_SRC => "$folder/source", CC_OPT => '-O1'));
ok($module, 'the module is built for ' . Mpk::Build::version("$folder/nginx")) or diag($said), BAIL_OUT('it is not');

local @ENV{qw(MPK_NGINX MPK_MODULE)} = ("$folder/nginx", $module);

my $t = Mpk->new;
my $dir = $t->dir;
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') // die "no port: $!";

$t->redis;
Mpk::Tls->new($t)->certificate('server', 'localhost', 'IP:127.0.0.1');
chomp(my $hash = `openssl x509 -in $dir/server.pem -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`);

# slow, so that there is time to go away; "late" has something to do after its answer

my %port = map { $_ => $t->port($_) } qw(slow late);
my %more = (slow => 'limit_rate 20k;', late => 'post_action @after;');

$t->conf(http => "log_format h3 '\$server_protocol \$status \$server_port';" . join '', map { <<CONF } keys %port)->start;
server {
    listen 127.0.0.1:$port{$_} quic;
    ssl_certificate $dir/server.pem;
    ssl_certificate_key $dir/server.key;
    access_log $dir/$_.log h3;
    error_log $dir/$_.debug debug;
    mpk_public_url https://127.0.0.1:$port{$_};
    location /r/ { mpk_reveal on; $more{$_} }
    location \@after { proxy_pass http://127.0.0.1:@{[$silent->sockport]}; }
    location / { access_log off; return 200 shop; }
}
CONF

$ENV{MPK_HTTP3} = encode_json({ chromium => $chromium, home => $home, hash => $hash,
    hosts => [ map { "127.0.0.1:$_" } values %port ] });
my $client = open2(my $from, my $to, 'node', 't/build/http3.mjs');

local $SIG{ALRM} = sub { die "the browser hangs\n" };
alarm 300;

# ask(server, method, path, %more): a request, and its answer, see http3.mjs
sub ask {
    my ($server, $method, $path, %more) = @_;
    syswrite $to, encode_json({ method => $method, url => "https://127.0.0.1:$port{$server}$path", %more }) . "\n";
    my $r = decode_json(<$from> // '{"error": "the browser has gone"}');
    diag("$method $path: $r->{error}") if $r->{error};
    return $r;
}

# confirm(server, link, nonce, gone)
sub confirm {
    my ($server, $link, $nonce, $gone) = @_;
    return ask($server, 'POST', $link, gone => $gone,
        headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(nonce => $nonce // '', email => 'ann@example.com'));
}

sub journaled {
    my ($order, $expected, $what) = @_;
    Mpk::wait_for(sub { $t->events($order) eq $expected });
    is($t->events($order), $expected, $what);
}

my $link = $t->link('A-1');
my $r = ask('slow', 'GET', $link);
is($r->{status}, 200, 'the confirm page');
is($r->{headers}{'cache-control'}, 'no-store', 'has its headers');

$r = confirm('slow', $link, $r->{body} =~ /name="nonce" value="([\w-]+)"/);
is($r->{status}, 200, 'a confirmation is answered');
like($r->{body}, qr/"XK7QX-BBBBB-CCCCC-DDDDD-EEEEE"/, 'with the key');
is($t->read('slow.log'), "HTTP/3.0 200 $port{slow}\n" x 2, 'both over HTTP/3');
is($t->events('A-1'), 'filed link_minted opened viewed', 'the view is not cut off');

my @items = map { { sku => "S-$_", product => "P $_", key => "XK7QX$_-" . 'x' x 500 } } 1 .. 500;
$t->file($_, items => \@items) for qw(B-1 B-2);

$link = $t->mint('B-1');
$r = confirm('slow', $link, $t->nonce($link), 'begun');
is($r->{status}, 200, 'a big answer begins');
journaled('B-1', 'filed link_minted opened viewed cut_off', 'reset in the middle, it is cut off');

# nginx has nothing left to write of this one, but has not ended its stream

$link = $t->link('C-1');
$r = confirm('late', $link, $t->nonce($link), 'whole');
is($r->{status}, 200, 'an answer without an end');
ok(Mpk::wait_for(sub { $t->read('late.debug') =~ /quic stream id:\w+ reset/ }, 'the reset'), 'is reset');
close $silent->accept;
journaled('C-1', 'filed link_minted opened viewed cut_off', 'reset before its end, it is cut off');

$link = $t->mint('B-2');
$r = confirm('slow', $link, $t->nonce($link), 'left');
is($r->{status}, 200, 'another big answer begins');
close $to;
waitpid $client, 0;
is($?, 0, 'the browser ends');
journaled('B-2', 'filed link_minted opened viewed cut_off', 'which cuts the answer off');

$t->finish;
