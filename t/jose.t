#!/usr/bin/perl

# Tokens and evidence against a stock JWS library, npm's jose: it verifies what the module
# signs, the module accepts what it signs, and refuses the well-known attacks.

use warnings;
use strict;

use lib 't/lib';
use IPC::Open2 qw(open2);
use JSON::PP;
use Mpk;
use Mpk::Node;
use Test::More;

plan skip_all => 'valgrind finds nothing more here' if $ENV{MPK_VALGRIND};

my $home = 'objs/jose';
my $missing = Mpk::Node::packages('t/jose', $home);

if ($missing) {
    fail('what the test needs is installed');
    diag($missing);
    done_testing();
    exit 1;
}

my $utf8 = JSON::PP->new->utf8;

my $t = Mpk->new;
my $ring = $t->keyring('link');
my $redis = $t->redis;
$t->conf->start;


# evidence by two generations of its key, a link by the API

$t->confirm($t->link('E-1'));
my $old = $t->api('GET', 'orders/E-1/evidence')->{json}{jws};
my %keys = map { $_ => $t->key($_) } qw(token link wrap lookup journal);

system('bin/mpk-keyring', 'rotate', $ring, 'evidence') == 0 or die;
$t->{keys} = $utf8->decode($t->read('keyring.json'))->{keys};
$keys{evidence} = $t->key('evidence');
$t->reload or die 'no reload';

my $evidence = $t->api('GET', 'orders/E-1/evidence');
my $minted = $t->link('L-1');
my $order = $t->file('J-1');

my $publics = $utf8->decode(scalar `bin/mpk-keyring public $ring`)->{keys};

my $pid = open2(my $from, my $to, 'node', 't/jose/tokens.mjs');
print $to $utf8->encode({ home => $home, keys => \%keys, publics => $publics, jws => $evidence->{json}{jws}, old => $old,
    minted => $minted =~ s{^/r/}{}r, order => $order });
close $to;
my $made = do { local $/; <$from> };
waitpid $pid, 0;
is($?, 0, 'jose verifies and signs') or BAIL_OUT('without it there is nothing to test');
$made = $utf8->decode($made);


# jose verifies what the module signed

my $v = $made->{verified};
my ($document) = $evidence->{body} =~ /^\{"evidence":(.*),"jws":"[\w.-]+"\}\n$/s;

is_deeply($v->{header}, { alg => 'EdDSA', typ => 'mpk-evidence+json', kid => $keys{evidence}{kid} },
    'jose verifies evidence with the public key that mpk-keyring prints');
is_deeply($utf8->decode(do { my $p = $v->{payload}; utf8::encode($p); $p }), $evidence->{json}{evidence}, 'its payload is the document');
is(do { my $p = $v->{payload}; utf8::encode($p); $p }, $document, 'byte for byte');
isnt($v->{old}, $keys{evidence}{kid}, 'an older generation of the key still verifies what it signed');
is($v->{changed}, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'evidence that was changed does not verify');
is($v->{stranger}, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED', "nor does it with another's key");
like($v->{unsigned}, qr/^ERR_/, 'nor unsigned');

is($v->{link}{payload}{sub}, 'L-1', 'jose verifies a link that the API minted');
is($v->{link}{payload}{ch}, 'email', 'with its claims');


# the module refuses what is no token of its, each as any address that it does not know

my %unknown = map { $_ => $t->request($_, '/r/not-a-token') } qw(GET POST);
is($unknown{$_}{status}, 404, "an unknown link is 404 ($_)") for qw(GET POST);

sub answer { my ($r) = @_; delete $r->{headers}{date}; return [ @$r{qw(status body)}, $r->{headers} ] }

$unknown{$_} = answer($unknown{$_}) for keys %unknown;

for my $attack (sort keys %{$made->{refused}}) {
    for my $method (qw(GET POST)) {
        is_deeply(answer($t->request($method, "/r/$made->{refused}{$attack}")), $unknown{$method}, "refused: $attack ($method)");
    }
}

is_deeply(answer($t->get("/r/$made->{forged}")), $unknown{GET}, 'refused: expired, but forged');
is($t->get("/r/$made->{expired}")->{status}, 410, 'an expired one is gone');
is($t->confirm("/r/$made->{expired}", nonce => 'x')->{status}, 410, 'and stays so');
is($t->events($order), 'filed', 'none of them left a trace');


# the module accepts what jose signed with the link key

my $link = "/r/$made->{good}{token}";
my $id = Mpk->token_id($made->{good}{jti});

is($t->api('POST', "orders/$order/links", { token_id => $id })->{json}{token_id}, $id, 'a link that jose signed is registered');
my $nonce = $t->nonce($link);
isnt($nonce, '', 'it opens');
is($t->confirm($link, nonce => $nonce)->{json}{items}[0]{key}, 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE', 'and shows the key');
is($t->get($link)->{status}, 410, 'R3: once');
is($t->events($order), 'filed link_minted opened viewed', 'with its entries');
is($t->journal($order)->{entries}[3]{token_id}, $id, 'by its token id');
is($t->get("/r/$made->{spelled}")->{status}, 200, "a header in another library's spelling is fine");

$t->finish;
