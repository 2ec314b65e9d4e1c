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


my $long = 3800;                             # entries of the long order: less than the bound of 4000

# new(test, seconds, clients): begins.  name: the orders are name-...; lookups: look at their
# orders, too, also on /track; long: one order more, whose journal grows until it is nearly as
# long as it may be, and is read again and again
sub new {
    my ($class, %self) = @_;
    my $self = bless { clients => 6, name => 'I', seconds => 600, %self }, $class;
    $self->{until} = time + $self->{seconds};
    $self->{enough} = $self->{test}->dir . "/$self->{name}.enough";

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

    if ($self->{long}) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            $self->grow;
            POSIX::_exit(0);
        }
        push @{$self->{children}}, $pid;
    }

    # whatever happens, the test ends them

    $self->{owner} = $$;
    $self->{test}{redis}{"load $self->{name}"} = $self;

    return $self;
}

sub stop {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    my @children = splice @{$self->{children} // []};
    kill 'KILL', @children;
    waitpid $_, 0 for @children;
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

    my $parent = getppid;

    while (time < $until && !-e $self->{enough} && getppid == $parent) {
        my $id = "$self->{name}-$me-" . ++$n;

        attempt(sub { $t->file($id) }, $until + 5) or last;
        print $log "filed $id\n";
        my $link = attempt(sub { $t->mint($id, undef, headers => { 'Idempotency-Key' => $id }) }, $until + 5) or last;
        my @nonces = map { attempt(sub { $t->nonce($link) || undef }, $until + 5) } 1 .. 2;
        last if grep { !defined } @nonces;

        my @sockets = map { scalar eval { $t->confirming($link, $_) } } @nonces;

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

        $self->look($log, "$self->{name}-$me-" . (1 + int rand $n)) if $self->{lookups};
    }
}

# grow(): the long order; for each answer a line with what was asked for, what was done, and
# what is wrong with the journal as it was read
sub grow {
    my ($self) = @_;
    my ($t, $until) = @$self{qw(test until)};
    my $id = "$self->{name}-L";
    my $parent = getppid;
    my ($asked, $minted, $buffer, $socket) = (0, 0, '');

    open my $log, '>', $t->dir . "/client.$self->{name}.long";
    $log->autoflush(1);
    attempt(sub { $t->file($id) }, $until) or return;

    while (time < $until && !-e $self->{enough} && getppid == $parent) {
        my $read = $asked && ($asked % 500 == 0 || $minted == $long);
        my @call = $read ? ('GET', 'journal') : ('POST', 'links');

        my $r = eval {
            $socket //= Mpk::Http::connection($t->port('edge'));
            print $socket Mpk::Http::text($call[0], "/mpk/v1/orders/$id/$call[1]", keepalive => 1,
                headers => { Authorization => "Bearer $t->{token}", 'Content-Length' => 0 });
            $socket->flush;
            Mpk::Http::response($socket, 10, 0, \$buffer);
        };

        my $good = ($r->{status} // 0) == 200;
        $asked++ if !$read || $minted < $long;
        $minted++ if $good && !$read;
        my $wrong = $good && $read && $r->{body} !~ /"verdict":"intact"/ ? "wrong " . substr $r->{body}, 0, 200 : '';
        print $log "asked $asked minted $minted $wrong\n" if $minted % 100 == 0 || $wrong || !$good;

        if (!$good || ($r->{headers}{connection} // '') eq 'close') {
            ($socket, $buffer) = (undef, '');
            sleep 0.02 if !$good;
        }

        sleep 0.2 if $minted == $long;
    }

    print $log "asked $asked minted $minted\n";
}

# grown(): what the log of the long order says
sub grown {
    my ($self) = @_;
    my $log = eval { $self->{test}->read("client.$self->{name}.long") } // '';
    my ($asked, $minted) = (0, 0);
    ($asked, $minted) = ($1, $2) while $log =~ /^asked (\d+) minted (\d+)/mg;
    return { asked => $asked, minted => $minted, wrong => join "\n", $log =~ /wrong (.+)/g };
}

# check_long(): what was acknowledged is in its journal, and nothing twice
sub check_long {
    my ($self) = @_;
    my $grown = $self->grown;
    my $j = $self->told("$self->{name}-L/journal")->{json};
    my $n = grep { $_->{event} eq 'link_minted' } @{$j->{entries} // []};

    is($j->{verdict}, 'intact', "I3: a journal of $n entries is intact");
    is($grown->{wrong}, '', 'as it was whenever it was read');
    cmp_ok($n, '>=', $grown->{minted}, 'I3: it has all that was acknowledged');
    cmp_ok($n, '<=', $grown->{asked}, 'and nothing twice');
    cmp_ok($n, '>', 100, 'and is long');
}

# look(log, order): which was filed; what shows it no longer is told
sub look {
    my ($self, $log, $id) = @_;
    my $t = $self->{test};

    my $r = eval { $t->api('GET', "orders/$id") } // return;
    print $log "looked $id $r->{status}\n";

    $r = eval { $t->request('POST', '/track', headers => { Accept => 'application/json',
        'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(order => $id, email => 'ann@example.com')) } // return;
    print $log "looked $id $r->{status}\n";
}

# enough(): the clients shall end
sub enough {
    my ($self) = @_;
    $self->{test}->write("$self->{name}.enough", '');
}


# back(what, bound, since, orders): until an order, or each of these, goes all the way again;
# the time it took, since then, is told
sub back {
    my ($self, $what, $bound, $since, @orders) = @_;
    my $t = $self->{test};
    my $start = $since // time;
    my $good = 1;
    @orders = "$self->{name}-B-" . ++$self->{backs} unless @orders;

    for my $id (@orders) {
        $good &&= attempt(sub {
            my $r = $t->api('PUT', "orders/$id", $t->order);
            return if $r->{status} !~ /^20[01]$/;
            $r = $t->confirm($t->mint($id));
            return $r->{status} == 200 || undef;
        }, $start + 30);
    }

    ok($good && time - $start < $bound, sprintf '%s: back within %.2f s, %s at most', $what, time - $start, $bound);
}

# gone(what): until an order is refused
sub gone {
    my ($self, $what) = @_;
    my $t = $self->{test};
    ok(attempt(sub { $t->api('PUT', "orders/$self->{name}-G-" . ++$self->{goes}, $t->order)->{status} == 503 || undef }, time + 15), "$what: 503");
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

    ok($self->told('nobody'), 'service is back') or return;

    my (%filed, %shown, %answers, %looked, @gone);

    for my $me (1 .. $self->{clients}) {
        for (split /\n/, $t->read("client.$self->{name}.$me")) {
            my ($what, $id, $i, $status, $key) = split / /;
            $filed{$id} = 1 if $what eq 'filed';
            if ($what eq 'looked') {
                $looked{$i}++;
                push @gone, "$id: $i" unless $i =~ /^(200|503|0)$/;
            }
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
            last if @lost == 6;              # each may have taken its ten seconds
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

    note('lookups: ' . join ', ', map { "$looked{$_} x $_" } sort keys %looked) if $self->{lookups};

    cmp_ok(scalar(keys %shown), '>', $enough, 'many keys were shown');
    cmp_ok($answers{410} // 0, '>', $enough, 'and many second confirmations refused');
    is("@gone", '', 'I7: no lookup misses an order that was acknowledged') if $self->{lookups};
    $self->check_long if $self->{long};
    is("@lost", '', 'I3, I7: no order that was acknowledged is lost');
    is("@broken", '', 'I3: no entry is lost, altered or counted twice');
    is("@unjournaled", '', 'I1: no key without its entry');
    is("@twice", '', 'I2: no token paid twice');
}

1;
