//! The pages of regular files in guest memory: read from the host when they are first needed, kept when changed.
//!
//! A page is absent, clean or changed. An absent page is the host's (below `host_length`) or a hole of zeroes. A clean
//! page is a copy of that and may be dropped when memory runs short. A changed page differs from that; when memory runs
//! short it goes to the disk, or to swap if its file lies on tmpfs.

use crate::entry::Call;
use crate::fs::{FileSystem, Inode};
use crate::kernel::Kernel;
use crate::mm::owners::{self, Owner};
use crate::mm::shared_memory::PagePlace;
use crate::mm::store::{SlotNumber, StoreKind};
use crate::mm::{reclaim, swap};
use crate::table::Id;
use abi::{Errno, Error};
use machine::{FrameNumber, PageSize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Pages that one read from the host fetches when they are needed one after the other.
const READ_AHEAD: u64 = 16;
/// Most pages that one read from the host fetches.
const READ_MOST: u64 = 64;

/// Pages of a sweep through a file that stay in memory behind it. Whoever reads a large file from front to end seldom comes
/// back, and frames that go round are faster than new ones.
const KEPT_BEHIND: u64 = 1024;

/// A regular file's contents.
///
/// # Invariants
/// - each page in memory counts once among its frame's references; each page put away is a user of its slot, and changed;
/// - bytes of the last page behind `size` are zero; no page lies wholly behind it.
#[derive(Debug, Default)]
pub struct Pages {
    size: u64,
    /// Bytes from the start that the host's file has for pages that are absent.
    host_length: u64,
    pages: BTreeMap<u64, Page>,
    /// Whether any page was changed or cut off.
    is_changed: bool,
    /// Pages that were fetched from the host one after the other, up to now.
    sweep: Range<u64>,
    /// `F_SEAL_` bits, memfd_create(2); `None` for files that cannot be sealed.
    pub seals: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Page {
    place: PagePlace,
    is_changed: bool,
}

impl Pages {
    /// The contents of a host file of `size` bytes.
    pub fn of_host(size: u64) -> Pages {
        Pages { size, host_length: size, ..Pages::default() }
    }

    /// Bytes, `st_size`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes from the start that the host's file has for pages that are not in memory.
    pub fn host_length(&self) -> u64 {
        self.host_length
    }

    /// Whether the contents differ from the host's file.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Units of 512 bytes that it fills, `st_blocks`: pages that are no holes.
    pub fn blocks(&self, page_size: PageSize, host_blocks: u64) -> u64 {
        if !self.is_changed {
            return host_blocks;
        }
        let host_pages = page_size.pages(self.host_length);
        let added = self.pages.range(host_pages..).filter(|(_, page)| page.is_changed).count() as u64;
        (host_pages + added) * (page_size.bytes() / 512)
    }

    /// The first byte at or after `offset` that is no hole; `None` if there is none before the end.
    pub fn next_data(&self, page_size: PageSize, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        if offset < self.host_length {
            return Some(offset);
        }
        let mut pages = self.pages.range(page_size.number(offset)..);
        let (index, _) = pages.find(|(_, page)| page.is_changed)?;
        Some(offset.max(index * page_size.bytes())).filter(|found| *found < self.size)
    }

    /// The first byte at or after `offset` that lies in a hole; the end of the file counts as one.
    pub fn next_hole(&self, page_size: PageSize, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let mut at = offset.max(self.host_length);
        while at < self.size && self.pages.get(&page_size.number(at)).is_some_and(|page| page.is_changed) {
            at = (page_size.number(at) + 1) * page_size.bytes();
        }
        Some(at.min(self.size))
    }

    /// Indices of changed pages, in order; [`changed_bytes`] has their bytes.
    pub fn changed_pages(&self) -> impl Iterator<Item = u64> + '_ {
        self.pages.iter().filter(|(_, page)| page.is_changed).map(|(index, _)| *index)
    }

    /// How many changed pages are in memory.
    pub fn changed_in_memory(&self) -> u64 {
        self.pages.values().filter(|page| page.is_changed && page.place.frame().is_some()).count() as u64
    }

    /// Whether page `index` is changed.
    pub fn is_page_changed(&self, index: u64) -> bool {
        self.pages.get(&index).is_some_and(|page| page.is_changed)
    }

    /// The frames of all pages in memory, by index.
    pub fn frames(&self) -> impl Iterator<Item = FrameNumber> + '_ {
        self.pages.values().filter_map(|page| page.place.frame())
    }

    /// The slots of all pages that were put away.
    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotNumber> + '_ {
        self.pages.values().filter_map(|page| match page.place {
            PagePlace::Slot(slot) => Some(slot),
            PagePlace::Frame(_) => None,
        })
    }

    fn is_on_host(&self, page_size: PageSize, index: u64) -> bool {
        index.saturating_mul(page_size.bytes()) < self.host_length
    }
}

