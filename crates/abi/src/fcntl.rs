//! Opening files and working on descriptors: open(2), openat2(2), fcntl(2), flock(2), lseek(2), fallocate(2).

#![allow(missing_docs)] // Linux's own names and values; the man pages above say what they mean.

pub const O_ACCMODE: u32 = 3;
pub const O_RDONLY: u32 = 0;
pub const O_WRONLY: u32 = 1;
pub const O_RDWR: u32 = 2;
pub const O_CREAT: u32 = 0o100;
pub const O_EXCL: u32 = 0o200;
pub const O_NOCTTY: u32 = 0o400;
pub const O_TRUNC: u32 = 0o1000;
pub const O_APPEND: u32 = 0o2000;
pub const O_NONBLOCK: u32 = 0o4000;
pub const O_DSYNC: u32 = 0o10000;
pub const O_ASYNC: u32 = 0o20000;
pub const O_DIRECT: u32 = 0o40000;
pub const O_LARGEFILE: u32 = 0o100000;
pub const O_DIRECTORY: u32 = 0o200000;
pub const O_NOFOLLOW: u32 = 0o400000;
pub const O_NOATIME: u32 = 0o1000000;
pub const O_CLOEXEC: u32 = 0o2000000;
pub const O_SYNC: u32 = 0o4010000;
pub const O_PATH: u32 = 0o10000000;
pub const O_TMPFILE: u32 = 0o20200000;
/// The bit of `O_TMPFILE` that is not `O_DIRECTORY`.
pub const O_TMPFILE_BIT: u32 = 0o20000000;
/// Every flag that open(2) knows; openat2(2) refuses others, open(2) ignores them.
pub const O_VALID: u32 = O_ACCMODE
    | O_CREAT
    | O_EXCL
    | O_NOCTTY
    | O_TRUNC
    | O_APPEND
    | O_NONBLOCK
    | O_SYNC
    | O_DSYNC
    | O_ASYNC
    | O_DIRECT
    | O_LARGEFILE
    | O_DIRECTORY
    | O_NOFOLLOW
    | O_NOATIME
    | O_CLOEXEC
    | O_PATH
    | O_TMPFILE;

pub const AT_FDCWD: i32 = -100;
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// faccessat2(2).
pub const AT_EACCESS: u32 = 0x200;
/// unlinkat(2).
pub const AT_REMOVEDIR: u32 = 0x200;
pub const AT_SYMLINK_FOLLOW: u32 = 0x400;
pub const AT_NO_AUTOMOUNT: u32 = 0x800;
pub const AT_EMPTY_PATH: u32 = 0x1000;
/// statx(2).
pub const AT_STATX_SYNC_TYPE: u32 = 0x6000;

pub const RESOLVE_NO_XDEV: u64 = 1;
pub const RESOLVE_NO_MAGICLINKS: u64 = 2;
pub const RESOLVE_NO_SYMLINKS: u64 = 4;
pub const RESOLVE_BENEATH: u64 = 8;
pub const RESOLVE_IN_ROOT: u64 = 16;
pub const RESOLVE_CACHED: u64 = 32;

pub const RENAME_NOREPLACE: u32 = 1;
pub const RENAME_EXCHANGE: u32 = 2;
pub const RENAME_WHITEOUT: u32 = 4;

pub const F_DUPFD: u32 = 0;
pub const F_GETFD: u32 = 1;
pub const F_SETFD: u32 = 2;
pub const F_GETFL: u32 = 3;
pub const F_SETFL: u32 = 4;
pub const F_GETLK: u32 = 5;
pub const F_SETLK: u32 = 6;
pub const F_SETLKW: u32 = 7;
pub const F_SETOWN: u32 = 8;
pub const F_GETOWN: u32 = 9;
pub const F_SETSIG: u32 = 10;
pub const F_GETSIG: u32 = 11;
pub const F_SETOWN_EX: u32 = 15;
pub const F_GETOWN_EX: u32 = 16;
pub const F_GETOWNER_UIDS: u32 = 17;
pub const F_OFD_GETLK: u32 = 36;
pub const F_OFD_SETLK: u32 = 37;
pub const F_OFD_SETLKW: u32 = 38;
pub const F_SETLEASE: u32 = 1024;
pub const F_GETLEASE: u32 = 1025;
pub const F_NOTIFY: u32 = 1026;
pub const F_DUPFD_QUERY: u32 = 1027;
pub const F_CREATED_QUERY: u32 = 1028;
pub const F_DUPFD_CLOEXEC: u32 = 1030;
pub const F_SETPIPE_SZ: u32 = 1031;
pub const F_GETPIPE_SZ: u32 = 1032;
pub const F_ADD_SEALS: u32 = 1033;
pub const F_GET_SEALS: u32 = 1034;
pub const F_GET_RW_HINT: u32 = 1035;
pub const F_SET_RW_HINT: u32 = 1036;

