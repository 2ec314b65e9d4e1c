package Mpk::Child;

# What Mpk::FakeRedis and Mpk::Proxy have in common: a process that serves until its test
# ends.

use warnings;
use strict;

use Mpk ();


# run(name, code): starts it; the test stops it as it stops its Redis servers
sub run {
    my ($self, $name, $code) = @_;

    $self->{owner} = $$;
    $self->{test}{redis}{$name} = $self;

    $self->{pid} = Mpk::child(sub {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = 'DEFAULT';
        $code->();
    });

    return $self;
}

sub stop {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    my $pid = delete $self->{pid} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

1;
