//! Leases, fcntl(2) "Leases": whoever holds one is told by a signal before somebody else opens or cuts the file, and has
//! `/proc/sys/fs/lease-break-time` to give it up or make it weaker. Linux, fs/locks.c: `generic_setlease`,
//! `__break_lease`.
//!
//! A lease belongs to an open file description. What it is becoming is noted in it; that the time has passed is seen when
//! somebody looks, so there are no timers but the deadlines of those who wait.

use super::description::FileDescription;
use super::fd_table::Fd;
use super::inode::Inode;
use super::locks::{Mode, inode_of};
use super::node::Node;
use super::open::{self, Located};
use super::signal_driven::{self, News};
use super::{ops, size};
use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::syscalls::operation::{Blocking, Flow, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::fcntl::{F_OWNER_PID, F_RDLCK, F_UNLCK, F_WRLCK, O_ACCMODE, O_CLOEXEC, O_NONBLOCK, O_RDONLY};
use abi::resource::CAP_LEASE;
use abi::{Errno, Error};

/// A lease on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub file: Id<FileDescription>,
    /// The descriptor by which it was taken: `si_fd`.
    fd: Fd,
    /// The number of the process that took it.
    pub pid: i32,
    /// Shared: told of writers. Exclusive: told of everybody.
    pub mode: Mode,
    /// It is being broken by a writer: when it ends.
    ends_at: Option<Instant>,
    /// It is being broken by a reader: when it becomes shared.
    weakens_at: Option<Instant>,
}

impl Lease {
    /// What it is, or will be when its holder has obeyed; `None`: nothing. `target_leasetype`.
    pub fn target(&self) -> Option<Mode> {
        match (self.ends_at, self.weakens_at) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(Mode::Shared),
            (None, None) => Some(self.mode),
        }
    }

    /// Whether somebody waits for it to go or to become weaker.
    pub fn is_breaking(&self) -> bool {
        self.ends_at.is_some() || self.weakens_at.is_some()
    }

    /// Whether somebody who opens the file like this has to wait for it.
    fn conflicts(&self, wanted: Mode) -> bool {
        self.mode == Mode::Exclusive || wanted == Mode::Exclusive
    }
}

/// `/proc/sys/fs/lease*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `lease-break-time`: seconds that a holder has; 0 and below: as long as it likes.
    pub break_time_s: i32,
    /// `leases-enable`.
    pub enabled: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { break_time_s: 45, enabled: true }
    }
}

/// Lets what has not obeyed in time become what it was to be: `time_out_leases`.
fn time_out(kernel: &mut Kernel, inode: Id<Inode>) {
    let now = kernel.clock.now();
    let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
    let leases = &mut kernel.vfs.inodes[inode].locks.leases;
    for lease in leases.iter_mut().filter(|lease| has_passed(lease.weakens_at)) {
        (lease.mode, lease.weakens_at) = (Mode::Shared, None);
    }
    let ended: Vec<Id<FileDescription>> =
        leases.iter().filter(|lease| has_passed(lease.ends_at)).map(|lease| lease.file).collect();
    for file in ended {
        give_up(kernel, inode, file);
    }
}

/// Gives up the lease of a description: its owner and signal are forgotten as well.
fn give_up(kernel: &mut Kernel, inode: Id<Inode>, file: Id<FileDescription>) -> bool {
    let leases = &mut kernel.vfs.inodes[inode].locks.leases;
    let before = leases.len();
    leases.retain(|lease| lease.file != file);
    let had_one = leases.len() < before;
    if had_one {
        kernel.files[file].owner = Default::default();
        kernel.wake(WaitKey::FileLock(inode));
    }
    had_one
}

/// The last holder of a description let it go, and its lease with it.
pub(in crate::fs) fn forget_description(kernel: &mut Kernel, inode: Id<Inode>, file: Id<FileDescription>) {
    if !kernel.vfs.inodes[inode].locks.leases.is_empty() {
        give_up(kernel, inode, file);
    }
}

