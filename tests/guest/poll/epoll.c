/* epoll(7): registration and its errors, level, edge, one-shot, exclusive, nesting, closing. */
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static void *volatile bad = (void *)8;

static int first_fd;

static int control(int set, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {events, {.u64 = 1000 + (uint64_t)(fd - first_fd)}};
    return epoll_ctl(set, operation, fd, &event);
}

static void show_ready(const char *name, int set, int limit)
{
    struct epoll_event events[8];
    int count = epoll_wait(set, events, limit, 0);
    printf("%s: %d", name, count);
    for (int i = 0; i < count; i++)
        printf(" [%#x %lu]", events[i].events, (unsigned long)events[i].data.u64);
    puts("");
}

static void add(int fd, uint64_t value)
{
    NEED(write(fd, &value, 8));
}

static void take(int fd)
{
    uint64_t value;
    NEED(read(fd, &value, 8));
}

static void errors(void)
{
    puts("-- errors");
    SHOW(epoll_create(0));
    SHOW(epoll_create1(1));
    int set = epoll_create1(EPOLL_CLOEXEC);
    SHOW(fcntl(set, F_GETFD));
    SHOW(fcntl(set, F_GETFL));
    int counter = eventfd(0, 0), file = open("/proc/self/exe", O_RDONLY), null = open("/dev/null", O_RDONLY);
    SHOW(control(set, EPOLL_CTL_ADD, 999, EPOLLIN));
    SHOW(control(999, EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(control(counter, EPOLL_CTL_ADD, set, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, set, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, file, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, null, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_MOD, counter, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_DEL, counter, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(control(set, 7, counter, EPOLLIN));
    SHOW(epoll_ctl(set, EPOLL_CTL_MOD, counter, bad));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, counter, bad));
    struct epoll_event events[2];
    SHOW(epoll_wait(set, events, 0, 0));
    SHOW(epoll_wait(set, events, -1, 0));
    SHOW(epoll_wait(counter, events, 1, 0));
    SHOW(epoll_wait(999, events, 1, 0));
    SHOW(epoll_pwait(set, events, 1, 0, NULL));
    SHOW(read(set, events, 8));
    add(counter, 1);
    NEED(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(epoll_wait(set, bad, 1, 0));
    SHOW(epoll_wait(set, events, 1, 0));
    close(set);
    close(counter);
}

static void triggers(void)
{
    puts("-- level");
    int set = epoll_create1(0), counter = eventfd(0, 0);
    NEED(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    show_ready("nothing", set, 8);
    add(counter, 1);
    show_ready("one", set, 8);
    show_ready("again", set, 8);
    take(counter);
    show_ready("taken", set, 8);
    puts("-- edge");
    NEED(control(set, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLOUT | EPOLLET));
    show_ready("changed", set, 8);
    show_ready("again", set, 8);
    add(counter, 1);
    show_ready("one", set, 8);
    show_ready("again", set, 8);
    add(counter, 1);
    show_ready("one more", set, 8);
    NEED(control(set, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLET));
    show_ready("modified", set, 8);
    show_ready("again", set, 8);
    puts("-- one-shot");
    NEED(control(set, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLONESHOT));
    show_ready("first", set, 8);
    show_ready("second", set, 8);
    add(counter, 1);
    show_ready("third", set, 8);
    NEED(control(set, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLONESHOT));
    show_ready("rearmed", set, 8);
    close(counter);
    close(set);
}

static void order(void)
{
    puts("-- order and fairness");
    int set = epoll_create1(0), counters[4];
    for (int i = 0; i < 4; i++) {
        counters[i] = eventfd(0, 0);
        NEED(control(set, EPOLL_CTL_ADD, counters[i], EPOLLIN));
    }
    add(counters[2], 1);
    add(counters[0], 1);
    add(counters[3], 1);
    show_ready("two", set, 2);
    show_ready("two", set, 2);
    show_ready("all", set, 8);
    take(counters[0]);
    show_ready("without the first", set, 8);
    for (int i = 0; i < 4; i++)
        close(counters[i]);
    show_ready("all closed", set, 8);
    close(set);
}

static void closing(void)
{
    puts("-- duplicates and closing");
    int set = epoll_create1(0), counter = eventfd(1, 0), copy = dup(counter);
    NEED(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, copy, EPOLLIN));
    close(copy);
    show_ready("one closed, still open", set, 8);
    SHOW(control(set, EPOLL_CTL_DEL, copy, 0));
    close(counter);
    show_ready("closed", set, 8);
    close(set);
}

static void ends(void)
{
    puts("-- ends");
    int set = epoll_create1(0), pipe_ends[2], pair[2];
    NEED(pipe(pipe_ends));
    NEED(control(set, EPOLL_CTL_ADD, pipe_ends[0], 0));
    close(pipe_ends[1]);
    show_ready("no writer, nothing asked", set, 8);
    close(pipe_ends[0]);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    NEED(control(set, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLRDHUP | EPOLLET));
    show_ready("quiet", set, 8);
    NEED(write(pair[1], "x", 1));
    show_ready("a byte", set, 8);
    NEED(shutdown(pair[1], SHUT_WR));
    show_ready("shut", set, 8);
    close(pair[1]);
    show_ready("closed", set, 8);
    show_ready("again", set, 8);
    close(set);
}

static void nesting(void)
{
    puts("-- nesting");
    int sets[7], counter = eventfd(0, 0);
    for (int i = 0; i < 7; i++)
        sets[i] = epoll_create1(0);
    SHOW(control(sets[0], EPOLL_CTL_ADD, counter, EPOLLIN));
    SHOW(control(sets[1], EPOLL_CTL_ADD, sets[0], EPOLLIN));
    SHOW(control(sets[0], EPOLL_CTL_ADD, sets[1], EPOLLIN));
    SHOW(control(sets[2], EPOLL_CTL_ADD, sets[1], EPOLLIN));
    SHOW(control(sets[0], EPOLL_CTL_ADD, sets[2], EPOLLIN));
    show_ready("quiet", sets[2], 8);
    add(counter, 1);
    show_ready("two levels up", sets[2], 8);
    show_ready("one level up", sets[1], 8);
    take(counter);
    show_ready("quiet", sets[2], 8);
    SHOW(control(sets[3], EPOLL_CTL_ADD, sets[2], EPOLLIN));
    SHOW(control(sets[4], EPOLL_CTL_ADD, sets[3], EPOLLIN));
    SHOW(control(sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN));
    SHOW(control(sets[6], EPOLL_CTL_ADD, sets[5], EPOLLIN));
    SHOW(control(sets[1], EPOLL_CTL_ADD, sets[6], EPOLLIN | EPOLLEXCLUSIVE));
}

static void exclusive(void)
{
    puts("-- exclusive");
    int first = epoll_create1(0), counter = eventfd(0, 0);
    SHOW(control(first, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    SHOW(control(first, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(control(first, EPOLL_CTL_MOD, counter, EPOLLIN));
    SHOW(control(first, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLEXCLUSIVE));
    add(counter, 1);
    show_ready("ready", first, 8);
    close(first);
    close(counter);
}

static volatile sig_atomic_t seen;
static void handler(int signal)
{
    seen = signal;
}

static void waiting(void)
{
    puts("-- waiting");
    int set = epoll_create1(0), counter = eventfd(0, 0);
    NEED(control(set, EPOLL_CTL_ADD, counter, EPOLLIN));
    struct epoll_event event;
    SHOW(epoll_wait(set, &event, 1, 20));
    pid_t child = start_child();
    if (child == 0) {
        usleep(2000);
        add(counter, 1);
        _exit(0);
    }
    SHOW(epoll_wait(set, &event, 1, -1));
    show_child("writer", child);
    take(counter);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGUSR1, &action, NULL));
    sigset_t blocked, empty;
    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL));
    raise(SIGUSR1);
    SHOW(epoll_pwait(set, &event, 1, -1, &empty));
    SHOW(seen);
    struct timespec time = {0, 3000000};
    SHOW(syscall(SYS_epoll_pwait2, set, &event, 1, &time, NULL, 8));
    time.tv_nsec = -1;
    SHOW(syscall(SYS_epoll_pwait2, set, &event, 1, &time, NULL, 8));
    /* Something added while somebody waits. */
    int other = eventfd(0, 0);
    child = start_child();
    if (child == 0) {
        usleep(2000);
        NEED(control(set, EPOLL_CTL_ADD, other, EPOLLOUT));
        _exit(0);
    }
    SHOW(epoll_wait(set, &event, 1, -1));
    SHOW(event.events);
    show_child("adder", child);
}

int main(void)
{
    closefrom(3);
    first_fd = dup(0);
    errors();
    triggers();
    order();
    closing();
    ends();
    nesting();
    exclusive();
    waiting();
    return 0;
}
