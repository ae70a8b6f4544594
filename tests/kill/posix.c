/* POSIX: a full and an empty queue with notification, a robust mutex and a mutex with priority inheritance shared by
   processes, a condition variable, a semaphore. Prints nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t robust, inheriting;
    pthread_cond_t changed;
    sem_t semaphore;
    int turn;
};

static void lock(pthread_mutex_t *mutex)
{
    if (pthread_mutex_lock(mutex) == EOWNERDEAD)
        pthread_mutex_consistent(mutex);
}

int main(void)
{
    struct shared *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->robust, &attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&shared->inheriting, &attributes);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->changed, &condition);
    sem_init(&shared->semaphore, 1, 0);
    struct mq_attr size = {.mq_maxmsg = 2, .mq_msgsize = 16};
    mqd_t queue = mq_open("/kill-queue", O_RDWR | O_CREAT, 0600, &size);
    mq_unlink("/kill-queue");
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            char text[16];
            lock(&shared->inheriting);
            usleep(10);
            pthread_mutex_unlock(&shared->inheriting);
            for (int j = 0; j < 2; j++)
                mq_send(queue, "x", 1, j);
            lock(&shared->robust);
            while (shared->turn == 0)
                pthread_cond_wait(&shared->changed, &shared->robust);
            pthread_mutex_unlock(&shared->robust);
            sem_post(&shared->semaphore);
            mq_receive(queue, text, sizeof text, NULL);
            _exit(0);
        }
    }
    char text[16];
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    mq_notify(queue, &event);
    for (int i = 0; i < 4; i++)
        mq_receive(queue, text, sizeof text, NULL);
    lock(&shared->robust);
    shared->turn = 1;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->robust);
    sem_wait(&shared->semaphore);
    sem_wait(&shared->semaphore);
    mq_send(queue, "y", 1, 0);
    mq_send(queue, "y", 1, 0);
    wait(NULL);
    wait(NULL);
    return 0;
}
