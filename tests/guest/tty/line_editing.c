/* Lines are edited as they are typed: erase, kill, word erase, literal next, reprint, end of file, and their echo,
   termios(3). */
#include "pty.h"

static void line(const char *what, const char *keys, size_t limit)
{
    printf("-- %s\n", what);
    type(keys);
    show_screen("screen");
    if (readable(slave))
        show_read("read", slave, limit);
    else
        printf("nothing to read\n");
}

int main(void)
{
    open_pair();
    line("a line", "hello\r", 100);
    line("a newline", "hello\n", 100);
    line("erase", "helo\x7flo\r", 100);
    line("erase more than there is", "ab\x7f\x7f\x7f\x7fq\r", 100);
    line("kill", "wrong\x15right\r", 100);
    line("word erase", "one two  \x17three\r", 100);
    line("word erase with punctuation", "a/b c-d\x17x\r", 100);
    line("literal next", "a\x16\x03" "b\x16\x7f\r", 100);
    line("reprint", "abc\x12" "d\r", 100);
    line("control characters", "a\x01" "b\x02\x7f\r", 100);
    line("tabs", "a\tb\x7f\x7f" "c\td\te\x7f\x7f\x7f\r", 100);
    line("end of file alone", "\x04", 100);
    line("end of file behind characters", "abc\x04", 100);
    line("end of file behind a line", "abc\r\x04", 100);
    line("the end of file of before", "", 100);
    line("a short read", "abcdef\r", 3);
    line("the rest of it", "", 100);
    line("two lines", "one\rtwo\r", 100);
    line("the second", "", 100);

    struct termios modes;
    NEED(tcgetattr(slave, &modes));
    modes.c_cc[VEOL] = ';';
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("another end of line", "a;b\r", 100);
    line("the second", "", 100);
    modes.c_cc[VERASE] = '#';
    modes.c_cc[VKILL] = '@';
    modes.c_cc[VEOL] = 0;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("other characters", "ab#c@d\x7f\r", 100);
    modes.c_iflag |= IUTF8;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("erase in UTF-8", "a\xc3\xa4#\xe2\x82\xac#b\r", 100);
    modes.c_iflag &= ~IUTF8;
    modes.c_cc[VERASE] = 0x7f;
    modes.c_cc[VKILL] = 0x15;

    printf("== without ECHO\n");
    modes.c_lflag &= ~ECHO;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("a password", "sec\x7fret\r", 100);
    modes.c_lflag |= ECHONL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("with ECHONL", "sec\x7fret\r", 100);
    modes.c_lflag |= ECHO;

    printf("== other echo\n");
    modes.c_lflag &= ~ECHOKE;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("kill without ECHOKE", "ab\x15" "c\r", 100);
    modes.c_lflag &= ~ECHOK;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("kill without ECHOK", "ab\x15" "c\r", 100);
    modes.c_lflag &= ~ECHOE;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("erase without ECHOE", "ab\x7f" "c\r", 100);
    modes.c_lflag |= ECHOE | ECHOK | ECHOPRT;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("ECHOPRT", "abc\x7f\x7f" "d\x7f\r", 100);
    modes.c_lflag &= ~(ECHOPRT | ECHOCTL);
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("without ECHOCTL", "a\x01\x7f" "b\x16\x03\r", 100);
    modes.c_lflag = (modes.c_lflag | ECHOCTL | ECHOKE) & ~IEXTEN;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("without IEXTEN", "a b\x17\x16\x12\r", 100);
    modes.c_lflag |= IEXTEN;

    printf("== input modes\n");
    modes.c_iflag = INLCR | IGNCR;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("INLCR and IGNCR", "a\rb\nc\x04", 100);
    modes.c_iflag = ISTRIP | ICRNL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("ISTRIP", "\xe1\xe2\r", 100);
    modes.c_iflag = IUCLC | ICRNL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("IUCLC", "AbC\r", 100);
    modes.c_iflag = PARMRK | ICRNL;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    line("PARMRK", "a\xff" "b\r", 100);

    printf("== a line that is too long\n");
    modes.c_iflag = ICRNL;
    modes.c_lflag &= ~ECHO;
    NEED(tcsetattr(slave, TCSANOW, &modes));
    char keys[5000];
    memset(keys, 'x', sizeof keys);
    keys[sizeof keys - 1] = '\r';
    NEED(write(master, keys, sizeof keys));
    CHECK(readable(slave));
    char bytes[8192];
    ssize_t count = read(slave, bytes, sizeof bytes);
    printf("%zd bytes, the last is %s\n", count, bytes[count - 1] == '\n' ? "a newline" : "something else");
    return 0;
}
