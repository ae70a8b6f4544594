/* fault: one process for each kind of wait, none of which ever ends.
 * blame: each of them in its call, with what it waits for */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[1 << 17];

static int is_locked(void)
{
    int file = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
    struct flock whole = { .l_type = F_WRLCK };
    return fcntl(file, F_SETLK, &whole) == -1;
}

static void lock_held_by_parent(void)
{
    struct flock whole = { .l_type = F_WRLCK };
    fcntl(open("/tmp/lock", O_RDWR), F_SETLKW, &whole);
}

static void flock_shared(void)
{
    int first = open("/tmp/flock", O_RDWR | O_CREAT, 0600);
    struct { int operation; } lock = { 2 /* LOCK_EX */ };
    syscall(SYS_flock, first, lock.operation);
    syscall(SYS_flock, open("/tmp/flock", O_RDWR), 1 /* LOCK_SH */);
}

static void epoll_of_epoll(void)
{
    int ends[2];
    pipe(ends);
    int inner = epoll_create1(0), outer = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN };
    epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &event);
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    epoll_wait(outer, &event, 1, -1);
}

static void select_for_room(void)
{
    int ends[2];
    pipe2(ends, O_NONBLOCK);
    while (write(ends[1], buffer, 4096) > 0)
        ;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[1], &set);
    select(ends[1] + 1, NULL, &set, NULL, NULL);
}

static void accept_nobody(void)
{
    struct sockaddr_un name = { AF_UNIX, "/tmp/socket" };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&name, sizeof name);
    listen(listener, 1);
    accept(listener, NULL, NULL);
}

static void receive_datagram(void)
{
    struct sockaddr_un name = { AF_UNIX, "/tmp/datagrams" };
    int socket_ = socket(AF_UNIX, SOCK_DGRAM, 0);
    bind(socket_, (struct sockaddr *)&name, sizeof name);
    recv(socket_, buffer, 10, 0);
}

static void send_too_much(void)
{
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    for (;;)
        send(ends[0], buffer, sizeof buffer, 0);
}

static void queue_empty(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
    mq_receive(mq_open("/empty", O_CREAT | O_RDWR, 0600, &attributes), buffer, 8, NULL);
}

static void queue_full_by_bytes(void)
{
    struct { long type; char text[8192]; } message = { 1, "" };
    int queue = msgget(IPC_PRIVATE, 0600);
    for (;;)
        msgsnd(queue, &message, sizeof message.text, 0);
}

static void queue_without_messages(void)
{
    msgrcv(msgget(IPC_PRIVATE, 0600), buffer, 8, 0, 0);
}

static void semaphore_not_zero(void)
{
    int set = semget(IPC_PRIVATE, 2, 0600);
    struct sembuf up = { 1, 3, 0 }, zero = { 1, 0, 0 };
    semop(set, &up, 1);
    semop(set, &zero, 1);
}

static void unnamed_semaphore(void)
{
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    sem_wait(&semaphore);
}

static void barrier(void)
{
    pthread_barrier_t all;
    pthread_barrier_init(&all, NULL, 2);
    pthread_barrier_wait(&all);
}

static void write_lock(void)
{
    pthread_rwlock_t lock;
    pthread_rwlock_init(&lock, NULL);
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_wrlock(&lock);
}

static void bare_futex(void)
{
    static int word = 7;
    syscall(SYS_futex, &word, 0, 7, NULL, NULL, 0);
}

static void inherited_priority(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(lock, &attributes);
    pthread_mutex_lock(lock);
    if (fork() == 0)
        pthread_mutex_lock(lock);
    wait(NULL);
}

static void count_nothing(void)
{
    eventfd_t count;
    eventfd_read(eventfd(0, 0), &count);
}

static void timer_not_set(void)
{
    read(timerfd_create(CLOCK_MONOTONIC, 0), buffer, 8);
}

static void watch_nothing(void)
{
    int watcher = inotify_init();
    inotify_add_watch(watcher, "/tmp", IN_DELETE_SELF);
    read(watcher, buffer, sizeof buffer);
}

static void signal_descriptor(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    read(signalfd(-1, &set, 0), buffer, 128);
}

static void wait_for_signal(void)
{
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigwait(&set, &signal);
}

static void stop(void)
{
    raise(SIGSTOP);
}

static void vfork_pause(void)
{
    if (vfork() == 0) {
        pause();
        _exit(0);
    }
}

static void process_descriptor(void)
{
    struct pollfd parent = { .fd = syscall(SYS_pidfd_open, getppid(), 0), .events = POLLIN };
    poll(&parent, 1, -1);
}

static void terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    read(open(ptsname(master), O_RDWR | O_NOCTTY), buffer, 1);
}

static void (*const waits[])(void) = {
    lock_held_by_parent, flock_shared, epoll_of_epoll, select_for_room, accept_nobody, receive_datagram, send_too_much,
    queue_empty, queue_full_by_bytes, queue_without_messages, semaphore_not_zero, unnamed_semaphore, barrier, write_lock,
    bare_futex, inherited_priority, count_nothing, timer_not_set, watch_nothing, signal_descriptor, wait_for_signal, stop,
    vfork_pause, process_descriptor, terminal,
};

int main(void)
{
    if (is_locked())
        return 1;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        if (fork() == 0) {
            waits[i]();
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    return 0;
}
