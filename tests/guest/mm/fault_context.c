// What a handler learns of a bad access: signal, code, address, and error code, trap number and cr2 in the context.
#include "memory.h"
#include <ucontext.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf again;
static siginfo_t seen;
static greg_t error_code, trap_number, cr2, at;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	seen = *info;
	error_code = registers[REG_ERR];
	trap_number = registers[REG_TRAPNO];
	cr2 = registers[REG_CR2];
	at = registers[REG_RIP];
	siglongjmp(again, 1);
}

static char *base;

static void relative(const char *name, uintptr_t address)
{
	if (address >= (uintptr_t)base && address < (uintptr_t)base + 64 * PAGE)
		printf(" %s base+%#lx", name, address - (uintptr_t)base);
	else if (address < 1 << 20 || address >= 1UL << 47)
		printf(" %s %#lx", name, address);
	else
		printf(" %s elsewhere", name);
}

static void report(const char *what)
{
	printf("%s: SIG%s code %d", what, sigabbrev_np(seen.si_signo), seen.si_code);
	relative("address", (uintptr_t)seen.si_addr);
	printf(" error %lld trap %lld", error_code, trap_number);
	relative("cr2", cr2);
	puts("");
	fflush(stdout);
}

#define FAULT(what, ...)                         \
	do {                                     \
		memset(&seen, 0, sizeof seen);   \
		if (sigsetjmp(again, 1) == 0) {  \
			__VA_ARGS__;             \
			printf("%s: fine\n", what); \
		} else {                         \
			report(what);            \
		}                                \
	} while (0)
#define READ(address) (void)*(volatile char *)(address)
#define WRITE(address) *(volatile char *)(address) = 1
#define CALL(address) ((void (*)(void))(address))()

int main(void)
{
	static char alternate[1 << 16];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	REQUIRE(sigaltstack(&stack, NULL) == 0);
	REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
	base = free_range(64);
	char *none = base + 2 * PAGE, *readable = base + 4 * PAGE, *writable = base + 6 * PAGE, *code = base + 8 * PAGE;
	char *file = base + 12 * PAGE;
	REQUIRE(mmap(none, PAGE, PROT_NONE, PLAIN | MAP_FIXED, -1, 0) == none);
	REQUIRE(mmap(readable, PAGE, PROT_READ, PLAIN | MAP_FIXED, -1, 0) == readable);
	REQUIRE(mmap(writable, PAGE, RW, PLAIN | MAP_FIXED, -1, 0) == writable);
	REQUIRE(mmap(code, 2 * PAGE, RW, PLAIN | MAP_FIXED, -1, 0) == code);
	code[0] = (char)0xc3;
	code[PAGE] = (char)0xc3;
	int memory = memfd_create("fault", 0);
	REQUIRE(memory >= 0 && ftruncate(memory, PAGE) == 0);
	REQUIRE(mmap(file, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, memory, 0) == file);
	REQUIRE(mmap(file + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, memory, 0) == file + 2 * PAGE);

	FAULT("read null", READ(NULL));
	FAULT("write 16", WRITE(16));
	FAULT("call null", CALL(NULL));
	FAULT("read unmapped", READ(base + 5));
	FAULT("write unmapped", WRITE(base + 6));
	FAULT("call unmapped", CALL(base + 7));
	FAULT("read none", READ(none + 8));
	FAULT("write none", WRITE(none + 9));
	FAULT("call none", CALL(none));
	FAULT("write untouched readable", WRITE(readable + 10));
	FAULT("read readable", READ(readable + 10));
	FAULT("write touched readable", WRITE(readable + 11));
	FAULT("call readable", CALL(readable));
	FAULT("call untouched writable", CALL(writable));
	FAULT("call writable", CALL(code));
	REQUIRE(mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC) == 0);
	FAULT("call code", CALL(code));
	FAULT("write code", WRITE(code + 1));
	REQUIRE(mprotect(code, 2 * PAGE, PROT_EXEC) == 0);
	FAULT("read code", READ(code + 1));
	FAULT("write executable", WRITE(code + 1));
	REQUIRE(mprotect(code, 2 * PAGE, PROT_WRITE) == 0);
	FAULT("read writable only", READ(code + 1));
	REQUIRE(mprotect(code, 2 * PAGE, PROT_NONE) == 0);
	FAULT("read protected", READ(code + 1));
	FAULT("write protected", WRITE(code + 1));
	FAULT("call protected", CALL(code));
	REQUIRE(madvise(code, 2 * PAGE, MADV_DONTNEED) == 0);
	FAULT("read protected, empty", READ(code + 1));
	FAULT("read file", READ(file));
	FAULT("read behind file", READ(file + PAGE + 12));
	FAULT("write behind file", WRITE(file + PAGE + 13));
	FAULT("write readable file", WRITE(file + 2 * PAGE + 14));
	FAULT("write readable behind file", WRITE(file + 3 * PAGE + 15));
	FAULT("call file", CALL(file));
	FAULT("call behind file", CALL(file + PAGE));
	FAULT("read kernel", READ(-PAGE));
	FAULT("write kernel", WRITE(-4095L));
	FAULT("call kernel", CALL(-PAGE));
	FAULT("read the last user page", READ((1UL << 47) - PAGE));
	FAULT("read not canonical", READ(1UL << 47));
	FAULT("write not canonical", WRITE(1UL << 62));
	// An access over a border: the address is in the page that fails.
	FAULT("load over the end", (void)*(volatile uint64_t *)(writable + PAGE - 3));
	FAULT("store over the end", *(volatile uint64_t *)(writable + PAGE - 3) = 1);
	printf("nothing was stored: %d\n", writable[PAGE - 1]);
	FAULT("store over the beginning", *(volatile uint64_t *)(writable - 3) = 1);
	printf("nothing was stored: %d\n", writable[0]);
	FAULT("copy over the end", {
		char *to = writable + PAGE - 100, *from = base + 9 * PAGE;
		(void)from;
		size_t count = 200;
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"('s') : "memory");
	});
	printf("stored before: %d %d\n", writable[PAGE - 100], writable[PAGE - 1]);
	FAULT("read-modify-write", __atomic_fetch_add((int *)(readable + 20), 1, __ATOMIC_SEQ_CST));
	FAULT("compare and exchange", {
		int expected = 5;
		__atomic_compare_exchange_n((int *)(readable + 24), &expected, 6, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	});
	FAULT("or with memory that cannot be read", __atomic_fetch_or((int *)(none + 28), 1, __ATOMIC_SEQ_CST));
	FAULT("push", {
		register char *to __asm__("r12") = readable + 64;
		__asm__ volatile("xchg %%rsp, %0\n\tpush $1\n\txchg %%rsp, %0" : "+r"(to) : : "memory");
	});
	FAULT("prefetch", __builtin_prefetch(base));
	return 0;
}
