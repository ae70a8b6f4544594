// process_madvise(2).
#include "memory.h"
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096L
#define COLLAPSE 25

static long advise(int pidfd, struct iovec *pieces, unsigned long count, int advice, unsigned flags)
{
	return syscall(440, pidfd, pieces, count, advice, flags);
}

int main(void)
{
	char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	memset(at, 3, 8 * PAGE);
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec pieces[3] = { { at, PAGE }, { at + 4 * PAGE, 2 * PAGE }, { NULL, 0 } };
	REQUIRE(self >= 0);
	REQUIRE(advise(self, pieces, 3, MADV_DONTNEED, 0) == 3 * PAGE);
	REQUIRE(at[0] == 0 && at[PAGE] == 3 && at[4 * PAGE] == 0 && at[5 * PAGE] == 0 && at[6 * PAGE] == 3);
	REQUIRE(advise(self, pieces, 2, MADV_COLD, 0) == 3 * PAGE && advise(self, pieces, 0, MADV_COLD, 0) == 0);
	OK("advice for several ranges of one's own");

	REQUIRE_FAILS(advise(self, pieces, 2, MADV_COLD, 1), EINVAL);
	REQUIRE_FAILS(advise(-1, pieces, 2, MADV_COLD, 0), EBADF);
	REQUIRE_FAILS(advise(STDIN_FILENO, pieces, 2, MADV_COLD, 0), EBADF);
	REQUIRE_FAILS(advise(self, pieces, 2, 77, 0), EINVAL);
	REQUIRE_FAILS(advise(self, pieces, 2000, MADV_COLD, 0), EINVAL);
	REQUIRE_FAILS(advise(self, (struct iovec *)8, 1, MADV_COLD, 0), EFAULT);
	pieces[1].iov_base = NULL;
	REQUIRE(advise(self, pieces, 2, MADV_COLD, 0) == PAGE);
	REQUIRE_FAILS(advise(self, pieces + 1, 1, MADV_COLD, 0), ENOMEM);
	pieces[1].iov_base = at + 1;
	REQUIRE_FAILS(advise(self, pieces + 1, 1, MADV_COLD, 0), EINVAL);
	OK("errors; what was done before one counts");

	pid_t child = start_child();
	if (child == 0)
		for (;;)
			pause();
	int other = (int)syscall(SYS_pidfd_open, child, 0), status;
	memset(at, 4, PAGE);
	REQUIRE_FAILS(advise(other, pieces, 1, MADV_DONTNEED, 0), EINVAL);
	REQUIRE_FAILS(advise(other, pieces, 1, MADV_FREE, 0), EINVAL);
	REQUIRE_FAILS(advise(other, pieces, 1, 102, 0), EINVAL);
	REQUIRE(advise(other, pieces, 1, MADV_COLD, 0) == PAGE);
	REQUIRE(advise(other, pieces, 1, MADV_PAGEOUT, 0) == PAGE);
	REQUIRE(advise(other, pieces, 1, MADV_WILLNEED, 0) == PAGE && at[0] == 4);
	REQUIRE(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
	REQUIRE_FAILS(advise(other, pieces, 1, MADV_COLD, 0), ESRCH);
	OK("another process gets only advice that changes nothing");
	return 0;
}
