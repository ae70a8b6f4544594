//! What the stock tools say about memory: they agree with each other, with /proc, and with the frames in use.

mod common;

use common::{Scratch, finish, has, jar, plain_environment};
use std::collections::BTreeMap;
use std::path::Path;

/// Lines of a key and numbers, as a script printed them in the jar.
fn measure(name: &str, script: &str) -> BTreeMap<String, Vec<u64>> {
    let scratch = Scratch::new(name);
    let mut command = jar(&["--memory", "1G"]);
    let outcome = finish(plain_environment(command.args(["sh", "-c", script]), scratch.path()), b"");
    assert_eq!((outcome.status, outcome.stderr.len()), (0, 0), "{outcome:?}");
    let text = String::from_utf8(outcome.stdout).expect("the scripts print text");
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default().to_string();
        (key, words.map(|word| word.parse().unwrap_or_else(|_| panic!("a number in {line:?}"))).collect())
    };
    text.lines().map(line).collect()
}

#[test]
fn the_shares_of_all_processes_add_up_to_the_frames_in_use() {
    if !has(&["sh", "sleep", "cat", "awk"]) {
        return;
    }
    let script = r#"
        sleep 100 & sleep 100 & sleep 0.1
        cat /proc/[0-9]*/smaps /proc/self/smaps /proc/meminfo > all
        awk '/^Pss:/ { pss += $2; areas++ } /^(AnonPages|Mapped):/ { used += $2 }
             END { print "shares", pss, used, areas }' all
        awk '/ r-xp .*libc/ { code = 1 } /^Rss:/ && code { rss += $2 } /^Pss:/ && code { pss += $2 }
             /^Private_/ && code { private += $2 } /^VmFlags/ { code = 0 }
             END { print "code", rss, pss, private }' /proc/$!/smaps"#;
    let found = measure("shares", script);
    let [shares, used, areas] = found["shares"][..] else { panic!("{found:?}") };
    assert!(shares > 0 && areas > 40, "{found:?}");
    // Each area's share is rounded down to kilobytes.
    assert!(shares <= used && used - shares <= areas, "{found:?}");
    // Two sleeps, the shell and awk have the C library's code in the same frames.
    let [rss, pss, private] = found["code"][..] else { panic!("{found:?}") };
    assert!(private == 0 && pss * 3 < rss, "{found:?}");
}

