//! Broken files, hostile programs, too little of everything: a clear error or the signal that Linux would send; never a panic
//! (status 125 with its message), never a changed host file.

mod common;

use common::{Outcome, Scratch, finish, has, jar, listing, plain_environment, project, same};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs belljar itself on something it cannot execute: the status, and a message that contains `says`.
fn refused(scratch: &Scratch, options: &[&str], arguments: &[&str], status: i32, says: &str) {
    let outcome = in_jar(scratch, options, arguments);
    let message = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.status, status, "{arguments:?}: {outcome:?}");
    assert!(message.contains(says), "{arguments:?} should say `{says}`: {message}");
    assert!(!message.contains("bug in belljar"), "{message}");
}

fn in_jar(scratch: &Scratch, options: &[&str], arguments: &[&str]) -> Outcome {
    let before = listing(scratch.path());
    let mut command = jar(options);
    let outcome = finish(plain_environment(command.args(arguments), scratch.path()), b"");
    assert_eq!(before, listing(scratch.path()), "the jar changed the host's files");
    let message = String::from_utf8_lossy(&outcome.stderr);
    assert!(!message.contains("panicked") && !message.contains("bug in belljar"), "{arguments:?}: {message}");
    outcome
}

fn compile(name: &str) -> Option<(Scratch, PathBuf)> {
    if !has(&["cc"]) {
        return None;
    }
    let scratch = Scratch::new(&format!("compiled-{name}"));
    let source = project().join(format!("crates/belljar/tests/programs/{name}.c"));
    let binary = scratch.path().join(name);
    let done = Command::new("cc").args(["-O1", "-Wall", "-o"]).arg(&binary).arg(source).status().expect("cc runs");
    assert!(done.success(), "{name} compiles");
    Some((scratch, binary))
}

#[test]
fn a_program_that_does_not_exist_is_reported_with_what_would_help() {
    let scratch = Scratch::new("bad-missing");
    scratch.write_program("here", "#!/bin/sh\n");
    refused(&scratch, &[], &["no-such-program"], 127, "no such program in PATH");
    refused(&scratch, &[], &["./no-such-file"], 127, "no such file");
    refused(&scratch, &[], &["here"], 127, "write ./here");
    refused(&scratch, &[], &[""], 127, "empty");
}

#[test]
fn what_is_not_a_program_is_refused_with_the_reason() {
    let scratch = Scratch::new("bad-kinds");
    scratch.write("plain.txt", "text\n");
    scratch.write_program("noise", b"\x00\x01\x02binary\x00");
    scratch.write_program("no-interpreter", "#!/no/such/interpreter\n");
    scratch.write_program("dos", "#!/bin/sh\r\necho hi\r\n");
    scratch.write_program("blank", "#!\n");
    let elf = |class: u8, machine: u16, kind: u16| {
        let mut head = b"\x7fELF".to_vec();
        head.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        head.extend(kind.to_le_bytes());
        head.extend(machine.to_le_bytes());
        head.resize(64, 0);
        head
    };
    scratch.write_program("elf32", elf(1, 3, 2));
    scratch.write_program("arm", elf(2, 183, 2));
    scratch.write_program("object", elf(2, 62, 1));
    scratch.write_program("nothing-behind-the-header", elf(2, 62, 2));
    scratch.write_program("short-elf", b"\x7fELF");
    std::os::unix::fs::symlink("nowhere", scratch.path().join("dangling")).expect("a link");
    refused(&scratch, &[], &["./plain.txt"], 126, "is not executable");
    refused(&scratch, &[], &["./noise"], 126, "neither an x86-64 ELF program nor a script");
    refused(&scratch, &[], &["./no-interpreter"], 127, "interpreter /no/such/interpreter does not exist");
    refused(&scratch, &[], &["./dos"], 127, "carriage return");
    refused(&scratch, &[], &["./blank"], 127, "names no interpreter");
    refused(&scratch, &[], &["./elf32"], 126, "32-bit program");
    refused(&scratch, &[], &["./arm"], 126, "64-bit ARM");
    refused(&scratch, &[], &["./object"], 126, "object file");
    refused(&scratch, &[], &["./nothing-behind-the-header"], 126, "nothing-behind-the-header");
    refused(&scratch, &[], &["./short-elf"], 126, "ends within its header");
    refused(&scratch, &[], &["/"], 126, "is a directory");
    refused(&scratch, &[], &["./dangling"], 127, "leads nowhere");
    refused(&scratch, &[], &["/dev/null"], 126, "not a regular file");
}

