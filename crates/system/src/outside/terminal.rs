//! The host's terminal, if standard input is one: raw while the guest reads it, so that the guest's own line discipline
//! sees every key; restored whenever belljar ends, panics or is stopped.

use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::sync::{Mutex, PoisonError};

/// The settings to go back to while the terminal is raw. Global, as the terminal is: a panic has to find them.
static COOKED: Mutex<Option<Termios>> = Mutex::new(None);

/// Makes the terminal behind standard input raw, if it is one and is not raw already. Does nothing otherwise.
pub fn make_raw() {
    let mut cooked = COOKED.lock().unwrap_or_else(PoisonError::into_inner);
    if cooked.is_some() {
        return;
    }
    if let Ok(settings) = tcgetattr(stdin()) {
        let mut raw = settings.clone();
        raw.make_raw();
        if tcsetattr(stdin(), OptionalActions::Drain, &raw).is_ok() {
            *cooked = Some(settings);
        }
    }
}

/// Gives the terminal its settings back.
pub fn restore() {
    let mut cooked = COOKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(settings) = cooked.take() {
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &settings);
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
