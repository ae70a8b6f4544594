//! A terminal: a line discipline between a program and a screen. The screen is the other end of a pseudo-terminal
//! ([`pty(7)`](https://man7.org/linux/man-pages/man7/pty.7.html)) or the host's terminal (the console).
//!
//! Plain data that moves bytes. Who waits, who may read and who gets signals is decided beside it, in `transfer.rs` and
//! `jobs.rs`.

use super::discipline::{INPUT_CAPACITY, LineDiscipline};
use crate::ports::Stream;
use abi::termios::{
    CREAD, CS8, CSIZE, EXTPROC, IXON, PARENB, TIOCPKT_DATA, TIOCPKT_DOSTOP, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE,
    TIOCPKT_IOCTL, TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP, Termios, VSTART, VSTOP, WindowSize, baud_of,
};
use std::collections::VecDeque;

/// Bytes on the way in one direction besides the discipline's own: Linux gives a pseudo-terminal about as much.
pub const QUEUE_CAPACITY: usize = 8192;

/// Bytes that the screen's side keeps for its reader, before those that a signal drops.
const SCREEN_KEPT: usize = INPUT_CAPACITY;

/// A terminal.
///
/// # Invariants
/// - `typed` is empty unless the discipline has no room;
/// - a console has no `Pty`, a pseudo-terminal no stream.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// What is typed becomes lines, signals and echo.
    pub discipline: LineDiscipline,
    /// Rows and columns.
    pub window: WindowSize,
    /// Baud in and out, for those who ask.
    pub speeds: (u32, u32),
    /// Where its other end is.
    pub kind: TerminalKind,
    /// The session whose controlling terminal it is.
    pub session: Option<i32>,
    /// The process group that may read, and gets its signals.
    pub foreground: Option<i32>,
    /// TIOCEXCL: only root may open it.
    pub is_exclusive: bool,
    /// Open descriptions of the program's side.
    pub opens: u32,
    /// How often it was hung up; descriptions opened before the last time are dead.
    pub hangups: u32,
    /// Typed, and not yet looked at by the discipline: it has no room.
    typed: VecDeque<u8>,
    /// On the way to the screen.
    screen: VecDeque<u8>,
}

/// Where a terminal's other end is.
#[derive(Clone, Debug)]
pub enum TerminalKind {
    /// The host's terminal; output goes to this stream.
    Console(Stream),
    /// A pseudo-terminal's master.
    Pty(Pty),
}

/// What belongs to the master's side of a pseudo-terminal.
#[derive(Clone, Debug)]
pub struct Pty {
    /// Its name is `/dev/pts/` and this number.
    pub number: u32,
    /// TIOCSPTLCK: the program's side cannot be opened.
    pub is_locked: bool,
    /// Whether a description of the master is open.
    pub has_master: bool,
    /// The program's side was open and is closed: the master reads `EIO`.
    pub was_closed: bool,
    /// TIOCPKT: every read of the master begins with a byte of status.
    pub packets: bool,
    /// Status to be read, `TIOCPKT_` bits.
    pub status: u8,
}

/// What typing caused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// Bytes taken.
    pub accepted: usize,
    /// Signals for the foreground group, in order.
    pub signals: Vec<i32>,
}

/// What the master's next read gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterChunk {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many of them leave the queue of the screen.
    taken: usize,
    /// Whether it is a packet of status alone.
    is_status: bool,
}

impl Terminal {
    /// The host's terminal, whose output goes to `stream`.
    pub fn console(stream: Stream, rows: u16, columns: u16) -> Terminal {
        Terminal::new(TerminalKind::Console(stream), WindowSize { rows, columns, x_pixels: 0, y_pixels: 0 })
    }

    /// A new pseudo-terminal: its master is open, its other side locked.
    pub fn pty(number: u32) -> Terminal {
        let pty = Pty { number, is_locked: true, has_master: true, was_closed: false, packets: false, status: 0 };
        Terminal::new(TerminalKind::Pty(pty), WindowSize::default())
    }

