/* waitid(2), wait4(2): every option, job control states, use of resources. */
#include "check.h"
#include <sys/resource.h>

static void show_info(const char *what, siginfo_t *info, pid_t pid)
{
    const char *codes[] = { "?", "EXITED", "KILLED", "DUMPED", "TRAPPED", "STOPPED", "CONTINUED" };
    printf("%s: signo %d code %s status %d pid %s uid %s\n", what, info->si_signo,
           info->si_code >= 0 && info->si_code <= 6 ? codes[info->si_code] : "?", info->si_status,
           info->si_pid == pid ? "right" : info->si_pid == 0 ? "0" : "wrong",
           info->si_uid == getuid() ? "right" : "wrong");
    fflush(stdout);
}

int main(void)
{
    siginfo_t info;
    int status;
    SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, 0));
    SHOW(waitid(P_ALL, 0, &info, 0x10));
    SHOW(waitid(P_PID, 0, &info, WEXITED));
    SHOW(waitid(P_PGID, -1, &info, WEXITED));
    SHOW(waitid(7, 1, &info, WEXITED));
    SHOW(waitpid(INT_MIN, &status, 0));

    pid_t pid = start_child();
    if (pid == 0)
        for (;;)
            pause();
    memset(&info, 1, sizeof info);
    SHOW(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
    SHOW(info.si_signo);
    SHOW(info.si_pid);
    kill(pid, SIGSTOP);
    SHOW(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
    show_info("stopped, left", &info, pid);
    SHOW(waitid(P_PID, pid, &info, WSTOPPED));
    show_info("stopped", &info, pid);
    SHOW(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG));
    kill(pid, SIGCONT);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid);
    CHECK(WIFCONTINUED(status));
    kill(pid, SIGTSTP);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    kill(pid, SIGCONT);
    CHECK(waitid(P_PGID, getpgrp(), &info, WCONTINUED) == 0);
    show_info("continued", &info, pid);
    kill(pid, SIGTERM);
    SHOW(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
    show_info("killed, left", &info, pid);
    SHOW(waitid(P_ALL, 0, NULL, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, WEXITED));

    /* A stopped process can be killed. */
    pid = start_child();
    if (pid == 0)
        raise(SIGSTOP), _exit(1);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    kill(pid, SIGUSR1);
    SHOW(waitpid(pid, &status, WNOHANG));
    kill(pid, SIGKILL);
    show_child("stopped", pid);

    /* A child without SIGCHLD is only seen with __WALL or __WCLONE. */
    fflush(stdout);
    pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0)
        _exit(3);
    SHOW(waitpid(pid, &status, 0));
    CHECK(waitpid(pid, &status, __WCLONE) == pid);
    fflush(stdout);
    pid = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(4);
    }
    signal(SIGUSR1, SIG_IGN);
    CHECK(waitpid(pid, &status, __WALL) == pid);
    SHOW(WEXITSTATUS(status));

    /* Ignoring SIGCHLD leaves no zombies; SA_NOCLDWAIT the same, but with the signal. */
    signal(SIGCHLD, SIG_IGN);
    pid = start_child();
    if (pid == 0)
        _exit(0);
    SHOW(waitpid(pid, &status, 0));
    signal(SIGCHLD, SIG_DFL);

    struct rusage usage;
    pid = start_child();
    if (pid == 0) {
        for (volatile long i = 0; i < 30000000; i++)
            ;
        _exit(0);
    }
    CHECK(wait4(pid, &status, 0, &usage) == pid);
    struct rusage children;
    SHOW(getrusage(RUSAGE_CHILDREN, &children));
    CHECK(children.ru_utime.tv_sec * 1000000 + children.ru_utime.tv_usec >=
          usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec);
    SHOW(wait4(-1, (int *)8, 0, NULL));
    pid = start_child();
    if (pid == 0)
        _exit(0);
    SHOW(wait4(-1, (int *)8, 0, NULL));
    SHOW(wait4(-1, &status, 0, NULL));
    return 0;
}
