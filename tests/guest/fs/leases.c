/* Leases, fcntl(2) "Leases": who can take one, what breaks it, whom that stops and for how long. */
#include "check.h"
#include <sys/stat.h>

#define SIGNAL (SIGRTMIN + 1)

static const char *lease_name(int type)
{
    switch (type) {
    case F_RDLCK: return "F_RDLCK";
    case F_WRLCK: return "F_WRLCK";
    case F_UNLCK: return "F_UNLCK";
    case -1: return strerrorname_np(errno);
    default: return "?";
    }
}

static void show_lease(int fd)
{
    printf("lease: %s\n", lease_name(fcntl(fd, F_GETLEASE)));
}

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

static void wait_for_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    siginfo_t info;
    int signal = sigwaitinfo(&set, &info);
    printf("woken by %s\n", signal == SIGIO ? "SIGIO" : "the chosen signal");
    fflush(stdout);
}

static void nothing(int signal)
{
    (void)signal;
}

static void set_break_time(const char *seconds)
{
    put_file("/proc/sys/fs/lease-break-time", seconds);
}

/* The lines about the file in /proc/locks, without numbers of processes and files. */
static void show_locks(int fd)
{
    struct stat status;
    NEED(fstat(fd, &status));
    FILE *file = fopen("/proc/locks", "r");
    char line[256], inode[32];
    snprintf(inode, sizeof inode, ":%lu ", (unsigned long)status.st_ino);
    while (fgets(line, sizeof line, file)) {
        /* Who breaks a lease is shown without the file. */
        if (!strstr(line, inode) && !strstr(line, " <none>:0 "))
            continue;
        char arrow[8] = "", kind[16], state[16], mode[16], start[32], end[32], place[64];
        int pid, n = 0;
        char *rest = strchr(line, ':') + 1;
        if (sscanf(rest, " -> %n", &n), n > 0)
            strcpy(arrow, "-> "), rest += n;
        if (sscanf(rest, " %15s %15s %15s %d %63s %31s %31s", kind, state, mode, &pid, place, start, end) == 7)
            printf("locks: %s%s %s %s %s %s %s\n", arrow, kind, state, mode, pid == getpid() ? "own" : "other", start, end);
    }
    fclose(file);
    fflush(stdout);
}

