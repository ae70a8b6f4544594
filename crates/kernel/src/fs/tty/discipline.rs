//! The line discipline of a terminal, `N_TTY`: what is typed becomes lines, signals, flow control and echo, termios(3).
//!
//! Plain data that moves bytes: it knows nothing of processes, sleeping or where the output goes. Bytes come in one by one
//! through [`LineDiscipline::receive`]; what they show on the screen is appended to the caller's buffer, what they ask
//! for is the answer. Rules are those of Linux, `drivers/tty/n_tty.c`; function names there are noted where they help.

use super::output::{Cursor, is_continuation, is_control, is_word, lower_case};
use abi::termios::*;
use std::collections::VecDeque;

/// Bytes that a terminal keeps for its readers, `N_TTY_BUF_SIZE`. The longest line is that long with its newline.
pub const INPUT_CAPACITY: usize = 4096;

/// A byte of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    byte: u8,
    mark: Mark,
}

/// What a byte of input means to a reader of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Part of a line.
    None,
    /// The last byte of a line.
    EndsLine,
    /// Ends the line, and is not part of it: the EOF character.
    EndOfFile,
}

/// What a received byte asks of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Send this signal to the foreground group.
    pub signal: Option<i32>,
    /// Queued output is dropped before the echo: the signal came without `NOFLSH`.
    pub flush: bool,
    /// Output goes on (it had been held).
    pub started: bool,
    /// Output is held from now on.
    pub stopped: bool,
}

/// Bytes for a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// What it gets; empty for an end of file.
    pub bytes: Vec<u8>,
    /// What to [`LineDiscipline::consume`] once it has them.
    pub cells: usize,
}

/// Input being edited and input to be read.
///
/// # Invariants
/// - `complete <= input.len() <= INPUT_CAPACITY`;
/// - in canonical mode the first `complete` cells are whole lines, and the cells behind them have no mark.
#[derive(Clone, Debug)]
pub struct LineDiscipline {
    termios: Termios,
    input: VecDeque<Cell>,
    /// Cells of finished lines (n_tty's `canon_head - read_tail`).
    complete: usize,
    literal_next: bool,
    /// Between the `\` and the `/` of ECHOPRT.
    erasing: bool,
    cursor: Cursor,
    stopped: bool,
    /// Stopped by TCXONC: only TCXONC starts it again.
    stopped_by_request: bool,
}

impl LineDiscipline {
    /// A discipline with nothing typed yet.
    pub fn new(termios: Termios) -> LineDiscipline {
        LineDiscipline {
            termios,
            input: VecDeque::new(),
            complete: 0,
            literal_next: false,
            erasing: false,
            cursor: Cursor::default(),
            stopped: false,
            stopped_by_request: false,
        }
    }

    /// The attributes in force.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Whether output is held by flow control.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Changes the attributes; whether held output goes on because of it.
    ///
    /// What was typed before a change between lines and bytes becomes readable at once (`n_tty_set_termios`).
    pub fn set_termios(&mut self, termios: Termios) -> bool {
        let old = std::mem::replace(&mut self.termios, termios);
        if (old.local ^ termios.local) & (ICANON | EXTPROC) != 0 {
            for cell in &mut self.input {
                cell.mark = Mark::None;
            }
            self.complete = 0;
            if self.is_canonical() && !self.input.is_empty() {
                self.complete = self.input.len();
                self.input[self.complete - 1].mark = Mark::EndsLine;
            }
            self.erasing = false;
            self.literal_next = false;
        }
        old.input & IXON != 0 && termios.input & IXON == 0 && self.start()
    }

    /// Sends a program's byte through output processing.
    pub fn write(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.cursor.put(&self.termios, byte, out);
    }

    /// Holds output, as ^S does; whether that changes anything.
    pub fn stop(&mut self) -> bool {
        !std::mem::replace(&mut self.stopped, true)
    }

    /// Lets output go on, as ^Q does; whether that changes anything.
    pub fn start(&mut self) -> bool {
        !self.stopped_by_request && std::mem::replace(&mut self.stopped, false)
    }

    /// Holds output or lets it go on by TCXONC, TIOCPKT(2const); whether that changes anything.
    pub fn stop_by_request(&mut self, stop: bool) -> bool {
        if self.stopped_by_request == stop {
            return false;
        }
        self.stopped_by_request = stop;
        std::mem::replace(&mut self.stopped, stop) != stop
    }

