/* select(2), pselect(2): sets, results, timeouts and what is left of them. */
#include "check.h"
#include <sys/select.h>
#include <sys/time.h>

static void show_set(const char *name, fd_set *set, int count)
{
    printf("%s:", name);
    for (int i = 0; i < count; i++)
        if (FD_ISSET(i, set))
            printf(" %d", i);
    puts("");
}

static volatile sig_atomic_t seen;
static void handler(int signal)
{
    seen = signal;
}

int main(void)
{
    int ends[2];
    NEED(pipe(ends));
    NEED(dup2(ends[0], 10));
    NEED(dup2(ends[1], 70));
    close(ends[0]);
    close(ends[1]);
    fd_set readable, writable, exceptional;
#define SETS()                                                                                                         \
    do {                                                                                                               \
        FD_ZERO(&readable);                                                                                            \
        FD_ZERO(&writable);                                                                                            \
        FD_ZERO(&exceptional);                                                                                         \
        FD_SET(10, &readable);                                                                                         \
        FD_SET(70, &writable);                                                                                         \
        FD_SET(10, &exceptional);                                                                                      \
    } while (0)
    SETS();
    SHOW(select(71, &readable, &writable, &exceptional, NULL));
    show_set("readable", &readable, 80);
    show_set("writable", &writable, 80);
    show_set("exceptional", &exceptional, 80);
    NEED(write(70, "x", 1));
    SETS();
    SHOW(select(71, &readable, &writable, &exceptional, NULL));
    show_set("readable", &readable, 80);
    show_set("writable", &writable, 80);
    SETS();
    SHOW(select(70, &readable, &writable, NULL, NULL));
    show_set("writable", &writable, 64);
    SETS();
    FD_SET(11, &readable);
    SHOW(select(71, &readable, &writable, NULL, NULL));
    SETS();
    FD_SET(11, &readable);
    SHOW(select(11, &readable, NULL, NULL, NULL));
    SHOW(select(-1, NULL, NULL, NULL, NULL));
    char byte;
    NEED(read(10, &byte, 1));

    puts("-- timeouts");
    struct timeval time = {0, 20000};
    SETS();
    SHOW(select(11, &readable, NULL, NULL, &time));
    printf("left %ld %ld\n", (long)time.tv_sec, (long)time.tv_usec);
    show_set("readable", &readable, 80);
    time = (struct timeval){0, 0};
    SHOW(select(0, NULL, NULL, NULL, &time));
    time = (struct timeval){-1, 0};
    SHOW(select(0, NULL, NULL, NULL, &time));
    time = (struct timeval){0, -1};
    SHOW(select(0, NULL, NULL, NULL, &time));
    time = (struct timeval){0, 1000001};
    SETS();
    SHOW(select(71, NULL, &writable, NULL, &time));
    CHECK(time.tv_sec == 1 || (time.tv_sec == 0 && time.tv_usec > 900000));
    struct timespec spec = {0, 1000000000};
    SHOW(pselect(0, NULL, NULL, NULL, &spec, NULL));
    spec = (struct timespec){3, 0};
    SETS();
    SHOW(syscall(SYS_pselect6, 71, NULL, &writable, NULL, &spec, NULL));
    CHECK(spec.tv_sec >= 2);
    close(70);
    SETS();
    SHOW(select(11, &readable, NULL, &exceptional, NULL));
    show_set("at the end, readable", &readable, 80);

    puts("-- signals");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGUSR1, &action, NULL));
    sigset_t set, empty;
    sigemptyset(&empty);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGUSR1);
    SHOW(pselect(0, NULL, NULL, NULL, NULL, &empty));
    SHOW(seen);
    NEED(sigprocmask(SIG_UNBLOCK, &set, NULL));
    struct itimerval timer = {{0, 0}, {0, 5000}};
    action.sa_handler = handler;
    NEED(sigaction(SIGALRM, &action, NULL));
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    time = (struct timeval){10, 0};
    SHOW(select(0, NULL, NULL, NULL, &time));
    SHOW(seen);
    CHECK(time.tv_sec == 9);
    return 0;
}
