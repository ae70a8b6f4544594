// What the memory tests use: requirements, a line for each behaviour that is as it should be, and caught faults.
// PROBE(address) reads, POKE(address) writes; both give the si_code of the signal, 0 if there was none.
#ifndef MEMORY_H
#define MEMORY_H
#include "check.h"
#include <setjmp.h>

// Ends the program with status 1 unless `condition` holds.
#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: not true: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno, \
				strerror(errno));                                                                      \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

// Ends the program with status 1 unless `call` fails with `expected`.
#define REQUIRE_FAILS(call, expected)                                                                                  \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		long require_result = (long)(call);                                                                    \
		if (require_result != -1 || errno != (expected)) {                                                     \
			fprintf(stderr, "%s:%d: %s gave %ld, errno %d (%s), not %s\n", __FILE__, __LINE__, #call,      \
				require_result, errno, strerror(errno), #expected);                                    \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

// Says that a behaviour is as it should be.
#define OK(what)                                                                                                       \
	do {                                                                                                           \
		puts("ok " what);                                                                                      \
		fflush(stdout);                                                                                        \
	} while (0)

// Runs the statements in a child and gives the status that waitpid(2) reports.
#define IN_CHILD(status, ...)                                                                                          \
	do {                                                                                                           \
		pid_t child_of_test = start_child();                                                                   \
		if (child_of_test == 0) {                                                                              \
			__VA_ARGS__;                                                                                   \
			_exit(0);                                                                                      \
		}                                                                                                      \
		REQUIRE(waitpid(child_of_test, &(status), 0) == child_of_test);                                        \
	} while (0)

static sigjmp_buf fault_return;
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void fault_handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = signal;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(fault_return, 1);
}

__attribute__((unused)) static void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO };
	REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
	REQUIRE(sigaction(SIGBUS, &action, NULL) == 0);
}

#define ACCESS(access)                                                                                                    \
	({                                                                                                             \
		fault_signal = fault_code = 0;                                                                         \
		if (sigsetjmp(fault_return, 1) == 0) {                                                                 \
			access;                                                                                        \
		}                                                                                                      \
		fault_code;                                                                                            \
	})
// Prints the areas of this process that touch `pages` pages from `base` on: pages relative to `base`, permissions, offset.
__attribute__((unused)) static void show_areas(const char *title, char *base, long pages)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], permissions[8];
	unsigned long start, end, offset, low = (unsigned long)base, high = low + pages * 4096;
	REQUIRE(maps != NULL);
	printf("%s:", title);
	while (fgets(line, sizeof line, maps)) {
		REQUIRE(sscanf(line, "%lx-%lx %7s %lx", &start, &end, permissions, &offset) == 4);
		if (end <= low || start >= high)
			continue;
		start = start < low ? low : start;
		end = end > high ? high : end;
		printf(" [%ld-%ld %s %lx]", (long)(start - low) / 4096, (long)(end - low) / 4096, permissions, offset / 4096);
	}
	puts("");
	fflush(stdout);
	fclose(maps);
}

// A free range of `pages` pages that is free again, with free pages around it.
__attribute__((unused)) static char *free_range(long pages)
{
	char *at = mmap(NULL, (pages + 1024) * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(at != MAP_FAILED && munmap(at, (pages + 1024) * 4096) == 0);
	return at + 512 * 4096;
}

#define PROBE(address) ACCESS((void)*(volatile char *)(address))
#define POKE(address) ACCESS(*(volatile char *)(address) = 1)

#endif
