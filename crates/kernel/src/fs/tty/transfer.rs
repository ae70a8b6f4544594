//! Moving bytes to and from terminals, and waiting for it: read(2), write(2), poll(2) on both ends.

use super::jobs::{self, Access};
use super::{Terminal, TerminalKind};
use crate::clock::Instant;
use crate::entry::Call;
use crate::event::Event;
use crate::fs::poll::Readiness;
use crate::fs::{FileDescription, FileObject, Transfer};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::UserBuffer;
use crate::wait::{Keys, Wait, WaitKey};
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM};
use abi::signal::{SIGTTIN, SIGTTOU};
use abi::termios::{TOSTOP, VMIN, VTIME};
use abi::{Errno, Error};

/// Most bytes of a write that are processed at a time, Linux's `iterate_tty_write`.
const CHUNK: u64 = 2048;
/// Unit of `VTIME`.
const TENTH_NS: u64 = 100_000_000;

/// read(2) on a terminal: a line; or bytes, as `VMIN` and `VTIME` say, termios(3).
#[derive(Clone, Debug)]
pub struct TerminalRead {
    /// The open terminal; held.
    pub file: Id<FileDescription>,
    /// Where to.
    pub to: UserBuffer,
    /// Bytes that have come, fewer than `VMIN`.
    pub done: u64,
    /// When it gives up: `VTIME` after its beginning, or after the last byte if there is a `VMIN`.
    pub deadline: Option<Instant>,
}

/// write(2) on a terminal.
#[derive(Clone, Debug)]
pub struct TerminalWrite {
    /// The open terminal; held.
    pub file: Id<FileDescription>,
    /// What is left.
    pub from: UserBuffer,
    /// Bytes that have gone.
    pub done: u64,
}

/// The terminal that a description has open, unless it was hung up since.
pub(in crate::fs) fn terminal_of(kernel: &Kernel, file: Id<FileDescription>) -> Option<Id<Terminal>> {
    match kernel.files[file].object {
        FileObject::Terminal { terminal, hangups } => {
            (kernel.terminals.table[terminal].hangups == hangups).then_some(terminal)
        }
        _ => unreachable!("the caller has a terminal open"),
    }
}

