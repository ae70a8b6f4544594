/* sigaction(2): flags, masks during handlers, default actions, siginfo. */
#include "check.h"
#include <ucontext.h>

static volatile int depth, deepest, runs;
static siginfo_t last;

static void nested(int number)
{
    runs++;
    if (++depth > deepest)
        deepest = depth;
    if (runs < 3)
        raise(number);
    depth--;
}

static void remember(int number, siginfo_t *info, void *context)
{
    (void)number;
    last = *info;
    CHECK(context != NULL);
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    NEED(sigaction(number, &action, NULL));
}

static void dies_of(int number)
{
    pid_t pid = start_child();
    if (pid == 0) {
        raise(number);
        _exit(0);
    }
    int status;
    NEED(waitpid(pid, &status, 0));
    if (WIFSIGNALED(status))
        printf("SIG%s kills%s\n", sigabbrev_np(number), WCOREDUMP(status) ? " (core)" : "");
    else
        printf("SIG%s does not kill\n", sigabbrev_np(number));
}

int main(void)
{
    struct { size_t cur, max; } no_core = { 0, 0 };
    syscall(SYS_setrlimit, 4, &no_core);
    install(SIGUSR1, nested, 0);
    raise(SIGUSR1);
    printf("blocked during its handler: runs %d deepest %d\n", runs, deepest);
    runs = deepest = 0;
    install(SIGUSR1, nested, SA_NODEFER);
    raise(SIGUSR1);
    printf("SA_NODEFER: runs %d deepest %d\n", runs, deepest);
    runs = deepest = 0;
    install(SIGUSR1, nested, SA_RESETHAND);
    pid_t pid = start_child();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    show_child("SA_RESETHAND", pid);

    struct sigaction action = { .sa_sigaction = remember, .sa_flags = SA_SIGINFO };
    NEED(sigaction(SIGUSR2, &action, NULL));
    NEED(kill(getpid(), SIGUSR2));
    CHECK(last.si_code == SI_USER && last.si_pid == getpid() && last.si_uid == getuid());
    NEED(raise(SIGUSR2));
    CHECK(last.si_code == SI_TKILL);
    union sigval value = { .sival_int = 77 };
    NEED(sigqueue(getpid(), SIGUSR2, value));
    CHECK(last.si_code == SI_QUEUE && last.si_value.sival_int == 77);
    NEED(sigaction(SIGCHLD, &action, NULL));
    pid = start_child();
    if (pid == 0)
        _exit(21);
    NEED(waitpid(pid, NULL, 0));
    CHECK(last.si_signo == SIGCHLD && last.si_code == CLD_EXITED && last.si_status == 21 && last.si_pid == pid);
    signal(SIGCHLD, SIG_DFL);

    static const int all[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE,
        SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO,
        SIGPWR, SIGSYS };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dies_of(all[i]);
    SHOW(sigaction(SIGKILL, &action, NULL));
    SHOW(sigaction(SIGSTOP, &action, NULL));
    SHOW(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SHOW(kill(getpid(), 65));
    SHOW(kill(4000000, SIGTERM));
    SHOW(kill(getpid(), 0));
    return 0;
}
