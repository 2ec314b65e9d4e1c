#!/usr/bin/perl

# The journal has a hash of the words of a consent; edges keep the words, and evidence prints
# them only where they have that hash.

use warnings;
use strict;

use lib 't/lib';
use Digest::SHA qw(sha256_base64);
use Encode qw(encode);
use JSON::PP;
use Mpk qw(wait_for);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $dir = $t->dir;
my $json = JSON::PP->new->utf8;
my @languages = qw(en de fr es);
my %messages = map { my $l = $_; open my $f, '<', "ngx_mpk_module/pages/$l.json" or die; local $/; ($l => $json->decode(<$f>)) } @languages;

mkdir "$dir/pages";
sub own { $t->write("pages/$_[0].json", $json->encode($_[1])) }

my @conf = (server => 'mpk_consent supply product;');
$t->conf(@conf)->start;

sub hash { my $h = sha256_base64(encode('UTF-8', $_[0])); return $h . '=' x (-length($h) % 4) }
sub evidence { return $t->api('GET', "orders/$_[0]/evidence", undef, token => 'support-token')->{json}{evidence} }
sub words { my ($l) = @_; return "$messages{$l}{'consent.supply'}\n$messages{$l}{'consent.waiver'}" }
sub kept { return { @{$redis->cmd('HGETALL', 'mpk:texts') // []} } }

# agreed(id, %over): a view with all consents
sub agreed {
    my ($id, %over) = @_;
    my $link = $t->link($id, items => [ { sku => 'S', product => 'Office', key => 'XK7QX', platform => 'windows' } ], %over);
    my $page = $t->get($link)->{body};
    my ($nonce) = $page =~ /name="nonce" value="([^"]+)"/;
    my ($language) = $page =~ /name="language" value="([^"]+)"/;
    my $r = $t->post($link, { email => 'ann@example.com', nonce => $nonce, language => $language, map { ("consent_$_" => 'yes') } qw(supply waiver product) });
    $r->{status} == 200 or die "$id: $r->{status}";
    return $id;
}


# each language

ok(wait_for(sub { keys %{kept()} == 8 }, 'the words are kept'), 'an edge keeps the words of its pages');

my %all = map { (hash(words($_)) => encode('UTF-8', words($_)), hash($messages{$_}{'consent.product'}) => encode('UTF-8', $messages{$_}{'consent.product'})) } @languages;
is_deeply(kept(), \%all, 'by their hashes, in all languages');

for my $l (@languages) {
    agreed("W-$l", locale => $l);
    my $e = evidence("W-$l");
    my ($view) = grep { $_->{event} eq 'viewed' } @{$e->{entries}};
    is_deeply($e->{consent}, [ { n => $view->{n}, at => $view->{at}, ip => '127.0.0.1', text => $view->{consent}{text}, language => $l, words => words($l) } ],
        "$l: evidence has the words of the consent");
    is_deeply($e->{consent_product}, [ { n => $view->{n}, at => $view->{at}, ip => '127.0.0.1', text => $view->{consent_product}, words => $messages{$l}{'consent.product'} } ],
        "$l: and those of the one that says that it fits");
    my @boxes = @{$messages{$l}}{qw(consent.supply consent.waiver consent.product)};
    ok(!(grep { index($e->{stripe}{refund_refusal_explanation}, "\"$_\"") < 0 } @boxes), "$l: the explanation quotes each box");

    my $print = $t->api('GET', "orders/W-$l/evidence?format=html", undef, token => 'support-token')->{body};
    utf8::decode($print);
    ok(!(grep { $print !~ m{<q>\Q$_\E</q>} } @boxes), "$l: in print, too");
}

ok(!exists evidence($t->file('N-1'))->{consent_product}[0], 'where nothing was agreed to there are no words');


# a shop's own, on the next edge that loads them; the old ones stay

