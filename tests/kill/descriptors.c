/* Open files that several processes, a message in flight, an epoll set or a sleeping call hold; locks on files; threads.
   Prints nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int counter;

static void *waiter(void *unused)
{
    unsigned long value;
    (void)unused;
    read(counter, &value, sizeof value);
    return NULL;
}

int main(void)
{
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    counter = eventfd(0, 0);
    int file = open("/dev/shm/kill-file", O_RDWR | O_CREAT, 0600);
    ftruncate(file, 4096);
    char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (fork() == 0) {
        char space[CMSG_SPACE(sizeof(int))] = "", byte;
        struct iovec part = {&byte, 1};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
        close(pair[0]);
        recvmsg(pair[1], &message, 0);
        int own = open("/dev/shm/kill-file", O_RDWR);
        flock(own, LOCK_EX);
        flock(own, LOCK_UN);
        struct flock lock = {.l_type = F_WRLCK};
        fcntl(own, F_SETLKW, &lock);
        mapped[0] = 1;
        unsigned long one = 1;
        write(counter, &one, sizeof one);
        write(counter, &one, sizeof one);
        _exit(0);
    }
    close(pair[1]);
    flock(file, LOCK_EX);
    char space[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &counter, sizeof counter);
    sendmsg(pair[0], &message, 0);
    sendmsg(pair[0], &message, 0);
    flock(file, LOCK_UN);
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value = {0, 1000}};
    timerfd_settime(timer, 0, &soon, NULL);
    struct pollfd entries[2] = {{timer, POLLIN, 0}, {set, POLLIN, 0}};
    poll(entries, 2, 1000);
    epoll_wait(set, &event, 1, 1000);
    pthread_t thread;
    pthread_create(&thread, NULL, waiter, NULL);
    pthread_join(thread, NULL);
    wait(NULL);
    unlink("/dev/shm/kill-file");
    return 0;
}
