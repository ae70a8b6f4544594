// Forks until RLIMIT_NPROC says no, as an ordinary user.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    struct rlimit limit = {40, 40};
    if (setrlimit(RLIMIT_NPROC, &limit)) return perror("setrlimit"), 1;
    // Nobody else runs under this user, so the count is exact. Without the right to change it the limit cannot be tried.
    if (getuid() == 0 && setresuid(54321, 54321, 54321)) return perror("setresuid"), 1;
    int forked = 0, error = 0, gate[2];
    if (pipe(gate)) return 1;
    while (forked < 1000) {
        pid_t pid = fork();
        if (pid < 0) {
            error = errno;
            break;
        }
        if (pid == 0) {
            char byte;
            close(gate[1]);
            _exit(read(gate[0], &byte, 1) != 0);
        }
        forked++;
    }
    close(gate[1]);
    int reaped = 0;
    while (wait(0) > 0) reaped++;
    printf("stopped with %s, all reaped: %d, at most the limit: %d\n", strerror(error), reaped == forked, forked < 40);
    return 0;
}
