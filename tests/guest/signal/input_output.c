/* Signal-driven input and output, fcntl(2) "Managing signals": which files send it, when, with what, and to whom. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/epoll.h>
#include <sys/un.h>

#define SIGNAL (SIGRTMIN + 1)
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static const char *code_name(int code)
{
    switch (code) {
    case POLL_IN: return "POLL_IN";
    case POLL_OUT: return "POLL_OUT";
    case POLL_MSG: return "POLL_MSG";
    case POLL_ERR: return "POLL_ERR";
    case POLL_PRI: return "POLL_PRI";
    case POLL_HUP: return "POLL_HUP";
    case SI_SIGIO: return "SI_SIGIO";
    case SI_KERNEL: return "SI_KERNEL";
    case SI_USER: return "SI_USER";
    default: return "?";
    }
}

/* Prints and takes what is pending: our signal with its siginfo, SIGIO and SIGURG. */
static void show_signals(const char *when)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    sigaddset(&set, SIGURG);
    sigaddset(&set, SIGUSR1);
    printf("%s:", when);
    siginfo_t info;
    struct timespec now = {0};
    int count = 0;
    while (sigtimedwait(&set, &info, &now) > 0) {
        count++;
        printf(" [%s %s", info.si_signo == SIGNAL ? "RT" : sigabbrev_np(info.si_signo), code_name(info.si_code));
        if (info.si_code > 0 && info.si_code <= POLL_HUP)
            printf(" band %#lx fd %d", info.si_band, info.si_fd);
        printf("]");
    }
    printf(count ? "\n" : " none\n");
    fflush(stdout);
}

/* Asks for signals about fd. */
static void ask(int fd)
{
    SHOW(fcntl(fd, F_SETOWN, getpid()));
    SHOW(fcntl(fd, F_SETSIG, SIGNAL));
    SHOW(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
    show_signals("asked");
}

static void pipes(void)
{
    printf("-- a pipe's read end\n");
    int ends[2];
    char bytes[100000];
    memset(bytes, 'x', sizeof bytes);
    NEED(pipe2(ends, O_NONBLOCK));
    ask(ends[0]);
    SHOW(write(ends[1], "a", 1));
    show_signals("one byte written");
    SHOW(write(ends[1], "b", 1));
    show_signals("another one");
    SHOW(write(ends[1], "b", 0));
    show_signals("none");
    SHOW(read(ends[0], bytes, 2));
    show_signals("read");
    SHOW(read(ends[0], bytes, 2));
    show_signals("nothing read");
    SHOW(write(ends[1], bytes, sizeof bytes));
    show_signals("as much as fits");
    SHOW(write(ends[1], bytes, sizeof bytes));
    show_signals("nothing fits");
    SHOW(close(ends[1]));
    show_signals("the write end is closed");
    SHOW(close(ends[0]));

    printf("-- a pipe's write end\n");
    NEED(pipe2(ends, O_NONBLOCK));
    ask(ends[1]);
    SHOW(write(ends[1], "a", 1));
    show_signals("one byte written");
    SHOW(read(ends[0], bytes, 1));
    show_signals("read");
    SHOW(read(ends[0], bytes, 1));
    show_signals("nothing read");
    SHOW(write(ends[1], bytes, sizeof bytes));
    show_signals("as much as fits");
    SHOW(read(ends[0], bytes, 1000));
    show_signals("a part read");
    SHOW(read(ends[0], bytes, 5000));
    show_signals("a page read");
    SHOW(read(ends[0], bytes, 0));
    show_signals("no byte read");
    SHOW(close(ends[0]));
    show_signals("the read end is closed");
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "a", 1));
    show_signals("broken pipe");
    SHOW(close(ends[1]));

    printf("-- splice and tee\n");
    int other[2];
    NEED(pipe2(ends, O_NONBLOCK));
    NEED(pipe2(other, O_NONBLOCK));
    ask(ends[0]);
    ask(ends[1]);
    ask(other[0]);
    printf("descriptors %d %d %d\n", ends[0], ends[1], other[0]);
    SHOW(write(ends[1], "abcd", 4));
    show_signals("written");
    SHOW(tee(ends[0], other[1], 2, 0));
    show_signals("tee");
    SHOW(splice(ends[0], NULL, other[1], NULL, 3, 0));
    show_signals("splice");
    struct iovec vector = {"hello", 5};
    SHOW(vmsplice(ends[1], &vector, 1, 0));
    show_signals("vmsplice");
    int null = NEED(open("/dev/null", O_WRONLY));
    SHOW(splice(ends[0], NULL, null, NULL, 3, 0));
    show_signals("splice to a file");
    put_file("io.file", "contents");
    int file = NEED(open("io.file", O_RDONLY));
    SHOW(splice(file, NULL, ends[1], NULL, 3, 0));
    show_signals("splice from a file");
    close(null), close(file), unlink("io.file");
    for (int i = 0; i < 2; i++)
        close(ends[i]), close(other[i]);
    show_signals("all closed");
}

