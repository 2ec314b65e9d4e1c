package Mpk::Proxy;

# A network that fails: a TCP proxy on a port of its own, whose mode a test may change at
# any time.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use parent 'Mpk::Child';


# new(test, to): to that port, in the mode "pass"
sub new {
    my ($class, $test, $to) = @_;
    my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "proxy: $!";
    my $self = bless { test => $test, to => $to, port => $listen->sockport }, $class;

    $self->{name} = "proxy-$self->{port}";
    $self->mode('pass');

    $self->run($self->{name}, sub {
        close $_ for values %{$test->{reserved}};
        $self->serve($listen);
    });

    close $listen;
    return $self;
}

# mode(name, how): what it is from now on, one of
#   pass         what comes goes on
#   delay, ms    so much later
#   hold, requests or answers: these are kept back, and go on when the mode lets them
#   drop         nothing goes on, either way, and nobody is told: a partition; what was
#                swallowed is lost, and such connections never pass anything again
#   answers      what the client says goes on, what comes back is swallowed, and lost likewise
#   cut          all connections end, new ones likewise
#   reset        the same, by RST
#   refuse       nobody listens
sub mode {
    my ($self, @mode) = @_;
    my $new = $self->{test}->write("$self->{name}.new", join ' ', @mode);
    rename $new, $self->{test}->dir . "/$self->{name}" or die "rename: $!";
    return unless $self->{pid};
    Mpk::wait_for(sub { $self->{test}->read("$self->{name}.is") eq "@mode" }, 'the network') or die "the network is not @mode";
}


sub serve {
    my ($self, $listen) = @_;
    my $file = $self->{test}->dir . "/$self->{name}";
    my ($is, $mode, $how, $read) = ('', 'pass', 0, 0);
    my %to = (requests => 'server', answers => 'client');
    my $listening = IO::Select->new($listen);
    my (%pair, @late, @pairs);

    my $end = sub {
        my ($pair, $reset) = @_;
        for my $socket (grep { defined } delete @$pair{qw(client server)}) {
            setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $reset;
            $listening->remove($socket);
            delete $pair{$socket};
            close $socket;
        }
        @pairs = grep { $_ != $pair } @pairs;
    };

    while (1) {
        if (time - $read > 0.01) {
            $read = time;
            if (open my $f, '<', $file) {
                my $now = <$f>;
                ($mode, $how) = split / /, $now;
                $self->{test}->write("$self->{name}.is", $is = $now) if $now ne $is;
            }

            if ($mode =~ /^(cut|reset|refuse)$/) {
                $end->($pairs[0], $mode eq 'reset') while @pairs;
            }

            if ($mode eq 'refuse' && $listen) {
                $listening->remove($listen);
                close $listen;
                undef $listen;
            } elsif ($mode ne 'refuse' && !$listen) {
                $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $self->{port},
                    ReuseAddr => 1) or die "proxy: $!";
                $listening->add($listen);
            }
        }

        my $held = $mode eq 'hold' ? $to{$how} : '';
        my %before;

        @late = grep {
            my ($due, $pair, $to, $data) = @$_;
            my $later = $due > time || $to eq $held || $before{$pair}{$to};
            $before{$pair}{$to} = 1 if $later;
            (length $data ? write_all($pair->{$to}, $data) : $end->($pair)) if !$later && $pair->{$to};
            $later;
        } @late;

        for my $socket ($listening->can_read(0.005)) {
            if ($listen && $socket == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{to}, Timeout => 1);
                my $pair = { client => $client, server => $server };

                if (!$server) {
                    close $client;
                    next;
                }

                setsockopt $_, 6, 1, 1 for $client, $server;
                push @pairs, $pair;
                $listening->add($client, $server);
                $pair{$client} = [ $pair, 'server' ];
                $pair{$server} = [ $pair, 'client' ];
                $end->($pair, $mode eq 'reset') if $mode =~ /^(cut|reset)$/;
                next;
            }

            my ($pair, $to) = @{$pair{$socket} // next};
            my $n = sysread $socket, my $data, 65536;
            $data = '' if !$n;

            # bytes never vanish from the middle of a stream: what follows them is swallowed, too

            $pair->{lost} = 1 if $mode eq 'drop';
            $pair->{mute} = 1 if $mode eq 'answers' && $to eq 'client';

            if ($pair->{lost} || $pair->{mute} && $to eq 'client') {
                $end->($pair) if !$n;
                next;
            }

            if ($mode eq 'delay' || $to eq $held || grep { $_->[1] == $pair } @late) {
                push @late, [ time + ($mode eq 'delay' ? $how / 1000 : 0), $pair, $to, $data ];
                $listening->remove($socket) if !$n;
                next;
            }

            $n ? write_all($pair->{$to}, $data) : $end->($pair);
        }
    }
}

sub write_all {
    my ($socket, $data) = @_;
    while (length $data) {
        my $n = syswrite $socket, $data or return;
        substr $data, 0, $n, '';
    }
}

1;
