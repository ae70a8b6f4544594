/* Names of AF_UNIX sockets: paths, abstract ones, automatic ones, what getsockname and getpeername tell. */
#include "check.h"
#include <sys/socket.h>
#include <sys/un.h>

static void show_name(const char *what, int fd, int peer)
{
    struct sockaddr_un name;
    memset(&name, 0x5a, sizeof name);
    socklen_t length = sizeof name;
    int result = peer ? getpeername(fd, (struct sockaddr *)&name, &length) : getsockname(fd, (struct sockaddr *)&name, &length);
    if (result == -1) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return;
    }
    printf("%s: length %u family %d \"", what, length, name.sun_family);
    for (unsigned i = 2; i < length; i++)
        if (name.sun_path[i - 2] == 0)
            printf("\\0");
        else
            putchar(name.sun_path[i - 2]);
    puts("\"");
}

static int bind_to(int fd, const char *name, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, length);
    return bind(fd, (struct sockaddr *)&address, (socklen_t)(2 + length));
}

static int connect_to(int fd, const char *name, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, length);
    return connect(fd, (struct sockaddr *)&address, (socklen_t)(2 + length));
}

static int make(int kind)
{
    return (int)NEED(socket(AF_UNIX, kind, 0));
}

int main(void)
{
    puts("-- paths");
    int fd = make(SOCK_STREAM);
    show_name("unbound", fd, 0);
    show_name("unbound", fd, 1);
    SHOW(bind_to(fd, "socket", 6));
    show_name("bound", fd, 0);
    struct stat status;
    SHOW(stat("socket", &status));
    CHECK(S_ISSOCK(status.st_mode));
    SHOW((status.st_mode & 0777));
    SHOW(bind_to(fd, "again", 6));
    SHOW(access("again", F_OK));
    int other = make(SOCK_STREAM);
    SHOW(bind_to(other, "socket", 7));
    SHOW(bind_to(other, "missing/socket", 15));
    SHOW(bind_to(other, ".", 2));
    char long_name[108];
    memset(long_name, 'n', sizeof long_name);
    SHOW(bind_to(other, long_name, 108));
    show_name("108 bytes", other, 0);
    SHOW(unlink(long_name));
    SHOW(open("socket", O_RDWR));
    NEED(listen(fd, 5));
    int client = make(SOCK_STREAM);
    SHOW(rename("socket", "renamed"));
    SHOW(connect_to(client, "socket", 7));
    SHOW(connect_to(client, "renamed", 8));
    show_name("client's peer", client, 1);
    int server = (int)NEED(accept(fd, NULL, NULL));
    show_name("server", server, 0);
    show_name("server's peer", server, 1);
    close(server);
    show_name("peer that is gone", client, 1);
    SHOW(chmod("renamed", 0));
    close(client);
    client = make(SOCK_DGRAM);
    if (getuid() != 0)
        CHECK(connect_to(client, "renamed", 8) == -1 && errno == EACCES);
    chmod("renamed", 0777);
    SHOW(connect_to(client, "renamed", 8));
    close(fd);
    SHOW(connect_to(make(SOCK_STREAM), "renamed", 8));
    SHOW(connect_to(make(SOCK_STREAM), "/etc/passwd", 12));
    SHOW(connect_to(make(SOCK_STREAM), "/nonexistent/socket", 20));
    SHOW(unlink("renamed"));

    puts("-- abstract");
    fd = make(SOCK_STREAM);
    SHOW(bind_to(fd, "\0belljar\0test", 13));
    show_name("bound", fd, 0);
    other = make(SOCK_STREAM);
    SHOW(bind_to(other, "\0belljar\0test", 13));
    int datagram = make(SOCK_DGRAM);
    SHOW(bind_to(datagram, "\0belljar\0test", 13));
    SHOW(bind_to(other, "\0belljar\0tes", 12));
    NEED(listen(fd, 5));
    client = make(SOCK_STREAM);
    SHOW(connect_to(client, "\0belljar", 8));
    SHOW(connect_to(client, "\0belljar\0test", 13));
    show_name("client's peer", client, 1);
    close(fd);
    SHOW(connect_to(make(SOCK_STREAM), "\0belljar\0test", 13));
    fd = make(SOCK_STREAM);
    SHOW(bind_to(fd, "\0belljar\0test", 13));

    puts("-- automatic");
    fd = make(SOCK_STREAM);
    SHOW(bind_to(fd, "", 0));
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    NEED(getsockname(fd, (struct sockaddr *)&name, &length));
    CHECK(length == 8 && name.sun_path[0] == 0 && strspn(name.sun_path + 1, "0123456789abcdef") >= 5);
    SHOW(bind_to(fd, "", 0));

    puts("-- malformed");
    struct sockaddr_un address = {.sun_family = AF_INET, .sun_path = "x"};
    fd = make(SOCK_STREAM);
    SHOW(bind(fd, (struct sockaddr *)&address, 5));
    SHOW(connect(fd, (struct sockaddr *)&address, 5));
    address.sun_family = AF_UNIX;
    SHOW(bind(fd, (struct sockaddr *)&address, 1));
    SHOW(bind(fd, (struct sockaddr *)&address, sizeof address + 1));
    SHOW(bind(fd, (struct sockaddr *)&address, -1));
    SHOW(connect(fd, (struct sockaddr *)&address, 2));
    SHOW(bind(fd, (struct sockaddr *)(void *)(intptr_t)4, 10));
    SHOW(bind(0, (struct sockaddr *)&address, 5));
    length = (socklen_t)-1;
    SHOW(getsockname(fd, (struct sockaddr *)&name, &length));
    length = 1;
    SHOW(getsockname(fd, (struct sockaddr *)&name, &length));
    SHOW(length);
    return 0;
}
