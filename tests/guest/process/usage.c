/* getrusage(2), times(2), clocks of processor time: monotonic, and consistent with one another. */
#include "check.h"
#include <sys/resource.h>
#include <sys/times.h>

static void work(void)
{
    for (volatile long i = 0; i < 20000000; i++)
        ;
}

int main(void)
{
    struct rusage before, after, thread;
    struct tms times_before, times_after;
    SHOW(getrusage(RUSAGE_SELF, &before));
    clock_t start = times(&times_before);
    work();
    clock_t end = times(&times_after);
    SHOW(getrusage(RUSAGE_SELF, &after));
    SHOW(getrusage(RUSAGE_THREAD, &thread));
    long spent = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec - before.ru_utime.tv_usec;
    CHECK(spent > 1000);
    CHECK(end >= start && times_after.tms_utime >= times_before.tms_utime);
    CHECK(thread.ru_utime.tv_sec * 1000000 + thread.ru_utime.tv_usec > spent / 2);
    CHECK(after.ru_maxrss > 500);
    CHECK(after.ru_minflt > 10);
    SHOW(getrusage(5, &after));
    SHOW(getrusage(RUSAGE_SELF, (struct rusage *)8));
    CHECK(times(NULL) > 0);
    SHOW(syscall(SYS_times, 8));
    struct timespec process, mine;
    SHOW(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process));
    SHOW(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mine));
    CHECK(process.tv_sec * 1000000000L + process.tv_nsec > 1000000);
    return 0;
}
