/* signal(7), "Interruption of system calls": with SA_RESTART a read goes on, without it fails; sleeps never restart. */
#include "check.h"
#include <poll.h>

static volatile int runs;
static int pipes[2];

static void handler(int number)
{
    (void)number;
    runs++;
}

static void install(int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    NEED(sigaction(SIGUSR1, &action, NULL));
}

/* A child that signals us, and then writes a byte. */
static pid_t disturb(void)
{
    pid_t pid = start_child();
    if (pid == 0) {
        usleep(30000);
        kill(getppid(), SIGUSR1);
        usleep(30000);
        write(pipes[1], "x", 1);
        _exit(0);
    }
    return pid;
}

int main(void)
{
    char byte;
    NEED(pipe(pipes));
    install(SA_RESTART);
    pid_t pid = disturb();
    SHOW(read(pipes[0], &byte, 1));
    SHOW(runs);
    show_child("child", pid);

    install(0);
    pid = disturb();
    SHOW(read(pipes[0], &byte, 1));
    SHOW(runs);
    SHOW(read(pipes[0], &byte, 1));
    show_child("child", pid);

    install(SA_RESTART);
    pid = disturb();
    struct timespec second = { 10, 0 }, left;
    SHOW(nanosleep(&second, &left));
    CHECK(left.tv_sec == 9);
    SHOW(read(pipes[0], &byte, 1));
    show_child("child", pid);

    pid = disturb();
    struct pollfd readable = { .fd = pipes[0], .events = POLLIN };
    SHOW(poll(&readable, 1, -1));
    SHOW(poll(&readable, 1, -1));
    SHOW(read(pipes[0], &byte, 1));
    show_child("child", pid);

    pid = disturb();
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    SHOW(read(pipes[0], &byte, 1));
    SHOW(runs);

    /* An ignored signal disturbs nothing. */
    signal(SIGUSR1, SIG_IGN);
    pid = disturb();
    SHOW(read(pipes[0], &byte, 1));
    show_child("child", pid);
    /* Nor does a stop and continue disturb a read. */
    pid = start_child();
    if (pid == 0)
        _exit((int)read(pipes[0], &byte, 1));
    usleep(20000);
    NEED(kill(pid, SIGSTOP));
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    NEED(kill(pid, SIGCONT));
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    NEED(write(pipes[1], "y", 1));
    show_child("stopped and continued reader", pid);
    return 0;
}
