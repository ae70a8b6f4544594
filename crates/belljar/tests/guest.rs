//! Every C program under `tests/guest`: compiled with the host's compiler, run natively, then in the jar, twice. Output and
//! status have to be equal, and the two runs in the jar have to have the same hash.
//!
//! The first lines of a program may say `// flags: ...` (for the compiler), `// options: ...` (for `belljar run`),
//! `// stdin: ...` (one line of standard input). `GUEST=fs/ cargo test --test guest` runs only those whose path contains
//! `fs/`.

mod common;

use common::{Outcome, Scratch, finish, has, hash, jar, plain_environment, project};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_guest_program_does_in_the_jar_what_it_does_natively() {
    if !has(&["cc"]) {
        return;
    }
    let root = project().join("tests/guest");
    let mut programs = Vec::new();
    collect(&root, &mut programs);
    programs.sort();
    if let Ok(filter) = std::env::var("GUEST") {
        programs.retain(|path| path.to_string_lossy().contains(&filter));
    }
    assert!(!programs.is_empty(), "there are guest programs");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = check(&root, program) {
                        failures.lock().expect("no panic while it is held").push(what);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic while it was held");
    failures.sort();
    let (failed, all) = (failures.len(), programs.len());
    assert!(failures.is_empty(), "{}\n{failed} of {all} guest programs fail", failures.join("\n"));
}

fn collect(directory: &Path, programs: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the guest programs") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, programs);
        } else if path.extension().is_some_and(|extension| extension == "c") {
            programs.push(path);
        }
    }
}

fn check(root: &Path, source: &Path) -> Result<(), String> {
    let name = source.strip_prefix(root).expect("it is under the root").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(source).map_err(|error| format!("{name}: {error}"))?;
    let directive = |key: &str| {
        let prefix = format!("// {key}: ");
        text.lines().take(12).find_map(|line| line.strip_prefix(&prefix)).unwrap_or("").to_string()
    };
    let scratch = Scratch::new(&format!("guest-{}", name.replace(['/', '.'], "-")));
    let binaries = Scratch::new(&format!("binary-{}", name.replace(['/', '.'], "-")));
    let binary = binaries.path().join("program");
    let compiled = Command::new("cc")
        .args(["-std=gnu17", "-O1", "-Wall", "-pthread", "-I"])
        .arg(root)
        .arg("-o")
        .arg(&binary)
        .arg(source)
        .args(directive("flags").split_whitespace())
        .args(["-lm", "-lrt", "-lutil"])
        .output()
        .map_err(|error| format!("{name}: cc: {error}"))?;
    if !compiled.status.success() {
        return Err(format!("{name}: does not compile:\n{}", String::from_utf8_lossy(&compiled.stderr)));
    }
    let mut input = directive("stdin").replace("\\n", "\n").into_bytes();
    if !input.is_empty() {
        input.push(b'\n');
    }
    let options = directive("options");
    let account = binaries.path().join("account");
    let run = || {
        let stats = format!("--stats={}", account.display());
        let options: Vec<&str> = options.split_whitespace().chain([stats.as_str(), "--leaks=ignore"]).collect();
        let mut command = jar(&options);
        let outcome = finish(plain_environment(command.arg(&binary), scratch.path()), &input);
        let account = std::fs::read_to_string(&account).unwrap_or_default();
        (outcome, hash(&account).unwrap_or("none").to_string())
    };
    let (first, first_hash) = run();
    let (second, second_hash) = run();
    // Where Linux leaves open who is first, the host's load decides: what it does once in a few runs is allowed.
    let natively = || -> Outcome {
        let scratch = Scratch::new(&format!("guest-{}", name.replace(['/', '.'], "-")));
        finish(plain_environment(&mut Command::new(&binary), scratch.path()), &input)
    };
    let mut native = natively();
    for _ in 0..2 {
        if first != native {
            native = natively();
        }
    }
    if first != native {
        return Err(format!("{name}: differs\n=== natively: {native:?}\n=== in the jar: {first:?}"));
    }
    if first != second || first_hash != second_hash {
        return Err(format!("{name}: two runs differ: hashes {first_hash} and {second_hash}"));
    }
    Ok(())
}
