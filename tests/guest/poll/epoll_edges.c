/* epoll(7) at its edges: nesting and loops, one-shot and edge-triggered interests, EPOLLEXCLUSIVE, EPOLLWAKEUP, closed files. */
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static int add(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int change(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(set, EPOLL_CTL_MOD, fd, &event);
}

static void show(const char *when, int set)
{
    struct epoll_event events[8];
    int count = epoll_wait(set, events, 8, 0);
    printf("%s: %d", when, count);
    for (int i = 0; i < count; i++)
        printf(" [%#x]", events[i].events);
    puts("");
    fflush(stdout);
}

static void put(int fd)
{
    uint64_t one = 1;
    NEED(write(fd, &one, 8));
}

static void take(int fd)
{
    uint64_t count;
    NEED(read(fd, &count, 8));
}

static void nesting(void)
{
    puts("-- a chain of sets");
    int sets[8];
    for (int i = 0; i < 8; i++)
        sets[i] = NEED(epoll_create1(0));
    int counter = NEED(eventfd(0, 0));
    SHOW(add(sets[0], counter, EPOLLIN));
    for (int i = 1; i < 8; i++)
        SHOW(add(sets[i], sets[i - 1], EPOLLIN));
    show("nothing", sets[4]);
    put(counter);
    show("innermost", sets[0]);
    for (int i = 1; i < 6; i++)
        show("outer", sets[i]);
    struct pollfd poller = {sets[4], POLLIN, 0};
    SHOW(poll(&poller, 1, 0));
    take(counter);
    SHOW(poll(&poller, 1, 0));
    show("taken", sets[4]);
    puts("-- loops");
    SHOW(add(sets[0], sets[0], EPOLLIN));
    SHOW(add(sets[0], sets[1], EPOLLIN));
    SHOW(add(sets[0], sets[3], EPOLLIN));
    SHOW(add(sets[0], sets[7], EPOLLIN));
    for (int i = 0; i < 8; i++)
        close(sets[i]);
    close(counter);

    puts("-- edges through a set");
    int inner = NEED(epoll_create1(0)), outer = NEED(epoll_create1(0));
    counter = NEED(eventfd(0, EFD_NONBLOCK));
    NEED(add(inner, counter, EPOLLIN));
    NEED(add(outer, inner, EPOLLIN | EPOLLET));
    show("nothing", outer);
    put(counter);
    show("once", outer);
    show("twice", outer);
    put(counter);
    show("another write", outer);
    show("inner", inner);
    show("outer", outer);
    take(counter);
    put(counter);
    show("taken and written", outer);
    close(inner), close(outer), close(counter);
}

static void one_shot(void)
{
    puts("-- one shot");
    int set = NEED(epoll_create1(0)), counter = NEED(eventfd(1, 0));
    NEED(add(set, counter, EPOLLIN | EPOLLONESHOT));
    show("first", set);
    show("spent", set);
    put(counter);
    show("written", set);
    SHOW(add(set, counter, EPOLLIN));
    SHOW(change(set, counter, EPOLLIN | EPOLLONESHOT));
    show("armed", set);
    SHOW(change(set, counter, EPOLLOUT | EPOLLET | EPOLLONESHOT));
    show("armed for writing", set);
    show("spent", set);
    SHOW(change(set, counter, 0));
    show("no events", set);
    SHOW(change(set, counter, EPOLLIN | EPOLLOUT));
    show("both", set);
    close(set), close(counter);

    puts("-- one shot and a hang-up");
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    set = NEED(epoll_create1(0));
    NEED(add(set, pair[0], EPOLLIN | EPOLLONESHOT));
    NEED(write(pair[1], "x", 1));
    show("a byte", set);
    close(pair[1]);
    show("hung up while spent", set);
    SHOW(change(set, pair[0], EPOLLRDHUP));
    show("armed", set);
    SHOW(change(set, pair[0], 0));
    show("without events", set);
    close(pair[0]);
    show("closed", set);
    close(set);
}

static void edges(void)
{
    puts("-- edge-triggered");
    int set = NEED(epoll_create1(0)), ends[2];
    NEED(pipe2(ends, O_NONBLOCK));
    NEED(add(set, ends[0], EPOLLIN | EPOLLET));
    NEED(add(set, ends[1], EPOLLOUT | EPOLLET));
    show("new", set);
    show("again", set);
    NEED(write(ends[1], "abc", 3));
    show("written", set);
    NEED(write(ends[1], "abc", 3));
    show("written again", set);
    char bytes[70000];
    NEED(read(ends[0], bytes, 2));
    show("a part is read", set);
    NEED(read(ends[0], bytes, 10));
    show("the rest is read", set);
    while (write(ends[1], bytes, 4096) > 0)
        ;
    show("filled", set);
    NEED(read(ends[0], bytes, 100));
    show("a little is read", set);
    NEED(read(ends[0], bytes, 4096));
    show("a page is read", set);
    NEED(read(ends[0], bytes, 8192));
    show("two pages are read", set);
    SHOW(change(set, ends[1], EPOLLOUT | EPOLLET));
    show("changed", set);
    close(ends[1]);
    show("the write end is closed", set);
    show("again", set);
    close(ends[0]), close(set);
}

static void copies(void)
{
    puts("-- copies of descriptors");
    int set = NEED(epoll_create1(0)), counter = NEED(eventfd(1, 0));
    NEED(add(set, counter, EPOLLIN));
    int copy = NEED(dup(counter));
    SHOW(add(set, copy, EPOLLIN));
    show("both", set);
    close(counter);
    show("the first is closed", set);
    struct epoll_event event;
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, counter, &event));
    close(copy);
    show("both are closed", set);
    counter = NEED(eventfd(1, 0));
    show("a new file of the same number", set);
    close(counter), close(set);
}

