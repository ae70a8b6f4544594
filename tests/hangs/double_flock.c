/* fault: a process locks a file through two descriptions; flock's locks belong to the description, not to the process.
 * blame: the process in flock on a file that it has locked itself through another descriptor */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int main(void)
{
    int first = open("/tmp/locked", O_RDWR | O_CREAT, 0600);
    int second = open("/tmp/locked", O_RDWR);
    flock(first, LOCK_EX);
    flock(second, LOCK_EX);
    return 0;
}
