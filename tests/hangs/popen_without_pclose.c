/* fault: the parent waits for the command that popen started, and never closes the pipe that feeds it.
 * blame: the command in read on a pipe whose write end only the parent has; the parent in wait */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    char command[256], byte;
    if (count > 1) {
        while (read(0, &byte, 1) > 0)
            ;
        return 0;
    }
    snprintf(command, sizeof command, "exec %s read", arguments[0]);
    FILE *reader = popen(command, "w");
    if (!reader)
        return 1;
    fputs("hello\n", reader);
    fflush(reader);
    wait(NULL);
    return 0;
}
