/* semget(2), semop(2), semctl(2): sets, lists of operations, waiting, undo, removal. */
#include "check.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static void *volatile bad = (void *)8;
union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int set;

static int op(int number, int change, int flags)
{
    struct sembuf operation = {(unsigned short)number, (short)change, (short)flags};
    return semop(set, &operation, 1);
}

static void show_values(void)
{
    unsigned short values[3];
    NEED(semctl(set, 0, GETALL, (union semun){.array = values}));
    printf("values %d %d %d, waiting n %d %d z %d %d\n", values[0], values[1], values[2], semctl(set, 0, GETNCNT),
           semctl(set, 1, GETNCNT), semctl(set, 0, GETZCNT), semctl(set, 1, GETZCNT));
}

static void handler(int signal)
{
    (void)signal;
}

int main(void)
{
    struct semid_ds status;
    puts("-- keys");
    SHOW(semget(IPC_PRIVATE, 0, 0600));
    SHOW(semget(IPC_PRIVATE, -1, 0600));
    SHOW(semget(IPC_PRIVATE, 32001, 0600));
    key_t key = 0x1234abcd;
    if ((set = semget(key, 0, 0)) != -1)
        semctl(set, 0, IPC_RMID);
    SHOW(semget(key, 3, 0));
    set = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(set >= 0);
    SHOW(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
    CHECK(semget(key, 0, 0) == set && semget(key, 3, 0) == set);
    SHOW(semget(key, 4, 0));
    SHOW(semctl(set, 0, IPC_STAT, (union semun){.buf = &status}));
    printf("mode %o, %lu semaphores, operated %d\n", status.sem_perm.mode, (unsigned long)status.sem_nsems,
           status.sem_otime != 0);

    puts("-- values");
    show_values();
    SHOW(semctl(set, 0, SETVAL, (union semun){.val = 5}));
    SHOW(semctl(set, 0, SETVAL, (union semun){.val = -1}));
    SHOW(semctl(set, 0, SETVAL, (union semun){.val = 32768}));
    SHOW(semctl(set, 3, SETVAL, (union semun){.val = 1}));
    SHOW(semctl(set, -1, GETVAL));
    SHOW(semctl(set, 0, GETVAL));
    SHOW((semctl(set, 0, GETPID) == getpid()));
    SHOW(semctl(set, 1, GETPID));
    unsigned short values[3] = {1, 2, 3};
    SHOW(semctl(set, 0, SETALL, (union semun){.array = values}));
    values[1] = 40000;
    SHOW(semctl(set, 0, SETALL, (union semun){.array = values}));
    SHOW(semctl(set, 0, SETALL, (union semun){.array = bad}));
    show_values();
    SHOW(semctl(set, 0, 99));
    SHOW(semctl(-1, 0, GETVAL));
    SHOW(semctl(set + 12345, 0, GETVAL));

    puts("-- operations");
    SHOW(op(0, 2, 0));
    SHOW(op(0, -3, 0));
    SHOW(op(0, 0, 0));
    SHOW(op(0, -1, IPC_NOWAIT));
    SHOW(op(1, 0, IPC_NOWAIT));
    SHOW(op(3, 1, 0));
    SHOW(op(1, 32767, 0));
    struct sembuf list[4] = {{1, -2, 0}, {2, -4, IPC_NOWAIT}, {0, 1, 0}, {0, 0, IPC_NOWAIT}};
    SHOW(semop(set, list, 2));
    show_values();
    list[1].sem_op = -3;
    SHOW(semop(set, list, 3));
    show_values();
    SHOW(semop(set, list + 2, 2));
    SHOW(semop(set, list, 0));
    SHOW(semop(set, list, 501));
    SHOW(semop(set, bad, 1));
    SHOW(semop(-1, list, 1));
    struct sembuf exchange[4] = {{0, -1, 0}, {0, 0, 0}, {0, 5, 0}, {0, -2, 0}};
    SHOW(semop(set, exchange, 4));
    show_values();

    puts("-- waiting");
    struct timespec time = {0, 20000000};
    struct sembuf take = {1, -1, 0};
    SHOW(semtimedop(set, &take, 1, &time));
    SHOW(semtimedop(set, &take, 1, &(struct timespec){0, -1}));
    show_values();
    pid_t child = start_child();
    if (child == 0) {
        usleep(100000);
        show_values();
        fflush(stdout);
        NEED(op(1, 1, 0));
        _exit(0);
    }
    SHOW(op(1, -1, 0));
    show_child("giver", child);
    child = start_child();
    if (child == 0) {
        usleep(100000);
        show_values();
        fflush(stdout);
        NEED(op(0, -3, 0));
        _exit(0);
    }
    SHOW(op(0, 0, 0));
    SHOW((semctl(set, 0, GETPID) == getpid()));
    show_child("taker", child);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    SHOW(op(1, -1, 0));
    show_values();

    puts("-- first come, first served");
    pid_t waiters[3];
    for (int i = 0; i < 3; i++) {
        waiters[i] = start_child();
        if (waiters[i] == 0) {
            NEED(op(2, -1 - i, 0));
            NEED(op(1, 1, 0));
            _exit(0);
        }
        usleep(50000);
    }
    SHOW(semctl(set, 2, GETNCNT));
    SHOW(op(2, 3, 0));
    NEED(op(1, -2, 0));
    SHOW(semctl(set, 2, GETVAL));
    SHOW(op(2, 3, 0));
    NEED(op(1, -1, 0));
    for (int i = 0; i < 3; i++)
        show_child("waiter", waiters[i]);

    puts("-- undo");
    values[0] = 5, values[1] = 0, values[2] = 1;
    NEED(semctl(set, 0, SETALL, (union semun){.array = values}));
    child = start_child();
    if (child == 0) {
        NEED(op(0, -2, SEM_UNDO));
        NEED(op(1, 4, SEM_UNDO));
        NEED(op(2, -1, 0));
        NEED(op(0, -1, SEM_UNDO));
        show_values();
        fflush(stdout);
        _exit(0);
    }
    show_child("child", child);
    show_values();
    child = start_child();
    if (child == 0) {
        NEED(op(0, -5, SEM_UNDO));
        NEED(semctl(set, 0, SETVAL, (union semun){.val = 7}));
        NEED(op(1, 3, SEM_UNDO));
        raise(SIGKILL);
    }
    show_child("child", child);
    show_values();
    SHOW(op(0, -7, 0));
    child = start_child();
    if (child == 0) {
        NEED(op(0, 1, SEM_UNDO));
        _exit(0);
    }
    usleep(50000);
    show_child("child", child);
    show_values();
    SHOW(op(0, 32767, SEM_UNDO));
    SHOW(op(0, -32767, SEM_UNDO));

    puts("-- removal wakes");
    child = start_child();
    if (child == 0) {
        SHOW(op(0, -1, 0));
        _exit(0);
    }
    usleep(100000);
    SHOW(semctl(set, 0, IPC_RMID));
    show_child("waiter", child);
    SHOW(op(0, 1, 0));
    struct seminfo info;
    CHECK(semctl(0, 0, IPC_INFO, (union semun){.info = &info}) >= 0);
    printf("semmni %d semmsl %d semmns %d semopm %d semvmx %d\n", info.semmni, info.semmsl, info.semmns, info.semopm,
           info.semvmx);
    return 0;
}
