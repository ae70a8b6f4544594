/* System V: messages handed over, a full queue, operations with undo, waits for zero, a segment removed while attached.
   Prints nothing. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    struct {
        long type;
        char text[6000];
    } message = {1, ""};
    int queue = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 2, 0600);
    int segment = shmget(IPC_PRIVATE, 8192, 0600);
    volatile char *memory = shmat(segment, NULL, 0);
    struct sembuf take[2] = {{0, -1, SEM_UNDO}, {1, 1, 0}}, give = {0, 1, SEM_UNDO}, zero = {1, 0, 0}, down = {1, -1, 0};
    semctl(set, 0, SETVAL, 1);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            semop(set, take, 2);
            memory[0]++;
            semop(set, &down, 1);
            semop(set, &give, 1);
            for (int j = 0; j < 2; j++)
                msgsnd(queue, &message, sizeof message.text, 0);
            msgrcv(queue, &message, sizeof message.text, 7, 0);
            shmdt((void *)memory);
            _exit(0);
        }
    }
    semop(set, &zero, 1);
    shmctl(segment, IPC_RMID, NULL);
    for (int i = 0; i < 4; i++)
        msgrcv(queue, &message, sizeof message.text, 1, 0);
    message.type = 7;
    msgsnd(queue, &message, 10, 0);
    msgsnd(queue, &message, 10, 0);
    wait(NULL);
    wait(NULL);
    msgctl(queue, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    return 0;
}
