//! `/proc/meminfo` and `/proc/vmstat`: where the machine's frames are, counted when it is asked.

use crate::fs::FileSystem;
use crate::kernel::Kernel;
use crate::mm::address_space::PRIVATE;
use crate::mm::{AreaFlags, Backing, Vma, limits, report};
use machine::FrameNumber;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Where frames are, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    /// All.
    pub total: u64,
    /// Nobody's.
    pub free: u64,
    /// Pages of files, changed or not, and shared memory.
    pub cached: u64,
    /// Pages of files that could be read again.
    pub clean: u64,
    /// Pages of the host's files that were changed, and are only here.
    pub dirty: u64,
    /// tmpfs and shared memory.
    pub shared: u64,
    /// Private pages of processes.
    pub private: u64,
    /// Pages of files and shared memory that some process maps.
    pub mapped: u64,
    /// Page tables.
    pub tables: u64,
    /// Pages of locked areas: those that live in swap (private, tmpfs, shared memory), and those of the host's files.
    pub locked: [u64; 2],
    /// Other pages that some process used since their accessed bits were last cleared, likewise.
    pub active: [u64; 2],
}

impl Frames {
    /// Pages that are neither locked nor active: those that live in swap, and those of the host's files.
    fn inactive(&self) -> [u64; 2] {
        let all = [self.private + self.shared, self.cached - self.shared];
        [0, 1].map(|list| all[list].saturating_sub(self.active[list] + self.locked[list]))
    }
}

/// Counts. Looks at every page table and every page of the page cache.
pub(crate) fn count(kernel: &Kernel) -> Frames {
    let page_bytes = kernel.page_size().bytes();
    let mut frames = Frames {
        total: u64::from(kernel.memory.total()) * page_bytes,
        free: u64::from(kernel.memory.available()) * page_bytes,
        tables: report::all_table_bytes(kernel),
        shared: report::all_shared_bytes(kernel),
        ..Frames::default()
    };
    frames.cached = frames.shared;
    for (_, inode) in kernel.vfs.inodes.iter() {
        let Some(pages) = inode.pages() else { continue };
        let bytes = pages.frames().count() as u64 * page_bytes;
        let changed = pages.changed_in_memory() * page_bytes;
        frames.cached += bytes;
        match kernel.vfs.mounts[inode.mount].file_system {
            FileSystem::Host => {
                frames.dirty += changed;
                frames.clean += bytes - changed;
            }
            _ => frames.shared += bytes,
        }
    }
    let (mut private, mut mapped): (BTreeSet<FrameNumber>, BTreeSet<FrameNumber>) = Default::default();
    let (mut used, mut locked): ([BTreeSet<FrameNumber>; 2], [BTreeSet<FrameNumber>; 2]) = Default::default();
    let zero = kernel.mm.zero_frame();
    for (_, space) in kernel.spaces.iter() {
        for area in space.areas.iter() {
            let is_host_file = is_host_file(kernel, area);
            for found in space.table.entries(&kernel.memory, area.start..area.end) {
                let (frame, is_private) = (found.entry.frame(), found.entry.0 & PRIVATE != 0);
                if !found.entry.is_present() || Some(frame) == zero {
                    continue;
                }
                (if is_private { &mut private } else { &mut mapped }).insert(frame);
                let list = usize::from(is_host_file && !is_private);
                if area.flags.has(AreaFlags::LOCKED) {
                    locked[list].insert(frame);
                } else if found.entry.is_accessed() {
                    used[list].insert(frame);
                }
            }
        }
    }
    let bytes = |frames: usize| frames as u64 * page_bytes;
    frames.locked = locked.each_ref().map(|frames| bytes(frames.len()));
    frames.active = [0, 1].map(|list| bytes(used[list].difference(&locked[list]).count()));
    frames.private = private.len() as u64 * page_bytes;
    frames.mapped = mapped.len() as u64 * page_bytes;
    frames
}

/// Whether an area's pages are a file's of the host, and not swap's.
fn is_host_file(kernel: &Kernel, area: &Vma) -> bool {
    let Backing::File { inode, .. } = area.backing else { return false };
    kernel.vfs.mounts[kernel.vfs.inodes[inode].mount].file_system == FileSystem::Host
}

