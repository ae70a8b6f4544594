// Recurses until the stack ends.
#include <stdio.h>
volatile int deep = 1;
static long dive(long n) {
    volatile char frame[512];
    frame[0] = (char)n;
    return deep ? dive(n + 1) + frame[0] : n;
}
int main(void) {
    puts("diving");
    fflush(stdout);
    printf("%ld\n", dive(0));
    return 0;
}
