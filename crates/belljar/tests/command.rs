//! The command itself: exit status, options, signals of the host, what it shows.

mod common;

use common::{Outcome, Scratch, finish, has, jar, listing, plain_environment};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

fn run(scratch: &Scratch, options: &[&str], arguments: &[&str], input: &[u8]) -> Outcome {
    let mut command = jar(options);
    finish(plain_environment(command.args(arguments), scratch.path()), input)
}

fn sh(name: &str, options: &[&str], script: &str) -> Outcome {
    run(&Scratch::new(name), options, &["sh", "-c", script], b"")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_exit_status_is_the_program_s() {
    assert_eq!(sh("status-0", &[], "exit 0").status, 0);
    assert_eq!(sh("status-7", &[], "exit 7").status, 7);
    assert_eq!(sh("status-signal", &[], "kill -TERM $$").status, 128 + 15);
}

#[test]
fn a_hang_is_told_at_once() {
    // A reader of a FIFO that nobody will ever write to.
    let outcome = sh("hang", &[], "mkfifo f; cat f");
    assert_eq!(outcome.status, 120, "{outcome:?}");
    let told = text(&outcome.stderr);
    assert!(told.contains("hang: no thread can run again"), "{told}");
    assert!(told.contains("(cat)") && told.contains("(sh)"), "{told}");
}

#[test]
fn sleeping_takes_no_time_and_the_time_limit_is_virtual() {
    let begin = Instant::now();
    let outcome = sh("sleep", &[], "sleep 100000; echo slept");
    assert_eq!(text(&outcome.stdout), "slept\n");
    assert!(begin.elapsed().as_secs() < 1000);
    let outcome = sh("limit", &["--time-limit", "10s"], "echo begun; sleep 100; echo never");
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (124, "begun\n"));
    let outcome = sh("limit-busy", &["--time-limit", "50ms"], "while :; do :; done");
    assert_eq!(outcome.status, 124);
}

#[test]
fn a_program_s_children_may_outlive_it() {
    let outcome = sh("outlive", &[], "(sleep 5; echo late) & echo early; exit 3");
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (3, "early\nlate\n"));
}

#[test]
fn the_environment_is_clean_and_options_add_to_it() {
    let scratch = Scratch::new("environment");
    let mut command = jar(&["--env", "ADDED=x y", "--env", "PASSED", "--cwd", "/usr"]);
    command.args(["sh", "-c", "env | sort; pwd"]);
    plain_environment(&mut command, scratch.path()).env("PASSED", "on").env("NOISE", "never");
    let shown = text(&finish(&mut command, b"").stdout);
    assert!(shown.contains("ADDED=x y\n") && shown.contains("PASSED=on\n"), "{shown}");
    assert!(shown.contains("PWD=/usr\n") && shown.ends_with("/usr\n"), "{shown}");
    assert!(!shown.contains("NOISE"), "{shown}");
}

#[test]
fn changes_stay_in_the_jar_unless_write_lets_them_out() {
    let scratch = Scratch::new("write");
    scratch.write("in/kept", "kept\n");
    scratch.write("in/gone", "gone\n");
    scratch.write("in/changed", "a long line that will be shorter\n");
    scratch.write("in/moved", "moved\n");
    scratch.write("in/dir/inner", "inner\n");
    scratch.write("in/tree/deep/file", "deep\n");
    scratch.write("out/safe", "safe\n");
    let before = listing(scratch.path());
    let script = "cd in && rm gone && echo short > changed && echo more >> kept && mv moved elsewhere && mkdir -p new/er && \
                  printf x > new/er/file && chmod 700 new && ln -s kept link && ln kept hard && rm -r dir && mv tree wood && \
                  mkfifo fifo && truncate -s 10000 sparse && echo mid | dd of=sparse bs=1 seek=5000 conv=notrunc 2>/dev/null; \
                  rm ../out/safe; echo new > ../out/new; ls";
    let outcome = run(&scratch, &[], &["sh", "-c", script], b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(before, listing(scratch.path()));
    let place = scratch.path().join("in");
    let again = run(&scratch, &["--write", "in"], &["sh", "-c", script], b"");
    assert_eq!(outcome, again);
    let read = |name: &str| std::fs::read_to_string(place.join(name));
    assert_eq!(read("kept").unwrap(), "kept\nmore\n");
    assert_eq!(read("hard").unwrap(), "kept\nmore\n");
    assert_eq!(read("link").unwrap(), "kept\nmore\n");
    assert_eq!(read("changed").unwrap(), "short\n");
    assert_eq!(read("elsewhere").unwrap(), "moved\n");
    assert_eq!(read("new/er/file").unwrap(), "x");
    assert_eq!(read("wood/deep/file").unwrap(), "deep\n");
    let sparse = std::fs::read(place.join("sparse")).unwrap();
    assert_eq!((sparse.len(), &sparse[4999..5005]), (10000, b"\0mid\n\0".as_slice()));
    assert!(["gone", "moved", "dir", "tree"].iter().all(|name| read(name).is_err()));
    let mut names: Vec<String> =
        std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["changed", "elsewhere", "fifo", "hard", "kept", "link", "new", "sparse", "wood"]);
    assert_eq!(std::fs::read_to_string(scratch.path().join("out/safe")).unwrap(), "safe\n");
    assert!(!scratch.path().join("out/new").exists());
}