/// `F_GETLEASE`: the kind of lease, `F_UNLCK` for none.
pub(in crate::fs) fn of(kernel: &mut Kernel, file: Id<FileDescription>) -> i16 {
    let Some(inode) = inode_of(kernel, file) else { return F_UNLCK };
    time_out(kernel, inode);
    let held = kernel.vfs.inodes[inode].locks.leases.iter().find(|lease| lease.file == file);
    match held.and_then(Lease::target) {
        None => F_UNLCK,
        Some(Mode::Shared) => F_RDLCK,
        Some(Mode::Exclusive) => F_WRLCK,
    }
}

/// `F_SETLEASE`.
///
/// # Errors
/// `EINVAL` for unknown kinds and what is no regular file, `EACCES` if the file is somebody else's, `EAGAIN` if others have
/// it open in ways that the lease excludes, or there is none to give up.
pub(in crate::fs) fn set(call: &mut Call, fd: Fd, file: Id<FileDescription>, kind: u64) -> SysResult {
    let wanted = match i16::try_from(kind) {
        Ok(F_RDLCK) => Some(Mode::Shared),
        Ok(F_WRLCK) => Some(Mode::Exclusive),
        Ok(F_UNLCK) => None,
        _ => return Err(Errno::EINVAL.because("unknown kind of lease")),
    };
    let none = Errno::EINVAL.because("leases are for regular files");
    let inode = inode_of(call.kernel, file).ok_or(none)?;
    let of_file = &call.kernel.vfs.inodes[inode];
    if of_file.uid != call.credentials().fsuid && !call.has_capability(CAP_LEASE) {
        return Err(Errno::EACCES.because("the file belongs to another user"));
    }
    if !of_file.is_regular() {
        return Err(none);
    }
    let Some(mode) = wanted else {
        return match give_up(call.kernel, inode, file) {
            true => Flow::OK,
            false => Err(Errno::EAGAIN.because("there is no lease to give up")),
        };
    };
    time_out(call.kernel, inode);
    check_open_files(call.kernel, inode, file, mode)?;
    let pid = call.process().pid;
    let is_enabled = call.kernel.lease_settings.enabled;
    let leases = &mut call.kernel.vfs.inodes[inode].locks.leases;
    for other in leases.iter().filter(|lease| lease.file != file) {
        if mode == Mode::Exclusive || other.ends_at.is_some() {
            return Err(Errno::EAGAIN.because("somebody else has a lease"));
        }
    }
    match leases.iter_mut().find(|lease| lease.file == file) {
        Some(lease) => {
            (lease.mode, lease.fd) = (mode, fd);
            if mode == Mode::Shared {
                lease.weakens_at = None;
            }
        }
        None if !is_enabled => return Err(Errno::EINVAL.because("`/proc/sys/fs/leases-enable` is 0")),
        None => leases.push(Lease { file, fd, pid, mode, ends_at: None, weakens_at: None }),
    }
    call.kernel.wake(WaitKey::FileLock(inode));
    if call.kernel.files[file].owner.number == 0 {
        let credentials = call.credentials().clone();
        call.kernel.files[file].owner.choose(F_OWNER_PID, pid, &credentials);
    }
    Flow::OK
}

/// `check_conflicting_open`: nobody may write under a shared lease, nobody else have the file open under an exclusive one.
fn check_open_files(kernel: &Kernel, inode: Id<Inode>, file: Id<FileDescription>, mode: Mode) -> Result<(), Error> {
    let Inode { readers, writers, .. } = kernel.vfs.inodes[inode];
    let own_writers = u32::from(kernel.files[file].is_writable());
    let is_free = match mode {
        Mode::Shared => writers == 0,
        Mode::Exclusive => (writers, readers) == (own_writers, 1 - own_writers),
    };
    if is_free { Ok(()) } else { Err(Errno::EAGAIN.because("others have the file open, or it is open for writing")) }
}

