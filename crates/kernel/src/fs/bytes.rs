//! Moving bytes between regular files and guest memory, a page run at a time and without a copy in between.

use super::inode::Inode;
use super::page_cache;
use super::permission::mode_without_privileges;
use crate::entry::Call;
use crate::table::Id;
use crate::user::UserBuffer;
use abi::{Errno, Error};
use machine::Access;

/// Pages that are read from the host at least when one is missing.
const READ_AHEAD: u64 = 16;

/// Largest offset in a file, `MAX_LFS_FILESIZE`.
pub(super) const MAX_OFFSET: u64 = i64::MAX as u64;

/// Reads from `offset` on; how many bytes, 0 at the end of the file. `to` is advanced by as much.
///
/// # Errors
/// `EFAULT` if the first byte cannot be stored, the host's error if the first byte cannot be read.
pub(super) fn read(call: &mut Call, inode: Id<Inode>, offset: u64, to: &mut UserBuffer) -> Result<usize, Error> {
    let size = call.kernel.vfs.inodes[inode].size();
    let wanted = to.remaining().min(size.saturating_sub(offset));
    let mut done = 0;
    while done < wanted {
        let at = offset + done;
        match read_part(call, inode, at, wanted - done, to) {
            Ok(part) => done += part,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done as usize)
}

/// Reads what lies in one page of the file and one of the guest.
fn read_part(call: &mut Call, inode: Id<Inode>, at: u64, wanted: u64, to: &mut UserBuffer) -> Result<u64, Error> {
    let page_size = call.kernel.page_size();
    let within = page_size.offset(at) as usize;
    let front = to.front();
    let length = (page_size.bytes() - within as u64)
        .min(wanted)
        .min(front.length)
        .min(page_size.bytes() - page_size.offset(front.address)) as usize;
    let source = match page_cache::cached(call.kernel, inode, page_size.number(at)) {
        Some(source) => source,
        None if page_cache::is_hole(call.kernel, inode, page_size.number(at)) => {
            let (target, start) = call.resolve(front.address, Access::Write)?;
            call.kernel.memory.bytes_mut(target)[start..start + length].fill(0);
            to.advance(length as u64);
            return Ok(length as u64);
        }
        None => {
            let pages = (within as u64 + wanted).div_ceil(page_size.bytes()).max(READ_AHEAD);
            page_cache::fetch(call, inode, page_size.number(at), pages)?;
            page_cache::page(call, inode, page_size.number(at))?
        }
    };
    call.kernel.mm.owners.note_used(source);
    // Serving a fault of the guest's page may make room by taking pages of files out of memory, but not this one.
    call.kernel.memory.retain(source);
    let target = call.resolve(front.address, Access::Write);
    if let Ok((target, start)) = target {
        call.kernel.memory.copy_part((source, within), (target, start), length);
    }
    call.kernel.memory.release(source);
    target?;
    to.advance(length as u64);
    Ok(length as u64)
}

/// Writes at `offset`; how many bytes. `from` is advanced by as much, the file grows as needed.
///
/// # Errors
/// `EFBIG` at the largest size or RLIMIT_FSIZE (with SIGXFSZ), `EFAULT` if the first byte cannot be loaded, `ENOSPC` if
/// memory is full, `EPERM` if the file is sealed.
pub(super) fn write(call: &mut Call, inode: Id<Inode>, offset: u64, from: &mut UserBuffer) -> Result<usize, Error> {
    let mut wanted = from.remaining();
    if wanted == 0 {
        return Ok(0);
    }
    wanted = wanted.min(room(call, offset)?);
    check_seals(call, inode, offset.saturating_add(wanted))?;
    let mut done = 0;
    while done < wanted {
        match write_part(call, inode, offset + done, wanted - done, from) {
            Ok(part) => done += part,
            Err(_) if done > 0 => break,
            Err(error) => {
                return Err(if error.errno == Errno::ENOMEM {
                    Errno::ENOSPC.because("no frame is free for the file's pages, which are kept in memory")
                } else {
                    error
                });
            }
        }
    }
    note_write(call, inode);
    Ok(done as usize)
}

/// Writes bytes of the kernel's own at `offset`; how many.
///
/// # Errors
/// As [`write`], but for `EFAULT`.
pub(super) fn write_own(call: &mut Call, inode: Id<Inode>, offset: u64, bytes: &[u8]) -> Result<usize, Error> {
    let wanted = room(call, offset)?.min(bytes.len() as u64);
    check_seals(call, inode, offset.saturating_add(wanted))?;
    let page_size = call.kernel.page_size();
    let mut done = 0;
    while done < wanted {
        let at = offset + done;
        let within = page_size.offset(at) as usize;
        let length = (page_size.bytes() - within as u64).min(wanted - done) as usize;
        if at + length as u64 > call.kernel.vfs.inodes[inode].size() {
            page_cache::clear_tail(call.kernel, inode);
        }
        let target = if length as u64 == page_size.bytes() {
            page_cache::page_to_overwrite(call, inode, page_size.number(at))
        } else {
            page_cache::page_to_change(call, inode, page_size.number(at))
        };
        let target = match target {
            Ok(target) => target,
            Err(_) if done > 0 => break,
            Err(error) if error.errno == Errno::ENOMEM => {
                return Err(Errno::ENOSPC.because("no frame is free for the file's pages, which are kept in memory"));
            }
            Err(error) => return Err(error),
        };
        let from = &bytes[done as usize..done as usize + length];
        call.kernel.memory.bytes_mut(target)[within..within + length].copy_from_slice(from);
        done += length as u64;
        if at + length as u64 > call.kernel.vfs.inodes[inode].size() {
            page_cache::set_size(call.kernel, inode, at + length as u64);
        }
    }
    note_write(call, inode);
    Ok(done as usize)
}

/// Bytes that may be written at `offset`.
fn room(call: &mut Call, offset: u64) -> Result<u64, Error> {
    let limit = call.file_size_limit();
    if offset >= limit {
        super::ops::send_file_size_signal(call);
        return Err(Errno::EFBIG.because("the file would exceed RLIMIT_FSIZE"));
    }
    if offset >= MAX_OFFSET {
        return Err(Errno::EFBIG.because("the file would exceed the largest offset"));
    }
    Ok(limit.min(MAX_OFFSET) - offset)
}

/// memfd_create(2) "File sealing".
fn check_seals(call: &Call, inode: Id<Inode>, end: u64) -> Result<(), Error> {
    use abi::fcntl::{F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_WRITE};
    let Some(pages) = call.kernel.vfs.inodes[inode].pages() else { return Ok(()) };
    let seals = pages.seals.unwrap_or(0);
    if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
        return Err(Errno::EPERM.because("the file is sealed against writes"));
    }
    if seals & F_SEAL_GROW != 0 && end > pages.size() {
        return Err(Errno::EPERM.because("the file is sealed against growing"));
    }
    Ok(())
}

