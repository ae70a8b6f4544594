//! The guest's end of the host's terminal: keys go in through the console's line discipline, signals to its foreground.

use kernel::Kernel;
use kernel::ports::Chooser;

/// Whether a thread sleeps until something is typed.
pub fn is_awaited(_kernel: &Kernel) -> bool {
    false
}

/// Gives bytes to the console as its keyboard would.
pub fn type_in(_kernel: &mut Kernel, _chooser: &mut dyn Chooser, _bytes: &[u8]) {}

/// The terminal is gone: SIGHUP, and the end of the file for readers.
pub fn hang_up(_kernel: &mut Kernel, _chooser: &mut dyn Chooser) {}

/// The window has another size.
pub fn resize(_kernel: &mut Kernel, _chooser: &mut dyn Chooser, _rows: u16, _columns: u16) {}

/// The process group in the foreground of the console.
pub fn foreground(_kernel: &Kernel) -> Option<i32> {
    None
}
