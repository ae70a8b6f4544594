//! Changing a file's size and giving up parts of it: truncate(2), fallocate(2).

use super::inode::{Inode, InodeKind};
use super::page_cache;
use crate::entry::Call;
use crate::table::Id;
use abi::fcntl::{F_SEAL_GROW, F_SEAL_SHRINK};
use abi::{Errno, Error};

/// Sets a regular file's size; the caller has checked that it may be written.
///
/// # Errors
/// `EPERM` if the file is sealed, `EFBIG` (with SIGXFSZ) if it would exceed RLIMIT_FSIZE, `EINVAL` if it has no size.
pub(super) fn truncate(call: &mut Call, inode: Id<Inode>, size: u64) -> Result<(), Error> {
    let (old, seals) = match &call.kernel.vfs.inodes[inode].kind {
        InodeKind::Regular(pages) => (pages.size(), pages.seals.unwrap_or(0)),
        InodeKind::Generated(_) => return Ok(()),
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
    }
    if size < old && seals & F_SEAL_SHRINK != 0 {
        return Err(Errno::EPERM.because("the file is sealed against shrinking"));
    }
    page_cache::set_size(call.kernel, inode, size);
    super::bytes::note_write(call, inode);
    Ok(())
}
