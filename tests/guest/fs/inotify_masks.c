/* inotify(7): every event and IN_ flag by the operations that cause them; IN_MASK_ADD, IN_EXCL_UNLINK, IN_DONT_FOLLOW, merging,
   partial reads, FIONREAD. */
#include "check.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int queue;

static void show(const char *when)
{
    static const struct { uint32_t bit; const char *name; } names[] = {
        {IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"},
        {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"}, {IN_MOVED_TO, "MOVED_TO"},
        {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
        {IN_UNMOUNT, "UNMOUNT"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"}, {IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"},
    };
    char bytes[8192];
    ssize_t length = read(queue, bytes, sizeof bytes);
    printf("%s:\n", when);
    for (ssize_t at = 0; at < length;) {
        struct inotify_event *event = (void *)(bytes + at);
        printf("  watch %d", event->wd);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (event->mask & names[i].bit)
                printf(" %s", names[i].name);
        printf("%s%s, %s cookie\n", event->len ? " " : "", event->len ? event->name : "", event->cookie ? "a" : "no");
        at += sizeof *event + event->len;
    }
    fflush(stdout);
}

static void everything(void)
{
    puts("-- a directory and a file in it");
    NEED(mkdir("d", 0700));
    put_file("d/file", "text");
    SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(queue, "d/file", IN_ALL_EVENTS));
    int fd = NEED(open("d/file", O_RDWR));
    show("opened");
    char bytes[16];
    NEED(read(fd, bytes, 2));
    NEED(read(fd, bytes, 0));
    NEED(pread(fd, bytes, 2, 0));
    show("read");
    NEED(read(fd, bytes, 16));
    NEED(read(fd, bytes, 16));
    show("read to the end");
    NEED(write(fd, "x", 1));
    NEED(write(fd, "x", 0));
    NEED(ftruncate(fd, 0));
    show("written and cut");
    NEED(fallocate(fd, 0, 0, 100));
    show("allocated");
    NEED(fchmod(fd, 0640));
    NEED(fchown(fd, -1, -1));
    NEED(futimens(fd, NULL));
    show("attributes");
    struct timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
    NEED(futimens(fd, times));
    times[0] = (struct timespec){1, 0}, times[1].tv_nsec = UTIME_OMIT;
    NEED(futimens(fd, times));
    times[0].tv_nsec = UTIME_OMIT;
    NEED(futimens(fd, times));
    show("times");
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ((char *)memory)[0] = 'y';
    NEED(msync(memory, 4096, MS_SYNC));
    NEED(munmap(memory, 4096));
    show("mapped and written");
    NEED(close(fd));
    show("closed");
    NEED(close(open("d/file", O_RDONLY | O_TRUNC)));
    show("opened with O_TRUNC");
    NEED(close(open("d/file", O_PATH)));
    show("opened with O_PATH");
    NEED(truncate("d/file", 10));
    show("truncate");
    NEED(link("d/file", "d/link"));
    show("linked");
    NEED(rename("d/file", "d/moved"));
    show("renamed");
    NEED(rename("d/moved", "outside"));
    show("moved out");
    NEED(rename("outside", "d/file"));
    show("moved in");
    put_file("d/other", "");
    show("another file");
    NEED(rename("d/other", "d/file"));
    show("replaced");
    NEED(unlink("d/link"));
    show("the last name is removed");
    NEED(symlink("file", "d/symlink"));
    show("a symbolic link");
    NEED(mkfifo("d/fifo", 0600));
    NEED(mkdir("d/sub", 0700));
    show("a FIFO and a directory");
    fd = NEED(open("d", O_RDONLY | O_DIRECTORY));
    NEED(syscall(SYS_getdents64, fd, bytes, 0) == -1 ? 0 : 0);
    char listing[4096];
    NEED(syscall(SYS_getdents64, fd, listing, sizeof listing));
    NEED(close(fd));
    show("the directory is listed");
    NEED(chmod("d", 0755));
    NEED(rmdir("d/sub"));
    show("its mode, and a directory removed");
    NEED(unlink("d/symlink"));
    NEED(unlink("d/fifo"));
    NEED(unlink("d/file"));
    NEED(rename("d", "e"));
    show("emptied and renamed");
    NEED(rmdir("e"));
    show("removed");
}

static void flags(void)
{
    puts("-- flags");
    NEED(mkdir("d", 0700));
    put_file("d/file", "");
    NEED(symlink("d", "to-d"));
    int first = SHOW(inotify_add_watch(queue, "d", IN_CREATE));
    CHECK(inotify_add_watch(queue, "to-d", IN_DELETE | IN_MASK_ADD) == first);
    put_file("d/new", "");
    NEED(unlink("d/new"));
    show("IN_MASK_ADD");
    CHECK(inotify_add_watch(queue, "d", IN_DELETE) == first);
    put_file("d/new", "");
    NEED(unlink("d/new"));
    show("replaced");
    SHOW(inotify_add_watch(queue, "d", IN_DELETE | IN_MASK_CREATE));
    SHOW(inotify_add_watch(queue, "d", IN_DELETE | IN_MASK_CREATE | IN_MASK_ADD));
    SHOW(inotify_add_watch(queue, "d/file", IN_OPEN | IN_ONLYDIR));
    SHOW(inotify_add_watch(queue, "to-d", IN_OPEN | IN_ONLYDIR | IN_DONT_FOLLOW));
    CHECK(inotify_add_watch(queue, "to-d", IN_DELETE_SELF | IN_DONT_FOLLOW) > first);
    NEED(unlink("to-d"));
    show("the link itself");
    SHOW(inotify_add_watch(queue, "d", 0));
    SHOW(inotify_add_watch(queue, "d", IN_ISDIR));
    SHOW(inotify_add_watch(queue, "d", IN_ONESHOT) == first);
    SHOW(inotify_add_watch(queue, "missing", IN_OPEN));
    SHOW(inotify_add_watch(0, "d", IN_OPEN));
    SHOW(inotify_add_watch(-1, "d", IN_OPEN));
    SHOW(inotify_rm_watch(queue, 1000));
    SHOW(inotify_rm_watch(queue, first));
    show("withdrawn");
    SHOW(inotify_rm_watch(queue, first));
    int once = inotify_add_watch(queue, "d", IN_CREATE | IN_ONESHOT);
    CHECK(once > first);
    put_file("d/new", "");
    put_file("d/newer", "");
    show("IN_ONESHOT");

    puts("-- IN_EXCL_UNLINK");
    int excluding = inotify_add_watch(queue, "d", IN_MODIFY | IN_EXCL_UNLINK);
    CHECK(excluding > once);
    int fd = NEED(open("d/new", O_WRONLY));
    NEED(write(fd, "x", 1));
    NEED(unlink("d/new"));
    NEED(write(fd, "x", 1));
    show("written before and after");
    close(fd);
    CHECK(inotify_add_watch(queue, "d", IN_MODIFY) == excluding);
    fd = NEED(open("d/newer", O_WRONLY));
    NEED(unlink("d/newer"));
    NEED(write(fd, "x", 1));
    show("without the flag");
    close(fd);
    SHOW(inotify_rm_watch(queue, excluding));
    show("withdrawn");

    puts("-- merging, and reads of too little");
    fd = NEED(open("d/file", O_WRONLY));
    int watch = inotify_add_watch(queue, "d", IN_MODIFY | IN_ATTRIB);
    CHECK(watch > 0);
    for (int i = 0; i < 3; i++)
        NEED(write(fd, "x", 1));
    NEED(fchmod(fd, 0600));
    NEED(write(fd, "x", 1));
    int bytes = 0;
    SHOW(ioctl(queue, FIONREAD, &bytes));
    SHOW(bytes);
    char little[64];
    SHOW(read(queue, little, 16));
    SHOW(read(queue, little, 31));
    SHOW(read(queue, little, 0));
    SHOW(read(queue, little, 32));
    SHOW(ioctl(queue, FIONREAD, &bytes));
    SHOW(bytes);
    show("the rest");
    SHOW(read(queue, little, 64));
    SHOW(write(queue, little, 1));
    SHOW(lseek(queue, 0, SEEK_CUR));
    close(fd);
    NEED(unlink("d/file"));
    NEED(rmdir("d"));
    show("removed");
}

int main(void)
{
    queue = NEED(inotify_init1(IN_NONBLOCK));
    everything();
    flags();
    return 0;
}
