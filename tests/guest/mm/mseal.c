// mseal(2), Linux 6.10: mappings that neither change nor go any more.
#include "memory.h"
#include <sys/syscall.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define INSTALL 102

static int seal(void *at, unsigned long length, unsigned long flags)
{
	return (int)syscall(462, at, length, flags);
}

static char *map(int pages, int protection)
{
	char *at = mmap(free_range(pages), pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	return at;
}

int main(void)
{
	int status;
	catch_faults();
	char *at = map(8, RW);
	memset(at, 5, 8 * PAGE);
	REQUIRE_FAILS(seal(at, PAGE, 1), EINVAL);
	REQUIRE_FAILS(seal(at + 1, PAGE, 0), EINVAL);
	REQUIRE_FAILS(seal((void *)-PAGE, 2 * PAGE, 0), EINVAL);
	REQUIRE_FAILS(seal(at, ~0UL, 0), EINVAL);
	REQUIRE_FAILS(seal(at, 1 << 30, 0), ENOMEM);
	REQUIRE(seal(at, 0, 0) == 0 && seal(at + PAGE / 2 * 4, 0, 0) == 0);
	REQUIRE(mprotect(at, PAGE, RW) == 0);
	REQUIRE(seal(at + 2 * PAGE, PAGE + 1, 0) == 0 && seal(at + 2 * PAGE, 2 * PAGE, 0) == 0);
	show_areas("sealed", at, 8);
	OK("whole pages are sealed, again without harm");

	char *sealed = at + 2 * PAGE, *to = free_range(8);
	REQUIRE_FAILS(mprotect(sealed, PAGE, PROT_READ), EPERM);
	REQUIRE_FAILS(mprotect(sealed, PAGE, RW), EPERM);
	REQUIRE_FAILS(munmap(sealed, PAGE), EPERM);
	REQUIRE_FAILS(munmap(at, 8 * PAGE), EPERM);
	REQUIRE_FAILS(mremap(sealed, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EPERM);
	REQUIRE_FAILS(mremap(sealed, 2 * PAGE, PAGE, 0), EPERM);
	REQUIRE_FAILS(mremap(sealed, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), EPERM);
	REQUIRE_FAILS(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, sealed), EPERM);
	REQUIRE(mmap(sealed, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
	REQUIRE(mmap(at, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
	for (long i = 0; i < 8 * PAGE; i++)
		REQUIRE(at[i] == 5);
	OK("it keeps place, length, protection and pages");

	REQUIRE_FAILS(mprotect(at, 8 * PAGE, PROT_READ), EPERM);
	show_areas("protected up to the seal", at, 8);
	REQUIRE(mprotect(at, 2 * PAGE, RW) == 0);
	REQUIRE(madvise(sealed, PAGE, MADV_DONTNEED) == 0 && sealed[0] == 0);
	sealed[0] = 1;
	REQUIRE(mlock(sealed, PAGE) == 0 && munlock(sealed, PAGE) == 0 && madvise(sealed, PAGE, MADV_FREE) == 0);
	REQUIRE(madvise(sealed, PAGE, INSTALL) == 0 && PROBE(sealed) == SEGV_MAPERR);
	REQUIRE(madvise(sealed, PAGE, INSTALL + 1) == 0);
	OK("who may write may discard, lock and guard");

	char *constant = map(2, PROT_READ);
	REQUIRE(seal(constant, 2 * PAGE, 0) == 0);
	REQUIRE_FAILS(madvise(constant, PAGE, MADV_DONTNEED), EPERM);
	REQUIRE_FAILS(madvise(constant, PAGE, MADV_FREE), EPERM);
	REQUIRE_FAILS(madvise(constant, PAGE, MADV_DONTFORK), EPERM);
	REQUIRE_FAILS(madvise(constant, PAGE, MADV_WIPEONFORK), EPERM);
	REQUIRE_FAILS(madvise(constant, PAGE, INSTALL), EPERM);
	REQUIRE(madvise(constant, PAGE, MADV_WILLNEED) == 0 && madvise(constant, PAGE, MADV_DONTDUMP) == 0);
	OK("who may not write may not discard");

	int file = memfd_create("sealed", 0);
	REQUIRE(file >= 0 && ftruncate(file, 2 * PAGE) == 0);
	char *shared = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0), *private = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	REQUIRE(seal(shared, PAGE, 0) == 0 && seal(private, PAGE, 0) == 0);
	printf("of a file: shared %d private %d\n", madvise(shared, PAGE, MADV_DONTNEED), madvise(private, PAGE, MADV_DONTNEED));
	REQUIRE(ftruncate(file, 0) == 0 && PROBE(shared) == BUS_ADRERR);
	REQUIRE_FAILS(munmap(shared, 2 * PAGE), EPERM);

	IN_CHILD(status, REQUIRE_FAILS(munmap(sealed, PAGE), EPERM));
	REQUIRE(status == 0);
	OK("a child inherits seals");

	char *heap = sbrk(0);
	REQUIRE(sbrk(4 * PAGE) == heap);
	REQUIRE(seal((char *)(((unsigned long)heap + PAGE - 1) & -PAGE), PAGE, 0) == 0);
	REQUIRE((char *)syscall(SYS_brk, heap) == heap + 4 * PAGE);
	OK("the heap does not shrink below a seal");
	return 0;
}
