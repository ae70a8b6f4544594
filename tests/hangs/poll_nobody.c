/* fault: an event loop waits for two pipes and a counter, and everybody who could feed them has gone or waits.
 * blame: the parent in poll, on a pipe that only the child could write to; the child in read of the other pipe */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int up[2], down[2];
    if (pipe(up) == -1 || pipe(down) == -1)
        return 1;
    int counter = eventfd(0, EFD_CLOEXEC);
    if (fork() == 0) {
        char byte;
        close(up[0]);
        close(down[1]);
        close(counter);
        return read(down[0], &byte, 1) < 0;
    }
    close(up[1]);
    close(down[0]);
    struct pollfd all[] = { { .fd = up[0], .events = POLLIN }, { .fd = counter, .events = POLLIN } };
    poll(all, 2, -1);
    wait(NULL);
    return 0;
}
