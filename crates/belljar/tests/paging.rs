//! Paging schemes: guest programs under each, what is refused and why, how addresses are shown, the real walk, and the
//! model of a TLB.

mod common;

use common::{Scratch, finish, has, hash, jar, plain_environment, project};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Guest programs that use memory in every way, and processes, threads and files besides; but none that maps more than
/// 3 GiB, or looks for the end of 47 bits.
const PROGRAMS: [&str; 14] = [
    "mm/random_model.c",
    "mm/cow_copies.c",
    "mm/mprotect.c",
    "mm/fork_cow.c",
    "mm/file_mappings.c",
    "mm/mremap.c",
    "mm/brk.c",
    "mm/madvise.c",
    "mm/stack_growth.c",
    "ipc/sysv_shared_memory.c",
    "process/threads.c",
    "process/exec.c",
    "signal/faults.c",
    "fs/memfd.c",
];

const SCHEMES: [&str; 7] = ["x86-64-la57", "sv39", "x86-32", "flat-32", "10-10-12", "10-11-12", "4-4-4-4-4-12"];

fn compile(scratch: &Scratch, source: &Path, flags: &[&str]) -> PathBuf {
    let binary = scratch.path().join("program");
    let compiled = Command::new("cc")
        .args(["-std=gnu17", "-O1", "-pthread", "-I"])
        .arg(project().join("tests/guest"))
        .arg("-o")
        .arg(&binary)
        .arg(source)
        .args(flags)
        .args(["-lm", "-lrt", "-lutil"])
        .output()
        .expect("cc");
    assert!(compiled.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&compiled.stderr));
    binary
}

#[test]
fn guest_programs_do_under_every_scheme_what_they_do_natively() {
    if !has(&["cc"]) {
        return;
    }
    for name in PROGRAMS {
        let binaries = Scratch::new(&format!("paging-binary-{}", name.replace(['/', '.'], "-")));
        let binary = compile(&binaries, &project().join("tests/guest").join(name), &[]);
        let run = |command: &mut Command| {
            let scratch = Scratch::new("paging-run");
            finish(plain_environment(command, scratch.path()), b"")
        };
        let native = run(&mut Command::new(&binary));
        for scheme in SCHEMES {
            let outcome = run(jar(&["--paging", scheme]).arg(&binary));
            assert!(outcome == native, "{name} under {scheme}\n=== natively: {native:?}\n=== in the jar: {outcome:?}");
        }
    }
}

#[test]
fn pages_of_every_size_behave_alike() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("paging-sizes");
    let source = project().join("tests/guest/mm/page_size.c");
    let binary = compile(&scratch, &source, &["-static", "-Wl,-z,max-page-size=65536"]);
    let native = finish(plain_environment(&mut Command::new(&binary), scratch.path()), b"");
    for scheme in ["9-9-9-9-12", "10-10-13", "9-9-9-14", "15-17-15", "12-16-16", "8-8-16"] {
        let outcome = finish(plain_environment(jar(&["--paging", scheme]).arg(&binary), scratch.path()), b"");
        assert!(outcome == native, "{scheme}\n=== natively: {native:?}\n=== in the jar: {outcome:?}");
    }
}

/// Ends with the status 0, and has data in a page of its own.
const HIGH_C: &str = "\
int data = 1;
void _start(void) {
    data = 0;
    __asm__ volatile(\"syscall\" : : \"a\"(60), \"D\"(data));
}
";

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("paging-refused");
    let source = scratch.write("high.c", HIGH_C);
    let high = compile(&scratch, &source, &["-static", "-no-pie", "-nostdlib", "-Wl,-Ttext-segment=0xd0000000"]);
    let refused = |options: &[&str], program: &Path, status: i32, reason: &str| {
        let outcome = finish(plain_environment(jar(options).arg(program), scratch.path()), b"");
        let message = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.status == status && message.contains(reason), "{options:?}: {outcome:?}");
    };
    refused(&["--paging", "x86-32"], &high, 126, "a segment does not fit into the program's addresses");
    refused(&["--paging", "8-8-16"], &high, 126, "link it with -z max-page-size=65536");
    refused(&["--paging", "x86-32", "--memory", "8G"], &high, 125, "name pages of at most 4.0 GiB");
    refused(&["--paging", "flat-32", "--memory", "2M"], &high, 126, "memory");
    refused(&["--paging", "6-5-5-8"], &high, 125, "offsets of 12 to 16 bits");
    refused(&["--paging", "pae"], &high, 125, "bits such as 10-10-12");
    let outcome = finish(plain_environment(jar(&[]).arg(&high), scratch.path()), b"");
    assert_eq!(outcome.status, 0, "{outcome:?}");
}

