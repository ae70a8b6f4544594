/* AF_UNIX datagrams: addresses, connecting and dissolving, full queues, truncation, peers that go. */
#include "check.h"
#include <poll.h>
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

int main(void)
{
    struct sockaddr_un first_name = name_of("first"), second_name = name_of("second"), missing = name_of("missing");
    int first = (int)NEED(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    int second = (int)NEED(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    SHOW(events(first));
    SHOW(send(first, "x", 1, 0));
    SHOW(recv(first, buffer, 1, 0));
    SHOW(listen(first, 1));
    SHOW(accept(first, NULL, NULL));
    SHOW(connect(first, (struct sockaddr *)&missing, sizeof missing));
    SHOW(sendto(first, "x", 1, 0, (struct sockaddr *)&missing, sizeof missing));
    NEED(bind(first, (struct sockaddr *)&first_name, sizeof first_name));
    NEED(bind(second, (struct sockaddr *)&second_name, sizeof second_name));
    puts("-- addresses");
    SHOW(sendto(first, "hello", 5, 0, (struct sockaddr *)&second_name, sizeof second_name));
    SHOW(sendto(first, "", 0, 0, (struct sockaddr *)&second_name, sizeof second_name));
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    SHOW(recvfrom(second, buffer, 3, 0, (struct sockaddr *)&from, &length));
    printf("from %s, %u\n", from.sun_path, length);
    SHOW(recv(second, buffer, 100, 0));
    SHOW(recv(second, buffer, 100, 0));
    int nameless = (int)NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
    NEED(sendto(nameless, "abc", 3, 0, (struct sockaddr *)&second_name, sizeof second_name));
    length = sizeof from;
    SHOW(recvfrom(second, buffer, 100, MSG_TRUNC, (struct sockaddr *)&from, &length));
    SHOW(length);
    puts("-- connected");
    SHOW(connect(first, (struct sockaddr *)&second_name, sizeof second_name));
    SHOW(send(first, "one", 3, 0));
    SHOW(sendto(first, "self", 4, 0, (struct sockaddr *)&first_name, sizeof first_name));
    SHOW(sendto(nameless, "no", 2, 0, (struct sockaddr *)&first_name, sizeof first_name));
    SHOW(connect(nameless, (struct sockaddr *)&first_name, sizeof first_name));
    SHOW(recv(second, buffer, 100, 0));
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    SHOW(connect(first, &unspecified, sizeof unspecified));
    SHOW(send(first, "one", 3, 0));
    puts("-- full");
    int sent = 0;
    while (sendto(first, "x", 1, 0, (struct sockaddr *)&second_name, sizeof second_name) == 1)
        sent++;
    printf("%d datagrams, then %s\n", sent, strerrorname_np(errno));
    NEED(connect(first, (struct sockaddr *)&second_name, sizeof second_name));
    SHOW(events(first));
    SHOW(recv(second, buffer, 1, 0));
    SHOW(events(first));
    SHOW(sendto(first, buffer, 300000, 0, (struct sockaddr *)&second_name, sizeof second_name));
    while (recv(second, buffer, 1, 0) >= 0)
        ;
    puts("-- blocking");
    NEED(fcntl(first, F_SETFL, 0));
    pid_t child = start_child();
    if (child == 0) {
        for (char i = 0; i < 30; i++)
            if (send(first, &i, 1, 0) != 1)
                _exit(1);
        _exit(0);
    }
    NEED(fcntl(second, F_SETFL, 0));
    int wrong = 0;
    for (char i = 0; i < 30; i++) {
        char got = -1;
        wrong += recv(second, &got, 1, 0) != 1 || got != i;
    }
    SHOW(wrong);
    show_child("sender", child);
    puts("-- the peer goes");
    close(second);
    SHOW(events(first));
    SHOW(send(first, "x", 1, 0));
    SHOW(send(first, "x", 1, 0));
    SHOW(sendto(first, "x", 1, 0, (struct sockaddr *)&second_name, sizeof second_name));
    puts("-- pair");
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
    SHOW(send(pair[0], "abc", 3, 0));
    SHOW(recv(pair[1], buffer, 100, 0));
    sent = 0;
    while (send(pair[0], "x", 1, 0) == 1)
        sent++;
    printf("%d datagrams, then %s\n", sent, strerrorname_np(errno));
    SHOW(shutdown(pair[1], SHUT_RD));
    SHOW(send(pair[0], "abc", 3, MSG_NOSIGNAL));
    close(pair[1]);
    SHOW(events(pair[0]));
    SHOW(send(pair[0], "abc", 3, MSG_NOSIGNAL));
    SHOW(recv(pair[0], buffer, 3, 0));
    return 0;
}
