/* Record locks, open file description locks, flock(2): conflicts, waiting, deadlock, and when they go. */
#include "check.h"
#include <sys/file.h>

static int set(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &lock);
}

static void show(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fcntl(fd, command, &lock) == -1) {
        printf("test: %s\n", strerrorname_np(errno));
    } else if (lock.l_type == F_UNLCK) {
        printf("test %ld+%ld: free\n", (long)start, (long)length);
    } else {
        const char *whose = lock.l_pid == -1 ? "a description's" : lock.l_pid == getppid() ? "my parent's" : "another's";
        printf("test %ld+%ld: %s %s lock %ld+%ld\n", (long)start, (long)length, whose,
               lock.l_type == F_RDLCK ? "read" : "write", (long)lock.l_start, (long)lock.l_len);
    }
    fflush(stdout);
}

int main(void)
{
    put_file("f", "0123456789");
    int fd = (int)NEED(open("f", O_RDWR));
    int reader = (int)NEED(open("f", O_RDONLY));
    SHOW(set(fd, F_SETLK, F_WRLCK, 0, 10));
    SHOW(set(fd, F_SETLK, F_RDLCK, 4, 2));
    SHOW(set(fd, F_SETLK, F_RDLCK, 100, 0));
    SHOW(set(reader, F_SETLK, F_WRLCK, 200, 1));
    SHOW(set(fd, F_SETLK, 7, 0, 1));
    SHOW(set(fd, F_SETLK, F_WRLCK, -1, 1));
    SHOW(set(fd, F_SETLK, F_WRLCK, 50, -10));
    show(fd, F_GETLK, F_WRLCK, 0, 0);

    pid_t child = start_child();
    if (child == 0) {
        show(fd, F_GETLK, F_RDLCK, 0, 4);
        show(fd, F_GETLK, F_RDLCK, 4, 2);
        show(fd, F_GETLK, F_WRLCK, 4, 2);
        show(fd, F_GETLK, F_WRLCK, 60, 1);
        show(fd, F_GETLK, F_WRLCK, 45, 1);
        show(fd, F_GETLK, F_WRLCK, 1000, 5);
        SHOW(set(fd, F_SETLK, F_WRLCK, 0, 1));
        SHOW(set(fd, F_SETLK, F_RDLCK, 5, 1));
        SHOW(set(fd, F_SETLK, F_WRLCK, 20, 5));
        exit(0);
    }
    show_child("child", child);
    /* The child's locks went with it. */
    show(fd, F_GETLK, F_WRLCK, 20, 5);

    /* Closing any descriptor of the file gives up all record locks. */
    NEED(close(dup(fd)));
    child = start_child();
    if (child == 0) {
        SHOW(set(fd, F_SETLK, F_WRLCK, 0, 1));
        exit(0);
    }
    show_child("child", child);

    /* Waiting: the child gets the lock when the parent gives it up. */
    int ready[2];
    NEED(pipe(ready));
    SHOW(set(fd, F_SETLK, F_WRLCK, 0, 1));
    child = start_child();
    if (child == 0) {
        NEED(write(ready[1], "r", 1));
        SHOW(set(fd, F_SETLKW, F_WRLCK, 0, 1));
        exit(0);
    }
    char c;
    NEED(read(ready[0], &c, 1));
    usleep(10000);
    printf("the parent lets go\n");
    fflush(stdout);
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 0));
    show_child("child", child);

    /* Deadlock: the child waits for byte 0, the parent then for byte 1. */
    SHOW(set(fd, F_SETLK, F_WRLCK, 0, 1));
    child = start_child();
    if (child == 0) {
        NEED(set(fd, F_SETLK, F_WRLCK, 1, 1));
        NEED(write(ready[1], "r", 1));
        NEED(set(fd, F_SETLKW, F_WRLCK, 0, 1));
        exit(0);
    }
    NEED(read(ready[0], &c, 1));
    usleep(20000);
    SHOW(set(fd, F_SETLKW, F_WRLCK, 1, 1));
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 0));
    show_child("child", child);

    /* Open file description locks belong to the description, also across fork. */
    int other = (int)NEED(open("f", O_RDWR));
    SHOW(set(fd, F_OFD_SETLK, F_WRLCK, 0, 5));
    SHOW(set(other, F_OFD_SETLK, F_WRLCK, 3, 5));
    SHOW(set(other, F_SETLK, F_WRLCK, 3, 5));
    show(other, F_OFD_GETLK, F_WRLCK, 0, 1);
    show(other, F_GETLK, F_WRLCK, 0, 1);
    struct flock lock = {.l_type = F_WRLCK, .l_pid = 5};
    SHOW(fcntl(fd, F_OFD_SETLK, &lock));
    NEED(close(dup(fd)));
    SHOW(set(other, F_OFD_SETLK, F_WRLCK, 3, 5));
    NEED(close(fd));
    SHOW(set(other, F_OFD_SETLK, F_WRLCK, 3, 5));

    /* flock(2) is a world of its own. */
    fd = (int)NEED(open("f", O_RDWR));
    SHOW(flock(fd, LOCK_SH));
    SHOW(flock(other, LOCK_SH | LOCK_NB));
    SHOW(flock(other, LOCK_EX | LOCK_NB));
    SHOW(flock(fd, LOCK_UN));
    SHOW(flock(other, LOCK_EX | LOCK_NB));
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    SHOW(flock(reader, 99));
    child = start_child();
    if (child == 0) {
        /* The same description: unlocking here unlocks there. */
        SHOW(flock(other, LOCK_UN));
        exit(0);
    }
    show_child("child", child);
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    child = start_child();
    if (child == 0) {
        NEED(close(fd));
        NEED(write(ready[1], "r", 1));
        SHOW(flock(other, LOCK_EX));
        exit(0);
    }
    NEED(read(ready[0], &c, 1));
    usleep(10000);
    printf("the parent closes\n");
    fflush(stdout);
    NEED(close(fd));
    show_child("child", child);
    return 0;
}
