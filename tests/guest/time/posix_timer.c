/* timer_create(2) and its relatives: notification, overruns, absolute times, errors. */
#include "check.h"
#include <pthread.h>

static void *volatile bad = (void *)8;
static volatile sig_atomic_t count;
static siginfo_t last;
static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    last = *info;
    count++;
}

/* The kernel's own timer numbers, without the C library. */
static int create(int clock, struct sigevent *event)
{
    int number = -1;
    if (syscall(SYS_timer_create, clock, event, &number) == -1)
        return -1;
    return number;
}

static long set(int timer, int flags, long value_ns, long interval_ns)
{
    struct itimerspec setting = {{interval_ns / 1000000000, interval_ns % 1000000000},
                                 {value_ns / 1000000000, value_ns % 1000000000}};
    return syscall(SYS_timer_settime, timer, flags, &setting, NULL);
}

static long left(int timer)
{
    struct itimerspec setting;
    NEED(syscall(SYS_timer_gettime, timer, &setting));
    return setting.it_value.tv_sec * 1000000000 + setting.it_value.tv_nsec;
}

static volatile int threads_told;
static void in_thread(union sigval value)
{
    threads_told += value.sival_int;
}

static volatile unsigned sink;

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGRTMIN + 1, &action, NULL));
    NEED(sigaction(SIGALRM, &action, NULL));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};

    puts("-- errors");
    SHOW(create(99, &event));
    SHOW(create(CLOCK_MONOTONIC_COARSE, &event));
    SHOW(create(CLOCK_MONOTONIC_RAW, &event));
    SHOW(create(CLOCK_REALTIME, bad));
    struct sigevent wrong = event;
    wrong.sigev_signo = 65;
    SHOW(create(CLOCK_REALTIME, &wrong));
    wrong.sigev_signo = 0;
    SHOW(create(CLOCK_REALTIME, &wrong));
    wrong = event;
    wrong.sigev_notify = 9;
    SHOW(create(CLOCK_REALTIME, &wrong));
    wrong.sigev_notify = SIGEV_THREAD_ID;
    wrong._sigev_un._tid = 1;
    SHOW(create(CLOCK_REALTIME, &wrong));
    SHOW(set(12345, 0, 1, 0));
    SHOW(syscall(SYS_timer_delete, 12345));
    SHOW(syscall(SYS_timer_getoverrun, 12345));

    puts("-- once");
    int timer = create(CLOCK_MONOTONIC, &event);
    SHOW(left(timer));
    SHOW(set(timer, 0, 5000000, 0));
    CHECK(left(timer) > 0 && left(timer) <= 5000000);
    while (count < 1)
        pause();
    printf("signal %d code %d value %d overrun %d\n", last.si_signo - SIGRTMIN, last.si_code, last.si_value.sival_int,
           last.si_overrun);
    CHECK(last.si_timerid == timer);
    SHOW(left(timer));
    SHOW(set(timer, 0, 1000000000, -1));
    SHOW(set(timer, 0, 50000000000, 0));
    SHOW(set(timer, 0, 0, 0));
    SHOW(left(timer));

    puts("-- repeated, with overruns");
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 1);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL));
    count = 0;
    SHOW(set(timer, 0, 1000000, 1000000));
    struct timespec pause_for = {0, 20500000};
    nanosleep(&pause_for, NULL);
    sigset_t pending;
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGRTMIN + 1));
    siginfo_t info;
    SHOW((sigtimedwait(&blocked, &info, &(struct timespec){0, 0}) == SIGRTMIN + 1));
    CHECK(info.si_overrun >= 19);
    CHECK(syscall(SYS_timer_getoverrun, timer) == info.si_overrun);
    SHOW(set(timer, 0, 0, 0));
    SHOW(sigtimedwait(&blocked, &info, &(struct timespec){0, 3000000}));
    NEED(sigprocmask(SIG_UNBLOCK, &blocked, NULL));

    puts("-- absolute");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int realtime = create(CLOCK_REALTIME, &event);
    count = 0;
    struct itimerspec setting = {{0, 0}, {now.tv_sec, now.tv_nsec}};
    SHOW(syscall(SYS_timer_settime, realtime, TIMER_ABSTIME, &setting, NULL));
    while (count < 1)
        pause();
    SHOW(count);
    setting.it_value.tv_sec += 100;
    SHOW(syscall(SYS_timer_settime, realtime, TIMER_ABSTIME, &setting, NULL));
    CHECK(left(realtime) > 90000000000 && left(realtime) <= 100000000000);
    struct itimerspec old;
    setting = (struct itimerspec){{0, 0}, {0, 0}};
    SHOW(syscall(SYS_timer_settime, realtime, 0, &setting, &old));
    CHECK(old.it_value.tv_sec >= 90);

    puts("-- default notification, none, threads");
    count = 0;
    int plain = create(CLOCK_MONOTONIC, NULL);
    SHOW(set(plain, 0, 1000000, 0));
    while (count < 1)
        pause();
    CHECK(last.si_signo == SIGALRM && last.si_value.sival_int == plain);
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    int silent = create(CLOCK_MONOTONIC, &none);
    SHOW(set(silent, 0, 5000000, 0));
    CHECK(left(silent) > 0);
    pause_for = (struct timespec){0, 10000000};
    nanosleep(&pause_for, NULL);
    SHOW(left(silent));
    SHOW(set(silent, 0, 3000000, 7000000));
    nanosleep(&pause_for, NULL);
    CHECK(left(silent) > 0 && left(silent) <= 7000000);
    struct sigevent thread = event;
    thread.sigev_notify = SIGEV_THREAD_ID;
    thread._sigev_un._tid = gettid();
    count = 0;
    int mine = create(CLOCK_MONOTONIC, &thread);
    SHOW(set(mine, 0, 1000000, 0));
    while (count < 1)
        pause();
    CHECK(last.si_timerid == mine);
    timer_t library;
    struct sigevent start_thread = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 5};
    SHOW(timer_create(CLOCK_MONOTONIC, &start_thread, &library));
    setting = (struct itimerspec){{0, 0}, {0, 1000000}};
    SHOW(timer_settime(library, 0, &setting, NULL));
    while (!threads_told)
        usleep(1000);
    SHOW(threads_told);
    SHOW(timer_delete(library));

    puts("-- processor time");
    count = 0;
    int processor = create(CLOCK_PROCESS_CPUTIME_ID, &event);
    SHOW(set(processor, 0, 10000000, 0));
    pause_for = (struct timespec){0, 30000000};
    nanosleep(&pause_for, NULL);
    SHOW(count);
    while (count < 1)
        sink++;
    SHOW(count);

    puts("-- deleted, forked");
    SHOW(syscall(SYS_timer_delete, mine));
    SHOW(syscall(SYS_timer_delete, mine));
    pid_t child = start_child();
    if (child == 0)
        _exit(syscall(SYS_timer_getoverrun, timer) == -1 && errno == EINVAL ? 0 : 1);
    show_child("child", child);
    return 0;
}
