/* Calls that are blocked while their process is stopped and continued, signal(7) "Interruption of system calls and library
   functions by stop signals": some fail with EINTR though no handler runs, some report what they have done, others go on. */
#include "check.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Runs `call` in a child that is stopped and continued while it waits. */
static void stop_during(const char *name, long (*call)(void))
{
    int told[2];
    NEED(pipe(told));
    pid_t child = start_child();
    if (child == 0) {
        /* A call that goes on is ended by a time-out or by this. */
        close(told[0]);
        if (write(told[1], "x", 1) != 1)
            _exit(2);
        errno = 0;
        long result = call();
        printf("%s: %ld %s\n", name, result, result < 0 ? strerrorname_np(errno) : "");
        fflush(stdout);
        _exit(0);
    }
    close(told[1]);
    char byte;
    if (read(told[0], &byte, 1) != 1)
        printf("no child\n");
    close(told[0]);
    usleep(30000);
    int status;
    NEED(kill(child, SIGSTOP));
    NEED(waitpid(child, &status, WUNTRACED));
    CHECK(WIFSTOPPED(status));
    NEED(kill(child, SIGCONT));
    NEED(waitpid(child, &status, 0));
}

static int ends[2];

static long do_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(epoll_create1(0), &event, 1, 200);
}

static long do_poll(void)
{
    struct pollfd watched = { ends[0], POLLIN, 0 };
    return poll(&watched, 1, 200);
}

static long do_select(void)
{
    struct timeval time = { 0, 200000 };
    return select(0, NULL, NULL, NULL, &time);
}

static long do_sleep(void)
{
    struct timespec time = { 0, 200000000 };
    return nanosleep(&time, NULL);
}

static long do_semaphore(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = { 0, -1, 0 };
    struct timespec time = { 0, 200000000 };
    long result = semtimedop(set, &down, 1, &time);
    int error = errno;
    semctl(set, 0, IPC_RMID);
    errno = error;
    return result;
}

static long do_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    struct timespec time = { 0, 200000000 };
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigtimedwait(&set, NULL, &time);
}

static long do_receive(void)
{
    int pair[2];
    struct timeval time = { 0, 200000 };
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    char byte;
    return recv(pair[0], &byte, 1, 0);
}

static long do_queue(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
    mqd_t queue = mq_open("/belljar-stopped", O_CREAT | O_RDWR, 0600, &attributes);
    mq_unlink("/belljar-stopped");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    char message[8];
    return mq_timedreceive(queue, message, sizeof message, NULL, &until);
}

/* More than fits: what went into the pipe is reported. */
static long do_write(void)
{
    int full[2];
    static char bytes[100000];
    if (pipe(full) == -1)
        return -1;
    return write(full[1], bytes, sizeof bytes);
}

int main(void)
{
    NEED(pipe(ends));
    stop_during("epoll_wait", do_epoll);
    stop_during("poll", do_poll);
    stop_during("select", do_select);
    stop_during("nanosleep", do_sleep);
    stop_during("semtimedop", do_semaphore);
    stop_during("sigtimedwait", do_signal);
    stop_during("recv with SO_RCVTIMEO", do_receive);
    stop_during("mq_timedreceive", do_queue);
    stop_during("write to a pipe", do_write);
    return 0;
}
