/* sigaltstack(2): handlers on it, nested, errors, overflow of the main stack, SS_AUTODISARM. */
#include "check.h"
#include <setjmp.h>
#include <ucontext.h>

#define SIZE 65536
static char memory[SIZE] __attribute__((aligned(16))), other[SIZE];
static sigjmp_buf back;

static int is_on(void *address)
{
    return (char *)address >= memory && (char *)address < memory + SIZE;
}

static void show_stack(const char *where)
{
    stack_t stack;
    sigaltstack(NULL, &stack);
    printf("%s: flags %#x size %zu address %s\n", where, stack.ss_flags, stack.ss_size,
           stack.ss_sp == memory ? "memory" : stack.ss_sp == NULL ? "null" : "other");
    fflush(stdout);
}

static void inner(int signal)
{
    int local;
    (void)signal;
    printf("inner on the stack: %d\n", is_on(&local));
    show_stack("inner");
}

static void outer(int signal)
{
    int local;
    (void)signal;
    printf("outer on the stack: %d\n", is_on(&local));
    show_stack("outer");
    stack_t new = { .ss_sp = other, .ss_size = SIZE };
    SHOW(sigaltstack(&new, NULL));
    raise(SIGUSR2);
}

static void overflow(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("signal %d code %d address %s\n", signal, info->si_code, info->si_addr != NULL ? "there" : "null");
    siglongjmp(back, 1);
}

static int eat(int depth)
{
    volatile char page[8192];
    page[0] = (char)depth;
    return eat(depth + 1) + page[0];
}

int main(void)
{
    show_stack("at first");
    stack_t stack = { .ss_sp = memory, .ss_size = 100 };
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_size = SIZE;
    stack.ss_flags = 77;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = SS_ONSTACK;
    SHOW(sigaltstack(&stack, NULL));
    show_stack("set");
    SHOW(sigaltstack((stack_t *)8, NULL));
    struct sigaction action = { .sa_handler = outer, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = inner;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR1);
    show_stack("afterwards");
    action.sa_flags = 0;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);

    action.sa_sigaction = overflow;
    action.sa_flags = SA_ONSTACK | SA_SIGINFO;
    sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(back, 1) == 0)
        eat(0);
    puts("came back");

    stack.ss_flags = (int)(1u << 31);
    SHOW(sigaltstack(&stack, NULL));
    show_stack("autodisarm");
    action.sa_handler = inner;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    show_stack("afterwards");
    pid_t pid = start_child();
    if (pid == 0) {
        show_stack("in a child");
        exit(0);
    }
    show_child("child", pid);
    stack.ss_flags = SS_DISABLE;
    SHOW(sigaltstack(&stack, NULL));
    show_stack("disabled");
    /* Without a stack for the handler, the program dies. */
    pid = start_child();
    if (pid == 0)
        eat(0);
    show_child("overflown", pid);
    return 0;
}
