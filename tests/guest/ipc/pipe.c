/* pipe(2), pipe2(2), pipe(7): capacity, atomic and partial writes, ends, packets, FIONREAD. */
#include "check.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static int ends[2];
static char buffer[1 << 21];
static void *volatile bad = (void *)8;

static void fresh(int flags)
{
    if (ends[0] > 2) {
        close(ends[0]);
        close(ends[1]);
    }
    NEED(pipe2(ends, flags));
}

static int queued(void)
{
    int count = -1;
    NEED(ioctl(ends[0], FIONREAD, &count));
    return count;
}

static void creation(void)
{
    puts("-- creation");
    SHOW(pipe(bad));
    SHOW(pipe2(ends, 0x40000000));
    int spare[2];
    TRY(pipe(ends));
    CHECK(ends[1] == ends[0] + 1);
    SHOW(fcntl(ends[0], F_GETFL));
    SHOW(fcntl(ends[1], F_GETFL));
    SHOW(fcntl(ends[0], F_GETFD));
    TRY(pipe2(spare, O_CLOEXEC | O_NONBLOCK));
    SHOW(fcntl(spare[0], F_GETFL));
    SHOW(fcntl(spare[1], F_GETFL));
    SHOW(fcntl(spare[1], F_GETFD));
    struct stat status;
    SHOW(fstat(ends[0], &status));
    CHECK(S_ISFIFO(status.st_mode));
    SHOW(read(ends[1], buffer, 1));
    SHOW(write(ends[0], buffer, 1));
    SHOW(lseek(ends[0], 0, SEEK_SET));
    SHOW(pread(ends[0], buffer, 1, 0));
    SHOW(ftruncate(ends[1], 0));
    close(spare[0]);
    close(spare[1]);
}

static void capacity(void)
{
    puts("-- capacity");
    fresh(O_NONBLOCK);
    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
    SHOW(write(ends[1], buffer, 100000));
    SHOW(queued());
    SHOW(write(ends[1], buffer, 1));
    SHOW(read(ends[0], buffer, 100));
    SHOW(write(ends[1], buffer, 1));
    SHOW(read(ends[0], buffer, 3996));
    SHOW(write(ends[1], buffer, 4096));
    SHOW(write(ends[1], buffer, 1));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 200000));
    SHOW(fcntl(ends[1], F_GETPIPE_SZ));
    SHOW(write(ends[1], buffer, 1 << 20));
    fresh(O_NONBLOCK);
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 1));
    SHOW(write(ends[1], buffer, 10000));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 0));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 1 << 20));
    fresh(O_NONBLOCK);
    int writes = 0;
    while (write(ends[1], buffer, 4095) == 4095)
        writes++;
    printf("%d writes of 4095 bytes fit\n", writes);
    SHOW(write(ends[1], buffer, 1));
    SHOW(write(ends[1], buffer, 1));
    fresh(O_NONBLOCK);
    writes = 0;
    while (write(ends[1], buffer, 1) == 1)
        writes++;
    printf("%d writes of 1 byte fit\n", writes);
}

static void atomicity(void)
{
    puts("-- atomicity");
    fresh(O_NONBLOCK);
    SHOW(write(ends[1], buffer, 65536 - 4096));
    SHOW(write(ends[1], buffer, 10));
    SHOW(write(ends[1], buffer, 4090));
    SHOW(write(ends[1], buffer, 4086));
    SHOW(queued());
    SHOW(write(ends[1], buffer, 5000));
    SHOW(read(ends[0], buffer, 4096));
    SHOW(write(ends[1], buffer, 5000));
    SHOW(write(ends[1], buffer, 0));
    SHOW(read(ends[0], buffer, 0));
    struct iovec pieces[3] = {{buffer, 2000}, {buffer + 5000, 2000}, {buffer + 9000, 96}};
    SHOW(writev(ends[1], pieces, 3));
    SHOW(read(ends[0], buffer, 4096));
    SHOW(writev(ends[1], pieces, 3));
}

