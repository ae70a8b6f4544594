//! Terminals: the line discipline, pseudo-terminals, the console, job control, tty_ioctl(4) and pty(7).
//!
//! ```text
//! master, or the host's keyboard -> typed -> LineDiscipline -> read(2) of the program
//!                                            | echo, signals
//! master, or the host's screen   <- screen <- OPOST         <- write(2) of the program
//! ```
//!
//! [`discipline`] and [`output`] are N_TTY, [`Terminal`] joins them with the other end. [`jobs`] knows sessions and the
//! foreground group, [`transfer`] the calls that move bytes and wait, [`control`] the requests of ioctl(2), [`device`]
//! opening and closing, [`console`] the terminal that is the host's.

pub mod console;
pub mod control;
pub mod device;
pub mod discipline;
pub mod jobs;
pub mod output;
mod terminal;
pub mod transfer;

pub use console::{console_flush, console_input, console_resized, console_room};
pub use terminal::{MasterChunk, Pty, QUEUE_CAPACITY, Terminal, TerminalKind, Typed};

use crate::fs::Node;
use crate::fs::signal_driven::{self, News, Source};
use crate::kernel::Kernel;
use crate::table::{Id, Table};
use crate::wait::WaitKey;
use std::collections::BTreeMap;

/// All terminals.
///
/// # Invariants
/// - `names` has the console and every pseudo-terminal whose master is open, by number;
/// - a terminal without master and without open descriptions is gone, but for the console.
#[derive(Debug, Default)]
pub struct Terminals {
    /// The terminals.
    pub table: Table<Terminal>,
    /// The host's.
    pub console: Option<Id<Terminal>>,
    /// Names in `/dev/pts`.
    names: BTreeMap<u32, (Id<Terminal>, Id<Node>)>,
    /// Terminals whose master was closed: their sessions are still to be told, at the end of the present call.
    closing: Vec<Id<Terminal>>,
    /// The foreground groups of sessions at the time when they lost their terminals: they hear of the leader's end, Linux
    /// `tty_old_pgrp`.
    lost_groups: BTreeMap<i32, i32>,
}

impl Terminals {
    /// The terminal with a number in `/dev/pts`.
    pub fn by_number(&self, number: u32) -> Option<Id<Terminal>> {
        self.names.get(&number).map(|(terminal, _)| *terminal)
    }

    /// How many pseudo-terminals there are: `/proc/sys/kernel/pty/nr`.
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

/// What of a terminal others may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Situation {
    input: usize,
    has_input: bool,
    screen: usize,
    status: u8,
    is_writable: bool,
    typing_room: usize,
}

impl Situation {
    fn of(terminal: &Terminal) -> Situation {
        Situation {
            input: terminal.discipline.readable_bytes(),
            has_input: terminal.discipline.has_input(1),
            screen: terminal.screen_bytes(),
            status: terminal.as_pty().map_or(0, |pty| pty.status),
            is_writable: terminal.is_writable(),
            typing_room: terminal.typing_room(),
        }
    }
}

impl Kernel {
    /// Changes a terminal and wakes those who can go on because of it.
    fn change_terminal<T>(&mut self, id: Id<Terminal>, change: impl FnOnce(&mut Terminal) -> T) -> T {
        let terminal = &mut self.terminals.table[id];
        let before = Situation::of(terminal);
        let result = change(terminal);
        let after = Situation::of(terminal);
        if after.input > before.input || after.has_input && !before.has_input {
            self.wake(WaitKey::TerminalReadable(id));
            signal_driven::tell(self, Source::Terminal(id), News::Readable);
        }
        if after.screen > before.screen {
            signal_driven::tell(self, Source::Master(id), News::Readable);
        }
        if after.screen > before.screen || after.status & !before.status != 0 {
            self.wake(WaitKey::MasterReadable(id));
        }
        if after.is_writable && (!before.is_writable || after.screen < before.screen) {
            self.wake(WaitKey::TerminalWritable(id));
        }
        if after.is_writable && !before.is_writable {
            signal_driven::tell(self, Source::Terminal(id), News::Writable);
        }
        if after.typing_room > before.typing_room {
            self.wake(WaitKey::MasterWritable(id));
        }
        result
    }

    /// Wakes everybody who waits for a terminal: all has changed.
    fn wake_all_of_terminal(&mut self, id: Id<Terminal>) {
        for key in [
            WaitKey::TerminalReadable(id),
            WaitKey::TerminalWritable(id),
            WaitKey::MasterReadable(id),
            WaitKey::MasterWritable(id),
        ] {
            self.wake(key);
        }
    }
}
