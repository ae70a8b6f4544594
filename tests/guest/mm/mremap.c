// mremap(2).
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static char *map(long pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	return at;
}

int main(void)
{
	catch_faults();
	char *at = map(8);
	for (int i = 0; i < 8; i++)
		at[i * PAGE] = i + 1;
	REQUIRE(mremap(at, 8 * PAGE, 4 * PAGE, 0) == at);
	REQUIRE(PROBE(at + 4 * PAGE) == SEGV_MAPERR && at[3 * PAGE] == 4);
	REQUIRE(mremap(at, 4 * PAGE, 8 * PAGE, 0) == at);
	REQUIRE(at[3 * PAGE] == 4 && at[4 * PAGE] == 0);
	OK("a mapping shrinks and grows in place");

	REQUIRE(mmap(at + 6 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + 6 * PAGE);
	REQUIRE_FAILS(mremap(at, 6 * PAGE, 7 * PAGE, 0), ENOMEM);
	char *moved = mremap(at, 6 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(moved != MAP_FAILED && moved != at);
	REQUIRE(moved[0] == 1 && moved[3 * PAGE] == 4 && moved[99 * PAGE] == 0);
	REQUIRE(PROBE(at) == SEGV_MAPERR);
	OK("a mapping moves with its pages");

	char *target = map(4);
	memset(target, 9, 4 * PAGE);
	REQUIRE(mremap(moved + PAGE, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	REQUIRE(target[0] == 2 && target[2 * PAGE] == 4 && target[3 * PAGE] == 9);
	REQUIRE(PROBE(moved) == 0 && PROBE(moved + PAGE) == SEGV_MAPERR && PROBE(moved + 4 * PAGE) == 0);
	OK("MREMAP_FIXED replaces what was there");

	char *kept = map(2);
	kept[0] = 3;
	kept[PAGE] = 4;
	char *away = mremap(kept, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	REQUIRE(away != MAP_FAILED && away != kept && away[0] == 3 && away[PAGE] == 4);
	REQUIRE(kept[0] == 0 && POKE(kept + PAGE) == 0);
	OK("MREMAP_DONTUNMAP leaves an empty mapping behind");

	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED);
	shared[0] = 1;
	char *second = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(second != MAP_FAILED && second != shared);
	second[PAGE] = 2;
	REQUIRE(second[0] == 1 && shared[PAGE] == 2);
	REQUIRE_FAILS(mremap(kept, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
	OK("an old size of 0 maps shared memory a second time");

	REQUIRE_FAILS(mremap(at + 1, PAGE, PAGE, 0), EINVAL);
	REQUIRE_FAILS(mremap(target, PAGE, 0, 0), EINVAL);
	REQUIRE_FAILS(mremap(target, PAGE, PAGE, 8), EINVAL);
	REQUIRE_FAILS(mremap(target, PAGE, PAGE, MREMAP_FIXED, kept), EINVAL);
	REQUIRE_FAILS(mremap(target, 4 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, target + PAGE), EINVAL);
	REQUIRE_FAILS(mremap(target, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE), EINVAL);
	REQUIRE(munmap(target, PAGE) == 0);
	REQUIRE_FAILS(mremap(target, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	REQUIRE_FAILS(mremap(target + 3 * PAGE, 8 * PAGE, 2000 * PAGE, MREMAP_MAYMOVE), EFAULT);
	OK("errors of mremap");
	return 0;
}