#[test]
fn wrong_options_are_explained() {
    let scratch = Scratch::new("bad-options");
    refused(&scratch, &["--memory", "lots"], &["true"], 125, "is not a size");
    refused(&scratch, &["--memory", "12Q"], &["true"], 125, "not a unit");
    refused(&scratch, &["--memory", "5"], &["true"], 125, "too little");
    refused(&scratch, &["--time-limit", "5 parsecs"], &["true"], 125, "not a unit of time");
    refused(&scratch, &["--cwd", "/no/such/place"], &["true"], 125, "--cwd /no/such/place");
    refused(&scratch, &["--env", "=x"], &["true"], 125, "name of the variable is empty");
    refused(&scratch, &["--env", "NO_SUCH_VARIABLE"], &["true"], 125, "no such variable");
    refused(&scratch, &["--date", "soon"], &["true"], 125, "not a date");
    refused(&scratch, &["--strace=/no/such/place/file"], &["true"], 125, "/no/such/place/file");
    refused(&scratch, &["--nonsense"], &["true"], 125, "--nonsense");
    refused(&scratch, &[], &[], 125, "PROGRAM");
}

#[test]
fn too_little_memory_is_a_clear_end() {
    let scratch = Scratch::new("bad-memory");
    // So little that the program itself does not fit: an error of execve(2), or death for want of memory.
    let outcome = in_jar(&scratch, &["--memory", "1M"], &["sh", "-c", "echo too much"]);
    assert!([126, 128 + 9, 127, 2, 0].contains(&outcome.status), "{outcome:?}");
    let outcome = in_jar(&scratch, &["--memory", "64M"], &["sh", "-c", "echo enough"]);
    assert_eq!((outcome.status, outcome.stdout.as_slice()), (0, b"enough\n".as_slice()));
}

#[test]
fn damaged_elf_files_do_what_they_do_natively() {
    let scratch = Scratch::new("bad-elf");
    let whole = std::fs::read("/bin/true").expect("there is /bin/true");
    let mut names = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| {
        scratch.write_program(name, bytes);
        names.push(name.to_string());
    };
    add("empty", b"");
    for length in [63, 64, 100, 600, 4096, whole.len() / 2, whole.len() - 100] {
        add(&format!("cut-{length}"), &whole[..length.min(whole.len())]);
    }
    let mut changed = |name: &str, at: usize, bytes: &[u8]| {
        let mut damaged = whole.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        add(name, &damaged);
    };
    changed("entry-nowhere", 24, &0x7fff_0000_0000_u64.to_le_bytes());
    changed("headers-behind-the-end", 32, &(1_u64 << 40).to_le_bytes());
    changed("headers-at-the-edge-of-numbers", 32, &u64::MAX.to_le_bytes());
    changed("no-headers", 56, &0_u16.to_le_bytes());
    changed("most-headers", 56, &u16::MAX.to_le_bytes());
    changed("header-size", 54, &7_u16.to_le_bytes());
    // The dash and its messages are the same both ways; what execve(2) says is in them.
    let script: String = names.iter().map(|name| format!("./{name} 2>&1; echo {name}: $?\n")).collect();
    same(scratch.path(), &[], &["sh", "-c", &script], b"");
}

