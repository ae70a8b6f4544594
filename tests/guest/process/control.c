/* prctl(2), personality(2), membarrier(2), unshare(2), kcmp(2), uname(2), sysinfo(2), and what needs privileges. */
#include "check.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static int in_child(int (*body)(void))
{
    pid_t pid = start_child();
    if (pid == 0)
        exit(body());
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int names(void)
{
    char name[17] = "";
    SHOW(prctl(PR_SET_NAME, "a name that is too long"));
    SHOW(prctl(PR_GET_NAME, name));
    puts(name);
    show_file("/proc/self/comm");
    SHOW(prctl(PR_SET_NAME, 8));
    SHOW(prctl(PR_SET_NAME, ""));
    SHOW(prctl(PR_GET_NAME, name));
    SHOW(name[0]);
    return 0;
}

static int attributes(void)
{
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 2));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 1234));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_TIMING));
    SHOW(prctl(PR_SET_TIMING, 1));
    int tsc = 0;
    SHOW(prctl(PR_GET_TSC, &tsc));
    SHOW(tsc);
    SHOW(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    SHOW(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
    SHOW(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    SHOW(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 9, 0, 0));
    SHOW(prctl(PR_GET_SECUREBITS));
    SHOW(prctl(12345, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_UNALIGN, &tsc));
    return 0;
}

static int sharing(void)
{
    SHOW(unshare(CLONE_FILES | CLONE_FS));
    SHOW(unshare(CLONE_SYSVSEM));
    SHOW(unshare(0));
    SHOW(unshare(1));
    return 0;
}

int main(void)
{
    SHOW(in_child(names));
    SHOW(in_child(attributes));
    SHOW(in_child(sharing));
    SHOW(personality(0xffffffff));
    SHOW(personality(0xffffffff));

    CHECK(syscall(SYS_membarrier, 0, 0, 0) & 8);
    SHOW(syscall(SYS_membarrier, 8, 0, 0));
    SHOW(syscall(SYS_membarrier, 16, 0, 0));
    SHOW(syscall(SYS_membarrier, 8, 0, 0));
    SHOW(syscall(SYS_membarrier, 1, 0, 0));
    SHOW(syscall(SYS_membarrier, 8, 1, 0));
    SHOW(syscall(SYS_membarrier, 3, 0, 0));

    int copy = dup(1), null = open("/dev/null", O_RDONLY);
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, copy));
    CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, null) > 0);
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 2, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 99));
    SHOW(syscall(SYS_kcmp, getpid(), 4000000, 1, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 77, 0, 0));

    struct utsname names;
    SHOW(uname(&names));
    printf("%s %s\n", names.sysname, names.machine);
    SHOW(uname((struct utsname *)8));
    struct sysinfo info;
    SHOW(sysinfo(&info));
    CHECK(info.totalram * info.mem_unit > 1 << 20 && info.freeram <= info.totalram && info.procs > 0);
    SHOW(sethostname("x", -1));
    SHOW(sethostname("x", 65));
    SHOW(setns(1, 0));
    SHOW(setns(99, 0));
    return 0;
}
