/* What is left in an IPC namespace goes with its last process, ipc_namespaces(7): segments attached or not, sets, queues. */
#include "check.h"
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

int main(void)
{
    for (int attached = 0; attached < 2; attached++) {
        pid_t child = start_child();
        if (child == 0) {
            if (unshare(CLONE_NEWIPC) == -1)
                _exit(1);
            int segment = (int)NEED(shmget(4711, 4096, IPC_CREAT | 0600));
            if (attached)
                NEED(shmat(segment, NULL, 0) == (void *)-1 ? -1 : 0);
            NEED(semget(4711, 1, IPC_CREAT | 0600));
            NEED(msgget(4711, IPC_CREAT | 0600));
            NEED(mq_open("/left", O_RDWR | O_CREAT, 0600, NULL));
            /* Another process holds the namespace a little longer. */
            if (fork() == 0)
                usleep(10000);
            _exit(0);
        }
        show_child(attached ? "attached" : "not attached", child);
        usleep(30000);
        SHOW(shmget(4711, 4096, 0600));
        SHOW(semget(4711, 1, 0600));
        SHOW(msgget(4711, 0600));
    }
    return 0;
}