/// Writes what lies in one page of the file and one of the guest.
fn write_part(call: &mut Call, inode: Id<Inode>, at: u64, wanted: u64, from: &mut UserBuffer) -> Result<u64, Error> {
    let page_size = call.kernel.page_size();
    let within = page_size.offset(at) as usize;
    let front = from.front();
    let length = (page_size.bytes() - within as u64)
        .min(wanted)
        .min(front.length)
        .min(page_size.bytes() - page_size.offset(front.address)) as usize;
    // Before a page of the file is made: a fault that cannot be served must not leave one.
    call.resolve(front.address, Access::Read)?;
    let index = page_size.number(at);
    let size = call.kernel.vfs.inodes[inode].size();
    if at + length as u64 > size {
        page_cache::clear_tail(call.kernel, inode);
    }
    let covers_page = length as u64 == page_size.bytes();
    let was_cached = page_cache::cached(call.kernel, inode, index).is_some();
    let target = if covers_page {
        page_cache::page_to_overwrite(call, inode, index)?
    } else {
        page_cache::page_to_change(call, inode, index)?
    };
    call.kernel.mm.owners.note_used(target);
    call.kernel.memory.retain(target);
    let source = call.resolve(front.address, Access::Read);
    if let Ok((source, start)) = source {
        call.kernel.memory.copy_part((source, start), (target, within), length);
    } else if covers_page && !was_cached {
        call.kernel.memory.bytes_mut(target).fill(0);
    }
    call.kernel.memory.release(target);
    source?;
    let end = at + length as u64;
    if end > size {
        page_cache::set_size(call.kernel, inode, end);
    }
    from.advance(length as u64);
    Ok(length as u64)
}

/// A write has changed a file: its times, and the set-user-id bits that only a privileged writer leaves.
pub(crate) fn note_write(call: &mut Call, inode: Id<Inode>) {
    let now = call.kernel.clock.realtime_ns() as i64;
    let keeps_mode = call.subject().keeps_set_id;
    let file = &mut call.kernel.vfs.inodes[inode];
    file.modified_ns = now;
    file.changed_ns = now;
    file.is_changed = true;
    if !keeps_mode {
        file.mode = mode_without_privileges(file.mode);
    }
}
