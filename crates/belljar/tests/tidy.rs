//! Rules of the house that a compiler does not keep: directions of imports, where `unsafe` lives, what the table of system
//! calls promises, and that nothing of the place where this was written is left in it.

mod common;

use common::project;
use kernel::syscalls::table::{ROWS, Support};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which crates of ours a crate may name in its `[dependencies]`. `ARCHITECTURE.md`, "The layers".
const LAYERS: &[(&str, &[&str])] = &[
    ("abi", &[]),
    ("machine", &[]),
    ("x86", &["machine"]),
    ("kernel", &["abi", "machine"]),
    ("system", &["abi", "kernel", "machine"]),
    ("lab", &["abi", "kernel", "machine", "system"]),
    ("belljar", &["abi", "kernel", "lab", "machine", "system", "x86"]),
    ("bench", &[]),
];

/// Where `unsafe` may be.
const UNSAFE_HOMES: &[&str] = &["crates/x86/src/native/", "crates/machine/src/frames.rs"];

fn sources(extension: &str) -> Vec<(String, String)> {
    let root = project();
    let mut found = Vec::new();
    let mut places = vec![root.clone()];
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(&place).expect("a directory of the project") {
            let path: PathBuf = entry.expect("an entry").path();
            let name = path.file_name().expect("entries have names").to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                places.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((relative(&root, &path), text));
            }
        }
    }
    found.sort();
    found
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).expect("inside the project").to_string_lossy().into_owned()
}

/// The code of a line: without its comment (a string that contains `//` loses its end too, which is fine here).
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

#[test]
fn crates_depend_downwards_only() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    for entry in std::fs::read_dir(project().join("crates")).expect("the crates") {
        let place = entry.expect("an entry").path();
        let name = place.file_name().expect("a name").to_string_lossy().into_owned();
        let manifest = std::fs::read_to_string(place.join("Cargo.toml")).expect("a manifest");
        let allowed = layers.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} has a place in LAYERS"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or("");
            if layers.contains_key(dependency) {
                assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn parts_of_the_lab_do_not_import_each_other() {
    let parts = ["crash", "hang", "leak", "statistics", "strace"];
    for (path, text) in sources("rs") {
        let Some(part) = path.strip_prefix("crates/lab/src/") else { continue };
        for other in parts.iter().filter(|other| !part.starts_with(**other)) {
            let import = format!("crate::{other}");
            assert!(part == "lib.rs" || !text.contains(&import), "{path} imports {other}");
        }
    }
}

#[test]
fn the_kernel_knows_no_host() {
    // Host time, files, threads and hashing with a random key must not be named in the kernel.
    let forbidden =
        ["std::time", "std::fs", "std::env", "std::thread", "std::process::", "HashMap", "HashSet", "rustix", "libc::"];
    for (path, text) in sources("rs").iter().filter(|(path, _)| path.starts_with("crates/kernel/src/")) {
        if path.ends_with("tests.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for name in forbidden {
                assert!(!code(line).contains(name), "{path}:{}: {name} is of the host", number + 1);
            }
        }
    }
}

#[test]
fn unsafe_is_at_home() {
    for (path, text) in sources("rs") {
        let home = UNSAFE_HOMES.iter().any(|home| path.starts_with(home));
        let mut previous: Vec<&str> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> =
                code(line).split(|character: char| !character.is_alphanumeric() && character != '_').collect();
            if words.contains(&"unsafe") && !path.ends_with("tests/tidy.rs") {
                assert!(home, "{path}:{}: unsafe outside its homes", number + 1);
                let opens_block = code(line).contains("unsafe {");
                let reasoned = previous.iter().rev().take(12).any(|line| line.contains("SAFETY:"));
                assert!(!opens_block || reasoned, "{path}:{}: an unsafe block without `// SAFETY:`", number + 1);
            }
            previous.push(line);
        }
    }
}

#[test]
fn every_row_of_the_table_names_its_manual_and_an_existing_test() {
    let root = project().join("tests/guest");
    let mut wrong = Vec::new();
    let mut numbers = BTreeMap::new();
    for row in ROWS {
        if let Some(other) = numbers.insert(row.number, row.name) {
            wrong.push(format!("{} and {other} have the number {}", row.name, row.number));
        }
        if abi::syscall_names::name(row.number) != Some(row.name) {
            wrong.push(format!("{} is not the name of call {}", row.name, row.number));
        }
        let section = row.manual.split_once('(').map(|(_, section)| section);
        if section.is_none_or(|section| section.trim_end_matches(')').parse::<u8>().is_err()) {
            wrong.push(format!("{}: `{}` is not a man page", row.name, row.manual));
        }
        if row.support == Support::Partial("") {
            wrong.push(format!("{}: does not say what is missing", row.name));
        }
        if !root.join(row.test).is_file() {
            wrong.push(format!("{}: its test tests/guest/{} does not exist", row.name, row.test));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_about_system_calls_is_fresh() {
    let page = std::fs::read_to_string(project().join("docs/syscalls.md")).unwrap_or_default();
    assert!(
        page == belljar::syscalls::markdown(),
        "docs/syscalls.md is not what the table says; run: cargo run -- syscalls --markdown > docs/syscalls.md"
    );
}

#[test]
fn no_path_of_a_workplace_is_left() {
    let mut wrong = Vec::new();
    for extension in ["rs", "md", "toml", "c", "h", "sh"] {
        for (path, text) in sources(extension) {
            for (number, line) in text.lines().enumerate() {
                let suspicious = ["/home/", "/Users/", concat!("/wo", "rk/"), "C:\\"];
                if suspicious.iter().any(|place| line.contains(place)) && !path.ends_with("tests/tidy.rs") {
                    wrong.push(format!("{path}:{}: {line}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// rustfmt keeps code within 120 columns; comments, which it leaves alone, may go a word beyond.
#[test]
fn lines_fit() {
    for (path, text) in sources("rs") {
        for (number, line) in text.lines().enumerate() {
            let data = path.contains("/tests/") || path.ends_with("syscalls/table.rs") || line.contains('"');
            assert!(data || line.chars().count() <= 130, "{path}:{}: longer than 130 columns", number + 1);
        }
    }
}