static void taking(void)
{
    printf("-- who can take one\n");
    put_file("lease.file", "text");
    int reads = NEED(open("lease.file", O_RDONLY));
    show_lease(reads);
    SHOW(fcntl(reads, F_SETLEASE, F_RDLCK));
    show_lease(reads);
    SHOW(fcntl(reads, F_GETOWN) == getpid());
    show_locks(reads);
    SHOW(fcntl(reads, F_SETLEASE, F_WRLCK));
    show_lease(reads);
    SHOW(fcntl(reads, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(reads, F_SETLEASE, F_UNLCK));
    show_lease(reads);
    SHOW(fcntl(reads, F_SETLEASE, 7));
    int also = NEED(open("lease.file", O_RDONLY));
    SHOW(fcntl(reads, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(reads, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(also, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(also, F_SETLEASE, F_WRLCK));
    show_lease(also);
    show_locks(reads);
    NEED(close(also));
    SHOW(fcntl(reads, F_SETLEASE, F_WRLCK));
    NEED(close(reads));

    int writes = NEED(open("lease.file", O_RDWR));
    SHOW(fcntl(writes, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(writes, F_SETLEASE, F_WRLCK));
    show_lease(writes);
    int copy = NEED(dup(writes));
    show_lease(copy);
    SHOW(close(writes));
    show_lease(copy);
    SHOW(fcntl(copy, F_SETLEASE, F_RDLCK));
    NEED(close(copy));
    writes = NEED(open("lease.file", O_WRONLY));
    SHOW(fcntl(writes, F_SETLEASE, F_WRLCK));
    show_lease(writes);
    NEED(close(writes));

    int ends[2];
    NEED(pipe(ends));
    SHOW(fcntl(ends[0], F_SETLEASE, F_RDLCK));
    SHOW(fcntl(ends[0], F_GETLEASE));
    int null = NEED(open("/dev/null", O_RDONLY));
    SHOW(fcntl(null, F_SETLEASE, F_RDLCK));
    int directory = NEED(open(".", O_RDONLY));
    SHOW(fcntl(directory, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(directory, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(directory, F_SETLEASE, F_UNLCK));
    int path = NEED(open("lease.file", O_PATH));
    SHOW(fcntl(path, F_SETLEASE, F_RDLCK));
    close(ends[0]), close(ends[1]), close(null), close(directory), close(path);

    if (geteuid() == 0) {
        pid_t child = start_child();
        if (child == 0) {
            int fd = NEED(open("lease.file", O_RDONLY));
            NEED(chmod("lease.file", 0666));
            NEED(setuid(1000));
            SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
            _exit(0);
        }
        show_child("another user", child);
    }
}

static void breaking(void)
{
    printf("-- what breaks it\n");
    show_file("/proc/sys/fs/lease-break-time");
    show_file("/proc/sys/fs/leases-enable");
    int fd = NEED(open("lease.file", O_RDONLY));
    NEED(fcntl(fd, F_SETSIG, SIGNAL));
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    int other = NEED(open("lease.file", O_RDONLY | O_NONBLOCK));
    show_signals("opened for reading");
    close(other);
    SHOW(open("lease.file", O_WRONLY | O_NONBLOCK));
    show_signals("opened for writing");
    show_lease(fd);
    show_locks(fd);
    SHOW(open("lease.file", O_WRONLY | O_NONBLOCK));
    show_signals("once more");
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    show_lease(fd);
    SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
    show_lease(fd);
    other = SHOW(open("lease.file", O_WRONLY | O_NONBLOCK));
    close(other);

    SHOW(fcntl(fd, F_SETLEASE, F_WRLCK));
    SHOW(open("lease.file", O_RDONLY | O_NONBLOCK));
    show_signals("a write lease, opened for reading");
    show_lease(fd);
    show_locks(fd);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    show_lease(fd);
    other = SHOW(open("lease.file", O_RDONLY | O_NONBLOCK));
    show_signals("downgraded, opened for reading");
    close(other);
    SHOW(open("lease.file", O_RDWR | O_NONBLOCK));
    show_signals("opened for both");
    show_lease(fd);
    SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));
    show_signals("given up");

    NEED(fcntl(fd, F_SETSIG, 0));
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    SHOW(open("lease.file", O_WRONLY | O_NONBLOCK | O_TRUNC));
    show_signals("SIGIO");
    show_file("lease.file");
    SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));

    printf("-- what does not\n");
    SHOW(fcntl(fd, F_SETLEASE, F_WRLCK));
    struct stat status;
    SHOW(stat("lease.file", &status));
    SHOW(chmod("lease.file", 0600));
    SHOW(link("lease.file", "lease.link"));
    SHOW(rename("lease.link", "lease.other"));
    SHOW(unlink("lease.other"));
    SHOW(ftruncate(fd, 0));
    int path = SHOW(open("lease.file", O_PATH)) ;
    close(path);
    show_signals("nothing");
    show_lease(fd);
    NEED(close(fd));
}

static void by_time(void)
{
    printf("-- its end comes by time\n");
    set_break_time("1");
    int fd = NEED(open("lease.file", O_RDONLY));
    SHOW(fcntl(fd, F_SETLEASE, F_WRLCK));
    int mine = open("lease.file", O_RDONLY);
    SHOW(mine >= 0);
    show_lease(fd);
    show_signals("broken by its holder");
    close(mine);
    mine = open("lease.file", O_WRONLY);
    SHOW(mine >= 0);
    show_lease(fd);
    show_signals("broken again");
    close(mine), close(fd);
    set_break_time("45");
}

static void waiting(void)
{
    printf("-- waiting for it\n");
    int fd = NEED(open("lease.file", O_RDONLY));
    NEED(fcntl(fd, F_SETSIG, 0));
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t child = start_child();
    if (child == 0) {
        int mine = open("lease.file", O_WRONLY);
        printf("the opener goes on: %s\n", mine >= 0 ? "open" : strerrorname_np(errno));
        exit(0);
    }
    wait_for_signal();
    show_lease(fd);
    usleep(20000);
    show_locks(fd);
    printf("giving it up\n");
    fflush(stdout);
    NEED(fcntl(fd, F_SETLEASE, F_UNLCK));
    show_child("the opener", child);

    SHOW(fcntl(fd, F_SETLEASE, F_WRLCK));
    child = start_child();
    if (child == 0) {
        close(fd);
        int mine = open("lease.file", O_RDONLY);
        printf("the reader goes on: %s\n", mine >= 0 ? "open" : strerrorname_np(errno));
        exit(0);
    }
    wait_for_signal();
    printf("downgrading\n");
    fflush(stdout);
    NEED(fcntl(fd, F_SETLEASE, F_RDLCK));
    show_child("the reader", child);
    show_lease(fd);

    child = start_child();
    if (child == 0) {
        close(fd);
        printf("truncate = %d\n", truncate("lease.file", 3));
        exit(0);
    }
    wait_for_signal();
    printf("closing\n");
    fflush(stdout);
    NEED(close(fd));
    show_child("who truncates", child);
    NEED(stat("lease.file", &(struct stat){0}));

    if (access("/proc/sys/fs/lease-break-time", W_OK) == 0)
        by_time();

    printf("-- interrupted\n");
    fd = NEED(open("lease.file", O_RDONLY));
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    child = start_child();
    if (child == 0) {
        struct sigaction action = {.sa_handler = nothing};
        sigaction(SIGALRM, &action, NULL);
        ualarm(50000, 0);
        SHOW(open("lease.file", O_WRONLY));
        exit(0);
    }
    show_child("the opener", child);
    wait_for_signal();
    show_lease(fd);
    close(fd);
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    taking();
    breaking();
    waiting();
    unlink("lease.file");
    return 0;
}
