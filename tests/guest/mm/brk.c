/* brk(2), sbrk(3): the heap's end moves, pages come zeroed and go. */
#include "check.h"

int main(void)
{
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* else stdio moves the heap's end itself */
    char *start = sbrk(0);
    CHECK(sbrk(100000) == start);
    CHECK(start[0] == 0 && start[99999] == 0);
    memset(start, 'x', 100000);
    CHECK(sbrk(-100000) == start + 100000);
    CHECK(sbrk(0) == start);
    CHECK(sbrk(100000) == start);
    CHECK(start[8192] == 0 && start[90000] == 0);
    SHOW(brk((void *)4096));
    CHECK(sbrk(0) == start + 100000);
    CHECK(sbrk((intptr_t)1 << 50) == (void *)-1);
    SHOW(brk(start));
    pid_t pid = start_child();
    if (pid == 0) {
        volatile char *gone = start + 65536;
        *gone = 1;
        _exit(0);
    }
    show_child("touching what was given back", pid);
    return 0;
}