#[test]
fn strace_shows_calls_with_reasons_and_changes_nothing() {
    let scratch = Scratch::new("strace");
    let trace = scratch.path().join("trace");
    let option = format!("--strace={}", trace.display());
    let outcome = run(&scratch, &[&option], &["sh", "-c", "echo hi; cat /no/such/file; exit 4"], b"");
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (4, "hi\n"));
    let lines = std::fs::read_to_string(&trace).unwrap();
    assert!(lines.contains("write(1, \"hi\\n\", 3) = 3"), "{lines}");
    assert!(lines.lines().any(|line| line.contains("\"/no/such/file\"") && line.contains("= -1 ENOENT (")), "{lines}");
    assert!(lines.contains("+++ exited with 1 +++") && lines.contains("+++ exited with 4 +++"), "{lines}");
    let on_stderr = run(&scratch, &["--strace"], &["sh", "-c", "echo hi"], b"");
    assert!(text(&on_stderr.stderr).contains("write(1, \"hi\\n\", 3) = 3"));
}

#[test]
fn the_account_tells_what_a_person_wants_to_know() {
    let script = "seq 1000 | sort -n | tail -1; ls /no/such/place 2>/dev/null";
    let outcome = sh("account", &["--stats"], script);
    let account = text(&outcome.stderr);
    for part in [
        "sh exited with 2",
        "virtual",
        "wall",
        "instructions",
        "hash ",
        "processes",
        "TLB misses",
        "seq",
        "sort",
        "pipes",
        "system calls",
        "write",
        "memory",
    ] {
        assert!(account.contains(part), "no `{part}` in the account:\n{account}");
    }
    assert!(account.contains("3,893"), "seq writes 3,893 bytes into its pipe:\n{account}");
}

#[test]
fn unsupported_calls_appear_in_the_account() {
    if !has(&["perl"]) {
        return;
    }
    let outcome =
        run(&Scratch::new("unsupported"), &["--stats"], &["perl", "-e", "print syscall(999), ' ', $!+0"], b"");
    assert_eq!(text(&outcome.stdout), "-1 38");
    assert!(text(&outcome.stderr).contains("system call syscall_999 (1 time)"), "{outcome:?}");
}

#[test]
fn the_machine_is_what_the_options_say() {
    let scratch = Scratch::new("machine");
    let outcome = run(
        &scratch,
        &["--cpus", "3", "--hostname", "jar1", "--date", "86400"],
        &["sh", "-c", "nproc; uname -n; date -u +%F"],
        b"",
    );
    assert_eq!(text(&outcome.stdout), "3\njar1\n1970-01-02\n");
    let outcome = sh("meminfo", &["--memory", "512M"], "grep MemTotal /proc/meminfo");
    assert!(text(&outcome.stdout).contains(" 524288 kB"), "{outcome:?}");
}

#[test]
fn help_and_version_are_not_errors() {
    let ask = |arguments: &[&str]| {
        let outcome = Command::new(env!("CARGO_BIN_EXE_belljar")).args(arguments).output().unwrap();
        (outcome.status.code(), text(&outcome.stdout))
    };
    assert_eq!(ask(&["--version"]).0, Some(0));
    assert!(ask(&["run", "--help"]).1.contains("--seed"));
    let (status, table) = ask(&["syscalls"]);
    assert!(status == Some(0) && table.contains("read") && table.contains("clone"), "{table}");
    assert_eq!(ask(&[]).0, Some(125));
}