impl Blocking for TerminalRead {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let description = &call.kernel.files[self.file];
        if !description.is_readable() {
            return Err(Errno::EBADF.because("the file is not open for reading"));
        }
        let nonblocking = description.is_nonblocking();
        let Some(terminal) = terminal_of(call.kernel, self.file) else { return Ok(Step::Done(self.done)) };
        if let Access::Signalled(wait) = jobs::check(call, terminal, SIGTTIN)? {
            return Ok(Step::Block(wait));
        }
        while self.to.remaining() > 0 {
            let discipline = &call.kernel.terminals.table[terminal].discipline;
            let is_line = discipline.is_canonical();
            let least = u64::from(discipline.termios().characters[VMIN]);
            let time_ns = u64::from(discipline.termios().characters[VTIME]) * TENTH_NS;
            if discipline.has_input(1) {
                match take(call, terminal, &mut self.to) {
                    Ok(count) => self.done += count as u64,
                    Err(error) if self.done == 0 => return Err(error),
                    Err(_) => break,
                }
                if is_line || self.done >= least {
                    break;
                }
                // "the timer is restarted for each further byte received", termios(3).
                self.deadline = (time_ns > 0).then(|| call.kernel.clock.now().after(time_ns));
                continue;
            }
            let now = call.kernel.clock.now();
            if !is_line && least == 0 {
                self.deadline.get_or_insert(now.after(time_ns));
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                break;
            }
            if nonblocking {
                if self.done > 0 {
                    break;
                }
                return Err(Errno::EAGAIN.because("nothing was typed, and the file is `O_NONBLOCK`"));
            }
            let keys = Keys::One(WaitKey::TerminalReadable(terminal));
            return Ok(Step::Block(Wait { keys, deadline: self.deadline }));
        }
        Ok(Step::Done(self.done))
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 { Interrupted::Partial(self.done) } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// Reads what is there now, at most as much as fits; 0 bytes if there is nothing.
fn take(call: &mut Call, id: Id<Terminal>, to: &mut UserBuffer) -> Result<usize, Error> {
    let limit = usize::try_from(to.remaining()).unwrap_or(usize::MAX);
    let Some(chunk) = call.kernel.terminals.table[id].discipline.peek(limit) else { return Ok(0) };
    call.scatter(to, &chunk.bytes)?;
    to.advance(chunk.bytes.len() as u64);
    let signals = call.kernel.change_terminal(id, |terminal| {
        terminal.discipline.consume(chunk.cells);
        terminal.look_at_typed()
    });
    super::console::show(call.kernel, call.outside, id);
    jobs::signal_foreground(call.kernel, call.chooser, id, &signals);
    Ok(chunk.bytes.len())
}

impl Blocking for TerminalWrite {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let description = &call.kernel.files[self.file];
        if !description.is_writable() {
            return Err(Errno::EBADF.because("the file is not open for writing"));
        }
        let nonblocking = description.is_nonblocking();
        let terminal = writable_terminal(call, self.file)?;
        let stops_background = call.kernel.terminals.table[terminal].discipline.termios().local & TOSTOP != 0;
        if stops_background && let Access::Signalled(wait) = jobs::check(call, terminal, SIGTTOU)? {
            return Ok(Step::Block(wait));
        }
        while self.from.remaining() > 0 {
            match show_some(call, terminal, &mut self.from) {
                Ok(0) if !nonblocking => {
                    return Ok(Step::Block(Wait::on(WaitKey::TerminalWritable(terminal))));
                }
                Ok(0) if self.done == 0 => {
                    return Err(Errno::EAGAIN.because("the terminal has no room, and the file is `O_NONBLOCK`"));
                }
                Err(error) if self.done == 0 => return Err(error),
                Ok(0) | Err(_) => break,
                Ok(count) => self.done += count as u64,
            }
        }
        Ok(Step::Done(self.done))
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 { Interrupted::Partial(self.done) } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// The terminal, if anybody can see what is written to it.
fn writable_terminal(call: &Call, file: Id<FileDescription>) -> Result<Id<Terminal>, Error> {
    let hung_up = Errno::EIO.because("the terminal was hung up");
    let terminal = terminal_of(call.kernel, file).ok_or(hung_up)?;
    match &call.kernel.terminals.table[terminal].kind {
        TerminalKind::Pty(pty) if !pty.has_master => Err(hung_up),
        _ => Ok(terminal),
    }
}

/// Sends some bytes through output processing to the screen; how many, 0 if there is no room.
fn show_some(call: &mut Call, id: Id<Terminal>, from: &mut UserBuffer) -> Result<usize, Error> {
    let mut bytes = vec![0; from.remaining().min(CHUNK) as usize];
    call.gather(from, &mut bytes)?;
    let count = call.kernel.change_terminal(id, |terminal| terminal.write(&bytes));
    if count > 0 {
        from.advance(count as u64);
        call.kernel.emit(Event::TerminalWrote { terminal: id, bytes: count });
        super::console::show(call.kernel, call.outside, id);
    }
    Ok(count)
}

/// Reads a terminal without job control and deadlines: for calls that move bytes within the kernel, sendfile(2), splice(2).
///
/// # Errors
/// `EFAULT`.
pub fn read(call: &mut Call, file: Id<FileDescription>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    let Some(terminal) = terminal_of(call.kernel, file) else { return Ok(Transfer::Done(0)) };
    if to.remaining() == 0 || call.kernel.terminals.table[terminal].discipline.has_input(1) {
        return Ok(Transfer::Done(take(call, terminal, to)?));
    }
    Ok(Transfer::WouldBlock(Keys::One(WaitKey::TerminalReadable(terminal))))
}

/// Writes to a terminal without job control.
///
/// # Errors
/// `EIO` if it was hung up, `EFAULT`.
pub fn write(call: &mut Call, file: Id<FileDescription>, from: &mut UserBuffer) -> Result<Transfer, Error> {
    let terminal = writable_terminal(call, file)?;
    if from.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    match show_some(call, terminal, from)? {
        0 => Ok(Transfer::WouldBlock(Keys::One(WaitKey::TerminalWritable(terminal)))),
        count => Ok(Transfer::Done(count)),
    }
}

/// Reads what a program shows: read(2) of a pseudo-terminal's master.
///
/// # Errors
/// `EIO` once the program's side is closed and all is read, `EFAULT`.
pub fn read_master(call: &mut Call, id: Id<Terminal>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    let limit = usize::try_from(to.remaining()).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(Transfer::Done(0));
    }
    let terminal = &call.kernel.terminals.table[id];
    let Some(chunk) = terminal.peek_screen(limit) else {
        if terminal.as_pty().is_some_and(|pty| pty.was_closed) {
            return Err(Errno::EIO.because("nobody has the other side of the pseudo-terminal open"));
        }
        return Ok(Transfer::WouldBlock(Keys::One(WaitKey::MasterReadable(id))));
    };
    call.scatter(to, &chunk.bytes)?;
    to.advance(chunk.bytes.len() as u64);
    call.kernel.change_terminal(id, |terminal| terminal.consume_screen(&chunk));
    Ok(Transfer::Done(chunk.bytes.len()))
}

/// Types for a program: write(2) of a pseudo-terminal's master.
///
/// # Errors
/// `EFAULT`.
pub fn write_master(call: &mut Call, id: Id<Terminal>, from: &mut UserBuffer) -> Result<Transfer, Error> {
    if from.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    let mut bytes = vec![0; from.remaining().min(CHUNK) as usize];
    call.gather(from, &mut bytes)?;
    let accepted = type_in(call.kernel, call.chooser, id, &bytes);
    if accepted == 0 {
        return Ok(Transfer::WouldBlock(Keys::One(WaitKey::MasterWritable(id))));
    }
    from.advance(accepted as u64);
    Ok(Transfer::Done(accepted))
}

/// Types: bytes reach the line discipline, signals the foreground group. How many bytes there was room for.
pub(super) fn type_in(
    kernel: &mut Kernel,
    chooser: &mut dyn crate::ports::Chooser,
    id: Id<Terminal>,
    bytes: &[u8],
) -> usize {
    let typed = kernel.change_terminal(id, |terminal| terminal.type_in(bytes));
    kernel.emit(Event::TerminalTyped { terminal: id, bytes: typed.accepted });
    jobs::signal_foreground(kernel, chooser, id, &typed.signals);
    typed.accepted
}

/// Readiness of the program's side, `n_tty_poll`.
pub fn poll(kernel: &Kernel, file: Id<FileDescription>) -> Readiness {
    const ALL: u32 = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
    let Some(id) = terminal_of(kernel, file) else { return Readiness::always(ALL) };
    let terminal = &kernel.terminals.table[id];
    let characters = &terminal.discipline.termios().characters;
    let least = if characters[VTIME] == 0 { usize::from(characters[VMIN]).max(1) } else { 1 };
    let mut events = 0;
    if terminal.discipline.has_input(least) {
        events |= POLLIN | POLLRDNORM;
    }
    if terminal.is_writable() {
        events |= POLLOUT | POLLWRNORM;
    }
    Readiness::new(events, Keys::Two([WaitKey::TerminalReadable(id), WaitKey::TerminalWritable(id)]))
}

/// Readiness of a pseudo-terminal's master.
pub fn poll_master(kernel: &Kernel, id: Id<Terminal>) -> Readiness {
    let terminal = &kernel.terminals.table[id];
    let mut events = 0;
    if terminal.screen_bytes() > 0 {
        events |= POLLIN | POLLRDNORM;
    }
    if let TerminalKind::Pty(pty) = &terminal.kind {
        if pty.packets && pty.status != 0 {
            events |= POLLPRI | POLLIN | POLLRDNORM;
        }
        if pty.was_closed {
            events |= POLLHUP;
        }
    }
    if terminal.typing_room() > 0 {
        events |= POLLOUT | POLLWRNORM;
    }
    Readiness::new(events, Keys::Two([WaitKey::MasterReadable(id), WaitKey::MasterWritable(id)]))
}
