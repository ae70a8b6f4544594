/* sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2). */
#include "check.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static void show_pipe(int fd)
{
    char text[256];
    ssize_t length = read(fd, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    printf("pipe: %zd \"%s\"\n", length, text);
    fflush(stdout);
}

int main(void)
{
    put_file("in", "the quick brown fox");
    int in = (int)NEED(open("in", O_RDONLY));
    int out = (int)NEED(open("out", O_RDWR | O_CREAT, 0644));
    int append = (int)NEED(open("out", O_WRONLY | O_APPEND));
    int a[2], b[2];
    NEED(pipe(a));
    NEED(pipe(b));

    SHOW(sendfile(out, in, NULL, 9));
    SHOW(lseek(in, 0, SEEK_CUR));
    off_t offset = 10;
    SHOW(sendfile(out, in, &offset, 100));
    SHOW(offset);
    SHOW(lseek(in, 0, SEEK_CUR));
    show_file("out");
    SHOW(sendfile(a[1], in, NULL, 100));
    show_pipe(a[0]);
    SHOW(sendfile(out, in, NULL, 100));
    SHOW(sendfile(append, in, NULL, 1));
    SHOW(sendfile(out, a[0], NULL, 1));
    SHOW(sendfile(in, in, NULL, 1));
    offset = -1;
    SHOW(sendfile(out, in, &offset, 1));

    loff_t from = 4, to = 0;
    SHOW(splice(in, &from, a[1], NULL, 5, 0));
    SHOW(from);
    SHOW(tee(a[0], b[1], 100, 0));
    show_pipe(b[0]);
    SHOW(splice(a[0], NULL, b[1], NULL, 2, 0));
    show_pipe(a[0]);
    show_pipe(b[0]);
    SHOW(splice(a[0], NULL, b[1], NULL, 2, SPLICE_F_NONBLOCK));
    SHOW(tee(a[0], b[1], 2, SPLICE_F_NONBLOCK));
    NEED(write(a[1], "spliced", 7));
    SHOW(splice(a[0], NULL, out, &to, 100, 0));
    SHOW(to);
    show_file("out");
    SHOW(splice(in, NULL, out, NULL, 1, 0));
    SHOW(splice(a[0], &from, out, NULL, 1, 0));
    SHOW(splice(a[0], NULL, a[1], NULL, 1, 0));
    SHOW(tee(in, a[1], 1, 0));
    SHOW(tee(a[0], a[1], 1, 0));
    SHOW(splice(in, NULL, a[1], NULL, 0, 0));
    SHOW(splice(in, NULL, a[1], NULL, 1, 0x100));

    char one[] = "vm", two[] = "splice";
    struct iovec vector[] = {{one, 2}, {two, 6}};
    SHOW(vmsplice(a[1], vector, 2, 0));
    show_pipe(a[0]);
    NEED(write(a[1], "12345678", 8));
    SHOW(vmsplice(a[0], vector, 2, 0));
    printf("%.2s %.6s\n", one, two);
    SHOW(vmsplice(in, vector, 2, 0));

    from = 4;
    to = 2;
    SHOW(copy_file_range(in, &from, out, &to, 5, 0));
    SHOW(from);
    SHOW(to);
    show_file("out");
    NEED(lseek(in, 0, SEEK_SET));
    NEED(lseek(out, 0, SEEK_END));
    SHOW(copy_file_range(in, NULL, out, NULL, 100, 0));
    SHOW(copy_file_range(in, NULL, out, NULL, 100, 0));
    show_file("out");
    from = 0;
    to = 3;
    SHOW(copy_file_range(out, &from, out, &to, 5, 0));
    /* Cut to the end of the file before the ranges are compared. */
    NEED(ftruncate(out, 10));
    from = 8;
    to = 10;
    SHOW(copy_file_range(out, &from, out, &to, 5, 0));
    from = 20;
    to = 0;
    SHOW(copy_file_range(out, &from, out, &to, 50, 0));
    show_file("out");
    SHOW(copy_file_range(in, NULL, append, NULL, 1, 0));
    SHOW(copy_file_range(in, NULL, a[1], NULL, 1, 0));
    SHOW(copy_file_range(in, NULL, out, NULL, 1, 1));

    /* The reader is gone. */
    NEED(close(a[0]));
    signal(SIGPIPE, SIG_IGN);
    NEED(lseek(in, 0, SEEK_SET));
    SHOW(splice(in, NULL, a[1], NULL, 1, 0));
    SHOW(sendfile(a[1], in, NULL, 1));
    return 0;
}
