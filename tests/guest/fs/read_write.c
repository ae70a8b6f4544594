/* read(2), write(2), pread(2), pwrite(2), lseek(2), close(2) on regular files. */
#include "check.h"

int main(void)
{
    char buffer[64] = { 0 };
    int fd = (int)NEED(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    SHOW(write(fd, "hello, world", 12));
    SHOW(read(fd, buffer, sizeof buffer));
    SHOW(lseek(fd, 7, SEEK_SET));
    SHOW(read(fd, buffer, 3));
    printf("%.3s\n", buffer);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pread(fd, buffer, 5, 0));
    printf("%.5s\n", buffer);
    SHOW(pwrite(fd, "HELLO", 5, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pread(fd, buffer, 5, 100));
    SHOW(pread(fd, buffer, 5, -1));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, -2, SEEK_END));
    SHOW(lseek(fd, 0, 77));
    SHOW(lseek(fd, 8192, SEEK_SET));
    SHOW(write(fd, "far", 3));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(pread(fd, buffer, 8, 4096));
    CHECK(memcmp(buffer, "\0\0\0\0\0\0\0\0", 8) == 0);
    SHOW(read(fd, (void *)8, 1) );
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, (void *)8, 1));
    SHOW(write(fd, (void *)8, 1));
    SHOW(read(fd, buffer, 0));
    SHOW(write(fd, buffer, 0));
    SHOW(read(-1, buffer, 1));
    SHOW(write(99, buffer, 1));
    SHOW(close(99));

    /* Part of the buffer is not there: what could be copied counts. */
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(munmap(page + 4096, 4096));
    memset(page, 'p', 4096);
    SHOW(pwrite(fd, page + 4000, 200, 0));
    NEED(ftruncate(fd, 4096));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, page + 4090, 100));
    SHOW(lseek(fd, 0, SEEK_CUR));

    /* Two descriptions have an offset each, two descriptors of one share it. */
    int same = (int)NEED(dup(fd));
    int other = (int)NEED(open("file", O_RDONLY));
    NEED(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(same, 0, SEEK_CUR));
    SHOW(lseek(other, 0, SEEK_CUR));

    SHOW(lseek(0x7fff, 0, SEEK_CUR));
    int pipes[2];
    NEED(pipe(pipes));
    SHOW(lseek(pipes[0], 0, SEEK_CUR));
    SHOW(pread(pipes[0], buffer, 1, 0));
    return 0;
}
