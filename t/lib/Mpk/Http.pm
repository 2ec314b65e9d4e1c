package Mpk::Http;

# HTTP/1.1 by hand, so that a test sees and sends every byte; HTTP/2 by curl, HTTP/3 by libcurl.

use warnings;
use strict;

use File::Temp;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP qw(decode_json encode_json);
use MIME::Base64 qw(decode_base64 encode_base64);
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF inet_aton pack_sockaddr_in);
use Time::HiRes qw(time);


# form(%fields): application/x-www-form-urlencoded
sub form {
    my (%fields) = @_;
    return join '&', map {
        my ($name, $value) = ($_, $fields{$_});
        s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge for $name, $value;
        "$name=$value";
    } sort keys %fields;
}


# connection(port, receive): with a buffer of so many bytes to receive in
sub connection {
    my ($port, $receive) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'tcp', Timeout => 5) // die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'i', $receive if $receive;
    $socket->connect(pack_sockaddr_in($port, inet_aton('127.0.0.1'))) or die "connect to $port: $!";
    return $socket;
}


# slam(socket): closes it with a reset
sub slam {
    my ($socket) = @_;
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $socket;
}


# taken(socket): waits until the server has accepted it, and read all that was sent
sub taken {
    my ($socket) = @_;
    my $port = sprintf ':%04X', $socket->sockport;

    return Mpk::wait_for(sub {
        open my $f, '<', '/proc/net/tcp' or return 0;
        return scalar grep { my @f = split; $f[2] =~ /$port$/ && $f[3] eq '01' && $f[4] =~ /:00000000$/ && $f[9] } <$f>;
    }, 'the server reads');
}