fn translate(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belljar"));
    let outcome = finish(command.arg("translate").args(arguments), b"");
    assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
    String::from_utf8(outcome.stdout).expect("text")
}

#[test]
fn addresses_are_shown_with_their_fields() {
    assert_eq!(
        translate(&["--paging", "x86-32", "0x00403004"]),
        "\
x86-32 = 10-10-12: addresses of 32 bits, pages of 4 KiB, entries of 4 bytes
  table     bits  entries  bytes  an entry covers  tables if all is mapped
  root     31-22    1,024  4 KiB            4 MiB                        1
  level 2  21-12    1,024  4 KiB            4 KiB                    1,024
  page      11-0
  one page needs 2 tables, 8 KiB; all pages together 4.0 MiB of tables

0x00403004
                root     level 2        offset
  bits         31-22       21-12          11-0
  binary  0000000001  0000000011  000000000100
  number           1           3             4
  page 1027 (0x403), which begins at 0x403000; offset 0x4
"
    );
    let textbook = translate(&["--paging", "6-5-5-8", "0xabcdef", "0b1"]);
    assert!(textbook.contains("pages of 256 B"), "{textbook}");
    assert!(textbook.contains("binary  101010    11110    01101  11101111\n"), "{textbook}");
    assert!(textbook.contains("0x000001\n"), "{textbook}");
    let default = translate(&["0xffff800000001234"]);
    assert!(default.contains("binary  1111111111111111  100000000  000000000  000000000  000000001"), "{default}");
    let json = translate(&["--json", "--paging", "8-8", "258"]);
    assert!(json.contains("{\"address\": \"0x102\", \"indices\": [1], \"offset\": 2}"), "{json}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_belljar"));
    let outcome = finish(command.args(["translate", "--paging", "8-8", "65536"]), b"");
    assert_eq!(outcome.status, 125, "{outcome:?}");
}

/// Walks a matrix whose rows are pages, by rows or by columns.
const MATRIX_C: &str = "\
#include <stdlib.h>
enum { ROWS = 64, COLUMNS = 512 };
__attribute__((aligned(4096))) long matrix[ROWS][COLUMNS] = {{1}};
int main(int argc, char **argv) {
    volatile long (*cells)[COLUMNS] = matrix;
    int how = argc > 1 ? argv[1][0] : 0;
    for (int row = 0; row < ROWS; row++)
        (void)cells[row][0];
    if (how == 'r')
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < COLUMNS; column++)
                (void)cells[row][column];
    if (how == 'c')
        for (int column = 0; column < COLUMNS; column++)
            for (int row = 0; row < ROWS; row++)
                (void)cells[row][column];
    return 0;
}
";

/// The numbers of the line of the modelled TLB's report that begins with a process's number: fetches, misses, faults,
/// data accesses, misses, faults.
fn modelled(report: &str) -> Vec<u64> {
    let lines = report.lines().skip_while(|line| !line.starts_with("modelled TLB"));
    let line = lines.skip(2).find(|line| line.trim_start().starts_with("2 ")).expect("a line for process 2");
    let words = line.split_whitespace().skip(2).filter(|word| !word.ends_with('%'));
    words.map(|word| word.replace(',', "").parse().expect("a number")).collect()
}

#[test]
fn the_modelled_tlb_misses_as_often_as_computed_by_hand() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("paging-tlb");
    let source = scratch.write("matrix.c", MATRIX_C);
    let binary = compile(&scratch, &source, &["-static", "-O1"]);
    let run = |shape: &str, how: &str| {
        let mut command = jar(&["--tlb", shape]);
        let outcome = finish(plain_environment(command.arg(&binary).arg(how), scratch.path()), b"");
        assert_eq!(outcome.status, 0, "{outcome:?}");
        modelled(&String::from_utf8_lossy(&outcome.stderr))
    };
    let (rows, columns) = (64, 512);
    // 32 entries of 16 sets: a column's 64 pages replace one another.
    let [nothing, by_rows, by_columns] = ["n", "r", "c"].map(|how| run("16x2", how));
    let more = |numbers: &[u64], which: usize| numbers[which] - nothing[which];
    assert_eq!(more(&by_rows, 3), rows * columns, "data accesses");
    assert_eq!(more(&by_columns, 3), rows * columns, "data accesses");
    assert_eq!(more(&by_columns, 4), rows * columns, "every access of a column misses");
    assert!((rows..rows + 8).contains(&more(&by_rows, 4)), "a row misses once: {by_rows:?} {nothing:?}");
    // 128 entries hold them all beside code and stack.
    let [nothing, by_columns] = ["n", "c"].map(|how| run("32x8", how));
    assert!(by_columns[4] - nothing[4] <= 4, "{by_columns:?} {nothing:?}");
}

