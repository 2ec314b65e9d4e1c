#!/usr/bin/perl

# R12, I8, I12: the customer withdraws from the contract; no confirmed statement is refused,
# lost or dated later than it was first received, and the receipt tells nothing of the order.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk qw(ago wait_for);
use Mpk::Http2;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my $json = JSON::PP->new->utf8;
my $h2 = $t->port('h2');

mkdir "$dir/pages";
$t->write('pages/en.json', $json->encode({ 'shop.support_email' => 'help@shop.example' }));

$t->conf(redis => $t->least($redis), server => "listen 127.0.0.1:$h2 http2; mpk_pages $dir/pages;", location => <<'CONF')->start;
        location = /withdraw { mpk_withdraw on; }
        location = /track { mpk_track on; mpk_track_limit address=3 order=3; }
        location = /metrics { mpk_status prometheus; }
CONF

my %support = (token => 'support-token');
my %as_json = (headers => { Accept => 'application/json' });

sub fields { my ($order, %over) = @_; return { name => 'Ann Example', order => $order, email => 'ann@example.com', form => "f-$order", confirm => 'yes', %over } }
sub state_it { my ($order, %over) = @_; return $t->post('/withdraw', fields($order, %over), %as_json) }
sub page { my ($order, %over) = @_; return $t->post('/withdraw', fields($order, %over)) }
sub order { return $t->api('GET', "orders/$_[0]", undef, %support)->{json} }
sub open_ones { return $t->api('GET', 'withdrawals?state=open', undef, %support)->{json} }
sub unmatched { my ($order) = @_; return grep { $_->{order} eq $order } @{open_ones()->{unmatched}} }
sub became { my ($order) = @_; my $w = order($order)->{withdrawals}; return $w ? join ' ', map { "$_->{state} " . ($_->{why} // '') } @$w : 'none' }


# the form, and the page that repeats it

$t->file('F-1');
my $r = $t->get('/withdraw?order=F-1');
is($r->{status}, 200, 'the form is there for anybody');
like($r->{body}, qr{<h1>Withdraw from contract here</h1>.*name="order" value="F-1"}s, 'R12: with its label, and the order of the link');
is_deeply($json->decode($t->get('/withdraw', %as_json)->{body})->{fields}, [ qw(name order email items form) ], 'programs read its fields');

my %label = (de => [ 'Vertrag widerrufen', 'Widerruf bestätigen' ], fr => [ 'Renoncer au contrat ici', 'Confirmer la rétractation' ],
    es => [ 'Desistir del contrato aquí', 'Confirmar desistimiento' ], en => [ 'Withdraw from contract here', 'Confirm withdrawal' ]);

for (sort keys %label) {
    my %in = (headers => { 'Accept-Language' => $_ });
    like($t->get('/withdraw', %in)->{body}, qr{<h1>$label{$_}[0]</h1>}, "R12: its label in $_");
    like($t->post('/withdraw', fields('F-1', confirm => ''), %in)->{body}, qr{<button type="submit">$label{$_}[1]</button>}, "R12: the button that confirms in $_");
}

for ([ name => '' ], [ name => 'x' x 201 ], [ order => ' ' ], [ email => 'ann' ], [ email => '' ]) {
    my $bad = state_it('F-1', @$_);
    is("$bad->{status} $bad->{json}{errors}[0]{pointer}", "422 /$_->[0]", "a bad $_->[0] is shown before anything is looked up");
    like(page('F-1', @$_)->{body}, qr/<a href="#$_->[0]">/, 'on the page, too');
}

is($t->post('/withdraw', $json->encode({ %{fields('F-1')}, items => [ 1 ] }), headers => { Accept => 'application/json', 'Content-Type' => 'application/json' })->{status}, 422,
    'items that are no text are not taken for all items');
is($t->post('/withdraw', { %{fields('F-1')}, x => 'x' x 9000 })->{status}, 422, 'a form over 8 KB is as one that is empty');

my ($one, $two) = map { page($_, confirm => '', form => '') } 'F-1', 'F-9';
is("$one->{status} $two->{status}", '200 200', 'R12: the first step makes no statement');
like($one->{body}, qr/name="form" value="[\w-]{22}"/, 'it gives the statement an id');
s/F-\d//g, s/name="form" value="[^"]*"// for $one->{body}, $two->{body};
is($one->{body}, $two->{body}, 'I8: and is the same for an order that is not there');
is(became('F-1'), 'none', 'nothing was stated so far');

$r = page('F-1', name => '"><script>alert(1)</script>', order => "<b>'x", confirm => '');
unlike($r->{body}, qr/<script>alert|<b>'x/, 'what was typed is text');
like($r->{body}, qr/&lt;script&gt;alert/, 'and is shown as such');


# made: the same receipt for each

my %receipt;

$t->file($_) for 'R-right', 'R-wrong';
my %how = ('R-right' => {}, 'R-none' => {}, 'R-wrong' => { email => 'bob@example.com' }, 'no number!' => { order => '!!!' });

for (sort keys %how) {
    $receipt{$_} = page($_, %{$how{$_}});
    is($receipt{$_}{status}, 201, "R12: $_ gets a receipt");
    $receipt{$_}{bare} = $receipt{$_}{body} =~ s/R-\w+|!!!//gr =~ s/ann\@|bob\@//gr =~ s/Receipt \w{20}//r =~ s/<time.*?<\/time>//r;
}

my %header = map { my %h = %{$receipt{$_}{headers}}; delete @h{qw(date content-length)}; ($_ => \%h) } keys %how;

is($receipt{$_}{bare}, $receipt{'R-right'}{bare}, "I8: but for what was typed, number and time, that of $_ is the same") for sort keys %how;
is_deeply($header{$_}, $header{'R-right'}, "I8: so are the headers of $_") for sort keys %how;
like($receipt{'R-right'}{body}, qr{Receipt [0-9a-f]{20}.*Ann Example.*R-right.*ann\@example\.com}s, 'R12: it has the content and a number');
like($receipt{'R-right'}{body}, qr{Received on <time datetime="....-..-..T..:..:..Z">.* UTC</time>}, 'R12: and date and time');
unlike($receipt{'R-right'}{body}, qr/<script/, 'which stays in UTC');

is(became('R-right'), 'granted ', 'R12: the right one is granted at once');
is(became('R-wrong'), 'none', 'R12: one with another address is not');
is(scalar(unmatched($_)), 1, "R12: that of $_ is kept for support") for 'R-none', 'R-wrong', '!!!';
is(scalar(unmatched('R-right')), 0, 'R12: the right one is not');
my ($kept) = unmatched('R-wrong');
is_deeply([ @$kept{qw(name email items)}, !!$kept->{stated_at} ], [ 'Ann Example', 'bob@example.com', undef, !!1 ], 'with what was typed');
my $entry = $t->journal('R-right')->{entries}[-1];
is_deeply([ @$entry{qw(event medium name email actor)} ], [ 'withdrawn', 'page', 'Ann Example', 'ann@example.com', 'customer' ], 'the journal has the other');

my ($key) = @{$redis->cmd('KEYS', 'mpk:{??}:w:' . $kept->{receipt})};
unlike(join('', @{$redis->cmd('HGETALL', $key)}), qr/Ann|bob|R-wrong/, 'I4: an unmatched statement is sealed');
is($redis->cmd('TTL', $key), -1, 'and does not expire without mpk_retention');


# as many commands for an unknown order as for a wrong address; no limit

sub commands { my ($order, %over) = @_; my @before = map { $redis->calls($_) } qw(hmget hget hset zadd); state_it($order, %over);
    my @after = map { $redis->calls($_) } qw(hmget hget hset zadd); return join ' ', map { $after[$_] - $before[$_] } 0 .. 3 }

$t->file('C-1');
is(commands('C-1', email => 'bob@example.com'), commands('C-2', email => 'bob@example.com'), 'I8: an unknown order costs Redis what a wrong address does');
state_it('C-3', form => $_) for 1 .. 12;
is(scalar(unmatched('C-3')), 12, 'R12: no limit refuses a statement');
is($t->track('C-1')->{status}, 200, 'and none counts it');


# sent twice

for ('R-right', 'R-wrong') {
    my $again = page($_, %{$how{$_}});
    is($again->{body}, $receipt{$_}{body}, "R10: $_, sent twice, gets the same receipt");
}

is(became('R-right'), 'granted ', 'R10: and is one statement');
is(scalar(unmatched('R-wrong')), 1, 'R10: also for support');
is(page('R-right', form => 'other')->{status}, 201, 'R12: another one finds nothing left to withdraw');
is(scalar(unmatched('R-right')), 1, 'I12: and goes to support');


# each as R12 says

$t->file('J-late', purchased_at => ago(40 * 86400));
$t->file('J-business', buyer => 'business');
$t->file('J-suspended');
$t->api('POST', 'orders/J-suspended/suspend', { reason => 'fraud' });
$t->file('J-imported', imported => JSON::PP::true, delivered_at => ago(7200), first_viewed_at => ago(3600));
$t->file('J-held', state => 'held');
$t->file('J-part', items => [ map { { sku => "S$_", product => "Office $_", key => "KEY-$_-AAAAA-BBBBB" } } 1, 2 ]);
$t->confirm($t->mint('J-part', { items => [ 1 ] }))->{status} == 200 or die;
$t->file('J-erased');
$t->api('DELETE', 'orders/J-erased');
$t->file('J-cut', items => [ map { { sku => "S$_", product => "Office $_", key => "KEY-$_-AAAAA-BBBBB" } } 1 .. 3 ]);

my %want = ('J-late' => 'open late', 'J-business' => 'open business', 'J-suspended' => 'open suspended', 'J-imported' => 'open viewed',
    'J-held' => 'granted ', 'J-part' => 'open viewed');

for (sort keys %want) {
    my $got = page($_)->{body} =~ s/J-\w+//gr =~ s/ann\@//gr =~ s/Receipt \w{20}//r =~ s/<time.*?<\/time>//r;
    is($got, $receipt{'R-right'}{bare}, "I8: the receipt of $_ is the same");
    is(became($_), $want{$_}, "R12: $_ is $want{$_}");
}

is_deeply(order('J-part')->{withdrawals}[0]{granted}, [ 2 ], 'R12: of an order that was viewed in part, the rest is granted');
is(state_it('J-erased')->{status}, 201, 'R12: an erased order');
is(scalar(unmatched('J-erased')), 1, 'I12: leaves its statement to support');
state_it('J-cut', items => '1,3');
is_deeply(order('J-cut')->{withdrawals}[0]{granted}, [ 1, 3 ], 'R12: some items of an order');
state_it('J-cut', items => $_, form => $_) for '7', '2,2', 'x';
is(scalar(unmatched('J-cut')), 3, 'I12: items that are not there leave the statement to support');
is(state_it('#j-held', form => 'loose')->{status}, 201, 'an order number is read as people type it');
is(became('J-held'), 'granted ', 'of which nothing is left');


# closed by support

is($t->api('POST', "withdrawals/$kept->{receipt}/close", {}, %support)->{json}{errors}[0]{pointer}, '/note', 'support closes one with a note');
is($t->api('POST', "withdrawals/$kept->{receipt}/close", { note => 'x' }, token => $_)->{status}, 403, 'no other role does') for 'shop-token', 'read-token';
is($t->api('POST', 'withdrawals/' . '0' x 20 . '/close', { note => 'x' }, %support)->{json}{type}, 'urn:mpk:no_withdrawal', 'nor one that is not there');
$r = $t->api('POST', "withdrawals/$kept->{receipt}/close", { note => 'Filed as order R-wrong' }, %support);
is("$r->{status} $r->{json}{state}", '200 closed', 'then it is closed');
is($t->api('POST', "withdrawals/$kept->{receipt}/close", { note => 'again' }, %support)->{status}, 200, 'again, too');
is(scalar(unmatched('R-wrong')), 0, 'and is listed no more');
is(page('R-wrong', %{$how{'R-wrong'}})->{body}, $receipt{'R-wrong'}{body}, 'sent again, it has the same receipt');
is(scalar(unmatched('R-wrong')), 0, 'and stays closed');
unlike(join('', @{$redis->cmd('HGETALL', $key)}), qr/Filed as/, 'I4: the note is sealed');

my ($after, @pages) = ('');
do {
    $r = $t->api('GET', "withdrawals?limit=5$after", undef, %support)->{json};
    push @pages, map { $_->{receipt} } @{$r->{unmatched}};
    $after = '&after=' . ($r->{next} // '');
} while ($r->{next});
is_deeply([ sort @pages ], [ sort map { $_->{receipt} } @{open_ones()->{unmatched}} ], 'pages have each once');
ok(wait_for(sub { $t->metric('withdrawals_open') == @pages + @{open_ones()->{withdrawals}} }, 'the metric'), 'the metric counts them');

my ($one_of) = unmatched('J-erased');
($key) = @{$redis->cmd('KEYS', "mpk:{??}:w:$one_of->{receipt}")};
my $sealed = $redis->cmd('HGET', $key, 's');
$redis->cmd('HSET', $key, 's', substr($sealed, 0, -1) . chr(ord(substr $sealed, -1) ^ 1));
is($t->api('GET', 'withdrawals', undef, %support)->{status}, 500, 'one that was altered is not shown');
like($t->read('error.log'), qr/statement of withdrawal "\w{20}" can't be decrypted/, 'and is logged');
$redis->cmd('HSET', $key, 's', $sealed);


# another site; HTTP/2; the order page

$r = $t->post('/withdraw', fields('C-1'), headers => { Accept => 'application/json', 'Sec-Fetch-Site' => 'cross-site' });
is("$r->{status} $r->{json}{type}", '403 urn:mpk:foreign', 'R4: another site withdraws nothing');
is(became('C-1'), 'none', 'nothing happened');
like($t->track('C-1', html => 1)->{body}, qr{<a href="/withdraw\?order=C-1">Withdraw from contract here</a>}, 'R12: the order page links to the form');
is(Mpk::Http::h2($h2, 'POST', '/withdraw', headers => { Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded' },
    body => Mpk::Http::form(%{fields('C-1')}))->{status}, 201, 'over HTTP/2');
is(became('C-1'), 'granted ', 'R12: it is granted');
unlike($t->track('C-1', html => 1)->{body}, qr{/withdraw}, 'R12: the link is gone with the right');


# Redis away

$t->file('A-1');
$redis->stop;
$r = page('A-1', name => 'Ann & Bob');
is($r->{status}, 503, 'I12: without Redis it is not said to be received');
like($r->{body}, qr{name="name" value="Ann &amp; Bob".*value="A-1".*name="form" value="f-A-1"}s, 'R12: all that was typed is there');
like($r->{body}, qr{href="mailto:help\@shop\.example\?subject=Withdraw%20from%20contract%20here&amp;body=[^"]*Ann%20%26%20Bob%0D%0AA-1%0D%0Aann%40example\.com}, 'R12: a mail to support, too');
my ($stamp) = $r->{body} =~ /name="received" value="([\w-]{32})"/;
my $away = state_it('A-2');
is("$away->{status} $away->{json}{type}", '503 urn:mpk:unavailable', 'R12: programs read why');
my $first = $away->{json}{stated_at};
ok(wait_for(sub { state_it('A-2', received => $away->{json}{received})->{json}{stated_at} eq $first && ago(0) gt $first }, 'a second'),
    'I12: sent again in vain, it keeps the first time');
$redis->start;
$t->least($redis);
ok(wait_for(sub { state_it('A-2', received => $away->{json}{received})->{status} == 201 }, 'Redis'), 'with Redis again it is received');
is((unmatched('A-2'))[0]{stated_at}, $first, 'I12: at the first time');
is(page('A-1', name => 'Ann & Bob', received => $stamp)->{status}, 201, 'R12: so is the other');
ok(order('A-1')->{withdrawals}[0]{stated_at} le $first, 'I12: the journal has the first time');
ok(state_it('A-3', received => $_)->{json}{stated_at} gt $first, 'I12: nobody chooses a time') for $stamp, 'A' x 32, 'x';

is($t->journal('R-right')->{verdict}, 'intact', 'the journal is intact at the end');

$t->finish;
