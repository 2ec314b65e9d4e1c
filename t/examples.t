#!/usr/bin/perl

# conf-examples: each is loaded as it stands, but for names, ports and paths, and does
# what it says.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my ($edge, $plain, $shop) = map { $t->port($_) } qw(edge plain shop);

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shop.example -addext subjectAltName=DNS:shop.example "
    . "-keyout $dir/shop.key -out $dir/shop.crt 2>/dev/null") == 0 or die 'openssl failed';

sub example { open my $f, '<', "conf-examples/$_[0]" or die "$_[0]: $!"; local $/; return scalar <$f> }

my $conf = example('edge.conf');
my $parts = join '', map { example("$_.conf") } qw(account onscreen claims);

# what a machine of its own has in other places

my @changes = (
    [ qr{modules/ngx_http_mpk_module\.so}, $ENV{MPK_MODULE} // "$ENV{PWD}/objs/ngx_http_mpk_module.so" ],
    [ qr{user www-data;}, 'daemon off;' . ($> == 0 ? ' user root;' : '') ],
    [ qr{worker_processes auto}, 'worker_processes 2' ],
    [ qr{/run/nginx\.pid}, "$dir/nginx.pid" ],
    [ qr{/var/log/nginx}, $dir ],
    [ qr{include /etc/nginx/mime\.types;}, "client_body_temp_path $dir/body; proxy_temp_path $dir/proxy;"
        . "fastcgi_temp_path $dir/fastcgi; uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;" ],
    [ qr{unix:/run/redis/redis\.sock}, "unix:$dir/redis.sock connect_timeout=5s timeout=10s" ],
    [ qr{/etc/nginx/(mpk|tls)/}, "$dir/" ],
    [ qr{listen 80;}, "listen 127.0.0.1:$plain;" ],
    [ qr{listen 443 ssl http2;}, "listen 127.0.0.1:$edge ssl http2;" ],
    [ qr{server 127\.0\.0\.1:8081;}, "server 127.0.0.1:$shop;" ],
    [ qr{set_real_ip_from 10\.0\.0\.0/8;}, 'set_real_ip_from 127.0.0.1;' ],
);

for (@changes) {
    my ($from, $to) = @$_;
    ok($conf =~ s/$from/$to/g, "edge.conf has $from") or next;
}

# account.conf, onscreen.conf and claims.conf go into its server block

$conf =~ s/(\n        location \/ \{)/$parts$1/ or die 'no server block';
$conf =~ s/\}\s*\z/<<SHOP/e;
    server {
        listen 127.0.0.1:$shop;
        access_log off;

        location = \/whoami {
            if (\$cookie_session = "") { return 401; }
            add_header X-Account \$cookie_session;
            return 204;
        }

        location ~ ^\/checkout\/now\/(.+)\$ { add_header X-Accel-Redirect \/mpk-onscreen\/\$1; return 200 "x"; }
        location ~ ^\/checkout\/thanks\/(.+)\$ {
            default_type text\/html;
            return 200 "Thank you <!--#include virtual=\\"\/mpk-onscreen\/\$1\\" --> Bye";
        }
        location \/desk\/files\/ { return 201 "desk \$http_x_mpk_order \$http_x_mpk_claim \$http_x_mpk_items\\n"; }
        location = \/lost { return 444; }
        location = \/forge { return 200 "[\$http_x_mpk_claim\$http_x_mpk_order\$http_x_mpk_items]"; }
        location \/ { return 200 "shop \$http_x_forwarded_for\\n"; }
    }
}
SHOP

$t->write('nginx.conf', $conf);
my ($good, $out) = $t->check;
ok($good, 'nginx -t takes it') or diag($out);
$t->start;

