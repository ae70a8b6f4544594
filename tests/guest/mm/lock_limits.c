// The mlock family: what is counted, what is filled, what the limit refuses, and what new mappings inherit.
#include "memory.h"
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static long value_of(const char *file, const char *key)
{
	FILE *status = fopen(file, "r");
	char line[256];
	long found = -1;
	REQUIRE(status != NULL);
	while (fgets(line, sizeof line, status))
		if (strncmp(line, key, strlen(key)) == 0)
			found = atol(line + strlen(key));
	fclose(status);
	return found;
}

static char *base;

static void state(const char *title, long pages)
{
	printf("%s: locked %ld kB;", title, value_of("/proc/self/status", "VmLck:"));
	for (long i = 0; i < pages; i++) {
		unsigned char byte;
		if (mincore(base + i * PAGE, PAGE, &byte) == 0)
			printf(" %d", byte & 1);
		else
			printf(" .");
	}
	puts("");
	fflush(stdout);
}

static char *map(long first, long last, int protection, int flags)
{
	char *at = base + first * PAGE;
	REQUIRE(mmap(at, (last - first) * PAGE, protection, flags | MAP_FIXED, -1, 0) == at);
	return at;
}

static void limit_to(long pages)
{
	struct rlimit limit = { pages * PAGE, 64 * PAGE };
	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
}

