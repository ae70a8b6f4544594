/* open(2), creat(2), openat(2): flags, errors, modes and umask. */
#include "check.h"

static mode_t mode_of(const char *path)
{
    struct stat st;
    NEED(stat(path, &st));
    return st.st_mode;
}

int main(void)
{
    umask(022);
    SHOW(open("missing", O_RDONLY));
    TRY(open("new", O_RDWR | O_CREAT | O_EXCL, 0666));
    SHOW(open("new", O_RDWR | O_CREAT | O_EXCL, 0666));
    printf("mode %o\n", mode_of("new"));
    umask(0);
    TRY(open("open-to-all", O_RDWR | O_CREAT, 0777));
    printf("mode %o\n", mode_of("open-to-all"));
    umask(077);
    TRY(creat("private", 0666));
    printf("mode %o\n", mode_of("private"));
    SHOW(open("new/below", O_RDONLY));
    SHOW(open("new/", O_RDONLY));
    SHOW(open("", O_RDONLY));
    SHOW(open(".", O_WRONLY));
    SHOW(open(".", O_RDWR | O_CREAT, 0600));
    /* Slashes behind the name of a file to be made, whether it is there or not. */
    NEED(mkdir("directory", 0700));
    NEED(symlink("new/", "slash"));
    SHOW(open("missing/", O_RDWR | O_CREAT, 0600));
    SHOW(open("new/", O_RDWR | O_CREAT, 0600));
    SHOW(open("new/", O_RDWR | O_CREAT | O_EXCL, 0600));
    SHOW(open("directory/", O_RDONLY | O_CREAT, 0600));
    SHOW(open("directory/.", O_RDONLY | O_CREAT, 0600));
    SHOW(open("slash", O_RDONLY | O_CREAT, 0600));
    SHOW(open("slash", O_RDONLY | O_CREAT | O_NOFOLLOW, 0600));
    SHOW(open("new/x/", O_RDONLY | O_CREAT, 0600));
    SHOW(open("missing/x/", O_RDONLY | O_CREAT, 0600));
    SHOW(open("new/", O_RDONLY));
    NEED(unlink("slash"));
    NEED(rmdir("directory"));
    TRY(open(".", O_RDONLY | O_DIRECTORY));
    SHOW(open("new", O_RDONLY | O_DIRECTORY));
    NEED(symlink("new", "link"));
    SHOW(open("link", O_RDONLY | O_NOFOLLOW));
    TRY(open("link", O_PATH | O_NOFOLLOW));
    NEED(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    NEED(symlink("nowhere", "dangling"));
    SHOW(open("dangling", O_RDONLY));
    TRY(open("dangling", O_WRONLY | O_CREAT, 0600));
    CHECK(access("nowhere", F_OK) == 0);
    SHOW(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600));

    put_file("text", "0123456789");
    int fd = (int)NEED(open("text", O_WRONLY | O_APPEND));
    SHOW(lseek(fd, 2, SEEK_SET));
    SHOW(write(fd, "abc", 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    show_file("text");
    char byte;
    SHOW(read(fd, &byte, 1));
    NEED(close(fd));
    fd = (int)NEED(open("text", O_RDONLY));
    SHOW(write(fd, "x", 1));
    NEED(close(fd));
    fd = (int)NEED(open("text", O_RDWR | O_TRUNC));
    SHOW(lseek(fd, 0, SEEK_END));
    NEED(close(fd));
    fd = (int)NEED(open("text", O_PATH));
    SHOW(read(fd, &byte, 1));
    SHOW(fcntl(fd, F_GETFL) & O_PATH ? 1 : 0);
    NEED(close(fd));
    SHOW(read(fd, &byte, 1));
    SHOW(close(fd));

    fd = (int)NEED(open(".", O_TMPFILE | O_RDWR, 0600));
    SHOW(write(fd, "hidden", 6));
    struct stat st;
    NEED(fstat(fd, &st));
    printf("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    show_file("named");

    char name[300];
    memset(name, 'n', sizeof name);
    name[299] = 0;
    SHOW(open(name, O_RDONLY));
    name[255] = 0;
    SHOW(open(name, O_RDONLY));
    return 0;
}
