/* RLIMIT_CPU, getrlimit(2): SIGXCPU at the soft limit and every second after it, SIGKILL at the hard limit; fork(2) and execve(2)
   keep the limit, and the child's clock begins at 0. */
#include "check.h"
#include <sys/resource.h>

static volatile sig_atomic_t warned;

static void warn(int signal)
{
    (void)signal;
    warned++;
}

/* Ends when it is killed, or when it was warned so often. */
static void burn(int warnings)
{
    while (warned < warnings)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

static void report(const char *who, pid_t child)
{
    int status;
    NEED(waitpid(child, &status, 0));
    if (WIFSIGNALED(status))
        printf("%s: killed by %s\n", who, sigabbrev_np(WTERMSIG(status)));
    else
        printf("%s: exit %d\n", who, WEXITSTATUS(status));
    fflush(stdout);
}

int main(void)
{
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_CPU, &limit));
    CHECK(limit.rlim_cur == RLIM_INFINITY);

    pid_t child = start_child();
    if (child == 0) {
        limit = (struct rlimit){ 0, 1 };
        signal(SIGXCPU, warn);
        SHOW(setrlimit(RLIMIT_CPU, &limit));
        burn(1);
        NEED(getrlimit(RLIMIT_CPU, &limit));
        printf("warned; now %ld and %ld\n", (long)limit.rlim_cur, (long)limit.rlim_max);
        fflush(stdout);
        burn(1000);
        _exit(1);
    }
    report("with a handler", child);

    child = start_child();
    if (child == 0) {
        limit = (struct rlimit){ 0, 5 };
        NEED(setrlimit(RLIMIT_CPU, &limit));
        burn(1);
        _exit(1);
    }
    report("without a handler", child);

    /* What a child changes is its own. */
    child = start_child();
    if (child == 0) {
        limit = (struct rlimit){ 1, 2 };
        NEED(setrlimit(RLIMIT_CPU, &limit));
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            limit.rlim_cur = 0;
            NEED(setrlimit(RLIMIT_CPU, &limit));
            burn(1);
            _exit(1);
        }
        report("grandchild", grandchild);
        NEED(getrlimit(RLIMIT_CPU, &limit));
        printf("still %ld and %ld\n", (long)limit.rlim_cur, (long)limit.rlim_max);
        fflush(stdout);
        _exit(0);
    }
    report("child", child);
    limit = (struct rlimit){ 3, 2 };
    SHOW(setrlimit(RLIMIT_CPU, &limit));
    return 0;
}
