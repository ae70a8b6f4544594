//! Netlink sockets, netlink(7), as far as the C library needs them for `SIGEV_THREAD` of mq_notify(3): the kernel sends to
//! them, and nobody else. They cannot be bound, connected or sent from; they cannot ask anything of the kernel either.

use super::message::Message;
use super::{Family, Kind, Socket, unix};
use crate::entry::Call;
use crate::fs::{Fd, FileObject};
use crate::kernel::Kernel;
use crate::table::Id;
use abi::socket::{SOCK_DGRAM, SOCK_RAW, SocketCredentials};
use abi::{Errno, Error};

/// A new socket.
///
/// # Errors
/// `EPROTONOSUPPORT` but for `NETLINK_ROUTE`, `ESOCKTNOSUPPORT` for streams.
pub(super) fn create(call: &mut Call, kind: i32, protocol: i32) -> Result<Socket, Error> {
    call.kernel.unsupported("netlink sockets, but for mq_notify(3)");
    if !matches!(kind, SOCK_RAW | SOCK_DGRAM) {
        return Err(Errno::ESOCKTNOSUPPORT.because("netlink sockets have datagrams only"));
    }
    if protocol != 0 {
        return Err(Errno::EPROTONOSUPPORT.because("there is no netlink protocol but NETLINK_ROUTE"));
    }
    Ok(Socket { family: Family::Netlink, ..Socket::new(Kind::Datagram) })
}

/// The netlink socket behind a descriptor.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`, `EINVAL` for other sockets.
pub(crate) fn socket_of(call: &Call, fd: Fd) -> Result<Id<Socket>, Error> {
    let file = call.usable_file(fd)?;
    let FileObject::Socket(id) = call.kernel.files[file].object else {
        return Err(Errno::ENOTSOCK.because("the descriptor is no socket"));
    };
    match call.kernel.sockets[id].family {
        Family::Netlink => Ok(id),
        Family::Unix => Err(Errno::EINVAL.because("the socket is no netlink socket")),
    }
}

/// Sends a message of the kernel's own, if the socket is still open.
pub(crate) fn deliver(kernel: &mut Kernel, to: Id<Socket>, bytes: Vec<u8>) {
    if kernel.sockets.get(to).is_some() {
        let kernel_itself = SocketCredentials { pid: 0, uid: 0, gid: 0 };
        unix::deliver(kernel, to, Message::new(bytes, kernel_itself, to));
    }
}

/// Fails for netlink sockets: what they cannot do.
///
/// # Errors
/// `EOPNOTSUPP`.
pub(super) fn refuse(call: &Call, id: Id<Socket>) -> Result<(), Error> {
    match call.kernel.sockets[id].family {
        Family::Unix => Ok(()),
        Family::Netlink => Err(Errno::EOPNOTSUPP.because("netlink sockets only receive from the kernel here")),
    }
}
