//! The table of system calls: number, name, typed arguments, handler, support, man page, test.
//!
//! ```text
//! 1 write(fd: Fd, buffer: UserSlice) => fs::calls::write, full, "write(2)", "fs/read_write.c";
//! ```
//!
//! A `UserSlice` decodes from two registers. Support is `full` or `partial "what is missing"`. The test is a guest program
//! under `tests/guest`. What has no row answers `ENOSYS` and is reported as unsupported.

use super::argument::{Argument, Peek};
use super::operation::SysResult;
use crate::entry::Call;
use crate::event::Event;
use crate::fs::Fd;
use crate::user::{UserCStr, UserPtr, UserSlice};
use abi::Errno;
use abi::fcntl::Iovec;
use abi::stat::Stat;

/// How much of a call there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// All of it.
    Full,
    /// Not this.
    Partial(&'static str),
}

/// What the table says of a call, for documentation and reports.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in rax.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// Names of its arguments.
    pub arguments: &'static [&'static str],
    /// How much of it there is.
    pub support: Support,
    /// The man page that it implements.
    pub manual: &'static str,
    /// A guest program that tests it, relative to `tests/guest`.
    pub test: &'static str,
}

macro_rules! support {
    (full) => {
        Support::Full
    };
    (partial $missing:literal) => {
        Support::Partial($missing)
    };
}

macro_rules! syscalls {
    ($($number:literal $name:ident($($argument:ident: $type:ty),*) => $handler:path,
       $level:ident $($missing:literal)?, $manual:literal, $test:literal;)*) => {
        /// Serves a call.
        #[allow(unused_mut, unused_variables)]
        pub(crate) fn dispatch(call: &mut Call, number: u64, registers: [u64; 6]) -> SysResult {
            let mut registers = registers.iter();
            match number {
                $($number => {
                    $(let $argument = <$type as Argument>::decode(&mut registers);)*
                    $handler(call, $($argument),*)
                })*
                _ => {
                    call.kernel.emit(Event::Unsupported { number, what: "" });
                    Err(Errno::ENOSYS.because("this kernel has no such system call"))
                }
            }
        }

        /// All rows, in the order of the table.
        pub const ROWS: &[Row] = &[
            $(Row {
                number: $number,
                name: stringify!($name),
                arguments: &[$(stringify!($argument)),*],
                support: support!($level $($missing)?),
                manual: $manual,
                test: $test,
            },)*
        ];

        /// A call as strace shows it: its name and arguments.
        #[allow(unused_mut, unused_variables)]
        pub fn show(number: u64, registers: [u64; 6], peek: Peek<'_>) -> String {
            let mut registers = registers.iter();
            match number {
                $($number => {
                    let arguments: &[String] = &[$(<$type as Argument>::decode(&mut registers).show(peek)),*];
                    format!("{}({})", stringify!($name), arguments.join(", "))
                })*
                _ => match abi::syscall_names::name(number) {
                    Some(name) => format!("{name}()"),
                    None => format!("syscall_{number}()"),
                },
            }
        }
    };
}