    /// How many more bytes [`LineDiscipline::receive`] takes now: 0 until somebody reads.
    ///
    /// A line that fills the buffer is still open for its end: further characters overwrite the last one
    /// (`n_tty_receive_buf_common`).
    pub fn room(&self) -> usize {
        let free = INPUT_CAPACITY - self.input.len();
        let free = if self.termios.input & PARMRK != 0 { free.div_ceil(3) } else { free };
        match free.saturating_sub(1) {
            0 => usize::from(self.is_canonical() && self.complete == 0),
            room => room,
        }
    }

    /// Takes one byte that was typed. Only while there is [`LineDiscipline::room`].
    pub fn receive(&mut self, byte: u8, echo: &mut Vec<u8>) -> Effect {
        if self.input.len() >= INPUT_CAPACITY {
            // The line is full: its last character gives way, so that its end can still be typed.
            assert!(self.room() > 0, "bytes are received only while there is room");
            self.input.pop_back();
        }
        let mut byte = byte;
        if self.termios.input & ISTRIP != 0 {
            byte &= 0x7f;
        }
        if self.termios.input & IUCLC != 0 && self.is_extended() {
            byte = lower_case(byte);
        }
        if std::mem::take(&mut self.literal_next) {
            return self.receive_ordinary(byte, echo);
        }
        if self.termios.local & EXTPROC != 0 {
            self.push(byte, Mark::None);
            return Effect::default();
        }
        self.receive_special(byte, echo)
    }

    fn receive_special(&mut self, byte: u8, echo: &mut Vec<u8>) -> Effect {
        let flow_control = self.termios.input & IXON != 0;
        if flow_control && self.is(VSTART, byte) {
            return Effect { started: self.start(), ..Effect::default() };
        }
        if flow_control && self.is(VSTOP, byte) {
            return Effect { stopped: self.stop(), ..Effect::default() };
        }
        if self.termios.local & ISIG != 0 {
            const SIGNALS: [(usize, i32); 3] = [(VINTR, 2), (VQUIT, 3), (VSUSP, 20)];
            if let Some((_, signal)) = SIGNALS.iter().find(|(index, _)| self.is(*index, byte)) {
                return self.receive_signal(*signal, byte, echo);
            }
        }
        let mut byte = byte;
        if byte == b'\r' && self.termios.input & IGNCR != 0 {
            return Effect { started: self.restart_by_any(), ..Effect::default() };
        }
        let mut translated = false;
        if byte == b'\r' && self.termios.input & ICRNL != 0 {
            (byte, translated) = (b'\n', true);
        } else if byte == b'\n' && self.termios.input & INLCR != 0 {
            (byte, translated) = (b'\r', true);
        }
        if self.is_canonical() && self.is_editing(byte) {
            let started = self.restart_by_any();
            self.receive_editing(byte, echo);
            return Effect { started, ..Effect::default() };
        }
        if translated && byte == b'\n' {
            // Not ^J: this newline is shown as one even where control characters are shown as ^X.
            let started = self.restart_by_any();
            if self.echoes() {
                self.finish_erasing(echo);
                self.echo_raw(b'\n', echo);
            }
            self.push(byte, Mark::None);
            return Effect { started, ..Effect::default() };
        }
        self.receive_ordinary(byte, echo)
    }

    fn receive_ordinary(&mut self, byte: u8, echo: &mut Vec<u8>) -> Effect {
        let started = self.restart_by_any();
        if self.echoes() {
            self.finish_erasing(echo);
            self.note_line_column();
            self.echo(byte, echo);
        }
        if byte == 0xff && self.termios.input & PARMRK != 0 {
            self.push(byte, Mark::None);
        }
        self.push(byte, Mark::None);
        Effect { started, ..Effect::default() }
    }

    fn receive_signal(&mut self, signal: i32, byte: u8, echo: &mut Vec<u8>) -> Effect {
        let flush = self.termios.local & NOFLSH == 0;
        if flush {
            self.flush();
        }
        let started = self.termios.input & IXON != 0 && self.start();
        if self.echoes() {
            self.echo(byte, echo);
        }
        Effect { signal: Some(signal), flush, started, stopped: false }
    }

    /// Whether `byte` has a meaning of its own in a line being typed.
    fn is_editing(&self, byte: u8) -> bool {
        if byte == b'\n' || [VERASE, VKILL, VEOF, VEOL].iter().any(|index| self.is(*index, byte)) {
            return true;
        }
        self.is_extended()
            && ([VWERASE, VLNEXT, VEOL2].iter().any(|index| self.is(*index, byte))
                || (self.echoes() && self.is(VREPRINT, byte)))
    }

