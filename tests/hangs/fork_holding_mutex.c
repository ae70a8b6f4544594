/* fault: a process forks while another of its threads holds a mutex; in the child that thread does not exist.
 * blame: the child in pthread_mutex_lock on a mutex whose owner is a thread of its parent */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t locked;

static void *hold(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    pthread_barrier_wait(&locked);
    pause();
    return NULL;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&locked, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&locked);
    if (fork() == 0) {
        pthread_mutex_lock(&lock);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
