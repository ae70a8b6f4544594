//! `/proc/meminfo` and `/proc/vmstat`: where the machine's frames are, counted when it is asked.

use crate::fs::FileSystem;
use crate::kernel::Kernel;
use crate::mm::address_space::PRIVATE;
use crate::mm::{limits, report};
use machine::FrameNumber;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Bytes of a page.
const PAGE: u64 = 4096;

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
}

/// Counts. Looks at every page table and every page of the page cache.
pub(crate) fn count(kernel: &Kernel) -> Frames {
    let mut frames = Frames {
        total: u64::from(kernel.memory.total()) * PAGE,
        free: u64::from(kernel.memory.available()) * PAGE,
        tables: report::all_table_bytes(kernel),
        shared: report::all_shared_bytes(kernel),
        ..Frames::default()
    };
    frames.cached = frames.shared;
    for (_, inode) in kernel.vfs.inodes.iter() {
        let Some(pages) = inode.pages() else { continue };
        let bytes = pages.frames().count() as u64 * PAGE;
        let changed = pages.changed_pages().count() as u64 * PAGE;
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
    let zero = kernel.mm.zero_frame();
    for (_, space) in kernel.spaces.iter() {
        for found in space.table.entries(&kernel.memory, 0..u64::MAX) {
            let frame = found.entry.frame();
            if Some(frame) != zero {
                let set = if found.entry.0 & PRIVATE != 0 { &mut private } else { &mut mapped };
                set.insert(frame);
            }
        }
    }
    frames.private = private.len() as u64 * PAGE;
    frames.mapped = mapped.len() as u64 * PAGE;
    frames
}

/// The text of `/proc/meminfo`. Lines for what this kernel does not tell apart (active and inactive pages) are not there.
pub(crate) fn text(kernel: &Kernel) -> Vec<u8> {
    let frames = count(kernel);
    let mut text = String::new();
    let mut line = |key: &str, bytes: u64| {
        let key = format!("{key}:");
        let _ = writeln!(text, "{key:<15} {:8} kB", bytes / 1024);
    };
    line("MemTotal", frames.total);
    line("MemFree", frames.free);
    line("MemAvailable", frames.free + frames.clean);
    line("Buffers", 0);
    line("Cached", frames.cached);
    line("SwapCached", 0);
    line("SwapTotal", 0);
    line("SwapFree", 0);
    line("Dirty", frames.dirty);
    line("Writeback", 0);
    line("AnonPages", frames.private);
    line("Mapped", frames.mapped);
    line("Shmem", frames.shared);
    line("KReclaimable", 0);
    line("Slab", 0);
    line("SReclaimable", 0);
    line("SUnreclaim", 0);
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

/// The text of `/proc/vmstat`.
pub(crate) fn statistics(kernel: &Kernel) -> Vec<u8> {
    let frames = count(kernel);
    let counters = kernel.mm.counters;
    let mut text = String::new();
    for (key, value) in [
        ("nr_free_pages", frames.free / PAGE),
        ("nr_anon_pages", frames.private / PAGE),
        ("nr_mapped", frames.mapped / PAGE),
        ("nr_file_pages", frames.cached / PAGE),
        ("nr_dirty", frames.dirty / PAGE),
        ("nr_writeback", 0),
        ("nr_shmem", frames.shared / PAGE),
        ("nr_page_table_pages", frames.tables / PAGE),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgfault", counters.faults),
        ("pgmajfault", counters.major_faults),
        ("pgsteal_direct", counters.reclaimed),
        ("oom_kill", counters.out_of_memory),
    ] {
        let _ = writeln!(text, "{key} {value}");
    }
    text.into_bytes()
}
