//! The guest's end of the host's terminal: keys go in through the console's line discipline, signals to its foreground.

use kernel::fs::tty::{self, console};
use kernel::ports::{Chooser, Outside};
use kernel::{Kernel, WaitKey};

/// Whether a thread sleeps until something is typed: it reads the console, or its output is held by Ctrl-S.
pub fn is_awaited(kernel: &Kernel) -> bool {
    kernel.terminals.console.is_some_and(|console| {
        kernel.waits.any(WaitKey::TerminalReadable(console)) || kernel.waits.any(WaitKey::TerminalWritable(console))
    })
}

/// Gives bytes to the console as its keyboard would.
pub fn type_in(kernel: &mut Kernel, outside: &mut dyn Outside, chooser: &mut dyn Chooser, bytes: &[u8]) {
    tty::console_input(kernel, outside, chooser, bytes);
}

/// Shows what a signal of the host kept from being shown.
pub fn flush(kernel: &mut Kernel, outside: &mut dyn Outside) {
    tty::console_flush(kernel, outside);
}

/// The terminal is gone: SIGHUP, and the end of the file for readers.
pub fn hang_up(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    console::console_hung_up(kernel, chooser);
}

/// The window has another size.
pub fn resize(kernel: &mut Kernel, chooser: &mut dyn Chooser, rows: u16, columns: u16) {
    tty::console_resized(kernel, chooser, rows, columns);
}

/// The process group in the foreground of the console.
pub fn foreground(kernel: &Kernel) -> Option<i32> {
    kernel.terminals.table[kernel.terminals.console?].foreground
}
