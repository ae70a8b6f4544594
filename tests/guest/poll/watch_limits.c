/* How much one user may watch with inotify: /proc/sys/fs/inotify. */
#include "check.h"
#include <sys/inotify.h>

static void as_nobody(void (*what)(void))
{
    pid_t child = start_child();
    if (child == 0) {
        /* A user of whom there is nothing else. */
        NEED(setresgid(54321, 54321, 54321));
        NEED(setresuid(54321, 54321, 54321));
        what();
        exit(0);
    }
    show_child("the user", child);
}

static void queues(void)
{
    int count = 0, last = -1, fd;
    while ((fd = inotify_init()) >= 0)
        last = fd, count++;
    printf("%d queues, then %s\n", count, strerrorname_np(errno));
    close(last);
    SHOW(inotify_init() >= 0);
    SHOW(inotify_init1(IN_CLOEXEC));
}

static void events(void)
{
    int queue = NEED(inotify_init1(IN_NONBLOCK));
    NEED(inotify_add_watch(queue, "overflow", IN_OPEN | IN_CLOSE));
    for (int i = 0; i < 10000; i++)
        close(NEED(open("overflow", O_RDONLY)));
    static char bytes[65536];
    ssize_t length;
    int count = 0;
    struct inotify_event last;
    while ((length = read(queue, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0; at < length; at += sizeof last + last.len, count++)
            memcpy(&last, bytes + at, sizeof last);
    printf("%d events, the last one: watch %d mask %#x\n", count, last.wd, last.mask);
    close(open("overflow", O_RDONLY));
    SHOW(read(queue, bytes, sizeof bytes));
}

int main(void)
{
    show_file("/proc/sys/fs/inotify/max_user_instances");
    show_file("/proc/sys/fs/inotify/max_queued_events");
    puts("-- queues of inotify");
    if (geteuid() == 0)
        as_nobody(queues);
    puts("-- events of inotify");
    put_file("overflow", "");
    events();
    unlink("overflow");
    return 0;
}
