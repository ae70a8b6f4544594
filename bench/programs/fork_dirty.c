/* fork_dirty - fork + _exit + waitpid of a process with 64 MiB dirty
 *
 * The parent dirties 16384 anonymous private pages (no huge pages) once. Every
 * child looks at one of them and ends with a status derived from its number;
 * the parent checks it.
 *
 * Usage: fork_dirty [iterations=10]
 * Output: "name value unit", one line each.  Exit status: 0 if every call
 * succeeded and every piece of data was verified, 1 otherwise.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>

static const char NAME[] = "fork_dirty";

/* Report the failed call (or, with errno 0, a failed check) and stop. */
static _Noreturn void die(const char *what)
{
    int e = errno;
    fprintf(stderr, "%s: %s: %s\n", NAME, what,
            e ? strerror(e) : "verification failed");
    _exit(1);
}

/* A check of moved data: no errno is involved. */
static void verify(int ok, const char *what)
{
    if (!ok) {
        errno = 0;
        die(what);
    }
}

/* Monotonic time in nanoseconds. */
static double now_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        die("clock_gettime");
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The iteration count: argv[1], or the default. */
static long count_arg(int argc, char **argv, long dflt)
{
    if (argc < 2)
        return dflt;
    char *end;
    errno = 0;
    long n = strtol(argv[1], &end, 10);
    if (errno != 0 || *end != '\0' || n <= 0) {
        errno = EINVAL;
        die("bad iteration count");
    }
    return n;
}

/* Print one result line, and insist that it reached stdout. */
static void result(const char *name, double value, const char *unit)
{
    if (printf("%s %.2f %s\n", name, value, unit) < 0 || fflush(stdout) != 0)
        die("printf");
}

enum { PAGE = 4096, PAGES = 16384 };

int main(int argc, char **argv)
{
    long n = count_arg(argc, argv, 10);
    volatile char *p = mmap(NULL, (size_t)PAGE * PAGES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    (void)madvise((void *)p, (size_t)PAGE * PAGES, MADV_NOHUGEPAGE);
    for (long k = 0; k < PAGES; k++)
        *(volatile long *)(p + k * PAGE) = k;
    /* Watchdog: a lost wakeup must end in a failure, not in a hang. */
    alarm(120);
    double t0 = now_ns();
    for (long i = 0; i < n; i++) {
        long k = i * 97 % PAGES;
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            _exit(*(volatile long *)(p + k * PAGE) == k ? (int)(i & 127) : 255);
        int st;
        if (waitpid(pid, &st, 0) != pid)
            die("waitpid");
        verify(WIFEXITED(st) && WEXITSTATUS(st) == (int)(i & 127), "child exit status");
    }
    result(NAME, (now_ns() - t0) / (double)n, "ns/op");
    return 0;
}
