//! Futexes, futex(2), futex(7): sleeping on a word of memory, and waking who sleeps there.
//!
//! Sleepers are listed under a [`Key`] that says which word it is, whatever address each process maps it at. A waker marks
//! the sleeper's operation as woken, so that a wake is never lost and never counted twice.

pub mod calls;
mod key;
mod pi;
pub(crate) mod robust;
mod wait;
mod waitv;
mod wake;

pub use key::Key;
pub use pi::LockPi;
pub(crate) use pi::waiters_for;
pub use wait::FutexWait;
pub use waitv::FutexWaitMany;
pub(crate) use wake::wake_one;
