/* mq_overview(7): queues as files of a file system of their own, limits of /proc/sys/fs/mqueue and RLIMIT_MSGQUEUE,
   permissions, who of several waiting threads is served first. In an IPC namespace of its own, if root. */
#include "check.h"
#include <mqueue.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/vfs.h>

static void put(const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", name);
    int fd = open(path, O_WRONLY);
    ssize_t count = fd == -1 ? -1 : write(fd, text, strlen(text));
    printf("%s <- %s: %s\n", name, text, count == -1 ? strerrorname_np(errno) : "ok");
    if (fd != -1)
        close(fd);
}

static mqd_t make(const char *name, long messages, long size)
{
    struct mq_attr attributes = {0, messages, size, 0, {0}};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    printf("%s of %ld messages of %ld bytes: %s\n", name, messages, size,
           queue == -1 ? strerrorname_np(errno) : "made");
    return queue;
}

static void show_attributes(mqd_t queue)
{
    struct mq_attr attributes;
    NEED(mq_getattr(queue, &attributes));
    printf("flags %#lx, %ld messages of %ld bytes, %ld in it\n", attributes.mq_flags, attributes.mq_maxmsg,
           attributes.mq_msgsize, attributes.mq_curmsgs);
}

int main(void)
{
    if (unshare(CLONE_NEWIPC) == -1) {
        printf("no namespace: %s\n", strerrorname_np(errno));
        return 0;
    }
    puts("-- a queue is a file");
    umask(027);
    mqd_t queue = mq_open("/q", O_RDWR | O_CREAT, 0666, NULL);
    NEED(queue);
    struct stat status;
    NEED(fstat(queue, &status));
    printf("mode %o, links %ld, size %ld, blocks %ld of %ld, uid %d\n", status.st_mode, (long)status.st_nlink,
           (long)status.st_size, (long)status.st_blocks, (long)status.st_blksize, status.st_uid);
    struct statfs file_system;
    NEED(fstatfs(queue, &file_system));
    printf("type %lx, blocks %ld, names of %ld bytes\n", (long)file_system.f_type, (long)file_system.f_blocks,
           (long)file_system.f_namelen);
    char path[40], target[40] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", queue);
    NEED(readlink(path, target, sizeof target - 1));
    puts(target);
    SHOW(ftruncate(queue, 5));
    NEED(fstat(queue, &status));
    SHOW(status.st_size);
    SHOW(ftruncate(queue, 80));
    int reads = NEED(mq_open("/q", O_RDONLY));
    SHOW(ftruncate(reads, 5));
    close(reads);
    NEED(mq_send(queue, "abc", 3, 1));
    NEED(mq_send(queue, "defgh", 5, 2));
    char text[200] = "";
    SHOW(read(queue, text, sizeof text));
    printf("%s", text);
    SHOW(read(queue, text, sizeof text));
    SHOW(lseek(queue, 0, SEEK_END));
    SHOW(lseek(queue, 6, SEEK_SET));
    memset(text, 0, sizeof text);
    SHOW(read(queue, text, 3));
    puts(text);
    SHOW(pread(queue, text, 5, 0));
    SHOW(write(queue, "x", 1));
    SHOW(fchmod(queue, 0640));
    SHOW(fchown(queue, 65534, 65534));
    NEED(fstat(queue, &status));
    printf("mode %o, uid %d\n", status.st_mode, status.st_uid);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    SHOW(mq_notify(queue, &event));
    memset(text, 0, sizeof text);
    SHOW(pread(queue, text, sizeof text - 1, 0));
    char *pid = strstr(text, "NOTIFY_PID:");
    printf("%.*s%s\n", (int)(pid - text), text, atoi(pid + 11) == getpid() ? "own" : pid);
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_unlink("/q"));
    memset(target, 0, sizeof target);
    NEED(readlink(path, target, sizeof target - 1));
    puts(target);
    NEED(fstat(queue, &status));
    printf("links %ld\n", (long)status.st_nlink);
    NEED(mq_close(queue));

    puts("-- names");
    SHOW(mq_open("/", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_open("/.", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, "/a", O_RDWR | O_CREAT, 0600, NULL));
    char name[300];
    memset(name, 'n', sizeof name);
    name[0] = '/';
    name[257] = 0;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
    name[256] = 0;
    TRY(mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_unlink(name));
    SHOW(mq_unlink("/none"));

    puts("-- limits");
    for (const char **limit = (const char *[]){"msg_default", "msg_max", "msgsize_default", "msgsize_max", "queues_max", NULL};
         *limit; limit++) {
        snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", *limit);
        show_file(path);
    }
    put("msg_default", "4");
    put("msgsize_default", "200");
    put("msg_max", "0");
    put("msg_max", "65537");
    put("msgsize_max", "127");
    queue = mq_open("/d", O_RDWR | O_CREAT, 0600, NULL);
    show_attributes(queue);
    NEED(mq_close(queue));
    NEED(mq_unlink("/d"));
    put("msg_max", "2");
    queue = mq_open("/d", O_RDWR | O_CREAT, 0600, NULL);
    show_attributes(queue);
    NEED(mq_close(queue));
    make("/e", 65537, 1);
    make("/e", 1, 16 * 1024 * 1024 + 1);
    make("/e", 0, 1);
    put("msg_max", "10");
    put("msgsize_max", "300");
    put("queues_max", "2");
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_MSGQUEUE, &limit));
    limit.rlim_cur = 5000;
    NEED(setrlimit(RLIMIT_MSGQUEUE, &limit));
    pid_t child = start_child();
    if (child == 0) {
        NEED(setgid(65534));
        NEED(setuid(65534));
        SHOW(mq_open("/d", O_RDONLY));
        put("queues_max", "9");
        make("/e", 11, 100);
        make("/e", 10, 301);
        /* 10 * (300 + 48) + 10 * 48 = 3,960 bytes. */
        make("/e", 10, 300);
        make("/f", 1, 1);
        SHOW(syscall(SYS_mq_unlink, "d"));
        SHOW(mq_unlink("/d"));
        SHOW(mq_unlink("/e"));
        /* The first is still open, and counts. */
        make("/f", 1, 1);
        fflush(stdout);
        _exit(0);
    }
    show_child("nobody", child);
    put("queues_max", "256");
    child = start_child();
    if (child == 0) {
        NEED(setuid(65534));
        make("/e", 10, 300);
        make("/f", 10, 300);
        make("/f", 5, 100);
        fflush(stdout);
        _exit(0);
    }
    show_child("nobody", child);

    puts("-- the more important receiver is served first");
    limit.rlim_cur = limit.rlim_max;
    NEED(setrlimit(RLIMIT_MSGQUEUE, &limit));
    queue = make("/r", 4, 8);
    for (int i = 0; i < 3; i++) {
        if (start_child() == 0) {
            NEED(setpriority(PRIO_PROCESS, 0, 6 - 3 * i));
            char got[8];
            NEED(mq_receive(queue, got, sizeof got, NULL));
            printf("nice %d got %c\n", 6 - 3 * i, got[0]);
            fflush(stdout);
            _exit(0);
        }
        usleep(150000);
    }
    for (int i = 0; i < 3; i++) {
        char letter = (char)('a' + i);
        NEED(mq_send(queue, &letter, 1, 0));
        NEED(wait(NULL));
    }
    return 0;
}