#[test]
fn stock_tools_agree_with_proc() {
    if !has(&["sh", "sleep", "awk", "pmap", "ps", "top", "free", "vmstat", "busybox"]) {
        return;
    }
    let script = r#"
        sleep 100 & p=$! ; sleep 0.1
        awk '/^Size:/ { size += $2 } /^Rss:/ { rss += $2 } /^Pss:/ { pss += $2 } /^(Private|Shared)_Dirty:/ { dirty += $2 }
             END { print "smaps", size, rss; print "dirty", dirty }' /proc/$p/smaps
        pmap -x $p | awk 'END { print "pmap-x", $3, $4; print "pmap-dirty", $5 }'
        pmap -X $p | awk 'END { print "pmap-X", $1, $2 }'
        awk '/^VmSize/ { size = $2 } /^VmRSS/ { print "status", size, $2 }' /proc/$p/status
        awk '{ print "statm", $1 * 4, $2 * 4 }' /proc/$p/statm
        awk '{ print "stat", $23 / 1024, $24 * 4 }' /proc/$p/stat
        ps -o vsz=,rss= -p $p | awk '{ print "ps", $1, $2 }'
        vmstat -s | awk '/ active memory/ { a = $1 } / inactive memory/ { print "vmstat-active", a, $1 }'
        awk '/^Active:/ { a = $2 } /^Inactive:/ { i = $2 } /^(AnonPages|Cached):/ { all += $2 } /^Mlocked:/ { all -= $2 }
             END { print "lists", a + i, all }' /proc/meminfo
        ps aux | awk -v p=$p '$2 == p { print "ps-aux", $5, $6 }'
        top -b -n1 -p $p | awk 'END { print "top", $5, $6 }'
        awk '/^Rss:/ { print "rollup", $2 }' /proc/$p/smaps_rollup
        busybox top -b -n1 | awk -v p=$p '$1 == p { print "busybox-top", $5 }'
        free -k | awk '/^Mem:/ { print "free", $2 }'
        busybox free -k | awk '/^Mem:/ { print "busybox-free", $2 }'
        vmstat -s | awk '/total memory/ { print "vmstat-s", $1 }'
        awk '/^MemTotal/ { print "total", $2 }' /proc/meminfo
        awk '/^Mem(Total|Free)|^Cached|^Buffers|^AnonPages|^PageTables|^Slab/ { n[$1] = $2 }
             END { print "sum", n["MemFree:"] + n["Cached:"] + n["Buffers:"] + n["AnonPages:"] + n["PageTables:"] + n["Slab:"] }' /proc/meminfo
        vmstat 1 2 | awk 'END { print "vmstat", $4 }'"#;
    let found = measure("tools", script);
    for tool in ["pmap-x", "pmap-X", "status", "statm", "stat", "ps", "ps-aux", "top"] {
        assert_eq!(found[tool], found["smaps"], "{tool}: {found:?}");
    }
    assert_eq!(found["lists"][0], found["lists"][1], "{found:?}");
    assert!(found["vmstat-active"].iter().all(|size| *size > 0), "{found:?}");
    assert_eq!(found["pmap-dirty"], found["dirty"], "{found:?}");
    assert_eq!(found["rollup"][0], found["smaps"][1], "{found:?}");
    assert_eq!(found["busybox-top"][0], found["smaps"][0], "{found:?}");
    for tool in ["free", "busybox-free", "vmstat-s", "total"] {
        assert_eq!(found[tool], [1 << 20], "{tool}: {found:?}");
    }
    // Every frame is free, a page of a file, private, a page table or the kernel's; the zero page alone is none of these.
    assert!((1 << 20) - found["sum"][0] <= 16, "{found:?}");
    assert!(found["vmstat"][0] < 1 << 20 && found["vmstat"][0] > 900_000, "{found:?}");
}

/// Not compared with a native run: the setting is the whole machine's.
#[test]
fn each_overcommit_mode_promises_what_proc_sys_vm_says() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <stdio.h>
#include <sys/mman.h>
static void set(const char *name, int value) {
    FILE *setting = fopen(name, "w");
    fprintf(setting, "%d", value);
    fclose(setting);
}
static int may(unsigned long megabytes, int flags) {
    void *at = mmap(0, megabytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return at != MAP_FAILED && munmap(at, megabytes << 20) == 0;
}
int main(void) {
    for (int mode = 0; mode < 3; mode++) {
        set("/proc/sys/vm/overcommit_memory", mode);
        printf("mode %d %d %d %d\n", may(300, 0), may(600, 0), may(2048, 0), may(2048, MAP_NORESERVE));
    }
    set("/proc/sys/vm/overcommit_ratio", 80);
    printf("ratio %d\n", may(600, 0));
}"#;
    let scratch = Scratch::new("overcommit");
    let (file, program) = (scratch.write("overcommit.c", source), scratch.path().join("overcommit"));
    let compiled = std::process::Command::new("cc").arg(&file).arg("-o").arg(&program).status().expect("cc runs");
    assert!(compiled.success());
    let mut command = jar(&["--memory", "1G", "--swap", "0"]);
    let outcome = finish(plain_environment(command.arg(&program), scratch.path()), b"");
    let told = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(told, "mode 1 1 0 1\nmode 1 1 1 1\nmode 1 0 0 0\nratio 1\n", "{outcome:?}");
}

