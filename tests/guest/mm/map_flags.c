// mmap(2): every kind of flag, and the order of its errors.
#include "memory.h"
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif

static char *base;

static char *shown(const char *what, void *result)
{
	if (result == MAP_FAILED)
		printf("%s = %s\n", what, strerrorname_np(errno));
	else if ((char *)result >= base && (char *)result < base + 64 * PAGE)
		printf("%s = page %ld\n", what, (long)((char *)result - base) / PAGE);
	else
		printf("%s = somewhere\n", what);
	return result;
}
#define MAP(...) shown("mmap(" #__VA_ARGS__ ")", mmap(__VA_ARGS__))

static void in_memory(const char *title, char *at, long pages)
{
	unsigned char found[64];
	REQUIRE(mincore(at, pages * PAGE, found) == 0);
	printf("%s:", title);
	for (long i = 0; i < pages; i++)
		printf(" %d", found[i] & 1);
	puts("");
}

int main(void)
{
	catch_faults();
	base = free_range(64);
	char name[] = "map_flags-XXXXXX";
	int file = mkstemp(name), reading = open(name, O_RDONLY), writing = open(name, O_WRONLY), path = open(name, O_PATH);
	int directory = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), pipes[2];
	REQUIRE(ftruncate(file, 4 * PAGE) == 0 && pwrite(file, "file", 4, 0) == 4 && pipe(pipes) == 0);
	// Lengths, addresses, offsets.
	MAP(NULL, 0, RW, PLAIN, -1, 0);
	MAP(NULL, -1UL, RW, PLAIN, -1, 0);
	MAP(NULL, 1UL << 47, RW, PLAIN | MAP_NORESERVE, -1, 0);
	MAP(NULL, PAGE, RW, PLAIN, -1, 1);
	MAP(NULL, PAGE, RW, MAP_SHARED, file, 1);
	MAP(NULL, PAGE, RW, MAP_SHARED, file, -PAGE);
	MAP(NULL, PAGE, RW, MAP_SHARED, file, 1L << 62);
	MAP(NULL, 2 * PAGE, RW, MAP_SHARED, file, (1UL << 63) - PAGE);
	MAP(base + 1, PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP(base + 1, PAGE, RW, PLAIN, -1, 0);
	MAP((void *)-PAGE, PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP((void *)(1UL << 47), PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP((void *)((1UL << 47) - PAGE), PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP((void *)(1UL << 47), PAGE, RW, PLAIN, -1, 0);
	MAP((void *)-1UL, PAGE, RW, PLAIN, -1, 0);
	// Types.
	MAP(base, PAGE, RW, MAP_ANONYMOUS, -1, 0);
	MAP(base, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_ANONYMOUS | 5, -1, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE | MAP_LOCKED, -1, 0);
	MAP(base + 2 * PAGE, PAGE, RW, 0, file, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_DROPPABLE, file, 0);
	MAP(base + 2 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE, file, 0);
	MAP(base + 4 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_STACK, file, 0);
	MAP(base + 5 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE | (1 << 27), file, 0);
	for (int bit = 5; bit < 32; bit++)
		if (bit != 8 && bit != 18) {
			printf("bit %d: ", bit);
			MAP(base + 6 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE | 1u << bit, file, 0);
			REQUIRE(munmap(base + 6 * PAGE, PAGE) == 0);
		}
	MAP(base + 6 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, file, 0);
	int memory = memfd_create("flags", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, PAGE) == 0);
	MAP(base + 8 * PAGE, PAGE, RW, MAP_SHARED | (1 << 25) | MAP_SYNC, memory, 0);
	MAP(base + 10 * PAGE, PAGE, RW, MAP_SHARED | MAP_SYNC, file, 0);
	MAP(base + 10 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_SYNC, file, 0);
	MAP(base + 9 * PAGE, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, memory, 0);
	MAP(base + 10 * PAGE, PAGE, RW, PLAIN | (1 << 27) | MAP_SYNC, -1, 0);
	MAP(base + 12 * PAGE, PAGE, 0x100 | PROT_READ, PLAIN, -1, 0);
	show_areas("so far", base, 16);
	// Descriptors.
	MAP(NULL, PAGE, RW, MAP_SHARED, -1, 0);
	MAP(NULL, PAGE, RW, MAP_SHARED, 999, 0);
	MAP(NULL, 0, RW, MAP_SHARED, 999, 0);
	MAP(NULL, PAGE, RW, PLAIN, 999, 0);
	MAP(NULL, PAGE, PROT_READ, MAP_SHARED, path, 0);
	MAP(NULL, PAGE, PROT_READ, MAP_SHARED, directory, 0);
	MAP(NULL, PAGE, PROT_READ, MAP_SHARED, null, 0);
	MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0);
	MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[1], 0);
	MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, writing, 0);
	MAP(NULL, PAGE, PROT_NONE, MAP_SHARED, writing, 0);
	MAP(NULL, PAGE, PROT_WRITE, MAP_SHARED, writing, 0);
	MAP(NULL, PAGE, RW, MAP_SHARED, reading, 0);
	char *readable = MAP(base + 20 * PAGE, PAGE, PROT_READ, MAP_SHARED, reading, 0);
	SHOW(mprotect(readable, PAGE, RW));
	char *copy = MAP(base + 22 * PAGE, PAGE, RW, MAP_PRIVATE, reading, 0);
	copy[0] = 'F';
	printf("%c %c\n", readable[0], copy[0]);
	SHOW(mprotect(copy, PAGE, RW | PROT_EXEC));
	MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, file, 0);
	MAP(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	// /dev/zero is anonymous memory.
	char *zeroes = MAP(base + 24 * PAGE, PAGE, RW, MAP_PRIVATE, zero, 0);
	char *common = MAP(base + 26 * PAGE, PAGE, RW, MAP_SHARED, zero, 0);
	int status;
	IN_CHILD(status, zeroes[0] = 1; common[0] = 1);
	printf("after the child: %d %d\n", zeroes[0], common[0]);
	// Places.
	MAP(base + 20 * PAGE, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0);
	MAP(base + 19 * PAGE, 2 * PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0);
	MAP(base + 19 * PAGE, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0);
	MAP(base + 19 * PAGE, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0);
	MAP(base + 19 * PAGE + 5, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0);
	char *other = mmap(base + 20 * PAGE, PAGE, RW, PLAIN, -1, 0);
	CHECK(other != base + 20 * PAGE && other != MAP_FAILED);
	char *low = mmap(NULL, PAGE, RW, PLAIN | MAP_32BIT, -1, 0);
	CHECK(low != MAP_FAILED && (uintptr_t)low < 1UL << 31);
	// What the page at 0 is.
	if (geteuid() == 0)
		REQUIRE(seteuid(65534) == 0);
	uintptr_t lowest = 0;
	FILE *setting = fopen("/proc/sys/vm/mmap_min_addr", "r");
	REQUIRE(setting != NULL && fscanf(setting, "%lu", &lowest) == 1 && lowest >= 4096);
	fclose(setting);
	char *below = (char *)lowest - PAGE;
	MAP(NULL, PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP(below, PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP(below, PAGE, RW, PLAIN | MAP_FIXED_NOREPLACE, -1, 0);
	MAP(below, 2 * PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	CHECK((uintptr_t)mmap((void *)1, PAGE, RW, PLAIN, -1, 0) >= lowest);
	CHECK((uintptr_t)mmap((void *)lowest, PAGE, RW, PLAIN | MAP_FIXED, -1, 0) == lowest);
	// What is filled at once.
	in_memory("plain", MAP(base + 30 * PAGE, 4 * PAGE, RW, PLAIN, -1, 0), 4);
	in_memory("populate", MAP(base + 35 * PAGE, 4 * PAGE, RW, PLAIN | MAP_POPULATE, -1, 0), 4);
	in_memory("populate to read", MAP(base + 40 * PAGE, 4 * PAGE, PROT_READ, PLAIN | MAP_POPULATE, -1, 0), 4);
	in_memory("populate nothing", MAP(base + 45 * PAGE, 4 * PAGE, PROT_NONE, PLAIN | MAP_POPULATE, -1, 0), 4);
	in_memory("nonblock", MAP(base + 50 * PAGE, 4 * PAGE, RW, PLAIN | MAP_POPULATE | MAP_NONBLOCK, -1, 0), 4);
	in_memory("beyond the file", MAP(base + 55 * PAGE, 6 * PAGE, RW, MAP_SHARED | MAP_POPULATE, file, 0), 4);
	printf("codes %d %d\n", PROBE(base + 58 * PAGE), PROBE(base + 59 * PAGE));
	// Huge pages: none is reserved.
	MAP(NULL, 2 << 20, RW, PLAIN | MAP_HUGETLB, -1, 0);
	MAP(NULL, 2 << 20, RW, PLAIN | MAP_HUGETLB | MAP_FIXED, -1, 0);
	MAP(NULL, 2 << 20, RW, MAP_PRIVATE | MAP_HUGETLB, file, 0);
	MAP(NULL, 2 << 20, RW, MAP_PRIVATE | MAP_HUGETLB, 999, 0);
	// Locked and limits.
	struct rlimit limit;
	REQUIRE(munlockall() == 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	limit.rlim_cur = 2 * PAGE;
	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	in_memory("locked", MAP(base, 2 * PAGE, RW, PLAIN | MAP_LOCKED, -1, 0), 2);
	MAP(base + 2 * PAGE, PAGE, RW, PLAIN | MAP_LOCKED, -1, 0);
	limit.rlim_cur = 0;
	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	MAP(base + 2 * PAGE, PAGE, RW, PLAIN | MAP_LOCKED, -1, 0);
	MAP(base, PAGE, RW, PLAIN | MAP_LOCKED | MAP_FIXED, -1, 0);
	limit = (struct rlimit){ 0, RLIM_INFINITY };
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	MAP(base + 2 * PAGE, PAGE, RW, PLAIN, -1, 0);
	MAP(base, PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	MAP(base, 3 * PAGE, RW, PLAIN | MAP_FIXED, -1, 0);
	unlink(name);
	return 0;
}
