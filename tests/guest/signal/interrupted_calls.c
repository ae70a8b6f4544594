/* signal(7) "Interruption of system calls and library functions": every call that blocks, at its blocking point, by a
   handler without and with SA_RESTART, and by a stop and SIGCONT. "goes on": it sleeps again, or was repeated. */
#include "check.h"
#include <linux/futex.h>
#include <linux/time_types.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>

/* What the child tells its parent. */
static struct shared {
    volatile int handled;
    volatile int is_over;
    long result;
    int error;
    long rest;
    sem_t semaphore;
    uint32_t word;
} *shared;

static int first, second, third;
static char bytes[1 << 17];
static const struct timespec century = {100, 0};

static struct timespec in_a_century(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    now.tv_sec += 100;
    return now;
}

static void no_preparation(void) {}

static void make_pipe(void)
{
    int ends[2];
    NEED(pipe(ends));
    first = ends[0], second = ends[1];
}

static void make_full_pipe(void)
{
    make_pipe();
    NEED(fcntl(second, F_SETFL, O_NONBLOCK));
    while (write(second, bytes, 4096) > 0)
        ;
    NEED(fcntl(second, F_SETFL, 0));
}

/* A write that has begun. */
static void make_half_full_pipe(void)
{
    make_pipe();
    NEED(write(second, bytes, 4096));
}

static long call_read(void) { return read(first, bytes, 100); }
static long call_readv(void)
{
    struct iovec vector[2] = {{bytes, 10}, {bytes + 10, 10}};
    return readv(first, vector, 2);
}
static long call_preadv2(void)
{
    struct iovec vector = {bytes, 10};
    return preadv2(first, &vector, 1, -1, 0);
}
static long call_write(void) { return write(second, bytes, 4096); }
static long call_write_much(void) { return write(second, bytes, sizeof bytes); }
static long call_writev(void)
{
    struct iovec vector[2] = {{bytes, 10}, {bytes + 10, 10}};
    return writev(second, vector, 2);
}

static void make_pipes_for_splice(void)
{
    make_full_pipe();
    third = second;
    int full = first;
    make_pipe();
    (void)full;
}
static long call_splice(void) { return splice(first, NULL, third, NULL, 100, 0); }
static long call_tee(void) { return tee(first, third, 100, 0); }
static void make_full_pair(void)
{
    make_half_full_pipe();
    int from = first;
    make_full_pipe();
    first = from;
}
static long call_splice_full(void) { return splice(first, NULL, second, NULL, 100, 0); }
static long call_vmsplice(void)
{
    struct iovec vector = {bytes, 10};
    return vmsplice(second, &vector, 1, 0);
}

static void make_fifo(void)
{
    unlink("fifo");
    NEED(mkfifo("fifo", 0600));
    first = second = -1;
}
static long call_open_read(void) { return open("fifo", O_RDONLY); }
static long call_open_write(void) { return open("fifo", O_WRONLY); }

static void make_terminal(void)
{
    first = NEED(posix_openpt(O_RDWR | O_NOCTTY));
    NEED(grantpt(first));
    NEED(unlockpt(first));
    second = NEED(open(ptsname(first), O_RDWR | O_NOCTTY));
}
static void make_raw_terminal(void)
{
    make_terminal();
    struct termios modes;
    tcgetattr(second, &modes);
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = 10;
    tcsetattr(second, TCSANOW, &modes);
    NEED(write(first, "abc", 3));
    usleep(20000);
}
static void make_full_terminal(void)
{
    make_terminal();
    NEED(fcntl(second, F_SETFL, O_NONBLOCK));
    for (int i = 0; i < 4; i++) {
        while (write(second, bytes, 4096) > 0)
            ;
        usleep(20000);
    }
    NEED(fcntl(second, F_SETFL, 0));
}
static long call_read_terminal(void) { return read(second, bytes, 100); }

static void make_eventfd(void) { first = NEED(eventfd(0, 0)); second = -1; }
static void make_full_eventfd(void)
{
    first = -1;
    second = NEED(eventfd(0, 0));
    uint64_t most = UINT64_MAX - 1;
    NEED(write(second, &most, 8));
}
static long call_write_eventfd(void)
{
    uint64_t one = 1;
    return write(second, &one, 8);
}
static void make_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    first = NEED(signalfd(-1, &set, 0));
    second = -1;
}
static long call_read_signalfd(void) { return read(first, bytes, 1000); }
static void make_timerfd(void)
{
    first = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec time = {.it_value = century};
    NEED(timerfd_settime(first, 0, &time, NULL));
    second = -1;
}
static void make_inotify(void) { first = NEED(inotify_init()); second = -1; }

