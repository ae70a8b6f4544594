/* memfd_create(2) and its seals. */
#include "check.h"

int main(void)
{
    int fd = (int)NEED(memfd_create("name", MFD_ALLOW_SEALING));
    char target[256];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = NEED(readlink(path, target, sizeof target - 1));
    target[length] = 0;
    printf("%s\n", target);
    SHOW(ftruncate(fd, 8192));
    SHOW(write(fd, "hello", 5));
    struct stat st;
    NEED(fstat(fd, &st));
    printf("%o size %ld links %lu\n", st.st_mode, (long)st.st_size, (unsigned long)st.st_nlink);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, 0x1000));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(fd, 100));
    SHOW(ftruncate(fd, 10000));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(ftruncate(fd, 20000));
    SHOW(pwrite(fd, "x", 1, 9999));
    SHOW(pwrite(fd, "x", 1, 10000));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK(memcmp(map, "hello", 5) == 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    NEED(munmap(map, 4096));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(write(fd, "x", 1));
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    SHOW(errno);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(fcntl(fd, F_GET_SEALS));

    int plain = (int)NEED(memfd_create("", MFD_CLOEXEC));
    SHOW(fcntl(plain, F_GETFD));
    SHOW(fcntl(plain, F_GET_SEALS));
    SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(memfd_create("x", 0x10000));
    put_file("regular", "");
    int regular = (int)NEED(open("regular", O_RDWR));
    SHOW(fcntl(regular, F_GET_SEALS));

    /* Opened again through proc it is the same file with an offset of its own. */
    int again = (int)NEED(open(path, O_RDONLY));
    char text[6] = "";
    SHOW(read(again, text, 5));
    printf("%s\n", text);
    return 0;
}
