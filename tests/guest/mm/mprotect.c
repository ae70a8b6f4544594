// mprotect(2).
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
	catch_faults();
	char *at = mmap(NULL, 5 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	memset(at, 5, 5 * PAGE);
	REQUIRE(mprotect(at + PAGE, PAGE, PROT_READ) == 0);
	REQUIRE(mprotect(at + 2 * PAGE, PAGE, PROT_NONE) == 0);
	REQUIRE(POKE(at) == 0);
	REQUIRE(PROBE(at + PAGE) == 0 && POKE(at + PAGE) == SEGV_ACCERR && fault_address == at + PAGE);
	REQUIRE(PROBE(at + 2 * PAGE) == SEGV_ACCERR);
	REQUIRE(POKE(at + 3 * PAGE) == 0);
	REQUIRE(mprotect(at, 5 * PAGE, RW) == 0);
	REQUIRE(at[2 * PAGE] == 5 && POKE(at + 2 * PAGE) == 0);
	OK("protections come and go; contents stay");

	int pipes[2];
	REQUIRE(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
	REQUIRE(mprotect(at, PAGE, PROT_READ) == 0);
	REQUIRE_FAILS(read(pipes[0], at, 1), EFAULT);
	REQUIRE(mprotect(at, PAGE, RW) == 0);
	REQUIRE(read(pipes[0], at, 1) == 1 && at[0] == 'x');
	OK("the kernel minds protections too");

	REQUIRE(munmap(at + 2 * PAGE, PAGE) == 0);
	REQUIRE_FAILS(mprotect(at, 5 * PAGE, PROT_READ), ENOMEM);
	REQUIRE(POKE(at + PAGE) == SEGV_ACCERR && POKE(at + 3 * PAGE) == 0);
	REQUIRE_FAILS(mprotect(at + 1, PAGE, RW), EINVAL);
	REQUIRE_FAILS(mprotect(at, PAGE, 0x40), EINVAL);
	REQUIRE_FAILS(mprotect(at, ~0UL - PAGE, RW), ENOMEM);
	REQUIRE_FAILS(mprotect(at, PAGE, RW | PROT_GROWSDOWN), EINVAL);
	REQUIRE(mprotect(at + 2 * PAGE, 0, RW) == 0);
	OK("errors of mprotect; what lies before a hole is changed");

	int file = open("/proc/self/exe", O_RDONLY);
	char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
	REQUIRE(shared != MAP_FAILED);
	REQUIRE_FAILS(mprotect(shared, PAGE, RW), EACCES);
	char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	REQUIRE(private != MAP_FAILED && mprotect(private, PAGE, RW) == 0);
	REQUIRE(private[0] == 0x7f);
	private[0] = 1;
	REQUIRE(shared[0] == 0x7f);
	OK("a shared mapping of a file opened for reading never becomes writable");

	// mov eax, 42; ret
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	unsigned char *page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(page != MAP_FAILED);
	memcpy(page, code, sizeof code);
	REQUIRE(ACCESS(((int (*)(void))page)()) == SEGV_ACCERR && fault_address == page);
	REQUIRE(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	REQUIRE(((int (*)(void))page)() == 42);
	REQUIRE(mprotect(page, PAGE, RW) == 0);
	page[1] = 43;
	REQUIRE(ACCESS(((int (*)(void))page)()) == SEGV_ACCERR);
	REQUIRE(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	REQUIRE(((int (*)(void))page)() == 43);
	REQUIRE(mprotect(page, PAGE, RW | PROT_EXEC) == 0);
	for (int i = 0; i < 100; i++) {
		page[1] = i;
		REQUIRE(((int (*)(void))page)() == i);
	}
	OK("code runs where it may, and as it was written last");
	return 0;
}
