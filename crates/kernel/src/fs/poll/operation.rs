//! poll(2) and ppoll(2).

use super::{Timeout, readiness};
use crate::entry::Call;
use crate::fs::{Fd, FileDescription};
use crate::signal::{self, mask};
use crate::syscalls::operation::{Blocking, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Keys, Wait};
use abi::poll::{POLLERR, POLLHUP, POLLNVAL, PollFd};
use abi::resource::RLIMIT_NOFILE;
use abi::time::Timespec;
use abi::{Errno, Error, Wire};

/// A wait for any of several files.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The program's array.
    pub array: UserPtr<PollFd>,
    /// What it asked for, and the open files, held.
    pub entries: Vec<(PollFd, Option<Id<FileDescription>>)>,
    /// Until when.
    pub timeout: Timeout,
}

/// poll(2).
pub(crate) fn poll(call: &mut Call, array: UserPtr<PollFd>, count: u32, timeout_ms: i32) -> SysResult {
    let timeout = Timeout::from_milliseconds(call, timeout_ms);
    start(call, array, count, timeout)
}

/// ppoll(2).
pub(crate) fn ppoll(
    call: &mut Call,
    array: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<Timespec>,
    signal_mask: UserPtr<u64>,
    mask_size: u64,
) -> SysResult {
    let timeout = Timeout::from_timespec(call, timeout)?;
    mask::enter(call, signal_mask, mask_size)?;
    let result = start(call, array, count, timeout);
    if result.is_err() {
        mask::leave(call);
    }
    result
}

fn start(call: &mut Call, array: UserPtr<PollFd>, count: u32, timeout: Timeout) -> SysResult {
    if u64::from(count) > call.process().limits.soft(RLIMIT_NOFILE) {
        return Err(Errno::EINVAL.because("`nfds` exceeds the limit of open files"));
    }
    let asked = call.read_array(array, count as usize)?;
    let entries =
        asked.into_iter().map(|entry| (entry, if entry.fd < 0 { None } else { hold(call, Fd(entry.fd)) })).collect();
    Ok(Poll { array, entries, timeout }.into())
}

fn hold(call: &mut Call, fd: Fd) -> Option<Id<FileDescription>> {
    let file = call.usable_file(fd).ok()?;
    Some(call.hold(file))
}

impl Poll {
    /// Asks all files; how many entries have events.
    fn ask(&mut self, call: &Call, keys: &mut Keys) -> u64 {
        let mut found = 0;
        for (entry, file) in &mut self.entries {
            let events = match file {
                _ if entry.fd < 0 => 0,
                None => POLLNVAL,
                Some(file) => {
                    let readiness = readiness(call.kernel, *file);
                    if found == 0 {
                        keys.extend(readiness.keys.iter().copied());
                    }
                    readiness.events & (u32::from(entry.events) | POLLERR | POLLHUP)
                }
            };
            entry.returned_events = events as u16;
            found += u64::from(events != 0);
        }
        found
    }

    /// Tells the events of all entries.
    fn tell(&self, call: &mut Call) -> Result<(), Error> {
        for (index, (entry, _)) in self.entries.iter().enumerate() {
            let field = self.array.byte_offset::<u16>((index * PollFd::SIZE + 6) as u64);
            call.write(field, &entry.returned_events)?;
        }
        Ok(())
    }
}

impl Blocking for Poll {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let mut keys = Keys::None;
        let found = self.ask(call, &mut keys);
        // A signal goes before the end of the time, as in do_poll() of Linux's fs/select.c.
        if found == 0 && (!self.timeout.has_passed(call) || signal::has_deliverable(call)) {
            return Ok(Step::Block(Wait { keys, deadline: self.timeout.deadline }));
        }
        self.timeout.tell_remaining(call);
        self.tell(call)?;
        Ok(Step::Done(found))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn cut_short(&mut self, call: &mut Call) -> Interrupted {
        self.timeout.tell_remaining(call);
        self.interrupted()
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        self.entries.iter().filter_map(|(_, file)| *file).collect()
    }

    fn release(&mut self, call: &mut Call) {
        for (_, file) in self.entries.drain(..) {
            if let Some(file) = file {
                call.release_file(file);
            }
        }
        mask::leave(call);
    }
}
