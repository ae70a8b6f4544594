//! Requests to terminals, ioctl_tty(2): attributes, flow, queues, window size, sessions, pseudo-terminals.

use super::jobs::{self, Access};
use super::{Terminal, TerminalKind, console, device, transfer};
use crate::entry::Call;
use crate::fs::{FileDescription, FileObject};
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::UserPtr;
use abi::fcntl::{O_ACCMODE, O_CLOEXEC, O_NOCTTY};
use abi::ioctl::*;
use abi::resource::CAP_SYS_ADMIN;
use abi::signal::{SIGINT, SIGQUIT, SIGTSTP, SIGTTOU};
use abi::termios::{
    CLOCAL, TCIFLUSH, TCIOFF, TCIOFLUSH, TCION, TCOFLUSH, TCOOFF, TCOON, Termio, Termios, Termios2, VSTART, VSTOP,
    WindowSize,
};
use abi::{Errno, Error};

/// ioctl(2) on a terminal or on a pseudo-terminal's master. A member of a background group is stopped by requests that
/// change the terminal, and repeats them when it is continued.
#[derive(Clone, Debug)]
pub struct TerminalControl {
    /// The open file; held.
    pub file: Id<FileDescription>,
    /// What is asked.
    pub request: u32,
    /// Its argument: a number or an address.
    pub argument: u64,
}

/// Which end a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Program,
    Master,
}

impl Blocking for TerminalControl {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (terminal, end) = match call.kernel.files[self.file].object {
            FileObject::Master(terminal) => (terminal, End::Master),
            _ => match transfer::terminal_of(call.kernel, self.file) {
                Some(terminal) => (terminal, End::Program),
                // `hung_up_tty_ioctl`
                None if self.request == TIOCSPGRP => {
                    return Err(Errno::ENOTTY.because("the terminal was hung up"));
                }
                None => return Err(Errno::EIO.because("the terminal was hung up")),
            },
        };
        if changes_terminal(self.request, end) {
            match jobs::check(call, terminal, SIGTTOU) {
                Ok(Access::Granted) => {}
                Ok(Access::Signalled(wait)) => return Ok(Step::Block(wait)),
                Err(_) if self.request == TIOCSPGRP => {
                    return Err(Errno::ENOTTY.because("the caller's group is orphaned"));
                }
                Err(error) => return Err(error),
            }
        }
        self.serve(call, terminal, end).map(Step::Done)
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// Whether a background group may not do it. Through the master only what reaches the other end counts.
fn changes_terminal(request: u32, end: End) -> bool {
    match request {
        TCSETS | TCSETSW | TCSETSF | TCSETS2 | TCSETSW2 | TCSETSF2 | TCSETA | TCSETAW | TCSETAF | TIOCSPGRP => true,
        TCXONC | TCFLSH | TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK | TIOCSETD => end == End::Program,
        _ => false,
    }
}

impl TerminalControl {
    fn serve(&self, call: &mut Call, id: Id<Terminal>, end: End) -> Result<u64, Error> {
        if let Some(result) = self.serve_attributes(call, id)? {
            return Ok(result);
        }
        if let Some(result) = self.serve_queues(call, id, end)? {
            return Ok(result);
        }
        if let Some(result) = self.serve_session(call, id, end)? {
            return Ok(result);
        }
        if end == End::Master
            && let Some(result) = self.serve_master(call, id)?
        {
            return Ok(result);
        }
        Err(Errno::ENOTTY.because("terminals do not know the request"))
    }

