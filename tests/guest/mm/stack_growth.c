// Stacks grow down to RLIMIT_STACK; beyond is SIGSEGV.
#include "memory.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096L

#pragma GCC diagnostic ignored "-Winfinite-recursion"

static char alternate[1 << 16];

static int deep(int depth)
{
	volatile char frame[1024];
	frame[0] = depth;
	return depth == 0 ? 0 : deep(depth - 1) + (frame[0] - frame[0]);
}

static int endless(int depth)
{
	volatile char frame[1024];
	frame[0] = depth;
	return endless(depth + 1) + frame[0];
}

static void died(int signal)
{
	_exit(signal == SIGSEGV ? 42 : 1);
}

int main(void)
{
	REQUIRE(deep(4000) == 0);
	OK("four megabytes of stack");

	int status;
	IN_CHILD(status, {
		stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
		struct sigaction action = { .sa_handler = died, .sa_flags = SA_ONSTACK };
		REQUIRE(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
		endless(0);
	});
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	IN_CHILD(status, {
		struct rlimit core = { 0, 0 };
		setrlimit(RLIMIT_CORE, &core);
		endless(0);
	});
	REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	OK("endless recursion ends in SIGSEGV");

	catch_faults();
	char *area = mmap(NULL, 4096 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(area != MAP_FAILED && munmap(area, 4096 * PAGE) == 0);
	char *top = area + 4096 * PAGE;
	char *at = mmap(top - PAGE, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	REQUIRE(at == top - PAGE && POKE(at) == 0);
	REQUIRE(POKE(at - PAGE) == 0 && POKE(at - 100 * PAGE) == 0);
	REQUIRE(POKE(at - 50 * PAGE) == 0);
	REQUIRE(POKE(top - (8 << 20) - PAGE) == SEGV_MAPERR);
	OK("MAP_GROWSDOWN grows, to the limit of the stack");

	char *wall = at - 400 * PAGE;
	REQUIRE(mmap(wall, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == wall);
	REQUIRE(POKE(wall + 258 * PAGE) == 0);
	REQUIRE(POKE(wall + 2 * PAGE) == SEGV_MAPERR);
	OK("a gap of 256 pages stays free below a stack");
	return 0;
}
