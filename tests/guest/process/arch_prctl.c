// The bases of the segments fs and gs: set, read, used, and refused outside of the address space.
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    unsigned long fs = 0, gs = 1, cell = 42, seen;
    printf("%ld %d\n", syscall(SYS_arch_prctl, 0x1003, &fs), fs != 0);
    printf("%ld %lu\n", syscall(SYS_arch_prctl, 0x1004, &gs), gs);
    printf("%ld\n", syscall(SYS_arch_prctl, 0x1001, &cell));
    __asm__("mov %%gs:0, %0" : "=r"(seen));
    printf("%lu\n", seen);
    printf("%ld %d\n", syscall(SYS_arch_prctl, 0x1002, -4096L), errno == EPERM);
    printf("%ld %d\n", syscall(SYS_arch_prctl, 0x7777, 0), errno == EINVAL);
    printf("%ld %d\n", syscall(SYS_arch_prctl, 0x1003, 8), errno == EFAULT);
    return 0;
}
