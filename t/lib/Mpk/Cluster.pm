package Mpk::Cluster;

# A Redis Cluster of real servers, on loopback or in a network of their own: masters, a replica
# of each, and what ops do to it: failovers, slots that move, nodes that come and go.

use warnings;
use strict;

use Mpk ();
use Mpk::Redis;
use Time::HiRes qw(sleep time);

use constant SLOTS => 16384;


# new(test, %options): starts it and waits until all of its nodes call it well.  name: of
# the nodes (c0, c1 ...); masters (3); replicas of each (1); args: of each server; password;
# tls: a Mpk::Tls with a certificate "node"; net: a Mpk::Network
sub new {
    my ($class, $test, %options) = @_;
    my $self = bless { test => $test, name => 'c', masters => 3, replicas => 1, timeout => 1500, args => [], nodes => [],
        %options }, $class;
    my $n = $self->{masters};

    $self->node for 1 .. $n * (1 + $self->{replicas});

    my @nodes = @{$self->{nodes}};
    my @masters = @nodes[0 .. $n - 1];

    for my $i (0 .. $#nodes) {
        $nodes[$i]->cmd('CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
        $nodes[$i]->cmd('CLUSTER', 'MEET', @$_{qw(host port bus)}) for @nodes[0 .. $i - 1];
    }

    for my $i (0 .. $n - 1) {
        $masters[$i]->cmd('CLUSTER', 'ADDSLOTSRANGE', int($i * SLOTS / $n), int(($i + 1) * SLOTS / $n) - 1);
    }

    $self->met;

    for my $i ($n .. $#nodes) {
        $nodes[$i]->cmd('CLUSTER', 'REPLICATE', $masters[$i % $n]{id});
    }

    $self->well or die 'no cluster';

    return $self;
}


# node(): one server more, that knows of no other
sub node {
    my ($self) = @_;
    my $t = $self->{test};
    my $n = @{$self->{nodes}};
    my $name = $self->{name} . $n;
    my $net = $self->{net};
    my $host = $net ? $net->address($n) : '127.0.0.1';
    my ($port, $bus) = map { $t->port($_) } $name, "$name-bus";
    my $dir = $t->dir;

    my @args = ($self->{tls} ? (@{$self->{tls}->args($port, 'node')}, '--tls-cluster', 'yes', '--tls-replication', 'yes')
        : ('--port', $port), '--bind', $host, '--protected-mode', 'no', '--cluster-enabled', 'yes', '--cluster-port', $bus,
        '--cluster-node-timeout', $self->{timeout}, '--cluster-replica-validity-factor', 0, '--cluster-allow-replica-migration', 'no',
        '--repl-diskless-sync-delay', 0, '--repl-ping-replica-period', 1, '--shutdown-timeout', 0, @{$self->{args}});

    push @args, '--requirepass', $self->{password}, '--masterauth', $self->{password} if defined $self->{password};

    $t->release($_) for $name, "$name-bus";

    my $node = $t->redis(name => $name, args => \@args, password => $self->{password},
        $net ? (within => $net->within($n)) : ());
    @$node{qw(n host port bus)} = ($n, $host, $port, $bus);
    $node->{id} = $node->cmd('CLUSTER', 'MYID');
    push @{$self->{nodes}}, $node;

    return $node;
}


# living(): the nodes that run and are not stopped
sub living { grep { $_->{pid} && !$_->{held} } @{$_[0]{nodes}} }

# met(): waits until all know all
sub met {
    my ($self) = @_;
    my @nodes = $self->living;
    return Mpk::wait_for(sub {
        !grep { my $n = $_; @nodes != grep { $_->{link} } values %{$self->seen($n)} } @nodes;
    }, 'the nodes know each other', 20) || die 'the nodes do not meet';
}

# seen(node): CLUSTER NODES as that one tells it, by id
sub seen {
    my ($self, $node) = @_;
    my %seen;

    for (split /\n/, $node->cmd('CLUSTER', 'NODES')) {
        my ($id, $address, $flags, $master, undef, undef, $epoch, $link, @slots) = split / /;
        $seen{$id} = { address => $address, master => $flags =~ /master/ ? undef : $master, epoch => $epoch,
            link => $link eq 'connected' && $flags !~ /handshake|noaddr/, fail => scalar $flags =~ /\bfail\b/,
            slots => \@slots };
    }

    return \%seen;
}

# well(seconds): all that run call the cluster well, agree on the masters, and replicas follow
sub well {
    my ($self, $seconds) = @_;

    return Mpk::wait_for(sub {
        my %told;

        for my $node ($self->living) {
            return 0 unless $node->cmd('CLUSTER', 'INFO') =~ /cluster_state:ok/;
            my $seen = $self->seen($node);
            my %by;
            push @{$by{$seen->{$_}{master} // $_}}, $_ for grep { $seen->{$_} && !$seen->{$_}{fail} } map { $_->{id} } @{$self->{nodes}};
            my $info = $node->info('replication');
            return 0 if $info->{role} eq 'slave' && $info->{master_link_status} ne 'up';
            $told{join ' ', map { "$_:" . join ',', sort @{$by{$_}} } sort keys %by} = 1;
        }

        return keys %told == 1;
    }, 'the cluster is well', $seconds // 20);
}


# url(nodes): of some of them; without, of all
sub url {
    my ($self, @nodes) = @_;
    @nodes = @{$self->{nodes}} unless @nodes;
    return ($self->{tls} ? 'rediss' : 'redis') . '+cluster://'
        . join ',', map { ref $_ ? "$_->{host}:$_->{port}" : "127.0.0.1:$_" } @nodes;
}

sub by_id { my ($self, $id) = @_; return (grep { $_->{id} eq $id } @{$self->{nodes}})[0] }

# masters(): those that run and have slots; replicas(master): those that follow it
sub masters {
    my ($self) = @_;
    my $seen = $self->seen(($self->living)[0]);
    return grep { my $n = $seen->{$_->{id}}; $n && !defined $n->{master} && !$n->{fail} && @{$n->{slots}} } $self->living;
}

sub replicas {
    my ($self, $master) = @_;
    return grep { my $info = $_->info('replication'); $info->{role} eq 'slave' && $info->{master_port} == $master->{port} }
        $self->living;
}

# owners(): [ first, last, node ] of all slots
sub owners {
    my ($self) = @_;
    return map { [ @$_[0, 1], $self->by_id($_->[2][2]) ] } @{($self->living)[0]->cmd('CLUSTER', 'SLOTS')};
}

sub owner {
    my ($self, $slot) = @_;
    my ($of) = grep { $_->[0] <= $slot && $slot <= $_->[1] } $self->owners;
    return $of && $of->[2];
}


sub crc16 {
    my ($text) = @_;
    my $crc = 0;
    for my $byte (unpack 'C*', $text) {
        $crc ^= $byte << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff for 1 .. 8;
    }
    return $crc;
}

# tags(): the hash tags of the buckets, as the module has them
my @tags;

sub tags {
    return @tags if @tags;
    open my $f, '<', 'ngx_mpk_module/core/mpk_bucket.c' or die "mpk_bucket.c: $!";
    my ($table) = do { local $/; <$f> } =~ /mpk_bucket_tags[^{]*\{(.*?)\}/s or die 'no table of tags';
    return @tags = $table =~ /"(\w+)"/g;
}

sub tag { return (tags())[crc16($_[-1]) % 64] }
sub slot_of_tag { return crc16($_[-1]) % SLOTS }

# slot(order), master_of(order)
sub slot { return slot_of_tag(tag($_[-1])) }
sub master_of { my ($self, $order) = @_; return $self->owner(slot($order)) }

# orders(prefix, count, master): names of orders that lie there
sub orders {
    my ($self, $prefix, $count, $master) = @_;
    my @owners = grep { $_->[2] == $master } $self->owners;
    my ($n, @found) = 0;

    while (@found < $count) {
        my $order = "$prefix-" . ++$n;
        my $slot = slot($order);
        push @found, $order if grep { $_->[0] <= $slot && $slot <= $_->[1] } @owners;
        die 'no such orders' if $n > 10000 * $count;
    }

    return @found;
}

# stray(): keys that lie in no slot of the master that has them, nor of its replica
sub stray {
    my ($self) = @_;
    my @owners = $self->owners;
    my @stray;

    for my $master ($self->masters) {
        for my $key (@{$master->cmd('KEYS', '*')}) {
            my ($tag) = $key =~ /\{(.+?)\}/;
            my $slot = crc16($tag // $key) % SLOTS;
            push @stray, "$master->{name} $key"
                unless $key =~ /^mpk:(?:meta|texts)\z/ || defined $tag && grep { $_->[0] <= $slot && $slot <= $_->[1] && $_->[2] == $master } @owners;
            if ($key =~ /^mpk:\{(.+)\}:o:(.*)$/s) {
                push @stray, "$key of another bucket" if tag($2) ne $1;
            }
        }
    }

    return @stray;
}


# kill(node), start(node): SIGKILL, and back
sub kill { $_[1]->stop('KILL') }
sub start { $_[1]->start }

# pause(node), resume(node): SIGSTOP and SIGCONT
sub pause { my ($self, $node) = @_; $node->{held} = 1; $node->pause }
sub resume { my ($self, $node) = @_; $node->resume; delete $node->{held} }

# cut(node), heal(node): from everybody; sever(node), mend(node): it and nginx, or nginx
# alone, from the others
sub cut { my ($self, $node) = @_; $node->{held} = 1; $self->{net}->cut($node->{n}) }
sub heal { my ($self, $node) = @_; $self->{net}->heal($node->{n}); delete $node->{held} }

sub sever {
    my ($self, $node) = @_;
    $self->{net}->move($_->{n}, $node && $_ == $node ? 'a' : 'b') for @{$self->{nodes}};
    $node->{held} = 1 if $node;
    $self->{net}->sever;
}

sub mend { my ($self, $node) = @_; $self->{net}->mend; delete $node->{held} }

# promoted(node): waits until it is a master
sub promoted {
    my ($self, $node, $seconds) = @_;
    return Mpk::wait_for(sub { $node->info('replication')->{role} eq 'master' }, "$node->{name} is a master", $seconds // 20);
}

# failover(replica): CLUSTER FAILOVER, which loses nothing
sub failover {
    my ($self, $replica) = @_;

    # what goes wrong between the two takes five seconds to be given up, and is asked for again

    for (1 .. 4) {
        eval { $replica->cmd('CLUSTER', 'FAILOVER') };
        return $self->well if Mpk::wait_for(sub { $replica->info('replication')->{role} eq 'master' }, undef, 6);
    }

    die 'no failover';
}


# begin(slot, from, to), move(slot, from, to, keys), settle(slot, from, to): a slot moves
sub begin {
    my ($self, $slot, $from, $to) = @_;
    $to->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
    $from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
}

sub move {
    my ($self, $from, $to, @keys) = @_;
    $from->cmd('MIGRATE', $to->{host}, $to->{port}, '', 0, 5000,
        defined $self->{password} ? ('AUTH', $self->{password}) : (), 'KEYS', @keys);
}

sub settle {
    my ($self, $slot, $from, $to) = @_;

    while (1) {
        my $keys = $from->cmd('CLUSTER', 'GETKEYSINSLOT', $slot, 200);
        last unless @$keys;
        $self->move($from, $to, @$keys);
    }

    # the new owner first: the old one would send clients there, and they back

    $_->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', $to->{id}) for $to, $from;
}

sub migrate {
    my ($self, $slot, $from, $to) = @_;
    $self->begin($slot, $from, $to);
    $self->settle($slot, $from, $to);
}

# agreed(slot, node): waits until all nodes say that it has it; gossip that crosses with a
# move can leave a slot to nobody, and then all are told, as "redis-cli --cluster fix" does.
# Who takes a slot before it knows the others' epochs gets one that is another's; that one
# claims the slot anew, and its new owner throws away what it has taken since.
sub agreed {
    my ($self, $slot, $node) = @_;
    my $told = time;
    return Mpk::wait_for(sub {
        my @others = grep {
            my ($of) = grep { $_->[0] <= $slot && $slot <= $_->[1] } @{$_->cmd('CLUSTER', 'SLOTS')};
            !$of || $of->[2][2] ne $node->{id};
        } $self->living;

        return 0 if !@others && !$self->known;

        if (@others && time - $told > 1.5) {
            $told = time;
            eval { $_->cmd('CLUSTER', 'SETSLOT', $slot, 'NODE', $node->{id}) } for $node, grep { $_ != $node } $self->living;
            eval { $node->cmd('CLUSTER', 'BUMPEPOCH') };
        }

        return !@others;
    }, "all know who has slot $slot", 30);
}

# known(): whether all know the same epoch of each master, and of no two the same
sub known {
    my ($self) = @_;
    my %views = map { $_ => 1 } map {
        join ' ', sort map { (split)[2] =~ /master/ ? join '@', (split)[0, 6] : () } split /\n/, $_->cmd('CLUSTER', 'NODES');
    } $self->living;
    my ($view) = keys %views;
    my %epochs = map { s/.*@//r => 1 } split / /, $view;
    return keys %views == 1 && keys %epochs == split / /, $view;
}

# add(): a master without slots
sub add {
    my ($self) = @_;
    my ($known) = $self->living;
    my $node = $self->node;
    $_->cmd('CLUSTER', 'MEET', @$node{qw(host port bus)}) for grep { $_ != $node } $self->living;
    $self->met;
    $self->well;
    return $node;
}

# remove(node): it has no slots any longer; forgotten by all, and ended
sub remove {
    my ($self, $node) = @_;
    @{$self->{nodes}} = grep { $_ != $node } @{$self->{nodes}};
    $_->cmd('CLUSTER', 'FORGET', $node->{id}) for $self->living;
    $node->stop;
}

# connections(): of nginx, by the node's name
sub connections {
    my ($self) = @_;
    return { map { my $n = $_; $n->{name} => $n->clients }
        $self->living };
}

1;
