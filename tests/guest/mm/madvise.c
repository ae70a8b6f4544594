// madvise(2).
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static char *map(long pages, int flags)
{
	char *at = mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	memset(at, 7, pages * PAGE);
	return at;
}

int main(void)
{
	catch_faults();
	char *at = map(4, MAP_PRIVATE);
	REQUIRE(madvise(at + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
	REQUIRE(at[0] == 7 && at[PAGE] == 0 && at[2 * PAGE] == 0 && at[3 * PAGE] == 7);
	char *shared = map(2, MAP_SHARED);
	REQUIRE(madvise(shared, 2 * PAGE, MADV_DONTNEED) == 0 && shared[0] == 7);
	int file = open("/proc/self/exe", O_RDONLY);
	char *text = mmap(NULL, PAGE, RW, MAP_PRIVATE, file, 0);
	REQUIRE(text != MAP_FAILED);
	text[0] = 1;
	REQUIRE(madvise(text, PAGE, MADV_DONTNEED) == 0 && text[0] == 0x7f);
	OK("MADV_DONTNEED: private pages begin anew, shared ones stay");

	at[0] = 8;
	REQUIRE(madvise(at, PAGE, MADV_FREE) == 0);
	REQUIRE(at[0] == 8 || at[0] == 0);
	at[0] = 9;
	REQUIRE(at[0] == 9);
	REQUIRE_FAILS(madvise(shared, PAGE, MADV_FREE), EINVAL);
	OK("MADV_FREE: a write saves the page");

	REQUIRE(madvise(shared + PAGE, PAGE, MADV_REMOVE) == 0);
	REQUIRE(shared[0] == 7 && shared[PAGE] == 0);
	REQUIRE_FAILS(madvise(at, PAGE, MADV_REMOVE), EINVAL);
	REQUIRE_FAILS(madvise(text, PAGE, MADV_REMOVE), EACCES);
	OK("MADV_REMOVE punches a hole into shared memory");

	int status;
	char *gone = map(1, MAP_PRIVATE), *wiped = map(1, MAP_PRIVATE);
	REQUIRE(madvise(gone, PAGE, MADV_DONTFORK) == 0 && madvise(wiped, PAGE, MADV_WIPEONFORK) == 0);
	IN_CHILD(status, REQUIRE(PROBE(gone) == SEGV_MAPERR && wiped[0] == 0));
	REQUIRE(status == 0 && gone[0] == 7 && wiped[0] == 7);
	REQUIRE(madvise(gone, PAGE, MADV_DOFORK) == 0 && madvise(wiped, PAGE, MADV_KEEPONFORK) == 0);
	IN_CHILD(status, REQUIRE(gone[0] == 7 && wiped[0] == 7));
	REQUIRE(status == 0);
	REQUIRE_FAILS(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL);
	OK("what a child gets can be chosen");

	char *fresh = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in_core[4];
	REQUIRE(madvise(fresh, 2 * PAGE, MADV_POPULATE_WRITE) == 0);
	REQUIRE(mincore(fresh, 4 * PAGE, in_core) == 0);
	REQUIRE((in_core[0] & 1) && (in_core[1] & 1) && !(in_core[2] & 1) && !(in_core[3] & 1));
	REQUIRE(madvise(text, PAGE, MADV_POPULATE_READ) == 0);
	REQUIRE(mprotect(fresh, PAGE, PROT_READ) == 0);
	REQUIRE_FAILS(madvise(fresh, PAGE, MADV_POPULATE_WRITE), EINVAL);
	OK("MADV_POPULATE_WRITE fills pages");

	static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP,
				     MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT };
	for (unsigned i = 0; i < sizeof hints / sizeof *hints; i++) {
		REQUIRE(madvise(at, 4 * PAGE, hints[i]) == 0);
		REQUIRE(madvise(text, PAGE, hints[i]) == 0);
	}
	REQUIRE(at[3 * PAGE] == 7);
	OK("hints change nothing that a program sees");

	REQUIRE_FAILS(madvise(at, PAGE, 12345), EINVAL);
	REQUIRE_FAILS(madvise(at + 1, PAGE, MADV_NORMAL), EINVAL);
	REQUIRE_FAILS(madvise(at, ~0UL - PAGE, MADV_NORMAL), EINVAL);
	REQUIRE(madvise(at, 0, MADV_NORMAL) == 0);
	REQUIRE(munmap(at + PAGE, PAGE) == 0);
	at[2 * PAGE] = 5;
	REQUIRE_FAILS(madvise(at, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	REQUIRE(at[0] == 0 && at[2 * PAGE] == 0);
	REQUIRE_FAILS(madvise(at, 3 * PAGE, MADV_POPULATE_READ), ENOMEM);
	REQUIRE(mlock(at, PAGE) == 0);
	REQUIRE_FAILS(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
	OK("errors of madvise; holes are reported at the end");
	return 0;
}
