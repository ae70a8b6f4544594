//! Recounts everything about memory, from two sides: every frame's references, every entry, every sum.

use crate::kernel::Kernel;
use crate::mm::address_space::{GUARD_ENTRY, LAZY_FREE, PRIVATE, Resident};
use crate::mm::store::{SlotNumber, StoreKind};
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::mm::{AddressSpace, reclaim};
use crate::table::Id;
use machine::{Access, FrameNumber};
use std::collections::BTreeMap;

/// Checks every invariant of frames, page tables, TLBs and areas.
///
/// # Errors
/// The first that does not hold, for a report of a bug in belljar.
pub fn check(kernel: &Kernel) -> Result<(), String> {
    let mut counts = Counts(vec![0; kernel.memory.total() as usize], BTreeMap::new());
    if let Some(zero) = kernel.mm.zero {
        counts.add(zero);
    }
    for (_, object) in kernel.mm.shared.iter() {
        object.pages().for_each(|(_, frame)| counts.add(frame));
        object.slots().for_each(|slot| counts.add_slot(StoreKind::Swap, slot));
    }
    for (id, inode) in kernel.vfs.inodes.iter() {
        let kind = crate::fs::page_cache::store_kind(kernel, id);
        inode.pages().into_iter().flat_map(|pages| pages.slots()).for_each(|slot| counts.add_slot(kind, slot));
        inode.pages().into_iter().flat_map(|pages| pages.frames()).for_each(|frame| counts.add(frame));
    }
    for (id, space) in kernel.spaces.iter() {
        check_areas(kernel, id, space)?;
        check_table(kernel, space, &mut counts)?;
        check_tlb(kernel, space)?;
    }
    let mut in_use = 0;
    for (number, counted) in counts.0.iter().enumerate() {
        let recorded = kernel.memory.count(FrameNumber(number as u32));
        in_use += u32::from(recorded > 0);
        if recorded != *counted {
            return Err(format!("frame {number:#x} has count {recorded}, but {counted} references"));
        }
    }
    for kind in [StoreKind::Swap, StoreKind::Disk] {
        for (slot, recorded) in kernel.mm.store(kind).all_users() {
            let counted = counts.1.remove(&(kind, slot)).unwrap_or(0);
            if recorded != counted {
                return Err(format!("{kind:?} {slot:?} has {recorded} users, but {counted} name it"));
            }
        }
    }
    if let Some((kind, slot)) = counts.1.keys().next() {
        return Err(format!("{kind:?} {slot:?} is free, but somebody names it"));
    }
    if in_use != kernel.memory.in_use() {
        return Err("frames are neither in use nor free".to_string());
    }
    check_objects(kernel)
}

/// References found so far, by frame and by slot.
struct Counts(Vec<u32>, BTreeMap<(StoreKind, SlotNumber), u32>);

impl Counts {
    fn add(&mut self, frame: FrameNumber) {
        self.0[frame.0 as usize] += 1;
    }

    fn add_slot(&mut self, kind: StoreKind, slot: SlotNumber) {
        *self.1.entry((kind, slot)).or_default() += 1;
    }
}

fn check_areas(kernel: &Kernel, id: Id<AddressSpace>, space: &AddressSpace) -> Result<(), String> {
    let mut before: Option<&Vma> = None;
    for area in space.areas.iter() {
        let fail = |what: &str| Err(format!("area {:#x}-{:#x} {what}", area.start, area.end));
        if area.start >= area.end
            || !kernel.page_size().divides(area.start | area.end)
            || area.end > space.layout.user_end
        {
            return fail("is empty, not page-aligned or not in user space");
        }
        if area.protection & !area.maximum != 0 {
            return fail("permits more than its maximum");
        }
        if area.shared && area.backing == Backing::Anonymous {
            return fail("is shared but has no object");
        }
        if let Some(before) = before
            && (before.end > area.start || before.continues_in(area) && !area.flags.has(AreaFlags::GROWS_DOWN))
        {
            return fail("overlaps the one before, or should be one with it");
        }
        if let Some(object) = area.backing.object()
            && !kernel.mm.mappers(object.origin()).any(|mapper| mapper == id)
        {
            return fail("lies on an object that does not know its mapper");
        }
        before = Some(area);
    }
    space.areas.check()
}

