//! Standard input, output and error of belljar, as the guest's first program gets them.

use super::signals::Signals;
use super::{errno, files, terminal};
use kernel::Errno;
use kernel::ports::{HostMetadata, Input, Stream, StreamKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, OFlags, SeekFrom};
use rustix::stdio::{stderr, stdin, stdout};
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes asked of the host at once.
const CHUNK: usize = 65_536;

/// The three streams.
#[derive(Debug)]
pub struct Streams {
    signals: Signals,
    /// Bytes of standard input that came and were not asked for yet.
    ahead: VecDeque<u8>,
    ended: bool,
    /// Standard input is a regular file: all of its bytes are there, so lines need not be waited for.
    is_file: bool,
}

/// What a wait for the terminal gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing within the time.
    Nothing,
    /// A signal of the host came first.
    Signal,
    /// The terminal is gone.
    HungUp,
}

impl Streams {
    pub(super) fn new(signals: Signals) -> Streams {
        let is_file =
            rustix::fs::fstat(stdin()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Streams { signals, ahead: VecDeque::new(), ended: false, is_file }
    }

    /// What a stream is.
    pub fn kind(&self, stream: Stream) -> StreamKind {
        let file = descriptor(stream);
        let Ok(stat) = rustix::fs::fstat(file) else { return StreamKind::Closed };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if rustix::termios::isatty(file) => StreamKind::Terminal,
            FileType::CharacterDevice if stat.st_rdev == rustix::fs::makedev(1, 3) => StreamKind::Null,
            FileType::RegularFile => {
                let link = format!("/proc/self/fd/{}", number(stream));
                let path = files::read_link(link.as_bytes()).ok();
                // A file without a name shows as "... (deleted)"; a name that leads elsewhere is not its name.
                let same = |path: &Vec<u8>| {
                    files::metadata(path).is_ok_and(|named| (named.device, named.inode) == (stat.st_dev, stat.st_ino))
                };
                let flags = rustix::fs::fcntl_getfl(file).unwrap_or(OFlags::empty());
                StreamKind::File {
                    path: path.filter(same),
                    offset: rustix::fs::tell(file).unwrap_or(0),
                    append: flags.contains(OFlags::APPEND),
                }
            }
            _ => StreamKind::Pipe,
        }
    }

    /// fstat(2).
    ///
    /// # Errors
    /// The host's.
    pub fn metadata(&self, stream: Stream) -> Result<HostMetadata, Errno> {
        rustix::fs::fstat(descriptor(stream)).map(files::from_stat).map_err(errno)
    }

    /// At most one line and at most `limit` bytes; waits until the line is complete. `Interrupted` if a signal of the host
    /// comes first; nothing is lost then.
    pub fn read_input(&mut self, limit: usize) -> Input {
        if limit == 0 {
            return Input::Failed(Errno::EINVAL);
        }
        if self.is_file {
            return read_whole(limit);
        }
        let mut searched = 0;
        loop {
            let line = self.ahead.iter().skip(searched).position(|byte| *byte == b'\n').map(|at| searched + at + 1);
            searched = self.ahead.len();
            let take = match line {
                Some(length) => Some(length.min(limit)),
                None if self.ahead.len() >= limit => Some(limit),
                None if self.ended && self.ahead.is_empty() => return Input::End,
                None if self.ended => Some(self.ahead.len()),
                None => None,
            };
            if let Some(take) = take {
                return Input::Bytes(self.ahead.drain(..take).collect());
            }
            if !self.wait_for(Stream::Input, PollFlags::IN, None) {
                return Input::Interrupted;
            }
            let mut chunk = vec![0; CHUNK];
            match rustix::io::read(stdin(), &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => self.ahead.extend(&chunk[..count]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => return Input::Failed(errno(error)),
            }
        }
    }

    /// What was typed at the terminal behind standard input, waiting for `patience` at most, without limit if `None`.
    pub fn read_terminal(&mut self, patience: Option<Duration>) -> Typed {
        terminal::make_raw();
        let Some(file) = terminal::file() else { return Typed::HungUp };
        if !self.wait_for_file(file, PollFlags::IN, patience) {
            return if self.signals.any() { Typed::Signal } else { Typed::Nothing };
        }
        let mut chunk = vec![0; 4096];
        match rustix::io::read(file, &mut chunk) {
            Ok(0) => Typed::HungUp,
            Ok(count) => Typed::Bytes(chunk[..count].to_vec()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Typed::Nothing,
            Err(_) => Typed::HungUp,
        }
    }

    /// Writes all bytes to standard output or error.
    ///
    /// # Errors
    /// The host's; `EINTR` if a signal of the host comes while nobody reads, and nothing was written yet.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < bytes.len() {
            // A pipe shared with others may be non-blocking, and a write that blocks could not be ended by a signal.
            if !self.wait_for(stream, PollFlags::OUT, None) {
                return if done > 0 { Ok(done) } else { Err(Errno::EINTR) };
            }
            match rustix::io::write(descriptor(stream), &bytes[done..]) {
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) if done > 0 => break,
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(done)
    }

    /// lseek(2) of standard output or error.
    ///
    /// # Errors
    /// The host's; `EINVAL` for a `whence` other than SEEK_SET, SEEK_CUR, SEEK_END.
    pub fn seek(&mut self, stream: Stream, offset: i64, whence: i32) -> Result<u64, Errno> {
        let position = match whence {
            0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::EINVAL)?),
            1 => SeekFrom::Current(offset),
            2 => SeekFrom::End(offset),
            _ => return Err(Errno::EINVAL),
        };
        rustix::fs::seek(descriptor(stream), position).map_err(errno)
    }

    /// Waits until the stream is ready: `false` if a signal came first or the time is over.
    fn wait_for(&self, stream: Stream, events: PollFlags, patience: Option<Duration>) -> bool {
        self.wait_for_file(descriptor(stream), events, patience)
    }

    fn wait_for_file(&self, file: BorrowedFd<'_>, events: PollFlags, patience: Option<Duration>) -> bool {
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        loop {
            if self.signals.any() {
                return false;
            }
            let mut watched = vec![PollFd::from_borrowed_fd(file, events)];
            watched.extend(self.signals.descriptor().map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
            match poll(&mut watched, timeout.as_ref()) {
                Ok(0) => return false,
                Ok(_) if !watched[0].revents().is_empty() => return true,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                // poll(2) fails for nothing that the stream could do; reading will say what is wrong.
                Err(_) => return true,
            }
        }
    }
}

/// As many of the next `limit` bytes of standard input as the file has.
fn read_whole(limit: usize) -> Input {
    let mut bytes = vec![0; limit.min(CHUNK)];
    match rustix::io::read(stdin(), &mut bytes) {
        Ok(0) => Input::End,
        Ok(count) => {
            bytes.truncate(count);
            Input::Bytes(bytes)
        }
        Err(error) => Input::Failed(errno(error)),
    }
}

fn descriptor(stream: Stream) -> BorrowedFd<'static> {
    match stream {
        Stream::Input => stdin(),
        Stream::Output => stdout(),
        Stream::Error => stderr(),
    }
}

fn number(stream: Stream) -> u32 {
    match stream {
        Stream::Input => 0,
        Stream::Output => 1,
        Stream::Error => 2,
    }
}
