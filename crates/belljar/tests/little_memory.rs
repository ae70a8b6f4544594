//! Programs that need more memory than the machine has, under every way to choose which page goes; and programs that try to
//! make belljar larger than its machine.

mod common;

use common::{Scratch, finish, has, jar, plain_environment, project};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes by which belljar may be larger than the memory, swap and disk that it was given, docs/memory.md.
const MARGIN_KB: u64 = 64 << 10;

fn compile(name: &str) -> Option<(Scratch, PathBuf)> {
    if !has(&["cc"]) {
        return None;
    }
    let scratch = Scratch::new(&format!("little-{name}"));
    let source = project().join(format!("crates/belljar/tests/programs/{name}.c"));
    let binary = scratch.path().join(name);
    let done =
        Command::new("cc").args(["-O1", "-Wall", "-o"]).arg(&binary).arg(source).arg("-lrt").status().expect("cc runs");
    assert!(done.success(), "{name} compiles");
    Some((scratch, binary))
}

/// The run's hash and its account.
fn account(path: &Path) -> (String, String) {
    let text = std::fs::read_to_string(path).expect("the account");
    let hash = text.lines().find_map(|line| line.trim().strip_prefix("hash")).expect("a hash").trim().to_string();
    (hash, text)
}

#[test]
fn more_pages_than_memory_hold_what_was_written_whichever_goes() {
    let Some((binaries, binary)) = compile("more_than_memory") else { return };
    let scratch = Scratch::new("little-more");
    let native = finish(plain_environment(Command::new(&binary).arg("1500"), scratch.path()), b"");
    assert_eq!(native.status, 0, "{native:?}");
    for algorithm in ["clock", "fifo", "lru", "random"] {
        let run = || {
            let to = binaries.path().join("account");
            let stats = format!("--stats={}", to.display());
            let options = ["--memory", "16M", "--swap", "64M", "--replacement", algorithm, &stats];
            let mut command = jar(&options);
            let outcome = finish(plain_environment(command.arg(&binary).arg("1500"), scratch.path()), b"");
            (outcome, account(&to))
        };
        let (first, (hash, text)) = run();
        assert_eq!(first, native, "{algorithm}");
        assert!(text.contains(&format!("chosen by {algorithm}")), "{text}");
        let (_, (again, _)) = run();
        assert_eq!(hash, again, "{algorithm}: two runs differ");
    }
}

#[test]
fn real_programs_do_the_same_in_little_memory() {
    let functions =
        (0..40).map(|n| format!("int f{n}(int *a, int n) {{ int s = {n}; while (n--) s += a[n] * {n}; return s; }}\n"));
    let functions: String = functions.collect();
    let python = "d = {'k%d' % i: i * i for i in range(100000)}; import hashlib; \
                  print(hashlib.sha256(repr(sorted(d.items())).encode()).hexdigest())";
    let python = format!("python3 -c \"{python}\"");
    let commands: [(&str, &[&str], &str); 3] = [
        ("12M", &["sort", "seq", "cksum"], "seq 1 200000 | sort -S 20M -r | sort -S 20M -k1.3 | cksum"),
        ("20M", &["python3"], &python),
        ("14M", &["gcc", "cksum"], "gcc -O1 -c many.c -o many.o && cksum < many.o"),
    ];
    for (memory, programs, script) in commands {
        if !has(programs) {
            return;
        }
        let scratch = Scratch::new("little-real");
        scratch.write("many.c", &functions);
        let native = finish(plain_environment(Command::new("sh").args(["-c", script]), scratch.path()), b"");
        assert_eq!(native.status, 0, "{native:?}");
        let mut command = jar(&["--memory", memory, "--swap", "256M", "--stats=account"]);
        let outcome = finish(plain_environment(command.args(["sh", "-c", script]), scratch.path()), b"");
        assert_eq!(outcome, native, "{script}");
        let (_, text) = account(&scratch.path().join("account"));
        let read = text.lines().find(|line| line.contains("pages read back from swap")).unwrap_or_default();
        assert!(!read.is_empty() && !read.trim_start().starts_with("0 pages"), "{script} needs no swap: {text}");
    }
}

#[test]
fn the_killer_says_whom_it_chose_and_why() {
    let Some((_binaries, binary)) = compile("bombs") else { return };
    let scratch = Scratch::new("little-killed");
    let mut command = jar(&["--memory", "32M"]);
    let outcome = finish(plain_environment(command.arg(&binary).arg("touch"), scratch.path()), b"");
    let message = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.stdout, b"touch: Killed\n", "{message}");
    assert!(
        message.contains("(bombs) was killed, its badness is the highest") && message.contains("--swap"),
        "{message}"
    );
}

#[test]
fn no_guest_makes_belljar_larger_than_its_machine_and_the_margin() {
    let Some((_binaries, binary)) = compile("bombs") else { return };
    let kinds = [
        "pipes",
        "sockets",
        "descriptors",
        "areas",
        "epolls",
        "links",
        "tmpfs-bytes",
        "system-v",
        "queues",
        "timers",
        "signals",
        "processes",
        "address-spaces",
        "threads",
        "sockets-in-flight",
        "watches",
        "locks",
        "inodes",
    ];
    for kind in kinds {
        let scratch = Scratch::new(&format!("little-bomb-{kind}"));
        let size = scratch.path().join("size");
        // The shell says how large its children were at most.
        let script = "python3 -c 'import resource, subprocess, sys; subprocess.run(sys.argv[2:]); \
                      open(sys.argv[1], \"w\").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))' \"$@\"";
        if !has(&["python3"]) {
            return;
        }
        let belljar = env!("CARGO_BIN_EXE_belljar");
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&size).arg(belljar);
        command.args(["run", "--memory", "64M", "--disk", "0", "--"]).arg(&binary).arg(kind);
        let outcome = finish(plain_environment(&mut command, scratch.path()), b"");
        let largest: u64 = std::fs::read_to_string(&size).expect("a size").parse().expect("a number");
        assert!(largest < (64 << 10) + MARGIN_KB, "{kind}: {largest} KiB; {outcome:?}");
        let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(!text.contains("panicked"), "{kind}: {text}");
    }
}
