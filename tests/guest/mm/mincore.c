// mincore(2).
#include "memory.h"
#include <sys/mman.h>

#define PAGE 4096L

int main(void)
{
	unsigned char found[8] = { 0 };
	char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED && mincore(at, 8 * PAGE, found) == 0);
	for (int i = 0; i < 8; i++)
		REQUIRE((found[i] & 1) == 0);
	at[PAGE] = 1;
	at[6 * PAGE] = 1;
	REQUIRE(mincore(at, 8 * PAGE - 5, found) == 0);
	for (int i = 0; i < 8; i++)
		REQUIRE((found[i] & 1) == (i == 1 || i == 6));
	OK("pages that were used are in memory");

	REQUIRE_FAILS(mincore(at + 1, PAGE, found), EINVAL);
	REQUIRE_FAILS(mincore(at, PAGE, (unsigned char *)1), EFAULT);
	REQUIRE(munmap(at + 2 * PAGE, PAGE) == 0);
	REQUIRE_FAILS(mincore(at, 8 * PAGE, found), ENOMEM);
	REQUIRE_FAILS(mincore(at, ~0UL - PAGE, found), ENOMEM);
	OK("errors of mincore");
	return 0;
}
