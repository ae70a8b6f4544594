/* fault: a function that holds a mutex calls another that locks it again.
 * blame: the thread in pthread_mutex_lock on a mutex that it owns */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int count(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return 0;
}

int main(void)
{
    pthread_mutex_lock(&lock);
    return count();
}
