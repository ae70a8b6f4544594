//! What files say of themselves: stat(2), statx(2), statfs(2), inode(7), getdents64(2).

#![allow(missing_docs)] // Linux's own names and values; the man pages above say what they mean.

pub const S_IFMT: u32 = 0o170000;
pub const S_IFSOCK: u32 = 0o140000;
pub const S_IFLNK: u32 = 0o120000;
pub const S_IFREG: u32 = 0o100000;
pub const S_IFBLK: u32 = 0o060000;
pub const S_IFDIR: u32 = 0o040000;
pub const S_IFCHR: u32 = 0o020000;
pub const S_IFIFO: u32 = 0o010000;
pub const S_ISUID: u32 = 0o4000;
pub const S_ISGID: u32 = 0o2000;
pub const S_ISVTX: u32 = 0o1000;
pub const S_IXGRP: u32 = 0o0010;

/// `d_type`, readdir(3): the type bits of a mode, shifted.
pub const fn directory_entry_type(mode: u32) -> u8 {
    ((mode & S_IFMT) >> 12) as u8
}

/// A device number as user space sees it in `st_dev`, makedev(3).
pub const fn make_device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (major & 0xfff) << 8 | (major & 0xffff_f000) << 32 | minor & 0xff | (minor & 0xffff_ff00) << 12
}

/// The major part of a device number, makedev(3).
pub const fn device_major(device: u64) -> u32 {
    ((device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000)) as u32
}

/// The minor part of a device number, makedev(3).
pub const fn device_minor(device: u64) -> u32 {
    ((device & 0xff) | (device >> 12 & 0xffff_ff00)) as u32
}

crate::structure! {
    /// `struct stat`, stat(2).
    pub struct Stat {
        pub device: u64,
        pub inode: u64,
        pub links: u64,
        pub mode: u32,
        pub uid: u32,
        pub gid: u32,
        pub _pad: u32,
        pub special_device: u64,
        pub size: i64,
        pub block_size: i64,
        pub blocks: i64,
        pub accessed: crate::stat::Time,
        pub modified: crate::stat::Time,
        pub changed: crate::stat::Time,
        pub _reserved: [i64; 3],
    }
}

crate::structure! {
    /// Seconds since 1970 and nanoseconds of the second: `struct timespec` in `struct stat`.
    pub struct Time {
        pub seconds: i64,
        pub nanoseconds: i64,
    }
}

impl Time {
    /// From nanoseconds since 1970.
    pub fn from_ns(nanoseconds: i64) -> Time {
        Time { seconds: nanoseconds.div_euclid(1_000_000_000), nanoseconds: nanoseconds.rem_euclid(1_000_000_000) }
    }
}

crate::structure! {
    /// `struct statx_timestamp`, statx(2).
    pub struct StatxTime {
        pub seconds: i64,
        pub nanoseconds: u32,
        pub _pad: i32,
    }
}

impl StatxTime {
    /// From nanoseconds since 1970.
    pub fn from_ns(nanoseconds: i64) -> StatxTime {
        let time = Time::from_ns(nanoseconds);
        StatxTime { seconds: time.seconds, nanoseconds: time.nanoseconds as u32, _pad: 0 }
    }
}

crate::structure! {
    /// `struct statx`, statx(2).
    pub struct Statx {
        pub mask: u32,
        pub block_size: u32,
        pub attributes: u64,
        pub links: u32,
        pub uid: u32,
        pub gid: u32,
        pub mode: u16,
        pub _pad: u16,
        pub inode: u64,
        pub size: u64,
        pub blocks: u64,
        pub attributes_mask: u64,
        pub accessed: crate::stat::StatxTime,
        pub born: crate::stat::StatxTime,
        pub changed: crate::stat::StatxTime,
        pub modified: crate::stat::StatxTime,
        pub special_major: u32,
        pub special_minor: u32,
        pub device_major: u32,
        pub device_minor: u32,
        pub mount: u64,
        pub direct_memory_align: u32,
        pub direct_offset_align: u32,
        pub _spare: [u64; 12],
    }
}

pub const STATX_BASIC_STATS: u32 = 0x7ff;
pub const STATX_BTIME: u32 = 0x800;
pub const STATX_MNT_ID: u32 = 0x1000;
pub const STATX_RESERVED: u32 = 0x8000_0000;
pub const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;

crate::structure! {
    /// `struct statfs`, statfs(2).
    pub struct Statfs {
        pub kind: i64,
        pub block_size: i64,
        pub blocks: u64,
        pub blocks_free: u64,
        pub blocks_available: u64,
        pub files: u64,
        pub files_free: u64,
        pub id: [i32; 2],
        pub name_length: i64,
        pub fragment_size: i64,
        pub flags: i64,
        pub _spare: [i64; 4],
    }
}

pub const EXT4_SUPER_MAGIC: i64 = 0xef53;
pub const TMPFS_MAGIC: i64 = 0x0102_1994;
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;
pub const SYSFS_MAGIC: i64 = 0x6265_6572;
pub const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
/// [`Statfs::kind`] of mqueue.
pub const MQUEUE_MAGIC: i64 = 0x1980_0202;
pub const PIPEFS_MAGIC: i64 = 0x5049_5045;
pub const SOCKFS_MAGIC: i64 = 0x534f_434b;
pub const ANON_INODE_FS_MAGIC: i64 = 0x0904_1934;

pub const ST_RDONLY: i64 = 1;
pub const ST_NOSUID: i64 = 2;
pub const ST_NODEV: i64 = 4;
pub const ST_NOEXEC: i64 = 8;
pub const ST_NOATIME: i64 = 1024;
pub const ST_RELATIME: i64 = 4096;
/// Set by every Linux since 2.6.36.
pub const ST_VALID: i64 = 0x20;
