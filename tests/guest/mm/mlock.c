// mlock(2), mlock2(2), mlockall(2) and their limit.
#include "memory.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)

static long locked_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long found = -1;
	REQUIRE(status != NULL);
	while (fgets(line, sizeof line, status))
		sscanf(line, "VmLck: %ld", &found);
	fclose(status);
	return found;
}

int main(void)
{
	unsigned char found[4];
	char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED && mlock(at + 10, PAGE) == 0);
	REQUIRE(mincore(at, 4 * PAGE, found) == 0 && (found[0] & 1) && (found[1] & 1) && !(found[2] & 1));
	REQUIRE(locked_kb() == 8);
	REQUIRE(mlock2(at + 2 * PAGE, 2 * PAGE, MLOCK_ONFAULT) == 0);
	REQUIRE(mincore(at, 4 * PAGE, found) == 0 && !(found[2] & 1) && locked_kb() == 16);
	REQUIRE(munlock(at, 4 * PAGE) == 0 && locked_kb() == 0);
	OK("locked pages are in memory and counted");

	REQUIRE(mlock(at, PAGE) == 0);
	int status;
	IN_CHILD(status, REQUIRE(locked_kb() == 0));
	REQUIRE(status == 0 && munlockall() == 0 && locked_kb() == 0);
	OK("a child inherits no locks");

	REQUIRE_FAILS(mlock2(at, PAGE, 2), EINVAL);
	REQUIRE_FAILS(mlockall(0), EINVAL);
	REQUIRE_FAILS(mlockall(MCL_ONFAULT), EINVAL);
	REQUIRE_FAILS(mlockall(8), EINVAL);
	REQUIRE(munmap(at + PAGE, PAGE) == 0);
	REQUIRE_FAILS(mlock(at, 4 * PAGE), ENOMEM);
	REQUIRE_FAILS(munlock(at, 4 * PAGE), ENOMEM);
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_FAILS(mlock(none, PAGE), ENOMEM);
	OK("errors of mlock");

	struct rlimit limit = { .rlim_cur = 2 * PAGE, .rlim_max = 2 * PAGE };
	if (geteuid() == 0)
		REQUIRE(seteuid(65534) == 0);
	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && munlockall() == 0);
	char *more = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE_FAILS(mlock(more, 3 * PAGE), ENOMEM);
	REQUIRE(mlock(more, 2 * PAGE) == 0);
	REQUIRE(mlock(more, 2 * PAGE) == 0);
	REQUIRE_FAILS(mlock(more + 2 * PAGE, PAGE), ENOMEM);
	REQUIRE_FAILS(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	OK("RLIMIT_MEMLOCK");
	return 0;
}
