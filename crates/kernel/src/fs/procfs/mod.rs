//! proc(5): what the kernel knows of itself and of processes, as text made when it is read.
//!
//! [`system`] has the files of the whole machine, [`sysctl`] the settings under `/proc/sys`. Of each process, [`status`],
//! [`memory`], [`descriptors`], [`identity`] and [`net`] tell one subject each. Numbers are taken from the tables where
//! they are kept; nothing is counted for `/proc`'s sake.

mod cpuinfo;
mod descriptors;
mod identity;
mod meminfo;
pub(crate) mod memory;
mod net;
mod process;
mod status;
pub mod sysctl;
mod system;

use super::generated::{Attributes, Generated, Listed, Target};
use super::inode::{Inode, InodeKind};
use super::sysfs::parse_number;
use super::tree::Place;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::{Process, Thread};
use crate::table::Id;
use abi::stat::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use abi::{Errno, Error};
use process::{PROCESS, ProcessFile};
use sysctl::SETTINGS;
use system::{SYSTEM, SystemFile};

/// A file or directory of proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcEntry {
    /// Of the machine's list.
    System(Place),
    /// Below `/proc/sys`.
    Setting(Place),
    /// Below `/proc/PID` or `/proc/PID/task/TID`.
    Process(Subject, Place),
    /// `/proc/PID/fd/N`.
    Descriptor(Subject, i32),
    /// `/proc/PID/fdinfo/N`.
    DescriptorInfo(Subject, i32),
}

/// Whom a directory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// `/proc/PID`.
    Process(Id<Process>),
    /// `/proc/PID/task/TID`.
    Thread(Id<Thread>),
}

/// The root directory.
pub const ROOT: ProcEntry = ProcEntry::System(Place::ROOT);

impl Subject {
    /// Its process.
    ///
    /// # Errors
    /// `ESRCH` if it is gone.
    pub fn process(self, kernel: &Kernel) -> Result<Id<Process>, Error> {
        let process = match self {
            Subject::Process(process) => Some(process),
            Subject::Thread(thread) => kernel.threads.get(thread).map(|thread| thread.process),
        };
        process.filter(|process| kernel.processes.get(*process).is_some()).ok_or(gone())
    }

    /// The thread whose own things are shown: for a process, its leader, or who is left of its threads. `None` for a
    /// zombie and for belljar's own init.
    pub fn thread(self, kernel: &Kernel) -> Option<Id<Thread>> {
        match self {
            Subject::Thread(thread) => kernel.threads.get(thread).map(|_| thread),
            Subject::Process(process) => kernel.processes.get(process)?.threads.first().copied(),
        }
    }

    /// Its number.
    fn number(self, kernel: &Kernel) -> i32 {
        match self {
            Subject::Process(process) => kernel.processes.get(process).map_or(0, |process| process.pid),
            Subject::Thread(thread) => kernel.threads.get(thread).map_or(0, |thread| thread.tid),
        }
    }
}

/// The process whose `/proc/PID` an inode is.
pub fn process_of_directory(kernel: &Kernel, inode: Id<Inode>) -> Option<Id<Process>> {
    match kernel.vfs.inodes[inode].kind {
        InodeKind::Generated(Generated::Proc(ProcEntry::Process(Subject::Process(process), Place::ROOT))) => {
            Some(process)
        }
        _ => None,
    }
}

/// Of whom a file tells is gone.
fn gone() -> Error {
    Errno::ESRCH.because("the process has ended")
}

