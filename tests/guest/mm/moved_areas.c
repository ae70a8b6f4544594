// Which anonymous areas become one: not those that were moved with their pages, nor a stack with what it grew down to.
#include "memory.h"

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static char *at;

static void map(long first, long pages, int flags)
{
	REQUIRE(mmap(at + first * PAGE, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0) != MAP_FAILED);
}

static void move(long from, long to, long pages)
{
	char *old = at + from * PAGE, *new = at + to * PAGE;
	REQUIRE(mremap(old, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, new) == new);
}

int main(void)
{
	at = free_range(1100);
	map(0, 2, 0);
	map(10, 2, 0);
	move(10, 2, 2);
	show_areas("moved without pages", at, 16);

	map(10, 2, 0);
	at[10 * PAGE] = 1;
	move(10, 4, 2);
	show_areas("moved with a page", at, 16);
	move(4, 10, 2);
	map(8, 2, 0);
	show_areas("moved back", at, 16);

	map(0, 16, 0);
	at[3 * PAGE] = 1;
	at[7 * PAGE] = 2;
	move(3, 9, 1);
	show_areas("within one area", at, 16);
	map(3, 1, 0);
	show_areas("the hole filled", at, 16);
	move(9, 3, 1);
	map(9, 1, 0);
	show_areas("and back", at, 16);
	REQUIRE(at[3 * PAGE] == 1 && at[7 * PAGE] == 2);

	// The page that goes was the only one that had been written.
	REQUIRE(munmap(at, 16 * PAGE) == 0);
	map(0, 8, 0);
	at[5 * PAGE] = 1;
	move(1, 5, 1);
	show_areas("over the only page", at, 8);
	REQUIRE(munmap(at, 16 * PAGE) == 0);

	map(0, 2, 0);
	at[0] = 1;
	char *grown = mremap(at, 2 * PAGE, 4 * PAGE, 0);
	REQUIRE(grown == at);
	show_areas("grown in place", at, 8);
	move(0, 8, 4);
	REQUIRE(mremap(at + 8 * PAGE, 4 * PAGE, 6 * PAGE, 0) == at + 8 * PAGE);
	show_areas("grown after a move", at, 16);
	REQUIRE(mprotect(at + 9 * PAGE, PAGE, PROT_READ) == 0 && mprotect(at + 9 * PAGE, PAGE, RW) == 0);
	show_areas("cut and joined after a move", at, 16);
	REQUIRE(munmap(at, 16 * PAGE) == 0);

	map(1000, 1, MAP_GROWSDOWN);
	map(980, 1, MAP_GROWSDOWN);
	at[980 * PAGE] = at[1000 * PAGE] = 1;
	at[981 * PAGE] = 1;
	show_areas("two stacks that met", at, 1100);
	REQUIRE(at[980 * PAGE] == 1 && at[981 * PAGE] == 1 && at[1000 * PAGE] == 1);
	return 0;
}
