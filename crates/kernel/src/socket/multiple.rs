//! Several messages in one call: sendmmsg(2), recvmmsg(2).

use super::Socket;
use super::calls::{prepare_receive, prepare_send};
use super::transfer::{Receive, Send, socket_of};
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::{Fd, FileDescription, ops};
use crate::syscalls::operation::{Blocking, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::time;
use crate::user::UserPtr;
use abi::socket::{MSG_DONTWAIT, MSG_WAITFORONE, MessageHeader, MultipleMessageHeader, UIO_MAXIOV};
use abi::time::Timespec;
use abi::{Error, Wire};

/// A series of messages: those done, and the one in progress.
#[derive(Clone, Debug)]
pub struct Multiple<T> {
    file: Id<FileDescription>,
    socket: Id<Socket>,
    array: UserPtr<MultipleMessageHeader>,
    count: u64,
    flags: u32,
    done: u64,
    /// recvmmsg(2): looked at after each message, as its BUGS deplore.
    deadline: Option<Instant>,
    current: Option<T>,
}

/// A single message of a series.
pub trait Single: Blocking + Sized {
    /// Begins with the message of a header.
    fn prepare(
        call: &mut Call,
        file: Id<FileDescription>,
        socket: Id<Socket>,
        header: UserPtr<MessageHeader>,
        flags: u32,
    ) -> Result<Self, Error>;
}

impl Single for Send {
    fn prepare(
        call: &mut Call,
        file: Id<FileDescription>,
        socket: Id<Socket>,
        header: UserPtr<MessageHeader>,
        flags: u32,
    ) -> Result<Send, Error> {
        prepare_send(call, file, socket, header, flags)
    }
}

impl Single for Receive {
    fn prepare(
        call: &mut Call,
        file: Id<FileDescription>,
        socket: Id<Socket>,
        header: UserPtr<MessageHeader>,
        flags: u32,
    ) -> Result<Receive, Error> {
        prepare_receive(call, file, socket, header, flags)
    }
}

impl<T: Single> Multiple<T> {
    /// Goes on with the message in progress, or the next one.
    fn step_one(&mut self, call: &mut Call) -> Result<Step, Error> {
        let header = self.array.byte_offset::<MessageHeader>(self.done * MultipleMessageHeader::SIZE as u64);
        let mut single = match self.current.take() {
            Some(single) => single,
            None => T::prepare(call, self.file, self.socket, header, self.flags & !MSG_WAITFORONE)?,
        };
        let step = single.step(call);
        if let Ok(Step::Block(_)) = step {
            self.current = Some(single);
            return step;
        }
        single.release(call);
        if let Ok(Step::Done(length)) = step {
            call.write(header.byte_offset::<u32>(MessageHeader::SIZE as u64), &(length as u32))?;
        }
        step
    }

    fn step_all(&mut self, call: &mut Call) -> Result<Step, Error> {
        while self.done < self.count {
            match self.step_one(call) {
                Ok(Step::Block(wait)) => return Ok(Step::Block(wait)),
                Ok(_) => self.done += 1,
                // An error after the first message is met again by the next call, if it lasts.
                Err(_) if self.done > 0 => break,
                Err(error) => return Err(error),
            }
            if self.flags & MSG_WAITFORONE != 0 {
                self.flags |= MSG_DONTWAIT;
            }
            if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
                break;
            }
        }
        Ok(Step::Done(self.done))
    }
}

impl<T: Single> Blocking for Multiple<T> {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        self.step_all(call)
    }

    fn interrupted(&self) -> Interrupted {
        match &self.current {
            _ if self.done > 0 => Interrupted::Partial(self.done),
            Some(single) => single.interrupted(),
            None => Interrupted::RestartIfAllowed,
        }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        self.current.iter().flat_map(Blocking::held_files).chain([self.file]).collect()
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(mut single) = self.current.take() {
            single.release(call);
        }
        call.release_file(self.file);
    }
}

/// sendmmsg(2).
pub(crate) fn sendmmsg(
    call: &mut Call,
    fd: Fd,
    array: UserPtr<MultipleMessageHeader>,
    count: u32,
    flags: u32,
) -> SysResult {
    let multiple: Multiple<Send> = begin(call, fd, array, count, flags, None)?;
    ops::start(call, multiple)
}

/// recvmmsg(2).
pub(crate) fn recvmmsg(
    call: &mut Call,
    fd: Fd,
    array: UserPtr<MultipleMessageHeader>,
    count: u32,
    flags: u32,
    timeout: UserPtr<Timespec>,
) -> SysResult {
    let deadline = time::deadline_after(call, timeout)?;
    let multiple: Multiple<Receive> = begin(call, fd, array, count, flags, deadline)?;
    ops::start(call, multiple)
}

fn begin<T>(
    call: &mut Call,
    fd: Fd,
    array: UserPtr<MultipleMessageHeader>,
    count: u32,
    flags: u32,
    deadline: Option<Instant>,
) -> Result<Multiple<T>, Error> {
    let file = call.usable_file(fd)?;
    let socket = socket_of(call, file)?;
    let file = call.hold(file);
    let count = u64::from(count).min(UIO_MAXIOV);
    Ok(Multiple { file, socket, array, count, flags, done: 0, deadline, current: None })
}
