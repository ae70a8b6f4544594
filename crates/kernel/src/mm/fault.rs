//! Page faults: finds the area and fills the page, or says which signal the access earns.
//!
//! ```text
//!                   read or fetch               write
//! private zeroes    the shared page of zeroes   a new page of zeroes
//! private file      the cached page             a copy of the cached page
//! shared file       the cached page             the cached page, from now on changed
//! shared memory     the object's page           the object's page
//! ```
//!
//! A write to a page that is in memory but not writable: a private page with one owner becomes writable, with several
//! it is copied; a page of a shared file becomes writable and counts as changed.

use crate::entry::Call;
use crate::event::{Event, FaultKind};
use crate::fs::{Inode, bytes, page_cache};
use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, GUARD_ENTRY, LAZY_FREE, PRIVATE};
use crate::mm::areas::STACK_GUARD_PAGES;
use crate::mm::owners::{self, Owner};
use crate::mm::shared_memory::{self, Found};
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::mm::{limits, oom, reclaim, swap};
use crate::table::Id;
use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::resource::{RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_STACK};
use abi::{Errno, Error};
use machine::tlb_model::FlushCause;
use machine::{Access, Entry, FrameNumber, OutOfFrames, PageFault, PageSize, mmu};

/// An access that no area permits, or that cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAccess {
    /// SIGSEGV with SEGV_MAPERR: nothing is mapped there.
    Unmapped,
    /// SIGSEGV with SEGV_MAPERR too: the page is a guard, MADV_GUARD_INSTALL.
    Guarded,
    /// SIGSEGV with SEGV_ACCERR: the area forbids it.
    Forbidden,
    /// SIGBUS with BUS_ADRERR: the page lies behind the end of the file, or could not be read.
    BeyondFile,
    /// SIGKILL: no memory is left for it.
    OutOfMemory,
}

impl From<OutOfFrames> for BadAccess {
    fn from(_: OutOfFrames) -> BadAccess {
        BadAccess::OutOfMemory
    }
}

/// Serves a fault, so that the access succeeds when it is repeated.
///
/// # Errors
/// [`BadAccess`] if it cannot.
pub fn handle(call: &mut Call, space: Id<AddressSpace>, fault: PageFault) -> Result<(), BadAccess> {
    let page = call.kernel.page_size().start(fault.address);
    let served = fill(call, space, fault.address, as_served(call, space, page, fault.access));
    if let Err(bad) = served {
        call.kernel.emit(Event::PageFault { page, kind: FaultKind::Invalid });
        return Err(bad);
    }
    if fault.access != Access::Execute {
        // The access would miss the TLB when it is repeated, which costs an exit; so the miss is served here.
        let AddressSpace { table, tlb, .. } = &mut call.kernel.spaces[space];
        let filled = mmu::translate(&mut call.kernel.memory, table, tlb, fault.address, fault.access);
        assert!(filled.is_ok(), "a served fault leaves an entry that permits the access");
    }
    Ok(())
}

/// The access that a fault is served for. A fetch from a page that is not in memory brings it in like a read: only when
/// it is there does the processor say that it may not be executed. Linux arch/x86/mm/fault.c `access_error`.
fn as_served(call: &Call, space: Id<AddressSpace>, page: u64, access: Access) -> Access {
    let here = &call.kernel.spaces[space];
    let is_plain = |area: &Vma| area.is_accessible() && !area.is_executable();
    let is_absent = access == Access::Execute
        && here.areas.containing(page).is_some_and(is_plain)
        && !here.is_resident(&call.kernel.memory, page);
    if is_absent { Access::Read } else { access }
}

/// Whether Linux counts the fault as major: a page had to be read.
fn is_major(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::FileMajor | FaultKind::SwapIn)
}

