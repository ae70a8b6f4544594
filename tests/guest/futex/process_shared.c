/* What processes share: mutexes (robust, recursive, error-checking, with priority inheritance), condition variables,
   read-write locks, barriers, semaphores, in anonymous and in file-backed memory, mapped at different addresses. */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_rwlock_t rwlock;
    pthread_barrier_t barrier;
    sem_t semaphore;
    int turn, count;
};

static const char *name(int error)
{
    return error == 0 ? "0" : strerrorname_np(error);
}

#define NAME(call) printf("%s: %s\n", #call, name(call)), fflush(stdout)

static void make_mutex(pthread_mutex_t *mutex, int type, int robust, int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_init(mutex, &attributes);
}

static void make(struct shared *shared)
{
    pthread_condattr_t condition;
    pthread_rwlockattr_t rwlock;
    pthread_barrierattr_t barrier;
    memset(shared, 0, sizeof *shared);
    make_mutex(&shared->mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&shared->changed, &condition);
    pthread_rwlockattr_init(&rwlock);
    pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&shared->rwlock, &rwlock);
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &barrier, 3);
    sem_init(&shared->semaphore, 1, 0);
}

static struct timespec soon(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += 20000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

/* Three processes take turns under the mutex, 30 times; meet at the barrier; count under the write lock. */
static void work(struct shared *shared, int own)
{
    for (int i = 0; i < 10; i++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turn % 3 != own)
            pthread_cond_wait(&shared->changed, &shared->mutex);
        shared->turn++;
        pthread_cond_broadcast(&shared->changed);
        pthread_mutex_unlock(&shared->mutex);
    }
    pthread_barrier_wait(&shared->barrier);
    for (int i = 0; i < 100; i++) {
        pthread_rwlock_wrlock(&shared->rwlock);
        shared->count++;
        pthread_rwlock_unlock(&shared->rwlock);
        pthread_rwlock_rdlock(&shared->rwlock);
        pthread_rwlock_unlock(&shared->rwlock);
    }
    sem_post(&shared->semaphore);
}

static void *again(int fd)
{
    /* Not where the parent has it. */
    return mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void test(struct shared *shared, int fd)
{
    make(shared);
    for (int i = 1; i < 3; i++)
        if (start_child() == 0) {
            struct shared *own = fd == -1 ? shared : again(fd);
            work(own, i);
            _exit(0);
        }
    work(shared, 0);
    for (int i = 0; i < 3; i++)
        NEED(sem_wait(&shared->semaphore));
    while (wait(NULL) > 0)
        ;
    printf("turn %d, count %d\n", shared->turn, shared->count);

    struct timespec time = soon(CLOCK_MONOTONIC);
    pthread_mutex_lock(&shared->mutex);
    NAME(pthread_cond_timedwait(&shared->changed, &shared->mutex, &time));
    time = soon(CLOCK_REALTIME);
    NAME(pthread_cond_clockwait(&shared->changed, &shared->mutex, CLOCK_REALTIME, &time));
    pid_t child = start_child();
    if (child == 0) {
        NAME(pthread_mutex_trylock(&shared->mutex));
        struct timespec until = soon(CLOCK_REALTIME);
        NAME(pthread_mutex_timedlock(&shared->mutex, &until));
        until = soon(CLOCK_MONOTONIC);
        NAME(pthread_mutex_clocklock(&shared->mutex, CLOCK_MONOTONIC, &until));
        until = soon(CLOCK_REALTIME);
        SHOW(sem_timedwait(&shared->semaphore, &until));
        until = soon(CLOCK_MONOTONIC);
        SHOW(sem_clockwait(&shared->semaphore, CLOCK_MONOTONIC, &until));
        NAME(pthread_rwlock_wrlock(&shared->rwlock));
        _exit(0);
    }
    show_child("child", child);
    pthread_mutex_unlock(&shared->mutex);
    time = soon(CLOCK_REALTIME);
    NAME(pthread_rwlock_timedrdlock(&shared->rwlock, &time));

    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        make_mutex(&shared->mutex, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, protocol);
        shared->turn = 0;
        child = start_child();
        if (child == 0) {
            struct shared *own = fd == -1 ? shared : again(fd);
            NAME(pthread_mutex_lock(&own->mutex));
            NAME(pthread_mutex_lock(&own->mutex));
            own->turn = 1;
            usleep(30000);
            kill(getpid(), SIGKILL);
        }
        while (*(volatile int *)&shared->turn == 0)
            usleep(1000);
        NAME(pthread_mutex_lock(&shared->mutex));
        show_child("owner", child);
        NAME(pthread_mutex_consistent(&shared->mutex));
        NAME(pthread_mutex_unlock(&shared->mutex));
        NAME(pthread_mutex_unlock(&shared->mutex));
        child = start_child();
        if (child == 0) {
            NAME(pthread_mutex_lock(&shared->mutex));
            _exit(0);
        }
        show_child("owner", child);
        NAME(pthread_mutex_trylock(&shared->mutex));
        NAME(pthread_mutex_unlock(&shared->mutex));
        NAME(pthread_mutex_lock(&shared->mutex));
    }
}

int main(void)
{
    puts("-- anonymous");
    test(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), -1);
    puts("-- a file");
    int fd = (int)NEED(open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600));
    NEED(ftruncate(fd, 8192));
    test(again(fd), fd);
    NEED(unlink("shared"));
    puts("-- a shared memory object");
    fd = (int)NEED(shm_open("/belljar-process-shared", O_RDWR | O_CREAT, 0600));
    NEED(shm_unlink("/belljar-process-shared"));
    NEED(ftruncate(fd, 8192));
    test(again(fd), fd);
    return 0;
}