/* Children that wait for the same counter by sets of their own. */
static void exclusive(uint32_t flags)
{
    printf("-- flags %#x\n", flags);
    int counter = NEED(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE)), ready[2];
    NEED(pipe(ready));
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            int set = NEED(epoll_create1(0));
            NEED(add(set, counter, EPOLLIN | flags));
            NEED(write(ready[1], "r", 1));
            struct epoll_event event;
            int count = epoll_wait(set, &event, 1, 300);
            _exit(count == 1 ? 1 : 0);
        }
    }
    char byte;
    for (int i = 0; i < 3; i++)
        NEED(read(ready[0], &byte, 1));
    usleep(50000);
    put(counter);
    int woken = 0, status;
    for (int i = 0; i < 3; i++) {
        NEED(waitpid(children[i], &status, 0));
        woken += WEXITSTATUS(status);
    }
    printf("woken: %s\n", woken == 3 ? "all" : woken == 1 ? "one" : woken == 0 ? "none" : "two");
    close(counter), close(ready[0]), close(ready[1]);
}

static void others(void)
{
    puts("-- EPOLLWAKEUP and unknown flags");
    int set = NEED(epoll_create1(0)), counter = NEED(eventfd(1, 0));
    SHOW(add(set, counter, EPOLLIN | EPOLLWAKEUP));
    show("wakeup", set);
    SHOW(change(set, counter, EPOLLIN | 1 << 27));
    show("unknown flag", set);
    SHOW(add(set, set, EPOLLIN));
    SHOW(add(counter, set, EPOLLIN));
    int file = NEED(open("/", O_RDONLY));
    SHOW(add(set, file, EPOLLIN));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, counter, NULL));
    SHOW(epoll_ctl(set, 7, counter, NULL));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, counter, NULL));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, counter, NULL));
    close(file), close(set), close(counter);
    puts("-- fairness");
    set = NEED(epoll_create1(0));
    int counters[4];
    for (int i = 0; i < 4; i++) {
        counters[i] = NEED(eventfd(1, 0));
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        NEED(epoll_ctl(set, EPOLL_CTL_ADD, counters[i], &event));
    }
    for (int i = 0; i < 6; i++) {
        struct epoll_event event;
        NEED(epoll_wait(set, &event, 1, 0));
        printf("%d ", event.data.u32);
    }
    puts("");
}

int main(void)
{
    nesting();
    one_shot();
    edges();
    copies();
    exclusive(0);
    exclusive(EPOLLEXCLUSIVE);
    exclusive(EPOLLEXCLUSIVE | EPOLLET);
    others();
    return 0;
}
