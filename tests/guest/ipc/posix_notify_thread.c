/* mq_notify(3) with SIGEV_THREAD: a thread is started when a message comes; registrations used up, withdrawn and lost with a
   descriptor. */
#include "check.h"
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>

static sem_t done;
static mqd_t queue;
static char message[100];

static void told(union sigval value)
{
    char text[16];
    ssize_t length = mq_receive(queue, text, sizeof text, NULL);
    snprintf(message, sizeof message, "told %d: %.*s, in another thread: %s", value.sival_int, (int)length, text,
             gettid() != getpid() ? "yes" : "NO");
    sem_post(&done);
}

int main(void)
{
    struct mq_attr size = {.mq_maxmsg = 4, .mq_msgsize = 16};
    sem_init(&done, 0, 0);
    queue = mq_open("/belljar-notify-thread", O_RDWR | O_CREAT | O_EXCL, 0600, &size);
    NEED(queue);
    NEED(mq_unlink("/belljar-notify-thread"));
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = told, .sigev_value.sival_int = 7};
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    char text[200] = "";
    NEED(pread(queue, text, sizeof text - 1, 0));
    printf("%.40s\n", text);
    SHOW(mq_send(queue, "one", 3, 0));
    NEED(sem_wait(&done));
    puts(message);
    SHOW(mq_send(queue, "two", 3, 0));
    char own[16];
    SHOW(mq_receive(queue, own, sizeof own, NULL));
    event.sigev_value.sival_int = 8;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_notify(queue, &event));
    pid_t child = start_child();
    if (child == 0) {
        SHOW(mq_notify(queue, NULL));
        SHOW(mq_notify(queue, &event));
        SHOW(mq_send(queue, "three", 5, 0));
        _exit(0);
    }
    show_child("child", child);
    NEED(sem_wait(&done));
    puts(message);
    SHOW(mq_notify(queue, &event));
    NEED(close(dup(queue)));
    event.sigev_notify = SIGEV_NONE;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "four", 4, 0));
    SHOW(mq_notify(queue, &event));

    puts("-- straight to the kernel");
    char cookie[32] = "";
    struct sigevent raw = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = cookie, .sigev_signo = -1};
    SHOW(syscall(SYS_mq_notify, queue, &raw));
    raw.sigev_signo = queue;
    SHOW(syscall(SYS_mq_notify, queue, &raw));
    raw.sigev_value.sival_ptr = NULL;
    SHOW(syscall(SYS_mq_notify, queue, &raw));
    raw.sigev_notify = 77;
    SHOW(syscall(SYS_mq_notify, queue, &raw));
    return 0;
}
