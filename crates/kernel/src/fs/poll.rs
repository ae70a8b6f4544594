//! Readiness, poll(2): one function per object says which events hold now and what will change them.

use crate::wait::Keys;

/// Which events hold for an open file, and the changes after which others may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// `POLLIN`, `POLLOUT`, `POLLHUP`, ... of [`abi::poll`].
    pub events: u32,
    /// What to sleep on.
    pub keys: Keys,
}

impl Readiness {
    /// Always ready for `events`: regular files and the like.
    pub fn always(events: u32) -> Readiness {
        Readiness { events, keys: Keys::None }
    }

    /// Ready for `events` now; `keys` tell of changes.
    pub fn new(events: u32, keys: impl Into<Keys>) -> Readiness {
        Readiness { events, keys: keys.into() }
    }
}