static long call_wait4(void)
{
    pid_t child = fork();
    if (child == 0) {
        NEED(syscall(SYS_prctl, 1, SIGKILL));
        for (;;)
            pause();
    }
    int status;
    long result = wait4(child, &status, 0, NULL);
    int error = errno;
    kill(child, SIGKILL);
    errno = error;
    return result;
}
static long call_waitid(void)
{
    pid_t child = fork();
    if (child == 0) {
        NEED(syscall(SYS_prctl, 1, SIGKILL));
        for (;;)
            pause();
    }
    siginfo_t info;
    long result = waitid(P_PID, child, &info, WEXITED | WSTOPPED);
    int error = errno;
    kill(child, SIGKILL);
    errno = error;
    return result;
}

static void make_pair(void)
{
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    first = pair[0], second = pair[1];
}
static void make_datagram_pair(void)
{
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    first = pair[0], second = pair[1];
}
static void limit_receiving(void)
{
    struct timeval limit = {100, 0};
    NEED(setsockopt(first, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
}
static void limit_sending(void)
{
    struct timeval limit = {100, 0};
    NEED(setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}
static void make_pair_with_limit(void) { make_pair(); limit_receiving(); }
static void make_datagram_pair_with_limit(void) { make_datagram_pair(); limit_receiving(); }
static void fill(void)
{
    while (send(second, bytes, 1000, MSG_DONTWAIT) > 0)
        ;
}
static void make_full_socket(void) { make_pair(); fill(); }
static void make_full_socket_with_limit(void) { make_pair(); fill(); limit_sending(); }
static void make_full_datagram(void) { make_datagram_pair(); fill(); }
static long call_recv(void) { return recv(first, bytes, 100, 0); }
static long call_recv_all(void) { return recv(first, bytes, 100, MSG_WAITALL); }
static void make_pair_with_some(void) { make_pair(); NEED(write(second, "abc", 3)); }
static long call_recvmsg(void)
{
    struct iovec vector = {bytes, 10};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return recvmsg(first, &message, 0);
}
static long call_recvmmsg(void)
{
    struct iovec vector = {bytes, 10};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}}};
    return recvmmsg(first, messages, 2, 0, NULL);
}
static long call_recvmmsg_limited(void)
{
    struct iovec vector = {bytes, 10};
    struct timespec limit = century;
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    return recvmmsg(first, &message, 1, 0, &limit);
}
static long call_send(void) { return send(second, bytes, 1000, 0); }
static long call_sendmsg(void)
{
    struct iovec vector = {bytes, 1000};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return sendmsg(second, &message, 0);
}
static long call_sendmmsg(void)
{
    struct iovec vector = {bytes, 1000};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    return sendmmsg(second, &message, 1, 0);
}
static void make_listener(void)
{
    struct sockaddr_un address = {AF_UNIX, "listener"};
    unlink("listener");
    first = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(bind(first, (void *)&address, sizeof address));
    NEED(listen(first, 0));
    second = -1;
}
static void make_listener_with_limit(void) { make_listener(); limit_receiving(); }
static long call_accept(void) { return accept(first, NULL, NULL); }
static void make_full_listener(void)
{
    make_listener();
    struct sockaddr_un address = {AF_UNIX, "listener"};
    second = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(connect(second, (void *)&address, sizeof address));
}
static long call_connect(void)
{
    struct sockaddr_un address = {AF_UNIX, "listener"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (void *)&address, sizeof address);
}
static long call_connect_limited(void)
{
    struct sockaddr_un address = {AF_UNIX, "listener"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct timeval limit = {100, 0};
    NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    return connect(fd, (void *)&address, sizeof address);
}

static void take_flock(void)
{
    first = NEED(open("locked", O_RDWR | O_CREAT, 0600));
    NEED(flock(first, LOCK_EX));
    second = -1;
}
static long call_flock(void) { return flock(open("locked", O_RDWR), LOCK_EX); }
static void take_record(void)
{
    first = NEED(open("locked", O_RDWR | O_CREAT, 0600));
    struct flock lock = {.l_type = F_WRLCK};
    NEED(fcntl(first, F_SETLK, &lock));
    second = -1;
}
static long call_setlkw(void)
{
    struct flock lock = {.l_type = F_WRLCK};
    return fcntl(first, F_SETLKW, &lock);
}
static long call_ofd_setlkw(void)
{
    struct flock lock = {.l_type = F_WRLCK};
    return fcntl(first, F_OFD_SETLKW, &lock);
}
static long call_lockf(void) { return lockf(first, F_LOCK, 0); }
static void take_lease(void)
{
    first = NEED(open("leased", O_RDONLY | O_CREAT, 0600));
    NEED(fcntl(first, F_SETLEASE, F_RDLCK));
    signal(SIGIO, SIG_IGN);
    second = -1;
}
static long call_open_leased(void) { return open("leased", O_WRONLY); }
static long call_truncate_leased(void) { return truncate("leased", 0); }

static void make_queue(void)
{
    mq_unlink("/interrupted");
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 10};
    first = NEED(mq_open("/interrupted", O_RDWR | O_CREAT, 0600, &attributes));
    second = -1;
}
static void make_full_queue(void) { make_queue(); NEED(mq_send(first, "x", 1, 0)); }
static long call_mq_receive(void) { return mq_receive(first, bytes, 100, NULL); }
static long call_mq_send(void) { return mq_send(first, "x", 1, 0); }
static long call_mq_timedreceive(void)
{
    struct timespec limit = in_a_century(CLOCK_REALTIME);
    return mq_timedreceive(first, bytes, 100, NULL, &limit);
}
static long call_mq_timedsend(void)
{
    struct timespec limit = in_a_century(CLOCK_REALTIME);
    return mq_timedsend(first, "x", 1, 0, &limit);
}

