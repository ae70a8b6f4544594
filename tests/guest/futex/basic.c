/* futex(2): wait, wake, bitsets, requeue, timeouts, errors. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

static uint32_t word, other;
static volatile int woken;

static long futex(uint32_t *at, int operation, uint32_t value, const void *timeout, uint32_t *second, uint32_t third)
{
    return syscall(SYS_futex, at, operation, value, timeout, second, third);
}

static void *waiter(void *argument)
{
    uint32_t bits = (uint32_t)(uintptr_t)argument;
    futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Wakes until so many have been woken: they may not have gone to sleep yet. */
static void wake_until(int want, int operation, uint32_t bits)
{
    int total = 0;
    while (total < want) {
        long n = futex(&word, operation, want - total, NULL, NULL, bits);
        if (n > 0)
            total += (int)n;
        else
            usleep(1000);
    }
    printf("woke %d\n", total);
}

int main(void)
{
    struct timespec brief = { 0, 2000000 };
    SHOW(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, &brief, NULL, 0));
    SHOW(futex((uint32_t *)8, FUTEX_WAIT, 0, &brief, NULL, 0));
    SHOW(futex(&word, 77, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, &brief, NULL, 0));
    struct timespec past = { 1, 0 };
    SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0u));
    struct timespec wrong = { 0, 1000000000 };
    SHOW(futex(&word, FUTEX_WAIT, 0, &wrong, NULL, 0));

    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, waiter, (void *)(uintptr_t)(i < 2 ? 1 : 2));
    wake_until(2, FUTEX_WAKE_BITSET_PRIVATE, 2);
    pthread_join(threads[2], NULL);
    pthread_join(threads[3], NULL);
    SHOW(woken);
    wake_until(2, FUTEX_WAKE_PRIVATE, 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);

    /* Requeued waiters wake on the other word. */
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, waiter, (void *)(uintptr_t)~0u);
    usleep(50000);
    SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &other, 5));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9, &other, 0));
    SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
    SHOW(futex(&other, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);

    /* Between processes: the same word of a shared page. */
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = start_child();
    if (pid == 0) {
        while (__atomic_load_n(shared, __ATOMIC_SEQ_CST) == 0)
            futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit(*shared);
    }
    usleep(20000);
    __atomic_store_n(shared, 33, __ATOMIC_SEQ_CST);
    SHOW(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
    show_child("waiter in another process", pid);

    /* A process-shared robust mutex whose owner dies. */
    pthread_mutex_t *mutex = (void *)(shared + 64);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    pid = start_child();
    if (pid == 0) {
        pthread_mutex_lock(mutex);
        _exit(0);
    }
    show_child("owner", pid);
    printf("lock: %s\n", strerrorname_np(pthread_mutex_lock(mutex)));
    SHOW(pthread_mutex_consistent(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_lock(mutex));
    return 0;
}