    fn new(kind: TerminalKind, window: WindowSize) -> Terminal {
        Terminal {
            discipline: LineDiscipline::new(Termios::standard()),
            window,
            speeds: (38400, 38400),
            kind,
            session: None,
            foreground: None,
            is_exclusive: false,
            opens: 0,
            hangups: 0,
            typed: VecDeque::new(),
            screen: VecDeque::new(),
        }
    }

    /// The master's side, if this is a pseudo-terminal.
    pub fn as_pty(&self) -> Option<&Pty> {
        match &self.kind {
            TerminalKind::Pty(pty) => Some(pty),
            TerminalKind::Console(_) => None,
        }
    }

    /// The master's side, if this is a pseudo-terminal.
    pub fn as_pty_mut(&mut self) -> Option<&mut Pty> {
        match &mut self.kind {
            TerminalKind::Pty(pty) => Some(pty),
            TerminalKind::Console(_) => None,
        }
    }

    /// The number in `/dev/pts`. The console is the first.
    pub fn number(&self) -> u32 {
        self.as_pty().map_or(0, |pty| pty.number)
    }

    /// Sends a program's bytes to the screen as far as there is room; how many.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        let room = self.screen_room();
        let mut taken = 0;
        for byte in bytes {
            if out.len() >= room {
                break;
            }
            self.discipline.write(*byte, &mut out);
            taken += 1;
        }
        self.screen.extend(out);
        taken
    }

    /// Sends a byte to the screen past output processing and flow control.
    pub fn send(&mut self, byte: u8) {
        if self.screen.len() < SCREEN_KEPT + QUEUE_CAPACITY + INPUT_CAPACITY {
            self.screen.push_back(byte);
        }
    }

    /// Whether a program's write would make progress.
    pub fn is_writable(&self) -> bool {
        !self.discipline.is_stopped() && self.screen_room() > 0
    }

    fn screen_room(&self) -> usize {
        if self.discipline.is_stopped() {
            return 0;
        }
        // The console's bytes go to the host at once; a bound keeps one write from building up.
        (SCREEN_KEPT + QUEUE_CAPACITY).saturating_sub(self.screen.len())
    }

    /// Takes bytes that somebody typed, as far as there is room for them.
    pub fn type_in(&mut self, bytes: &[u8]) -> Typed {
        let accepted = bytes.len().min(self.typing_room());
        self.typed.extend(&bytes[..accepted]);
        Typed { accepted, signals: self.look_at_typed() }
    }

    /// How many bytes [`Terminal::type_in`] takes now, at least.
    pub fn typing_room(&self) -> usize {
        QUEUE_CAPACITY - self.typed.len()
    }

    /// Lets the discipline take what was typed while it had no room; the signals for the foreground group.
    pub fn look_at_typed(&mut self) -> Vec<i32> {
        let mut signals = Vec::new();
        while self.discipline.room() > 0
            && let Some(byte) = self.typed.pop_front()
        {
            let mut echo = Vec::new();
            let effect = self.discipline.receive(byte, &mut echo);
            if effect.flush {
                // Linux drops what the master has not begun to read.
                self.screen.truncate(SCREEN_KEPT);
                self.note_status(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
            }
            if effect.stopped {
                self.note_flow(true);
            } else if effect.started {
                self.note_flow(false);
            }
            // Echo is let in above the bound, by as much as Linux's echo buffer holds; then it is lost.
            if self.screen.len() < SCREEN_KEPT + QUEUE_CAPACITY + INPUT_CAPACITY {
                self.screen.extend(echo);
            }
            signals.extend(effect.signal);
        }
        signals
    }

    /// Bytes for the host's screen; none while output is held.
    pub fn shown(&self) -> Vec<u8> {
        if self.discipline.is_stopped() { Vec::new() } else { self.screen.iter().copied().collect() }
    }

    /// The host's screen has shown so many bytes.
    pub fn take_shown(&mut self, count: usize) {
        self.screen.drain(..count);
    }

    /// What the master's next read of at most `limit` bytes gives, pty(7) and TIOCPKT(2const); `None`: nothing yet.
    pub fn peek_screen(&self, limit: usize) -> Option<MasterChunk> {
        let pty = self.as_pty()?;
        if pty.packets && pty.status != 0 {
            return Some(MasterChunk { bytes: vec![pty.status], taken: 0, is_status: true });
        }
        let room = limit.saturating_sub(usize::from(pty.packets));
        // Linux's reader gets what its own buffer holds; never more than that at once.
        let taken = room.min(self.screen.len()).min(INPUT_CAPACITY - 1);
        if self.screen.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(taken + 1);
        if pty.packets {
            bytes.push(TIOCPKT_DATA);
        }
        bytes.extend(self.screen.iter().take(taken));
        Some(MasterChunk { bytes, taken, is_status: false })
    }

    /// Takes what [`Terminal::peek_screen`] gave.
    pub fn consume_screen(&mut self, chunk: &MasterChunk) {
        if chunk.is_status {
            self.as_pty_mut().expect("packets come from a pseudo-terminal").status = 0;
        } else {
            self.screen.drain(..chunk.taken);
        }
    }

    /// Bytes on the way to the screen.
    pub fn screen_bytes(&self) -> usize {
        self.screen.len()
    }

    /// Status bits for a master in packet mode.
    pub fn note_status(&mut self, bits: u8) {
        if let TerminalKind::Pty(pty) = &mut self.kind
            && pty.packets
        {
            pty.status |= bits;
        }
    }

    /// Output was stopped or started.
    pub fn note_flow(&mut self, stopped: bool) {
        let (set, clear) = if stopped { (TIOCPKT_STOP, TIOCPKT_START) } else { (TIOCPKT_START, TIOCPKT_STOP) };
        if let TerminalKind::Pty(pty) = &mut self.kind
            && pty.packets
        {
            pty.status = pty.status & !clear | set;
        }
    }

    /// Changes the attributes. A terminal without wires has eight bits and no parity, and can always receive
    /// (`pty_set_termios`).
    pub fn set_termios(&mut self, mut termios: Termios, speeds: (u32, u32)) {
        termios.control = termios.control & !(CSIZE | PARENB) | CS8 | CREAD;
        let old = *self.discipline.termios();
        let restarted = self.discipline.set_termios(termios);
        let speed = baud_of(termios.control).unwrap_or(speeds.1);
        self.speeds = (if speeds.0 == 0 { speed } else { speeds.0 }, speed);
        if restarted {
            self.note_flow(false);
        }
        if let TerminalKind::Pty(pty) = &mut self.kind
            && pty.packets
        {
            let (before, after) = (uses_usual_flow_control(&old), uses_usual_flow_control(&termios));
            if before != after {
                pty.status &= !(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
                pty.status |= if after { TIOCPKT_DOSTOP } else { TIOCPKT_NOSTOP };
            }
            if (old.local | termios.local) & EXTPROC != 0 {
                pty.status |= TIOCPKT_IOCTL;
            }
        }
    }

    /// Drops input that was not read, typed or finished: `TCIFLUSH` of the program's side.
    pub fn flush_input(&mut self) {
        self.discipline.flush();
        self.typed.clear();
        self.note_status(TIOCPKT_FLUSHREAD);
    }

    /// Drops output that was not shown: `TCOFLUSH` of the program's side.
    pub fn flush_output(&mut self) {
        self.screen.clear();
        self.note_status(TIOCPKT_FLUSHWRITE);
    }

    /// Drops what was typed and not looked at: `TCOFLUSH` of the master's side.
    pub fn flush_typed(&mut self) {
        self.typed.clear();
    }

    /// Back to what it was when it was made, after a hang-up.
    pub fn reset(&mut self) {
        self.discipline = LineDiscipline::new(Termios::standard());
        self.typed.clear();
        self.hangups += 1;
        self.is_exclusive = false;
    }
}

/// Whether ^S and ^Q control the flow.
fn uses_usual_flow_control(termios: &Termios) -> bool {
    termios.input & IXON != 0 && termios.characters[VSTOP] == 0x13 && termios.characters[VSTART] == 0x11
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::termios::{ICANON, ISIG};

    fn read_screen(terminal: &mut Terminal, limit: usize) -> Option<String> {
        let chunk = terminal.peek_screen(limit)?;
        terminal.consume_screen(&chunk);
        Some(chunk.bytes.escape_ascii().to_string())
    }

    #[test]
    fn the_master_reads_what_the_program_writes_and_the_echo_of_what_it_types() {
        let mut terminal = Terminal::pty(3);
        assert_eq!(terminal.write(b"$ "), 2);
        assert_eq!(terminal.type_in(b"ls\r"), Typed { accepted: 3, signals: vec![] });
        assert_eq!(read_screen(&mut terminal, 100).as_deref(), Some("$ ls\\r\\n"));
        assert_eq!(terminal.discipline.peek(10).unwrap().bytes, b"ls\n");
    }

    #[test]
    fn typing_interrupt_gives_a_signal_and_drops_the_line() {
        let mut terminal = Terminal::pty(0);
        assert_eq!(terminal.type_in(b"abc\x03").signals, [2]);
        assert!(terminal.discipline.peek(10).is_none());
    }

    #[test]
    fn a_stopped_terminal_takes_no_output() {
        let mut terminal = Terminal::pty(0);
        terminal.type_in(b"\x13");
        assert_eq!(terminal.write(b"x"), 0);
        assert!(!terminal.is_writable());
        terminal.type_in(b"\x11");
        assert_eq!(terminal.write(b"x"), 1);
    }

    #[test]
    fn output_is_bounded_until_the_master_reads() {
        let mut terminal = Terminal::pty(0);
        let written = terminal.write(&[b'x'; 100_000]);
        assert_eq!(written, SCREEN_KEPT + QUEUE_CAPACITY);
        assert_eq!(terminal.write(b"x"), 0);
        assert_eq!(read_screen(&mut terminal, 10).as_deref(), Some("xxxxxxxxxx"));
        assert_eq!(terminal.write(&[b'x'; 100]), 10);
    }

    #[test]
    fn typing_is_bounded_until_the_program_reads() {
        let mut terminal = Terminal::pty(0);
        let raw = Termios { local: 0, ..Termios::standard() };
        terminal.set_termios(raw, (0, 0));
        let accepted = terminal.type_in(&[b'x'; 8192]).accepted + terminal.type_in(&[b'x'; 100_000]).accepted;
        assert_eq!(accepted, QUEUE_CAPACITY + INPUT_CAPACITY - 1);
        terminal.discipline.consume(100);
        assert_eq!(terminal.look_at_typed(), []);
        assert_eq!(terminal.discipline.readable_bytes(), INPUT_CAPACITY - 1);
        assert_eq!(terminal.typing_room(), 100);
    }

    #[test]
    fn a_master_in_packet_mode_reads_status_alone_and_data_behind_a_zero() {
        let mut terminal = Terminal::pty(0);
        terminal.as_pty_mut().unwrap().packets = true;
        terminal.write(b"ab");
        assert_eq!(read_screen(&mut terminal, 2).as_deref(), Some("\\x00a"));
        terminal.type_in(b"\x13");
        assert_eq!(read_screen(&mut terminal, 10).as_deref(), Some("\\x04"));
        terminal.type_in(b"\x11");
        assert_eq!(read_screen(&mut terminal, 10).as_deref(), Some("\\x08"));
        assert_eq!(read_screen(&mut terminal, 10).as_deref(), Some("\\x00b"));
        assert_eq!(read_screen(&mut terminal, 10), None);
        let plain = Termios { input: 0, ..Termios::standard() };
        terminal.set_termios(plain, (0, 0));
        assert_eq!(read_screen(&mut terminal, 10).as_deref(), Some("\\x10"));
    }

    #[test]
    fn a_terminal_has_eight_bits_whatever_is_asked() {
        let mut terminal = Terminal::pty(0);
        terminal.set_termios(Termios { control: 0x1002, local: ICANON | ISIG, ..Termios::standard() }, (0, 0));
        assert_eq!(terminal.discipline.termios().control, 0x1002 | CS8 | CREAD);
        assert_eq!(terminal.speeds, (115_200, 115_200));
    }
}