static long futex(int operation, uint32_t value, const struct timespec *limit, uint32_t bits)
{
    return syscall(SYS_futex, &shared->word, operation, value, limit, NULL, bits);
}
static void zero_word(void) { shared->word = 0; first = second = -1; }
static void own_word(void) { zero_word(); NEED(futex(FUTEX_LOCK_PI, 0, NULL, 0)); }
static long call_futex_wait(void) { return futex(FUTEX_WAIT, 0, NULL, 0); }
static long call_futex_wait_limited(void) { return futex(FUTEX_WAIT, 0, &century, 0); }
static long call_futex_bitset(void)
{
    struct timespec limit = in_a_century(CLOCK_MONOTONIC);
    return futex(FUTEX_WAIT_BITSET, 0, &limit, 1);
}
static long call_futex_lock_pi(void) { return futex(FUTEX_LOCK_PI, 0, NULL, 0); }
static long call_futex_lock_pi_limited(void)
{
    struct timespec limit = in_a_century(CLOCK_REALTIME);
    return futex(FUTEX_LOCK_PI, 0, &limit, 0);
}
static long call_futex_requeue_pi(void)
{
    return syscall(SYS_futex, &shared->word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &shared->word + 1, 0);
}
static long call_futex_waitv(void)
{
    struct futex_waitv waiter = {.uaddr = (uintptr_t)&shared->word, .flags = 2};
    return syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, 0);
}
static long call_futex_waitv_limited(void)
{
    struct timespec limit = in_a_century(CLOCK_MONOTONIC);
    struct futex_waitv waiter = {.uaddr = (uintptr_t)&shared->word, .flags = 2};
    return syscall(SYS_futex_waitv, &waiter, 1, 0, &limit, CLOCK_MONOTONIC);
}
static void make_semaphore(void) { NEED(sem_init(&shared->semaphore, 1, 0)); first = second = -1; }
static long call_sem_wait(void) { return sem_wait(&shared->semaphore); }
static long call_sem_timedwait(void)
{
    struct timespec limit = in_a_century(CLOCK_REALTIME);
    return sem_timedwait(&shared->semaphore, &limit);
}
static long call_sem_clockwait(void)
{
    struct timespec limit = in_a_century(CLOCK_MONOTONIC);
    return sem_clockwait(&shared->semaphore, CLOCK_MONOTONIC, &limit);
}

static int object;
struct message { long type; char text[4096]; };
static void make_messages(void) { object = NEED(msgget(IPC_PRIVATE, 0600)); first = second = -1; }
static void make_full_messages(void)
{
    make_messages();
    struct message message = {1};
    while (msgsnd(object, &message, sizeof message.text, IPC_NOWAIT) == 0)
        ;
}
static void remove_messages(void) { NEED(msgctl(object, IPC_RMID, NULL)); }
static long call_msgrcv(void)
{
    struct message message;
    return msgrcv(object, &message, sizeof message.text, 0, 0);
}
static long call_msgsnd(void)
{
    struct message message = {1};
    return msgsnd(object, &message, sizeof message.text, 0);
}
static void make_semaphores(void) { object = NEED(semget(IPC_PRIVATE, 1, 0600)); first = second = -1; }
static void remove_semaphores(void) { NEED(semctl(object, 0, IPC_RMID)); }
static long call_semop(void)
{
    struct sembuf operation = {0, -1, 0};
    return semop(object, &operation, 1);
}
static long call_semtimedop(void)
{
    struct sembuf operation = {0, -1, 0};
    return semtimedop(object, &operation, 1, &century);
}

