//! Opening and closing terminals: `/dev/tty`, `/dev/console`, `/dev/ptmx`, `/dev/pts/N`, and their names.

use super::{Terminal, TerminalKind, jobs};
use crate::entry::Call;
use crate::fs::{FileObject, FileSystem, Node, devfs};
use crate::kernel::Kernel;
use crate::table::Id;
use crate::wait::WaitKey;
use abi::fcntl::O_NOCTTY;
use abi::resource::CAP_SYS_ADMIN;
use abi::stat::make_device;
use abi::{Errno, Error};

/// `UNIX98_PTY_SLAVE_MAJOR`: terminals under `/dev/pts`.
pub const PTS_MAJOR: u32 = 136;
/// `TTYAUX_MAJOR`: `tty`, `console` and `ptmx`.
pub const AUXILIARY_MAJOR: u32 = 5;
/// `/proc/sys/kernel/pty/max`.
pub const MOST_PTYS: usize = 4096;
/// The group that devpts gives terminals to, `gid=5`.
const TTY_GROUP: u32 = 5;

/// Opens a terminal device by its number; `None` if it is none.
///
/// # Errors
/// `ENXIO` for `/dev/tty` without a controlling terminal; `EIO`, `EBUSY`, `ENOSPC`.
pub fn open(call: &mut Call, major: u32, minor: u32, flags: u32) -> Option<Result<FileObject, Error>> {
    match (major, minor) {
        (AUXILIARY_MAJOR, 0) => Some(match call.process().terminal {
            Some(terminal) => open_terminal(call, terminal, flags | O_NOCTTY),
            None => Err(Errno::ENXIO.because("the session has no controlling terminal")),
        }),
        (AUXILIARY_MAJOR, 1) => Some(match call.kernel.terminals.console {
            Some(console) => open_terminal(call, console, flags | O_NOCTTY),
            None => Err(Errno::ENXIO.because("standard input and output are no terminal, so there is no console")),
        }),
        (AUXILIARY_MAJOR, 2) => Some(open_master(call)),
        (PTS_MAJOR, number) => Some(match call.kernel.terminals.by_number(number) {
            Some(terminal) => open_terminal(call, terminal, flags),
            None => Err(Errno::EIO.because("no pseudo-terminal has this number")),
        }),
        _ => None,
    }
}

/// Opens the program's side of a terminal.
///
/// # Errors
/// `EIO` while it is locked or its master is closed, `EBUSY` in exclusive mode.
pub fn open_terminal(call: &mut Call, id: Id<Terminal>, flags: u32) -> Result<FileObject, Error> {
    let is_admin = call.has_capability(CAP_SYS_ADMIN);
    let terminal = &mut call.kernel.terminals.table[id];
    if let TerminalKind::Pty(pty) = &mut terminal.kind {
        if pty.is_locked {
            return Err(Errno::EIO.because("the pseudo-terminal is locked; see unlockpt(3)"));
        }
        if !pty.has_master {
            return Err(Errno::EIO.because("the pseudo-terminal's master is closed"));
        }
    }
    if terminal.is_exclusive && !is_admin {
        return Err(Errno::EBUSY.because("the terminal is in exclusive mode"));
    }
    if let TerminalKind::Pty(pty) = &mut terminal.kind {
        pty.was_closed = false;
    }
    terminal.opens += 1;
    let hangups = terminal.hangups;
    if flags & O_NOCTTY == 0 && flags & abi::fcntl::O_ACCMODE != abi::fcntl::O_WRONLY {
        jobs::acquire_by_open(call, id);
    }
    Ok(FileObject::Terminal { terminal: id, hangups })
}

/// Opens `/dev/ptmx`: a new pseudo-terminal, whose other side appears in `/dev/pts`.
fn open_master(call: &mut Call) -> Result<FileObject, Error> {
    let names = &call.kernel.terminals.names;
    if names.len() >= MOST_PTYS {
        return Err(Errno::ENOSPC.because("as many pseudo-terminals are open as `/proc/sys/kernel/pty/max` allows"));
    }
    // A number is free again when both sides are closed; until then another name would lead to the wrong one.
    let table = &call.kernel.terminals.table;
    let taken = |number: u32| table.iter().any(|(_, terminal)| terminal.number() == number);
    let number = (0..).find(|number| !taken(*number)).expect("there are more numbers than terminals");
    let uid = call.subject().uid;
    let terminal = call.kernel.terminals.table.insert(Terminal::pty(number));
    add_name(call.kernel, terminal, number, uid);
    Ok(FileObject::Master(terminal))
}

/// Makes `/dev/pts/N`.
pub(super) fn add_name(kernel: &mut Kernel, terminal: Id<Terminal>, number: u32, uid: u32) {
    let directory = names_directory(kernel);
    let device = make_device(PTS_MAJOR, number);
    let node = devfs::make_node(kernel, directory, number.to_string().as_bytes(), 0o620, device);
    let inode = kernel.inode_mut(node);
    inode.uid = uid;
    inode.gid = TTY_GROUP;
    let before = kernel.terminals.names.insert(number, (terminal, node));
    assert!(before.is_none(), "a number names one terminal");
}

/// The root of devpts.
pub fn names_directory(kernel: &Kernel) -> Id<Node> {
    let mut mounts = kernel.vfs.mounts.iter();
    let (_, mount) = mounts.find(|(_, mount)| mount.file_system == FileSystem::Terminals).expect("mounted at boot");
    mount.root.expect("a mount has a root")
}

/// The node of a terminal in `/dev/pts`, while it has one.
pub fn node_of(kernel: &Kernel, terminal: Id<Terminal>) -> Option<Id<Node>> {
    let number = kernel.terminals.table[terminal].number();
    kernel.terminals.names.get(&number).filter(|(named, _)| *named == terminal).map(|(_, node)| *node)
}

/// The device number of a terminal, `st_rdev` and `tty_nr`.
pub fn device_number(terminal: &Terminal) -> u64 {
    make_device(PTS_MAJOR, terminal.number())
}

/// One description of the program's side less.
pub fn close(kernel: &mut Kernel, id: Id<Terminal>) {
    let terminal = &mut kernel.terminals.table[id];
    assert!(terminal.opens > 0, "a terminal is closed as often as it is opened");
    terminal.opens -= 1;
    if terminal.opens > 0 {
        return;
    }
    terminal.is_exclusive = false;
    if let TerminalKind::Pty(pty) = &mut terminal.kind {
        pty.was_closed = true;
        kernel.wake(WaitKey::MasterReadable(id));
    }
    free_if_unused(kernel, id);
}

/// The master is closed: the name goes, the other side is hung up at the end of the call.
pub fn close_master(kernel: &mut Kernel, id: Id<Terminal>) {
    let pty = kernel.terminals.table[id].as_pty_mut().expect("only pseudo-terminals have masters");
    pty.has_master = false;
    let number = pty.number;
    let (named, node) = kernel.terminals.names.remove(&number).expect("a master's other side has a name");
    assert_eq!(named, id, "a number names one terminal");
    kernel.detach_node(node);
    kernel.terminals.closing.push(id);
}

/// Frees a pseudo-terminal that nobody has open.
pub(super) fn free_if_unused(kernel: &mut Kernel, id: Id<Terminal>) {
    let Some(terminal) = kernel.terminals.table.get(id) else { return };
    let is_open = terminal.opens > 0 || terminal.as_pty().is_none_or(|pty| pty.has_master);
    if !is_open && terminal.session.is_none() && !kernel.terminals.closing.contains(&id) {
        kernel.terminals.table.remove(id);
    }
}
