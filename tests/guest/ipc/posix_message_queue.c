/* mq_overview(7): priorities, attributes, blocking, timeouts, notification, names, poll. */
#include "check.h"
#include <mqueue.h>
#include <poll.h>

static char buffer[10000];

static void receive(mqd_t queue)
{
    unsigned priority = 99;
    ssize_t length = mq_receive(queue, buffer, sizeof buffer, &priority);
    if (length == -1)
        printf("receive: %s\n", strerrorname_np(errno));
    else
        printf("receive: %zd bytes, priority %u: %.*s\n", length, priority, (int)length, buffer);
}

static int events(mqd_t queue)
{
    struct pollfd entry = {queue, POLLIN | POLLOUT, 0};
    NEED(poll(&entry, 1, 0));
    return entry.revents;
}

static struct timespec in(long ms)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += ms * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static volatile sig_atomic_t signals;
static siginfo_t last;
static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    last = *info;
    signals++;
}

int main(void)
{
    const char *name = "/belljar_test_queue";
    mq_unlink(name);
    puts("-- names");
    SHOW(mq_open("noslash", O_RDWR));
    SHOW(mq_open("/", O_RDWR));
    SHOW(mq_open("/a/b", O_RDWR));
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_unlink(name));
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    long_name[0] = '/';
    long_name[299] = 0;
    SHOW(mq_open(long_name, O_RDWR | O_CREAT, 0600, NULL));
    struct mq_attr attributes = {.mq_maxmsg = 0, .mq_msgsize = 10};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes));
    attributes = (struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = 0};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes));
    attributes = (struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = 20};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0640, &attributes);
    CHECK(queue != -1);
    SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
    mqd_t reader = mq_open(name, O_RDONLY);
    mqd_t writer = mq_open(name, O_WRONLY);
    CHECK(reader != -1 && writer != -1);
    SHOW(fcntl(queue, F_GETFD));
    SHOW(mq_getattr(queue, &attributes));
    printf("%ld %ld %ld %ld\n", attributes.mq_flags, attributes.mq_maxmsg, attributes.mq_msgsize, attributes.mq_curmsgs);
    struct stat status;
    SHOW(fstat(queue, &status));
    printf("mode %o\n", status.st_mode);

    puts("-- priorities");
    SHOW(events(queue));
    SHOW(mq_send(queue, "low", 3, 1));
    SHOW(mq_send(queue, "high", 4, 30000));
    SHOW(mq_send(queue, "low again", 9, 1));
    SHOW(events(queue));
    SHOW(mq_send(queue, "", 0, 2));
    SHOW(events(queue));
    SHOW(mq_send(queue, "x", 1, 0));
    for (int i = 0; i < 5; i++)
        receive(queue);

    puts("-- errors");
    SHOW(mq_send(queue, buffer, 21, 0));
    SHOW(mq_send(queue, "x", 1, 32768));
    SHOW(mq_send(reader, "x", 1, 0));
    SHOW(mq_receive(writer, buffer, sizeof buffer, NULL));
    SHOW(mq_receive(queue, buffer, 19, NULL));
    SHOW(mq_send(0, "x", 1, 0));
    SHOW(mq_getattr(999, &attributes));
    SHOW(mq_send(queue, (char *)(intptr_t)8, 5, 0));
    attributes = (struct mq_attr){.mq_flags = 1};
    SHOW(mq_setattr(queue, &attributes, NULL));
    struct timespec wrong = {0, 1000000000};
    SHOW(mq_timedreceive(reader, buffer, sizeof buffer, NULL, &wrong));
    SHOW(mq_timedreceive(reader, buffer, sizeof buffer, NULL, &(struct timespec){0, 0}));

    puts("-- blocking");
    attributes.mq_flags = 0;
    SHOW(mq_setattr(queue, &attributes, &attributes));
    SHOW(attributes.mq_flags);
    struct timespec time = in(30);
    SHOW(mq_timedreceive(queue, buffer, sizeof buffer, NULL, &time));
    pid_t child = start_child();
    if (child == 0) {
        for (char i = 'a'; i < 'k'; i++)
            NEED(mq_send(queue, &i, 1, 5));
        _exit(0);
    }
    for (int i = 0; i < 10; i++)
        receive(queue);
    show_child("sender", child);
    for (int i = 0; i < 4; i++)
        NEED(mq_send(queue, "full", 4, 0));
    time = in(30);
    SHOW(mq_timedsend(queue, "x", 1, 0, &time));
    child = start_child();
    if (child == 0) {
        NEED(mq_send(queue, "urgent", 6, 9));
        _exit(0);
    }
    usleep(50000);
    receive(queue);
    show_child("sender", child);
    receive(queue);
    SHOW(mq_timedreceive(queue, buffer, sizeof buffer, NULL, &wrong));
    while (mq_timedreceive(queue, buffer, sizeof buffer, NULL, &(struct timespec){0, 0}) >= 0)
        ;
    printf("%s\n", strerrorname_np(errno));

    puts("-- notification");
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGUSR1, &action, NULL));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 17};
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "first", 5, 0));
    printf("%d signals, code %d value %d pid %s\n", signals, last.si_code, last.si_value.sival_int,
           last.si_pid == getpid() ? "own" : "other");
    SHOW(mq_send(queue, "second", 6, 0));
    SHOW(signals);
    SHOW(mq_notify(queue, &event));
    receive(queue);
    SHOW(mq_send(queue, "third", 5, 0));
    SHOW(signals);
    receive(queue);
    receive(queue);
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_send(queue, "fourth", 6, 0));
    SHOW(signals);
    receive(queue);
    event.sigev_signo = 99;
    SHOW(mq_notify(queue, &event));
    event = (struct sigevent){.sigev_notify = SIGEV_NONE};
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, NULL));
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    SHOW(mq_notify(queue, &event));
    /* A receiver that waits gets the message, and nobody is told. */
    child = start_child();
    if (child == 0) {
        receive(queue);
        fflush(stdout);
        _exit(0);
    }
    usleep(50000);
    SHOW(mq_send(queue, "for the child", 13, 0));
    show_child("receiver", child);
    SHOW(signals);

    puts("-- unlinked");
    NEED(mq_send(queue, "kept", 4, 0));
    SHOW(mq_unlink(name));
    SHOW(mq_open(name, O_RDWR));
    receive(reader);
    SHOW(mq_close(queue));
    SHOW(mq_close(queue));
    return 0;
}
