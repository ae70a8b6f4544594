/* fault: the signal is given before the other thread waits, and the condition is not tested under the mutex.
 * blame: main in pthread_cond_wait; the thread that would signal has ended */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;

static void *announce(void *unused)
{
    (void)unused;
    pthread_cond_signal(&ready);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, announce, NULL);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&ready, &lock);
    return 0;
}
