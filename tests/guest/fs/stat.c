/* stat(2), fstat(2), lstat(2), statx(2), access(2), chmod(2), utimensat(2), truncate(2). */
#include "check.h"
#include <sys/sysmacros.h>

static void show(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == -1) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    /* Who owns the host's devices is the host's business: in a user namespace it may be nobody. */
    printf("%s: mode %o links %ld size %ld blocks %ld mine %d rdev %u:%u\n", path, st.st_mode, (long)st.st_nlink,
           S_ISDIR(st.st_mode) ? 0L : (long)st.st_size, S_ISREG(st.st_mode) ? (long)st.st_blocks : 0L,
           S_ISCHR(st.st_mode) || st.st_uid == geteuid(), major(st.st_rdev), minor(st.st_rdev));
}

int main(void)
{
    umask(022);
    put_file("empty", "");
    put_file("text", "some text");
    NEED(symlink("text", "link"));
    NEED(mkfifo("fifo", 0640));
    show("empty");
    show("text");
    show("link");
    show("fifo");
    show("/dev/null");
    show("/dev/zero");
    show("missing");
    show("text/x");
    SHOW(chmod("text", 04751));
    show("text");
    SHOW(chmod("link", 0600));
    show("text");
    SHOW(chmod("missing", 0600));
    int fd = (int)NEED(open("text", O_RDWR));
    SHOW(fchmod(fd, 0640));
    show("text");
    SHOW(truncate("text", 100000));
    struct stat st;
    NEED(stat("text", &st));
    SHOW(st.st_size);
    SHOW(ftruncate(fd, 4));
    show_file("text");
    SHOW(ftruncate(fd, -1));
    SHOW(truncate("missing", 0));
    SHOW(truncate(".", 0));

    struct timespec times[2] = { { 1000000000, 123456789 }, { 1500000000, 5 } };
    SHOW(utimensat(AT_FDCWD, "text", times, 0));
    NEED(stat("text", &st));
    printf("%ld.%09ld %ld.%09ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    SHOW(futimens(fd, times));
    NEED(stat("text", &st));
    CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1600000000);
    times[1].tv_nsec = 1000000000;
    SHOW(utimensat(AT_FDCWD, "text", times, 0));

    struct statx sx;
    SHOW(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx));
    CHECK(S_ISLNK(sx.stx_mode) && sx.stx_size == 4);
    SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
    SHOW(sx.stx_size);
    SHOW(statx(fd, "", 0, STATX_SIZE, &sx));
    SHOW(fstatat(fd, "", &st, AT_EMPTY_PATH));
    SHOW(fstatat(fd, "x", &st, 0));
    SHOW(fstatat(AT_FDCWD, "text", &st, 0x40000000));
    SHOW(stat("text", (struct stat *)8));
    SHOW(access("text", R_OK));
    SHOW(access("text", 8));
    SHOW(access("missing", F_OK));
    SHOW(faccessat(AT_FDCWD, "text", W_OK, AT_EACCESS));
    return 0;
}
