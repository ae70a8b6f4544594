/* Attributes, speeds, window sizes and devices of a pseudo-terminal, termios(3), ioctl_tty(2), pts(4). */
#include "pty.h"
#include <sys/sysmacros.h>

struct termios2 {
    tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
    cc_t c_line, c_cc[19];
    speed_t c_ispeed, c_ospeed;
};


static void show_modes(const char *what, int fd)
{
    struct termios modes;
    NEED(tcgetattr(fd, &modes));
    printf("%s: i %o o %o c %o l %o line %d cc", what, modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag,
           modes.c_line);
    for (int i = 0; i < 17; i++)
        printf(" %02x", modes.c_cc[i]);
    printf(" speeds %u %u\n", cfgetispeed(&modes), cfgetospeed(&modes));
}

static void on_resize(int signal)
{
    (void)signal;
    write(1, "SIGWINCH\n", 9);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct termios modes;
    struct termios2 modes2;
    struct termio short_modes;
    struct winsize window;
    struct stat status;
    int number;

    open_pair();
    show_modes("new slave", slave);
    show_modes("through the master", master);
    CHECK(isatty(slave) && isatty(master));

    NEED(tcgetattr(slave, &modes));
    cfsetspeed(&modes, B9600);
    modes.c_cflag &= ~(CSIZE | CREAD);
    modes.c_cflag |= CS5 | PARENB | CSTOPB | CLOCAL;
    modes.c_cc[VINTR] = 'I';
    SHOW(tcsetattr(slave, TCSADRAIN, &modes));
    show_modes("changed", slave);
    memset(&modes2, 0xee, sizeof modes2);
    SHOW(ioctl(slave, 0x802c542a, &modes2)); /* TCGETS2 */
    printf("c %o line %d speeds %u %u\n", modes2.c_cflag, modes2.c_line, modes2.c_ispeed, modes2.c_ospeed);
    modes2.c_cflag = (modes2.c_cflag & ~CBAUD) | 010000; /* BOTHER */
    modes2.c_ispeed = modes2.c_ospeed = 12345;
    SHOW(ioctl(slave, 0x402c542b, &modes2)); /* TCSETS2 */
    memset(&modes2, 0xee, sizeof modes2);
    SHOW(ioctl(slave, 0x802c542a, &modes2));
    printf("c %o speeds %u %u\n", modes2.c_cflag, modes2.c_ispeed, modes2.c_ospeed);
    memset(&short_modes, 0xee, sizeof short_modes);
    SHOW(ioctl(slave, TCGETA, &short_modes));
    printf("short: i %o o %o c %o l %o line %d cc", short_modes.c_iflag, short_modes.c_oflag, short_modes.c_cflag,
           short_modes.c_lflag, short_modes.c_line);
    for (int i = 0; i < 8; i++)
        printf(" %02x", short_modes.c_cc[i]);
    printf("\n");
    short_modes.c_lflag = 0;
    short_modes.c_cc[0] = 3;
    SHOW(ioctl(slave, TCSETAF, &short_modes));
    NEED(tcgetattr(slave, &modes));
    printf("l %o intr %02x lnext %02x\n", modes.c_lflag, modes.c_cc[VINTR], modes.c_cc[VLNEXT]);
    SHOW(ioctl(slave, TCGETS, (void *)8));
    SHOW(ioctl(slave, TCSETS, (void *)8));
    SHOW(ioctl(slave, 0x5499, 0));
    SHOW(ioctl(slave, TIOCMGET, &number));
    SHOW(ioctl(slave, TIOCGETD, &number));
    printf("discipline %d\n", number);
    number = 99;
    SHOW(ioctl(slave, TIOCSETD, &number));

    printf("-- window\n");
    SHOW(ioctl(slave, TIOCGWINSZ, &window));
    printf("%d x %d\n", window.ws_row, window.ws_col);
    window = (struct winsize){40, 132, 5, 6};
    SHOW(ioctl(master, TIOCSWINSZ, &window));
    window = (struct winsize){0, 0, 0, 0};
    SHOW(ioctl(slave, TIOCGWINSZ, &window));
    printf("%d x %d, %d x %d pixels\n", window.ws_row, window.ws_col, window.ws_xpixel, window.ws_ypixel);
    fflush(stdout);
    if (NEED(fork()) == 0) {
        signal(SIGWINCH, on_resize);
        NEED(setsid());
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        SHOW(ioctl(slave, TIOCSWINSZ, &window));
        window.ws_row = 41;
        SHOW(ioctl(slave, TIOCSWINSZ, &window));
        window.ws_row = 42;
        SHOW(ioctl(master, TIOCSWINSZ, &window));
        _exit(0);
    }
    wait(NULL);

    printf("-- devices\n");
    NEED(fstat(slave, &status));
    printf("slave: %s device, major %u\n", S_ISCHR(status.st_mode) ? "character" : "other", major(status.st_rdev));
    SHOW(ioctl(master, TIOCGPTN, &number));
    CHECK((unsigned)number == minor(status.st_rdev));
    char name[64];
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    CHECK(strcmp(name, ptsname(master)) == 0);
    CHECK(strcmp(name, ttyname(slave)) == 0);
    struct stat named;
    NEED(stat(name, &named));
    CHECK(named.st_ino == status.st_ino && named.st_dev == status.st_dev);
    CHECK(status.st_uid == getuid());
    NEED(fstat(master, &status));
    printf("master: major %u minor %u\n", major(status.st_rdev), minor(status.st_rdev));
    unsigned device;
    SHOW(ioctl(slave, TIOCGDEV, &device));
    CHECK(device == named.st_rdev);
    SHOW(ioctl(slave, TIOCGPTN, &number));
    SHOW(fchmod(slave, 0600));
    NEED(fstat(slave, &status));
    printf("mode %o\n", status.st_mode & 0777);
    SHOW(close(slave));
    SHOW(close(master));
    SHOW(stat(name, &named));
    SHOW(open("/dev/pts/9999", O_RDWR));
    return 0;
}