/// The text of `/proc/meminfo`. There are no lists of active and inactive pages; active are those whose accessed bits are set.
pub(crate) fn text(kernel: &Kernel) -> Vec<u8> {
    let frames = count(kernel);
    let mut text = String::new();
    let page_bytes = kernel.page_size().bytes();
    let mut line = |key: &str, bytes: u64| {
        let key = format!("{key}:");
        let _ = writeln!(text, "{key:<15} {:8} kB", bytes / 1024);
    };
    line("MemTotal", frames.total);
    line("MemFree", frames.free);
    line("MemAvailable", frames.free + frames.clean);
    line("Buffers", 0);
    line("Cached", frames.cached);
    let swap = &kernel.mm.swap;
    line("SwapCached", 0);
    let (active, inactive) = (frames.active, frames.inactive());
    line("Active", active[0] + active[1]);
    line("Inactive", inactive[0] + inactive[1]);
    line("Active(anon)", active[0]);
    line("Inactive(anon)", inactive[0]);
    line("Active(file)", active[1]);
    line("Inactive(file)", inactive[1]);
    line("Unevictable", frames.locked[0] + frames.locked[1]);
    line("Mlocked", frames.locked[0] + frames.locked[1]);
    line("SwapTotal", u64::from(swap.limit()) * page_bytes);
    line("SwapFree", u64::from(swap.limit() - swap.used()) * page_bytes);
    line("Dirty", frames.dirty);
    line("Writeback", 0);
    line("AnonPages", frames.private);
    line("Mapped", frames.mapped);
    line("Shmem", frames.shared);
    line("KReclaimable", 0);
    line("Slab", kernel.structures.bytes);
    line("SReclaimable", 0);
    line("SUnreclaim", kernel.structures.bytes);
    line("KernelStack", 0);
    line("PageTables", frames.tables);
    line("CommitLimit", limits::commit_limit(kernel));
    line("Committed_AS", limits::committed(kernel));
    line("AnonHugePages", 0);
    for key in ["HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"] {
        let _ = writeln!(text, "{:<15} {:8}", format!("{key}:"), 0);
    }
    let _ = writeln!(text, "{:<15} {:8} kB", "Hugepagesize:", 2048);
    text.into_bytes()
}

/// The text of `/proc/swaps`: one swap area, if `--swap` gives any. Linux mm/swapfile.c `swap_show`.
pub(crate) fn swaps(kernel: &Kernel) -> Vec<u8> {
    let mut text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_string();
    let swap = &kernel.mm.swap;
    if swap.limit() > 0 {
        let [size, used] =
            [swap.limit(), swap.used()].map(|pages| u64::from(pages) * kernel.page_size().bytes() / 1024);
        let tab = |number: u64| if number < 10_000_000 { "\t" } else { "" };
        let _ = writeln!(text, "{:<40}partition\t{size}\t{}{used}\t{}-2", "/dev/swap", tab(size), tab(used));
    }
    text.into_bytes()
}

/// The text of `/proc/vmstat`.
pub(crate) fn statistics(kernel: &Kernel) -> Vec<u8> {
    let frames = count(kernel);
    let (active, inactive) = (frames.active, frames.inactive());
    let counters = kernel.mm.counters;
    let page_bytes = kernel.page_size().bytes();
    let mut text = String::new();
    for (key, value) in [
        ("nr_free_pages", frames.free / page_bytes),
        ("nr_inactive_anon", inactive[0] / page_bytes),
        ("nr_active_anon", active[0] / page_bytes),
        ("nr_inactive_file", inactive[1] / page_bytes),
        ("nr_active_file", active[1] / page_bytes),
        ("nr_unevictable", (frames.locked[0] + frames.locked[1]) / page_bytes),
        ("nr_mlock", (frames.locked[0] + frames.locked[1]) / page_bytes),
        ("nr_anon_pages", frames.private / page_bytes),
        ("nr_mapped", frames.mapped / page_bytes),
        ("nr_file_pages", frames.cached / page_bytes),
        ("nr_dirty", frames.dirty / page_bytes),
        ("nr_writeback", 0),
        ("nr_shmem", frames.shared / page_bytes),
        ("nr_page_table_pages", frames.tables / page_bytes),
        // In units of 1024 bytes.
        ("pgpgin", (counters.swapped_in + counters.disk_in) * page_bytes / 1024),
        ("pgpgout", (counters.swapped_out + counters.disk_out) * page_bytes / 1024),
        ("pswpin", counters.swapped_in),
        ("pswpout", counters.swapped_out),
        ("pgfault", counters.faults),
        ("pgmajfault", counters.major_faults),
        ("pgsteal_direct", counters.reclaimed),
        ("workingset_refault", counters.refaults),
        ("oom_kill", counters.out_of_memory),
    ] {
        let _ = writeln!(text, "{key} {value}");
    }
    text.into_bytes()
}