    /// Modes, speeds, window size.
    fn serve_attributes(&self, call: &mut Call, id: Id<Terminal>) -> Result<Option<u64>, Error> {
        let terminal = &call.kernel.terminals.table[id];
        let (termios, speeds) = (*terminal.discipline.termios(), terminal.speeds);
        match self.request {
            TCGETS => call.write(self.pointer(), &termios)?,
            TCGETS2 => {
                let (input_speed, output_speed) = speeds;
                call.write(self.pointer(), &Termios2 { base: termios, input_speed, output_speed })?;
            }
            TCGETA => call.write(self.pointer(), &short(&termios))?,
            TCSETS | TCSETSW | TCSETSF => {
                let new: Termios = call.read(self.pointer())?;
                self.set(call, id, new, (0, speeds.1), self.request == TCSETSF);
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                let new: Termios2 = call.read(self.pointer())?;
                let speeds = (new.input_speed, new.output_speed);
                self.set(call, id, new.base, speeds, self.request == TCSETSF2);
            }
            TCSETA | TCSETAW | TCSETAF => {
                let new: Termio = call.read(self.pointer())?;
                self.set(call, id, merged(&termios, &new), (0, speeds.1), self.request == TCSETAF);
            }
            TIOCGSOFTCAR => {
                let is_local = i32::from(termios.control & CLOCAL != 0);
                call.write(self.pointer(), &is_local)?;
            }
            TIOCSSOFTCAR => {
                let is_local: i32 = call.read(self.pointer())?;
                let flag = if is_local != 0 { CLOCAL } else { 0 };
                self.set(call, id, Termios { control: termios.control & !CLOCAL | flag, ..termios }, speeds, false);
            }
            TIOCGWINSZ => {
                let window = call.kernel.terminals.table[id].window;
                call.write(self.pointer(), &window)?;
            }
            TIOCSWINSZ => {
                let window: WindowSize = call.read(self.pointer())?;
                console::set_window(call.kernel, call.chooser, id, window);
            }
            TIOCGETD => call.write(self.pointer(), &0_i32)?,
            TIOCSETD => {
                let discipline: i32 = call.read(self.pointer())?;
                if discipline != 0 {
                    return Err(Errno::EINVAL.because("the only line discipline is `N_TTY`"));
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    /// `drain` is at once: what was written is on its way to the screen.
    fn set(&self, call: &mut Call, id: Id<Terminal>, termios: Termios, speeds: (u32, u32), flush: bool) {
        let signals = call.kernel.change_terminal(id, |terminal| {
            if flush {
                terminal.flush_input();
            }
            terminal.set_termios(termios, speeds);
            terminal.look_at_typed()
        });
        console::show(call.kernel, call.outside, id);
        jobs::signal_foreground(call.kernel, call.chooser, id, &signals);
        call.kernel.wake_all_of_terminal(id);
    }

    /// Bytes on their way, flow control, breaks.
    fn serve_queues(&self, call: &mut Call, id: Id<Terminal>, end: End) -> Result<Option<u64>, Error> {
        let terminal = &call.kernel.terminals.table[id];
        match self.request {
            FIONREAD => {
                let count = match end {
                    End::Program => terminal.discipline.readable_bytes(),
                    End::Master => terminal.screen_bytes(),
                };
                call.write(self.pointer(), &(count as i32))?;
            }
            TIOCOUTQ => {
                // A pseudo-terminal's bytes are with the master as soon as they are written.
                call.write(self.pointer(), &0_i32)?;
            }
            TCFLSH => {
                let queue = u32::try_from(self.argument).unwrap_or(u32::MAX);
                let (input, output) = match queue {
                    TCIFLUSH => (true, false),
                    TCOFLUSH => (false, true),
                    TCIOFLUSH => (true, true),
                    _ => return Err(Errno::EINVAL.because("TCFLSH wants TCIFLUSH, TCOFLUSH or TCIOFLUSH")),
                };
                call.kernel.change_terminal(id, |terminal| match end {
                    End::Program => {
                        if input {
                            terminal.flush_input();
                        }
                        if output {
                            terminal.flush_output();
                        }
                    }
                    End::Master => {
                        if input {
                            terminal.flush_output();
                        }
                        if output {
                            terminal.flush_typed();
                        }
                    }
                });
                call.kernel.wake_all_of_terminal(id);
            }
            TCXONC => self.control_flow(call, id)?,
            // Pseudo-terminals have no wire to break: `send_break`.
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => {}
            TIOCSTI => {
                if !call.has_capability(CAP_SYS_ADMIN) {
                    return Err(Errno::EIO.because("faked input is disabled, as by `dev.tty.legacy_tiocsti` = 0"));
                }
                let byte: u8 = call.read(self.pointer())?;
                transfer::type_in(call.kernel, call.chooser, id, &[byte]);
                console::show(call.kernel, call.outside, id);
            }
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    fn control_flow(&self, call: &mut Call, id: Id<Terminal>) -> Result<(), Error> {
        let action = u32::try_from(self.argument).unwrap_or(u32::MAX);
        let characters = call.kernel.terminals.table[id].discipline.termios().characters;
        match action {
            TCOOFF | TCOON => {
                let stops = action == TCOOFF;
                call.kernel.change_terminal(id, |terminal| {
                    if terminal.discipline.stop_by_request(stops) {
                        terminal.note_flow(stops);
                    }
                });
            }
            TCIOFF | TCION => {
                // The character goes out as it is, so that whoever types stops or goes on.
                let character = characters[if action == TCIOFF { VSTOP } else { VSTART }];
                if character != 0 {
                    call.kernel.change_terminal(id, |terminal| terminal.send(character));
                }
            }
            _ => return Err(Errno::EINVAL.because("TCXONC wants TCOOFF, TCOON, TCIOFF or TCION")),
        }
        console::show(call.kernel, call.outside, id);
        Ok(())
    }

    /// Controlling terminals, foreground groups, exclusive use.
    fn serve_session(&self, call: &mut Call, id: Id<Terminal>, end: End) -> Result<Option<u64>, Error> {
        let is_own = call.process().terminal == Some(id);
        let terminal = &mut call.kernel.terminals.table[id];
        let not_own = Errno::ENOTTY.because("it is not the caller's controlling terminal");
        match self.request {
            TIOCSCTTY => {
                let is_readable = call.kernel.files[self.file].is_readable();
                jobs::acquire(call, id, self.argument == 1, is_readable)?;
            }
            TIOCNOTTY if end == End::Program => jobs::give_up(call, id)?,
            TIOCNOTTY => return Err(not_own),
            TIOCGPGRP => {
                if end == End::Program && !is_own {
                    return Err(not_own);
                }
                let group = terminal.foreground.unwrap_or(0);
                call.write(self.pointer(), &group)?;
            }
            TIOCSPGRP => {
                let group: i32 = call.read(self.pointer())?;
                jobs::set_foreground(call, id, group)?;
            }
            TIOCGSID => {
                let session = terminal.session.filter(|_| end == End::Master || is_own).ok_or(not_own)?;
                call.write(self.pointer(), &session)?;
            }
            TIOCEXCL | TIOCNXCL => terminal.is_exclusive = self.request == TIOCEXCL,
            TIOCGEXCL => {
                let is_exclusive = i32::from(terminal.is_exclusive);
                call.write(self.pointer(), &is_exclusive)?;
            }
            TIOCVHANGUP => {
                if !call.has_capability(CAP_SYS_ADMIN) {
                    return Err(Errno::EPERM.because("only CAP_SYS_ADMIN may hang a terminal up"));
                }
                jobs::hang_up(call.kernel, call.chooser, id);
            }
            TIOCGDEV => {
                let number = device::device_number(terminal) as u32;
                call.write(self.pointer(), &number)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    /// What only a pseudo-terminal's master knows, `pty_unix98_ioctl`.
    fn serve_master(&self, call: &mut Call, id: Id<Terminal>) -> Result<Option<u64>, Error> {
        let TerminalKind::Pty(pty) = &mut call.kernel.terminals.table[id].kind else { return Ok(None) };
        match self.request {
            TIOCGPTN => {
                let number = pty.number;
                call.write(self.pointer(), &number)?;
            }
            TIOCSPTLCK => {
                let lock: i32 = call.read(self.pointer())?;
                self.pty(call, id).is_locked = lock != 0;
            }
            TIOCGPTLCK => {
                let lock = i32::from(pty.is_locked);
                call.write(self.pointer(), &lock)?;
            }
            TIOCPKT => {
                let packets: i32 = call.read(self.pointer())?;
                let pty = self.pty(call, id);
                if packets != 0 && !pty.packets {
                    pty.status = 0;
                }
                pty.packets = packets != 0;
            }
            TIOCGPKT => {
                let packets = i32::from(pty.packets);
                call.write(self.pointer(), &packets)?;
            }
            TIOCSIG => {
                let signal = self.argument as i32;
                if ![SIGINT, SIGQUIT, SIGTSTP].contains(&signal) {
                    return Err(Errno::EINVAL.because("TIOCSIG sends SIGINT, SIGQUIT and SIGTSTP only"));
                }
                jobs::signal_foreground(call.kernel, call.chooser, id, &[signal]);
            }
            TIOCGPTPEER => return self.open_peer(call, id).map(Some),
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    fn pty<'a>(&self, call: &'a mut Call, id: Id<Terminal>) -> &'a mut super::Pty {
        call.kernel.terminals.table[id].as_pty_mut().expect("a master belongs to a pseudo-terminal")
    }

    /// `TIOCGPTPEER`: opens the other side, wherever `/dev/pts` is mounted.
    fn open_peer(&self, call: &mut Call, id: Id<Terminal>) -> Result<u64, Error> {
        let flags = self.argument as u32;
        if flags & O_ACCMODE == O_ACCMODE {
            return Err(Errno::EINVAL.because("unknown access mode"));
        }
        let object = device::open_terminal(call, id, flags | O_NOCTTY)?;
        let kept = flags & !(O_CLOEXEC | O_NOCTTY) | abi::fcntl::O_LARGEFILE;
        let mut description = FileDescription::new(object, kept);
        description.node = device::node_of(call.kernel, id);
        if let Some(node) = description.node {
            call.kernel.hold_node(node);
        }
        let file = call.kernel.files.insert(description);
        let fd = call.install_fd(file, flags & O_CLOEXEC != 0)?;
        Ok(fd.0 as u64)
    }

    fn pointer<T>(&self) -> UserPtr<T> {
        UserPtr::new(self.argument)
    }
}

/// `struct termio` of attributes: their low halves.
fn short(termios: &Termios) -> Termio {
    let mut characters = [0; 8];
    characters.copy_from_slice(&termios.characters[..8]);
    Termio {
        input: termios.input as u16,
        output: termios.output as u16,
        control: termios.control as u16,
        local: termios.local as u16,
        discipline: termios.discipline,
        characters,
        _pad: 0,
    }
}

/// Attributes with the low halves from a `struct termio`.
fn merged(old: &Termios, new: &Termio) -> Termios {
    let half = |old: u32, new: u16| old & 0xffff_0000 | u32::from(new);
    let mut characters = old.characters;
    characters[..8].copy_from_slice(&new.characters);
    Termios {
        input: half(old.input, new.input),
        output: half(old.output, new.output),
        control: half(old.control, new.control),
        local: half(old.local, new.local),
        discipline: new.discipline,
        characters,
    }
}
