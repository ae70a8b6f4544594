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
use signals::Signals;
use streams::Streams;

/// The host that belljar runs on.
#[derive(Debug)]
pub struct Host {
    files: Files,
    streams: Streams,
}

impl Host {
    /// The host's files and the streams that belljar was started with. A wait for input ends when one of `signals` comes.
    pub fn new(signals: Signals) -> Host {
        Host { files: Files::default(), streams: Streams::new(signals) }
    }

    /// The standard streams.
    pub fn streams(&mut self) -> &mut Streams {
        &mut self.streams
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

/// The host's error as the guest's: the numbers are the same, as host and guest are both Linux on x86-64.
fn errno(error: HostErrno) -> Errno {
    Errno(u16::try_from(error.raw_os_error()).unwrap_or(Errno::EIO.0))
}
