//! select(2) and pselect(2).

use super::{Timeout, readiness};
use crate::entry::Call;
use crate::fs::{Fd, FileDescription};
use crate::signal::{self, mask};
use crate::syscalls::operation::{Blocking, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Keys, Wait};
use abi::poll::{SELECT_EXCEPTIONAL, SELECT_READABLE, SELECT_WRITABLE, SelectMask};
use abi::time::{Timespec, Timeval};
use abi::{Errno, Error};

/// The three sets: readable, writable, exceptional; and which events each means.
const MEANINGS: [u32; 3] = [SELECT_READABLE, SELECT_WRITABLE, SELECT_EXCEPTIONAL];

/// A wait for members of three sets of descriptors.
#[derive(Clone, Debug)]
pub struct Select {
    /// The program's sets, 0 if not given.
    pub sets: [UserPtr<u64>; 3],
    /// Their size in 64-bit words.
    pub words: usize,
    /// The members, in order: the descriptor, its open file (held), and which sets it is in.
    pub members: Vec<(usize, Id<FileDescription>, [bool; 3])>,
    /// Until when.
    pub timeout: Timeout,
}

/// select(2).
pub(crate) fn select(
    call: &mut Call,
    count: i32,
    readable: UserPtr<u64>,
    writable: UserPtr<u64>,
    exceptional: UserPtr<u64>,
    timeout: UserPtr<Timeval>,
) -> SysResult {
    let timeout = Timeout::from_timeval(call, timeout)?;
    start(call, count, [readable, writable, exceptional], timeout)
}

/// pselect(2): the sixth argument points to a signal mask's address and size.
pub(crate) fn pselect6(
    call: &mut Call,
    count: i32,
    readable: UserPtr<u64>,
    writable: UserPtr<u64>,
    exceptional: UserPtr<u64>,
    timeout: UserPtr<Timespec>,
    signal_mask: UserPtr<SelectMask>,
) -> SysResult {
    let signal_mask = if signal_mask.is_null() { SelectMask::default() } else { call.read(signal_mask)? };
    let timeout = Timeout::from_timespec(call, timeout)?;
    mask::enter(call, UserPtr::new(signal_mask.address), signal_mask.size)?;
    let result = start(call, count, [readable, writable, exceptional], timeout);
    if result.is_err() {
        mask::leave(call);
    }
    result
}

fn start(call: &mut Call, count: i32, sets: [UserPtr<u64>; 3], timeout: Timeout) -> SysResult {
    let Ok(count) = usize::try_from(count) else {
        return Err(Errno::EINVAL.because("`nfds` is negative"));
    };
    // Linux looks at no more bits than the process has had descriptors for, in steps of 64.
    let open = call.fd_table().capacity().next_multiple_of(64).max(64);
    let count = count.min(open);
    let words = count.div_ceil(64);
    let mut bits: [Vec<u64>; 3] = Default::default();
    for (set, bits) in sets.iter().zip(&mut bits) {
        *bits = if set.is_null() { vec![0; words] } else { call.read_array(*set, words)? };
    }
    let mut operation = Select { sets, words, members: Vec::new(), timeout };
    for number in 0..count {
        let member = [0, 1, 2].map(|set: usize| bits[set][number / 64] & 1 << (number % 64) != 0);
        if member == [false; 3] {
            continue;
        }
        match call.usable_file(Fd(number as i32)) {
            Ok(file) => operation.members.push((number, call.hold(file), member)),
            Err(error) => {
                operation.give_back(call);
                return Err(error);
            }
        }
    }
    Ok(operation.into())
}

impl Select {
    fn give_back(&mut self, call: &mut Call) {
        for (_, file, _) in self.members.drain(..) {
            call.release_file(file);
        }
    }
}

impl Blocking for Select {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let mut found = 0;
        let mut keys = Keys::None;
        let mut bits = [const { Vec::new() }; 3];
        bits.fill(vec![0u64; self.words]);
        for (number, file, wanted) in &self.members {
            let readiness = readiness(call.kernel, *file);
            for set in 0..3 {
                if wanted[set] && readiness.events & MEANINGS[set] != 0 {
                    bits[set][number / 64] |= 1 << (number % 64);
                    found += 1;
                }
            }
            if found == 0 {
                keys.extend(readiness.keys.iter().copied());
            }
        }
        // A signal goes before the end of the time, as in core_sys_select() of Linux's fs/select.c.
        if found == 0 && (!self.timeout.has_passed(call) || signal::has_deliverable(call)) {
            return Ok(Step::Block(Wait { keys, deadline: self.timeout.deadline }));
        }
        self.timeout.tell_remaining(call);
        for (set, bits) in self.sets.iter().zip(&bits) {
            if !set.is_null() {
                let bytes: Vec<u8> = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
                call.copy_out(set.address(), &bytes)?;
            }
        }
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
        self.members.iter().map(|(_, file, _)| *file).collect()
    }

    fn release(&mut self, call: &mut Call) {
        self.give_back(call);
        mask::leave(call);
    }
}
