/* setitimer(2), getitimer(2), alarm(2). */
#include "check.h"
#include <sys/time.h>

static void *volatile bad = (void *)8;
static volatile sig_atomic_t counts[65];
static void handler(int signal)
{
    counts[signal]++;
}

static volatile unsigned sink;

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    NEED(sigaction(SIGALRM, &action, NULL));
    NEED(sigaction(SIGVTALRM, &action, NULL));
    NEED(sigaction(SIGPROF, &action, NULL));
    struct itimerval timer, old;
    puts("-- alarm");
    SHOW(alarm(0));
    SHOW(alarm(100));
    SHOW(alarm(200));
    SHOW(alarm(0));
    SHOW(alarm(0));
    timer = (struct itimerval){{0, 0}, {0, 400000}};
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    SHOW(alarm(0));
    timer = (struct itimerval){{0, 0}, {7, 300000}};
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    SHOW(alarm(0));
    puts("-- errors");
    SHOW(getitimer(3, &timer));
    SHOW(setitimer(3, &timer, NULL));
    SHOW(getitimer(ITIMER_REAL, bad));
    SHOW(setitimer(ITIMER_REAL, bad, NULL));
    SHOW(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 1000000}}, NULL));
    SHOW(setitimer(ITIMER_REAL, &(struct itimerval){{-1, 0}, {1, 0}}, NULL));
    puts("-- real");
    timer = (struct itimerval){{0, 5000}, {0, 10000}};
    SHOW(setitimer(ITIMER_REAL, &timer, &old));
    printf("old %ld %ld %ld %ld\n", old.it_interval.tv_sec, old.it_interval.tv_usec, old.it_value.tv_sec,
           old.it_value.tv_usec);
    while (counts[SIGALRM] < 4)
        pause();
    SHOW(getitimer(ITIMER_REAL, &old));
    CHECK(old.it_interval.tv_usec == 5000 && old.it_value.tv_usec <= 5000);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    SHOW(setitimer(ITIMER_REAL, &timer, &old));
    SHOW(getitimer(ITIMER_REAL, &old));
    printf("now %ld %ld %ld %ld\n", old.it_interval.tv_sec, old.it_interval.tv_usec, old.it_value.tv_sec,
           old.it_value.tv_usec);
    puts("-- processor time");
    timer = (struct itimerval){{0, 8000}, {0, 8000}};
    SHOW(setitimer(ITIMER_VIRTUAL, &timer, NULL));
    SHOW(setitimer(ITIMER_PROF, &timer, NULL));
    usleep(30000);
    CHECK(counts[SIGVTALRM] <= 1 && counts[SIGPROF] <= 1);
    while (counts[SIGVTALRM] < 3 || counts[SIGPROF] < 3)
        sink++;
    CHECK(counts[SIGVTALRM] >= 3 && counts[SIGPROF] >= 3);
    SHOW(getitimer(ITIMER_PROF, &old));
    CHECK(old.it_interval.tv_usec >= 8000 && old.it_value.tv_usec <= 12000);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    SHOW(setitimer(ITIMER_VIRTUAL, &timer, NULL));
    SHOW(setitimer(ITIMER_PROF, &timer, NULL));
    puts("-- fork and exec");
    alarm(50);
    pid_t child = start_child();
    if (child == 0) {
        printf("in the child: %u\n", alarm(0));
        fflush(stdout);
        _exit(0);
    }
    show_child("child", child);
    SHOW(alarm(0));
    puts("-- ignored and blocked");
    signal(SIGALRM, SIG_IGN);
    timer = (struct itimerval){{0, 1000}, {0, 1000}};
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    usleep(20000);
    counts[SIGALRM] = 0;
    NEED(sigaction(SIGALRM, &action, NULL));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    NEED(setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL));
    NEED(sigprocmask(SIG_BLOCK, &set, NULL));
    usleep(20000);
    counts[SIGALRM] = 0;
    NEED(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
    NEED(sigprocmask(SIG_UNBLOCK, &set, NULL));
    SHOW(counts[SIGALRM]);
    return 0;
}
