/* preadv2(2), pwritev2(2): offset -1 is the file's own, whatever the file is; RWF_NOWAIT, RWF_APPEND, and flags there are
   none of. */
#include "../tty/pty.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char bytes[16];
static struct iovec in[] = { { bytes, 3 }, { bytes + 3, 12 } };
static struct iovec out[] = { { "one ", 4 }, { "two", 3 } };

/* Writes to one descriptor and reads from another with all variants. */
static void both(const char *what, int to, int from)
{
    printf("-- %s\n", what);
    SHOW(preadv2(from, in, 2, -1, RWF_NOWAIT));
    SHOW(pwritev2(to, out, 2, -1, 0));
    memset(bytes, 0, sizeof bytes);
    SHOW(preadv2(from, in, 2, -1, 0));
    show_bytes("read", bytes, sizeof bytes);
    SHOW(pwritev2(to, out, 2, -1, RWF_NOWAIT));
    SHOW(preadv2(from, in, 2, -1, RWF_NOWAIT));
    SHOW(preadv2(from, in, 2, 0, 0));
    SHOW(pwritev2(to, out, 2, 0, 0));
    SHOW(preadv2(from, in, 2, -1, 1 << 20));
    SHOW(pwritev2(to, out, 2, -1, 1 << 20));
}

int main(void)
{
    int ends[2];
    NEED(pipe(ends));
    both("a pipe", ends[1], ends[0]);

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    both("a socket", ends[1], ends[0]);
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    both("a socket for datagrams", ends[1], ends[0]);

    printf("-- a full socket\n");
    NEED(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    while (write(ends[1], "x", 1) == 1)
        ;
    NEED(fcntl(ends[1], F_SETFL, 0));
    SHOW(pwritev2(ends[1], out, 2, -1, RWF_NOWAIT));

    open_pair();
    printf("-- a terminal\n");
    SHOW(preadv2(slave, in, 2, -1, RWF_NOWAIT));
    type("a line\r");
    CHECK(readable(slave));
    memset(bytes, 0, sizeof bytes);
    SHOW(preadv2(slave, in, 2, -1, 0));
    show_bytes("read", bytes, sizeof bytes);
    SHOW(pwritev2(slave, out, 2, -1, RWF_NOWAIT));
    SHOW(pwritev2(slave, out, 2, -1, 0));
    show_screen("screen");
    SHOW(preadv2(slave, in, 2, 0, 0));

    int counter = (int)NEED(eventfd(0, 0));
    printf("-- a counter\n");
    uint64_t number = 5;
    struct iovec one = { &number, sizeof number };
    SHOW(preadv2(counter, &one, 1, -1, RWF_NOWAIT));
    SHOW(pwritev2(counter, &one, 1, -1, 0));
    SHOW(preadv2(counter, &one, 1, -1, 0));
    CHECK(number == 5);

    int file = (int)NEED(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    printf("-- a file\n");
    SHOW(pwritev2(file, out, 2, -1, 0));
    SHOW(pwritev2(file, out, 1, 4, 0));
    show_file("file");
    SHOW(pwritev2(file, out, 2, 0, RWF_APPEND));
    show_file("file");
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(pwritev2(file, out, 2, -1, RWF_APPEND | RWF_SYNC));
    SHOW(lseek(file, 0, SEEK_CUR));
    memset(bytes, 0, sizeof bytes);
    SHOW(preadv2(file, in, 2, 2, 0));
    show_bytes("read", bytes, sizeof bytes);
    SHOW(preadv2(file, in, 2, -2, 0));
    SHOW(preadv2(file, in, 2, 0, RWF_SYNC | RWF_DSYNC | RWF_HIPRI));
    SHOW(preadv2(file, in, 2, 0, RWF_APPEND));
    return 0;
}
