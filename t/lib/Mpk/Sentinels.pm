package Mpk::Sentinels;

# A master, two replicas and three Sentinels who watch them, all on loopback.

use warnings;
use strict;

use Mpk ();
use Mpk::Redis;
use Time::HiRes qw(sleep time);


# new(test, %options): starts them and waits until each Sentinel knows all.  name: of the
# servers (m0, m1, m2); master: what Sentinels call it; down: ms until it counts as such;
# password: of the servers; own: of the Sentinels; tls: a Mpk::Tls with a certificate "node"
sub new {
    my ($class, $test, %options) = @_;
    my $self = bless { test => $test, name => 'm', master => 'mymaster', down => 1500, patience => 1500, %options }, $class;

    for my $i (0 .. 2) {
        push @{$self->{servers}}, $self->server("$self->{name}$i", $i ? $self->{servers}[0] : undef);
    }

    my @s = map { { name => "$self->{name}-s$_", id => sprintf '%040x', $_ + 1 } } 0 .. 2;
    $_->{port} = $test->port($_->{name}) for @s;
    $self->{ids} = \@s;

    push @{$self->{sentinels}}, $self->sentinel($_) for @s;

    $self->well or die 'no Sentinels';

    return $self;
}


sub listen {
    my ($self, $port) = @_;
    return $self->{tls} ? (@{$self->{tls}->args($port, 'node')}, '--tls-replication', 'yes') : ('--port', $port);
}

