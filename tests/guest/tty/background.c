/* Process groups in the background of a terminal, termios(3) and credentials(7): reading stops them, writing only with TOSTOP,
   changing settings always; ignored or blocked signals turn into errors or let the call pass; a hang-up of the session. */
#include "check.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int terminal;

static void set_tostop(bool on)
{
    struct termios settings;
    NEED(tcgetattr(terminal, &settings));
    if (on)
        settings.c_lflag |= TOSTOP;
    else
        settings.c_lflag &= ~(tcflag_t)TOSTOP;
    NEED(tcsetattr(terminal, TCSANOW, &settings));
}

static int result(long value)
{
    return value == -1 ? errno : 0;
}

static int do_read(void)
{
    char byte;
    return result(read(terminal, &byte, 1));
}

static int do_write(void)
{
    return result(write(terminal, "x", 1));
}

static int do_set(void)
{
    struct termios settings;
    tcgetattr(terminal, &settings);
    return result(tcsetattr(terminal, TCSANOW, &settings));
}

static int do_foreground(void)
{
    return result(tcsetpgrp(terminal, getpgrp()));
}

enum { DEFAULT, IGNORED, BLOCKED };

/* Runs `call` in a child that is a group of its own, in the background. */
static void in_background(const char *name, int (*call)(void), int how)
{
    static const char *ways[] = { "default", "ignored", "blocked" };
    pid_t child = start_child();
    if (child == 0) {
        setpgid(0, 0);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTTIN);
        sigaddset(&set, SIGTTOU);
        signal(SIGTTIN, how == IGNORED ? SIG_IGN : SIG_DFL);
        signal(SIGTTOU, how == IGNORED ? SIG_IGN : SIG_DFL);
        if (how == BLOCKED)
            sigprocmask(SIG_BLOCK, &set, NULL);
        _exit(call());
    }
    setpgid(child, child);
    int status;
    NEED(waitpid(child, &status, WUNTRACED));
    if (WIFSTOPPED(status)) {
        printf("%s, %s: stopped by SIG%s\n", name, ways[how], sigabbrev_np(WSTOPSIG(status)));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    } else {
        printf("%s, %s: %s\n", name, ways[how], WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "succeeds");
    }
    fflush(stdout);
    tcsetpgrp(terminal, getpgrp());
}

/* A child of a child that ends: its group is orphaned. */
static void orphaned(const char *name, int (*call)(void))
{
    int ends[2];
    NEED(pipe(ends));
    pid_t child = start_child();
    if (child == 0) {
        if (fork() == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_DFL);
            usleep(50000);
            int error = call();
            if (write(ends[1], &error, sizeof error) < 0)
                _exit(1);
            _exit(0);
        }
        _exit(0);
    }
    close(ends[1]);
    NEED(waitpid(child, NULL, 0));
    int error = -1;
    if (read(ends[0], &error, sizeof error) != sizeof error)
        printf("%s, orphaned: no answer\n", name);
    else
        printf("%s, orphaned: %s\n", name, error ? strerrorname_np(error) : "succeeds");
    close(ends[0]);
    fflush(stdout);
}

static void hung_up(int signal)
{
    static const char text[] = "the leader gets SIGHUP\n";
    (void)signal;
    if (write(1, text, sizeof text - 1) < 0)
        _exit(9);
}

static void session(int ready, int slave)
{
    terminal = slave;
    NEED(setsid());
    NEED(ioctl(terminal, TIOCSCTTY, 0));
    NEED(tcsetpgrp(terminal, getpgrp()));
    /* The leader takes the foreground back each time. */
    signal(SIGTTOU, SIG_IGN);
    for (int tostop = 0; tostop < 2; tostop++) {
        set_tostop(tostop);
        printf("TOSTOP is %s\n", tostop ? "on" : "off");
        for (int how = DEFAULT; how <= BLOCKED; how++) {
            in_background("read", do_read, how);
            in_background("write", do_write, how);
            in_background("tcsetattr", do_set, how);
            in_background("tcsetpgrp", do_foreground, how);
        }
        orphaned("read", do_read);
        orphaned("write", do_write);
        orphaned("tcsetattr", do_set);
    }
    signal(SIGHUP, hung_up);
    /* Blocked until it is waited for: it may come before. */
    sigset_t hangup, all_but_hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    NEED(sigprocmask(SIG_BLOCK, &hangup, &all_but_hangup));
    NEED(write(ready, "x", 1));
    sigsuspend(&all_but_hangup);
    SHOW(write(terminal, "x", 1));
    char byte;
    SHOW(read(terminal, &byte, 1));
    SHOW(open("/dev/tty", O_RDWR));
    _exit(0);
}

int main(void)
{
    int master, slave, ready[2];
    NEED(openpty(&master, &slave, NULL, NULL, NULL));
    NEED(pipe(ready));
    pid_t child = start_child();
    if (child == 0) {
        close(master);
        session(ready[1], slave);
    }
    close(slave);
    char byte;
    NEED(read(ready[0], &byte, 1));
    close(master);
    show_child("the leader", child);
    return 0;
}
