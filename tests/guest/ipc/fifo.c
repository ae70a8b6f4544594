/* FIFOs, fifo(7): opens that wait for each other, without blocking, for both; what holds without writers. */
#include "check.h"
#include <poll.h>

static int events_of(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

static void on_alarm(int signal)
{
    (void)signal;
}

int main(void)
{
    char buffer[100];
    SHOW(mkfifo("fifo", 0600));
    SHOW(mkfifo("fifo", 0600));
    struct stat status;
    SHOW(stat("fifo", &status));
    CHECK(S_ISFIFO(status.st_mode));
    SHOW((status.st_mode & 0777));

    puts("-- without blocking");
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    SHOW(read(reader, buffer, 10));
    SHOW(events_of(reader));
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    SHOW(read(reader, buffer, 10));
    SHOW(events_of(writer));
    SHOW(write(writer, "hello", 5));
    SHOW(events_of(reader));
    close(writer);
    SHOW(events_of(reader));
    SHOW(read(reader, buffer, 10));
    SHOW(events_of(reader));
    SHOW(read(reader, buffer, 10));
    close(reader);

    puts("-- for both");
    int both = open("fifo", O_RDWR);
    CHECK(both >= 0);
    SHOW(write(both, "abc", 3));
    SHOW(events_of(both));
    SHOW(read(both, buffer, 10));
    close(both);

    puts("-- opens wait");
    pid_t child = start_child();
    if (child == 0) {
        int end = open("fifo", O_WRONLY);
        ssize_t done = write(end, "from the child", 14);
        _exit(done == 14 ? 0 : 1);
    }
    reader = open("fifo", O_RDONLY);
    CHECK(reader >= 0);
    SHOW(read(reader, buffer, sizeof buffer));
    SHOW(read(reader, buffer, sizeof buffer));
    show_child("writer", child);
    close(reader);
    child = start_child();
    if (child == 0) {
        int end = open("fifo", O_RDONLY);
        char text[20];
        ssize_t done = read(end, text, sizeof text);
        _exit((int)done);
    }
    writer = open("fifo", O_WRONLY);
    SHOW(write(writer, "seven b", 7));
    close(writer);
    show_child("reader", child);

    puts("-- interrupted");
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    SHOW(open("fifo", O_RDONLY));
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK));

    puts("-- what is left goes with the last");
    both = open("fifo", O_RDWR | O_NONBLOCK);
    SHOW(write(both, "left", 4));
    close(both);
    both = open("fifo", O_RDWR | O_NONBLOCK);
    SHOW(read(both, buffer, 10));

    puts("-- the name may go first");
    SHOW(unlink("fifo"));
    SHOW(write(both, "still", 5));
    SHOW(read(both, buffer, 10));
    SHOW(fstat(both, &status));
    SHOW(status.st_nlink);
    close(both);
    SHOW(open("fifo", O_RDONLY));
    return 0;
}
