/* fault: the parent waits for a child that waits for what the parent was to write first.
 * blame: the child in read on a pipe that only the parent could write to; the parent in waitpid */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    if (pipe(ends) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        char text[16];
        close(ends[1]);
        return read(ends[0], text, sizeof text) < 0;
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return write(ends[1], "go", 2) != 2;
}
