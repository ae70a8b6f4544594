/* Changes of directories told by signals, fcntl(2) F_NOTIFY. */
#include "check.h"

#define SIGNAL (SIGRTMIN + 1)

static void show_signals(const char *when)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    printf("%s:", when);
    siginfo_t info;
    struct timespec now = {0};
    int count = 0;
    while (sigtimedwait(&set, &info, &now) > 0) {
        count++;
        if (info.si_signo == SIGNAL)
            printf(" [RT code %d band %#lx fd %d]", info.si_code, info.si_band, info.si_fd);
        else
            printf(" [SIGIO code %#x]", info.si_code);
    }
    printf(count ? "\n" : " none\n");
    fflush(stdout);
}

/* What happens under a directory, and which of it an interest hears of. */
static void try(const char *name, int interest)
{
    printf("-- %s\n", name);
    NEED(mkdir("watched", 0700));
    NEED(mkdir("watched/below", 0700));
    NEED(mkdir("elsewhere", 0700));
    put_file("watched/old", "text");
    put_file("elsewhere/file", "text");
    int directory = NEED(open("watched", O_RDONLY));
    NEED(fcntl(directory, F_SETSIG, SIGNAL));
    SHOW(fcntl(directory, F_NOTIFY, interest | DN_MULTISHOT));
    CHECK(fcntl(directory, F_GETOWN) == getpid());
    char bytes[4096];
    put_file("watched/new", "x");
    show_signals("a file is made and written");
    int fd = NEED(open("watched/old", O_RDWR));
    show_signals("a file is opened");
    NEED(read(fd, bytes, 2));
    show_signals("a file is read");
    NEED(write(fd, "x", 1));
    show_signals("a file is written");
    NEED(ftruncate(fd, 1));
    show_signals("a file is cut");
    NEED(fchmod(fd, 0600));
    show_signals("a file's mode changes");
    NEED(close(fd));
    show_signals("a file is closed");
    NEED(rename("watched/old", "watched/renamed"));
    show_signals("a file is renamed");
    NEED(rename("watched/renamed", "elsewhere/renamed"));
    show_signals("a file is moved away");
    NEED(rename("elsewhere/renamed", "watched/back"));
    show_signals("a file is moved here");
    NEED(unlink("watched/back"));
    show_signals("a file is removed");
    NEED(mkdir("watched/directory", 0700));
    show_signals("a directory is made");
    NEED(rmdir("watched/directory"));
    show_signals("a directory is removed");
    put_file("watched/below/file", "x");
    show_signals("a file is made below");
    NEED(unlink("watched/below/file"));
    show_signals("a file is removed below");
    NEED(chmod("watched", 0755));
    show_signals("the directory's mode changes");
    NEED(syscall(SYS_getdents64, directory, bytes, sizeof bytes));
    show_signals("the directory is read");
    NEED(unlink("watched/new"));
    NEED(unlink("elsewhere/file"));
    NEED(rmdir("elsewhere"));
    NEED(rmdir("watched/below"));
    show_signals("emptied");
    NEED(rmdir("watched"));
    show_signals("the directory itself is removed");
    NEED(close(directory));
}

static void once(void)
{
    printf("-- once and often\n");
    NEED(mkdir("watched", 0700));
    int directory = NEED(open("watched", O_RDONLY));
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE));
    put_file("watched/a", "");
    show_signals("made");
    put_file("watched/b", "");
    show_signals("made again");
    NEED(fcntl(directory, F_SETSIG, SIGNAL));
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE));
    SHOW(fcntl(directory, F_NOTIFY, DN_DELETE));
    NEED(unlink("watched/b"));
    show_signals("removed");
    put_file("watched/b", "");
    show_signals("made");
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    SHOW(fcntl(directory, F_NOTIFY, DN_DELETE));
    NEED(unlink("watched/b"));
    put_file("watched/b", "");
    show_signals("both");
    SHOW(fcntl(directory, F_NOTIFY, 0));
    put_file("watched/c", "");
    show_signals("nothing");
    SHOW(fcntl(directory, F_NOTIFY, DN_MULTISHOT));

    printf("-- copies of the descriptor\n");
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    int copy = NEED(dup(directory));
    put_file("watched/d", "");
    show_signals("made");
    SHOW(fcntl(copy, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    put_file("watched/e", "");
    printf("descriptors %d %d\n", directory, copy);
    show_signals("made");
    NEED(close(copy));
    put_file("watched/f", "");
    show_signals("after the close of a copy");
    int second = NEED(open("watched", O_RDONLY));
    NEED(fcntl(second, F_SETSIG, SIGNAL));
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    SHOW(fcntl(second, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    put_file("watched/g", "");
    show_signals("two watch");
    pid_t child = start_child();
    if (child == 0) {
        put_file("watched/h", "");
        SHOW(fcntl(directory, F_NOTIFY, 0));
        put_file("watched/i", "");
        close(second);
        _exit(0);
    }
    show_child("the child", child);
    show_signals("made by a child");
    close(second);
    put_file("watched/j", "");
    show_signals("one is closed");
    close(directory);
    put_file("watched/k", "");
    show_signals("both are closed");

    printf("-- errors\n");
    int file = NEED(open("watched/a", O_RDONLY));
    SHOW(fcntl(file, F_NOTIFY, DN_CREATE));
    SHOW(fcntl(file, F_NOTIFY, 0));
    int ends[2];
    NEED(pipe(ends));
    SHOW(fcntl(ends[0], F_NOTIFY, DN_CREATE));
    SHOW(fcntl(-1, F_NOTIFY, DN_CREATE));
    directory = NEED(open("watched", O_RDONLY));
    SHOW(fcntl(directory, F_NOTIFY, 0x40));
    directory = NEED(open("watched", O_PATH));
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE));
    for (char name[] = "watched/a"; name[8] <= 'k'; name[8]++)
        NEED(unlink(name));
    NEED(rmdir("watched"));
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    try("DN_ACCESS", DN_ACCESS);
    try("DN_MODIFY", DN_MODIFY);
    try("DN_CREATE", DN_CREATE);
    try("DN_DELETE", DN_DELETE);
    try("DN_RENAME", DN_RENAME);
    try("DN_ATTRIB", DN_ATTRIB);
    once();
    return 0;
}
