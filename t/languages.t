#!/usr/bin/perl

# Languages and branding: complete catalogues, the right one chosen, a shop's own over them.

use warnings;
use strict;
use utf8;

use lib 't/lib';
use JSON::PP;
use Mpk;
use POSIX qw(strftime);
use Test::More;

my $t = Mpk->new;
my $dir = $t->dir;
my $redis = $t->redis;
my @languages = qw(en de fr es);

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

# the catalogues

my %messages;

for my $language (@languages) {
    open my $f, '<', "ngx_mpk_module/pages/$language.json" or die "$language.json: $!";
    local $/;
    $messages{$language} = JSON::PP->new->utf8->decode(scalar <$f>);
}

my @own = grep { !/^(shop|color)\./ } sort keys %{$messages{en}};

for my $language (@languages[1 .. 3]) {
    my $m = $messages{$language};

    is_deeply([ grep { !defined $m->{$_} } @own ], [], "$language: no message is missing");
    is_deeply([ grep { !defined $messages{en}{$_} } sort keys %$m ], [], "$language: no message is too many");
    is_deeply([ grep { facts($m->{$_}) ne facts($messages{en}{$_}) } @own ], [], "$language: each message has the facts of the English one");
    is_deeply([ grep { $m->{$_} eq $messages{en}{$_} && $messages{en}{$_} =~ /[a-z]{3}.* / } @own ], [], "$language: no message is still English");
    is($m->{lang}, $language, "$language: it names itself");
    like($m->{date}, qr/UTC/, "$language: times have their zone");
}

# typography: no language has straight quotes, French a no-break space before what stands high

