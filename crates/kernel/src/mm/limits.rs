//! What limits a process's memory: RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, overcommit, `vm.mmap_min_addr`.

use crate::entry::Call;
use crate::kernel::Kernel;
use crate::mm::AddressSpace;
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::table::Id;
use abi::resource::{CAP_IPC_LOCK, CAP_SYS_RAWIO, RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK};
use abi::{Errno, Error};
use std::ops::Range;

/// The soft limit of the calling process.
pub(crate) fn soft(call: &Call, resource: usize) -> u64 {
    call.kernel.processes[call.process_id()].limits.soft(resource)
}

/// Whether the calling process may have `area` too, in the place of what is mapped in `replaced`. Linux
/// `may_expand_vm`.
///
/// # Errors
/// `ENOMEM` beyond RLIMIT_AS or RLIMIT_DATA.
pub(crate) fn may_grow(
    call: &Call,
    space: Id<AddressSpace>,
    area: &Vma,
    replaced: Option<Range<u64>>,
) -> Result<(), Error> {
    let areas = &call.kernel.spaces[space].areas;
    let (totals, limit) = (areas.totals(), soft(call, RLIMIT_AS));
    let mut total = totals.mapped.saturating_add(area.length());
    if total > limit
        && let Some(replaced) = replaced
    {
        total -= areas.mapped_in(replaced);
    }
    if total > limit {
        return Err(Errno::ENOMEM.because("the process's mappings would exceed `RLIMIT_AS`"));
    }
    if area.is_data() && totals.data.saturating_add(area.length()) > data_limit(call) {
        return Err(Errno::ENOMEM.because("the process's data would exceed `RLIMIT_DATA`"));
    }
    Ok(())
}

/// What RLIMIT_DATA allows. Linux takes a soft limit of 0 for the hard limit: Valgrind sets it, and means brk(2) alone.
fn data_limit(call: &Call) -> u64 {
    let limit = call.kernel.processes[call.process_id()].limits.get(RLIMIT_DATA);
    if limit.current == 0 { limit.maximum } else { limit.current }
}

/// Whether the calling process may lock `length` bytes more.
///
/// # Errors
/// `EPERM` if it may lock nothing at all, `EAGAIN` beyond RLIMIT_MEMLOCK.
pub(crate) fn may_lock(call: &Call, space: Id<AddressSpace>, length: u64) -> Result<(), Error> {
    if call.has_capability(CAP_IPC_LOCK) {
        return Ok(());
    }
    let limit = soft(call, RLIMIT_MEMLOCK);
    if limit == 0 {
        return Err(Errno::EPERM.because("`RLIMIT_MEMLOCK` is 0 and the process has no `CAP_IPC_LOCK`"));
    }
    if call.kernel.spaces[space].areas.totals().locked.saturating_add(length) > limit {
        return Err(Errno::EAGAIN.because("the process's locked memory would exceed `RLIMIT_MEMLOCK`"));
    }
    Ok(())
}

/// Whether the calling process may map below `vm.mmap_min_addr`.
pub(crate) fn may_map_low(call: &Call) -> bool {
    call.has_capability(CAP_SYS_RAWIO)
}

/// Whether memory has to be promised for an area: what it holds could become private, or lives in no file. Linux
/// `accountable_mapping`.
pub(crate) fn is_accounted(area: &Vma) -> bool {
    let needs_frames = area.is_writable() && !area.shared || area.shared && area.backing == Backing::Anonymous;
    needs_frames && !area.flags.has(AreaFlags::NO_RESERVE)
}

/// Whether `length` bytes more may be promised. Linux `__vm_enough_memory`.
///
/// # Errors
/// `ENOMEM` if they obviously cannot be had, or in the strict mode, if too much is promised already.
pub(crate) fn may_commit(kernel: &Kernel, length: u64) -> Result<(), Error> {
    let pages = u64::from(kernel.memory.total()) + u64::from(kernel.mm.swap.limit());
    match kernel.mm.settings.overcommit {
        1 => Ok(()),
        2 => {
            let limit = commit_limit(kernel);
            if committed(kernel).saturating_add(length) > limit {
                return Err(Errno::ENOMEM.because("more memory would be promised than `vm.overcommit_ratio` allows"));
            }
            Ok(())
        }
        _ if length > pages * kernel.page_size().bytes() => {
            Err(Errno::ENOMEM.because("the machine has less memory and swap than that"))
        }
        _ => Ok(()),
    }
}

/// Bytes promised to all processes: Committed_AS.
pub fn committed(kernel: &Kernel) -> u64 {
    let private: u64 = kernel.spaces.iter().map(|(_, space)| space.areas.totals().committed).sum();
    let shared: u64 = kernel.mm.shared.iter().map(|(_, object)| object.size).sum();
    private + shared
}

/// Bytes that may be promised in the strict mode: CommitLimit.
pub fn commit_limit(kernel: &Kernel) -> u64 {
    let physical = u64::from(kernel.memory.total()) * kernel.page_size().bytes();
    let swap = u64::from(kernel.mm.swap.limit()) * kernel.page_size().bytes();
    physical / 100 * u64::from(kernel.mm.settings.overcommit_ratio) + swap
}
