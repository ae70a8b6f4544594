/* link(2), symlink(2), readlink(2), unlink(2): names and inodes. */
#include "check.h"

int main(void)
{
    struct stat st;
    char target[16];
    put_file("a", "text");
    SHOW(link("a", "b"));
    NEED(stat("b", &st));
    SHOW(st.st_nlink);
    SHOW(link("a", "b"));
    SHOW(link("missing", "c"));
    NEED(mkdir("d", 0755));
    SHOW(link("d", "d2"));
    SHOW(unlink("a"));
    show_file("b");
    NEED(stat("b", &st));
    SHOW(st.st_nlink);
    SHOW(unlink("d"));
    SHOW(unlink("a"));
    SHOW(unlink("b/x"));

    SHOW(symlink("some/where", "s"));
    SHOW(symlink("x", "s"));
    SHOW(symlink("", "empty"));
    SHOW(readlink("s", target, sizeof target));
    printf("%.10s\n", target);
    SHOW(readlink("s", target, 4));
    SHOW(readlink("b", target, sizeof target));
    SHOW(readlink("missing", target, sizeof target));
    NEED(lstat("s", &st));
    CHECK(S_ISLNK(st.st_mode));
    SHOW(st.st_size);
    printf("mode %o\n", st.st_mode & 0777);

    /* link(2) does not follow, linkat(2) does if asked. */
    NEED(symlink("b", "to-b"));
    SHOW(link("to-b", "to-b2"));
    NEED(lstat("to-b2", &st));
    CHECK(S_ISLNK(st.st_mode));
    SHOW(linkat(AT_FDCWD, "to-b", AT_FDCWD, "b3", AT_SYMLINK_FOLLOW));
    NEED(lstat("b3", &st));
    CHECK(S_ISREG(st.st_mode));
    SHOW(st.st_nlink);

    /* A file without a name lives while it is open. */
    int fd = (int)NEED(open("b3", O_RDWR));
    NEED(unlink("b3"));
    NEED(unlink("b"));
    NEED(fstat(fd, &st));
    SHOW(st.st_nlink);
    SHOW(write(fd, "more", 4));
    int below = (int)NEED(open("d", O_RDONLY | O_DIRECTORY));
    SHOW(symlinkat("../x", below, "up"));
    SHOW(readlinkat(below, "up", target, sizeof target));
    SHOW(unlinkat(below, "up", 0));
    SHOW(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    SHOW(unlinkat(AT_FDCWD, "s", AT_REMOVEDIR));
    SHOW(unlinkat(AT_FDCWD, "s", 0x1000));
    return 0;
}
