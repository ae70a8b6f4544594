//! The system calls on memory.

use crate::entry::Call;
use crate::fs::Fd;
use crate::mm::map::{self, PAGE, Request, Source, round_up};
use crate::mm::{heap, protect, unmap};
use crate::syscalls::operation::{Flow, SysResult};
use abi::Errno;
use abi::mman::*;
use std::ops::Range;

/// mmap(2).
pub fn mmap(call: &mut Call, address: u64, length: u64, protection: u32, flags: u32, fd: Fd, offset: u64) -> SysResult {
    if offset & (PAGE - 1) != 0 {
        return Err(Errno::EINVAL.because("`offset` is not a multiple of the page size"));
    }
    let source = if flags & MAP_ANONYMOUS != 0 {
        if flags & MAP_HUGETLB != 0 {
            return Err(Errno::ENOMEM.because("no huge pages are reserved, `vm.nr_hugepages`"));
        }
        Source::Anonymous
    } else {
        let file = call.file(fd)?;
        if flags & MAP_HUGETLB != 0 {
            return Err(Errno::EINVAL.because("`MAP_HUGETLB`, and the file is not on hugetlbfs"));
        }
        Source::File { file, offset }
    };
    let space = call.space();
    let start = map::map(call, space, Request { address, length, protection, flags, source })?;
    Ok(Flow::Done(start))
}

/// munmap(2).
pub fn munmap(call: &mut Call, address: u64, length: u64) -> SysResult {
    let space = call.space();
    let end = call.kernel.spaces[space].layout.user_end;
    if address & (PAGE - 1) != 0 || address > end || length > end - address {
        return Err(Errno::EINVAL.because("the range is not page-aligned or not in the address space"));
    }
    let length = round_up(length).filter(|length| *length > 0).ok_or(Errno::EINVAL.because("`length` is 0"))?;
    let range = address..address + length;
    let areas = &call.kernel.spaces[space].areas;
    if areas.containing(range.start).is_some_and(|area| area.start < range.start && area.end > range.end)
        && areas.len() >= call.kernel.mm.settings.most_areas
    {
        return Err(Errno::ENOMEM.because("the process would have too many mappings, `vm.max_map_count`"));
    }
    unmap::unmap(call, space, range);
    Flow::OK
}

/// mprotect(2).
pub fn mprotect(call: &mut Call, address: u64, length: u64, protection: u32) -> SysResult {
    let grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    let protection = protection & !grows;
    if grows == PROT_GROWSDOWN | PROT_GROWSUP {
        return Err(Errno::EINVAL.because("`PROT_GROWSDOWN` and `PROT_GROWSUP` exclude each other"));
    }
    if address & (PAGE - 1) != 0 {
        return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
    }
    if length == 0 {
        return Flow::OK;
    }
    let unmapped = Errno::ENOMEM.because("the range is not in the address space");
    let mut range = page_range(address, length).ok_or(unmapped)?;
    // Bit 3 is PROT_SEM, which asks for nothing.
    if protection & !(PROT_READ | PROT_WRITE | PROT_EXEC | 8) != 0 {
        return Err(Errno::EINVAL.because("`prot` has an unknown bit"));
    }
    let space = call.space();
    if range.end > call.kernel.spaces[space].layout.user_end {
        return Err(unmapped);
    }
    if grows != 0 {
        let area = call.kernel.spaces[space].areas.at_or_above(range.start).filter(|area| area.start < range.end);
        let area = area.ok_or(unmapped)?;
        if grows == PROT_GROWSUP || !area.flags.has(crate::mm::AreaFlags::GROWS_DOWN) {
            return Err(Errno::EINVAL.because("the area does not grow"));
        }
        range.start = area.start;
    }
    protect::protect(call, space, range, protection & (PROT_READ | PROT_WRITE | PROT_EXEC))?;
    Flow::OK
}

/// brk(2), as the kernel has it: returns where the heap ends.
pub fn brk(call: &mut Call, end: u64) -> SysResult {
    let space = call.space();
    Ok(Flow::Done(heap::set_end(call, space, end)))
}

/// The pages that `length` bytes from `address` on touch, if they do not wrap around.
fn page_range(address: u64, length: u64) -> Option<Range<u64>> {
    let start = address & !(PAGE - 1);
    Some(start..round_up(address.checked_add(length)?)?)
}
