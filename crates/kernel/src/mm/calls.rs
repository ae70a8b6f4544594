//! The system calls on memory.

use crate::entry::Call;
use crate::fs::{Fd, page_cache};
use crate::mm::arguments::{Address, Advice, MapFlags, Protection, RemapFlags, SyncFlags};
use crate::mm::map::{self, Request, Source};
use crate::mm::remap::{self, Remap};
use crate::mm::vma::{AreaFlags, Backing};
use crate::mm::{advise, heap, lock, protect, seal, unmap};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserCStr, UserPtr};
use abi::mman::*;
use abi::resource::CAP_SYS_ADMIN;
use abi::{Errno, Error};
use std::ops::Range;

/// mmap(2).
pub fn mmap(
    call: &mut Call,
    Address(address): Address,
    length: u64,
    Protection(protection): Protection,
    MapFlags(flags): MapFlags,
    fd: Fd,
    offset: u64,
) -> SysResult {
    if !call.kernel.page_size().divides(offset) {
        return Err(Errno::EINVAL.because("`offset` is not a multiple of the page size"));
    }
    let source = if flags & MAP_ANONYMOUS != 0 {
        if flags & MAP_HUGETLB != 0 && ![0, MAP_HUGE_2MB, MAP_HUGE_1GB].contains(&(flags & MAP_HUGE_MASK)) {
            return Err(Errno::EINVAL.because("there are no huge pages of that size"));
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
pub fn munmap(call: &mut Call, Address(address): Address, length: u64) -> SysResult {
    let space = call.space();
    let end = call.kernel.spaces[space].layout.user_end;
    if !call.kernel.page_size().divides(address) || address > end || length > end - address {
        return Err(Errno::EINVAL.because("the range is not page-aligned or not in the address space"));
    }
    let length = call
        .kernel
        .page_size()
        .round_up(length)
        .filter(|length| *length > 0)
        .ok_or(Errno::EINVAL.because("`length` is 0"))?;
    let range = address..address + length;
    let areas = &call.kernel.spaces[space].areas;
    if areas.containing(range.start).is_some_and(|area| area.start < range.start && area.end > range.end)
        && areas.len() >= call.kernel.mm.settings.most_areas
    {
        return Err(Errno::ENOMEM.because("the process would have too many mappings, `vm.max_map_count`"));
    }
    seal::may_change(call, space, range.clone())?;
    unmap::unmap(call, space, range);
    Flow::OK
}

/// mprotect(2).
pub fn mprotect(
    call: &mut Call,
    Address(address): Address,
    length: u64,
    Protection(protection): Protection,
) -> SysResult {
    let grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    let protection = protection & !grows;
    if grows == PROT_GROWSDOWN | PROT_GROWSUP {
        return Err(Errno::EINVAL.because("`PROT_GROWSDOWN` and `PROT_GROWSUP` exclude each other"));
    }
    if !call.kernel.page_size().divides(address) {
        return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
    }
    if length == 0 {
        return Flow::OK;
    }
    let unmapped = Errno::ENOMEM.because("the range is not in the address space");
    let mut range = page_range(call, address, length).ok_or(unmapped)?;
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
        if grows == PROT_GROWSUP || !area.flags.has(AreaFlags::GROWS_DOWN) {
            return Err(Errno::EINVAL.because("the area does not grow"));
        }
        range.start = area.start;
    }
    protect::protect(call, space, range, protection & (PROT_READ | PROT_WRITE | PROT_EXEC))?;
    Flow::OK
}

/// brk(2), as the kernel has it: returns where the heap ends.
pub fn brk(call: &mut Call, Address(end): Address) -> SysResult {
    let space = call.space();
    Ok(Flow::Done(heap::set_end(call, space, end)))
}

/// The pages that `length` bytes from `address` on touch, if they do not wrap around.
fn page_range(call: &Call, address: u64, length: u64) -> Option<Range<u64>> {
    let page_size = call.kernel.page_size();
    Some(page_size.start(address)..page_size.round_up(address.checked_add(length)?)?)
}

/// mremap(2).
pub fn mremap(
    call: &mut Call,
    Address(address): Address,
    old_length: u64,
    new_length: u64,
    RemapFlags(flags): RemapFlags,
    Address(new_address): Address,
) -> SysResult {
    let space = call.space();
    let request = Remap { address, old_length, new_length, flags, new_address };
    Ok(Flow::Done(remap::remap(call, space, request)?))
}

/// madvise(2).
pub fn madvise(call: &mut Call, Address(address): Address, length: u64, Advice(advice): Advice) -> SysResult {
    let space = call.space();
    advise::advise_checked(call, space, address, length, advice)?;
    Flow::OK
}

/// msync(2). The page cache is what all see, and belljar never writes to the host's files behind it: there is nothing
/// to wait for.
pub fn msync(call: &mut Call, Address(address): Address, length: u64, SyncFlags(flags): SyncFlags) -> SysResult {
    if flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0 {
        return Err(Errno::EINVAL.because("`flags` has an unknown bit"));
    }
    if flags & (MS_ASYNC | MS_SYNC) == MS_ASYNC | MS_SYNC {
        return Err(Errno::EINVAL.because("`MS_ASYNC` and `MS_SYNC` exclude each other"));
    }
    if !call.kernel.page_size().divides(address) {
        return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
    }
    let unmapped = Errno::ENOMEM.because("part of the range is not mapped");
    // As on Linux, a length that rounds up to nothing is nothing.
    let page_size = call.kernel.page_size();
    let length = page_size.start(length.wrapping_add(page_size.bytes() - 1));
    let range = address..address.checked_add(length).ok_or(unmapped)?;
    let areas = &call.kernel.spaces[call.space()].areas;
    if flags & MS_INVALIDATE != 0 && areas.overlapping(range.clone()).any(|area| area.flags.has(AreaFlags::LOCKED)) {
        return Err(Errno::EBUSY.because("`MS_INVALIDATE`, and part of the range is locked"));
    }
    if areas.covers(range) { Flow::OK } else { Err(unmapped) }
}

/// mincore(2): a byte for each page, 1 if an access would not wait for the host.
pub fn mincore(call: &mut Call, Address(address): Address, length: u64, into: UserPtr<u8>) -> SysResult {
    if !call.kernel.page_size().divides(address) {
        return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
    }
    let unmapped = Errno::ENOMEM.because("part of the range is not mapped");
    let space = call.space();
    let range = page_range(call, address, length).ok_or(unmapped)?;
    if range.end > call.kernel.spaces[space].layout.user_end {
        return Err(unmapped);
    }
    let page_size = call.kernel.page_size();
    let page_bytes = page_size.bytes();
    let mut at = range.start;
    while at < range.end {
        // As many as Linux answers at a time; pages before a hole are reported.
        let end = range.end.min(at + page_bytes * page_bytes);
        let mut answers = Vec::new();
        let kernel = &*call.kernel;
        let here = &kernel.spaces[space];
        while at + answers.len() as u64 * page_bytes < end {
            let page = at + answers.len() as u64 * page_bytes;
            let Some(area) = here.areas.containing(page) else { break };
            let is_resident = here.is_resident(&kernel.memory, page)
                || match area.backing {
                    Backing::Anonymous => false,
                    Backing::Shared { object, .. } => {
                        kernel.mm.shared[object].frame(area.page_index(page_size, page)).is_some()
                    }
                    Backing::File { inode, .. } => {
                        page_cache::cached(kernel, inode, area.page_index(page_size, page)).is_some()
                    }
                };
            answers.push(u8::from(is_resident));
        }
        call.copy_out(into.address().wrapping_add((at - range.start) / page_bytes), &answers)?;
        at += answers.len() as u64 * page_bytes;
        if at < end {
            return Err(unmapped);
        }
    }
    Flow::OK
}

/// The pages that mlock(2) means by `length` bytes from `address` on. As on Linux, a length that rounds up to nothing
/// is nothing.
///
/// # Errors
/// `EINVAL` if the range wraps around.
fn lock_range(call: &Call, address: u64, length: u64) -> Result<Range<u64>, Error> {
    let page_size = call.kernel.page_size();
    let within = page_size.offset(address);
    let start = address - within;
    let length = page_size.start(length.wrapping_add(within).wrapping_add(page_size.bytes() - 1));
    let end = start.checked_add(length).ok_or(Errno::EINVAL.because("the range wraps around"))?;
    Ok(start..end)
}

/// mlock(2).
pub fn mlock(call: &mut Call, address: Address, length: u64) -> SysResult {
    mlock2(call, address, length, 0)
}

/// mlock2(2).
pub fn mlock2(call: &mut Call, Address(address): Address, length: u64, flags: u32) -> SysResult {
    if flags & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL.because("`flags` has an unknown bit"));
    }
    let on_fault = if flags & MLOCK_ONFAULT != 0 { AreaFlags::LOCK_ON_FAULT } else { AreaFlags::NONE };
    let space = call.space();
    let range = lock_range(call, address, length)?;
    lock::lock(call, space, range, on_fault)?;
    Flow::OK
}