for my $language (@languages) {
    my $m = $messages{$language};
    my @own = grep { !/^(shop|color)\./ } sort keys %$m;

    is_deeply([ grep { $m->{$_} =~ /['"]/ } @own ], [], "$language: no message has straight quotes");
    is_deeply([ grep { $m->{$_} =~ /  |^ | $|\.\.\./ } @own ], [], "$language: nor two blanks, one at an end, or three full stops");
}

is_deeply([ grep { (my $text = $messages{fr}{$_}) =~ s/%H:%M|https?:|mailto://g; $text =~ /[^\x{a0}\x{202f}][:;?!»]|«[^\x{a0}\x{202f}]/ }
    grep { !/^shop\./ } sort keys %{$messages{fr}} ], [], 'fr: a no-break space before each colon, semicolon, question and exclamation mark');

# one word for one thing

my %never = (de => qr/Support|Bildschirmfoto|angeblich/, fr => qr/[Ss]ignalement|assistance/, es => qr/[Aa]viso|servicio técnico|equipo de soporte/);
for my $language (sort keys %never) {
    is_deeply([ grep { $messages{$language}{$_} =~ $never{$language} } @own ], [], "$language: support, a report and a screenshot have one name each");
}

# each message is used: by its name in a template, another message or the source, or, of pages
# that are alike, as PAGE.title, PAGE.what and PAGE.next

my $sources = join '', map { local (@ARGV, $/) = $_; scalar <> } glob('ngx_mpk_module/pages/*.mustache'), glob('ngx_mpk_module/http/*/*.c'), glob('ngx_mpk_module/core/*.c');
$sources .= join ' ', values %{$messages{en}};
my %used = map { $_ => 1 } $sources =~ /\{\{>([\w.]+)\}\}/g, $sources =~ /"([\w.]+)"/g;
is_deeply([ grep { !$used{$_} && !(/^(\w+)\.(?:title|what|next)$/ && $used{$1}) } @own ], [], 'no message is unused');

sub facts { return join ' ', sort $_[0] =~ /\{\{.*?\}\}/g }


# which one is chosen

$t->conf(http => 'access_log off;', location => 'location = /track { mpk_track on; }',
    server => '')->start;

sub lang {
    my ($path, $accept) = @_;
    my ($lang) = $t->get($path, headers => defined $accept ? { 'Accept-Language' => $accept } : {})->{body} =~ /<html lang="([^"]+)"/;
    return $lang // '';
}

my @accepts = (
    [ undef, 'en' ], [ 'de', 'de' ], [ 'de-AT, en;q=0.5', 'de' ], [ 'FR', 'fr' ], [ 'nl, es;q=0.8, de;q=0.9', 'de' ],
    [ 'ja', 'en' ], [ '*', 'en' ], [ 'es;q=0', 'en' ], [ 'de;q=0.1,fr;q=0.2', 'fr' ], [ ',,;q=,de', 'de' ], [ 'e', 'en' ],
    [ 'de' x 5000, undef ],
);

for my $case (@accepts) {
    my ($accept, $want) = @$case;
    is(lang('/track', $accept), $want // '', 'Accept-Language "' . substr($accept // 'none', 0, 40) . '"') if defined $want;
}

is(lang($t->link('L-1', locale => 'fr')), 'fr', 'an order\'s locale decides');
is(lang($t->link('L-2', locale => 'fr_CA'), 'de'), 'fr', 'over Accept-Language, with or without a country');
is(lang($t->link('L-2-' . tr/.@/_-/r, locale => $_), 'fr'), 'de', "\"$_\" is German") for qw(de_DE.UTF-8 de@euro de-CH-1996 DE);
is(lang($t->link('L-3', locale => 'nl'), 'de'), 'de', 'a locale without a catalogue leaves it to Accept-Language');
is(lang($t->link('L-4'), 'es'), 'es', 'so does an order without a locale');
is(lang('/r/forged', 'es'), 'es', 'what is no link is answered in the browser\'s language');


# every page in every language has its texts, and times as they are written there

my %dates = (en => '1 March 2026, 04:05 UTC', de => '1. März 2026, 04:05 Uhr (UTC)', fr => '1er mars 2026 à 04:05 (UTC)',
    es => '1 de marzo de 2026, 04:05 (UTC)');

for my $language (@languages) {
    my $id = $t->file("D-$language", locale => $language, purchased_at => '2026-03-01T04:05:06Z');
    my $body = $t->track($id, html => 1)->{body};
    utf8::decode($body);
    like($body, qr/<html lang="$language" dir="ltr">/, "$language: the order's page");
    like($body, qr/\Q$dates{$language}\E/, "$language: times are written as there");
    my $paid = $messages{$language}{'timeline.paid'};
    like($body, qr/\Q$paid\E/, "$language: with its words");

    my $link = $t->mint($id);
    my $keys = $t->post($link, { email => 'ann@example.com', nonce => $t->nonce($link) })->{body};
    utf8::decode($keys);
    my $copy = $messages{$language}{'copy.button'};
    like($keys, qr/ data-copy="\Q$copy\E"/, "$language: the key's page");
}


# consent is recorded in the language in which it was read

$t->conf(server => 'mpk_consent on;', location => '')->reload or die 'no reload';
my %hash;

for my $language (@languages) {
    my $link = $t->link("C-$language", locale => $language);
    my $page = $t->get($link)->{body};
    my ($nonce) = $page =~ /name="nonce" value="([^"]+)"/;
    my ($said) = $page =~ /name="language" value="([^"]+)"/;
    is($said, $language, "$language: the page says in which language the boxes are");
    is($t->confirm($link, nonce => $nonce, language => $said, consent_supply => 'yes', consent_waiver => 'yes')->{status}, 200, "$language: agreed");
    my $entry = $t->journal("C-$language")->{entries}[-1];
    is($entry->{consent}{language}, $language, "$language: the journal has the language");
    $hash{$entry->{consent}{text}}++;
}

is(scalar(keys %hash), scalar @languages, 'and the hash of that language\'s text');


# a shop's own

mkdir "$dir/pages";

sub own { $t->write("pages/$_[0]", ref $_[1] ? JSON::PP->new->utf8->encode($_[1]) : $_[1]) }

own('en.json', { 'shop.name' => 'Microprokey', 'shop.logo' => 'https://cdn.example/logo.svg', 'shop.support_email' => 'help@shop.example',
    'color.accent' => '#a01010', 'color.accent_dark' => 'rgb(255, 160, 160)', 'track.button' => 'Look it up' });
