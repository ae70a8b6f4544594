/* nanosleep(2), clock_nanosleep(2): how long, what is left when a handler ends it, absolute times, errors. */
#include "check.h"

static void *volatile bad = (void *)8;

static int64_t now(clockid_t clock)
{
    struct timespec time;
    NEED(clock_gettime(clock, &time));
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct timespec at(int64_t time)
{
    return (struct timespec){time / 1000000000, time % 1000000000};
}

static void handler(int signal)
{
    (void)signal;
}

int main(void)
{
    puts("-- spans");
    int64_t start = now(CLOCK_MONOTONIC);
    SHOW(nanosleep(&(struct timespec){0, 30000000}, NULL));
    int64_t slept = now(CLOCK_MONOTONIC) - start;
    CHECK(slept >= 30000000 && slept < 3000000000);
    SHOW(nanosleep(&(struct timespec){0, 0}, NULL));
    SHOW(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    SHOW(nanosleep(&(struct timespec){0, -1}, NULL));
    SHOW(nanosleep(&(struct timespec){-1, 0}, NULL));
    SHOW(nanosleep(bad, NULL));
    SHOW(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_BOOTTIME, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_TAI, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_REALTIME_COARSE, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(77, 0, &(struct timespec){0, 1000000}, NULL));

    puts("-- points");
    start = now(CLOCK_MONOTONIC);
    struct timespec end = at(start + 20000000);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL));
    CHECK(now(CLOCK_MONOTONIC) >= start + 20000000);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL));
    end = at(now(CLOCK_REALTIME) + 20000000);
    SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL));
    CHECK(now(CLOCK_REALTIME) >= end.tv_sec * 1000000000LL + end.tv_nsec);
    SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){0, 0}, NULL));

    puts("-- interrupted");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    struct timespec left = {0, 0};
    SHOW(nanosleep(&(struct timespec){5, 0}, &left));
    CHECK(left.tv_sec == 3 || left.tv_sec == 4);
    alarm(1);
    left = (struct timespec){77, 77};
    end = at(now(CLOCK_MONOTONIC) + 5000000000);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, &left));
    CHECK(left.tv_sec == 77);
    puts("-- stopped and continued, but not interrupted");
    pid_t child = start_child();
    if (child == 0) {
        kill(getppid(), SIGCONT);
        _exit(0);
    }
    start = now(CLOCK_MONOTONIC);
    SHOW(nanosleep(&(struct timespec){0, 50000000}, NULL));
    CHECK(now(CLOCK_MONOTONIC) - start >= 50000000);
    show_child("child", child);
    return 0;
}
