/* lseek(2): every whence, files with holes, directories, pipes. */
#include "check.h"

int main(void)
{
    put_file("f", "0123456789");
    int fd = (int)NEED(open("f", O_RDWR));
    char c;
    SHOW(lseek(fd, 3, SEEK_SET));
    SHOW(lseek(fd, 2, SEEK_CUR));
    NEED(read(fd, &c, 1));
    printf("%c\n", c);
    SHOW(lseek(fd, -4, SEEK_END));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, -100, SEEK_CUR));
    SHOW(lseek(fd, 0, 99));
    SHOW(lseek(fd, LONG_MAX, SEEK_CUR));
    SHOW(lseek(fd, 20, SEEK_SET));
    SHOW(read(fd, &c, 1));
    SHOW(write(fd, "x", 1));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(lseek(fd, 0, SEEK_HOLE));
    SHOW(lseek(fd, 21, SEEK_DATA));
    SHOW(lseek(fd, -1, SEEK_DATA));

    /* A file with a hole between its first and its last page. */
    int sparse = (int)NEED(open("sparse", O_RDWR | O_CREAT, 0644));
    NEED(pwrite(sparse, "a", 1, 0));
    NEED(pwrite(sparse, "z", 1, 1 << 20));
    NEED(fsync(sparse));
    SHOW(lseek(sparse, 0, SEEK_HOLE));
    SHOW(lseek(sparse, 4096, SEEK_DATA));
    SHOW(lseek(sparse, 4096, SEEK_HOLE));
    SHOW(lseek(sparse, 1 << 20, SEEK_HOLE));
    char zeroes[8192];
    SHOW(pread(sparse, zeroes, sizeof zeroes, 4096));
    int nonzero = 0;
    for (size_t i = 0; i < sizeof zeroes; i++)
        nonzero |= zeroes[i];
    SHOW(nonzero);

    int dup_fd = (int)NEED(dup(fd));
    NEED(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(dup_fd, 0, SEEK_CUR));
    pid_t child = start_child();
    if (child == 0) {
        lseek(fd, 7, SEEK_SET);
        _exit(0);
    }
    show_child("child", child);
    SHOW(lseek(fd, 0, SEEK_CUR));

    int ends[2];
    NEED(pipe(ends));
    SHOW(lseek(ends[0], 0, SEEK_CUR));
    char byte;
    SHOW(pread(ends[0], &byte, 1, 0));
    SHOW(pwrite(ends[1], &byte, 1, 0));
    SHOW(pread(fd, &byte, 1, -1));
    SHOW(lseek(99, 0, SEEK_SET));
    return 0;
}