static void faults(void)
{
    puts("-- faults");
    fresh(0);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(munmap(page + 4096, 4096));
    SHOW(write(ends[1], page + 4000, 200));
    SHOW(queued());
    SHOW(write(ends[1], bad, 10));
    SHOW(write(ends[1], page, 4096));
    SHOW(write(ends[1], page, 8192));
    SHOW(queued());
    SHOW(read(ends[0], page + 4090, 100));
    SHOW(queued());
    SHOW(read(ends[0], bad, 100));
    SHOW(read(ends[0], page, 4096));
    SHOW(queued());
}

static void order(void)
{
    puts("-- order");
    fresh(0);
    pid_t child = start_child();
    if (child == 0) {
        close(ends[0]);
        for (int i = 0; i < (1 << 20); i++)
            buffer[i] = (char)(i * 7 + (i >> 9));
        ssize_t done = write(ends[1], buffer, 1 << 20);
        _exit(done == 1 << 20 ? 0 : 1);
    }
    close(ends[1]);
    ends[1] = -1;
    long total = 0;
    int wrong = 0;
    ssize_t length;
    int turn = 0;
    while ((length = read(ends[0], buffer, 1 + (turn++ * 977) % 9000)) > 0)
        for (ssize_t i = 0; i < length; i++, total++)
            wrong += buffer[i] != (char)(total * 7 + (total >> 9));
    printf("%ld bytes, %d wrong, then %zd\n", total, wrong, length);
    show_child("writer", child);
    ends[0] = 0;
}

static volatile sig_atomic_t pipes_broken;
static void on_pipe(int signal)
{
    (void)signal;
    pipes_broken++;
}

static void broken(void)
{
    puts("-- broken");
    ends[0] = -1;
    fresh(0);
    close(ends[0]);
    signal(SIGPIPE, on_pipe);
    SHOW(write(ends[1], "x", 1));
    SHOW(pipes_broken);
    SHOW(write(ends[1], "x", 0));
    SHOW(pipes_broken);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "x", 1));
    pid_t child = start_child();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        write(ends[1], "x", 1);
        _exit(0);
    }
    show_child("writer", child);
    /* A writer that sleeps in a large write when the last reader goes. */
    signal(SIGPIPE, on_pipe);
    ends[0] = -1;
    fresh(0);
    child = start_child();
    if (child == 0) {
        close(ends[0]);
        ssize_t done = write(ends[1], buffer, 200000);
        printf("write = %zd %s, %d signals\n", done, done < 0 ? strerrorname_np(errno) : "", pipes_broken - 1);
        fflush(stdout);
        _exit(0);
    }
    char byte;
    SHOW(read(ends[0], &byte, 1));
    usleep(1000);
    close(ends[0]);
    show_child("writer", child);
    ends[0] = 0;
}

static void end_of_file(void)
{
    puts("-- end of file");
    ends[0] = -1;
    fresh(O_NONBLOCK);
    SHOW(read(ends[0], buffer, 10));
    SHOW(write(ends[1], "abc", 3));
    close(ends[1]);
    SHOW(read(ends[0], buffer, 10));
    SHOW(read(ends[0], buffer, 10));
    close(ends[0]);
    ends[0] = 0;
}

static void packets(void)
{
    puts("-- packets");
    ends[0] = -1;
    fresh(O_DIRECT | O_NONBLOCK);
    SHOW(fcntl(ends[1], F_GETFL));
    SHOW(write(ends[1], "abc", 3));
    SHOW(write(ends[1], "defgh", 5));
    SHOW(write(ends[1], buffer, 5000));
    SHOW(queued());
    SHOW(read(ends[0], buffer, 100));
    SHOW(read(ends[0], buffer, 2));
    SHOW(read(ends[0], buffer, 10000));
    SHOW(read(ends[0], buffer, 10000));
    SHOW(read(ends[0], buffer, 10000));
    int writes = 0;
    while (write(ends[1], "x", 1) == 1)
        writes++;
    printf("%d packets fit\n", writes);
}

int main(void)
{
    creation();
    capacity();
    atomicity();
    faults();
    order();
    broken();
    end_of_file();
    packets();
    return 0;
}
