/* ipc KIND N: what docs/performance-ipc.md measures. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>
#include <mqueue.h>
#include <sys/wait.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/epoll.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#define DIE(c) do { if ((c) == -1) { perror(#c); exit(1);} } while (0)
static unsigned go;
static void *sleeper(void *unused) { syscall(SYS_futex, &go, FUTEX_WAIT, 0, 0, 0, 0); return unused; }
int main(int argc, char **argv) {
    const char *kind = argv[1]; int n = atoi(argv[2]); char c;
    struct rlimit r = {1<<20, 1<<20}; setrlimit(RLIMIT_NOFILE, &r);
    if (!strcmp(kind, "processes")) {
        int p[2]; DIE(pipe(p));
        for (int i = 0; i < n; i++) { pid_t pid; DIE(pid = fork()); if (!pid) { close(p[1]); read(p[0], &c, 1); _exit(0);} }
        close(p[1]); while (wait(0) > 0);
    } else if (!strcmp(kind, "descriptors")) {
        int *p = malloc(8 * n);
        for (int i = 0; i < n / 2; i++) DIE(pipe(p + 2 * i));
        for (int i = 0; i < n / 2; i++) { write(p[2*i+1], "x", 1); read(p[2*i], &c, 1);}
        for (int i = 0; i < n; i++) close(p[i]);
    } else if (!strcmp(kind, "epoll")) {
        int e = epoll_create1(0); int *p = malloc(8 * n);
        for (int i = 0; i < n / 2; i++) { DIE(pipe(p + 2 * i)); struct epoll_event ev = {EPOLLIN, {.fd = p[2*i]}}; DIE(epoll_ctl(e, EPOLL_CTL_ADD, p[2*i], &ev)); }
        for (int i = 0; i < n / 2; i++) { struct epoll_event ev; write(p[2*i+1], "x", 1); epoll_wait(e, &ev, 1, -1); read(p[2*i], &c, 1);}
        for (int i = 0; i < n; i++) close(p[i]);
    } else if (!strcmp(kind, "queues")) {
        int *q = malloc(4 * n); struct {long t; char b[8];} m = {1, "abc"};
        for (int i = 0; i < n; i++) DIE(q[i] = msgget(IPC_PRIVATE, 0600));
        for (int i = 0; i < n; i++) { DIE(msgsnd(q[i], &m, 8, 0)); DIE(msgrcv(q[i], &m, 8, 0, 0)); }
        for (int i = 0; i < n; i++) DIE(msgctl(q[i], IPC_RMID, 0));
    } else if (!strcmp(kind, "keyed")) {
        for (int i = 0; i < n; i++) DIE(semget(i + 1, 1, 0600 | IPC_CREAT));
        for (int i = 0; i < n; i++) { int id; DIE(id = semget(i + 1, 1, 0600)); DIE(semctl(id, 0, IPC_RMID)); }
    } else if (!strcmp(kind, "posixqueues")) {
        char name[20]; mqd_t *q = malloc(4 * n); struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 8};
        for (int i = 0; i < n; i++) { sprintf(name, "/q%d", i); q[i] = mq_open(name, O_RDWR|O_CREAT, 0600, &a); if (q[i] == -1) { perror(name); return 1; } }
        for (int i = 0; i < n; i++) { DIE(mq_send(q[i], "a", 1, 0)); char b[8]; DIE(mq_receive(q[i], b, 8, 0)); }
        for (int i = 0; i < n; i++) { sprintf(name, "/q%d", i); mq_unlink(name); close(q[i]); }
    } else if (!strcmp(kind, "semwaiters")) {
        int s = semget(IPC_PRIVATE, 1, 0600);
        struct sembuf p = {0, -1, 0}, v = {0, 1, 0};
        for (int i = 0; i < n; i++) if (!fork()) { semop(s, &p, 1); _exit(0); }
        for (int i = 0; i < n; i++) semop(s, &v, 1);
        while (wait(0) > 0);
        semctl(s, 0, IPC_RMID);
    } else if (!strcmp(kind, "undo")) {
        int s = semget(IPC_PRIVATE, 1, 0600);
        struct sembuf v = {0, 1, SEM_UNDO};
        int p[2]; DIE(pipe(p));
        for (int i = 0; i < n; i++) if (!fork()) { close(p[1]); semop(s, &v, 1); read(p[0], &c, 1); _exit(0); }
        close(p[1]);
        while (wait(0) > 0);
        semctl(s, 0, IPC_RMID);
    } else if (!strcmp(kind, "msgwaiters")) {
        int q = msgget(IPC_PRIVATE, 0600); struct {long t; char b[8];} m = {1, "abc"};
        for (int i = 0; i < n; i++) if (!fork()) { msgrcv(q, &m, 8, 0, 0); _exit(0); }
        for (int i = 0; i < n; i++) DIE(msgsnd(q, &m, 8, 0));
        while (wait(0) > 0);
        msgctl(q, IPC_RMID, 0);
    } else if (!strcmp(kind, "msgsenders")) {
        int q = msgget(IPC_PRIVATE, 0600); static struct {long t; char b[8000];} m = {1, "abc"};
        for (int i = 0; i < n; i++) if (!fork()) { msgsnd(q, &m, 8000, 0); _exit(0); }
        for (int i = 0; i < n; i++) DIE(msgrcv(q, &m, 8000, 0, 0));
        while (wait(0) > 0);
        msgctl(q, IPC_RMID, 0);
    } else if (!strcmp(kind, "pipewriters")) {
        int p[2]; DIE(pipe(p)); static char b[4096];
        for (int i = 0; i < n; i++) if (!fork()) { write(p[1], b, 4096); _exit(0); }
        for (int i = 0; i < n; i++) read(p[0], b, 4096);
        while (wait(0) > 0);
    } else if (!strcmp(kind, "futexwaiters")) {
        unsigned *f = mmap(0, 4096, 3, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < n; i++) if (!fork()) { syscall(SYS_futex, f, FUTEX_WAIT, 0, 0, 0, 0); _exit(0); }
        for (int i = 0; i < n; ) { int k = syscall(SYS_futex, f, FUTEX_WAKE, 1, 0, 0, 0); i += k; if (!k) sched_yield(); }
        while (wait(0) > 0);
    } else if (!strcmp(kind, "threads")) {
        pthread_t *t = malloc(n * sizeof *t); pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 16384);
        for (int i = 0; i < n; i++) if (pthread_create(&t[i], &a, sleeper, 0)) { fputs("pthread_create\n", stderr); return 1; }
        go = 1; for (int i = 0; i < n; ) { int k = syscall(SYS_futex, &go, FUTEX_WAKE, 1, 0, 0, 0); i += k; if (!k) break; }
        for (int i = 0; i < n; i++) pthread_join(t[i], 0);
    } else if (!strcmp(kind, "areas")) {
        char *p = mmap(0, 8192L * n, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) { perror("mmap"); return 1; }
        for (int i = 0; i < n; i++) { DIE(mprotect(p + 8192L * i, 4096, 3)); p[8192L * i] = 1; }
        for (int i = 0; i < n; i++) DIE(munmap(p + 8192L * i, 8192));
    } else if (!strcmp(kind, "timers")) {
        timer_t *t = malloc(n * sizeof *t); struct sigevent e = {.sigev_notify = SIGEV_NONE}; struct itimerspec s = {.it_value = {1000, 0}};
        for (int i = 0; i < n; i++) { DIE(timer_create(CLOCK_MONOTONIC, &e, &t[i])); s.it_value.tv_nsec = i; DIE(timer_settime(t[i], 0, &s, 0)); }
        for (int i = 0; i < n; i++) DIE(timer_delete(t[i]));
    } else if (!strcmp(kind, "blocks")) {
        /* Functions of 64 bytes, in pages of their own: mov eax,i ; ret */
        unsigned char *p = mmap(0, 64L * n + 4096, 7, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) { perror("mmap"); return 1; }
        for (int i = 0; i < n; i++) { p[64L * i] = 0xb8; memcpy(p + 64L * i + 1, &i, 4); p[64L * i + 5] = 0xc3; }
        for (int round = 0; round < 10; round++) for (int i = 0; i < n; i++) if (((int (*)(void))(p + 64L * i))() != i) return 1;
    } else if (!strcmp(kind, "segments")) {
        int *q = malloc(4 * n); void **a = malloc(8 * n);
        for (int i = 0; i < n; i++) { DIE(q[i] = shmget(IPC_PRIVATE, 4096, 0600)); a[i] = shmat(q[i], 0, 0); if (a[i] == (void*)-1) { perror("shmat"); return 1; } *(char *)a[i] = 1; }
        for (int i = 0; i < n; i++) { DIE(shmctl(q[i], IPC_RMID, 0)); DIE(shmdt(a[i])); }
    }
    return 0;
}
