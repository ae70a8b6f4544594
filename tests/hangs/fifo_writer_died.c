/* fault: the writer that was to open the FIFO is killed before it does.
 * blame: the parent in open of the FIFO for reading; the child was killed by SIGKILL */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
    char name[] = "/tmp/fifo";
    mkfifo(name, 0600);
    if (fork() == 0) {
        raise(SIGKILL);
        open(name, O_WRONLY);
    }
    open(name, O_RDONLY);
    return 0;
}
