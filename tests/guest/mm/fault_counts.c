// Minor and major faults as getrusage(2) and /proc/self/stat count them.
#include "memory.h"
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES 64L

static long minor(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void touch(char *at, long first, long last)
{
	for (long i = first; i < last; i++)
		*(volatile char *)(at + i * PAGE) = 1;
}

static void look(char *at, long first, long last)
{
	for (long i = first; i < last; i++)
		(void)*(volatile char *)(at + i * PAGE);
}

// Stacks, stdio and page tables are there before anything is counted.
#define COUNT(what, ...)                                   \
	do {                                               \
		long before = minor();                     \
		__VA_ARGS__;                               \
		long faults = minor() - before;            \
		printf("%s: %ld\n", what, faults);         \
	} while (0)

static char *map(int protection, int flags, int file)
{
	char *at = mmap(NULL, PAGES * PAGE, protection, flags, file, 0);
	REQUIRE(at != MAP_FAILED);
	REQUIRE((flags & MAP_ANONYMOUS) == 0 || madvise(at, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
	return at;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 1 << 12);
	static char buffer[4 * 4096];
	touch(buffer, 0, 4);
	struct iovec local = { buffer, 4 * PAGE };
	REQUIRE(process_vm_writev(getpid(), &local, 1, &local, 1, 0) == 4 * PAGE);
	COUNT("nothing", (void)0);
	char *at = map(RW, PLAIN, -1);
	COUNT("first writes", touch(at, 0, PAGES));
	COUNT("second writes", touch(at, 0, PAGES));
	COUNT("mprotect to read", REQUIRE(mprotect(at, PAGES * PAGE, PROT_READ) == 0); look(at, 0, PAGES));
	COUNT("and back", REQUIRE(mprotect(at, PAGES * PAGE, RW) == 0); touch(at, 0, PAGES));
	COUNT("madvise", REQUIRE(madvise(at, 8 * PAGE, MADV_DONTNEED) == 0); touch(at, 0, PAGES));
	at = map(RW, PLAIN, -1);
	COUNT("first reads", look(at, 0, PAGES));
	COUNT("writes after reads", touch(at, 0, PAGES));
	at = map(RW, PLAIN | MAP_POPULATE, -1);
	COUNT("touching what was populated", touch(at, 0, PAGES));
	at = map(RW, PLAIN, -1);
	COUNT("populating", REQUIRE(madvise(at, PAGES * PAGE, MADV_POPULATE_WRITE) == 0));
	at = map(RW, PLAIN, -1);
	COUNT("populating to read", REQUIRE(madvise(at, PAGES * PAGE, MADV_POPULATE_READ) == 0));
	COUNT("then writing", touch(at, 0, PAGES));
	at = map(RW, PLAIN, -1);
	COUNT("mlock", REQUIRE(mlock(at, PAGES * PAGE) == 0));
	REQUIRE(munlock(at, PAGES * PAGE) == 0);
	at = map(RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	COUNT("shared writes", touch(at, 0, PAGES));
	at = map(RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	COUNT("shared reads", look(at, 0, PAGES));
	COUNT("shared writes after reads", touch(at, 0, PAGES));
	// The kernel's own accesses count for the caller.
	at = map(RW, PLAIN, -1);
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), pipes[2];
	REQUIRE(pipe(pipes) == 0);
	COUNT("read from /dev/zero", REQUIRE(read(zero, at, PAGES * PAGE) == PAGES * PAGE));
	at = map(RW, PLAIN, -1);
	COUNT("write to /dev/null", REQUIRE(write(null, at, PAGES * PAGE) == PAGES * PAGE));
	COUNT("write to a pipe", REQUIRE(write(pipes[1], at, 4 * PAGE) == 4 * PAGE));
	COUNT("process_vm_writev", {
		struct iovec remote = { at + 8 * PAGE, 4 * PAGE };
		REQUIRE(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 4 * PAGE);
	});
	// Files.
	int memory = memfd_create("faults", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, PAGES * PAGE) == 0);
	at = map(RW, MAP_SHARED, memory);
	COUNT("writes to a new memfd", touch(at, 0, PAGES));
	at = map(RW, MAP_PRIVATE, memory);
	COUNT("private writes to it", touch(at, 0, PAGES));
	// fork.
	int status, result[2];
	REQUIRE(pipe(result) == 0);
	at = map(RW, PLAIN, -1);
	touch(at, 0, PAGES);
	pid_t child = start_child();
	if (child == 0) {
		long before = minor();
		look(at, 0, PAGES);
		long reads = minor() - before;
		before = minor();
		touch(at, 0, PAGES);
		long counts[2] = { reads, minor() - before };
		REQUIRE(write(result[1], counts, sizeof counts) == sizeof counts);
		_exit(0);
	}
	long counts[2];
	REQUIRE(read(result[0], counts, sizeof counts) == sizeof counts);
	REQUIRE(waitpid(child, &status, 0) == child && status == 0);
	printf("a child reads and writes: %ld %ld\n", counts[0], counts[1]);
	COUNT("the last owner writes", touch(at, 0, PAGES));
	COUNT("and again", touch(at, 0, PAGES));
	// Accesses that fail are not counted.
	catch_faults();
	REQUIRE(PROBE(NULL) == SEGV_MAPERR);
	COUNT("invalid ones", PROBE(NULL); PROBE(8); POKE(16));
	// /proc/self/stat agrees, and so do the child's in the parent's account.
	struct rusage children;
	REQUIRE(getrusage(RUSAGE_CHILDREN, &children) == 0);
	CHECK(children.ru_minflt >= PAGES);
	long own, of_children;
	FILE *stat = fopen("/proc/self/stat", "r");
	char line[1024];
	REQUIRE(stat != NULL && fgets(line, sizeof line, stat));
	REQUIRE(sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld %ld", &own, &of_children) == 2);
	CHECK(own <= minor() && own > minor() - 50);
	CHECK(of_children == children.ru_minflt);
	return 0;
}
