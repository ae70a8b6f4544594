/* What guest tests share: they print what they see, and the runner compares it with what they print natively. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Prints a call, and its result: the value, or the name of the error. */
#define SHOW(call) show_result(#call, (long)(call))
/* The same for calls whose value is arbitrary: only success is shown. */
#define TRY(call) show_success(#call, (long)(call))
/* Prints a condition and whether it holds. */
#define CHECK(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")
/* Ends the test at once if the preparation fails. */
#define NEED(call) need(#call, (long)(call))

static inline long show_result(const char *call, long result)
{
    if (result == -1)
        printf("%s = -1 %s\n", call, strerrorname_np(errno));
    else
        printf("%s = %ld\n", call, result);
    fflush(stdout);
    return result;
}

static inline long show_success(const char *call, long result)
{
    if (result == -1)
        printf("%s = -1 %s\n", call, strerrorname_np(errno));
    else
        printf("%s succeeds\n", call);
    fflush(stdout);
    return result;
}

static inline long need(const char *call, long result)
{
    if (result == -1) {
        printf("preparation: %s = -1 %s\n", call, strerrorname_np(errno));
        exit(99);
    }
    return result;
}

/* Creates or replaces a file. */
static inline void put_file(const char *path, const char *text)
{
    int fd = (int)NEED(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    NEED(write(fd, text, strlen(text)));
    NEED(close(fd));
}

/* Prints a file's contents in one line. */
static inline void show_file(const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY);
    if (fd == -1) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    printf("%s: \"", path);
    for (ssize_t i = 0; i < length; i++)
        if (text[i] == '\n')
            printf("\\n");
        else if (text[i] == 0)
            printf("\\0");
        else
            putchar(text[i]);
    printf("\"\n");
    fflush(stdout);
}

/* Waits for a child and prints how it ended. */
static inline void show_child(const char *name, pid_t pid)
{
    int status = 0;
    NEED(waitpid(pid, &status, 0));
    if (WIFEXITED(status))
        printf("%s exits with %d\n", name, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s dies of SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
    else
        printf("%s: status %#x\n", name, status);
    fflush(stdout);
}

/* fork, with nothing left in stdio's buffers to be printed twice. */
static inline pid_t start_child(void)
{
    fflush(stdout);
    return (pid_t)NEED(fork());
}

#endif
