/* Futexes with an owner, futex(2) FUTEX_LOCK_PI and its kin: the word's states, errors, deadlocks, an owner that ends. */
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

static uint32_t word, other;

static long futex(uint32_t *at, int operation, const void *timeout)
{
    return syscall(SYS_futex, at, operation | FUTEX_PRIVATE_FLAG, 0, timeout, NULL, 0);
}

static void show_word(const char *when, uint32_t value)
{
    uint32_t owner = value & FUTEX_TID_MASK;
    printf("%s: owner %s%s%s\n", when, owner == 0 ? "none" : owner == (uint32_t)gettid() ? "self" : "other",
           value & FUTEX_WAITERS ? ", waiters" : "", value & FUTEX_OWNER_DIED ? ", owner died" : "");
    fflush(stdout);
}

static uint32_t load(uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

/* Waits until somebody waits for the lock. */
static void until_awaited(uint32_t *at)
{
    while (!(load(at) & FUTEX_WAITERS))
        usleep(1000);
    usleep(20000);
}

static void *lock_and_unlock(void *handed_over)
{
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    *(uint32_t *)handed_over = load(&word);
    CHECK((load(&word) & FUTEX_TID_MASK) == (uint32_t)gettid());
    NEED(futex(&word, FUTEX_UNLOCK_PI, NULL));
    return NULL;
}

static void *lock_and_end(void *unused)
{
    (void)unused;
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    until_awaited(&word);
    return NULL;
}

static void *hold_other_and_wait(void *unused)
{
    (void)unused;
    NEED(futex(&other, FUTEX_LOCK_PI, NULL));
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    NEED(futex(&word, FUTEX_UNLOCK_PI, NULL));
    NEED(futex(&other, FUTEX_UNLOCK_PI, NULL));
    return NULL;
}

static int order[3], arrived;

static void *wait_with_priority(void *argument)
{
    int priority = (int)(intptr_t)argument;
    if (priority > 0) {
        struct sched_param parameter = { .sched_priority = priority };
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);
    }
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    order[arrived++] = priority;
    NEED(futex(&word, FUTEX_UNLOCK_PI, NULL));
    return NULL;
}

int main(void)
{
    pthread_t thread, threads[3];

    SHOW(futex(&word, FUTEX_UNLOCK_PI, NULL));
    SHOW(futex(&word, FUTEX_LOCK_PI, NULL));
    show_word("locked", word);
    SHOW(futex(&word, FUTEX_LOCK_PI, NULL));
    SHOW(futex(&word, FUTEX_TRYLOCK_PI, NULL));
    SHOW(futex(&word, FUTEX_UNLOCK_PI, NULL));
    show_word("unlocked", word);
    SHOW(futex(&word, FUTEX_TRYLOCK_PI, NULL));

    uint32_t handed_over;
    pthread_create(&thread, NULL, lock_and_unlock, &handed_over);
    until_awaited(&word);
    show_word("awaited", load(&word));
    NEED(futex(&word, FUTEX_UNLOCK_PI, NULL));
    pthread_join(thread, NULL);
    show_word("handed over", handed_over);
    show_word("at the end", load(&word));

    /* An owner that does not exist, and one that ends while it holds the lock. */
    word = 0x3fffffff;
    SHOW(futex(&word, FUTEX_LOCK_PI, NULL));
    word = 0;
    pthread_create(&thread, NULL, lock_and_end, NULL);
    while (load(&word) == 0)
        usleep(1000);
    SHOW(futex(&word, FUTEX_LOCK_PI, NULL));
    show_word("left behind", load(&word));
    SHOW(futex(&word, FUTEX_UNLOCK_PI, NULL));
    pthread_join(thread, NULL);
    word = 0;

    /* A ring of two: who closes it is told. */
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    pthread_create(&thread, NULL, hold_other_and_wait, NULL);
    until_awaited(&word);
    SHOW(futex(&other, FUTEX_LOCK_PI, NULL));
    SHOW(futex(&other, FUTEX_TRYLOCK_PI, NULL));
    SHOW(futex(&word, FUTEX_UNLOCK_PI, NULL));
    pthread_join(thread, NULL);

    /* Time-outs are absolute, on the real-time clock. */
    pthread_create(&thread, NULL, lock_and_end, NULL);
    while (load(&word) == 0)
        usleep(1000);
    struct timespec past = { 1, 0 }, wrong = { 0, -1 };
    SHOW(futex(&word, FUTEX_LOCK_PI, &past));
    SHOW(futex(&word, FUTEX_LOCK_PI, &wrong));
    pthread_join(thread, NULL);
    word = 0;

    /* The highest priority comes first, then who has waited longest. */
    NEED(futex(&word, FUTEX_LOCK_PI, NULL));
    int priorities[3] = { 0, 5, 9 };
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, wait_with_priority, (void *)(intptr_t)priorities[i]);
        usleep(50000);
    }
    NEED(futex(&word, FUTEX_UNLOCK_PI, NULL));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    printf("order: %d %d %d\n", order[0], order[1], order[2]);
    return 0;
}
