//! Reading private pages back from swap.
//!
//! A page that several address spaces share since a fork goes out of all of them at once, is written once, and comes back
//! to all at once: what Linux has a swap cache for. The slot stays as a copy until the page is written to, so that a clean
//! page can go again without being written.
//!
//! Differs from Linux: swap never reads ahead, so a fault costs one page, always.

use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, PRIVATE};
use crate::mm::fault::protection_bits;
use crate::mm::owners::{self, Owner};
use crate::mm::reclaim;
use crate::mm::store::{SlotNumber, StoreKind};
use crate::table::Id;
use machine::{Entry, FrameNumber, OutOfFrames};

/// Brings the private page of an entry in that names `slot`, for all who share it. It becomes writable by faults only.
///
/// # Errors
/// [`OutOfFrames`] if there is no frame for it.
pub(crate) fn bring_in(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    slot: SlotNumber,
) -> Result<(), OutOfFrames> {
    let frame = reclaim::allocate(kernel)?;
    kernel.memory.bytes_mut(frame).copy_from_slice(kernel.mm.swap.bytes(slot));
    let family = kernel.spaces[space].family;
    owners::load(kernel, frame, Owner::Private { family, page });
    note_read(kernel, frame, StoreKind::Swap, slot);
    let wanted = kernel.mm.swap.users(slot);
    let is_here = |member: &Id<AddressSpace>| {
        *member == space || kernel.spaces[*member].table.entry(&kernel.memory, page) == reclaim::swapped_entry(slot)
    };
    let sharers: Vec<_> = kernel.mm.family(family).filter(is_here).collect();
    assert!(sharers.len() <= wanted as usize, "every entry of a slot is one of its users");
    for (number, sharer) in sharers.into_iter().enumerate() {
        let AddressSpace { table, areas, resident, swapped, .. } = &mut kernel.spaces[sharer];
        let area = areas.containing(page).expect("every entry lies in an area");
        let entry = Entry::new(frame, protection_bits(area.protection) | PRIVATE);
        table.replace(&mut kernel.memory, page, entry);
        resident.private += 1;
        *swapped -= 1;
        if number > 0 {
            kernel.memory.retain(frame);
        }
        kernel.mm.swap.release(slot);
    }
    Ok(())
}

/// A page was read from a store into `frame`, whose record is new: the slot is a copy from now on. The caller releases
/// its users.
pub(crate) fn note_read(kernel: &mut Kernel, frame: FrameNumber, kind: StoreKind, slot: SlotNumber) {
    kernel.mm.store_mut(kind).set_copy(slot, frame);
    if let Some(record) = kernel.mm.owners.get_mut(frame) {
        record.copy = Some((kind, slot));
    }
    let loads_since = kernel.mm.owners.loads - kernel.mm.store(kind).written_at(slot);
    let counters = &mut kernel.mm.counters;
    // Every load into a full memory evicts a page.
    let eighth = loads_since * 8 / u64::from(kernel.memory.total());
    if let Some(reach) = counters.refault_reach.get_mut(eighth as usize) {
        *reach += 1;
        counters.refaults += 1;
    }
    match kind {
        StoreKind::Swap => counters.swapped_in += 1,
        StoreKind::Disk => counters.disk_in += 1,
    }
}