static void fifos(void)
{
    printf("-- a FIFO\n");
    char bytes[100];
    unlink("io.fifo");
    NEED(mkfifo("io.fifo", 0600));
    int reader = NEED(open("io.fifo", O_RDONLY | O_NONBLOCK));
    ask(reader);
    int writer = NEED(open("io.fifo", O_WRONLY | O_NONBLOCK));
    show_signals("a writer opens it");
    ask(writer);
    SHOW(write(writer, "a", 1));
    show_signals("written");
    SHOW(read(reader, bytes, 1));
    show_signals("read");
    int both = NEED(open("io.fifo", O_RDWR | O_NONBLOCK));
    ask(both);
    SHOW(write(writer, "a", 1));
    show_signals("written, a third has both ends");
    SHOW(read(reader, bytes, 1));
    show_signals("read");
    close(writer);
    show_signals("the writer closes it");
    close(both);
    show_signals("the third closes it");
    close(reader);
    unlink("io.fifo");
}

static void sockets(void)
{
    printf("-- a stream socket\n");
    int pair[2];
    static char bytes[300000];
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
    ask(pair[0]);
    SHOW(write(pair[1], "a", 1));
    show_signals("one byte came");
    SHOW(write(pair[1], "b", 1));
    show_signals("another one came");
    SHOW(read(pair[0], bytes, 10));
    show_signals("received");
    SHOW(write(pair[0], "b", 1));
    show_signals("one byte sent");
    SHOW(read(pair[1], bytes, 10));
    show_signals("taken");
    while (write(pair[0], bytes, sizeof bytes) > 0)
        ;
    show_signals("filled");
    while (read(pair[1], bytes, sizeof bytes) > 0)
        ;
    show_signals("emptied");
    SHOW(shutdown(pair[1], SHUT_WR));
    show_signals("the peer sends no more");
    SHOW(shutdown(pair[1], SHUT_RD));
    show_signals("the peer receives no more");
    SHOW(close(pair[1]));
    show_signals("the peer closes");
    SHOW(close(pair[0]));

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    ask(pair[0]);
    SHOW(close(pair[1]));
    show_signals("the peer closes at once");
    SHOW(close(pair[0]));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    ask(pair[0]);
    SHOW(shutdown(pair[0], SHUT_RDWR));
    show_signals("shut down by itself");
    close(pair[1]), close(pair[0]);

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    ask(pair[0]);
    SHOW(shutdown(pair[1], SHUT_RDWR));
    show_signals("the peer is shut down");
    close(pair[1]), close(pair[0]);
    show_signals("both closed");

    printf("-- datagrams\n");
    NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
    ask(pair[0]);
    SHOW(write(pair[1], "a", 1));
    show_signals("a datagram came");
    SHOW(write(pair[0], "a", 1));
    show_signals("a datagram sent");
    SHOW(read(pair[1], bytes, 10));
    show_signals("it was received");
    SHOW(close(pair[1]));
    show_signals("the peer closes");
    SHOW(close(pair[0]));

    printf("-- a listener\n");
    struct sockaddr_un address = {AF_UNIX, "io.socket"};
    unlink("io.socket");
    int listener = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(bind(listener, (void *)&address, sizeof address));
    ask(listener);
    SHOW(listen(listener, 3));
    show_signals("it listens");
    int client = NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ask(client);
    printf("descriptors %d %d\n", listener, client);
    SHOW(connect(client, (void *)&address, sizeof address));
    show_signals("a client connects");
    int server = NEED(accept(listener, NULL, NULL));
    show_signals("it is accepted");
    SHOW(write(server, "a", 1));
    show_signals("the client gets a byte");
    close(server);
    show_signals("the server closes");
    close(client), close(listener);
    unlink("io.socket");
}

