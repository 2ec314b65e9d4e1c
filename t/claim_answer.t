#!/usr/bin/perl

# R7: support asks the customer for more about a claim, and the customer answers in words, on
# the order's page.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Mpk::Http2;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $json = JSON::PP->new->utf8;
my %json = (Accept => 'application/json');
my %h2 = (port => $t->port('h2'), headers => { 'Content-Type' => 'application/json', %json });

$t->conf(redis => $t->least($redis), http => <<HTTP, location => <<CONF)->start;
    real_ip_header X-Real; set_real_ip_from 127.0.0.1;
    server {
        listen 127.0.0.1:$h2{port} http2;
        mpk_public_url http://127.0.0.1:$h2{port};
        location /claim/ { mpk_claim on; }
    }
HTTP
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location = /account { set \$who carl; mpk_account \$who trusted; }
        location /claim/ { mpk_claim on; mpk_track_limit address=3 order=5 window=60s; }
        location /claim/files/ { mpk_claim_access on; proxy_pass http://127.0.0.1:@{[$t->port('shop')]}; }
CONF

my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my $text = "It says <b>0x8007</b>.\nOn two PCs.";

sub token { my ($id, %over) = @_; return '/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef, %over)) }
sub path { my ($url) = @_; return $url =~ m{^(?:http://127\.0\.0\.1:\d+)?(/.*)} ? $1 : undef }
sub page { my ($r) = @_; return $r->{body} =~ s{<style>.*?</style>}{}sr }
sub decide { my ($id, $what, %body) = @_; my $r = $t->api('POST', "orders/$id/claims/1/$what", \%body); $r->{status} == 200 or die $r->{body} }
sub ask { decide($_[0], 'needs_info', message => $_[1] // 'What does it say, & where?'); return $_[0] }

# asked(id, %over): an order with a claim about which support asks for more
sub asked {
    my ($id, %over) = @_;
    $t->confirm($t->link($id, %over))->{status} == 200 or die 'no view';
    my $r = $t->post(token($id), { name => 'Ann', order => $id, email => 'ann@example.com', key => $key, category => 'other',
        description => 'It fails.' }, headers => \%json);
    $r->{status} == 201 or die $r->{body};
    return ask($id);
}

# url(id): where its customer answers, and the same as JSON of a page; send(path, text): answers
sub url { return path($t->track($_[0])->{json}{claims}[0]{answer_url} // '') }
sub answer { my ($path, $text, %headers) = @_; return $t->post($path, { answer => $text }, headers => { %json, %headers }) }
sub claim { return $t->api('GET', "orders/$_[0]")->{json}{claims}[0] }
sub answers { return scalar grep { $_ eq 'claim_answered' } split / /, $t->events($_[0]) }


# on the order's page

asked('A-1', account => 'carl');
my $html = page($t->track('A-1', html => 1));
like($html, qr{We need something more from you:.*What does it say, &amp; where\?.*<textarea id="aA-1\.1" name="answer" rows="4" required maxlength="4000">}s,
    'the order\'s page has the question, and a form for the answer');
my ($action) = $html =~ m{<form class="files" method="post" action="(/claim/[^"]+\?claim=1)">};
like(page($t->get('/account')), qr{<textarea id="aA-1\.1" name="answer"}, 'the account, too');

my $r = $t->post($action, { answer => $text });
is($r->{status}, 201, 'R7: the answer is taken, as the form sends it');
like(page($r), qr{We have your answer.*href="/track"}s, 'and its page says that it was received');
like(page($t->track('A-1', html => 1)), qr{We have your answer of <time [^>]+>\d+ \w+ \d{4}, \d\d:\d\d UTC</time> and look into it}, 'the order\'s page says so, too');
unlike(page($t->track('A-1', html => 1)), qr{name="answer"}, 'and asks nothing more');
is("@{$t->track('A-1')->{json}{claims}[0]}{qw(state answer)}", "open $text", 'R7: the claim is open again; as JSON with the answer');

my $entry = $t->journal('A-1')->{entries}[-1];
is("$entry->{event} $entry->{claim} @{$entry->{items}} $entry->{actor} $entry->{note}", "claim_answered 1 1 customer $text", 'R9: it is one entry, with the answer');
is($t->journal('A-1')->{verdict}, 'intact', 'the journal is intact');
is(claim('A-1')->{answer}, $text, 'support reads it');
is($t->api('GET', 'claims?state=open')->{json}{claims}[0]{answer}, $text, 'in its list, too');

is($t->post($action, { answer => $text })->{status}, 200, 'R10: sent twice, it is the same answer');
is(answers('A-1'), 1, 'R10: and one entry');
$r = $t->post($action, { answer => '<script>alert(1)</script>' });
is($r->{status}, 409, 'another one that nobody asked for is not taken');
like(page($r), qr{has not been sent yet.*asked nothing more.*<blockquote>&lt;script&gt;alert\(1\)&lt;/script&gt;</blockquote>}s, 'says so, and loses nothing of it');
$r = answer($action, 'More');
is("$r->{status} $r->{json}{type} $r->{json}{rule}", '409 urn:mpk:claimed R7', 'as JSON, too');
is(answers('A-1'), 1, 'and nothing is journaled');

ask('A-1', 'And now?');
is(answer(url('A-1'), $text)->{status}, 201, 'asked once more, the same words are another answer');
is(answers('A-1'), 2, 'with an entry of its own');


# as JSON

asked('A-2');
my $path = url('A-2');
$r = $t->get($path, headers => \%json);
is_deeply($json->decode($r->{body}), { order => 'A-2', claim => 1, product => 'Office 2024', note => 'What does it say, & where?', fields => ['answer'] },
    'the address says what is asked');
like(page($t->get($path)), qr{What does it say, &amp; where\?.*<form method="post">.*<textarea id="answer"}s, 'as a page, too');
$r = $t->request('POST', $path, headers => { %json, 'Content-Type' => 'application/json' }, body => '{"answer": "In JSON"}');
is("$r->{status} $r->{body}", qq(201 {"claim":1,"state":"open"}\n), 'an answer as JSON');
is($t->get($path)->{status}, 409, 'then nothing is asked');
is($t->track('A-2')->{json}{claims}[0]{answer_url}, undef, 'and no address is given');


# at the same instant

asked('A-11');
$path = url('A-11');
my @sockets = map { Mpk::Http::connection($t->port('edge')) } 1 .. 10;
$redis->cmd('CLIENT', 'PAUSE', 150);
print {$_} Mpk::Http::text('POST', $path, headers => { %json, 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'answer=Once')
    for @sockets;
is(join(' ', sort map { Mpk::Http::response($_)->{status} } @sockets), join(' ', (200) x 9, 201), 'R10: of ten at the same instant one is taken, and all are answered alike');
is(answers('A-11'), 1, 'R10: and journaled once');


# what it must be

asked('A-3');
$path = url('A-3');
for ([ '', 'nothing' ], [ " \r\n ", 'blanks' ], [ 'x' x 4001, 'a novel' ]) {
    my ($body, $what) = @$_;
    my $r = answer($path, $body);
    is("$r->{status} $r->{json}{errors}[0]{pointer}", '422 /answer', "$what is no answer");
}
$r = $t->post($path, { answer => '<i>' . 'x' x 4000 });
like(page($r), qr{href="#answer".*aria-invalid="true">&lt;i&gt;x{4000}</textarea>}s, 'one that is too long comes back whole');
is($t->post($path, 'answer=%')->{status}, 422, 'a form that can\'t be read is none');
is(answers('A-3'), 0, 'none of that is journaled');
is(answer($path, 'x' x 4000)->{status}, 201, '4000 bytes are one');


# who may answer, and what

asked('A-4', items => [ { sku => 'A', product => 'P1', key => $key }, { sku => 'B', product => 'P2', key => 'KEY-2' } ]);
$path = url('A-4');
$r = answer($path, 'Hello', Origin => 'https://evil.example');
is("$r->{status} $r->{json}{type}", '403 urn:mpk:foreign', 'another site can\'t answer');
like(page($t->post($path, { answer => 'x' }, headers => { 'Sec-Fetch-Site' => 'cross-site' })), qr/did not come from our own page/, 'its page says so');

for ([ token('A-4', items => [1]) . '?claim=2', 'of a claim that is not there' ], [ token('A-4', items => [1]) . '?claim=0', 'of claim 0' ],
    [ token('A-4', items => [1]) . '?claim=x', 'without a number' ], [ token('A-4', items => [1]), 'without any' ],
    [ token('A-4', items => [2]) . '?claim=1', 'with the token of another item' ], [ token('A-4', items => [ 1, 2 ]) . '?claim=99999999999', 'beyond all numbers' ])
{
    my $r = answer($_->[0], 'Hello');
    is("$r->{status} $r->{json}{type}", '403 urn:mpk:no_claim', "no answer $_->[1]");
}

is(answer(token('A-4') . '?claim=1', 'Hello')->{status}, 422, 'nor with the token of a form for claims');
is(answer("/claim/forged?claim=1", 'Hello')->{status}, 404, 'nor with a forged one');
is(answer(token('A-none', items => [1]) . '?claim=1', 'Hello')->{status}, 404, 'nor of an order that is not there');
is(answers('A-4'), 0, 'none of that is journaled');
is(answer($path, 'Hello', Origin => 'null')->{status}, 201, 'its own page can');

asked('A-5');
$path = url('A-5');
decide('A-5', 'reject', reason => 'not_defective');
$r = answer($path, 'Too late');
is("$r->{status} $r->{json}{type} $r->{json}{rule}", '409 urn:mpk:decided R7', 'R7: a claim that is decided takes no answer');
$r = $t->post($path, { answer => 'Too late' });
like(page($r), qr{This report has been decided.*Your statutory rights, also for defects, are not affected}s, 'and its page says so, and what remains');
is($t->get($path)->{status}, 409, 'nor is it asked for');
is(claim('A-5')->{state} . answers('A-5'), 'rejected0', 'nothing has changed');


# a corrected email: what was handed out for the old one is closed

asked('A-10');
my $before = token('A-10', items => [1], iat => time - 10);
is($t->get("$before?claim=1")->{status}, 200, 'what was handed out is open');
is($t->api('PUT', 'orders/A-10/email', { email => 'anne@example.com', note => 'mistyped' })->{status}, 200, 'until the email is corrected');
is(answer("$before?claim=1", 'x')->{status}, 403, 'then it takes no answer');
is($t->get("$before?claim=1")->{status}, 403, 'nor tells what was asked');
is($t->post($before =~ s{/claim/}{/claim/files/}r, 'x')->{status}, 403, 'nor takes files');
$path = path($t->track('A-10', email => 'anne@example.com')->{json}{claims}[0]{answer_url});
is(answer($path, 'By Anne')->{status}, 201, 'the customer\'s own page does');

# also in the same second

for my $n (1 .. 50) {
    asked("A-11-$n");
    my $second = time;
    $path = url("A-11-$n");
    $t->api('PUT', "orders/A-11-$n/email", { email => 'anne@example.com', note => 'mistyped' });
    next if time != $second;
    is(answer($path, 'x')->{status}, 403, 'what was handed out in the second of the correction is closed, too');
    $path = path($t->track("A-11-$n", email => 'anne@example.com')->{json}{claims}[0]{answer_url});
    is(answer($path, 'By Anne')->{status}, 201, 'but not to the new address');
    last;
}


# a page that was open for too long

my $from = 0;
sub late {
    my ($id, %form) = @_;
    my $html = delete $form{html};
    return $t->post(token($id, items => [1], iat => time - 2 * 86400, exp => time - 86400) . '?claim=1', \%form,
        headers => { 'X-Real' => '10.0.0.' . ++$from, $html ? () : %json });
}

asked('A-6', locale => 'fr');
is($t->get(token('A-6', items => [1], iat => time - 9999, exp => time - 999) . '?claim=1')->{status}, 410, 'an expired form is not opened again');
$r = late('A-6', answer => $text, html => 1);
is($r->{status}, 422, 'an answer that was written for too long comes back');
like(page($r), qr{lang="en".*&lt;b&gt;0x8007&lt;/b&gt;\.\nOn two PCs\.</textarea>.*<input type="text" id="email" name="email"}s, 'whole, and asks for the email');
unlike(page($r), qr/What does it say|Office/, 'without what was asked');

sub same {
    my ($id, %form) = @_;
    return late($id, %form)->{raw} =~ s/^Date: [^\r]+\r\n//mir =~ s/\Q$id\E/ORDER/gr =~ s/^Content-Length: \d+\r\n//mir;
}

for my $html (0, 1) {
    my $wrong = same('A-6', answer => $text, email => 'eve@example.com', html => $html);
    like($wrong, qr{^HTTP/1.1 422 }, 'I8: a wrong email is refused');
    is(same('A-none', answer => $text, email => 'eve@example.com', html => $html), $wrong, 'I8: an order that is not there with the same bytes');
}
is(answers('A-6'), 0, 'nothing is journaled');
is(late('A-6', answer => $text, email => ' Ann@Example.com')->{status}, 201, 'with the right one it is taken');
is(answers('A-6'), 1, 'once');

asked('A-7');
is(join(' ', map { late('A-7', answer => 'x', email => "x$_\@example.com")->{status} } 1 .. 6), '422 422 422 422 422 429',
    'guesses are as few as Order Tracking permits');


# over HTTP/2, without Redis, and in the logs

asked('A-8');
$path = token('A-8', items => [1]) . '?claim=1';
is(Mpk::Http::h2($h2{port}, 'POST', $path, %h2, body => '{"answer": "Over HTTP/2"}')->{status}, 201, 'over HTTP/2');
is(claim('A-8')->{answer}, 'Over HTTP/2', 'it is the same');

asked('A-9');
$path = url('A-9');
$redis->cmd('CONFIG', 'SET', 'rdbcompression', 'no');
$redis->cmd('SAVE');
my $dump = $t->read('redis.d/dump.rdb');
like($dump, qr/claim_answered/, 'what Redis stores is looked through');
unlike($dump, qr/0x8007|On two PCs|HTTP\/2/, 'I4: answers are sealed in Redis');
$redis->stop;
is(answer($path, 'x')->{status}, 503, 'without Redis, 503');

my $logs = $t->read('error.log') . $t->read('access.log');
like($logs, qr{"POST /claim/\[hidden\]\?claim=1 HTTP/1.1" 201 .*event=claim_answered outcome=done order=A-1 items=1}, 'the log tells which claim it was');
unlike($logs, qr/eyJ[\w-]+\.[\w-]+|0x8007|ann\@example/i, 'I4: and no token, answer or email');

$t->finish;
