//! Calls of connections that sleep: accept(2), connect(2).

use super::address::{self, Address};
use super::{Socket, unix};
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::{FileDescription, FileObject};
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::fcntl::O_RDWR;
use abi::{Errno, Error};

/// accept(2).
#[derive(Clone, Debug)]
pub struct Accept {
    /// The listening socket's open file, held.
    pub file: Id<FileDescription>,
    /// The listening socket.
    pub socket: Id<Socket>,
    /// Where the peer's name goes, and its length.
    pub name: (UserPtr<u8>, UserPtr<i32>),
    /// `O_NONBLOCK` and `O_CLOEXEC` for the new socket.
    pub flags: u32,
    /// `SO_RCVTIMEO`.
    pub deadline: Option<Instant>,
}

impl Blocking for Accept {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let Some(accepted) = unix::accept(call.kernel, self.socket)? else {
            let is_over = self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now());
            if call.kernel.files[self.file].is_nonblocking() || is_over {
                return Err(Errno::EAGAIN.because("nobody has connected, and the call may not sleep"));
            }
            return Ok(Step::Block(Wait::on(WaitKey::SocketReadable(self.socket)).with_deadline(self.deadline)));
        };
        let name = unix::peer_name(call.kernel, accepted).unwrap_or_else(address::unnamed);
        let fd = call.open_object(FileObject::Socket(accepted), O_RDWR | self.flags)?;
        if !self.name.0.is_null()
            && let Err(error) = address::write(call, &name, self.name.0, self.name.1)
        {
            call.close_fd(fd)?;
            return Err(error);
        }
        Ok(Step::Done(fd.0 as u64))
    }

    fn interrupted(&self) -> Interrupted {
        if self.deadline.is_some() { Interrupted::NeverNorWhenStopped } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// connect(2) of a connected kind, while the listener has more unaccepted connections than it wants.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The socket's open file, held.
    pub file: Id<FileDescription>,
    /// The socket.
    pub socket: Id<Socket>,
    /// Where to.
    pub address: Address,
    /// `SO_SNDTIMEO`.
    pub deadline: Option<Instant>,
}

impl Blocking for Connect {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        match unix::connect(call, self.socket, &self.address)? {
            unix::Attempt::Connected => Ok(Step::Done(0)),
            unix::Attempt::Full(key) => {
                let is_over = self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now());
                if call.kernel.files[self.file].is_nonblocking() || is_over {
                    return Err(Errno::EAGAIN.because("the listener has too many unaccepted connections"));
                }
                Ok(Step::Block(Wait::on(key).with_deadline(self.deadline)))
            }
        }
    }

    fn interrupted(&self) -> Interrupted {
        if self.deadline.is_some() { Interrupted::NeverNorWhenStopped } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}