sub server {
    my ($self, $name, $of) = @_;
    my $t = $self->{test};
    my $port = $t->port($name);

    my @args = ($self->listen($port), '--bind', '127.0.0.1', '--repl-diskless-sync-delay', 0,
        '--repl-ping-replica-period', 1, '--repl-timeout', 5, '--shutdown-timeout', 0, @{$self->{args} // []});
    push @args, '--requirepass', $self->{password}, '--masterauth', $self->{password} if defined $self->{password};

    # where a failover leaves a server is in its file, as it is in life

    my $conf = $t->write("$name.conf", $of ? "replicaof 127.0.0.1 $of->{port}\n" : '');

    $t->release($name);
    my $server = $t->redis(name => $name, conf => $conf, args => \@args, password => $self->{password});
    $server->{port} = $port;

    return $server;
}

sub sentinel {
    my ($self, $me) = @_;
    my $t = $self->{test};
    my $master = "$self->{master}";
    my @servers = @{$self->{servers}};

    my @lines = ("sentinel monitor $master 127.0.0.1 $servers[0]{port} 2",
        "sentinel down-after-milliseconds $master $self->{down}",
        "sentinel failover-timeout $master $self->{patience}", "sentinel parallel-syncs $master 2");

    push @lines, "sentinel auth-pass $master $self->{password}" if defined $self->{password};
    push @lines, "requirepass $self->{own}", "sentinel sentinel-pass $self->{own}" if defined $self->{own};

    # told, or they would take seconds to find each other

    push @lines, "sentinel myid $me->{id}",
        (map { "sentinel known-replica $master 127.0.0.1 $_->{port}" } @servers[1, 2]),
        map { "sentinel known-sentinel $master 127.0.0.1 $_->{port} $_->{id}" } grep { $_ != $me } @{$self->{ids}};

    my $conf = $t->write("$me->{name}.conf", join '', map { "$_\n" } @lines);

    $t->release($me->{name});
    my $sentinel = $t->redis(name => $me->{name}, conf => $conf, sentinel => 1, password => $self->{own},
        args => [ $self->listen($me->{port}), '--bind', '127.0.0.1', $self->{tls} ? ('--tls-replication', 'yes') : () ]);
    $sentinel->{port} = $me->{port};
    hurry($sentinel);

    return $sentinel;
}

# A deposed master that is back is left alone for eight seconds; with Redis 7.0 it need not be.
# A lost connection is made anew once in a ping-period: with the second that it is, little
# time would be left until a master whose connections were closed counts as down.
sub hurry {
    my ($sentinel) = @_;
    eval { $sentinel->cmd('SENTINEL', 'DEBUG', 'info-period', 300, 'publish-period', 250, 'ping-period', 500) };
}


sub living { grep { $_->{pid} && !$_->{held} } @{$_[0]{servers}} }
sub watching { grep { $_->{pid} && !$_->{held} } @{$_[0]{sentinels}} }

# well(seconds): the Sentinels that run name the same master, who says so too and whom the
# servers that run follow
sub well {
    my ($self, $seconds) = @_;

    return Mpk::wait_for(sub {
        my %told = map { ($self->told($_) // '') => 1 } $self->watching;
        return 0 if keys %told != 1;

        my ($master) = grep { $told{$_->{port}} } $self->living or return 0;
        my $of = $master->info('replication');
        return 0 if $of->{role} ne 'master';

        # a link that is up may have to wait a second for the first of what is written

        for my $server (grep { $_ != $master } $self->living) {
            my $info = $server->info('replication');
            return 0 if $info->{role} ne 'slave' || $info->{master_port} != $master->{port} || $info->{master_link_status} ne 'up'
                || !grep { /^slave\d/ && $of->{$_} =~ /port=$server->{port},state=online/ } keys %$of;
        }

        for my $sentinel ($self->watching) {
            my %about = @{$sentinel->cmd('SENTINEL', 'MASTER', $self->{master})};
            return 0 if $about{flags} ne 'master';

            my $good = grep { my %r = @$_; $r{flags} eq 'slave' && $r{'master-link-status'} eq 'ok' }
                @{$sentinel->cmd('SENTINEL', 'REPLICAS', $self->{master})};
            return 0 if $good < $self->living - 1;
        }

        return 1;
    }, 'the Sentinels are well', $seconds // 20);
}

# told(sentinel): the port of its master
sub told { my ($self, $sentinel) = @_; return $sentinel->cmd('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', $self->{master})->[1] }

sub master {
    my ($self) = @_;
    my $port = $self->told(($self->watching)[0]);
    return (grep { $_->{port} == $port } @{$self->{servers}})[0];
}

sub replicas { my ($self) = @_; my $master = $self->master; return grep { $_ != $master } $self->living }

# url(sentinels): of some of them, or of ports; without, of all
sub url {
    my ($self, @sentinels) = @_;
    @sentinels = @{$self->{sentinels}} unless @sentinels;
    return ($self->{tls} ? 'rediss' : 'redis') . '+sentinel://'
        . join(',', map { '127.0.0.1:' . (ref $_ ? $_->{port} : $_) } @sentinels) . "/$self->{master}";
}


# failover(): SENTINEL FAILOVER; waits until another is the master
sub failover {
    my ($self) = @_;
    my $old = $self->master;
    my $until = time + 20;

    until (eval { ($self->watching)[0]->cmd('SENTINEL', 'FAILOVER', $self->{master}) }) {
        die "no failover: $@" if time > $until;
        sleep 0.1;
    }

    return $self->moved($old);
}

# moved(old): waits until that is no longer the master; the new one
sub moved {
    my ($self, $old, $seconds) = @_;
    my $new;
    Mpk::wait_for(sub { ($new = $self->master) != $old }, "another master than $old->{name}", $seconds // 30) or die 'no new master';
    return $new;
}

# promotions(): how many there were
sub promotions {
    my ($self) = @_;
    return scalar grep { /\+promoted-slave/ } map { split /\n/, $self->{test}->read("$_->{name}.d/log") } @{$self->{sentinels}};
}

# kill(server), start(server): SIGKILL, and back; of Sentinels, too
sub kill { $_[1]->stop('KILL') }

sub start {
    my ($self, $server) = @_;
    $server->start;
    hurry($server) if $server->{sentinel};
}

# pause(server), resume(server): SIGSTOP and SIGCONT
sub pause { my ($self, $server) = @_; $server->{held} = 1; $server->pause }
sub resume { my ($self, $server) = @_; $server->resume; delete $server->{held} }

1;
