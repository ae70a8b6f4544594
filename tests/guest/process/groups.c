/* setpgid(2), getpgid(2), setsid(2), getsid(2): process groups and sessions; orphans get a new parent. */
#include "check.h"

int main(void)
{
    pid_t me = getpid();
    int pipes[2];
    NEED(pipe(pipes));
    pid_t pid = start_child();
    if (pid == 0) {
        CHECK(getpgid(0) == getpgid(getppid()));
        CHECK(getpgrp() == getpgid(me));
        SHOW(setpgid(0, 0));
        CHECK(getpgrp() == getpid());
        CHECK(getsid(0) == getsid(me));
        SHOW(setpgid(me, 0) == -1 && errno == ESRCH);
        SHOW(setpgid(0, -1));
        SHOW(setpgid(0, 4000000));
        SHOW(setsid());
        exit(0);
    }
    show_child("group leader", pid);
    pid = start_child();
    if (pid == 0) {
        CHECK(setsid() == getpid());
        CHECK(getsid(0) == getpid() && getpgrp() == getpid());
        SHOW(setpgid(0, 0));
        SHOW(setsid());
        exit(0);
    }
    show_child("session leader", pid);
    SHOW(getpgid(4000000));
    SHOW(getsid(-1));

    /* The parent moves a child, but not after it has executed a program. */
    pid = start_child();
    if (pid == 0) {
        char byte;
        close(pipes[1]);
        read(pipes[0], &byte, 1);
        execl("/bin/cat", "cat", "/dev/null", (char *)NULL);
        _exit(1);
    }
    SHOW(setpgid(pid, pid));
    CHECK(getpgid(pid) == pid);
    close(pipes[1]);
    show_child("moved", pid);
    SHOW(setpgid(pid, pid));

    /* An orphan is adopted: its parent is another process from then on. */
    int report[2];
    NEED(pipe(report));
    pid = start_child();
    if (pid == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            while (getppid() == parent)
                usleep(1000);
            char adopted = getppid() != parent ? 'y' : 'n';
            write(report[1], &adopted, 1);
            _exit(0);
        }
        _exit(0);
    }
    show_child("parent of the orphan", pid);
    char adopted;
    SHOW(read(report[0], &adopted, 1));
    printf("adopted: %c\n", adopted);
    SHOW(wait(NULL));

    /* kill(2) of a whole group. */
    pid = start_child();
    if (pid == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                for (;;)
                    pause();
        kill(0, SIGTERM);
        for (;;)
            pause();
    }
    show_child("killer of its group", pid);
    return 0;
}