int main(void)
{
	catch_faults();
	base = free_range(32);
	map(0, 8, RW, PLAIN);
	SHOW(mlock(base + 100, 1));
	state("one byte", 8);
	SHOW(mlock(base + PAGE - 1, 2));
	state("two bytes over a border", 8);
	SHOW(mlock(base, 0));
	SHOW(mlock(base + 20 * PAGE, 0));
	SHOW(munlock(base + 20 * PAGE, 0));
	SHOW(mlock(base, -1UL));
	SHOW(mlock(base, -2 * PAGE));
	SHOW(munlock(base, -1UL));
	SHOW(mlock((void *)-PAGE, PAGE));
	SHOW(mlock((void *)(1UL << 47), PAGE));
	SHOW(syscall(SYS_mlock2, base, PAGE, -1));
	SHOW(syscall(SYS_mlock2, base, 0, 0));
	SHOW(mlock2(base + 4 * PAGE, 2 * PAGE, MLOCK_ONFAULT));
	state("on fault", 8);
	POKE(base + 5 * PAGE);
	state("touched", 8);
	SHOW(mlock(base + 4 * PAGE, PAGE));
	state("now", 8);
	SHOW(mlock2(base, PAGE, MLOCK_ONFAULT));
	state("still there", 8);
	SHOW(munlock(base + 1, 1));
	SHOW(munlock(base + 3 * PAGE, 5 * PAGE));
	state("some unlocked", 8);
	SHOW(munmap(base + PAGE, PAGE));
	state("a hole", 8);
	SHOW(mlock(base, 4 * PAGE));
	state("up to the hole", 8);
	SHOW(munlock(base, 4 * PAGE));
	state("unlocked up to the hole", 8);
	map(1, 2, PROT_NONE, PLAIN);
	SHOW(mlock(base, 4 * PAGE));
	state("up to a page without access", 8);
	SHOW(munlock(base, 8 * PAGE));
	map(0, 4, PROT_READ, PLAIN);
	SHOW(mlock(base, 4 * PAGE));
	state("read only", 8);
	SHOW(munmap(base, 32 * PAGE));
	// Files beyond their end.
	int memory = memfd_create("locked", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, 2 * PAGE) == 0);
	REQUIRE(mmap(base, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, memory, 0) == base);
	SHOW(mlock(base, 2 * PAGE));
	SHOW(mlock(base, 4 * PAGE));
	state("beyond the end", 4);
	SHOW(munlockall());
	state("all unlocked", 4);
	SHOW(munmap(base, 32 * PAGE));
	// mlockall.
	SHOW(mlockall(0));
	SHOW(mlockall(MCL_ONFAULT));
	SHOW(mlockall(8));
	SHOW(mlockall(-1));
	map(0, 2, RW, PLAIN);
	int status;
	IN_CHILD(status, {
		SHOW(mlockall(MCL_CURRENT));
		CHECK(value_of("/proc/self/status", "VmLck:") > 100);
		unsigned char byte;
		REQUIRE(mincore(base, PAGE, &byte) == 0);
		printf("filled %d\n", byte & 1);
		map(2, 4, RW, PLAIN);
		REQUIRE(mincore(base + 2 * PAGE, PAGE, &byte) == 0);
		printf("a new one %d\n", byte & 1);
		SHOW(mlockall(MCL_FUTURE));
		map(4, 6, RW, PLAIN);
		REQUIRE(mincore(base + 4 * PAGE, PAGE, &byte) == 0);
		printf("a future one %d\n", byte & 1);
		map(6, 8, PROT_NONE, PLAIN);
		char *heap = sbrk(4 * PAGE);
		heap = (char *)(((uintptr_t)heap + 4095) & -4096UL);
		REQUIRE(mincore(heap, PAGE, &byte) == 0);
		printf("the heap %d\n", byte & 1);
		SHOW(mlockall(MCL_FUTURE | MCL_ONFAULT));
		map(8, 10, RW, PLAIN);
		REQUIRE(mincore(base + 8 * PAGE, PAGE, &byte) == 0);
		printf("a future one on fault %d\n", byte & 1);
		char *moved = mremap(base + 4 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
		REQUIRE(moved != MAP_FAILED && mincore(moved + 3 * PAGE, PAGE, &byte) == 0);
		printf("grown %d\n", byte & 1);
		SHOW(munlockall());
		printf("locked %ld\n", value_of("/proc/self/status", "VmLck:"));
		map(10, 12, RW, PLAIN);
		REQUIRE(mincore(base + 10 * PAGE, PAGE, &byte) == 0);
		printf("no more %d\n", byte & 1);
		fflush(stdout);
	});
	printf("status %d\n", status);
	IN_CHILD(status, {
		SHOW(mlockall(MCL_CURRENT | MCL_FUTURE));
		pid_t child = start_child();
		if (child == 0) {
			printf("a child has locked %ld\n", value_of("/proc/self/status", "VmLck:"));
			map(2, 4, RW, PLAIN);
			printf("and inherits no future: %ld\n", value_of("/proc/self/status", "VmLck:"));
			fflush(stdout);
			_exit(0);
		}
		REQUIRE(waitpid(child, NULL, 0) == child);
	});
	// The limit.
	if (geteuid() == 0)
		REQUIRE(setresuid(65534, 65534, 65534) == 0);
	munlockall();
	limit_to(4);
	map(0, 16, RW, PLAIN);
	SHOW(mlock(base, 5 * PAGE));
	SHOW(mlock(base, 4 * PAGE));
	SHOW(mlock(base + 2 * PAGE, 3 * PAGE));
	SHOW(mlock(base + PAGE, 3 * PAGE));
	SHOW(mlock2(base + 4 * PAGE, PAGE, MLOCK_ONFAULT));
	SHOW(munlock(base, PAGE));
	SHOW(mlock(base + 4 * PAGE, PAGE));
	SHOW(mlock(base + 5 * PAGE, 1));
	SHOW(mlockall(MCL_CURRENT));
	SHOW(mlockall(MCL_FUTURE));
	errno = 0;
	CHECK(mmap(NULL, PAGE, RW, PLAIN, -1, 0) == MAP_FAILED && errno == EAGAIN);
	char *end = sbrk(0);
	CHECK((char *)syscall(SYS_brk, end + 2 * PAGE) == end);
	CHECK(mmap(NULL, PAGE, RW, PLAIN | MAP_LOCKED, -1, 0) == MAP_FAILED && errno == EAGAIN);
	CHECK(mremap(base + PAGE, PAGE, 40 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EAGAIN);
	SHOW(munlockall());
	CHECK(mmap(NULL, PAGE, RW, PLAIN, -1, 0) != MAP_FAILED);
	limit_to(0);
	SHOW(mlock(base, PAGE));
	SHOW(mlock(base, 0));
	SHOW(mlockall(MCL_FUTURE));
	SHOW(munlock(base, PAGE));
	CHECK(mmap(NULL, PAGE, RW, PLAIN | MAP_LOCKED, -1, 0) == MAP_FAILED && errno == EPERM);
	SHOW(munlockall());
	return 0;
}
