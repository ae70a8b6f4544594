//! A process's memory: `maps`, `smaps`, `statm`, `pagemap`, its arguments and environment, proc_pid_maps(5),
//! proc_pid_smaps(5). Linux, fs/proc/task_mmu.c.

use crate::entry::Call;
use crate::kernel::Kernel;
use crate::mm::address_space::PRIVATE;
use crate::mm::report::{self, Label, Usage};
use crate::mm::{AddressSpace, AreaFlags, PROT_EXEC, PROT_READ, PROT_WRITE, Vma};
use crate::process::Process;
use crate::table::Id;
use abi::resource::CAP_SYS_ADMIN;
use abi::stat::{device_major, device_minor};
use abi::{Errno, Error};
use machine::tlb_model::FlushCause;
use machine::{Access, Entry};
use std::fmt::Write;

/// Most pages that one read of pagemap tells of.
const MOST_WORDS: u64 = 1 << 16;
/// Most bytes of arguments or environment that are shown.
const MOST_STRINGS: u64 = 1 << 22;

/// The address space, unless the process has ended.
fn space(kernel: &Kernel, process: Id<Process>) -> Option<Id<AddressSpace>> {
    let space = kernel.processes[process].space;
    kernel.spaces.get(space).map(|_| space)
}

/// `/proc/PID/statm`: size, resident, shared, text, 0, data and stack, 0; in pages.
pub(crate) fn statm(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    let Some(space) = space(kernel, process) else { return b"0 0 0 0 0 0 0\n".to_vec() };
    let summary = report::summary(kernel, space);
    let (page_size, page_bytes) = (kernel.page_size(), kernel.page_size().bytes());
    let code = kernel.processes[process].image.code;
    let text = page_size.pages(code.1.saturating_sub(page_size.start(code.0)));
    let data = (summary.totals.data + summary.totals.stack) / page_bytes;
    let shared = summary.resident.file + summary.resident.shared;
    let (mapped, resident) = (summary.totals.mapped / page_bytes, summary.resident.total());
    format!("{mapped} {resident} {shared} {text} 0 {data} 0\n").into_bytes()
}

/// `/proc/PID/maps`.
pub(crate) fn maps(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    let Some(space) = space(kernel, process) else { return Vec::new() };
    let mut text = Vec::new();
    for area in kernel.spaces[space].areas.iter() {
        text.extend(line(area.start, area.end, &report::permissions(area), &report::label(kernel, space, area)));
    }
    text
}

/// A line of `maps`.
fn line(start: u64, end: u64, permissions: &str, label: &Label) -> Vec<u8> {
    let (major, minor) = (device_major(label.device), device_minor(label.device));
    let head =
        format!("{start:08x}-{end:08x} {permissions} {:08x} {major:02x}:{minor:02x} {} ", label.offset, label.inode);
    let mut text = head.into_bytes();
    if label.name.is_empty() {
        // Linux ends the number with one space.
    } else {
        // Names begin in column 74.
        text.resize(text.len().max(73), b' ');
        for byte in &label.name {
            match byte {
                b'\n' => text.extend_from_slice(b"\\012"),
                byte => text.push(*byte),
            }
        }
    }
    text.push(b'\n');
    text
}

/// `/proc/PID/smaps`.
pub(crate) fn smaps(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    let Some(space) = space(kernel, process) else { return Vec::new() };
    let mut text = Vec::new();
    for area in kernel.spaces[space].areas.iter() {
        text.extend(line(area.start, area.end, &report::permissions(area), &report::label(kernel, space, area)));
        let mut rest = String::new();
        kilobytes(&mut rest, "Size", area.length());
        kilobytes(&mut rest, "KernelPageSize", kernel.page_size().bytes());
        kilobytes(&mut rest, "MMUPageSize", kernel.page_size().bytes());
        usage_lines(&mut rest, &report::usage(kernel, space, area), None);
        let _ = writeln!(rest, "THPeligible:           0");
        let _ = writeln!(rest, "VmFlags: {}", flags(area));
        text.extend(rest.into_bytes());
    }
    text
}

