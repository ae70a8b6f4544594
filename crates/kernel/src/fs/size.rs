//! Changing a file's size and giving up parts of it: truncate(2), fallocate(2).

use super::inode::{Inode, InodeKind};
use super::node::Node;
use super::{inotify, page_cache};
use crate::entry::Call;
use crate::table::Id;
use abi::fcntl::{F_SEAL_GROW, F_SEAL_SHRINK};
use abi::inotify::IN_MODIFY;
use abi::{Errno, Error};

/// Sets the size of a regular file with a name, and tells who watches it. As [`truncate`].
///
/// # Errors
/// As there.
pub(in crate::fs) fn truncate_named(call: &mut Call, node: Id<Node>, size: u64) -> Result<(), Error> {
    let inode = call.kernel.vfs.nodes[node].inode;
    truncate(call, inode, size)?;
    inotify::notify(call.kernel, node, IN_MODIFY);
    Ok(())
}

/// Sets a regular file's size; the caller has checked that it may be written.
///
/// # Errors
/// `EPERM` if the file is sealed, `EFBIG` (with SIGXFSZ) if it would exceed RLIMIT_FSIZE, `EINVAL` if it has no size.
pub(super) fn truncate(call: &mut Call, inode: Id<Inode>, size: u64) -> Result<(), Error> {
    let (old, seals) = match &mut call.kernel.vfs.inodes[inode].kind {
        InodeKind::Regular(pages) => (pages.size(), pages.seals.unwrap_or(0)),
        InodeKind::Generated(_) => return Ok(()),
        InodeKind::Queue(_, shown) => {
            *shown = size;
            return Ok(());
        }
        InodeKind::Directory(_) => return Err(Errno::EISDIR.because("a directory cannot be cut")),
        _ => return Err(Errno::EINVAL.because("only regular files can be cut")),
    };
    if size > old {
        if size > call.file_size_limit() {
            super::ops::send_file_size_signal(call);
            return Err(Errno::EFBIG.because("the file would exceed RLIMIT_FSIZE"));
        }
        if size > super::bytes::MAX_OFFSET {
            return Err(Errno::EFBIG.because("the file would exceed the largest offset"));
        }
        if seals & F_SEAL_GROW != 0 {
            return Err(Errno::EPERM.because("the file is sealed against growing"));
        }
        page_cache::clear_tail(call.kernel, inode);
    }
    if size < old && seals & F_SEAL_SHRINK != 0 {
        return Err(Errno::EPERM.because("the file is sealed against shrinking"));
    }
    page_cache::set_size(call.kernel, inode, size);
    super::bytes::note_write(call, inode);
    Ok(())
}

/// Makes bytes zero; pages that become all zero are given back unless they are mapped. Bytes behind the end stay as they
/// are: there are none.
///
/// # Errors
/// `EPERM` if the file is sealed, `ENOMEM`, the host's.
pub(crate) fn zero(call: &mut Call, inode: Id<Inode>, start: u64, end: u64) -> Result<(), Error> {
    let page_bytes = call.kernel.page_size().bytes();
    let Some(pages) = call.kernel.vfs.inodes[inode].pages() else {
        return Err(Errno::EINVAL.because("only regular files have bytes"));
    };
    if pages.seals.unwrap_or(0) & (abi::fcntl::F_SEAL_WRITE | abi::fcntl::F_SEAL_FUTURE_WRITE) != 0 {
        return Err(Errno::EPERM.because("the file is sealed against writes"));
    }
    let end = end.min(pages.size());
    let mut at = start;
    while at < end {
        let index = at / page_bytes;
        let part_end = ((index + 1) * page_bytes).min(end);
        if page_cache::is_hole(call.kernel, inode, index) {
            // A hole may be as long as files can be.
            at = page_cache::next_present(call.kernel, inode, index).map_or(end, |next| next * page_bytes);
            continue;
        }
        let is_whole = at.is_multiple_of(page_bytes)
            && (part_end % page_bytes == 0 || part_end == end && end == call.kernel.vfs.inodes[inode].size());
        if is_whole && page_cache::make_hole(call.kernel, inode, index) {
            at = part_end;
            continue;
        }
        let frame = if is_whole {
            page_cache::page_to_overwrite(call, inode, index)?
        } else {
            page_cache::page_to_change(call, inode, index)?
        };
        let from = if is_whole { 0 } else { (at % page_bytes) as usize };
        let to = if is_whole { page_bytes as usize } else { from + (part_end - at) as usize };
        call.kernel.memory.bytes_mut(frame)[from..to].fill(0);
        at = part_end;
    }
    super::bytes::note_write(call, inode);
    Ok(())
}
