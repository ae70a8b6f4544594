//! `stress-ng --verify`: each stressor with a small number of operations, twice in the jar. It has to succeed, not skip
//! itself, do at least one operation, and leave the same hash both times.
//!
//! One line a stressor: its name and its further arguments, which come last and so override the common ones. Natively all
//! of these succeed. `STRESS=sem cargo test --release --test stress` runs only those whose line contains `sem`.

mod common;

use common::{Scratch, finish, has, jar, plain_environment};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Groups as in the issue: pipes and FIFOs, System V, POSIX, futexes; signals and timers, processes and scheduling, readiness
/// and locks.
const STRESSORS: &str = "
    pipe --pipe-ops 2000
    pipe --pipe-ops 500 --pipe-data-size 4096 --pipe-size 64K
    pipeherd --pipeherd-yield --timeout 1s
    ring-pipe --ring-pipe-ops 500
    ring-pipe --ring-pipe-ops 500 --ring-pipe-splice
    tee --tee-ops 50
    splice --splice-ops 200
    vm-splice --vm-splice-ops 200
    sendfile --sendfile-ops 50
    sigpipe --sigpipe-ops 100
    fifo --fifo-ops 2000
    msg --msg-ops 2000
    msg --msg-ops 1000 --msg-types 8
    sem-sysv --sem-sysv-ops 2000
    shm-sysv --shm-sysv-ops 5
    mq --mq-ops 2000
    sem --sem-ops 500
    shm --shm-ops 5
    futex --futex-ops 500
    mutex --mutex-ops 500
    kill --kill-ops 500
    sigabrt --sigabrt-ops 20
    sigchld --sigchld-ops 100
    sigfd --sigfd-ops 1000
    sigfpe --sigfpe-ops 100
    sigio --sigio-ops 500
    signal --signal-ops 500
    signest --signest-ops 100
    sigpending --sigpending-ops 500
    sigq --sigq-ops 1000
    sigrt --sigrt-ops 1000
    sigsegv --sigsegv-ops 200
    sigsuspend --sigsuspend-ops 500
    sigtrap --sigtrap-ops 200
    timer --timer-ops 500
    timerfd --timerfd-ops 500
    itimer --itimer-ops 100
    alarm --alarm-ops 5
    bad-altstack --bad-altstack-ops 20
    nanosleep --nanosleep-ops 100
    fork --fork-ops 200
    vfork --vfork-ops 200
    clone --clone-ops 100
    wait --wait-ops 100
    zombie --zombie-ops 100
    daemon --daemon-ops 20
    pthread --pthread-ops 50
    session --session-ops 20
    pidfd --pidfd-ops 100
    schedpolicy --schedpolicy-ops 50
    switch --switch-ops 2000
    yield --yield-ops 1000
    membarrier --membarrier-ops 20
    eventfd --eventfd-ops 2000
    epoll --epoll-ops 50 --epoll-domain unix
    poll --poll-ops 100
    inotify --inotify-ops 2
    dup --dup-ops 100
    close --close-ops 20
    fcntl --fcntl-ops 100
    flock --flock-ops 500
    lease --lease-ops 100
    locka --locka-ops 200
    lockf --lockf-ops 200
    lockofd --lockofd-ops 200
    set --set-ops 50
    context --context-ops 50
    exit-group --exit-group-ops 10
";

/// Virtual time that a stressor may take if its number of operations does not end it.
const TIMEOUT: &str = "10s";

#[test]
fn every_stressor_verifies_its_own_work_in_the_jar() {
    if !has(&["stress-ng"]) {
        return;
    }
    let filter = std::env::var("STRESS").unwrap_or_default();
    let lines: Vec<&str> =
        STRESSORS.lines().map(str::trim).filter(|line| !line.is_empty() && line.contains(&filter)).collect();
    assert!(!lines.is_empty(), "there are stressors");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let runs = run(line).and_then(|first| Ok((first, run(line)?)));
                    let problem = match runs {
                        Ok((first, second)) if first == second => continue,
                        Ok((first, second)) => format!("{line}: two runs differ: hashes {first} and {second}"),
                        Err(problem) => format!("{line}: {problem}"),
                    };
                    failures.lock().expect("no panic while it is held").push(problem);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic while it was held");
    assert!(failures.is_empty(), "{}\n{} of {} stressors fail", failures.join("\n"), failures.len(), lines.len());
}

/// Runs a stressor; gives the hash of the run.
fn run(line: &str) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let stressor = words.next().expect("a line begins with a name");
    let scratch = Scratch::new(&format!("stress-{}", line.replace(' ', "_")));
    let account = scratch.path().join("account");
    let stats = format!("--stats={}", account.display());
    let mut command = jar(&[&stats]);
    let directory = scratch.path().to_string_lossy().into_owned();
    let common = ["--verify", "--metrics-brief", "--temp-path", &directory, "--timeout", TIMEOUT];
    command.args(["stress-ng", &format!("--{stressor}"), "2"]).args(common).args(words);
    let outcome = finish(plain_environment(&mut command, scratch.path()), b"");
    let output = String::from_utf8_lossy(&outcome.stdout) + String::from_utf8_lossy(&outcome.stderr);
    let operations = operations(&output, stressor).unwrap_or(0);
    if outcome.status != 0 || !output.contains("successful run completed") || operations == 0 {
        return Err(format!("{operations} operations, {outcome:?}"));
    }
    let account = std::fs::read_to_string(&account).map_err(|error| format!("the account: {error}"))?;
    let hash = account.lines().find_map(|line| line.trim().strip_prefix("hash"));
    Ok(hash.ok_or("the account has no hash")?.trim().to_string())
}

/// The number in the line of `--metrics-brief` that begins with the stressor's name.
fn operations(output: &str, stressor: &str) -> Option<u64> {
    output.lines().find_map(|line| {
        let mut words = line.split(']').nth(1)?.split_whitespace();
        (words.next()? == stressor).then(|| words.next()?.parse().ok()).flatten()
    })
}
