/* chdir(2), fchdir(2), getcwd(2), chroot(2): where relative paths begin. */
#include "check.h"

static void where(const char *start)
{
    char path[PATH_MAX];
    if (getcwd(path, sizeof path) == NULL)
        printf("getcwd: %s\n", strerrorname_np(errno));
    else
        printf("at %s\n", path + (strncmp(path, start, strlen(start)) == 0 ? strlen(start) : 0));
}

int main(void)
{
    char start[PATH_MAX];
    NEED(getcwd(start, sizeof start) == NULL ? -1 : 0);
    NEED(mkdir("a", 0755));
    NEED(mkdir("a/b", 0755));
    NEED(symlink("a/b", "short"));
    put_file("file", "");
    SHOW(chdir("missing"));
    SHOW(chdir("file"));
    SHOW(chdir("short"));
    where(start);
    int fd = (int)NEED(open("..", O_RDONLY | O_DIRECTORY));
    SHOW(chdir("../../"));
    where(start);
    SHOW(fchdir(fd));
    where(start);
    NEED(rename("../a", "../moved"));
    where(start);
    SHOW(chdir("//"));
    where(start);
    SHOW(chdir(".."));
    where(start);
    SHOW(fchdir(0x7fff));
    NEED(chdir(start));
    int file = (int)NEED(open("file", O_RDONLY));
    SHOW(fchdir(file));
    char small[2];
    SHOW(getcwd(small, sizeof small) == NULL ? -1 : 0);
    SHOW(getcwd(small, 0) == NULL ? -1 : 0);
    pid_t pid = start_child();
    if (pid == 0) {
        NEED(chdir("moved"));
        where(start);
        exit(0);
    }
    show_child("child", pid);
    where(start);
    return 0;
}
