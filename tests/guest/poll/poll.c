/* poll(2), ppoll(2): events of each kind of file, timeouts, signals, masks. */
#include "check.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void *volatile bad = (void *)8;

static void show_events(const char *name, int fd, short events)
{
    struct pollfd entry = {fd, events, 0x7fff};
    int result = poll(&entry, 1, 0);
    printf("%s: poll = %d, events %#x\n", name, result, entry.revents);
}

static volatile sig_atomic_t seen;
static void handler(int signal)
{
    seen = signal;
}

int main(void)
{
    char buffer[65536] = {0};
    int ends[2];
    NEED(pipe(ends));
    puts("-- events");
    show_events("empty pipe, reader", ends[0], POLLIN | POLLOUT);
    show_events("empty pipe, writer", ends[1], POLLIN | POLLOUT);
    NEED(write(ends[1], buffer, sizeof buffer));
    show_events("full pipe, reader", ends[0], POLLIN | POLLOUT | POLLRDNORM);
    show_events("full pipe, writer", ends[1], POLLIN | POLLOUT);
    NEED(read(ends[0], buffer, 4095));
    show_events("a byte less than a page, writer", ends[1], POLLOUT);
    NEED(read(ends[0], buffer, 1));
    show_events("a page, writer", ends[1], POLLOUT | POLLWRNORM);
    int other = dup(ends[1]);
    close(ends[1]);
    close(other);
    show_events("no writer, bytes", ends[0], POLLIN);
    while (read(ends[0], buffer, sizeof buffer) > 0)
        ;
    show_events("no writer", ends[0], POLLIN);
    show_events("no writer, nothing asked", ends[0], 0);
    close(ends[0]);
    NEED(pipe(ends));
    close(ends[0]);
    show_events("no reader", ends[1], POLLOUT);
    close(ends[1]);
    show_events("closed", ends[1], POLLIN);
    show_events("negative", -5, POLLIN);
    int file = open("/proc/self/exe", O_RDONLY);
    show_events("regular file", file, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM);
    int directory = open("/", O_RDONLY);
    show_events("directory", directory, POLLIN | POLLOUT);
    int null = open("/dev/null", O_RDWR);
    show_events("/dev/null", null, POLLIN | POLLOUT);
    int path = open("/", O_PATH);
    show_events("O_PATH", path, POLLIN | POLLOUT);
    int counter = eventfd(0, 0);
    show_events("eventfd", counter, POLLIN | POLLOUT);
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    show_events("socket", pair[0], POLLIN | POLLOUT | POLLRDHUP);
    NEED(shutdown(pair[1], SHUT_WR));
    show_events("peer shut for writing", pair[0], POLLIN | POLLOUT | POLLRDHUP);
    show_events("shut for writing", pair[1], POLLIN | POLLOUT | POLLRDHUP);
    close(pair[1]);
    show_events("peer closed", pair[0], POLLIN | POLLOUT | POLLRDHUP);

    puts("-- arguments");
    struct pollfd entries[3] = {{counter, POLLIN, 1}, {null, POLLIN, 2}, {-1, POLLIN, 3}};
    SHOW(poll(entries, 3, -1));
    printf("%d %d %d\n", entries[0].revents, entries[1].revents, entries[2].revents);
    SHOW(poll(bad, 1, 0));
    SHOW(poll(NULL, 0, 0));
    SHOW(poll(NULL, 0, 10));
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    SHOW(poll(entries, limit.rlim_cur + 1, 0));
    struct timespec time = {0, 1000000000};
    SHOW(ppoll(entries, 1, &time, NULL));
    time = (struct timespec){-1, 0};
    SHOW(ppoll(entries, 1, &time, NULL));
    SHOW(syscall(SYS_ppoll, entries, 1, NULL, &time, 4));

    puts("-- time");
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    SHOW(poll(entries, 1, 30));
    clock_gettime(CLOCK_MONOTONIC, &end);
    long elapsed = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
    CHECK(elapsed >= 30000);
    time = (struct timespec){0, 20000000};
    SHOW(syscall(SYS_ppoll, entries, 1, &time, NULL, 8));
    printf("left: %ld %ld\n", (long)time.tv_sec, time.tv_nsec);
    time = (struct timespec){100, 0};
    SHOW(syscall(SYS_ppoll, entries, 2, &time, NULL, 8));
    CHECK(time.tv_sec >= 99);

    puts("-- woken");
    pid_t child = start_child();
    if (child == 0) {
        usleep(2000);
        uint64_t one = 1;
        _exit(write(counter, &one, 8) == 8 ? 0 : 1);
    }
    entries[0].events = POLLIN;
    SHOW(poll(entries, 1, 10000));
    SHOW(entries[0].revents);
    show_child("writer", child);
    NEED(read(counter, buffer, 8));

    puts("-- signals");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGUSR1, &action, NULL));
    sigset_t set, empty;
    sigemptyset(&empty);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL));
    child = start_child();
    if (child == 0) {
        usleep(2000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    entries[0].fd = counter;
    time = (struct timespec){5, 0};
    SHOW(syscall(SYS_ppoll, entries, 1, &time, &empty, 8));
    SHOW(seen);
    CHECK(time.tv_sec == 4);
    NEED(sigprocmask(SIG_BLOCK, NULL, &set));
    SHOW(sigismember(&set, SIGUSR1));
    show_child("killer", child);
    seen = 0;
    raise(SIGUSR1);
    SHOW(ppoll(entries, 2, NULL, &empty));
    SHOW(seen);
    SHOW(ppoll(entries, 1, &(struct timespec){0, 0}, &empty));
    SHOW(seen);
    return 0;
}