/// A static ELF program of these segments (offset, address, bytes in the file, bytes in memory, flags); its code, at offset
/// 0x1000 of the file, exits with 42.
fn elf_with(segments: &[(u64, u64, u64, u64, u32)], entry: u64) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    file.extend(2_u16.to_le_bytes());
    file.extend(62_u16.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend(entry.to_le_bytes());
    file.extend(64_u64.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, segments.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for (offset, address, in_file, in_memory, flags) in segments {
        file.extend(1_u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [*offset, *address, *address, *in_file, *in_memory, 0x1000] {
            file.extend(word.to_le_bytes());
        }
    }
    file.resize(0x1000, 0);
    // mov eax, 60; mov edi, 42; syscall
    file.extend([0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05]);
    file.resize(0x3000, 0x90);
    file
}

#[test]
fn odd_segments_do_what_they_do_natively() {
    let scratch = Scratch::new("bad-segments");
    let code = (0x1000, 0x40_1000, 0x1000, 0x1000, 5);
    let entry = 0x40_1000;
    let cases: &[(&str, Vec<u8>)] = &[
        ("sound", elf_with(&[code], entry)),
        ("overlapping", elf_with(&[code, (0x1000, 0x40_1000, 0x1000, 0x1000, 5)], entry)),
        ("overlapped-by-zeroes", elf_with(&[code, (0x2000, 0x40_1000, 0, 0x1000, 6)], entry)),
        ("huge-in-memory", elf_with(&[code, (0x2000, 0x50_0000, 0x10, 1 << 45, 6)], entry)),
        ("huge-in-file", elf_with(&[code, (0x2000, 0x50_0000, 1 << 45, 1 << 45, 6)], entry)),
        ("beyond-user-space", elf_with(&[code, (0x2000, 0xffff_8000_0000_0000, 0x10, 0x10, 6)], entry)),
        ("wraps-around", elf_with(&[code, (0x2000, 0x7fff_ffff_f000, 0x10, u64::MAX - 0x1000, 6)], entry)),
        ("file-larger-than-memory", elf_with(&[(0x1000, 0x40_1000, 0x1000, 0x10, 5)], entry)),
        ("misaligned", elf_with(&[(0x1004, 0x40_1000, 0x100, 0x100, 5)], entry)),
        ("at-zero", elf_with(&[code, (0x2000, 0, 0x10, 0x10, 6)], entry)),
        ("not-executable", elf_with(&[(0x1000, 0x40_1000, 0x1000, 0x1000, 6)], entry)),
        ("behind-the-file", elf_with(&[code, (0x10_0000, 0x50_0000, 0x1000, 0x1000, 6)], entry)),
        ("offset-at-the-edge", elf_with(&[code, (u64::MAX - 0xfff, 0x50_0000, 0x10, 0x10, 6)], entry)),
        ("large-zeroes", elf_with(&[code, (0x2000, 0x50_0000, 0x10, 64 << 20, 6)], entry)),
        ("entry-outside", elf_with(&[code], 0x60_0000)),
        ("no-segments", elf_with(&[], entry)),
    ];
    for (name, bytes) in cases {
        scratch.write_program(name, bytes);
    }
    let script: String = cases.iter().map(|(name, _)| format!("./{name} 2>&1; echo {name}: $?\n")).collect();
    same(scratch.path(), &[], &["sh", "-c", &script], b"");
}

#[test]
fn scripts_with_odd_interpreters_do_what_they_do_natively() {
    let scratch = Scratch::new("bad-scripts");
    scratch.write_program("missing", "#!/no/such/interpreter -x\n");
    scratch.write_program("itself", format!("#!{}/itself\n", scratch.path().display()));
    scratch.write_program("directory", "#!/tmp\n");
    scratch.write_program("long", format!("#!/bin/sh -{}\n", "e".repeat(5000)));
    scratch.write_program("argument", "#!/bin/echo one two \nrest\n");
    scratch.write_program("none", "#!\necho run by the shell\n");
    scratch.write_program("text", "echo no first line\n");
    let script =
        "for f in missing itself directory long argument none text; do ./$f a 2>&1 | head -2; echo $f: $?; done";
    if has(&["dash"]) {
        same(scratch.path(), &[], &["dash", "-c", script], b"");
    }
}

#[test]
fn recursion_without_end_is_a_segmentation_fault() {
    let Some((_binaries, binary)) = compile("recursion") else { return };
    let scratch = Scratch::new("bad-recursion");
    let outcome = same(scratch.path(), &[], &["sh", "-c", &format!("{}; echo $?", path(&binary))], b"");
    assert_eq!(outcome.stdout, b"diving\n139\n");
}

#[test]
fn the_limit_of_processes_holds() {
    let Some((_binaries, binary)) = compile("process_limit") else { return };
    let scratch = Scratch::new("bad-limit");
    let outcome = in_jar(&scratch, &[], &[path(&binary)]);
    let expected = "stopped with Resource temporarily unavailable, all reaped: 1, at most the limit: 1\n";
    assert_eq!((String::from_utf8_lossy(&outcome.stdout).as_ref(), outcome.status), (expected, 0), "{outcome:?}");
}

#[test]
fn a_fork_bomb_in_little_memory_ends() {
    let scratch = Scratch::new("bad-bomb");
    let options = ["--memory", "64M", "--time-limit", "200ms"];
    let outcome = in_jar(&scratch, &options, &["sh", "-c", "bomb() { bomb | bomb & }; bomb; wait"]);
    assert_ne!(outcome.status, 125, "{outcome:?}");
    // The same with a program that touches what it gets.
    let outcome = in_jar(&scratch, &options, &["sh", "-c", "x=abcdefgh; while :; do x=$x$x; done"]);
    assert_ne!(outcome.status, 125, "{outcome:?}");
    assert_ne!(outcome.status, 0, "{outcome:?}");
}

#[test]
fn random_system_calls_do_not_reach_belljar() {
    let Some((_binaries, binary)) = compile("random_calls") else { return };
    let scratch = Scratch::new("bad-calls");
    scratch.write("precious", "must stay\n");
    for seed in ["1", "2", "3"] {
        let outcome = in_jar(&scratch, &["--memory", "256M"], &[path(&binary), "60", "300", seed]);
        assert_eq!(outcome.stdout, b"lived through 60 children\n", "seed {seed}: {outcome:?}");
    }
}

#[test]
fn random_code_does_not_reach_belljar() {
    let Some((_binaries, binary)) = compile("random_code") else { return };
    let scratch = Scratch::new("bad-code");
    scratch.write("precious", "must stay\n");
    for seed in ["1", "2", "3"] {
        let outcome = in_jar(&scratch, &["--memory", "256M"], &[path(&binary), "200", seed]);
        assert_eq!(outcome.stdout, b"lived through 200 children\n", "seed {seed}: {outcome:?}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("scratch paths are UTF-8")
}
