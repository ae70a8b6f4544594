/* Raw reads: VMIN and VTIME in all four combinations, O_NONBLOCK, poll, FIONREAD, modes that change between, termios(3)
   "Canonical and noncanonical mode". */
#include "pty.h"

static void later(const char *keys, int milliseconds)
{
    if (NEED(fork()) == 0) {
        usleep(milliseconds * 1000);
        type(keys);
        _exit(0);
    }
}

static long elapsed(struct timespec start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec + 50000000) / 100000000;
}

int main(void)
{
    struct timespec start;
    int count;
    open_pair();

    raw_mode(1, 0);
    type("ab\r\n\x03\x04\x7f");
    CHECK(readable(slave));
    show_read("bytes as they are", slave, 100);
    show_screen("no echo");

    printf("-- MIN 0, TIME 0: polling read\n");
    raw_mode(0, 0);
    show_read("nothing", slave, 10);
    type("xyz");
    CHECK(readable(slave));
    show_read("some", slave, 2);
    show_read("the rest", slave, 10);

    printf("-- MIN 0, TIME 3: read with timeout\n");
    raw_mode(0, 3);
    clock_gettime(CLOCK_MONOTONIC, &start);
    show_read("nothing", slave, 10);
    CHECK(elapsed(start) >= 3);
    later("k", 100);
    show_read("a key in time", slave, 10);
    wait(NULL);

    printf("-- MIN 4, TIME 0: blocking read\n");
    raw_mode(4, 0);
    type("ab");
    later("cdef", 100);
    show_read("at least four", slave, 10);
    wait(NULL);
    type("12");
    usleep(50000);
    struct pollfd watched = {slave, POLLIN, 0};
    printf("poll with two of four: %d\n", poll(&watched, 1, 0));
    show_read("a short buffer", slave, 2);

    printf("-- MIN 4, TIME 2: time between bytes\n");
    raw_mode(4, 2);
    later("ab", 300);
    clock_gettime(CLOCK_MONOTONIC, &start);
    show_read("two, then silence", slave, 10);
    CHECK(elapsed(start) >= 4);
    wait(NULL);

    printf("-- O_NONBLOCK\n");
    raw_mode(4, 0);
    NEED(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
    show_read("nothing", slave, 10);
    type("ab");
    CHECK(poll(&watched, 1, 50) == 0);
    show_read("what there is", slave, 10);
    NEED(fcntl(slave, F_SETFL, O_RDWR));

    printf("-- counting\n");
    raw_mode(1, 0);
    type("12345");
    CHECK(readable(slave));
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d bytes\n", count);
    NEED(write(slave, "out", 3));
    CHECK(readable(master));
    SHOW(ioctl(master, FIONREAD, &count));
    printf("%d bytes\n", count);
    SHOW(ioctl(slave, TIOCOUTQ, &count));
    printf("%d bytes\n", count);
    local_modes(ICANON, 0);
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d bytes after the change to lines\n", count);
    show_read("what was typed before the change", slave, 100);
    type("unfinished");
    usleep(50000);
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d bytes of an unfinished line\n", count);
    local_modes(0, ICANON);
    show_read("after the change to bytes", slave, 100);

    printf("-- flushing\n");
    type("gone");
    CHECK(readable(slave));
    SHOW(tcflush(slave, TCIFLUSH));
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d bytes\n", count);
    SHOW(tcflush(slave, 7));
    type("old");
    CHECK(readable(slave));
    struct termios modes;
    NEED(tcgetattr(slave, &modes));
    SHOW(tcsetattr(slave, TCSAFLUSH, &modes));
    SHOW(ioctl(slave, FIONREAD, &count));
    printf("%d bytes\n", count);
    SHOW(read(slave, &count, 0));
    SHOW(write(slave, &count, 0));
    SHOW(lseek(slave, 0, SEEK_SET));
    SHOW(pread(slave, &count, 1, 0));
    return 0;
}
