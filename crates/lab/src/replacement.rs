//! The account of pages that memory had no room for: what replacement did, what the dirty bit saved, and whether the run
//! was thrashing.

use crate::text;
use kernel::Kernel;
use kernel::mm::Counters;
use std::fmt::Write;

/// Refaults below which nobody speaks of thrashing.
const FEW: u64 = 1000;
/// The part of refaults, in percent, that the working set is to keep in memory.
const KEPT: u64 = 90;

/// Who read pages back.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// Number and name.
    pub name: String,
    /// Faults on pages that had to be read back, from swap, from the disk or from the host.
    pub faults: u64,
}

/// The lines about replacement; none if no page ever had to go. `instructions` is how many the run took.
pub fn render(kernel: &Kernel, instructions: u64, readers: &[Reader]) -> String {
    let counters = &kernel.mm.counters;
    let evicted = evicted(counters);
    if evicted == 0 && counters.out_of_memory == 0 {
        return String::new();
    }
    let mut out = String::new();
    _ = writeln!(
        out,
        "  {} went out of memory, chosen by {}: {} written to swap, {} to disk, {} dropped as on the host; the dirty bit",
        text::count(evicted, "page"),
        kernel.mm.replacement.algorithm.name(),
        text::number(counters.swapped_out),
        text::number(counters.disk_out),
        text::number(counters.dropped),
    );
    _ = writeln!(out, "  saved {}", text::count(counters.writes_saved, "write"));
    _ = writeln!(
        out,
        "  {} read back from swap, {} from disk; {} of {} swap and {} of {} disk in use at most",
        text::count(counters.swapped_in, "page"),
        text::number(counters.disk_in),
        text::size(u64::from(kernel.mm.swap.most_used()) * kernel.page_size().bytes()),
        text::size(u64::from(kernel.mm.swap.limit()) * kernel.page_size().bytes()),
        text::size(u64::from(kernel.mm.disk.most_used()) * kernel.page_size().bytes()),
        text::size(u64::from(kernel.mm.disk.limit()) * kernel.page_size().bytes()),
    );
    if counters.out_of_memory > 0 {
        _ = writeln!(out, "  {} killed because memory ran out", text::count(counters.out_of_memory, "process"));
    }
    thrashing(&mut out, kernel, instructions, readers);
    out
}

fn evicted(counters: &Counters) -> u64 {
    counters.swapped_out + counters.disk_out + counters.dropped + counters.writes_saved
}

/// Says so if most pages that went came back soon.
fn thrashing(out: &mut String, kernel: &Kernel, instructions: u64, readers: &[Reader]) {
    let counters = &kernel.mm.counters;
    if counters.refaults < FEW || counters.refaults * 2 < evicted(counters) {
        return;
    }
    let read = counters.swapped_in + counters.disk_in;
    _ = writeln!(
        out,
        "  thrashing: {} of {} read back had gone less than a memory's worth of evictions before; one in {}",
        text::number(counters.refaults),
        text::count(read, "page"),
        text::count(instructions / read.max(1), "instruction"),
    );
    _ = writeln!(
        out,
        "    working set: with --memory {} {KEPT}% of these would have stayed in memory",
        text::size(working_set(kernel))
    );
    let mut readers: Vec<&Reader> = readers.iter().filter(|reader| reader.faults > 0).collect();
    readers.sort_by_key(|reader| std::cmp::Reverse(reader.faults));
    let who: Vec<String> =
        readers.iter().take(3).map(|reader| format!("{} ({})", reader.name, text::number(reader.faults))).collect();
    if !who.is_empty() {
        _ = writeln!(out, "    who: {}", who.join(", "));
    }
}

/// Bytes of memory that would have kept [`KEPT`] percent of the pages that came back soon.
fn working_set(kernel: &Kernel) -> u64 {
    let counters = &kernel.mm.counters;
    let memory = u64::from(kernel.memory.total()) * kernel.page_size().bytes();
    let mut kept = 0;
    for (eighth, count) in counters.refault_reach.iter().enumerate() {
        kept += count;
        if kept * 100 >= counters.refaults * KEPT {
            return memory + memory * (eighth as u64 + 1) / 8;
        }
    }
    2 * memory
}
