package Mpk::Disk;

# A disk that a test may hold up, and that forgets, when the power goes, what no fsync()
# has asked it to keep.  It stands between a Redis and the real one.

use warnings;
use strict;

my $source = <<'C';
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
disk(const char *name, int fd)
{
    int          rc, log, n;
    char         line[64];
    struct stat  st;

    while (access(getenv("DISK_HELD"), F_OK) == 0) {
        usleep(1000);
    }

    if (fstat(fd, &st) == -1) {
        return -1;
    }

    rc = ((int (*)(int)) dlsym(RTLD_NEXT, name))(fd);

    if (rc == 0 && S_ISREG(st.st_mode)) {
        n = snprintf(line, sizeof(line), "%lu %lu\n", (unsigned long) st.st_ino, (unsigned long) st.st_size);
        log = open(getenv("DISK_KEPT"), O_WRONLY|O_APPEND|O_CREAT, 0600);

        if (log == -1 || write(log, line, n) != n || close(log) == -1) {
            abort();
        }
    }

    return rc;
}

int fsync(int fd) { return disk("fsync", fd); }
int fdatasync(int fd) { return disk("fdatasync", fd); }
C


# new(test): for one Redis, as its option "disk"
sub new {
    my ($class, $test) = @_;
    my $path = $test->dir . '/disk';
    my $file = $test->write('disk.c', $source);
    system('gcc', '-shared', '-fPIC', '-o', "$path.so", $file, '-ldl') == 0 or die 'gcc failed';
    return bless { path => $path }, $class;
}

sub environment {
    my ($self) = @_;
    return (LD_PRELOAD => "$self->{path}.so", DISK_HELD => "$self->{path}.held", DISK_KEPT => "$self->{path}.kept");
}

# hold(), free(): from now on no fsync() returns; they do
sub hold {
    my ($self) = @_;
    open my $f, '>', "$self->{path}.held" or die "$self->{path}.held: $!";
}

sub free { unlink "$_[0]{path}.held" }

# forget(folder): the append-only files there, as they would be after a loss of power; the
# Redis must have been killed
sub forget {
    my ($self, $folder) = @_;
    my %kept;

    if (open my $f, '<', "$self->{path}.kept") {
        while (<$f>) {
            my ($inode, $size) = split;
            $kept{$inode} = $size;
        }
    }

    for my $file (glob "$folder/*.incr.aof") {
        my ($inode, $size) = (stat $file)[1, 7];
        my $left = $kept{$inode} // 0;
        next if $left >= $size;
        truncate $file, $left or die "$file: $!";
    }

    $self->free;
}

1;