my $supply = 'Now, <b>"please"</b> & thanks';
own(en => { 'consent.supply' => $supply, 'consent.waiver' => 'I know.', 'consent.product' => 'Fits!' });
$t->conf(@conf, http => "mpk_pages $dir/pages;")->reload or die 'no reload';
ok(wait_for(sub { keys %{kept()} == 10 }, 'the words are kept'), 'words that were changed are kept beside the old ones');
agreed('W-own');
is(evidence('W-own')->{consent}[0]{words}, "$supply\nI know.", 'evidence has the new ones of what was agreed to since');
is(evidence('W-en')->{consent}[0]{words}, words('en'), 'and the old ones of what was agreed to before');
like($t->api('GET', 'orders/W-own/evidence?format=html', undef, token => 'support-token')->{body},
    qr{<q>Now, &lt;b&gt;&quot;please&quot;&lt;/b&gt; &amp; thanks</q>}, 'in print they are escaped');


# what is in Redis is not trusted

my $hash = hash(words('en'));
my $only_hash = sub {
    my ($name) = @_;
    my $e = evidence('W-en');
    is_deeply([ exists $e->{consent}[0]{words} ? 1 : 0, $e->{consent}[0]{text} ], [ 0, $hash ], "$name: evidence has the hash alone");
    unlike($json->encode($e), qr/withdraw the right|right away/, "$name: and no other words");
    is($e->{verification}{verdict}, 'intact', "$name: the journal is proved all the same");
    my $print = $t->api('GET', 'orders/W-en/evidence?format=html', undef, token => 'support-token');
    is("$print->{status} " . ($print->{body} =~ m{<q>I (?:ask|withdraw)} ? 1 : 0), '200 0', "$name: in print, too");
};

for my $other ('I withdraw the right', words('en') . ' ', 'Fits!', '') {
    $redis->cmd('HSET', 'mpk:texts', $hash, encode('UTF-8', $other));
    $only_hash->("\"" . substr($other, 0, 20) . "\" in its place");
}

$redis->cmd('HDEL', 'mpk:texts', $hash);
$only_hash->('words that are gone');
$redis->cmd('DEL', 'mpk:texts');
$redis->cmd('SET', 'mpk:texts', 'x');
$only_hash->('another type');
$redis->cmd('DEL', 'mpk:texts');

$t->conf(@conf)->reload or die 'no reload';
ok(wait_for(sub { (kept()->{$hash} // '') eq words('en') }, 'the words are kept'), 'an edge that has them writes them again');
is(evidence('W-en')->{consent}[0]{words}, words('en'), 'and evidence has them');


# bounds: 512 texts of 4,096 bytes

$redis->cmd('HSET', 'mpk:texts', map { ("h$_" => 'x') } 1 .. 511 - keys %{kept()});
own(en => { 'consent.supply' => 'w' x 4094, 'consent.waiver' => 'v', 'consent.product' => 'f' });
my $mark = $t->mark;
$t->conf(@conf, http => "mpk_pages $dir/pages;")->reload or die 'no reload';
ok(wait_for(sub { $t->log_since($mark) =~ /mpk:texts has 512 texts of consents and no room for 1 of this edge/ }, 'it is full'), 'with 512 texts there is no room for more');
is(scalar keys %{kept()}, 512, 'and no more are written');
agreed('W-long');
my $e = evidence('W-long');
is(length $e->{consent}[0]{words}, 4096, 'the longest words are kept and read');
is($e->{consent_product}[0]{words}, undef, 'of those without room evidence has the hash');
is($e->{consent_product}[0]{text}, hash('f'), 'as it was journaled');

own(en => { 'consent.supply' => 'w' x 4095, 'consent.waiver' => 'v' });
my ($good, $out) = $t->check;
ok(!$good && $out =~ /the texts of consent in "en" have over 4096 bytes: shorten them/, 'longer ones are refused by nginx -t');

$t->finish(alerts => qr/\[emerg\]/);
