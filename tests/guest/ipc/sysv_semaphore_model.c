/* Random lists of semaphore operations by several processes, with waits, SEM_UNDO, IPC_NOWAIT and deaths, against a model:
   after every step the values, how many wait, and what each process is doing have to be those of the model, semop(2). */
#include "check.h"
#include <poll.h>
#include <sys/ipc.h>
#include <sys/sem.h>

enum { SEMAPHORES = 3, PROCESSES = 4, STEPS = 400, MOST = 3 };

struct list {
    int count;
    struct sembuf operations[MOST];
};

/* What the model knows of a process. */
static struct party {
    pid_t pid;
    int orders, answers;
    bool waits;
    long arrived;
    struct list list;
    int undo[SEMAPHORES];
} parties[PROCESSES];

static int set, values[SEMAPHORES];
static long arrivals;
static uint64_t state = 12345;

static unsigned random_below(unsigned limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % limit;
}

/* Follows orders until it is killed; answers with errno. */
static void obey(int orders, int answers)
{
    struct list list;
    while (read(orders, &list, sizeof list) == sizeof list) {
        int error = semop(set, list.operations, list.count) == 0 ? 0 : errno;
        NEED(write(answers, &error, sizeof error));
    }
    /* No SEM_UNDO at this end: it is killed. */
    _exit(0);
}

static void start(struct party *party)
{
    int orders[2], answers[2];
    NEED(pipe(orders));
    NEED(pipe(answers));
    *party = (struct party){.orders = orders[1], .answers = answers[0]};
    party->pid = start_child();
    if (party->pid == 0) {
        close(orders[1]), close(answers[0]);
        obey(orders[0], answers[1]);
    }
    close(orders[0]), close(answers[1]);
}

/* Does a list in the model if it is possible; else gives the operation that is in the way. */
static bool attempt(struct party *party, const struct list *list, int *obstacle)
{
    int after[SEMAPHORES], undo[SEMAPHORES];
    memcpy(after, values, sizeof after);
    memcpy(undo, party->undo, sizeof undo);
    for (int i = 0; i < list->count; i++) {
        const struct sembuf *operation = &list->operations[i];
        int *value = &after[operation->sem_num];
        *obstacle = i;
        if (operation->sem_op == 0 ? *value != 0 : *value + operation->sem_op < 0)
            return false;
        *value += operation->sem_op;
        if (operation->sem_flg & SEM_UNDO)
            undo[operation->sem_num] -= operation->sem_op;
    }
    memcpy(values, after, sizeof after);
    memcpy(party->undo, undo, sizeof undo);
    return true;
}

static void answered(struct party *party, int expected, long step, const char *what)
{
    int error = -1;
    struct pollfd poller = {party->answers, POLLIN, 0};
    if (poll(&poller, 1, 5000) != 1 || read(party->answers, &error, sizeof error) != sizeof error || error != expected) {
        printf("step %ld: %s: answer %d, expected %d\n", step, what, error, expected);
        exit(1);
    }
}

static bool only_waits_for_zero(const struct list *list)
{
    for (int i = 0; i < list->count; i++)
        if (list->operations[i].sem_op != 0)
            return false;
    return true;
}

/* Who waits and has become possible goes on, in the order in which it came: as long as any does. */
static void serve(long step)
{
    for (bool again = true; again;) {
        again = false;
        struct party *next = NULL;
        for (int i = 0; i < PROCESSES; i++) {
            struct party *party = &parties[i];
            int obstacle, before[SEMAPHORES], undo[SEMAPHORES];
            if (!party->waits)
                continue;
            memcpy(before, values, sizeof before);
            memcpy(undo, party->undo, sizeof undo);
            bool possible = attempt(party, &party->list, &obstacle);
            memcpy(values, before, sizeof before);
            memcpy(party->undo, undo, sizeof undo);
            /* Those that only wait for zero come before the others. */
            if (possible && (!next || (only_waits_for_zero(&party->list) && !only_waits_for_zero(&next->list))
                || (only_waits_for_zero(&party->list) == only_waits_for_zero(&next->list) && party->arrived < next->arrived)))
                next = party;
        }
        if (next) {
            int obstacle;
            attempt(next, &next->list, &obstacle);
            next->waits = false;
            answered(next, 0, step, "a waiting list");
            again = true;
        }
    }
}

