/* fault: five philosophers take their left forks and then wait for their right ones, all at once.
 * blame: five processes in a circle, each in semop on the semaphore that its neighbour took */
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 5 };

static void take(int forks, int number)
{
    struct sembuf take = { number, -1, 0 };
    semop(forks, &take, 1);
}

int main(void)
{
    int forks = semget(IPC_PRIVATE, COUNT + 1, IPC_CREAT | 0600);
    for (int i = 0; i < COUNT; i++)
        semctl(forks, i, SETVAL, 1);
    semctl(forks, COUNT, SETVAL, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (fork() == 0) {
            take(forks, i);
            /* Everybody has a fork before anybody goes on. */
            struct sembuf arrive[] = { { COUNT, -1, 0 } }, all = { COUNT, 0, 0 };
            semop(forks, arrive, 1);
            semop(forks, &all, 1);
            take(forks, (i + 1) % COUNT);
            return 0;
        }
    while (wait(NULL) > 0)
        ;
    return 0;
}
