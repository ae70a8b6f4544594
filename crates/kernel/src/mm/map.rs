//! mmap(2): where a mapping goes, whether it may, and the area that it becomes.

use crate::entry::Call;
use crate::fs::devfs::Device;
use crate::fs::{FileDescription, FileObject, FileSystem, Inode, page_cache};
use crate::mm::AddressSpace;
use crate::mm::fault;
use crate::mm::layout::Layout;
use crate::mm::limits;
use crate::mm::policy::Policy;
use crate::mm::seal;
use crate::mm::shared_memory::{self, SharedMemory};
use crate::mm::unmap;
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::table::Id;
use abi::fcntl::{F_SEAL_FUTURE_WRITE, F_SEAL_WRITE};
use abi::mman::*;
use abi::{Errno, Error};
use machine::{Access, Entry};
use std::collections::BTreeMap;
use std::ops::Range;

/// What to map, as mmap(2) takes it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// A wish, or with `MAP_FIXED` an order.
    pub address: u64,
    /// Bytes; rounded up to whole pages.
    pub length: u64,
    /// `PROT_` bits.
    pub protection: u32,
    /// `MAP_` bits.
    pub flags: u32,
    /// What.
    pub source: Source,
}

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Zeroes.
    Anonymous,
    /// An open file from an offset on, page-aligned. The mapping holds its own reference.
    File {
        /// Which.
        file: Id<FileDescription>,
        /// In bytes.
        offset: u64,
    },
    /// Shared memory from an offset on, page-aligned. The mapping holds its own reference.
    Shared {
        /// Which.
        object: Id<SharedMemory>,
        /// In bytes.
        offset: u64,
    },
}

/// Where program files are mapped in every process if possible, so that they share translated code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    by_inode: BTreeMap<Id<Inode>, Range<u64>>,
    /// Bytes of the region that are given away.
    used: u64,
}

/// Files that have a place of their own; beyond that, files that are gone lose theirs.
const MOST_PLACES: usize = 16384;
/// Places begin at multiples of this: what one table of the page-table tree serves should hold several small files.
const PLACE_ALIGNMENT: u64 = 1 << 16;

/// Maps. The caller's limits bind, whosever the address space is. Returns the address.
///
/// # Errors
/// As mmap(2): `EACCES`, `EAGAIN`, `EEXIST`, `EINVAL`, `ENODEV`, `ENOMEM`, `EOPNOTSUPP`, `EOVERFLOW`, `EPERM`.
pub fn map(call: &mut Call, space: Id<AddressSpace>, mut request: Request) -> Result<u64, Error> {
    if request.length == 0 {
        return Err(Errno::EINVAL.because("`length` is 0"));
    }
    let length = call.kernel.page_size().round_up(request.length);
    let length = length.ok_or(Errno::ENOMEM.because("`length` is larger than any address space"))?;
    check_alignment(call, &request)?;
    if call.kernel.spaces[space].areas.len() > call.kernel.mm.settings.most_areas {
        return Err(Errno::ENOMEM.because("the process has too many mappings, `vm.max_map_count`"));
    }
    let start = place(call, space, &request, length)?;
    if request.flags & MAP_HUGETLB != 0 && request.source == Source::Anonymous {
        return Err(Errno::ENOMEM.because("no huge pages are reserved, `vm.nr_hugepages`"));
    }
    let end = start + length;
    if request.flags & MAP_FIXED_NOREPLACE != 0
        && call.kernel.spaces[space].areas.overlapping(start..end).next().is_some()
    {
        return Err(Errno::EEXIST.because("something is mapped there, and `MAP_FIXED_NOREPLACE` is set"));
    }
    if let Source::File { file, .. } = request.source
        && call.kernel.files[file].object == FileObject::Device(Device::Zero)
    {
        check_modes(call, file, request.flags & MAP_TYPE != MAP_PRIVATE && request.protection & PROT_WRITE != 0)?;
        request.source = Source::Anonymous;
    }
    check_offset(&request, length)?;
    let mut area = describe(call, space, &request, start..end)?;
    if area.flags.has(AreaFlags::LOCKED) {
        limits::may_lock(call, space, length)?;
    }
    limits::may_grow(call, space, &area, Some(start..end))?;
    if limits::is_accounted(&area) {
        limits::may_commit(call.kernel, length)?;
        area.flags = area.flags.with(AreaFlags::ACCOUNTED);
    }
    seal::may_change(call, space, start..end)?;
    unmap::unmap(call, space, start..end);
    if request.source == Source::Anonymous && area.shared {
        let object = shared_memory::create(call.kernel, length, "/dev/zero (deleted)");
        area.backing = Backing::Shared { object, offset: 0 };
        insert(call, space, area);
        shared_memory::release(call.kernel, object);
    } else {
        insert(call, space, area);
    }
    let flags = call.kernel.spaces[space].areas.containing(start).map_or(AreaFlags::NONE, |area| area.flags);
    let lock = flags.has(AreaFlags::LOCKED) && !flags.has(AreaFlags::LOCK_ON_FAULT);
    if lock || request.flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE {
        // mmap(2) "does not fail if the mapping cannot be populated".
        populate_what_can_be(call, space, start..end);
    }
    Ok(start)
}

