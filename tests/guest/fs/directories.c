/* mkdir(2), rmdir(2), getdents64(2): directories and their listing. */
#include "check.h"
#include <dirent.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prints the names in order: Linux leaves their order open. */
static void list(const char *path)
{
    char *names[1200];
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char text[300];
        snprintf(text, sizeof text, "%s:%d", entry->d_name, entry->d_type);
        names[count++] = strdup(text);
    }
    closedir(directory);
    qsort(names, count, sizeof *names, by_name);
    printf("%s has %d:", path, count);
    for (int i = 0; i < count && i < 8; i++)
        printf(" %s", names[i]);
    printf("\n");
}

int main(void)
{
    struct stat st;
    umask(022);
    SHOW(mkdir("d", 0777));
    SHOW(mkdir("d", 0777));
    SHOW(mkdir("x/y", 0777));
    SHOW(mkdir("d/", 0777));
    SHOW(mkdir("slash/", 0700));
    NEED(stat("d", &st));
    printf("mode %o links %ld\n", st.st_mode, (long)st.st_nlink);
    NEED(mkdir("d/e", 0755));
    NEED(stat("d", &st));
    SHOW(st.st_nlink);
    put_file("d/file", "");
    NEED(symlink("file", "d/link"));
    NEED(mkfifo("d/fifo", 0600));
    list("d");
    SHOW(rmdir("d"));
    SHOW(rmdir("d/file"));
    SHOW(rmdir("missing"));
    SHOW(rmdir("d/e/."));
    SHOW(rmdir("d/e"));
    NEED(unlink("d/file"));
    list("d");

    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%04d", i);
        put_file(name, "");
    }
    list("d");

    /* Everything is seen exactly once while names are removed on the way. */
    DIR *directory = opendir("d");
    int seen = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.') {
            seen++;
            NEED(unlinkat(dirfd(directory), entry->d_name, 0));
        }
    SHOW(seen);
    rewinddir(directory);
    seen = 0;
    while (readdir(directory) != NULL)
        seen++;
    SHOW(seen);
    closedir(directory);
    SHOW(rmdir("d"));

    /* A directory that was removed while it is somebody's working directory. */
    NEED(mkdir("gone", 0755));
    NEED(chdir("gone"));
    NEED(rmdir("../gone"));
    char path[64];
    SHOW(getcwd(path, sizeof path) == NULL ? -1 : 0);
    SHOW(open("new", O_CREAT | O_WRONLY, 0600));
    list(".");
    char buffer[10];
    int fd = (int)NEED(open("/", O_RDONLY));
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    SHOW(syscall(SYS_getdents64, 0x7fff, buffer, sizeof buffer));
    return 0;
}
