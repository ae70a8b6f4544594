/* shmget(2), shmop(2), shmctl(2): sharing, addresses, permissions, removal at the last detach. */
#include "check.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static int id;

static void show_status(void)
{
    struct shmid_ds status;
    if (shmctl(id, IPC_STAT, &status) == -1) {
        printf("status: %s\n", strerrorname_np(errno));
        return;
    }
    printf("size %zu, attached %lu, mode %o, creator %s, last %s, times %d %d\n", status.shm_segsz,
           (unsigned long)status.shm_nattch, status.shm_perm.mode, status.shm_cpid == getpid() ? "own" : "other",
           status.shm_lpid == getpid() ? "own"
           : status.shm_lpid           ? "other"
                                       : "none",
           status.shm_atime != 0, status.shm_dtime != 0);
}

int main(void)
{
    puts("-- keys");
    SHOW(shmget(IPC_PRIVATE, 0, 0600));
    SHOW(shmget(IPC_PRIVATE, SIZE_MAX, 0600));
    key_t key = 0x5a5a1234;
    if ((id = shmget(key, 0, 0)) != -1)
        shmctl(id, IPC_RMID, NULL);
    SHOW(shmget(key, 100, 0));
    id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    SHOW(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600));
    CHECK(shmget(key, 0, 0) == id && shmget(key, 5000, 0) == id && shmget(key, 10, 0) == id);
    SHOW(shmget(key, 5001, 0));
    show_status();

    puts("-- attaching");
    char *at = shmat(id, NULL, 0);
    CHECK(at != (void *)-1 && (uintptr_t)at % 4096 == 0);
    show_status();
    CHECK(at[0] == 0 && at[4999] == 0);
    strcpy(at, "shared");
    char *again = shmat(id, NULL, SHM_RDONLY);
    CHECK(again != at && strcmp(again, "shared") == 0);
    show_status();
    SHOW((long)shmat(id, at, 0));
    SHOW((long)shmat(id, (void *)((uintptr_t)at + 100), 0));
    SHOW((long)shmat(id, NULL, SHM_REMAP));
    SHOW((long)shmat(id + 9999, NULL, 0));
    CHECK(shmat(id, again + 100, SHM_RND | SHM_REMAP) == again);
    again[10] = 'w';
    CHECK(at[10] == 'w');
    char *room = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(room, 1 << 20);
    CHECK(shmat(id, room + 8192 + 77, SHM_RND) == room + 8192);
    show_status();
    SHOW(shmdt(room + 8192 + 77));
    SHOW(shmdt(room));
    SHOW(shmdt(room + 8192));
    SHOW(shmdt(room + 8192));
    SHOW(shmdt(again));
    show_status();

    puts("-- fork, exit, unmapping");
    pid_t child = start_child();
    if (child == 0) {
        show_status();
        fflush(stdout);
        strcpy(at, "from the child");
        _exit(0);
    }
    show_child("child", child);
    puts(at);
    show_status();
    mprotect(at, 4096, PROT_READ);
    struct shmid_ds split;
    NEED(shmctl(id, IPC_STAT, &split));
    SHOW(split.shm_nattch);
    SHOW(shmdt(at));
    show_status();
    at = shmat(id, NULL, 0);
    puts(at);
    munmap(at, 8192);
    show_status();

    puts("-- changing");
    struct shmid_ds status;
    NEED(shmctl(id, IPC_STAT, &status));
    status.shm_perm.mode = 0440;
    SHOW(shmctl(id, IPC_SET, &status));
    show_status();
    SHOW(shmctl(id, SHM_LOCK, NULL));
    show_status();
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    SHOW(shmctl(id, 99, NULL));
    SHOW(shmctl(-1, IPC_STAT, &status));
    SHOW(shmctl(id, IPC_STAT, (void *)(intptr_t)8));

    puts("-- removal");
    at = shmat(id, NULL, SHM_RDONLY);
    char *second = shmat(id, NULL, SHM_RDONLY);
    SHOW(shmctl(id, IPC_RMID, NULL));
    show_status();
    SHOW(shmget(key, 0, 0));
    puts(at);
    char *third = shmat(id, NULL, SHM_RDONLY);
    CHECK(third != (void *)-1);
    SHOW(shmdt(at));
    SHOW(shmdt(second));
    show_status();
    SHOW(shmdt(third));
    show_status();
    SHOW((long)shmat(id, NULL, 0));
    int private = shmget(IPC_PRIVATE, 4096, 0600);
    SHOW(shmctl(private, IPC_RMID, NULL));
    SHOW(shmctl(private, IPC_RMID, NULL));
    struct shm_info info;
    CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)&info) >= 0);
    struct shminfo limits;
    CHECK(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0);
    printf("shmmin %lu shmmni %lu\n", limits.shmmin, limits.shmmni);
    return 0;
}
