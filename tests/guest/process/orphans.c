/* Orphans: adopted by init or by a subreaper; PR_SET_PDEATHSIG; stopped groups that nobody could continue. */
#include "check.h"
#include <sys/prctl.h>

static void no_op(int signal) { (void)signal; }

int main(void)
{
    int pipes[2], status;
    NEED(pipe(pipes));
    pid_t me = getpid();
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    int is_set = 0;
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &is_set));
    SHOW(is_set);
    pid_t pid = start_child();
    if (pid == 0) {
        if (fork() == 0) {
            while (getppid() != me)
                usleep(1000);
            char byte = getppid() == me;
            NEED(write(pipes[1], &byte, 1));
            _exit(11);
        }
        _exit(0);
    }
    show_child("parent in between", pid);
    char byte = 0;
    CHECK(read(pipes[0], &byte, 1) == 1 && byte);
    CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 11);
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 0));

    /* A parent's death is told. */
    pid = start_child();
    if (pid == 0) {
        int ready[2];
        NEED(pipe(ready));
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            NEED(write(ready[1], "x", 1));
            siginfo_t info;
            byte = (char)sigwaitinfo(&set, &info);
            NEED(write(pipes[1], &byte, 1));
            _exit(0);
        }
        NEED(read(ready[0], &byte, 1));
        _exit(0);
    }
    show_child("parent in between", pid);
    CHECK(read(pipes[0], &byte, 1) == 1 && byte == SIGUSR1);
    int got = -1;
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    SHOW(prctl(PR_GET_PDEATHSIG, &got));
    SHOW(got);
    pid = start_child();
    if (pid == 0) {
        prctl(PR_GET_PDEATHSIG, &got);
        _exit(got);
    }
    show_child("child's death signal", pid);
    prctl(PR_SET_PDEATHSIG, 0);
    SHOW(prctl(PR_SET_PDEATHSIG, 65));

    /* A stopped member of a group that becomes orphaned gets SIGHUP and SIGCONT. */
    pid = start_child();
    if (pid == 0) {
        setsid();
        pid_t leader = fork();
        if (leader == 0) {
            setpgid(0, 0);
            signal(SIGHUP, no_op);
            raise(SIGSTOP);
            byte = 'c';
            NEED(write(pipes[1], &byte, 1));
            _exit(0);
        }
        waitpid(leader, &status, WUNTRACED);
        _exit(WIFSTOPPED(status) ? 0 : 1);
    }
    show_child("session leader", pid);
    CHECK(read(pipes[0], &byte, 1) == 1 && byte == 'c');

    /* In an orphaned group the terminal's stop signals do nothing by default. */
    pid = start_child();
    if (pid == 0) {
        setsid();
        raise(SIGTSTP);
        raise(SIGTTIN);
        raise(SIGTTOU);
        _exit(5);
    }
    show_child("not stopped", pid);
    return 0;
}
