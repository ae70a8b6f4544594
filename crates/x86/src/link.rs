//! Direct jumps from block to block. Within a page a jump leads straight to its target: whoever runs the one block may
//! run the other. Into another page it leads through a stub that makes sure that the same frame is still mapped there.

use crate::cache::{BlockId, Cache};
use crate::emit::assembler::{Assembler, Condition, R15, RCX, based, displacement, word};
use crate::emit::{Emitter, Exit, Link};
use crate::native::{Area, CodeMemoryFull, ExecutableMemory, context};
use machine::tlb::{EXECUTE, execute_slot};

/// Patches link `number` to lead to a block.
///
/// # Errors
/// [`CodeMemoryFull`] if there is no room for a stub; the link is then left alone.
pub(crate) fn connect(
    memory: &mut ExecutableMemory,
    cache: &mut Cache,
    emitter: &mut Emitter,
    exits: &mut Vec<Exit>,
    number: u32,
    to: BlockId,
) -> Result<(), CodeMemoryFull> {
    let link = cache.link(number);
    let (page, entry, reads_flags) = {
        let block = cache.block(to);
        (block.page, block.entry, block.reads_flags)
    };
    let target = if page.address == link.page {
        entry
    } else {
        let name = cache.page_name(page);
        let stub = &mut emitter.cold;
        stub.restart(memory.cursor(Area::Cold));
        let exit = exits.len() as u32;
        let start =
            guard(stub, reads_flags, EXECUTE + execute_slot(page.address), name, entry, (exit, emitter.way_out));
        memory.append(Area::Cold, &stub.bytes)?;
        exits.push(Exit::Go(link.target));
        start
    };
    memory.patch(link.site, &displacement(link.site, target));
    cache.note_linked(number, to);
    Ok(())
}

/// Takes back what [`connect`] did.
pub(crate) fn disconnect(memory: &mut ExecutableMemory, link: Link) {
    memory.patch(link.site, &displacement(link.site, link.stub));
}

/// Goes to `entry` if the word holds `name`, else leaves by the exit. Returns where to enter.
fn guard(stub: &mut Assembler, live: bool, slot: usize, name: u32, entry: u64, (exit, way_out): (u32, u64)) -> u64 {
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
