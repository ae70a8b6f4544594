/* AF_UNIX streams and sequenced packets: pairs, listening, connecting, shutting down, errors, flags. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char buffer[300000];

static struct sockaddr_un name_of(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(name.sun_path, path);
    return name;
}

static int events(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

static int queued(int fd)
{
    int count = -1;
    return ioctl(fd, FIONREAD, &count) == -1 ? -1 : count;
}

static void creation(void)
{
    puts("-- creation");
    SHOW(socket(AF_UNIX, SOCK_STREAM, 5));
    SHOW(socket(AF_UNIX, SOCK_RDM, 0));
    SHOW(socket(AF_UNIX, 77, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
    SHOW(socket(300, SOCK_STREAM, 0));
    SHOW(socket(-1, SOCK_STREAM, 0));
    int pair[2];
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 5, pair));
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
    SHOW(fcntl(pair[0], F_GETFL));
    SHOW(fcntl(pair[0], F_GETFD));
    struct stat status;
    SHOW(fstat(pair[0], &status));
    CHECK(S_ISSOCK(status.st_mode));
    SHOW(lseek(pair[0], 0, SEEK_SET));
    SHOW(recv(0, buffer, 1, 0));
    SHOW(send(999, buffer, 1, 0));
    close(pair[0]);
    close(pair[1]);
}

static void pairs(int kind)
{
    printf("-- pair of kind %d\n", kind);
    int pair[2];
    NEED(socketpair(AF_UNIX, kind | SOCK_NONBLOCK, 0, pair));
    SHOW(events(pair[0]));
    SHOW(recv(pair[0], buffer, 10, 0));
    SHOW(send(pair[0], "hello", 5, 0));
    SHOW(write(pair[0], "world", 5));
    SHOW(queued(pair[1]));
    SHOW(events(pair[1]));
    SHOW(recv(pair[1], buffer, 3, MSG_PEEK));
    SHOW(recv(pair[1], buffer, 3, 0));
    SHOW(recv(pair[1], buffer, 100, MSG_PEEK));
    SHOW(recv(pair[1], buffer, 100, 0));
    SHOW(recv(pair[1], buffer, 100, 0));
    SHOW(send(pair[0], "truncated", 9, 0));
    SHOW(recv(pair[1], buffer, 3, MSG_TRUNC));
    SHOW(recv(pair[1], buffer, 100, 0));
    SHOW(send(pair[0], "", 0, 0));
    SHOW(recv(pair[1], buffer, 100, 0));
    SHOW(send(pair[0], "x", 1, MSG_OOB | MSG_DONTWAIT) == -1 ? 0 : recv(pair[1], buffer, 1, 0) * 0);
    long sent = 0;
    ssize_t done;
    while ((done = send(pair[0], buffer, 1000, 0)) > 0)
        sent += done;
    printf("%ld bytes in messages of 1000 fit, then %s\n", sent, strerrorname_np(errno));
    SHOW(events(pair[0]));
    long received = 0;
    while ((done = recv(pair[1], buffer, 777, 0)) > 0)
        received += done;
    printf("%ld bytes received in parts of 777\n", received);
    SHOW(events(pair[0]));
    sent = 0;
    while ((done = send(pair[0], buffer, 100000, 0)) > 0)
        sent += done;
    printf("%ld bytes in messages of 100000 fit, then %s\n", sent, strerrorname_np(errno));
    received = 0;
    while ((done = recv(pair[1], buffer, sizeof buffer, 0)) > 0)
        received += done;
    CHECK(received == sent);
    SHOW(send(pair[0], (char *)1, 10, 0));
    SHOW(send(pair[0], "abc", 3, 0));
    SHOW(recv(pair[1], (char *)1, 10, 0));
    puts("-- shutting down");
    SHOW(shutdown(pair[0], 9));
    SHOW(shutdown(pair[0], SHUT_WR));
    SHOW(send(pair[0], "abc", 3, MSG_NOSIGNAL));
    SHOW(events(pair[0]));
    SHOW(events(pair[1]));
    SHOW(send(pair[1], "back", 4, 0));
    while ((done = recv(pair[1], buffer, 100, 0)) > 0)
        ;
    SHOW(done);
    SHOW(recv(pair[0], buffer, 100, 0));
    close(pair[1]);
    SHOW(events(pair[0]));
    SHOW(recv(pair[0], buffer, 100, 0));
    SHOW(send(pair[0], "abc", 3, MSG_NOSIGNAL));
    close(pair[0]);
    puts("-- closing with bytes unread");
    NEED(socketpair(AF_UNIX, kind, 0, pair));
    NEED(send(pair[0], "unread", 6, 0));
    NEED(send(pair[1], "read", 4, 0));
    close(pair[1]);
    SHOW(events(pair[0]));
    SHOW(recv(pair[0], buffer, 100, 0));
    SHOW(recv(pair[0], buffer, 100, 0));
    SHOW(recv(pair[0], buffer, 100, 0));
    close(pair[0]);
}

static void connections(int kind)
{
    printf("-- connections of kind %d\n", kind);
    unlink("name");
    struct sockaddr_un name = name_of("name"), other = name_of("other");
    int listener = (int)NEED(socket(AF_UNIX, kind, 0));
    SHOW(events(listener));
    SHOW(listen(listener, 1));
    SHOW(accept(listener, NULL, NULL));
    SHOW(connect(listener, (struct sockaddr *)&name, sizeof name));
    SHOW(bind(listener, (struct sockaddr *)&name, sizeof name));
    int client = (int)NEED(socket(AF_UNIX, kind | SOCK_NONBLOCK, 0));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(client, buffer, 1, 0));
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    SHOW(connect(client, (struct sockaddr *)&other, sizeof other));
    SHOW(listen(listener, 1));
    SHOW(events(listener));
    SHOW(queued(listener));
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    SHOW(listen(client, 1));
    SHOW(events(listener));
    SHOW(events(client));
    SHOW(send(client, "early", 5, 0));
    int second = (int)NEED(socket(AF_UNIX, kind | SOCK_NONBLOCK, 0));
    SHOW(connect(second, (struct sockaddr *)&name, sizeof name));
    int third = (int)NEED(socket(AF_UNIX, kind | SOCK_NONBLOCK, 0));
    SHOW(connect(third, (struct sockaddr *)&name, sizeof name));
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    memset(&peer, 0x5a, sizeof peer);
    int server = (int)NEED(accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    printf("accepted: length %u, family %d\n", length, peer.sun_family);
    SHOW(fcntl(server, F_GETFD));
    SHOW(accept4(listener, NULL, NULL, 1));
    SHOW(connect(third, (struct sockaddr *)&name, sizeof name));
    SHOW(recv(server, buffer, 100, 0));
    SHOW(send(server, "answer", 6, 0));
    SHOW(recv(client, buffer, 100, 0));
    close(listener);
    SHOW(events(second));
    SHOW(recv(second, buffer, 1, 0));
    SHOW(recv(second, buffer, 1, 0));
    SHOW(send(second, "x", 1, MSG_NOSIGNAL));
    SHOW(connect(second, (struct sockaddr *)&name, sizeof name));
    int fourth = (int)NEED(socket(AF_UNIX, kind, 0));
    SHOW(connect(fourth, (struct sockaddr *)&name, sizeof name));
    SHOW(send(client, "still", 5, 0));
    SHOW(recv(server, buffer, 100, 0));
    close(server);
    SHOW(events(client));
    SHOW(recv(client, buffer, 100, 0));
    close(client);
    close(second);
    close(third);
    close(fourth);
}

static void blocking(void)
{
    puts("-- blocking");
    unlink("name");
    struct sockaddr_un name = name_of("name");
    int listener = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(bind(listener, (struct sockaddr *)&name, sizeof name));
    NEED(listen(listener, 0));
    pid_t child = start_child();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            int client = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
            NEED(connect(client, (struct sockaddr *)&name, sizeof name));
            for (int part = 0; part < 10; part++)
                if (send(client, buffer, 100000, 0) != 100000)
                    _exit(1);
            close(client);
        }
        _exit(0);
    }
    for (int i = 0; i < 3; i++) {
        int server = (int)NEED(accept(listener, NULL, NULL));
        SHOW(recv(server, buffer, sizeof buffer, MSG_WAITALL));
        long rest = 0;
        ssize_t done;
        while ((done = recv(server, buffer, 30000, 0)) > 0)
            rest += done;
        SHOW(rest);
        close(server);
    }
    show_child("client", child);
    puts("-- timeouts");
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    struct timeval time = {0, 20000};
    NEED(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    NEED(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    SHOW(recv(pair[0], buffer, 1, 0));
    SHOW(read(pair[0], buffer, 1));
    while (send(pair[0], buffer, sizeof buffer, 0) > 0)
        ;
    printf("%s\n", strerrorname_np(errno));
    NEED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SHOW(accept(listener, NULL, NULL));
    puts("-- SIGPIPE");
    child = start_child();
    if (child == 0) {
        close(pair[1]);
        int own[2];
        NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, own));
        close(own[0]);
        write(own[1], "x", 1);
        _exit(0);
    }
    show_child("writer", child);
}

int main(void)
{
    creation();
    pairs(SOCK_STREAM);
    pairs(SOCK_SEQPACKET);
    connections(SOCK_STREAM);
    connections(SOCK_SEQPACKET);
    blocking();
    return 0;
}
