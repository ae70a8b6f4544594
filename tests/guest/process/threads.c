/* clone(2) as pthread_create uses it, exit of threads and of the group, thread-local storage. */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread int own;
static int turn;

static void *add(void *argument)
{
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    own += (int)(intptr_t)argument;
    return (void *)(intptr_t)own;
}

static void *take_turns(void *argument)
{
    int me = (int)(intptr_t)argument;
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 3 != me)
            pthread_cond_wait(&changed, &lock);
        printf("turn %d: thread %d\n", turn, me);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *sleep_long(void *argument)
{
    (void)argument;
    for (;;)
        pause();
}

int main(void)
{
    pthread_t threads[8];
    own = 100;
    for (int i = 0; i < 8; i++)
        NEED(pthread_create(&threads[i], NULL, add, (void *)(intptr_t)i) == 0 ? 0 : -1);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("thread %d returns %ld\n", i, (long)(intptr_t)result);
    }
    printf("counter %ld, own %d\n", counter, own);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, take_turns, (void *)(intptr_t)i);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);

    CHECK(gettid() == getpid());
    SHOW(pthread_create(&threads[0], NULL, sleep_long, NULL));
    SHOW(pthread_cancel(threads[0]));
    void *result;
    SHOW(pthread_join(threads[0], &result));
    CHECK(result == PTHREAD_CANCELED);

    /* exit ends all threads; fork copies only the caller. */
    pid_t pid = start_child();
    if (pid == 0) {
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, sleep_long, NULL);
        if (fork() == 0)
            _exit(12);
        int status;
        wait(&status);
        exit(WEXITSTATUS(status));
    }
    show_child("process with sleeping threads", pid);

    /* The process outlives its first thread. */
    pid = start_child();
    if (pid == 0) {
        pthread_create(&threads[0], NULL, add, NULL);
        pthread_exit(NULL);
    }
    show_child("process whose first thread ended", pid);

    /* A signal that kills, kills all. */
    pid = start_child();
    if (pid == 0) {
        pthread_create(&threads[0], NULL, sleep_long, NULL);
        pthread_kill(threads[0], SIGTERM);
        sleep_long(NULL);
    }
    show_child("process with a killed thread", pid);
    return 0;
}