own('de.json', { 'track.title' => 'Wo ist mein Schlüssel?' });
own('zh-hant.json', { lang => 'zh-Hant' });
own('zh.json', { lang => 'zh' });
own('ar.json', { dir => 'rtl', 'track.title' => 'ابحث عن طلبك' });
$t->conf(http => "mpk_pages $dir/pages;", location => 'location = /track { mpk_track on; }')->reload or die 'no reload';
$t->mint($t->file('B-1', purchased_at => strftime('%Y-%m-%dT00:00:00Z', gmtime)));
my $until = strftime('%-d %B %Y', gmtime time + 7 * 86400);

my $found = $t->track('B-1', html => 1)->{body};
like($found, qr{Report it by <time datetime="[^"]+">$until.*<a href="#support">Report a problem</a>.*<footer id="support">.*mailto:help\@shop\.example}s,
    'a problem is reported where the shop says, while the window is open');

own('order.mustache', "<html lang=\"{{>lang}}\">{{order}} of our own</html>\n");

$t->conf(http => "mpk_pages $dir/pages;", location => 'location = /track { mpk_track on; }')->reload or die 'no reload';

my $r = $t->get('/track');
like($r->{body}, qr{<header><img src="https://cdn\.example/logo\.svg" alt="Microprokey"></header>}, 'the logo stands with the name as its text');
like($r->{headers}{'content-security-policy'}, qr{img-src https://cdn\.example;}, 'the policy allows its host, and that one only');
like($r->{body}, qr/:root\{--accent: #a01010\}/, 'the colour is the shop\'s');
like($r->{body}, qr/prefers-color-scheme: dark\)\{ :root\{--accent: rgb\(255, 160, 160\)\} \}/, 'in dark mode, too');
like($r->{body}, qr/mailto:help\@shop\.example/, 'the support address, too');
like($r->{body}, qr/Look it up/, 'a message is replaced');

sub titled { my $b = $t->get('/track', headers => { 'Accept-Language' => $_[0] })->{body}; utf8::decode($b); return $b }

like(titled('de'), qr/Wo ist mein Schlüssel\?/, 'in another language, too');
like(titled('de'), qr/\Q$messages{de}{'track.email'}\E/, 'whose other messages stay');
like(titled('de'), qr/alt="Microprokey"/, 'and what is the shop\'s own comes from en.json');
like(titled('ar'), qr{<html lang="ar" dir="rtl">.*ابحث عن طلبك}s, 'a language can be added, from right to left');
like(titled('zh-Hant-TW'), qr/<html lang="zh-Hant"/, 'RFC 4647: a tag is shortened subtag by subtag');
like(titled('zh-Hans-CN'), qr/<html lang="zh"/, 'down to the language');
like(titled('ar'), qr/Order number/, 'what it lacks is English');
is($t->track('D-de', html => 1)->{body},
    qq(<html lang="de">D-de of our own</html>\n), 'a template is replaced');

# what is broken dies at nginx -t

sub refused {
    my ($name, $text, $file, $content) = @_;
    my $kept = $t->read("pages/$file");
    own($file, $content);
    my ($good, $out) = $t->check;
    ok(!$good, "$name is refused");
    like($out, $text, "$name: with the remedy");
    length $kept ? $t->write("pages/$file", $kept) : unlink "$dir/pages/$file";
}

refused('a colour that is none', qr/"color\.accent" is not a CSS colour/, 'en.json', { 'color.accent' => 'red} body{display:none' });
refused('a logo that is no address', qr/"shop\.logo" must be/, 'en.json', { 'shop.logo' => 'javascript:alert(1)' });
refused('a date without sense', qr/de\.json: "months" must have twelve names/, 'de.json', { date => '%x' });
refused('eleven months', qr/fr\.json: "months" must have twelve names/, 'fr.json', { months => 'a b c d e f g h i j k' });
refused('a broken catalogue', qr/pages\/es\.json, line 1/, 'es.json', '{');
refused('a broken template', qr/line 1: _order: /, '_order.mustache', '{{#items}}');

$t->finish(alerts => qr/\[emerg\]/);
