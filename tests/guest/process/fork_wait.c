/* fork(2), wait4(2), waitpid(2), exit(2): children, their statuses, and what they inherit. */
#include "check.h"
#include <sys/resource.h>

static int status;

int main(void)
{
    SHOW(wait(NULL));
    pid_t pid = start_child();
    if (pid == 0)
        _exit(7);
    CHECK(waitpid(pid, &status, 0) == pid);
    SHOW(WEXITSTATUS(status));
    SHOW(waitpid(pid, &status, 0));

    pid = start_child();
    if (pid == 0)
        raise(SIGKILL);
    CHECK(waitpid(-1, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !WCOREDUMP(status));

    pid = start_child();
    if (pid == 0)
        _exit(0x1234);
    CHECK(waitpid(0, &status, 0) == pid);
    SHOW(WEXITSTATUS(status));

    int pipes[2];
    NEED(pipe(pipes));
    pid = start_child();
    if (pid == 0) {
        char byte;
        close(pipes[1]);
        _exit((int)read(pipes[0], &byte, 1) + 10);
    }
    SHOW(waitpid(pid, &status, WNOHANG));
    close(pipes[1]);
    show_child("reader at the end of file", pid);
    SHOW(waitpid(pid, &status, 0x1000));
    SHOW(waitpid(getpid(), &status, 0));

    /* Memory is copied, descriptors are shared. */
    int number = 1, fd = (int)NEED(open("file", O_RDWR | O_CREAT, 0600));
    pid = start_child();
    if (pid == 0) {
        number = 2;
        NEED(write(fd, "child", 5));
        CHECK(getppid() != 1);
        exit(0);
    }
    show_child("writer", pid);
    SHOW(number);
    SHOW(lseek(fd, 0, SEEK_CUR));

    /* Statuses are kept until somebody asks, in any order. */
    pid_t children[5];
    for (int i = 0; i < 5; i++)
        if ((children[i] = start_child()) == 0)
            _exit(i);
    for (int i = 4; i >= 0; i--)
        show_child("child", children[i]);

    siginfo_t info = { 0 };
    pid = start_child();
    if (pid == 0)
        _exit(3);
    SHOW(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 3 && info.si_signo == SIGCHLD);
    SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, 0));

    /* Nobody waits for the children of those who ignore SIGCHLD. */
    signal(SIGCHLD, SIG_IGN);
    pid = start_child();
    if (pid == 0)
        _exit(1);
    SHOW(waitpid(pid, &status, 0));
    signal(SIGCHLD, SIG_DFL);

    struct rusage usage;
    pid = start_child();
    if (pid == 0)
        _exit(0);
    CHECK(wait4(pid, &status, 0, &usage) == pid);
    CHECK(usage.ru_minflt > 0);
    return 0;
}
