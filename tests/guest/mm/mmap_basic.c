/* mmap(2), munmap(2): anonymous and file mappings, private and shared, and their errors. */
#include "check.h"

#define SHOW_MAP(call) do { void *at = (call); if (at == MAP_FAILED) printf("%s = %s\n", #call, strerrorname_np(errno)); \
        else printf("%s succeeds\n", #call); } while (0)

int main(void)
{
    char *a = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(a != MAP_FAILED && ((uintptr_t)a & 4095) == 0);
    CHECK(a[0] == 0 && a[3 * 4096 - 1] == 0);
    a[4096] = 7;
    SHOW(munmap(a + 4096, 4096));
    a[0] = a[8192] = 1;
    char *again = mmap(a + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(again == a + 4096 && again[0] == 0);
    SHOW_MAP(mmap(a, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW_MAP(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW_MAP(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SHOW_MAP(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
    SHOW_MAP(mmap((void *)4097, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW_MAP(mmap(NULL, (size_t)1 << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(munmap(a, 0));
    SHOW(munmap(a + 1, 4096));
    SHOW(munmap(a + (1 << 20), 4096));

    put_file("file", "file contents");
    int fd = (int)NEED(open("file", O_RDWR));
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("%s %s\n", private, shared);
    memcpy(shared, "FILE", 4);
    printf("%s %s\n", private, shared);
    memcpy(private, "mine", 4);
    printf("%s %s\n", private, shared);
    show_file("file");
    NEED(pwrite(fd, "written", 7, 5));
    printf("%s %s\n", private, shared);
    CHECK(shared[100] == 0);

    int read_only = (int)NEED(open("file", O_RDONLY));
    SHOW_MAP(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, read_only, 0));
    SHOW_MAP(mmap(NULL, 4096, PROT_WRITE, MAP_PRIVATE, read_only, 0));
    SHOW_MAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1));
    int write_only = (int)NEED(open("file", O_WRONLY));
    SHOW_MAP(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, write_only, 0));
    int directory = (int)NEED(open(".", O_RDONLY));
    SHOW_MAP(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, directory, 0));

    int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *copied = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = start_child();
    if (pid == 0) {
        *counter = *copied = 42;
        _exit(0);
    }
    show_child("child", pid);
    printf("shared %d private %d\n", *counter, *copied);
    pid = start_child();
    if (pid == 0) {
        char *behind = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
        volatile char byte = behind[4096];
        _exit(byte);
    }
    show_child("reading behind the file's last page", pid);
    return 0;
}
