/* SCM_RIGHTS, SCM_CREDENTIALS, SO_PEERCRED, truncated control messages, recvmsg(2) flags. */
#include "check.h"
#include <sys/socket.h>
#include <sys/un.h>

static char control[4096];

static ssize_t send_fds(int fd, const char *text, const int *fds, int count)
{
    struct iovec piece = {(void *)text, strlen(text)};
    memset(control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int) * (size_t)count), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int last[300];
static int last_count;

static ssize_t receive(int fd, size_t room, size_t control_room, int flags)
{
    static char bytes[1000];
    struct iovec pieces[2] = {{bytes, room / 2}, {bytes + 500, room - room / 2}};
    memset(control, 0x5a, sizeof control);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2, .msg_control = control,
                             .msg_controllen = control_room};
    ssize_t length = recvmsg(fd, &message, flags);
    if (length == -1)
        return length;
    printf("  %zd bytes, flags %#x, control %zu:", length, message.msg_flags, message.msg_controllen);
    last_count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        printf(" [level %d type %d length %zu", header->cmsg_level, header->cmsg_type, header->cmsg_len);
        if (header->cmsg_type == SCM_RIGHTS) {
            last_count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(last, CMSG_DATA(header), sizeof(int) * (size_t)last_count);
            printf(" %d files", last_count);
        } else if (header->cmsg_type == SCM_CREDENTIALS && header->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
            printf(" pid %s uid %s", credentials.pid == getpid() ? "own" : credentials.pid ? "other" : "0",
                   credentials.uid == getuid() ? "own" : "other");
        }
        printf("]");
    }
    puts("");
    return length;
}

int main(void)
{
    closefrom(3);
    int pair[2], ends[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    NEED(pipe(ends));
    puts("-- files");
    SHOW(send_fds(pair[0], "two", ends, 2));
    SHOW(receive(pair[1], 100, sizeof control, MSG_CMSG_CLOEXEC));
    SHOW(fcntl(last[0], F_GETFD));
    char byte;
    close(ends[1]);
    SHOW(write(last[1], "x", 1));
    close(last[1]);
    SHOW(read(ends[0], &byte, 1));
    SHOW(read(ends[0], &byte, 1));
    close(last[0]);
    puts("-- boundaries");
    int null = open("/dev/null", O_RDWR);
    NEED(send(pair[0], "before ", 7, 0));
    NEED(send_fds(pair[0], "with", &null, 1));
    NEED(send(pair[0], " after", 6, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    SHOW(fcntl(last[0], F_GETFD));
    close(last[0]);
    puts("-- part of a message");
    NEED(send_fds(pair[0], "partly", &null, 1));
    SHOW(receive(pair[1], 2, sizeof control, 0));
    close(last[0]);
    SHOW(receive(pair[1], 100, sizeof control, 0));
    puts("-- little room");
    int many[10];
    for (int i = 0; i < 10; i++)
        many[i] = null;
    NEED(send_fds(pair[0], "ten", many, 10));
    SHOW(receive(pair[1], 100, CMSG_LEN(3 * sizeof(int)), 0));
    for (int i = 0; i < last_count; i++)
        close(last[i]);
    NEED(send_fds(pair[0], "ten", many, 10));
    SHOW(receive(pair[1], 100, 0, 0));
    NEED(send_fds(pair[0], "ten", many, 10));
    SHOW(recv(pair[1], control, 100, 0));
    puts("-- a peek has copies");
    NEED(send_fds(pair[0], "one", &null, 1));
    SHOW(receive(pair[1], 100, sizeof control, MSG_PEEK));
    close(last[0]);
    SHOW(receive(pair[1], 100, sizeof control, 0));
    close(last[0]);
    puts("-- errors");
    int wrong[2] = {null, 999};
    SHOW(send_fds(pair[0], "x", wrong, 2));
    static int too_many[300];
    for (int i = 0; i < 300; i++)
        too_many[i] = null;
    SHOW(send_fds(pair[0], "x", too_many, 254));
    SHOW(send_fds(pair[0], "x", too_many, 253));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    for (int i = 0; i < last_count; i++)
        close(last[i]);
    struct iovec piece = {"x", 1};
    struct cmsghdr header = {4, SOL_SOCKET, SCM_RIGHTS};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &header, .msg_controllen = 16};
    SHOW(sendmsg(pair[0], &message, 0));
    header = (struct cmsghdr){17, SOL_SOCKET, SCM_RIGHTS};
    SHOW(sendmsg(pair[0], &message, 0));
    header = (struct cmsghdr){16, SOL_SOCKET, 99};
    SHOW(sendmsg(pair[0], &message, 0));
    header = (struct cmsghdr){16, 99, 99};
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_iovlen = 1025;
    SHOW(sendmsg(pair[0], &message, 0));
    SHOW(recv(pair[1], control, 100, 0));
    puts("-- a socket inside itself");
    NEED(send_fds(pair[0], "self", pair, 2));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    close(last[0]);
    close(last[1]);
    puts("-- credentials");
    int on = 1;
    struct ucred peer;
    socklen_t length = sizeof peer;
    SHOW(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK(peer.pid == getpid() && peer.uid == getuid() && peer.gid == getgid());
    SHOW(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    NEED(send(pair[0], "plain", 5, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    pid_t child = start_child();
    if (child == 0) {
        NEED(send(pair[0], "child", 5, 0));
        _exit(0);
    }
    show_child("child", child);
    NEED(send(pair[0], "parent", 6, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    NEED(send_fds(pair[0], "both", &null, 1));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    close(last[0]);
    puts("-- claimed");
    char space[CMSG_SPACE(sizeof(struct ucred))] = {0};
    message = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *claim = CMSG_FIRSTHDR(&message);
    *claim = (struct cmsghdr){CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS};
    struct ucred own = {getpid(), getuid(), getgid()};
    memcpy(CMSG_DATA(claim), &own, sizeof own);
    SHOW(sendmsg(pair[0], &message, 0));
    SHOW(receive(pair[1], 100, sizeof control, 0));
    claim->cmsg_len = CMSG_LEN(4);
    SHOW(sendmsg(pair[0], &message, 0));
    puts("-- datagrams");
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    NEED(send_fds(pair[0], "a long datagram", &null, 1));
    SHOW(receive(pair[1], 4, sizeof control, 0));
    close(last[0]);
    NEED(send_fds(pair[0], "", &null, 1));
    SHOW(receive(pair[1], 4, sizeof control, MSG_DONTWAIT));
    SHOW(receive(pair[1], 4, sizeof control, MSG_DONTWAIT));
    puts("-- in flight when everything closes");
    NEED(pipe(ends));
    NEED(send_fds(pair[0], "lost", &ends[1], 1));
    close(ends[1]);
    close(pair[0]);
    close(pair[1]);
    SHOW(read(ends[0], &byte, 1));
    return 0;
}