/// Tells the holders of leases that somebody wants the file, and says until when to wait for those that are in the way;
/// `None`: nothing is.
fn break_leases(kernel: &mut Kernel, inode: Id<Inode>, wanted: Mode) -> Option<Instant> {
    if kernel.vfs.inodes[inode].locks.leases.is_empty() {
        return None;
    }
    time_out(kernel, inode);
    let limit = match u64::try_from(kernel.lease_settings.break_time_s) {
        Ok(seconds @ 1..) => kernel.clock.now().after(seconds * 1_000_000_000),
        _ => Instant(u64::MAX),
    };
    let mut told = Vec::new();
    let leases = &mut kernel.vfs.inodes[inode].locks.leases;
    for lease in leases.iter_mut().filter(|lease| lease.conflicts(wanted)) {
        match wanted {
            Mode::Exclusive if lease.ends_at.is_none() => lease.ends_at = Some(limit),
            Mode::Shared if !lease.is_breaking() => lease.weakens_at = Some(limit),
            _ => continue,
        }
        told.push((lease.file, lease.fd));
    }
    for (file, fd) in told {
        signal_driven::tell_owner(kernel, file, fd, News::Message);
    }
    let leases = &kernel.vfs.inodes[inode].locks.leases;
    let in_the_way = leases.iter().filter(|lease| lease.conflicts(wanted));
    in_the_way.filter_map(|lease| lease.ends_at.into_iter().chain(lease.weakens_at).min()).min()
}

/// What open(2) with these flags wants of a file.
fn wanted_by(flags: u32) -> Mode {
    if flags & O_ACCMODE == O_RDONLY { Mode::Shared } else { Mode::Exclusive }
}

/// What a call does once no lease is in its way.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// open(2) with these flags.
    Open(Located, u32),
    /// truncate(2) to so many bytes.
    Truncate(u64),
}

/// A call that waits until others have given up their leases.
#[derive(Clone, Debug)]
pub struct BreakLease {
    /// The file's name; held.
    node: Id<Node>,
    /// The file.
    pub inode: Id<Inode>,
    /// What is wanted of it.
    pub wanted: Mode,
    /// The number of the process that waits.
    pub pid: i32,
    then: Then,
}

/// If leases are in the way of opening what was located: the answer of open(2), which may be to wait.
pub(in crate::fs) fn before_open(call: &mut Call, located: Located, flags: u32) -> Option<SysResult> {
    let (node, wanted) = (located.node, wanted_by(flags));
    let inode = call.kernel.vfs.nodes[node].inode;
    break_leases(call.kernel, inode, wanted)?;
    if flags & O_NONBLOCK != 0 {
        return Some(Err(Errno::EAGAIN.because("somebody holds a lease on the file")));
    }
    Some(wait(call, node, wanted, Then::Open(located, flags)))
}

/// The same for truncate(2).
pub(in crate::fs) fn before_truncate(call: &mut Call, node: Id<Node>, length: u64) -> Option<SysResult> {
    let inode = call.kernel.vfs.nodes[node].inode;
    break_leases(call.kernel, inode, Mode::Exclusive)?;
    Some(wait(call, node, Mode::Exclusive, Then::Truncate(length)))
}

fn wait(call: &mut Call, node: Id<Node>, wanted: Mode, then: Then) -> SysResult {
    call.kernel.hold_node(node);
    let inode = call.kernel.vfs.nodes[node].inode;
    let pid = call.process().pid;
    ops::start(call, BreakLease { node, inode, wanted, pid, then })
}

impl Blocking for BreakLease {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if let Some(limit) = break_leases(call.kernel, self.inode, self.wanted) {
            let deadline = (limit != Instant(u64::MAX)).then_some(limit);
            return Ok(Step::Block(Wait::on(WaitKey::FileLock(self.inode)).with_deadline(deadline)));
        }
        match self.then {
            Then::Open(located, flags) => {
                let file = open::open_located(call, located, flags)?;
                let fd = call.install_fd(file, flags & O_CLOEXEC != 0)?;
                Ok(Step::Done(fd.0 as u64))
            }
            Then::Truncate(length) => {
                size::truncate_named(call, self.node, length)?;
                Ok(Step::Done(0))
            }
        }
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn release(&mut self, call: &mut Call) {
        call.kernel.release_node(self.node);
    }
}
