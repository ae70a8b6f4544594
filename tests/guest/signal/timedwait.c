/* rt_sigtimedwait(2), sigwaitinfo(2), sigwait(3): what they take, time limits, interruption. */
#include "check.h"
#include <pthread.h>

static volatile sig_atomic_t runs;
static void handler(int signal) { (void)signal; runs++; }

static void *waiter(void *argument)
{
    int signal = 0;
    sigwait(argument, &signal);
    return (void *)(intptr_t)signal;
}

int main(void)
{
    sigset_t set, other;
    siginfo_t info;
    struct timespec none = { 0, 0 }, some = { 0, 20000000 }, bad = { 0, 1000000000 }, long_time = { 5, 0 };
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(sigtimedwait(&set, &info, &none));
    SHOW(sigtimedwait(&set, &info, &some));
    SHOW(sigtimedwait(&set, &info, &bad));
    raise(SIGUSR1);
    SHOW(sigtimedwait(&set, &info, NULL) == SIGUSR1);
    SHOW(info.si_code == SI_TKILL);
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 4 });
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 3);
    SHOW(info.si_value.sival_int);
    SHOW(sigtimedwait(&set, NULL, &none));

    /* A handler of another signal interrupts, whatever its flags. */
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    SHOW(sigtimedwait(&set, NULL, &long_time));
    SHOW(runs);

    /* Another process's signal ends the wait. */
    pid_t me = getpid(), pid = start_child();
    if (pid == 0) {
        usleep(20000);
        kill(me, SIGUSR1);
        _exit(0);
    }
    SHOW(sigtimedwait(&set, &info, &long_time) == SIGUSR1 && info.si_pid == pid);
    show_child("sender", pid);

    /* SIGCHLD is ignored by default, but not while somebody waits for it. */
    sigemptyset(&other);
    sigaddset(&other, SIGCHLD);
    sigprocmask(SIG_BLOCK, &other, NULL);
    pid = start_child();
    if (pid == 0)
        _exit(6);
    SHOW(sigtimedwait(&other, &info, &long_time) == SIGCHLD && info.si_status == 6 && info.si_code == CLD_EXITED);
    show_child("child", pid);

    /* One of two waiting threads gets it. */
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, waiter, &set);
    pthread_create(&threads[1], NULL, waiter, &set);
    usleep(20000);
    kill(getpid(), SIGUSR1);
    usleep(20000);
    kill(getpid(), SIGUSR1);
    void *result[2];
    pthread_join(threads[0], &result[0]);
    pthread_join(threads[1], &result[1]);
    CHECK(result[0] == (void *)SIGUSR1 && result[1] == (void *)SIGUSR1);
    SHOW(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 4));
    SHOW(syscall(SYS_rt_sigtimedwait, 8, NULL, &none, 8));
    return 0;
}