/// The frame of page `index` of a regular file, read from the host or filled with zeroes if need be. The cache keeps its
/// own reference; the caller retains another if it keeps the frame beyond the next call into the kernel.
///
/// # Errors
/// `ENOMEM` if no frame is free, the host's error if it cannot be read, `EINVAL` if the inode has no pages.
pub fn page(call: &mut Call, inode: Id<Inode>, index: u64) -> Result<FrameNumber, Error> {
    let pages = pages_of(call.kernel, inode)?;
    match pages.pages.get(&index).map(|page| page.place) {
        Some(PagePlace::Frame(frame)) => return Ok(frame),
        Some(PagePlace::Slot(slot)) => return bring_in(call.kernel, inode, index, slot),
        None => {}
    }
    if pages.is_on_host(call.kernel.page_size(), index) {
        fetch(call, inode, index, READ_AHEAD)?;
        return Ok(cached(call.kernel, inode, index).expect("it was fetched"));
    }
    let frame = allocate_zeroed(call.kernel)?;
    insert_clean(call.kernel, inode, index, frame);
    Ok(frame)
}

/// Puts a page in that could be had again at any time.
fn insert_clean(kernel: &mut Kernel, inode: Id<Inode>, index: u64, frame: FrameNumber) {
    pages_mut(kernel, inode).pages.insert(index, Page { place: PagePlace::Frame(frame), is_changed: false });
    owners::load(kernel, frame, Owner::File { inode, index });
}

/// Reads a page back from where it was put away.
fn bring_in(kernel: &mut Kernel, inode: Id<Inode>, index: u64, slot: SlotNumber) -> Result<FrameNumber, Error> {
    let frame = allocate(kernel)?;
    let kind = store_kind(kernel, inode);
    kernel.memory.bytes_mut(frame).copy_from_slice(kernel.mm.store(kind).bytes(slot));
    owners::load(kernel, frame, Owner::File { inode, index });
    swap::note_read(kernel, frame, kind, slot);
    kernel.mm.store_mut(kind).release(slot);
    pages_mut(kernel, inode).pages.insert(index, Page { place: PagePlace::Frame(frame), is_changed: true });
    Ok(frame)
}

/// A changed page, which nobody maps any more, is in a slot from now on; its frame goes.
pub(crate) fn put_away(kernel: &mut Kernel, inode: Id<Inode>, index: u64, slot: SlotNumber) {
    let page = Page { place: PagePlace::Slot(slot), is_changed: true };
    let before = pages_mut(kernel, inode).pages.insert(index, page).expect("only a page in memory is put away");
    kernel.memory.release(before.place.frame().expect("only a page in memory is put away"));
}

/// Where changed pages of a file go when memory runs short.
pub(crate) fn store_kind(kernel: &Kernel, inode: Id<Inode>) -> StoreKind {
    match kernel.vfs.mounts[kernel.vfs.inodes[inode].mount].file_system {
        FileSystem::Host => StoreKind::Disk,
        _ => StoreKind::Swap,
    }
}

/// The bytes of a changed page, wherever it is.
///
/// # Panics
/// If the page is not changed.
pub fn changed_bytes(kernel: &Kernel, inode: Id<Inode>, index: u64) -> &[u8] {
    let page = kernel.vfs.inodes[inode].pages().and_then(|pages| pages.pages.get(&index)).expect("a changed page");
    match page.place {
        PagePlace::Frame(frame) => kernel.memory.bytes(frame),
        PagePlace::Slot(slot) => kernel.mm.store(store_kind(kernel, inode)).bytes(slot),
    }
}

/// Gives back all frames and slots of an inode that is gone; it lay on a file system of that kind.
pub(super) fn free(kernel: &mut Kernel, pages: Pages, kind: StoreKind) {
    for page in pages.pages.into_values() {
        give_back(kernel, page.place, kind);
    }
}

