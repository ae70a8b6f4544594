//! Terminals: the line discipline, pseudo-terminals, the console, job control, tty_ioctl(4) and pty(7).

pub mod discipline;
pub mod output;
mod terminal;

pub use terminal::{MasterChunk, Pty, QUEUE_CAPACITY, Terminal, TerminalKind, Typed};