static void terminals(void)
{
    printf("-- terminals\n");
    char bytes[100];
    int master = NEED(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
    NEED(grantpt(master));
    NEED(unlockpt(master));
    int slave = NEED(open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK));
    NEED(fcntl(slave, F_SETSIG, SIGNAL));
    NEED(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC));
    CHECK(fcntl(slave, F_GETOWN) == getpid());
    NEED(fcntl(master, F_SETSIG, SIGNAL));
    NEED(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC));
    CHECK(fcntl(master, F_GETOWN) == getpid());
    printf("descriptors %d %d\n", master, slave);
    show_signals("asked");
    SHOW(write(master, "abc", 3));
    usleep(50000);
    show_signals("typed without a newline");
    SHOW(write(master, "\n", 1));
    usleep(50000);
    show_signals("typed a newline");
    SHOW(read(slave, bytes, 100));
    show_signals("read");
    SHOW(read(master, bytes, 100));
    usleep(50000);
    show_signals("the echo is read");
    SHOW(write(slave, "out", 3));
    usleep(50000);
    show_signals("printed");
    NEED(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK));
    while (write(slave, bytes, sizeof bytes) > 0)
        ;
    usleep(50000);
    show_signals("filled");
    while (read(master, bytes, sizeof bytes) > 0)
        ;
    usleep(50000);
    show_signals("read by the other side");
    SHOW(close(slave));
    usleep(50000);
    show_signals("closed");
    close(master);
    show_signals("the master is closed");
}

static void others(void)
{
    printf("-- inotify\n");
    char bytes[4096];
    int watcher = NEED(inotify_init1(IN_NONBLOCK));
    put_file("io.watched", "");
    NEED(inotify_add_watch(watcher, "io.watched", IN_MODIFY | IN_OPEN));
    ask(watcher);
    int file = NEED(open("io.watched", O_WRONLY));
    show_signals("opened");
    SHOW(write(file, "a", 1));
    show_signals("modified");
    SHOW(write(file, "a", 1));
    show_signals("modified again");
    SHOW(read(watcher, bytes, sizeof bytes));
    show_signals("read");
    close(file), close(watcher), unlink("io.watched");

    printf("-- files that send none\n");
    int counter = NEED(eventfd(0, EFD_NONBLOCK));
    ask(counter);
    uint64_t one = 1;
    SHOW(write(counter, &one, sizeof one));
    show_signals("eventfd");
    int on = 1;
    SHOW(ioctl(counter, FIOASYNC, &on));
    SHOW(fcntl(counter, F_SETFL, 0));
    SHOW(ioctl(counter, FIOASYNC, &on));
    CHECK((fcntl(counter, F_GETFL) & O_ASYNC) != 0);
    on = 0;
    SHOW(ioctl(counter, FIOASYNC, &on));
    close(counter);
    int timer = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
    on = 1;
    SHOW(ioctl(timer, FIOASYNC, &on));
    close(timer);
    sigset_t none;
    sigemptyset(&none);
    int signals = NEED(signalfd(-1, &none, 0));
    SHOW(ioctl(signals, FIOASYNC, &on));
    close(signals);
    int set = NEED(epoll_create1(0));
    SHOW(ioctl(set, FIOASYNC, &on));
    close(set);
    int null = NEED(open("/dev/null", O_RDWR));
    SHOW(ioctl(null, FIOASYNC, &on));
    close(null);
    int random = NEED(open("/dev/urandom", O_RDONLY));
    SHOW(ioctl(random, FIOASYNC, &on));
    close(random);
    put_file("io.file", "x");
    file = NEED(open("io.file", O_RDWR | O_ASYNC));
    CHECK((fcntl(file, F_GETFL) & O_ASYNC) != 0);
    SHOW(ioctl(file, FIOASYNC, &on));
    close(file);
    file = NEED(open("io.file", O_RDWR));
    SHOW(ioctl(file, FIOASYNC, &on));
    close(file);
    unlink("io.file");
}

