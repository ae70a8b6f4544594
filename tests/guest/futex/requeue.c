/* FUTEX_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT with deadlines on both clocks, shared and private keys, errors. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>

static uint32_t *words;

static long futex(uint32_t *address, int operation, uint32_t value, uintptr_t value2, uint32_t *address2, uint32_t value3)
{
    return syscall(SYS_futex, address, operation, value, value2, address2, value3);
}

static void *sleeper(void *argument)
{
    return (void *)futex(argument, FUTEX_WAIT, 0, 0, NULL, 0);
}

static pthread_t threads[6];

static void start(int count, uint32_t *address)
{
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, sleeper, address);
    usleep(50000);
}

static void finish(int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    struct timespec now, bad = { 0, -1 };
    words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    start(4, &words[0]);
    SHOW(futex(&words[0], FUTEX_REQUEUE, 1, 2, &words[1], 0));
    SHOW(futex(&words[0], FUTEX_WAKE, 10, 0, NULL, 0));
    SHOW(futex(&words[1], FUTEX_WAKE, 10, 0, NULL, 0));
    finish(4);
    SHOW(futex(&words[0], FUTEX_CMP_REQUEUE, 1, 2, &words[1], 5));
    SHOW(futex(&words[0], FUTEX_REQUEUE, (uint32_t)-1, 2, &words[1], 5));

    start(3, &words[0]);
    pthread_create(&threads[3], NULL, sleeper, &words[1]);
    usleep(50000);
    words[1] = 0;
    /* Adds 3 to the second word; its old value 0 is less than 1, so both are woken. */
    SHOW(futex(&words[0], FUTEX_WAKE_OP, 1, 10, &words[1], FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_LT, 1)));
    SHOW(words[1]);
    SHOW(futex(&words[0], FUTEX_WAKE_OP, 10, 10, &words[1], FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_EQ, 99)));
    SHOW(words[1]);
    finish(4);
    SHOW(futex(&words[0], FUTEX_WAKE_OP, 1, 1, &words[1], FUTEX_OP(FUTEX_OP_SET | 8, 5, FUTEX_OP_CMP_NE, 1)));
    SHOW(words[1]);
    SHOW(futex(&words[0], FUTEX_WAKE_OP, 1, 1, &words[1], 7u << 28));
    SHOW(futex(&words[0], FUTEX_WAKE_OP, 1, 1, &words[1], FUTEX_OP(FUTEX_OP_SET, 0, 9, 0)));

    /* A private wake does not reach a shared word, nor the other way round. */
    words[0] = 0;
    start(1, &words[0]);
    SHOW(futex(&words[0], FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0));
    SHOW(futex(&words[0], FUTEX_WAKE, 1, 0, NULL, 0));
    finish(1);

    /* The same page at two addresses is one shared futex. */
    char name[] = "/dev/shm/futex-XXXXXX";
    int fd = (int)NEED(mkstemp(name));
    unlink(name);
    ftruncate(fd, 4096);
    uint32_t *one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *two = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    start(1, &one[3]);
    SHOW(futex(&two[3], FUTEX_WAKE, 1, 0, NULL, 0));
    finish(1);

    SHOW(futex(&words[0], FUTEX_WAIT, 1, 0, NULL, 0));
    struct timespec some = { 0, 20000000 };
    SHOW(futex(&words[0], FUTEX_WAIT, 0, (uintptr_t)&some, NULL, 0));
    SHOW(futex(&words[0], FUTEX_WAIT, 0, (uintptr_t)&bad, NULL, 0));
    SHOW(futex(&words[0], FUTEX_WAIT, 0, 8, NULL, 0));
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 20000000;
    if (now.tv_nsec >= 1000000000)
        now.tv_sec++, now.tv_nsec -= 1000000000;
    SHOW(futex(&words[0], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, (uintptr_t)&now, NULL, 1));
    clock_gettime(CLOCK_REALTIME, &some);
    CHECK(some.tv_sec > now.tv_sec || (some.tv_sec == now.tv_sec && some.tv_nsec >= now.tv_nsec));
    SHOW(futex(&words[0], FUTEX_WAIT_BITSET, 0, (uintptr_t)&some, NULL, 0));
    some = (struct timespec){ 0, 1 };
    SHOW(futex(&words[0], FUTEX_WAIT_BITSET, 0, (uintptr_t)&some, NULL, 1));
    SHOW(futex((uint32_t *)((char *)words + 2), FUTEX_WAIT, 0, 0, NULL, 0));
    SHOW(futex((uint32_t *)8, FUTEX_WAKE, 1, 0, NULL, 0));
    SHOW(futex((uint32_t *)8, FUTEX_WAIT, 1, 0, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, NULL, 0));
    SHOW(futex(words, 99, 1, 0, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE_BITSET, 1, 0, NULL, 0));

    /* futex_waitv(2). */
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiters[3] = { { 0, (uintptr_t)&words[4], 2, 0 }, { 0, (uintptr_t)&words[5], 2, 0 }, { 0, (uintptr_t)&words[6], 2, 0 } };
    clock_gettime(CLOCK_MONOTONIC, &now);
    SHOW(syscall(449, waiters, 3, 0, &now, CLOCK_MONOTONIC));
    words[5] = 1;
    SHOW(syscall(449, waiters, 3, 0, NULL, 0));
    words[5] = 0;
    SHOW(syscall(449, waiters, 0, 0, NULL, 0));
    SHOW(syscall(449, waiters, 129, 0, NULL, 0));
    SHOW(syscall(449, waiters, 3, 1, NULL, 0));
    waiters[1].flags = 0;
    SHOW(syscall(449, waiters, 3, 0, NULL, 0));
    waiters[1].flags = 2;
    pid_t pid = start_child();
    if (pid == 0) {
        usleep(20000);
        futex(&words[5], FUTEX_WAKE, 1, 0, NULL, 0);
        _exit(0);
    }
    SHOW(syscall(449, waiters, 3, 0, NULL, 0));
    show_child("waker", pid);
    return 0;
}
