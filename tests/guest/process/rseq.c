/* rseq(2): registration and its errors; a sequence that is cut short begins anew. */
#include "check.h"
#include <sched.h>
#include <sys/rseq.h>

#define SIGNATURE 0x53053053u

struct section {
    uint32_t version, flags;
    uint64_t start, length, abort;
} __attribute__((aligned(32)));

static struct rseq area __attribute__((aligned(32)));
static volatile uint64_t aborts, rounds;

/* Counts up in a restartable sequence for a long time, so that it is cut short. */
static void spin(uint64_t limit)
{
    extern struct section long_section;
    uint64_t counter;
    __asm__ volatile(
        ".pushsection .data\n"
        ".balign 32\n"
        "long_section:\n"
        "  .long 0, 0\n"
        "  .quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "  lea long_section(%%rip), %%rax\n"
        "  mov %%rax, 8(%[area])\n"
        "1:\n"
        "  xor %[counter], %[counter]\n"
        "3:\n"
        "  inc %[counter]\n"
        "  cmp %[limit], %[counter]\n"
        "  jb 3b\n"
        "2:\n"
        "  jmp 5f\n"
        "  .byte 0x0f, 0xb9, 0x3d\n"
        "  .long %c[signature]\n"
        "4:\n"
        "  incq %[aborts]\n"
        "5:\n"
        : [counter] "=&r"(counter), [aborts] "+m"(aborts)
        : [area] "r"(&area), [limit] "r"(limit), [signature] "i"(SIGNATURE)
        : "rax", "memory", "cc");
    rounds++;
}

int main(void)
{
    /* The C library has registered its own already. */
    CHECK(__rseq_size == 0 || syscall(SYS_rseq, &area, sizeof area, 0, SIGNATURE) == -1);
    if (__rseq_size > 0) {
        struct rseq *own = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
        CHECK(own->cpu_id < 4096 && own->cpu_id_start == own->cpu_id);
        SHOW(syscall(SYS_rseq, own, 32, 1, 1234));
        SHOW(syscall(SYS_rseq, own, 64, 1, SIGNATURE));
        SHOW(syscall(SYS_rseq, own, 32, 1, SIGNATURE));
        CHECK((int)own->cpu_id == -1);
        SHOW(syscall(SYS_rseq, own, 32, 1, SIGNATURE));
    }
    SHOW(syscall(SYS_rseq, &area, 16, 0, SIGNATURE));
    SHOW(syscall(SYS_rseq, (char *)&area + 8, 32, 0, SIGNATURE));
    SHOW(syscall(SYS_rseq, &area, 32, 4, SIGNATURE));
    SHOW(syscall(SYS_rseq, &area, 32, 0, SIGNATURE));
    SHOW(syscall(SYS_rseq, &area, 32, 0, SIGNATURE));
    SHOW(syscall(SYS_rseq, &area, 32, 0, 1));
    CHECK(area.cpu_id < 4096);
    pid_t pid = start_child();
    if (pid == 0) {
        /* Somebody else wants the processor now and then. */
        pid_t parent = getppid();
        while (getppid() == parent) {
            for (volatile int i = 0; i < 10000; i++)
                ;
            sched_yield();
        }
        _exit(0);
    }
    for (int i = 0; i < 20000 && aborts == 0; i++)
        spin(1000000);
    CHECK(aborts > 0);
    kill(pid, SIGKILL);
    show_child("rival", pid);
    return 0;
}
