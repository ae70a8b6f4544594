/* pause(2) returns when a handler has run, and only then. */
#include "check.h"

static volatile sig_atomic_t count;

static void handler(int number)
{
    (void)number;
    count++;
}

int main(void)
{
    NEED(signal(SIGUSR1, handler) == SIG_ERR ? -1 : 0);
    NEED(signal(SIGUSR2, SIG_IGN) == SIG_ERR ? -1 : 0);
    sigset_t all, old;
    sigfillset(&all);
    NEED(sigprocmask(SIG_BLOCK, &all, &old));
    pid_t pid = start_child();
    if (pid == 0) {
        signal(SIGUSR1, handler);
        sigprocmask(SIG_SETMASK, &old, NULL);
        while (count == 0)
            usleep(1000);
        kill(getppid(), SIGUSR2);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    NEED(kill(pid, SIGUSR1));
    sigset_t mask = old;
    SHOW(sigsuspend(&mask));
    SHOW(count);
    show_child("child", pid);
    NEED(sigprocmask(SIG_SETMASK, &old, NULL));
    pid = start_child();
    if (pid == 0) {
        usleep(50000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    SHOW(pause());
    SHOW(count);
    show_child("child", pid);
    return 0;
}
