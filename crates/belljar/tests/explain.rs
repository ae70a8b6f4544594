//! When an explanation is given, and when not: programs that sleep, wait for input or are kept alive by a timer are not
//! hung; the time limit and SIGQUIT tell who is stuck and who is not; JSON says what the text says; leaks and their options.

mod common;

use common::{Outcome, Scratch, finish, has, jar, plain_environment};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn compile(scratch: &Scratch, source: &str) -> Option<PathBuf> {
    if !has(&["cc"]) {
        return None;
    }
    let file = scratch.write("program.c", source);
    let program = scratch.path().join("program");
    let output = Command::new("cc")
        .args(["-O1", "-g", "-w", "-pthread", "-o"])
        .arg(&program)
        .arg(file)
        .output()
        .expect("the compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

/// Compiles and runs a program with `input` as its standard input.
fn run(name: &str, options: &[&str], source: &str, input: &[u8]) -> Option<Outcome> {
    let scratch = Scratch::new(&format!("explain-{name}"));
    let program = compile(&scratch, source)?;
    Some(finish(plain_environment(jar(options).arg(program), scratch.path()), input))
}

fn stderr(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

#[test]
fn who_sleeps_or_has_a_timer_or_waits_for_input_is_not_hung() {
    let sleeps = "#include <unistd.h>\nint main(void) { sleep(100000); return 3; }";
    let alarm = "#include <unistd.h>\nint main(void) { alarm(5); pause(); return 0; }";
    let child = "#include <sys/wait.h>\n#include <unistd.h>\n
        int main(void) { if (fork() == 0) { sleep(9); _exit(4); } int status; wait(&status); return status >> 8; }";
    let timer = "#include <sys/timerfd.h>\n#include <unistd.h>\n
        int main(void) {
            struct itimerspec soon = {{0, 0}, {7, 0}}; char bytes[8]; int ends[2]; pipe(ends);
            int timer = timerfd_create(CLOCK_MONOTONIC, 0);
            timerfd_settime(timer, 0, &soon, 0);
            return read(timer, bytes, 8) == 8 ? 5 : 1;
        }";
    let reads = "#include <unistd.h>\nint main(void) { char byte; int count = 0; while (read(0, &byte, 1) > 0) count++; return count; }";
    for (name, source, status) in [
        ("sleeps", sleeps, 3),
        ("alarm", alarm, 128 + 14),
        ("child", child, 4),
        ("timer", timer, 5),
        ("reads", reads, 6),
    ] {
        let Some(outcome) = run(name, &[], source, b"seven\n") else { return };
        assert_eq!((outcome.status, stderr(&outcome)), (status, String::new()), "{name}");
    }
}

/// Two processes wait for each other for ever, while their parent ticks on.
const PARTLY_STUCK: &str = r#"#include <unistd.h>
int main(void) {
    int there[2], back[2];
    char byte;
    pipe(there);
    pipe(back);
    if (fork() == 0) { close(there[1]); close(back[0]); read(there[0], &byte, 1); write(back[1], "x", 1); _exit(0); }
    if (fork() == 0) { close(there[0]); close(back[1]); read(back[0], &byte, 1); write(there[1], "x", 1); _exit(0); }
    close(there[0]); close(there[1]); close(back[0]); close(back[1]);
    for (;;)
        usleep(1000);
}
"#;

#[test]
fn the_time_limit_tells_who_is_stuck_though_others_go_on() {
    let Some(outcome) = run("partly", &["--time-limit", "1s"], PARTLY_STUCK, b"") else { return };
    let told = stderr(&outcome);
    assert_eq!(outcome.status, 124, "{told}");
    assert!(told.contains("; 2 threads can never run again"), "{told}");
    assert!(told.contains("cause: each waits for the other to speak first"), "{told}");
    assert!(told.contains("it goes on by itself"), "{told}");
    let busy = "#include <unistd.h>\nint main(void) { int ends[2]; char byte; pipe(ends);
        if (fork() == 0) { close(ends[1]); read(ends[0], &byte, 1); _exit(0); }
        for (;;) usleep(1000); }";
    let Some(outcome) = run("busy", &["--time-limit", "1s"], busy, b"") else { return };
    let told = stderr(&outcome);
    assert_eq!(outcome.status, 124, "{told}");
    assert!(told.contains("nobody is stuck for ever") && !told.contains("cause:"), "{told}");
}

#[test]
fn a_hang_is_written_as_json() {
    let source =
        "#include <unistd.h>\nint main(void) { int ends[2]; char byte; pipe(ends);\nreturn read(ends[0], &byte, 1); }";
    let scratch = Scratch::new("explain-json");
    let Some(program) = compile(&scratch, source) else { return };
    let report = scratch.path().join("report.json");
    let option = format!("--report={}", report.display());
    let outcome = finish(plain_environment(jar(&[option.as_str()]).arg(program), scratch.path()), b"");
    assert_eq!(outcome.status, 120, "{outcome:?}");
    let text = std::fs::read_to_string(report).expect("the report");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let party = &json["hang"]["parties"][0];
    assert_eq!(json["hang"]["cause"]["kind"], "own-end", "{text}");
    assert_eq!(party["place"]["line"], 3, "{text}");
    assert_eq!(party["awaits"][0]["need"]["kind"], "pipe-bytes", "{text}");
    assert_eq!(party["awaits"][0]["wakers"][0]["means"]["descriptors"][0]["opened"]["place"]["line"], 2, "{text}");
    assert_eq!(json["leaks"], serde_json::json!([]), "{text}");
}

#[test]
fn sigquit_tells_the_state_and_the_run_goes_on() {
    // Asked about while it waits for the host's standard input, and with it the whole jar.
    let source = r#"#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    int ends[2];
    char byte;
    pipe(ends);
    if (fork() == 0) { close(ends[1]); return read(ends[0], &byte, 1) != 1; }
    puts("begun");
    fflush(stdout);
    read(0, &byte, 1);
    write(ends[1], "x", 1);
    wait(0);
    puts("done");
    return 7;
}
"#;
    let scratch = Scratch::new("explain-quit");
    let Some(program) = compile(&scratch, source) else { return };
    let mut command = jar(&[]);
    let mut child = plain_environment(command.arg(program), scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("belljar");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "begun\n");
    // The first answers may come before the program reads.
    let mut told = String::new();
    while !told.contains(" in read(0, ") {
        let killed = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status().expect("kill(1)");
        assert!(killed.success());
        told.clear();
        while !told.lines().last().is_some_and(|line| line.starts_with("  process 2 (program)")) {
            assert!(err.read_line(&mut told).expect("the state") > 0, "{told}");
        }
    }
    assert!(told.contains("belljar: state ") && told.contains(": 2 threads\n"), "{told}");
    assert!(told.contains(" at program.c:11"), "{told}");
    drop(child.stdin.take());
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("text");
    err.read_to_string(&mut told).expect("text");
    assert_eq!((child.wait().expect("its status").code(), rest.as_str()), (Some(7), "done\n"), "{told}");
}

/// Leaves one of each named object behind.
const LEAVES: &str = r#"#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    ftruncate(shm_open("/memory", O_CREAT | O_RDWR, 0600), 8192);
    sem_open("/semaphore", O_CREAT, 0600, 1);
    mq_open("/queue", O_CREAT | O_RDWR, 0600, 0);
    return 0;
}
"#;

#[test]
fn what_is_left_behind_is_told_as_the_option_says() {
    let Some(fails) = run("leaks-fail", &["--leaks", "fail"], LEAVES, b"") else { return };
    let told = stderr(&fails);
    assert_eq!(fails.status, 122, "{told}");
    for part in [
        "leak: 3 IPC objects outlived the run",
        "POSIX queue /queue, 0 messages in it, made by process 2 (program) at program.c:9",
        "named semaphore /semaphore, made by process 2 (program) at program.c:8",
        "shared memory object /memory, 8.0 KiB, made by process 2 (program) at program.c:7",
        "shm_unlink(\"/memory\")",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let reported = run("leaks-report", &[], LEAVES, b"").expect("it ran before");
    assert_eq!((reported.status, stderr(&reported)), (0, told));
    let ignored = run("leaks-ignore", &["--leaks", "ignore"], LEAVES, b"").expect("it ran before");
    assert_eq!((ignored.status, stderr(&ignored)), (0, String::new()));
}
