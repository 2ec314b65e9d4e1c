#!/usr/bin/perl

# POST /orders: many orders in one body, one a line.

use warnings;
use strict;

use lib 't/lib';
use IO::Select;
use JSON::PP;
use Mpk qw(memory child);
use Mpk::Http2;
use Socket qw(SO_RCVBUF SO_SNDBUF);
use Test::More;
use Time::HiRes qw(time);

my $t = Mpk->new;
my $redis = $t->redis;
my $json = JSON::PP->new->canonical->utf8;
my $path = '/mpk/v1/orders';

# a location whose proxy fails reads the body, buffers it and hands it on

my $dead = $t->port('dead');
my $shop = $t->port('shop');
my $tokens = 'mpk_api_tokens ' . $t->dir . '/api-tokens;';

my $dir = $t->dir;

$t->conf(http => "client_max_body_size 0; log_format body escape=none '\$request_body';",
    api => "access_log $dir/access.log mpk; access_log $dir/body.log body;",
    server => 'listen 127.0.0.1:' . $t->port('h2') . ' http2;'
        . 'listen 127.0.0.1:' . $t->port('narrow') . ' rcvbuf=16k sndbuf=16k;',
    location => <<"CONF")->start;
location /memory/ {
    client_body_buffer_size 4m;
    proxy_pass http://127.0.0.1:$dead;
    error_page 502 = \@mpk;
}
location /disk/ {
    client_body_buffer_size 1k;
    proxy_pass http://127.0.0.1:$dead;
    error_page 502 = \@mpk;
}
location \@mpk { rewrite ^ $path last; }
location /mirrored/ {
    mirror /mirror;
    mpk_api on;
    $tokens
}
location /mirror { internal; proxy_pass http://127.0.0.1:$shop; }
location /small/ {
    client_body_buffer_size 100;
    mpk_api on;
    $tokens
}
location /limited/ {
    client_max_body_size 20k;
    mpk_api on;
    $tokens
}
location /hasty/ {
    client_body_timeout 300ms;
    mpk_api on;
    $tokens
}
CONF

sub line { my ($id, %over) = @_; return $json->encode({ order => $id, %{$t->order(%over)} }) . "\n" }
sub file { my ($prefix, $from, $to) = @_; return join '', map { line("$prefix-$_") } $from .. $to }

sub headers {
    my ($token) = @_;
    return (Authorization => 'Bearer ' . ($token // $t->{token}), 'Content-Type' => 'application/x-ndjson');
}

sub decoded {
    my ($r) = @_;
    $r->{lines} = [ map { eval { $json->decode($_) } // { broken => $_ } } split /\n/, $r->{body} ];
    $r->{sum} = pop @{$r->{lines}} // {};
    return $r;
}

sub post {
    my ($body, %o) = @_;
    return decoded($t->request('POST', $o{path} // $path, timeout => 120, %o, body => $body,
        headers => { headers($o{token}), %{$o{headers} // {}} }));
}

sub sum { my ($r) = @_; return join ' ', map { "$_=" . ($r->{sum}{$_} // 'none') } qw(lines created unchanged failed) }
sub chunk { return sprintf("%x\r\n", length $_[0]) . $_[0] . "\r\n" }

# a request whose body the test sends by and by
sub begin {
    my (%o) = @_;
    my $s = Mpk::Http::connection($t->port($o{port} // 'edge'));
    $s->autoflush(1);
    $s->sockopt(6, 1);
    print $s Mpk::Http::text('POST', $o{path} // $path, headers => { headers(), %{$o{headers} // {}},
        $o{length} ? ('Content-Length' => $o{length}) : ('Transfer-Encoding' => 'chunked') });
    return $s;
}

# what has come of an answer until a line matches
sub until_line {
    my ($s, $re, $seen, $seconds) = @_;
    my $select = IO::Select->new($s);
    my $until = time + ($seconds // 30);
    until ($$seen =~ $re) {
        return 0 if time > $until || !$select->can_read($until - time);
        sysread $s, $$seen, 65536, length $$seen or return 0;
    }
    return 1;
}

sub logged { my ($re) = @_; return wait_for(sub { $t->read('access.log') =~ $re }, "the log has $re") }


# what is answered

my $r = post(file('A', 1, 3));
is($r->{status}, 200, 'orders are filed, one a line');
is($r->{headers}{'content-type'}, 'application/x-ndjson', 'the answer is NDJSON');
is($r->{headers}{'content-length'}, length $r->{body}, 'of a known length');
is($r->{headers}{'cache-control'}, 'no-store', 'that is not stored');
is(sum($r), 'lines=3 created=3 unchanged=0 failed=0', 'its last line sums up');
is(scalar @{$r->{lines}}, 0, 'and is the only one where nothing failed');
is($t->events("A-$_"), 'filed', "order $_ is there") for 1 .. 3;
is($t->journal('A-1')->{entries}[0]{actor}, 'shop', 'the journal says who filed it');
is($t->journal('A-1')->{verdict}, 'intact', 'and is intact');
is($t->confirm($t->mint('A-2'))->{json}{items}[0]{key}, 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'its key can be shown');
logged(qr{"POST $path HTTP/1.1" 200 \d+ event=filed outcome=done});

is(sum(post(file('A', 1, 3))), 'lines=3 created=0 unchanged=3 failed=0', 'R10: the same file again changes nothing');
is($t->events('A-1'), 'filed', 'R10: and journals nothing');
is($t->api('PUT', 'orders/A-3', $t->order)->{status}, 200, 'R10: what was filed by a line is unchanged for PUT');
is($t->api('PUT', 'orders/A-4', $t->order)->{status}, 201, 'an order filed by PUT');
is(sum(post(line('A-4'))), 'lines=1 created=0 unchanged=1 failed=0', 'R10: is unchanged for a line');

$r = post(line('A-1', email => 'eve@example.com'));
is($r->{status}, 200, 'R10: other content');
is_deeply($r->{lines}, [ { line => 1, order => 'A-1', status => 409, rule => 'R10',
    detail => 'This was already done with different content.' } ], 'R10: is refused in its line, as PUT refuses it');

$r = post(line('A-5') . line('A-5'));
is(sum($r), 'lines=2 created=1 unchanged=1 failed=0', 'the same order twice in a file: one is filed, one is unchanged');
is($t->events('A-5'), 'filed', 'and it is journaled once');
$r = post(line('A-6') . line('A-6', email => 'eve@example.com'));
is(sum($r), 'lines=2 created=1 unchanged=0 failed=1', 'twice with other content: one is filed');
is($r->{lines}[0]{status}, 409, 'and one is refused');
is(sum(post(line('A-7') x 60)), 'lines=60 created=1 unchanged=59 failed=0', 'sixty times: one is filed');

is(sum(post('')), 'lines=0 created=0 unchanged=0 failed=0', 'an empty file is one without lines');
is(sum(post("\n\r\n\n")), 'lines=0 created=0 unchanged=0 failed=0', 'so is one of empty lines');
(my $crlf = line('A-8') . line('A-9')) =~ s/\n/\r\n/g;
is(sum(post($crlf)), 'lines=2 created=2 unchanged=0 failed=0', 'lines may end with CR LF');
$r = post("\n\n{}\n\r\n[]\n\n" . (line('A-10') =~ s/\n//r));
is(sum($r), 'lines=3 created=1 unchanged=0 failed=2', 'empty lines are skipped, the last one may lack its end');
is(join(' ', map { $_->{line} } @{$r->{lines}}), '3 5', 'empty lines are counted in the numbers of the others');


# a bad line

my @bad = (
    [ 'no JSON', '{', 400 ],
    [ 'a form feed', "{\f}", 400 ],
    [ 'an array', '[]', 400 ],
    [ 'a repeated member', '{"order":"B","email":"a@b","email":"a@b"}', 400 ],
    [ 'no UTF-8', "{\"order\":\"\xff\"}", 400 ],
    [ 'a NUL', "{\"order\":\"\0\"}", 400 ],
    [ 'too deep a nesting', '[' x 40, 400 ],
    [ 'no order', $json->encode($t->order), 422, '/order' ],
    [ 'an order that is a number', $json->encode({ %{$t->order}, order => 7 }), 422, '/order' ],
    [ 'an order that is none', line('a b') , 422, '/order' ],
    [ 'the order "."', line('.') , 422, '/order' ],
    [ 'the order ".."', line('..') , 422, '/order' ],
    [ 'an order with a slash', line('A/1') , 422, '/order' ],
    [ 'an order of 65 characters', line('x' x 65) , 422, '/order' ],
    [ 'no email', line('B', email => undef), 422, '/email', 'B' ],
    [ 'an email without @', line('B', email => 'ann'), 422, '/email', 'B' ],
    [ 'a bad time', line('B', purchased_at => 'yesterday'), 422, '/purchased_at', 'B' ],
    [ 'a bad state', line('B', state => 'cancelled'), 422, '/state', 'B' ],
    [ 'an unknown member', line('B', colour => 'red'), 422, '/colour', 'B' ],
    [ 'no items', line('B', items => []), 422, '/items', 'B' ],
    [ 'an empty key', line('B', items => [ { sku => 'a', product => 'b', key => '' } ]), 422, '/items/0/key', 'B' ],
    [ 'an order within an item', line('B', items => [ { sku => 'a', product => 'b', key => 'k', order => 'B' } ]), 422,
        '/items/0/order', 'B' ],
    [ 'a member with a name too long to be shown', line('B', 'x' x 5000 => 1), 422, undef, 'B' ],
);

$r = post(join '', map { my $bad = $bad[$_][1]; chomp $bad; line("C-$_") . "$bad\n" } 0 .. $#bad);
is(sum($r), 'lines=' . 2 * @bad . ' created=' . @bad . ' unchanged=0 failed=' . @bad, 'a bad line spoils only itself');

for (0 .. $#bad) {
    my ($what, $bad, $status, $pointer, $order) = @{$bad[$_]};
    my $line = $r->{lines}[$_];
    is("$line->{line} $line->{status}", 2 * $_ + 2 . " $status", "a line with $what is refused with its number");
    is($line->{order}, $order, 'and its order, if it has one');
    is($line->{errors}[0]{pointer}, $pointer, 'and what is wrong with it') if $status == 422;
}

is($t->api('GET', 'orders/B')->{status}, 404, 'nothing of a refused line is kept');
unlike($r->{body}, qr/x{5000}/, 'a result does not grow with what is wrong');

for (@bad[14 .. 21]) {
    my ($what, $bad, $status, $pointer) = @$_;
    my $order = $json->decode($bad);
    delete $order->{order};
    my $put = $t->api('PUT', 'orders/B', $order);
    is("$put->{status} $put->{json}{errors}[0]{pointer}", "$status $pointer", "PUT refuses $what alike");
}

is($t->api('PUT', 'orders/B', { order => 'B', %{$t->order} })->{status}, 422, 'PUT has no member "order"');


# long lines

my $max = 1024 * 1024;
my $pad = sub { my ($line, $length) = @_; chomp $line; return $line . ' ' x ($length - length $line) . "\n" };
$r = post($pad->(line('D-1'), $max) . $pad->(line('D-2'), $max + 1) . line('D-3') . 'x' x (3 * $max) . "\r\n" . line('D-4') . 'y' x (2 * $max));
is(sum($r), 'lines=6 created=3 unchanged=0 failed=3', 'a line of 1 MB is filed, one of more spoils only itself');
is(join(' ', map { "$_->{line}:$_->{status}" } @{$r->{lines}}), '2:413 4:413 6:413', 'with 413');
is($t->events('D-3'), 'filed', 'the line after it is filed');

my @items = map { { sku => "S-$_", product => "Product $_", key => "K$_-" . 'x' x 500 } } 1 .. 500;
is(sum(post(join '', map { line("D-$_", items => \@items) } 10 .. 29)), 'lines=20 created=20 unchanged=0 failed=0',
    'so are many long ones');
is(scalar @{$t->api('GET', 'orders/D-29')->{json}{items}}, 500, 'with all their items');


# however the body comes

my $body = file('E', 1, 40);
my $n = 0;
my $whole = sub { $n++; return $body =~ s/"E-/"E$n-/gr };

for my $size (1, 7, 150, 4000) {
    my $s = begin();
    print $s map({ chunk($_) } unpack "(a$size)*", $whole->()), "0\r\n\r\n";
    is(sum(decoded(Mpk::Http::response($s))), 'lines=40 created=40 unchanged=0 failed=0', "a chunked body, in chunks of $size");
}

for my $where ('/mpk/v1', '/small') {
    my $text = $whole->();
    my $s = begin(path => "$where/orders", length => length $text);
    syswrite $s, $_ for unpack '(a13)*', $text;
    is(sum(decoded(Mpk::Http::response($s))), 'lines=40 created=40 unchanged=0 failed=0', "a body that comes in small pieces ($where)");
}

for my $where ('/memory', '/disk', '/mirrored') {
    $r = post($whole->(), path => "$where/orders");
    is(sum($r), 'lines=40 created=40 unchanged=0 failed=0', "a body that another module has buffered ($where)");
    my $s = begin(path => "$where/orders");
    print $s map({ chunk($_) } unpack '(a100)*', $whole->()), "0\r\n\r\n";
    is(sum(decoded(Mpk::Http::response($s))), 'lines=40 created=40 unchanged=0 failed=0', "and a chunked one ($where)");
}

{
    my $text = $whole->();
    post($text, path => '/memory/orders');
    ok(wait_for(sub { index($t->read('body.log'), $text) >= 0 }, 'the log'), 'such a body stays as it is for others');
    unlike($t->read('body.log'), qr/"A-1"/, 'another one is gone once it is filed');
}

$r = post(file('EB', 1, 2000) . "{\n" . $pad->(line('EB-2001'), $max + 1), path => '/disk/orders');
is(sum($r), 'lines=2002 created=2000 unchanged=0 failed=2', 'a long body from a file');

{
    my $text = $whole->();
    my $s = begin(headers => { Expect => '100-continue' }, length => length $text);
    my $seen = '';
    ok(until_line($s, qr{^HTTP/1.1 100 Continue\r\n\r\n$}, \$seen), 'Expect: 100-continue is answered');
    print $s $text;
    is(sum(decoded(Mpk::Http::response($s))), 'lines=40 created=40 unchanged=0 failed=0', 'and the body is taken then');
}

for my $where ('/mpk/v1', '/memory', '/disk') {
    $r = decoded(Mpk::Http::h2($t->port('h2'), 'POST', "$where/orders", headers => { headers() },
        body => file("H2$n", 1, 3000)));
    $n++;
    is(sum($r), 'lines=3000 created=3000 unchanged=0 failed=0', "a long body over HTTP/2 ($where)");
}

$r = decoded(Mpk::Http::h2($t->port('h2'), 'POST', "$path?results=all", headers => { headers() },
    body => file("H2$n", 1, 2000)));
$n++;
is(sum($r) . ' ' . @{$r->{lines}}, 'lines=2000 created=2000 unchanged=0 failed=0 2000', 'results=all over HTTP/2');

{
    my $s = Mpk::Http::connection($t->port('edge'));
    my $buffer = '';
    my ($one, $two) = ($whole->(), file('EK', 1, 2));
    print $s Mpk::Http::text('POST', $path, keepalive => 1, headers => { headers() }, body => $one),
        Mpk::Http::text('POST', $path, keepalive => 1, body => join('', map { chunk($_) } split /(?=4)/, $two) . "0\r\n\r\n",
            headers => { headers(), 'Transfer-Encoding' => 'chunked' }),
        Mpk::Http::text('GET', '/mpk/v1/orders/EK-2', headers => { headers() });
    is(sum(decoded(Mpk::Http::response($s, 30, 0, \$buffer))), 'lines=40 created=40 unchanged=0 failed=0', 'the connection is kept');
    is(sum(decoded(Mpk::Http::response($s, 30, 0, \$buffer))), 'lines=2 created=2 unchanged=0 failed=0', 'for another file behind it');
    is(Mpk::Http::response($s, 30, 0, \$buffer)->{status}, 200, 'and another request');
}


# who may, and how

is(post(line('F-1'), token => $_)->{status}, 403, "the role of \"$_\" files no orders") for 'support-token', 'read-token';
is(post(line('F-1'), token => 'shop-token')->{status}, 200, 'the role "shop" does');
is(post(line('F-2'), token => 'wrong')->{status}, 401, 'a stranger does not');
is($t->api('GET', 'orders/F-2')->{status}, 404, 'nothing of that is filed');
is(post(line('F-3'), headers => { 'Content-Type' => $_ })->{status}, 200, "$_ is NDJSON")
    for 'application/ndjson', 'application/jsonl', 'Application/X-NDJSON; charset=utf-8';
is(post(line('F-4'), headers => { 'Content-Type' => $_ })->{status}, 415, ($_ // 'no content type') . ' is not')
    for 'application/json', 'text/plain', undef;
$r = $t->api('PUT', 'orders', {});
is("$r->{status} $r->{headers}{allow}", '405 GET, HEAD, POST', 'another method is refused');
is(post(line('F-5'), path => "$path?results=some")->{status}, 422, 'other results than all are not known');


# ?results=all

$r = post(file('G', 1, 500) . "{}\n\n" . file('G', 250, 750), path => "$path?results=all");
is(sum($r), 'lines=1002 created=750 unchanged=251 failed=1', 'results=all sums up, too');
is(scalar @{$r->{lines}}, 1002, 'after a line for each line');
is(join(' ', map { $_->{line} } @{$r->{lines}}), join(' ', 1 .. 501, 503 .. 1003), 'in the order of the file');
is_deeply($r->{lines}[0], { line => 1, order => 'G-1', status => 201, detail => 'Done.' }, 'one that was filed');
is_deeply($r->{lines}[501], { line => 503, order => 'G-250', status => 200, detail => 'Already done, with the same content.' }, 'one that was');
is($r->{lines}[500]{status}, 422, 'and one that failed');

{
    my $s = begin(path => "$path?results=all");
    my $seen = '';
    for (1 .. 5) {
        print $s chunk(line("GA-$_"));
        ok(until_line($s, qr/"line":$_,"order":"GA-$_","status":201/, \$seen), "results=all: the result of line $_ comes while more are to come");
    }
    print $s "0\r\n\r\n";
    ok(until_line($s, qr/"lines":5,"created":5.*\r\n0\r\n\r\n/s, \$seen), 'results=all: and the sum at the end');
}


# a client that reads nothing until it has sent everything

$r = post("{\n" x 5000);
is(sum($r), 'lines=5000 created=0 unchanged=0 failed=5000', 'a file of bad lines is read to its end');
is(scalar @{$r->{lines}}, 1000, 'as many failures are shown as a client can have unread');
is($r->{sum}{omitted}, 4000, 'and the others are counted');
is($r->{lines}[-1]{line}, 1000, 'the first ones are those that are shown');

$r = post(join '', map { line("GL-$_", map({ ("$_" . 'x' x 150 => 1) } 1 .. 18)) } 1 .. 500);
is(sum($r), 'lines=500 created=0 unchanged=0 failed=500', 'failures that have much to say');
cmp_ok(length $r->{body}, '<', 257 * 1024, 'are shown as far as they fit');
is($r->{sum}{omitted}, 500 - @{$r->{lines}}, 'and the others are counted');

{
    my $s = begin(port => 'narrow');
    $s->sockopt($_, 16384) for SO_SNDBUF, SO_RCVBUF;
    print $s chunk("{\n" . line('GN-1'));
    wait_for(sub { @{$redis->cmd('KEYS', 'mpk:*:o:GN-1')} }, 'a line is filed');
    ok(!IO::Select->new($s)->can_read(0), 'nothing is answered while more may come');
    my $text = chunk("{\n" x 1000) x 10 . "0\r\n\r\n";
    my $sent = 0;
    $s->blocking(0);
    while ($sent < length $text && IO::Select->new($s)->can_write(30)) {
        $sent += syswrite($s, $text, 65536, $sent) // 0;
    }
    is($sent, length $text, 'a client that reads nothing can send everything');
    is(sum(decoded(Mpk::Http::response($s))), 'lines=10002 created=1 unchanged=0 failed=10001', 'and has its answer then');
}

my ($worker) = $t->workers;
my $fewer = $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND} ? 1 : 0;

{
    my $lines = $fewer ? 6_000 : 60_000;
    my $text = "{\"order\":\"unfinished-business\"}\n" x $lines;
    my $s = begin(port => 'narrow', path => "$path?results=all", length => length $text);
    my $select = IO::Select->new($s);
    my $sent = 0;
    $s->blocking(0);
    $s->sockopt($_, 16384) for SO_SNDBUF, SO_RCVBUF;
    my $before = memory($worker, 'VmRSS');

    # until neither side can go on

    while ($sent < length $text && $select->can_write(2)) {
        $sent += syswrite($s, $text, 65536, $sent) // 0;
    }

    my $grown = memory($worker, 'VmRSS') - $before;
    cmp_ok($sent, '<', length $text, 'results=all: a client that reads nothing is not read any further') unless $fewer;
    cmp_ok($grown, '<', ($fewer ? 64 : 8) * 1024, "results=all: and costs no memory ($grown KB)");
    my $seen = '';

    while ($seen !~ /\r\n0\r\n\r\n$/) {
        if ($sent < length $text && $select->can_write(0)) {
            $sent += syswrite($s, $text, 65536, $sent) // 0;
        }
        if ($select->can_read($sent < length $text ? 0.01 : 30)) {
            sysread $s, $seen, 1 << 20, length $seen or last;
        } elsif ($sent == length $text) {
            last;
        }
    }

    my @numbers = $seen =~ /"line":(\d+)/g;
    is(scalar @numbers, $lines, 'results=all: once it reads, it is read, and gets a line for each');
    is(join(' ', grep { $numbers[$_] != $_ + 1 } 0 .. $#numbers), '', 'results=all: in order');
    like($seen, qr/"lines":$lines,"created":0,"unchanged":0,"failed":$lines/, 'results=all: and the sum');
}


# ends that are none

$r = post(file('I', 1, 20), path => '/limited/orders');
is($r->{status}, 200, 'a file within client_max_body_size');
is(post(file('I', 21, 200), path => '/limited/orders')->{status}, 413, 'one over it is refused');
is($t->api('GET', 'orders/I-21')->{status}, 404, 'before it is read');
{
    my $s = begin(path => '/limited/orders');
    print $s map({ chunk(line("IC-$_")) } 1 .. 200);
    is(Mpk::Http::response($s)->{status}, 413, 'a chunked one when it comes to that');
    is($t->api('GET', 'orders/IC-200')->{status}, 404, 'and is read no further');
}
{
    my $s = begin();
    print $s chunk(file('IX', 1, 3)), "nonsense\r\n";
    is(Mpk::Http::response($s)->{status}, 400, 'a body that is not chunked well is refused');
}
{
    my $s = begin(path => '/hasty/orders', length => 10_000);
    print $s line('IT-1'), '{"order":"IT-2"';
    Mpk::Http::response($s, 10);
    logged(qr{/hasty/orders HTTP/1.1" 408 .* outcome=aborted});
    is($t->api('GET', 'orders/IT-2')->{status}, 404, 'a line that did not come whole is not filed');
}


# a client that goes away

# of a prefix's orders: how many there are, and which have not all of an order and one
# entry in the journal that their chain agrees with

sub torn {
    my ($prefix) = @_;
    my @bad;
    my @keys = @{$redis->cmd('KEYS', "mpk:*:o:$prefix-*")};
    for my $n (0 .. $#keys) {
        my ($id) = $keys[$n] =~ /:o:(.*)/;
        my ($revision, @numbers) = $t->revision($redis, $id);
        my $whole = $revision == 1 && @numbers == 1 && 3 == grep { length } @{$redis->cmd('HMGET', $keys[$n], qw(f i k))};
        $whole &&= $t->journal($id)->{verdict} eq 'intact' unless $n % 40;
        push @bad, $id unless $whole;
    }
    return (scalar @keys, "@bad");
}

for my $how ('while it sends', 'with lines under way', 'at once') {
    my $p = { while => 'JA', with => 'JB', at => 'JD' }->{(split ' ', $how)[0]};
    my $text = file($p, 1, 300);
    my $s = begin(length => 2 * length $text);
    if ($p ne 'JA') {
        my ($pid) = $t->workers;
        $redis->pause;

        # "at once": the worker sees the lines and the end in one event; else it has seen
        # the lines when it answers what came after them

        kill 'STOP', $pid if $p eq 'JD';
        print $s $text;
        $t->get('/') if $p eq 'JB';
        close $s;
        kill 'CONT', $pid;
        ok(wait_for(sub { 1 < (() = $t->read('access.log') =~ / 499 \d+ event=filed outcome=aborted/g) + ($p eq 'JB') }, 'the log'),
            "a client that goes away $how: is noticed");
        unlike($t->read('error.log'), qr/no reply within/, "a client that goes away $how: before Redis says anything");
        $redis->resume;
    } else {
        print $s $text, '{"order":"JA-301","email":"ann@';
        ok(wait_for(sub { @{$redis->cmd('KEYS', "mpk:*:o:JA-300")} }, 'the last line is filed'), 'what has come is filed before the rest comes');
        close $s;
        logged(qr{ 400 \d+ event=filed outcome=aborted});
    }
    ok($t->api('GET', 'orders/A-1')->{status} == 200, "a client that goes away $how: others do not notice");
    my ($there, $torn) = torn($p);
    is($torn, '', "a client that goes away $how: leaves whole orders only ($there)");
    $r = post(file($p, 1, 301));
    is(sum($r), 'lines=301 created=' . (301 - $there) . " unchanged=$there failed=0", "a client that goes away $how: sends it again");
}

{
    my $text = file('JC', 1, 200);
    for (1 .. 20) {
        my $s = begin($_ % 2 ? (length => length $text) : (path => "$path?results=all"));
        my $part = substr $text, 0, $_ * 1000;
        my $seen = '';
        print $s $_ % 2 ? $part : chunk($part);
        until_line($s, qr/"line":$_,/, \$seen) unless $_ % 2;
        close $s;
    }
    my ($there, $torn) = torn('JC');
    is($torn, '', "clients that go away at many places leave whole orders only ($there)");
    is(sum(post($text)) =~ /failed=0/ ? 1 : 0, 1, 'and the file can be sent again');
}

{
    my $h = Mpk::Http2->new($t->port('h2'));
    my $block = join '', Mpk::Http2::field(':method', 'POST'), Mpk::Http2::field(':scheme', 'http'),
        Mpk::Http2::field(':path', $path), Mpk::Http2::field(':authority', '127.0.0.1'),
        Mpk::Http2::field('authorization', "Bearer $t->{token}"), Mpk::Http2::field('content-type', 'application/x-ndjson');
    $h->frame(Mpk::Http2::HEADERS(), 4, 1, $block);
    $h->frame(Mpk::Http2::DATA(), 0, 1, file('JH', 1, 20));
    ok(wait_for(sub { @{$redis->cmd('KEYS', "mpk:*:o:JH-20")} }, 'the last line is filed'), 'HTTP/2: what has come is filed');
    $redis->pause;
    $h->frame(Mpk::Http2::DATA(), 0, 1, file('JH', 21, 40));
    $h->reset(1);
    logged(qr{"POST $path HTTP/2.0" (400|499) \d+ event=filed outcome=aborted});
    $redis->resume;
    is((torn('JH'))[1], '', 'HTTP/2: a stream that is reset leaves whole orders only');
}


# Redis goes in the middle

{
    my $s = begin(path => "$path?results=all");
    my $seen = '';
    print $s chunk(file('K', 1, 100));
    ok(until_line($s, qr/"line":100,/, \$seen), 'a file is under way');
    $redis->stop;
    my $since = time;
    print $s chunk(file('K', 101, 3000));
    ok(until_line($s, qr/"line":3000,/, \$seen, 60), 'without Redis the lines go on');
    note(sprintf 'without Redis: 2900 lines in %.1f s', time - $since);
    my @status = $seen =~ /"status":(\d+)/g;
    is(join(' ', grep { $_ != 503 } @status[100 .. 2999]), '', 'without Redis each fails with 503');
    like($seen, qr/"line":3000,"order":"K-3000","status":503,"detail":"Nothing was written/, 'without Redis: and says so');
    $redis->start;
    print $s "0\r\n\r\n";
    ok(until_line($s, qr/"failed":2900,"detail":"Send the file again/, \$seen), 'without Redis: the sum says what to do');
    wait_for(sub { $t->api('GET', 'orders/K-1')->{status} == 200 }, 'Redis is back');
    is(sum(post(file('K', 1, 3000))), 'lines=3000 created=2900 unchanged=100 failed=0', 'then the file is sent again');
}

{
    my $text = file('KL', 1, 2000);
    my $s = begin(length => length $text);
    print $s substr $text, 0, 60_000;
    wait_for(sub { @{$redis->cmd('KEYS', "mpk:*:o:KL-1")} }, 'a line is filed');
    $redis->stop('KILL');
    $redis->start;
    print $s substr $text, 60_000;
    $r = decoded(Mpk::Http::response($s, 60));
    is($r->{sum}{lines}, 2000, 'a Redis that is killed and comes back does not end a file');
    is(join(' ', grep { $_->{status} != 503 } @{$r->{lines}}), '', 'each failure of it is a 503');
    wait_for(sub { $t->api('GET', 'orders/A-1')->{status} == 200 }, 'Redis is back');
    my ($there, $torn) = torn('KL');
    is($torn, '', 'orders are whole');
    is(sum(post($text)), 'lines=2000 created=' . (2000 - $there) . " unchanged=$there failed=0", 'and the file is sent again');
}


# a reload

{
    my @old = $t->workers;
    my $s = begin(path => "$path?results=all");
    my $seen = '';
    print $s chunk(file('L', 1, 10));
    ok(until_line($s, qr/"line":10,/, \$seen), 'a file is under way when nginx is told to reload');
    my $text = file('LM', 1, 3000);
    my $busy = begin(length => length $text);
    print $busy substr $text, 0, 300_000;
    kill 'HUP', $t->{nginx};
    ok(wait_for(sub { my %o = map { $_ => 1 } @old; grep { !$o{$_} } $t->workers }, 'a new worker'), 'a new worker comes');
    print $busy substr $text, 300_000;
    is(sum(decoded(Mpk::Http::response($busy))), 'lines=3000 created=3000 unchanged=0 failed=0', 'the old worker takes the rest of a file');
    print $s chunk(file('L', 11, 2000)), "0\r\n\r\n";
    ok(until_line($s, qr/"lines":2000,"created":2000/, \$seen), 'and of another');
    close $_ for $s, $busy;
    ok(wait_for(sub { my %o = map { $_ => 1 } @old; !grep { $o{$_} } $t->workers }, 'the old worker goes'), 'before it goes');
}


# many

($worker) = $t->workers;

{
    my $lines = $fewer ? 5_000 : 100_000;
    my $before = memory($worker, 'VmHWM');
    my $s = begin();
    my $since = time;

    my $pid = child(sub {
        for (my $i = 1; $i <= $lines; $i += 500) {
            print $s chunk(file('N', $i, $i + 499));
        }
        print $s "0\r\n\r\n";
    });

    $r = decoded(Mpk::Http::response($s, 300));
    waitpid $pid, 0;
    my $took = time - $since;
    my $after = memory($worker, 'VmHWM');
    is(sum($r), "lines=$lines created=$lines unchanged=0 failed=0", "$lines orders in one request");
    note(sprintf '%d orders in %.1f s; the worker had %d KB at most before, %d KB after', $lines, $took, $before, $after);
    cmp_ok($after - $before, '<', 32 * 1024, 'in bounded memory') unless $fewer;
    is($t->events("N-$_"), 'filed', "order $_ of them is there") for 1, $lines / 2, $lines;
}

$t->finish;
