/* strings - the C library's memcpy, strlen, memchr and memset on blocks of 16 bytes to 64 KiB
 *
 * Usage: strings [rounds=20000]
 * Output: "strings checksum".  Exit status 1 on a bad argument.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char from[1 << 17], to[1 << 17];

int main(int argc, char **argv)
{
    long rounds = argc < 2 ? 20000 : strtol(argv[1], NULL, 10);
    if (rounds <= 0)
        return 1;
    unsigned long sum = 0;
    for (long round = 0; round < rounds; round++)
        for (size_t size = 16; size <= 65536; size *= 2) {
            size_t offset = (size_t)round % 61;
            size_t times = 65536 / size < 64 ? 65536 / size : 64;
            for (size_t i = 0; i < times; i++) {
                memset(from + offset, 'a' + (int)(round % 26), size);
                from[offset + size - 1] = 0;
                memcpy(to + (offset ^ 5), from + offset, size);
                sum += strlen(to + (offset ^ 5));
                sum += (unsigned long)((char *)memchr(from + offset, 0, size) - from);
            }
        }
    printf("strings %lu\n", sum);
    return 0;
}
