// mincore(2), msync(2), munmap(2), remap_file_pages(2), brk(2): edges and errors.
#include "memory.h"
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static char *base;
static unsigned char found[64];

static void core(const char *title, char *at, size_t length)
{
	memset(found, 0xee, sizeof found);
	int result = mincore(at, length, found);
	printf("%s: %s", title, result == 0 ? "0" : strerrorname_np(errno));
	for (int i = 0; i < 10; i++)
		if (found[i] == 0xee)
			printf(" -");
		else
			printf(" %d", found[i] & 1);
	puts("");
}

static void map(long first, long last, int protection, int flags, int file, long offset)
{
	char *at = base + first * PAGE;
	REQUIRE(mmap(at, (last - first) * PAGE, protection, flags | MAP_FIXED, file, offset * PAGE) == at);
}

static void show_pages(const char *title, long pages)
{
	printf("%s:", title);
	for (long i = 0; i < pages; i++)
		if (PROBE(base + i * PAGE) == 0)
			printf(" %c", base[i * PAGE] ? base[i * PAGE] : '0');
		else
			printf(" .");
	puts("");
}

int main(void)
{
	catch_faults();
	base = free_range(32);
	map(0, 4, RW, PLAIN, -1, 0);
	core("fresh", base, 4 * PAGE);
	(void)*(volatile char *)base;
	POKE(base + 2 * PAGE);
	core("one read, one written", base, 4 * PAGE);
	core("a byte", base, 1);
	core("a byte more", base, PAGE + 1);
	core("nothing", base, 0);
	core("not aligned", base + 1, PAGE);
	core("into a hole", base + 2 * PAGE, 4 * PAGE);
	core("a hole", base + 5 * PAGE, PAGE);
	core("too long", base, -1UL);
	core("wraps", base, -PAGE);
	core("kernel", (char *)-PAGE, PAGE);
	core("behind user space", (char *)(1UL << 47), PAGE);
	SHOW(mincore(base, PAGE, (void *)16));
	SHOW(mincore(base, 4 * PAGE, (void *)(base + 4 * PAGE - 2)));
	map(0, 1, PROT_NONE, PLAIN, -1, 0);
	core("no access", base, PAGE);
	int memory = memfd_create("core", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, 4 * PAGE) == 0 && pwrite(memory, "x", 1, PAGE) == 1);
	map(8, 14, RW, MAP_SHARED, memory, 0);
	core("a file", base + 8 * PAGE, 6 * PAGE);
	POKE(base + 11 * PAGE);
	core("touched", base + 8 * PAGE, 6 * PAGE);
	map(14, 18, RW, MAP_PRIVATE, memory, 0);
	core("a private mapping of it", base + 14 * PAGE, 4 * PAGE);

	// msync.
	SHOW(msync(base, PAGE, MS_SYNC));
	SHOW(msync(base, 0, MS_SYNC));
	SHOW(msync(base, 0, MS_SYNC | MS_ASYNC));
	SHOW(msync(base, PAGE, 0));
	SHOW(msync(base, PAGE, 8));
	SHOW(msync(base + 1, 0, MS_SYNC));
	SHOW(msync(base + 1, 0, 8));
	SHOW(msync(base, -1UL, MS_SYNC));
	SHOW(msync(base, -PAGE, MS_SYNC));
	SHOW(msync((void *)-PAGE, PAGE, MS_SYNC));
	SHOW(msync(base + 5 * PAGE, PAGE, MS_ASYNC));
	SHOW(msync(base + 2 * PAGE, 8 * PAGE, MS_ASYNC));
	SHOW(msync(base + 2 * PAGE, 8 * PAGE, MS_SYNC));
	SHOW(msync(base + 8 * PAGE, 10 * PAGE, MS_SYNC | MS_INVALIDATE));
	SHOW(msync(base + 8 * PAGE + 0, 1, MS_SYNC));
	SHOW(mlock(base + 9 * PAGE, PAGE));
	SHOW(msync(base + 8 * PAGE, PAGE, MS_SYNC | MS_INVALIDATE));
	SHOW(msync(base + 8 * PAGE, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
	SHOW(msync(base + 9 * PAGE, PAGE, MS_INVALIDATE));
	SHOW(msync(base + 5 * PAGE, 5 * PAGE, MS_INVALIDATE));
	SHOW(msync(base + 9 * PAGE, PAGE, MS_SYNC));
	SHOW(munlock(base + 9 * PAGE, PAGE));
	SHOW(munmap(base, 32 * PAGE));

	// remap_file_pages.
	for (int i = 0; i < 4; i++)
		REQUIRE(pwrite(memory, (char[]){ 'a' + i }, 1, i * PAGE) == 1);
	map(0, 4, RW, MAP_SHARED, memory, 0);
	show_pages("as mapped", 6);
	SHOW(remap_file_pages(base, PAGE, 0, 3, 0));
	SHOW(remap_file_pages(base + PAGE, 2 * PAGE, 0, 0, 0));
	show_pages("remapped", 6);
	show_areas("areas", base, 8);
	SHOW(remap_file_pages(base, PAGE, PROT_READ, 1, 0));
	SHOW(remap_file_pages(base, PAGE, 0, 1, MAP_NONBLOCK));
	SHOW(remap_file_pages(base, PAGE, 0, 1, MAP_PRIVATE));
	SHOW(remap_file_pages(base + 1, PAGE, 0, 2, 0));
	SHOW(remap_file_pages(base + 1, 2 * PAGE - 1, 0, 2, 0));
	SHOW(remap_file_pages(base, 0, 0, 2, 0));
	SHOW(remap_file_pages(base, -1UL, 0, 2, 0));
	SHOW(remap_file_pages(base, PAGE, 0, -1UL, 0));
	SHOW(remap_file_pages(base, 2 * PAGE, 0, 0, 0));
	SHOW(remap_file_pages(base + 20 * PAGE, PAGE, 0, 0, 0));
	SHOW(remap_file_pages(base + 3 * PAGE, 2 * PAGE, 0, 0, 0));
	SHOW(remap_file_pages(base, PAGE, 0, 100, 0));
	show_pages("afterwards", 6);
	map(8, 10, RW, MAP_PRIVATE, memory, 0);
	SHOW(remap_file_pages(base + 8 * PAGE, PAGE, 0, 1, 0));
	map(8, 10, RW, PLAIN, -1, 0);
	SHOW(remap_file_pages(base + 8 * PAGE, PAGE, 0, 1, 0));
	map(8, 10, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	base[9 * PAGE] = 's';
	SHOW(remap_file_pages(base + 8 * PAGE, PAGE, 0, 1, 0));
	show_pages("shared anonymous", 10);
	map(8, 10, PROT_READ, MAP_SHARED, memory, 0);
	SHOW(remap_file_pages(base + 8 * PAGE, PAGE, 0, 2, 0));
	show_areas("protection stays", base + 8 * PAGE, 2);

	// brk.
	char *heap = (char *)syscall(SYS_brk, 0), *aligned = (char *)(((uintptr_t)heap + PAGE - 1) & -PAGE);
	CHECK((char *)syscall(SYS_brk, aligned + 10) == aligned + 10);
	aligned[9] = 'h';
	printf("%d %d\n", PROBE(aligned + PAGE - 1), PROBE(aligned + PAGE));
	CHECK((char *)syscall(SYS_brk, aligned + PAGE) == aligned + PAGE);
	CHECK((char *)syscall(SYS_brk, aligned + 5) == aligned + 5);
	printf("within a page the bytes stay: %c\n", aligned[9]);
	CHECK((char *)syscall(SYS_brk, aligned) == aligned);
	printf("%d\n", PROBE(aligned));
	CHECK((char *)syscall(SYS_brk, aligned + 1) == aligned + 1);
	printf("a new page: %d\n", aligned[9]);
	SHOW(mprotect(aligned, PAGE, PROT_READ));
	CHECK((char *)syscall(SYS_brk, aligned + 2 * PAGE) == aligned + 2 * PAGE);
	printf("%d %d\n", POKE(aligned), POKE(aligned + PAGE));
	SHOW(munmap(aligned, 2 * PAGE));
	CHECK((char *)syscall(SYS_brk, aligned + 3 * PAGE) == aligned + 3 * PAGE);
	printf("%d %d %d\n", PROBE(aligned), PROBE(aligned + PAGE), PROBE(aligned + 2 * PAGE));
	CHECK((char *)syscall(SYS_brk, aligned + (1UL << 46)) == aligned + 3 * PAGE);
	CHECK((char *)syscall(SYS_brk, -1UL) == aligned + 3 * PAGE);
	struct rlimit limit = { 0, RLIM_INFINITY };
	REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
	CHECK((char *)syscall(SYS_brk, aligned + 4 * PAGE) == aligned + 3 * PAGE);
	CHECK((char *)syscall(SYS_brk, aligned + 2 * PAGE) == aligned + 3 * PAGE || true);
	errno = 0;
	CHECK(mmap(NULL, PAGE, RW, PLAIN, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, PAGE, PROT_READ, PLAIN, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	char *readable = mmap(NULL, PAGE, PROT_READ, PLAIN, -1, 0);
	SHOW(mprotect(readable, PAGE, RW));
	return 0;
}
