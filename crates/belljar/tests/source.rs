//! Reports name the program's own lines, whatever lies between them and the system call, and wherever DWARF is.

mod common;

use common::{Scratch, finish, has, jar, plain_environment};
use std::process::Command;

/// Hangs in line 9, through two calls of its own and one of the C library.
const PROGRAM: &str = r#"#include <stdio.h>
#include <unistd.h>

static int ends[2];

__attribute__((noinline)) static int wait_for_ever(void) {
    char byte;
    /* Nobody writes. */
    return read(ends[0], &byte, 1);
}

int main(void) {
    if (pipe(ends) == -1) return 1;
    return wait_for_ever() + 1;
}
"#;

fn run(command: &mut Command) {
    let output = command.output().expect("a tool of the compiler");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the report says about the program compiled with `flags` and then given to `tools`.
fn told(name: &str, flags: &[&str], tools: &[&[&str]]) -> Option<String> {
    if !has(&["cc", "strip", "objcopy"]) {
        return None;
    }
    let scratch = Scratch::new(&format!("source-{name}"));
    let source = scratch.write("waits.c", PROGRAM);
    let program = scratch.path().join("waits");
    run(Command::new("cc").args(["-O1"]).args(flags).arg("-o").arg(&program).arg(&source));
    for tool in tools {
        run(Command::new(tool[0]).args(&tool[1..]).current_dir(scratch.path()));
    }
    let outcome = finish(plain_environment(jar(&[]).arg(&program), scratch.path()), b"");
    assert_eq!(outcome.status, 120, "{outcome:?}");
    Some(String::from_utf8(outcome.stderr).expect("reports are text"))
}

fn assert_line(told: Option<String>) {
    let Some(told) = told else { return };
    assert!(told.contains("waits.c:9"), "{told}");
}

#[test]
fn a_line_is_found_through_the_c_library() {
    assert_line(told("plain", &["-g"], &[]));
    assert_line(told("no-frame-pointer", &["-g", "-fomit-frame-pointer"], &[]));
    assert_line(told("compressed", &["-g", "-gz=zlib"], &[]));
}

#[test]
fn a_line_is_found_in_a_program_without_libraries() {
    assert_line(told("static", &["-g", "-static"], &[]));
}

#[test]
fn a_line_is_found_in_a_separate_debug_file() {
    let split: &[&[&str]] = &[
        &["objcopy", "--only-keep-debug", "waits", ".debug-of-waits"],
        &["strip", "waits"],
        &["objcopy", "--add-gnu-debuglink=.debug-of-waits", "waits"],
    ];
    assert_line(told("separate", &["-g"], split));
}

#[test]
fn without_lines_the_function_is_named() {
    if let Some(told) = told("symbols", &[], &[]) {
        assert!(told.contains("wait_for_ever in waits"), "{told}");
    }
    if let Some(told) = told("nothing", &[], &[&["strip", "waits"]]) {
        assert!(told.contains("waits+0x"), "{told}");
    }
}
