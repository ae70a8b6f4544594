/* sysvipc(7): limits read and written through /proc/sys/kernel, what the INFO commands say, identifiers, /proc/sysvipc, and
   IPC namespaces. Everything happens in a namespace of its own, which only root can make. */
#include "check.h"
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static void put(const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "/proc/sys/kernel/%s", name);
    int fd = open(path, O_WRONLY);
    ssize_t count = fd == -1 ? -1 : write(fd, text, strlen(text));
    printf("%s <- %s: %s\n", name, text, count == -1 ? strerrorname_np(errno) : "ok");
    if (fd != -1)
        close(fd);
}

static const char *const names[] = {"auto_msgmni", "msg_next_id", "msgmax", "msgmnb", "msgmni", "sem", "sem_next_id",
                                    "shm_next_id", "shm_rmid_forced", "shmall", "shmmax", "shmmni"};

static void show_limits(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[100];
        snprintf(path, sizeof path, "/proc/sys/kernel/%s", names[i]);
        struct stat status;
        NEED(stat(path, &status));
        printf("%o ", status.st_mode);
        show_file(path);
    }
}

static void show_info(void)
{
    struct msginfo msg;
    SHOW(msgctl(0, IPC_INFO, (struct msqid_ds *)&msg));
    printf("msg %d %d %d %d %d %d %d %d\n", msg.msgpool, msg.msgmap, msg.msgmax, msg.msgmnb, msg.msgmni, msg.msgssz,
           msg.msgtql, msg.msgseg);
    SHOW(msgctl(0, MSG_INFO, (struct msqid_ds *)&msg));
    printf("msg %d %d %d %d %d %d %d %d\n", msg.msgpool, msg.msgmap, msg.msgmax, msg.msgmnb, msg.msgmni, msg.msgssz,
           msg.msgtql, msg.msgseg);
    struct seminfo sem;
    for (int command = IPC_INFO; command; command = command == IPC_INFO ? SEM_INFO : 0) {
        SHOW(semctl(0, 0, command, (union semun){.info = &sem}));
        printf("sem %d %d %d %d %d %d %d %d %d %d\n", sem.semmap, sem.semmni, sem.semmns, sem.semmnu, sem.semmsl,
               sem.semopm, sem.semume, sem.semusz, sem.semvmx, sem.semaem);
    }
    struct shminfo shm;
    SHOW(shmctl(0, IPC_INFO, (struct shmid_ds *)&shm));
    printf("shm %lu %lu %lu %lu %lu\n", shm.shmmax, shm.shmmin, shm.shmmni, shm.shmseg, shm.shmall);
    struct shm_info used;
    SHOW(shmctl(0, SHM_INFO, (struct shmid_ds *)&used));
    printf("shm %d %lu %lu %lu\n", used.used_ids, used.shm_tot, used.shm_rss, used.shm_swp);
}

/* Prints /proc/sysvipc/NAME with `#` for each column that holds numbers of processes or times: from `from` to `to`. */
static void show_listing(const char *name, const char *masked)
{
    char path[100], line[400];
    snprintf(path, sizeof path, "/proc/sysvipc/%s", name);
    FILE *file = fopen(path, "r");
    for (int row = 0; fgets(line, sizeof line, file); row++) {
        if (row == 0) {
            printf("%s", line);
            continue;
        }
        printf("length %zu:", strlen(line));
        int column = 0;
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"), column++)
            printf(" %s", strchr(masked, 'a' + column) && strcmp(word, "0") ? "#" : word);
        printf("\n");
    }
    fclose(file);
}

struct message {
    long type;
    char text[100];
};

