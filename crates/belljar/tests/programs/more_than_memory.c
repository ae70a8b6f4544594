/* Several processes write and read at random what is more than the jar's memory: private pages, pages shared since a fork,
 * shared memory, a memfd, a file through a shared mapping, a private mapping of a file. Every byte is compared with a model:
 * page p of kind k holds, in process w, a value that follows from how often it was written. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
enum { PRIVATE, SHARED, MEMFD, FILE_SHARED, FILE_PRIVATE, KINDS };
static const int pages[KINDS] = {2500, 1200, 800, 1500, 1500};
static unsigned char *area[KINDS];
/* What each page should hold. Those of shared kinds lie in shared memory themselves, locked out of nobody's way. */
static uint8_t *model[KINDS];
static uint64_t state;

static uint32_t next(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % limit;
}

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static void *map(size_t length, int flags, int fd)
{
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

static void check(int kind, int page)
{
    unsigned char *at = area[kind] + (size_t)page * PAGE;
    uint8_t value = model[kind][page];
    for (int i = 0; i < PAGE; i++)
        if (at[i] != (uint8_t)(value ? value + i % 7 : 0)) {
            printf("kind %d page %d byte %d: %d instead of %d\n", kind, page, i, at[i], value);
            fflush(stdout);
            _exit(1);
        }
}

static void fill(int kind, int page, uint8_t value)
{
    unsigned char *at = area[kind] + (size_t)page * PAGE;
    for (int i = 0; i < PAGE; i++)
        at[i] = (uint8_t)(value + i % 7);
    model[kind][page] = value;
}

/* A process writes pages of shared kinds only where page % workers is its own number. */
static uint32_t work(int steps, int worker, int workers)
{
    uint32_t sum = 0;
    for (int step = 0; step < steps; step++) {
        int kind = (int)next(KINDS), page = (int)next((uint32_t)pages[kind]);
        int is_shared = kind == SHARED || kind == MEMFD || kind == FILE_SHARED;
        if (is_shared)
            page = page / workers * workers + worker;
        if (page >= pages[kind])
            continue;
        if (next(2))
            fill(kind, page, (uint8_t)(1 + next(200)));
        check(kind, page);
        sum = sum * 31 + model[kind][page];
    }
    return sum;
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 6000;
    char name[] = "moreXXXXXX";
    int file = mkstemp(name), memory = memfd_create("more", 0);
    if (file < 0 || memory < 0 || unlink(name) != 0)
        die("files");
    if (ftruncate(file, (off_t)pages[FILE_SHARED] * PAGE) != 0 || ftruncate(memory, (off_t)pages[MEMFD] * PAGE) != 0)
        die("ftruncate");
    area[PRIVATE] = map((size_t)pages[PRIVATE] * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    area[SHARED] = map((size_t)pages[SHARED] * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
    area[MEMFD] = map((size_t)pages[MEMFD] * PAGE, MAP_SHARED, memory);
    area[FILE_SHARED] = map((size_t)pages[FILE_SHARED] * PAGE, MAP_SHARED, file);
    /* A second file of zeroes, mapped privately. */
    char other[] = "moreXXXXXX";
    int second = mkstemp(other);
    if (second < 0 || unlink(other) != 0 || ftruncate(second, (off_t)pages[FILE_PRIVATE] * PAGE) != 0)
        die("second file");
    area[FILE_PRIVATE] = map((size_t)pages[FILE_PRIVATE] * PAGE, MAP_PRIVATE, second);
    for (int kind = 0; kind < KINDS; kind++) {
        int is_shared = kind == SHARED || kind == MEMFD || kind == FILE_SHARED;
        model[kind] = map((size_t)pages[kind], is_shared ? MAP_SHARED | MAP_ANONYMOUS : MAP_PRIVATE | MAP_ANONYMOUS, -1);
    }
    for (int kind = 0; kind < KINDS; kind++)
        for (int page = 0; page < pages[kind]; page++)
            fill(kind, page, (uint8_t)(1 + page % 199));
    printf("before: %u\n", work(steps, 0, 1));
    fflush(stdout);
    uint32_t *sums = map(PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
    for (int worker = 0; worker < 3; worker++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            state = (uint64_t)worker;
            sums[worker] = work(steps, worker, 3);
            for (int page = 0; page < pages[PRIVATE]; page++)
                check(PRIVATE, page);
            _exit(0);
        }
    }
    for (int worker = 0; worker < 3; worker++) {
        int status;
        if (wait(&status) < 0 || status != 0) {
            printf("a worker ended with %d\n", status);
            return 1;
        }
    }
    for (int kind = 0; kind < KINDS; kind++)
        for (int page = 0; page < pages[kind]; page++)
            check(kind, page);
    /* The same bytes through read(2), a page at a time. */
    uint32_t hash = 0;
    unsigned char bytes[PAGE];
    for (int page = 0; page < pages[FILE_SHARED]; page++) {
        if (pread(file, bytes, PAGE, (off_t)page * PAGE) != PAGE || memcmp(bytes, area[FILE_SHARED] + (size_t)page * PAGE, PAGE))
            die("pread");
        hash = hash * 31 + bytes[page % PAGE];
    }
    printf("workers: %u %u %u, file: %u\n", sums[0], sums[1], sums[2], hash);
    return 0;
}