/// munlock(2).
pub fn munlock(call: &mut Call, Address(address): Address, length: u64) -> SysResult {
    let space = call.space();
    let range = lock_range(call, address, length)?;
    lock::set_flags(call, space, range, AreaFlags::NONE)?;
    Flow::OK
}

/// mlockall(2).
pub fn mlockall(call: &mut Call, flags: u32) -> SysResult {
    let space = call.space();
    lock::lock_all(call, space, flags)?;
    Flow::OK
}

/// munlockall(2).
pub fn munlockall(call: &mut Call) -> SysResult {
    let space = call.space();
    lock::unlock_all(call, space);
    Flow::OK
}

/// remap_file_pages(2), as Linux has it since 4.0: another mapping in the place of the old one.
pub fn remap_file_pages(
    call: &mut Call,
    Address(address): Address,
    size: u64,
    Protection(protection): Protection,
    page_offset: u64,
    MapFlags(flags): MapFlags,
) -> SysResult {
    let invalid = |why| Err(Errno::EINVAL.because(why));
    let page_size = call.kernel.page_size();
    let (start, size) = (page_size.start(address), page_size.start(size));
    if protection != 0 {
        return invalid("`prot` is not 0");
    }
    let Some(end) = start.checked_add(size).filter(|end| *end > start) else {
        return invalid("the range is empty or wraps around");
    };
    let Some(offset) = page_offset.checked_mul(page_size.bytes()).filter(|offset| offset.checked_add(size).is_some())
    else {
        return invalid("the file offset is too large");
    };
    let space = call.space();
    let Some(area) = call.kernel.spaces[space].areas.containing(start).cloned() else {
        return invalid("nothing is mapped there");
    };
    let areas = &call.kernel.spaces[space].areas;
    let same = |other: &crate::mm::Vma| {
        other.backing.object() == area.backing.object()
            && other.protection == area.protection
            && other.flags == area.flags
            && other.shared
    };
    if !areas.covers(start..end) || !areas.overlapping(start..end).all(same) {
        return invalid("the range is not one shared mapping of one file");
    }
    let source = match area.backing {
        Backing::Anonymous => return invalid("the mapping has no file"),
        Backing::Shared { object, .. } => Source::Shared { object, offset },
        Backing::File { file, .. } => Source::File { file, offset },
    };
    let locked = if area.flags.has(AreaFlags::LOCKED) { MAP_LOCKED } else { 0 };
    let flags = flags & MAP_NONBLOCK | MAP_SHARED | MAP_FIXED | MAP_POPULATE | locked;
    map::map(call, space, Request { address: start, length: size, protection: area.protection, flags, source })?;
    Flow::OK
}

