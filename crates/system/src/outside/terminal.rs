//! The host's terminal, if a standard stream is one: raw while belljar runs in its foreground, so that the guest's own
//! line discipline sees every key and its output arrives as it is; restored whenever belljar ends, panics or is stopped.

use rustix::fd::BorrowedFd;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// The settings to go back to while the terminal is raw. Global, as the terminal is: a panic has to find them.
static COOKED: Mutex<Option<Termios>> = Mutex::new(None);

/// The first standard stream that is a terminal: keys are read there.
pub fn file() -> Option<BorrowedFd<'static>> {
    [stdin(), stdout(), stderr()].into_iter().find(|stream| isatty(stream))
}

/// Makes the terminal raw if belljar is in its foreground. In the background it is left alone until it is read; then the
/// host stops belljar, like any other program.
pub fn take() {
    let Some(file) = file() else { return };
    if tcgetpgrp(file).is_ok_and(|group| group == rustix::process::getpgrp()) {
        make_raw();
    }
}

/// Makes the terminal raw, if there is one and it is not raw already. Does nothing otherwise.
pub fn make_raw() {
    let Some(file) = file() else { return };
    let mut cooked = COOKED.lock().unwrap_or_else(PoisonError::into_inner);
    if cooked.is_some() {
        return;
    }
    if let Ok(settings) = tcgetattr(file) {
        let mut raw = settings.clone();
        raw.make_raw();
        if tcsetattr(file, OptionalActions::Drain, &raw).is_ok() {
            *cooked = Some(settings);
        }
    }
}

/// Gives the terminal its settings back.
pub fn restore() {
    let mut cooked = COOKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(settings) = cooked.take()
        && let Some(file) = file()
    {
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(file, OptionalActions::Drain, &settings);
    }
}

/// Whether the terminal is raw now.
pub fn is_raw() -> bool {
    COOKED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Rows and columns of the first standard stream that is a terminal.
pub fn window_size() -> Option<(u16, u16)> {
    [stdin(), stdout(), stderr()].into_iter().find_map(|stream| {
        let size = tcgetwinsize(stream).ok()?;
        (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
    })
}

/// Standard error for belljar's own messages: while the terminal is raw, lines end with a carriage return, too.
#[derive(Debug, Default)]
pub struct Messages;

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !is_raw() || !isatty(stderr()) {
            return io::stderr().write(bytes);
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    io::stderr().write_all(text)?;
                    io::stderr().write_all(b"\r\n")?;
                }
                None => io::stderr().write_all(line)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