/// The rows of the account's table of page faults, by kind.
fn faults_of(program: &Path, directory: &Path, counts: [u32; 4]) -> BTreeMap<String, i64> {
    let mut command = jar(&["--stats=account"]);
    command.arg(program).args(counts.map(|count| count.to_string()));
    let outcome = finish(plain_environment(&mut command, directory), b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let account = std::fs::read_to_string(directory.join("account")).expect("the account was written");
    let table = account.split("\npage faults").nth(1).expect("there is such a table");
    let table = table.split("\n\n").next().unwrap_or_default();
    let mut lines = table.lines().skip_while(|line| !line.trim_start().starts_with("process "));
    let kinds: Vec<&str> = lines.next().expect("the heads").split_whitespace().skip(1).collect();
    let mut sums = BTreeMap::new();
    for line in lines {
        for (kind, count) in kinds.iter().zip(line.split_whitespace().skip(2)) {
            *sums.entry(kind.to_string()).or_default() += count.replace(',', "").parse::<i64>().expect("a number");
        }
    }
    sums
}

#[test]
fn the_account_tells_the_kinds_of_faults_apart() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static sigjmp_buf back;
static void handler(int signal) { (void)signal; siglongjmp(back, 1); }
static volatile char *pages(int protection) {
    return mmap(0, 256 << 12, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
int main(int count, char **arguments) {
    (void)count;
    volatile char *read = pages(PROT_READ), *written = pages(PROT_READ | PROT_WRITE), *none = pages(PROT_NONE);
    volatile char *copied = pages(PROT_READ | PROT_WRITE);
    for (int i = 0; i < 100; i++) copied[i << 12] = 1;
    signal(SIGSEGV, handler);
    if (!sigsetjmp(back, 1)) (void)*none;
    for (volatile int i = 0; i < atoi(arguments[1]); i++) written[i << 12] = 1;
    for (volatile int i = 0; i < atoi(arguments[2]); i++) (void)read[i << 12];
    for (volatile int i = 0; i < atoi(arguments[4]); i++) if (!sigsetjmp(back, 1)) none[i << 12] = 1;
    if (fork() == 0) {
        for (int i = 0; i < atoi(arguments[3]); i++) copied[i << 12] = 2;
        _exit(0);
    }
    wait(0);
    for (int i = 0; i < atoi(arguments[3]); i++) copied[i << 12] = 3;
}"#;
    let scratch = Scratch::new("kinds");
    let (file, program) = (scratch.write("kinds.c", source), scratch.path().join("kinds"));
    let mut compiler = std::process::Command::new("cc");
    let compiled = compiler.args(["-O1", "-static", "-o"]).arg(&program).arg(&file).status().expect("cc runs");
    assert!(compiled.success());
    let nothing = faults_of(&program, scratch.path(), [0; 4]);
    let found = faults_of(&program, scratch.path(), [11, 22, 33, 44]);
    let more: Vec<(&str, i64)> = found
        .iter()
        .map(|(kind, count)| (kind.as_str(), count - nothing[kind]))
        .filter(|(_, more)| *more != 0)
        .collect();
    assert_eq!(more, [("copied", 33), ("filled", 11), ("invalid", 44), ("reused", 33), ("zero", 22)]);
}

/// Not compared with a native run: this is a kernel without them.
#[test]
fn what_this_kernel_does_not_have_answers_as_on_a_kernel_without_it() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#define TRY(call) do { errno = 0; long result = (long)(call); printf("%ld %d\n", result, errno); } while (0)
int main(void) {
    TRY(syscall(323, 0));
    TRY(open("/dev/userfaultfd", O_RDWR));
    TRY(syscall(330, 0, 0));
    TRY(mmap(0, 4 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
    TRY(madvise(mmap(0, 4 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4 << 20, 25));
    TRY(madvise(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, MADV_HUGEPAGE));
}"#;
    let scratch = Scratch::new("absent");
    let (file, program) = (scratch.write("absent.c", source), scratch.path().join("absent"));
    let mut compiler = std::process::Command::new("cc");
    let compiled = compiler.args(["-w", "-D_GNU_SOURCE", "-o"]).arg(&program).arg(&file).status().expect("cc runs");
    assert!(compiled.success());
    let outcome = finish(plain_environment(jar(&["--stats"]).arg(&program), scratch.path()), b"");
    // ENOSYS, ENOENT, EINVAL, ENOMEM, EINVAL; huge pages may be wished for.
    let told = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(told, "-1 38\n-1 2\n-1 22\n-1 12\n-1 22\n0 0\n", "{outcome:?}");
    let account = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(account.contains("system call userfaultfd (1 time)"), "{account}");
}
