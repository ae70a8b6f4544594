/* getrandom(2), AT_RANDOM, /dev/urandom: bytes that differ, and errors. */
#include "check.h"
#include <sys/auxv.h>
#include <sys/random.h>

static bool all_zero(const unsigned char *bytes, size_t count)
{
    unsigned char any = 0;
    for (size_t i = 0; i < count; i++)
        any |= bytes[i];
    return any == 0;
}

int main(void)
{
    unsigned char a[64] = { 0 }, b[64] = { 0 };
    SHOW(getrandom(a, sizeof a, 0));
    SHOW(getrandom(b, sizeof b, GRND_NONBLOCK));
    CHECK(!all_zero(a, sizeof a) && !all_zero(b, sizeof b) && memcmp(a, b, sizeof a) != 0);
    SHOW(getrandom(a, 0, 0));
    SHOW(getrandom(a, 1, GRND_RANDOM));
    SHOW(getrandom(a, 1, GRND_INSECURE));
    SHOW(getrandom(a, 1, GRND_RANDOM | GRND_INSECURE));
    SHOW(getrandom(a, 1, 8));
    SHOW(syscall(SYS_getrandom, 8, 16, 0));
    int fd = (int)NEED(open("/dev/urandom", O_RDONLY));
    SHOW(read(fd, b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    const unsigned char *given = (const unsigned char *)getauxval(AT_RANDOM);
    CHECK(given != NULL && !all_zero(given, 16));
    return 0;
}
