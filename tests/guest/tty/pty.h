/* A pseudo-terminal for the tests of terminals. */
#ifndef PTY_H
#define PTY_H

#include "../check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

/* Opens both ends. */
static inline void open_pair(void)
{
    master = (int)NEED(posix_openpt(O_RDWR | O_NOCTTY));
    NEED(grantpt(master));
    NEED(unlockpt(master));
    slave = (int)NEED(open(ptsname(master), O_RDWR | O_NOCTTY));
}

static inline void show_bytes(const char *what, const char *bytes, ssize_t count)
{
    if (count < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        fflush(stdout);
        return;
    }
    printf("%s: %zd \"", what, count);
    for (ssize_t i = 0; i < count; i++) {
        unsigned char c = bytes[i];
        if (c == '\n')
            printf("\\n");
        else if (c == '\r')
            printf("\\r");
        else if (c < 32 || c > 126)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    printf("\"\n");
    fflush(stdout);
}

/* Whether a descriptor becomes readable; natively bytes take a moment from one end to the other. */
static inline int readable(int fd)
{
    struct pollfd watched = {fd, POLLIN, 0};
    return poll(&watched, 1, 100) > 0 && (watched.revents & POLLIN);
}

/* Types into the master. */
static inline void type(const char *keys)
{
    NEED(write(master, keys, strlen(keys)));
}

/* Prints all that arrives at the master. */
static inline void show_screen(const char *what)
{
    char all[8192];
    ssize_t count = 0;
    while (count < (ssize_t)sizeof all && readable(master)) {
        ssize_t got = read(master, all + count, sizeof all - count);
        if (got <= 0)
            break;
        count += got;
    }
    show_bytes(what, all, count);
}

/* Reads once from a descriptor and prints what came. */
static inline void show_read(const char *what, int fd, size_t limit)
{
    char bytes[8192];
    show_bytes(what, bytes, read(fd, bytes, limit < sizeof bytes ? limit : sizeof bytes));
}

/* Changes local modes of the slave. */
static inline void local_modes(tcflag_t set, tcflag_t clear)
{
    struct termios modes;
    NEED(tcgetattr(slave, &modes));
    modes.c_lflag = (modes.c_lflag & ~clear) | set;
    NEED(tcsetattr(slave, TCSANOW, &modes));
}

static inline void raw_mode(int least, int tenths)
{
    struct termios modes;
    NEED(tcgetattr(slave, &modes));
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = least;
    modes.c_cc[VTIME] = tenths;
    NEED(tcsetattr(slave, TCSANOW, &modes));
}

#endif
