//! Counters with a descriptor, eventfd(2).

use crate::entry::Call;
use crate::fs::Transfer;
use crate::fs::poll::Readiness;
use crate::kernel::Kernel;
use crate::table::Id;
use crate::user::UserBuffer;
use crate::wait::WaitKey;
use abi::poll::{POLLERR, POLLIN, POLLOUT};
use abi::{Errno, Error};

/// How a read takes from the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All of it.
    All,
    /// One: `EFD_SEMAPHORE`.
    One,
}

/// A counter from 0 to 2^64 - 2; 2^64 - 1 is an overflow that only the kernel itself could cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFd {
    /// Its value.
    pub count: u64,
    /// What a read takes.
    pub reading: Reading,
}

impl EventFd {
    /// Takes what a read gets; `None` if the counter is 0.
    fn take(&mut self) -> Option<u64> {
        let taken = match self.reading {
            _ if self.count == 0 => return None,
            Reading::All => self.count,
            Reading::One => 1,
        };
        self.count -= taken;
        Some(taken)
    }

    /// Adds; `false` if the sum would be 2^64 - 1 or more.
    fn add(&mut self, value: u64) -> bool {
        match self.count.checked_add(value) {
            Some(sum) if sum < u64::MAX => {
                self.count = sum;
                true
            }
            _ => false,
        }
    }
}

/// Reads the counter into 8 bytes.
///
/// # Errors
/// `EINVAL` if there are fewer, `EFAULT`; the counter keeps its value.
pub fn read(call: &mut Call, id: Id<EventFd>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if to.remaining() < 8 {
        return Err(Errno::EINVAL.because("an eventfd is read in 8 bytes"));
    }
    let before = call.kernel.event_fds[id].clone();
    let Some(taken) = call.kernel.event_fds[id].take() else {
        return Ok(Transfer::WouldBlock(WaitKey::EventFdReadable(id).into()));
    };
    if let Err(error) = call.scatter(to, &taken.to_le_bytes()) {
        call.kernel.event_fds[id] = before;
        return Err(error);
    }
    to.advance(8);
    call.kernel.wake(WaitKey::EventFdWritable(id));
    Ok(Transfer::Done(8))
}

/// Adds 8 bytes' value to the counter.
///
/// # Errors
/// `EINVAL` if there are fewer, or (since Linux 6.5) more, or the value is 2^64 - 1; `EFAULT`.
pub fn write(call: &mut Call, id: Id<EventFd>, from: &mut UserBuffer) -> Result<Transfer, Error> {
    if from.remaining() != 8 {
        return Err(Errno::EINVAL.because("an eventfd is written in 8 bytes"));
    }
    let mut bytes = [0; 8];
    call.gather(from, &mut bytes)?;
    let value = u64::from_le_bytes(bytes);
    if value == u64::MAX {
        return Err(Errno::EINVAL.because("the largest value that can be added is 2^64 - 2"));
    }
    if !call.kernel.event_fds[id].add(value) {
        return Ok(Transfer::WouldBlock(WaitKey::EventFdWritable(id).into()));
    }
    from.advance(8);
    call.kernel.wake(WaitKey::EventFdReadable(id));
    Ok(Transfer::Done(8))
}

/// Readable above 0, writable if 1 can be added.
pub fn poll(kernel: &Kernel, id: Id<EventFd>) -> Readiness {
    let count = kernel.event_fds[id].count;
    let mut events = 0;
    if count > 0 {
        events |= POLLIN;
    }
    if count == u64::MAX {
        events |= POLLERR;
    }
    if count < u64::MAX - 1 {
        events |= POLLOUT;
    }
    Readiness::new(events, [WaitKey::EventFdReadable(id), WaitKey::EventFdWritable(id)])
}

/// The last description is gone.
pub fn close(kernel: &mut Kernel, id: Id<EventFd>) {
    kernel.event_fds.remove(id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_gives_all_or_one_and_never_overflows() {
        let mut counter = EventFd { count: 0, reading: Reading::All };
        assert_eq!(counter.take(), None);
        assert!(counter.add(u64::MAX - 1));
        assert!(!counter.add(1));
        assert!(counter.add(0));
        assert_eq!(counter.take(), Some(u64::MAX - 1));
        let mut semaphore = EventFd { count: 2, reading: Reading::One };
        assert_eq!((semaphore.take(), semaphore.take(), semaphore.take()), (Some(1), Some(1), None));
    }
}
