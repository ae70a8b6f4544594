/* sched(7): who runs before whom on one processor: real-time priorities, yields, deadlines, inheritance through locks. */
#include "check.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/resource.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/* What happened, in order, whoever wrote it. */
static struct {
    volatile int length;
    char text[256];
    volatile uint32_t lock;
    volatile int go;
} *shared;

static void note(char what)
{
    shared->text[__atomic_fetch_add(&shared->length, 1, __ATOMIC_SEQ_CST)] = what;
}

static void show_notes(const char *name)
{
    printf("%s: %.*s\n", name, shared->length, shared->text);
    shared->length = 0;
    fflush(stdout);
}

static int become(int policy, int priority)
{
    struct sched_param parameter = { .sched_priority = priority };
    return sched_setscheduler(0, policy, &parameter);
}

/* A child of a class and priority that notes `what` so often, with a yield in between. */
static pid_t noting(int policy, int priority, char what, int times)
{
    pid_t pid = start_child();
    if (pid != 0)
        return pid;
    NEED(become(policy, priority));
    while (!shared->go)
        usleep(1000);
    for (int i = 0; i < times; i++) {
        note(what);
        sched_yield();
    }
    _exit(0);
}

static void priorities(void)
{
    shared->go = 0;
    pid_t pids[] = {
        noting(SCHED_FIFO, 10, 'a', 2),
        noting(SCHED_FIFO, 30, 'c', 2),
        noting(SCHED_RR, 20, 'b', 2),
        noting(SCHED_OTHER, 0, 'z', 2),
    };
    usleep(50000);
    /* All of them become ready while this one, which is more urgent, keeps the processor. */
    shared->go = 1;
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < 20000000);
    note('-');
    for (int i = 0; i < 4; i++)
        NEED(waitpid(pids[i], NULL, 0));
    show_notes("the more urgent first");
}

/* Wakes a reader of the given FIFO priority, and notes who goes on first. */
static void wake_reader(int priority, const char *title)
{
    int ends[2];
    NEED(pipe(ends));
    pid_t pid = start_child();
    if (pid == 0) {
        char byte;
        NEED(become(SCHED_FIFO, priority));
        NEED(read(ends[0], &byte, 1));
        note('w');
        _exit(0);
    }
    usleep(20000);
    note('1');
    NEED(write(ends[1], "x", 1));
    note('2');
    NEED(waitpid(pid, NULL, 0));
    show_notes(title);
}

static void preemption(void)
{
    wake_reader(60, "below the waiting reader");
    wake_reader(10, "above the waiting reader");
}

static void changes(void)
{
    pid_t pid = start_child();
    if (pid == 0) {
        note('c');
        _exit(0);
    }
    /* The child has inherited class and priority: it waits until this one gives way. */
    note('1');
    struct sched_param parameter = { .sched_priority = 45 };
    NEED(sched_setparam(pid, &parameter));
    note('2');
    NEED(waitpid(pid, NULL, 0));
    show_notes("a child that is made more urgent");
    pid = start_child();
    if (pid == 0) {
        note('c');
        _exit(0);
    }
    note('1');
    sched_yield();
    note('2');
    NEED(waitpid(pid, NULL, 0));
    show_notes("a yield to one's equal");
    pid = start_child();
    if (pid == 0) {
        note('c');
        _exit(0);
    }
    parameter.sched_priority = 41;
    NEED(sched_setparam(0, &parameter));
    note('1');
    sched_yield();
    note('2');
    NEED(waitpid(pid, NULL, 0));
    show_notes("a yield to nobody as urgent");
}