/// Brings the page of `address` in for an access: of the program, of the kernel for it, or ahead of either (MAP_POPULATE,
/// mlock(2)). Counts it for the address space and, as Linux mm/memory.c `mm_account_fault`, for the calling thread.
///
/// # Errors
/// As [`handle`].
pub(crate) fn fill(
    call: &mut Call,
    space: Id<AddressSpace>,
    address: u64,
    access: Access,
) -> Result<FaultKind, BadAccess> {
    let page = call.kernel.page_size().start(address);
    let served = loop {
        match serve(call, space, page, access) {
            // Somebody else may have to go for it.
            Err(BadAccess::OutOfMemory) if !call.kernel.spaces[space].is_reaped => {
                if oom::kill_somebody(call.kernel, call.chooser).is_none_or(|victim| victim == space) {
                    break Err(BadAccess::OutOfMemory);
                }
            }
            served => break served,
        }
    };
    let kernel = &mut *call.kernel;
    match served {
        Ok(kind) => {
            let AddressSpace { table, faults, .. } = &mut kernel.spaces[space];
            // So that replacement does not take it before the access is repeated.
            let entry = table.change(&mut kernel.memory, page, |entry| entry.with(Entry::ACCESSED));
            assert!(permits(entry, access), "a served fault leaves an entry that permits the access");
            match kind {
                FaultKind::ZeroFill => faults.zero_fill += 1,
                FaultKind::ZeroPage => faults.zero_page += 1,
                FaultKind::FileMajor => faults.major += 1,
                FaultKind::SwapIn => faults.swapped_in += 1,
                FaultKind::CopyOnWrite => faults.copy_on_write += 1,
                FaultKind::Reuse => faults.reuse += 1,
                FaultKind::FileMinor | FaultKind::Invalid => faults.minor += 1,
            }
            kernel.spaces[space].note_peak();
            kernel.mm.counters.faults += 1;
            kernel.mm.counters.major_faults += u64::from(is_major(kind));
            kernel.emit(Event::PageFault { page, kind });
            let usage = &mut call.current().usage;
            if is_major(kind) {
                usage.major_faults += 1
            } else {
                usage.minor_faults += 1
            }
            Ok(kind)
        }
        Err(bad) => {
            // `pgfault` counts what was looked into, whatever came of it.
            kernel.mm.counters.faults += u64::from(matches!(bad, BadAccess::BeyondFile | BadAccess::OutOfMemory));
            if bad == BadAccess::OutOfMemory {
                kernel.emit(Event::OutOfMemory { address });
            }
            Err(bad)
        }
    }
}

fn permits(entry: Entry, access: Access) -> bool {
    match access {
        Access::Read => entry.is_readable(),
        Access::Write => entry.is_writable(),
        Access::Execute => entry.is_executable(),
    }
}

/// What the fault needs to know of its area.
#[derive(Clone, Copy)]
struct Spot {
    start: u64,
    end: u64,
    protection: u32,
    shared: bool,
    backing: Backing,
}

impl Spot {
    fn of(area: &Vma) -> Spot {
        let Vma { start, end, protection, shared, backing, .. } = *area;
        Spot { start, end, protection, shared, backing }
    }

    fn index(&self, page_size: PageSize, page: u64) -> u64 {
        page_size.number(self.backing.offset() + (page - self.start))
    }
}

/// The bits of an entry that follow from the protection, without the permission to write: that one depends on the
/// frame.
pub(crate) fn protection_bits(protection: u32) -> u64 {
    let user = if protection & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0 { Entry::USER } else { 0 };
    let no_execute = if protection & PROT_EXEC == 0 { Entry::NO_EXECUTE } else { 0 };
    user | no_execute
}

fn serve(call: &mut Call, space: Id<AddressSpace>, page: u64, access: Access) -> Result<FaultKind, BadAccess> {
    let here = &call.kernel.spaces[space];
    if here.is_reaped {
        return Err(BadAccess::OutOfMemory);
    }
    let spot = match here.areas.containing(page) {
        Some(area) => Spot::of(area),
        None => Spot::of(grow_stack(call, space, page)?),
    };
    let allowed = match access {
        Access::Read => PROT_READ | PROT_WRITE | PROT_EXEC,
        Access::Write => PROT_WRITE,
        Access::Execute => PROT_EXEC,
    };
    if spot.protection & allowed == 0 {
        return Err(BadAccess::Forbidden);
    }
    let entry = call.kernel.spaces[space].table.entry(&call.kernel.memory, page);
    if let Some(slot) = reclaim::slot_of(entry) {
        swap::bring_in(call.kernel, space, page, slot)?;
        if access == Access::Write {
            let entry = call.kernel.spaces[space].table.entry(&call.kernel.memory, page);
            make_writable(call, space, page, spot, entry)?;
        }
        return Ok(FaultKind::SwapIn);
    }
    if !entry.is_present() {
        if entry == GUARD_ENTRY {
            return Err(BadAccess::Guarded);
        }
        return match (spot.backing, access) {
            (Backing::Anonymous, Access::Write) => zero_fill(call.kernel, space, page, spot),
            (Backing::Anonymous, _) => zero_page(call.kernel, space, page, spot),
            (Backing::Shared { object, .. }, _) => from_shared(call.kernel, space, page, spot, object, access),
            (Backing::File { inode, .. }, _) => from_file(call, space, page, spot, inode, access),
        };
    }
    if access == Access::Write && !entry.is_writable() {
        return make_writable(call, space, page, spot, entry);
    }
    // The entry permits less than the area does, which nothing but a race of ours could have left behind: put it right.
    let entry = Entry(entry.without(Entry::NO_EXECUTE).0 | protection_bits(spot.protection));
    let AddressSpace { table, tlb, .. } = &mut call.kernel.spaces[space];
    table.replace(&mut call.kernel.memory, page, entry);
    tlb.flush_page(page, FlushCause::Fault);
    Ok(FaultKind::Reuse)
}

