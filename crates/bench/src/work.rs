//! Real work: commands with their inputs. The inputs are made once, from nothing but a counter, so that they are the
//! same everywhere.

use crate::suites::remove;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command that runs in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// Program and arguments.
    pub(crate) command: Vec<&'static str>,
    /// The command changes its folder: every run gets a copy.
    changes: bool,
    /// The folder under the data.
    folder: &'static str,
}

impl Task {
    /// The folder to run in.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub(crate) fn fresh_folder(&self, data: &Path) -> Result<PathBuf, String> {
        let folder = data.join(self.folder);
        if !self.changes {
            return Ok(folder);
        }
        let copy = data.join("scratch").join(self.folder);
        remove(&copy)?;
        let parent = copy.parent().ok_or("a copy lies in a folder")?;
        std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        run(Command::new("cp").arg("-a").arg(&folder).arg(&copy))?;
        Ok(copy)
    }
}

/// All tasks, their inputs made.
///
/// # Errors
/// If an input cannot be made.
pub(crate) fn prepare(data: &Path) -> Result<Vec<Task>, String> {
    make(data, "text", |folder| write(folder, "text", &text(50 << 20)))?;
    make(data, "script", |folder| write(folder, "script.sh", &script(2_000)))?;
    make(data, "source", |folder| write(folder, "big.c", &source(5_000)))?;
    make(data, "python", |folder| write(folder, "benchmark.py", PYTHON))?;
    make(data, "sqlite", |folder| write(folder, "insert.sql", &inserts(200_000)))?;
    make(data, "repository", repository)?;
    let still =
        |name, folder, command: &[&'static str]| Task { name, folder, command: command.to_vec(), changes: false };
    let changing = |name, folder, command: &[&'static str]| Task { changes: true, ..still(name, folder, command) };
    Ok(vec![
        still("bash, 2,000 commands", "script", &["bash", "script.sh"]),
        changing("gcc -O2, 5,000 lines", "source", &["gcc", "-O2", "-c", "big.c"]),
        still("python3 benchmark", "python", &["/usr/bin/python3", "benchmark.py"]),
        still("sort, 50 MB", "text", &["sort", "--parallel=1", "text"]),
        still("gzip, 50 MB", "text", &["gzip", "-c", "text"]),
        still("grep, 50 MB", "text", &["grep", "-c", "[0-9]*7 .*ox", "text"]),
        still("xz -1, 50 MB", "text", &["xz", "-1", "-c", "text"]),
        still("cat, 50 MB", "text", &["cat", "text"]),
        changing("sqlite3, 200,000 rows", "sqlite", &["sqlite3", "rows.db", ".read insert.sql"]),
        changing("git gc", "repository", &["git", "gc", "-q"]),
        still("git status", "repository", &["git", "status", "--short"]),
        still("find /usr", "text", &["find", "/usr"]),
        still("ls -lR", "repository", &["ls", "-lR", "/usr/share"]),
    ])
}

/// Makes a folder of inputs, unless it is there. It gets its name when it is complete.
fn make(data: &Path, name: &str, fill: impl Fn(&Path) -> Result<(), String>) -> Result<(), String> {
    let (folder, unfinished) = (data.join(name), data.join(format!("{name}.unfinished")));
    if folder.exists() {
        return Ok(());
    }
    remove(&unfinished)?;
    std::fs::create_dir_all(&unfinished).map_err(|error| format!("{}: {error}", unfinished.display()))?;
    fill(&unfinished)?;
    std::fs::rename(&unfinished, &folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}: {said}", output.status)) }
}

/// A generator of numbers that look random: xorshift64*.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

const WORDS: &[&str] = &[
    "the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "kernel", "page", "process", "signal", "pipe",
    "queue", "memory", "table", "walk", "miss", "fault", "thread", "wake", "sleep", "bell", "jar", "address", "frame",
];

/// Lines of a number and words, about `size` bytes.
fn text(size: usize) -> String {
    let (mut numbers, mut text) = (Numbers(1), String::with_capacity(size + 200));
    while text.len() < size {
        let _ = write!(text, "{}", numbers.next(10_000_000));
        for _ in 0..5 + numbers.next(8) {
            text.push(' ');
            text.push_str(WORDS[numbers.next(WORDS.len())]);
        }
        text.push('\n');
    }
    text
}

/// A shell script of `count` commands: builtins, functions, substitutions; every twentieth starts a program.
fn script(count: usize) -> String {
    let mut text = String::from("#!/bin/bash\ntotal=0\nadd() { total=$((total + $1)); }\n");
    for index in 0..count {
        let _ = match index % 20 {
            0 => writeln!(text, "/bin/true {index}"),
            1..=6 => writeln!(text, "add {index}"),
            7..=10 => writeln!(text, "word=name_{index}; word=${{word#name_}}"),
            11..=13 => writeln!(text, "[ $total -gt {index} ] && echo \"$total\" > /dev/null"),
            14..=16 => writeln!(text, "case $word in *{}) list=\"$word $total\";; *) list=;; esac", index % 10),
            17 => writeln!(text, "for i in 1 2 3 4 5; do add $i; done"),
            18 => writeln!(text, "value=$(echo {index})"),
            _ => writeln!(text, "printf -v line '%s-%05d' \"$word\" {index}"),
        };
    }
    text + "echo $total\n"
}

/// A C file of about `lines` lines.
fn source(lines: usize) -> String {
    let mut text = String::from(
        "#include <stdio.h>\n#include <string.h>\nstruct item { int key; double weight; char name[32]; };\n",
    );
    for index in 0..lines / 20 {
        let _ = write!(
            text,
            "int work_{index}(struct item *items, int count)
{{
    int total = {index};
    for (int i = 0; i < count; i++) {{
        switch (items[i].key % 7) {{
        case 0: total += items[i].key * {index}; break;
        case 1: total ^= items[i].key << ({index} % 13); break;
        case 2: items[i].weight = items[i].weight * 1.5 + total; break;
        case 3: snprintf(items[i].name, sizeof items[i].name, \"item-%d-{index}\", total); break;
        case 4: total -= (int)strlen(items[i].name); break;
        default:
            if (items[i].weight > {index}.5)
                total += (int)items[i].weight;
        }}
        for (int j = i; j > 0 && items[j].key < items[j - 1].key; j--) {{
            struct item swap = items[j]; items[j] = items[j - 1]; items[j - 1] = swap;
        }}
    }}
    return total;
}}
"
        );
    }
    text
}

/// What python3 computes: dictionaries, strings, integers, calls.
const PYTHON: &str = "\
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def primes(n):
    sieve = bytearray([1]) * n
    for i in range(2, int(n ** 0.5) + 1):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, n, i)))
    return sum(sieve) - 2

