/* sched(7): policies, priorities, affinity, niceness, and refusals. */
#include "check.h"
#include <sched.h>
#include <sys/resource.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

static int body(void)
{
    struct sched_param parameter = { .sched_priority = 0 };
    SHOW(sched_yield());
    SHOW(sched_getscheduler(0));
    SHOW(sched_getscheduler(-1));
    SHOW(sched_getscheduler(4000000));
    SHOW(sched_setscheduler(0, SCHED_BATCH, &parameter));
    SHOW(sched_getscheduler(0));
    SHOW(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &parameter));
    SHOW(sched_getscheduler(0));
    SHOW(sched_setscheduler(0, 77, &parameter));
    SHOW(sched_setscheduler(0, SCHED_OTHER, NULL));
    parameter.sched_priority = 5;
    SHOW(sched_setscheduler(0, SCHED_OTHER, &parameter));
    SHOW(sched_getparam(0, &parameter));
    SHOW(parameter.sched_priority);
    SHOW(sched_get_priority_min(SCHED_FIFO));
    SHOW(sched_get_priority_max(SCHED_RR));
    SHOW(sched_get_priority_max(SCHED_OTHER));
    SHOW(sched_get_priority_max(42));

    cpu_set_t set, old;
    CHECK(sched_getaffinity(0, sizeof old, &old) == 0 && CPU_COUNT(&old) >= 1);
    CPU_ZERO(&set);
    SHOW(sched_setaffinity(0, sizeof set, &set));
    int first = 0;
    while (!CPU_ISSET(first, &old))
        first++;
    CPU_SET(first, &set);
    SHOW(sched_setaffinity(0, sizeof set, &set));
    CHECK(sched_getcpu() == first);
    unsigned cpu, node;
    SHOW(syscall(SYS_getcpu, &cpu, &node, NULL));
    CHECK(cpu == (unsigned)first);
    SHOW(sched_setaffinity(4000000, sizeof set, &set));
    SHOW(sched_setaffinity(-1, sizeof set, &set));
    SHOW(sched_getaffinity(-1, sizeof set, &set));
    SHOW(sched_getscheduler(-1));
    SHOW(syscall(SYS_sched_getaffinity, 0, 0, &set));
    SHOW(syscall(SYS_sched_getaffinity, 0, 9, &set));

    SHOW(setpriority(PRIO_PROCESS, 0, 5));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 100));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(getpriority(9, 0));
    SHOW(getpriority(PRIO_PROCESS, 4000000));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 9 << 13));
    SHOW(syscall(SYS_ioprio_get, 7, 0));

    struct attributes attributes;
    SHOW(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0));
    CHECK(attributes.policy == SCHED_OTHER && attributes.nice == 19 && attributes.priority == 0);
    SHOW(syscall(SYS_sched_getattr, 0, &attributes, 8, 0));
    SHOW(syscall(SYS_sched_getattr, 0, NULL, sizeof attributes, 0));
    attributes = (struct attributes){ .size = sizeof attributes, .policy = SCHED_BATCH, .nice = 19 };
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    SHOW(sched_getscheduler(0));
    attributes.policy = 99;
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    pid_t pid = start_child();
    if (pid == 0)
        _exit(sched_getscheduler(0) * 32 + getpriority(PRIO_PROCESS, 0));
    show_child("inherits", pid);
    return 0;
}

int main(void)
{
    pid_t pid = start_child();
    if (pid == 0)
        exit(body());
    show_child("body", pid);
    return 0;
}
