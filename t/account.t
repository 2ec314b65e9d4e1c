#!/usr/bin/perl

# My Account: the orders of whom the upstream has logged in, and of nobody else.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use Mpk;
use Mpk::Http2;
use Test::More;
use Time::HiRes qw(time);

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');

# the shop knows its customers by a cookie, and says who they are

$t->conf(workers => 2, listen => 'sndbuf=8k', http => 'access_log off; keepalive_requests 100000;', shop => <<SHOP, location => <<CONF)->start;
        location = /whoami {
            if (\$cookie_session = "") { return 401; }
            add_header X-Account \$cookie_session;
            return 204;
        }
SHOP
        location = /whoami { internal; proxy_pass http://127.0.0.1:$shop; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location = /account/keys {
            auth_request /whoami;
            auth_request_set \$customer \$upstream_http_x_account;
            mpk_account \$customer;
            error_page 401 = \@login;
            proxy_pass http://127.0.0.1:$shop;
        }
        location \@login { return 302 /login; }
        location = /maybe {
            set \$nobody "";
            mpk_account \$nobody trusted;
            proxy_pass http://127.0.0.1:$shop;
        }
CONF

# page(session, query): the account's page, decoded
sub page {
    my ($session, $query, %o) = @_;
    my $r = $t->get('/account/keys' . ($query // ''), headers => { $o{html} ? () : (Accept => 'application/json'),
        defined $session ? (Cookie => "session=$session") : (), %{$o{headers} // {}} });
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{body}) };
    return $r;
}

sub ids { join ' ', map { $_->{order} } @{$_[0]{json}{orders} // []} }


is(page(undef)->{headers}{location} =~ s{^http://[^/]+}{}r, '/login', 'who is not logged in goes to the shop\'s login');
is($t->get('/maybe')->{body}, "shop\n", 'an empty identity goes on to the upstream');
is($t->request('POST', '/maybe', body => 'x')->{body}, "shop\n", 'so does another method');

$t->file('A-1', account => '42', purchased_at => '2026-01-01T00:00:00Z');
$t->file('A-2', account => '42', purchased_at => '2026-03-01T00:00:00Z', state => 'held');
$t->file('A-3', account => '42', purchased_at => '2026-02-01T00:00:00Z');
$t->file('B-1', account => '43');
$t->file('G-1', email => 'guest@example.com');
$t->file('G-2', email => 'Guest@Example.com', account => '42', purchased_at => '2025-01-01T00:00:00Z');
$t->file('E-1', account => 'Eve@Example.com', email => 'other@example.com');
$t->file('I-1', account => "\xc3\xa4nn\@m\xc3\xbcller.example", purchased_at => '2026-01-01T00:00:00Z');
$t->file('I-2', email => "\xc3\xa4nn\@xn--mller-kva.example", purchased_at => '2026-01-02T00:00:00Z');

is(ids(page('42')), 'A-2 A-3 A-1 G-2', 'an account lists its orders, newest first');
is(ids(page('43')), 'B-1', 'and no other\'s');
is(ids(page('44')), '', 'an account without orders is empty');
is(page('44', '', html => 1)->{body} =~ /There is no order/ ? 1 : 0, 1, 'and says so');
is(ids(page('guest@example.com')), 'G-1', 'an order filed without an account is found by its email');
is(ids(page(' GUEST@example.com')), 'G-1', 'however the identity spells it');
is(ids(page('eve@example.com')), 'E-1', 'an account that is an email compares as one');
is(ids(page("\xc3\xa4nn\@M\xc3\xbcller.example")), 'I-2 I-1', 'whichever spelling of a domain it has');
is(ids(page("\xc3\xa4nn\@xn--mller-kva.example")), 'I-2 I-1', 'and whichever the orders have');
is(ids(page('other@example.com')), '', 'an order with an account belongs to it alone');

my $r = page('42');
is_deeply([ @{$r->{json}}{qw(page pages total)} ], [ 1, 1, 4 ], 'page, pages and total');
is($r->{json}{orders}[0]{reveal_url}, undef, 'a held order has no link');
my ($path) = $r->{json}{orders}[1]{items}[0]{reveal_url} =~ m{(/r/.*)};
my $shown = $t->request('POST', $path, headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded' },
    body => 'nonce=' . $t->nonce($path));
is($shown->{status}, 200, 'a key is shown, without a challenge');
like($shown->{body}, qr/"channel":"account"/, 'the channel is account');
is(page('42')->{json}{orders}[1]{views}[0]{channel}, 'account', 'the view is on the card');
like(page('42', '', html => 1)->{body}, qr{<form method="post" action="/r/}, 'a page has buttons');

# the index names what is not the customer's: it is skipped

my $key = (grep { $redis->cmd('ZSCORE', $_, 'B-1') } @{$redis->cmd('KEYS', 'mpk:*:a:*')})[0];
$redis->cmd('ZADD', $key, 1, $_) for 'A-1', 'NEVER-FILED', 'no order id';
is(ids(page('43')), 'B-1', 'names of another\'s orders, and of none, are skipped');

unlike(join(' ', @{$redis->cmd('KEYS', '*')}), qr/@|:42\b|:guest/, 'identities are no names in Redis');

# what is filed again is named again

$redis->cmd('DEL', $key);
is(ids(page('43')), '', 'without the index the order is not found');
is($t->api('PUT', 'orders/B-1', $t->order(account => '43'))->{status}, 200, 'filed again');
is(ids(page('43')), 'B-1', 'it is named again');
is($t->api('PUT', 'orders/B-1', $t->order(account => '44'))->{status}, 409, 'with other content');
is(page('44')->{json}{total}, 0, 'it is named nowhere else');

# ten thousand orders; fewer where each instruction is watched

my $count = $ENV{MPK_NGINX} || $ENV{MPK_VALGRIND} ? 1000 : 10000;
my $pages = $count / 20;

my $socket = Mpk::Http::connection($t->port('edge'));
my $body = JSON::PP::encode_json($t->order(account => 'big'));
for my $n (1 .. $count) {
    my $at = sprintf '2026-%02d-%02dT%02d:%02d:%02dZ', 1 + int($n / 1000), 1 + $n % 1000 / 40, $n % 24, $n % 60, $n % 60;
    my $r = Mpk::Http::request($t->port('edge'), 'PUT', sprintf('/mpk/v1/orders/big-%05d', $n), socket => $socket, keepalive => 1,
        headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/json' },
        body => $body =~ s/$Mpk::purchased/$at/r);
    $r->{status} == 201 or die "filing: $r->{status} $r->{body}";
}

# work(query): the page, and how many commands and how much time it took
sub work {
    my ($query) = @_;
    my $before = calls();
    my $from = time;
    my $r = page('big', $query);
    my $took = time - $from;
    return ($r, calls() - $before, $took);
}

# of the commands that the edge does not send by itself, too
sub calls { return $redis->calls('zrevrange') + $redis->calls('hmget') }

my ($first, $calls1) = work('');
my ($last, $calls500) = work("?page=$pages");
is(scalar @{$first->{json}{orders}}, 20, "page 1 of $count orders has twenty");
is(scalar @{$last->{json}{orders}}, 20, "so has page $pages");
is_deeply([ @{$last->{json}}{qw(page pages total)} ], [ $pages, $pages, $count ], 'which is the last one');
is($calls500, $calls1, 'both take the same number of commands');

sub best { my ($query) = @_; my ($best) = sort { $a <=> $b } map { (work($query))[2] } 1 .. 30; return $best }
my ($t1, $t500) = (best(''), best("?page=$pages"));
cmp_ok($t500, '<', 2 * $t1 + 0.002, "page $pages is as quick as page 1");
note(sprintf 'page 1 %.2f ms, page %d %.2f ms, %d commands', 1e3 * $t1, $pages, 1e3 * $t500, $calls1);

my %seen;
$seen{$_->{order}}++ for map { @{page('big', "?page=$_")->{json}{orders}} } 1 .. $pages;
is(scalar(keys %seen), $count, 'the pages hold each order');
is((grep { $_ > 1 } values %seen), 0, 'once');
is(scalar @{page('big', '?page=' . ($pages + 1))->{json}{orders}}, 0, 'behind the last page there is nothing');
is(page('big', "?page=$_")->{json}{page}, 1, "\"$_\" is the first page") for '0', '-1', 'x', '', '99999999999999999999';
like(page('big', '?page=2', html => 1)->{body}, qr{<a href="\?page=1" rel="prev">.*Page 2 of $pages.*<a href="\?page=3" rel="next">}s, 'pages lead to each other');
unlike(page('big', "?page=$pages", html => 1)->{body}, qr/rel="next"/, 'and the last one to none');

is(Mpk::Http::response(do { my $s = Mpk::Http::connection($t->port('edge')); print $s Mpk::Http::text('HEAD', '/account/keys',
    headers => { Cookie => 'session=42' }); $s }, 10, 1)->{status}, 200, 'HEAD is answered');

# many items: the first ones of each order, and a link to the keys of all; what was read and
# made for a page is freed before the client reads it

my $large = 20;
my @items = map { { sku => "S-$_", product => "Product number $_", key => "KEY-$_-AAAAA" } } 1 .. 500;
$t->file("L-$_", account => 'large', purchased_at => Mpk::ago(30 * 86400), items => \@items) for 1 .. $large;
$r = page('large');
is(join(' ', map { scalar(@{$_->{items}}) . " of $_->{items_count}" } @{$r->{json}{orders}}), join(' ', ('20 of 500') x $large), 'of each order 20 items are listed');
my ($all) = $r->{json}{orders}[0]{reveal_url} =~ m{(/r/.*)};
is(scalar @{$t->confirm($all, email => '')->{json}{items}}, 500, 'its link shows the keys of all');
is(() = page('large', '', html => 1)->{body} =~ /480 more items: “Show all keys” shows them, too\./g, $large, 'which the page says');
unlike(page('42', '', html => 1)->{body}, qr/more items/, 'not of an order with few');

if (!$ENV{MPK_SANITIZED}) {
    sub resident { my $sum = 0; $sum += Mpk::memory($_, 'VmRSS') for $t->workers; return $sum / 1024 }
    my $before = resident();
    my @unread;

    for (1 .. 60) {
        my $s = Mpk::Http::connection($t->port('edge'), 4096);
        print $s Mpk::Http::text('GET', '/account/keys', headers => { Cookie => 'session=large' });
        $s->flush;
        IO::Select->new($s)->can_read(10) or die 'no page';
        push @unread, $s;
    }

    my $took = resident() - $before;
    note(sprintf '60 unread pages take %.1f MB', $took);
    cmp_ok($took, '<', 30, '60 unread pages of 20 orders with 500 items each take less than 30 MB');
}

$redis->stop;
is(page('42')->{status}, 503, 'without Redis, 503');
is(page(undef)->{status}, 302, 'and the login as ever');

$t->finish;