fn give_back(kernel: &mut Kernel, place: PagePlace, kind: StoreKind) {
    match place {
        PagePlace::Frame(frame) => kernel.memory.release(frame),
        PagePlace::Slot(slot) => kernel.mm.store_mut(kind).release(slot),
    }
}

/// Whether page `index` was put away.
pub fn is_stored(kernel: &Kernel, inode: Id<Inode>, index: u64) -> bool {
    let page = kernel.vfs.inodes[inode].pages().and_then(|pages| pages.pages.get(&index));
    page.is_some_and(|page| page.place.frame().is_none())
}

/// The frame of page `index`, to be changed: by write(2), or by a writable shared mapping. See [`page`].
///
/// # Errors
/// As [`page`].
pub fn page_to_change(call: &mut Call, inode: Id<Inode>, index: u64) -> Result<FrameNumber, Error> {
    if cached(call.kernel, inode, index).is_none() {
        leave_some(call.kernel)?;
    }
    let frame = page(call, inode, index)?;
    mark_changed(call.kernel, inode, index);
    Ok(frame)
}

/// Says that page `index`, which is in memory, is changed: it is kept from now on.
pub fn mark_changed(kernel: &mut Kernel, inode: Id<Inode>, index: u64) {
    let file = &mut kernel.vfs.inodes[inode];
    file.is_changed = true;
    let Some(pages) = file.pages_mut() else { return };
    pages.is_changed = true;
    if let Some(page) = pages.pages.get_mut(&index) {
        page.is_changed = true;
        if let PagePlace::Frame(frame) = page.place {
            kernel.mm.owners.note_dirty(frame);
        }
    }
}

/// The frame of a page that is in memory already, without reading or allocating anything; `None` for a hole or a page
/// that only the host has.
#[inline]
pub fn cached(kernel: &Kernel, inode: Id<Inode>, index: u64) -> Option<FrameNumber> {
    kernel.vfs.inodes[inode].pages()?.pages.get(&index)?.place.frame()
}

/// Whether page `index` is a hole: zeroes that nobody wrote.
pub fn is_hole(kernel: &Kernel, inode: Id<Inode>, index: u64) -> bool {
    kernel.vfs.inodes[inode]
        .pages()
        .is_some_and(|pages| !pages.pages.contains_key(&index) && !pages.is_on_host(kernel.page_size(), index))
}

/// Reads absent pages from the host: `index` and those that follow it, at most `wanted`, up to the first that is not
/// absent. A page that was put away is read back.
pub(super) fn fetch(call: &mut Call, inode: Id<Inode>, index: u64, wanted: u64) -> Result<(), Error> {
    if is_stored(call.kernel, inode, index) {
        return page(call, inode, index).map(|_| ());
    }
    let file = &call.kernel.vfs.inodes[inode];
    let Some(host) = &file.host else { return Err(Errno::EIO.because("no host file lies under this one")) };
    let path = host.path.clone();
    let pages = file.pages().expect("the caller looked");
    let page_bytes = call.kernel.page_size().bytes();
    let last_on_host = pages.host_length.div_ceil(page_bytes);
    let next_present = pages.pages.range(index..).next().map_or(u64::MAX, |(next, _)| *next);
    let end = index.saturating_add(wanted.clamp(1, READ_MOST)).min(last_on_host).min(next_present);
    let bytes_end = (end * page_bytes).min(pages.host_length);
    let mut bytes = std::mem::take(&mut call.kernel.vfs.fetched);
    bytes.resize((bytes_end - index * page_bytes) as usize, 0);
    let got = call.outside.read_file(&path, index * page_bytes, &mut bytes)?;
    // A host file that shrank during the run reads as zeroes where it ended.
    bytes[got..].fill(0);
    let mut first = None;
    for (position, chunk) in bytes.chunks(page_bytes as usize).enumerate() {
        let frame = match allocate(call.kernel) {
            Ok(frame) => frame,
            // What was read ahead is only a wish.
            Err(_) if position > 0 => break,
            Err(error) => return Err(error),
        };
        // Finding frames for what is read ahead may drop clean pages, but not the one that is needed.
        if first.is_none() {
            call.kernel.memory.retain(frame);
            first = Some(frame);
        }
        let target = call.kernel.memory.bytes_mut(frame);
        target[..chunk.len()].copy_from_slice(chunk);
        target[chunk.len()..].fill(0);
        insert_clean(call.kernel, inode, index + position as u64, frame);
    }
    if let Some(frame) = first {
        call.kernel.memory.release(frame);
    }
    call.kernel.vfs.fetched = bytes;
    drop_behind(call.kernel, inode, index..end);
    Ok(())
}

