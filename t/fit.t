#!/usr/bin/perl

# A wrong purchase is caught before its key is used: what an item fits is on the pages before
# the button, with what the button ends; who has the key reads where to enter it, and who helps.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $shop = $t->port('shop');
my $policy = 'https://shop.example/policy?of=keys&now';
my @languages = qw(en de fr es);
my %messages = map { my $l = $_; open my $f, '<', "ngx_mpk_module/pages/$l.json" or die; local $/; ($l => decode_json(<$f>)) } @languages;

$t->conf(http => "mpk_policy_url $policy;", location => <<CONF, shop => <<'SHOP')->start;
        location = /track { mpk_track on; }
        location /claim/ { mpk_claim on; }
        location = /account { set \$who \$arg_as; mpk_account \$who trusted; }
        location /checkout/ { proxy_pass http://127.0.0.1:$shop; }
        location /thanks/ { ssi on; proxy_pass http://127.0.0.1:$shop; }
        location ~ ^/onscreen/(?<id>[^/]+)\$ { internal; mpk_onscreen \$id trusted; }
CONF
        location ~ ^/checkout/(.+)$ { add_header X-Accel-Redirect /onscreen/$1; return 200; }
        location ~ ^/thanks/(.+)$ { default_type text/html; return 200 '<!--#include virtual="/onscreen/$1" -->'; }
SHOP

my %fit = (platform => 'windows', edition => 'Pro <64>', requires => 'A PC with "Windows" 11.', activation_url => 'https://maker.example/key?a=1&b=2',
    support_url => 'http://help.example/');
my %item = (sku => 'S', product => 'Office', key => 'XK7QX-BBBBB');
my @items = ({ %item, %fit }, { %item, product => 'Other', platform => 'A toaster' }, { %item, product => 'Plain' });

# text(body): as it is read, in one line
sub text {
    my ($text) = @_;
    utf8::decode($text);
    $text =~ s{<style>.*?</style>}{}s;
    $text =~ s/<[^>]*>/ /g;
    $text =~ s/&lt;/</g; $text =~ s/&gt;/>/g; $text =~ s/&quot;/"/g; $text =~ s/&amp;/&/g;
    return $text =~ s/[ \n]+/ /gr;
}

my $for = 'For: Windows, Pro <64> Required: A PC with "Windows" 11.';
my $ends = "$messages{en}{'policy.used'} Your statutory rights, also for defects, are not affected. $messages{en}{'policy.link'}";
my $link = '<a href="https://shop.example/policy?of=keys&amp;now">';

# before(name, body, button): all of it stands before the first button
sub before {
    my ($name, $body, $button) = @_;
    my ($before) = $body =~ /^(.*?)$button/s or return fail("$name: there is a button");
    my $text = text($before);
    like($text, qr/Office \Q$for\E/, "$name: what the item fits stands before the button");
    like($text, qr/Other For: A toaster/, "$name: in the shop's own words, too");
    unlike($text, qr/Plain (?:For|Required)/, "$name: nothing of an item that does not say it");
    like($text, qr/\Q$ends\E/, "$name: what the button ends, and which rights stay");
    ok(index($before, $link) > 0, "$name: with a link to the policy");
}

my $reveal = $t->link('F-1', items => \@items, account => 'ann');
before('the confirm page', $t->get($reveal)->{body}, '<button');
before("the order's page", $t->track('F-1', html => 1)->{body}, '<button type="submit" aria-describedby="oF-1"');
before('My Account', $t->get('/account?as=ann')->{body}, '<button type="submit" aria-describedby="oF-1"');
like(text($t->track('F-1', html => 1)->{body} =~ s/<button.*//sr), qr/\Q$ends\E.*Office \Q$for\E/, 'of an item, before its own button');
before('the fragment', $t->get('/thanks/F-1')->{body}, '<button');
before('the page on screen', $t->get('/checkout/F-1', headers => { 'Sec-Fetch-Dest' => 'iframe' })->{body}, '<button');

for my $language (@languages) {
    my $page = text($t->get($t->link("L-$language", items => \@items, locale => $language))->{body});
    like($page, qr/\Q$messages{$language}{$_}\E/, "$language: $_") for qw(policy.used policy.rights policy.link);
    (my $for = $messages{$language}{'fit.for'}) =~ s/\{\{fits\}\}/Windows, Pro <64>/;
    like($page, qr/\Q$for\E/, "$language: what it fits");
}

is(scalar(keys %{{ map { $messages{$_}{'policy.rights'} => 1 } @languages }}), 4, 'each in its own words');

my %known = (windows => 'Windows', macOS => 'macOS', LINUX => 'Linux', android => 'Android', ios => 'iOS', 'Windows 95' => 'Windows 95');
for (sort keys %known) {
    like(text($t->get($t->link("N-" . s/ //r, items => [ { %item, platform => $_ } ]))->{body}), qr/Office For: $known{$_} \S/, "\"$_\" is read as $known{$_}");
}
like(text($t->get($t->link('N-1', items => [ { %item, edition => 'EU' } ]))->{body}), qr/Office For: EU \S/, 'an edition needs no platform');
like(text($t->get($t->link('N-2', items => [ { %item, requires => 'Much.' } ]))->{body}), qr/Office Required: Much\. /, 'nor what is required');


# as many as an order may have

my @many = map { { sku => "S$_", product => "P$_", key => "K$_", platform => 'windows', edition => 'Pro', requires => 'A PC.',
    activation_url => 'https://maker.example/', support_url => 'https://help.example/' } } 1 .. 500;
is($t->api('PUT', 'orders/M-1', $t->order(items => \@many))->{status}, 201, '500 items that say all are filed');
is(scalar(grep { $_->{support_url} } @{$t->api('GET', 'orders/M-1')->{json}{items}}), 500, 'and come back');
my $lines = $t->request('POST', '/mpk/v1/orders', headers => { Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/x-ndjson' },
    body => encode_json({ %{$t->order(items => \@many)}, order => 'M-2' }) . "\n");
like($lines->{body}, qr/"created":1/, 'as a line, too') or diag($lines->{body});


# the same for programs

sub members { my ($item) = @_; return { map { exists $item->{$_} ? ($_ => $item->{$_}) : () } keys %fit } }

my $facts = decode_json($t->get($reveal, headers => { Accept => 'application/json' })->{body});
is_deeply(members($facts->{items}[0]), \%fit, 'the confirm page in JSON says the same');
is_deeply([ sort keys %{$facts->{items}[2]} ], [ qw(item product sku) ], 'of an item that says nothing, nothing');
is($facts->{policy_url}, $policy, 'with the policy');
$facts = $t->track('F-1')->{json};
is_deeply(members($facts->{items}[0]), \%fit, 'so does the order');
is($facts->{policy_url}, $policy, 'with the policy');


# with the key

my $page = $t->post($reveal, { email => 'ann@example.com', nonce => $t->nonce($reveal) })->{body};
my ($first, $second) = $page =~ m{<article.*?</article>}gs;
like(text($first), qr/Office \Q$for\E.*XK7QX-/, "the key's page says what it fits");
my ($activate, $help) = ('https://maker.example/key?a=1&amp;b=2', 'http://help.example/');
like($first, qr{\Q$messages{en}{'keys.enter'}\E <a href="\Q$activate\E" target="_blank" rel="noreferrer">\Q$activate\E</a>}, 'where its key is entered');
like($first, qr{\Q$messages{en}{'keys.use'}\E <a href="\Q$help\E" target="_blank" rel="noreferrer">\Q$help\E</a>}, 'and who helps with its use');
unlike($second, qr/<a /, 'not of an item that does not say it');

unlike(text($t->track('F-1', html => 1)->{body}), qr/statutory/, 'what was ended before does not end again');

my $once = $t->confirm($t->mint('F-1'))->{json};
is_deeply(members($once->{items}[0]), \%fit, 'the keys in JSON say the same');


# a claim that is about use

for my $reason (qw(product_use not_defective)) {
    my $id = $t->file("C-$reason", items => [ { %item, %fit } ]);
    $t->confirm($t->mint($id));
    my ($path) = $t->track($id)->{json}{claim_url} =~ m{//[^/]+(/.*)};
    is($t->post($path, { name => 'Ann', order => $id, email => 'ann@example.com', key => $item{key}, category => 'other', description => 'How?' },
        headers => { Accept => 'application/json' })->{status}, 201, 'a claim');
    is($t->api('POST', "orders/$id/claims/1/reject", { reason => $reason })->{status}, 200, "rejected: $reason");
    my ($claim) = $t->track($id, html => 1)->{body} =~ m{(<section class="claim".*?</section>)}s;
    my $leads = $claim =~ m{<a href="\Q$help\E">} ? 'leads' : 'does not lead';
    is($leads, $reason eq 'product_use' ? 'leads' : 'does not lead', "$reason: it $leads to the maker");
}


# another platform

my $pc = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0';
my $ipad = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15';
my $phone = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36';
my $warning = $messages{en}{'confirm.warning'};
my $n = 0;

for (
    [ 'macos', { 'User-Agent' => $pc }, 1, 'a PC reads of an item for Macs' ],
    [ 'linux', { 'User-Agent' => $pc, 'Sec-CH-UA-Platform' => '"macOS"' }, 1, 'the hint goes over User-Agent' ],
    [ 'windows', { 'User-Agent' => $phone, 'Sec-CH-UA-Platform' => '"Linux"' }, 1, 'also where it says a desktop' ],
    [ 'windows', { 'User-Agent' => $pc }, 0, 'the same platform' ],
    [ 'windows', { 'User-Agent' => $pc, 'Sec-CH-UA-Platform' => '"Windows"' }, 0, 'by the hint' ],
    [ 'windows', { 'User-Agent' => $phone, 'Sec-CH-UA-Platform' => '"Android"' }, 0, 'a phone that reads mail for a PC' ],
    [ 'windows', { 'User-Agent' => $phone }, 0, 'without a hint, too' ],
    [ 'windows', { 'User-Agent' => $ipad }, 0, 'an iPad that calls itself a Mac' ],
    [ 'android', { 'User-Agent' => $pc }, 0, 'an item for phones' ],
    [ 'Windows 11 PC', { 'Sec-CH-UA-Platform' => '"macOS"' }, 0, 'an item in other words' ],
    [ undef, { 'Sec-CH-UA-Platform' => '"macOS"' }, 0, 'an item that does not say it' ],
    [ 'windows', {}, 0, 'a browser that does not tell' ],
) {
    my ($platform, $headers, $warns, $what) = @$_;
    my $link = $t->link('W-' . ++$n, items => [ \%item, { %item, platform => $platform } ]);
    my $page = $t->get($link, headers => $headers)->{body};
    is(index(text($page), $warning) > 0 ? 1 : 0, $warns, ($warns ? 'warned: ' : 'not warned: ') . $what);
    is($page =~ /name="warned" value="yes"/ ? 1 : 0, $warns, 'its form says so');
    my $facts = decode_json($t->get($link, headers => { %$headers, Accept => 'application/json' })->{body});
    is($facts->{warning} ? 1 : 0, $warns, 'so does JSON');
}

my $warned = $t->link('W-JOURNAL', items => [ { %item, platform => 'macos' } ]);
is($t->confirm($warned, headers => { 'User-Agent' => $pc }, email => 'eve@example.com', warned => 'yes')->{status}, 422, 'what is wrong stays wrong');
is($t->confirm($warned, headers => { 'User-Agent' => $pc }, warned => 'yes')->{status}, 200, 'a warning blocks nothing');
my ($view) = grep { $_->{event} eq 'viewed' } @{$t->journal('W-JOURNAL')->{entries}};
is($view->{warning_shown}, JSON::PP::true, 'the journal has that it was shown');
unlike(encode_json({ map { $_ eq 'user_agent' ? () : ($_ => $view->{$_}) } keys %$view }), qr/windows|macos/i, 'and nothing of the device');
my $evidence = $t->api('GET', 'orders/W-JOURNAL/evidence')->{json}{evidence};
like($evidence->{activity}, qr/\| warning about another platform shown before/, 'so has the evidence');
my $printed = $t->request('GET', '/mpk/v1/orders/W-JOURNAL/evidence?format=html', headers => { Authorization => "Bearer $t->{token}" })->{body};
like(text($printed), qr/\Q$messages{en}{'evidence.warned'}\E/, 'printed, too');
is($t->confirm($t->link('W-NONE', items => [ { %item, platform => 'macos' } ]), headers => { 'User-Agent' => $pc })->{status}, 200, 'a view without the page');
($view) = grep { $_->{event} eq 'viewed' } @{$t->journal('W-NONE')->{entries}};
ok(!exists $view->{warning_shown}, 'that has not shown it says nothing');
is($t->confirm($t->link('W-FORGED', items => [ { %item, platform => 'windows' }, \%item ]), headers => { 'User-Agent' => $pc }, warned => 'yes')->{status}, 200,
    'a form that says so without a reason');
($view) = grep { $_->{event} eq 'viewed' } @{$t->journal('W-FORGED')->{entries}};
ok(!exists $view->{warning_shown}, 'is not believed');
unlike(text($t->get($t->mint('W-JOURNAL'), headers => { 'User-Agent' => $pc })->{body}), qr/\Q$warning\E/, 'who has seen the key is not warned again');
like(text($t->get('/checkout/' . $t->file('W-SCREEN', items => [ { %item, platform => 'macos' } ]), headers => { 'User-Agent' => $pc, 'Sec-Fetch-Dest' => 'iframe' })->{body}),
    qr/\Q$warning\E/, 'on screen, too');


# a box of its own

sub boxes { return join ' ', $_[0] =~ /type="checkbox" id="consent_(\w+)" name="[^"]+" value="yes" required(?: aria-[^>]*)?>/g }

my %hash;

for (
    [ 'product', 'product', 'consent_product' ], [ 'supply product', 'supply waiver product', 'consent_product' ],
    [ 'product supply', 'supply waiver product', 'consent_product' ], [ 'supply', 'supply waiver', 'consent_waiver' ], [ 'on', 'supply waiver', 'consent_supply' ],
    [ 'off', '', undef ],
) {
    my ($consent, $boxes, $missing) = @$_;
    (my $id = "B-$consent") =~ tr/ /_/;
    $t->conf(http => 'mpk_consent supply;', server => "mpk_consent $consent;", location => 'location = /track { mpk_track on; }')->reload or die 'no reload';
    my $link = $t->link($id, items => \@items, locale => 'de');
    my $page = $t->get($link)->{body};
    is(boxes($page), $boxes, "mpk_consent $consent: its boxes, unticked");
    is(boxes($t->get($t->link("$id-PLAIN", items => [ \%item ]))->{body}), $boxes =~ s/ ?product//r, 'of an item that does not say what it fits, one less');
    is($t->track($id, html => 1)->{body} =~ /<form method="post" action="\/r\/[^>]*><[^>]*><button class="quiet"/ ? 1 : 0, $consent =~ /^(?:off|product)$/ ? 1 : 0,
        'the order shows a key at once where nothing is asked');
    my %ticked = (language => 'de', map { ("consent_$_" => 'yes') } split / /, $boxes);

    if ($missing) {
        my %without = %ticked;
        delete $without{$missing};
        my $nonce = $t->nonce($link);
        my $r = $t->confirm($link, %without);
        my $pointer = $missing eq 'consent_product' ? '/consent_product' : '/consent_supply';
        is("$r->{status} $r->{json}{errors}[0]{pointer}", "422 $pointer", "without $missing no key");
        $page = $t->post($link, { email => 'ann@example.com', nonce => $nonce, %without })->{body};
        my $error = $messages{de}{$missing eq 'consent_product' ? 'error.product' : 'error.consent'};
        like(text($page), qr/\Q$error\E.*\Q$error\E/, 'and the page says which box');
    }

    is($t->confirm($link, %ticked)->{status}, 200, 'with all of them there is a view');
    my ($view) = grep { $_->{event} eq 'viewed' } @{$t->journal($id)->{entries}};
    is(join(' ', grep { exists $view->{$_} } qw(consent consent_product)), join(' ', $boxes =~ /supply/ ? 'consent' : (), $boxes =~ /product/ ? 'consent_product' : ()),
        'of which the journal has what was asked');
    $hash{$view->{consent_product}}++ if $view->{consent_product};
    is(boxes($t->get($t->mint($id))->{body}), '', 'after it, nothing is asked again');
}

use Digest::SHA qw(sha256_base64);
use Encode qw(encode);
my $own = sha256_base64(encode('UTF-8', $messages{de}{'consent.product'}));
is_deeply([ map { s/=+$//r } keys %hash ], [ $own ], 'it is the hash of the text in the language in which it was read');
like($t->api('GET', 'orders/B-product/evidence')->{json}{evidence}{activity}, qr/\| confirmed that the product fits/, 'it is evidence');
ok(!@{$t->api('GET', 'orders/B-product/evidence')->{json}{evidence}{consent}}, 'of no consent to supply');


# without a policy

$t->conf(location => 'location = /track { mpk_track on; }')->reload or die 'no reload';
$page = $t->get($t->link('P-1'))->{body};
like($page, qr/statutory rights/, 'without mpk_policy_url the rights stay');
unlike($page, qr/\Q$messages{en}{'policy.link'}\E/, 'without a link');

$t->finish;