    /// `n_tty_receive_char_canon`, in its order.
    fn receive_editing(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let extended = self.is_extended();
        if self.is(VERASE, byte) {
            self.erase(Erase::Character, echo);
        } else if self.is(VKILL, byte) {
            self.kill(echo);
        } else if extended && self.is(VWERASE, byte) {
            self.erase(Erase::Word, echo);
        } else if extended && self.is(VLNEXT, byte) {
            self.literal_next = true;
            if self.echoes() {
                self.finish_erasing(echo);
                if self.termios.local & ECHOCTL != 0 {
                    self.echo_raw(b'^', echo);
                    self.echo_raw(b'\x08', echo);
                }
            }
        } else if extended && self.echoes() && self.is(VREPRINT, byte) {
            self.finish_erasing(echo);
            self.echo(byte, echo);
            self.echo_raw(b'\n', echo);
            for index in self.complete..self.input.len() {
                self.echo(self.input[index].byte, echo);
            }
        } else if byte == b'\n' {
            if self.echoes() || self.termios.local & ECHONL != 0 {
                self.echo_raw(b'\n', echo);
            }
            self.end_line(byte, Mark::EndsLine);
        } else if self.is(VEOF, byte) {
            self.end_line(0, Mark::EndOfFile);
        } else {
            if self.echoes() {
                self.note_line_column();
                self.echo(byte, echo);
            }
            if byte == 0xff && self.termios.input & PARMRK != 0 {
                self.push(byte, Mark::None);
            }
            self.end_line(byte, Mark::EndsLine);
        }
    }

    /// KILL: the whole line goes.
    fn kill(&mut self, echo: &mut Vec<u8>) {
        const ALL: u32 = ECHOK | ECHOKE | ECHOE;
        if self.input.len() == self.complete {
            return;
        }
        if self.echoes() && self.termios.local & ALL == ALL {
            self.erase(Erase::Line, echo);
            return;
        }
        self.input.truncate(self.complete);
        if self.echoes() {
            self.finish_erasing(echo);
            self.echo(self.termios.characters[VKILL], echo);
            if self.termios.local & ECHOK != 0 {
                self.echo_raw(b'\n', echo);
            }
        }
    }

    /// `eraser`: takes characters off the end of the line, and off the screen.
    fn erase(&mut self, what: Erase, echo: &mut Vec<u8>) {
        if self.input.len() == self.complete {
            return;
        }
        let mut in_word = false;
        while self.input.len() > self.complete {
            let mut head = self.input.len() - 1;
            while head > self.complete && is_continuation(&self.termios, self.input[head].byte) {
                head -= 1;
            }
            let byte = self.input[head].byte;
            if is_continuation(&self.termios, byte) {
                break;
            }
            if what == Erase::Word {
                if is_word(byte) {
                    in_word = true;
                } else if in_word {
                    break;
                }
            }
            let erased: Vec<u8> = self.input.drain(head..).map(|cell| cell.byte).collect();
            if self.echoes() {
                self.show_erased(&erased, what, echo);
            }
            if what == Erase::Character {
                break;
            }
        }
        if self.input.len() == self.complete && self.echoes() {
            self.finish_erasing(echo);
        }
    }

    /// Shows that a character, `erased`, has gone from the end of the line.
    fn show_erased(&mut self, erased: &[u8], what: Erase, echo: &mut Vec<u8>) {
        let byte = erased[0];
        if self.termios.local & ECHOPRT != 0 {
            if !std::mem::replace(&mut self.erasing, true) {
                self.echo_raw(b'\\', echo);
            }
            self.echo(byte, echo);
            for more in &erased[1..] {
                self.echo_raw(*more, echo);
                self.cursor.column = self.cursor.column.saturating_sub(1);
            }
        } else if what == Erase::Character && self.termios.local & ECHOE == 0 {
            self.echo(self.termios.characters[VERASE], echo);
        } else if byte == b'\t' {
            for _ in 0..self.width_of_tab() {
                self.cursor.put_raw(b'\x08', echo);
            }
        } else {
            let shown_as_two = is_control(byte) && self.termios.local & ECHOCTL != 0;
            let columns = if shown_as_two { 2 } else { usize::from(!is_control(byte)) };
            for _ in 0..columns {
                for move_back in [b'\x08', b' ', b'\x08'] {
                    self.echo_raw(move_back, echo);
                }
            }
        }
    }

    /// Columns that the tab just erased from the end of the line took (`ECHO_OP_ERASE_TAB`).
    fn width_of_tab(&self) -> u32 {
        let mut before = 0;
        for index in (self.complete..self.input.len()).rev() {
            let byte = self.input[index].byte;
            if byte == b'\t' {
                return 8 - (before & 7);
            }
            if is_control(byte) {
                before += if self.termios.local & ECHOCTL != 0 { 2 } else { 0 };
            } else if !is_continuation(&self.termios, byte) {
                before += 1;
            }
        }
        8 - ((before + self.cursor.line_column) & 7)
    }

