/* readv(2), writev(2), preadv(2), pwritev(2): several buffers in one call. */
#include "check.h"
#include <sys/uio.h>

int main(void)
{
    int fd = (int)NEED(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    struct iovec out[] = { { "one ", 4 }, { "", 0 }, { "two ", 4 }, { "three", 5 } };
    SHOW(writev(fd, out, 4));
    show_file("file");
    char a[5] = { 0 }, b[20] = { 0 };
    struct iovec in[] = { { a, 4 }, { b, 19 } };
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(readv(fd, in, 2));
    printf("[%s] [%s]\n", a, b);
    SHOW(preadv(fd, in, 2, 4));
    printf("[%s] [%s]\n", a, b);
    SHOW(pwritev(fd, out, 1, 4));
    show_file("file");
    SHOW(writev(fd, out, -1));
    SHOW(writev(fd, out, 0));
    SHOW(syscall(SYS_writev, fd, out, 1025));
    struct iovec huge[] = { { a, (size_t)1 << 63 }, { b, 1 } };
    SHOW(readv(fd, huge, 2));
    SHOW(writev(fd, (struct iovec *)8, 1));
    struct iovec bad[] = { { "good", 4 }, { (void *)8, 4 } };
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(writev(fd, bad, 2));
    return 0;
}
