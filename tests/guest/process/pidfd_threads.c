/* Descriptors for threads and signals to groups: PIDFD_THREAD, the flags of pidfd_send_signal(2), PIDFD_GET_INFO, and
   namespaces of a process by its descriptor. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/epoll.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
#define SIGNAL_THREAD 1
#define SIGNAL_THREAD_GROUP 2
#define SIGNAL_PROCESS_GROUP 4

struct info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
    uint32_t coredump_mask, coredump_signal;
};
#define GET_INFO _IOWR(0xFF, 11, struct info)
#define GET_INFO_OLD _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, 64)

static int ready[2], go[2];
static pid_t thread_id;

static void *thread(void *unused)
{
    (void)unused;
    thread_id = gettid();
    char byte = 0;
    NEED(write(ready[1], &byte, 1));
    NEED(read(go[0], &byte, 1));
    return NULL;
}

static const char *where(int signal, int tid)
{
    (void)tid;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, signal) ? "pending for the process or this thread" : "not pending here";
}

static void take(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    struct timespec now = {0};
    siginfo_t info;
    int got = sigtimedwait(&set, &info, &now);
    printf("taken: %d code %d own pid %d\n", got == signal, got == signal ? info.si_code : 99, got == signal && info.si_pid == getpid());
}

static void threads(void)
{
    printf("-- threads\n");
    NEED(pipe(ready));
    NEED(pipe(go));
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    char byte;
    NEED(read(ready[0], &byte, 1));
    SHOW(pidfd_open(thread_id, 0));
    int fd = pidfd_open(thread_id, PIDFD_THREAD);
    CHECK(fd >= 0);
    SHOW(fcntl(fd, F_GETFL) & (O_EXCL | O_ACCMODE | O_NONBLOCK));
    struct pollfd poller = {fd, POLLIN, 0};
    SHOW(poll(&poller, 1, 0));
    int leader = pidfd_open(getpid(), PIDFD_THREAD);
    CHECK(leader >= 0);
    SHOW(pidfd_send_signal(fd, 0, NULL, 0));
    SHOW(pidfd_send_signal(fd, SIGUSR1, NULL, 0));
    printf("%s\n", where(SIGUSR1, thread_id));
    SHOW(pidfd_send_signal(fd, SIGUSR2, NULL, SIGNAL_THREAD_GROUP));
    printf("%s\n", where(SIGUSR2, thread_id));
    take(SIGUSR2);
    SHOW(pidfd_send_signal(leader, SIGUSR2, NULL, 0));
    take(SIGUSR2);
    SHOW(pidfd_send_signal(leader, SIGUSR2, NULL, SIGNAL_THREAD));
    take(SIGUSR2);
    int process = pidfd_open(getpid(), 0);
    SHOW(pidfd_send_signal(process, SIGUSR2, NULL, SIGNAL_THREAD));
    take(SIGUSR2);
    SHOW(pidfd_send_signal(process, SIGUSR2, NULL, 0));
    take(SIGUSR2);
    SHOW(pidfd_send_signal(process, SIGUSR2, NULL, 3));
    SHOW(pidfd_send_signal(process, SIGUSR2, NULL, 8));
    siginfo_t info;
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    SHOW(waitid(P_PIDFD, leader, &info, WEXITED | WNOHANG));
    int ends[2];
    NEED(pipe(ends));
    int copy = pidfd_getfd(fd, ends[0], 0);
    CHECK(copy >= 0);
    SHOW(setpgid(0, 0));
    SHOW(pidfd_send_signal(fd, SIGUSR2, NULL, SIGNAL_PROCESS_GROUP));
    take(SIGUSR2);

    NEED(write(go[1], "x", 1));
    pthread_join(handle, NULL);
    SHOW(poll(&poller, 1, 1000));
    printf("revents %#x\n", poller.revents);
    SHOW(pidfd_send_signal(fd, 0, NULL, 0));
    SHOW(pidfd_send_signal(fd, 0, NULL, SIGNAL_THREAD_GROUP));
    SHOW(pidfd_open(thread_id, PIDFD_THREAD));
    SHOW(pidfd_getfd(fd, 0, 0));
    close(fd), close(leader), close(process), close(copy);
}

static void *last(void *unused)
{
    (void)unused;
    usleep(20000);
    _exit(3);
}

static void leader_first(void)
{
    printf("-- the leader ends first\n");
    pid_t child = start_child();
    if (child == 0) {
        pthread_t handle;
        pthread_create(&handle, NULL, last, NULL);
        syscall(SYS_exit, 0);
    }
    int process = pidfd_open(child, 0);
    int thread = pidfd_open(child, PIDFD_THREAD);
    struct pollfd pollers[2] = {{process, POLLIN, 0}, {thread, POLLIN, 0}};
    SHOW(poll(pollers + 1, 1, 1000));
    SHOW(poll(pollers, 1, 1000));
    printf("revents %#x %#x\n", pollers[0].revents, pollers[1].revents);
    show_child("child", child);
    SHOW(poll(pollers, 2, 0));
    printf("revents %#x %#x\n", pollers[0].revents, pollers[1].revents);
    close(process), close(thread);
}

static void waiting(void)
{
    printf("-- waiting without blocking\n");
    siginfo_t info = {0};
    pid_t child = start_child();
    if (child == 0) {
        usleep(20000);
        _exit(7);
    }
    int fd = pidfd_open(child, PIDFD_NONBLOCK);
    CHECK(fd >= 0);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    struct pollfd poller = {fd, POLLIN, 0};
    SHOW(poll(&poller, 1, 5000));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
    CHECK(info.si_pid == child);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(waitid(P_PIDFD, 99, &info, WEXITED));
    SHOW(waitid(P_PIDFD, -1, &info, WEXITED));
    close(fd);

    printf("-- epoll\n");
    child = start_child();
    if (child == 0) {
        usleep(20000);
        _exit(7);
    }
    fd = pidfd_open(child, 0);
    int set = NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLHUP};
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    SHOW(epoll_wait(set, &event, 1, 5000));
    printf("events %#x\n", event.events);
    show_child("child", child);
    SHOW(epoll_wait(set, &event, 1, 0));
    printf("events %#x\n", event.events);
    close(set), close(fd);
}

static void show_info(const char *what, int fd, uint64_t mask)
{
    struct info info = {.mask = mask};
    printf("%s: ", what);
    if (ioctl(fd, GET_INFO, &info) == -1) {
        printf("%s\n", strerrorname_np(errno));
        return;
    }
    printf("mask %#llx own %d parent %d users %d %d %d %d exit %#x\n", (unsigned long long)(info.mask & ~4ull),
        info.pid == (uint32_t)getpid() && info.tgid == (uint32_t)getpid(), info.ppid == (uint32_t)getppid(),
        info.ruid == getuid(), info.egid == getegid(), info.suid == getuid(), info.fsgid == getegid(), info.exit_code);
}

static void information(void)
{
    printf("-- information\n");
    int fd = pidfd_open(getpid(), 0);
    show_info("all", fd, 0xff);
    show_info("none", fd, 0);
    show_info("exit", fd, 8);
    struct info info = {0};
    SHOW(ioctl(fd, GET_INFO_OLD, &info));
    SHOW(ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, 32), &info));
    SHOW(ioctl(fd, GET_INFO, NULL));
    SHOW(ioctl(fd, GET_INFO, 8));
    SHOW(ioctl(fd, 0xff63, 0));
    pid_t child = start_child();
    if (child == 0)
        _exit(5);
    int other = pidfd_open(child, 0);
    struct pollfd poller = {other, POLLIN, 0};
    SHOW(poll(&poller, 1, 5000));
    info = (struct info){.mask = 0xff};
    SHOW(ioctl(other, GET_INFO, &info));
    printf("mask %#llx exit %#x\n", (unsigned long long)(info.mask & ~4ull), info.exit_code);
    show_child("child", child);
    info = (struct info){.mask = 0xff};
    SHOW(ioctl(other, GET_INFO, &info));
    printf("mask %#llx exit %#x\n", (unsigned long long)(info.mask & ~4ull), info.exit_code);
    info = (struct info){.mask = 1};
    SHOW(ioctl(other, GET_INFO, &info));
    printf("mask %#llx exit %#x pid %d\n", (unsigned long long)info.mask, info.exit_code, info.pid);
    close(other), close(fd);

    struct stat first, second;
    fd = pidfd_open(getpid(), 0);
    other = pidfd_open(getpid(), 0);
    NEED(fstat(fd, &first));
    NEED(fstat(other, &second));
    CHECK(first.st_ino == second.st_ino && first.st_dev == second.st_dev);
    close(other);
    other = pidfd_open(getppid(), 0);
    NEED(fstat(other, &second));
    CHECK(first.st_ino != second.st_ino);
    char path[64], link[64] = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    NEED(readlink(path, link, sizeof link - 1));
    puts(link);
    close(other);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    char line[256];
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "Pid:", 4) || !strncmp(line, "NSpid:", 6))
            printf("%.*s own %d\n", (int)strcspn(line, ":"), line, atoi(strchr(line, ':') + 1) == getpid());
    fclose(file);
    close(fd);
}

static void namespaces(void)
{
    printf("-- namespaces\n");
    int fd = pidfd_open(getpid(), 0);
    SHOW(setns(fd, 0));
    SHOW(setns(fd, 1));
    if (geteuid() == 0) {
        SHOW(setns(fd, CLONE_NEWIPC));
        SHOW(setns(fd, CLONE_NEWIPC | CLONE_NEWUTS));
        pid_t stays = start_child();
        if (stays == 0)
            for (;;)
                pause();
        int first_one = pidfd_open(stays, 0);
        int object = NEED(syscall(SYS_msgget, 4711, 0600 | 01000));
        int steps[2];
        NEED(pipe(steps));
        pid_t child = start_child();
        if (child == 0) {
            NEED(unshare(CLONE_NEWIPC));
            NEED(syscall(SYS_msgget, 4712, 0600 | 01000));
            NEED(write(steps[1], "x", 1));
            for (;;)
                pause();
        }
        char byte;
        NEED(read(steps[0], &byte, 1));
        int other = pidfd_open(child, 0);
        SHOW(syscall(SYS_msgget, 4712, 0600));
        SHOW(setns(other, CLONE_NEWIPC));
        CHECK(syscall(SYS_msgget, 4712, 0600) >= 0);
        SHOW(syscall(SYS_msgget, 4711, 0600));
        SHOW(setns(fd, CLONE_NEWIPC));
        CHECK(syscall(SYS_msgget, 4712, 0600) >= 0);
        kill(child, SIGKILL);
        show_child("the other", child);
        SHOW(setns(other, CLONE_NEWIPC));
        CHECK(syscall(SYS_msgget, 4712, 0600) >= 0);
        SHOW(setns(first_one, CLONE_NEWIPC));
        NEED(syscall(SYS_msgctl, object, 0, NULL));
        kill(stays, SIGKILL);
        show_child("who stayed", stays);
        close(other);
    }
    SHOW(setns(0, 0) == -1);
    SHOW(setns(-1, 0));
    close(fd);
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    threads();
    leader_first();
    waiting();
    information();
    namespaces();
    return 0;
}
