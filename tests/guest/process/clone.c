/* clone(2), clone3(2): combinations of flags, refused ones, what is shared and where numbers go. */
#include "check.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>

static char stack[65536] __attribute__((aligned(16)));
static volatile int shared_value;
static int child_fd;

static int change(void *unused)
{
    (void)unused;
    shared_value++;
    chdir("/");
    close(child_fd);
    return 5;
}

static long start3(struct clone_args *arguments, size_t size)
{
    fflush(stdout);
    long result = syscall(SYS_clone3, arguments, size);
    if (result == 0)
        _exit(6);
    return result;
}

#define REFUSED(...) \
    do { \
        struct clone_args arguments = { __VA_ARGS__ }; \
        long result = start3(&arguments, sizeof arguments); \
        printf("clone3(" #__VA_ARGS__ ") = %s\n", result == -1 ? strerrorname_np(errno) : "started"); \
        if (result > 0) \
            waitpid((pid_t)result, NULL, __WALL); \
    } while (0)

int main(void)
{
    char where[PATH_MAX];
    int status;
    child_fd = dup(1);
    pid_t pid = clone(change, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    show_child("with CLONE_VM", pid);
    SHOW(shared_value);
    CHECK(fcntl(child_fd, F_GETFD) == 0);
    CHECK(strcmp(getcwd(where, sizeof where), "/") != 0);
    int here = open(".", O_RDONLY | O_DIRECTORY);

    pid = clone(change, stack + sizeof stack, CLONE_FS | CLONE_FILES | SIGCHLD, NULL);
    show_child("with CLONE_FS and CLONE_FILES", pid);
    SHOW(shared_value);
    CHECK(fcntl(child_fd, F_GETFD) == -1 && errno == EBADF);
    CHECK(strcmp(getcwd(where, sizeof where), "/") == 0);
    fchdir(here);

    fflush(stdout);
    int parent_tid = -1, child_tid = -1;
    pid = (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid, &child_tid, 0);
    if (pid == 0)
        _exit(child_tid == getpid() ? 0 : 1);
    CHECK(parent_tid == pid);
    CHECK(child_tid == -1);
    show_child("CLONE_CHILD_SETTID", pid);

    int pidfd = -1;
    fflush(stdout);
    pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
    if (pid == 0)
        _exit(9);
    CHECK(pidfd > 2 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    siginfo_t info;
    CHECK(waitid(P_PIDFD, pidfd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == 9);
    close(pidfd);

    SHOW(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &pidfd, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 8, 0, 0));

    REFUSED(.exit_signal = SIGCHLD);
    REFUSED(.exit_signal = 65);
    REFUSED(.flags = CLONE_THREAD);
    REFUSED(.flags = SIGCHLD);
    REFUSED(.flags = 1ULL << 40);
    REFUSED(.flags = CLONE_DETACHED);
    REFUSED(.stack = (uintptr_t)stack, .exit_signal = SIGCHLD);
    REFUSED(.stack_size = 4096, .exit_signal = SIGCHLD);
    REFUSED(.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD);
    REFUSED(.set_tid = (uintptr_t)&status, .exit_signal = SIGCHLD);
    REFUSED(.set_tid_size = 1, .exit_signal = SIGCHLD);
    REFUSED(.set_tid = (uintptr_t)&status, .set_tid_size = 64, .exit_signal = SIGCHLD);
    struct clone_args plain = { .exit_signal = SIGCHLD };
    SHOW(syscall(SYS_clone3, &plain, 8));
    SHOW(syscall(SYS_clone3, &plain, 5000));
    SHOW(syscall(SYS_clone3, 8, sizeof plain));
    struct {
        struct clone_args known;
        uint64_t unknown;
    } longer = { .known = plain, .unknown = 1 };
    SHOW(syscall(SYS_clone3, &longer, sizeof longer));
    longer.unknown = 0;
    pid = (pid_t)start3(&longer.known, sizeof longer);
    show_child("longer arguments", pid);
    pid = (pid_t)start3(&plain, 64);
    show_child("shorter arguments", pid);

    /* CLONE_CLEAR_SIGHAND forgets handlers and keeps what is ignored. */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, (void (*)(int))change);
    struct clone_args clear = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
    fflush(stdout);
    pid = (pid_t)syscall(SYS_clone3, &clear, sizeof clear);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one);
        sigaction(SIGUSR2, NULL, &two);
        _exit((one.sa_handler == SIG_IGN) + 2 * (two.sa_handler == SIG_DFL));
    }
    show_child("CLONE_CLEAR_SIGHAND", pid);

    /* CLONE_PARENT makes a sibling. */
    pid = start_child();
    if (pid == 0) {
        pid_t sibling = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (sibling == 0)
            _exit(21);
        CHECK(waitpid(sibling, NULL, 0) == -1 && errno == ECHILD);
        exit(0);
    }
    show_child("parent of a sibling", pid);
    CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 21);
    return 0;
}
