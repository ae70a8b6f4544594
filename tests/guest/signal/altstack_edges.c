/* sigaltstack(2) at its edges: SS_AUTODISARM, the flags in a handler, changes in a handler, a stack that overflows. */
#include "check.h"
#include <setjmp.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char *stack, *other;
static sigjmp_buf back;

static void show_stack(const char *when)
{
    stack_t now;
    NEED(sigaltstack(NULL, &now));
    printf("%s: %s size %zu flags %#x\n", when, now.ss_sp == stack ? "the stack" : now.ss_sp == other ? "the other" : now.ss_sp ? "?" : "none",
        now.ss_size, now.ss_flags);
    fflush(stdout);
}

static bool is_on(const char *base, const void *place)
{
    return (const char *)place >= base && (const char *)place < base + 65536;
}

static int depth;

static void handler(int signal)
{
    char here;
    printf("signal %d on %s\n", signal, is_on(stack, &here) ? "the stack" : is_on(other, &here) ? "the other" : "its own");
    show_stack("in the handler");
    stack_t changed = {.ss_sp = other, .ss_size = 65536};
    SHOW(sigaltstack(&changed, NULL));
    show_stack("after a change");
    if (depth++ == 0 && signal == SIGUSR1) {
        raise(SIGUSR2);
        show_stack("after a handler inside");
    }
    depth--;
}

static void overflow(int signal, siginfo_t *info, void *context)
{
    (void)context;
    char here;
    printf("signal %d code %d on %s\n", signal, info->si_code, is_on(stack, &here) ? "the stack" : "its own");
    siglongjmp(back, 1);
}

__attribute__((noinline)) static int recurse(int n)
{
    volatile char space[4096];
    space[0] = n;
    return n > 100000000 ? 0 : recurse(n + 1) + space[0];
}

static void deep(int signal)
{
    (void)signal;
    volatile char space[8192];
    memset((void *)space, 1, sizeof space);
    raise(SIGUSR2);
}

int main(void)
{
    stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    other = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    show_stack("at first");
    puts("-- without SS_AUTODISARM");
    stack_t set = {.ss_sp = stack, .ss_size = 65536};
    SHOW(sigaltstack(&set, NULL));
    show_stack("set");
    raise(SIGUSR1);
    show_stack("afterwards");
    puts("-- with it");
    set.ss_flags = SS_AUTODISARM;
    SHOW(sigaltstack(&set, NULL));
    show_stack("set");
    raise(SIGUSR1);
    show_stack("afterwards");
    set.ss_flags = SS_AUTODISARM | SS_ONSTACK;
    SHOW(sigaltstack(&set, NULL));
    show_stack("with SS_ONSTACK");
    set.ss_flags = SS_AUTODISARM | SS_DISABLE;
    SHOW(sigaltstack(&set, NULL));
    show_stack("with SS_DISABLE");
    set.ss_flags = 8;
    SHOW(sigaltstack(&set, NULL));
    set.ss_flags = 0;
    set.ss_size = 2047;
    SHOW(sigaltstack(&set, NULL));
    set.ss_size = 2048;
    SHOW(sigaltstack(&set, NULL));

    puts("-- the ordinary stack overflows");
    set = (stack_t){.ss_sp = stack, .ss_size = 65536};
    NEED(sigaltstack(&set, NULL));
    struct sigaction on_fault = {.sa_sigaction = overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &on_fault, NULL);
    for (int i = 0; i < 2; i++)
        if (sigsetjmp(back, 1) == 0)
            recurse(0);
    show_stack("back");

    puts("-- a handler that needs more than the alternate stack has");
    pid_t child = start_child();
    if (child == 0) {
        char *small = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(small, 4096, PROT_NONE);
        stack_t tight = {.ss_sp = small + 4096, .ss_size = 8192};
        NEED(sigaltstack(&tight, NULL));
        signal(SIGSEGV, SIG_DFL);
        struct sigaction big = {.sa_handler = deep, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigaction(SIGUSR1, &big, NULL);
        signal(SIGUSR2, SIG_IGN);
        raise(SIGUSR1);
        _exit(0);
    }
    show_child("the child", child);
    puts("-- an alternate stack that is not there");
    child = start_child();
    if (child == 0) {
        char *gone = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stack_t nowhere = {.ss_sp = gone, .ss_size = 65536};
        NEED(sigaltstack(&nowhere, NULL));
        munmap(gone, 65536);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGUSR1);
        _exit(0);
    }
    show_child("the child", child);
    puts("-- inheritance");
    child = start_child();
    if (child == 0) {
        show_stack("after fork");
        _exit(0);
    }
    show_child("the child", child);
    return 0;
}
