/* eventfd(2): counting, the semaphore, limits, blocking, sharing through fork. */
#include "check.h"
#include <poll.h>
#include <sys/eventfd.h>

static void show_read(int fd)
{
    uint64_t value = 0;
    ssize_t length = read(fd, &value, sizeof value);
    printf("read = %zd %s, %" PRIu64 "\n", length, length < 0 ? strerrorname_np(errno) : "", value);
}

static void show_write(int fd, uint64_t value)
{
    ssize_t length = write(fd, &value, sizeof value);
    printf("write %" PRIu64 " = %zd %s\n", value, length, length < 0 ? strerrorname_np(errno) : "");
}

static void show_events(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    NEED(poll(&entry, 1, 0));
    printf("events %#x\n", entry.revents);
}

int main(void)
{
    SHOW(eventfd(0, 0x10));
    int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC);
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_GETFD));
    show_read(fd);
    show_read(fd);
    show_write(fd, 3);
    show_write(fd, 0);
    show_write(fd, UINT64_MAX);
    show_events(fd);
    show_write(fd, UINT64_MAX - 4);
    show_write(fd, UINT64_MAX - 5);
    show_events(fd);
    show_write(fd, 1);
    show_write(fd, 0);
    show_read(fd);
    show_events(fd);
    char byte[16] = {1};
    SHOW(read(fd, byte, 7));
    SHOW(write(fd, byte, 7));
    SHOW(write(fd, byte, 16));
    SHOW(read(fd, byte, 16));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(write(fd, (void *volatile)NULL, 8));
    puts("-- semaphore");
    int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    show_read(semaphore);
    show_write(semaphore, 1);
    show_read(semaphore);
    show_read(semaphore);
    show_read(semaphore);
    puts("-- blocking");
    int blocking = eventfd(0, 0);
    pid_t child = start_child();
    if (child == 0) {
        usleep(1000);
        show_write(blocking, UINT64_MAX - 1);
        show_write(blocking, 7);
        fflush(stdout);
        _exit(0);
    }
    usleep(5000);
    show_read(blocking);
    show_child("writer", child);
    show_read(blocking);
    return 0;
}