/// What `name` is in a directory.
///
/// # Errors
/// `ENOENT` if whom the directory is about is gone.
pub fn lookup(call: &mut Call, directory: ProcEntry, name: &[u8]) -> Result<Option<ProcEntry>, Error> {
    let kernel = &*call.kernel;
    Ok(match directory {
        ProcEntry::System(place) => match place.lookup(SYSTEM, name) {
            Some(found) => Some(match found.row(SYSTEM).map(|row| row.what) {
                Some(SystemFile::Sys) => ProcEntry::Setting(Place::ROOT),
                _ => ProcEntry::System(found),
            }),
            None if place == Place::ROOT => find_process(kernel, name),
            None => None,
        },
        ProcEntry::Setting(place) => place.lookup(SETTINGS, name).map(ProcEntry::Setting),
        ProcEntry::Process(subject, place) => {
            let process = subject.process(kernel).map_err(|_| Errno::ENOENT.because("the process has ended"))?;
            match place.row(PROCESS).map(|row| row.what) {
                Some(ProcessFile::Fd) => find_descriptor(kernel, subject, name, ProcEntry::Descriptor),
                Some(ProcessFile::Fdinfo) => find_descriptor(kernel, subject, name, ProcEntry::DescriptorInfo),
                Some(ProcessFile::Task) => find_thread(kernel, process, name),
                _ => place
                    .lookup(PROCESS, name)
                    .map(|found| ProcEntry::Process(subject, found))
                    .filter(|found| is_shown(subject, *found)),
            }
        }
        ProcEntry::Descriptor(..) | ProcEntry::DescriptorInfo(..) => None,
    })
}

/// `/proc/PID`, also for the number of a thread, which is not listed.
fn find_process(kernel: &Kernel, name: &[u8]) -> Option<ProcEntry> {
    let number = i32::try_from(parse_number(name)?).ok()?;
    let process = kernel.pids.processes.get(&number).copied();
    let process = process.or_else(|| kernel.pids.threads.get(&number).map(|thread| kernel.threads[*thread].process))?;
    Some(ProcEntry::Process(Subject::Process(process), Place::ROOT))
}

fn find_thread(kernel: &Kernel, process: Id<Process>, name: &[u8]) -> Option<ProcEntry> {
    let number = i32::try_from(parse_number(name)?).ok()?;
    let thread = *kernel.pids.threads.get(&number)?;
    (kernel.threads[thread].process == process).then_some(ProcEntry::Process(Subject::Thread(thread), Place::ROOT))
}

fn find_descriptor(
    kernel: &Kernel,
    subject: Subject,
    name: &[u8],
    entry: fn(Subject, i32) -> ProcEntry,
) -> Option<ProcEntry> {
    let number = i32::try_from(parse_number(name)?).ok()?;
    descriptors::entry(kernel, subject, number).map(|_| entry(subject, number))
}

/// Threads have no `task` of their own; processes no `children`.
fn is_shown(subject: Subject, entry: ProcEntry) -> bool {
    let ProcEntry::Process(_, place) = entry else { return true };
    let what = place.row(PROCESS).map(|row| row.what);
    match subject {
        Subject::Process(_) => what != Some(ProcessFile::Children),
        Subject::Thread(_) => !matches!(what, Some(ProcessFile::Task | ProcessFile::CoredumpFilter)),
    }
}

/// The entries of a directory.
///
/// # Errors
/// `ENOENT` if whom it is about is gone, `EACCES`.
pub fn list(call: &mut Call, directory: ProcEntry) -> Result<Vec<Listed>, Error> {
    let kernel = &*call.kernel;
    let names: Vec<Vec<u8>> = match directory {
        ProcEntry::System(place) => {
            let mut names = names_of(&place.list(SYSTEM));
            if place == Place::ROOT {
                names.extend(kernel.pids.processes.keys().map(|pid| pid.to_string().into_bytes()));
            }
            names
        }
        ProcEntry::Setting(place) => names_of(&place.list(SETTINGS)),
        ProcEntry::Process(subject, place) => {
            let process = subject.process(kernel).map_err(|_| Errno::ENOENT.because("the process has ended"))?;
            match place.row(PROCESS).map(|row| row.what) {
                Some(ProcessFile::Fd | ProcessFile::Fdinfo) => {
                    process::check_access(call, process)?;
                    descriptors::numbers(call.kernel, subject)
                }
                Some(ProcessFile::Task) => {
                    let threads = &kernel.processes[process].threads;
                    threads.iter().map(|thread| kernel.threads[*thread].tid.to_string().into_bytes()).collect()
                }
                _ => names_of(&place.list(PROCESS)),
            }
        }
        ProcEntry::Descriptor(..) | ProcEntry::DescriptorInfo(..) => Vec::new(),
    };
    let mut listed = Vec::with_capacity(names.len());
    for name in names {
        if let Some(entry) = lookup(call, directory, &name)? {
            let kind = mode_of(entry) & S_IFMT;
            listed.push(Listed { name, number: number(call.kernel, entry), kind });
        }
    }
    Ok(listed)
}

