//! Running programs, execve(2). Linux fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c.
//!
//! [`program`] finds the file and its format (scripts lead to their interpreter), [`elf`] reads headers, [`load`] builds
//! an address space beside the old one, [`stack`] lays out the first stack. Only then the process changes ([`commit`]):
//! what can be refused is refused before. An ELF file that turns out to be impossible while it is loaded kills the process,
//! as on Linux, where the old program is gone by then.

mod commit;
mod elf;
mod load;
mod program;
mod stack;
mod strings;

use crate::entry::Call;
use crate::fs::Fd;
use crate::process::exit;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserCStr;
use abi::fcntl::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
use abi::signal::SIGSEGV;
use abi::{Errno, Error};
pub(crate) use commit::NAME_LENGTH;
use program::Program;
pub(crate) use strings::Strings;

/// execve(2).
pub fn execve(call: &mut Call, path: UserCStr, arguments: u64, environment: u64) -> SysResult {
    execveat(call, Fd::WORKING_DIRECTORY, path, arguments, environment, 0)
}

/// execveat(2).
pub fn execveat(
    call: &mut Call,
    directory: Fd,
    path: UserCStr,
    arguments: u64,
    environment: u64,
    flags: u32,
) -> SysResult {
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags"));
    }
    let path = call.read_path(path)?;
    let program = Program::open(call, directory, &path, flags)?;
    let strings = Strings::read(call, program.name(), arguments, environment);
    let strings = match strings {
        Ok(strings) => strings,
        Err(error) => {
            program.close(call);
            return Err(error);
        }
    };
    execute(call, program, strings)
}

/// Runs a program in the calling process. Takes over the open program.
///
/// # Errors
/// Those of execve(2); the process is as it was.
pub(crate) fn execute(call: &mut Call, program: Program, mut strings: Strings) -> SysResult {
    let program = program.follow_scripts(call, &mut strings)?;
    let files = match load::open(call, program) {
        Ok(files) => files,
        Err((program, error)) => {
            program.close(call);
            return Err(error);
        }
    };
    match load::build(call, &files, &strings) {
        Ok(built) => {
            commit::replace(call, files, built, strings);
            Ok(Flow::Replaced)
        }
        Err(_) => {
            // Linux is past its point of no return here: the old program is gone, and the new one impossible.
            files.close(call);
            exit::kill(call, SIGSEGV);
            Ok(Flow::Ended)
        }
    }
}

/// [`execute`] for the first program, whose failures have nobody but belljar's user to be told to.
///
/// # Errors
/// Those of execve(2), and `ENOEXEC` for an ELF file that cannot be loaded.
pub(crate) fn execute_first(
    call: &mut Call,
    path: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Result<(), Error> {
    let program = Program::open(call, Fd::WORKING_DIRECTORY, path, 0)?;
    let mut strings = Strings::given(program.name(), arguments, environment);
    let program = program.follow_scripts(call, &mut strings)?;
    let files = match load::open(call, program) {
        Ok(files) => files,
        Err((program, error)) => {
            program.close(call);
            return Err(error);
        }
    };
    match load::build(call, &files, &strings) {
        Ok(built) => {
            commit::replace(call, files, built, strings);
            Ok(())
        }
        Err(error) => {
            files.close(call);
            Err(error)
        }
    }
}
