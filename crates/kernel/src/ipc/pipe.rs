//! Pipes, pipe(7).

use std::collections::VecDeque;

/// Bytes on their way from writers to readers.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    /// The bytes.
    pub bytes: VecDeque<u8>,
    /// How many fit.
    pub capacity: usize,
    /// Open read ends.
    pub readers: u32,
    /// Open write ends.
    pub writers: u32,
}
