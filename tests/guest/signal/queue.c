/* Real-time signals queue in order with their values, standard ones merge; rt_sigqueueinfo(2), RLIMIT_SIGPENDING. */
#include "check.h"
#include <sys/resource.h>

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("signal %s%d code %d value %d pid %s\n", signal >= SIGRTMIN ? "rt+" : "",
           signal >= SIGRTMIN ? signal - SIGRTMIN : signal, info->si_code, info->si_value.sival_int,
           info->si_pid == getpid() ? "own" : "other");
}

int main(void)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO, .sa_mask = all };
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 1; i <= 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i });
        sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
        sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 100 + i });
    }
    raise(SIGUSR2);
    sigprocmask(SIG_SETMASK, &none, NULL);

    sigprocmask(SIG_SETMASK, &all, NULL);
    siginfo_t info = { .si_signo = 5, .si_code = -77, .si_errno = 9 };
    info.si_value.sival_int = 55;
    info.si_pid = 1;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR2, &info));
    sigprocmask(SIG_SETMASK, &none, NULL);
    info.si_code = SI_USER;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    info.si_code = SI_TKILL;
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), 99, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, 4000000, SIGUSR1, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 8));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, 0, getpid(), 0, &info));

    struct rlimit limit = { 0, RLIM_INFINITY };
    NEED(getrlimit(RLIMIT_SIGPENDING, &limit));
    limit.rlim_cur = 0;
    NEED(setrlimit(RLIMIT_SIGPENDING, &limit));
    sigprocmask(SIG_SETMASK, &all, NULL);
    SHOW(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 7 }));
    SHOW(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 8 }));
    SHOW(kill(getpid(), SIGUSR1));
    SHOW(kill(getpid(), SIGRTMIN + 1));
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}
