// Everything that is counted in pages, on a machine with pages of 64 KiB and, natively, of 4 KiB: what is printed is the
// same, as it is told in pages.
// flags: -static -Wl,-z,max-page-size=65536
// options: --paging 8-8-16

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t page;
static sigjmp_buf back;
static char *fault_address;
static int fault_code;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    fault_address = info->si_addr;
    fault_code = info->si_code;
    siglongjmp(back, signal);
}

/* Touches a byte: the signal and its code, or 0. */
static int touch(volatile char *at, int write) {
    int signal = sigsetjmp(back, 1);
    if (signal == 0) {
        if (write)
            *at = 1;
        else
            (void)*at;
        return 0;
    }
    if (fault_address != at)
        printf("another address\n");
    return signal * 10 + fault_code;
}

static size_t smaps_kilobytes(const char *key) {
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    size_t value = 0, length = strlen(key);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0) {
            value = strtoul(line + length + 1, 0, 10);
            break;
        }
    fclose(file);
    return value;
}

static void sizes(void) {
    printf("power of two: %d\n", page >= 4096 && (page & (page - 1)) == 0);
    printf("everybody agrees: %d %d %d\n", getauxval(AT_PAGESZ) == page, getpagesize() == (int)page,
           smaps_kilobytes("KernelPageSize:") * 1024 == page && smaps_kilobytes("MMUPageSize:") * 1024 == page);
}

static void granularity(void) {
    char *at = mmap(0, 3 * page + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("aligned: %d\n", (uintptr_t)at % page == 0);
    unsigned char in[4];
    at[page] = at[3 * page] = 1;
    printf("mincore %d:", mincore(at, 3 * page + 1, in));
    for (int i = 0; i < 4; i++)
        printf(" %d", in[i] & 1);
    printf("\nthe last byte of the last page: %d\n", touch(at + 4 * page - 1, 1));
    char *half = at + page / 2;
    printf("half a page:");
    errno = 0;
    int result = munmap(half, page);
    printf(" munmap %d %d", result, errno);
    errno = 0;
    result = mprotect(half, page, PROT_READ);
    printf(" mprotect %d %d", result, errno);
    errno = 0;
    result = madvise(half, page, MADV_DONTNEED);
    printf(" madvise %d %d", result, errno);
    errno = 0;
    void *mapped = mmap(half, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf(" mmap %d %d\n", mapped == MAP_FAILED, errno);
    mprotect(at + page, page, PROT_READ);
    printf("read-only: %d %d %d %d\n", touch(at + page - 1, 1), touch(at + page, 1), touch(at + 2 * page - 1, 1), touch(at + 2 * page, 1));
    mprotect(at + page, page, PROT_NONE);
    printf("none: %d %d %d\n", touch(at + page, 0), touch(at + 2 * page - 1, 0), touch(at + page - 1, 0));
    munmap(at + 2 * page, 1);
    printf("a hole: %d %d %d\n", touch(at + 2 * page, 0), touch(at + 3 * page - 1, 0), touch(at + 3 * page, 0));
    munmap(at, 4 * page);
}

static void files(void) {
    int fd = open("pages", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *text = malloc(3 * page);
    for (size_t i = 0; i < 3 * page; i++)
        text[i] = (char)(i / page * 7 + i % 251);
    printf("written: %d\n", write(fd, text, 2 * page + 100) == (ssize_t)(2 * page + 100));
    char *whole = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *second = mmap(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, page);
    void *odd = mmap(0, page, PROT_READ, MAP_SHARED, fd, page / 2);
    printf("offset of half a page: %d %d\n", odd == MAP_FAILED, errno);
    printf("same bytes: %d %d\n", memcmp(whole, text, 2 * page + 100) == 0, memcmp(second, text + page, page) == 0);
    printf("behind the end: %d %d %d\n", whole[2 * page + 100], touch(whole + 3 * page - 1, 0), touch(whole + 3 * page, 0));
    whole[page + 5] = 'w';
    second[6] = 'p';
    char two[2];
    ssize_t got = pread(fd, two, 2, page + 5);
    printf("pread: %zd %c %d\n", got, two[0], two[1] == text[page + 6]);
    struct iovec parts[2] = {{text, page - 1}, {text + page, 3}};
    printf("pwritev over a border: %d\n", pwritev(fd, parts, 2, page / 2 + 1) == (ssize_t)(page + 2));
    printf("seen: %d %d\n", memcmp(whole + page / 2 + 1, text, page - 1) == 0, memcmp(whole + page / 2 + page, text + page, 3) == 0);
    int cut = ftruncate(fd, page + 1);
    printf("cut: %d %d %d\n", cut, touch(whole + page, 0), touch(whole + 2 * page, 0));
    int grown = ftruncate(fd, 3 * page);
    printf("grown: %d %d %d\n", grown, whole[page + 1], touch(whole + 2 * page, 1));
    munmap(whole, 4 * page);
    munmap(second, page);
    free(text);
    close(fd);
    unlink("pages");
}

static void sharing(void) {
    char *own = mmap(0, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *common = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8; i++)
        memset(own + i * page, 'a' + i, page);
    pid_t child = fork();
    if (child == 0) {
        own[page * 3 + page - 1] = 'X';
        memcpy(common + page - 2, own + 4 * page - 4, 4);
        _exit(own[0] + own[7 * page]);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child: %d; %.4s; %c\n", WEXITSTATUS(status), common + page - 2, own[page * 4 - 1]);
    int id = shmget(IPC_PRIVATE, page + 1, 0600);
    struct shmid_ds about;
    char *segment = shmat(id, 0, 0);
    shmctl(id, IPC_STAT, &about);
    printf("segment: %d %d %d\n", (uintptr_t)segment % page == 0, about.shm_segsz == page + 1, touch(segment + 2 * page - 1, 1));
    shmdt(segment);
    shmctl(id, IPC_RMID, 0);
    char *moved = mremap(own, 8 * page, 16 * page, MREMAP_MAYMOVE);
    printf("moved: %c%c %d\n", moved[0], moved[8 * page - 1], moved[16 * page - 1]);
    munmap(moved, 16 * page);
}

static void heap_and_stack(void) {
    char *before = sbrk(0);
    sbrk(page + 1);
    before[page] = 1;
    printf("heap: %d\n", (char *)sbrk(0) == before + page + 1);
    volatile char deep[40 * 65536];
    for (size_t i = 0; i < sizeof deep; i += 4096)
        deep[sizeof deep - 1 - i] = (char)(i >> 12);
    printf("stack: %d\n", deep[sizeof deep - 1 - 3 * 4096]);
    int ends[2];
    int made = pipe(ends);
    char *room = malloc(9 * page);
    memset(room, 5, 9 * page);
    ssize_t written = write(ends[1], room + page - 10, 4096);
    ssize_t got = read(ends[0], room + 3 * page - 50, 4096);
    printf("pipe: %d %zd %zd %d\n", made, written, got, room[3 * page + 50]);
    free(room);
}

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    sizes();
    granularity();
    files();
    sharing();
    heap_and_stack();
    return 0;
}