/// `F_NOTIFY`: a file was read.
pub const DN_ACCESS: u32 = 1;
/// `F_NOTIFY`: a file was changed.
pub const DN_MODIFY: u32 = 2;
/// `F_NOTIFY`: a file was made.
pub const DN_CREATE: u32 = 4;
/// `F_NOTIFY`: a file was removed.
pub const DN_DELETE: u32 = 8;
/// `F_NOTIFY`: a file got another name within the directory.
pub const DN_RENAME: u32 = 0x10;
/// `F_NOTIFY`: a file's attributes were changed.
pub const DN_ATTRIB: u32 = 0x20;
/// `F_NOTIFY`: the watch goes on after the first event.
pub const DN_MULTISHOT: u32 = 1 << 31;

pub const FD_CLOEXEC: u32 = 1;
pub const F_RDLCK: i16 = 0;
pub const F_WRLCK: i16 = 1;
pub const F_UNLCK: i16 = 2;

/// `F_SETOWN_EX`: a thread.
pub const F_OWNER_TID: i32 = 0;
/// `F_SETOWN_EX`: a process.
pub const F_OWNER_PID: i32 = 1;
/// `F_SETOWN_EX`: a process group.
pub const F_OWNER_PGRP: i32 = 2;

pub const F_SEAL_SEAL: u32 = 1;
pub const F_SEAL_SHRINK: u32 = 2;
pub const F_SEAL_GROW: u32 = 4;
pub const F_SEAL_WRITE: u32 = 8;
pub const F_SEAL_FUTURE_WRITE: u32 = 16;
pub const F_SEAL_EXEC: u32 = 32;

/// memfd_create(2).
pub const MFD_CLOEXEC: u32 = 1;
pub const MFD_ALLOW_SEALING: u32 = 2;
pub const MFD_HUGETLB: u32 = 4;
pub const MFD_NOEXEC_SEAL: u32 = 8;
pub const MFD_EXEC: u32 = 16;

pub const LOCK_SH: u32 = 1;
pub const LOCK_EX: u32 = 2;
pub const LOCK_NB: u32 = 4;
pub const LOCK_UN: u32 = 8;

pub const SEEK_SET: u32 = 0;
pub const SEEK_CUR: u32 = 1;
pub const SEEK_END: u32 = 2;
pub const SEEK_DATA: u32 = 3;
pub const SEEK_HOLE: u32 = 4;

pub const FALLOC_FL_KEEP_SIZE: u32 = 1;
pub const FALLOC_FL_PUNCH_HOLE: u32 = 2;
pub const FALLOC_FL_COLLAPSE_RANGE: u32 = 8;
pub const FALLOC_FL_ZERO_RANGE: u32 = 16;
pub const FALLOC_FL_INSERT_RANGE: u32 = 32;
pub const FALLOC_FL_UNSHARE_RANGE: u32 = 64;

/// access(2).
pub const F_OK: u32 = 0;
pub const X_OK: u32 = 1;
pub const W_OK: u32 = 2;
pub const R_OK: u32 = 4;

/// preadv2(2), pwritev2(2).
pub const RWF_HIPRI: u32 = 1;
pub const RWF_DSYNC: u32 = 2;
pub const RWF_SYNC: u32 = 4;
pub const RWF_NOWAIT: u32 = 8;
pub const RWF_APPEND: u32 = 16;

/// close_range(2).
pub const CLOSE_RANGE_UNSHARE: u32 = 2;
pub const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Longest path with its final zero byte, limits.h.
pub const PATH_MAX: usize = 4096;
/// Longest name, limits.h.
pub const NAME_MAX: usize = 255;
/// Most parts of a vectored read or write, limits.h.
pub const IOV_MAX: usize = 1024;
/// Most bytes that one read(2) or write(2) moves.
pub const MAX_RW_COUNT: u64 = 0x7fff_f000;

crate::structure! {
    /// `struct flock`, fcntl(2).
    pub struct Flock {
        /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
        pub kind: i16,
        /// What `start` counts from.
        pub whence: i16,
        pub _pad: u32,
        /// First byte.
        pub start: i64,
        /// Bytes; 0 is to the end whatever it becomes, negative is before `start`.
        pub length: i64,
        /// Who holds the conflicting lock (`F_GETLK`), -1 for an open file description.
        pub pid: i32,
        pub _pad_end: u32,
    }
}

crate::structure! {
    /// `struct f_owner_ex`, fcntl(2).
    pub struct OwnerEx {
        /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
        pub kind: i32,
        /// Its number.
        pub id: i32,
    }
}

crate::structure! {
    /// `struct open_how`, openat2(2).
    pub struct OpenHow {
        /// `O_` flags.
        pub flags: u64,
        /// Permissions of a new file.
        pub mode: u64,
        /// `RESOLVE_` flags.
        pub resolve: u64,
    }
}

crate::structure! {
    /// `struct iovec`, readv(2).
    pub struct Iovec {
        /// First byte.
        pub base: u64,
        /// Bytes.
        pub length: u64,
    }
}
