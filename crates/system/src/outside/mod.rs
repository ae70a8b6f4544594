//! The host around the run, as the kernel's [`Outside`] port: files ([`files`]), the three standard streams
//! ([`streams`]), the terminal ([`terminal`]) and the signals that people send to belljar ([`signals`]).

pub mod files;
pub mod signals;
pub mod streams;
pub mod terminal;

use files::Files;
use kernel::Errno;
use kernel::ports::{HostEntry, HostMetadata, Input, Outside, Stream, StreamKind};
use rustix::io::Errno as HostErrno;
use signals::{HostSignal, Signals};
use std::time::{Duration, Instant};
use streams::{Streams, Typed};

/// What the run loop asks of the world beyond the kernel's own port.
pub trait Surroundings: Outside {
    /// Whether somebody outside has sent a signal. Asked at every trap.
    fn has_signals(&self) -> bool {
        false
    }
    /// The signals that came since the last call.
    fn take_signals(&mut self) -> Vec<HostSignal> {
        Vec::new()
    }
    /// Whether a standard stream is a terminal.
    fn has_terminal(&self) -> bool {
        false
    }
    /// Whether keys reach nobody but the guest: the terminal is raw.
    fn hears_keys(&self) -> bool {
        false
    }
    /// Whether the guest has ever waited for keys.
    fn is_interactive(&self) -> bool {
        false
    }
    /// What was typed, waiting at most for `patience`, without limit if `None`.
    fn read_terminal(&mut self, _patience: Option<Duration>) -> Typed {
        Typed::HungUp
    }
    /// How long the last [`Surroundings::read_terminal`] waited.
    fn last_wait(&self) -> Duration {
        Duration::ZERO
    }
    /// The terminal is gone: it is not asked any more.
    fn forget_terminal(&mut self) {}
    /// Stops belljar itself until somebody continues it, as Ctrl-Z stops other programs.
    fn suspend(&mut self) {}
    /// Belljar was continued: takes the terminal back if it is in the foreground there.
    fn resume(&mut self) {}
}

/// The host that belljar runs on.
#[derive(Debug)]
pub struct Host {
    files: Files,
    streams: Streams,
    signals: Signals,
    has_terminal: bool,
    /// The guest has waited for keys.
    was_read: bool,
    /// How long the last wait for keys took.
    last_wait: Duration,
}

impl Host {
    /// The host's files and the streams that belljar was started with. A wait for input ends when one of `signals` comes.
    pub fn new(signals: Signals) -> Host {
        let streams = Streams::new(signals.clone());
        let has_terminal = terminal::file().is_some();
        Host { files: Files::default(), streams, signals, has_terminal, was_read: false, last_wait: Duration::ZERO }
    }
}

impl Outside for Host {
    fn metadata(&mut self, path: &[u8]) -> Result<HostMetadata, Errno> {
        files::metadata(path)
    }

    fn read_directory(&mut self, path: &[u8]) -> Result<Vec<HostEntry>, Errno> {
        files::read_directory(path)
    }

    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        files::read_link(path)
    }

    fn read_file(&mut self, path: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.files.read(path, offset, buffer)
    }

    fn stream(&mut self, stream: Stream) -> StreamKind {
        self.streams.kind(stream)
    }

    fn stream_metadata(&mut self, stream: Stream) -> Result<HostMetadata, Errno> {
        self.streams.metadata(stream)
    }

    fn read_input(&mut self, limit: usize) -> Input {
        self.streams.read_input(limit)
    }

    fn write_output(&mut self, stream: Stream, bytes: &[u8]) -> Result<usize, Errno> {
        self.streams.write(stream, bytes)
    }

    fn seek_output(&mut self, stream: Stream, offset: i64, whence: i32) -> Result<u64, Errno> {
        self.streams.seek(stream, offset, whence)
    }

    fn window_size(&mut self) -> Option<(u16, u16)> {
        terminal::window_size()
    }
}

impl Surroundings for Host {
    #[inline]
    fn has_signals(&self) -> bool {
        self.signals.any()
    }

    fn take_signals(&mut self) -> Vec<HostSignal> {
        self.signals.take()
    }

    fn has_terminal(&self) -> bool {
        self.has_terminal
    }

    fn hears_keys(&self) -> bool {
        self.has_terminal && terminal::is_raw()
    }

    fn is_interactive(&self) -> bool {
        self.has_terminal && self.was_read
    }

    fn read_terminal(&mut self, patience: Option<Duration>) -> Typed {
        self.was_read |= patience != Some(Duration::ZERO);
        let begin = Instant::now();
        let typed = self.streams.read_terminal(patience);
        self.last_wait = begin.elapsed();
        typed
    }

    fn last_wait(&self) -> Duration {
        self.last_wait
    }

    fn forget_terminal(&mut self) {
        self.has_terminal = false;
    }

    fn suspend(&mut self) {
        terminal::restore();
        // SIGSTOP cannot be caught: when this returns, somebody has sent SIGCONT.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    }

    fn resume(&mut self) {
        if self.has_terminal {
            terminal::take();
        }
    }
}

/// The host's error as the guest's: the numbers are the same, as host and guest are both Linux on x86-64.
fn errno(error: HostErrno) -> Errno {
    Errno(u16::try_from(error.raw_os_error()).unwrap_or(Errno::EIO.0))
}
