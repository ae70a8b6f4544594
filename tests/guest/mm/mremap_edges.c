// mremap(2): every combination of flags, lengths that end in the middle, what a move leaves behind, limits.
#include "memory.h"
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static char *base;

// Maps pages `first` to `last` of the range anew and numbers them.
static char *fresh(long first, long last, int flags)
{
	char *at = mmap(base + first * PAGE, (last - first) * PAGE, RW, flags | MAP_FIXED, -1, 0);
	REQUIRE(at == base + first * PAGE);
	for (long i = first; i < last; i++)
		base[i * PAGE] = (char)(i + 1);
	return at;
}

static void clear(void)
{
	REQUIRE(munmap(base, 64 * PAGE) == 0);
}

// Prints what each of the first `pages` pages holds; a dot where nothing is mapped.
static void contents(long pages)
{
	printf("  pages");
	for (long i = 0; i < pages; i++)
		if (PROBE(base + i * PAGE) == 0)
			printf(" %d", base[i * PAGE]);
		else
			printf(" .");
	puts("");
}

static void shown(const char *what, void *result)
{
	if (result == MAP_FAILED)
		printf("%s = %s\n", what, strerrorname_np(errno));
	else if ((char *)result >= base && (char *)result < base + 64 * PAGE)
		printf("%s = page %ld\n", what, (long)((char *)result - base) / PAGE);
	else {
		printf("%s = elsewhere, %d\n", what, *(char *)result);
	}
}
#define MOVE(...) shown("mremap(" #__VA_ARGS__ ")", mremap(__VA_ARGS__))

