// mmap(2), munmap(2): anonymous mappings, their places, their errors.
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static char *map(long pages, int protection, int flags)
{
	char *at = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	REQUIRE(at != MAP_FAILED);
	return at;
}

int main(void)
{
	catch_faults();

	char *at = map(4, RW, 0);
	for (int i = 0; i < 4 * PAGE; i++)
		REQUIRE(at[i] == 0);
	memset(at, 7, 4 * PAGE);
	REQUIRE(munmap(at + PAGE, PAGE) == 0);
	REQUIRE(PROBE(at + PAGE) == SEGV_MAPERR && fault_signal == SIGSEGV && fault_address == at + PAGE);
	REQUIRE(PROBE(at) == 0 && PROBE(at + 2 * PAGE) == 0);
	REQUIRE(munmap(at, 4 * PAGE) == 0);
	REQUIRE(munmap(at, 4 * PAGE) == 0);
	OK("anonymous memory is zero, and parts of it go");

	char *fixed = map(3, RW, 0);
	memset(fixed, 1, 3 * PAGE);
	REQUIRE(mmap(fixed + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == fixed + PAGE);
	REQUIRE(fixed[0] == 1 && fixed[PAGE] == 0 && fixed[2 * PAGE] == 1);
	REQUIRE_FAILS(mmap(fixed + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	REQUIRE(munmap(fixed + PAGE, PAGE) == 0);
	REQUIRE(mmap(fixed + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == fixed + PAGE);
	OK("MAP_FIXED replaces, MAP_FIXED_NOREPLACE does not");

	char *hint = map(2, RW, 0);
	REQUIRE(munmap(hint, 2 * PAGE) == 0);
	REQUIRE(mmap(hint, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == hint);
	REQUIRE(mmap(hint + 5, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != hint);
	char *low = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	REQUIRE(low != MAP_FAILED && (uintptr_t)low + PAGE <= 0x80000000u);
	OK("a hint is followed if it is free; MAP_32BIT stays low");

	REQUIRE_FAILS(mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	REQUIRE_FAILS(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	REQUIRE_FAILS(mmap(NULL, ~0UL, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	REQUIRE_FAILS(mmap(NULL, 1UL << 47, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	REQUIRE_FAILS(mmap((void *)1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	REQUIRE_FAILS(mmap((void *)(1UL << 47), PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	REQUIRE_FAILS(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	REQUIRE_FAILS(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1), EINVAL);
	REQUIRE_FAILS(munmap(at + 1, PAGE), EINVAL);
	REQUIRE_FAILS(munmap(at, 0), EINVAL);
	REQUIRE_FAILS(munmap(at, ~0UL), EINVAL);
	OK("errors of mmap and munmap");

	int pipes[2];
	REQUIRE(pipe(pipes) == 0);
	REQUIRE_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
	int directory = open("/", O_RDONLY);
	REQUIRE(directory >= 0);
	REQUIRE_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
	int file = open("/proc/self/exe", O_RDONLY);
	REQUIRE(file >= 0);
	REQUIRE_FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, file, 0), EACCES);
	REQUIRE_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0x7ffffffffffff000), EOVERFLOW);
	REQUIRE_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, file, 0), EINVAL);
	int zero = open("/dev/zero", O_RDWR);
	REQUIRE(zero >= 0);
	char *zeroes = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, zero, 0);
	REQUIRE(zeroes != MAP_FAILED && zeroes[PAGE] == 0);
	zeroes[PAGE] = 1;
	zeroes = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, zero, 0);
	REQUIRE(zeroes != MAP_FAILED && zeroes[PAGE] == 0);
	OK("what can be mapped and how");

	char *none = map(1, PROT_NONE, MAP_NORESERVE);
	REQUIRE(PROBE(none) == SEGV_ACCERR && POKE(none) == SEGV_ACCERR);
	char *read_only = map(1, PROT_READ, 0);
	REQUIRE(PROBE(read_only) == 0 && POKE(read_only) == SEGV_ACCERR && read_only[0] == 0);
	char *write_only = map(1, PROT_WRITE, 0);
	REQUIRE(PROBE(write_only) == 0 && POKE(write_only) == 0);
	char *huge = map(1L << 24, RW, MAP_NORESERVE);
	huge[PAGE << 23] = 1;
	REQUIRE(munmap(huge, PAGE << 24) == 0);
	map(16, RW, MAP_POPULATE);
	map(16, RW, MAP_STACK);
	OK("protections, reservations, populated memory");

	char *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *own = map(1, RW, 0);
	own[0] = 1;
	int status;
	IN_CHILD(status, shared[0] = 42; own[0] = 42);
	REQUIRE(status == 0 && shared[0] == 42 && own[0] == 1);
	OK("MAP_SHARED is shared with a child, MAP_PRIVATE is not");
	return 0;
}
