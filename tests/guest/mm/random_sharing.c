// Several processes in turns write, map, cut, punch, protect and fork over one file, mapped shared and privately by each, and
// compare every page with a model after every step.
#include "memory.h"

#define PAGE 4096L
#define PAGES 24
#define PROCESSES 4
#define ROUNDS 150
#define RW (PROT_READ | PROT_WRITE)

// What all processes know: the file's pages, how many there are, and how often each was cut off.
struct common {
	unsigned char file[PAGES];
	int size;
	unsigned cuts[PAGES];
};

static struct common *common;
static uint64_t state;
static int file;
static char *shared, *private;
static int copy[PAGES];		 // what this process's private copy of a page holds, -1 without one
static unsigned seen[PAGES];	 // how often the page had been cut when it was made
static int readable[PAGES];	 // whether the private page is read-only

static unsigned next(unsigned limit)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % limit;
}

static int expected(int page)
{
	if (copy[page] >= 0 && seen[page] != common->cuts[page])
		copy[page] = -1;
	return copy[page] >= 0 ? copy[page] : common->file[page];
}

// Whether every byte of a page is `value`.
static int is_full_of(const char *page, int value)
{
	return (unsigned char)page[0] == value && memcmp(page, page + 1, PAGE - 1) == 0;
}

static void compare(void)
{
	char bytes[PAGE];
	for (int i = 0; i < PAGES; i++) {
		char *there = shared + i * PAGE, *mine = private + i * PAGE;
		int value = expected(i);
		if (i >= common->size) {
			REQUIRE(PROBE(there) == BUS_ADRERR && PROBE(mine) == BUS_ADRERR);
			REQUIRE(pread(file, bytes, 1, i * PAGE) == 0);
			continue;
		}
		REQUIRE(is_full_of(there, common->file[i]) && is_full_of(mine, value));
		REQUIRE(pread(file, bytes, PAGE, i * PAGE) == PAGE && is_full_of(bytes, common->file[i]));
		if (readable[i])
			REQUIRE(POKE(mine + 1) == SEGV_ACCERR);
	}
}

static void resize(int pages)
{
	REQUIRE(ftruncate(file, pages * PAGE) == 0);
	for (int i = pages; i < common->size; i++)
		common->cuts[i]++;
	for (int i = pages; i < PAGES; i++)
		common->file[i] = 0;
	common->size = pages;
}

static void map_both(int fixed)
{
	shared = mmap(shared, PAGES * PAGE, RW, MAP_SHARED | fixed, file, 0);
	private = mmap(private, PAGES * PAGE, RW, MAP_PRIVATE | fixed, file, 0);
	REQUIRE(shared != MAP_FAILED && private != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		copy[i] = -1, readable[i] = 0;
}

static void step(int depth)
{
	int page = next(PAGES);
	unsigned char value = 1 + next(255);
	char *mine = private + page * PAGE, *there = shared + page * PAGE, block[PAGE];
	switch (next(depth ? 9 : 11)) {
	case 0:
		if (page < common->size) {
			memset(there, value, PAGE);
			common->file[page] = value;
		}
		break;
	case 1:
		if (page < common->size) {
			memset(block, value, PAGE);
			REQUIRE(pwrite(file, block, PAGE, page * PAGE) == PAGE);
			common->file[page] = value;
		}
		break;
	case 2:
	case 3:
		if (page < common->size && !readable[page]) {
			memset(mine, value, PAGE);
			copy[page] = value;
			seen[page] = common->cuts[page];
		}
		break;
	case 4:
		resize(1 + next(PAGES));
		break;
	case 5:
		readable[page] = next(2);
		REQUIRE(mprotect(mine, PAGE, readable[page] ? PROT_READ : RW) == 0);
		break;
	case 6:
		REQUIRE(madvise(mine, PAGE, MADV_DONTNEED) == 0);
		copy[page] = -1;
		break;
	case 7:
		if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * PAGE, PAGE) == 0 && page < common->size)
			common->file[page] = 0;
		break;
	case 8:
		if (next(4) == 0)
			map_both(MAP_FIXED);
		else if (page < common->size && !readable[page]) {
			// read(2) into the private page, from the file itself.
			REQUIRE(pread(file, mine, PAGE, page * PAGE) == PAGE);
			copy[page] = common->file[page];
			seen[page] = common->cuts[page];
		}
		break;
	default: {
		int status;
		uint64_t seed = state;
		IN_CHILD(status, {
			state = seed ^ 0x5bd1e995;
			compare();
			for (int i = 0; i < 10; i++)
				step(depth + 1);
			compare();
		});
		REQUIRE(status == 0);
	}
	}
	compare();
}

int main(void)
{
	int turns[PROCESSES][2];
	catch_faults();
	common = mmap(NULL, sizeof *common, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(common != MAP_FAILED);
	for (unsigned seed = 1; seed <= 3; seed++) {
		memset(common, 0, sizeof *common);
		file = memfd_create("sharing", 0);
		REQUIRE(file >= 0);
		resize(PAGES);
		for (int i = 0; i < PROCESSES; i++)
			REQUIRE(pipe(turns[i]) == 0);
		for (int who = 0; who < PROCESSES; who++) {
			if (start_child() != 0)
				continue;
			state = seed * 1000 + who;
			map_both(0);
			for (int round = 0; round < ROUNDS; round++) {
				char token;
				REQUIRE(read(turns[who][0], &token, 1) == 1);
				step(0);
				REQUIRE(write(turns[(who + 1) % PROCESSES][1], &token, 1) == 1);
			}
			_exit(0);
		}
		REQUIRE(write(turns[0][1], "t", 1) == 1);
		int status;
		while (wait(&status) > 0)
			REQUIRE(status == 0);
		for (int i = 0; i < PROCESSES; i++)
			close(turns[i][0]), close(turns[i][1]);
		close(file);
		printf("seed %u: every page is as the model says\n", seed);
		fflush(stdout);
	}
	return 0;
}
