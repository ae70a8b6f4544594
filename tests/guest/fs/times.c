/* utimensat(2) and its elders, and which call changes which time. */
#include "check.h"
#include <sys/time.h>
#include <utime.h>

static struct timespec modified, changed;

static void remember(const char *path)
{
    struct stat st;
    NEED(stat(path, &st));
    modified = st.st_mtim;
    changed = st.st_ctim;
    usleep(20000);
}

static void show(const char *what, const char *path)
{
    struct stat st;
    NEED(stat(path, &st));
    printf("%s: mtime %s, ctime %s\n", what,
           st.st_mtim.tv_sec == modified.tv_sec && st.st_mtim.tv_nsec == modified.tv_nsec ? "kept" : "changed",
           st.st_ctim.tv_sec == changed.tv_sec && st.st_ctim.tv_nsec == changed.tv_nsec ? "kept" : "changed");
    fflush(stdout);
    remember(path);
}

static void show_times(const char *path)
{
    struct stat st;
    NEED(lstat(path, &st));
    printf("%s: %ld.%09ld %ld.%09ld\n", path, st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    fflush(stdout);
}

int main(void)
{
    put_file("f", "text");
    int fd = (int)NEED(open("f", O_RDWR));
    struct timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    show_times("f");
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = -5;
    SHOW(futimens(fd, times));
    show_times("f");
    times[0].tv_nsec = 1000000000;
    SHOW(futimens(fd, times));
    times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
    SHOW(utimensat(AT_FDCWD, "missing", times, 0));
    NEED(symlink("f", "link"));
    struct timespec links[2] = {{5, 6}, {7, 8}};
    SHOW(utimensat(AT_FDCWD, "link", links, AT_SYMLINK_NOFOLLOW));
    show_times("link");
    SHOW(utimensat(AT_FDCWD, "link", links, 0));
    show_times("f");
    SHOW(utimensat(AT_FDCWD, "link", links, 0x8000));
    struct utimbuf old = {50, 60};
    SHOW(utime("f", &old));
    show_times("f");
    struct timeval micro[2] = {{70, 80}, {90, 100}};
    SHOW(utimes("f", micro));
    show_times("f");
    micro[0].tv_usec = 1000000;
    SHOW(utimes("f", micro));
    SHOW(syscall(SYS_futimesat, AT_FDCWD, "f", NULL));
    struct stat st;
    NEED(stat("f", &st));
    CHECK(st.st_mtim.tv_sec > 1000000000);

    NEED(mkdir("d", 0755));
    remember("f");
    NEED(write(fd, "x", 1));
    show("write", "f");
    NEED(write(fd, "", 0));
    show("write of nothing", "f");
    NEED(chmod("f", 0600));
    show("chmod", "f");
    NEED(ftruncate(fd, 10));
    show("ftruncate", "f");
    NEED(link("f", "g"));
    show("link", "f");
    NEED(rename("g", "d/h"));
    show("rename", "f");
    NEED(unlink("d/h"));
    show("unlink", "f");
    char c;
    NEED(pread(fd, &c, 1, 0));
    show("read", "f");
    NEED(close(open("f", O_WRONLY | O_TRUNC)));
    show("open with O_TRUNC", "f");
    remember("d");
    put_file("d/new", "");
    show("create in a directory", "d");
    put_file("d/new", "more");
    show("write in a directory", "d");
    NEED(rename("d/new", "d/newer"));
    show("rename in a directory", "d");
    NEED(unlink("d/newer"));
    show("unlink in a directory", "d");
    return 0;
}
