//! Calls that make pipes and event counters.

use super::eventfd::{EventFd, Reading};
use super::pipe;
use crate::entry::Call;
use crate::fs::{FileDescription, FileObject};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::Errno;
use abi::fcntl::{O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};

/// pipe(2).
pub(crate) fn pipe(call: &mut Call, to: UserPtr<[i32; 2]>) -> SysResult {
    pipe2(call, to, 0)
}

/// pipe2(2).
pub(crate) fn pipe2(call: &mut Call, to: UserPtr<[i32; 2]>, flags: u32) -> SysResult {
    if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let id = pipe::create(call)?;
    let (kept, close_on_exec) = (flags & (O_NONBLOCK | O_DIRECT), flags & O_CLOEXEC != 0);
    let reader = FileDescription::new(FileObject::PipeReader(id), O_RDONLY | kept & O_NONBLOCK);
    let writer = FileDescription::new(FileObject::PipeWriter(id), O_WRONLY | kept);
    let reader = call.kernel.files.insert(reader);
    let writer = call.kernel.files.insert(writer);
    let read_fd = match call.install_fd(reader, close_on_exec) {
        Ok(fd) => fd,
        Err(error) => {
            call.release_file(writer);
            return Err(error);
        }
    };
    let written = call.install_fd(writer, close_on_exec).and_then(|write_fd| {
        let written = call.write(to, &[read_fd.0, write_fd.0]);
        if written.is_err() {
            call.close_fd(write_fd)?;
        }
        written
    });
    if let Err(error) = written {
        call.close_fd(read_fd)?;
        return Err(error);
    }
    Flow::OK
}

/// eventfd(2): each read takes 1.
const EFD_SEMAPHORE: u32 = 1;

/// eventfd(2) without flags.
pub(crate) fn eventfd(call: &mut Call, count: u32) -> SysResult {
    eventfd2(call, count, 0)
}

/// eventfd(2).
pub(crate) fn eventfd2(call: &mut Call, count: u32, flags: u32) -> SysResult {
    if flags & !(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let reading = if flags & EFD_SEMAPHORE != 0 { Reading::One } else { Reading::All };
    let id = call.kernel.event_fds.insert(EventFd { count: u64::from(count), reading });
    let fd = call.open_object(FileObject::EventFd(id), O_RDWR | flags & (O_CLOEXEC | O_NONBLOCK))?;
    Ok(Flow::Done(fd.0 as u64))
}
