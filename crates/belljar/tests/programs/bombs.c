/* Takes of one kind of thing as many as there are, and does nothing with them. "left" means the kernel refused more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[65536];

static void all_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void pipes(void)
{
    int fds[2];
    while (pipe2(fds, O_NONBLOCK) == 0) {
        fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
        while (write(fds[1], block, sizeof block) > 0) {}
    }
}

static void sockets(void)
{
    int fds[2];
    while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0) {
        for (int end = 0; end < 2; end++)
            while (write(fds[end], block, sizeof block) > 0) {}
    }
}

/* Sockets that hold sockets in flight, each closed by its sender. */
static void sockets_in_flight(void)
{
    int fds[2];
    while (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) == 0) {
        for (;;) {
            int file = eventfd(0, 0);
            if (file < 0)
                return;
            char control[CMSG_SPACE(sizeof(int))] = {0};
            struct iovec data = {block, 1};
            struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
            memcpy(CMSG_DATA(header), &file, sizeof file);
            ssize_t sent = sendmsg(fds[0], &message, 0);
            close(file);
            if (sent < 0) {
                if (errno == ETOOMANYREFS)
                    return;
                break;
            }
        }
    }
}

static void descriptors(void)
{
    while (eventfd(0, 0) >= 0) {}
    for (int fd = 3; dup(fd) >= 0; fd++) {}
}

static void areas(void)
{
    for (long n = 0; n < 200000; n++)
        if (mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            return;
}

static void address_spaces(void)
{
    areas();
    while (fork() > 0) {}
    pause();
}

static void epolls(void)
{
    int files[200];
    for (int n = 0; n < 200; n++)
        files[n] = eventfd(0, 0);
    for (;;) {
        int set = epoll_create1(0);
        if (set < 0)
            return;
        for (int n = 0; n < 200; n++) {
            struct epoll_event event = {.events = EPOLLIN};
            if (epoll_ctl(set, EPOLL_CTL_ADD, files[n], &event) < 0)
                return;
        }
    }
}

static void watches(void)
{
    char name[64];
    int instance = inotify_init1(0);
    for (long n = 0; n < 1000000; n++) {
        snprintf(name, sizeof name, "w%ld", n);
        if (mkdir(name, 0700) < 0 || inotify_add_watch(instance, name, IN_ACCESS) < 0)
            return;
        if (n % 100 == 0 && (instance = inotify_init1(0)) < 0)
            return;
    }
}

static void links(void)
{
    char target[4000], name[64];
    memset(target, 'x', sizeof target - 1);
    target[sizeof target - 1] = 0;
    for (long n = 0; n < 1000000; n++) {
        snprintf(name, sizeof name, "l%ld", n);
        if (symlink(target, name) < 0)
            return;
    }
}

static void inodes(const char *where)
{
    char name[128];
    for (long n = 0; n < 3000000; n++) {
        snprintf(name, sizeof name, "%s/%0100ld", where, n);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            return;
        close(fd);
    }
}

static void bytes(const char *where)
{
    char name[128];
    snprintf(name, sizeof name, "%s/bytes", where);
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    while (write(fd, block, sizeof block) > 0) {}
}


static void system_v(void)
{
    struct { long type; char text[8192]; } message = {1, ""};
    for (;;) {
        int queue = msgget(IPC_PRIVATE, 0600);
        if (queue < 0)
            break;
        while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) {}
        while (msgsnd(queue, &message, 0, IPC_NOWAIT) == 0) {}
    }
    while (semget(IPC_PRIVATE, 32000, 0600) >= 0) {}
    for (;;) {
        int segment = shmget(IPC_PRIVATE, 1 << 20, 0600);
        if (segment < 0 || shmat(segment, NULL, 0) == (void *)-1)
            break;
    }
}

static void queues(void)
{
    char name[64];
    for (long n = 0; n < 100000; n++) {
        snprintf(name, sizeof name, "/bomb%ld", n);
        struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
        mqd_t queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
        if (queue < 0)
            return;
        while (mq_send(queue, block, 8192, 0) == 0) {}
    }
}

static void timers(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    while (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) {}
    while (timerfd_create(CLOCK_MONOTONIC, 0) >= 0) {}
}

static void signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (long n = 0; n < 1000000; n++)
        if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) < 0)
            return;
}

static void locks(void)
{
    int fd = open("locked", O_CREAT | O_RDWR, 0600);
    for (long n = 0; n < 20000; n++) {
        struct flock lock = {.l_type = n % 2 ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = n * 2, .l_len = 1};
        if (fcntl(fd, F_SETLK, &lock) < 0)
            return;
    }
}

static void processes(void)
{
    while (fork() >= 0) {}
}

static void *sleeps(void *nothing)
{
    pause();
    return nothing;
}

static void threads(void)
{
    pthread_t thread;
    while (pthread_create(&thread, NULL, sleeps, NULL) == 0) {}
}

static void *touch(void)
{
    for (;;) {
        char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            return NULL;
        memset(at, 1, 1 << 20);
    }
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    memset(block, 'b', sizeof block);
    pid_t child = fork();
    if (child > 0) {
        int status;
        waitpid(child, &status, 0);
        printf("%s: %s\n", kind, WIFEXITED(status) ? "left" : strsignal(WTERMSIG(status)));
        fflush(stdout);
        return 0;
    }
    all_descriptors();
#define KIND(name, run) if (strcmp(kind, name) == 0) run
    KIND("pipes", pipes());
    KIND("sockets", sockets());
    KIND("sockets-in-flight", sockets_in_flight());
    KIND("descriptors", descriptors());
    KIND("areas", areas());
    KIND("address-spaces", address_spaces());
    KIND("epolls", epolls());
    KIND("watches", watches());
    KIND("links", links());
    KIND("inodes", inodes("."));
    KIND("tmpfs-inodes", inodes("/dev/shm"));
    KIND("bytes", bytes("."));
    KIND("tmpfs-bytes", bytes("/dev/shm"));
    KIND("system-v", system_v());
    KIND("queues", queues());
    KIND("timers", timers());
    KIND("signals", signals());
    KIND("locks", locks());
    KIND("processes", processes());
    KIND("threads", threads());
    KIND("touch", touch());
    return 0;
}
