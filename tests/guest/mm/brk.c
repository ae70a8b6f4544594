// brk(2).
#include "memory.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE 4096L

int main(void)
{
	catch_faults();
	char *start = sbrk(0);
	REQUIRE(sbrk(10 * PAGE) == start);
	for (int i = 0; i < 10 * PAGE; i++)
		REQUIRE(start[i] == 0);
	memset(start, 9, 10 * PAGE);
	REQUIRE(sbrk(-5 * PAGE) == start + 10 * PAGE);
	REQUIRE(start[5 * PAGE - 1] == 9);
	char *after = (char *)(((uintptr_t)start + 5 * PAGE + PAGE - 1) & ~(PAGE - 1));
	REQUIRE(PROBE(after) == SEGV_MAPERR);
	REQUIRE(sbrk(5 * PAGE) == start + 5 * PAGE && after[0] == 0);
	OK("the heap grows with zeroes and shrinks");

	char *end = sbrk(0);
	REQUIRE((char *)syscall(SYS_brk, 0) == end);
	REQUIRE((char *)syscall(SYS_brk, 1) == end);
	REQUIRE((char *)syscall(SYS_brk, -1) == end);
	char *page = (char *)(((uintptr_t)end + 16 * PAGE) & ~(PAGE - 1));
	REQUIRE(mmap(page, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
	REQUIRE((char *)syscall(SYS_brk, page + PAGE) == end);
	REQUIRE((char *)syscall(SYS_brk, page - PAGE) == page - PAGE);
	REQUIRE((char *)syscall(SYS_brk, end) == end);
	OK("a heap that cannot grow stays as it is");

	struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY };
	REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
	REQUIRE(munmap(page, PAGE) == 0);
	REQUIRE_FAILS(sbrk(2 << 20), ENOMEM);
	REQUIRE_FAILS(mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	REQUIRE(mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	OK("RLIMIT_DATA limits heap and private writable memory");
	return 0;
}
