// Several processes map, write, protect, unmap, move, fork and share at random, and compare every byte with a model.
#include "memory.h"
#include <sys/mman.h>

#define PAGE 4096L
#define SLOTS 48
#define RW (PROT_READ | PROT_WRITE)

static uint64_t state;
static unsigned char model[SLOTS];	// what each page holds in its first and last byte
static int protection[SLOTS];		// PROT_ bits, -1 for unmapped
static char *base;

static unsigned next(unsigned limit)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % limit;
}

static void compare_all(void)
{
	for (int i = 0; i < SLOTS; i++) {
		char *page = base + i * PAGE;
		if (protection[i] == -1) {
			REQUIRE(PROBE(page) == SEGV_MAPERR);
		} else if (protection[i] == PROT_NONE) {
			REQUIRE(PROBE(page) == SEGV_ACCERR);
		} else {
			REQUIRE((unsigned char)page[0] == model[i] && (unsigned char)page[PAGE - 1] == model[i]);
			if (protection[i] == PROT_READ)
				REQUIRE(POKE(page) == SEGV_ACCERR);
		}
	}
}

static void step(int depth)
{
	int first = next(SLOTS), count = 1 + next(6);
	if (first + count > SLOTS)
		count = SLOTS - first;
	char *at = base + first * PAGE;
	switch (next(depth < 3 ? 16 : 15)) {
	case 0:
	case 1:
	case 2:
		REQUIRE(mmap(at, count * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		for (int i = first; i < first + count; i++)
			model[i] = 0, protection[i] = RW;
		break;
	case 3:
		REQUIRE(munmap(at, count * PAGE) == 0);
		for (int i = first; i < first + count; i++)
			protection[i] = -1;
		break;
	case 4:
	case 5: {
		static const int choices[] = { PROT_NONE, PROT_READ, RW };
		int wanted = choices[next(3)], hole = 0;
		for (int i = first; i < first + count; i++)
			hole |= protection[i] == -1;
		int result = mprotect(at, count * PAGE, wanted);
		REQUIRE(result == (hole ? -1 : 0));
		for (int i = first; i < first + count && protection[i] != -1; i++)
			protection[i] = wanted;
		break;
	}
	case 6: {
		int hole = 0;
		for (int i = first; i < first + count; i++)
			hole |= protection[i] == -1;
		REQUIRE(madvise(at, count * PAGE, MADV_DONTNEED) == (hole ? -1 : 0));
		for (int i = first; i < first + count; i++)
			model[i] = 0;
		break;
	}
	case 7: {
		int to = next(SLOTS);
		if (protection[first] == -1 || to == first)
			break;
		REQUIRE(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + to * PAGE) == base + to * PAGE);
		model[to] = model[first];
		protection[to] = protection[first];
		protection[first] = -1;
		break;
	}
	case 15: {
		int status;
		uint64_t seed = state;
		IN_CHILD(status, {
			state = seed ^ 0x5bd1e995;
			for (int i = 0; i < 60; i++)
				step(depth + 1);
			compare_all();
		});
		REQUIRE(status == 0);
		compare_all();
		break;
	}
	default:
		for (int i = first; i < first + count; i++) {
			if (protection[i] != RW)
				continue;
			model[i] = 1 + next(255);
			base[i * PAGE] = base[i * PAGE + PAGE - 1] = model[i];
		}
	}
}

int main(void)
{
	catch_faults();
	base = mmap(NULL, SLOTS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(base != MAP_FAILED && munmap(base, SLOTS * PAGE) == 0);
	for (unsigned seed = 1; seed <= 4; seed++) {
		state = seed;
		munmap(base, SLOTS * PAGE);
		for (int i = 0; i < SLOTS; i++)
			protection[i] = -1;
		for (int i = 0; i < 400; i++) {
			step(0);
			if (i % 20 == 0)
				compare_all();
		}
		compare_all();
	}
	OK("every byte is as the model says");
	return 0;
}
