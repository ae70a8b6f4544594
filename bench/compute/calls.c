/* calls - doubly recursive Fibonacci: call, return and the stack
 *
 * Usage: calls [n=42]
 * Output: "calls value", the n-th Fibonacci number.  Exit status 1 on a bad argument.
 */
#include <stdio.h>
#include <stdlib.h>

static unsigned long __attribute__((noinline)) fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(int argc, char **argv)
{
    unsigned n = argc < 2 ? 42 : (unsigned)strtoul(argv[1], NULL, 10);
    if (n == 0 || n > 50)
        return 1;
    printf("calls %lu\n", fibonacci(n));
    return 0;
}
