//! Limits of POSIX message queues: `/proc/sys/fs/mqueue`, mq_overview(7). Linux's ipc/mq_sysctl.c.

use crate::entry::Call;
use crate::fs::procfs::sysctl::numbers;
use abi::{Errno, Error};

/// Messages of a queue at most, whoever makes it: `HARD_MSGMAX`.
pub(crate) const MOST_MESSAGES: i64 = 65536;
/// Bytes of a message at most, whoever makes the queue: `HARD_MSGSIZEMAX`.
pub(crate) const LARGEST_SIZE: i64 = 16 << 20;
/// The limit of bytes is at least this: `MIN_MSGSIZEMAX`.
const LEAST_SIZE: i64 = 128;

/// `/proc/sys/fs/mqueue`, mq_overview(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `msg_default`: messages of a queue made without attributes.
    pub messages_default: i64,
    /// `msg_max`: messages of a queue at most.
    pub messages_max: i64,
    /// `msgsize_default`: bytes of a message of a queue made without attributes.
    pub size_default: i64,
    /// `msgsize_max`: bytes of a message at most.
    pub size_max: i64,
    /// `queues_max`: queues at most.
    pub queues_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { messages_default: 10, messages_max: 10, size_default: 8192, size_max: 8192, queues_max: 256 }
    }
}

/// A file of `/proc/sys/fs/mqueue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitFile {
    /// `msg_default`
    MessagesDefault,
    /// `msg_max`
    MessagesMax,
    /// `msgsize_default`
    SizeDefault,
    /// `msgsize_max`
    SizeMax,
    /// `queues_max`
    QueuesMax,
}

/// The text without its line's end.
pub(crate) fn read(call: &Call, file: LimitFile) -> String {
    let limits = &call.posix_queues().limits;
    match file {
        LimitFile::MessagesDefault => limits.messages_default.to_string(),
        LimitFile::MessagesMax => limits.messages_max.to_string(),
        LimitFile::SizeDefault => limits.size_default.to_string(),
        LimitFile::SizeMax => limits.size_max.to_string(),
        LimitFile::QueuesMax => limits.queues_max.to_string(),
    }
}

/// Changes a limit.
///
/// # Errors
/// `EINVAL` outside its range.
pub(crate) fn write(call: &mut Call, file: LimitFile, bytes: &[u8]) -> Result<(), Error> {
    let range = match file {
        LimitFile::MessagesDefault | LimitFile::MessagesMax => 1..=MOST_MESSAGES,
        LimitFile::SizeDefault | LimitFile::SizeMax => LEAST_SIZE..=LARGEST_SIZE,
        LimitFile::QueuesMax => 0..=i64::from(i32::MAX),
    };
    let Some(value) = numbers(bytes, 1, i32::MAX as u64)?.first().map(|value| *value as i64) else { return Ok(()) };
    if !range.contains(&value) {
        return Err(Errno::EINVAL.because("the number is outside the setting's range"));
    }
    let limits = &mut call.posix_queues_mut().limits;
    match file {
        LimitFile::MessagesDefault => limits.messages_default = value,
        LimitFile::MessagesMax => limits.messages_max = value,
        LimitFile::SizeDefault => limits.size_default = value,
        LimitFile::SizeMax => limits.size_max = value,
        LimitFile::QueuesMax => limits.queues_max = value as usize,
    }
    Ok(())
}
