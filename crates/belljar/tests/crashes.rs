//! Processes that die of a fault: the explanation names the access, the line, and who took the memory away.

mod common;

use common::{Scratch, finish, has, plain_environment, project};
use std::process::Command;

/// Compiles a program and runs it with explanations; what it says on standard error, without times.
fn told(name: &str, source: &str, flags: &[&str], status: i32) -> String {
    let scratch = Scratch::new(&format!("crash-{name}"));
    let file = scratch.write(&format!("{name}.c"), source);
    let program = scratch.path().join(name);
    let compiled = Command::new("cc").args(["-g", "-O0", "-w"]).args(flags).arg(&file).arg("-o").arg(&program).output();
    let compiled = compiled.expect("cc runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mut command = Command::new(env!("CARGO_BIN_EXE_belljar"));
    command.args(["run", "--no-cache", "--"]).arg(&program);
    let outcome = finish(plain_environment(&mut command, scratch.path()), b"");
    assert_eq!(outcome.status, status, "{outcome:?}");
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

fn gotcha(name: &str) -> String {
    let path = project().join(format!("tests/gotchas/{name}.c"));
    std::fs::read_to_string(path).expect("the program")
}

/// Demands that all parts are there, in this order.
fn assert_tells(told: &str, parts: &[&str]) {
    let mut rest = told;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing, or not in its place, in:\n{told}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn memory_used_after_it_was_unmapped() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <sys/mman.h>
char *table;
void release(void) {
    munmap(table, 8192);
}
int main(void) {
    table = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    release();
    table[5000] = 1;
}"#;
    let told = told("unmapped", source, &[], 128 + 11);
    let parts = [
        "crash: process 2 (unmapped) died of SIGSEGV, ",
        "wrote 1 byte at 0x",
        "nothing is mapped there (SEGV_MAPERR)",
        "at main (unmapped.c:9): mov byte ptr [",
        "the address was unmapped ",
        "by munmap(0x",
        "at release (unmapped.c:4)",
        "this is a bug in the program",
        "\n  again: belljar run --no-cache -- /",
    ];
    assert_tells(&told, &parts);
}

#[test]
fn a_guard_in_the_middle_of_an_area() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <sys/mman.h>
int main(void) {
    char *table = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (madvise(table + 8192, 4096, 102) != 0) return 1;
    for (int i = 0; i < 16384; i++) table[i] = 1;
}"#;
    let told = told("guarded", source, &[], 128 + 11);
    let parts = [
        "(guarded) wrote 1 byte at 0x",
        "the page is a guard, MADV_GUARD_INSTALL (SEGV_MAPERR): 0x",
        "rw-p",
        "guarded.c:5",
    ];
    assert_tells(&told, &parts);
}

#[test]
fn memory_that_the_parent_protected_before_it_forked() {
    if !has(&["cc"]) {
        return;
    }
    let source = r#"#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page, 4096, PROT_READ);
    if (fork() == 0)
        *(long *)page = 1;
    int status;
    wait(&status);
    return status == 11 || status == 139 ? 0 : 1;
}"#;
    let told = told("protected", source, &[], 0);
    let parts = [
        "crash: process 3 (protected) died of SIGSEGV",
        "wrote 8 bytes at 0x",
        "the page permits only reading (SEGV_ACCERR)",
        "at main (protected.c:8)",
        "the page was made read-only ",
        "of thread 2 (protected) of process 2",
        "at main (protected.c:6)",
    ];
    assert_tells(&told, &parts);
}

#[test]
fn null_pointers_endless_recursion_and_undefined_instructions() {
    if !has(&["cc"]) {
        return;
    }
    let null = told("null", "struct { int a, b; } *p;\nint main(void) {\n    return p->b;\n}", &[], 128 + 11);
    assert_tells(&null, &["read 4 bytes at 0x4: 4 bytes behind a null pointer", "at main (null.c:3)"]);
    let deep = "int deep(int n) {\n    volatile char room[512];\n    room[0] = n;\n    return deep(n + 1) + room[0];\n}\n\
                int main(void) { return deep(0); }";
    let deep = told("deep", deep, &[], 128 + 11);
    let parts =
        ["the stack has reached its limit of 8.0 MiB (RLIMIT_STACK)", "called from deep (deep.c:4)", "callers in all"];
    assert_tells(&deep, &parts);
    let trap = told("trap", "int main(void) {\n    __builtin_trap();\n}", &[], 128 + 4);
    assert_tells(
        &trap,
        &["died of SIGILL", "executed `ud2`", "at main (trap.c:2): ud2", "this is a bug in the program"],
    );
    let caught = "#include <signal.h>\n#include <unistd.h>\nvoid done(int s) { _exit(0); }\n\
                  int main(void) { signal(SIGSEGV, done); *(volatile int *)8 = 1; }";
    assert_eq!(told("caught", caught, &[], 0), "", "a fault that is caught needs no explanation");
}

#[test]
fn a_file_that_another_process_shortened() {
    if !has(&["cc"]) {
        return;
    }
    let source = gotcha("mmap_past_end");
    let told_of = told("mmap_past_end", &source, &[], 128 + 7);
    let parts = [
        "crash: process 2 (mmap_past_end) died of SIGBUS",
        "byte 8192 of /tmp/mapped",
        "which has 4096 now, lies on a page behind its end (BUS_ADRERR)",
        "at main (mmap_past_end.c:25)",
        "the file was cut to 4,096 bytes ",
        "by ftruncate(3, 4096) of thread 3 (mmap_past_end) of process 3",
        "at main (mmap_past_end.c:19)",
    ];
    assert_tells(&told_of, &parts);
    assert_eq!(told("mmap_past_end", &source, &["-DFIXED"], 0), "");
}

#[test]
fn a_pointer_inside_shared_memory() {
    if !has(&["cc"]) {
        return;
    }
    let source = gotcha("shm_pointer_inside");
    let told_of = told("shm_pointer_inside", &source, &[], 1);
    let parts = [
        "crash: process 3 (shm_pointer_ins) died of SIGSEGV",
        "at 0x610000000010: nothing is mapped there",
        "(shm_pointer_inside.c:25)",
        "process 2 (shm_pointer_ins) has shared memory there: 0x610000000000-0x610000001000 rw-s /SYSV00000000",
        "this process has the same memory elsewhere:  0x600000000000-0x600000001000 rw-s /SYSV00000000",
        "keep offsets in shared memory, not pointers",
    ];
    assert_tells(&told_of, &parts);
    assert_eq!(told("shm_pointer_inside", &source, &["-DFIXED"], 0), "");
}