/* The one of lowest priority holds a lock that the most urgent wants; a third one in between is ready all the time. */
static void inheritance(void)
{
    shared->lock = 0;
    pid_t low = start_child();
    if (low == 0) {
        NEED(become(SCHED_FIFO, 5));
        NEED(syscall(SYS_futex, &shared->lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
        note('l');
        usleep(40000);
        /* Woken with the priority of who waits for the lock. */
        note('L');
        NEED(syscall(SYS_futex, &shared->lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        note('e');
        _exit(0);
    }
    usleep(10000);
    pid_t middle = start_child();
    if (middle == 0) {
        struct timespec begin, now;
        NEED(become(SCHED_FIFO, 20));
        usleep(20000);
        note('m');
        clock_gettime(CLOCK_MONOTONIC, &begin);
        do
            clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < 100000000);
        note('M');
        _exit(0);
    }
    usleep(5000);
    NEED(syscall(SYS_futex, &shared->lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    note('h');
    NEED(syscall(SYS_futex, &shared->lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    NEED(waitpid(middle, NULL, 0));
    NEED(waitpid(low, NULL, 0));
    show_notes("a lock that lends priority");
}

static volatile int overruns;

static void overran(int signal)
{
    (void)signal;
    overruns++;
}

/* Who asks for it is told that it has used its budget up. */
static void told_of_overruns(void)
{
    struct attributes wanted = {
        .size = sizeof wanted, .policy = SCHED_DEADLINE, .flags = 4,
        .runtime = 2000000, .deadline = 30000000, .period = 40000000,
    };
    struct sigaction action = { .sa_handler = overran }, old;
    sigaction(SIGXCPU, &action, &old);
    SHOW(syscall(SYS_sched_setattr, 0, &wanted, 0));
    while (!overruns)
        ;
    CHECK(overruns > 0);
    struct sched_param parameter = { .sched_priority = 0 };
    SHOW(sched_setscheduler(0, SCHED_OTHER, &parameter));
    sigaction(SIGXCPU, &old, NULL);
}

static void deadlines(void)
{
    struct attributes wanted = {
        .size = sizeof wanted, .policy = SCHED_DEADLINE, .runtime = 10000000, .deadline = 30000000, .period = 40000000,
    };
    struct attributes bad = wanted, got;
    bad.runtime = 50000000;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    bad = wanted;
    bad.runtime = 1000;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    bad = wanted;
    bad.period = 20000000;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    bad = wanted;
    bad.deadline = bad.period = 5000000000;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    bad = wanted;
    bad.priority = 1;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    bad.flags = 0x20;
    SHOW(syscall(SYS_sched_setattr, 0, &bad, 0));
    SHOW(syscall(SYS_sched_setattr, 0, &wanted, 0));
    SHOW(sched_getscheduler(0));
    SHOW(syscall(SYS_sched_getattr, 0, &got, sizeof got, 0));
    CHECK(got.runtime == wanted.runtime && got.deadline == wanted.deadline && got.period == wanted.period);
    CHECK(got.priority == 0 && got.nice == 0 && got.flags == 0);
    struct timespec interval;
    SHOW(sched_rr_get_interval(0, &interval));
    SHOW(interval.tv_nsec);
    SHOW(fork());
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    SHOW(sched_setaffinity(0, sizeof set, &set));
    struct sched_param parameter = { .sched_priority = 0 };
    SHOW(sched_setparam(0, &parameter));
    SHOW(sched_setscheduler(0, SCHED_DEADLINE, &parameter));
    /* Who yields has nothing left until the next period. */
    struct timespec begin, now;
    sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &now);
    long passed = (now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec;
    CHECK(passed > 20000000);
    SHOW(sched_setscheduler(0, SCHED_OTHER, &parameter));
    SHOW(sched_setaffinity(0, sizeof set, &set));
    SHOW(syscall(SYS_sched_setattr, 0, &wanted, 0));
}

static void intervals(void)
{
    struct timespec interval;
    SHOW(become(SCHED_RR, 3));
    SHOW(sched_rr_get_interval(0, &interval));
    SHOW(interval.tv_nsec);
    SHOW(become(SCHED_FIFO, 3));
    SHOW(sched_rr_get_interval(0, &interval));
    SHOW(interval.tv_nsec);
    SHOW(become(SCHED_OTHER, 0));
    SHOW(sched_rr_get_interval(0, &interval));
    SHOW(interval.tv_nsec);
    struct attributes slice = { .size = sizeof slice, .policy = SCHED_OTHER, .runtime = 3000000 }, got;
    SHOW(syscall(SYS_sched_setattr, 0, &slice, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &got, sizeof got, 0));
    SHOW(got.runtime);
    slice.runtime = 1;
    SHOW(syscall(SYS_sched_setattr, 0, &slice, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &got, sizeof got, 0));
    SHOW(got.runtime);
}

int main(void)
{
    if (become(SCHED_FIFO, 40) == -1) {
        SHOW(become(SCHED_FIFO, 40));
        return 0;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cpu_set_t set, all;
    NEED(sched_getaffinity(0, sizeof all, &all));
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    NEED(sched_setaffinity(0, sizeof set, &set));
    priorities();
    preemption();
    changes();
    struct sched_param parameter = { .sched_priority = 40 };
    NEED(sched_setparam(0, &parameter));
    inheritance();
    intervals();
    NEED(sched_setaffinity(0, sizeof all, &all));
    told_of_overruns();
    deadlines();
    return 0;
}
