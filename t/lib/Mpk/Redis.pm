package Mpk::Redis;

# A real Redis that a test may stop, kill and bring back; and a client for it.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);


# the binary of the server: what speaks its protocol may stand in
sub server { $ENV{REDIS_SERVER} // 'redis-server' }

# new(test, name, args, tcp, of): starts a server with a unix socket, append-only; tcp:
# on a port, too, as replicas need it; of: as a replica of that Redis; password: what cmd()
# says first; conf: a file that it may rewrite; sentinel: it is one; disk: a Mpk::Disk; clock: a
# Mpk::Clock; # within: words that run it elsewhere
sub new {
    my ($class, %self) = @_;
    my $self = bless { %self }, $class;
    $self->{dir} = $self->{test}->dir . "/$self->{name}.d";
    $self->{socket} = $self->{test}->dir . "/$self->{name}.sock";
    mkdir $self->{dir};
    $self->{owner} = $$;
    $self->start;
    return $self;
}


sub start {
    my ($self) = @_;
    my @args = @{$self->{args} // []};

    if ($self->{tcp}) {
        $self->{port} = $self->{test}->port($self->{name});
        $self->{test}->release($self->{name});
        push @args, '--port', $self->{port}, '--bind', '127.0.0.1', '--repl-diskless-sync-delay', 0,
            '--repl-ping-replica-period', 1;
        push @args, '--replicaof', '127.0.0.1', $self->{of}{port} if $self->{of};
    }

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>>', "$self->{dir}/log";
        %ENV = (%ENV, $self->{disk}->environment) if $self->{disk};
        %ENV = (%ENV, $self->{clock}->environment) if $self->{clock};
        exec @{$self->{within} // []}, server(), $self->{conf} // (), '--port', 0, '--unixsocket', $self->{socket},
            '--dir', $self->{dir}, $self->{sentinel} ? '--sentinel' : ('--appendonly', 'yes', '--appendfsync', 'always',
            '--save', ''), @args
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    delete $self->{client};

    Mpk::wait_for(sub {
        my $pong = eval { $self->cmd('PING') } // '';
        delete $self->{client} if $@;
        $pong =~ /PONG|NOAUTH/;
    }, 'Redis answers') or die "Redis does not start: $self->{dir}/log";

    return $self;
}


# stop(signal): ends it; start() brings it back with what was on disk
sub stop {
    my ($self, $signal) = @_;
    return unless $self->{owner} == $$;
    my $pid = delete $self->{pid} or return;
    delete $self->{client};
    $signal //= 'TERM';

    # said once only, it is lost on one that writes its first AOF after a synchronization

    Mpk::wait_for(sub { kill $signal, $pid; kill 'CONT', $pid; waitpid($pid, WNOHANG) == $pid }, 'Redis goes')
        or kill 'KILL', $pid;
}

# lose_power(): its machine goes, and with it what its disk has not synced
sub lose_power {
    my ($self) = @_;
    $self->stop('KILL');
    $self->{disk}->forget("$self->{dir}/appendonlydir");
}

# connected(socket): a client of its own
sub connected { my ($class, $socket) = @_; return bless { socket => $socket }, $class }

# info(section): what INFO tells, by name
sub info {
    my ($self, $section) = @_;
    return { map { /^([^#:]+):(.*?)\r?$/ ? ($1 => $2) : () } split /\n/, $self->cmd('INFO', $section) };
}

# calls(command): how often it was called
sub calls {
    my ($self, $command) = @_;
    return ($self->info('commandstats')->{"cmdstat_$command"} // '') =~ /calls=(\d+)/ ? $1 : 0;
}

# clients(pattern): how many of CLIENT LIST match; without, those of the module
sub clients {
    my ($self, $pattern) = @_;
    $pattern //= qr/name=ngx_mpk/;
    return scalar grep { $_ =~ $pattern } split /\n/, $self->cmd('CLIENT', 'LIST');
}

# entries(): how many the outboxes have, one for each of a journal
sub entries {
    my ($self) = @_;
    my $n = 0;
    $n += $self->cmd('XLEN', $_) for @{$self->cmd('KEYS', 'mpk:{??}:out')};
    return $n;
}

# knows(command): whether this version has it
sub knows {
    my ($self, $command) = @_;
    return !!$self->cmd('COMMAND', 'INFO', $command)->[0];
}

# follow(redis): becomes a replica of that one, or a master
sub follow {
    my ($self, $of) = @_;
    $self->{of} = $of;
    $self->cmd('REPLICAOF', $of ? ('127.0.0.1', $of->{port}) : ('NO', 'ONE'));
}

# followed(replicas, seconds): waits until so many follow
sub followed {
    my ($self, $replicas, $seconds) = @_;
    return Mpk::wait_for(sub {
        my $info = $self->info('replication');
        $replicas == grep { /^slave\d/ && $info->{$_} =~ /state=online/ } keys %$info;
    }, "$replicas replicas follow", $seconds // 30);
}

# pause(), resume(): SIGSTOP and SIGCONT
sub pause { kill 'STOP', $_[0]{pid} }
sub resume { kill 'CONT', $_[0]{pid} }

# wipe(): forgets the disk; call it while stopped
sub wipe {
    my ($self) = @_;
    system 'rm', '-rf', "$self->{dir}/appendonlydir", "$self->{dir}/dump.rdb";
}


# cmd(words): one command; dies on an error reply but -NOAUTH.  What only looks is sent again,
# since Sentinels have Redis close its connections
sub cmd {
    my ($self, @words) = @_;
    my $looks = "@words" =~ /^(INFO|KEYS|CLIENT LIST|CLUSTER (INFO|NODES|SLOTS)|SENTINEL (MASTER|REPLICAS|GET-))/;
    my $reply = eval { $self->once(@words) };
    return $reply unless $@;

    die $@ unless $looks && $@ eq "Redis has gone\n";
    delete $self->{client};

    return $self->once(@words);
}

sub once {
    my ($self, @words) = @_;
    local $SIG{PIPE} = 'IGNORE';

    # one that Redis has closed can be read: its end

    delete $self->{client} if $self->{client} && IO::Select->new($self->{client})->can_read(0);

    my $client = $self->{client} //= do {
        my $s = IO::Socket::UNIX->new(Peer => $self->{socket})
            or die "no Redis: $!\n";
        $s->autoflush(1);
        ask($s, 'AUTH', $self->{password}) if defined $self->{password};
        $s;
    };

    return ask($client, @words);
}

sub ask {
    my ($client, @words) = @_;
    print $client '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words;
    return reply($client);
}

sub reply {
    my ($client) = @_;
    defined(my $line = <$client>) or die "Redis has gone\n";
    $line =~ s/\r\n$//;
    my ($type, $rest) = $line =~ /^(.)(.*)$/s or die "no RESP: $line\n";

    return $rest if $type eq '+' || $type eq ':';
    return $line if $type eq '-' && $line =~ /^-NOAUTH/;
    die "$line\n" if $type eq '-';
    return undef if $rest < 0;

    if ($type eq '$') {
        my $data = '';
        read($client, $data, $rest + 2 - length $data, length $data) or die "Redis has gone\n"
            while length $data < $rest + 2;
        return substr $data, 0, $rest;
    }

    return [ map { reply($client) } 1 .. $rest ];
}

1;
