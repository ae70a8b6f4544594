/* Leases that others break, directories and files that tell by signals, descriptors of processes and threads, interests and
   watches on a user's account. Prints nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int thread_fd = -1;

static void *other(void *unused)
{
    (void)unused;
    thread_fd = pidfd_open(gettid(), O_EXCL);
    usleep(1000);
    return NULL;
}

int main(void)
{
    int ends[2];
    signal(SIGIO, SIG_IGN);
    mkdir("/dev/shm/kill-watched", 0700);
    int file = open("/dev/shm/kill-watched/file", O_RDONLY | O_CREAT, 0600);
    pipe(ends);
    fcntl(ends[0], F_SETOWN, getpid());
    fcntl(ends[0], F_SETFL, O_ASYNC);
    int directory = open("/dev/shm/kill-watched", O_RDONLY);
    fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT);
    fcntl(file, F_SETLEASE, F_RDLCK);
    pid_t child = fork();
    if (child == 0) {
        int set = epoll_create1(0), counter = eventfd(0, 0), queue = inotify_init();
        struct epoll_event event = {.events = EPOLLIN};
        epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
        epoll_ctl(set, EPOLL_CTL_ADD, queue, &event);
        inotify_add_watch(queue, "/dev/shm/kill-watched", IN_ALL_EVENTS);
        fcntl(directory, F_NOTIFY, DN_CREATE);
        write(ends[1], "x", 1);
        close(open("/dev/shm/kill-watched/file", O_WRONLY));
        truncate("/dev/shm/kill-watched/file", 10);
        epoll_wait(set, &event, 1, 10);
        _exit(0);
    }
    int process = pidfd_open(child, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, other, NULL);
    usleep(500);
    fcntl(file, F_SETLEASE, F_UNLCK);
    pthread_join(thread, NULL);
    struct pollfd pollers[2] = {{process, POLLIN, 0}, {thread_fd, POLLIN, 0}};
    poll(pollers, 2, 100);
    waitid(P_PIDFD, process, NULL, WEXITED);
    unlink("/dev/shm/kill-watched/file");
    rmdir("/dev/shm/kill-watched");
    return 0;
}
