/* inotify(7): which change makes which events, in which order. */
#include "check.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int queue;

static void show_mask(uint32_t mask)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"},
        {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"},
        {IN_MOVED_TO, "MOVED_TO"}, {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"},
        {IN_MOVE_SELF, "MOVE_SELF"}, {IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mask & names[i].bit)
            printf(" %s", names[i].name);
}

/* Prints and empties the queue. */
static void show(const char *what)
{
    printf("%s:\n", what);
    static uint32_t first_cookie;
    char buffer[65536] __attribute__((aligned(8)));
    ssize_t length = read(queue, buffer, sizeof buffer);
    for (char *at = buffer; at < buffer + length;) {
        struct inotify_event *event = (struct inotify_event *)at;
        printf("  watch %d", event->wd);
        show_mask(event->mask);
        if (event->cookie) {
            if (event->mask & IN_MOVED_FROM)
                first_cookie = event->cookie;
            printf(" %s cookie", event->cookie == first_cookie ? "the" : "ANOTHER");
        }
        if (event->len)
            printf(" '%s' in %u bytes", event->name, event->len);
        printf("\n");
        at += sizeof *event + event->len;
    }
    fflush(stdout);
}

int main(void)
{
    NEED(mkdir("d", 0755));
    put_file("d/file", "text");
    SHOW(inotify_init1(0x1000));
    queue = (int)NEED(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    char c;
    SHOW(read(queue, &c, 1));
    SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(queue, "d/file", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(queue, "missing", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(queue, "d", 0));
    SHOW(inotify_add_watch(queue, "d/file", IN_ALL_EVENTS | IN_ONLYDIR));
    SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS | IN_MASK_CREATE));
    SHOW(inotify_add_watch(0, "d", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(99, "d", IN_ALL_EVENTS));

    int fd = (int)NEED(open("d/file", O_RDWR));
    NEED(read(fd, &c, 1));
    NEED(read(fd, &c, 1));
    NEED(write(fd, "x", 1));
    NEED(close(fd));
    int value = 0;
    SHOW(ioctl(queue, FIONREAD, &value));
    SHOW(value);
    SHOW(read(queue, &c, 1));
    show("open, read twice, write, close");
    put_file("d/new name that is longer", "text");
    show("create");
    NEED(close(open("d/file", O_RDONLY | O_TRUNC)));
    show("open with O_TRUNC");
    NEED(chmod("d/file", 0600));
    struct timespec times[2] = {{1, 0}, {2, 0}};
    NEED(utimensat(AT_FDCWD, "d/file", times, 0));
    times[0].tv_nsec = UTIME_OMIT;
    NEED(utimensat(AT_FDCWD, "d/file", times, 0));
    NEED(truncate("d/file", 10));
    show("chmod, utimensat of both and of one, truncate");
    NEED(link("d/file", "d/link"));
    NEED(symlink("x", "d/symlink"));
    NEED(mkdir("d/sub", 0755));
    NEED(mkfifo("d/fifo", 0600));
    show("link, symlink, mkdir, mkfifo");
    NEED(rename("d/link", "d/link2"));
    NEED(rename("d/link2", "out"));
    NEED(rename("out", "d/back"));
    NEED(rename("d/sub", "d/sub2"));
    show("rename inside, out, in, of a directory");
    NEED(unlink("d/back"));
    NEED(rmdir("d/sub2"));
    show("unlink one name of two, rmdir");
    put_file("d/other", "");
    show("create");
    fd = (int)NEED(open("d/file", O_RDONLY));
    NEED(rename("d/other", "d/file"));
    show("rename over an open file");
    NEED(close(fd));
    show("close the replaced file");
    NEED(chmod("d", 0700));
    show("chmod of the directory");

    SHOW(inotify_rm_watch(queue, 2));
    SHOW(inotify_add_watch(queue, "d", IN_CREATE | IN_ONESHOT));
    put_file("d/one", "");
    put_file("d/two", "");
    show("one shot");
    int second = (int)NEED(inotify_add_watch(queue, "d", IN_DELETE));
    SHOW(second);
    SHOW(inotify_rm_watch(queue, second));
    SHOW(inotify_rm_watch(queue, second));
    show("removed");
    SHOW(inotify_add_watch(queue, "d/one", IN_DELETE_SELF));
    NEED(unlink("d/one"));
    show("unlink a watched file");
    return 0;
}
