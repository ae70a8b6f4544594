/* How paths are resolved: slashes, dots, links on the way, long names. */
#include "check.h"

int main(void)
{
    struct stat st;
    NEED(mkdir("d", 0755));
    NEED(mkdir("d/e", 0755));
    put_file("d/e/f", "found");
    SHOW(stat("d//e///f", &st));
    SHOW(stat("d/./e/../e/f", &st));
    SHOW(stat("d/e/f/", &st));
    SHOW(stat("d/e/f/.", &st));
    SHOW(stat("d/e/f/..", &st));
    SHOW(stat("d/e/", &st));
    SHOW(stat("missing/..", &st));
    SHOW(stat("", &st));
    SHOW(stat("/", &st));
    SHOW(stat("/..", &st));
    NEED(symlink("d", "to-d"));
    NEED(symlink("to-d/e", "to-e"));
    NEED(symlink("/", "to-root"));
    show_file("to-e/f");
    SHOW(stat("to-root/proc/self/status", &st));
    SHOW(lstat("to-d/", &st));
    CHECK(S_ISDIR(st.st_mode));
    SHOW(lstat("to-d", &st));
    CHECK(S_ISLNK(st.st_mode));
    SHOW(stat("to-e/../e/f", &st));

    /* 40 links are followed, not more. */
    NEED(symlink("d", "l0"));
    for (int i = 1; i <= 41; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "l%d", i);
        snprintf(to, sizeof to, "l%d", i - 1);
        NEED(symlink(to, from));
    }
    SHOW(stat("l39", &st));
    SHOW(stat("l40", &st));

    char path[5000];
    memset(path, '/', sizeof path);
    strcpy(path + 4090, "d");
    SHOW(stat(path, &st));
    path[4090] = '/';
    strcpy(path + 4995, "d");
    SHOW(stat(path, &st));
    int fd = (int)NEED(open("d", O_RDONLY | O_DIRECTORY));
    SHOW(faccessat(fd, "e/f", F_OK, 0));
    SHOW(openat(fd, "../nothing", O_RDONLY));
    int file = (int)NEED(open("d/e/f", O_RDONLY));
    SHOW(openat(file, "x", O_RDONLY));
    SHOW(openat(0x7fff, "x", O_RDONLY));
    TRY(openat(0x7fff, "/proc", O_RDONLY));
    SHOW(mknodat(fd, "node", S_IFREG | 0600, 0));
    SHOW(mknodat(fd, "node", S_IFREG | 0600, 0));
    SHOW(mknodat(fd, "pipe", S_IFIFO | 0600, 0));
    SHOW(mkdirat(fd, "below", 0700));
    SHOW(renameat(fd, "below", AT_FDCWD, "above"));
    SHOW(rmdir("above"));
    return 0;
}
