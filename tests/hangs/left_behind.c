/* kind: leak
 * fault: the child waits for the end of a pipe of which it has the last write end itself; the parent does not wait for it.
 * blame: the child in read on a pipe that it keeps open itself, after the parent has ended */
#include <unistd.h>

int main(void)
{
    int ends[2];
    if (pipe(ends) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        char text[16];
#ifdef FIXED
        close(ends[1]);
#endif
        while (read(ends[0], text, sizeof text) > 0)
            ;
        return 0;
    }
    return write(ends[1], "go", 2) != 2;
}
