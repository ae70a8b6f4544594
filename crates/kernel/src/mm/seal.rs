//! mseal(2): areas that neither change nor go any more, so that an attacker cannot put anything else in their place.

use crate::entry::Call;
use crate::mm::arguments::Address;
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::mm::{AddressSpace, protect};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use abi::{Errno, Error};
use std::ops::Range;

/// mseal(2).
pub fn mseal(call: &mut Call, Address(address): Address, length: u64, flags: u64) -> SysResult {
    let invalid = |why| Err(Errno::EINVAL.because(why));
    if flags != 0 {
        return invalid("`flags` is not 0");
    }
    let page_size = call.kernel.page_size();
    if !page_size.divides(address) {
        return invalid("`addr` is not a multiple of the page size");
    }
    let Some(end) = page_size.round_up(length).and_then(|length| address.checked_add(length)) else {
        return invalid("the range wraps around");
    };
    let (space, range) = (call.space(), address..end);
    if range.is_empty() {
        return Flow::OK;
    }
    let areas = &call.kernel.spaces[space].areas;
    if !areas.covers(range.clone()) {
        return Err(Errno::ENOMEM.because("part of the range is not mapped"));
    }
    protect::check_count(call.kernel, space, range.clone())?;
    let areas = &mut call.kernel.spaces[space].areas;
    areas.change(range, |area| area.flags = area.flags.with(AreaFlags::SEALED));
    Flow::OK
}

/// Whether the areas of `range` may change or go.
///
/// # Errors
/// `EPERM` if one is sealed.
pub(crate) fn may_change(call: &Call, space: Id<AddressSpace>, range: Range<u64>) -> Result<(), Error> {
    let is_sealed = |area: &Vma| area.flags.has(AreaFlags::SEALED);
    if call.kernel.spaces[space].areas.overlapping(range).any(is_sealed) {
        return Err(Errno::EPERM.because("a mapping is sealed, mseal(2)"));
    }
    Ok(())
}

/// Whether its seal keeps what is in the pages of an area too: who may not write them may not make them zeroes. Linux
/// mm/madvise.c `can_madvise_modify`.
pub(crate) fn forbids_discarding(area: &Vma) -> bool {
    area.flags.has(AreaFlags::SEALED) && area.backing == Backing::Anonymous && !area.is_writable()
}