/// A new private page of zeroes.
#[inline]
fn zero_fill(kernel: &mut Kernel, space: Id<AddressSpace>, page: u64, spot: Spot) -> Result<FaultKind, BadAccess> {
    let frame = reclaim::allocate_zeroed(kernel)?;
    install_private(kernel, space, page, spot, frame)?;
    Ok(FaultKind::ZeroFill)
}

/// The shared page of zeroes.
fn zero_page(kernel: &mut Kernel, space: Id<AddressSpace>, page: u64, spot: Spot) -> Result<FaultKind, BadAccess> {
    let zero = match kernel.mm.zero {
        Some(zero) => zero,
        None => {
            let zero = reclaim::allocate_zeroed(kernel)?;
            kernel.mm.zero = Some(zero);
            zero
        }
    };
    reclaim::set_entry(kernel, space, page, Entry::new(zero, protection_bits(spot.protection)))?;
    kernel.memory.retain(zero);
    Ok(FaultKind::ZeroPage)
}

fn from_shared(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    object: Id<shared_memory::SharedMemory>,
    access: Access,
) -> Result<FaultKind, BadAccess> {
    let (frame, kind) = match shared_memory::page(kernel, object, spot.index(kernel.page_size(), page))? {
        Found::Present(frame) => (frame, FaultKind::FileMinor),
        Found::Read(frame) => (frame, FaultKind::SwapIn),
        Found::New(frame) => (frame, FaultKind::ZeroFill),
        Found::Beyond => return Err(BadAccess::BeyondFile),
    };
    if !spot.shared && access == Access::Write {
        copy_to_private(kernel, space, page, spot, frame)?;
        return Ok(if kind == FaultKind::SwapIn { kind } else { FaultKind::CopyOnWrite });
    }
    let writable = if spot.shared && spot.protection & PROT_WRITE != 0 { Entry::WRITABLE } else { 0 };
    install(kernel, space, page, Entry::new(frame, protection_bits(spot.protection) | writable))?;
    kernel.spaces[space].resident.shared += 1;
    Ok(kind)
}

fn from_file(
    call: &mut Call,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    inode: Id<Inode>,
    access: Access,
) -> Result<FaultKind, BadAccess> {
    let page_size = call.kernel.page_size();
    let index = spot.index(page_size, page);
    if index >= page_size.pages(call.kernel.vfs.inodes[inode].size()) {
        return Err(BadAccess::BeyondFile);
    }
    let kind = match page_cache::cached(call.kernel, inode, index) {
        None if page_cache::is_stored(call.kernel, inode, index) => FaultKind::SwapIn,
        None if !page_cache::is_hole(call.kernel, inode, index) => FaultKind::FileMajor,
        _ => FaultKind::FileMinor,
    };
    let frame = page_cache::page(call, inode, index).map_err(not_read)?;
    if access == Access::Write && !spot.shared {
        copy_to_private(call.kernel, space, page, spot, frame)?;
        return Ok(if is_major(kind) { kind } else { FaultKind::CopyOnWrite });
    }
    let mut bits = protection_bits(spot.protection);
    if access == Access::Write {
        note_write(call, inode, index);
        bits |= Entry::WRITABLE;
    }
    install(call.kernel, space, page, Entry::new(frame, bits))?;
    call.kernel.spaces[space].resident.file += 1;
    if access != Access::Write {
        fill_around(call.kernel, space, page, spot, inode);
    }
    Ok(kind)
}

