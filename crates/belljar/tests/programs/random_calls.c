// Children make random system calls with random arguments; whatever they answer, the kernel must live.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static uint64_t draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static char buffers[8][4096];

static long argument(void) {
    switch (draw() % 12) {
    case 0: return 0;
    case 1: return draw() % 16;
    case 2: return -1 - (long)(draw() % 4);
    case 3: return (long)draw();
    case 4: return 1L << (draw() % 64);
    case 5: return (1L << (draw() % 64)) - 1;
    case 6: return (long)buffers[draw() % 8] + draw() % 4096;
    case 7: return draw() % 5000;
    case 8: return (long)strcpy(buffers[draw() % 8], draw() % 2 ? "." : "/proc/self/status");
    case 9: return draw() % 8 * 4096;
    case 10: return (long)&state + 4096 * (long)(draw() % 64);
    default: return draw() % 64;
    }
}

static void child(int calls) {
    struct rlimit few = {64, 64};
    setrlimit(RLIMIT_NPROC, &few);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4096; j += 8) *(uint64_t *)(buffers[i] + j) = draw() % 4 ? draw() % 100 : draw();
    for (int i = 0; i < calls; i++) {
        long number = draw() % 462;
        if (number == SYS_exit || number == SYS_exit_group || number == SYS_pause || number == SYS_rt_sigsuspend) continue;
        // Those that kill whoever can be found would end the test itself.
        if (number == SYS_kill || number == SYS_tkill || number == SYS_tgkill || number == SYS_reboot) continue;
        if (number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3) continue;
        alarm(2);
        syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
    }
    _exit(0);
}

int main(int argc, char **argv) {
    int children = argc > 1 ? atoi(argv[1]) : 100, calls = argc > 2 ? atoi(argv[2]) : 300;
    uint64_t seed = argc > 3 ? strtoull(argv[3], 0, 0) : 1;
    for (int i = 0; i < children; i++) {
        state = (seed * 1000003 + i) * 0x9e3779b97f4a7c15 | 1;
        for (int j = 0; j < 10; j++) draw();
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout)) _exit(1);
            if (!freopen("/dev/null", "w", stderr)) _exit(1);
            child(calls);
        }
        int status;
        if (pid > 0) waitpid(pid, &status, 0);
    }
    printf("lived through %d children\n", children);
    return 0;
}
