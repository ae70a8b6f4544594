//! Communication between processes: objects that move bytes and know nothing of threads, sleeping or signals.

pub(crate) mod calls;
pub mod eventfd;
pub mod fifo;
pub mod line;
pub mod namespace;
pub mod pipe;
pub mod posix;
pub mod sysv;

use crate::entry::Call;

/// A write found nobody who could read: the thread gets SIGPIPE, signal(7), and the caller answers `EPIPE`.
pub(crate) fn broken_pipe(call: &mut Call) {
    crate::signal::raise_pipe(call);
}