/// A page of a file is about to be written through a shared mapping: it counts as changed, and so does the file.
fn note_write(call: &mut Call, inode: Id<Inode>, index: u64) {
    page_cache::mark_changed(call.kernel, inode, index);
    bytes::note_write(call, inode);
}

/// Why a page of a file could not be had: no frame, or the host could not read it.
fn not_read(error: Error) -> BadAccess {
    if error.errno == Errno::ENOMEM { BadAccess::OutOfMemory } else { BadAccess::BeyondFile }
}

/// Bytes around a faulting page that are mapped with it if they are in memory already. Linux `fault_around_bytes`.
const AROUND: u64 = 65536;

/// Maps cached neighbours of a page of a file for reading: programs use most of what lies beside what they use.
fn fill_around(kernel: &mut Kernel, space: Id<AddressSpace>, page: u64, spot: Spot, inode: Id<Inode>) {
    let window = page & !(AROUND - 1);
    let page_size = kernel.page_size();
    let pages = page_size.pages(kernel.vfs.inodes[inode].size());
    let bits = protection_bits(spot.protection);
    let mut at = window.max(spot.start);
    while at < (window + AROUND).min(spot.end) && spot.index(page_size, at) < pages {
        if kernel.spaces[space].table.entry(&kernel.memory, at) == Entry::NONE
            && let Some(frame) = page_cache::cached(kernel, inode, spot.index(page_size, at))
        {
            let AddressSpace { table, resident, .. } = &mut kernel.spaces[space];
            // The faulting page's table serves its neighbours too; if a scheme's tables are smaller, that is all.
            if table.set(&mut kernel.memory, at, Entry::new(frame, bits)).is_err() {
                return;
            }
            kernel.memory.retain(frame);
            resident.file += 1;
        }
        at += page_size.bytes();
    }
}

/// A write to a page that is in memory, in an area that permits writing.
fn make_writable(
    call: &mut Call,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    entry: Entry,
) -> Result<FaultKind, BadAccess> {
    let (kernel, frame) = (&mut *call.kernel, entry.frame());
    let is_private = entry.0 & PRIVATE != 0;
    if is_private && kernel.memory.count(frame) > 1 || !is_private && !spot.shared {
        if Some(frame) == kernel.mm.zero {
            let new = reclaim::allocate_zeroed(kernel)?;
            replace_private(kernel, space, page, spot, entry, new);
            return Ok(FaultKind::ZeroFill);
        }
        // Reclaim must not take the source away; the reference that the entry holds could be the only one beside the
        // cache.
        kernel.memory.retain(frame);
        let new = reclaim::allocate(kernel);
        kernel.memory.release(frame);
        let new = new?;
        kernel.memory.copy(frame, new);
        // Reclaim may have taken the entry out meanwhile.
        let entry = kernel.spaces[space].table.entry(&kernel.memory, page);
        replace_private(kernel, space, page, spot, entry, new);
        return Ok(FaultKind::CopyOnWrite);
    }
    if let Backing::File { inode, .. } = spot.backing
        && !is_private
    {
        let index = spot.index(kernel.page_size(), page);
        note_write(call, inode, index);
    }
    let kernel = &mut *call.kernel;
    if is_private {
        // Its last owner may have moved it, mremap(2).
        let family = kernel.spaces[space].family;
        owners::set_private(kernel, frame, family, page);
    }
    let AddressSpace { table, tlb, .. } = &mut kernel.spaces[space];
    let bits = protection_bits(spot.protection) | Entry::WRITABLE;
    let entry = Entry(entry.without(Entry::NO_EXECUTE | LAZY_FREE).0 | bits);
    table.replace(&mut kernel.memory, page, entry);
    tlb.flush_page(page, FlushCause::Fault);
    Ok(FaultKind::Reuse)
}

