/* ioctl TFD_IOC_SET_TICKS, and what /proc/PID/fdinfo says of a timer, timerfd_create(2). */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#define SET_TICKS _IOW('T', 0, uint64_t)

static void show_fdinfo(int fd)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "mnt_id", 6) && strncmp(line, "ino", 3) && strncmp(line, "it_value", 8))
            fputs(line, stdout);
    if (file)
        fclose(file);
}

int main(void)
{
    int fd = NEED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    uint64_t ticks = 5;
    SHOW(ioctl(fd, SET_TICKS, &ticks));
    struct itimerspec time = {{10, 0}, {10, 0}};
    NEED(timerfd_settime(fd, 0, &time, NULL));
    show_fdinfo(fd);
    struct pollfd poller = {fd, POLLIN, 0};
    SHOW(poll(&poller, 1, 0));
    SHOW(ioctl(fd, SET_TICKS, &ticks));
    SHOW(poll(&poller, 1, 0));
    show_fdinfo(fd);
    SHOW(read(fd, &ticks, sizeof ticks));
    SHOW(ticks);
    SHOW(read(fd, &ticks, sizeof ticks));
    ticks = 0;
    SHOW(ioctl(fd, SET_TICKS, &ticks));
    SHOW(ioctl(fd, SET_TICKS, NULL));
    SHOW(ioctl(fd, _IOW('T', 1, uint64_t), &ticks));
    time = (struct itimerspec){{0}, {10, 0}};
    NEED(timerfd_settime(fd, 0, &time, NULL));
    ticks = 3;
    SHOW(ioctl(fd, SET_TICKS, &ticks));
    NEED(timerfd_gettime(fd, &time));
    CHECK(time.it_value.tv_sec > 8);
    SHOW(read(fd, &ticks, sizeof ticks));
    SHOW(ticks);
    time = (struct itimerspec){{0}, {0}};
    NEED(timerfd_settime(fd, 0, &time, NULL));
    ticks = 2;
    SHOW(ioctl(fd, SET_TICKS, &ticks));
    SHOW(read(fd, &ticks, sizeof ticks));
    return 0;
}