/// `/proc/PID/smaps_rollup`.
///
/// # Errors
/// `ESRCH` for a zombie.
pub(crate) fn smaps_rollup(kernel: &Kernel, process: Id<Process>) -> Result<Vec<u8>, Error> {
    let space = space(kernel, process).ok_or(Errno::ESRCH.because("the process has ended"))?;
    let areas = &kernel.spaces[space].areas;
    let start = areas.iter().next().map_or(0, |area| area.start);
    let end = areas.iter().next_back().map_or(0, |area| area.end);
    let label = Label { name: b"[rollup]".to_vec(), ..Label::default() };
    let mut text = line(start, end, "---p", &label);
    let resident = kernel.spaces[space].resident;
    let mut rest = String::new();
    let page_bytes = kernel.page_size().bytes();
    let by_kind = (resident.private * page_bytes, resident.file * page_bytes, resident.shared * page_bytes);
    usage_lines(&mut rest, &report::rollup(kernel, space), Some(by_kind));
    text.extend(rest.into_bytes());
    Ok(text)
}

fn kilobytes(text: &mut String, key: &str, bytes: u64) {
    let key = format!("{key}:");
    let _ = writeln!(text, "{key:<15}{:9} kB", bytes / 1024);
}

/// The lines that `smaps` and `smaps_rollup` share. `kinds` splits what is resident for the roll-up, by the kind of page.
fn usage_lines(text: &mut String, usage: &Usage, kinds: Option<(u64, u64, u64)>) {
    kilobytes(text, "Rss", usage.rss);
    kilobytes(text, "Pss", usage.pss);
    kilobytes(text, "Pss_Dirty", usage.pss_dirty);
    if let Some((private, file, shared)) = kinds {
        // Shares by kind are not kept: what is private counts whole, the rest is divided as its pages are.
        let private = private.min(usage.pss);
        let rest = usage.pss - private;
        let of_file = if file + shared == 0 {
            0
        } else {
            (u128::from(rest) * u128::from(file) / u128::from(file + shared)) as u64
        };
        kilobytes(text, "Pss_Anon", private);
        kilobytes(text, "Pss_File", of_file);
        kilobytes(text, "Pss_Shmem", rest - of_file);
    }
    kilobytes(text, "Shared_Clean", usage.shared_clean);
    kilobytes(text, "Shared_Dirty", usage.shared_dirty);
    kilobytes(text, "Private_Clean", usage.private_clean);
    kilobytes(text, "Private_Dirty", usage.private_dirty);
    kilobytes(text, "Referenced", usage.referenced);
    kilobytes(text, "Anonymous", usage.anonymous);
    kilobytes(text, "KSM", 0);
    kilobytes(text, "LazyFree", usage.lazy_free);
    for key in ["AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"] {
        kilobytes(text, key, 0);
    }
    kilobytes(text, "Swap", usage.swap);
    kilobytes(text, "SwapPss", usage.swap_pss);
    kilobytes(text, "Locked", usage.locked);
}

/// `VmFlags`: two letters each, proc_pid_smaps(5).
fn flags(area: &Vma) -> String {
    let mut letters = Vec::new();
    let mut add = |holds: bool, text: &'static str| {
        if holds {
            letters.push(text);
        }
    };
    let (protection, maximum, flags) = (area.protection, area.maximum, area.flags);
    add(protection & PROT_READ != 0, "rd");
    add(protection & PROT_WRITE != 0, "wr");
    add(protection & PROT_EXEC != 0, "ex");
    add(area.shared, "sh");
    add(maximum & PROT_READ != 0, "mr");
    add(maximum & PROT_WRITE != 0, "mw");
    add(maximum & PROT_EXEC != 0, "me");
    add(area.shared && maximum & PROT_WRITE != 0, "ms");
    add(flags.has(AreaFlags::MAYBE_GUARD), "gu");
    add(flags.has(AreaFlags::GROWS_DOWN), "gd");
    add(flags.has(AreaFlags::LOCKED), "lo");
    add(flags.has(AreaFlags::SEQUENTIAL), "sr");
    add(flags.has(AreaFlags::RANDOM), "rr");
    add(flags.has(AreaFlags::DONT_FORK), "dc");
    add(flags.has(AreaFlags::DONT_EXPAND), "de");
    add(flags.has(AreaFlags::LOCK_ON_FAULT), "lf");
    add(flags.has(AreaFlags::ACCOUNTED), "ac");
    add(flags.has(AreaFlags::NO_RESERVE), "nr");
    add(flags.has(AreaFlags::WIPE_ON_FORK), "wf");
    add(flags.has(AreaFlags::DONT_DUMP), "dd");
    add(flags.has(AreaFlags::HUGE_PAGE), "hg");
    add(flags.has(AreaFlags::NO_HUGE_PAGE), "nh");
    add(flags.has(AreaFlags::MERGEABLE), "mg");
    add(flags.has(AreaFlags::SEALED), "sl");
    let mut text = letters.join(" ");
    text.push(' ');
    text
}

