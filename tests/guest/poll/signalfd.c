/* signalfd(2): which signals are read, what is told about them, changing the set, poll and epoll. */
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static int fd;

static void show_read(void)
{
    struct signalfd_siginfo info[4];
    memset(info, 0x5a, sizeof info);
    ssize_t length = read(fd, info, sizeof info);
    if (length < 0) {
        printf("read = -1 %s\n", strerrorname_np(errno));
        return;
    }
    printf("read = %zd:", length);
    for (size_t i = 0; i < (size_t)length / sizeof info[0]; i++)
        printf(" [signal %u code %d pid %s uid %u int %d status %d]", info[i].ssi_signo, info[i].ssi_code,
               info[i].ssi_pid == (uint32_t)getpid() ? "own" : info[i].ssi_pid ? "other" : "0", info[i].ssi_uid,
               info[i].ssi_int, info[i].ssi_status);
    puts("");
}

static int events(void)
{
    struct pollfd entry = {fd, POLLIN, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGKILL);
    sigset_t all;
    sigfillset(&all);
    NEED(sigprocmask(SIG_SETMASK, &all, NULL));
    SHOW(signalfd(-1, &set, 1));
    SHOW(syscall(SYS_signalfd4, -1, &set, 4, 0));
    SHOW(signalfd(999, &set, 0));
    SHOW(signalfd(1, &set, 0));
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_GETFD));
    show_read();
    SHOW(events());
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    SHOW(events());
    show_read();
    show_read();
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 11});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 22});
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    show_read();
    sigaddset(&set, SIGUSR2);
    SHOW((signalfd(fd, &set, 0) == fd));
    SHOW(events());
    show_read();
    char small[100];
    SHOW(read(fd, small, sizeof small));
    SHOW(write(fd, small, sizeof small));
    puts("-- a child");
    sigaddset(&set, SIGCHLD);
    SHOW((signalfd(fd, &set, 0) == fd));
    pid_t child = start_child();
    if (child == 0)
        _exit(3);
    struct pollfd entry = {fd, POLLIN, 0};
    SHOW(poll(&entry, 1, -1));
    show_read();
    show_child("child", child);
    puts("-- epoll");
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u32 = 5}};
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    SHOW(epoll_wait(epoll, &event, 1, 0));
    kill(getpid(), SIGUSR2);
    SHOW(epoll_wait(epoll, &event, 1, 0));
    show_read();
    SHOW(epoll_wait(epoll, &event, 1, 0));
    puts("-- blocking");
    NEED(fcntl(fd, F_SETFL, 0));
    sigdelset(&set, SIGCHLD); /* the sender may end before or after the read */
    NEED(signalfd(fd, &set, 0));
    pid_t parent = getpid();
    child = start_child();
    if (child == 0) {
        usleep(2000);
        sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = 33});
        _exit(0);
    }
    show_read();
    return 0;
}
