// get_mempolicy(2), set_mempolicy(2), mbind(2) on one node.
#include "memory.h"
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096L

int main(void)
{
	int mode = 77;
	unsigned long mask = 0;
	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == -1 && errno == ENOSYS) {
		OK("policies are remembered");
		OK("errors");
		return 0;
	}
	REQUIRE(mode == 0);
	REQUIRE(syscall(SYS_get_mempolicy, NULL, &mask, 64UL, NULL, 4) == 0 && (mask & 1));
	unsigned long node0 = 1;
	REQUIRE(syscall(SYS_set_mempolicy, 2, &node0, 64UL) == 0);
	REQUIRE(syscall(SYS_get_mempolicy, &mode, &mask, 64UL, NULL, 0) == 0 && mode == 2 && mask == 1);
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	// The policy of an area that has none is the default, not the thread's.
	REQUIRE(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2) == 0 && mode == 0);
	REQUIRE(syscall(SYS_mbind, at, PAGE, 3, &node0, 64UL, 0) == 0);
	REQUIRE(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2) == 0 && mode == 3);
	REQUIRE(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 3) == 0 && mode == 0);
	REQUIRE(syscall(SYS_set_mempolicy, 0, NULL, 0) == 0);
	OK("policies are remembered");
	REQUIRE_FAILS(syscall(SYS_set_mempolicy, 99, NULL, 0), EINVAL);
	REQUIRE_FAILS(syscall(SYS_set_mempolicy, 2, NULL, 0), EINVAL);
	REQUIRE_FAILS(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 0), EINVAL);
	REQUIRE_FAILS(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 2), EFAULT);
	REQUIRE_FAILS(syscall(SYS_mbind, at + 1, PAGE, 0, NULL, 0, 0), EINVAL);
	OK("errors");
	return 0;
}