/// Strings that the program got at its start, and may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    /// `/proc/PID/cmdline`.
    Arguments,
    /// `/proc/PID/environ`.
    Environment,
}

/// The strings as they are in the process's memory now; as far as they can be read.
///
/// # Errors
/// None: what is not there is not shown.
pub(crate) fn strings(call: &mut Call, process: Id<Process>, which: Strings) -> Result<Vec<u8>, Error> {
    let Some(space) = space(call.kernel, process) else { return Ok(Vec::new()) };
    let image = &call.kernel.processes[process].image;
    let ((start, end), environment) = match which {
        Strings::Arguments => (image.arguments, image.environment),
        Strings::Environment => (image.environment, image.environment),
    };
    let mut bytes = read_memory(call, space, start, end);
    if which == Strings::Arguments && bytes.last().is_some_and(|last| *last != 0) {
        // setproctitle(3bsd) overwrote the last zero: the title goes on into the environment, up to its first zero.
        bytes.extend(read_memory(call, space, end, environment.1));
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.truncate(length);
    }
    Ok(bytes)
}

fn read_memory(call: &mut Call, space: Id<AddressSpace>, start: u64, end: u64) -> Vec<u8> {
    let length = end.saturating_sub(start).min(MOST_STRINGS);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let at = start.wrapping_add(bytes.len() as u64);
        let Ok((frame, offset)) = call.resolve_in(space, at, Access::Read) else { break };
        let rest = &call.kernel.memory.bytes(frame)[offset..];
        let take = rest.len().min(length as usize - bytes.len());
        bytes.extend_from_slice(&rest[..take]);
    }
    bytes
}

/// `/proc/PID/auxv`.
pub(crate) fn auxiliary(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    kernel.processes[process].image.auxiliary.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `/proc/PID/pagemap` is a word a page of the whole address space, so only parts of it can be shown.
pub(crate) const PAGEMAP_WORD: u64 = 8;

/// A part of `/proc/PID/pagemap`: `length` bytes from `offset` on, both multiples of a word. Frames' numbers are shown to
/// CAP_SYS_ADMIN only.
///
/// # Errors
/// `EINVAL` if it is not aligned.
pub(crate) fn pagemap(call: &Call, process: Id<Process>, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    if !offset.is_multiple_of(PAGEMAP_WORD) || !length.is_multiple_of(PAGEMAP_WORD) {
        return Err(Errno::EINVAL.because("pagemap is read in words of 8 bytes"));
    }
    let Some(space) = space(call.kernel, process) else { return Ok(Vec::new()) };
    let with_frame = call.has_capability(CAP_SYS_ADMIN);
    let top = call.kernel.configuration.paging.user_end();
    let page_bytes = call.kernel.page_size().bytes();
    let first = offset / PAGEMAP_WORD;
    let last = (first + length / PAGEMAP_WORD).min(top / page_bytes);
    // As much as Linux's reader takes at a time.
    let last = last.min(first.saturating_add(MOST_WORDS));
    let words = (first..last).map(|page| report::pagemap_word(call.kernel, space, page * page_bytes, with_frame));
    Ok(words.flat_map(u64::to_le_bytes).collect())
}

/// Writes `/proc/PID/clear_refs`: 1 to 4 forget which pages were accessed (2 of private memory, 3 of files), 5 sets the
/// high-water mark of resident memory back, proc_pid_clear_refs(5). Soft-dirty bits (4) are not kept: as on a kernel without
/// `CONFIG_MEM_SOFT_DIRTY`, there is nothing to clear, and bit 55 in pagemap stays 0.
///
/// # Errors
/// `EINVAL`; `EACCES` for another's process; `ESRCH` for a zombie.
pub(crate) fn clear_references(call: &mut Call, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    super::process::check_access(call, process)?;
    let kind = super::identity::parse(bytes)?;
    let space = space(call.kernel, process).ok_or(Errno::ESRCH.because("the process has ended"))?;
    let AddressSpace { table, tlb, resident, peak, .. } = &mut call.kernel.spaces[space];
    match kind {
        1..=3 => {
            table.update(&mut call.kernel.memory, 0..u64::MAX, |_, _, entry| {
                let is_private = entry.0 & PRIVATE != 0;
                let is_meant = kind == 1 || (kind == 2) == is_private;
                if is_meant { Entry(entry.0 & !Entry::ACCESSED) } else { entry }
            });
            tlb.flush(FlushCause::Age);
        }
        4 => {}
        5 => peak.resident = resident.total(),
        _ => return Err(Errno::EINVAL.because("clear_refs knows 1 to 5")),
    }
    Ok(())
}
