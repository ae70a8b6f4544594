// RLIMIT_AS, overcommit, mmap_min_addr.
#include "memory.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	struct sysinfo info;
	REQUIRE(sysinfo(&info) == 0);
	size_t too_much = (size_t)info.totalram * info.mem_unit + (size_t)info.totalswap * info.mem_unit + (1UL << 30);
	REQUIRE_FAILS(mmap(NULL, too_much, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	char *at = mmap(NULL, too_much, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(at != MAP_FAILED);
	REQUIRE(munmap(at, too_much) == 0);
	at = mmap(NULL, too_much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	REQUIRE_FAILS(mprotect(at, too_much, RW), ENOMEM);
	REQUIRE(munmap(at, too_much) == 0);
	OK("what is obviously too much is refused, unless it is MAP_NORESERVE");

	struct rlimit limit = { .rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY };
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	REQUIRE_FAILS(mmap(NULL, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
	at = mmap(NULL, 40 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	REQUIRE_FAILS(mremap(at, 40 << 20, 80 << 20, MREMAP_MAYMOVE), ENOMEM);
	REQUIRE(mmap(at, 40 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	REQUIRE(malloc(100 << 20) == NULL);
	OK("RLIMIT_AS");
	return 0;
}
