//! brk(2): the heap that follows the program.

use crate::entry::Call;
use crate::kernel::Kernel;
use crate::mm::areas::STACK_GUARD_PAGES;
use crate::mm::map;
use crate::mm::vma::{AreaFlags, Vma};
use crate::mm::{AddressSpace, limits, seal, unmap};
use crate::table::Id;
use abi::mman::{PROT_READ, PROT_WRITE};
use abi::resource::RLIMIT_DATA;

/// Lets the heap begin, empty, at the first page boundary at or after `address`: the end of the program.
pub fn begin(kernel: &mut Kernel, space: Id<AddressSpace>, address: u64) {
    let page_size = kernel.page_size();
    let here = &mut kernel.spaces[space];
    let start = page_size.round_up(address).unwrap_or(here.layout.user_end);
    (here.heap_start, here.heap_end) = (start, start);
}

/// Lets the heap end at `end` if possible; where it ends then. brk(2), "C library/kernel differences".
pub(crate) fn set_end(call: &mut Call, space: Id<AddressSpace>, end: u64) -> u64 {
    let page_size = call.kernel.page_size();
    let here = &call.kernel.spaces[space];
    let (start, old) = (here.heap_start, here.heap_end);
    if end < start || end > here.layout.user_end - page_size.bytes() {
        return old;
    }
    // The program's own data counts, too: setrlimit(2) RLIMIT_DATA.
    let (data_start, data_end) = call.process().image.data;
    if (end - start).saturating_add(data_end.saturating_sub(data_start)) > limits::soft(call, RLIMIT_DATA) {
        return old;
    }
    let next_page = |address: u64| page_size.round_up(address).expect("user addresses are small");
    let (old_page, new_page) = (next_page(old), next_page(end));
    if new_page < old_page {
        if seal::may_change(call, space, new_page..old_page).is_err() {
            return old;
        }
        unmap::unmap(call, space, new_page..old_page);
    } else if new_page > old_page && !grow(call, space, old_page, new_page) {
        return old;
    }
    call.kernel.spaces[space].heap_end = end;
    end
}

fn grow(call: &mut Call, space: Id<AddressSpace>, from: u64, to: u64) -> bool {
    let page_bytes = call.kernel.page_size().bytes();
    let here = &call.kernel.spaces[space];
    // One page stays free between the heap and what follows, as in Linux mm/mmap.c.
    let is_blocked = here.areas.at_or_above(from).is_some_and(|next| {
        let guard = if next.flags.has(AreaFlags::GROWS_DOWN) { STACK_GUARD_PAGES * page_bytes } else { 0 };
        to + page_bytes > next.start.saturating_sub(guard)
    });
    if is_blocked {
        return false;
    }
    let mut area = Vma::anonymous(from, to, PROT_READ | PROT_WRITE);
    area.flags = here.future_flags.with(AreaFlags::ACCOUNTED);
    let is_locked = area.flags.has(AreaFlags::LOCKED);
    if here.areas.len() > call.kernel.mm.settings.most_areas
        || limits::may_grow(call, space, &area, None).is_err()
        || limits::may_commit(call.kernel, to - from).is_err()
        || is_locked && limits::may_lock(call, space, to - from).is_err()
    {
        return false;
    }
    let fill = is_locked && !area.flags.has(AreaFlags::LOCK_ON_FAULT);
    map::insert(call, space, area);
    if fill {
        map::populate_what_can_be(call, space, from..to);
    }
    true
}
