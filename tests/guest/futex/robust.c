/* set_robust_list(2): what a thread or process leaves locked is marked and handed on. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>

struct lock {
    struct robust_list list;
    uint32_t word;
};

static struct robust_list_head head;
static struct lock locks[4];
static struct lock *shared;

static void *dies(void *unused)
{
    (void)unused;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    head.list.next = &locks[0].list;
    locks[0].list.next = &locks[1].list;
    locks[1].list.next = &locks[2].list;
    locks[2].list.next = &head.list;
    head.futex_offset = offsetof(struct lock, word);
    head.list_op_pending = &locks[3].list;
    locks[0].word = tid;
    locks[1].word = tid | FUTEX_WAITERS;
    locks[2].word = 12345;
    locks[3].word = tid;
    SHOW(syscall(SYS_set_robust_list, &head, 24));
    struct robust_list_head *got = NULL;
    size_t length = 0;
    SHOW(syscall(SYS_get_robust_list, 0, &got, &length));
    CHECK(got == &head && length == 24);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    SHOW(syscall(SYS_set_robust_list, &head, 8));
    SHOW(syscall(SYS_get_robust_list, 4000000, &head, &head));
    pthread_create(&thread, NULL, dies, NULL);
    pthread_join(thread, NULL);
    usleep(10000);
    for (int i = 0; i < 4; i++)
        printf("%#x\n", locks[i].word);

    /* The same between processes, with somebody asleep on the futex. */
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t owner = start_child();
    if (owner == 0) {
        head.list.next = &shared->list;
        shared->list.next = &head.list;
        head.futex_offset = offsetof(struct lock, word);
        head.list_op_pending = NULL;
        syscall(SYS_set_robust_list, &head, 24);
        shared->word = (uint32_t)getpid();
        for (;;)
            pause();
    }
    while (*(volatile uint32_t *)&shared->word == 0)
        usleep(1000);
    pid_t waiter = start_child();
    if (waiter == 0) {
        uint32_t value = shared->word | FUTEX_WAITERS;
        shared->word = value;
        syscall(SYS_futex, &shared->word, FUTEX_WAIT, value, NULL, NULL, 0);
        _exit(shared->word == (FUTEX_WAITERS | FUTEX_OWNER_DIED) ? 7 : 8);
    }
    usleep(20000);
    kill(owner, SIGKILL);
    show_child("owner", owner);
    show_child("waiter", waiter);

    /* A damaged list hurts nobody. */
    pid_t pid = start_child();
    if (pid == 0) {
        head.list.next = (struct robust_list *)8;
        syscall(SYS_set_robust_list, &head, 24);
        _exit(0);
    }
    show_child("damaged", pid);
    pid = start_child();
    if (pid == 0) {
        head.list.next = &locks[0].list;
        locks[0].list.next = &locks[0].list;
        syscall(SYS_set_robust_list, &head, 24);
        _exit(0);
    }
    show_child("ring", pid);
    pid = start_child();
    if (pid == 0) {
        syscall(SYS_set_robust_list, 8, 24);
        _exit(0);
    }
    show_child("nowhere", pid);

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_t *mutex = (pthread_mutex_t *)(shared + 1);
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        pthread_mutexattr_setprotocol(&attributes, protocol);
        pthread_mutex_init(mutex, &attributes);
        pid = start_child();
        if (pid == 0) {
            pthread_mutex_lock(mutex);
            _exit(0);
        }
        show_child("locker", pid);
        SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD);
        SHOW(pthread_mutex_consistent(mutex));
        SHOW(pthread_mutex_unlock(mutex));
        SHOW(pthread_mutex_trylock(mutex));
        SHOW(pthread_mutex_unlock(mutex));
    }
    return 0;
}
