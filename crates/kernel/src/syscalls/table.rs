//! The table of system calls: number, name, typed arguments, handler, support, man page, test.
//!
//! ```text
//! 1 write(fd: Fd, buffer: UserSlice) => fs::calls::write, full, "write(2)", "fs/read_write.c";
//! ```
//!
//! A `UserSlice` decodes from two registers. Support is `full` or `partial "what is missing"`. The test is a guest program
//! under `tests/guest`. What has no row answers `ENOSYS` and is reported as unsupported.

use super::argument::{Argument, Peek};
use super::operation::SysResult;
use crate::entry::Call;
use crate::event::Event;
use abi::Errno;

/// How much of a call there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// All of it.
    Full,
    /// Not this.
    Partial(&'static str),
}

/// What the table says of a call, for documentation and reports.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in rax.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// Names of its arguments.
    pub arguments: &'static [&'static str],
    /// How much of it there is.
    pub support: Support,
    /// The man page that it implements.
    pub manual: &'static str,
    /// A guest program that tests it, relative to `tests/guest`.
    pub test: &'static str,
}

macro_rules! support {
    (full) => {
        Support::Full
    };
    (partial $missing:literal) => {
        Support::Partial($missing)
    };
}

macro_rules! syscalls {
    ($($number:literal $name:ident($($argument:ident: $type:ty),*) => $handler:path,
       $level:ident $($missing:literal)?, $manual:literal, $test:literal;)*) => {
        /// Serves a call.
        #[allow(unused_mut, unused_variables)]
        pub(crate) fn dispatch(call: &mut Call, number: u64, registers: [u64; 6]) -> SysResult {
            let mut registers = registers.iter();
            match number {
                $($number => {
                    $(let $argument = <$type as Argument>::decode(&mut registers);)*
                    $handler(call, $($argument),*)
                })*
                _ => {
                    call.kernel.emit(Event::Unsupported { number, what: "" });
                    Err(Errno::ENOSYS.because("this kernel has no such system call"))
                }
            }
        }

        /// All rows, in the order of the table.
        pub const ROWS: &[Row] = &[
            $(Row {
                number: $number,
                name: stringify!($name),
                arguments: &[$(stringify!($argument)),*],
                support: support!($level $($missing)?),
                manual: $manual,
                test: $test,
            },)*
        ];

        /// A call as strace shows it: its name and arguments.
        #[allow(unused_mut, unused_variables)]
        pub fn show(number: u64, registers: [u64; 6], peek: Peek<'_>) -> String {
            let mut registers = registers.iter();
            match number {
                $($number => {
                    let arguments: &[String] = &[$(<$type as Argument>::decode(&mut registers).show(peek)),*];
                    format!("{}({})", stringify!($name), arguments.join(", "))
                })*
                _ => match abi::syscall_names::name(number) {
                    Some(name) => format!("{name}()"),
                    None => format!("syscall_{number}()"),
                },
            }
        }
    };
}

syscalls! {
    // files: descriptors and bytes

    // files: names

    // devices and terminals

    // pipes, readiness, event descriptors

    // memory

    // processes and threads

    // signals
    34 pause() => super::operation::pause, full, "pause(2)", "signal/pause.c";

    // futexes

    // scheduling

    // identity and limits

    // time

    // System V and POSIX IPC

    // sockets

    // the machine
}