fn check_table(kernel: &Kernel, space: &AddressSpace, counts: &mut Counts) -> Result<(), String> {
    let memory = &kernel.memory;
    let tables = space.table.frames(memory);
    if tables.len() as u64 * kernel.page_size().bytes() != space.table_bytes() {
        return Err("a page table has other tables than it counts".to_string());
    }
    tables.into_iter().for_each(|frame| counts.add(frame));
    let (mut resident, mut swapped) = (Resident::default(), 0);
    for mapped in space.table.entries(memory, 0..u64::MAX) {
        let (page, entry, frame) = (mapped.page, mapped.entry, mapped.entry.frame());
        let fail = |what: &str| Err(format!("entry {entry:?} of page {page:#x} {what}"));
        let Some(area) = space.areas.containing(page) else { return fail("lies in no area") };
        if entry.is_readable() && !area.is_accessible()
            || entry.is_writable() && !area.is_writable()
            || entry.is_executable() && !area.is_executable()
        {
            return fail("permits more than its area");
        }
        if entry == GUARD_ENTRY {
            if !area.flags.has(AreaFlags::MAYBE_GUARD) {
                return fail("is a guard in an area that has none");
            }
            continue;
        }
        if let Some(slot) = reclaim::slot_of(entry) {
            if area.shared {
                return fail("is private in a shared area");
            }
            counts.add_slot(StoreKind::Swap, slot);
            swapped += 1;
            continue;
        }
        counts.add(frame);
        let is_private = entry.0 & PRIVATE != 0;
        let object_frame = match area.backing {
            Backing::Anonymous => None,
            Backing::Shared { object, .. } => kernel.mm.shared[object].frame(area.page_index(kernel.page_size(), page)),
            Backing::File { inode, .. } => {
                crate::fs::page_cache::cached(kernel, inode, area.page_index(kernel.page_size(), page))
            }
        };
        if is_private {
            resident.private += 1;
            if area.shared {
                return fail("is private in a shared area");
            }
            if entry.is_writable() && memory.count(frame) != 1 {
                return fail("is writable, but the frame has other owners");
            }
        } else {
            if entry.is_writable() && !area.shared || entry.0 & LAZY_FREE != 0 {
                return fail("is writable or given up, but not private");
            }
            if Some(frame) == kernel.mm.zero {
                continue;
            }
            if object_frame != Some(frame) {
                return fail("does not name the frame of its object");
            }
            match area.backing {
                Backing::Shared { .. } => resident.shared += 1,
                Backing::File { .. } | Backing::Anonymous => resident.file += 1,
            }
        }
    }
    if swapped != space.swapped {
        return Err(format!("{swapped} pages are swapped out, but {} are counted", space.swapped));
    }
    if resident != space.resident {
        return Err(format!("{resident:?} is resident, but {:?} is counted", space.resident));
    }
    Ok(())
}

fn check_tlb(kernel: &Kernel, space: &AddressSpace) -> Result<(), String> {
    for (page, frame, access) in space.tlb.cached(&kernel.memory) {
        let entry = space.table.entry(&kernel.memory, page);
        let is_permitted = match access {
            Access::Write => entry.is_writable() && entry.is_dirty(),
            Access::Read | Access::Execute => entry.is_readable() && entry.is_accessed(),
        };
        if !is_permitted || entry.frame() != frame {
            return Err(format!("the TLB holds page {page:#x} as {frame:?} for {access:?}, the table says {entry:?}"));
        }
    }
    Ok(())
}

fn check_objects(kernel: &Kernel) -> Result<(), String> {
    let mut users: BTreeMap<_, u32> = BTreeMap::new();
    for (_, space) in kernel.spaces.iter() {
        for object in space.areas.objects() {
            *users.entry(object).or_default() += 1;
        }
    }
    for (object, count) in users {
        let recorded = match object {
            crate::mm::Object::File(file, _) => kernel.files.get(file).map_or(0, |description| description.references),
            crate::mm::Object::Shared(id) => kernel.mm.shared.get(id).map_or(0, |object| object.references),
        };
        if recorded < count {
            return Err(format!("{object:?} has {recorded} references, but {count} mappers"));
        }
    }
    for (_, inode) in kernel.vfs.inodes.iter() {
        let Some(pages) = inode.pages() else { continue };
        if pages.frames().count() > 0 && pages.size() == 0 {
            return Err("an empty file has pages".to_string());
        }
    }
    Ok(())
}