/// Pages were fetched: those of a long sweep that lie far behind are dropped if nobody changed or maps them.
fn drop_behind(kernel: &mut Kernel, inode: Id<Inode>, fetched: Range<u64>) {
    let sweep = &mut pages_mut(kernel, inode).sweep;
    if sweep.end == fetched.start {
        sweep.end = fetched.end;
    } else {
        *sweep = fetched;
    }
    let gone = sweep.start..sweep.end.saturating_sub(KEPT_BEHIND).max(sweep.start);
    sweep.start = gone.end;
    for index in gone {
        let is_unused = |frame| kernel.memory.count(frame) == 1;
        if cached(kernel, inode, index).is_some_and(is_unused) && !pages_mut(kernel, inode).is_page_changed(index) {
            drop_pages(kernel, inode, index, index + 1);
        }
    }
}

/// Sets the size. Pages behind the end go, and with them their bytes; mappings of them are undone.
pub fn set_size(kernel: &mut Kernel, inode: Id<Inode>, size: u64) {
    let page_size = kernel.page_size();
    let file = &mut kernel.vfs.inodes[inode];
    let Some(pages) = file.pages_mut() else { return };
    let old = pages.size;
    pages.size = size;
    if size == old {
        return;
    }
    pages.is_changed = true;
    file.is_changed = true;
    if size > old {
        return;
    }
    let first_gone = page_size.pages(size);
    crate::mm::truncate_mappings(kernel, inode, first_gone);
    drop_pages(kernel, inode, first_gone, u64::MAX);
    let pages = pages_mut(kernel, inode);
    // The host's bytes behind the new end must not come back if the file grows again. What is left of the last page is
    // still cut by `host_length`, as `fetch` reads no further.
    pages.host_length = pages.host_length.min(size);
    clear_behind(kernel, inode, size);
}

/// Makes the bytes behind `end` in its page zero, wherever the page is.
fn clear_behind(kernel: &mut Kernel, inode: Id<Inode>, end: u64) {
    let within = kernel.page_size().offset(end) as usize;
    let index = kernel.page_size().number(end);
    let Some(page) = pages_mut(kernel, inode).pages.get(&index).copied().filter(|_| within > 0) else { return };
    match page.place {
        PagePlace::Frame(frame) => {
            kernel.memory.bytes_mut(frame)[within..].fill(0);
            kernel.mm.owners.note_dirty(frame);
        }
        PagePlace::Slot(slot) => {
            let kind = store_kind(kernel, inode);
            kernel.mm.store_mut(kind).bytes_mut(slot)[within..].fill(0);
        }
    }
}

/// A file is about to grow: what a mapping wrote behind its end, in the last partial page, becomes zero and is not seen.
/// tmpfs shows it, as on Linux; file systems on disks do not (`pagecache_isize_extended`).
pub(super) fn clear_tail(kernel: &mut Kernel, inode: Id<Inode>) {
    let file = &kernel.vfs.inodes[inode];
    if kernel.vfs.mounts[file.mount].file_system != FileSystem::Host {
        return;
    }
    if let Some(size) = file.pages().map(Pages::size) {
        clear_behind(kernel, inode, size);
    }
}

/// Forgets pages `first..end`, whatever is in them.
pub(crate) fn drop_pages(kernel: &mut Kernel, inode: Id<Inode>, first: u64, end: u64) {
    let pages = pages_mut(kernel, inode);
    let gone: Vec<u64> = pages.pages.range(first..end).map(|(index, _)| *index).collect();
    for index in gone {
        let page = pages_mut(kernel, inode).pages.remove(&index).expect("listed above");
        let kind = store_kind(kernel, inode);
        give_back(kernel, page.place, kind);
    }
}

/// The part of memory, one in so many frames, that files in memory leave to programs: a full file system is `ENOSPC` for
/// who writes, not the end of somebody who needs a page for his stack.
const LEFT: u32 = 64;

fn leave_some(kernel: &mut Kernel) -> Result<(), Error> {
    let left = kernel.memory.total() / LEFT;
    if kernel.memory.available() > left || reclaim::make_room(kernel, 1 + left) {
        return Ok(());
    }
    Err(Errno::ENOMEM.because("memory is full of pages that cannot go"))
}