static long rest_of(long result, const struct timespec *rest)
{
    shared->rest = rest->tv_sec + 1;
    return result;
}
static long call_nanosleep(void)
{
    struct timespec rest = {0};
    return rest_of(nanosleep(&century, &rest), &rest);
}
static long call_clock_nanosleep(void)
{
    struct timespec rest = {0};
    errno = clock_nanosleep(CLOCK_REALTIME, 0, &century, &rest);
    return rest_of(errno ? -1 : 0, &rest);
}
static long call_clock_nanosleep_absolute(void)
{
    struct timespec limit = in_a_century(CLOCK_MONOTONIC), rest = {0};
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &limit, &rest);
    return rest_of(errno ? -1 : 0, &rest);
}
static long call_usleep(void) { return usleep(100000000); }
static long call_sleep(void) { return sleep(100); }

static long call_poll(void)
{
    struct pollfd poller = {first, POLLIN, 0};
    return poll(&poller, 1, -1);
}
static long call_poll_limited(void)
{
    struct pollfd poller = {first, POLLIN, 0};
    return poll(&poller, 1, 100000);
}
static long call_ppoll(void)
{
    struct pollfd poller = {first, POLLIN, 0};
    struct timespec rest = century;
    long result = syscall(SYS_ppoll, &poller, 1, &rest, NULL, 8);
    return rest_of(result, &rest);
}
static long call_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(first, &set);
    return select(first + 1, &set, NULL, NULL, NULL);
}
static long call_select_limited(void)
{
    struct timeval rest = {100, 0};
    long result = select(0, NULL, NULL, NULL, &rest);
    struct timespec as_spec = {rest.tv_sec, 0};
    return rest_of(result, &as_spec);
}
static long call_pselect(void)
{
    sigset_t none;
    sigemptyset(&none);
    return pselect(0, NULL, NULL, NULL, &century, &none);
}
static long epoll(int kind)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    NEED(epoll_ctl(set, EPOLL_CTL_ADD, first, &event));
    struct timespec limit = century;
    switch (kind) {
    case 0: return epoll_wait(set, &event, 1, -1);
    case 1: return epoll_wait(set, &event, 1, 100000);
    case 2: return epoll_pwait(set, &event, 1, -1, NULL);
    default: return syscall(SYS_epoll_pwait2, set, &event, 1, &limit, NULL, 8);
    }
}
static long call_epoll_wait(void) { return epoll(0); }
static long call_epoll_wait_limited(void) { return epoll(1); }
static long call_epoll_pwait(void) { return epoll(2); }
static long call_epoll_pwait2(void) { return epoll(3); }
static long call_pause(void) { return pause(); }
static long call_sigsuspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}
static long wait_for_signal(const struct timespec *limit)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    siginfo_t info;
    return syscall(SYS_rt_sigtimedwait, &set, &info, limit, 8);
}
static long call_sigwaitinfo(void) { return wait_for_signal(NULL); }
static long call_sigtimedwait(void) { return wait_for_signal(&century); }
static void no_end(void) {}

