/* What waitid(2), wait4(2) and SIGCHLD tell of a child: codes, status, options, WNOWAIT, SA_NOCLDSTOP, SA_NOCLDWAIT. */
#include "check.h"
#include <sys/resource.h>

static const char *code(int code)
{
    switch (code) {
    case CLD_EXITED: return "CLD_EXITED";
    case CLD_KILLED: return "CLD_KILLED";
    case CLD_DUMPED: return "CLD_DUMPED";
    case CLD_TRAPPED: return "CLD_TRAPPED";
    case CLD_STOPPED: return "CLD_STOPPED";
    case CLD_CONTINUED: return "CLD_CONTINUED";
    default: return "none";
    }
}

static pid_t child;

static void show_wait(const char *when, int options)
{
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    int result = waitid(P_PID, child, &info, options);
    printf("%s: %s", when, result ? strerrorname_np(errno) : "0");
    if (!result)
        printf(" %s status %d signal %d errno %d own child %d uid %d", code(info.si_code), info.si_status, info.si_signo, info.si_errno,
            info.si_pid == child, info.si_uid == getuid());
    puts("");
    fflush(stdout);
}

static volatile int told;
static siginfo_t last;

static void on_child(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    last = *info;
    told++;
}

static void show_told(const char *when)
{
    for (int i = 0; i < 200 && !told; i++)
        usleep(1000);
    if (told)
        printf("%s: SIGCHLD %s status %d own child %d\n", when, code(last.si_code), last.si_status, last.si_pid == child);
    else
        printf("%s: no SIGCHLD\n", when);
    told = 0;
    fflush(stdout);
}

static void settle(void)
{
    usleep(20000);
}

static void life(int flags)
{
    printf("-- a child's life, flags %#x\n", flags);
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | flags};
    sigaction(SIGCHLD, &action, NULL);
    child = start_child();
    if (child == 0)
        for (;;)
            pause();
    show_wait("running", WEXITED | WSTOPPED | WCONTINUED | WNOHANG);
    kill(child, SIGSTOP);
    settle();
    show_told("stopped");
    show_wait("exits only", WEXITED | WNOHANG);
    show_wait("stopped, kept", WSTOPPED | WNOWAIT | WNOHANG);
    show_wait("stopped", WSTOPPED | WNOHANG);
    show_wait("stopped again", WSTOPPED | WNOHANG);
    kill(child, SIGSTOP);
    settle();
    show_wait("another SIGSTOP", WSTOPPED | WNOHANG);
    kill(child, SIGCONT);
    settle();
    show_told("continued");
    show_wait("continued, kept", WCONTINUED | WNOWAIT | WNOHANG);
    show_wait("continued", WCONTINUED | WNOHANG);
    show_wait("continued again", WCONTINUED | WNOHANG);
    kill(child, SIGTSTP);
    settle();
    kill(child, SIGCONT);
    settle();
    told = 0;
    show_wait("stopped and continued: stopped", WSTOPPED | WNOHANG);
    show_wait("stopped and continued: continued", WCONTINUED | WNOHANG);
    kill(child, SIGSTOP);
    settle();
    int status = 0;
    CHECK(waitpid(child, &status, WUNTRACED | WNOHANG) == child);
    printf("status %#x\n", status);
    kill(child, SIGCONT);
    settle();
    CHECK(waitpid(child, &status, WCONTINUED | WNOHANG) == child);
    printf("status %#x\n", status);
    told = 0;
    kill(child, SIGTERM);
    settle();
    show_told("killed");
    show_wait("stops only", WSTOPPED | WCONTINUED | WNOHANG);
    show_wait("killed, kept", WEXITED | WNOWAIT);
    show_wait("killed", WEXITED);
    show_wait("once more", WEXITED);
}

static void ends(void)
{
    puts("-- how it ends");
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    static const int signals[] = {0, SIGKILL, SIGSEGV, SIGABRT, SIGQUIT, SIGTRAP, SIGSYS, SIGXCPU, 40};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        child = start_child();
        if (child == 0) {
            if (signals[i])
                kill(getpid(), signals[i]);
            _exit(300);
        }
        show_wait("waitid", WEXITED);
        show_told("");
    }
}

static void errors(void)
{
    puts("-- errors");
    siginfo_t info;
    SHOW(waitid(P_PID, 0, &info, WEXITED));
    SHOW(waitid(P_PID, -1, &info, WEXITED));
    SHOW(waitid(P_PGID, -1, &info, WEXITED));
    SHOW(waitid(P_PGID, 0, &info, WEXITED | WNOHANG));
    SHOW(waitid(P_ALL, 0, &info, 0));
    SHOW(waitid(P_ALL, 0, &info, WNOHANG));
    SHOW(waitid(P_ALL, 0, &info, WEXITED | 0x100));
    SHOW(waitid(9, 0, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
    SHOW(wait4(-1, NULL, 0x100, NULL));
    SHOW(wait4(INT_MIN, NULL, 0, NULL));
    SHOW(wait4(0, NULL, WNOHANG, NULL));
    SHOW(wait4(1 << 29, NULL, WNOHANG, NULL));
    child = start_child();
    if (child == 0)
        _exit(4);
    settle();
    SHOW(waitid(P_PID, child, NULL, WEXITED | WNOWAIT));
    SHOW(waitid(P_PID, child, (siginfo_t *)8, WEXITED));
    SHOW(waitid(P_PID, child, NULL, WEXITED));
}

static void nobody(void)
{
    puts("-- SA_NOCLDWAIT");
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    told = 0;
    child = start_child();
    if (child == 0)
        _exit(4);
    settle();
    show_told("ended");
    show_wait("gone", WEXITED);
    signal(SIGCHLD, SIG_IGN);
    child = start_child();
    if (child == 0)
        _exit(4);
    show_wait("ignored", WEXITED);
}

int main(void)
{
    life(0);
    life(SA_NOCLDSTOP);
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    sigaction(SIGCHLD, &action, NULL);
    told = 0;
    ends();
    errors();
    nobody();
    return 0;
}
