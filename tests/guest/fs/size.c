/* truncate(2), ftruncate(2), fallocate(2), RLIMIT_FSIZE. */
#include "check.h"
#include <linux/falloc.h>
#include <sys/resource.h>

static long size_of(const char *path)
{
    struct stat st;
    NEED(stat(path, &st));
    return (long)st.st_size;
}

int main(void)
{
    put_file("f", "0123456789");
    int fd = (int)NEED(open("f", O_RDWR));
    int reader = (int)NEED(open("f", O_RDONLY));
    SHOW(truncate("f", 4));
    show_file("f");
    SHOW(ftruncate(fd, 8));
    show_file("f");
    SHOW(truncate("f", -1));
    SHOW(ftruncate(reader, 1));
    SHOW(truncate("missing", 1));
    SHOW(truncate(".", 1));
    NEED(mkfifo("fifo", 0644));
    SHOW(truncate("fifo", 0));
    SHOW(truncate("f/", 0));

    /* Bytes cut off do not come back, also across pages. */
    char page[4096];
    memset(page, 'x', sizeof page);
    for (int i = 0; i < 4; i++)
        NEED(pwrite(fd, page, sizeof page, i * 4096));
    NEED(ftruncate(fd, 5000));
    NEED(ftruncate(fd, 16384));
    NEED(pread(fd, page, sizeof page, 4096));
    SHOW(page[903]);
    SHOW(page[904]);
    NEED(pread(fd, page, sizeof page, 8192));
    SHOW(page[0]);

    /* A mapping behind the new end raises SIGBUS. */
    pid_t child = start_child();
    if (child == 0) {
        char *map = mmap(NULL, 16384, PROT_READ, MAP_SHARED, fd, 0);
        NEED(ftruncate(fd, 4096));
        volatile char *last = map + 8192;
        _exit(*last);
    }
    show_child("child", child);
    SHOW(size_of("f"));

    SHOW(fallocate(fd, 0, 0, 10000));
    SHOW(size_of("f"));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000));
    SHOW(size_of("f"));
    NEED(pwrite(fd, "abcdefgh", 8, 0));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
    char text[9] = "";
    NEED(pread(fd, text, 8, 0));
    for (int i = 0; i < 8; i++)
        printf("%d ", text[i]);
    printf("\n");
    SHOW(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 20000));
    SHOW(size_of("f"));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
    SHOW(fallocate(fd, 0, -1, 1));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(fd, 0, LONG_MAX - 5, 10));
    SHOW(fallocate(reader, 0, 0, 1));
    int ends[2];
    NEED(pipe(ends));
    SHOW(fallocate(ends[1], 0, 0, 1));
    SHOW(fallocate(fd, 0x10000, 0, 1));

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {6000, RLIM_INFINITY};
    NEED(setrlimit(RLIMIT_FSIZE, &limit));
    NEED(ftruncate(fd, 0));
    memset(page, 'y', sizeof page);
    SHOW(pwrite(fd, page, sizeof page, 4096));
    SHOW(size_of("f"));
    SHOW(pwrite(fd, page, 1, 6000));
    SHOW(ftruncate(fd, 6001));
    SHOW(ftruncate(fd, 6000));
    child = start_child();
    if (child == 0) {
        signal(SIGXFSZ, SIG_DFL);
        pwrite(fd, page, 1, 7000);
        _exit(0);
    }
    show_child("child", child);
    return 0;
}
