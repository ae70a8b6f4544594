// process_vm_readv(2), process_vm_writev(2).
#include "memory.h"
#include <sys/mman.h>
#include <sys/uio.h>

#define PAGE 4096L

int main(void)
{
	char *at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	int ready[2], go[2], status;
	REQUIRE(pipe(ready) == 0 && pipe(go) == 0);
	pid_t child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		char byte;
		memset(at, 'c', 2 * PAGE);
		munmap(at + 2 * PAGE, PAGE);
		REQUIRE(write(ready[1], "r", 1) == 1 && read(go[0], &byte, 1) == 1);
		_exit(at[0] == 'p' && at[1] == 'q' && at[PAGE] == 'c' ? 0 : 1);
	}
	char byte, buffer[3 * PAGE];
	REQUIRE(read(ready[0], &byte, 1) == 1);
	struct iovec local[2] = { { buffer, 100 }, { buffer + 100, sizeof buffer - 100 } };
	struct iovec remote[2] = { { at + 10, 50 }, { at, 2 * PAGE } };
	REQUIRE(process_vm_readv(child, local, 2, remote, 2, 0) == 2 * PAGE + 50);
	REQUIRE(buffer[0] == 'c' && buffer[2 * PAGE] == 'c' && at[0] == 0);
	OK("another process's memory is read");

	struct iovec over = { at, 3 * PAGE };
	REQUIRE(process_vm_readv(child, &local[1], 1, &over, 1, 0) == 2 * PAGE);
	struct iovec beyond = { at + 2 * PAGE, PAGE };
	REQUIRE_FAILS(process_vm_readv(child, local, 1, &beyond, 1, 0), EFAULT);
	REQUIRE_FAILS(process_vm_readv(child, local, 1, remote, 1, 1), EINVAL);
	REQUIRE_FAILS(process_vm_readv(0x3fffffff, local, 1, remote, 1, 0), ESRCH);
	REQUIRE(process_vm_readv(child, local, 0, remote, 1, 0) == 0);
	OK("it is read as far as it goes");

	struct iovec from = { (char *)"pq", 2 }, to = { at, 2 };
	REQUIRE(process_vm_writev(child, &from, 1, &to, 1, 0) == 2);
	REQUIRE(write(go[1], "g", 1) == 1 && waitpid(child, &status, 0) == child && status == 0 && at[0] == 0);
	OK("another process's memory is written");
	return 0;
}