# call(method, path, %options): over TLS and HTTP/2, as customers come
sub call {
    my ($method, $path, %o) = @_;
    my @command = ('curl', '-s', '-i', '-m', 20, '--cacert', "$dir/shop.crt", '--resolve', "shop.example:$edge:127.0.0.1", '-X', $method);
    push @command, '-H', $_ for @{$o{headers} // []};
    push @command, '-d', $o{body} if defined $o{body};
    open my $f, '-|', @command, "https://shop.example:$edge$path" or die "curl: $!";
    local $/;
    my $raw = <$f> // '';
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    return { status => $head =~ m{^HTTP/2 (\d+)} ? $1 : 0, head => $head, body => $body,
        json => scalar eval { JSON::PP->new->utf8->decode($body) } };
}

my @json = ('Accept: application/json');
my @auth = ("Authorization: Bearer $t->{token}", 'Content-Type: application/json');

is(call('GET', '/')->{body}, "shop 127.0.0.1\n", 'the shop stands behind its edge');
is(call('PUT', '/mpk/v1/orders/X-1', headers => \@auth, body => encode_json($t->order(account => '42')))->{status}, 201, 'an order is filed');
is(call('PUT', '/mpk/v1/orders/X-2', headers => [ @auth, 'X-Forwarded-For: 203.0.113.7' ], body => '{}')->{status}, 403, 'but not from outside');

my $link = call('POST', '/mpk/v1/orders/X-1/links', headers => \@auth, body => '{}')->{json}{url};
like($link, qr{^https://shop\.example/r/}, 'its link has the public address');
my ($path) = $link =~ m{(/r/.*)};
my $nonce = call('GET', $path, headers => \@json)->{json}{nonce};
my $shown = call('POST', $path, headers => [ @json, 'X-Forwarded-For: 203.0.113.7' ], body => "nonce=$nonce&email=ann\@example.com");
is($shown->{json}{items}[0]{key}, 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'the link shows the key');
is(call('GET', '/mpk/v1/orders/X-1/journal', headers => \@auth)->{json}{entries}[-1]{ip}, '203.0.113.7', 'to the address that realip took');

is(call('POST', '/track', headers => \@json, body => 'order=X-1&email=ann%40example.com')->{json}{order}, 'X-1', 'the order is tracked');
is(call('POST', '/track', body => 'order=OLD&email=ann%40example.com')->{body}, "shop 127.0.0.1\n", 'an older one is the shop\'s');

is(call('GET', '/account/keys', headers => [ @json, 'Cookie: session=42' ])->{json}{total}, 1, 'account.conf: the account lists it');
is(call('GET', '/account/keys')->{body}, "shop 127.0.0.1\n", 'account.conf: without a login, the shop\'s page');

is(call('GET', '/checkout/now/X-1', headers => \@json)->{json}{channel}, 'onscreen', 'onscreen.conf: the key at once');
like(call('GET', '/checkout/thanks/X-1')->{body}, qr{Thank you <div class="mpk".*Show my key.* Bye}s, 'onscreen.conf: the button in a page');
is(call('GET', '/mpk-onscreen/X-1')->{status}, 404, 'onscreen.conf: not from outside');

my ($form) = call('POST', '/track', headers => \@json, body => 'order=X-1&email=ann%40example.com')->{json}{claim_url} =~ m{(/claim/.*)};
my $claim = call('POST', $form, headers => [ @json, 'Content-Type: application/json' ], body => encode_json({ name => 'Ann', order => 'X-1',
    email => 'ann@example.com', key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', category => 'other', description => 'x' }));
is($claim->{status}, 201, 'claims.conf: a key is reported');
my ($files) = ($claim->{json}{upload_url} // '') =~ m{(/claim/files/.*)};
my @forged = map { "X-Mpk-$_: 9" } qw(Claim Order Items);
is(call('POST', $files, headers => \@forged, body => 'x')->{body}, "desk X-1 1 1\n", 'claims.conf: the desk gets verified facts');
is(call('GET', '/forge', headers => \@forged)->{body}, '[]', 'claims.conf: and nobody can forge them');

is(call('GET', '/mpk/ready')->{json}{ready}, JSON::PP::true, 'edge.conf: ready');
like(call('GET', '/mpk/metrics')->{body}, qr/^mpk_views_total\{channel="email"\} 1$/m, 'edge.conf: Prometheus gets its metrics');
is(call('GET', "/mpk/$_", headers => [ 'X-Forwarded-For: 203.0.113.7' ])->{status}, 403, "edge.conf: /mpk/$_ is not for strangers") for qw(ready metrics);

# nginx's own errors, and the module's

my $sorry = qr{<h1>shop\.example</h1>};
$t->write('big', 'order=' . 'x' x (2 << 20));
my $said = call('POST', '/track', body => "\@$dir/big");
is($said->{status}, 413, 'edge.conf: what is too large for nginx');
like($said->{body}, qr{$sorry.*too large}, 'edge.conf: is answered with a page of the shop');

$said = call('GET', '/lost');
is($said->{status}, 502, 'edge.conf: a shop that does not answer');
like($said->{body}, qr{$sorry.*cannot be reached}, 'edge.conf: is told by a page, too');

for (1 .. 200) {
    $said = call('GET', '/track', headers => [ 'X-Forwarded-For: 203.0.113.99' ]);
    last if $said->{status} == 429;
}

is($said->{status}, 429, 'edge.conf: who asks too often');
like($said->{body}, qr{$sorry.*too fast}, 'edge.conf: reads why');

$t->write('large', 'order=' . 'x' x 20000);
$said = call('POST', '/track', body => "\@$dir/large");
is($said->{status}, 422, "edge.conf: a form that is too large for the module");
like($said->{body}, qr{<form method="post".*name="order"}s, 'edge.conf: comes back');

$redis->stop;
$said = call('POST', '/track', body => 'order=X-1&email=ann%40example.com');
is($said->{status}, 503, "edge.conf: without Redis, the module's own page is returned");
unlike($said->{body}, $sorry, "edge.conf: not nginx's");
like($said->{head}, qr/^retry-after: \d+/mi, 'edge.conf: with the time to come back');
is(call('POST', '/track', headers => \@json, body => 'order=X-1&email=ann%40example.com')->{json}{type}, 'urn:mpk:unavailable', 'edge.conf: as JSON, too');
$redis->start;
ok(wait_for(sub { call('GET', '/mpk/ready')->{json}{ready} }, 'Redis is back', 10), 'edge.conf: ready again');

my $log = $t->read('access.log');
like($log, qr{"POST /r/\[hidden\] HTTP/2\.0" 200 \d+ event=viewed outcome=done order=X-1}, 'the log tells views');
unlike($log, qr/eyJ[\w-]+\.[\w-]+/, 'and no token');

is(Mpk::Http::request($plain, 'GET', '/x')->{headers}{location}, 'https://shop.example/x', 'plain HTTP is led to TLS');

# demo.conf and redis.conf

my $lines = example('redis.conf');
like($lines, qr/^appendonly yes$/m, 'redis.conf: the journal outlives Redis');
$t->write('redis-example.conf', $lines);
my $pid = fork // die "fork: $!";
if ($pid == 0) {
    open STDOUT, '>', '/dev/null';
    exec Mpk::Redis::server(), "$dir/redis-example.conf", '--port', 0, '--unixsocket', "$dir/example.sock", '--dir', "$dir/proxy", '--save', ''
        or POSIX::_exit(127);
}
ok(wait_for(sub { `redis-cli -s $dir/example.sock config get maxmemory-policy 2>/dev/null` =~ /noeviction/ }, 'Redis answers'),
    'redis.conf: Redis takes it');
kill 'TERM', $pid;
waitpid $pid, 0;

my $demo = example('demo.conf');
my $other = Mpk->new;
my $port = $other->port('edge');
my $there = $other->dir;
system "cp", $ENV{MPK_MODULE} // 'objs/ngx_http_mpk_module.so', "$there/ngx_http_mpk_module.so";
$demo =~ s/DIR/$there/g;
$demo =~ s/PORT/$port/g;
$other->write('nginx.conf', $demo);
($good, $out) = $other->check;
ok($good, 'demo.conf: nginx -t takes it') or diag($out);

$t->finish;
