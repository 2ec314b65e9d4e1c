package Mpk::FakeRedis;

# A scripted Redis.  It answers the client's hello by itself and each further command
# as a script says: with bytes of its own, or by asking the real Redis behind it and
# delivering the answer whole, byte by byte, in part or not at all.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

use parent 'Mpk::Child';


# new(test, script, real): script gets (words, number) of each command and returns
#   a string              these bytes
#   [ 'pass' ]            the real answer
#   [ 'slow' ]            the real answer, one byte at a time
#   [ 'lose' ]            hands the command to the real Redis, then cuts the connection
#   [ 'close', bytes ]    these bytes, then the end
#   [ 'reset', bytes ]    the same, by RST
#   [ 'silent' ]          nothing, then and later, while the connection stays
#   [ 'more', bytes ]     the real answer and bytes that nobody asked for
# The script sees a file "mode" in the test's folder through $self->mode.
sub new {
    my ($class, %self) = @_;
    my $self = bless { %self }, $class;
    my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1',
        ReuseAddr => 1) or die "fake Redis: $!";
    $self->{port} = $listen->sockport;
    return $self->run("fake $listen", sub { $self->serve($listen) });
}

# mode(name): what the script shall do from now on; without a name, what was set
sub mode {
    my ($self, $mode) = @_;
    return $self->{test}->read('mode') if !defined $mode;
    my $new = $self->{test}->write('mode.new', $mode);
    rename $new, $self->{test}->dir . '/mode' or die "rename: $!";
}


sub serve {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);
    my (%buffer, %real);
    my $number = 0;

    while (my @ready = $select->can_read) {
        for my $socket (@ready) {
            if ($socket == $listen) {
                my $client = $listen->accept or next;
                $client->autoflush(1);
                $client->sockopt(6, 1);
                $select->add($client);
                $buffer{$client} = '';
                next;
            }

            my $n = sysread $socket, $buffer{$socket}, 65536, length $buffer{$socket};

            if (!$n) {
                $select->remove($socket);
                delete $buffer{$socket};
                delete $self->{silent}{$socket};
                close $socket;
                next;
            }

            while (defined $buffer{$socket}
                && (my ($raw, @words) = command(\$buffer{$socket})))
            {
                next if $self->answer($socket, \%real, $raw, \@words, $number++);
                $select->remove($socket);
                delete $buffer{$socket};
                delete $self->{silent}{$socket};
                close $socket;
            }
        }
    }
}


sub command {
    my ($buffer) = @_;
    return unless $$buffer =~ /^\*(\d+)\r\n/;
    my $at = $+[0];
    my @words;

    for (1 .. $1) {
        return unless substr($$buffer, $at) =~ /^\$(\d+)\r\n/;
        $at += $+[0];
        return if length($$buffer) < $at + $1 + 2;
        push @words, substr $$buffer, $at, $1;
        $at += $1 + 2;
    }

    return (substr($$buffer, 0, $at, ''), @words);
}


sub answer {
    my ($self, $socket, $real, $raw, $words, $number) = @_;
    my $name = uc $words->[0];
    return 1 if $self->{silent}{$socket};

    my $hello = $self->{hello} // {};
    my $reply = ref $hello->{$name} ? $hello->{$name}->() : $hello->{$name}
        // ($name =~ /^(AUTH|SELECT|CLIENT)$/ ? "+OK\r\n"
            : $name eq 'PING' ? "+PONG\r\n"
            : $name eq 'TIME' ? clock()
            : $name eq 'EVAL' && $words->[2] eq '0' ? "\$0\r\n\r\n"
            : $name eq 'EVALSHA' && $words->[2] eq '0' ? "-NOSCRIPT No matching script\r\n"
            : $name eq 'ROLE' ? "*3\r\n\$6\r\nmaster\r\n:0\r\n*0\r\n"
            : $name eq 'INFO' ? do {
                my $info = "# Memory\r\nmaxmemory_policy:noeviction\r\n";
                '$' . length($info) . "\r\n$info\r\n";
            } : undef);

    my $do = $reply // $self->{script}->($words, $number);

    if (!ref $do) {
        print $socket $do;
        return 1;
    }

    my ($what, $bytes) = @$do;

    if ($what =~ /^(pass|slow|lose|more)$/) {
        my $answer = $self->real($raw);

        return 0 if $what eq 'lose';

        if ($what eq 'slow') {
            # byte by byte, and far from any timeout
            for (split //, $answer) {
                syswrite $socket, $_;
                sleep 0.02 / length $answer;
            }

        } else {
            print $socket $answer, $what eq 'more' ? $bytes : '';
        }

        return 1;
    }

    return $self->{silent}{$socket} = 1 if $what eq 'silent';

    print $socket $bytes // '';
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $what eq 'reset';

    return 0;
}


# clock(): the answer to TIME
sub clock { my $now = int time; return "*2\r\n\$" . length($now) . "\r\n$now\r\n\$1\r\n0\r\n" }

# The raw answer of the real Redis to a raw command.
sub real {
    my ($self, $raw) = @_;
    my $s = $self->{connection} //= IO::Socket::UNIX->new(Peer => $self->{real}{socket})
        or die "no real Redis: $!";
    syswrite $s, $raw;

    my $answer = '';
    until (whole($answer)) {
        sysread $s, $answer, 65536, length $answer or last;
    }
    return $answer;
}

sub whole {
    my ($text) = @_;
    my $left = 1;
    my $at = 0;

    while ($left) {
        return 0 unless substr($text, $at) =~ /^([-+:\$*])([^\r]*)\r\n/;
        $at += $+[0];
        $left--;
        if ($1 eq '$' && $2 >= 0) {
            $at += $2 + 2;
            return 0 if length $text < $at;
        } elsif ($1 eq '*' && $2 > 0) {
            $left += $2;
        }
    }

    return 1;
}

1;
