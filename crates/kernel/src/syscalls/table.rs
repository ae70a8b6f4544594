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
use crate::mm::arguments::{Address, Advice, MapFlags, Protection, RemapFlags, SyncFlags};
use crate::user::{UserCStr, UserPtr, UserSlice};
use abi::Errno;
use abi::epoll::EpollEvent;
use abi::fcntl::{Iovec, OpenHow};
use abi::futex::FutexWaiter;
use abi::ipc::SemaphoreOperation;
use abi::mqueue::QueueAttributes;
use abi::poll::{PollFd, SelectMask};
use abi::process::CloneArgs;
use abi::resource::{CapabilityData, CapabilityHeader, Rlimit, Rusage, Sysinfo, Tms};
use abi::signal::{SigAction, SigInfo, SigStack};
use abi::socket::{MessageHeader, MultipleMessageHeader};
use abi::stat::{Stat, Statfs, Statx};
use abi::time::{IntervalTimespec, IntervalTimeval, SignalEvent, Timespec, Timeval, Timex, Timezone};

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
    16 ioctl(fd: Fd, request: u32, argument: u64) => crate::fs::calls::descriptors::ioctl,
       full, "ioctl(2)", "fs/control.c";
    32 dup(fd: Fd) => crate::fs::calls::descriptors::dup, full, "dup(2)", "fs/descriptors.c";
    33 dup2(old: Fd, new: Fd) => crate::fs::calls::descriptors::dup2, full, "dup2(2)", "fs/descriptors.c";
    72 fcntl(fd: Fd, command: u32, argument: u64) => crate::fs::calls::descriptors::fcntl,
       partial "hints about the lifetime of writes", "fcntl(2)", "fs/control.c";
    73 flock(fd: Fd, operation: u32) => crate::fs::calls::descriptors::flock, full, "flock(2)", "fs/locks.c";
    292 dup3(old: Fd, new: Fd, flags: u32) => crate::fs::calls::descriptors::dup3, full, "dup3(2)", "fs/descriptors.c";
    436 close_range(first: u32, last: u32, flags: u32) => crate::fs::calls::descriptors::close_range,
       full, "close_range(2)", "fs/descriptors.c";
    21 access(path: UserCStr, mode: u32) => crate::fs::calls::status::access, full, "access(2)", "fs/permissions.c";
    74 fsync(fd: Fd) => crate::fs::calls::size::fsync, full, "fsync(2)", "fs/control.c";
    75 fdatasync(fd: Fd) => crate::fs::calls::size::fdatasync, full, "fdatasync(2)", "fs/control.c";
    76 truncate(path: UserCStr, length: i64) => crate::fs::calls::size::truncate, full, "truncate(2)", "fs/size.c";
    77 ftruncate(fd: Fd, length: i64) => crate::fs::calls::size::ftruncate, full, "ftruncate(2)", "fs/size.c";
    90 chmod(path: UserCStr, mode: u32) => crate::fs::calls::attributes::chmod, full, "chmod(2)", "fs/permissions.c";
    91 fchmod(fd: Fd, mode: u32) => crate::fs::calls::attributes::fchmod, full, "fchmod(2)", "fs/permissions.c";
    92 chown(path: UserCStr, uid: u32, gid: u32) => crate::fs::calls::attributes::chown,
       full, "chown(2)", "fs/permissions.c";
    93 fchown(fd: Fd, uid: u32, gid: u32) => crate::fs::calls::attributes::fchown,
       full, "fchown(2)", "fs/permissions.c";
    94 lchown(path: UserCStr, uid: u32, gid: u32) => crate::fs::calls::attributes::lchown,
       full, "lchown(2)", "fs/permissions.c";
    132 utime(path: UserCStr, times: UserPtr<[i64; 2]>) => crate::fs::calls::attributes::utime,
       full, "utime(2)", "fs/times.c";
    137 statfs(path: UserCStr, to: UserPtr<Statfs>) => crate::fs::calls::status::statfs, full, "statfs(2)", "fs/stat.c";
    138 fstatfs(fd: Fd, to: UserPtr<Statfs>) => crate::fs::calls::status::fstatfs, full, "fstatfs(2)", "fs/stat.c";
    162 sync() => crate::fs::calls::size::sync, full, "sync(2)", "fs/control.c";
    187 readahead(fd: Fd, offset: i64, count: u64) => crate::fs::calls::size::readahead,
       full, "readahead(2)", "fs/control.c";
    188 setxattr(path: UserCStr, name: UserCStr, value: UserSlice, flags: u32) => crate::fs::calls::xattr::setxattr,
       full, "setxattr(2)", "fs/xattr.c";
    189 lsetxattr(path: UserCStr, name: UserCStr, value: UserSlice, flags: u32) => crate::fs::calls::xattr::lsetxattr,
       full, "lsetxattr(2)", "fs/xattr.c";
    190 fsetxattr(fd: Fd, name: UserCStr, value: UserSlice, flags: u32) => crate::fs::calls::xattr::fsetxattr,
       full, "fsetxattr(2)", "fs/xattr.c";
    191 getxattr(path: UserCStr, name: UserCStr, to: UserSlice) => crate::fs::calls::xattr::getxattr,
       partial "attributes of host files are not seen", "getxattr(2)", "fs/xattr.c";
    192 lgetxattr(path: UserCStr, name: UserCStr, to: UserSlice) => crate::fs::calls::xattr::lgetxattr,
       partial "attributes of host files are not seen", "lgetxattr(2)", "fs/xattr.c";
    193 fgetxattr(fd: Fd, name: UserCStr, to: UserSlice) => crate::fs::calls::xattr::fgetxattr,
       partial "attributes of host files are not seen", "fgetxattr(2)", "fs/xattr.c";
    194 listxattr(path: UserCStr, to: UserSlice) => crate::fs::calls::xattr::listxattr,
       partial "attributes of host files are not seen", "listxattr(2)", "fs/xattr.c";
    195 llistxattr(path: UserCStr, to: UserSlice) => crate::fs::calls::xattr::llistxattr,
       partial "attributes of host files are not seen", "llistxattr(2)", "fs/xattr.c";
    196 flistxattr(fd: Fd, to: UserSlice) => crate::fs::calls::xattr::flistxattr,
       partial "attributes of host files are not seen", "flistxattr(2)", "fs/xattr.c";
    197 removexattr(path: UserCStr, name: UserCStr) => crate::fs::calls::xattr::removexattr,
       full, "removexattr(2)", "fs/xattr.c";
    198 lremovexattr(path: UserCStr, name: UserCStr) => crate::fs::calls::xattr::lremovexattr,
       full, "lremovexattr(2)", "fs/xattr.c";
    199 fremovexattr(fd: Fd, name: UserCStr) => crate::fs::calls::xattr::fremovexattr,
       full, "fremovexattr(2)", "fs/xattr.c";
    221 fadvise64(fd: Fd, offset: i64, length: i64, advice: i32) => crate::fs::calls::size::fadvise64,
       full, "posix_fadvise(2)", "fs/control.c";
    235 utimes(path: UserCStr, times: UserPtr<[i64; 4]>) => crate::fs::calls::attributes::utimes,
       full, "utimes(2)", "fs/times.c";
    260 fchownat(directory: Fd, path: UserCStr, uid: u32, gid: u32, flags: u32) => crate::fs::calls::attributes::fchownat,
       full, "fchownat(2)", "fs/permissions.c";
    261 futimesat(directory: Fd, path: UserCStr, times: UserPtr<[i64; 4]>) => crate::fs::calls::attributes::futimesat,
       full, "futimesat(2)", "fs/times.c";
    268 fchmodat(directory: Fd, path: UserCStr, mode: u32) => crate::fs::calls::attributes::fchmodat,
       full, "fchmodat(2)", "fs/permissions.c";
    269 faccessat(directory: Fd, path: UserCStr, mode: u32) => crate::fs::calls::status::faccessat,
       full, "faccessat(2)", "fs/permissions.c";
    277 sync_file_range(fd: Fd, offset: i64, length: i64, flags: u32) => crate::fs::calls::size::sync_file_range,
       full, "sync_file_range(2)", "fs/control.c";
    280 utimensat(directory: Fd, path: UserCStr, times: UserPtr<[i64; 4]>, flags: u32) => crate::fs::calls::attributes::utimensat,
       full, "utimensat(2)", "fs/times.c";
    285 fallocate(fd: Fd, mode: u32, offset: i64, length: i64) => crate::fs::calls::size::fallocate,
       partial "FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE", "fallocate(2)", "fs/size.c";
    306 syncfs(fd: Fd) => crate::fs::calls::size::syncfs, full, "syncfs(2)", "fs/control.c";
    332 statx(directory: Fd, path: UserCStr, flags: u32, mask: u32, to: UserPtr<Statx>) => crate::fs::calls::status::statx,
       full, "statx(2)", "fs/stat.c";
    439 faccessat2(directory: Fd, path: UserCStr, mode: u32, flags: u32) => crate::fs::calls::status::faccessat2,
       full, "faccessat2(2)", "fs/permissions.c";
    452 fchmodat2(directory: Fd, path: UserCStr, mode: u32, flags: u32) => crate::fs::calls::attributes::fchmodat2,
       full, "fchmodat2(2)", "fs/permissions.c";
    8 lseek(fd: Fd, offset: i64, whence: u32) => crate::fs::calls::transfer::lseek, full, "lseek(2)", "fs/seek.c";
    295 preadv(fd: Fd, vector: UserPtr<Iovec>, count: u64, offset: i64, high: u64) => crate::fs::calls::transfer::preadv,
       full, "preadv(2)", "fs/vectors.c";
    296 pwritev(fd: Fd, vector: UserPtr<Iovec>, count: u64, offset: i64, high: u64) => crate::fs::calls::transfer::pwritev,
       full, "pwritev(2)", "fs/vectors.c";
    319 memfd_create(name: UserCStr, flags: u32) => crate::fs::calls::open::memfd_create,
       full, "memfd_create(2)", "fs/memfd.c";
    327 preadv2(fd: Fd, vector: UserPtr<Iovec>, count: u64, offset: i64, high: u64, flags: u32) => crate::fs::calls::transfer::preadv2,
       full, "preadv2(2)", "fs/vectors_with_flags.c";
    328 pwritev2(fd: Fd, vector: UserPtr<Iovec>, count: u64, offset: i64, high: u64, flags: u32) => crate::fs::calls::transfer::pwritev2,
       full, "pwritev2(2)", "fs/vectors_with_flags.c";
    437 openat2(directory: Fd, path: UserCStr, how: UserPtr<OpenHow>, size: u64) => crate::fs::calls::open::openat2,
       full, "openat2(2)", "fs/openat2.c";
    40 sendfile(output: Fd, input: Fd, offset: UserPtr<u64>, count: u64) => crate::fs::calls::splice::sendfile,
       full, "sendfile(2)", "fs/splice.c";
    275 splice(input: Fd, input_offset: UserPtr<u64>, output: Fd, output_offset: UserPtr<u64>, length: u64, flags: u32) => crate::fs::calls::splice::splice,
       full, "splice(2)", "fs/splice.c";
    276 tee(input: Fd, output: Fd, length: u64, flags: u32) => crate::fs::calls::splice::tee,
       full, "tee(2)", "fs/splice.c";
    278 vmsplice(fd: Fd, vector: UserPtr<Iovec>, count: u64, flags: u32) => crate::fs::calls::splice::vmsplice,
       full, "vmsplice(2)", "fs/splice.c";
    326 copy_file_range(input: Fd, input_offset: UserPtr<u64>, output: Fd, output_offset: UserPtr<u64>, length: u64, flags: u32) => crate::fs::calls::splice::copy_file_range,
       full, "copy_file_range(2)", "fs/splice.c";
    253 inotify_init() => crate::fs::inotify::calls::inotify_init, full, "inotify_init(2)", "fs/inotify.c";
    254 inotify_add_watch(fd: Fd, path: UserCStr, mask: u32) => crate::fs::inotify::calls::inotify_add_watch,
       full, "inotify_add_watch(2)", "fs/inotify.c";
    255 inotify_rm_watch(fd: Fd, number: i32) => crate::fs::inotify::calls::inotify_rm_watch,
       full, "inotify_rm_watch(2)", "fs/inotify.c";
    294 inotify_init1(flags: u32) => crate::fs::inotify::calls::inotify_init1, full, "inotify_init1(2)", "fs/inotify.c";

    // devices and terminals

    // pipes, readiness, event descriptors
    7 poll(array: UserPtr<PollFd>, count: u32, timeout_ms: i32) => crate::fs::poll::poll, full, "poll(2)", "poll/poll.c";
    22 pipe(ends: UserPtr<[i32; 2]>) => crate::ipc::calls::pipe, full, "pipe(2)", "ipc/pipe.c";
    23 select(count: i32, readable: UserPtr<u64>, writable: UserPtr<u64>, exceptional: UserPtr<u64>,
        timeout: UserPtr<Timeval>) => crate::fs::poll::select, full, "select(2)", "poll/select.c";
    213 epoll_create(size: i32) => crate::fs::epoll::epoll_create, full, "epoll_create(2)", "poll/epoll.c";
    232 epoll_wait(epoll: Fd, events: UserPtr<EpollEvent>, limit: i32, timeout_ms: i32) => crate::fs::epoll::epoll_wait,
        full, "epoll_wait(2)", "poll/epoll.c";
    233 epoll_ctl(epoll: Fd, operation: i32, fd: Fd, event: UserPtr<EpollEvent>) => crate::fs::epoll::epoll_ctl,
        full, "epoll_ctl(2)", "poll/epoll.c";
    270 pselect6(count: i32, readable: UserPtr<u64>, writable: UserPtr<u64>, exceptional: UserPtr<u64>,
        timeout: UserPtr<Timespec>, mask: UserPtr<SelectMask>) => crate::fs::poll::pselect6,
        full, "pselect(2)", "poll/select.c";
    271 ppoll(array: UserPtr<PollFd>, count: u32, timeout: UserPtr<Timespec>, mask: UserPtr<u64>, mask_size: u64)
        => crate::fs::poll::ppoll, full, "ppoll(2)", "poll/poll.c";
    281 epoll_pwait(epoll: Fd, events: UserPtr<EpollEvent>, limit: i32, timeout_ms: i32, mask: UserPtr<u64>,
        mask_size: u64) => crate::fs::epoll::epoll_pwait, full, "epoll_wait(2)", "poll/epoll.c";
    282 signalfd(fd: Fd, mask: UserPtr<u64>, size: u64) => crate::signal::signalfd::signalfd,
        full, "signalfd(2)", "poll/signalfd.c";
    283 timerfd_create(clock: i32, flags: i32) => crate::time::timerfd::timerfd_create,
        full, "timerfd_create(2)", "time/timerfd.c";
    284 eventfd(count: u32) => crate::ipc::calls::eventfd, full, "eventfd(2)", "poll/eventfd.c";
    286 timerfd_settime(fd: Fd, flags: i32, new: UserPtr<IntervalTimespec>, old: UserPtr<IntervalTimespec>)
        => crate::time::timerfd::timerfd_settime, full, "timerfd_create(2)", "time/timerfd.c";
    287 timerfd_gettime(fd: Fd, to: UserPtr<IntervalTimespec>) => crate::time::timerfd::timerfd_gettime,
        full, "timerfd_create(2)", "time/timerfd.c";
    289 signalfd4(fd: Fd, mask: UserPtr<u64>, size: u64, flags: u32) => crate::signal::signalfd::signalfd4,
        full, "signalfd(2)", "poll/signalfd.c";
    290 eventfd2(count: u32, flags: u32) => crate::ipc::calls::eventfd2, full, "eventfd(2)", "poll/eventfd.c";
    291 epoll_create1(flags: i32) => crate::fs::epoll::epoll_create1, full, "epoll_create(2)", "poll/epoll.c";
    293 pipe2(ends: UserPtr<[i32; 2]>, flags: u32) => crate::ipc::calls::pipe2, full, "pipe(2)", "ipc/pipe.c";
    441 epoll_pwait2(epoll: Fd, events: UserPtr<EpollEvent>, limit: i32, timeout: UserPtr<Timespec>,
        mask: UserPtr<u64>, mask_size: u64) => crate::fs::epoll::epoll_pwait2, full, "epoll_wait(2)", "poll/epoll.c";

    // memory
    9 mmap(addr: Address, length: u64, prot: Protection, flags: MapFlags, fd: Fd, offset: u64) => crate::mm::calls::mmap, full, "mmap(2)", "mm/mmap_basic.c";
    10 mprotect(addr: Address, length: u64, prot: Protection) => crate::mm::calls::mprotect, full, "mprotect(2)", "mm/mprotect.c";
    11 munmap(addr: Address, length: u64) => crate::mm::calls::munmap, full, "munmap(2)", "mm/mmap_basic.c";
    12 brk(addr: Address) => crate::mm::calls::brk, full, "brk(2)", "mm/brk.c";
    25 mremap(old_address: Address, old_size: u64, new_size: u64, flags: RemapFlags, new_address: Address) => crate::mm::calls::mremap, full, "mremap(2)", "mm/mremap.c";
    26 msync(addr: Address, length: u64, flags: SyncFlags) => crate::mm::calls::msync, full, "msync(2)", "mm/msync.c";
    27 mincore(addr: Address, length: u64, vec: UserPtr<u8>) => crate::mm::calls::mincore, full, "mincore(2)", "mm/mincore.c";
    28 madvise(addr: Address, length: u64, advice: Advice) => crate::mm::calls::madvise, partial "there are no huge pages for MADV_COLLAPSE", "madvise(2)", "mm/madvise.c";
    149 mlock(addr: Address, length: u64) => crate::mm::calls::mlock, full, "mlock(2)", "mm/mlock.c";
    150 munlock(addr: Address, length: u64) => crate::mm::calls::munlock, full, "mlock(2)", "mm/mlock.c";
    151 mlockall(flags: u32) => crate::mm::calls::mlockall, full, "mlock(2)", "mm/mlock.c";
    152 munlockall() => crate::mm::calls::munlockall, full, "mlock(2)", "mm/mlock.c";
    216 remap_file_pages(addr: Address, size: u64, prot: Protection, pgoff: u64, flags: MapFlags) => crate::mm::calls::remap_file_pages, full, "remap_file_pages(2)", "mm/remap_file_pages.c";
    237 mbind(addr: u64, len: u64, mode: u32, nodemask: UserPtr<u64>, maxnode: u64, flags: u32) => crate::mm::policy::mbind, full, "mbind(2)", "mm/mempolicy.c";
    238 set_mempolicy(mode: u32, nodemask: UserPtr<u64>, maxnode: u64) => crate::mm::policy::set_mempolicy, full, "set_mempolicy(2)", "mm/mempolicy.c";
    239 get_mempolicy(mode: UserPtr<i32>, nodemask: UserPtr<u64>, maxnode: u64, addr: u64, flags: u32) => crate::mm::policy::get_mempolicy, full, "get_mempolicy(2)", "mm/mempolicy.c";
    256 migrate_pages(pid: i32, maxnode: u64, old_nodes: UserPtr<u64>, new_nodes: UserPtr<u64>) => crate::mm::policy::migrate_pages, full, "migrate_pages(2)", "mm/mempolicy.c";
    279 move_pages(pid: i32, count: u64, pages: UserPtr<u64>, nodes: UserPtr<i32>, status: UserPtr<i32>, flags: u32) => crate::mm::policy::move_pages, full, "move_pages(2)", "mm/mempolicy.c";
    310 process_vm_readv(pid: i32, local: UserPtr<Iovec>, liovcnt: u64, remote: UserPtr<Iovec>, riovcnt: u64, flags: u64) => crate::mm::peer::process_vm_readv, full, "process_vm_readv(2)", "mm/process_vm.c";
    311 process_vm_writev(pid: i32, local: UserPtr<Iovec>, liovcnt: u64, remote: UserPtr<Iovec>, riovcnt: u64, flags: u64) => crate::mm::peer::process_vm_writev, full, "process_vm_readv(2)", "mm/process_vm.c";
    325 mlock2(addr: Address, length: u64, flags: u32) => crate::mm::calls::mlock2, full, "mlock(2)", "mm/mlock.c";
    440 process_madvise(pidfd: Fd, pieces: UserPtr<Iovec>, count: u64, advice: Advice, flags: u32) => crate::mm::peer::process_madvise,
       partial "there are no huge pages for MADV_COLLAPSE", "process_madvise(2)", "mm/process_madvise.c";
    462 mseal(addr: Address, length: u64, flags: u64) => crate::mm::seal::mseal, full, "mseal(2)", "mm/mseal.c";
    167 swapon(path: UserCStr, flags: i32) => crate::mm::calls::swapon,
       partial "swap is what --swap gives", "swapon(2)", "mm/swap_areas.c";
    168 swapoff(path: UserCStr) => crate::mm::calls::swapoff,
       partial "swap is what --swap gives", "swapon(2)", "mm/swap_areas.c";
    329 pkey_mprotect(addr: Address, length: u64, prot: Protection, pkey: i32) => crate::mm::calls::pkey_mprotect, full, "mprotect(2)", "mm/pkey.c";
    330 pkey_alloc(flags: u64, access_rights: u64) => crate::mm::calls::pkey_alloc, full, "pkey_alloc(2)", "mm/pkey.c";
    331 pkey_free(pkey: i32) => crate::mm::calls::pkey_free, full, "pkey_alloc(2)", "mm/pkey.c";

    // processes and threads
    158 arch_prctl(operation: i32, address: u64) => crate::process::arch::arch_prctl, full, "arch_prctl(2)", "process/arch_prctl.c";
    39 getpid() => crate::process::calls::getpid, full, "getpid(2)", "process/ids.c";
    56 clone(flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) => crate::process::clone::clone,
       full, "clone(2)", "process/clone.c";
    57 fork() => crate::process::clone::fork, full, "fork(2)", "process/fork_wait.c";
    58 vfork() => crate::process::clone::vfork, full, "vfork(2)", "process/vfork.c";
    59 execve(path: UserCStr, arguments: u64, environment: u64) => crate::process::exec::execve,
       full, "execve(2)", "process/exec.c";
    60 exit(status: i32) => crate::process::calls::exit, full, "_exit(2)", "process/threads.c";
    61 wait4(pid: i32, status: UserPtr<i32>, options: i32, usage: UserPtr<Rusage>) => crate::process::wait::wait4,
       full, "wait4(2)", "process/fork_wait.c";
    110 getppid() => crate::process::calls::getppid, full, "getppid(2)", "process/ids.c";
    186 gettid() => crate::process::calls::gettid, full, "gettid(2)", "process/ids.c";
    218 set_tid_address(address: u64) => crate::futex::calls::set_tid_address,
       full, "set_tid_address(2)", "process/threads.c";
    231 exit_group(status: i32) => crate::process::calls::exit_group, full, "exit_group(2)", "process/threads.c";
    247 waitid(kind: i32, id: i32, info: UserPtr<SigInfo>, options: i32, usage: UserPtr<Rusage>) =>
       crate::process::wait::waitid, full, "waitid(2)", "process/fork_wait.c";
    322 execveat(directory: Fd, path: UserCStr, arguments: u64, environment: u64, flags: u32) =>
       crate::process::exec::execveat, full, "execveat(2)", "process/exec.c";
    424 pidfd_send_signal(fd: Fd, signal: i32, info: UserPtr<SigInfo>, flags: u32) =>
       crate::process::pidfd::pidfd_send_signal, full, "pidfd_send_signal(2)", "process/pidfd.c";
    434 pidfd_open(pid: i32, flags: u32) => crate::process::pidfd::pidfd_open,
       full, "pidfd_open(2)", "process/pidfd.c";
    435 clone3(arguments: UserPtr<CloneArgs>, size: u64) => crate::process::clone::clone3,
       full, "clone(2)", "process/clone.c";
    438 pidfd_getfd(fd: Fd, other: Fd, flags: u32) => crate::process::pidfd::pidfd_getfd,
       full, "pidfd_getfd(2)", "process/pidfd.c";

    // signals
    13 rt_sigaction(signal: i32, new: UserPtr<SigAction>, old: UserPtr<SigAction>, size: u64) =>
       crate::signal::calls::rt_sigaction, full, "sigaction(2)", "signal/actions.c";
    14 rt_sigprocmask(how: i32, new: UserPtr<u64>, old: UserPtr<u64>, size: u64) =>
       crate::signal::calls::rt_sigprocmask, full, "sigprocmask(2)", "signal/masks.c";
    15 rt_sigreturn() => crate::signal::calls::rt_sigreturn, full, "sigreturn(2)", "signal/frame.c";
    34 pause() => super::operation::pause, full, "pause(2)", "signal/pause.c";
    62 kill(pid: i32, signal: i32) => crate::signal::calls::kill, full, "kill(2)", "signal/kill.c";
    127 rt_sigpending(to: UserPtr<u64>, size: u64) => crate::signal::calls::rt_sigpending,
       full, "sigpending(2)", "signal/masks.c";
    128 rt_sigtimedwait(set: UserPtr<u64>, info: UserPtr<SigInfo>, timeout: UserPtr<Timespec>, size: u64) =>
       crate::signal::calls::rt_sigtimedwait, full, "sigtimedwait(2)", "signal/timedwait.c";
    129 rt_sigqueueinfo(pid: i32, signal: i32, info: UserPtr<SigInfo>) => crate::signal::calls::rt_sigqueueinfo,
       full, "rt_sigqueueinfo(2)", "signal/queue.c";
    130 rt_sigsuspend(set: UserPtr<u64>, size: u64) => crate::signal::calls::rt_sigsuspend,
       full, "sigsuspend(2)", "signal/suspend.c";
    131 sigaltstack(new: UserPtr<SigStack>, old: UserPtr<SigStack>) => crate::signal::calls::sigaltstack,
       full, "sigaltstack(2)", "signal/altstack.c";
    200 tkill(tid: i32, signal: i32) => crate::signal::calls::tkill, full, "tkill(2)", "signal/kill.c";
    234 tgkill(pid: i32, tid: i32, signal: i32) => crate::signal::calls::tgkill, full, "tgkill(2)", "signal/kill.c";
    297 rt_tgsigqueueinfo(pid: i32, tid: i32, signal: i32, info: UserPtr<SigInfo>) =>
       crate::signal::calls::rt_tgsigqueueinfo, full, "rt_tgsigqueueinfo(2)", "signal/queue.c";

    // futexes
    202 futex(address: u64, operation: i32, value: u32, timeout: u64, address2: u64, value3: u32) =>
       crate::futex::calls::futex, full, "futex(2)", "futex/basic.c";
    273 set_robust_list(head: u64, length: u64) => crate::futex::calls::set_robust_list,
       full, "set_robust_list(2)", "futex/robust.c";
    274 get_robust_list(tid: i32, head: UserPtr<u64>, length: UserPtr<u64>) => crate::futex::calls::get_robust_list,
       full, "get_robust_list(2)", "futex/robust.c";
    449 futex_waitv(waiters: UserPtr<FutexWaiter>, count: u32, flags: u32, timeout: u64, clock: i32) =>
       crate::futex::calls::futex_waitv, full, "futex_waitv(2)", "futex/requeue.c";
    454 futex_wake(address: u64, bits: u64, most: i32, flags: u32) => crate::futex::calls::futex_wake,
       partial "FUTEX2_NUMA, FUTEX2_MPOL", "futex(2)", "futex/futex2.c";
    455 futex_wait(address: u64, expected: u64, bits: u64, flags: u32, timeout: u64, clock: i32) =>
       crate::futex::calls::futex_wait, partial "FUTEX2_NUMA, FUTEX2_MPOL", "futex(2)", "futex/futex2.c";
    456 futex_requeue(waiters: UserPtr<FutexWaiter>, flags: u32, woken: i32, moved: i32) =>
       crate::futex::calls::futex_requeue, partial "FUTEX2_NUMA, FUTEX2_MPOL", "futex(2)", "futex/futex2.c";

    // scheduling
    24 sched_yield() => crate::sched::calls::sched_yield, full, "sched_yield(2)", "process/scheduling.c";
    140 getpriority(which: i32, who: i32) => crate::sched::calls::getpriority,
       full, "getpriority(2)", "process/scheduling.c";
    141 setpriority(which: i32, who: i32, nice: i32) => crate::sched::calls::setpriority,
       full, "getpriority(2)", "process/scheduling.c";
    142 sched_setparam(pid: i32, priority: UserPtr<i32>) => crate::sched::calls::sched_setparam,
       full, "sched_setparam(2)", "process/real_time.c";
    143 sched_getparam(pid: i32, priority: UserPtr<i32>) => crate::sched::calls::sched_getparam,
       full, "sched_setparam(2)", "process/scheduling.c";
    144 sched_setscheduler(pid: i32, policy: i32, priority: UserPtr<i32>) => crate::sched::calls::sched_setscheduler,
       full, "sched_setscheduler(2)", "process/real_time.c";
    145 sched_getscheduler(pid: i32) => crate::sched::calls::sched_getscheduler,
       full, "sched_setscheduler(2)", "process/scheduling.c";
    146 sched_get_priority_max(policy: i32) => crate::sched::calls::sched_get_priority_max,
       full, "sched_get_priority_max(2)", "process/scheduling.c";
    147 sched_get_priority_min(policy: i32) => crate::sched::calls::sched_get_priority_min,
       full, "sched_get_priority_max(2)", "process/scheduling.c";
    148 sched_rr_get_interval(pid: i32, interval: UserPtr<Timespec>) => crate::sched::calls::sched_rr_get_interval,
       full, "sched_rr_get_interval(2)", "process/real_time.c";
    203 sched_setaffinity(pid: i32, size: u32, mask: u64) => crate::sched::calls::sched_setaffinity,
       full, "sched_setaffinity(2)", "process/scheduling.c";
    204 sched_getaffinity(pid: i32, size: u32, mask: u64) => crate::sched::calls::sched_getaffinity,
       full, "sched_setaffinity(2)", "process/scheduling.c";
    251 ioprio_set(which: i32, who: i32, priority: i32) => crate::sched::calls::ioprio_set,
       full, "ioprio_set(2)", "process/scheduling.c";
    252 ioprio_get(which: i32, who: i32) => crate::sched::calls::ioprio_get,
       full, "ioprio_set(2)", "process/scheduling.c";
    309 getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>) => crate::sched::calls::getcpu,
       full, "getcpu(2)", "process/scheduling.c";
    314 sched_setattr(pid: i32, attributes: u64, flags: u32) => crate::sched::calls::sched_setattr,
       partial "reclaiming processor time (SCHED_FLAG_RECLAIM)", "sched_setattr(2)", "process/real_time.c";
    315 sched_getattr(pid: i32, attributes: u64, size: u32, flags: u32) => crate::sched::calls::sched_getattr,
       full, "sched_setattr(2)", "process/real_time.c";
    324 membarrier(command: i32, flags: u32, cpu: i32) => crate::process::control::membarrier,
       full, "membarrier(2)", "process/control.c";
    334 rseq(area: u64, length: u32, flags: u32, signature: u32) => crate::sched::rseq::rseq,
       full, "rseq(2)", "process/rseq.c";

    // identity and limits
    63 uname(to: u64) => crate::process::control::uname, full, "uname(2)", "process/control.c";
    97 getrlimit(resource: u32, to: UserPtr<Rlimit>) => crate::process::limits::getrlimit,
       full, "getrlimit(2)", "process/limits.c";
    98 getrusage(who: i32, to: UserPtr<Rusage>) => crate::process::usage::getrusage,
       full, "getrusage(2)", "process/usage.c";
    99 sysinfo(to: UserPtr<Sysinfo>) => crate::process::control::sysinfo,
       full, "sysinfo(2)", "process/control.c";
    100 times(to: UserPtr<Tms>) => crate::process::usage::times, full, "times(2)", "process/usage.c";
    101 ptrace(request: u64, pid: i32) => crate::process::control::ptrace,
       partial "nobody can be traced: EPERM", "ptrace(2)", "process/control.c";
    102 getuid() => crate::process::users::getuid, full, "getuid(2)", "process/users.c";
    104 getgid() => crate::process::users::getgid, full, "getgid(2)", "process/users.c";
    105 setuid(uid: u32) => crate::process::users::setuid, full, "setuid(2)", "process/users.c";
    106 setgid(gid: u32) => crate::process::users::setgid, full, "setgid(2)", "process/users.c";
    107 geteuid() => crate::process::users::geteuid, full, "getuid(2)", "process/users.c";
    108 getegid() => crate::process::users::getegid, full, "getgid(2)", "process/users.c";
    109 setpgid(pid: i32, group: i32) => crate::process::groups::setpgid, full, "setpgid(2)", "process/groups.c";
    111 getpgrp() => crate::process::groups::getpgrp, full, "getpgrp(2)", "process/groups.c";
    112 setsid() => crate::process::groups::setsid, full, "setsid(2)", "process/groups.c";
    113 setreuid(real: u32, effective: u32) => crate::process::users::setreuid,
       full, "setreuid(2)", "process/users.c";
    114 setregid(real: u32, effective: u32) => crate::process::users::setregid,
       full, "setreuid(2)", "process/users.c";
    115 getgroups(size: i32, list: UserPtr<u32>) => crate::process::users::getgroups,
       full, "getgroups(2)", "process/users.c";
    116 setgroups(size: i32, list: UserPtr<u32>) => crate::process::users::setgroups,
       full, "getgroups(2)", "process/users.c";
    117 setresuid(real: u32, effective: u32, saved: u32) => crate::process::users::setresuid,
       full, "setresuid(2)", "process/users.c";
    118 getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) =>
       crate::process::users::getresuid, full, "getresuid(2)", "process/users.c";
    119 setresgid(real: u32, effective: u32, saved: u32) => crate::process::users::setresgid,
       full, "setresuid(2)", "process/users.c";
    120 getresgid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) =>
       crate::process::users::getresgid, full, "getresuid(2)", "process/users.c";
    121 getpgid(pid: i32) => crate::process::groups::getpgid, full, "getpgid(2)", "process/groups.c";
    122 setfsuid(uid: u32) => crate::process::users::setfsuid, full, "setfsuid(2)", "process/users.c";
    123 setfsgid(gid: u32) => crate::process::users::setfsgid, full, "setfsgid(2)", "process/users.c";
    124 getsid(pid: i32) => crate::process::groups::getsid, full, "getsid(2)", "process/groups.c";
    125 capget(header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) => crate::process::users::capget,
       full, "capget(2)", "process/users.c";
    126 capset(header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) => crate::process::users::capset,
       full, "capget(2)", "process/users.c";
    135 personality(persona: u32) => crate::process::control::personality,
       partial "only PER_LINUX has an effect", "personality(2)", "process/control.c";
    157 prctl(option: i32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) => crate::process::control::prctl,
       partial "PR_SET_MM, seccomp, speculation control, system call user dispatch, names of mappings",
       "prctl(2)", "process/control.c";
    160 setrlimit(resource: u32, from: UserPtr<Rlimit>) => crate::process::limits::setrlimit,
       full, "getrlimit(2)", "process/limits.c";
    170 sethostname(name: u64, length: i32) => crate::process::control::sethostname,
       full, "gethostname(2)", "process/control.c";
    171 setdomainname(name: u64, length: i32) => crate::process::control::setdomainname,
       full, "getdomainname(2)", "process/control.c";
    219 restart_syscall() => crate::process::control::restart_syscall,
       full, "restart_syscall(2)", "process/control.c";
    272 unshare(flags: u64) => crate::process::control::unshare,
       partial "namespaces other than of IPC", "unshare(2)", "process/control.c";
    302 prlimit64(pid: i32, resource: u32, new: UserPtr<Rlimit>, old: UserPtr<Rlimit>) =>
       crate::process::limits::prlimit64, full, "getrlimit(2)", "process/limits.c";
    308 setns(fd: Fd, kinds: u32) => crate::process::control::setns,
       partial "namespaces by their own files; others than of IPC", "setns(2)", "process/control.c";
    312 kcmp(pid1: i32, pid2: i32, kind: i32, index1: u64, index2: u64) => crate::process::control::kcmp,
       partial "KCMP_EPOLL_TFD", "kcmp(2)", "process/control.c";

    // time
    35 nanosleep(request: UserPtr<Timespec>, remaining: UserPtr<Timespec>) => crate::time::calls::nanosleep,
        full, "nanosleep(2)", "time/sleep.c";
    36 getitimer(which: i32, to: UserPtr<IntervalTimeval>) => crate::time::itimer::getitimer,
        full, "getitimer(2)", "time/itimer.c";
    37 alarm(seconds: u32) => crate::time::itimer::alarm, full, "alarm(2)", "time/itimer.c";
    38 setitimer(which: i32, new: UserPtr<IntervalTimeval>, old: UserPtr<IntervalTimeval>)
        => crate::time::itimer::setitimer, full, "getitimer(2)", "time/itimer.c";
    96 gettimeofday(to: UserPtr<Timeval>, zone: UserPtr<Timezone>) => crate::time::calls::gettimeofday,
        full, "gettimeofday(2)", "time/clocks.c";
    159 adjtimex(state: UserPtr<Timex>) => crate::time::adjust::adjtimex,
        partial "the clock's rate cannot be adjusted", "adjtimex(2)", "time/clocks.c";
    164 settimeofday(from: UserPtr<Timeval>, zone: UserPtr<Timezone>) => crate::time::calls::settimeofday,
        full, "gettimeofday(2)", "time/clocks.c";
    201 time(to: UserPtr<i64>) => crate::time::calls::time, full, "time(2)", "time/clocks.c";
    222 timer_create(clock: i32, event: UserPtr<SignalEvent>, to: UserPtr<i32>) => crate::time::posix_timer::timer_create,
        full, "timer_create(2)", "time/posix_timer.c";
    223 timer_settime(timer: i32, flags: i32, new: UserPtr<IntervalTimespec>, old: UserPtr<IntervalTimespec>)
        => crate::time::posix_timer::timer_settime, full, "timer_settime(2)", "time/posix_timer.c";
    224 timer_gettime(timer: i32, to: UserPtr<IntervalTimespec>) => crate::time::posix_timer::timer_gettime,
        full, "timer_settime(2)", "time/posix_timer.c";
    225 timer_getoverrun(timer: i32) => crate::time::posix_timer::timer_getoverrun,
        full, "timer_getoverrun(2)", "time/posix_timer.c";
    226 timer_delete(timer: i32) => crate::time::posix_timer::timer_delete,
        full, "timer_delete(2)", "time/posix_timer.c";
    227 clock_settime(clock: i32, from: UserPtr<Timespec>) => crate::time::calls::clock_settime,
        full, "clock_getres(2)", "time/clocks.c";
    228 clock_gettime(clock: i32, to: UserPtr<Timespec>) => crate::time::calls::clock_gettime,
        full, "clock_getres(2)", "time/clocks.c";
    229 clock_getres(clock: i32, to: UserPtr<Timespec>) => crate::time::calls::clock_getres,
        full, "clock_getres(2)", "time/clocks.c";
    230 clock_nanosleep(clock: i32, flags: i32, request: UserPtr<Timespec>, remaining: UserPtr<Timespec>)
        => crate::time::calls::clock_nanosleep, full, "clock_nanosleep(2)", "time/sleep.c";
    305 clock_adjtime(clock: i32, state: UserPtr<Timex>) => crate::time::adjust::clock_adjtime,
        partial "the clock's rate cannot be adjusted", "adjtimex(2)", "time/clocks.c";

    // System V and POSIX IPC
    240 mq_open(name: UserCStr, flags: u32, mode: u32, attributes: UserPtr<QueueAttributes>)
        => crate::ipc::posix::calls::mq_open, full, "mq_open(3)", "ipc/posix_message_queue.c";
    241 mq_unlink(name: UserCStr) => crate::ipc::posix::calls::mq_unlink,
        full, "mq_unlink(3)", "ipc/posix_message_queue_files.c";
    242 mq_timedsend(fd: Fd, message: u64, length: u64, priority: u32, deadline: UserPtr<Timespec>)
        => crate::ipc::posix::calls::mq_timedsend, full, "mq_send(3)", "ipc/posix_message_queue.c";
    243 mq_timedreceive(fd: Fd, to: u64, length: u64, priority: UserPtr<u32>, deadline: UserPtr<Timespec>)
        => crate::ipc::posix::calls::mq_timedreceive, full, "mq_receive(3)", "ipc/posix_message_queue.c";
    244 mq_notify(fd: Fd, event: UserPtr<SignalEvent>) => crate::ipc::posix::calls::mq_notify,
        full, "mq_notify(3)", "ipc/posix_notify_thread.c";
    245 mq_getsetattr(fd: Fd, new: UserPtr<QueueAttributes>, old: UserPtr<QueueAttributes>)
        => crate::ipc::posix::calls::mq_getsetattr, full, "mq_getattr(3)", "ipc/posix_message_queue.c";
    29 shmget(key: i32, size: u64, flags: i32) => crate::ipc::sysv::calls::shmget,
        partial "SHM_HUGETLB", "shmget(2)", "ipc/sysv_shared_memory.c";
    30 shmat(id: i32, address: u64, flags: i32) => crate::ipc::sysv::shared_memory::shmat,
        full, "shmop(2)", "ipc/sysv_shared_memory.c";
    31 shmctl(id: i32, command: i32, argument: u64) => crate::ipc::sysv::calls::shmctl,
        full, "shmctl(2)", "ipc/sysv_limits.c";
    64 semget(key: i32, count: i32, flags: i32) => crate::ipc::sysv::calls::semget,
        full, "semget(2)", "ipc/sysv_semaphore.c";
    65 semop(id: i32, operations: UserPtr<SemaphoreOperation>, count: u64) => crate::ipc::sysv::calls::semop,
        full, "semop(2)", "ipc/sysv_semaphore.c";
    66 semctl(id: i32, number: i32, command: i32, argument: u64) => crate::ipc::sysv::calls::semctl,
        full, "semctl(2)", "ipc/sysv_semaphore.c";
    67 shmdt(address: u64) => crate::ipc::sysv::shared_memory::shmdt, full, "shmop(2)", "ipc/sysv_shared_memory.c";
    68 msgget(key: i32, flags: i32) => crate::ipc::sysv::calls::msgget, full, "msgget(2)", "ipc/sysv_message_queue.c";
    69 msgsnd(id: i32, message: UserPtr<i64>, size: u64, flags: i32) => crate::ipc::sysv::calls::msgsnd,
        full, "msgop(2)", "ipc/sysv_message_queue.c";
    70 msgrcv(id: i32, to: UserPtr<i64>, size: u64, kind: i64, flags: i32) => crate::ipc::sysv::calls::msgrcv,
        full, "msgop(2)", "ipc/sysv_message_queue.c";
    71 msgctl(id: i32, command: i32, argument: u64) => crate::ipc::sysv::calls::msgctl,
        full, "msgctl(2)", "ipc/sysv_message_queue.c";
    220 semtimedop(id: i32, operations: UserPtr<SemaphoreOperation>, count: u64, timeout: UserPtr<Timespec>)
        => crate::ipc::sysv::calls::semtimedop, full, "semop(2)", "ipc/sysv_semaphore.c";

    // sockets
    41 socket(family: i32, kind: i32, protocol: i32) => crate::socket::calls::socket,
        partial "only AF_UNIX, and AF_NETLINK as mq_notify(3) needs it", "socket(2)", "socket/unix_stream.c";
    42 connect(fd: Fd, name: UserPtr<u8>, length: i32) => crate::socket::calls::connect,
        full, "connect(2)", "socket/unix_stream.c";
    43 accept(fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) => crate::socket::calls::accept,
        full, "accept(2)", "socket/unix_stream.c";
    44 sendto(fd: Fd, buffer: UserSlice, flags: u32, name: UserPtr<u8>, length: i32) => crate::socket::calls::sendto,
        partial "MSG_OOB", "send(2)", "socket/unix_datagram.c";
    45 recvfrom(fd: Fd, buffer: UserSlice, flags: u32, name: UserPtr<u8>, length: UserPtr<i32>)
        => crate::socket::calls::recvfrom, partial "MSG_OOB", "recv(2)", "socket/unix_datagram.c";
    46 sendmsg(fd: Fd, message: UserPtr<MessageHeader>, flags: u32) => crate::socket::calls::sendmsg,
        partial "MSG_OOB", "send(2)", "socket/unix_rights.c";
    47 recvmsg(fd: Fd, message: UserPtr<MessageHeader>, flags: u32) => crate::socket::calls::recvmsg,
        partial "MSG_OOB", "recv(2)", "socket/unix_rights.c";
    48 shutdown(fd: Fd, how: i32) => crate::socket::calls::shutdown, full, "shutdown(2)", "socket/unix_stream.c";
    49 bind(fd: Fd, name: UserPtr<u8>, length: i32) => crate::socket::calls::bind,
        full, "bind(2)", "socket/unix_names.c";
    50 listen(fd: Fd, backlog: i32) => crate::socket::calls::listen, full, "listen(2)", "socket/unix_stream.c";
    51 getsockname(fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) => crate::socket::calls::getsockname,
        full, "getsockname(2)", "socket/unix_names.c";
    52 getpeername(fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) => crate::socket::calls::getpeername,
        full, "getpeername(2)", "socket/unix_names.c";
    53 socketpair(family: i32, kind: i32, protocol: i32, to: UserPtr<[i32; 2]>) => crate::socket::calls::socketpair,
        partial "only AF_UNIX", "socketpair(2)", "socket/unix_stream.c";
    54 setsockopt(fd: Fd, level: i32, option: i32, from: UserPtr<u8>, length: i32) => crate::socket::calls::setsockopt,
        partial "SO_PEEK_OFF, filters", "getsockopt(2)", "socket/options.c";
    55 getsockopt(fd: Fd, level: i32, option: i32, to: UserPtr<u8>, length: UserPtr<i32>)
        => crate::socket::calls::getsockopt, partial "SO_PEEK_OFF, filters", "getsockopt(2)", "socket/options.c";
    288 accept4(fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>, flags: i32) => crate::socket::calls::accept4,
        full, "accept(2)", "socket/unix_stream.c";
    299 recvmmsg(fd: Fd, array: UserPtr<MultipleMessageHeader>, count: u32, flags: u32, timeout: UserPtr<Timespec>)
        => crate::socket::multiple::recvmmsg, full, "recvmmsg(2)", "socket/multiple.c";
    307 sendmmsg(fd: Fd, array: UserPtr<MultipleMessageHeader>, count: u32, flags: u32)
        => crate::socket::multiple::sendmmsg, full, "sendmmsg(2)", "socket/multiple.c";

    // the machine
    318 getrandom(buffer: UserSlice, flags: u32) => crate::fs::devfs::getrandom, full, "getrandom(2)", "process/random.c";
}