#[test]
fn looking_does_not_change_the_run() {
    if !has(&["sh", "cat", "wc"]) {
        return;
    }
    let scratch = Scratch::new("paging-look");
    let account = scratch.path().join("account");
    let run = |options: &[&str]| {
        let stats = format!("--stats={}", account.display());
        let mut command = jar(&[options, &[&stats]].concat());
        command.args(["sh", "-c", "cat /etc/passwd | wc -c; (sleep 0.01; exit 3)"]);
        let outcome = finish(plain_environment(&mut command, scratch.path()), b"");
        assert_eq!(outcome.status, 3, "{outcome:?}");
        let account = std::fs::read_to_string(&account).expect("the account");
        (hash(&account).expect("a hash").to_string(), outcome.stdout, account)
    };
    let (plain, output, _) = run(&[]);
    let (with_model, same, account) = run(&["--tlb", "16x4"]);
    assert_eq!((&with_model, &same), (&plain, &output));
    assert!(account.contains("emptied when address spaces switch"), "{account}");
    assert!(account.contains("switch of address space") && account.contains("fork"), "{account}");
    let (tagged, _, account) = run(&["--tlb", "16x4,asid"]);
    assert_eq!(tagged, plain);
    let lost = account.lines().find(|line| line.contains("switch of address space")).expect("switches");
    assert!(lost.ends_with(" 0"), "with tags nothing goes: {lost}");
    let (looked, same, _) = run(&["--translate", "2:0x1000@300us", "--translate", "3:0x2000@5ms"]);
    assert_eq!((looked, same), (plain, output));
}

/// Says where it keeps a byte, and ends.
const BYTE_C: &str = "\
char letters[8192] __attribute__((aligned(4096))) = \"abc\";
int untouched[4096] __attribute__((aligned(4096)));
int main(void) { letters[2] = 'Z'; return 0; }
";

#[test]
fn the_walk_shows_entries_bits_and_the_byte() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("paging-walk");
    let source = scratch.write("byte.c", BYTE_C);
    for (scheme, levels) in [("x86-64", 4), ("x86-32", 2), ("flat-32", 1), ("sv39", 3)] {
        for flags in [&["-static", "-no-pie"][..], &["-pie", "-fPIE"]] {
            let binary = compile(&scratch, &source, flags);
            let options = ["--paging", scheme, "--tlb", "16x4", "--translate", "2:letters+2@exit"];
            let mut command =
                jar(&[&options[..], &["--translate", "2:untouched@exit", "--translate", "9:0@1ns"]].concat());
            let outcome = finish(plain_environment(command.arg(&binary), scratch.path()), b"");
            let report = String::from_utf8_lossy(&outcome.stderr);
            assert_eq!(outcome.status, 0, "{report}");
            let answer: Vec<&str> = report.lines().take_while(|line| !line.starts_with("2:untouched")).collect();
            assert_eq!(answer.iter().filter(|line| line.contains("-> frame")).count(), levels, "{report}");
            let last = answer.iter().rfind(|line| line.contains("-> frame")).expect("a last level");
            assert!(last.contains("present, writable, user, accessed, dirty, no execute, private"), "{report}");
            assert!(report.contains("byte   0x5a `Z` at physical address"), "{report}");
            assert!(report.contains("holds the page for reading and writing"), "{report}");
            assert!(
                answer.iter().any(|line| line.contains("--tlb  set ") && line.contains("holds the page")),
                "{report}"
            );
            assert!(report.contains("not present") && report.contains("an access brings the page in"), "{report}");
            assert!(report.contains("9:0@1ns: there is no process 9 then; there are 2"), "{report}");
        }
    }
}
