/* Output processing, OPOST: newlines, tabs, returns, case; flow control by ^S and ^Q and by tcflow, termios(3). */
#include "pty.h"

static struct termios modes;

static void write_with(const char *what, tcflag_t flags, const char *text)
{
    modes.c_oflag = flags;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    NEED(write(slave, text, strlen(text)));
    show_screen(what);
}

int main(void)
{
    open_pair();
    NEED(tcgetattr(slave, &modes));
    write_with("raw", 0, "a\nb\tc\r");
    write_with("OPOST alone", OPOST, "a\nb\tc\r");
    write_with("ONLCR", OPOST | ONLCR, "a\nb\n");
    write_with("XTABS", OPOST | ONLCR | XTABS, "\n\ta\tbc\tdefghijk\tl\n");
    write_with("OCRNL", OPOST | OCRNL, "a\rb\r");
    write_with("ONOCR", OPOST | ONLCR | ONOCR, "\n\r\ra\r\n");
    write_with("OLCUC", OPOST | OLCUC, "a1B\xe4");
    write_with("backspaces", OPOST | XTABS, "\rab\b\b\b\tc");

    modes.c_oflag = OPOST | ONLCR;
    modes.c_lflag &= ~ECHO;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    NEED(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
    printf("-- ^S and ^Q\n");
    type("\x13");
    usleep(50000);
    SHOW(write(slave, "held", 4));
    struct pollfd watched = {slave, POLLOUT, 0};
    printf("writable: %d\n", poll(&watched, 1, 0));
    type("\x11");
    CHECK(poll(&watched, 1, 200) == 1);
    SHOW(write(slave, "free", 4));
    show_screen("screen");
    printf("-- any key with IXANY\n");
    modes.c_iflag |= IXANY;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    type("\x13");
    usleep(50000);
    SHOW(write(slave, "held", 4));
    type("x\r");
    CHECK(poll(&watched, 1, 200) == 1);
    show_read("the key is input, too", slave, 10);
    printf("-- tcflow\n");
    SHOW(tcflow(slave, TCOOFF));
    SHOW(write(slave, "held", 4));
    type("\x11");
    usleep(50000);
    SHOW(write(slave, "still held", 10));
    SHOW(tcflow(slave, TCOON));
    SHOW(write(slave, "free", 4));
    show_screen("screen");
    SHOW(tcflow(slave, TCIOFF));
    show_screen("STOP");
    SHOW(tcflow(slave, TCION));
    show_screen("START");
    SHOW(tcflow(slave, 9));
    printf("-- without IXON they are input\n");
    modes.c_iflag = ICRNL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    type("\x13\x11\r");
    CHECK(readable(slave));
    show_read("read", slave, 10);
    printf("-- a held write goes on when IXON is cleared\n");
    modes.c_iflag = ICRNL | IXON;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    type("\x13");
    usleep(50000);
    SHOW(write(slave, "held", 4));
    modes.c_iflag = ICRNL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    SHOW(write(slave, "free", 4));
    SHOW(tcdrain(slave));
    SHOW(tcsendbreak(slave, 0));
    show_screen("screen");

    printf("-- nobody reads\n");
    char block[4096];
    memset(block, 'x', sizeof block);
    long total = 0;
    ssize_t count;
    while ((count = write(slave, block, sizeof block)) > 0)
        total += count;
    printf("%s after some\n", strerrorname_np(errno));
    CHECK(total >= 4096 && total < 65536);
    printf("writable: %d\n", poll(&watched, 1, 0));
    long read_back = 0;
    while (readable(master) && (count = read(master, block, sizeof block)) > 0)
        read_back += count;
    CHECK(read_back == total);
    return 0;
}
