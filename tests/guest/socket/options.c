/* getsockopt(2), setsockopt(2) on AF_UNIX sockets. */
#include "check.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

static int fd;

static void show(const char *name, int option)
{
    int value = -77;
    socklen_t length = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, option, &value, &length) == -1)
        printf("%s: %s\n", name, strerrorname_np(errno));
    else
        printf("%s: %d (%u)\n", name, value, length);
}

static int set(int option, int value)
{
    return setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

int main(void)
{
    fd = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    show("SO_TYPE", SO_TYPE);
    show("SO_DOMAIN", SO_DOMAIN);
    show("SO_PROTOCOL", SO_PROTOCOL);
    show("SO_ERROR", SO_ERROR);
    show("SO_ACCEPTCONN", SO_ACCEPTCONN);
    show("SO_REUSEADDR", SO_REUSEADDR);
    show("SO_KEEPALIVE", SO_KEEPALIVE);
    show("SO_BROADCAST", SO_BROADCAST);
    show("SO_OOBINLINE", SO_OOBINLINE);
    show("SO_PASSCRED", SO_PASSCRED);
    show("SO_RCVLOWAT", SO_RCVLOWAT);
    show("SO_SNDLOWAT", SO_SNDLOWAT);
    show("SO_PRIORITY", SO_PRIORITY);
    show("12345", 12345);
    SHOW(set(SO_REUSEADDR, 5));
    show("SO_REUSEADDR", SO_REUSEADDR);
    SHOW(set(SO_KEEPALIVE, 1));
    show("SO_KEEPALIVE", SO_KEEPALIVE);
    SHOW(set(SO_TYPE, 1));
    SHOW(set(SO_ERROR, 1));
    SHOW(set(SO_ACCEPTCONN, 1));
    SHOW(set(SO_PEERCRED, 1));
    SHOW(set(SO_REUSEPORT, 1));
    SHOW(set(12345, 1));
    SHOW(set(SO_PASSCRED, 1));
    show("SO_PASSCRED", SO_PASSCRED);
    SHOW(set(SO_SNDBUF, 1));
    show("SO_SNDBUF", SO_SNDBUF);
    SHOW(set(SO_RCVBUF, 1));
    show("SO_RCVBUF", SO_RCVBUF);
    SHOW(set(SO_SNDBUF, 50000));
    show("SO_SNDBUF", SO_SNDBUF);
    SHOW(set(SO_PRIORITY, 3));
    show("SO_PRIORITY", SO_PRIORITY);
    SHOW(set(SO_RCVLOWAT, -1));
    show("SO_RCVLOWAT", SO_RCVLOWAT);
    SHOW(set(SO_RCVLOWAT, 0));
    show("SO_RCVLOWAT", SO_RCVLOWAT);
    struct linger linger = {5, 7};
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    linger = (struct linger){-1, -1};
    socklen_t length = sizeof linger;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    printf("linger %d %d %u\n", linger.l_onoff, linger.l_linger, length);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
    struct timeval time = {1, 1000000};
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    time = (struct timeval){2, 500000};
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, 8));
    length = sizeof time;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length));
    printf("timeout %ld %ld %u\n", (long)time.tv_sec, (long)time.tv_usec, length);
    time = (struct timeval){-2, 0};
    SHOW(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    length = sizeof time;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, &length));
    printf("timeout %ld %ld\n", (long)time.tv_sec, (long)time.tv_usec);
    int value = 1;
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
    length = sizeof value;
    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)(intptr_t)8, 4));
    SHOW(setsockopt(0, SOL_SOCKET, SO_REUSEADDR, &value, 4));
    length = 2;
    value = 0;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    printf("%d %u\n", value, length);
    length = (socklen_t)-1;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    struct ucred peer;
    length = sizeof peer;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length));
    printf("peer %d %d %d\n", peer.pid, (int)peer.uid, (int)peer.gid);
    return 0;
}