/// Adds an area where nothing is mapped, with a reference to its object.
pub(crate) fn insert(call: &mut Call, space: Id<AddressSpace>, area: Vma) {
    if let Some(object) = area.backing.object()
        && call.kernel.spaces[space].areas.uses_of(object) == 0
    {
        unmap::retain_object(call.kernel, space, object);
    }
    let here = &mut call.kernel.spaces[space];
    here.areas.insert(area);
    here.note_peak();
}

fn check_alignment(call: &Call, request: &Request) -> Result<(), Error> {
    match request.source {
        Source::File { offset, .. } | Source::Shared { offset, .. } if !call.kernel.page_size().divides(offset) => {
            Err(Errno::EINVAL.because("`offset` is not a multiple of the page size"))
        }
        _ => Ok(()),
    }
}

/// Linux `file_mmap_ok`, which comes after the place was found.
fn check_offset(request: &Request, length: u64) -> Result<(), Error> {
    let (Source::File { offset, .. } | Source::Shared { offset, .. }) = request.source else { return Ok(()) };
    // File offsets are signed.
    if offset.checked_add(length).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EOVERFLOW.because("`offset` plus `length` is too large for a file"));
    }
    Ok(())
}

/// Where the mapping goes. Linux `get_unmapped_area`.
pub(crate) fn place(call: &mut Call, space: Id<AddressSpace>, request: &Request, length: u64) -> Result<u64, Error> {
    let lowest = call.kernel.mm.settings.lowest_address;
    let end = call.kernel.spaces[space].layout.user_end;
    if length > end {
        return Err(Errno::ENOMEM.because("`length` is larger than the address space"));
    }
    if request.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
        let address = request.address;
        if address > end - length {
            return Err(Errno::ENOMEM.because("the mapping would reach beyond the end of the address space"));
        }
        if !call.kernel.page_size().divides(address) {
            return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
        }
        if address < lowest && !limits::may_map_low(call) {
            return Err(Errno::EPERM.because("`addr` is below `vm.mmap_min_addr`"));
        }
        return Ok(address);
    }
    // Linux `round_hint_to_min`.
    let page_size = call.kernel.page_size();
    let wish = page_size.start(request.address);
    if wish != 0 {
        let wish = wish.max(lowest);
        let end = if request.flags & MAP_32BIT != 0 { LOW_REGION.end.min(end) } else { end };
        // Linux `mmap_address_hint_valid`: nothing lies across the border of what programs get without asking.
        let window_end = call.kernel.spaces[space].layout.window_end;
        let fits = |last: u64| wish <= last && (wish > window_end) == (wish + length > window_end);
        if end.checked_sub(length).is_some_and(fits) && call.kernel.spaces[space].areas.is_free(wish..wish + length) {
            return Ok(wish);
        }
    }
    let full = Errno::ENOMEM.because("no free range of the address space is long enough");
    if request.flags & MAP_32BIT != 0 {
        let low = LOW_REGION.start.min(end)..LOW_REGION.end.min(end);
        return call.kernel.spaces[space].areas.gap_above(low, length).ok_or(full);
    }
    let layout = &call.kernel.spaces[space].layout;
    if request.address > layout.window_end {
        // Linux moves the top of the search up by what lies beyond the window.
        let (beyond, top) = (layout.window_end, layout.mapping_top + (layout.user_end - layout.window_end));
        if let Some(address) = call.kernel.spaces[space].areas.gap_below(top, beyond, length) {
            return Ok(address);
        }
    }
    if let Some(address) = place_of_file(call, space, request, length) {
        return Ok(address);
    }
    let here = &mut call.kernel.spaces[space];
    let Layout { mapping_bottom: bottom, window_end: end, .. } = here.layout;
    here.areas
        .gap_below_top(lowest.max(page_size.bytes()), length)
        .or_else(|| here.areas.gap_above(bottom..end, length))
        .ok_or(full)
}

