//! Readiness: poll(2), select(2). One function per object says which events hold now and what will change them; here they
//! are asked ([`readiness`]) and waited for.

mod operation;
mod readiness;
mod select;
mod timeout;

pub use operation::Poll;
pub(crate) use operation::{poll, ppoll};
pub use readiness::readiness;
pub use select::Select;
pub(crate) use select::{pselect6, select};
pub use timeout::Timeout;

use crate::wait::Keys;
use abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

/// Which events hold for an open file, and the changes after which others may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// `POLLIN`, `POLLOUT`, `POLLHUP`, ... of [`abi::poll`].
    pub events: u32,
    /// What to sleep on.
    pub keys: Keys,
    /// Whether the file has no notion of readiness: always ready, and not for epoll(7).
    pub is_constant: bool,
}

/// What holds for files that have no notion of readiness: `DEFAULT_POLLMASK` of Linux's include/linux/poll.h.
pub const ALWAYS: u32 = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

impl Readiness {
    /// Always ready for `events`: regular files and the like, which epoll(7) refuses.
    pub fn always(events: u32) -> Readiness {
        Readiness { events, keys: Keys::None, is_constant: true }
    }

    /// Ready for `events` now; `keys` tell of changes.
    pub fn new(events: u32, keys: impl Into<Keys>) -> Readiness {
        Readiness { events, keys: keys.into(), is_constant: false }
    }
}