static void enabling(void)
{
    printf("-- switching it on and off\n");
    char byte;
    int ends[2], on = 1, off = 0;
    NEED(pipe(ends));
    SHOW(write(ends[1], "a", 1));
    show_signals("without O_ASYNC");
    SHOW(ioctl(ends[0], FIOASYNC, &on));
    CHECK((fcntl(ends[0], F_GETFL) & O_ASYNC) != 0);
    SHOW(write(ends[1], "a", 1));
    show_signals("without an owner");
    SHOW(fcntl(ends[0], F_SETOWN, getpid()));
    SHOW(write(ends[1], "a", 1));
    show_signals("without F_SETSIG");
    SHOW(write(ends[1], "a", 1));
    SHOW(write(ends[1], "a", 1));
    show_signals("twice");
    SHOW(fcntl(ends[0], F_SETSIG, SIGIO));
    SHOW(write(ends[1], "a", 1));
    show_signals("F_SETSIG of SIGIO");
    SHOW(fcntl(ends[0], F_SETSIG, SIGUSR1));
    SHOW(write(ends[1], "a", 1));
    show_signals("F_SETSIG of SIGUSR1");
    SHOW(fcntl(ends[0], F_SETSIG, SIGURG));
    SHOW(write(ends[1], "a", 1));
    show_signals("F_SETSIG of SIGURG");
    SHOW(fcntl(ends[0], F_SETSIG, 0));
    SHOW(fcntl(ends[0], F_SETSIG, 65));
    SHOW(fcntl(ends[0], F_SETSIG, -1));
    SHOW(ioctl(ends[0], FIOASYNC, &off));
    SHOW(write(ends[1], "a", 1));
    show_signals("off");
    SHOW(ioctl(ends[0], FIOASYNC, (void *)1));

    int copy = NEED(dup(ends[0]));
    NEED(fcntl(ends[0], F_SETSIG, SIGNAL));
    SHOW(ioctl(copy, FIOASYNC, &on));
    SHOW(ioctl(ends[0], FIOASYNC, &on));
    SHOW(write(ends[1], "a", 1));
    printf("descriptors %d %d\n", ends[0], copy);
    show_signals("switched on by a copy of the descriptor");
    close(copy);
    SHOW(write(ends[1], "a", 1));
    show_signals("the copy is closed");
    SHOW(fcntl(ends[0], F_SETFL, 0));
    SHOW(fcntl(ends[0], F_SETFL, O_ASYNC));
    SHOW(write(ends[1], "a", 1));
    show_signals("switched off and on");
    SHOW(fcntl(ends[0], F_SETOWN, 0));
    SHOW(fcntl(ends[0], F_GETOWN));
    SHOW(write(ends[1], "a", 1));
    show_signals("the owner is nobody");
    while (read(ends[0], &byte, 1) == 1 && ioctl(ends[0], FIONREAD, &on) == 0 && on > 0)
        ;
    close(ends[0]), close(ends[1]);
}

static int shared_pipe[2];

static void *thread_owner(void *unused)
{
    (void)unused;
    struct f_owner_ex owner = {F_OWNER_TID, gettid()};
    SHOW(fcntl(shared_pipe[0], F_SETOWN_EX, &owner));
    SHOW(write(shared_pipe[1], "a", 1));
    show_signals("the thread that owns it");
    SHOW(write(shared_pipe[1], "a", 1));
    return NULL;
}

static void *other_thread(void *unused)
{
    (void)unused;
    show_signals("another thread");
    return NULL;
}