static const struct item {
    const char *name;
    void (*prepare)(void);
    long (*call)(void);
    void (*end)(void);
} items[] = {
    {"read of a pipe", make_pipe, call_read, no_end},
    {"readv of a pipe", make_pipe, call_readv, no_end},
    {"preadv2 of a pipe", make_pipe, call_preadv2, no_end},
    {"write to a full pipe", make_full_pipe, call_write, no_end},
    {"writev to a full pipe", make_full_pipe, call_writev, no_end},
    {"write of more than fits", make_half_full_pipe, call_write_much, no_end},
    {"splice from an empty pipe", make_pipes_for_splice, call_splice, no_end},
    {"tee from an empty pipe", make_pipes_for_splice, call_tee, no_end},
    {"splice to a full pipe", make_full_pair, call_splice_full, no_end},
    {"vmsplice to a full pipe", make_full_pipe, call_vmsplice, no_end},
    {"open of a FIFO to read", make_fifo, call_open_read, no_end},
    {"open of a FIFO to write", make_fifo, call_open_write, no_end},
    {"read of a terminal", make_terminal, call_read_terminal, no_end},
    {"read of a raw terminal that has too little", make_raw_terminal, call_read_terminal, no_end},
    {"read of a master", make_terminal, call_read, no_end},
    {"write to a full terminal", make_full_terminal, call_write, no_end},
    {"read of an eventfd", make_eventfd, call_read, no_end},
    {"write to a full eventfd", make_full_eventfd, call_write_eventfd, no_end},
    {"read of a signalfd", make_signalfd, call_read_signalfd, no_end},
    {"read of a timerfd", make_timerfd, call_read, no_end},
    {"read of an inotify queue", make_inotify, call_read, no_end},
    {"wait4", no_preparation, call_wait4, no_end},
    {"waitid", no_preparation, call_waitid, no_end},
    {"read of a socket", make_pair, call_read, no_end},
    {"recv", make_pair, call_recv, no_end},
    {"recv MSG_WAITALL with a part", make_pair_with_some, call_recv_all, no_end},
    {"recv with SO_RCVTIMEO", make_pair_with_limit, call_recv, no_end},
    {"read with SO_RCVTIMEO", make_pair_with_limit, call_read, no_end},
    {"recv of a datagram", make_datagram_pair, call_recv, no_end},
    {"recv of a datagram with SO_RCVTIMEO", make_datagram_pair_with_limit, call_recv, no_end},
    {"recvmsg", make_pair, call_recvmsg, no_end},
    {"recvmsg with SO_RCVTIMEO", make_pair_with_limit, call_recvmsg, no_end},
    {"recvmmsg", make_datagram_pair, call_recvmmsg, no_end},
    {"recvmmsg with a timeout", make_datagram_pair, call_recvmmsg_limited, no_end},
    {"send", make_full_socket, call_send, no_end},
    {"send with SO_SNDTIMEO", make_full_socket_with_limit, call_send, no_end},
    {"write to a full socket", make_full_socket, call_write, no_end},
    {"send of a datagram", make_full_datagram, call_send, no_end},
    {"sendmsg", make_full_socket, call_sendmsg, no_end},
    {"sendmmsg", make_full_socket, call_sendmmsg, no_end},
    {"accept", make_listener, call_accept, no_end},
    {"accept with SO_RCVTIMEO", make_listener_with_limit, call_accept, no_end},
    {"connect", make_full_listener, call_connect, no_end},
    {"connect with SO_SNDTIMEO", make_full_listener, call_connect_limited, no_end},
    {"flock", take_flock, call_flock, no_end},
    {"fcntl F_SETLKW", take_record, call_setlkw, no_end},
    {"fcntl F_OFD_SETLKW", take_record, call_ofd_setlkw, no_end},
    {"lockf", take_record, call_lockf, no_end},
    {"open of a leased file", take_lease, call_open_leased, no_end},
    {"truncate of a leased file", take_lease, call_truncate_leased, no_end},
    {"mq_receive", make_queue, call_mq_receive, no_end},
    {"mq_timedreceive", make_queue, call_mq_timedreceive, no_end},
    {"mq_send", make_full_queue, call_mq_send, no_end},
    {"mq_timedsend", make_full_queue, call_mq_timedsend, no_end},
    {"FUTEX_WAIT", zero_word, call_futex_wait, no_end},
    {"FUTEX_WAIT with a timeout", zero_word, call_futex_wait_limited, no_end},
    {"FUTEX_WAIT_BITSET with a timeout", zero_word, call_futex_bitset, no_end},
    {"FUTEX_LOCK_PI", own_word, call_futex_lock_pi, no_end},
    {"FUTEX_LOCK_PI with a timeout", own_word, call_futex_lock_pi_limited, no_end},
    {"FUTEX_WAIT_REQUEUE_PI", zero_word, call_futex_requeue_pi, no_end},
    {"futex_waitv", zero_word, call_futex_waitv, no_end},
    {"futex_waitv with a timeout", zero_word, call_futex_waitv_limited, no_end},
    {"sem_wait", make_semaphore, call_sem_wait, no_end},
    {"sem_timedwait", make_semaphore, call_sem_timedwait, no_end},
    {"sem_clockwait", make_semaphore, call_sem_clockwait, no_end},
    {"msgrcv", make_messages, call_msgrcv, remove_messages},
    {"msgsnd", make_full_messages, call_msgsnd, remove_messages},
    {"semop", make_semaphores, call_semop, remove_semaphores},
    {"semtimedop", make_semaphores, call_semtimedop, remove_semaphores},
    {"nanosleep", no_preparation, call_nanosleep, no_end},
    {"clock_nanosleep", no_preparation, call_clock_nanosleep, no_end},
    {"clock_nanosleep TIMER_ABSTIME", no_preparation, call_clock_nanosleep_absolute, no_end},
    {"usleep", no_preparation, call_usleep, no_end},
    {"sleep", no_preparation, call_sleep, no_end},
    {"poll", make_pipe, call_poll, no_end},
    {"poll with a timeout", make_pipe, call_poll_limited, no_end},
    {"ppoll", make_pipe, call_ppoll, no_end},
    {"select", make_pipe, call_select, no_end},
    {"select with a timeout", no_preparation, call_select_limited, no_end},
    {"pselect", no_preparation, call_pselect, no_end},
    {"epoll_wait", make_pipe, call_epoll_wait, no_end},
    {"epoll_wait with a timeout", make_pipe, call_epoll_wait_limited, no_end},
    {"epoll_pwait", make_pipe, call_epoll_pwait, no_end},
    {"epoll_pwait2", make_pipe, call_epoll_pwait2, no_end},
    {"pause", no_preparation, call_pause, no_end},
    {"sigsuspend", no_preparation, call_sigsuspend, no_end},
    {"sigwaitinfo", no_preparation, call_sigwaitinfo, no_end},
    {"sigtimedwait", no_preparation, call_sigtimedwait, no_end},
};

