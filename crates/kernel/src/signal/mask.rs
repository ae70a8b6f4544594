//! Masks: which signals a thread puts off, sigprocmask(2).

use super::{SignalSet, UNBLOCKABLE};
use crate::entry::Call;
use crate::user::UserPtr;
use abi::{Errno, Error};

/// The size of the kernel's `sigset_t` in bytes, which callers have to name.
pub const SIGNAL_SET_SIZE: u64 = 8;

/// Checks a `sigsetsize` argument.
///
/// # Errors
/// `EINVAL` if it is not 8.
pub fn check_size(size: u64) -> Result<(), Error> {
    if size == SIGNAL_SET_SIZE { Ok(()) } else { Err(Errno::EINVAL.because("`sigsetsize` is not 8")) }
}

/// Reads a set from the guest, without the signals that nobody can block.
///
/// # Errors
/// `EFAULT` if it may not be read.
pub fn read(call: &mut Call, from: UserPtr<u64>) -> Result<SignalSet, Error> {
    Ok(SignalSet(call.read(from)?).without(UNBLOCKABLE))
}

/// Sets the calling thread's mask. A signal pending for the process that it blocks now is another thread's to take.
pub fn set(call: &mut Call, mask: SignalSet) {
    let newly_blocked = mask.without(call.current().signals.blocked);
    call.current().signals.blocked = mask.without(UNBLOCKABLE);
    let process = call.process_id();
    let pending = call.kernel.processes[process].signals.set();
    let left = SignalSet(pending.0 & newly_blocked.0);
    if !left.is_empty() && call.kernel.processes[process].threads.len() > 1 {
        super::send::retarget(call.kernel, call.chooser, process, left);
    }
}

/// Replaces the mask for the duration of a call that takes one: ppoll(2), pselect(2), epoll_pwait(2). The operation calls
/// [`leave`] from its `release`; so does a handler that fails after this. Null pointers change nothing.
///
/// # Errors
/// `EINVAL` for a wrong size, `EFAULT` for a set that may not be read.
pub fn enter(call: &mut Call, from: UserPtr<u64>, size: u64) -> Result<(), Error> {
    if from.is_null() {
        return Ok(());
    }
    check_size(size)?;
    let mask = read(call, from)?;
    enter_with(call, mask);
    Ok(())
}

/// [`enter`] with a set that is known already.
pub fn enter_with(call: &mut Call, mask: SignalSet) {
    let signals = &mut call.current().signals;
    signals.saved = Some(signals.blocked);
    set(call, mask);
}

/// Puts back the mask that [`enter`] replaced, if it did.
pub fn leave(call: &mut Call) {
    if let Some(saved) = call.current().signals.saved.take() {
        set(call, saved);
    }
}
