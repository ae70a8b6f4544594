//! A run is a function of its inputs: the hash over its events is the same whatever the host does otherwise.

mod common;

use common::{Scratch, finish, has, jar, plain_environment};

/// Runs a script in the jar and gives the hash that the account shows, with the output.
fn run(scratch: &Scratch, options: &[&str], variables: &[(String, String)], script: &str) -> (String, Vec<u8>) {
    // Beside the working directory, not in it: that is an input of the run.
    let account = scratch.path().with_extension("account");
    let stats = format!("--stats={}", account.display());
    let options: Vec<&str> = options.iter().copied().chain([stats.as_str()]).collect();
    let mut command = jar(&options);
    command.args(["sh", "-c", script]);
    plain_environment(&mut command, scratch.path()).envs(variables.iter().cloned());
    let outcome = finish(&mut command, b"some\ninput\n");
    let text = std::fs::read_to_string(&account).expect("the account is written");
    std::fs::remove_file(&account).expect("it can be removed");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("hash")).expect("the account shows a hash");
    (line.split_whitespace().next().expect("a hash").to_string(), outcome.stdout)
}

/// Processes that race for a pipe and for the processor, with random numbers, times and addresses.
const RACE: &str = r#"
for name in a b c d; do (i=0; while [ $i -lt 200 ]; do echo $name $i; i=$((i + 1)); done) & done | cat | cksum
wait; (sleep 0.3; echo late) & sleep 0.1; echo early; wait
od -An -N8 -tx1 /dev/urandom; read line; echo $line; ls / | head -3; echo $$; cat /proc/self/maps | cksum"#;

#[test]
fn two_runs_have_the_same_hash_and_output() {
    let scratch = Scratch::new("determinism-twice");
    assert_eq!(run(&scratch, &[], &[], RACE), run(&scratch, &[], &[], RACE));
}

#[test]
fn strace_changes_nothing() {
    let scratch = Scratch::new("determinism-strace");
    let trace = format!("--strace={}", std::env::temp_dir().join(format!("belljar-{}", std::process::id())).display());
    let plain = run(&scratch, &[], &[], RACE);
    let traced = run(&scratch, &[&trace], &[], RACE);
    std::fs::remove_file(trace.trim_start_matches("--strace=")).expect("the trace was written");
    assert_eq!(plain, traced);
}

#[test]
fn the_size_of_the_host_s_environment_changes_nothing() {
    let scratch = Scratch::new("determinism-environment");
    let many: Vec<(String, String)> = (0..300).map(|index| (format!("NOISE_{index}"), "x".repeat(index))).collect();
    assert_eq!(run(&scratch, &[], &[], RACE), run(&scratch, &[], &many, RACE));
}

#[test]
fn another_seed_is_another_run() {
    let scratch = Scratch::new("determinism-seed");
    let hashes: Vec<String> =
        ["0", "1", "2"].iter().map(|seed| run(&scratch, &["--seed", seed], &[], RACE).0).collect();
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2], "{hashes:?}");
    assert_eq!(run(&scratch, &["--seed", "2"], &[], RACE).0, hashes[2]);
}

/// Python converts the times of directories that it searches, which takes more instructions or fewer; `stat` shows them.
#[test]
fn when_host_files_were_last_read_and_which_pipes_belljar_got_changes_nothing() {
    let scratch = Scratch::new("determinism-times");
    let file = scratch.write("file", "text\n");
    let script = r#"stat -c '%n %x %X' . file; ls -lu; cat file; ls > /dev/null
        stat -L -c '%F %d %i %x %y %z %s' /dev/stdin /dev/stdout /dev/stderr"#;
    let run_after = |seconds| {
        let read = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        for path in [file.as_path(), scratch.path()] {
            let opened = std::fs::File::open(path).expect("it is there");
            opened.set_times(std::fs::FileTimes::new().set_accessed(read)).expect("times can be set");
        }
        run(&scratch, &[], &[], script)
    };
    let (first, second) = (run_after(1_000_000_000), run_after(1_700_000_000));
    assert_eq!(String::from_utf8_lossy(&first.1), String::from_utf8_lossy(&second.1));
    assert_eq!(first.0, second.0);
}

#[test]
fn an_interpreter_with_threads_repeats() {
    if !has(&["python3"]) {
        return;
    }
    let scratch = Scratch::new("determinism-python");
    let script = r#"/usr/bin/python3 -c '
import threading, random, time
seen = []
def work(name):
    for i in range(50):
        seen.append((name, i, random.random()))
        time.sleep(random.random() / 1000)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(hash(str(seen)), time.time())
'"#;
    assert_eq!(run(&scratch, &[], &[], script), run(&scratch, &[], &[], script));
}

#[test]
fn the_way_in_which_code_is_executed_changes_nothing() {
    let scratch = Scratch::new("determinism-execute");
    let plain = run(&scratch, &[], &[], RACE);
    for way in ["blocks", "apart", "steps"] {
        assert_eq!(run(&scratch, &["--execute", way], &[], RACE), plain, "{way}");
    }
}
