package Mpk::Load;

# Customers by the dozen, while a test kills what it wants: processes that file orders,
# mint links and fire two confirmations with different nonces at each at once, then send
# both again until they get an answer.  Afterwards what they got is compared with the
# journal.

use warnings;
use strict;

use Mpk::Http;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);


# new(test, seconds, clients): begins
sub new {
    my ($class, %self) = @_;
    my $self = bless { clients => 6, name => 'I', %self }, $class;
    $self->{until} = time + $self->{seconds};

    $SIG{PIPE} = 'IGNORE';

    for my $me (1 .. $self->{clients}) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            open my $log, '>', $self->{test}->dir . "/client.$self->{name}.$me";
            $log->autoflush(1);
            srand $me;
            $self->client($me, $log);
            close $log;
            POSIX::_exit(0);
        }
        push @{$self->{children}}, $pid;
    }

    return $self;
}

sub attempt {
    my ($code, $until) = @_;
    while (time < $until) {
        my $result = eval { $code->() };
        return $result if defined $result;
        sleep 0.02;
    }
    return;
}

sub client {
    my ($self, $me, $log) = @_;
    my ($t, $until) = @$self{qw(test until)};
    my $n = 0;
    my %accept = (Accept => 'application/json', 'Content-Type' => 'application/x-www-form-urlencoded');

    while (time < $until) {
        my $id = "$self->{name}-$me-" . ++$n;

        attempt(sub { $t->file($id) }, $until + 5) or last;
        print $log "filed $id\n";
        my $link = attempt(sub { $t->mint($id, undef, headers => { 'Idempotency-Key' => $id }) }, $until + 5) or last;
        my @nonces = map { attempt(sub { $t->nonce($link) || undef }, $until + 5) } 1 .. 2;
        last if grep { !defined } @nonces;

        my @sockets = map {
            my $s = eval { Mpk::Http::connection($t->port('edge')) };
            if ($s) {
                print $s Mpk::Http::text('POST', $link, headers => \%accept,
                    body => Mpk::Http::form(nonce => $_, email => 'ann@example.com'));
                $s->flush;
            }
            $s;
        } @nonces;

        my @r = map { $_ ? Mpk::Http::response($_, 5) : { status => 0, body => '' } } @sockets;

        my $again = sub {
            my ($i) = @_;
            return attempt(sub {
                my $r = $t->confirm($link, nonce => $nonces[$i]);
                return $r->{status} =~ /^(200|410)$/ ? $r : undef;
            }, $until + 5);
        };

        for my $i (0, 1) {
            printf $log "got %s %d %d %d\n", $id, $i, $r[$i]{status}, $r[$i]{body} =~ /XK7QX/ ? 1 : 0;
            my $r = $again->($i) or next;
            printf $log "got %s %d %d %d\n", $id, $i, $r->{status}, $r->{body} =~ /XK7QX/ ? 1 : 0;
        }
    }
}


# back(what, bound, since): until an order goes all the way again; the seconds since the
# fault are told
sub back {
    my ($self, $what, $bound, $since) = @_;
    my $t = $self->{test};
    my $start = $since // time;
    my $id = "$self->{name}-back-" . ++$self->{backs};
    my $good = attempt(sub {
        my $r = $t->api('PUT', "orders/$id", $t->order);
        return if $r->{status} !~ /^20[01]$/;
        $r = $t->confirm($t->mint($id));
        return $r->{status} == 200 || undef;
    }, time + 30);
    ok($good && time - $start < $bound, sprintf '%s: back within %.2f s, %s at most', $what, time - $start, $bound);
}

# gone(what): until an order is refused
sub gone {
    my ($self, $what) = @_;
    my $t = $self->{test};
    ok(attempt(sub { $t->api('PUT', "orders/$self->{name}-gone-" . ++$self->{goes}, $t->order)->{status} == 503 || undef }, time + 15), "$what: 503");
    is($t->get('/')->{body}, "shop\n", 'I6: the rest of the site is served');
}


sub told {
    my ($self, $path) = @_;
    return attempt(sub {
        my $r = $self->{test}->api('GET', "orders/$path");
        return $r->{status} == 503 ? undef : $r;
    }, time + 10);
}

# check(shown): waits for the clients, who must have seen so many keys; then I1, I2, I3, I7
sub check {
    my ($self, $enough) = @_;
    my $t = $self->{test};

    waitpid $_, 0 for splice @{$self->{children}};

    ok($self->told('nobody'), 'service is back');

    my (%filed, %shown, %answers);

    for my $me (1 .. $self->{clients}) {
        for (split /\n/, $t->read("client.$self->{name}.$me")) {
            my ($what, $id, $i, $status, $key) = split / /;
            $filed{$id} = 1 if $what eq 'filed';
            next unless $what eq 'got';
            $answers{$status}++;
            $shown{$id}{$i}++ if $key;
        }
    }

    my (@lost, @unjournaled, @twice, @broken);

    for my $id (sort keys %filed) {
        # each worker has a connection of its own, and comes back when it does
        my $r = $self->told("$id/journal");
        my $j = $r->{json};
        my $entries = $j->{entries};

        if (!$entries) {
            push @lost, $id;
            next;
        }

        push @broken, "$id $j->{verdict}" if $j->{verdict} ne 'intact';

        my %events;
        $events{$_->{event}}++ for @$entries;
        my $viewed = $events{viewed} // 0;
        my $keys = 0;
        $keys += $_ for values %{$shown{$id} // {}};

        push @twice, $id if keys %{$shown{$id} // {}} > 1 || $viewed > 1;
        push @unjournaled, $id if $keys > $viewed + ($events{repeated} // 0);
        push @broken, "$id numbers" if grep { $entries->[$_]{n} != $_ + 1 } 0 .. $#$entries;
    }

    note(scalar(keys %filed) . " orders; answers: " . join ', ', map { "$answers{$_} x $_" } sort keys %answers);

    cmp_ok(scalar(keys %shown), '>', $enough, 'many keys were shown');
    cmp_ok($answers{410} // 0, '>', $enough, 'and many second confirmations refused');
    is("@lost", '', 'I3, I7: no order that was acknowledged is lost');
    is("@broken", '', 'I3: no entry is lost, altered or counted twice');
    is("@unjournaled", '', 'I1: no key without its entry');
    is("@twice", '', 'I2: no token paid twice');
}

1;
