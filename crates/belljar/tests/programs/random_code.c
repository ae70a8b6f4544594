// Children jump into random bytes; whatever they do, the processor must live.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static uint64_t draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int main(int argc, char **argv) {
    int children = argc > 1 ? atoi(argv[1]) : 300;
    uint64_t seed = argc > 2 ? strtoull(argv[2], 0, 0) : 1;
    for (int i = 0; i < children; i++) {
        state = (seed * 1000003 + i) * 0x9e3779b97f4a7c15 | 1;
        for (int j = 0; j < 10; j++) draw();
        pid_t pid = fork();
        if (pid == 0) {
            unsigned char *code = mmap(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (int j = 0; j < 8192; j++) code[j] = draw();
            // Prefixes and two-byte opcodes more often than chance would have them.
            for (int j = 0; j < 400; j++) {
                static const unsigned char often[] = {0x66, 0xf2, 0xf3, 0x0f, 0x48, 0xc4, 0xc5, 0xf0, 0x0f, 0x64};
                code[draw() % 8192] = often[draw() % sizeof often];
            }
            for (int fd = 0; fd < 3; fd++) close(fd);
            alarm(1);
            ((void (*)(void))(code + draw() % 4000))();
            _exit(0);
        }
        int status;
        if (pid > 0) waitpid(pid, &status, 0);
    }
    printf("lived through %d children\n", children);
    return 0;
}
