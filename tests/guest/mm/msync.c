// msync(2): flags and errors; mappings and read(2) agree at once.
#include "memory.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096L

int main(void)
{
	char name[] = "/tmp/msync-XXXXXX";
	int file = mkstemp(name);
	REQUIRE(file >= 0 && ftruncate(file, 2 * PAGE) == 0);
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	char *other = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	REQUIRE(at != MAP_FAILED && other != MAP_FAILED);
	char byte;
	at[5] = 'a';
	REQUIRE(other[5] == 'a' && pread(file, &byte, 1, 5) == 1 && byte == 'a');
	REQUIRE(pwrite(file, "b", 1, PAGE) == 1 && at[PAGE] == 'b' && other[PAGE] == 'b');
	OK("mappings, read and write show the same bytes at once");

	REQUIRE(msync(at, 2 * PAGE, MS_SYNC) == 0 && msync(at, PAGE, MS_ASYNC) == 0);
	REQUIRE(msync(at, PAGE, MS_SYNC | MS_INVALIDATE) == 0 && msync(at, PAGE, 0) == 0);
	REQUIRE_FAILS(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	REQUIRE_FAILS(msync(at, PAGE, 64), EINVAL);
	REQUIRE_FAILS(msync(at + 1, PAGE, MS_SYNC), EINVAL);
	REQUIRE(mlock(at, PAGE) == 0);
	REQUIRE_FAILS(msync(at, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
	REQUIRE(munlock(at, PAGE) == 0 && munmap(at + PAGE, PAGE) == 0);
	REQUIRE_FAILS(msync(at, 2 * PAGE, MS_SYNC), ENOMEM);
	OK("flags and errors of msync");
	REQUIRE(unlink(name) == 0);
	return 0;
}
