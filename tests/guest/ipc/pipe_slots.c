/* pipe(7), splice(2), tee(2), vmsplice(2), sendfile(2): a pipe is a ring of slots of a page each, and what fills a slot; the
   limits of /proc/sys/fs; what can be spliced to what. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char block[1 << 20];

static int pending(int fd)
{
    int count;
    NEED(ioctl(fd, FIONREAD, &count));
    return count;
}

static int events(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

static void make(int ends[2], int size)
{
    NEED(pipe2(ends, O_NONBLOCK));
    NEED(fcntl(ends[1], F_SETPIPE_SZ, size));
}

static void drop(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* How many writes of so many bytes go in. */
static int fill(int fd, size_t size)
{
    int count = 0;
    while (write(fd, block, size) == (ssize_t)size)
        count++;
    return count;
}

static void put(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY);
    ssize_t count = fd == -1 ? -1 : write(fd, text, strlen(text));
    printf("%s <- %s: %s\n", name, text, count == -1 ? strerrorname_np(errno) : "ok");
    if (fd != -1)
        close(fd);
}

int main(void)
{
    int data[2], other[2];
    int file = (int)NEED(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i / 4096 + 'a');
    NEED(write(file, block, 300000));

    puts("-- writes");
    make(data, 16384);
    SHOW(fill(data[1], 1));
    SHOW(read(data[0], block, 4095));
    SHOW(events(data[1]) & POLLOUT);
    SHOW(read(data[0], block, 1));
    SHOW(events(data[1]) & POLLOUT);
    drop(data);
    make(data, 16384);
    SHOW(fill(data[1], 3000));
    SHOW(write(data[1], block, 1096));
    SHOW(write(data[1], block, 1));
    SHOW(pending(data[0]));
    SHOW(read(data[0], block, 3000));
    SHOW(write(data[1], block, 5000));
    drop(data);
    make(data, 16384);
    SHOW(write(data[1], block, 100000));
    SHOW(read(data[0], block, 5000));
    SHOW(write(data[1], block, 4096));
    SHOW(write(data[1], block, 4096));
    drop(data);
    make(data, 16384);
    SHOW(write(data[1], block, 5000));
    SHOW(write(data[1], block, 5000));
    SHOW(write(data[1], block, 5000));
    SHOW(pending(data[0]));
    drop(data);
    make(data, 16384);
    fcntl(data[1], F_SETFL, O_NONBLOCK | O_DIRECT);
    SHOW(write(data[1], block, 10));
    SHOW(write(data[1], block, 9000));
    SHOW(write(data[1], block, 9000));
    fcntl(data[1], F_SETFL, O_NONBLOCK);
    SHOW(read(data[0], block, 4));
    SHOW(write(data[1], block, 10));
    SHOW(write(data[1], block, 10));
    SHOW(read(data[0], block, 20000));
    SHOW(read(data[0], block, 20000));
    SHOW(read(data[0], block, 20000));
    SHOW(read(data[0], block, 20000));
    drop(data);

    puts("-- pages of files");
    make(data, 16384);
    loff_t offset = 4000;
    for (int i = 0; i < 5; i++)
        SHOW(splice(file, &offset, data[1], NULL, 1, 0));
    SHOW(offset);
    SHOW(pending(data[0]));
    SHOW(write(data[1], block, 1));
    SHOW(read(data[0], block, 1));
    SHOW(write(data[1], block, 1));
    SHOW(write(data[1], block, 1));
    drop(data);
    make(data, 16384);
    offset = 4000;
    SHOW(splice(file, &offset, data[1], NULL, 100000, 0));
    SHOW(offset);
    SHOW(read(data[0], block, 200));
    printf("%c%c\n", block[95], block[96]);
    drop(data);
    make(data, 16384);
    offset = 299990;
    SHOW(splice(file, &offset, data[1], NULL, 100000, 0));
    SHOW(splice(file, &offset, data[1], NULL, 100000, 0));
    drop(data);
    make(data, 16384);
    offset = 10;
    SHOW(sendfile(data[1], file, &offset, 200000));
    SHOW(offset);
    SHOW(sendfile(data[1], file, &offset, 1));
    SHOW(read(data[0], block, 5000));
    SHOW(sendfile(data[1], file, &offset, 10000));
    fcntl(data[1], F_SETFL, 0);
    SHOW(read(data[0], block, 5000));
    SHOW(sendfile(data[1], file, &offset, 100000));
    drop(data);

    puts("-- from pipe to pipe");
    make(data, 16384);
    make(other, 16384);
    SHOW(write(data[1], "abc", 3));
    SHOW(tee(data[0], other[1], 2, 0));
    SHOW(tee(data[0], other[1], 100, 0));
    SHOW(write(other[1], "d", 1));
    SHOW(tee(data[0], other[1], 100, 0));
    SHOW(tee(data[0], other[1], 100, SPLICE_F_NONBLOCK));
    memset(block, 0, 20);
    SHOW(read(other[0], block, 20));
    puts(block);
    SHOW(write(data[1], "de", 2));
    SHOW(splice(data[0], NULL, other[1], NULL, 4, 0));
    SHOW(write(other[1], "x", 1));
    SHOW(write(data[1], "yz", 2));
    SHOW(splice(data[0], NULL, other[1], NULL, 100, 0));
    SHOW(write(other[1], "w", 1));
    SHOW(write(other[1], "v", 1));
    memset(block, 0, 20);
    SHOW(read(other[0], block, 20));
    puts(block);
    SHOW(splice(data[0], NULL, other[1], NULL, 100, 0));
    SHOW(tee(data[0], data[1], 1, 0));
    SHOW(splice(data[0], NULL, data[1], NULL, 1, 0));
    close(data[1]);
    SHOW(tee(data[0], other[1], 100, 0));
    SHOW(splice(data[0], NULL, other[1], NULL, 100, 0));
    close(data[0]);
    drop(other);
    make(data, 16384);
    make(other, 8192);
    SHOW(fill(data[1], 4096));
    SHOW(tee(data[0], other[1], 100000, 0));
    SHOW(pending(other[0]));
    SHOW(splice(other[0], NULL, data[1], NULL, 100000, 0));
    SHOW(read(data[0], block, 6000));
    SHOW(splice(other[0], NULL, data[1], NULL, 100000, 0));
    SHOW(pending(other[0]));
    drop(data);
    drop(other);

    puts("-- from memory");
    make(data, 16384);
    static char page[3 * 4096] __attribute__((aligned(4096)));
    struct iovec parts[3] = {{page + 4090, 20}, {page, 1}, {page + 1, 1}};
    SHOW(vmsplice(data[1], parts, 3, 0));
    SHOW(pending(data[0]));
    SHOW(vmsplice(data[1], parts, 1, SPLICE_F_NONBLOCK));
    SHOW(read(data[0], block, 6));
    SHOW(vmsplice(data[1], parts, 1, 0));
    SHOW(pending(data[0]));
    parts[0] = (struct iovec){block, 9};
    SHOW(vmsplice(data[0], parts, 1, 0));
    SHOW(pending(data[0]));
    SHOW(read(data[0], block, 100));
    parts[0] = (struct iovec){NULL, 9};
    SHOW(vmsplice(data[1], parts, 1, 0));
    SHOW(vmsplice(data[1], parts, 0, 0));
    SHOW(vmsplice(data[1], parts, 1, 16));
    SHOW(vmsplice(file, parts, 1, 0));
    drop(data);

    puts("-- sizes");
    NEED(pipe2(data, O_NONBLOCK));
    SHOW(fcntl(data[0], F_GETPIPE_SZ));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 0));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 1));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 4097));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, -1));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 1 << 20));
    SHOW(fill(data[1], 4096));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 1 << 19));
    SHOW(read(data[0], block, 1 << 19));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 1 << 19));
    SHOW(fcntl(data[0], F_SETPIPE_SZ, 1 << 18));
    SHOW(fcntl(file, F_GETPIPE_SZ));
    drop(data);
    pid_t child = start_child();
    if (child == 0) {
        if (setgid(65534) == 0)
            setuid(65534);
        NEED(pipe2(data, O_NONBLOCK));
        SHOW(fcntl(data[0], F_SETPIPE_SZ, (1 << 20) + 1));
        SHOW(fcntl(data[0], F_SETPIPE_SZ, 1 << 20));
        if (geteuid() == 65534) {
            put("/proc/sys/fs/pipe-max-size", "4096");
            /* 16,384 pages are 64 MiB: 64 pipes of 1 MiB. */
            int pipes = 0, small[2];
            while (pipe(small) == 0 && fcntl(small[1], F_SETPIPE_SZ, 1 << 20) == 1 << 20)
                pipes++;
            printf("%d more: %s\n", pipes, strerrorname_np(errno));
            NEED(pipe(small));
            while (fcntl(small[1], F_GETPIPE_SZ) == 65536 && pipes < 200) {
                pipes++;
                NEED(pipe(small));
            }
            SHOW(fcntl(small[1], F_GETPIPE_SZ));
            SHOW(fcntl(small[1], F_SETPIPE_SZ, 65536));
            SHOW(fcntl(small[1], F_SETPIPE_SZ, 4096));
        }
        fflush(stdout);
        _exit(0);
    }
    show_child("nobody", child);
    show_file("/proc/sys/fs/pipe-max-size");
    show_file("/proc/sys/fs/pipe-user-pages-soft");
    show_file("/proc/sys/fs/pipe-user-pages-hard");

    puts("-- sockets and devices");
    make(data, 16384);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, other));
    SHOW(write(data[1], "hello", 5));
    SHOW(splice(data[0], NULL, other[0], NULL, 100, 0));
    memset(block, 0, 20);
    SHOW(read(other[1], block, 20));
    puts(block);
    offset = 4094;
    SHOW(sendfile(other[0], file, &offset, 4));
    SHOW(splice(other[1], NULL, data[1], NULL, 3, 0));
    SHOW(splice(other[1], NULL, data[1], NULL, 3, 0));
    SHOW(splice(other[1], NULL, data[1], NULL, 3, SPLICE_F_NONBLOCK));
    memset(block, 0, 20);
    SHOW(read(data[0], block, 20));
    puts(block);
    SHOW(splice(other[1], &offset, data[1], NULL, 3, 0));
    close(other[0]);
    SHOW(splice(other[1], NULL, data[1], NULL, 3, 0));
    SHOW(write(data[1], "x", 1));
    signal(SIGPIPE, SIG_IGN);
    SHOW(splice(data[0], NULL, other[1], NULL, 3, 0));
    SHOW(pending(data[0]));
    close(other[1]);
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    SHOW(splice(zero, NULL, data[1], NULL, 5000, 0));
    SHOW(splice(data[0], NULL, null, NULL, 100000, 0));
    SHOW(splice(data[0], NULL, null, NULL, 100000, 0));
    int directory = open(".", O_RDONLY);
    SHOW(splice(directory, NULL, data[1], NULL, 5, 0));
    SHOW(splice(file, NULL, null, NULL, 5, 0));
    SHOW(lseek(file, 3, SEEK_SET));
    SHOW(splice(file, NULL, data[1], NULL, 5, 0));
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(splice(data[0], NULL, file, NULL, 5, 0));
    SHOW(lseek(file, 0, SEEK_CUR));
    int append = open("file", O_WRONLY | O_APPEND);
    SHOW(write(data[1], "x", 1));
    SHOW(splice(data[0], NULL, append, NULL, 5, 0));
    SHOW(sendfile(append, file, NULL, 5));
    SHOW(splice(data[0], NULL, file, NULL, 5, 32));
    SHOW(splice(data[1], NULL, file, NULL, 5, 0));
    SHOW(splice(data[0], NULL, null, NULL, 0, 0));
    offset = -5;
    SHOW(splice(data[0], NULL, file, &offset, 5, 0));
    SHOW(splice(data[0], &offset, file, NULL, 5, 0));
    drop(data);
    unlink("file");
    return 0;
}
