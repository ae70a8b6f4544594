/* Extended attributes, xattr(7). */
#include "check.h"
#include <sys/xattr.h>

int main(void)
{
    put_file("f", "text");
    NEED(mkdir("d", 0755));
    NEED(symlink("f", "link"));
    NEED(mkfifo("fifo", 0644));
    int fd = (int)NEED(open("f", O_RDWR));
    char value[64] = "";
    SHOW(getxattr("f", "user.one", value, sizeof value));
    SHOW(setxattr("f", "user.one", "1", 1, 0));
    SHOW(setxattr("f", "user.one", "11", 2, XATTR_CREATE));
    SHOW(setxattr("f", "user.two", "22", 2, XATTR_REPLACE));
    SHOW(setxattr("f", "user.two", "22", 2, XATTR_CREATE));
    SHOW(fsetxattr(fd, "user.one", "eleven", 6, XATTR_REPLACE));
    SHOW(getxattr("link", "user.one", value, sizeof value));
    printf("%.6s\n", value);
    SHOW(fgetxattr(fd, "user.one", NULL, 0));
    SHOW(getxattr("f", "user.one", value, 3));
    SHOW(lgetxattr("link", "user.one", value, sizeof value));
    SHOW(lsetxattr("link", "user.one", "1", 1, 0));
    SHOW(setxattr("fifo", "user.one", "1", 1, 0));
    SHOW(setxattr("d", "user.empty", "", 0, 0));
    SHOW(getxattr("d", "user.empty", value, sizeof value));
    SHOW(setxattr("f", "nonsense", "1", 1, 0));
    SHOW(getxattr("f", "nonsense.name", value, sizeof value));
    SHOW(setxattr("f", "user.one", "1", 1, 8));
    SHOW(setxattr("f", "", "1", 1, 0));
    SHOW(setxattr("missing", "user.one", "1", 1, 0));
    SHOW(removexattr("f", "user.two"));
    SHOW(removexattr("f", "user.two"));
    SHOW(fremovexattr(fd, "user.none"));
    SHOW(getxattr("f", "security.capability", value, sizeof value));
    SHOW(getxattr("f", "trusted.x", value, sizeof value));
    char names[256];
    ssize_t length = listxattr("f", names, sizeof names);
    CHECK(length >= 9);
    CHECK(memmem(names, (size_t)length, "user.one", 9) != NULL);
    SHOW(listxattr("f", names, 2));
    SHOW(flistxattr(99, names, 2));
    SHOW(llistxattr("missing", names, 2));
    return 0;
}
