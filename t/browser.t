#!/usr/bin/perl

# The pages in a real browser: Debian's Chromium, as the build without a desktop (the
# same pages take half the time), driven by the modules in t/browser/.
# They print TAP; a line that begins with "@" is a call of this side, see %calls.

use warnings;
use strict;

use lib 't/lib';
use File::Path qw(make_path);
use IPC::Open2 qw(open2);
use JSON::PP;
use Mpk;
use Mpk::Node;
use Test::More;

plan skip_all => 'a browser finds nothing more on this nginx'
    if $ENV{MPK_NGINX} || $ENV{MPK_VALGRIND};

my $chromium = $ENV{MPK_CHROMIUM} // '/usr/bin/chromium-headless-shell';
my $home = 'objs/browser';
my $limit = 1500;                             # seconds, on a machine that is busy with more


# what is needed is there, or the test fails

sub without {
    my ($what, @more) = @_;
    fail($what);
    diag($_) for @more;
    done_testing();
    exit 1;
}

without("$chromium is there", "$chromium is missing: install Debian's package chromium-headless-shell (make deps)")
    unless Mpk::Node::found($chromium);

make_path($ENV{MPK_SCREENS}) if $ENV{MPK_SCREENS};

my $missing = Mpk::Node::packages('t/browser', $home);
without('what the test needs is installed', $missing) if $missing;


my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my %port = map { $_ => $t->port($_) } qw(edge consent broken foreign);

# a shop that has told its name and support

mkdir "$dir/shop";
$t->write('shop/en.json', encode_json({ 'shop.name' => 'Keys & More <Ltd>',
    'shop.support_url' => 'https://support.example/keys?from=mail&to=us',
    'shop.support_email' => 'help@shop.example' }));

# a page with a mistake for each of the checks

mkdir "$dir/broken";
$t->write('broken/confirm.mustache', <<'HTML');
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Broken</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>Broken</h1>
<p style="color: #777">{{order}} {{nonce}}</p>
<p class="key"><code>TOO-SMALL</code></p>
<img src="http://elsewhere.example/pixel.gif" alt="">
<form method="post"><input type="email" name="email"><button>Send</button></form>
<pre>A line that is much too long for any telephone that there ever was, and then some more of it, again and again, and once more</pre>
</main></body>
</html>
HTML

my $shop = $t->port('shop');

$t->conf(http => <<HTTP, shop => <<'SHOP', location => <<CONF)->start;
server {
    listen 127.0.0.1:$port{consent};
    mpk_public_url http://127.0.0.1:$port{consent};
    mpk_pages $dir/shop;
    mpk_consent supply product;
    mpk_policy_url https://shop.example/policy;
    location /r/ { mpk_reveal on; }
    location /claim/ { mpk_claim on; }
    location = /withdraw { mpk_withdraw on; }
    location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
    location /desk/ { mpk_api on; mpk_api_tokens off; }
}
server {
    listen 127.0.0.1:$port{broken};
    mpk_public_url http://127.0.0.1:$port{broken};
    mpk_pages $dir/broken;
    location /r/ { mpk_reveal on; }
}
server {
    listen 127.0.0.1:$port{foreign};
    default_type text/html;
    location / { return 200 '<form method=post action="http://127.0.0.1:$port{edge}\$arg_to"><button>Send</button></form>'; }
}
HTTP
    location /desk/ { default_type text/html; add_header X-Desk "$http_x_facts $content_length" always;
        return 200 '<!DOCTYPE html><html lang="en"><head><title>Desk</title></head><body><h1>Thanks</h1></body></html>'; }
    location = /whoami { add_header X-Account $cookie_session; return 204; }
    location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200; }
    location ~ ^/agreed/(.+)$ { add_header X-Accel-Redirect /consenting/$1; return 200; }
    location ~ ^/thanks/(.+)$ {
        default_type text/html;
        charset utf-8;
        return 200 '<!DOCTYPE html><html lang="$http_accept_language"><head><title>Thanks</title><meta name="viewport" content="width=device-width"></head><body><main><h1>Thank you</h1><!--#include virtual="/onscreen/$1" --></main></body></html>';
    }