int main(void)
{
    char link[2][60] = {"", ""};
    NEED(readlink("/proc/self/ns/ipc", link[0], 59));
    int outside = (int)NEED(msgget(IPC_PRIVATE, 0600));
    if (unshare(CLONE_NEWIPC) == -1) {
        printf("no namespace: %s\n", strerrorname_np(errno));
        msgctl(outside, IPC_RMID, NULL);
        return 0;
    }
    NEED(readlink("/proc/self/ns/ipc", link[1], 59));
    CHECK(strcmp(link[0], link[1]) != 0);
    CHECK(strncmp(link[1], "ipc:[", 5) == 0);
    struct msqid_ds queue;
    puts("-- defaults");
    show_limits();
    show_info();

    puts("-- identifiers");
    for (int i = 0; i < 70; i++) {
        int id = msgget(IPC_PRIVATE, 0600);
        printf("%d ", id);
        msgctl(id, IPC_RMID, NULL);
    }
    printf("\n");
    put("msg_next_id", "100000");
    show_file("/proc/sys/kernel/msg_next_id");
    SHOW(msgget(IPC_PRIVATE, 0600));
    show_file("/proc/sys/kernel/msg_next_id");
    SHOW(msgget(IPC_PRIVATE, 0600));
    put("msg_next_id", "100000");
    SHOW(msgget(IPC_PRIVATE, 0600));
    put("sem_next_id", "7");
    SHOW(semget(IPC_PRIVATE, 3, 0600));
    put("shm_next_id", "-1");
    put("shm_next_id", "65536");
    SHOW(shmget(IPC_PRIVATE, 5000, 0640));
    show_info();
    SHOW(msgctl(99, MSG_STAT, &queue));
    SHOW(msgctl(1696, MSG_STAT, &queue));
    SHOW(msgctl(1696, MSG_STAT_ANY, &queue));
    SHOW(msgctl(100000, IPC_STAT | 0x100, &queue));

    puts("-- listings");
    struct message message = {5, "hello"};
    SHOW(msgsnd(100000, &message, 6, 0));
    SHOW(msgsnd(100000, &message, 60, 0));
    SHOW(msgrcv(100000, &message, 100, 0, 0));
    struct sembuf up = {1, 1, 0};
    SHOW(semop(7, &up, 1));
    char *memory = shmat(65536, NULL, 0);
    memory[0] = 1;
    show_listing("msg", "fglmn");
    show_listing("sem", "ij");
    show_listing("shm", "efklmn");
    SHOW(shmctl(65536, IPC_RMID, NULL));
    show_listing("shm", "efklmn");
    SHOW(shmdt(memory));
    show_listing("shm", "efklmn");

    puts("-- limits in force");
    put("msgmni", "3");
    SHOW(msgget(IPC_PRIVATE, 0600));
    put("msgmni", "32769");
    put("msgmni", "x");
    put("msgmax", "50");
    SHOW(msgsnd(100000, &message, 51, 0));
    SHOW(msgsnd(100000, &message, 50, 0));
    put("msgmax", "-1");
    put("msgmnb", "10");
    put("msgmni", "32000");
    int small = (int)TRY(msgget(IPC_PRIVATE, 0600));
    SHOW(msgsnd(small, &message, 11, IPC_NOWAIT));
    SHOW(msgsnd(small, &message, 10, IPC_NOWAIT));
    put("sem", "5");
    show_file("/proc/sys/kernel/sem");
    SHOW(semget(IPC_PRIVATE, 6, 0600));
    put("sem", "5 9 2 4");
    TRY(semget(IPC_PRIVATE, 5, 0600));
    SHOW(semget(IPC_PRIVATE, 2, 0600));
    struct sembuf three[3] = {{0, 1, 0}, {0, 1, 0}, {0, 1, 0}};
    SHOW(semop(7, three, 3));
    put("sem", "32000 1024000000 500 32769");
    show_file("/proc/sys/kernel/sem");
    put("shmmax", "8192");
    SHOW(shmget(IPC_PRIVATE, 8193, 0600));
    put("shmall", "3");
    TRY(shmget(IPC_PRIVATE, 8192, 0600));
    SHOW(shmget(IPC_PRIVATE, 4097, 0600));
    put("shmall", "18446744073692774399");
    put("shmmni", "1");
    SHOW(shmget(IPC_PRIVATE, 1, 0600));
    put("shmmni", "4096");
    show_limits();
    show_info();

    puts("-- orphans");
    pid_t child = start_child();
    if (child == 0) {
        NEED(shmget(0x1234, 100, 0600 | IPC_CREAT));
        _exit(0);
    }
    show_child("maker", child);
    TRY(shmget(0x1234, 0, 0));
    put("shm_rmid_forced", "2");
    put("shm_rmid_forced", "1");
    SHOW(shmget(0x1234, 0, 0));
    child = start_child();
    if (child == 0) {
        NEED(shmget(0x1234, 100, 0600 | IPC_CREAT));
        _exit(0);
    }
    show_child("maker", child);
    SHOW(shmget(0x1234, 0, 0));
    int own = (int)TRY(shmget(0x1234, 100, 0600 | IPC_CREAT));
    memory = shmat(own, NULL, 0);
    SHOW(shmdt(memory));
    SHOW(shmget(0x1234, 0, 0));

    puts("-- another namespace");
    TRY(msgget(0x77, 0600 | IPC_CREAT));
    child = start_child();
    if (child == 0) {
        SHOW(unshare(CLONE_NEWIPC));
        SHOW(msgget(0x77, 0600));
        SHOW(semget(0x77, 1, 0600 | IPC_CREAT));
        show_file("/proc/sys/kernel/sem");
        int id = (int)NEED(shmget(0x78, 4096, 0600 | IPC_CREAT));
        char *kept = shmat(id, NULL, 0);
        strcpy(kept, "kept");
        SHOW(unshare(CLONE_NEWIPC));
        SHOW(shmget(0x78, 0, 0600));
        printf("%s\n", kept);
        SHOW(shmdt(kept));
        fflush(stdout);
        _exit(0);
    }
    show_child("child", child);
    TRY(msgget(0x77, 0600));

    puts("-- without privileges");
    child = start_child();
    if (child == 0) {
        NEED(setgid(65534));
        NEED(setuid(65534));
        put("msgmax", "10");
        put("msg_next_id", "10");
        SHOW(unshare(CLONE_NEWIPC));
        SHOW(msgget(0x77, 0600));
        SHOW(msgctl(100000, IPC_STAT, &queue));
        SHOW(msgctl(1696, MSG_STAT, &queue));
        SHOW(msgctl(1696, MSG_STAT_ANY, &queue));
        SHOW(msgctl(100000, IPC_RMID, NULL));
        SHOW(msgctl(100000, IPC_SET, &queue));
        SHOW(msgsnd(100000, &message, 1, IPC_NOWAIT));
        SHOW(msgrcv(100000, &message, 1, 0, IPC_NOWAIT));
        SHOW(semop(7, &up, 1));
        SHOW(semctl(7, 0, GETVAL));
        show_listing("sem", "ij");
        fflush(stdout);
        _exit(0);
    }
    show_child("nobody", child);
    NEED(msgctl(100000, IPC_STAT, &queue));
    queue.msg_perm.uid = 65534;
    queue.msg_perm.mode = 0222;
    queue.msg_qbytes = 10;
    SHOW(msgctl(100000, IPC_SET, &queue));
    queue.msg_perm.uid = -1;
    SHOW(msgctl(100000, IPC_SET, &queue));
    child = start_child();
    if (child == 0) {
        NEED(setuid(65534));
        SHOW(msgctl(100000, IPC_STAT, &queue));
        SHOW(msgsnd(100000, &message, 1, IPC_NOWAIT));
        SHOW(msgrcv(100000, &message, 1, 0, IPC_NOWAIT));
        queue.msg_qbytes = 100000;
        queue.msg_perm.uid = 65534;
        SHOW(msgctl(100000, IPC_SET, &queue));
        SHOW(msgctl(100000, IPC_RMID, NULL));
        fflush(stdout);
        _exit(0);
    }
    show_child("owner", child);
    return 0;
}