def words(n):
    counts = {}
    for i in range(n):
        word = 'w%d' % (i * 7919 % 1000)
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]

print(fib(24), primes(1000000), words(200000))
";

/// A transaction of `count` rows, an index, a question.
fn inserts(count: usize) -> String {
    let mut numbers = Numbers(2);
    let mut text = String::from("create table rows (id integer primary key, name text, value integer);\nbegin;\n");
    for id in 0..count {
        let (word, value) = (WORDS[numbers.next(WORDS.len())], numbers.next(1_000_000));
        let _ = writeln!(text, "insert into rows values ({id}, '{word}{id}', {value});");
    }
    text + "commit;\ncreate index by_value on rows (value);\nselect count(*), sum(value) from rows where value > 500000;\n"
}

/// A repository of 200 commits over 100 files.
fn repository(folder: &Path) -> Result<(), String> {
    let script = "git init -q . && git config user.name bench && git config user.email bench@example.org &&
        git config gc.auto 0 && mkdir -p a b c && for i in $(seq 200); do
            for d in a b c; do echo \"line $i of $d\" >> $d/file$((i % 33)); done
            git add . && GIT_AUTHOR_DATE=\"@$((1700000000 + i)) +0000\" GIT_COMMITTER_DATE=\"@$((1700000000 + i)) +0000\" \
            git commit -q -m \"Change $i\" || exit 1
        done";
    run(Command::new("sh").arg("-c").arg(script).current_dir(folder))
}
