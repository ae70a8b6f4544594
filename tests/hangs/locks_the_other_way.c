/* fault: two processes lock two files with fcntl in opposite order, without the kernel's deadlock detection: each through
 *        open file description locks.
 * blame: each process in fcntl on a file that the other has locked */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void lock(const char *name, int go, int signal)
{
    struct flock whole = { .l_type = F_WRLCK };
    char byte = 0;
    fcntl(open(name, O_RDWR | O_CREAT, 0600), F_OFD_SETLKW, &whole);
    if (signal >= 0 && write(signal, &byte, 1) == 1)
        read(go, &byte, 1);
}

int main(void)
{
    int there[2], back[2];
    pipe(there);
    pipe(back);
    if (fork() == 0) {
        lock("/tmp/one", back[0], there[1]);
        lock("/tmp/two", -1, -1);
        return 0;
    }
    lock("/tmp/two", there[0], back[1]);
    lock("/tmp/one", -1, -1);
    wait(NULL);
    return 0;
}
