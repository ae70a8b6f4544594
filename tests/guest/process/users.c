/* Users, groups and capabilities, of root (in a child that gives them up) and of others. */
#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void show_users(void)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    getresuid(&real, &effective, &saved);
    getresgid(&real_group, &effective_group, &saved_group);
    printf("users %d %d %d fs %d groups %d %d %d fs %d\n", real, effective, saved, setfsuid((uid_t)-1), real_group,
           effective_group, saved_group, setfsgid((gid_t)-1));
    fflush(stdout);
}

static void show_capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    long result = syscall(SYS_capget, &header, data);
    printf("capget = %ld effective %s permitted %s inheritable %x\n", result,
           data[0].effective ? "some" : "none", data[0].permitted ? "some" : "none", data[0].inheritable);
    fflush(stdout);
}

static void as_root(void)
{
    gid_t groups[] = { 7, 3, 5 }, got[8];
    SHOW(setgroups(3, groups));
    SHOW(getgroups(0, NULL));
    SHOW(getgroups(2, got));
    SHOW(getgroups(8, got));
    printf("%d %d %d\n", got[0], got[1], got[2]);
    SHOW(setresgid(100, 200, 300));
    SHOW(setregid(-1, 300));
    show_users();
    SHOW(setresuid(1000, 0, 2000));
    show_users();
    show_capabilities();
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(seteuid(1000));
    show_users();
    SHOW(prctl(PR_GET_DUMPABLE));
    show_capabilities();
    SHOW(setuid(0));
    SHOW(setuid(2000));
    show_users();
    SHOW(setreuid(2000, 1000));
    show_users();
    SHOW(setresuid(5, -1, -1));
    SHOW(setgroups(0, NULL));
    SHOW(setgid(100));
    SHOW(setgid(12345));
    SHOW(kill(getppid(), 0));
    SHOW(open("/root/.profile", O_WRONLY) >= 0);
    SHOW(setfsuid(0));
    SHOW(setfsuid(0));
    SHOW(setpriority(PRIO_PROCESS, 0, -1));
}

int main(void)
{
    if (getuid() == 0) {
        pid_t pid = start_child();
        if (pid == 0) {
            as_root();
            exit(0);
        }
        show_child("former root", pid);
        pid = start_child();
        if (pid == 0) {
            prctl(PR_SET_KEEPCAPS, 1);
            SHOW(prctl(PR_GET_KEEPCAPS));
            SHOW(setuid(77));
            show_capabilities();
            SHOW(prctl(PR_CAPBSET_READ, CAP_CHOWN));
            exit(0);
        }
        show_child("keeper", pid);
    }
    show_users();
    struct __user_cap_header_struct header = { 0x1234, 0 };
    struct __user_cap_data_struct data[2];
    SHOW(syscall(SYS_capget, &header, data));
    printf("%#x\n", header.version);
    header.version = 0x99;
    SHOW(syscall(SYS_capget, &header, NULL));
    header.pid = -1;
    SHOW(syscall(SYS_capget, &header, data));
    header.pid = getppid();
    SHOW(syscall(SYS_capset, &header, data));
    SHOW(prctl(PR_CAPBSET_READ, 63));
    SHOW(getgroups(-1, NULL));
    SHOW(setuid(-1));
    return 0;
}
