/* fault: client and server each wait for the other to speak first.
 * blame: both in recv, each on a socket whose other end only the other has */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char text[16];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
        return 1;
    if (fork() == 0) {
        close(ends[0]);
        return recv(ends[1], text, sizeof text, 0) < 0;
    }
    close(ends[1]);
    recv(ends[0], text, sizeof text, 0);
    wait(NULL);
    return 0;
}
