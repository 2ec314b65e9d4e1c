#!/usr/bin/perl

# R7: files that a customer sends about a claim. What is behind mpk_claim_access takes them;
# that it did is journaled, and the claim is open again.

use warnings;
use strict;

use lib 't/lib';
use IO::Socket::INET;
use Mpk qw(wait_for);
use Mpk::Http;
use Mpk::Http2;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $h2 = $t->port('h2');
my $early = $t->port('early');

$t->conf(redis => $t->least($redis), server => "listen 127.0.0.1:$h2 http2;", shop => <<'SHOP', location => <<CONF, http => <<HTTP)->start;
        location /claim/files/ { return 201 "desk\n"; }
        location = /desk/303 { return 303 /thanks; }
        location = /desk/400 { return 400; }
        location = /desk/413 { return 413; }
        location = /desk/500 { return 500; }
        location = /desk/503 { return 503; }
SHOP
        client_max_body_size 20k;
        location = /track { mpk_track on; mpk_track_limit address=10000 order=10000; }
        location /claim/ { mpk_claim on; }
        location /claim/files/ {
            mpk_claim_access on;
            if (\$arg_status) { proxy_pass http://127.0.0.1:$shop/desk/\$arg_status; }
            if (\$arg_local) { return 204; }
            proxy_pass http://127.0.0.1:$shop;
        }
CONF
    # the desk answers before it has all
    server {
        listen 127.0.0.1:$early;
        mpk_public_url http://127.0.0.1:$early;
        location /claim/files/ { mpk_claim_access on; proxy_request_buffering off; proxy_pass http://127.0.0.1:$shop; }
    }
HTTP

my $key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';
my $file = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"secret-name.png\"\r\n\r\n" . ('p' x 5000) . "\r\n--x--\r\n";
my $bytes = length $file;
my %type = ('Content-Type' => 'multipart/form-data; boundary=x');

# claimed(id): files an order, has its key shown and reported; where files about it go
sub claimed {
    my ($id) = @_;
    $t->confirm($t->link($id))->{status} == 200 or die 'no view';
    my $r = $t->post('/claim/' . $t->sign($t->claims($id, aud => 'claim', ch => undef)), { name => 'Ann', order => $id,
        email => 'ann@example.com', key => $key, category => 'other', description => 'It fails' }, headers => { Accept => 'application/json' });
    $r->{status} == 201 or die $r->{body};
    return '/claim/files/' . $t->sign($t->claims($id, aud => 'claim', ch => undef, items => [1]));
}

sub ask { my $r = $t->api('POST', "orders/$_[0]/claims/1/needs_info", { message => $_[1] // 'A picture, please' }); $r->{status} == 200 or die $r->{body} }
sub claim { return $t->api('GET', "orders/$_[0]")->{json}{claims}[0] }
sub files { return scalar grep { $_ eq 'claim_files' } split / /, $t->events($_[0]) }
sub upload { my ($path, %o) = @_; return $t->request('POST', $path, headers => \%type, body => $file, %o) }

# journaled(id, n): the n-th upload of the claim is in the journal, after the answer has gone
sub journaled { my ($id, $n) = @_; return wait_for(sub { files($id) == $n }, "$n uploads of $id") }


sub path { my ($url) = @_; return ($url // '') =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : '' }


# an answer in files

my $path = claimed('F-1');
ask('F-1');
is(upload($path)->{status}, 201, 'files go on to the desk');
ok(journaled('F-1', 1), 'R7: that they were accepted is journaled');
is("@{claim('F-1')}{qw(state uploads)}", 'open 1', 'R7: and the claim is open again');
my $entry = $t->journal('F-1')->{entries}[-1];
is_deeply([ @$entry{qw(event claim items bytes actor ip)} ], [ 'claim_files', 1, [1], $bytes, 'customer', '127.0.0.1' ],
    'R9: one entry says of which claim, how many bytes, and from where');
is($t->journal('F-1')->{verdict}, 'intact', 'the journal is intact');
is($t->api('GET', 'claims?state=open')->{json}{claims}[0]{uploads}, 1, 'support sees it in its list');

my $words = path($t->track('F-1')->{json}{claims}[0]{answer_url});
is($t->post($words, { answer => 'See the picture' })->{status}, 201, 'R7: words may follow the files');
is($t->track('F-1')->{json}{claims}[0]{answer_url}, undef, 'once');
is(claim('F-1')->{answer}, 'See the picture', 'support reads them');

is(upload($path)->{status}, 201, 'files can come without a question');
ok(journaled('F-1', 2), 'and are journaled, too');
ask('F-1', 'And the other side');
is(claim('F-1')->{state}, 'needs_info', 'support can ask again');
upload($path);
ok(journaled('F-1', 3), 'and is answered again');
is("@{claim('F-1')}{qw(state uploads)}", 'open 3', 'R7: the claim is open');

my $evidence = $t->api('GET', 'orders/F-1/evidence', undef, token => 'support-token')->{json}{evidence};
like($evidence->{activity}, qr/files about the report received \| item 1 \| bytes received: $bytes \| IP address 127\.0\.0\.1/, 'evidence says what is known');
unlike($evidence->{activity}, qr/secret-name/, 'and nothing of what was in them');
like($t->api('GET', 'orders/F-1/evidence?format=html', undef, token => 'support-token')->{body}, qr/Files about the report received.*$bytes bytes received/s, 'in print, too');


# what was not accepted

$path = claimed('R-1');
ask('R-1');
is(upload("$path?status=$_")->{status}, $_, "the desk answers $_") for 400, 413, 500, 503;
is(upload($path, body => $file x 5)->{status}, 413, 'nginx itself refuses what is too large');
is($t->get($path)->{status}, 201, 'a request without a body passes');
is(upload($path, body => '')->{status}, 201, 'one with an empty one');
is(upload("$path?local=1")->{status}, 204, 'and one whose body nobody reads');

# cut off: all but the last byte of the body

my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port('edge')) or die;
print $socket "POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: $bytes\r\n\r\n" . substr($file, 0, -1);
close $socket;
ok(wait_for(sub { $t->read('access.log') =~ /POST \/claim\/\[hidden\] HTTP\/1.1" 4\d\d .*order=R-1.*\n/ }, 'the log'), 'an upload is cut off');

my $passed = sub { return scalar(() = $t->read('access.log') =~ /POST \/claim\/\[hidden\] HTTP\/1.1" 201 .*order=R-1/g) };
my $before = $passed->();
$socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $early) or die;
print $socket "POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: $bytes\r\n\r\n" . substr($file, 0, 100);
is(Mpk::Http::response($socket)->{status}, 201, 'one is answered before all of it has come');
close $socket;
ok(wait_for(sub { $passed->() == $before + 1 }, 'the log'), 'and ends so');

is(upload("$path?status=303")->{status}, 303, 'the desk redirects to its thanks');
ok(journaled('R-1', 1), 'R7: only what was received to its end, and not refused, is journaled');
is(files('R-1'), 1, 'once');
is($t->journal('R-1')->{entries}[-1]{bytes}, $bytes, 'with its bytes');

is(upload($path =~ s/files\/./files\/x/r)->{status}, 404, 'a forged token passes nothing');
is($t->api('POST', 'orders/R-1/claims/1/reject', { reason => 'late' })->{status}, 200, 'once the claim is decided');
is(upload($path)->{status}, 403, 'no files pass');
is(files('R-1'), 1, 'and none are journaled');


# in other ways

$path = claimed('H-1');
ask('H-1');
$socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port('edge')) or die;
print $socket "POST $path HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
print $socket sprintf("%x\r\n%s\r\n", length $_, $_) for substr($file, 0, 1000), substr($file, 1000);
print $socket "0\r\n\r\n";
my $answer = do { local $/; <$socket> };
like($answer, qr{^HTTP/1.1 201}, 'a chunked body goes on');
ok(journaled('H-1', 1), 'R7: and is journaled');
is($t->journal('H-1')->{entries}[-1]{bytes}, $bytes, 'by the bytes of the body, not of the chunks');

for my $length ($bytes, undef) {
    my $how = defined $length ? 'with its length' : 'without';
    my $c = Mpk::Http2->new($h2);
    my $n = 1 + files('H-1');
    my $stream = $c->request('POST', $path, { %type, defined $length ? ('content-length' => $length) : () }, $file);
    ok(journaled('H-1', $n), "over HTTP/2, $how: an upload is journaled");
    is($t->journal('H-1')->{entries}[-1]{bytes}, $bytes, "over HTTP/2, $how: with its bytes");
}


# bounds

$path = claimed('B-1');
upload($path) for 1 .. 51;
ok(journaled('B-1', 50), 'fifty uploads of a claim are journaled');
is(claim('B-1')->{uploads}, 50, 'and counted');
is(upload($path)->{status}, 201, 'further ones pass as before');
ask('B-1');
upload($path);
ok(wait_for(sub { claim('B-1')->{state} eq 'open' }, 'the claim'), 'R7: those that support asked for are journaled as well');
is(files('B-1'), 51, 'and no others');


# nothing in the logs

my $logs = $t->read('error.log') . $t->read('access.log');
unlike($logs, qr/secret-name|eyJ[\w-]+\./, 'I4: neither a token nor a name is in a log');
unlike($logs, qr/mpk_redis.*refused/, 'the least rights that docs/operations.md gives suffice');

$t->finish;
