/* Pipes and FIFOs: full, empty, spliced, in packets, shared by several readers and writers. Prints nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    static char block[70000];
    int data[2], other[2];
    signal(SIGPIPE, SIG_IGN);
    if (pipe(data) || pipe2(other, O_DIRECT) || mkfifo("/dev/shm/kill-fifo", 0600))
        return 1;
    if (fork() == 0) {
        close(data[0]);
        write(data[1], block, sizeof block);
        int fifo = open("/dev/shm/kill-fifo", O_WRONLY);
        write(fifo, "abc", 3);
        write(other[1], "one", 3);
        write(other[1], "two", 3);
        _exit(0);
    }
    if (fork() == 0) {
        close(data[1]);
        int fifo = open("/dev/shm/kill-fifo", O_RDONLY);
        while (read(fifo, block, 2) > 0)
            ;
        close(fifo);
        tee(data[0], other[1], 100, SPLICE_F_NONBLOCK);
        _exit(0);
    }
    close(data[1]);
    close(other[1]);
    while (read(data[0], block, 30000) > 0)
        ;
    while (read(other[0], block, 100) > 0)
        ;
    wait(NULL);
    wait(NULL);
    unlink("/dev/shm/kill-fifo");
    return 0;
}
