/* sigsuspend(2), ppoll(2), pselect(2): the mask for their duration, and the mask that handlers run under. */
#include "check.h"
#include <poll.h>
#include <sys/select.h>

static void show_mask(const char *where)
{
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    printf("%s: USR1 %d USR2 %d ALRM %d\n", where, sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2),
           sigismember(&mask, SIGALRM));
    fflush(stdout);
}

static void handler(int signal)
{
    show_mask(signal == SIGUSR1 ? "in USR1" : signal == SIGUSR2 ? "in USR2" : "in ALRM");
}

int main(void)
{
    sigset_t blocked, empty, only;
    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    signal(SIGALRM, handler);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR1);
    raise(SIGUSR2);
    show_mask("before");
    SHOW(sigsuspend(&empty));
    show_mask("after");

    sigfillset(&only);
    sigdelset(&only, SIGUSR2);
    raise(SIGUSR1);
    pid_t me = getpid(), pid = start_child();
    if (pid == 0) {
        usleep(20000);
        kill(me, SIGUSR2);
        _exit(0);
    }
    SHOW(sigsuspend(&only));
    show_child("sender", pid);
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));

    struct timespec time = { 1, 0 }, none = { 0, 0 };
    SHOW(ppoll(NULL, 0, &time, &empty));
    show_mask("after ppoll");
    raise(SIGUSR2);
    /* Nothing to wait for: the call ends without looking at signals. */
    int pipes[2];
    NEED(pipe(pipes));
    NEED(write(pipes[1], "x", 1));
    struct pollfd poller = { .fd = pipes[0], .events = POLLIN };
    SHOW(ppoll(&poller, 1, &time, &empty));
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR2));
    SHOW(pselect(0, NULL, NULL, NULL, &none, &empty));
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR2));
    show_mask("after pselect");
    SHOW(syscall(SYS_rt_sigsuspend, &empty, 4));
    SHOW(syscall(SYS_rt_sigsuspend, 8, 8));
    return 0;
}