/// The place that a program file has in all processes, if it is one and its place is free here.
fn place_of_file(call: &mut Call, space: Id<AddressSpace>, request: &Request, length: u64) -> Option<u64> {
    let Source::File { file, offset: 0 } = request.source else { return None };
    let FileObject::Inode(inode) = call.kernel.files[file].object else { return None };
    if request.flags & MAP_TYPE != MAP_PRIVATE || !is_program(call, inode) {
        return None;
    }
    let place = file_place(call, space, inode, length)?;
    call.kernel.spaces[space].areas.is_free(place..place + length).then_some(place)
}

/// Where MAP_32BIT puts mappings. Linux arch/x86/kernel/sys_x86_64.c `find_start_end`.
const LOW_REGION: Range<u64> = 0x4000_0000..0x8000_0000;

/// Whether the file's first page is in memory and begins like an ELF file: a loader has just looked at it.
fn is_program(call: &Call, inode: Id<Inode>) -> bool {
    page_cache::cached(call.kernel, inode, 0)
        .is_some_and(|frame| call.kernel.memory.bytes(frame).starts_with(b"\x7fELF"))
}

/// The address that a program file of `length` bytes in memory should have in every process; `None` if none is left.
pub fn file_place(call: &mut Call, space: Id<AddressSpace>, inode: Id<Inode>, length: u64) -> Option<u64> {
    let region = call.kernel.spaces[space].layout.files.clone();
    let places = &mut call.kernel.mm.places;
    if let Some(place) = places.by_inode.get(&inode) {
        return (length <= place.end - place.start).then_some(place.start);
    }
    if places.by_inode.len() >= MOST_PLACES {
        let inodes = &call.kernel.vfs.inodes;
        places.by_inode.retain(|inode, _| inodes.get(*inode).is_some());
        if places.by_inode.len() >= MOST_PLACES {
            return None;
        }
    }
    let size = length.checked_next_multiple_of(PLACE_ALIGNMENT)?;
    let start = region.start.checked_add(places.used).filter(|start| *start < region.end)?;
    if size > region.end - start {
        return None;
    }
    places.used += size;
    places.by_inode.insert(inode, start..start + size);
    Some(start)
}

/// The area that a request asks for, if its flags make sense and its file permits it. Linux `do_mmap`.
fn describe(call: &mut Call, space: Id<AddressSpace>, request: &Request, range: Range<u64>) -> Result<Vma, Error> {
    let Request { flags, protection, .. } = *request;
    let mut area = Vma {
        policy: Policy::default(),
        ..Vma::anonymous(range.start, range.end, protection & (PROT_READ | PROT_WRITE | PROT_EXEC))
    };
    let mut set = |condition: bool, flag| area.flags = if condition { area.flags.with(flag) } else { area.flags };
    set(true, call.kernel.spaces[space].future_flags);
    set(flags & MAP_LOCKED != 0, AreaFlags::LOCKED);
    set(flags & MAP_GROWSDOWN != 0, AreaFlags::GROWS_DOWN);
    set(flags & MAP_NORESERVE != 0 && call.kernel.mm.settings.overcommit != 2, AreaFlags::NO_RESERVE);
    area.shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED => true,
        MAP_SHARED_VALIDATE if matches!(request.source, Source::File { .. }) => {
            if flags & !LEGACY_MAP_MASK != 0 {
                return Err(Errno::EOPNOTSUPP.because("an unknown flag, and `MAP_SHARED_VALIDATE` is set"));
            }
            true
        }
        _ => return Err(Errno::EINVAL.because("neither `MAP_SHARED` nor `MAP_PRIVATE` is set")),
    };
    let is_plain = request.source == Source::Anonymous && !area.shared;
    if flags & MAP_GROWSDOWN != 0 && !is_plain {
        return Err(Errno::EINVAL.because("`MAP_GROWSDOWN` is for private anonymous memory"));
    }
    match request.source {
        Source::Anonymous => {}
        Source::Shared { object, offset } => area.backing = Backing::Shared { object, offset },
        Source::File { file, offset } => {
            describe_file(call, &mut area, file, offset)?;
            if flags & MAP_SYNC != 0 && is_on_disk(call, &area) {
                return Err(Errno::EOPNOTSUPP.because("`MAP_SYNC`, and the file is not on persistent memory"));
            }
        }
    }
    Ok(area)
}

