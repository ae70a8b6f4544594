//! Finds the program to run, as a shell does, and says what is wrong with it before a machine is built.

use crate::failure::Failure;
use rustix::fs::Access;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Where programs are looked for if the environment does not say: `_PATH_STDPATH` of the C library.
const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that can be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Absolute path.
    pub path: Vec<u8>,
    /// Arguments to put before those of the user, beginning with the zeroth.
    pub arguments: Vec<Vec<u8>>,
}

/// Finds `name`: a path relative to `directory` if it contains a slash, else a file in one of the directories of `path`.
///
/// # Errors
/// Clear to a user: nothing found (status 127), or found and not executable (status 126).
pub fn find(name: &OsStr, path: Option<&OsStr>, directory: &Path) -> Result<Program, Failure> {
    if name.is_empty() {
        return Err(Failure::not_found("the name of the program is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        return check(&directory.join(name), name);
    }
    let path = path.unwrap_or(OsStr::new(STANDARD_PATH));
    let mut refused = None;
    for candidate in std::env::split_paths(path).map(|place| directory.join(place).join(name)) {
        match check(&candidate, name) {
            Ok(program) => return Ok(program),
            // Found but of no use: like execvp(3), look on and remember.
            Err(failure) if failure.status == Failure::CANNOT_EXECUTE && refused.is_none() => refused = Some(failure),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| {
        let mut message = format!("{}: no such program in PATH ({})", name.display(), path.display());
        if directory.join(name).is_file() {
            message.push_str(&format!("\nhelp: there is a file of this name here; write ./{}", name.display()));
        }
        Failure::not_found(&message)
    }))
}

/// Looks at a file: is it something that execve(2) would take?
fn check(path: &Path, name: &OsStr) -> Result<Program, Failure> {
    let absolute = absolute(path);
    let shown = OsStr::from_bytes(&absolute).display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let dangling = std::fs::symlink_metadata(path).is_ok();
            let what = if dangling { "a symbolic link that leads nowhere" } else { "no such file" };
            return Err(Failure::not_found(&format!("{shown}: {what}")));
        }
        Err(error) => return Err(Failure::cannot_execute(&format!("{shown}: {error}"))),
    };
    if metadata.is_dir() {
        return Err(Failure::cannot_execute(&format!("{shown}: is a directory")));
    }
    if !metadata.is_file() {
        return Err(Failure::cannot_execute(&format!("{shown}: is not a regular file")));
    }
    if rustix::fs::access(path, Access::EXEC_OK).is_err() {
        return Err(Failure::cannot_execute(&format!(
            "{shown}: is not executable\nhelp: chmod +x {shown}, or name its interpreter: belljar run -- sh {shown}"
        )));
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(256).read_to_end(&mut head))
        .map_err(|error| Failure::cannot_execute(&format!("{shown}: {error}")))?;
    let plain = Program { path: absolute.clone(), arguments: vec![name.as_bytes().to_vec()] };
    if head.starts_with(b"\x7fELF") {
        check_elf(&head).map_err(|what| Failure::cannot_execute(&format!("{shown}: {what}")))?;
        return Ok(plain);
    }
    if head.starts_with(b"#!") {
        check_interpreter(&head).map_err(|what| Failure::not_found(&format!("{shown}: {what}")))?;
        return Ok(plain);
    }
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first_line.contains(&0) {
        return Err(Failure::cannot_execute(&format!("{shown}: is neither an x86-64 ELF program nor a script")));
    }
    // execvp(3): a text without `#!` is for the shell.
    Ok(Program { path: b"/bin/sh".to_vec(), arguments: vec![b"sh".to_vec(), absolute] })
}

/// What is wrong with the header of an ELF file, elf(5).
fn check_elf(head: &[u8]) -> Result<(), String> {
    let half = |at: usize| head.get(at..at + 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let (Some(class), Some(data)) = (head.get(4), head.get(5)) else {
        return Err("is an ELF file that ends within its header".to_string());
    };
    match (class, data) {
        (1, _) => return Err("is a 32-bit program; belljar runs 64-bit x86 programs only".to_string()),
        (2, 1) => {}
        (2, 2) => return Err("is a big-endian program; belljar runs x86-64 programs only".to_string()),
        _ => return Err("is an ELF file of unknown class".to_string()),
    }
    let (Some(kind), Some(machine)) = (half(16), half(18)) else {
        return Err("is an ELF file that ends within its header".to_string());
    };
    if machine != 62 {
        let name = match machine {
            183 => "64-bit ARM".to_string(),
            243 => "RISC-V".to_string(),
            21 => "64-bit PowerPC".to_string(),
            22 => "S/390".to_string(),
            258 => "LoongArch".to_string(),
            other => format!("machine number {other}"),
        };
        return Err(format!("is a program for {name}; belljar runs x86-64 programs only"));
    }
    match kind {
        2 | 3 => Ok(()),
        1 => Err("is an object file, not a program; link it first".to_string()),
        4 => Err("is a core dump, not a program".to_string()),
        other => Err(format!("is an ELF file of type {other}, not a program")),
    }
}

/// Whether the interpreter that a script names exists.
fn check_interpreter(head: &[u8]) -> Result<(), String> {
    let line = head[2..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next() else {
        return Err("is a script that names no interpreter behind `#!`".to_string());
    };
    let path = PathBuf::from(OsString::from_vec(interpreter.to_vec()));
    match std::fs::metadata(&path) {
        Ok(_) => Ok(()),
        Err(_) if interpreter.ends_with(b"\r") => {
            Err("its first line ends with a carriage return; convert the script to Unix line ends".to_string())
        }
        Err(_) => Err(format!("its interpreter {} does not exist", path.display())),
    }
}

/// The path without `.` and double slashes; symbolic links and `..` stay as they are.
fn absolute(path: &Path) -> Vec<u8> {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).into_os_string().into_vec()
}
