#!/usr/bin/perl

# The policy on a real nginx with a real Redis: thousands of random events keep what can
# never change, and of two events that exclude each other at one instant exactly one wins.

use warnings;
use strict;

use lib 't/lib';
use JSON::PP;
use Mpk;
use POSIX qw(strftime);
use Test::More;

my $t = Mpk->new;
my $redis = $t->redis;
my $json = JSON::PP->new->utf8;
my $form = 'application/x-www-form-urlencoded';
my $steps = $ENV{MPK_STEPS} // ($ENV{MPK_SANITIZED} ? 1500 : 4000);
my $races = $ENV{MPK_RACES} // ($ENV{MPK_SANITIZED} ? 60 : 200);

$t->conf(workers => 2, http => 'access_log off;', location => <<'CONF')->start;
        location /claim/ { mpk_claim on; }
CONF

my @keys = map { "KEY-$_-AAAAA-BBBBB" } 1 .. 3;
my $order = $t->order(state => 'held', items => [ map { { sku => "S$_", product => "P$_", key => $keys[$_ - 1] } } 1 .. 3 ]);

sub entries {
    my ($id) = @_;
    my ($r, @numbers) = $t->revision($redis, $id);
    return ($r, scalar @numbers);
}

sub token { my ($id, %o) = @_; return $t->sign($t->claims($id, %o)) }
sub claim_path { return '/claim/' . token($_[0], aud => 'claim', ch => undef) }
sub claim_body {
    my ($id, $key) = @_;
    return Mpk::Http::form(name => 'Ann', order => $id, email => 'ann@example.com', key => $key, category => 'other', description => 'x');
}
my %json_form = (Accept => 'application/json', 'Content-Type' => $form);


# random events