/// A frame with unspecified contents, for file pages.
fn allocate(kernel: &mut Kernel) -> Result<FrameNumber, Error> {
    reclaim::allocate(kernel).map_err(|_| Errno::ENOMEM.because("no frame is free for a page of a file"))
}

fn allocate_zeroed(kernel: &mut Kernel) -> Result<FrameNumber, Error> {
    reclaim::allocate_zeroed(kernel).map_err(|_| Errno::ENOMEM.because("no frame is free for a page of a file"))
}

fn pages_of(kernel: &Kernel, inode: Id<Inode>) -> Result<&Pages, Error> {
    kernel.vfs.inodes[inode].pages().ok_or(Errno::EINVAL.because("only regular files have pages"))
}

fn pages_mut(kernel: &mut Kernel, inode: Id<Inode>) -> &mut Pages {
    kernel.vfs.inodes[inode].pages_mut().expect("the caller has looked")
}

/// Puts a page with contents of the caller's choice in place: a write of a whole page needs nothing read.
pub(super) fn page_to_overwrite(call: &mut Call, inode: Id<Inode>, index: u64) -> Result<FrameNumber, Error> {
    if let Some(frame) = cached(call.kernel, inode, index) {
        mark_changed(call.kernel, inode, index);
        return Ok(frame);
    }
    leave_some(call.kernel)?;
    let frame = allocate(call.kernel)?;
    let page = Page { place: PagePlace::Frame(frame), is_changed: true };
    if let Some(before) = pages_mut(call.kernel, inode).pages.insert(index, page) {
        let kind = store_kind(call.kernel, inode);
        give_back(call.kernel, before.place, kind);
    }
    owners::load(call.kernel, frame, Owner::File { inode, index });
    mark_changed(call.kernel, inode, index);
    Ok(frame)
}

/// Makes page `index` a hole, if nobody has it mapped and the host has no bytes for it; whether it could.
pub(super) fn make_hole(kernel: &mut Kernel, inode: Id<Inode>, index: u64) -> bool {
    let page_size = kernel.page_size();
    let pages = pages_mut(kernel, inode);
    if pages.is_on_host(page_size, index) {
        return false;
    }
    let Some(page) = pages.pages.get(&index).copied() else { return true };
    if page.place.frame().is_some_and(|frame| kernel.memory.count(frame) > 1) {
        return false;
    }
    drop_pages(kernel, inode, index, index + 1);
    true
}

/// The first page at or after `index` that is no hole; `None` if there is none.
pub(super) fn next_present(kernel: &Kernel, inode: Id<Inode>, index: u64) -> Option<u64> {
    let pages = kernel.vfs.inodes[inode].pages()?;
    if pages.is_on_host(kernel.page_size(), index) {
        return Some(index);
    }
    pages.pages.range(index..).next().map(|(index, _)| *index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Fd, FileObject, open};
    use crate::testing::Bench;
    use abi::fcntl::O_RDONLY;

    #[test]
    fn a_sweep_leaves_the_pages_that_lie_far_behind_unless_they_are_changed_or_mapped() {
        let contents: Vec<u8> = (0..3000_u32).flat_map(|page| [page as u8; 4096]).collect();
        let mut bench = Bench::new(4096, &[("/large", &contents)]);
        let call = &mut bench.call();
        let file = open::open_file(call, Fd::WORKING_DIRECTORY, b"/large", O_RDONLY, 0).unwrap();
        let FileObject::Inode(inode) = call.kernel.files[file].object else { unreachable!("a regular file") };
        page(call, inode, 0).unwrap();
        let mapped = page(call, inode, 3).unwrap();
        call.kernel.memory.retain(mapped);
        page_to_change(call, inode, 5).unwrap();
        for index in 0..3000 {
            let frame = page(call, inode, index).unwrap();
            assert_eq!(call.kernel.memory.bytes(frame)[9], index as u8);
        }
        let kept = pages_of(call.kernel, inode).unwrap().frames().count() as u64;
        assert!((KEPT_BEHIND..KEPT_BEHIND + 2 * READ_MOST).contains(&kept), "{kept} pages");
        assert_eq!(cached(call.kernel, inode, 3), Some(mapped));
        assert!(cached(call.kernel, inode, 4).is_none() && cached(call.kernel, inode, 5).is_some());
        let again = page(call, inode, 4).unwrap();
        assert_eq!(call.kernel.memory.bytes(again)[9], 4);
    }
}
