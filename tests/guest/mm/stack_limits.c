// Areas that grow down: RLIMIT_STACK, RLIMIT_AS, RLIMIT_MEMLOCK, the guard gap, mprotect(2) with PROT_GROWSDOWN, fork.
#include "memory.h"
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define DOWN (MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED)

static char *top;

static void stack_of(long pages, int flags)
{
	char *area = mmap(NULL, 8192 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(area != MAP_FAILED && munmap(area, 8192 * PAGE) == 0);
	top = area + 8192 * PAGE - 512 * PAGE;
	REQUIRE(mmap(top - pages * PAGE, pages * PAGE, RW, DOWN | flags, -1, 0) == top - pages * PAGE);
}

static void limit_to(int resource, unsigned long bytes)
{
	struct rlimit limit;
	REQUIRE(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = bytes;
	REQUIRE(setrlimit(resource, &limit) == 0);
}

int main(void)
{
	int status;
	catch_faults();
	IN_CHILD(status, {
		stack_of(2, 0);
		limit_to(RLIMIT_STACK, 64 * PAGE);
		printf("%d %d %d\n", POKE(top - 3 * PAGE), POKE(top - 64 * PAGE), POKE(top - 64 * PAGE - 1));
		show_areas("to the limit", top - 128 * PAGE, 128);
		limit_to(RLIMIT_STACK, 80 * PAGE);
		printf("%d\n", POKE(top - 80 * PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(2, 0);
		printf("read %d, far %d\n", PROBE(top - 10 * PAGE), PROBE(top - 1000 * PAGE));
		show_areas("grown by reading", top - 1024 * PAGE, 1024);
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(2, 0);
		limit_to(RLIMIT_AS, 0);
		printf("address space %d\n", POKE(top - 3 * PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(4, 0);
		REQUIRE(mprotect(top - 4 * PAGE, 4 * PAGE, PROT_READ) == 0);
		printf("readable: write %d, below: write %d read %d\n", POKE(top - PAGE), POKE(top - 5 * PAGE), PROBE(top - 6 * PAGE));
		show_areas("grown", top - 16 * PAGE, 16);
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(4, 0);
		SHOW(mprotect(top - PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
		show_areas("protected down to its beginning", top - 16 * PAGE, 16);
		SHOW(mprotect(top - 6 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
		SHOW(mprotect(top - 6 * PAGE, 4 * PAGE, RW | PROT_GROWSDOWN));
		show_areas("from below", top - 16 * PAGE, 16);
		SHOW(mprotect(top - 4 * PAGE, PAGE, PROT_NONE));
		printf("no access: %d %d\n", POKE(top - 4 * PAGE), POKE(top - 5 * PAGE));
		show_areas("a part without access", top - 16 * PAGE, 16);
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(2, 0);
		POKE(top - 5 * PAGE);
		pid_t child = start_child();
		if (child == 0) {
			printf("in a child %d\n", POKE(top - 9 * PAGE));
			show_areas("child", top - 16 * PAGE, 16);
			_exit(0);
		}
		REQUIRE(waitpid(child, NULL, 0) == child);
		show_areas("parent", top - 16 * PAGE, 16);
		fflush(stdout);
	});
	IN_CHILD(status, {
		// The gap below a stack: mapped without access it does not count, mapped with access it does.
		stack_of(2, 0);
		REQUIRE(mmap(top - 300 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		printf("towards no access: %d %d %d\n", POKE(top - 200 * PAGE), POKE(top - 299 * PAGE), POKE(top - 300 * PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(2, 0);
		REQUIRE(mmap(top - 300 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		printf("towards a mapping: %d %d\n", POKE(top - 43 * PAGE), POKE(top - 44 * PAGE));
		// Not even MAP_FIXED_NOREPLACE minds the gap, but a search for a place does.
		CHECK(mmap(top - 60 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != top - 60 * PAGE);
		CHECK(mmap(top - 60 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == top - 60 * PAGE);
		printf("just below: %d\n", POKE(top - 44 * PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		stack_of(2, 0);
		REQUIRE(mmap(top - 20 * PAGE, 2 * PAGE, RW, DOWN, -1, 0) != MAP_FAILED);
		printf("towards another stack: %d %d\n", POKE(top - 10 * PAGE), POKE(top - 18 * PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		if (geteuid() == 0)
			REQUIRE(setresuid(65534, 65534, 65534) == 0);
		limit_to(RLIMIT_MEMLOCK, 8 * PAGE);
		stack_of(2, 0);
		REQUIRE(mlock(top - 2 * PAGE, 2 * PAGE) == 0);
		printf("locked: %d %d\n", POKE(top - 5 * PAGE), POKE(top - 9 * PAGE));
		unsigned char pages[8];
		REQUIRE(mincore(top - 5 * PAGE, 5 * PAGE, pages) == 0);
		printf("%d %d %d %d %d\n", pages[0] & 1, pages[1] & 1, pages[2] & 1, pages[3] & 1, pages[4] & 1);
		fflush(stdout);
	});
	IN_CHILD(status, {
		// The kernel lets a stack grow for its own accesses, too.
		stack_of(2, 0);
		int zero = open("/dev/zero", O_RDONLY);
		SHOW(read(zero, top - 6 * PAGE, PAGE));
		show_areas("read(2)", top - 16 * PAGE, 16);
		SHOW(read(zero, top - 4000 * PAGE, PAGE));
		fflush(stdout);
	});
	IN_CHILD(status, {
		// An access far below the first stack's pointer is fine as long as the limit is kept.
		volatile char here;
		char *sp = (char *)&here;
		printf("%d\n", POKE(sp - 100 * PAGE));
		printf("%d\n", POKE(sp - (16 << 20)));
		fflush(stdout);
	});
	return 0;
}
