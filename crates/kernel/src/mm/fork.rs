//! fork(2): a second address space that shares every frame, copy-on-write.

use crate::entry::Call;
use crate::mm::address_space::{AddressSpace, GUARD_ENTRY, PRIVATE};
use crate::mm::vma::AreaFlags;
use crate::mm::{reclaim, unmap};
use crate::table::Id;
use abi::{Errno, Error};
use machine::Entry;

/// Copies an address space for a child: one pass over the parent's page table takes the permission to write private
/// pages from both. The new one has one user.
///
/// # Errors
/// `ENOMEM` if there are not enough frames for the child's page tables.
pub fn copy(call: &mut Call, parent: Id<AddressSpace>) -> Result<Id<AddressSpace>, Error> {
    // The child never needs more tables than the parent has: with these free, nothing below can fail.
    let tables = call.kernel.spaces[parent].table.table_frames();
    let full = Errno::ENOMEM.because("no frames are left for the child's page tables");
    if !reclaim::make_room(call.kernel, u32::try_from(tables).map_err(|_| full)?) {
        return Err(full);
    }
    let kernel = &mut *call.kernel;
    let from = &mut kernel.spaces[parent];
    let table = from.table.empty_twin(&mut kernel.memory).map_err(|_| full)?;
    let mut child = AddressSpace::new(table, kernel.mm.take_tlb(&kernel.memory), from.layout.clone(), from.family);
    child.areas = from.areas.clone();
    (child.heap_start, child.heap_end, child.stack_start) = (from.heap_start, from.heap_end, from.stack_start);
    let left_out = |flags: AreaFlags| flags.0 & (AreaFlags::DONT_FORK.0 | AreaFlags::LOCKED.0) != 0;
    let special: Vec<_> = from.areas.iter().filter(|area| left_out(area.flags)).cloned().collect();
    for area in special {
        // Memory locks are not inherited, mlock(2).
        child.areas.change(area.start..area.end, |area| {
            area.flags = area.flags.without(AreaFlags::LOCKED.with(AreaFlags::LOCK_ON_FAULT));
        });
        if area.flags.has(AreaFlags::DONT_FORK) {
            child.areas.remove(area.start..area.end);
        }
    }
    child.areas.take_unused();

    let (zero, swap) = (kernel.mm.zero, &mut kernel.mm.swap);
    let mut lost_writes = false;
    for area in child.areas.iter() {
        if area.flags.has(AreaFlags::WIPE_ON_FORK) {
            continue;
        }
        let is_shared_memory = matches!(area.backing, crate::mm::Backing::Shared { .. });
        let (counts, swapped) = (&mut child.resident, &mut child.swapped);
        let range = area.start..area.end;
        let share = |memory: &mut machine::PhysicalMemory, _, entry: Entry| {
            if entry == GUARD_ENTRY {
                return (entry, entry);
            }
            if let Some(slot) = reclaim::slot_of(entry) {
                swap.add_users(slot, 1);
                *swapped += 1;
                return (entry, entry);
            }
            memory.retain(entry.frame());
            if entry.0 & PRIVATE != 0 {
                counts.private += 1;
                lost_writes |= entry.is_writable();
                let entry = entry.without(Entry::WRITABLE);
                return (entry, entry.without(Entry::ACCESSED));
            }
            if is_shared_memory {
                counts.shared += 1;
            } else if Some(entry.frame()) != zero {
                counts.file += 1;
            }
            (entry, entry.without(Entry::ACCESSED))
        };
        from.table.copy_to(&mut child.table, &mut kernel.memory, range, share).expect("there is room for the tables");
    }
    if lost_writes {
        from.tlb.flush_writes();
    }
    child.note_peak();
    let objects: Vec<_> = child.areas.objects().collect();
    let family = child.family;
    let child = kernel.spaces.insert(child);
    kernel.mm.families.entry(family).or_default().insert(child);
    for object in objects {
        unmap::retain_object(kernel, child, object);
    }
    if kernel.mm.lazy.contains(&parent) {
        kernel.mm.lazy.insert(child);
    }
    Ok(child)
}
