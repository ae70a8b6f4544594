/* The two ends of a pseudo-terminal: locks, opening the peer, closing either end, hang-ups, packet mode, exclusive use,
   pty(7), ioctl_tty(2). */
#include "pty.h"

static void show_poll(const char *what, int fd)
{
    struct pollfd watched = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    int count = poll(&watched, 1, 0);
    printf("poll of %s: %d%s%s%s%s%s\n", what, count, watched.revents & POLLIN ? " in" : "",
           watched.revents & POLLOUT ? " out" : "", watched.revents & POLLPRI ? " pri" : "",
           watched.revents & POLLHUP ? " hup" : "", watched.revents & POLLERR ? " err" : "");
}

int main(void)
{
    int value, again;
    printf("-- locks\n");
    master = (int)NEED(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    char name[64];
    strcpy(name, ptsname(master));
    SHOW(ioctl(master, TIOCGPTLCK, &value));
    printf("locked: %d\n", value);
    SHOW(open(name, O_RDWR | O_NOCTTY));
    SHOW(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    value = 0;
    SHOW(ioctl(master, TIOCSPTLCK, &value));
    SHOW(ioctl(master, TIOCGPTLCK, &value));
    printf("locked: %d\n", value);
    show_poll("a master whose slave was never open", master);
    type("typed ahead\r");
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(slave >= 0);
    CHECK(fcntl(slave, F_GETFD) == FD_CLOEXEC);
    CHECK(strcmp(ttyname(slave), name) == 0);
    CHECK(readable(slave));
    show_read("read", slave, 100);
    show_screen("echo");
    show_poll("the slave", slave);

    printf("-- the slave is closed\n");
    NEED(write(slave, "last words", 10));
    SHOW(close(slave));
    usleep(50000);
    show_poll("the master", master);
    show_read("what was written before", master, 100);
    show_read("then", master, 100);
    show_poll("the master", master);
    SHOW(write(master, "x", 1));
    slave = (int)NEED(open(name, O_RDWR | O_NOCTTY));
    show_screen("the echo of what was typed meanwhile");
    tcflush(slave, TCIFLUSH);
    show_poll("the master when it is open again", master);

    printf("-- packet mode\n");
    value = 1;
    SHOW(ioctl(master, TIOCPKT, &value));
    SHOW(ioctl(master, TIOCGPKT, &value));
    printf("packets: %d\n", value);
    NEED(write(slave, "data", 4));
    CHECK(readable(master));
    show_read("data", master, 100);
    type("\x13");
    usleep(50000);
    show_poll("status", master);
    show_read("stop", master, 100);
    type("\x11");
    usleep(50000);
    show_read("start", master, 100);
    SHOW(tcflush(slave, TCIFLUSH));
    show_read("flush", master, 100);
    struct termios modes;
    NEED(tcgetattr(slave, &modes));
    modes.c_iflag &= ~IXON;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    show_read("no flow control", master, 100);
    modes.c_iflag |= IXON;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    show_read("flow control", master, 100);
    value = 0;
    SHOW(ioctl(master, TIOCPKT, &value));
    NEED(write(slave, "plain", 5));
    CHECK(readable(master));
    show_read("plain", master, 100);

    printf("-- signals through the master\n");
    SHOW(ioctl(master, TIOCSIG, SIGINT));
    SHOW(ioctl(master, TIOCSIG, SIGUSR1));

    printf("-- exclusive use\n");
    SHOW(ioctl(slave, TIOCEXCL));
    SHOW(ioctl(slave, TIOCGEXCL, &value));
    printf("exclusive: %d\n", value);
    SHOW(ioctl(slave, TIOCNXCL));
    SHOW(ioctl(slave, TIOCGEXCL, &value));
    printf("exclusive: %d\n", value);

    printf("-- the master is closed\n");
    again = dup(slave);
    type("unread");
    SHOW(close(master));
    show_poll("the slave", slave);
    show_read("read", slave, 100);
    SHOW(write(slave, "x", 1));
    SHOW(ioctl(slave, TCGETS, &modes));
    SHOW(tcsetpgrp(slave, getpgrp()));
    CHECK(!isatty(again));
    SHOW(open(name, O_RDWR | O_NOCTTY));
    SHOW(close(again));
    SHOW(close(slave));

    printf("-- many\n");
    int masters[20], numbers[20];
    for (int i = 0; i < 20; i++) {
        masters[i] = (int)NEED(posix_openpt(O_RDWR | O_NOCTTY));
        NEED(ioctl(masters[i], TIOCGPTN, &numbers[i]));
    }
    bool distinct = true;
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < i; j++)
            distinct &= numbers[i] != numbers[j];
    CHECK(distinct);
    NEED(close(masters[7]));
    int reused = (int)NEED(posix_openpt(O_RDWR | O_NOCTTY));
    NEED(ioctl(reused, TIOCGPTN, &value));
    CHECK(value == numbers[7]);
    return 0;
}
