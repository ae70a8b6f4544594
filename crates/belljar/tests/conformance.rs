//! Debian's posixtestsuite: every test that passes natively (`tests/conformance/passes_natively.tsv`) passes in the jar, twice
//! with the same hash, but for those of `tests/conformance/exceptions.tsv`, which gives the reason of each. An exception that
//! passes is an error, too.
//!
//! The suite is not ours (GPL), so nothing of it is in the repository: its source package is fetched with the machine's own
//! sources of packages, once, and its tests are compiled once, into the target directory.
//!
//! `CONFORMANCE=signals cargo test --release --test conformance` runs the tests of a group, `CONFORMANCE=mq_open/` those whose
//! name contains it; `CONFORMANCE_VERBOSE=1` shows what each failing test printed.

mod common;

use common::{Outcome, Scratch, finish_within, has, hash, jar, plain_environment, project};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The suite's version: another one has other tests.
const VERSION: &str = "1.5.2";

/// A test that takes longer is stuck. Sleeps take no time in the jar, so nearly all need less than a second; one sends
/// signals without pause for ten seconds of virtual time.
const PATIENCE: Duration = Duration::from_secs(240);

/// One test of the suite.
struct Test {
    group: String,
    /// Path below `conformance`, without `.c`, and arguments.
    name: String,
}

impl Test {
    /// The name as one component of a path.
    fn flat_name(&self) -> String {
        self.name.replace(['/', ' '], "-")
    }

    fn program(&self) -> &str {
        self.name.split(' ').next().unwrap_or_default()
    }

    fn arguments(&self) -> impl Iterator<Item = &str> {
        self.name.split(' ').skip(1)
    }
}

#[test]
fn what_passes_natively_of_the_posix_test_suite_passes_in_the_jar() {
    if !has(&["cc", "apt-get", "dpkg-source"]) {
        return;
    }
    let suite = match source() {
        Ok(suite) => suite,
        Err(what) => {
            let message = format!("NOT TESTED, because the source of posixtestsuite is not to be had: {what}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            eprintln!("{message}");
            return;
        }
    };
    let exceptions: BTreeMap<String, String> = rows("exceptions.tsv").into_iter().collect();
    let filter = std::env::var("CONFORMANCE").unwrap_or_default();
    let tests: Vec<Test> = rows("passes_natively.tsv")
        .into_iter()
        .map(|(group, name)| Test { group, name })
        .filter(|test| filter.is_empty() || test.group == filter || test.name.contains(&filter))
        .collect();
    assert!(!tests.is_empty(), "no test is of group {filter:?} or contains it");
    let results = run_all(&suite, &tests);

    let mut table: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (test, result) in tests.iter().zip(&results) {
        let (passed, excepted, all) = table.entry(&test.group).or_default();
        let failure = result.as_ref().err();
        *all += 1;
        *passed += usize::from(failure.is_none());
        match (failure, exceptions.get(&test.name)) {
            (None, None) => {}
            (Some(_), Some(_)) => *excepted += 1,
            (Some(failure), None) => wrong.push(format!("{}: {failure}", test.name)),
            (None, Some(reason)) => wrong.push(format!("{} passes, but is an exception: {reason}", test.name)),
        }
    }
    println!("{:<12}{:>8}{:>12}{:>8}", "group", "passes", "exceptions", "of");
    for (group, (passed, excepted, all)) in &table {
        println!("{group:<12}{passed:>8}{excepted:>12}{all:>8}");
    }
    assert!(wrong.is_empty(), "{}\n{} of {} tests are wrong", wrong.join("\n"), wrong.len(), tests.len());
}

/// The rows of a table in `tests/conformance`: two columns.
fn rows(name: &str) -> Vec<(String, String)> {
    let path = project().join("tests/conformance").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once('\t').unwrap_or_else(|| panic!("{name}: no tab in {line:?}")))
        .map(|(first, second)| (first.to_string(), second.trim().to_string()))
        .collect()
}

/// The suite's unpacked source, fetched if need be.
fn source() -> Result<PathBuf, String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let source = place.join(format!("posixtestsuite-{VERSION}"));
    if source.join("unpacked").exists() {
        return Ok(source);
    }
    let failed = |error: std::io::Error| format!("{}: {error}", place.display());
    _ = std::fs::remove_dir_all(&place);
    // A world of its own for apt, so that it needs no rights: the machine's sources of packages, asked for sources.
    for directory in ["parts", "lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(place.join(directory)).map_err(failed)?;
    }
    let lists = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    for list in lists.chain([PathBuf::from("/etc/apt/sources.list")]) {
        let name = list.file_name().expect("a file").to_string_lossy().into_owned();
        let Ok(text) = std::fs::read_to_string(&list) else { continue };
        if name.ends_with(".sources") || name.ends_with(".list") {
            std::fs::write(place.join("parts").join(&name), for_sources(&text)).map_err(failed)?;
        }
    }
    let apt = |arguments: &[&str]| -> Result<(), String> {
        let output = Command::new("apt-get")
            .current_dir(&place)
            .args(["-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o", "APT::Sandbox::User="])
            .args(["-o", &format!("Dir::Etc::SourceParts={}/parts", place.display())])
            .args(["-o", &format!("Dir::State::Lists={}/lists", place.display())])
            .args(["-o", &format!("Dir::Cache={}/cache", place.display())])
            .args(arguments)
            .output()
            .map_err(|error| format!("apt-get: {error}"))?;
        let message = || format!("apt-get {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(()) } else { Err(message()) }
    };
    apt(&["update"])?;
    apt(&["source", "posixtestsuite"])?;
    if !source.is_dir() {
        return Err(format!("it is not version {VERSION}"));
    }
    std::fs::write(source.join("unpacked"), "").map_err(failed)?;
    Ok(source)
}