srand($ENV{MPK_SEED} // 11);

my (%links, %model, %broken, %count, %done);
my @orders = map { "Q-$_" } 1 .. 40;
my $fresh = 0;
my $made = @orders;

sub step {
    my $n = int rand @orders;
    my $id = $orders[$n];
    my $claim = 1 + int rand 3;
    my @nonces = ('one', 'two');

    my %way = (
        file => sub { $t->api('PUT', "orders/$id", $order) },
        release => sub { $t->api('POST', "orders/$id/release") },
        cancel => sub { $t->api('POST', "orders/$id/cancel", { reason => 'fraud' }) },
        mint => sub {
            my $r = $t->api('POST', "orders/$id/links", rand() < 0.5 ? undef : { items => [ 1 + int rand 3 ] });
            push @{$links{$id}}, $1 if $r->{status} == 200 && $r->{json}{url} =~ m{(/r/.*)};
            $r;
        },
        view => sub {
            my $path = $links{$id} && rand() < 0.8 ? $links{$id}[rand @{$links{$id}}] : '/r/' . token($id);
            $t->request('POST', $path, headers => { %json_form, 'Idempotency-Key' => $nonces[rand 2] },
                body => Mpk::Http::form(email => rand() < 0.9 ? 'ann@example.com' : 'eve@example.com'));
        },
        open => sub { $t->get($links{$id} ? $links{$id}[rand @{$links{$id}}] : '/r/' . token($id)) },
        claim => sub { $t->request('POST', claim_path($id), headers => \%json_form, body => claim_body($id, $keys[rand 3])) },
        ask => sub { $t->api('POST', "orders/$id/claims/$claim/needs_info", { message => 'm' . int rand 2 }) },
        replace => sub { $t->api('POST', "orders/$id/claims/$claim/replace", { key => 'NEW-' . ++$fresh . '-CCCCC-DDDDD', finding => { result => 'defective', text => 'Blocked by its maker.' } }) },
        refund => sub { $t->api('POST', "orders/$id/claims/$claim/refund", { reason => 'none', finding => { result => 'defective', text => 'Blocked by its maker.' } }) },
        report => sub {
            $t->api('POST', "orders/$id/claims", { item => 1 + int rand 3, name => 'Ann', category => 'other', description => 'd' . int rand 2,
                received_at => Mpk::ago(0) });
        },
        note => sub { $t->api('POST', "orders/$id/claims/$claim/note", { text => 'n' . int rand 2 }) },
        reject => sub { $t->api('POST', "orders/$id/claims/$claim/reject", { reason => 'late' }) },
        suspend => sub {
            $t->api('POST', "orders/$id/suspend", { reason => 'fraud', note => 'n' . int rand 2, rand() < 0.5 ? () : (items => [ 1 + int rand 3 ]) });
        },
        resume => sub { $t->api('POST', "orders/$id/resume", { note => 'r' . int rand 2 }) },
        withdraw => sub { $t->api('POST', "orders/$id/withdrawals", { name => 'A' . ++$fresh, rand() < 0.3 ? () : (items => [ 1 + int rand 3 ]) }) },
        accept => sub { $t->api('POST', "orders/$id/withdrawals/$claim/accept", {}) },
        decline => sub { $t->api('POST', "orders/$id/withdrawals/$claim/reject", { reason => 'x' }) },
        erase => sub { $t->api('DELETE', "orders/$id") },
    );

    my @often = (('release') x 3, ('view') x 6, ('claim') x 3, qw(file file cancel mint mint open ask replace refund reject report note suspend resume resume accept decline));
    my $what = rand() < 0.004 ? 'erase' : rand() < 0.03 ? 'withdraw' : $often[rand @often];

    my ($before) = entries($id);
    my $was = $t->api('GET', "orders/$id")->{json};
    my $r = $way{$what}->();
    my ($after, $ids) = entries($id);
    my $is = $t->api('GET', "orders/$id")->{json};
    my $erased = ($is->{state} // '') eq 'erased';

    $count{$what}++;
    $done{$what}++ if $after > $before;

    # R9: a commit is one entry, and nothing that is refused is one

    $broken{"$what: entries"}++ if $after - $before > 1 || (!$erased && $ids != $after) || ($erased && $ids != 1);
    $broken{"$what: $r->{status} wrote"}++ if $after > $before && $r->{status} !~ /^20/ ;

    # R1, R7: who sees a key

    if ($what eq 'view' && $r->{status} == 200) {
        my $shown = $json->decode($r->{body});
        $broken{'R1: shown while ' . ($was->{state} // 'absent')}++ if ($was->{state} // '') ne 'ready';
        for my $item (@{$shown->{items}}) {
            $broken{'R7: refunded key shown'}++ if $was->{items}[$item->{item} - 1]{state} eq 'refunded';
            $broken{'I11: withdrawn key shown'}++ if $was->{items}[$item->{item} - 1]{state} eq 'withdrawn';
            $broken{'R7: replaced key shown'}++ if $model{$id}{gone}{$item->{key}};
            $broken{'R11: suspended key shown'}++ if $was->{items}[$item->{item} - 1]{suspended};
        }
        $broken{'I1: shown without an entry'}++ if $after != $before + 1;
    }

    # R8, R5, R7: what can't be undone

    if ($was->{items} && !$erased) {
        for my $i (0 .. $#{$was->{items}}) {
            my ($from, $to) = ($was->{items}[$i]{state}, $is->{items}[$i]{state});
            $broken{"R8: $what made viewed $to"}++ if $from eq 'viewed' && $to eq 'new' && $what ne 'replace';
            $broken{"R7, R12: $what made $from $to"}++ if $from =~ /^(refunded|withdrawn)$/ && $to ne $from;
            $broken{'R12: a used key was granted'}++ if $what eq 'withdraw' && $to eq 'withdrawn' && $from ne 'withdrawn'
                && ($from ne 'new' || $was->{items}[$i]{suspended} || $model{$id}{key}[$i + 1]);
        }
        for my $i (0 .. $#{$was->{claims}}) {
            my ($from, $to) = ($was->{claims}[$i]{state}, $is->{claims}[$i]{state});
            $broken{"R7: $what made $from $to"}++ if $from =~ /^(replaced|refunded|rejected)$/ && $from ne $to;
        }
        my %open;
        $open{$_->{item}}++ for grep { $_->{state} =~ /^(open|needs_info)$/ } @{$is->{claims}};
        $broken{'R6: two open claims for an item'}++ if grep { $_ > 1 } values %open;
        $broken{'R8: views went back'}++ if $is->{views_count} < $was->{views_count};
        $broken{'R5: cancelled after delivery'}++ if $was->{delivered_at} && $is->{state} eq 'cancelled';
        $broken{'R5: no longer cancelled'}++ if $was->{state} eq 'cancelled' && $is->{state} ne 'cancelled';
    }

    if ($what eq 'replace' && $after > $before) {
        my $item = $is->{claims}[$claim - 1]{item};
        my $old = $model{$id}{key}[$item] // $keys[$item - 1];
        $model{$id}{gone}{$old} = 1;
        $model{$id}{key}[$item] = "NEW-$fresh-CCCCC-DDDDD";
    }

    # one that is erased or withdrawn makes room for another

    if ($erased || ($is->{state} // '') eq 'withdrawn') {
        $orders[$n] = 'Q-' . ++$made;
        delete $links{$id};
    }
}

# the rarest ones may take longer

my @events = qw(file release cancel mint view open claim ask replace refund reject report note suspend resume withdraw accept decline erase);
my $ran = 0;
step() while $ran++ < $steps || ($ran <= 4 * $steps && grep { !$done{$_} } @events);

is(join(', ', map { "$_ ($broken{$_})" } sort keys %broken), '', "$ran random events keep R1, R5, R6, R7, R8, R9, R11, R12, I1, I11");
note(join ', ', map { "$_ $done{$_}/$count{$_}" } sort keys %done);
is(join(' ', grep { !$done{$_} } @events), '', 'each event happened');
is(join(' ', grep { ($t->journal($_)->{verdict} // 'absent') !~ /^(intact|erased|absent)$/ } @orders), '', 'every journal verifies at the end');


# races: both are sent before either is answered

sub both {
    my @requests = @_;
    my @sockets = map { Mpk::Http::connection($t->port('edge')) } @requests;
    my @texts = map { Mpk::Http::text($_->[0], $_->[1], headers => $_->[2], defined $_->[3] ? (body => $_->[3]) : ()) } @requests;
    for (rand() < 0.5 ? (0, 1) : (1, 0)) {
        print {$sockets[$_]} $texts[$_];
        $sockets[$_]->flush;
    }
    return map { Mpk::Http::response($_, 20) } @sockets;
}

my %api = (Authorization => "Bearer $t->{token}", 'Content-Type' => 'application/json', Accept => 'application/json');

sub api_text { my ($method, $path, $body) = @_; return [ $method, "/mpk/v1/$path", \%api, $body ? $json->encode($body) : undef ] }
sub view_text {
    my ($path, $key) = @_;
    return [ 'POST', $path, { %json_form, 'Idempotency-Key' => $key }, Mpk::Http::form(email => 'ann@example.com') ];
}

sub race {
    my ($name, $prepare, $verdict) = @_;
    my %seen;

    for my $n (1 .. $races) {
        my $id = "Z-$name-$n" =~ s/ /-/gr;
        $seen{$verdict->(both($prepare->($id)), $id)}++;
    }

    note("$name: " . join ', ', map { "$_ $seen{$_}" } sort keys %seen);
    is(join(' ', grep { /^wrong/ } sort keys %seen), '', "of $name at one instant exactly one wins, $races times");
}

my $has = qr/KEY-|XK7QX/;

for my $channel (qw(track onscreen email)) {
    race("cancel and a view by $channel", sub {
        my ($id) = @_;
        $t->file($id);
        return (api_text('POST', "orders/$id/cancel", { reason => 'fraud' }), view_text('/r/' . token($id, ch => $channel), 'k'));
    }, sub {
        my ($cancel, $view, $id) = @_;
        my $state = $t->api('GET', "orders/$id")->{json}{state};
        return 'cancelled' if $cancel->{status} == 200 && $view->{status} == 410 && $view->{body} !~ $has && $state eq 'cancelled';
        return 'viewed' if $cancel->{status} == 409 && $view->{status} == 200 && $view->{body} =~ $has && $state eq 'ready';
        return "wrong: $cancel->{status} $view->{status} $state";
    });
}

race('cancel and a link', sub {
    my ($id) = @_;
    $t->file($id);
    return (api_text('POST', "orders/$id/cancel", { reason => 'fraud' }), api_text('POST', "orders/$id/links"));
}, sub {
    my ($cancel, $mint) = @_;
    return $cancel->{status} == 200 && $mint->{status} == 409 ? 'cancelled'
         : $cancel->{status} == 409 && $mint->{status} == 200 ? 'minted' : "wrong: $cancel->{status} $mint->{status}";
});

my $dispute = { reason => 'dispute', note => 'chargeback' };

for my $channel (qw(track onscreen email)) {
    race("suspension and a view by $channel", sub {
        my ($id) = @_;
        $t->file($id);
        return (api_text('POST', "orders/$id/suspend", $dispute), view_text('/r/' . token($id, ch => $channel), 'k'));
    }, sub {
        my ($suspend, $view, $id) = @_;
        my $events = $t->events($id);
        return "wrong: $suspend->{status}" if $suspend->{status} != 200;
        return 'suspended' if $view->{status} == 409 && $view->{body} !~ $has && $events eq 'filed suspended';
        return 'viewed first' if $view->{status} == 200 && $view->{body} =~ $has && $events eq 'filed viewed suspended';
        return "wrong: $view->{status} $events";
    });
}

race('suspension and a repeat', sub {
    my ($id) = @_;
    my $link = $t->link($id);
    my $view = view_text($link, 'k');
    $t->request(@$view[0, 1], headers => $view->[2], body => $view->[3])->{status} == 200 or die 'no view';
    return (api_text('POST', "orders/$id/suspend", $dispute), $view);
}, sub {
    my ($suspend, $view, $id) = @_;
    my $events = $t->events($id);
    return $view->{status} == 409 && $view->{body} !~ $has && $events =~ /viewed suspended$/ ? 'suspended'
         : $view->{status} == 200 && $view->{body} =~ $has && $events =~ /repeated suspended$/ ? 'repeated first'
         : "wrong: $suspend->{status} $view->{status} $events";
});

race('suspension and a link', sub {
    my ($id) = @_;
    $t->file($id);
    return (api_text('POST', "orders/$id/suspend", $dispute), api_text('POST', "orders/$id/links"));
}, sub {
    my ($suspend, $mint, $id) = @_;
    my $events = $t->events($id);
    return $mint->{status} == 409 && $events eq 'filed suspended' ? 'suspended'
         : $mint->{status} == 200 && $events eq 'filed link_minted suspended' ? 'minted first' : "wrong: $mint->{status} $events";
});

race('a corrected email and a view by the old link', sub {
    my ($id) = @_;
    my $link = $t->link($id);
    return (api_text('PUT', "orders/$id/email", { email => 'anne@example.com', note => 'mistyped' }), view_text($link, 'k'));
}, sub {
    my ($change, $view, $id) = @_;
    my $events = $t->events($id);
    return "wrong: $change->{status}" if $change->{status} != 200;
    return 'changed' if $view->{status} == 410 && $view->{body} !~ $has && $events eq 'filed link_minted email_changed';
    return 'viewed first' if $view->{status} == 200 && $view->{body} =~ $has && $events eq 'filed link_minted viewed email_changed';
    return "wrong: $view->{status} $events";
});

my %desk = (%api, Authorization => 'Bearer support-token');
my $withdraw = $json->encode({ name => 'Ann Example' });

for my $channel (qw(track onscreen email)) {
    race("withdrawal and a view by $channel", sub {
        my ($id) = @_;
        $t->file($id);
        return ([ 'POST', "/mpk/v1/orders/$id/withdrawals", \%desk, $withdraw ], view_text('/r/' . token($id, ch => $channel), 'k'));
    }, sub {
        my ($withdrawn, $view, $id) = @_;
        my $got = "$withdrawn->{status} $view->{status} " . $t->events($id);
        return 'withdrawn' if $view->{body} !~ $has && $got eq '201 410 filed withdrawn';
        return 'viewed first' if $view->{body} =~ $has && $got eq '201 200 filed viewed withdrawal_stated';
        return "wrong: $got";
    });
}

# a key that was replaced is not granted back

race('withdrawal and a replacement', sub {
    my ($id) = @_;
    $t->link($id, %$order, state => 'ready');
    $t->request('POST', claim_path($id), headers => \%json_form, body => claim_body($id, $keys[0]));
    return ([ 'POST', "/mpk/v1/orders/$id/withdrawals", \%desk, $json->encode({ name => 'Ann', items => [ 1 ] }) ],
        api_text('POST', "orders/$id/claims/1/replace", { key => 'NEW-KEY-00000', finding => { result => 'defective', text => 'Blocked by its maker.' } }));
}, sub {
    my ($withdrawn, $replaced, $id) = @_;
    my $got = "$withdrawn->{status} $replaced->{status} " . ($t->events($id) =~ s/.*claim_opened //r);
    return $got eq '201 409 withdrawn' ? 'withdrawn' : $got eq '201 200 claim_replaced withdrawal_stated' ? 'replaced first' : "wrong: $got";
});

race('two confirmations of one link', sub {
    my ($id) = @_;
    my $link = $t->link($id);
    return (view_text($link, 'one'), view_text($link, 'two'));
}, sub {
    my ($a, $b) = @_;
    my $got = join ' ', sort $a->{status}, $b->{status};
    return $got eq '200 410' ? 'one' : "wrong: $got";
});

race('two claims for one key', sub {
    my ($id) = @_;
    $t->link($id, %$order, state => 'ready');
    return map { [ 'POST', claim_path($id), \%json_form, claim_body($id, $keys[0]) ] } 1 .. 2;
}, sub {
    my ($a, $b, $id) = @_;
    my $got = join ' ', sort $a->{status}, $b->{status};
    return $got eq '201 409' && @{$t->api('GET', "orders/$id")->{json}{claims}} == 1 ? 'one' : "wrong: $got";
});

race('replace and refund', sub {
    my ($id) = @_;
    $t->link($id, %$order, state => 'ready');
    $t->request('POST', claim_path($id), headers => \%json_form, body => claim_body($id, $keys[0]));
    return (api_text('POST', "orders/$id/claims/1/replace", { key => 'NEW-KEY-00000', finding => { result => 'defective', text => 'Blocked by its maker.' } }),
        api_text('POST', "orders/$id/claims/1/refund", { reason => 'none', finding => { result => 'defective', text => 'Blocked by its maker.' } }));
}, sub {
    my ($a, $b, $id) = @_;
    my $claim = $t->api('GET', "orders/$id")->{json}{claims}[0]{state};
    return $a->{status} == 200 && $b->{status} == 409 && $claim eq 'replaced' ? 'replaced'
         : $a->{status} == 409 && $b->{status} == 200 && $claim eq 'refunded' ? 'refunded' : "wrong: $a->{status} $b->{status} $claim";
});

race('erasing and a view', sub {
    my ($id) = @_;
    my $link = $t->link($id);
    return (api_text('DELETE', "orders/$id"), view_text($link, 'k'));
}, sub {
    my ($erase, $view, $id) = @_;
    my $left = $t->api('GET', "orders/$id")->{json};
    return "wrong: $erase->{status} $view->{status}" unless $erase->{status} == 200 && $left->{state} eq 'erased';
    return $view->{status} == 404 && $view->{body} !~ $has && !$left->{first_viewed_at} ? 'erased'
         : $view->{status} == 200 && $left->{first_viewed_at} ? 'viewed first' : "wrong: $view->{status}";
});

race('filing the same order twice', sub {
    my ($id) = @_;
    return map { api_text('PUT', "orders/$id", $order) } 1 .. 2;
}, sub {
    my ($a, $b, $id) = @_;
    my $got = join ' ', sort $a->{status}, $b->{status};
    return $got eq '200 201' && (entries($id))[0] == 1 ? 'one' : "wrong: $got";
});

$t->finish;
