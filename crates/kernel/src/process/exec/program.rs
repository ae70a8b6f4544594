//! The file to run: found, checked, and if it is a script, left for its interpreter.

use super::Strings;
use crate::entry::Call;
use crate::fs::path::{Follow, Place};
use crate::fs::permission::EXECUTE;
use crate::fs::{self, Fd, Node};
use crate::process::image;
use crate::table::Id;
use abi::fcntl::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
use abi::{Errno, Error};

/// Bytes at the beginning of a file that say what it is, Linux `BINPRM_BUF_SIZE`.
const BEGINNING: usize = 256;
/// Scripts that may lead to one another, Linux `exec_binprm`.
const DEEPEST: usize = 5;

/// A file to run, kept from being written.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its name in the tree.
    pub(super) node: Id<Node>,
    /// How it was asked for.
    name: Vec<u8>,
    /// The name is below a descriptor that execve(2) closes, so that no interpreter could open it.
    is_inaccessible: bool,
}

impl Program {
    /// Finds a program and checks that it may be run. Linux `do_open_execat`.
    ///
    /// # Errors
    /// Those of path resolution; `EACCES` if it is no regular file or may not be executed, `ETXTBSY` if it is open for
    /// writing, `ELOOP` for a symbolic link with `AT_SYMLINK_NOFOLLOW`.
    pub(super) fn open(call: &mut Call, base: Fd, path: &[u8], flags: u32) -> Result<Program, Error> {
        let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
        let place = if path.is_empty() && flags & AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT.because("the path is empty"));
        } else {
            fs::path::resolve_or_base(call, base, path, follow)?
        };
        let Place::Node(node) = place else {
            return Err(Errno::EACCES.because("only regular files can be run"));
        };
        check(call, node)?;
        image::hold(call.kernel, node);
        let mut is_inaccessible = false;
        let name = if path.first() == Some(&b'/') || base == Fd::WORKING_DIRECTORY {
            path.to_vec()
        } else {
            // execveat(2): what scripts and AT_EXECFN see.
            is_inaccessible = call.fd_entry(base).is_ok_and(|entry| entry.close_on_exec);
            let mut name = format!("/dev/fd/{}", base.0).into_bytes();
            if !path.is_empty() {
                name.push(b'/');
                name.extend_from_slice(path);
            }
            name
        };
        Ok(Program { node, name, is_inaccessible })
    }

    /// How it was asked for.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Gives it up.
    pub(super) fn close(self, call: &mut Call) {
        image::release(call.kernel, self.node);
    }

    /// The program itself, or if it is a script, the interpreter at the end of the chain, with the arguments changed.
    ///
    /// # Errors
    /// `ENOEXEC`, `ELOOP`, or those of opening an interpreter. The program is closed then.
    pub(super) fn follow_scripts(self, call: &mut Call, strings: &mut Strings) -> Result<Program, Error> {
        let mut program = self;
        for _ in 0..=DEEPEST {
            match program.interpreter(call, strings) {
                Ok(None) => return Ok(program),
                Ok(Some(interpreter)) => {
                    program.close(call);
                    program = interpreter;
                }
                Err(error) => {
                    program.close(call);
                    return Err(error);
                }
            }
        }
        program.close(call);
        Err(Errno::ELOOP.because("scripts lead to scripts as interpreters too often"))
    }

    fn interpreter(&self, call: &mut Call, strings: &mut Strings) -> Result<Option<Program>, Error> {
        let mut beginning = [0; BEGINNING];
        let inode = call.kernel.vfs.nodes[self.node].inode;
        fs::file::read_at(call, inode, 0, &mut beginning)?;
        if !beginning.starts_with(b"#!") {
            return Ok(None);
        }
        let (interpreter, optional) = parse(&beginning)?;
        if self.is_inaccessible {
            return Err(Errno::ENOENT.because("the script's descriptor is closed before its interpreter could read it"));
        }
        strings.prepend(interpreter.clone(), optional, self.name.clone())?;
        Program::open(call, Fd::WORKING_DIRECTORY, &interpreter, 0).map(Some)
    }
}

fn check(call: &mut Call, node: Id<Node>) -> Result<(), Error> {
    let inode = call.kernel.inode(node);
    if inode.is_symlink() {
        return Err(Errno::ELOOP.because("the file is a symbolic link, and `AT_SYMLINK_NOFOLLOW` is set"));
    }
    if !inode.is_regular() {
        return Err(Errno::EACCES.because("only regular files can be run"));
    }
    call.subject().check(inode, EXECUTE)?;
    if inode.writers > 0 {
        return Err(Errno::ETXTBSY.because("the file is open for writing"));
    }
    Ok(())
}

/// The interpreter and the optional argument in a script's first line. Linux `load_script`.
///
/// # Errors
/// `ENOEXEC` if there is no name, or it does not fit.
fn parse(beginning: &[u8; BEGINNING]) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let no_name = Errno::ENOEXEC.because("the script's first line names no interpreter");
    // The last byte is not looked at: Linux keeps room for a zero byte.
    let line = &beginning[2..BEGINNING - 1];
    let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut line = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => &text[..end],
        None => {
            // The line is cut off: an argument may be, the interpreter may not.
            let name_at = line.iter().position(|byte| !is_blank(byte)).ok_or(no_name)?;
            let is_whole = line[name_at..].iter().any(|byte| is_blank(byte) || *byte == 0);
            if !is_whole {
                return Err(Errno::ENOEXEC.because("the interpreter's name does not fit into the script's first line"));
            }
            text
        }
    };
    while let [rest @ .., last] = line
        && is_blank(last)
    {
        line = rest;
    }
    let name_at = line.iter().position(|byte| !is_blank(byte)).ok_or(no_name)?;
    let line = &line[name_at..];
    let name_end = line.iter().position(is_blank).unwrap_or(line.len());
    let argument = line[name_end..].iter().position(|byte| !is_blank(byte)).map(|at| line[name_end + at..].to_vec());
    Ok((line[..name_end].to_vec(), argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let mut beginning = [0; BEGINNING];
        let length = text.len().min(BEGINNING);
        beginning[..length].copy_from_slice(&text[..length]);
        parse(&beginning).ok()
    }

    #[test]
    fn everything_behind_the_interpreter_is_one_argument() {
        assert_eq!(parsed(b"#!/bin/sh\n"), Some((b"/bin/sh".to_vec(), None)));
        let two = Some((b"/usr/bin/env".to_vec(), Some(b"a  b".to_vec())));
        assert_eq!(parsed(b"#! \t/usr/bin/env  a  b \t\nrest"), two);
        assert_eq!(parsed(b"#!/bin/sh -e"), Some((b"/bin/sh".to_vec(), Some(b"-e".to_vec()))));
    }

    #[test]
    fn a_line_without_a_whole_name_is_refused() {
        assert_eq!(parsed(b"#!\n"), None);
        assert_eq!(parsed(b"#!   \t \n"), None);
        let mut long = b"#!/".to_vec();
        long.resize(400, b'x');
        assert_eq!(parsed(&long), None);
        let mut cut = b"#!/bin/sh ".to_vec();
        cut.resize(400, b'x');
        assert_eq!(parsed(&cut).map(|(name, _)| name), Some(b"/bin/sh".to_vec()));
    }
}