/// swapon(2): swap is what `--swap` gave the machine, neither more nor less while it runs.
pub fn swapon(call: &mut Call, path: UserCStr, _flags: i32) -> SysResult {
    swapoff(call, path)
}

/// swapoff(2).
pub fn swapoff(call: &mut Call, _path: UserCStr) -> SysResult {
    if !call.has_capability(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.because("swap areas need `CAP_SYS_ADMIN`"));
    }
    call.kernel.unsupported("swap areas beside that of --swap");
    Err(Errno::ENOSYS.because("swap is set by --swap"))
}

/// pkey_alloc(2): this processor has no protection keys.
pub fn pkey_alloc(_call: &mut Call, flags: u64, rights: u64) -> SysResult {
    if flags != 0 || rights & !3 != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0, or `access_rights` has an unknown bit"));
    }
    // As Linux 6.18 answers on a processor without them; pkey_alloc(2) says ENOSPC.
    Err(Errno::EINVAL.because("the processor has no protection keys"))
}

/// pkey_free(2): none was ever allocated.
pub fn pkey_free(_call: &mut Call, _key: i32) -> SysResult {
    Err(Errno::EINVAL.because("the protection key is not allocated"))
}

/// pkey_mprotect(2): with key -1 it is mprotect(2).
pub fn pkey_mprotect(call: &mut Call, address: Address, length: u64, protection: Protection, key: i32) -> SysResult {
    if key != -1 {
        return Err(Errno::EINVAL.because("the protection key is not allocated"));
    }
    mprotect(call, address, length, protection)
}
