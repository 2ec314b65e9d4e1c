#!/usr/bin/perl

# docs/openapi.yaml: it is OpenAPI, without a finding of linters; what the other tests have
# seen of the API, kept by the harness in the file that MPK_ANSWERS names, is what it says
# (alone, it runs t/api.t); a client that is generated of it files, reveals and decides.

use warnings;
use strict;

use lib 't/lib';
use File::Copy qw(copy);
use JSON::PP;
use Mpk;
use Mpk::Node;
use Test::More;

plan skip_all => 'the answers are the same on this nginx' if $ENV{MPK_SANITIZED} || $ENV{MPK_VALGRIND};

my $home = 'objs/openapi';
my $answers = $ENV{MPK_ANSWERS} // "$home/answers.ndjson";
my $missing = Mpk::Node::packages('t/openapi', $home);

is($missing, '', 'what the test needs is installed');

if (!$missing && !$ENV{MPK_ANSWERS}) {
    unlink $answers;
    local $ENV{MPK_ANSWERS} = $answers;
    is(system("$^X t/api.t > $home/api.log 2>&1"), 0, 't/api.t passes');
}

# a module finds its packages beside itself

copy('t/openapi/check.mjs', $home) or die "$home: $!";
open my $from, '-|', 'node', "$home/check.mjs", 'docs/openapi.yaml', $answers or die "node: $!";

my $ended = 0;

while (my $line = <$from>) {
    chomp $line;
    if ($line =~ /^(not )?ok \d+ - (.*)/) {
        ok(!$1, $2);
    } elsif ($line =~ /^1\.\.(\d+)$/) {
        $ended = $1;
    } elsif ($line =~ /^# (unseen: .*|.* passed over)$/) {
        note($1);
    } else {
        diag($line =~ s/^# //r);
    }
}

close $from;
is($?, 0, 'the check ran');
ok($ended, 'to its end');


# linters

copy('t/openapi/lint.mjs', $home) or die "$home: $!";
my $found = `node $home/lint.mjs docs/openapi.yaml 2>&1`;
is("$? $found", '0 ', 'Redocly and Spectral find nothing');


# a generated client, in a language with types

copy("t/openapi/$_", $home) or die "$home: $!" for qw(client.ts tsconfig.json);
unlink "$home/client.js";

my $bin = "$home/node_modules/.bin";
my $said = `$bin/openapi-typescript docs/openapi.yaml --output $home/api.d.ts 2>&1`;
is($?, 0, 'openapi-typescript generates types') or diag($said);
$said = `$bin/tsc --project $home 2>&1`;
is("$? $said", '0 ', 'tsc compiles a client with them');

my $t = Mpk->new;
$t->redis;
$t->conf(location => 'location = /track { mpk_track on; } location /claim/ { mpk_claim on; }')->start;

$said = `node $home/client.js http://127.0.0.1:@{[$t->port('edge')]} $t->{token} read-token 2>&1`;
is($?, 0, 'it runs') or diag($said);

my $did = eval { decode_json($said) } // {};

is($did->{filed}, 201, 'it files an order');
is_deeply($did->{differs}, [ 409, 'urn:mpk:differs', 'R10' ], 'R10: other content is refused, with types');
is($did->{many}, 2, 'it files many orders');
is($did->{released}, 'ready', 'it releases one');
is_deeply($did->{shown}, [ 'AAAAA-BBBBB-CCCCC' ], 'its link reveals the key');
is($did->{claimed}, 201, 'the customer reports it');
is_deeply($did->{claim}, [ qw(TS-1 ann@example.com OFF-24), 'Office 2024 Home', 'already_used' ], 'it lists the claim, with its order');
is_deeply($did->{decided}, [ 'TS-1', 'replaced' ], 'and decides it');
is_deeply($did->{seen}, [ 'ann@example.com', [ 'email' ], 'Ann' ], 'it reads the order');
is_deeply($did->{masked}, [ JSON::PP::true, undef, undef, undef ], 'without what is personal in the role "read"');
is($did->{forbidden}, 'urn:mpk:forbidden', 'which may not erase');
is_deeply($did->{journal}, [ 'intact', [ qw(filed released link_minted opened viewed claim_opened claim_replaced) ] ], 'and all of it is in the journal');

$t->finish;