int main(void)
{
	catch_faults();
	base = free_range(64);
	// Every combination of the flags, growing, shrinking and staying.
	for (int flags = 0; flags < 16; flags++)
		for (int kind = 0; kind < 4; kind++) {
			static const long sizes[][2] = { { 4, 4 }, { 4, 6 }, { 4, 2 }, { 0, 4 } };
			clear();
			fresh(0, 4, PLAIN);
			char *result = mremap(base, sizes[kind][0] * PAGE, sizes[kind][1] * PAGE, flags, base + 16 * PAGE);
			printf("flags %d from %ld to %ld: ", flags, sizes[kind][0], sizes[kind][1]);
			shown("", result);
			show_areas("  areas", base, 32);
			contents(24);
			if (result != MAP_FAILED && (result < base || result >= base + 64 * PAGE))
				munmap(result, sizes[kind][1] * PAGE);
		}
	// Lengths and addresses that are not whole pages.
	clear();
	fresh(0, 4, PLAIN);
	MOVE(base, 4 * PAGE, 2 * PAGE - 10, 0);
	show_areas("rounded up", base, 8);
	MOVE(base, 1, 2 * PAGE, MREMAP_MAYMOVE);
	show_areas("the first page alone has moved", base, 8);
	MOVE(base + 1, PAGE, PAGE, MREMAP_MAYMOVE);
	MOVE(base + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * PAGE + 1);
	MOVE(base + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, -PAGE);
	MOVE(base + PAGE, PAGE, -1UL, MREMAP_MAYMOVE);
	MOVE(base + PAGE, PAGE, 1UL << 62, MREMAP_MAYMOVE);
	MOVE(base + PAGE, PAGE, 1UL << 46, MREMAP_MAYMOVE);
	MOVE(base + PAGE, -1UL, PAGE, 0);
	MOVE(base + PAGE, 1UL << 50, PAGE, 0);
	show_areas("afterwards", base, 8);
	MOVE(base + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, NULL);
	// The middle of an area.
	clear();
	fresh(0, 8, PLAIN);
	MOVE(base + 2 * PAGE, 2 * PAGE, 3 * PAGE, 0);
	MOVE(base + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	show_areas("the middle has moved", base, 16);
	contents(10);
	clear();
	fresh(0, 8, PLAIN);
	MOVE(base + 2 * PAGE, 4 * PAGE, PAGE, 0);
	show_areas("the middle has shrunk", base, 16);
	contents(10);
	MOVE(base, 3 * PAGE, 8 * PAGE, 0);
	MOVE(base, 3 * PAGE, 6 * PAGE, 0);
	show_areas("grown up to its neighbour", base, 16);
	contents(10);
	// Several areas at once.
	clear();
	fresh(0, 2, PLAIN);
	fresh(2, 4, PLAIN);
	REQUIRE(mprotect(base + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	MOVE(base, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
	MOVE(base, 4 * PAGE, 3 * PAGE, 0);
	show_areas("shrunk over a border", base, 8);
	MOVE(base, 3 * PAGE, PAGE, 0);
	show_areas("and again", base, 8);
	// A move without a change of length takes several areas along, with the holes between them.
	clear();
	fresh(0, 8, PLAIN);
	REQUIRE(mprotect(base + 2 * PAGE, 2 * PAGE, PROT_READ) == 0 && munmap(base + 5 * PAGE, PAGE) == 0);
	fresh(20, 30, PLAIN);
	MOVE(base + PAGE, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
	contents(30);
	MOVE(base + 20 * PAGE, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, base + 40 * PAGE);
	contents(50);
	MOVE(base + 39 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base);
	// A target that something else has, in parts.
	clear();
	fresh(0, 4, PLAIN);
	fresh(18, 30, PLAIN);
	MOVE(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
	contents(32);
	MOVE(base + 20 * PAGE, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 2 * PAGE);
	contents(32);
	MOVE(base + 2 * PAGE, 6 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 40 * PAGE);
	contents(48);
	MOVE(base + 40 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 41 * PAGE);
	MOVE(base + 40 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 39 * PAGE);
	MOVE(base + 40 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 42 * PAGE);
	contents(48);
	// Protection, sharing and offsets move along; a shared mapping is doubled.
	clear();
	int memory = memfd_create("moved", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, 8 * PAGE) == 0);
	for (int i = 0; i < 8; i++)
		REQUIRE(pwrite(memory, (char[]){ 'a' + i }, 1, i * PAGE) == 1);
	REQUIRE(mmap(base, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, memory, 2 * PAGE) == base);
	MOVE(base + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * PAGE);
	show_areas("offsets", base, 16);
	contents(16);
	MOVE(base, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
	MOVE(base + 2 * PAGE, 0, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 30 * PAGE);
	MOVE(base, 0, PAGE, 0);
	show_areas("doubled", base, 40);
	printf("code behind the end of the file: %d\n", PROBE(base + 35 * PAGE));
	contents(34);
	MOVE(base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, base + 50 * PAGE);
	base[50 * PAGE] = 'X';
	printf("both map the file: %c %c\n", base[0], base[50 * PAGE]);
	// Private copies of a file's pages move, and what stays behind is the file again.
	clear();
	REQUIRE(mmap(base, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, memory, 0) == base);
	base[PAGE] = 'P';
	MOVE(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, base + 16 * PAGE);
	contents(20);
	// Locked memory.
	clear();
	fresh(0, 4, PLAIN);
	REQUIRE(mlock(base + PAGE, 2 * PAGE) == 0);
	MOVE(base + 2 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * PAGE);
	unsigned char in_core[16];
	REQUIRE(mincore(base + 10 * PAGE, 3 * PAGE, in_core) == 0);
	printf("in memory: %d %d %d\n", in_core[0] & 1, in_core[1] & 1, in_core[2] & 1);
	show_areas("locked", base, 16);
	REQUIRE(munlockall() == 0);
	// Limits.
	clear();
	fresh(0, 4, PLAIN);
	REQUIRE(mlock(base, 4 * PAGE) == 0);
	struct rlimit locked = { 4 * PAGE, 4 * PAGE }, space = { 0, RLIM_INFINITY };
	if (geteuid() == 0)
		REQUIRE(seteuid(65534) == 0);
	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &locked) == 0);
	MOVE(base, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
	MOVE(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
	REQUIRE(munlockall() == 0);
	REQUIRE(setrlimit(RLIMIT_AS, &space) == 0);
	MOVE(base + 20 * PAGE, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
	MOVE(base + 20 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base);
	MOVE(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, base + 20 * PAGE);
	MOVE(base, 4 * PAGE, 3 * PAGE, 0);
	return 0;
}
