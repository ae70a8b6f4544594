// fork(2): private pages are copied on the first write of either side, down to the last owner.
#include "memory.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096L
#define PAGES 64

static long minor_faults(void)
{
	struct rusage usage;
	REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

int main(void)
{
	char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		at[i * PAGE] = i;
	int status;
	IN_CHILD(status, {
		long before = minor_faults();
		for (int i = 0; i < PAGES; i++) {
			REQUIRE(at[i * PAGE] == i);
			at[i * PAGE] = 100;
		}
		REQUIRE(minor_faults() - before >= PAGES);
		int inner;
		IN_CHILD(inner, {
			for (int i = 0; i < PAGES; i++)
				REQUIRE(at[i * PAGE] == 100);
			at[0] = 101;
		});
		REQUIRE(inner == 0 && at[0] == 100);
	});
	REQUIRE(status == 0);
	for (int i = 0; i < PAGES; i++)
		REQUIRE(at[i * PAGE] == i);
	OK("a child's writes stay its own");

	int pipes[2];
	REQUIRE(pipe(pipes) == 0);
	fflush(stdout);
	pid_t child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		char byte;
		REQUIRE(read(pipes[0], &byte, 1) == 1);
		for (int i = 0; i < PAGES; i++)
			REQUIRE(at[i * PAGE] == i);
		_exit(0);
	}
	memset(at, 55, PAGES * PAGE);
	REQUIRE(write(pipes[1], "x", 1) == 1 && waitpid(child, &status, 0) == child && status == 0);
	REQUIRE(at[PAGE] == 55);
	OK("a parent's writes stay its own");

	// The kernel's writes are copied too.
	REQUIRE(write(pipes[1], "y", 1) == 1);
	IN_CHILD(status, REQUIRE(read(pipes[0], at, 1) == 1 && at[0] == 'y'));
	REQUIRE(status == 0 && at[0] == 55);
	OK("bytes that the kernel stores are the child's own too");

	static int in_data = 5;
	int on_stack = 6;
	int *in_heap = malloc(sizeof *in_heap);
	*in_heap = 7;
	IN_CHILD(status, in_data = 50; on_stack = 60; *in_heap = 70);
	REQUIRE(status == 0 && in_data == 5 && on_stack == 6 && *in_heap == 7);
	OK("data, stack and heap");
	return 0;
}
