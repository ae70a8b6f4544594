/* msgget(2), msgop(2), msgctl(2): keys, selections, limits, blocking, removal. */
#include "check.h"
#include <sys/ipc.h>
#include <sys/msg.h>

static void *volatile bad = (void *)8;
static struct {
    long type;
    char text[9000];
} message;

static int send(int id, long type, const char *text, int flags)
{
    message.type = type;
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text), flags);
}

static void receive(int id, long type, size_t size, int flags)
{
    memset(&message, 0, sizeof message);
    ssize_t length = msgrcv(id, &message, size, type, flags);
    if (length == -1)
        printf("receive %ld: %s\n", type, strerrorname_np(errno));
    else
        printf("receive %ld: %zd bytes of type %ld: %s\n", type, length, message.type, message.text);
}

static void handler(int signal)
{
    (void)signal;
}

int main(void)
{
    struct msqid_ds status;
    puts("-- keys");
    key_t key = ftok("/proc/self/exe", 'q');
    key = key == -1 ? 0x51525354 : key;
    int stale = msgget(key, 0);
    if (stale != -1)
        msgctl(stale, IPC_RMID, NULL);
    SHOW(msgget(key, 0600));
    int id = msgget(key, IPC_CREAT | IPC_EXCL | 0640);
    CHECK(id >= 0);
    CHECK(msgget(key, 0) == id);
    CHECK(msgget(key, IPC_CREAT | 0600) == id);
    SHOW(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    int private = msgget(IPC_PRIVATE, 0600);
    CHECK(private != id && private >= 0);
    SHOW(msgctl(private, IPC_RMID, NULL));
    SHOW(msgctl(private, IPC_RMID, NULL));
    SHOW(msgctl(id, IPC_STAT, &status));
    CHECK(status.msg_perm.__key == key && status.msg_perm.uid == geteuid() && status.msg_perm.cuid == geteuid());
    printf("mode %o, %lu messages, %lu bytes, limit %lu, pids %d %d, times %d %d\n", status.msg_perm.mode,
           status.msg_qnum, status.__msg_cbytes, status.msg_qbytes, status.msg_lspid, status.msg_lrpid,
           status.msg_stime != 0, status.msg_rtime != 0);
    CHECK(status.msg_ctime != 0);

    puts("-- sending and errors");
    SHOW(send(id, 0, "x", 0));
    SHOW(send(id, -1, "x", 0));
    SHOW(msgsnd(id, &message, 8193, 0));
    SHOW(msgsnd(id, bad, 1, 0));
    SHOW(msgsnd(-1, &message, 1, 0));
    SHOW(send(123456789, 1, "x", 0));
    SHOW(send(id, 1, "", 0));
    SHOW(send(id, 3, "three", 0));
    SHOW(send(id, 2, "two", 0));
    SHOW(send(id, 1, "one", 0));
    SHOW(send(id, 3, "three again", 0));
    SHOW(msgctl(id, IPC_STAT, &status));
    printf("%lu messages, %lu bytes\n", status.msg_qnum, status.__msg_cbytes);
    CHECK(status.msg_lspid == getpid() && status.msg_stime != 0);

    puts("-- selections");
    receive(id, 0, 100, 0);
    receive(id, 3, 2, 0);
    receive(id, 3, 2, MSG_NOERROR);
    receive(id, 3, 100, MSG_EXCEPT);
    receive(id, -5, 100, 0);
    receive(id, -2, 100, IPC_NOWAIT);
    receive(id, 7, 100, IPC_NOWAIT);
    receive(id, 0, 100, MSG_COPY | IPC_NOWAIT);
    receive(id, 1, 100, MSG_COPY | IPC_NOWAIT);
    receive(id, 0, 100, MSG_COPY);
    receive(id, 0, 100, IPC_NOWAIT);
    receive(id, 0, 100, IPC_NOWAIT);
    SHOW(msgrcv(id, &message, (size_t)-1, 0, IPC_NOWAIT));
    NEED(send(id, 1, "lost", 0));
    SHOW(msgrcv(id, bad, 100, 0, 0));

    puts("-- limits");
    memset(message.text, 'x', 8192);
    message.type = 1;
    SHOW(msgsnd(id, &message, 8192, 0));
    SHOW(msgsnd(id, &message, 8192, IPC_NOWAIT));
    SHOW(msgsnd(id, &message, 1, IPC_NOWAIT));
    SHOW(msgsnd(id, &message, 0, IPC_NOWAIT));
    receive(id, 0, 0, MSG_NOERROR);
    NEED(msgctl(id, IPC_STAT, &status));
    status.msg_qbytes = 100;
    status.msg_perm.mode = 0600;
    SHOW(msgctl(id, IPC_SET, &status));
    NEED(msgctl(id, IPC_STAT, &status));
    printf("mode %o limit %lu\n", status.msg_perm.mode, status.msg_qbytes);
    SHOW(msgctl(id, 99, &status));
    SHOW(msgctl(id, IPC_STAT, bad));
    while (msgrcv(id, &message, sizeof message.text, 0, IPC_NOWAIT) >= 0)
        ;
    struct msginfo info;
    CHECK(msgctl(0, IPC_INFO, (struct msqid_ds *)&info) >= 0);
    printf("msgmax %d msgmnb %d msgmni %d msgssz %d\n", info.msgmax, info.msgmnb, info.msgmni, info.msgssz);
    CHECK(msgctl(0, MSG_INFO, (struct msqid_ds *)&info) >= 0);
    CHECK(info.msgpool >= 1);

    puts("-- blocking");
    pid_t child = start_child();
    if (child == 0) {
        for (int i = 0; i < 20; i++) {
            char text[20];
            sprintf(text, "message %d", i);
            NEED(send(id, 1 + i % 2, text, 0));
        }
        _exit(0);
    }
    for (int i = 0; i < 20; i += 2)
        receive(id, 1, 100, 0);
    for (int i = 1; i < 20; i += 2)
        receive(id, 2, 100, 0);
    show_child("sender", child);
    puts("-- signals");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    NEED(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    receive(id, 0, 100, 0);
    message.type = 1;
    NEED(msgsnd(id, &message, 100, 0));
    alarm(1);
    SHOW(msgsnd(id, &message, 100, 0));
    receive(id, 0, 0, MSG_NOERROR);
    puts("-- removal wakes");
    child = start_child();
    if (child == 0) {
        receive(id, 0, 100, 0);
        fflush(stdout);
        _exit(0);
    }
    usleep(100000);
    SHOW(msgctl(id, IPC_RMID, NULL));
    show_child("receiver", child);
    receive(id, 0, 100, 0);
    return 0;
}
