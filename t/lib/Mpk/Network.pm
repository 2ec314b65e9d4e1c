package Mpk::Network;

# Two switches with a cable between them, and namespaces for servers: what is cut vanishes, and
# nobody is told.  This machine, with nginx, is at switch a; servers are at b until they move.

use warnings;
use strict;

use Mpk ();
use POSIX ();

use constant { DROPS => 0, FORWARDS => 3 };

my @made;

END {
    local ($?, $@, $!);
    $_->clear for @made;
}


# new(count): so many namespaces; or nothing, and why not
# apart(): the test starts again in a network of its own, where that is possible, so that
# its interfaces come and go unseen by others: a browser aborts what it loads then
sub apart {
    return if $> != 0 || $ENV{MPK_APART} || system('unshare --net true 2>/dev/null') != 0;
    $ENV{MPK_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, '-It/lib', $0, @ARGV
        or die "unshare: $!";
}

sub new {
    my ($class, $count) = @_;
    my $self = bless { name => "mpk$$", owner => $$, nodes => [ 0 .. $count - 1 ] }, $class;

    return (undef, 'network namespaces need root') if $> != 0;

    push @made, $self;

    return $self if eval { $self->make; 1 };

    my $why = $@ =~ s/\s+/ /gr;
    $self->clear;

    return (undef, $why);
}


sub make {
    my ($self) = @_;
    my ($name, @nodes) = ($self->{name}, @{$self->{nodes}});

    $self->{prefix} = unused();

    # who has which address is known: a peer that is cut is not found out by ARP

    my @known = map { 'neigh replace ' . $self->address($_) . ' lladdr ' . mac($_) . ' nud permanent dev' } -1, @nodes;

    ip("link add ${name}a address " . mac(-1) . ' type bridge', "link add ${name}b type bridge",
        "link add ${name}t type veth peer name ${name}u",
        "link set ${name}t up master ${name}a", "link set ${name}u up master ${name}b",
        "link set ${name}a up", "link set ${name}b up", 'addr add ' . $self->address(-1) . "/28 dev ${name}a",
        map { "$_ ${name}a" } @known[1 .. $#known]);

    for (@nodes) {
        run("ip netns add ${name}n$_");
        ip("link add ${name}v$_ type veth peer name eth0 address " . mac($_) . " netns ${name}n$_", "link set ${name}v$_ up master ${name}b");
        ip([ "${name}n$_" ], 'link set lo up', 'addr add ' . $self->address($_) . '/28 dev eth0', 'link set eth0 up',
            map { "$_ eth0" } @known);
    }
}


# unused(): three bytes and a part of the fourth, of a private range that has no route
sub unused {
    for my $n (map { $$ + $_ } 0 .. 15) {
        my $net = sprintf '10.%d.%d', 64 + ($n >> 8) % 128, $n & 255;
        my @used = grep { !/^default / } map { split /\n/, run("ip -4 route show table all to $_") } "match $net.17", "root $net.16/28";
        return $net unless @used;
    }

    die 'no private range without a route';
}

sub mac { return sprintf '02:00:00:00:00:%02x', 2 + $_[0] }

# address(i): of a namespace; -1: of this machine
sub address { my ($self, $i) = @_; return "$self->{prefix}." . (18 + $i) }

# within(i): words that run what follows there
sub within { my ($self, $i) = @_; return [ 'nsenter', "--net=/run/netns/$self->{name}n$i" ] }


# cut(i), heal(i): a namespace, from everybody
sub cut { my ($self, $i) = @_; $self->port("v$i", DROPS) }
sub heal { my ($self, $i) = @_; $self->port("v$i", FORWARDS) }

# sever(), mend(): the cable; move(i, switch): where a namespace is
sub sever { $_[0]->port('t', DROPS) }
sub mend { $_[0]->port('t', FORWARDS) }
sub move { my ($self, $i, $to) = @_; ip("link set $self->{name}v$i master $self->{name}$to") }

sub port { my ($self, $port, $state) = @_; run("bridge link set dev $self->{name}$port state $state") }


sub run {
    my ($command, $input) = @_;
    my $out = `$command 2>&1 <<'END'\n@{[$input // '']}\nEND\n`;
    die "$command: $out" if $? != 0;
    return $out;
}

sub ip {
    my $in = ref $_[0] ? '-n ' . shift->[0] : '';
    run("ip $in -batch -", join("\n", @_));
}

sub clear {
    my ($self) = @_;
    return unless $self->{owner} == $$ && !$self->{cleared}++;
    my $name = $self->{name};
    my @links = map { "$name$_" } 'a', 'b', 't', map { "v$_" } @{$self->{nodes}};
    -e "/sys/class/net/$_" && eval { run("ip link del $_") } for @links;
    -e "/run/netns/$_" && eval { run("ip netns del $_") } for map { "${name}n$_" } @{$self->{nodes}};
}

1;
