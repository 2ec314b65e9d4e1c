#!/usr/bin/perl

# What an earlier release has written is read: t/data has what each left in Redis, its
# keyring, and what it answered.
#
#     MPK_RELEASE=0.2.0 prove -It/lib t/upgrade.t     writes t/data/0.2.0.json instead

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use MIME::Base64 qw(encode_base64 decode_base64);
use Mpk;
use Test::More;

plan skip_all => 'finds nothing more there' if $ENV{MPK_VALGRIND};

my $json = JSON::PP->new->utf8->canonical->indent->indent_length(1);
my @conf = (location => 'location = /track { mpk_track on; } location /claim/ { mpk_claim on; }
    location /account { set $who $arg_as; mpk_account $who trusted; }');

my $years = 10 * 365 * 86400 - 86400;

sub bytes { return encode_base64($_[0], '') }

# answers(t, id): what an order is to shop and support, without what depends on the time
sub answers {
    my ($t, $id) = @_;
    my $order = $t->api('GET', "orders/$id")->{json};
    delete $order->{policy};
    my $journal = $t->journal($id);
    my $evidence = $t->api('GET', "orders/$id/evidence")->{json}{evidence};
    return { order => $order, journal => $journal, evidence => $evidence && $evidence->{verification}{verdict} };
}

sub make {
    my ($file) = @_;
    my $t = Mpk->new;
    my $redis = $t->redis;
    my $dir = $t->dir;
    my %data = (links => {});
    $t->conf(@conf)->start;

    my $done = sub { my $r = $t->api(@_); die "@_[0, 1]: $r->{status} $r->{body}" unless $r->{status} == 200 };
    my $link = sub { my ($id) = @_; return $data{links}{$id} = $t->mint($id, { ttl => $years }) };
    my $claim = sub {
        my ($id) = @_;
        $t->confirm($t->mint($id));
        my ($path) = $t->track($id)->{json}{claim_url} =~ m{//[^/]+(/.*)};
        my $r = $t->post($path, { name => 'Ann Example', order => $id, email => 'ann@example.com', key => "KEY-OF-$id", category => 'other',
            description => 'It fails.' }, headers => { Accept => 'application/json' });
        die "$id: $r->{status}" unless $r->{status} == 201;
    };
    my $file_order = sub { my ($id, %over) = @_; $t->file($id, account => 'ann', purchased_at => Mpk::ago(60),
        items => [ { sku => 'S', product => "Büro $id", key => "KEY-OF-$id" } ], %over) };

    $file_order->('held', state => 'held');
    $file_order->('released', state => 'held');
    $done->('POST', 'orders/released/release');
    $link->('released');
    $file_order->('cancelled', state => 'held');
    $done->('POST', 'orders/cancelled/cancel', { reason => 'fraud' });
    $file_order->('viewed');
    $t->confirm($t->mint('viewed'));
    $link->('viewed');
    $file_order->('many', items => [ map { { sku => "S-$_", product => "P-$_", key => "KEY-OF-many-$_" } } 1 .. 20 ]);
    $link->('many');
    $file_order->('claimed');
    $claim->('claimed');
    $file_order->('replaced');
    $claim->('replaced');
    $done->('POST', 'orders/replaced/claims/1/replace', { key => 'KEY-OF-replaced-2', finding => { result => 'defective', text => 'Blocked by its maker.' } });
    $link->('replaced');
    $file_order->('refunded');
    $claim->('refunded');
    $done->('POST', 'orders/refunded/claims/1/refund', { reason => 'no more keys', finding => { result => 'defective', text => 'Blocked by its maker.' } });
    $file_order->('rejected');
    $claim->('rejected');
    $done->('POST', 'orders/rejected/claims/1/reject', { reason => 'product_use' });
    $file_order->('erased');
    $done->('DELETE', 'orders/erased');
    $file_order->('rotated');
    system('bin/mpk-keyring', 'rotate', "$dir/keyring.json", $_) == 0 or die for qw(token wrap journal evidence);
    $t->reload;
    $t->confirm($t->mint('rotated'));
    $link->('rotated');

    $data{keyring} = $t->read('keyring.json');
    $data{answers}{$_} = answers($t, $_) for grep { s/.*:o:// } @{$redis->cmd('KEYS', 'mpk:*:o:*')};

    for my $key (grep { !/^mpk:(?:meta|texts)\z/ } @{$redis->cmd('KEYS', '*')}) {
        my $type = $redis->cmd('TYPE', $key);
        next if $type eq 'stream' || $type eq 'string';
        $data{redis}{$key} = { type => $type, values => [ map { bytes($_) } @{$redis->cmd($type eq 'hash' ? ('HGETALL', $key)
            : ('ZRANGE', $key, 0, -1, 'WITHSCORES'))} ] };
    }

    open my $f, '>', $file or die "$file: $!";
    print $f $json->encode(\%data);
    close $f;
    ok($t->quit, 'written');
    $t->finish;
    exit;
}

make("t/data/$ENV{MPK_RELEASE}.json") if $ENV{MPK_RELEASE};

my @files = glob 't/data/*.json';
cmp_ok(scalar @files, '>', 0, 'there is a release to upgrade from');

for my $file (@files) {
    my ($release) = $file =~ m{([^/]+)\.json$};
    my $data = do { open my $f, '<', $file or die "$file: $!"; local $/; $json->decode(scalar <$f>) };
    my $t = Mpk->new;
    my $redis = $t->redis;

    for my $key (sort keys %{$data->{redis}}) {
        my @values = map { decode_base64($_) } @{$data->{redis}{$key}{values}};
        $redis->cmd($data->{redis}{$key}{type} eq 'hash' ? ('HSET', $key, @values)
            : ('ZADD', $key, map { ($values[$_ + 1], $values[$_]) } grep { $_ % 2 == 0 } 0 .. $#values));
    }

    $t->write('keyring.json', $data->{keyring}, 0600);
    $t->conf(@conf)->start;

    for my $id (sort keys %{$data->{answers}}) {
        is_deeply(answers($t, $id), $data->{answers}{$id}, "$release: the order \"$id\" is read as it was written");
    }

    my $list = $json->decode($t->get('/account?as=ann', headers => { Accept => 'application/json' })->{body});
    is($list->{total}, scalar(grep { $_ ne 'erased' } keys %{$data->{answers}}), "$release: its account finds them");
    is(join(' ', map { $_->{order} } @{$t->api('GET', 'claims?state=open')->{json}{claims}}), 'claimed', "$release: support finds its open claim");

    # and can be written

    for my $id (sort keys %{$data->{links}}) {
        my $path = $data->{links}{$id};
        my $r = $t->confirm($path);
        is(join(' ', $r->{status}, map { $_->{key} } @{$r->{json}{items} // []}),
            join(' ', 200, $id eq 'many' ? map { "KEY-OF-many-$_" } 1 .. 20 : $id eq 'replaced' ? 'KEY-OF-replaced-2' : "KEY-OF-$id"),
            "$release: a link of \"$id\" shows its key");
        is($t->confirm($path)->{status}, 410, "$release: once");
        is($t->journal($id)->{verdict}, 'intact', "$release: its journal goes on");
    }

    is($t->track('viewed')->{status}, 200, "$release: tracking finds an order by its email address");
    is($t->track('viewed', email => 'eve@example.com')->{status}, 404, "$release: and by no other");
    is($t->api('PUT', 'orders/viewed/email', { email => 'anne@example.com', note => 'mistyped' })->{status}, 200, "$release: an email address is corrected");
    is($t->track('viewed', email => $_->[0])->{status}, $_->[1], "$release: tracking finds the order by the new one alone")
        for [ 'ann@example.com', 404 ], [ 'anne@example.com', 200 ];
    is($t->api('POST', 'orders/viewed/links')->{json}{type}, 'urn:mpk:withheld', "$release: a key that was viewed before is withheld from it");
    is($t->api('POST', 'orders/held/release')->{status}, 200, "$release: a held order is released");
    is($t->api('DELETE', 'orders/claimed')->{status}, 200, "$release: an order is erased");

    ok($t->quit, 'nginx ends');
    is(join("\n", $t->complaints), '', 'without complaints');
    $_->stop for values %{$t->{redis}};
}

done_testing();
