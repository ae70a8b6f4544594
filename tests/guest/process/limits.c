/* getrlimit(2), setrlimit(2), prlimit(2): limits and what they do. */
#include "check.h"
#include <sys/resource.h>

int main(void)
{
    struct rlimit limit;
    SHOW(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK(limit.rlim_cur >= 256 && limit.rlim_cur <= limit.rlim_max);
    SHOW(getrlimit(99, &limit));
    struct rlimit wrong = { 10, 5 };
    SHOW(setrlimit(RLIMIT_NOFILE, &wrong));
    struct rlimit few = { 6, limit.rlim_max };
    SHOW(setrlimit(RLIMIT_NOFILE, &few));
    SHOW(open("/dev/null", O_RDONLY));
    SHOW(open("/dev/null", O_RDONLY));
    SHOW(open("/dev/null", O_RDONLY));
    SHOW(open("/dev/null", O_RDONLY));
    SHOW(dup2(0, 6));
    SHOW(fcntl(0, F_DUPFD, 6));
    SHOW(close(5));
    SHOW(dup(0));
    NEED(close(4));
    NEED(close(3));

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = { 10, RLIM_INFINITY };
    SHOW(setrlimit(RLIMIT_FSIZE, &small));
    int fd = (int)NEED(open("file", O_RDWR | O_CREAT, 0600));
    SHOW(write(fd, "0123456789abc", 13));
    SHOW(write(fd, "x", 1));
    SHOW(ftruncate(fd, 11));
    pid_t pid = start_child();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_DFL);
        write(fd, "x", 1);
        _exit(0);
    }
    show_child("too large a file", pid);
    small.rlim_cur = RLIM_INFINITY;
    SHOW(setrlimit(RLIMIT_FSIZE, &small));

    struct rlimit space = { 1 << 28, RLIM_INFINITY }, before;
    SHOW(prlimit(0, RLIMIT_AS, &space, &before));
    CHECK(mmap(NULL, 1 << 29, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    SHOW(prlimit(0, RLIMIT_AS, &before, NULL));
    SHOW(prlimit(4000000, RLIMIT_AS, NULL, &before));

    /* The stack ends where its limit says. */
    pid = start_child();
    if (pid == 0) {
        struct rlimit stack = { 1 << 20, RLIM_INFINITY };
        setrlimit(RLIMIT_STACK, &stack);
        char *here = __builtin_frame_address(0);
        for (volatile char *page = here; page > here - (1 << 22); page -= 4096)
            *page = 1;
        _exit(0);
    }
    show_child("deep stack", pid);
    return 0;
}
