/* execve(2): what stays, what goes, scripts, and errors. */
#include "check.h"

static char *const no_environment[] = { NULL };

static void run(const char *what, const char *path, char *const arguments[], char *const environment[])
{
    pid_t pid = start_child();
    if (pid == 0) {
        execve(path, arguments, environment);
        printf("%s: %s\n", what, strerrorname_np(errno));
        exit(98);
    }
    show_child(what, pid);
}

static void script(const char *path, const char *text, mode_t mode)
{
    put_file(path, text);
    NEED(chmod(path, mode));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "second") == 0) {
        printf("argc %d, argv[2] \"%s\", X=%s\n", argc, argv[2], getenv("X"));
        printf("kept descriptor: %s\n", fcntl(7, F_GETFD) == -1 ? "closed" : "open");
        printf("close-on-exec: %s\n", fcntl(8, F_GETFD) == -1 ? "closed" : "open");
        struct sigaction action;
        sigaction(SIGUSR1, NULL, &action);
        printf("caught signal: %s\n", action.sa_handler == SIG_DFL ? "default" : "other");
        sigaction(SIGUSR2, NULL, &action);
        printf("ignored signal: %s\n", action.sa_handler == SIG_IGN ? "ignored" : "other");
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        printf("blocked: %d\n", sigismember(&mask, SIGHUP));
        return 5;
    }
    NEED(dup2(1, 7));
    NEED(dup3(1, 8, O_CLOEXEC));
    signal(SIGUSR1, (void (*)(int))main);
    signal(SIGUSR2, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    char *second[] = { "name", "second", "an argument", NULL };
    char *environment[] = { "X=from execve", NULL };
    run("itself", "/proc/self/exe", second, environment);

    char *plain[] = { "plain", "a", "b", NULL };
    run("missing", "./missing", plain, no_environment);
    run("directory", ".", plain, no_environment);
    script("not-executable", "#!/bin/sh\n", 0644);
    run("not executable", "./not-executable", plain, no_environment);
    script("empty", "", 0755);
    run("empty", "./empty", plain, no_environment);
    script("garbage", "garbage\n", 0755);
    run("garbage", "./garbage", plain, no_environment);
    script("truncated", "\177ELF\2\1\1", 0755);
    run("truncated", "./truncated", plain, no_environment);
    script("script", "#!/bin/sh\necho \"$0 $1 $2 $#\"\nexit 4\n", 0755);
    run("script", "./script", plain, no_environment);
    script("option", "#! /bin/sh -e \nfalse\necho not reached\n", 0755);
    run("script with option", "./option", plain, no_environment);
    script("nested", "#!./script\n", 0755);
    run("nested script", "./nested", plain, no_environment);
    script("no-interpreter", "#!/missing/interpreter\n", 0755);
    run("missing interpreter", "./no-interpreter", plain, no_environment);
    script("loop", "#!./loop\n", 0755);
    run("interpreter loop", "./loop", plain, no_environment);
    run("below a file", "./script/x", plain, no_environment);

    /* Limits: one string of 128 KiB, and a quarter of the stack in all. */
    size_t big = 131072;
    char *string = malloc(big + 1);
    memset(string, 'x', big);
    string[big] = 0;
    char *long_argument[] = { "echo", string, NULL };
    run("long argument", "/bin/echo", long_argument, no_environment);
    string[big - 1] = 0;
    char *many[40] = { "true" };
    for (int i = 1; i < 10; i++)
        many[i] = string;
    run("a megabyte of arguments", "/bin/true", many, no_environment);
    for (int i = 1; i < 39; i++)
        many[i] = string;
    run("five megabytes of arguments", "/bin/true", many, no_environment);
    SHOW(execve((char *)8, plain, no_environment));
    SHOW(execve("/bin/true", (char **)8, no_environment));
    fflush(stdout);
    execl("/bin/sh", "sh", "-c", "echo replaced; exit 6", (char *)NULL);
    return 1;
}
