// Areas merge and split as /proc/self/maps shows; munmap(2), mprotect(2) and madvise(2) of parts.
#include "memory.h"

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)
#define AREAS(title) show_areas(title, base, 32)

static char *base;

static void map(long first, long last, int protection, int flags, int file, long offset)
{
	char *at = base + first * PAGE;
	REQUIRE(mmap(at, (last - first) * PAGE, protection, flags | MAP_FIXED, file, offset * PAGE) == at);
}

int main(void)
{
	catch_faults();
	base = free_range(32);
	map(4, 8, RW, PLAIN, -1, 0);
	map(8, 12, RW, PLAIN, -1, 0);
	AREAS("one after another");
	map(0, 4, RW, PLAIN, -1, 0);
	AREAS("and before");
	map(4, 6, PROT_READ, PLAIN, -1, 0);
	AREAS("another protection in the middle");
	SHOW(mprotect(base + 4 * PAGE, 2 * PAGE, RW));
	AREAS("the same again");
	SHOW(mprotect(base + 3 * PAGE, 3 * PAGE, PROT_NONE));
	AREAS("none");
	SHOW(mprotect(base + 5 * PAGE, 3 * PAGE, PROT_READ | PROT_EXEC));
	AREAS("over a border");
	SHOW(mprotect(base, 12 * PAGE, PROT_READ));
	AREAS("all");
	SHOW(munmap(base + 2 * PAGE, PAGE));
	SHOW(munmap(base + 5 * PAGE + 1, PAGE));
	SHOW(munmap(base + 5 * PAGE, 1));
	SHOW(munmap(base + 5 * PAGE, 0));
	SHOW(munmap(base + 20 * PAGE, PAGE));
	SHOW(munmap(base, -1UL));
	SHOW(munmap((void *)-PAGE, PAGE));
	SHOW(munmap((void *)(1UL << 47), PAGE));
	AREAS("holes");
	SHOW(mprotect(base, 4 * PAGE, RW));
	SHOW(mprotect(base + 2 * PAGE, PAGE, RW));
	SHOW(mprotect(base + 3 * PAGE, 4 * PAGE, RW));
	SHOW(mprotect(base + 3 * PAGE, 0, RW));
	SHOW(mprotect(base + 3 * PAGE + 1, PAGE, RW));
	SHOW(mprotect(base + 3 * PAGE, PAGE, 0x40));
	SHOW(mprotect(base + 3 * PAGE, -1UL, RW));
	SHOW(mprotect(base + 3 * PAGE, PAGE, RW | PROT_GROWSDOWN));
	SHOW(mprotect(base + 3 * PAGE, PAGE, RW | PROT_GROWSUP));
	SHOW(mprotect(base + 3 * PAGE, PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP));
	AREAS("before a hole all is changed");
	SHOW(munmap(base, 32 * PAGE));
	AREAS("nothing");

	int memory = memfd_create("areas", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, 32 * PAGE) == 0);
	map(0, 4, RW, MAP_SHARED, memory, 0);
	map(4, 8, RW, MAP_SHARED, memory, 4);
	AREAS("offsets that go on");
	map(8, 12, RW, MAP_SHARED, memory, 9);
	map(12, 14, RW, MAP_PRIVATE, memory, 13);
	AREAS("offsets that do not, and a private one");
	int again = dup(memory);
	map(14, 16, RW, MAP_PRIVATE, again, 15);
	AREAS("the same description");
	char link[64];
	sprintf(link, "/proc/self/fd/%d", memory);
	int other = open(link, O_RDWR);
	REQUIRE(other >= 0);
	map(16, 18, RW, MAP_PRIVATE, other, 17);
	AREAS("another description of the same file");
	SHOW(munmap(base + PAGE, PAGE));
	SHOW(mprotect(base + 3 * PAGE, PAGE, PROT_READ));
	AREAS("a shared mapping in parts");
	map(1, 2, RW, MAP_SHARED, memory, 1);
	AREAS("mended");
	SHOW(munmap(base, 32 * PAGE));

	map(0, 4, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	map(4, 8, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	AREAS("shared anonymous memory is not merged");
	SHOW(munmap(base + PAGE, PAGE));
	AREAS("in parts");
	SHOW(munmap(base, 32 * PAGE));

	map(0, 8, RW, PLAIN, -1, 0);
	map(8, 16, RW, PLAIN | MAP_NORESERVE, -1, 0);
	AREAS("not reserved");
	SHOW(madvise(base + 2 * PAGE, 2 * PAGE, MADV_DONTFORK));
	SHOW(madvise(base + 4 * PAGE, PAGE, MADV_SEQUENTIAL));
	SHOW(madvise(base + 5 * PAGE, PAGE, MADV_DONTDUMP));
	SHOW(mlock(base + 6 * PAGE, PAGE));
	AREAS("advice and locks");
	SHOW(madvise(base + 2 * PAGE, 2 * PAGE, MADV_DOFORK));
	SHOW(madvise(base + 4 * PAGE, PAGE, MADV_NORMAL));
	SHOW(madvise(base + 5 * PAGE, PAGE, MADV_DODUMP));
	SHOW(munlock(base + 6 * PAGE, PAGE));
	AREAS("taken back");
	map(16, 20, RW, PLAIN | MAP_STACK, -1, 0);
	map(20, 22, RW, PLAIN | MAP_GROWSDOWN, -1, 0);
	AREAS("a stack, and one that grows down");
	SHOW(munmap(base, 32 * PAGE));

	// Written memory merges as unwritten does where fork has not shared it.
	map(0, 4, RW, PLAIN, -1, 0);
	memset(base, 1, 4 * PAGE);
	map(4, 8, RW, PLAIN, -1, 0);
	memset(base + 4 * PAGE, 2, 4 * PAGE);
	AREAS("written");
	SHOW(mprotect(base + 2 * PAGE, 4 * PAGE, PROT_READ));
	SHOW(mprotect(base + 2 * PAGE, 4 * PAGE, RW));
	AREAS("written, protected and back");
	printf("%d %d %d %d\n", base[0], base[3 * PAGE], base[4 * PAGE], base[7 * PAGE]);
	return 0;
}
