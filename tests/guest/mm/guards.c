// madvise(2) MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, Linux 6.13: pages that fault whatever their area permits.
#include "memory.h"
#include <stdint.h>
#include <sys/uio.h>

#define PAGE 4096L
#define INSTALL 102
#define REMOVE 103
#define RW (PROT_READ | PROT_WRITE)

static char *fresh(int pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	memset(at, 7, pages * PAGE);
	return at;
}

// Whether the pages that `letters` has a `g` for are guards, and the others are not.
static int guarded(char *at, const char *letters)
{
	for (int i = 0; letters[i]; i++)
		if ((PROBE(at + i * PAGE) == SEGV_MAPERR && fault_signal == SIGSEGV) != (letters[i] == 'g'))
			return 0;
	return 1;
}

// The uppermost bits of a page's word in pagemap: present, swapped, of a file, guard.
static unsigned pagemap(char *at)
{
	uint64_t word;
	int file = open("/proc/self/pagemap", O_RDONLY);
	REQUIRE(file >= 0 && pread(file, &word, 8, (uintptr_t)at / PAGE * 8) == 8);
	close(file);
	return (unsigned)(word >> 58) & 0x39;
}

static int has_flag(char *at, const char *flag)
{
	char line[512];
	int found = 0, here = 0;
	unsigned long start, end;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	while (fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
			here = start <= (unsigned long)at && (unsigned long)at < end;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(smaps);
	return found;
}

int main(void)
{
	int status;
	catch_faults();
	char *at = fresh(8);
	show_areas("before", at, 8);
	REQUIRE(madvise(at + PAGE, 2 * PAGE, INSTALL) == 0);
	REQUIRE(guarded(at, "-gg-----") && POKE(at + PAGE) == SEGV_MAPERR);
	show_areas("after", at, 8);
	REQUIRE(has_flag(at + 7 * PAGE, " gu") && pagemap(at + PAGE) == 0x11 && pagemap(at) == 0x20);
	OK("every access to a guard faults; the area stays one");

	REQUIRE(madvise(at, 4 * PAGE, REMOVE) == 0 && guarded(at, "--------"));
	REQUIRE(at[0] == 7 && at[PAGE] == 0 && at[2 * PAGE] == 0 && at[3 * PAGE] == 7);
	OK("what was there is gone when the guard goes; other pages stay");

	REQUIRE(madvise(at, PAGE, INSTALL) == 0 && madvise(at, 3 * PAGE, INSTALL) == 0);
	REQUIRE(madvise(at, 3 * PAGE, MADV_DONTNEED) == 0 && guarded(at, "ggg-"));
	REQUIRE(madvise(at, 3 * PAGE, MADV_FREE) == 0 && guarded(at, "ggg-"));
	REQUIRE(madvise(at, 3 * PAGE, MADV_COLD) == 0 && madvise(at, 3 * PAGE, MADV_PAGEOUT) == 0 && guarded(at, "ggg-"));
	REQUIRE(mprotect(at, 2 * PAGE, PROT_READ) == 0 && mprotect(at, 2 * PAGE, RW) == 0 && guarded(at, "ggg-"));
	OK("guards outlive advice and protections");

	REQUIRE_FAILS(madvise(at, 4 * PAGE, MADV_POPULATE_READ), EFAULT);
	REQUIRE_FAILS(madvise(at, 4 * PAGE, MADV_POPULATE_WRITE), EFAULT);
	REQUIRE_FAILS(mlock(at, 2 * PAGE), ENOMEM);
	REQUIRE_FAILS(madvise(at, PAGE, INSTALL), EINVAL);
	REQUIRE(madvise(at, PAGE, REMOVE) == 0 && munlock(at, 2 * PAGE) == 0 && madvise(at, PAGE, INSTALL) == 0);
	OK("guards cannot be filled; none are put where memory is locked");

	int pipes[2];
	char byte = 1;
	struct iovec local = { &byte, 1 }, remote = { at, 1 };
	unsigned char there[4];
	REQUIRE(pipe(pipes) == 0);
	REQUIRE_FAILS(write(pipes[1], at, 1), EFAULT);
	REQUIRE_FAILS(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	REQUIRE(mincore(at, 4 * PAGE, there) == 0 && there[0] == 0 && there[2] == 0 && there[3] == 1);
	OK("the kernel meets them too");

	IN_CHILD(status, _exit(guarded(at, "ggg-") ? 0 : 1));
	REQUIRE(status == 0);
	REQUIRE(madvise(at, 2 * PAGE, MADV_WIPEONFORK) == 0);
	IN_CHILD(status, _exit(guarded(at, "--g-") && at[3 * PAGE] == 7 ? 0 : 1));
	REQUIRE(status == 0 && madvise(at, 2 * PAGE, MADV_KEEPONFORK) == 0);
	OK("a child inherits guards, but not with MADV_WIPEONFORK");

	char *to = free_range(8);
	REQUIRE(mremap(at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && guarded(to, "ggg-") && to[3 * PAGE] == 7);
	REQUIRE(mmap(to, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == to && guarded(to, "-gg-"));
	OK("they move with their mapping, and go with it");

	char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(madvise(read_only, PAGE, INSTALL) == 0 && guarded(read_only, "g"));
	int file = memfd_create("guards", 0);
	REQUIRE(file >= 0 && ftruncate(file, 4 * PAGE) == 0);
	char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0);
	memset(shared, 9, 4 * PAGE);
	REQUIRE(madvise(shared, 2 * PAGE, INSTALL) == 0 && guarded(shared, "gg--"));
	REQUIRE(pread(file, &byte, 1, 0) == 1 && byte == 9);
	REQUIRE(madvise(shared, 3 * PAGE, MADV_REMOVE) == 0 && guarded(shared, "gg--") && shared[2 * PAGE] == 0);
	REQUIRE(ftruncate(file, 0) == 0 && guarded(shared, "gg") && PROBE(shared + 2 * PAGE) == BUS_ADRERR);
	REQUIRE(ftruncate(file, 4 * PAGE) == 0 && guarded(shared, "gg--"));
	REQUIRE(madvise(shared, 4 * PAGE, REMOVE) == 0 && guarded(shared, "----") && shared[0] == 0);
	OK("pages of files and of read-only areas can be guards; the file keeps its bytes");

	REQUIRE_FAILS(madvise(to + 1, PAGE, INSTALL), EINVAL);
	REQUIRE(madvise(to, 0, INSTALL) == 0);
	REQUIRE(munmap(to + PAGE, PAGE) == 0);
	REQUIRE_FAILS(madvise(to, 4 * PAGE, INSTALL), ENOMEM);
	REQUIRE(guarded(to, "gggg"));
	OK("a hole is reported, what is mapped is guarded");
	return 0;
}
