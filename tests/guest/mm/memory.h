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
#define PROBE(address) ACCESS((void)*(volatile char *)(address))
#define POKE(address) ACCESS(*(volatile char *)(address) = 1)

#endif
