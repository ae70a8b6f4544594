/* timerfd_create(2): expirations, repetition, absolute times, blocking, poll, errors. */
#include "check.h"
#include <poll.h>
#include <sys/timerfd.h>

static void *volatile bad = (void *)8;

static void show_read(int fd)
{
    uint64_t value = 0;
    ssize_t length = read(fd, &value, sizeof value);
    printf("read = %zd %s, %" PRIu64 "\n", length, length < 0 ? strerrorname_np(errno) : "", value);
}

static int ready(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

static int set(int fd, int flags, long value_ns, long interval_ns)
{
    struct itimerspec setting = {{interval_ns / 1000000000, interval_ns % 1000000000},
                                 {value_ns / 1000000000, value_ns % 1000000000}};
    return timerfd_settime(fd, flags, &setting, NULL);
}

int main(void)
{
    puts("-- errors");
    SHOW(timerfd_create(99, 0));
    SHOW(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(set(fd, 8, 1, 1));
    SHOW(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 1000000000}}, NULL));
    SHOW(timerfd_settime(fd, 0, &(struct itimerspec){{0, -1}, {1, 0}}, NULL));
    SHOW(timerfd_settime(fd, 0, bad, NULL));
    SHOW(set(0, 0, 1, 1));
    SHOW(set(999, 0, 1, 1));
    SHOW(timerfd_gettime(fd, bad));
    char small[7];
    SHOW(read(fd, small, sizeof small));
    SHOW(write(fd, "12345678", 8));
    puts("-- once");
    show_read(fd);
    SHOW(ready(fd));
    SHOW(set(fd, 0, 5000000, 0));
    show_read(fd);
    struct itimerspec now;
    NEED(timerfd_gettime(fd, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 5000000);
    usleep(20000);
    SHOW(ready(fd));
    NEED(timerfd_gettime(fd, &now));
    printf("left %ld %ld\n", (long)now.it_value.tv_sec, now.it_value.tv_nsec);
    show_read(fd);
    show_read(fd);
    puts("-- repeated");
    SHOW(set(fd, 0, 10000000, 10000000));
    usleep(55000);
    uint64_t expirations = 0;
    NEED(read(fd, &expirations, 8));
    CHECK(expirations >= 5 && expirations < 50);
    NEED(timerfd_gettime(fd, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10000000 && now.it_interval.tv_nsec == 10000000);
    usleep(15000);
    NEED(timerfd_gettime(fd, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10000000);
    SHOW(ready(fd));
    struct itimerspec old;
    SHOW(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 0}}, &old));
    CHECK(old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec <= 10000000);
    SHOW(ready(fd));
    show_read(fd);
    puts("-- absolute");
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    SHOW(set(fd, TFD_TIMER_ABSTIME, time.tv_sec * 1000000000 + time.tv_nsec, 0));
    usleep(1000);
    show_read(fd);
    int realtime = timerfd_create(CLOCK_REALTIME, 0);
    clock_gettime(CLOCK_REALTIME, &time);
    SHOW(set(realtime, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, time.tv_sec * 1000000000 + time.tv_nsec + 5000000, 0));
    show_read(realtime);
    puts("-- blocking");
    SHOW(set(realtime, 0, 3000000, 0));
    show_read(realtime);
    SHOW(set(realtime, 0, 3000000, 0));
    struct pollfd entry = {realtime, POLLIN, 0};
    SHOW(poll(&entry, 1, -1));
    SHOW(entry.revents);
    show_read(realtime);
    return 0;
}
