//! What holds for an open file, by the kind of its object.

use super::{ALWAYS, Readiness};
use crate::fs::{FileDescription, FileObject, devfs, epoll, inotify, tty};
use crate::ipc::posix::message_queue;
use crate::ipc::{eventfd, fifo, pipe};
use crate::kernel::Kernel;
use crate::ports::Stream;
use crate::signal::signalfd;
use crate::socket::unix;
use crate::table::Id;
use crate::time::timerfd;
use crate::wait::Keys;
use abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

/// Which events hold for an open file now, and the changes after which others may.
pub fn readiness(kernel: &Kernel, file: Id<FileDescription>) -> Readiness {
    let description = &kernel.files[file];
    match description.object {
        FileObject::Inode(_) => Readiness::always(ALWAYS),
        FileObject::Terminal { .. } => tty::transfer::poll(kernel, file),
        FileObject::Master(id) => tty::transfer::poll_master(kernel, id),
        FileObject::Device(_) => devfs::poll(),
        // The host's streams are always ready: a read of standard input stops the world until there is some.
        FileObject::Stream(Stream::Input) => Readiness::new(POLLIN | POLLRDNORM, Keys::None),
        FileObject::Stream(_) => Readiness::new(POLLOUT | POLLWRNORM, Keys::None),
        FileObject::PipeReader(id) => pipe::poll(kernel, id, pipe::Ends::READ),
        FileObject::PipeWriter(id) => pipe::poll(kernel, id, pipe::Ends::WRITE),
        FileObject::Fifo { pipe, writers_before, .. } => {
            pipe::poll(kernel, pipe, pipe::Ends { writers_before, ..fifo::ends_of(description.flags) })
        }
        FileObject::Inotify(id) => inotify::poll(kernel, id),
        FileObject::EventFd(id) => eventfd::poll(kernel, id),
        FileObject::TimerFd(id) => timerfd::poll(kernel, id),
        FileObject::Epoll(id) => epoll::poll(kernel, id),
        FileObject::Process(subject) => subject.readiness(kernel),
        FileObject::SignalFd(id) => signalfd::poll(kernel, id),
        FileObject::MessageQueue(id) => message_queue::poll(kernel, id),
        FileObject::Socket(id) => unix::poll(kernel, id),
    }
}