SHOP
    mpk_claim_window 7d;
    location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
    location /claim/ { mpk_claim on; }
    location /claim/files/ {
        mpk_claim_access on;
        proxy_set_header X-Facts \$mpk_order/\$mpk_claim/\$mpk_items;
        proxy_pass http://127.0.0.1:$shop/desk/;
    }
    location = /tight { mpk_track on; mpk_track_limit address=1; }
    location = /whoami { internal; proxy_pass http://127.0.0.1:$shop; }
    location = /account/keys {
        auth_request /whoami;
        auth_request_set \$customer \$upstream_http_x_account;
        mpk_account \$customer;
        proxy_pass http://127.0.0.1:$shop;
    }
    location ~ ^/onscreen/(?<onscreen>[^/]+)\$ { internal; mpk_onscreen \$onscreen trusted; }
    location ~ ^/consenting/(?<consenting>[^/]+)\$ { internal; mpk_onscreen \$consenting trusted; mpk_consent on; }
    location /thanks/ { ssi on; proxy_pass http://127.0.0.1:$shop; }
CONF


my %calls = (
    link => sub { $t->link(@_) },
    file => sub { $t->file(@_) },
    mint => sub { $t->mint(@_) },
    sign => sub { my ($id, %claims) = @_; '/r/' . $t->sign($t->claims($id, %claims)) },
    confirm => sub { $t->confirm(@_)->{status} },
    lookup => sub {
        my ($path, $order, $email) = @_;
        $t->request('POST', $path, headers => { 'Content-Type' => 'application/x-www-form-urlencoded' },
            body => Mpk::Http::form(order => $order, email => $email))->{status};
    },
    claim => sub { my ($id, %over) = @_; '/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef, %over)) },
    report => sub {
        my ($id, $over) = @_;
        $t->request('POST', '/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef)),
            headers => { 'Content-Type' => 'application/json', Accept => 'application/json' },
            body => encode_json({ name => 'Ann', order => $id, email => 'ann@example.com', category => 'other',
                key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', description => 'It fails.', %{$over // {}} }))->{status};
    },
    decide => sub {
        my ($id, $n, $what, $body) = @_;
        my $r = $t->api('POST', "orders/$id/claims/$n/$what", $body);
        $r->{status} == 200 or die "$r->{status} $r->{body}";
    },
    events => sub { $t->events(@_) },
    api => sub { $t->api(@_)->{status} },
    redis => sub {
        my ($what) = @_;
        $redis->$what;
        return $what eq 'stop'
            || wait_for(sub { $t->api('GET', 'orders/nobody')->{status} == 404 }, 'service is back');
    },
);

# arguments that name a call's further ones come as one object at the end

sub call {
    my ($name, @args) = @{$_[0]};
    push @args, %{pop @args} if $name =~ /^(link|file|sign|claim|confirm)$/ && ref $args[-1];
    my $result = eval { $calls{$name}->(@args) };
    return $@ ? { error => "$@" } : { result => $result };
}

$ENV{MPK_BROWSER} = encode_json({ chromium => $chromium, home => $home,
    sites => { map { $_ => "http://127.0.0.1:$port{$_}" } keys %port } });

my $pid = open2(my $from, my $to, 'node', 't/browser/run.mjs');
local $SIG{PIPE} = 'IGNORE';
local $SIG{ALRM} = sub { fail("the browser is done in $limit seconds"); kill 'TERM', $pid };
alarm $limit;

my $ended = 0;

while (my $line = <$from>) {
    chomp $line;
    if ($line =~ /^\@(.*)/) {
        my $answer = encode_json(call(decode_json($1)));
        syswrite $to, "$answer\n";
    } elsif ($line =~ /^(not )?ok - (.*)/) {
        ok(!$1, $2);
    } elsif ($line =~ /^# (.*)/) {
        diag($1);
    } elsif ($line =~ /^1\.\.(\d+)$/) {
        $ended = 1;
        is(Test::More->builder->current_test, $1, 'every check has been reported');
    } else {
        note($line);
    }
}

waitpid $pid, 0;
alarm 0;
is($?, 0, 'the browser tests ran');
ok($ended, 'to their end');

$t->finish;
