/* getpid(2), gettid(2), getppid(2), in processes and threads. */
#include "check.h"
#include <pthread.h>

static pid_t main_pid, main_tid, parent;

static void *in_thread(void *unused)
{
    (void)unused;
    CHECK(getpid() == main_pid);
    CHECK(syscall(SYS_gettid) != main_tid);
    CHECK(getppid() == parent);
    return NULL;
}

int main(void)
{
    main_pid = getpid();
    main_tid = (pid_t)syscall(SYS_gettid);
    parent = getppid();
    CHECK(main_pid == main_tid);
    CHECK(parent > 0 && parent != main_pid);
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    pid_t pid = start_child();
    if (pid == 0) {
        CHECK(getppid() == main_pid);
        CHECK(getpid() != main_pid && syscall(SYS_gettid) == getpid());
        exit(0);
    }
    show_child("child", pid);
    SHOW(syscall(SYS_getpgid, -5));
    CHECK(syscall(100000) == -1 && errno == ENOSYS);
    CHECK(syscall(-1L) == -1 && errno == ENOSYS);
    return 0;
}
