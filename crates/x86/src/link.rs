//! Direct jumps from block to block. Within a page a jump leads straight to its target: whoever runs the one block may
//! run the other. Into another page it leads through a stub that makes sure that the same page is still mapped there.

use crate::cache::{BlockId, Cache, PageName};
use crate::emit::Emitter;
use crate::emit::assembler::{Assembler, Condition, R15, RCX, based, displacement, word};
use crate::exits::{Exit, Exits, Link};
use crate::native::{Area, CodeMemoryFull, ExecutableMemory, context};
use machine::tlb::{EXECUTE, execute_slot};

/// Patches a link to lead to a block.
///
/// # Errors
/// [`CodeMemoryFull`] if there is no room for a stub; the link is then left alone.
pub(crate) fn connect(
    memory: &mut ExecutableMemory,
    cache: &Cache,
    emitter: &mut Emitter,
    exits: &mut Exits,
    link: Link,
    to: BlockId,
) -> Result<(), CodeMemoryFull> {
    let block = cache.block(to);
    let target = if block.page == link.page {
        block.entry
    } else {
        let slot = EXECUTE + execute_slot(cache.page(block.page).address);
        let stub = &mut emitter.cold;
        stub.restart(memory.cursor(Area::Cold));
        let out = (exits.next(), emitter.way_out);
        let start = guard(stub, block.reads_flags, slot, block.page, block.entry, out);
        memory.append(Area::Cold, &stub.bytes)?;
        exits.push(Exit::Go(link.target));
        start
    };
    memory.patch(link.site, &displacement(link.site, target));
    Ok(())
}

/// Goes to `entry` if the word holds `name`, else leaves by the exit. Returns where to enter.
fn guard(
    stub: &mut Assembler,
    live: bool,
    slot: usize,
    PageName(name): PageName,
    entry: u64,
    (exit, way_out): (u32, u64),
) -> u64 {
    // What leaves comes first, so that its address is known.
    let leave = stub.here();
    if live {
        // r15 is free between blocks.
        stub.copy(RCX, R15);
    }
    stub.store_immediate(word(context::EXIT), exit as i32);
    stub.jump(way_out);
    let start = stub.here();
    if live {
        stub.copy(R15, RCX);
        stub.load32(RCX, word(slot));
        stub.lea(RCX, based(RCX, (name as i32).wrapping_neg()));
        stub.jump_unless_rcx_zero(leave);
        stub.copy(RCX, R15);
    } else {
        stub.compare_memory32(word(slot), name as i32);
        stub.jump_if(Condition::NotEqual as u8, leave);
    }
    stub.jump(entry);
    start
}
