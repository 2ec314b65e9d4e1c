package Mpk::Http2;

# HTTP/2 by hand (RFC 9113), as far as a client needs it that goes away: frames out,
# frames in, header fields as literals without Huffman coding.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, GOAWAY => 7,
    WINDOW_UPDATE => 8 };


# new(port, window): a connection; window is the flow control window of each stream
sub new {
    my ($class, $port, $window) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
        Timeout => 5) or die "connect: $!";
    $socket->autoflush(1);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    my $self = bless { socket => $socket, buffer => '', stream => 1 }, $class;
    print $socket "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    $self->frame(SETTINGS, 0, 0, defined $window ? pack('nN', 4, $window) : '');
    return $self;
}

sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;
    my $socket = $self->{socket};
    print $socket substr(pack('N', length $payload), 1), pack('CCN', $type, $flags, $stream),
        $payload;
}

sub field {
    my ($name, $value) = @_;
    my $length = sub {
        my ($n) = @_;
        return pack 'C', $n if $n < 127;
        my $s = pack 'C', 127;
        $n -= 127;
        while ($n > 127) { $s .= pack 'C', ($n & 127) | 128; $n >>= 7 }
        return $s . pack 'C', $n;
    };
    return "\0" . $length->(length $name) . $name . $length->(length $value) . $value;
}

# request(method, path, headers, body): sends a request; returns its stream
sub request {
    my ($self, $method, $path, $headers, $body) = @_;
    my $stream = $self->{stream};
    $self->{stream} += 2;
    my $block = join '', field(':method', $method), field(':scheme', 'http'),
        field(':path', $path), field(':authority', '127.0.0.1'),
        map { field(lc $_, $headers->{$_}) } sort keys %{$headers // {}};
    $self->frame(HEADERS, defined $body ? 4 : 5, $stream, $block);
    $self->frame(DATA, 1, $stream, $body) if defined $body;
    return $stream;
}

sub reset { $_[0]->frame(RST_STREAM, 0, $_[1], pack 'N', 8) }

# next(seconds): the next frame as (type, flags, stream, payload); nothing in time: ()
sub next {
    my ($self, $seconds) = @_;
    my $until = time + ($seconds // 10);
    my $select = IO::Select->new($self->{socket});

    while (1) {
        if (length $self->{buffer} >= 9) {
            my $length = unpack 'N', "\0" . substr $self->{buffer}, 0, 3;
            if (length $self->{buffer} >= 9 + $length) {
                my ($type, $flags, $stream) = unpack 'CCN', substr $self->{buffer}, 3, 6;
                my $payload = substr $self->{buffer}, 9, $length;
                substr $self->{buffer}, 0, 9 + $length, '';
                $self->frame(SETTINGS, 1, 0, '') if $type == SETTINGS && !($flags & 1);
                return ($type, $flags, $stream, $payload);
            }
        }
        my $left = $until - time;
        return if $left <= 0 || !$select->can_read($left);
        sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer} or return;
    }
}

1;
