/* mprotect(2): protections, the signals that breaking them earns, and code made at run time. */
#include "check.h"
#include <setjmp.h>

static sigjmp_buf again;
static siginfo_t seen;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    seen = *info;
    siglongjmp(again, 1);
}

#define PROBE(action) do { if (sigsetjmp(again, 1) == 0) { action; printf("%s: fine\n", #action); } else \
        printf("%s: SIG%s code %d at +%ld\n", #action, sigabbrev_np(seen.si_signo), seen.si_code, \
               (long)((char *)seen.si_addr - (char *)page)); } while (0)

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    NEED(sigaction(SIGSEGV, &action, NULL));
    NEED(sigaction(SIGBUS, &action, NULL));
    volatile unsigned char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile unsigned char sink;
    PROBE(page[10] = 1);
    SHOW(mprotect((void *)page, 4096, PROT_READ));
    PROBE(sink = page[10]);
    PROBE(page[10] = 2);
    PROBE(page[4096] = 2);
    SHOW(mprotect((void *)page, 4096, PROT_NONE));
    PROBE(sink = page[12]);
    SHOW(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE));
    PROBE(sink = page[10]);
    printf("%d\n", sink);
    PROBE(*(volatile uint64_t *)(page + 3 * 4096 - 4) = 1);
    SHOW(munmap((void *)(page + 8192), 4096));
    PROBE(page[8200] = 1);
    PROBE(*(volatile uint64_t *)(page + 8192 - 4) = 1);
    CHECK(page[8191] == 0);
    SHOW(mprotect((void *)page, 3 * 4096, PROT_READ));
    SHOW(mprotect((void *)(page + 1), 4096, PROT_READ));
    SHOW(mprotect((void *)page, 4096, 64));
    PROBE(sink = *(volatile char *)NULL);

    /* mov eax, imm; ret - twice, with another number. */
    unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
    unsigned char *text = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(text, code, sizeof code);
    SHOW(((int (*)(void))text)());
    text[1] = 2;
    SHOW(((int (*)(void))text)());
    SHOW(mprotect(text, 4096, PROT_READ | PROT_WRITE));
    page = text;
    PROBE(((int (*)(void))text)());
    return 0;
}
