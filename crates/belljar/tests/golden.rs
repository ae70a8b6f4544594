//! Reports as people read them: each hang and leak of `tests/gotchas` and `tests/hangs`, and a few of other people's
//! programs, against the text in `tests/golden`. What differs from machine to machine (times, addresses, random names)
//! is left out. `cargo test --test golden -- --bless` writes the texts anew; `-- NAME` runs those whose name contains it.
//!
//! The fault must be explained, twice in the same words; with `-DFIXED` nothing is reported.

mod common;

use common::{Outcome, Scratch, finish, has, jar, plain_environment, project};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seeds tried until a fault shows that only some schedules have.
const SEEDS: u32 = 1000;

/// Gotchas that this kernel cannot run yet, and why.
const NOT_YET: &[(&str, &str)] = &[("udp_assumes_delivery", "sockets of the Internet, and losing datagrams")];

/// Commands that hang, the programs that have to be there, and what is told in any case: other people's programs differ
/// from machine to machine, so their texts are no golden files.
struct Shell {
    name: &'static str,
    programs: &'static [&'static str],
    command: &'static str,
    told: &'static [&'static str],
}

const COMMANDS: &[Shell] = &[
    Shell {
        name: "shell_fifo_alone",
        programs: &["sh", "mkfifo", "cat"],
        command: "mkfifo f; cat f",
        told: &[
            "(cat) in openat(AT_FDCWD, \"f\", 0, 0)",
            "/f open for writing",
            "(cat) opens FIFO",
            "waits for a writer; process 2 (sh), which could be it,",
        ],
    },
    Shell {
        name: "bash_keeps_a_fifo_open",
        programs: &["bash", "mkfifo", "cat"],
        command: "mkfifo f; exec 4<> f; cat f; true",
        told: &[
            "(cat) itself, the write end (fd 4",
            "process 2 (bash), the write end (fd 4",
            "(bash) waits for process",
        ],
    },
    Shell {
        name: "bash_coproc",
        programs: &["bash", "cat"],
        command: "coproc cat; echo hello >&${COPROC[1]}; wait",
        told: &["only process 2 (bash) can write to it or end it", "(cat) reads\n", "help: close that end"],
    },
    Shell {
        name: "python_queue_join",
        programs: &["python3"],
        command: "python3 -c '
import multiprocessing as m
def work(q): q.put(b\"x\" * 1000000)
if __name__ == \"__main__\":
    m.set_start_method(\"fork\")
    q = m.Queue()
    p = m.Process(target=work, args=(q,))
    p.start()
    p.join()
    q.get()
'; true",
        told: &[
            "can wake it, but all its threads wait themselves",
            "could make room:",
            "help: read to the end before waiting",
        ],
    },
];

struct Golden {
    bless: bool,
    failures: Vec<String>,
    checked: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bless = arguments.iter().any(|argument| argument == "--bless");
    let filter = arguments.iter().find(|argument| !argument.starts_with('-')).cloned().unwrap_or_default();
    if arguments.iter().any(|argument| argument == "--list") || !has(&["cc"]) {
        return;
    }
    let mut golden = Golden { bless, failures: Vec::new(), checked: 0 };
    for place in ["gotchas", "hangs"] {
        for source in sources(&project().join("tests").join(place)) {
            let name = source.file_stem().expect("a file's name").to_string_lossy().into_owned();
            if name.contains(&filter) {
                golden.program(place, &name, &source);
            }
        }
    }
    for shell in COMMANDS {
        if shell.name.contains(&filter) && has(shell.programs) {
            golden.command(shell);
        }
    }
    println!("\n{} reports checked, {} wrong", golden.checked, golden.failures.len());
    if !golden.failures.is_empty() {
        eprintln!("{}", golden.failures.join("\n"));
        std::process::exit(1);
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the programs");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    all.sort();
    all
}

impl Golden {
    fn program(&mut self, place: &str, name: &str, source: &Path) {
        let text = std::fs::read_to_string(source).expect("a program's text");
        let header: BTreeMap<&str, &str> =
            text.lines().take(8).filter_map(|line| line.trim_start_matches(['/', '*', ' ']).split_once(':')).collect();
        let kind = header.get("kind").map_or("hang", |kind| kind.split_whitespace().next().unwrap_or(""));
        if NOT_YET.iter().any(|(later, _)| *later == name) || !matches!(kind, "hang" | "leak") {
            return;
        }
        let scratch = Scratch::new(&format!("golden-{name}"));
        let faulty = compile(&scratch, source, name, &[]);
        let status = if kind == "leak" { 122 } else { 120 };
        let options = ["--leaks", "fail"];
        let found = (0..SEEDS).find_map(|seed| {
            let outcome = run(&scratch, &options, seed, &[&faulty]);
            (outcome.status == status).then_some((seed, outcome))
        });
        let Some((seed, outcome)) = found else {
            self.failures.push(format!("{name}: no seed below {SEEDS} shows the fault"));
            return;
        };
        let again = run(&scratch, &options, seed, &[&faulty]);
        if again != outcome {
            self.failures.push(format!("{name}: two runs differ:\n{outcome:?}\n{again:?}"));
        }
        self.compare(&format!("{place}/{name}"), &outcome);
        if text.contains("FIXED") {
            let cured = compile(&scratch, source, &format!("{name}.fixed"), &["-DFIXED"]);
            for seed in [seed, seed + 1, seed + 2] {
                let outcome = run(&scratch, &options, seed, &[&cured]);
                if outcome.status != 0 || !outcome.stderr.is_empty() {
                    self.failures.push(format!("{name} with -DFIXED is reported:\n{outcome:?}"));
                }
            }
        }
    }

    fn command(&mut self, shell: &Shell) {
        self.checked += 1;
        let scratch = Scratch::new(&format!("golden-{}", shell.name));
        let interpreter = if shell.programs.contains(&"bash") { "bash" } else { "sh" };
        let arguments = [Path::new(interpreter), Path::new("-c"), Path::new(shell.command)];
        let outcome = run(&scratch, &[], 0, &arguments);
        let told = String::from_utf8_lossy(&outcome.stderr);
        let missing: Vec<_> = shell.told.iter().filter(|part| !told.contains(**part)).collect();
        if outcome.status != 120 || !missing.is_empty() {
            self.failures.push(format!("{}: status {}, not told: {missing:?}\n{told}", shell.name, outcome.status));
        }
    }

    fn compare(&mut self, name: &str, outcome: &Outcome) {
        self.checked += 1;
        let told = normal(&String::from_utf8_lossy(&outcome.stderr));
        let path = project().join("tests/golden").join(format!("{name}.txt"));
        if self.bless {
            std::fs::create_dir_all(path.parent().expect("below tests/golden")).expect("the directory of golden texts");
            std::fs::write(&path, told).expect("a golden text");
            return;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if told != expected {
            self.failures.push(format!("{name}: expected\n{expected}\nbut got\n{told}"));
        }
    }
}

fn compile(scratch: &Scratch, source: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let program = scratch.path().join(name);
    let output = Command::new("cc")
        .args(["-O1", "-g", "-w", "-pthread"])
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(source)
        .output()
        .expect("the compiler");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    program
}

fn run(scratch: &Scratch, options: &[&str], seed: u32, arguments: &[&Path]) -> Outcome {
    let seed = seed.to_string();
    let options: Vec<&str> = options.iter().copied().chain(["--seed", &seed, "--date", "1700000000"]).collect();
    let mut command = jar(&options);
    command.args(arguments);
    finish(plain_environment(&mut command, scratch.path()), b"")
}

/// A text without what differs from machine to machine.
fn normal(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("again: ") {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let mut shown: Vec<String> = Vec::new();
        let mut index = 0;
        while index < words.len() {
            let word = words[index];
            let unit = words.get(index + 1).map_or("", |unit| unit.trim_end_matches([',', ':', ';', ')']));
            if word.parse::<f64>().is_ok() && matches!(unit, "ns" | "us" | "ms" | "s") {
                shown.push(format!("TIME{}", &words[index + 1][unit.len()..]));
                index += 2;
                continue;
            }
            shown.push(plain(word));
            index += 1;
        }
        out.push_str(&shown.join(" "));
        out.push('\n');
    }
    out
}

/// A word without addresses, the scratch directory, and what mkdtemp(3) made up.
fn plain(word: &str) -> String {
    let mut word = word.replace(&*Path::new(env!("CARGO_TARGET_TMPDIR")).to_string_lossy(), "");
    if let Some(start) = word.find("/golden-") {
        let end = word[start + 1..].find('/').map_or(word.len(), |end| start + 1 + end);
        word.replace_range(start..end, "");
    }
    if let Some(start) = word.find("/tmp/fifo").filter(|start| word.len() > start + 15) {
        word.replace_range(start + 9..start + 15, "XXXXXX");
    }
    while let Some(start) = word.find("0x") {
        let digits = word[start + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        word.replace_range(start..start + 2 + digits, "ADDRESS");
    }
    match word.find("+ADDRESS") {
        // Where in a program without lines: another build has another place.
        Some(_) => word.replace("+ADDRESS", ""),
        None => word,
    }
}