static void owners(void)
{
    printf("-- owners\n");
    NEED(pipe(shared_pipe));
    ask(shared_pipe[0]);
    pthread_t thread;
    pthread_create(&thread, NULL, thread_owner, NULL);
    pthread_join(thread, NULL);
    show_signals("the main thread");
    struct f_owner_ex owner = {F_OWNER_PID, getpid()};
    SHOW(fcntl(shared_pipe[0], F_GETOWN_EX, &owner));
    printf("type %d pid %d\n", owner.type, owner.pid);
    SHOW(fcntl(shared_pipe[0], F_GETOWN));
    owner = (struct f_owner_ex){F_OWNER_PID, getpid()};
    SHOW(fcntl(shared_pipe[0], F_SETOWN_EX, &owner));
    SHOW(write(shared_pipe[1], "a", 1));
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
    show_signals("the main thread");
    owner.type = 3;
    SHOW(fcntl(shared_pipe[0], F_SETOWN_EX, &owner));
    owner = (struct f_owner_ex){F_OWNER_PID, 1 << 29};
    SHOW(fcntl(shared_pipe[0], F_SETOWN_EX, &owner));
    SHOW(fcntl(shared_pipe[0], F_SETOWN, INT_MIN));
    SHOW(fcntl(shared_pipe[0], F_SETOWN, 1 << 29));

    printf("-- a group\n");
    int ready[2];
    NEED(pipe(ready));
    pid_t child = start_child();
    if (child == 0) {
        char byte;
        setpgid(0, 0);
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            NEED(write(ready[1], "r", 1));
            siginfo_t info;
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGNAL);
            _exit(sigwaitinfo(&set, &info) == SIGNAL ? 11 : 12);
        }
        NEED(write(ready[1], "r", 1));
        siginfo_t info;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGNAL);
        CHECK(sigwaitinfo(&set, &info) == SIGNAL);
        show_child("the other of the group", grandchild);
        (void)byte;
        exit(0);
    }
    char byte;
    NEED(read(ready[0], &byte, 1));
    NEED(read(ready[0], &byte, 1));
    SHOW(fcntl(shared_pipe[0], F_SETOWN, -child) + 0);
    CHECK(fcntl(shared_pipe[0], F_GETOWN) == -child);
    SHOW(fcntl(shared_pipe[0], F_GETOWN_EX, &owner));
    printf("type %d\n", owner.type);
    CHECK(owner.pid == child);
    SHOW(write(shared_pipe[1], "a", 1));
    show_child("the leader", child);
    show_signals("the one outside");
    SHOW(fcntl(shared_pipe[0], F_GETOWN));
    SHOW(fcntl(shared_pipe[0], F_GETOWN_EX, &owner));
    printf("type %d pid %d\n", owner.type, owner.pid);
    SHOW(write(shared_pipe[1], "a", 1));
    show_signals("the owner is gone");

    printf("-- another user\n");
    fflush(stdout);
    if (geteuid() == 0) {
        NEED(fcntl(shared_pipe[0], F_SETOWN, getpid()));
        SHOW(write(shared_pipe[1], "a", 1));
        show_signals("root's");
        NEED(fcntl(shared_pipe[0], F_SETOWN, 0));
        child = start_child();
        if (child == 0) {
            /* Who is not root, and not the receiver's user, may choose an owner that will not be told. */
            NEED(setuid(1000));
            NEED(fcntl(shared_pipe[0], F_SETOWN, getppid()));
            exit(0);
        }
        show_child("another user chooses the owner", child);
        SHOW(write(shared_pipe[1], "a", 1));
        show_signals("another user's");
        uid_t users[2];
        SHOW(fcntl(shared_pipe[0], F_GETOWNER_UIDS, users));
        printf("users %d %d\n", users[0], users[1]);
    }
    close(shared_pipe[0]), close(shared_pipe[1]);
}

static volatile int handled;
static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    handled++;
}

static void interruption(void)
{
    printf("-- a handler and a full queue\n");
    int ends[2];
    char bytes[64];
    NEED(pipe2(ends, O_NONBLOCK));
    struct rlimit { unsigned long soft, hard; } limit = {0, 0};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGIO, &action, NULL);
    ask(ends[0]);
    unsigned long old[2];
    NEED(syscall(SYS_prlimit64, 0, 11, NULL, old));
    limit.hard = old[1];
    NEED(syscall(SYS_prlimit64, 0, 11, &limit, NULL));
    SHOW(write(ends[1], "a", 1));
    show_signals("RLIMIT_SIGPENDING is 0");
    NEED(syscall(SYS_prlimit64, 0, 11, old, NULL));
    NEED(fcntl(ends[0], F_SETSIG, 0));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    printf("-- as signalfd tells it\n");
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGNAL);
    sigaddset(&mine, SIGIO);
    int signals = NEED(signalfd(-1, &mine, SFD_NONBLOCK));
    struct signalfd_siginfo told;
    NEED(fcntl(ends[0], F_SETSIG, SIGNAL));
    SHOW(write(ends[1], "a", 1));
    SHOW(read(signals, &told, sizeof told));
    printf("code %d band %#x fd %d pid %d\n", told.ssi_code, told.ssi_band, told.ssi_fd, told.ssi_pid);
    NEED(fcntl(ends[0], F_SETSIG, SIGIO));
    SHOW(write(ends[1], "a", 1));
    SHOW(read(signals, &told, sizeof told));
    printf("code %d band %#x fd %d pid %d\n", told.ssi_code, told.ssi_band, told.ssi_fd, told.ssi_pid);
    NEED(fcntl(ends[0], F_SETSIG, 0));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    SHOW(write(ends[1], "a", 1));
    printf("handled %d\n", handled);
    SHOW(read(ends[0], bytes, sizeof bytes));
    pid_t child = start_child();
    if (child == 0) {
        usleep(20000);
        write(ends[1], "a", 1);
        _exit(0);
    }
    pause();
    printf("handled %d\n", handled);
    show_child("the writer", child);
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNAL);
    sigaddset(&set, SIGIO);
    sigaddset(&set, SIGURG);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pipes();
    fifos();
    sockets();
    terminals();
    others();
    enabling();
    owners();
    interruption();
    return 0;
}
