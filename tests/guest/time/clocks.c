/* clock_gettime(2), clock_getres(2), clock_settime(2), gettimeofday(2), time(2), adjtimex(2): order and errors. */
#include "check.h"
#include <sys/time.h>
#include <sys/timex.h>

static void *volatile bad = (void *)8;

static int64_t now(clockid_t clock)
{
    struct timespec time;
    NEED(syscall(SYS_clock_gettime, clock, &time));
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static volatile unsigned sink;
static void work(void)
{
    for (unsigned i = 0; i < 3000000; i++)
        sink += i;
}

static void all_clocks(void)
{
    puts("-- all clocks");
    for (int clock = 0; clock < 14; clock++) {
        struct timespec time, resolution = {-1, -1};
        int read = (int)syscall(SYS_clock_gettime, clock, &time);
        int error = errno;
        int told = (int)syscall(SYS_clock_getres, clock, &resolution);
        printf("clock %d: %s, resolution %d %s\n", clock, read == 0 ? "there" : strerrorname_np(error), told,
               told != 0                        ? strerrorname_np(errno)
               : resolution.tv_sec != 0         ? "seconds"
               : resolution.tv_nsec == 1        ? "fine"
               : resolution.tv_nsec >= 1000000  ? "coarse"
                                                : "strange");
    }
    SHOW(syscall(SYS_clock_gettime, CLOCK_REALTIME, bad));
    SHOW(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
    SHOW(syscall(SYS_clock_gettime, -1, &(struct timespec){0}));
}

static void order(void)
{
    puts("-- order");
    int64_t realtime = now(CLOCK_REALTIME), monotonic = now(CLOCK_MONOTONIC);
    int64_t coarse = now(CLOCK_MONOTONIC_COARSE), raw = now(CLOCK_MONOTONIC_RAW), boot = now(CLOCK_BOOTTIME);
    CHECK(realtime > 1700000000LL * 1000000000);
    CHECK(monotonic > 0 && monotonic < realtime);
    CHECK(coarse <= now(CLOCK_MONOTONIC));
    CHECK(now(CLOCK_MONOTONIC) - coarse < 1000000000);
    CHECK(raw > 0 && boot >= monotonic);
    CHECK(now(CLOCK_REALTIME_COARSE) <= now(CLOCK_REALTIME));
    int64_t before = now(CLOCK_MONOTONIC);
    work();
    CHECK(now(CLOCK_MONOTONIC) > before);
    struct timeval day;
    struct timezone zone = {1, 1};
    SHOW(syscall(SYS_gettimeofday, &day, &zone));
    printf("zone %d %d\n", zone.tz_minuteswest, zone.tz_dsttime);
    CHECK(llabs(day.tv_sec - realtime / 1000000000) <= 5);
    SHOW(syscall(SYS_gettimeofday, NULL, NULL));
    SHOW(syscall(SYS_gettimeofday, bad, NULL));
    long seconds = 0;
    long told = syscall(SYS_time, &seconds);
    CHECK(told == seconds && llabs(told - day.tv_sec) <= 5);
    SHOW(syscall(SYS_time, bad));
}

static void *spin(void *unused)
{
    (void)unused;
    work();
    return (void *)(intptr_t)now(CLOCK_THREAD_CPUTIME_ID);
}

#include <pthread.h>
static void processor_time(void)
{
    puts("-- processor time");
    int64_t process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);
    usleep(50000);
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - process < 40000000);
    work();
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) > process && now(CLOCK_THREAD_CPUTIME_ID) > thread);
    pthread_t other;
    void *used;
    thread = now(CLOCK_THREAD_CPUTIME_ID);
    NEED(-pthread_create(&other, NULL, spin, NULL));
    pthread_join(other, &used);
    CHECK((intptr_t)used > 0);
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= now(CLOCK_THREAD_CPUTIME_ID) + (intptr_t)used - 1000000);
    clockid_t clock;
    SHOW(clock_getcpuclockid(0, &clock));
    CHECK(now(clock) > 0);
    SHOW(clock_getcpuclockid(getpid(), &clock));
    CHECK(now(clock) >= process);
    SHOW(clock_getcpuclockid(99999999, &clock));
    SHOW(pthread_getcpuclockid(pthread_self(), &clock));
    CHECK(now(clock) >= thread);
    clockid_t of_parent = ~getppid() << 3 | 6;
    struct timespec time;
    SHOW(clock_gettime(of_parent, &time));
}

static void setting(void)
{
    puts("-- setting: errors only");
    SHOW(clock_settime(CLOCK_MONOTONIC, &(struct timespec){5, 0}));
    SHOW(clock_settime(CLOCK_REALTIME, &(struct timespec){5, -1}));
    SHOW(clock_settime(CLOCK_REALTIME, &(struct timespec){-5, 0}));
    SHOW(clock_settime(99, &(struct timespec){5, 0}));
    SHOW(syscall(SYS_clock_settime, CLOCK_REALTIME, bad));
    SHOW(settimeofday(&(struct timeval){5, 1000001}, NULL));
    struct timex state = {0};
    int result = adjtimex(&state);
    CHECK(result >= 0 && state.tick >= 9000 && state.tick <= 11000);
    CHECK(llabs(state.time.tv_sec - time(NULL)) <= 5);
    SHOW(clock_adjtime(CLOCK_MONOTONIC, &state));
    SHOW(adjtimex(bad));
}

int main(void)
{
    all_clocks();
    order();
    processor_time();
    setting();
    return 0;
}
