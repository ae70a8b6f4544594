/* All 64 signals: what each does by default, in which order pending ones are taken, which can be caught, blocked and ignored;
   the limit on queued ones. */
#include "check.h"
#include <sys/resource.h>

static int order[200], count;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (count < 200)
        order[count++] = signal;
}

static void defaults(void)
{
    puts("-- by default");
    for (int signal = 1; signal <= 64; signal++) {
        pid_t child = start_child();
        if (child == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            syscall(SYS_tgkill, getpid(), gettid(), signal);
            _exit(0);
        }
        int status;
        NEED(waitpid(child, &status, WUNTRACED));
        printf("%d ", signal);
        if (WIFEXITED(status))
            puts("is ignored");
        else if (WIFSTOPPED(status)) {
            printf("stops by %d\n", WSTOPSIG(status));
            kill(child, SIGKILL);
            NEED(waitpid(child, NULL, 0));
        } else
            printf("kills by %d\n", WTERMSIG(status));
    }
}

static void actions(void)
{
    puts("-- actions");
    for (int signal = 0; signal <= 65; signal++) {
        struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action = {SIG_IGN}, old;
        long result = syscall(SYS_rt_sigaction, signal, &action, NULL, 8);
        int error = errno;
        if (result == -1)
            printf("%d: %s, asking: %ld\n", signal, strerrorname_np(error), syscall(SYS_rt_sigaction, signal, NULL, &old, 8));
        action.handler = SIG_DFL;
        syscall(SYS_rt_sigaction, signal, &action, NULL, 8);
    }
    unsigned long all = ~0ul, got = 0;
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
    NEED(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &got, 8));
    printf("blocked %#lx\n", got);
    all = 0;
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
}

static void pending(void)
{
    puts("-- order");
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int signal = 1; signal <= 64; signal++)
        if (signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33)
            NEED(sigaction(signal, &action, NULL));
    for (int round = 0; round < 2; round++)
        for (int signal = 64; signal >= 1; signal--)
            if (signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33)
                NEED(round ? syscall(SYS_tgkill, getpid(), gettid(), signal) : kill(getpid(), signal));
    sigset_t waiting;
    sigpending(&waiting);
    printf("pending:");
    for (int signal = 1; signal <= 64; signal++)
        if (sigismember(&waiting, signal))
            printf(" %d", signal);
    puts("");
    sigprocmask(SIG_SETMASK, &none, NULL);
    printf("taken:");
    for (int i = 0; i < count; i++)
        printf(" %d", order[i]);
    puts("");
}

/* Which pending signals a stop or SIGCONT discards. */
static void opposites(void)
{
    puts("-- stops and SIGCONT");
    static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    sigset_t all, waiting;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 3; i++) {
        raise(SIGCONT);
        raise(stops[i]);
        sigpending(&waiting);
        printf("%d after SIGCONT: %d %d\n", stops[i], sigismember(&waiting, SIGCONT), sigismember(&waiting, stops[i]));
        raise(SIGCONT);
        sigpending(&waiting);
        printf("SIGCONT after %d: %d %d\n", stops[i], sigismember(&waiting, SIGCONT), sigismember(&waiting, stops[i]));
    }
    signal(SIGCONT, SIG_IGN);
    sigpending(&waiting);
    SHOW(sigismember(&waiting, SIGCONT));
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void limits(void)
{
    puts("-- RLIMIT_SIGPENDING");
    /* A user of whom nothing else is queued. */
    if (geteuid() == 0)
        NEED(setresuid(54322, 54322, 54322));
    struct rlimit limit = {3, 3};
    NEED(setrlimit(RLIMIT_SIGPENDING, &limit));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    union sigval value = {.sival_int = 1};
    for (int i = 0; i < 5; i++, value.sival_int++)
        SHOW(sigqueue(getpid(), SIGRTMIN, value));
    SHOW(kill(getpid(), SIGRTMIN));
    SHOW(kill(getpid(), SIGRTMIN + 1));
    SHOW(sigqueue(getpid(), SIGUSR1, value));
    SHOW(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN + 1));
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
    siginfo_t info;
    struct timespec now = {0};
    while (sigtimedwait(&set, &info, &now) > 0)
        printf("signal %d code %d value %d pid %d\n", info.si_signo - SIGRTMIN, info.si_code,
            info.si_code == SI_QUEUE ? info.si_value.sival_int : -1, info.si_code == SI_QUEUE ? info.si_pid == getpid() : info.si_pid == getpid());
    SHOW(sigqueue(getpid(), SIGRTMIN, value));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Whatever was inherited; the C library does not let the signals of its own be set. */
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action = {SIG_DFL};
    for (int signal = 1; signal <= 64; signal++)
        syscall(SYS_rt_sigaction, signal, &action, NULL, 8);
    unsigned long none = 0;
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8));
    defaults();
    actions();
    pending();
    opposites();
    limits();
    return 0;
}
