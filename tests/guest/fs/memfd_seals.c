/* The seals of memfd_create(2) that came later: F_SEAL_FUTURE_WRITE, F_SEAL_EXEC, MFD_NOEXEC_SEAL, MFD_EXEC. */
#include "check.h"

#define FUTURE_WRITE 0x10
#define SEAL_EXEC 0x20
#define NOEXEC_SEAL 8u
#define EXEC 16u

static void show(int fd)
{
    struct stat st;
    NEED(fstat(fd, &st));
    printf("mode %o seals %x\n", st.st_mode, fcntl(fd, F_GET_SEALS));
}

int main(void)
{
    int fd = (int)NEED(memfd_create("future", MFD_ALLOW_SEALING));
    NEED(ftruncate(fd, 8192));
    char *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(writable != MAP_FAILED);
    SHOW(fcntl(fd, F_ADD_SEALS, FUTURE_WRITE));
    show(fd);
    writable[0] = 1;
    SHOW(write(fd, "x", 1));
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    SHOW(errno);
    char *readable = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(readable != MAP_FAILED && readable[0] == 1);
    writable[0] = 2;
    CHECK(readable[0] == 2);
    SHOW(mprotect(readable, 4096, PROT_READ | PROT_WRITE));
    /* The mapping from before still writes. */
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    NEED(munmap(writable, 4096));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    char *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(copy != MAP_FAILED && copy[0] == 2);
    copy[0] = 3;
    CHECK(readable[0] == 2);
    SHOW(ftruncate(fd, 100));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));

    fd = (int)NEED(memfd_create("noexec", NOEXEC_SEAL));
    show(fd);
    SHOW(fchmod(fd, 0755));
    SHOW(fchmod(fd, 0600));
    show(fd);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    show(fd);

    fd = (int)NEED(memfd_create("exec", EXEC));
    show(fd);
    SHOW(fcntl(fd, F_ADD_SEALS, SEAL_EXEC));

    /* Sealed as executable, it cannot be written any more either. */
    fd = (int)NEED(memfd_create("sealed", EXEC | MFD_ALLOW_SEALING));
    show(fd);
    SHOW(fcntl(fd, F_ADD_SEALS, SEAL_EXEC));
    show(fd);
    SHOW(fchmod(fd, 0600));
    SHOW(write(fd, "x", 1));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(memfd_create("both", NOEXEC_SEAL | EXEC));

    fd = (int)NEED(memfd_create("plain", MFD_ALLOW_SEALING));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = (int)NEED(open(path, O_RDONLY));
    SHOW(fcntl(reader, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fchmod(fd, 0666));
    SHOW(fcntl(fd, F_ADD_SEALS, SEAL_EXEC | 0x40));
    SHOW(fcntl(fd, F_ADD_SEALS, SEAL_EXEC));
    show(fd);

    char name[252];
    memset(name, 'x', sizeof name);
    name[249] = 0;
    CHECK(memfd_create(name, 0) > 0);
    name[249] = 'x';
    name[250] = 0;
    SHOW(memfd_create(name, 0));
    return 0;
}