/// Puts a private frame in the place of an entry; the entry's frame loses its reference.
fn replace_private(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    old: Entry,
    frame: FrameNumber,
) {
    let zero = kernel.mm.zero;
    let family = kernel.spaces[space].family;
    owners::load(kernel, frame, Owner::Private { family, page });
    let AddressSpace { table, tlb, resident, .. } = &mut kernel.spaces[space];
    if old.is_present() {
        let before = old.frame();
        match spot.backing {
            _ if old.0 & PRIVATE != 0 => resident.private -= 1,
            _ if Some(before) == zero => {}
            Backing::Shared { .. } => resident.shared -= 1,
            Backing::File { .. } | Backing::Anonymous => resident.file -= 1,
        }
        kernel.memory.release(before);
    }
    let bits = protection_bits(spot.protection) | Entry::WRITABLE | PRIVATE;
    // The table exists: it held the old entry when the fault came, and reclaim prunes no tables.
    table.replace(&mut kernel.memory, page, Entry::new(frame, bits));
    tlb.flush_page(page, FlushCause::Fault);
    resident.private += 1;
}

/// Maps a private copy of `source` where nothing is mapped.
fn copy_to_private(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    source: FrameNumber,
) -> Result<(), BadAccess> {
    kernel.memory.retain(source);
    let frame = reclaim::allocate(kernel);
    kernel.memory.release(source);
    let frame = frame?;
    kernel.memory.copy(source, frame);
    install_private(kernel, space, page, spot, frame)
}

/// Maps a frame of the address space's own, whose one reference the entry takes over.
#[inline]
fn install_private(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    spot: Spot,
    frame: FrameNumber,
) -> Result<(), BadAccess> {
    let writable = if spot.protection & PROT_WRITE != 0 { Entry::WRITABLE } else { 0 };
    let entry = Entry::new(frame, protection_bits(spot.protection) | writable | PRIVATE);
    match reclaim::set_entry(kernel, space, page, entry) {
        Ok(_) => {
            let here = &mut kernel.spaces[space];
            here.resident.private += 1;
            let family = here.family;
            owners::load(kernel, frame, Owner::Private { family, page });
            Ok(())
        }
        Err(error) => {
            kernel.memory.release(frame);
            Err(error.into())
        }
    }
}

/// Maps a frame that somebody else holds too.
fn install(kernel: &mut Kernel, space: Id<AddressSpace>, page: u64, entry: Entry) -> Result<(), BadAccess> {
    kernel.memory.retain(entry.frame());
    reclaim::set_entry(kernel, space, page, entry).map_err(|error| {
        kernel.memory.release(entry.frame());
        BadAccess::from(error)
    })?;
    if let Some(record) = kernel.mm.owners.get_mut(entry.frame()) {
        record.mapped_at = page;
    }
    Ok(())
}

/// Lets the stack above `page` grow down to it, if there is one and it may. Linux mm/mmap.c `expand_downwards`.
///
/// # Errors
/// [`BadAccess::Unmapped`] if not.
pub(crate) fn grow_stack<'a>(call: &'a mut Call, space: Id<AddressSpace>, page: u64) -> Result<&'a Vma, BadAccess> {
    let limit = |resource| limits::soft(call, resource);
    let (stack, total, locked) = (limit(RLIMIT_STACK), limit(RLIMIT_AS), limit(RLIMIT_MEMLOCK));
    let lowest = call.kernel.mm.settings.lowest_address;
    let guard = STACK_GUARD_PAGES * call.kernel.page_size().bytes();
    let areas = &mut call.kernel.spaces[space].areas;
    let area = areas.at_or_above(page).ok_or(BadAccess::Unmapped)?;
    if !area.flags.has(AreaFlags::GROWS_DOWN) || page < lowest {
        return Err(BadAccess::Unmapped);
    }
    let (start, end, growth) = (area.start, area.end, area.start - page);
    let is_locked = area.flags.has(AreaFlags::LOCKED);
    let too_close = areas.below(page + 1).is_some_and(|below| {
        !below.flags.has(AreaFlags::GROWS_DOWN) && below.is_accessible() && page < below.end.saturating_add(guard)
    });
    let totals = areas.totals();
    if end - page > stack
        || totals.mapped.saturating_add(growth) > total
        || is_locked && totals.locked.saturating_add(growth) > locked
        || too_close
    {
        return Err(BadAccess::Unmapped);
    }
    areas.grow_down(start, page);
    call.kernel.spaces[space].areas.containing(page).ok_or(BadAccess::Unmapped)
}