/// Starts a script in the jar and waits until it has printed a line.
fn begun(scratch: &Scratch, options: &[&str], script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    // Whoever runs the tests in the background may have told them to ignore SIGINT, and that is inherited.
    let mut command = Command::new("env");
    let jar = jar(options);
    command.arg("--default-signal").arg(jar.get_program()).args(jar.get_args()).args(["sh", "-c", script]);
    let mut child = plain_environment(&mut command, scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn sigterm_ends_the_run_with_its_account() {
    let scratch = Scratch::new("sigterm");
    for script in ["echo ready; while :; do :; done", "echo ready; cat"] {
        let (mut child, _out) = begun(&scratch, &["--stats"], script);
        send(&child, "-TERM");
        let mut account = String::new();
        child.stderr.take().unwrap().read_to_string(&mut account).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143), "{account}");
        assert!(account.contains("stopped by SIGTERM") && account.contains("hash "), "{account}");
    }
}

#[test]
fn sigint_reaches_the_programs() {
    let scratch = Scratch::new("sigint");
    // The shell's handler runs when its child, in the same group, is gone.
    let script = "trap 'echo caught; exit 9' INT; echo ready; while :; do :; done";
    let (mut child, mut out) = begun(&scratch, &[], script);
    send(&child, "-INT");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(9), "caught\n"));
    // Without a handler it kills.
    let (mut child, _out) = begun(&scratch, &[], "echo ready; exec cat");
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn ctrl_z_stops_belljar_with_its_programs_and_sigcont_continues_both() {
    let scratch = Scratch::new("sigtstp");
    let (mut child, mut out) = begun(&scratch, &[], "echo ready; read line; echo got $line");
    send(&child, "-TSTP");
    let state = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().trim().chars().next().unwrap()
    };
    while state(child.id()) != 'T' {
        std::thread::yield_now();
    }
    send(&child, "-CONT");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"input\n").unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(0), "got input\n"));
}

#[test]
fn output_is_streamed() {
    let scratch = Scratch::new("stream");
    let (mut child, mut out) = begun(&scratch, &[], "echo ready; while read line; do echo \"<$line>\"; done");
    let mut input = child.stdin.take().unwrap();
    for word in ["one", "two"] {
        std::io::Write::write_all(&mut input, format!("{word}\n").as_bytes()).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, format!("<{word}>\n"));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn redirected_output_is_written_where_it_was_directed() {
    let scratch = Scratch::new("redirect");
    let target = scratch.path().join("target");
    std::fs::write(&target, "before\n").unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(&target).unwrap();
    let mut command = jar(&[]);
    command.args(["sh", "-c", "echo out; echo err >&2"]);
    let status = plain_environment(&mut command, scratch.path())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "before\nout\nerr\n");
    let mut command = jar(&[]);
    command.args(["sh", "-c", "read a; cat"]);
    let input = std::fs::File::open(&target).unwrap();
    let output = plain_environment(&mut command, scratch.path()).stdin(input).output().unwrap();
    assert_eq!(text(&output.stdout), "out\nerr\n");
}

#[test]
fn a_reader_that_goes_away_is_a_broken_pipe_for_the_program() {
    let scratch = Scratch::new("sigpipe");
    let (mut child, out) = begun(&scratch, &[], "echo ready; yes; echo $? >&2");
    drop(out);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "141\n");
    child.wait().unwrap();
}

#[test]
fn the_host_s_null_device_is_the_guest_s() {
    // grep(1) stops at the first match when it sees that nobody will read what it prints.
    let scratch = Scratch::new("null");
    let script = "exec 3>&1; for path in /dev/fd/0 /dev/fd/3 /dev/null; do stat -Lc '%F %t:%T %d:%i' $path >&2; done";
    let mut command = jar(&[]);
    command.args(["sh", "-c", script]);
    let command = plain_environment(&mut command, scratch.path());
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
    let lines: Vec<String> = text(&output.stderr).lines().map(str::to_owned).collect();
    assert!(lines.len() == 3 && lines[0].starts_with("character special file 1:3 "), "{lines:?}");
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:?}");
}