/* Waits until as many sleep on each semaphore as in the model; natively a child needs a moment to begin to sleep. */
static void compare(long step)
{
    int growing[SEMAPHORES] = {0}, zero[SEMAPHORES] = {0};
    for (int i = 0; i < PROCESSES; i++) {
        struct party *party = &parties[i];
        if (!party->waits)
            continue;
        int obstacle, before[SEMAPHORES], undo[SEMAPHORES];
        memcpy(before, values, sizeof before);
        memcpy(undo, party->undo, sizeof undo);
        if (attempt(party, &party->list, &obstacle))
            printf("step %ld: the model is wrong\n", step), exit(1);
        memcpy(values, before, sizeof before);
        const struct sembuf *operation = &party->list.operations[obstacle];
        (operation->sem_op ? growing : zero)[operation->sem_num]++;
    }
    for (int rounds = 0;; rounds++) {
        bool same = true;
        for (int i = 0; i < SEMAPHORES; i++)
            same &= semctl(set, i, GETNCNT) == growing[i] && semctl(set, i, GETZCNT) == zero[i];
        for (int i = 0; i < SEMAPHORES; i++)
            same &= semctl(set, i, GETVAL) == values[i];
        if (same)
            return;
        if (rounds == 5000) {
            for (int i = 0; i < SEMAPHORES; i++)
                printf("step %ld semaphore %d: value %d of %d, %d of %d wait, %d of %d for zero\n", step, i, semctl(set, i, GETVAL),
                    values[i], semctl(set, i, GETNCNT), growing[i], semctl(set, i, GETZCNT), zero[i]);
            exit(1);
        }
        usleep(1000);
    }
}

static void order(struct party *party, long step)
{
    struct list list = {.count = 1 + random_below(MOST)};
    bool nowait = random_below(4) == 0;
    for (int i = 0; i < list.count; i++)
        list.operations[i] = (struct sembuf){
            .sem_num = random_below(SEMAPHORES),
            .sem_op = (short)((int)random_below(6) - 3),
            .sem_flg = (short)((random_below(2) ? SEM_UNDO : 0) | (nowait ? IPC_NOWAIT : 0)),
        };
    NEED(write(party->orders, &list, sizeof list));
    int obstacle;
    if (attempt(party, &list, &obstacle)) {
        answered(party, 0, step, "a list");
        serve(step);
    } else if (nowait) {
        answered(party, EAGAIN, step, "a list with IPC_NOWAIT");
    } else {
        party->list = list;
        party->waits = true;
        party->arrived = ++arrivals;
    }
}

/* A death: what it has promised to undo is undone, as far as values stay within their range. */
static void end(struct party *party, long step)
{
    NEED(kill(party->pid, SIGKILL));
    NEED(waitpid(party->pid, NULL, 0));
    close(party->orders), close(party->answers);
    party->waits = false;
    for (int i = 0; i < SEMAPHORES; i++) {
        values[i] += party->undo[i];
        if (values[i] < 0)
            values[i] = 0;
        party->undo[i] = 0;
    }
    serve(step);
    start(party);
}

int main(void)
{
    set = NEED(semget(IPC_PRIVATE, SEMAPHORES, 0600));
    for (int i = 0; i < PROCESSES; i++)
        start(&parties[i]);
    int deaths = 0, waits = 0;
    for (long step = 0; step < STEPS; step++) {
        struct party *party = &parties[random_below(PROCESSES)];
        if (party->waits ? random_below(3) == 0 : random_below(25) == 0) {
            end(party, step);
            deaths++;
        } else if (!party->waits) {
            order(party, step);
            waits += party->waits;
        }
        compare(step);
    }
    printf("%d steps as in the model, %d waits, %d deaths\n", STEPS, waits, deaths);
    NEED(semctl(set, 0, IPC_RMID));
    for (int i = 0; i < PROCESSES; i++) {
        if (parties[i].waits)
            answered(&parties[i], EIDRM, STEPS, "the set is removed");
        kill(parties[i].pid, SIGKILL);
        NEED(waitpid(parties[i].pid, NULL, 0));
    }
    return 0;
}
