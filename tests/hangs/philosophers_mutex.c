/* fault: three threads take two mutexes each, in a circle.
 * blame: three threads in pthread_mutex_lock, each on a mutex that the next one owns */
#include <pthread.h>

enum { COUNT = 3 };

static pthread_mutex_t forks[COUNT];
static pthread_barrier_t table;

static void *eat(void *argument)
{
    long self = (long)argument;
    pthread_mutex_lock(&forks[self]);
    pthread_barrier_wait(&table);
    pthread_mutex_lock(&forks[(self + 1) % COUNT]);
    return NULL;
}

int main(void)
{
    pthread_t threads[COUNT];
    pthread_barrier_init(&table, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        pthread_mutex_init(&forks[i], NULL);
    for (long i = 0; i < COUNT; i++)
        pthread_create(&threads[i], NULL, eat, (void *)i);
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
