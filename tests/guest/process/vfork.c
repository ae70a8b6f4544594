/* vfork(2), posix_spawn(3): the parent waits until the child executes or exits, and shares its memory until then. */
#include "check.h"
#include <spawn.h>

extern char **environ;
static volatile int shared = 1;

int main(void)
{
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 2;
        _exit(9);
    }
    SHOW(shared);
    show_child("vforked", pid);
    fflush(stdout);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(1);
    }
    show_child("executed", pid);

    char *arguments[] = { "sh", "-c", "cat; echo to stderr >&2; exit 8", NULL };
    int in[2], out[2];
    NEED(pipe(in));
    NEED(pipe(out));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    SHOW(posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ));
    NEED(close(in[0]));
    NEED(close(out[1]));
    NEED(write(in[1], "through cat\n", 12));
    NEED(close(in[1]));
    char text[100];
    size_t length = 0;
    for (ssize_t n; (n = read(out[0], text + length, sizeof text - length)) > 0;)
        length += n;
    printf("%.*s", (int)length, text);
    show_child("spawned", pid);
    printf("posix_spawn of nothing: %s\n", strerrorname_np(posix_spawn(&pid, "/missing", NULL, NULL, arguments, environ)));
    return 0;
}
