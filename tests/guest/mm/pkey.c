// pkey_alloc(2) on a processor without protection keys.
#include "memory.h"
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096L

int main(void)
{
	char *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	long key = syscall(SYS_pkey_alloc, 0, 0);
	REQUIRE(key > 0 || errno == ENOSPC || errno == EINVAL);
	REQUIRE(syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ | PROT_WRITE, -1) == 0);
	at[0] = 1;
	REQUIRE_FAILS(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
	REQUIRE_FAILS(syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 99), EINVAL);
	OK("programs can tell that there are no protection keys, and key -1 is none");
	return 0;
}
