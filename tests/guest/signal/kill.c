/* kill(2), tkill(2), tgkill(2): whom they reach, whom they do not, what the receiver is told. */
#include "check.h"
#include <pthread.h>

static volatile sig_atomic_t last_code, last_pid, runs;
static pid_t handler_tid;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    last_code = info->si_code;
    last_pid = info->si_pid;
    handler_tid = (pid_t)syscall(SYS_gettid);
    runs++;
}

static volatile int thread_ready;
static pid_t thread_tid;

static void *thread(void *unused)
{
    (void)unused;
    thread_tid = (pid_t)syscall(SYS_gettid);
    thread_ready = 1;
    while (thread_ready == 1)
        usleep(1000);
    return NULL;
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    SHOW(kill(getpid(), SIGUSR1));
    CHECK(runs == 1 && last_code == SI_USER && last_pid == getpid());
    SHOW(raise(SIGUSR1));
    CHECK(runs == 2 && last_code == SI_TKILL && last_pid == getpid());
    SHOW(kill(getpid(), 0));
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), -1));
    SHOW(kill(4000000, 0));
    SHOW(kill(4000000, 99));
    SHOW(kill(-4000000, 0));
    SHOW(kill(INT_MIN, 0));
    SHOW(syscall(SYS_tkill, 0, SIGUSR1));
    SHOW(syscall(SYS_tkill, 4000000, SIGUSR1));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0));
    SHOW(syscall(SYS_tgkill, 0, getpid(), 0));
    SHOW(syscall(SYS_tgkill, getppid(), getpid(), 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 65));

    pthread_t id;
    pthread_create(&id, NULL, thread, NULL);
    while (!thread_ready)
        usleep(1000);
    SHOW(pthread_kill(id, SIGUSR1));
    while (runs < 3)
        usleep(1000);
    CHECK(handler_tid == thread_tid && last_code == SI_TKILL);
    /* A blocked signal of the process goes to the thread that does not block it. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    SHOW(kill(getpid(), SIGUSR1));
    while (runs < 4)
        usleep(1000);
    CHECK(handler_tid == thread_tid);
    thread_ready = 2;
    pthread_join(id, NULL);

    /* Zombies can be signalled, to no effect. */
    pid_t pid = start_child();
    if (pid == 0)
        _exit(3);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    SHOW(kill(pid, SIGKILL));
    show_child("zombie", pid);
    SHOW(kill(pid, 0));

    /* A group, and the default actions. */
    int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGIO, SIGPWR, SIGSYS, SIGVTALRM, SIGPROF, SIGXCPU, SIGSTKFLT, 34, 64 };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid = start_child();
        if (pid == 0) {
            setpgid(0, 0);
            kill(0, signals[i]);
            for (;;)
                pause();
        }
        int status;
        waitpid(pid, &status, 0);
        printf("%d: %d\n", signals[i], WTERMSIG(status));
    }
    int ignored[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        SHOW(raise(ignored[i]));

    /* All threads die at once, wherever they are. */
    pid = start_child();
    if (pid == 0) {
        thread_ready = 0;
        pthread_create(&id, NULL, thread, NULL);
        while (!thread_ready)
            usleep(1000);
        kill(getpid(), SIGTERM);
        _exit(0);
    }
    show_child("threaded", pid);
    return 0;
}