fn names_of(list: &[(&'static str, Place)]) -> Vec<Vec<u8>> {
    list.iter().map(|(name, _)| name.as_bytes().to_vec()).collect()
}

/// Type and permissions.
fn mode_of(entry: ProcEntry) -> u32 {
    let (is_directory, mode) = match entry {
        ProcEntry::System(place) => (place.is_directory(SYSTEM), place.row(SYSTEM).map(|row| row.mode)),
        ProcEntry::Setting(place) => (place.is_directory(SETTINGS), place.row(SETTINGS).map(|row| row.mode)),
        ProcEntry::Process(_, place) => (place.is_directory(PROCESS), place.row(PROCESS).map(|row| row.mode)),
        ProcEntry::Descriptor(..) => (false, Some(S_IFLNK | 0o700)),
        ProcEntry::DescriptorInfo(..) => (false, Some(0o444)),
    };
    let mode = mode.unwrap_or(0o555);
    match mode & S_IFMT {
        0 if is_directory => S_IFDIR | mode,
        0 => S_IFREG | mode,
        _ => mode,
    }
}

/// What stat(2) says.
///
/// # Errors
/// `ENOENT` if whom it is about is gone.
pub fn attributes(kernel: &Kernel, entry: ProcEntry) -> Result<Attributes, Error> {
    let mut mode = mode_of(entry);
    let subject = match entry {
        ProcEntry::System(_) | ProcEntry::Setting(_) => None,
        ProcEntry::Process(subject, _) => Some(subject),
        ProcEntry::Descriptor(subject, number) | ProcEntry::DescriptorInfo(subject, number) => {
            let found = descriptors::entry(kernel, subject, number);
            let found = found.ok_or(Errno::ENOENT.because("the descriptor is closed"))?;
            if matches!(entry, ProcEntry::Descriptor(..)) {
                mode = S_IFLNK | descriptors::link_mode(kernel, found.file);
            }
            Some(subject)
        }
    };
    let (uid, gid) = match subject {
        Some(subject) => {
            let process = subject.process(kernel).map_err(|_| Errno::ENOENT.because("the process has ended"))?;
            process::owner(kernel, process)
        }
        None => (0, 0),
    };
    let links = match entry {
        _ if mode & S_IFMT != S_IFDIR => 1,
        ProcEntry::System(Place::ROOT) => 4 + kernel.pids.processes.len() as u32,
        ProcEntry::Process(Subject::Process(_), Place::ROOT) => 9,
        ProcEntry::System(_) | ProcEntry::Setting(_) => 1,
        _ => 2,
    };
    let size = if mode & S_IFMT == S_IFLNK && subject.is_some() { 64 } else { 0 };
    Ok(Attributes { number: number(kernel, entry), mode, uid, gid, links, size })
}

/// st_ino: the same for the same file as long as it lives.
fn number(kernel: &Kernel, entry: ProcEntry) -> u64 {
    // The machine's files come first, then settings; each process and thread has a range of its own.
    let of = |subject: Subject| (subject.number(kernel) as u64 + 1) << 32 | thread_bit(subject);
    match entry {
        ProcEntry::System(place) => place.number(),
        ProcEntry::Setting(place) => 1 << 20 | place.number(),
        ProcEntry::Process(subject, place) => of(subject) | place.number(),
        ProcEntry::Descriptor(subject, number) => of(subject) | 1 << 29 | number as u64,
        ProcEntry::DescriptorInfo(subject, number) => of(subject) | 1 << 30 | number as u64,
    }
}

fn thread_bit(subject: Subject) -> u64 {
    match subject {
        Subject::Process(_) => 0,
        Subject::Thread(_) => 1 << 31,
    }
}

/// The text of a file.
///
/// # Errors
/// `ESRCH` if whom it is about is gone, `EACCES`, `EPERM`.
pub fn read(call: &mut Call, entry: ProcEntry) -> Result<Vec<u8>, Error> {
    let is_directory = Errno::EISDIR.because("a directory is read with getdents64(2)");
    match entry {
        ProcEntry::System(place) => system::read(call, place.row(SYSTEM).ok_or(is_directory)?.what),
        ProcEntry::Setting(place) => sysctl::read(call, place.row(SETTINGS).ok_or(is_directory)?.what),
        ProcEntry::Process(subject, place) => {
            process::read(call, subject, place.row(PROCESS).ok_or(is_directory)?.what)
        }
        ProcEntry::DescriptorInfo(subject, number) => descriptors::info(call, subject, number),
        ProcEntry::Descriptor(..) => Err(Errno::EINVAL.because("the file is a symbolic link")),
    }
}

/// A part of a file that is too long to be made as a whole; `None` for all others.
///
/// # Errors
/// As [`read`].
pub fn read_part(call: &mut Call, entry: ProcEntry, offset: u64, length: u64) -> Result<Option<Vec<u8>>, Error> {
    let ProcEntry::Process(subject, place) = entry else { return Ok(None) };
    match place.row(PROCESS).map(|row| row.what) {
        Some(ProcessFile::Pagemap) => {
            let process = subject.process(call.kernel)?;
            process::check_access(call, process)?;
            memory::pagemap(call, process, offset, length).map(Some)
        }
        _ => Ok(None),
    }
}

/// Takes what was written to a file; how many bytes it took.
///
/// # Errors
/// `EINVAL` for what it does not understand, `EACCES`, `EPERM`, `EIO` if it cannot be written.
pub fn write(call: &mut Call, entry: ProcEntry, bytes: &[u8]) -> Result<usize, Error> {
    match entry {
        ProcEntry::Setting(place) => match place.row(SETTINGS) {
            Some(row) => sysctl::write(call, row.what, row.mode, bytes),
            None => Err(super::generated::read_only()),
        },
        ProcEntry::Process(subject, place) => match place.row(PROCESS) {
            Some(row) => process::write(call, subject, row.what, bytes),
            None => Err(super::generated::read_only()),
        },
        _ => Err(super::generated::read_only()),
    }
}

/// Where a symbolic link leads, as readlink(2) shows it.
///
/// # Errors
/// `EACCES`, `ENOENT`.
pub fn read_link(call: &mut Call, entry: ProcEntry) -> Result<Vec<u8>, Error> {
    match follow(call, entry)? {
        Target::Path(path) => Ok(path),
        Target::Node(node) => {
            let root = call.context().root;
            Ok(process::shown_path(call.kernel, node, root))
        }
        Target::File(file) => Ok(super::stat::name_of_file(call.kernel, file)),
    }
}

/// Where a symbolic link leads when it is followed.
///
/// # Errors
/// `EACCES`, `ENOENT`.
pub fn follow(call: &mut Call, entry: ProcEntry) -> Result<Target, Error> {
    let no_link = Errno::EINVAL.because("the file is no symbolic link");
    match entry {
        ProcEntry::System(place) => {
            let pid = call.process().pid;
            let tid = call.current().tid;
            match place.row(SYSTEM).map(|row| row.what) {
                Some(SystemFile::SelfLink) => Ok(Target::Path(pid.to_string().into_bytes())),
                Some(SystemFile::ThreadSelf) => Ok(Target::Path(format!("{pid}/task/{tid}").into_bytes())),
                Some(SystemFile::Mounts) => Ok(Target::Path(b"self/mounts".to_vec())),
                Some(SystemFile::Net) => Ok(Target::Path(b"self/net".to_vec())),
                _ => Err(no_link),
            }
        }
        ProcEntry::Process(subject, place) => match place.row(PROCESS) {
            Some(row) => process::follow(call, subject, row.what),
            None => Err(no_link),
        },
        ProcEntry::Descriptor(subject, number) => {
            let process = subject.process(call.kernel)?;
            process::check_access(call, process)?;
            let found = descriptors::entry(call.kernel, subject, number);
            Ok(Target::File(found.ok_or(Errno::ENOENT.because("the descriptor is closed"))?.file))
        }
        _ => Err(no_link),
    }
}