    /// What the next read of at most `limit` bytes gives, without taking it: in canonical mode one line at most. `None`:
    /// nothing can be read.
    pub fn peek(&self, limit: usize) -> Option<Chunk> {
        if !self.has_input(1) {
            return None;
        }
        let mut chunk = Chunk::default();
        if !self.reads_lines() {
            chunk.bytes.extend(self.input.iter().take(limit).map(|cell| cell.byte));
            chunk.cells = chunk.bytes.len();
            return Some(chunk);
        }
        for cell in self.input.iter().take(self.complete) {
            if cell.mark == Mark::EndOfFile {
                // An end of file right behind a line that just fits goes with it.
                chunk.cells += 1;
                break;
            }
            if chunk.bytes.len() == limit {
                break;
            }
            chunk.bytes.push(cell.byte);
            chunk.cells += 1;
            if cell.mark == Mark::EndsLine {
                break;
            }
        }
        Some(chunk)
    }

    /// Takes what [`LineDiscipline::peek`] gave.
    pub fn consume(&mut self, cells: usize) {
        assert!(cells <= self.input.len(), "only what was seen is taken");
        self.input.drain(..cells);
        self.complete = self.complete.saturating_sub(cells);
    }

    /// Whether a read finds something: a line, or `bytes` bytes if lines do not matter.
    pub fn has_input(&self, bytes: usize) -> bool {
        if self.reads_lines() { self.complete > 0 } else { self.input.len() >= bytes }
    }

    /// Bytes that can be read now: `FIONREAD`.
    pub fn readable_bytes(&self) -> usize {
        if self.reads_lines() {
            self.input.iter().take(self.complete).filter(|cell| cell.mark != Mark::EndOfFile).count()
        } else {
            self.input.len()
        }
    }

    /// Drops all input, finished or not: `TCIFLUSH`.
    pub fn flush(&mut self) {
        self.input.clear();
        self.complete = 0;
        self.erasing = false;
        self.literal_next = false;
    }

    /// Lines are edited and read one by one.
    pub fn is_canonical(&self) -> bool {
        self.termios.local & ICANON != 0
    }

    fn reads_lines(&self) -> bool {
        self.is_canonical() && self.termios.local & EXTPROC == 0
    }

    fn is_extended(&self) -> bool {
        self.termios.local & IEXTEN != 0
    }

    fn echoes(&self) -> bool {
        self.termios.local & ECHO != 0
    }

    /// Whether `byte` is the special character `index`. 0 disables one.
    fn is(&self, index: usize, byte: u8) -> bool {
        byte != 0 && self.termios.characters[index] == byte
    }

    fn restart_by_any(&mut self) -> bool {
        const BOTH: u32 = IXON | IXANY;
        self.stopped && self.termios.input & BOTH == BOTH && self.start()
    }

    fn push(&mut self, byte: u8, mark: Mark) {
        // PARMRK doubles a byte; `room` counted on that.
        if self.input.len() < INPUT_CAPACITY {
            self.input.push_back(Cell { byte, mark });
        }
    }

    fn end_line(&mut self, byte: u8, mark: Mark) {
        self.push(byte, mark);
        self.complete = self.input.len();
    }

    fn finish_erasing(&mut self, echo: &mut Vec<u8>) {
        if std::mem::take(&mut self.erasing) {
            self.echo_raw(b'/', echo);
        }
    }

    fn note_line_column(&mut self) {
        if self.input.len() == self.complete {
            self.cursor.line_column = self.cursor.column;
        }
    }

    /// Shows a character as it is, through output processing.
    fn echo_raw(&mut self, byte: u8, echo: &mut Vec<u8>) {
        self.cursor.put(&self.termios, byte, echo);
    }

    /// Shows a typed character: control characters as ^X with ECHOCTL.
    fn echo(&mut self, byte: u8, echo: &mut Vec<u8>) {
        if self.termios.local & ECHOCTL != 0 && is_control(byte) && byte != b'\t' {
            echo.extend_from_slice(&[b'^', byte ^ 0x40]);
            self.cursor.column = self.cursor.column.wrapping_add(2);
        } else {
            self.echo_raw(byte, echo);
        }
    }
}

/// How much the eraser takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

#[cfg(test)]
#[path = "discipline_tests.rs"]
mod tests;
