/* dup(2), dup2(2), dup3(2), close_range(2), RLIMIT_NOFILE. */
#include "check.h"
#include <sys/resource.h>

int main(void)
{
    NEED(syscall(SYS_close_range, 3, ~0U, 0));
    put_file("f", "0123456789");
    int fd = (int)NEED(open("f", O_RDONLY));
    SHOW(fd);
    SHOW(dup(fd));
    SHOW(dup2(fd, 20));
    SHOW(dup2(fd, fd));
    SHOW(dup2(99, fd));
    SHOW(dup2(99, 99));
    SHOW(dup2(fd, -1));
    SHOW(dup2(fd, 1 << 30));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 21, O_CLOEXEC));
    SHOW(fcntl(21, F_GETFD));
    SHOW(fcntl(20, F_GETFD));
    SHOW(dup3(fd, 22, O_NONBLOCK));
    char c;
    SHOW(read(20, &c, 1));
    SHOW(read(21, &c, 1));
    printf("%c\n", c);
    SHOW(fcntl(fd, F_DUPFD, 10));
    SHOW(fcntl(fd, F_DUPFD, 10));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 10));
    SHOW(fcntl(12, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 1 << 30));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(close(4));
    SHOW(close(4));
    SHOW(dup(fd));
    SHOW(syscall(SYS_close_range, 10, 12, 0));
    SHOW(fcntl(11, F_GETFD));
    SHOW(syscall(SYS_close_range, 20, ~0U, CLOSE_RANGE_CLOEXEC));
    SHOW(fcntl(20, F_GETFD));
    SHOW(syscall(SYS_close_range, 5, 4, 0));
    SHOW(syscall(SYS_close_range, 5, 6, 64));
    SHOW(syscall(SYS_close_range, 20, ~0U, CLOSE_RANGE_UNSHARE));
    SHOW(fcntl(20, F_GETFD));

    struct rlimit limit = {8, 8};
    NEED(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, next;
    while ((next = dup(fd)) >= 0)
        last = next;
    SHOW(last);
    SHOW(dup(fd));
    SHOW(open("f", O_RDONLY));
    SHOW(dup2(fd, 8));
    SHOW(fcntl(fd, F_DUPFD, 8));
    int ends[2];
    SHOW(pipe(ends));
    SHOW(close(last));
    SHOW(pipe(ends));
    SHOW(dup(fd));
    return 0;
}
