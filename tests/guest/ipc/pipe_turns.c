/* Waiters at one pipe are woken one by one: none is forgotten when the one whose turn it is is killed or stopped, or leaves
 * something for the next. */
#include "check.h"
#include <sys/ioctl.h>

static int ends[2];
static char page[4096];

/* Waits until the process sleeps. */
static void until_asleep(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (;;) {
        int fd = (int)NEED(open(path, O_RDONLY));
        ssize_t length = NEED(read(fd, text, sizeof text - 1));
        text[length] = 0;
        close(fd);
        if (strstr(text, ") S"))
            return;
        usleep(1000);
    }
}

/* Starts a process that writes a page, or reads a byte, and ends with 0 if that worked. */
static pid_t start(bool writes)
{
    pid_t pid = (pid_t)NEED(fork());
    if (pid == 0) {
        char byte;
        _exit(writes ? write(ends[1], page, sizeof page) != sizeof page : read(ends[0], &byte, 1) != 1);
    }
    until_asleep(pid);
    return pid;
}

static int held(void)
{
    int bytes;
    NEED(ioctl(ends[0], FIONREAD, &bytes));
    return bytes;
}

/* Lets one waiter go on. */
static void serve(bool writers)
{
    if (writers)
        NEED(read(ends[0], page, sizeof page));
    else
        NEED(write(ends[1], "x", 1));
}

/* Whether what was given last has been taken: no waiter can go on. */
static bool is_taken(bool writers)
{
    return writers ? held() == 16 * 4096 : held() == 0;
}

static void disturb(bool writers, int signal)
{
    pid_t first = start(writers), second = start(writers);
    int status;
    serve(writers);
    kill(first, signal);
    NEED(waitpid(first, &status, WUNTRACED));
    /* The first may have been faster than the signal. */
    if (is_taken(writers))
        serve(writers);
    NEED(waitpid(second, &status, 0));
    printf("%s: after signal %d to the first, the second ends with %d\n", writers ? "writers" : "readers", signal, status);
    if (signal == SIGSTOP) {
        kill(first, SIGCONT);
        while (waitpid(first, &status, WNOHANG) == 0) {
            if (is_taken(writers))
                serve(writers);
            usleep(1000);
        }
    }
    /* As it was before. */
    while (writers && held() < 16 * 4096)
        NEED(write(ends[1], page, sizeof page));
    while (!writers && held() > 0)
        NEED(read(ends[0], page, 1));
}

static void many(bool writers)
{
    enum { COUNT = 20 };
    int served = 0, status;
    for (int i = 0; i < COUNT; i++)
        start(writers);
    if (writers) {
        for (int i = 0; i < COUNT; i++)
            serve(true);
    } else {
        /* One write for all: each passes on what it leaves. */
        NEED(write(ends[1], page, COUNT));
    }
    for (int i = 0; i < COUNT; i++)
        served += wait(&status) > 0 && status == 0;
    printf("%s: %d of %d served\n", writers ? "writers" : "readers", served, COUNT);
}

int main(void)
{
    alarm(60);
    NEED(pipe(ends));
    for (int writers = 0; writers < 2; writers++) {
        if (writers)
            for (int i = 0; i < 16; i++)
                NEED(write(ends[1], page, sizeof page));
        many(writers);
        disturb(writers, SIGKILL);
        disturb(writers, SIGSTOP);
    }
    return 0;
}