# text(method, path, %options): the bytes of a request; headers, body, close
sub text {
    my ($method, $path, %options) = @_;
    my %headers = (Host => '127.0.0.1', %{$options{headers} // {}});
    my $body = $options{body};
    $headers{Connection} //= 'close' unless $options{keepalive};
    $headers{'Content-Length'} //= length $body
        if defined $body && !$headers{'Transfer-Encoding'};
    return "$method $path HTTP/1.1\r\n"
        . join('', map { defined $headers{$_} ? "$_: $headers{$_}\r\n" : () }
            sort keys %headers)
        . "\r\n" . ($body // '');
}


# request(port, method, path, %options): {status, headers, body, raw}; options as text()
# and socket (a connection to reuse), timeout
sub request {
    my ($port, $method, $path, %options) = @_;
    my $socket = $options{socket} // connection($port);
    $socket->autoflush(1);
    print $socket text($method, $path, %options);
    return response($socket, $options{timeout} // 30, $method eq 'HEAD');
}


# response(socket, timeout, no body, buffer): reads one answer; with pipelined requests a
# reference to a buffer keeps what has come of the next one
sub response {
    my ($socket, $timeout, $nobody, $buffer) = @_;
    my $until = time + ($timeout // 30);
    my $select = IO::Select->new($socket);
    my $raw = defined $buffer ? $$buffer // '' : '';
    my %r = (status => 0, headers => {}, body => '');
    $$buffer = '' if defined $buffer;

    while (1) {
        if ($raw =~ /^(.*?)\r\n\r\n/s) {
            my ($head, $rest) = ($1, substr $raw, length($1) + 4);
            my ($line, @lines) = split /\r\n/, $head;
            ($r{status}) = $line =~ m{^HTTP/1\.1 (\d+)};
            if ($r{status} == 100) {
                $raw = $rest;
                next;
            }
            $r{headers} = {};
            for (@lines) {
                my ($name, $value) = /^([^:]+): ?(.*)$/ or next;
                my $seen = $r{headers}{lc $name};
                $r{headers}{lc $name} = defined $seen ? "$seen, $value" : $value;
            }
            $r{head} = $head;
            $r{body} = $rest;
            my $length = $r{headers}{'content-length'};
            if ($nobody || defined $length && length $rest >= $length) {
                $$buffer = substr $r{body}, $nobody ? 0 : $length, length $rest, ''
                    if defined $buffer;
                last;
            }
            if (($r{headers}{'transfer-encoding'} // '') eq 'chunked'
                && $rest =~ /(^|\r\n)0\r\n\r\n$/)
            {
                my $body = '';
                while ($rest =~ s/^([0-9a-fA-F]+)\r\n//) {
                    my $n = hex $1 or last;
                    $body .= substr $rest, 0, $n, '';
                    substr $rest, 0, 2, '';
                }
                $r{body} = $body;
                last;
            }
        }
        my $left = $until - time;
        last if $left <= 0 || !$select->can_read($left);
        my $n = sysread $socket, $raw, 65536, length $raw;
        last if !$n;
    }

    $r{raw} = $raw;
    return \%r;
}


# h2(port, method, path, %options): over HTTP/2, by curl
sub h2 {
    my ($port, $method, $path, %options) = @_;
    my @command = ('curl', '-s', '-i', '-m', 30, '--http2-prior-knowledge', '-X', $method);
    push @command, '-I' if $method eq 'HEAD';
    for my $name (sort keys %{$options{headers} // {}}) {
        push @command, '-H', "$name: $options{headers}{$name}";
    }
    my $file;
    if (defined $options{body}) {
        $file = File::Temp->new;
        print $file $options{body};
        $file->flush;
        push @command, '--data-binary', "\@$file";
    }

    open my $out, '-|', @command, "http://127.0.0.1:$port$path" or die "curl: $!";
    local $/;
    my $raw = <$out> // '';
    close $out;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my %r = (status => 0, headers => {}, body => $body // '', raw => $raw);
    my ($line, @lines) = split /\r\n/, $head // '';
    ($r{status}) = ($line // '') =~ m{^HTTP/2 (\d+)};
    for (@lines) {
        my ($name, $value) = /^([^:]+): ?(.*)$/ or next;
        $r{headers}{lc $name} = $value;
    }
    return \%r;
}


# h3(port, method, path, %options): over HTTP/3, by libcurl; stop: closes the connection
# after so many bytes of the body
my ($h3_in, $h3_out, $h3_owner, $h3_pid);

sub h3 {
    my ($port, $method, $path, %options) = @_;

    if (($h3_owner // 0) != $$) {
        chomp(my $library = `misc/http3-curl`);
        die 'no HTTP/3' if $? != 0;
        local $ENV{LD_LIBRARY_PATH} = $library;
        $h3_pid = open2($h3_out, $h3_in, 'python3', 't/lib/h3.py');
        $h3_owner = $$;
    }

    # there are no chunks, but bodies without a length

    my %headers = (Host => '127.0.0.1', %{$options{headers} // {}});
    my $body = $options{body};

    if (delete $headers{'Transfer-Encoding'}) {
        $headers{'Content-Length'} = undef;
        $body =~ s/\G([0-9a-f]+)\r\n((??{".{" . hex($1) . "}"}))\r\n/$2/gsi;
    }

    print $h3_in encode_json({ port => $port, method => $method, path => $path, headers => \%headers,
        stop => $options{stop}, timeout => $options{timeout} // 30,
        body => defined $body ? encode_base64($body, '') : undef }), "\n";
    $h3_in->flush;

    my $answer = decode_json(scalar <$h3_out> // die 'the HTTP/3 client is gone');
    my %r = (status => 0, headers => {}, body => decode_base64($answer->{body}), curl => $answer->{curl});
    my ($head) = reverse grep { length } split /\r\n\r\n/, $answer->{head};
    my ($line, @lines) = split /\r\n/, $head // '';
    ($r{status}) = ($line // '') =~ m{^HTTP/3 (\d+)};
    $r{head} = $head;
    $r{raw} = ($head // '') . "\r\n\r\n$r{body}";
    for (@lines) {
        my ($name, $value) = /^([^:]+): ?(.*)$/ or next;
        my $seen = $r{headers}{lc $name};
        $r{headers}{lc $name} = defined $seen ? "$seen, $value" : $value;
    }
    return \%r;
}

# h3_close(): ends its connection, for which nginx would wait when it goes
sub h3_close {
    return if ($h3_owner // 0) != $$;
    close $h3_in;
    waitpid $h3_pid, 0;
    undef $h3_owner;
}

1;
