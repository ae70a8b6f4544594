/* Faults of the processor become signals: division, undefined instructions, breakpoints, protection. */
#include "check.h"
#include <setjmp.h>
#include <fenv.h>

static sigjmp_buf again;
static siginfo_t seen;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    seen = *info;
    siglongjmp(again, 1);
}

#define PROBE(what, action) do { if (sigsetjmp(again, 1) == 0) { action; printf("%s: fine\n", what); } else \
        printf("%s: SIG%s code %d\n", what, sigabbrev_np(seen.si_signo), seen.si_code); } while (0)

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
    int signals[] = { SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS };
    for (int i = 0; i < 5; i++)
        NEED(sigaction(signals[i], &action, NULL));
    volatile int zero = 0, one = 1, least = INT_MIN, minus = -1;
    volatile int sink;
    PROBE("division by zero", sink = one / zero);
    PROBE("quotient too large", sink = least / minus);
    PROBE("remainder by zero", sink = one % zero);
    PROBE("ud2", __asm__ volatile("ud2"));
    PROBE("int3", __asm__ volatile("int3"));
    PROBE("hlt", __asm__ volatile("hlt"));
    PROBE("cli", __asm__ volatile("cli"));
    PROBE("in", __asm__ volatile("inb $0x80, %%al" ::: "rax"));
    PROBE("int 0x21", __asm__ volatile("int $0x21"));
    PROBE("mov cr0", __asm__ volatile("mov %%cr0, %%rax" ::: "rax"));
    PROBE("non-canonical load", __asm__ volatile("movq (%0), %%rax" :: "r"(0x8000000000000000u) : "rax"));
    PROBE("load at the top", __asm__ volatile("movq (%0), %%rax" :: "r"(0xffffffffff000000u) : "rax"));
    static char buffer[64] __attribute__((aligned(64)));
    PROBE("aligned movaps", __asm__ volatile("movaps (%0), %%xmm0" :: "r"(buffer) : "xmm0"));
    PROBE("misaligned movaps", __asm__ volatile("movaps (%0), %%xmm0" :: "r"(buffer + 1) : "xmm0"));
    PROBE("misaligned movups", __asm__ volatile("movups (%0), %%xmm0" :: "r"(buffer + 1) : "xmm0"));
    PROBE("jump to nowhere", ((void (*)(void))16)());
    feenableexcept(FE_DIVBYZERO | FE_INVALID);
    volatile double nought = 0, quotient;
    PROBE("SSE division by zero", quotient = 1 / nought);
    fedisableexcept(FE_ALL_EXCEPT);
    PROBE("masked", quotient = 1 / nought);
    (void)sink;
    (void)quotient;
    /* Blocked, a fault kills all the same. */
    pid_t pid = start_child();
    if (pid == 0) {
        sigset_t set;
        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        *(volatile int *)NULL = 1;
        _exit(0);
    }
    show_child("blocked fault", pid);
    pid = start_child();
    if (pid == 0) {
        signal(SIGFPE, SIG_IGN);
        sink = one / zero;
        _exit(0);
    }
    show_child("ignored fault", pid);
    return 0;
}
