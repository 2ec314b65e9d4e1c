#!/usr/bin/perl

# nginx -t: what is wrong dies there, with file, line and what to do; inheritance.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $dir = $t->dir;
$t->port($_) for qw(edge shop);
my $good = $t->read('keyring.json');

sub refused {
    my ($name, $text, %part) = @_;
    $t->conf(%part) unless $part{raw};
    my ($ok, $out) = $t->check;
    ok(!$ok, "$name is refused");
    like($out, $text, "$name: the text says what to do");
    like($out, qr{nginx\.conf:\d+}, "$name: with file and line");
    unlike($out, qr/$_/, "$name: no secret in it") for map { substr $_->{k} // $_->{d}, 0, 20 } @{$t->{keys}};
}

sub accepted {
    my ($name, %part) = @_;
    $t->conf(%part);
    my ($ok, $out) = $t->check;
    ok($ok, "$name is accepted") or diag($out);
}

# warned(name, text, %part): it is accepted, with such a warning; or with none at all
sub warned {
    my ($name, $text, %part) = @_;
    $t->conf(%part);
    my ($ok, $out) = $t->check;
    my @warnings = grep { /\[warn\]/ } split /\n/, $out;
    ok($ok, "$name is accepted") or diag($out);
    is(join("\n", @warnings), '', "$name: without a warning"), return unless $text;
    is(scalar @warnings, 1, "$name: with one warning") or diag($out);
    like($warnings[0] // '', $text, "$name: the warning says what to do");
    like($warnings[0] // '', qr{nginx\.conf:\d+$}, "$name: with file and line");
}

sub without {
    my ($line, $name, $text) = @_;
    $t->conf;
    (my $conf = $t->read('nginx.conf')) =~ s/^\s*$line.*\n//m or die;
    $t->write('nginx.conf', $conf);
    refused($name, $text, raw => 1);
}

warned('the fixture');

without('mpk_keyring', 'no mpk_keyring', qr/"mpk_reveal" needs "mpk_keyring".*mpk-keyring new FILE/);
without('mpk_redis', 'no mpk_redis', qr/"mpk_reveal" needs "mpk_redis"/);
without('mpk_public_url', 'no mpk_public_url', qr/"mpk_reveal" needs "mpk_public_url"/);
without('mpk_api_tokens', 'mpk_api without mpk_api_tokens', qr/"mpk_api" needs "mpk_api_tokens".*off/);


# the keyring

sub keyring {
    my ($name, $text, $content, $mode) = @_;
    $content = JSON::PP->new->canonical->encode($content) if ref $content;
    $t->write('keyring.json', $content, $mode // 0600);
    refused($name, $text);
    $t->write('keyring.json', $good, 0600);
}

sub keys_with { my ($change) = @_; my $k = decode_json($good); $change->($k->{keys}); return $k }

keyring('a keyring that others can read', qr/chmod o-rwx/, $good, 0644);
keyring('a keyring that is no JSON', qr/line 2/, "{\n!");
keyring('an empty keyring', qr/keyring/, '');
keyring('a short key', qr/32/, keys_with(sub { $_[0][0]{k} = substr $_[0][0]{k}, 0, 40 }));
keyring('a kid that stands twice', qr/kid/, keys_with(sub { $_[0][1]{kid} = $_[0][0]{kid} }));
keyring('a secret that stands twice', qr/secret|same/, keys_with(sub {
    my @oct = grep { $_->{kty} eq 'oct' } @{$_[0]}; $oct[1]{k} = $oct[0]{k} }));
keyring('an unknown member', qr/colour/, keys_with(sub { $_[0][0]{colour} = 'red' }));
keyring('an unknown use', qr/use/, keys_with(sub { $_[0][0]{use} = 'sig' }));
keyring('a second lookup key', qr/lookup/, keys_with(sub {
    my ($l) = grep { $_->{use} eq 'lookup' } @{$_[0]}; push @{$_[0]}, { %$l, kid => 'l2', k => 'B' . substr $l->{k}, 1 } }));

for my $use (qw(token wrap lookup journal evidence)) {
    keyring("a keyring without $use", qr/"$use"/, keys_with(sub { @{$_[0]} = grep { $_->{use} ne $use } @{$_[0]} }));
}


# secrets that are mounted, as containers and systemd do

SKIP: {
    skip 'not root, or no namespaces', 1 if $> != 0 || system('unshare --mount true 2>/dev/null') != 0;

    my $nginx = Mpk::nginx();
    mkdir "$dir/above";
    mkdir "$dir/above/mount";
    $t->write('mount.password', "hunter2\n", 0600);
    my %file = (keyring => "$dir/keyring.json", tokens => "$dir/api-tokens", password => "$dir/mount.password");
    my %conf = (
        keyring => [],
        tokens => [ location => "location /x/ { mpk_api on; mpk_api_tokens $dir/above/mount/secret; }" ],
        password => [ redis => "redis://127.0.0.1:6399 password_file=$dir/above/mount/secret" ],
    );

    for (
        [ '0444, read-only, in a directory of its own', undef, 0444, '0700', 'ro' ],
        [ '0444, read-only, below a directory of its own', undef, 0444, '0755', 'ro', 0700 ],
        [ '0440, writable', undef, 0440, '0755', 'rw' ],
        [ '0444, read-only, where others can enter', qr/mount it with mode 0400 \("mode" of a Docker secret, "defaultMode" of a Kubernetes volume\), or below a directory that others can't enter/, 0444, '0755', 'ro' ],
        [ '0446, read-only, in a directory of its own', qr/mount it with mode 0400/, 0446, '0700', 'ro' ],
        [ '0444, writable, in a directory of its own', qr/run "chmod o-rwx" on it/, 0444, '0700', 'rw' ],
    ) {
        my ($name, $text, $mode, $directory, $how, $above) = @$_;

        for my $kind (sort keys %file) {
            my $octal = sprintf '%o', $mode;
            $t->write('mounted', <<MOUNTED, 0700);
#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs -o mode=$directory tmpfs $dir/above/mount && cp $file{$kind} $dir/above/mount/secret \\
    && chmod $octal $dir/above/mount/secret && mount -o remount,$how $dir/above/mount && exec $nginx "\$@"' sh "\$@"
MOUNTED
            chmod $above // 0755, "$dir/above";
            $t->conf(@{$conf{$kind}});
            $t->write('nginx.conf', $t->read('nginx.conf') =~ s/mpk_keyring [^;]+/mpk_keyring $dir\/above\/mount\/secret/r) if $kind eq 'keyring';
            local $ENV{MPK_NGINX} = "$dir/mounted";
            my ($ok, $out) = $t->check;
            is($ok ? 'accepted' : 'refused', $text ? 'refused' : 'accepted', "$kind $name: @{[$text ? 'refused' : 'accepted']}") or diag($out);
            like($out, $text, "$kind $name: the text says what to do") if $text;
        }
    }
}


# Redis

my $secret = $t->write('password', "hunter2\n", 0600);
my $open = $t->write('password.open', "hunter2\n", 0644);
my $empty = $t->write('password.empty', "\n", 0600);

for (
    [ 'another scheme', 'http://localhost', qr/redis:\/\// ],
    [ 'a url without a host', 'redis://', qr/host/ ],
    [ 'a bad port', 'redis://localhost:99999', qr/port/ ],
    [ 'a bad db', 'redis://localhost/x', qr/db|database/ ],
    [ 'a password in the url', 'redis://:hunter2@localhost', qr/password_file/ ],
    [ 'a name that does not resolve', 'redis://no-such-host.invalid', qr/no-such-host/ ],
    [ 'rediss:// without tls_ca', 'rediss://localhost', qr/tls_ca/ ],
    [ 'a tls_ca that is not there', "rediss://localhost tls_ca=$dir/none.pem", qr/none\.pem/ ],
    [ 'tls_ca with redis://', "redis://localhost tls_ca=$dir/x.pem", qr/rediss/ ],
    [ 'an unknown option', 'redis://localhost colour=red', qr/colour/ ],
    [ 'a bad timeout', 'redis://localhost timeout=soon', qr/timeout/ ],
    [ 'zero connections', 'redis://localhost connections=0', qr/connections/ ],
    [ 'an unknown durability', 'redis://localhost durability=perhaps', qr/durability/ ],
    [ 'a password file that is not there', "redis://localhost password_file=$dir/none", qr/none/ ],
    [ 'a password file that others can read', "redis://localhost password_file=$open", qr/chmod o-rwx/ ],
    [ 'an empty password file', "redis://localhost password_file=$empty", qr/empty/ ],
) {
    refused($_->[0], $_->[2], redis => $_->[1]);
}

accepted('a Redis by name with a db, timeouts and a password',
    redis => "redis://localhost:6399/3 user=mpk password_file=$secret timeout=500ms connect_timeout=100ms connections=2");
my (undef, $dump) = $t->check('-T');
unlike($dump, qr/hunter2/, 'nginx -T does not print the password');
like($dump, qr/mpk_redis redis:/, 'though it prints the rest');


# the public URL, the path, the location

for (
    [ 'http:// for a host that is no loopback', 'http://shop.example', qr/https/ ],
    [ 'http:// for a host that looks like one', 'http://localhost.shop.example', qr/https/ ],
    [ 'a URL with a path', 'https://shop.example/shop', qr/path/ ],
    [ 'a URL without a scheme', 'shop.example', qr/https/ ],
    [ 'a URL without a host', 'https://', qr/must have a host/ ],
    [ 'a URL with a port alone', 'https://:443', qr/must have a host/ ],
    (map { [ "a URL with port $_", "https://shop.example:$_", qr/a port of 1 to 65535 or none/ ] } qw(0 65536 x 443x -1 1:2 99999999999999999999)),
    [ 'a URL with an open bracket', 'https://[::1', qr/must have a host/ ],
    [ 'a URL with text behind the bracket', 'https://[::1]x', qr/must have a host/ ],
    [ 'http:// for a host with a port', 'http://shop.example:80', qr/https/ ],
) {
    refused($_->[0], $_->[2], server => "mpk_public_url $_->[1];");
}

accepted("$_ as the public URL", server => "mpk_public_url $_;")
    for 'https://shop.example', 'https://shop.example:8443', 'http://localhost:8080', 'http://[::1]', 'http://[::1]:81', 'HTTPS://Shop.Example:443';

refused('mpk_withdraw without an address of support', qr/"mpk_withdraw" needs "shop\.support_email" or "shop\.support_url" in a catalogue of "mpk_pages".*nginx\.conf:\d+/,
    location => 'location = /withdraw { mpk_withdraw on; }');

refused("a reveal path $_", qr/begin and end/, server => "mpk_reveal_path $_;") for 'r', '/r', 'r/', '/';

# where links lead: the upstream must not get their tokens

sub moved {
    my ($from, $to, %part) = @_;
    $t->conf(%part);
    (my $conf = $t->read('nginx.conf')) =~ s/\Q$from\E/$to/ or die;
    $t->write('nginx.conf', $conf);
}

sub lost {
    my ($name, $directive, $path) = @_;
    refused($name, qr/"\w+" needs a location with "$directive on" that gets the links below "$path", .* write "location \^~ $path \{"/, raw => 1);
}

moved('location /r/ {', "location $_ {"), lost("mpk_reveal in location $_", 'mpk_reveal', '/r/') for '= /r/', '/r/x/', '/reveal/';
$t->conf(server => 'mpk_reveal_path /k/;'), lost('a reveal path without a location', 'mpk_reveal', '/k/');
$t->conf(location => 'location ~ ^/r/ { return 200; }'), lost('a regex that takes the links', 'mpk_reveal', '/r/');
$t->conf(location => 'location ~* "\.E30\." { return 200; }'), lost('a regex that takes tokens', 'mpk_reveal', '/r/');
$t->conf(location => 'location ^~ /r/e { return 200; }'), lost('a longer prefix that takes the links', 'mpk_reveal', '/r/');
$t->conf(reveal => 'location /r/e { return 200; }'), lost('a nested location that takes the links', 'mpk_reveal', '/r/');
$t->conf(reveal => 'location ~ . { return 200; }'), lost('a nested regex that takes the links', 'mpk_reveal', '/r/');
$t->conf(location => 'location = /claim/ { mpk_claim on; }'), lost('mpk_claim in an exact location', 'mpk_claim', '/claim/');
$t->conf(location => 'location /claim/ { mpk_claim on; } location ~ laim { return 200; }'), lost('a regex that takes claim forms', 'mpk_claim', '/claim/');
$t->conf(location => 'location = /up/ { mpk_claim_access on; }'), lost('mpk_claim_access in an exact location', 'mpk_claim_access', '/up/');
moved("mpk_reveal on;\n", '');
ok(($t->check)[0], 'an API alone, whose links other nginx answer, is accepted');
moved("mpk_reveal on;\n", '', location => 'location = /track { mpk_track on; }');
lost('tracking without mpk_reveal', 'mpk_reveal', '/r/');

my $port = $t->port('edge');
my $reveals = "server { listen 127.0.0.1:$port; server_name other; location /r/ { mpk_reveal on; } }";
moved("mpk_reveal on;\n", '', http => $reveals =~ s/server_name/mpk_public_url https:\/\/other.example; server_name/r);
lost('a reveal location of another public URL', 'mpk_reveal', '/r/');
moved("mpk_reveal on;\n", '', http => $reveals);
ok(($t->check)[0], 'another server with the same public URL may have the reveal location');
moved('location /r/ {', 'location ^~ /r/ {', location => 'location ~ ^/r/ { return 200; }');
ok(($t->check)[0], 'no regex takes the links of location ^~ /r/');
accepted('a regex of another location', location => 'location /x/ { location ~ . { return 200; } }');
accepted('a nested reveal location', location => 'location /n { location /n/k/ { mpk_reveal on; } }', server => 'mpk_reveal_path /n/k/;');
accepted('locations of many names', location => join ' ', map { "location /$_ { return 200; } location = /r/$_ { return 200; }" } 'a' .. 'f', 'q', 's' .. 'z');

refused('two endpoints in one location', qr/can't share a location/, reveal => 'mpk_api on;');
refused('mpk_reveal in a regex location', qr/plain prefix/, location => 'location ~ ^/x/ { mpk_reveal on; }');
refused('mpk_account in a regex location', qr/plain prefix/, location => 'location ~ ^/x/ { mpk_account $upstream_http_x_account; }');
refused('mpk_account in a named location', qr/plain prefix/, location => 'location @x { mpk_account $upstream_http_x_account; }');
refused('mpk_reveal twice', qr/duplicate/, reveal => 'mpk_reveal on;');
refused('mpk_keyring twice', qr/duplicate/, http => "mpk_keyring $dir/keyring.json;");
refused('mpk_reveal neither on nor off', qr/"on" or "off"/, location => 'location /x/ { mpk_reveal maybe; }');
# who names a customer or an order

my $ca = Mpk::Tls->new($t);
$ca->certificate('edge', 'localhost');
my $tls = "ssl_certificate $dir/edge.pem; ssl_certificate_key $dir/edge.key;";

for (
    [ '$arg_order' ], [ '$cookie_order' ], [ '$http_x_order' ], [ 'x${arg_o}' ], [ '$args' ], [ '$request_uri' ],
    [ '$uri' ], [ '$remote_user' ], [ '$ssl_server_name' ], [ '$host' ], [ '$mpk_order' ], [ '$1' ],
    [ '$upstream_http_x_order$arg_o' ], [ '$UPSTREAM_HTTP_X$Arg_o' ],
    [ '$who', 'set $who $arg_order;' ],
    [ '$upstream_http_x_order', 'set $upstream_http_x_order $arg_order;' ],
    [ '$mapped', '', 'map $arg_order $mapped { default $arg_order; }' ],
    [ '$ssl_client_s_dn', "$tls ssl_verify_client on; ssl_client_certificate $dir/ca.pem;", 'map $arg_order $ssl_client_s_dn { default $arg_order; }' ],
    [ '$jwt_claim_sub', '', 'map $arg_order $jwt_claim_sub { default $arg_order; }' ],
    [ '$captured', 'if ($uri ~ "(?<captured>.+)") { return 404; }' ],
) {
    my ($chosen, $before, $http) = @$_;
    my @where = (server => $before // '', http => $http // '');
    refused("mpk_onscreen with $chosen", qr/"mpk_onscreen" takes "\Q$chosen\E", which can be what the client chooses: .* or add "trusted"/,
        @where, location => "location /on { internal; mpk_onscreen $chosen; }");
    refused("mpk_account with $chosen", qr/"mpk_account" takes "\Q$chosen\E", which can be what the client chooses: .* or add "trusted"/,
        @where, location => "location = /acc { mpk_account $chosen; }");
    accepted("mpk_account with $chosen that is trusted", @where, location => "location = /acc { mpk_account $chosen trusted; }");
}

accepted("mpk_account with $_->[0]", location => "location = /acc { $_->[1] mpk_account $_->[0]; }", server => "$tls $_->[2]") for
    [ '$customer', 'auth_request /who; auth_request_set $customer $upstream_http_x_account;', '' ],
    [ '${customer}@shop', 'auth_request /who; auth_request_set $customer $upstream_http_x_account;', '' ],
    [ '$Customer', 'auth_request /who; auth_request_set $customer $upstream_http_x_account;', '' ],
    [ '$upstream_http_x_account', '', '' ],
    [ '$ssl_client_s_dn', '', "ssl_verify_client optional; ssl_client_certificate $dir/ca.pem;" ],
    [ '$ssl_client_fingerprint', '', "ssl_verify_client on; ssl_client_certificate $dir/ca.pem;" ];
accepted('mpk_account before the auth_request_set that defines it', location => 'location = /acc { mpk_account $customer; } '
    . 'location = /other { auth_request /who; auth_request_set $customer $upstream_http_x_account; }');
refused("mpk_account with a certificate, $_->[0]", qr/"\$ssl_client_s_dn", which nobody verifies without "ssl_verify_client on" or "optional"/,
    server => "$tls $_->[1]", location => 'location = /acc { mpk_account $ssl_client_s_dn; }') for
    [ 'where none is asked for', '' ], [ 'where any will do', 'ssl_verify_client optional_no_ca;' ];
refused('mpk_account that is the same for every client', qr/which is the same for every client/, location => 'location = /acc { mpk_account ann; }');
refused('another parameter than trusted', qr/may only be "trusted"/, location => 'location = /acc { mpk_account $uri trust; }');

refused('a claim under "satisfy any"', qr/"\$jwt_claim_sub", which nobody need have verified under "satisfy any"/,
    location => 'location = /acc { satisfy any; mpk_account $jwt_claim_sub; }');

refused('mpk_onscreen outside "internal"', qr/needs "internal" in its location/,
    location => 'location /on { mpk_onscreen $upstream_http_x_order; }');
accepted('mpk_onscreen in an internal location', location => 'location /on { internal; mpk_onscreen $upstream_http_x_order; }');
refused("mpk_track_limit $_", qr/"address=" or "order="/, server => "mpk_track_limit $_;")
    for 'address=0', 'order=x', 'window=', 'speed=1';
refused('an unknown challenge', qr/invalid value/, reveal => 'mpk_reveal_challenge shout;');


# what is accepted with a warning

my $track = 'location = /track { mpk_track on; }';
my $account = 'location = /account { mpk_account $upstream_http_x_account; }';
my $proxy = 'proxy_pass http://127.0.0.1:' . $t->port('shop') . ';';
my $socket = "unix:$dir/redis.sock";

warned('mpk_consent in the reveal location only', qr/"mpk_track" does not ask for all that "mpk_reveal" in \S+nginx\.conf:\d+ asks for: set "mpk_consent" in the server/,
    reveal => 'mpk_consent on;', location => $track);
warned('mpk_consent in another location only', qr/"mpk_reveal" does not ask for all that "mpk_onscreen" in/,
    location => 'location = /on { internal; mpk_consent on; mpk_onscreen $upstream_http_x_order; }');
warned('another mpk_consent for one of them', qr/"mpk_track" does not ask for all that "mpk_reveal" in/, server => 'mpk_consent supply product;',
    location => $track =~ s/\{/{ mpk_consent product;/r);
warned('mpk_consent off for one of them', qr/"mpk_account" does not ask for all that/, server => 'mpk_consent on;',
    location => $account =~ s/\{/{ mpk_consent off;/r . $track);
warned('mpk_consent in the server', undef, server => 'mpk_consent on;', location => "$track $account location /claim/ { mpk_claim on; }");
warned('mpk_consent in one of two servers', undef, http => "server { listen 127.0.0.1:$port; server_name other; mpk_consent on; location /r/ { mpk_reveal on; } }");
warned('mpk_track in a prefix location', qr/"mpk_track" answers "\/track" alone, and no longer address: write "location = \/track \{"/, location => 'location /track { mpk_track on; }');
warned('mpk_account in a prefix location', qr/write "location = \/account \{"/, location => $account =~ s/= //r);
warned('mpk_fallthrough without a content handler', qr/"mpk_fallthrough" beside "mpk_track" passes requests on, but the location has no "proxy_pass"/,
    location => $track =~ s/\}/mpk_fallthrough on; }/r);
warned('mpk_fallthrough with one', undef, location => $track =~ s/\}/mpk_fallthrough on; $proxy }/r);
warned('mpk_fallthrough off without one', undef, location => $track =~ s/\}/mpk_fallthrough off; }/r);
refused("mpk_withdrawal_window $_", qr/"mpk_withdrawal_window" directive must be a number of days, 1d to 3650d, e\.g\. "14d" in .*nginx\.conf:\d+/, http => "mpk_withdrawal_window $_;")
    for '0', '36h', '14d1s', '3651d';
accepted("mpk_withdrawal_window $_", http => "mpk_withdrawal_window $_;") for '1d', '2w', '3650d';
refused('mpk_withdraw_refuse maybe', qr/invalid value "maybe" in "mpk_withdraw_refuse" directive, it must be "on" or "off"/, http => 'mpk_withdraw_refuse maybe;');
warned('mpk_retention under the default of mpk_reveal_ttl', qr/links of "mpk_api" are valid for 2592000 seconds, .* the 604800 seconds of "mpk_retention"/, http => 'mpk_retention 7d;');
warned('mpk_retention under mpk_reveal_ttl of the API', qr/links of "mpk_api" are valid for 691200 seconds/, http => 'mpk_retention 7d; mpk_reveal_ttl 1d;', api => 'mpk_reveal_ttl 8d;');
warned('mpk_retention of as long', undef, http => 'mpk_retention 7d; mpk_reveal_ttl 7d;');
warned('mpk_retention off', undef, http => 'mpk_retention off; mpk_reveal_ttl 5y;');
warned('mpk_retention under a day', qr/"mpk_retention 23h" removes orders before most customers .* use 86400 seconds or more/, http => 'mpk_retention 23h; mpk_reveal_ttl 1h;');
warned('mpk_outbox_keep under a day', undef, http => 'mpk_outbox_keep 1h;');
warned('timeout=49ms', qr/"timeout=49ms" in "mpk_redis" is too short .* use 50ms or more/, redis => "$socket timeout=49ms");
warned('timeout=50ms', undef, redis => "$socket timeout=50ms");
warned('durability=aof with the default timeout', qr/"durability=aof" in "mpk_redis" waits for half of timeout=, .* set "timeout=3s" or more/, redis => "$socket durability=aof");
warned('durability=aof with timeout=2999ms', qr/set "timeout=3s" or more/, redis => "$socket timeout=2999ms durability=aof");
warned('durability=aof with timeout=3s', undef, redis => "$socket timeout=3s durability=aof");
warned('durability=replicas with the default timeout', undef, redis => "$socket durability=replicas=1");


# API tokens

sub tokens {
    my ($name, $text, $content, $mode) = @_;
    my $file = $t->write('tokens', $content, $mode // 0600);
    refused($name, $text, location => "location /x/ { mpk_api on; mpk_api_tokens $file; }");
}

my $hash = 'a' x 64;
tokens('a token file that others can read', qr/chmod/, "a:$hash\n", 0644);
tokens('a token file without tokens', qr/has no token/, "# none\n");
tokens('a line without a hash', qr/tokens:2/, "a:$hash\nb\n");
tokens('a short hash', qr/tokens:1/, "a:abc\n");
tokens('a hash that is not hex', qr/tokens:1/, 'a:' . 'z' x 64 . "\n");
tokens('an unknown role', qr/tokens:1/, "a:$hash:god\n");
tokens('a name that stands twice', qr/duplicate name "a"/, "a:$hash\na:$hash\n");
tokens('a token with two names', qr/tokens:3: "c" has the token of "a"/, "a:$hash:read\nb:" . 'b' x 64 . "\nc:" . uc($hash) . ":shop\n");


# pages

mkdir "$dir/pages";

sub pages {
    my ($name, $text, $file, $content) = @_;
    $t->write("pages/$file", $content);
    refused($name, $text, http => "mpk_pages $dir/pages;");
    unlink "$dir/pages/$file";
}

refused('a directory that is not there', qr/is not a directory/, http => "mpk_pages $dir/none;");
pages('a broken template', qr/line 2: confirm\.mustache: this section is never closed/, 'confirm.mustache', "x\n{{#a}}\n");
pages('a message that is not there', qr/line 1: .*no\.such/, 'keys.mustache', '{{>no.such}}');
pages('a partial that is not there', qr/_none/, 'keys.mustache', '{{>_none}}');
pages('broken messages', qr/en\.json, line 2/, 'en.json', "{\n!}");
pages('a message that is no string', qr/must be a string/, 'en.json', '{"confirm.title":7}');

pages("a file $_->[0]", qr/"\Q$dir\E\/pages\/\Q$_->[0]\E" $_->[1]/, $_->[0], $_->[2] // '{}') for
    [ 'en_US.json', 'must be named after a language tag, e\.g\. "pt-BR\.json"' ],
    [ 'messages.json', 'must be named after a language tag' ],
    [ 'e.json', 'must be named after a language tag' ],
    [ 'e1.json', 'must be named after a language tag' ],
    [ 'de-.json', 'must be named after a language tag' ],
    [ 'de--AT.json', 'must be named after a language tag' ],
    [ 'de-abcdefghi.json', 'must be named after a language tag' ],
    [ 'de-12345678-12345678-12345678-12345678.json', 'must be named after a language tag' ],
    [ 'confirmed.mustache', 'replaces no template: correct its name, or begin it with "_"' ],
    [ 'Keys.mustache', 'replaces no template' ],
    [ 'styles.css', 'is not used: the style is "style\.css"' ],
    [ 'Script.JS', 'is not used: the scripts are "script\.js" and "times\.js"' ];
pages('a file that no template includes', qr/_head2\.mustache": no template includes it: correct its name or remove it/, '_head2.mustache', 'x');
pages('a message that no page has', qr/de\.json": no page has the message "confirm\.tilte": correct its name or remove it/, 'de.json', '{"confirm.title":"x","confirm.tilte":"y"}');
pages('a message of a page that is none', qr/"page\.title"/, 'en.json', '{"page.title":"x"}');
$t->write('pages/EN.json', '{"confirm.title":"x"}');
pages('a second catalogue of a language', qr/two catalogues of one language, "(?:EN|en)\.json" and/, 'en.json', '{}');
unlink "$dir/pages/EN.json";

# taken: a catalogue of any language, and what own templates have besides

sub titled {
    my ($language) = @_;
    return $t->get('/track', headers => { 'Accept-Language' => $language })->{body} =~ /(<html[^>]*>).*<h1>(.*?)<\/h1>/s ? "$1 $2" : '';
}

my %title = ('pt-BR' => 'Encontre', 'es-419' => 'Encuentra', 'EN' => 'Seek', 'zh-Hant-TW' => 'Zhao', 'gsw' => 'Suech');
$t->write("pages/$_.json", qq({"track.title":"$title{$_}"})) for keys %title;
$t->write('pages/claimed.mustache', '{{>_own}} {{>claimed.own}} {{>page.more}}');
$t->write('pages/_own.mustache', '{{>_deeper}}');
$t->write('pages/_deeper.mustache', '{{>own.text}}');
$t->write('pages/de.json', '{"own.text":"Unser","claimed.own":"x","claimed.more":"y"}');
$t->write('pages/en.json', '') && unlink "$dir/pages/en.json";
$t->write('pages/EN.json', '{"track.title":"Seek","own.text":"Our","claimed.own":"x","claimed.more":"y"}');
$t->write("pages/$_", 'not JSON') for '.#en.json', 'README.md', 'en.json~';
my @languages = (location => 'location = /track { mpk_track on; }', http => "mpk_pages $dir/pages;");
accepted('catalogues of any language, own messages and own files', @languages);
$t->start;
like(titled($_), qr/^<html lang="$_" .*$title{$_}$/, "$_.json is the language $_") for 'pt-BR', 'es-419', 'zh-Hant-TW', 'gsw';
like(titled('pt-br'), qr/Encontre/, 'in any case');
like(titled('en'), qr/^<html lang="en".*Seek$/, 'EN.json is English');
$t->quit;
unlink glob("$dir/pages/* $dir/pages/.#*");

$t->write('pages/en.json', '{"confirm.title":"Your <key> waits","shop.name":"Microprokey"}');
$t->write('pages/style.css', 'body{color:red}');

my $redis = $t->redis;
$t->conf(http => 'mpk_policy_version at-http;',
    challenge => 'click', server => "mpk_pages $dir/pages; mpk_policy_version at-server;",
    reveal => 'mpk_policy_version at-location;')->start;

my $link = $t->link('P-1');
my $r = $t->get($link);
like($r->{body}, qr{<h1>Your &lt;key&gt; waits</h1>}, 'a message of the directory goes over the built-in one');
like($r->{body}, qr/Microprokey/, 'so does the name of the shop');
like($r->{body}, qr{<style>body\{color:red\}</style>}, 'and the style');
use Digest::SHA qw(sha256_base64);
like($r->{headers}{'content-security-policy'}, qr/\Q@{[sha256_base64('body{color:red}')]}\E/, 'whose hash the policy has');
like($r->{body}, qr/Show my key/, 'the other messages are built in');
unlike($r->{body}, qr/name="email"/, 'mpk_reveal_challenge of the server holds in the location');

is($t->confirm($link, email => '')->{status}, 200, 'the click is enough');
my $j = $t->journal('P-1');
is($j->{entries}[-1]{policy}, 'at-location', "the location's own value wins");
is($j->{entries}[-1]{challenge}, 'click', 'the challenge is in the journal');
is($j->{entries}[0]{policy}, 'at-server', "the server's value holds elsewhere");


# the public URL, as browsers write it

for (
    [ 'https://shop.example:443', 'https://shop.example' ],
    [ 'https://shop.example:00443', 'https://shop.example' ],
    [ 'https://shop.example:', 'https://shop.example' ],
    [ 'HTTPS://Shop.Example', 'https://shop.example' ],
    [ 'https://shop.example:80', 'https://shop.example:80' ],
    [ 'https://shop.example:08443', 'https://shop.example:8443' ],
    [ 'http://127.0.0.1:80', 'http://127.0.0.1' ],
    [ 'http://[::1]:80', 'http://[::1]' ],
    [ 'http://[::1]:443', 'http://[::1]:443' ],
) {
    my ($url, $origin) = @$_;
    $t->quit;
    $t->conf(server => "mpk_public_url $url;", challenge => 'click')->start;
    my $id = $t->file('U-' . unpack 'H*', $url);
    my ($base, $path) = $t->api('POST', "orders/$id/links")->{json}{url} =~ m{^(.*?)(/r/.*)};
    is($base, $origin, "$url: links begin so");
    is($t->confirm($path, email => '', headers => { Origin => "$origin.evil" })->{status}, 403, "$url: another origin is foreign");
    is($t->confirm($path, email => '', headers => { Origin => $origin })->{status}, 200, "$url: its own one is not");
}


# the policy's address

for my $bad ('javascript:alert(1)', '/policy', 'https://', 'https://a"b', 'https://$host/policy', 'https://me@shop.example/', 'https://shop.example/' . 'x' x 1024) {
    $t->conf(http => "mpk_policy_url '$bad';");
    my ($good, $out) = $t->check;
    ok(!$good, 'mpk_policy_url ' . substr($bad, 0, 32) . ' is refused');
    like($out, qr/"mpk_policy_url" directive must be a URL in ASCII that begins with "https:\/\/" or "http:\/\/"/, 'with the remedy');
}


# consent

for ([ 'off supply', 0 ], [ 'product off', 0 ], [ 'both', 0 ], [ 'supply product more', 0 ], [ 'supply; mpk_consent product', 0 ], [ 'supply product', 1 ], [ 'off', 1 ], [ 'on', 1 ]) {
    my ($value, $fine) = @$_;
    $t->conf(server => "mpk_consent $value;");
    my ($good, $out) = $t->check;
    is($good ? 1 : 0, $fine, "mpk_consent $value: " . ($fine ? 'accepted' : 'refused'));
    like($out, qr/"mpk_consent" directive|invalid number of arguments in "mpk_consent"|invalid value "both"/, 'with a reason') unless $fine;
}

$t->quit;
$t->conf(server => 'mpk_consent on; mpk_reveal_grace 10s;')->start;
$link = $t->link('C-1');
like($t->get($link)->{body}, qr/name="consent_supply"(?!.*checked)/s, 'mpk_consent asks, unticked');
my $nonce = $t->nonce($link);
is($t->confirm($link, nonce => $nonce)->{status}, 422, 'without consent no key');
is($t->confirm($link, nonce => $nonce, consent_supply => 'yes')->{status}, 422, 'nor with half of it');
for my $no ('false', '0', 'no', ' ', 'off', 'yess', 'True', 'ON', "\x11", 'true ') {
    is($t->confirm($link, nonce => $nonce, consent_supply => $no, consent_waiver => 'yes')->{status}, 422, "\"$no\" is no consent");
    is($t->confirm($link, nonce => $nonce, consent_supply => 'yes', consent_waiver => $no)->{status}, 422, 'to neither');
}
is($t->confirm($link, nonce => $nonce, consent_supply => 'yes', consent_waiver => 'yes')->{status}, 200, 'with both there is');
is($t->confirm($t->link("Y-$_"), consent_supply => $_, consent_waiver => $_)->{status}, 200, "\"$_\" is a consent") for qw(true yes on 1);
my $consent = $t->journal('C-1')->{entries}[-1]{consent};
like($consent->{text}, qr/^[\w+\/=]{44}$/, 'the hash of the text is in the journal');
is($consent->{language}, 'en', 'and its language');
my $second = $t->mint('C-1');
unlike($t->get($second)->{body}, qr/consent_supply/, 'after the first view it is not asked again');

$t->finish(alerts => qr/\[emerg\]/);


