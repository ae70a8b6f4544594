/* futex_wake, futex_wait and futex_requeue of Linux 6.7; FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>

#define SIZE_U32 2
#define PRIVATE 128

struct futex {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static uint32_t first, second;

static long wake(const void *at, unsigned long bits, int most, unsigned flags)
{
    return syscall(454, at, bits, most, flags);
}

static long wait_on(const void *at, unsigned long value, unsigned long bits, unsigned flags, struct timespec *time, int clock)
{
    return syscall(455, at, value, bits, flags, time, clock);
}

static long old(void *at, int operation, unsigned value, unsigned long timeout, void *at2, unsigned value3)
{
    return syscall(SYS_futex, at, operation, value, timeout, at2, value3);
}

static void *sleeper(void *bits)
{
    long result = wait_on(&first, 0, (unsigned long)bits, SIZE_U32 | PRIVATE, NULL, 0);
    return (void *)(result == -1 ? (long)errno : result);
}

static pthread_t start(void *(*function)(void *), unsigned long argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, function, (void *)argument);
    usleep(80000);
    return thread;
}

static void show_thread(const char *name, pthread_t thread)
{
    void *result;
    pthread_join(thread, &result);
    printf("%s: %s\n", name, result == NULL ? "0" : strerrorname_np((int)(long)result));
}

static void *mover(void *unused)
{
    (void)unused;
    long result = old(&first, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 0, &second, 0);
    int error = errno;
    bool owns = (second & FUTEX_TID_MASK) == (uint32_t)gettid();
    if (owns)
        old(&second, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0);
    return (void *)(result == -1 ? (long)error : owns ? 0 : (long)ENOLCK);
}

static void *plain(void *unused)
{
    (void)unused;
    long result = old(&first, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0);
    return (void *)(result == -1 ? (long)errno : result);
}

static void ignore(int signal)
{
    (void)signal;
}

int main(void)
{
    struct timespec past = {0, 1}, wrong = {0, -1};
    puts("-- futex_wait");
    SHOW(wait_on(&first, 1, ~0u, SIZE_U32, NULL, 0));
    SHOW(wait_on(&first, 0, 0, SIZE_U32, NULL, 0));
    SHOW(wait_on(&first, 0, ~0ul, SIZE_U32, NULL, 0));
    SHOW(wait_on(&first, 1ul << 32, ~0u, SIZE_U32, NULL, 0));
    SHOW(wait_on(&first, 0, ~0u, 0, NULL, 0));
    SHOW(wait_on(&first, 0, ~0u, 3, NULL, 0));
    SHOW(wait_on(&first, 0, ~0u, SIZE_U32 | 256, NULL, 0));
    SHOW(wait_on((char *)&first + 1, 0, ~0u, SIZE_U32, NULL, 0));
    SHOW(wait_on(NULL, 0, ~0u, SIZE_U32, NULL, 0));
    SHOW(wait_on(&first, 0, ~0u, SIZE_U32, &past, CLOCK_MONOTONIC));
    SHOW(wait_on(&first, 0, ~0u, SIZE_U32, &past, CLOCK_REALTIME));
    SHOW(wait_on(&first, 0, ~0u, SIZE_U32, &past, CLOCK_BOOTTIME));
    SHOW(wait_on(&first, 0, ~0u, SIZE_U32, &wrong, CLOCK_REALTIME));

    puts("-- futex_wake");
    SHOW(wake(&first, ~0u, 1, SIZE_U32));
    SHOW(wake(&first, 0, 1, SIZE_U32));
    SHOW(wake(&first, ~0ul, 1, SIZE_U32));
    SHOW(wake(&first, ~0u, 1, 1));
    pthread_t one = start(sleeper, 1), two = start(sleeper, 2);
    SHOW(wake(&first, 4, 9, SIZE_U32 | PRIVATE));
    SHOW(wake(&first, 3, 0, SIZE_U32 | PRIVATE));
    SHOW(wake(&first, 3, 9, SIZE_U32));
    SHOW(wake(&first, 2, 9, SIZE_U32 | PRIVATE));
    show_thread("two", two);

    puts("-- futex_requeue");
    struct futex pair[2] = {{0, (uintptr_t)&first, SIZE_U32 | PRIVATE, 0}, {0, (uintptr_t)&second, SIZE_U32 | PRIVATE, 0}};
    two = start(sleeper, 2);
    SHOW(syscall(456, pair, 1, 0, 1));
    SHOW(syscall(456, NULL, 0, 0, 1));
    SHOW(syscall(456, pair, 0, -1, 1));
    pair[0].value = 5;
    SHOW(syscall(456, pair, 0, 0, 1));
    pair[0].value = 0;
    pair[1].reserved = 1;
    SHOW(syscall(456, pair, 0, 0, 1));
    pair[1].reserved = 0;
    SHOW(syscall(456, pair, 0, 1, 1));
    show_thread("one", one);
    SHOW(wake(&first, ~0u, 9, SIZE_U32 | PRIVATE));
    SHOW(wake(&second, ~0u, 9, SIZE_U32 | PRIVATE));
    show_thread("two", two);

    puts("-- a handler in between");
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    one = start(sleeper, 1);
    pthread_kill(one, SIGUSR1);
    usleep(80000);
    SHOW(wake(&first, ~0u, 9, SIZE_U32 | PRIVATE));
    show_thread("restarted", one);
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    one = start(sleeper, 1);
    pthread_kill(one, SIGUSR1);
    show_thread("not restarted", one);

    puts("-- moving to a futex with an owner");
    SHOW(old(&first, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 0, &first, 0));
    SHOW(old(&first, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 0, &second, 0));
    SHOW(old(&first, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, (unsigned long)&past, &second, 0));
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 5, &second, 0));
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 5, &first, 0));
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 5, &second, 3));
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 5, &second, 0));
    one = start(plain, 0);
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 5, &second, 0));
    SHOW(old(&first, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, NULL, 0));
    show_thread("plain", one);
    one = start(mover, 0), two = start(mover, 0);
    pthread_t three = start(mover, 0);
    SHOW(old(&first, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, NULL, 0));
    SHOW(old(&second, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0));
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 1, &second, 0));
    CHECK((second & FUTEX_TID_MASK) == (uint32_t)gettid() && second & FUTEX_WAITERS);
    SHOW(old(&second, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, NULL, 0));
    show_thread("one", one);
    show_thread("two", two);
    SHOW(second);
    SHOW(old(&first, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 1, &second, 0));
    show_thread("three", three);
    return 0;
}
