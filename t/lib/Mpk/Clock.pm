package Mpk::Clock;

# The clock of a machine, which a test may set while programs read it.  (libfaketime can't
# be loaded into a Redis with jemalloc, which reads the clock before the library is ready.)

use warnings;
use strict;

my $source = <<'C';
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t  *ahead;             /* ms, in a file that all share */

__attribute__((constructor))
static void
start(void)
{
    int  fd;

    fd = open(getenv("CLOCK_AHEAD"), O_RDONLY);
    ahead = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

    if (ahead == MAP_FAILED) {
        abort();
    }
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += *ahead / 1000;
        ts->tv_nsec += *ahead % 1000 * 1000000;
        ts->tv_sec += (ts->tv_nsec >= 1000000000) - (ts->tv_nsec < 0);
        ts->tv_nsec += (ts->tv_nsec < 0) * 1000000000 - (ts->tv_nsec >= 1000000000) * 1000000000;
    }

    return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
C


# new(test, name, seconds): a clock that is so far ahead of the machine's; an option of Mpk
# and of Mpk::Redis
sub new {
    my ($class, $test, $name, $seconds) = @_;
    my $path = $test->dir . '/clock';

    if (!-e "$path.so") {
        my $file = $test->write('clock.c', $source);
        system('gcc', '-Wall', '-shared', '-fPIC', '-o', "$path.so", $file) == 0 or die 'gcc failed';
    }

    my $self = bless { library => "$path.so", file => $test->write("clock.$name", pack 'q', 0) }, $class;
    return $self->set($seconds);
}

# set(seconds): it jumps
sub set {
    my ($self, $seconds) = @_;
    open my $f, '+<', $self->{file} or die "$self->{file}: $!";
    syswrite $f, pack 'q', int $seconds * 1000;
    $self->{ahead} = $seconds;
    return $self;
}

# now(): what it shows
sub now { my ($self) = @_; return time + $self->{ahead} }

sub environment {
    my ($self) = @_;
    return (LD_PRELOAD => $self->{library}, CLOCK_AHEAD => $self->{file});
}

1;
