//! The console: the host's terminal as the guest's `/dev/pts/0`. Its line discipline is the guest's own; the host's
//! terminal is in raw mode meanwhile, so that every byte typed arrives here.

use super::{Terminal, TerminalKind, device, jobs, transfer};
use crate::event::Event;
use crate::fs::signal_driven;
use crate::fs::{FileDescription, FileObject};
use crate::kernel::Kernel;
use crate::ports::{Chooser, Outside, Stream, StreamKind};
use crate::table::Id;
use abi::Errno;
use abi::fcntl::{O_LARGEFILE, O_RDWR};
use abi::signal::SIGWINCH;
use abi::termios::WindowSize;

/// Which of the host's streams shows what the console's programs write: the first that is a terminal.
fn screen(outside: &mut dyn Outside) -> Option<Stream> {
    let streams = [Stream::Output, Stream::Error, Stream::Input];
    streams.into_iter().find(|stream| outside.stream(*stream) == StreamKind::Terminal)
}

/// Makes the console if the host has a terminal on one of its standard streams. It belongs to `uid` and is the controlling
/// terminal of `session`, with `group` in the foreground. The caller notes it in the session's processes.
pub fn start(
    kernel: &mut Kernel,
    outside: &mut dyn Outside,
    uid: u32,
    session: i32,
    group: i32,
) -> Option<Id<Terminal>> {
    let stream = screen(outside)?;
    let (rows, columns) = outside.window_size().unwrap_or((24, 80));
    let mut console = Terminal::console(stream, rows, columns);
    console.session = Some(session);
    console.foreground = Some(group);
    let console = kernel.terminals.table.insert(console);
    kernel.terminals.console = Some(console);
    device::add_name(kernel, console, 0, uid);
    Some(console)
}

/// The console as descriptors 0 to 2 of the first program: open for reading and writing, as a login shell's are.
pub fn open(kernel: &mut Kernel) -> Option<Id<FileDescription>> {
    let console = kernel.terminals.console?;
    let terminal = &mut kernel.terminals.table[console];
    terminal.opens += 1;
    let object = FileObject::Terminal { terminal: console, hangups: terminal.hangups };
    let mut description = FileDescription::new(object, O_RDWR | O_LARGEFILE);
    description.node = device::node_of(kernel, console);
    if let Some(node) = description.node {
        kernel.hold_node(node);
    }
    Some(kernel.files.insert(description))
}

/// Bytes came from the host's keyboard, at most [`console_room`]. Those that do not fit are lost, as in Linux.
pub fn console_input(kernel: &mut Kernel, outside: &mut dyn Outside, chooser: &mut dyn Chooser, bytes: &[u8]) {
    let Some(console) = kernel.terminals.console else { return };
    kernel.emit(Event::Input(bytes.to_vec()));
    transfer::type_in(kernel, chooser, console, bytes);
    show(kernel, outside, console);
    signal_driven::serve(kernel, chooser);
}

/// How many bytes [`console_input`] takes now.
pub fn console_room(kernel: &Kernel) -> usize {
    kernel.terminals.console.map_or(0, |console| kernel.terminals.table[console].typing_room())
}

/// The host's terminal has another size: SIGWINCH for the foreground group.
pub fn console_resized(kernel: &mut Kernel, chooser: &mut dyn Chooser, rows: u16, columns: u16) {
    let Some(console) = kernel.terminals.console else { return };
    let window = WindowSize { rows, columns, x_pixels: 0, y_pixels: 0 };
    set_window(kernel, chooser, console, window);
}

/// The host's terminal is gone: the console is hung up.
pub fn console_hung_up(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    if let Some(console) = kernel.terminals.console {
        jobs::hang_up(kernel, chooser, console);
    }
}

/// Changes a window size; the foreground group hears of a change, TIOCSWINSZ(2const).
pub(super) fn set_window(kernel: &mut Kernel, chooser: &mut dyn Chooser, id: Id<Terminal>, window: WindowSize) {
    let terminal = &mut kernel.terminals.table[id];
    if std::mem::replace(&mut terminal.window, window) != window {
        jobs::signal_foreground(kernel, chooser, id, &[SIGWINCH]);
    }
}

/// Sends what a terminal's programs have written to the host, if it is the console.
pub(super) fn show(kernel: &mut Kernel, outside: &mut dyn Outside, id: Id<Terminal>) {
    let terminal = &mut kernel.terminals.table[id];
    let TerminalKind::Console(stream) = terminal.kind else { return };
    let mut bytes = terminal.shown();
    if bytes.is_empty() {
        return;
    }
    let count = match outside.write_output(stream, &bytes) {
        Ok(count) => count.min(bytes.len()),
        // The run loop has a signal to serve first; then it calls `flush`.
        Err(Errno::EINTR) => 0,
        // A host terminal that cannot be written has hung up; the run loop hears of that by a signal of its own.
        Err(_) => bytes.len(),
    };
    kernel.change_terminal(id, |terminal| terminal.take_shown(count));
    bytes.truncate(count);
    kernel.emit(Event::Output { stream: stream as u8, bytes });
}

/// Shows what could not be shown because a signal of the host came.
pub fn console_flush(kernel: &mut Kernel, outside: &mut dyn Outside) {
    if let Some(console) = kernel.terminals.console {
        show(kernel, outside, console);
    }
}
