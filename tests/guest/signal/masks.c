/* sigprocmask(2), sigpending(2), sigtimedwait(2), real-time queues. */
#include "check.h"

static int order[64], count;

static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    order[count++] = number * 1000 + info->si_value.sival_int;
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    sigfillset(&action.sa_mask);
    int numbers[] = { SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMIN + 1 };
    sigset_t set, old, pending;
    sigemptyset(&set);
    for (int i = 0; i < 4; i++) {
        NEED(sigaction(numbers[i], &action, NULL));
        sigaddset(&set, numbers[i]);
    }
    SHOW(sigprocmask(SIG_BLOCK, &set, &old));
    for (int i = 1; i <= 3; i++)
        for (int j = 3; j >= 0; j--)
            NEED(sigqueue(getpid(), numbers[j], (union sigval){ .sival_int = i }));
    NEED(sigpending(&pending));
    for (int j = 0; j < 4; j++)
        printf("pending %d\n", sigismember(&pending, numbers[j]));
    SHOW(sigprocmask(SIG_SETMASK, &old, NULL));
    for (int i = 0; i < count; i++)
        printf("%d: %d with %d\n", i, order[i] / 1000 - SIGRTMIN, order[i] % 1000);

    NEED(sigprocmask(SIG_BLOCK, &set, NULL));
    siginfo_t info;
    struct timespec zero = { 0, 0 }, shortly = { 0, 1000000 };
    SHOW(sigtimedwait(&set, &info, &zero));
    SHOW(sigtimedwait(&set, &info, &shortly));
    NEED(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 5 }));
    NEED(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 6 }));
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 6);
    CHECK(sigtimedwait(&set, &info, &zero) == SIGRTMIN + 1 && info.si_value.sival_int == 5);
    pid_t pid = start_child();
    if (pid == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == pid);
    show_child("sender", pid);

    /* SIGKILL and SIGSTOP cannot be blocked. */
    sigset_t all;
    sigfillset(&all);
    NEED(sigprocmask(SIG_SETMASK, &all, NULL));
    NEED(sigprocmask(SIG_SETMASK, NULL, &old));
    CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP) && sigismember(&old, SIGTERM));
    SHOW(sigprocmask(9, &all, NULL));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 16));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8));
    return 0;
}
