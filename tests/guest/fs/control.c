/* fcntl(2) on flags and owners, ioctl(2) requests of every file, fsync(2) and advice. */
#include "check.h"
#include <linux/fs.h>
#include <sys/ioctl.h>

int main(void)
{
    put_file("f", "0123456789");
    int fd = (int)NEED(open("f", O_RDWR | O_APPEND));
    int ends[2];
    NEED(pipe(ends));

    printf("%o\n", fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY | O_CREAT));
    printf("%o\n", fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, 0));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, 9999));
    SHOW(fcntl(99, F_GETFL));

    SHOW(fcntl(ends[0], F_GETOWN));
    SHOW(fcntl(ends[0], F_SETOWN, getpid()));
    CHECK(fcntl(ends[0], F_GETOWN) == getpid());
    SHOW(fcntl(ends[0], F_SETOWN, -getpgrp()));
    struct f_owner_ex owner;
    SHOW(fcntl(ends[0], F_GETOWN_EX, &owner));
    CHECK(owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
    owner = (struct f_owner_ex){F_OWNER_TID, gettid()};
    SHOW(fcntl(ends[0], F_SETOWN_EX, &owner));
    owner.type = 77;
    SHOW(fcntl(ends[0], F_SETOWN_EX, &owner));
    SHOW(fcntl(ends[0], F_SETOWN, 99999999));
    SHOW(fcntl(ends[0], F_GETSIG));
    SHOW(fcntl(ends[0], F_SETSIG, SIGUSR1));
    SHOW(fcntl(ends[0], F_GETSIG));
    SHOW(fcntl(ends[0], F_SETSIG, 65));

    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 5000));
    SHOW(fcntl(ends[1], F_GETPIPE_SZ));
    SHOW(fcntl(fd, F_GETPIPE_SZ));

    int value = 0;
    SHOW(ioctl(fd, FIOCLEX));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(ioctl(fd, FIONCLEX));
    SHOW(fcntl(fd, F_GETFD));
    value = 1;
    SHOW(ioctl(ends[0], FIONBIO, &value));
    char c;
    SHOW(read(ends[0], &c, 1));
    NEED(write(ends[1], "abc", 3));
    SHOW(ioctl(ends[0], FIONREAD, &value));
    SHOW(value);
    NEED(lseek(fd, 4, SEEK_SET));
    SHOW(ioctl(fd, FIONREAD, &value));
    SHOW(value);
    SHOW(ioctl(fd, TCGETS, &value));
    SHOW(ioctl(ends[0], TCGETS, &value));
    SHOW(ioctl(fd, 0x12345, &value));
    SHOW(isatty(fd));

    SHOW(fsync(fd));
    SHOW(fdatasync(fd));
    SHOW(fsync(ends[0]));
    SHOW(fsync(99));
    SHOW(syncfs(fd));
    sync();
    SHOW(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    SHOW(sync_file_range(fd, 0, 0, 0x100));
    SHOW(sync_file_range(ends[0], 0, 0, 0));
    SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    SHOW(posix_fadvise(fd, 0, 0, 77));
    SHOW(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL));
    SHOW(readahead(fd, 0, 10));
    SHOW(readahead(ends[0], 0, 10));

    int path = (int)NEED(open("f", O_PATH));
    SHOW(read(path, &c, 1));
    SHOW(fsync(path));
    SHOW(ioctl(path, FIONREAD, &value));
    SHOW(fcntl(path, F_SETFL, 0));
    printf("%o\n", fcntl(path, F_GETFL));
    TRY(dup(path));
    struct stat st;
    SHOW(fstat(path, &st));
    return 0;
}
