/* The signal frame: registers, vector state and the alternate stack survive a handler, and a handler can change them. */
#include "check.h"
#include <ucontext.h>

static char stack[65536] __attribute__((aligned(16)));
static volatile int on_stack;
static volatile double sink;

static void clobber(int number)
{
    (void)number;
    int here;
    on_stack = (char *)&here >= stack && (char *)&here < stack + sizeof stack;
    double value = 1.5;
    for (int i = 0; i < 100; i++)
        value = value * 1.01 + i;
    sink = value;
    __asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n vmovdqa %%ymm0, %%ymm5\n vmovdqa %%ymm0, %%ymm15\n fldpi\n fstp %%st(0)"
                     ::: "xmm0", "xmm5", "xmm15");
}

static void skip(int number, siginfo_t *info, void *pointer)
{
    ucontext_t *context = pointer;
    printf("SIG%s code %d, trap %lld, error %lld\n", sigabbrev_np(number), info->si_code,
           (long long)context->uc_mcontext.gregs[REG_TRAPNO], (long long)context->uc_mcontext.gregs[REG_ERR]);
    CHECK((uint64_t)context->uc_mcontext.gregs[REG_CR2] == (uint64_t)info->si_addr);
    context->uc_mcontext.gregs[REG_RIP] += 2; /* the length of mov (%rax),%eax */
    context->uc_mcontext.gregs[REG_RAX] = 4711;
    CHECK(((uintptr_t)context->uc_mcontext.fpregs & 63) == 0);
}

int main(void)
{
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack }, old;
    SHOW(sigaltstack(&alternate, &old));
    CHECK(old.ss_flags == SS_DISABLE);
    struct sigaction action = { .sa_handler = clobber, .sa_flags = SA_ONSTACK };
    NEED(sigaction(SIGUSR1, &action, NULL));
    uint64_t before[4] = { 1, 2, 3, 4 }, after[4], rbx = 99;
    pid_t pid = getpid(), tid = gettid();
    long result = SYS_tgkill;
    __asm__ volatile("vmovdqu %[before], %%ymm5\n"
                     "vmovdqu %[before], %%ymm15\n"
                     "movq $0x1234567, %%r12\n"
                     "syscall\n"
                     "vmovdqu %%ymm5, %[after]\n"
                     "movq %%r12, %[rbx]\n"
                     : [after] "=m"(after), "+a"(result), [rbx] "=&r"(rbx)
                     : [before] "m"(before), "D"((long)pid), "S"((long)tid), "d"((long)SIGUSR1)
                     : "rcx", "r11", "r12", "xmm5", "xmm15", "memory", "cc");
    SHOW(result);
    SHOW(on_stack);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK(rbx == 0x1234567);
    NEED(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == stack && old.ss_flags == 0);
    stack_t tiny = { .ss_sp = stack, .ss_size = 100 };
    SHOW(sigaltstack(&tiny, NULL));

    struct sigaction skipping = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };
    NEED(sigaction(SIGSEGV, &skipping, NULL));
    uint64_t value = 0x10;
    __asm__ volatile("movl (%%rax), %%eax" : "+a"(value)::"memory");
    SHOW(value);

    /* Overflow of the stack is handled on the other one. */
    pid_t child = start_child();
    if (child == 0) {
        struct sigaction last = { .sa_handler = (void (*)(int))_exit, .sa_flags = SA_ONSTACK };
        sigaction(SIGSEGV, &last, NULL);
        char *here = __builtin_frame_address(0);
        for (volatile char *page = here;; page -= 4096)
            *page = 1;
    }
    show_child("stack overflow", child);
    return 0;
}