/// A list of package sources that names the same places, but for the packages' sources. See sources.list(5).
fn for_sources(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match (line.strip_prefix("deb "), line.starts_with("Types:")) {
            (Some(rest), _) => format!("deb-src {rest}"),
            (None, true) => "Types: deb-src".to_string(),
            (None, false) => line.to_string(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Compiles and runs tests, on two threads. A failure says how it ended, and what it printed if asked to.
fn run_all(suite: &Path, tests: &[Test]) -> Vec<Result<(), String>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, Result<(), String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(number) else { break };
                    let result = compile(suite, test).and_then(|binary| run(suite, &binary, test));
                    results.lock().expect("no panic while it is held").insert(number, result);
                }
            });
        }
    });
    results.into_inner().expect("no panic while it was held").into_values().collect()
}

/// Compiles a test as the suite's Makefile does, and what it executes, if that was not done before.
fn compile(suite: &Path, test: &Test) -> Result<PathBuf, String> {
    let helper = test.program().rsplit_once('-').map(|(assertion, _)| format!("{assertion}-buildonly"));
    if let Some(helper) = helper.filter(|helper| suite.join(format!("conformance/{helper}.c")).exists()) {
        compile_one(suite, &helper, test)?;
    }
    compile_one(suite, test.program(), test)
}

fn compile_one(suite: &Path, program: &str, test: &Test) -> Result<PathBuf, String> {
    let binary = suite.join("conformance").join(format!("{program}.test"));
    if binary.exists() {
        return Ok(binary);
    }
    // Renamed when it is complete: an interrupted run leaves no half of a program. Until then it is outside the suite's
    // directory, which some tests list while others are compiled.
    let incomplete =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.{}", test.flat_name(), std::process::id()));
    let output = Command::new("cc")
        .current_dir(suite)
        .args(["-O1", "-w", "-std=gnu99", "-D_POSIX_C_SOURCE=200112L", "-D_GNU_SOURCE", "-Iinclude", "-o"])
        .arg(&incomplete)
        .arg(format!("conformance/{program}.c"))
        .args(["-lpthread", "-lrt", "-lm"])
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    if !output.status.success() {
        return Err(format!("does not compile: {}", String::from_utf8_lossy(&output.stderr)));
    }
    std::fs::rename(&incomplete, &binary).map_err(|error| error.to_string())?;
    Ok(binary)
}

/// Runs a test twice in the jar: it passes, and the runs have the same hash.
fn run(suite: &Path, binary: &Path, test: &Test) -> Result<(), String> {
    let scratch = Scratch::new(&format!("conformance-{}", test.flat_name()));
    let account = scratch.path().join("account");
    let stats = format!("--stats={}", account.display());
    let once = || -> Result<String, String> {
        let mut command = jar(&["--time-limit", "1h", &stats]);
        command.arg(binary).args(test.arguments());
        // Some tests want their own source, which they look for below the suite's directory.
        judge(&finish_within(plain_environment(&mut command, suite), b"", PATIENCE))?;
        let account = std::fs::read_to_string(&account).map_err(|error| format!("no account: {error}"))?;
        hash(&account).map(str::to_string).ok_or_else(|| "no hash in the account".to_string())
    };
    let (first, second) = (once()?, once()?);
    if first == second { Ok(()) } else { Err(format!("two runs differ: hashes {first} and {second}")) }
}

/// What the outcome means, in the suite's own words, include/posixtest.h.
fn judge(outcome: &Outcome) -> Result<(), String> {
    let how = match outcome.status {
        0 => return Ok(()),
        1 => "FAIL".to_string(),
        2 => "UNRESOLVED".to_string(),
        4 => "UNSUPPORTED".to_string(),
        5 => "UNTESTED".to_string(),
        120 => "HUNG".to_string(),
        124 => "STILL RUNNING after the time limit".to_string(),
        status => format!("INTERRUPTED({status})"),
    };
    let verbose = std::env::var_os("CONFORMANCE_VERBOSE").is_some();
    Err(if verbose { format!("{how}\n{outcome:?}") } else { how })
}