static void handler(int signal)
{
    (void)signal;
    shared->handled++;
}

/* The state of a process, '-' once it is gone. */
static char state_of(pid_t pid)
{
    char path[64], line[256] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd == -1)
        return '-';
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    char *name = length > 0 ? strrchr(line, ')') : NULL;
    return name ? name[2] : '-';
}

/* Waits until the child sleeps for good, or its call is over. */
static void settle(pid_t child)
{
    for (int asleep = 0, rounds = 0; asleep < 5 && rounds < 5000 && !shared->is_over; rounds++) {
        usleep(1000);
        char state = state_of(child);
        asleep = state == 'S' ? asleep + 1 : 0;
    }
}

enum { PLAIN, RESTART, STOP };

static void run(const struct item *item, int way)
{
    static const char *const ways[] = {"handler", "SA_RESTART", "stop"};
    memset((void *)shared, 0, sizeof *shared);
    first = second = third = -1;
    item->prepare();
    pid_t child = start_child();
    if (child == 0) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = way == RESTART ? SA_RESTART : 0};
        sigaction(SIGUSR1, &action, NULL);
        errno = 0;
        shared->result = item->call();
        shared->error = errno;
        shared->is_over = 1;
        _exit(0);
    }
    settle(child);
    const char *early = shared->is_over ? " (did not block)" : "";
    if (shared->is_over) {
        /* There is nothing to interrupt. */
    } else if (way == STOP) {
        int status;
        NEED(kill(child, SIGSTOP));
        NEED(waitpid(child, &status, WUNTRACED));
        NEED(kill(child, SIGCONT));
        for (int rounds = 0; rounds < 20 && !shared->is_over; rounds++)
            usleep(1000);
    } else {
        NEED(kill(child, SIGUSR1));
        for (int rounds = 0; rounds < 5000 && !shared->handled && !shared->is_over; rounds++)
            usleep(1000);
    }
    settle(child);
    printf("  %s%s: ", ways[way], early);
    if (!shared->is_over)
        printf("goes on");
    else if (shared->result == -1)
        printf("%s", strerrorname_np(shared->error));
    else
        printf("%ld", shared->result);
    if (shared->is_over && shared->rest)
        printf(", rest %ld s", shared->rest - 1);
    printf(", handled %d\n", shared->handled);
    kill(child, SIGKILL);
    NEED(waitpid(child, NULL, 0));
    item->end();
    if (first >= 0)
        close(first);
    if (second >= 0)
        close(second);
    for (int fd = 3; fd < 20; fd++)
        close(fd);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        printf("%s\n", items[i].name);
        run(&items[i], PLAIN);
        run(&items[i], RESTART);
        run(&items[i], STOP);
    }
    mq_unlink("/interrupted");
    unlink("fifo"), unlink("listener"), unlink("locked"), unlink("leased");
    return 0;
}