/// Flags that MAP_SHARED_VALIDATE knows of. Linux include/linux/mman.h.
const LEGACY_MAP_MASK: u32 = MAP_TYPE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_32BIT
    | MAP_ABOVE4G
    | MAP_GROWSDOWN
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | MAP_UNINITIALIZED
    | MAP_HUGE_2MB
    | MAP_HUGE_1GB;

/// Whether the file was opened for what the mapping would do.
fn check_modes(call: &Call, file: Id<FileDescription>, writes: bool) -> Result<(), Error> {
    let description = &call.kernel.files[file];
    if description.is_path_only() {
        return Err(Errno::EBADF.because("the descriptor was opened with `O_PATH`"));
    }
    if !description.is_readable() {
        return Err(Errno::EACCES.because("the file is not open for reading"));
    }
    if writes && !description.is_writable() {
        return Err(Errno::EACCES.because("a writable shared mapping needs a file open for reading and writing"));
    }
    Ok(())
}

/// Whether the area maps a file of the host's.
fn is_on_disk(call: &Call, area: &Vma) -> bool {
    let Backing::File { inode, .. } = area.backing else { return false };
    let inode = &call.kernel.vfs.inodes[inode];
    call.kernel.vfs.mounts[inode.mount].file_system == FileSystem::Host
}

fn describe_file(call: &mut Call, area: &mut Vma, file: Id<FileDescription>, offset: u64) -> Result<(), Error> {
    check_modes(call, file, area.shared && area.is_writable())?;
    let description = &call.kernel.files[file];
    let is_writable = description.is_writable();
    let inode = match description.object {
        FileObject::Inode(inode) => inode,
        _ => return Err(Errno::ENODEV.because("files of this kind cannot be mapped")),
    };
    let Some(pages) = call.kernel.vfs.inodes[inode].pages() else {
        return Err(Errno::ENODEV.because("only regular files can be mapped"));
    };
    let seals = pages.seals.unwrap_or(0);
    if area.shared && !is_writable {
        area.maximum &= !PROT_WRITE;
    }
    if area.shared && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
        if area.is_writable() {
            return Err(Errno::EPERM.because("the file is sealed against writing"));
        }
        area.maximum &= !PROT_WRITE;
    }
    area.backing = Backing::File { file, inode, offset };
    Ok(())
}

/// Fills the pages of `range`, as if they were written where a private area permits that, else as if read. Stops at the
/// first that cannot be filled. Linux mm/gup.c `__mm_populate`.
///
/// # Errors
/// The first page that could not be filled.
pub(crate) fn populate(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
) -> Result<(), (u64, fault::BadAccess)> {
    for (range, access) in accesses(call, space, range) {
        let Some(access) = access else { return Err((range.start, fault::BadAccess::Forbidden)) };
        fill_range(call, space, range, access)?;
    }
    Ok(())
}

/// Fills the pages of `range` as [`populate`] does, and goes on with the next area where it cannot: MAP_POPULATE,
/// mlockall(2). What is not filled comes, or fails, when it is used.
pub(crate) fn populate_what_can_be(call: &mut Call, space: Id<AddressSpace>, range: Range<u64>) {
    for (range, access) in accesses(call, space, range) {
        if let Some(access) = access {
            let _ = fill_range(call, space, range, access);
        }
    }
}

/// The parts of `range` by areas, and the access that fills each; `None` if it permits no access.
fn accesses(call: &Call, space: Id<AddressSpace>, range: Range<u64>) -> Vec<(Range<u64>, Option<Access>)> {
    let access = |area: &Vma| {
        let writes = area.is_writable() && !area.shared;
        area.is_accessible().then_some(if writes { Access::Write } else { Access::Read })
    };
    call.kernel.spaces[space]
        .areas
        .overlapping(range.clone())
        .map(|area| (area.start.max(range.start)..area.end.min(range.end), access(area)))
        .collect()
}

/// Fills all pages of `range` for an access.
///
/// # Errors
/// The first page that could not be filled, and why.
pub(crate) fn fill_range(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
    access: Access,
) -> Result<(), (u64, fault::BadAccess)> {
    let mut page = range.start;
    while page < range.end {
        let entry: Entry = call.kernel.spaces[space].table.entry(&call.kernel.memory, page);
        let is_there = if access == Access::Write { entry.is_writable() } else { entry.is_readable() };
        if !is_there {
            fault::fill(call, space, page, access).map_err(|bad| (page, bad))?;
        }
        page += call.kernel.page_size().bytes();
    }
    Ok(())
}
