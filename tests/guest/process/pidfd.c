/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), and waiting and polling for them. */
#include "check.h"
#include <poll.h>
#include <sys/pidfd.h>

int main(void)
{
    SHOW(pidfd_open(-1, 0));
    SHOW(pidfd_open(0, 0));
    SHOW(pidfd_open(getpid(), 1));
    SHOW(pidfd_open(4000000, 0));
    int own = pidfd_open(getpid(), 0);
    CHECK(own > 2 && fcntl(own, F_GETFD) == FD_CLOEXEC);
    SHOW(pidfd_send_signal(own, 0, NULL, 0));
    SHOW(pidfd_send_signal(1, 0, NULL, 0));
    SHOW(pidfd_send_signal(own, 70, NULL, 0));
    SHOW(pidfd_send_signal(own, 0, NULL, 77));

    int pipes[2];
    char byte = 'x';
    NEED(pipe(pipes));
    pid_t pid = start_child();
    if (pid == 0) {
        NEED(read(pipes[0], &byte, 1));
        _exit(byte);
    }
    int fd = pidfd_open(pid, 0);
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    SHOW(poll(&poller, 1, 0));
    siginfo_t info;
    SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
    SHOW(waitid(P_PIDFD, 1, &info, WEXITED));
    int copy = pidfd_getfd(fd, pipes[1], 0);
    CHECK(copy >= 0 && fcntl(copy, F_GETFD) == FD_CLOEXEC);
    SHOW(pidfd_getfd(fd, 99, 0));
    NEED(write(copy, &byte, 1));
    SHOW(poll(&poller, 1, -1));
    SHOW(poller.revents);
    SHOW(pidfd_send_signal(fd, SIGTERM, NULL, 0));
    SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    SHOW(info.si_status);
    SHOW(poll(&poller, 1, 0) == 1);
    SHOW(pidfd_send_signal(fd, 0, NULL, 0));
    SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));

    pid = start_child();
    if (pid == 0)
        for (;;)
            pause();
    fd = pidfd_open(pid, 0);
    SHOW(pidfd_send_signal(fd, SIGINT, NULL, 0));
    show_child("interrupted", pid);
    SHOW(read(fd, &byte, 1));
    return 0;
}