syscalls! {
    // files: descriptors and bytes
    0 read(fd: Fd, buffer: UserSlice) => crate::fs::calls::transfer::read, full, "read(2)", "fs/read_write.c";
    1 write(fd: Fd, buffer: UserSlice) => crate::fs::calls::transfer::write, full, "write(2)", "fs/read_write.c";
    2 open(path: UserCStr, flags: u32, mode: u32) => crate::fs::calls::open::open, full, "open(2)", "fs/open_flags.c";
    3 close(fd: Fd) => crate::fs::calls::open::close, full, "close(2)", "fs/open_flags.c";
    17 pread64(fd: Fd, buffer: UserSlice, offset: i64) => crate::fs::calls::transfer::pread64,
       full, "pread(2)", "fs/read_write.c";
    18 pwrite64(fd: Fd, buffer: UserSlice, offset: i64) => crate::fs::calls::transfer::pwrite64,
       full, "pwrite(2)", "fs/read_write.c";
    19 readv(fd: Fd, vector: UserPtr<Iovec>, count: u64) => crate::fs::calls::transfer::readv,
       full, "readv(2)", "fs/vectors.c";
    20 writev(fd: Fd, vector: UserPtr<Iovec>, count: u64) => crate::fs::calls::transfer::writev,
       full, "writev(2)", "fs/vectors.c";
    85 creat(path: UserCStr, mode: u32) => crate::fs::calls::open::creat, full, "creat(2)", "fs/open_flags.c";
    257 openat(directory: Fd, path: UserCStr, flags: u32, mode: u32) => crate::fs::calls::open::openat,
       full, "openat(2)", "fs/open_flags.c";

    // files: names
    4 stat(path: UserCStr, to: UserPtr<Stat>) => crate::fs::calls::status::stat, full, "stat(2)", "fs/stat.c";
    5 fstat(fd: Fd, to: UserPtr<Stat>) => crate::fs::calls::status::fstat, full, "fstat(2)", "fs/stat.c";
    6 lstat(path: UserCStr, to: UserPtr<Stat>) => crate::fs::calls::status::lstat, full, "lstat(2)", "fs/stat.c";
    262 newfstatat(directory: Fd, path: UserCStr, to: UserPtr<Stat>, flags: u32) => crate::fs::calls::status::newfstatat,
       full, "fstatat(2)", "fs/stat.c";
    78 getdents(fd: Fd, buffer: u64, size: u32) => crate::fs::calls::directories::getdents,
       full, "getdents(2)", "fs/directories.c";
    79 getcwd(buffer: u64, size: u64) => crate::fs::calls::directories::getcwd,
       full, "getcwd(2)", "fs/working_directory.c";
    80 chdir(path: UserCStr) => crate::fs::calls::directories::chdir, full, "chdir(2)", "fs/working_directory.c";
    81 fchdir(fd: Fd) => crate::fs::calls::directories::fchdir, full, "fchdir(2)", "fs/working_directory.c";
    82 rename(old: UserCStr, new: UserCStr) => crate::fs::calls::names::rename, full, "rename(2)", "fs/rename.c";
    83 mkdir(path: UserCStr, mode: u32) => crate::fs::calls::names::mkdir, full, "mkdir(2)", "fs/names.c";
    84 rmdir(path: UserCStr) => crate::fs::calls::names::rmdir, full, "rmdir(2)", "fs/names.c";
    86 link(old: UserCStr, new: UserCStr) => crate::fs::calls::names::link, full, "link(2)", "fs/links.c";
    87 unlink(path: UserCStr) => crate::fs::calls::names::unlink, full, "unlink(2)", "fs/names.c";
    88 symlink(target: UserCStr, path: UserCStr) => crate::fs::calls::names::symlink, full, "symlink(2)", "fs/links.c";
    89 readlink(path: UserCStr, buffer: u64, size: i32) => crate::fs::calls::names::readlink,
       full, "readlink(2)", "fs/links.c";
    95 umask(mask: u32) => crate::fs::calls::directories::umask, full, "umask(2)", "fs/names.c";
    133 mknod(path: UserCStr, mode: u32, device: u64) => crate::fs::calls::names::mknod, full, "mknod(2)", "fs/names.c";
    161 chroot(path: UserCStr) => crate::fs::calls::directories::chroot, full, "chroot(2)", "fs/working_directory.c";
    217 getdents64(fd: Fd, buffer: u64, size: u32) => crate::fs::calls::directories::getdents64,
       full, "getdents64(2)", "fs/directories.c";
    258 mkdirat(directory: Fd, path: UserCStr, mode: u32) => crate::fs::calls::names::mkdirat,
       full, "mkdirat(2)", "fs/names.c";
    259 mknodat(directory: Fd, path: UserCStr, mode: u32, device: u64) => crate::fs::calls::names::mknodat,
       full, "mknodat(2)", "fs/names.c";
    263 unlinkat(directory: Fd, path: UserCStr, flags: u32) => crate::fs::calls::names::unlinkat,
       full, "unlinkat(2)", "fs/names.c";
    264 renameat(old_directory: Fd, old: UserCStr, directory: Fd, new: UserCStr) => crate::fs::calls::names::renameat,
       full, "renameat(2)", "fs/rename.c";
    265 linkat(old_directory: Fd, old: UserCStr, directory: Fd, new: UserCStr, flags: u32) => crate::fs::calls::names::linkat,
       full, "linkat(2)", "fs/links.c";
    266 symlinkat(target: UserCStr, directory: Fd, path: UserCStr) => crate::fs::calls::names::symlinkat,
       full, "symlinkat(2)", "fs/links.c";
    267 readlinkat(directory: Fd, path: UserCStr, buffer: u64, size: i32) => crate::fs::calls::names::readlinkat,
       full, "readlinkat(2)", "fs/links.c";
    316 renameat2(old_directory: Fd, old: UserCStr, directory: Fd, new: UserCStr, flags: u32) => crate::fs::calls::names::renameat2,
       partial "RENAME_WHITEOUT", "renameat2(2)", "fs/rename.c";

    // devices and terminals

    // pipes, readiness, event descriptors

    // memory
    9 mmap(addr: u64, length: u64, prot: u32, flags: u32, fd: Fd, offset: u64) => crate::mm::calls::mmap, full, "mmap(2)", "mm/mmap_basic.c";
    10 mprotect(addr: u64, length: u64, prot: u32) => crate::mm::calls::mprotect, full, "mprotect(2)", "mm/mprotect.c";
    11 munmap(addr: u64, length: u64) => crate::mm::calls::munmap, full, "munmap(2)", "mm/mmap_basic.c";
    12 brk(addr: u64) => crate::mm::calls::brk, full, "brk(2)", "mm/brk.c";
    25 mremap(old_address: u64, old_size: u64, new_size: u64, flags: u32, new_address: u64) => crate::mm::calls::mremap, full, "mremap(2)", "mm/mremap.c";
    26 msync(addr: u64, length: u64, flags: u32) => crate::mm::calls::msync, full, "msync(2)", "mm/msync.c";
    27 mincore(addr: u64, length: u64, vec: UserPtr<u8>) => crate::mm::calls::mincore, full, "mincore(2)", "mm/mincore.c";
    28 madvise(addr: u64, length: u64, advice: u32) => crate::mm::calls::madvise, partial "MADV_REMOVE of files, MADV_GUARD_INSTALL and MADV_COLLAPSE are missing", "madvise(2)", "mm/madvise.c";
    149 mlock(addr: u64, length: u64) => crate::mm::calls::mlock, full, "mlock(2)", "mm/mlock.c";
    150 munlock(addr: u64, length: u64) => crate::mm::calls::munlock, full, "mlock(2)", "mm/mlock.c";
    151 mlockall(flags: u32) => crate::mm::calls::mlockall, full, "mlock(2)", "mm/mlock.c";
    152 munlockall() => crate::mm::calls::munlockall, full, "mlock(2)", "mm/mlock.c";
    216 remap_file_pages(addr: u64, size: u64, prot: u32, pgoff: u64, flags: u32) => crate::mm::calls::remap_file_pages, full, "remap_file_pages(2)", "mm/remap_file_pages.c";
    325 mlock2(addr: u64, length: u64, flags: u32) => crate::mm::calls::mlock2, full, "mlock(2)", "mm/mlock.c";
    329 pkey_mprotect(addr: u64, length: u64, prot: u32, pkey: i32) => crate::mm::calls::pkey_mprotect, full, "mprotect(2)", "mm/pkey.c";
    330 pkey_alloc(flags: u64, access_rights: u64) => crate::mm::calls::pkey_alloc, full, "pkey_alloc(2)", "mm/pkey.c";
    331 pkey_free(pkey: i32) => crate::mm::calls::pkey_free, full, "pkey_alloc(2)", "mm/pkey.c";

    // processes and threads

    // signals
    34 pause() => super::operation::pause, full, "pause(2)", "signal/pause.c";

    // futexes

    // scheduling

    // identity and limits

    // time

    // System V and POSIX IPC

    // sockets

    // the machine
}
