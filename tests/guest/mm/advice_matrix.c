// madvise(2): every advice on every kind of mapping, and what it leaves.
#include "memory.h"

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static const struct {
	const char *name;
	int value;
} advices[] = {
	{ "NORMAL", 0 }, { "RANDOM", 1 }, { "SEQUENTIAL", 2 }, { "WILLNEED", 3 }, { "DONTNEED", 4 }, { "FREE", 8 },
	{ "REMOVE", 9 }, { "DONTFORK", 10 }, { "DOFORK", 11 }, { "MERGEABLE", 12 }, { "UNMERGEABLE", 13 },
	{ "HUGEPAGE", 14 }, { "NOHUGEPAGE", 15 }, { "DONTDUMP", 16 }, { "DODUMP", 17 }, { "WIPEONFORK", 18 },
	{ "KEEPONFORK", 19 }, { "COLD", 20 }, { "PAGEOUT", 21 }, { "POPULATE_READ", 22 }, { "POPULATE_WRITE", 23 },
	{ "DONTNEED_LOCKED", 24 }, { "five", 5 }, { "six", 6 }, { "seven", 7 }, { "unknown", 4711 }, { "minus one", -1 },
};

static int file, memory, reading;

static char *make(int kind)
{
	static const struct {
		int protection, flags;
	} kinds[] = {
		{ RW, PLAIN },			      // 0
		{ PROT_READ, PLAIN },		      // 1
		{ PROT_NONE, PLAIN },		      // 2
		{ RW, MAP_SHARED | MAP_ANONYMOUS },   // 3
		{ PROT_READ, MAP_SHARED | MAP_ANONYMOUS }, // 4
		{ RW, MAP_PRIVATE },		      // 5: a file
		{ RW, MAP_SHARED },		      // 6: a file
		{ PROT_READ, MAP_SHARED },	      // 7: a file opened for reading
		{ RW, MAP_SHARED },		      // 8: memfd
		{ RW, MAP_PRIVATE },		      // 9: memfd
		{ RW, PLAIN | MAP_LOCKED },	      // 10
		{ RW, MAP_SHARED | MAP_LOCKED },      // 11: a file
		{ PROT_EXEC, PLAIN },		      // 12
		{ PROT_WRITE, PLAIN },		      // 13
	};
	int fd = kind == 5 || kind == 6 || kind == 11 ? file : kind == 7 ? reading : kind == 8 || kind == 9 ? memory : -1;
	if (fd >= 0)
		for (int i = 0; i < 3; i++)
			REQUIRE(pwrite(kind == 7 ? file : fd, "f", 1, i * PAGE) == 1);
	char *at = mmap(NULL, 4 * PAGE, kinds[kind].protection, kinds[kind].flags, fd, 0);
	REQUIRE(at != MAP_FAILED);
	return at;
}

static void bytes(char *at)
{
	for (int i = 0; i < 4; i++) {
		int code = PROBE(at + i * PAGE);
		if (code)
			printf(" !%d", code);
		else
			printf(" %d", at[i * PAGE]);
	}
}

int main(void)
{
	catch_faults();
	char name[] = "advice-XXXXXX";
	file = mkstemp(name);
	memory = memfd_create("advice", 0);
	reading = open(name, O_RDONLY);
	REQUIRE(file >= 0 && memory >= 0 && reading >= 0 && unlink(name) == 0);
	REQUIRE(ftruncate(file, 3 * PAGE) == 0 && ftruncate(memory, 3 * PAGE) == 0);
	for (int kind = 0; kind < 14; kind++) {
		printf("== kind %d\n", kind);
		for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
			char *at = make(kind);
			for (int page = 0; page < 3; page++)
				POKE(at + page * PAGE + 1);
			POKE(at);
			int result = madvise(at, 3 * PAGE, advices[i].value);
			printf("%s = %s:", advices[i].name, result == 0 ? "0" : strerrorname_np(errno));
			// A page that MADV_FREE gave up may be gone or not.
			if (result == 0 && advices[i].value == 8)
				POKE(at);
			else
				bytes(at);
			puts("");
			REQUIRE(munmap(at, 4 * PAGE) == 0);
		}
	}
	// Ranges.
	char *at = free_range(8);
	REQUIRE(mmap(at, 2 * PAGE, RW, PLAIN | MAP_FIXED, -1, 0) == at);
	REQUIRE(mmap(at + 3 * PAGE, 2 * PAGE, RW, PLAIN | MAP_FIXED, -1, 0) == at + 3 * PAGE);
	for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
		POKE(at);
		POKE(at + 3 * PAGE);
		printf("%s over a hole:", advices[i].name);
		struct {
			long first, pages;
		} ranges[] = { { 0, 5 }, { 1, 2 }, { 2, 1 }, { 2, 2 }, { 4, 4 }, { 0, 0 } };
		for (int r = 0; r < 6; r++) {
			int result = madvise(at + ranges[r].first * PAGE, ranges[r].pages * PAGE, advices[i].value);
			printf(" %s", result == 0 ? "0" : strerrorname_np(errno));
		}
		int result = madvise(at + 1, PAGE, advices[i].value);
		printf(" %s", result == 0 ? "0" : strerrorname_np(errno));
		result = madvise(at, -1UL, advices[i].value);
		printf(" %s", result == 0 ? "0" : strerrorname_np(errno));
		result = madvise((char *)-PAGE, 2 * PAGE, advices[i].value);
		printf(" %s", result == 0 ? "0" : strerrorname_np(errno));
		result = madvise((char *)-PAGE, PAGE, advices[i].value);
		printf(" %s", result == 0 ? "0" : strerrorname_np(errno));
		result = madvise(at, 1, advices[i].value);
		printf(" %s\n", result == 0 ? "0" : strerrorname_np(errno));
	}
	// Populating a file beyond its end, and for writing what may not be written.
	char *beyond = mmap(NULL, 6 * PAGE, RW, MAP_SHARED, memory, 0);
	SHOW(madvise(beyond, 6 * PAGE, MADV_POPULATE_READ));
	SHOW(madvise(beyond, 6 * PAGE, MADV_POPULATE_WRITE));
	SHOW(madvise(beyond, 3 * PAGE, MADV_POPULATE_WRITE));
	// MADV_DONTNEED on a private mapping whose file has changed shows the file.
	char *copy = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, memory, 0);
	copy[0] = 'c';
	REQUIRE(pwrite(memory, "NN", 2, 0) == 2);
	printf("%c%c\n", copy[0], copy[1]);
	SHOW(madvise(copy, PAGE, MADV_DONTNEED));
	printf("%c%c\n", copy[0], copy[1]);
	return 0;
}
