//! Translated code kept between runs changes how long a run takes and nothing else.
//!
//! Each test has directories of its own for the cache and its key.

mod common;

use common::{Outcome, Scratch, finish, plain_environment};
use std::path::PathBuf;
use std::process::Command;

/// A program of several processes.
const SCRIPT: &str = "for i in 1 2 3; do echo $i | sort | wc -c; done; ls /etc | head -3";

/// Runs the script; gives what it did, its account without the wall time, and how many blocks were translated and
/// restored.
fn run(scratch: &Scratch, options: &[&str]) -> (Outcome, String, u64, u64) {
    let account = scratch.path().join("account");
    let mut command = Command::new(env!("CARGO_BIN_EXE_belljar"));
    command.args(["run", "--profile", &format!("--stats={}", account.display())]).args(options);
    command.args(["--", "sh", "-c", SCRIPT]);
    let mut outcome = finish(plain_environment(&mut command, scratch.path()), b"");
    let profile = String::from_utf8(std::mem::take(&mut outcome.stderr)).unwrap();
    let number = |behind: &str| -> u64 {
        let words: Vec<&str> = profile.split_whitespace().collect();
        let at = words.windows(2).position(|pair| pair.join(" ").starts_with(behind)).expect(behind);
        words[at - 1].parse().expect(behind)
    };
    let counts = (number("translated, "), number("blocks restored"));
    let account = std::fs::read_to_string(account).unwrap();
    let virtual_only = |line: &&str| !line.contains(" wall") && !line.contains(" a second;");
    let work = account.lines().find(|line| line.contains(" a second;")).unwrap().split(',').next().unwrap().to_string();
    let account = account.lines().filter(virtual_only).collect::<Vec<_>>().join("\n");
    (outcome, account + &work, counts.0, counts.1)
}

fn entries(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scratch.path().join(".cache/belljar")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn runs_are_alike_with_no_cache_a_cold_and_a_warm_one() {
    let scratch = Scratch::new("code-cache");
    let (outcome, account, translated, _) = run(&scratch, &["--no-cache"]);
    assert!(outcome.status == 0 && translated > 0 && !scratch.path().join(".cache").exists());
    let cold = run(&scratch, &[]);
    assert!(cold.2 == translated && cold.3 == 0 && cold.0 == outcome);
    assert_eq!(cold.1, account);
    let warm = run(&scratch, &[]);
    assert!(warm.2 == 0 && warm.3 == translated && warm.0 == outcome, "{} {}", warm.2, warm.3);
    assert_eq!(warm.1, account);
    let other = run(&scratch, &["--execute", "blocks"]);
    assert!(other.3 == 0 && other.0 == outcome, "other options are other code");
}

#[test]
fn a_damaged_entry_is_not_used_and_is_written_again() {
    let scratch = Scratch::new("code-cache-damaged");
    let (outcome, account, translated, _) = run(&scratch, &[]);
    let entry = entries(&scratch).remove(0);
    let whole = std::fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    // Somewhere in the host code.
    flipped[whole.len() / 4] ^= 0x10;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b"", b"something else"] {
        std::fs::write(&entry, damaged).unwrap();
        let again = run(&scratch, &[]);
        assert!(again.0 == outcome && again.2 == translated && again.3 == 0);
        assert_eq!(again.1, account);
        assert_eq!(run(&scratch, &[]).3, translated);
    }
}

#[test]
fn without_a_directory_of_its_own_nothing_is_kept() {
    let scratch = Scratch::new("code-cache-refused");
    std::fs::write(scratch.path().join(".cache"), "").unwrap();
    let (outcome, _, translated, restored) = run(&scratch, &[]);
    assert!(outcome.status == 0 && translated > 0 && restored == 0);
}
