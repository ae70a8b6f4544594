//! Handlers of socket calls.

use super::ancillary::{self, Ancillary};
use super::transfer::{Receive, Received, Send, Wanted, socket_of};
use super::{Accept, Connect, Kind, Socket, address, netlink, options, unix};
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::calls::transfer;
use crate::fs::{Fd, FileDescription, FileObject, ops};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserBuffer, UserPtr, UserSlice};
use abi::fcntl::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use abi::socket::*;
use abi::{Errno, Error};

/// Which kind a type argument means, and the flags of the new descriptor.
fn kind_and_flags(call: &mut Call, family: i32, kind: i32, protocol: i32) -> Result<(Kind, u32), Error> {
    if kind & !(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.because("`type` has unknown flags"));
    }
    if !(0..AF_MAX).contains(&family) {
        return Err(Errno::EAFNOSUPPORT.because("there is no such address family"));
    }
    if !(0..SOCK_MAX).contains(&(kind & SOCK_TYPE_MASK)) {
        return Err(Errno::EINVAL.because("there is no such socket type"));
    }
    if family != i32::from(AF_UNIX) {
        call.kernel.unsupported(match family as u16 {
            AF_INET => "sockets of the family AF_INET",
            AF_INET6 => "sockets of the family AF_INET6",
            AF_NETLINK => "sockets of the family AF_NETLINK",
            AF_PACKET => "sockets of the family AF_PACKET",
            _ => "sockets of another family than AF_UNIX",
        });
        return Err(Errno::EAFNOSUPPORT.because("belljar has sockets of the family AF_UNIX only"));
    }
    if protocol != 0 && protocol != i32::from(AF_UNIX) {
        return Err(Errno::EPROTONOSUPPORT.because("Unix sockets have one protocol"));
    }
    let flags = kind as u32 & (O_CLOEXEC | O_NONBLOCK);
    match kind & SOCK_TYPE_MASK {
        SOCK_STREAM => Ok((Kind::Stream, flags)),
        // "Believe it or not BSD has AF_UNIX, SOCK_RAW though nothing uses it": unix_create().
        SOCK_DGRAM | SOCK_RAW => Ok((Kind::Datagram, flags)),
        SOCK_SEQPACKET => Ok((Kind::SequencedPacket, flags)),
        _ => Err(Errno::ESOCKTNOSUPPORT.because("Unix sockets have no such type")),
    }
}

/// socket(2).
pub(crate) fn socket(call: &mut Call, family: i32, kind: i32, protocol: i32) -> SysResult {
    let is_netlink = family == i32::from(AF_NETLINK) && kind & !(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK) == 0;
    let (socket, flags) = if is_netlink {
        let flags = kind as u32 & (O_CLOEXEC | O_NONBLOCK);
        (netlink::create(call, kind & SOCK_TYPE_MASK, protocol)?, flags)
    } else {
        let (kind, flags) = kind_and_flags(call, family, kind, protocol)?;
        (Socket::new(kind), flags)
    };
    let id = call.kernel.sockets.insert(socket);
    let fd = call.open_object(FileObject::Socket(id), O_RDWR | flags)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// socketpair(2).
pub(crate) fn socketpair(call: &mut Call, family: i32, kind: i32, protocol: i32, to: UserPtr<[i32; 2]>) -> SysResult {
    let (kind, flags) = kind_and_flags(call, family, kind, protocol)?;
    let (first, second) = unix::create_pair(call, kind);
    let second_file =
        call.kernel.files.insert(FileDescription::new(FileObject::Socket(second), O_RDWR | flags & !O_CLOEXEC));
    let first = match call.open_object(FileObject::Socket(first), O_RDWR | flags) {
        Ok(fd) => fd,
        Err(error) => {
            call.release_file(second_file);
            return Err(error);
        }
    };
    let written = call.install_fd(second_file, flags & O_CLOEXEC != 0).and_then(|second| {
        let written = call.write(to, &[first.0, second.0]);
        if written.is_err() {
            call.close_fd(second)?;
        }
        written
    });
    if let Err(error) = written {
        call.close_fd(first)?;
        return Err(error);
    }
    Flow::OK
}

/// The open file and the socket behind a descriptor.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`.
fn find(call: &Call, fd: Fd) -> Result<(Id<FileDescription>, Id<Socket>), Error> {
    let file = call.usable_file(fd)?;
    Ok((file, socket_of(call, file)?))
}

/// As [`find`], for what netlink sockets cannot do.
///
/// # Errors
/// `EOPNOTSUPP` besides.
fn find_unix(call: &Call, fd: Fd) -> Result<(Id<FileDescription>, Id<Socket>), Error> {
    let (file, socket) = find(call, fd)?;
    netlink::refuse(call, socket)?;
    Ok((file, socket))
}

/// bind(2).
pub(crate) fn bind(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: i32) -> SysResult {
    let (_, socket) = find_unix(call, fd)?;
    let address = address::read(call, name, length)?;
    unix::bind(call, socket, address)?;
    Flow::OK
}

/// listen(2).
pub(crate) fn listen(call: &mut Call, fd: Fd, backlog: i32) -> SysResult {
    let (_, socket) = find_unix(call, fd)?;
    unix::listen(call, socket, backlog)?;
    Flow::OK
}

/// connect(2).
pub(crate) fn connect(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: i32) -> SysResult {
    let (file, socket) = find_unix(call, fd)?;
    let address = address::read(call, name, length)?;
    if call.kernel.sockets[socket].kind == Kind::Datagram {
        let dissolves = matches!(address, address::Address::Other(AF_UNSPEC));
        unix::associate(call, socket, if dissolves { None } else { Some(&address) })?;
        return Flow::OK;
    }
    let deadline = send_deadline(call, socket);
    let file = call.hold(file);
    ops::start(call, Connect { file, socket, address, deadline })
}

/// accept(2).
pub(crate) fn accept(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) -> SysResult {
    accept4(call, fd, name, length, 0)
}

/// accept4(2).
pub(crate) fn accept4(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>, flags: i32) -> SysResult {
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let (file, socket) = find_unix(call, fd)?;
    if call.kernel.sockets[socket].kind == Kind::Datagram {
        return Err(Errno::EOPNOTSUPP.because("datagram sockets do not listen"));
    }
    let deadline = receive_deadline(call, socket);
    let file = call.hold(file);
    ops::start(call, Accept { file, socket, name: (name, length), flags: flags as u32, deadline })
}

/// getsockname(2).
pub(crate) fn getsockname(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) -> SysResult {
    let (_, socket) = find_unix(call, fd)?;
    let own = call.kernel.sockets[socket].name.as_ref().map_or_else(address::unnamed, |name| name.bytes.clone());
    address::write(call, &own, name, length)?;
    Flow::OK
}

/// getpeername(2).
pub(crate) fn getpeername(call: &mut Call, fd: Fd, name: UserPtr<u8>, length: UserPtr<i32>) -> SysResult {
    let (_, socket) = find_unix(call, fd)?;
    let Some(peer) = unix::peer_name(call.kernel, socket) else {
        return Err(Errno::ENOTCONN.because("the socket has no peer"));
    };
    address::write(call, &peer, name, length)?;
    Flow::OK
}

/// shutdown(2).
pub(crate) fn shutdown(call: &mut Call, fd: Fd, how: i32) -> SysResult {
    let (_, socket) = find(call, fd)?;
    if !(SHUT_RD..=SHUT_RDWR).contains(&how) {
        return Err(Errno::EINVAL.because("`how` is none of the three"));
    }
    unix::shutdown(call.kernel, socket, how != SHUT_WR, how != SHUT_RD);
    Flow::OK
}

/// setsockopt(2).
pub(crate) fn setsockopt(
    call: &mut Call,
    fd: Fd,
    level: i32,
    option: i32,
    from: UserPtr<u8>,
    length: i32,
) -> SysResult {
    let (_, socket) = find(call, fd)?;
    options::set(call, socket, level, option, from, length)
}

/// getsockopt(2).
pub(crate) fn getsockopt(
    call: &mut Call,
    fd: Fd,
    level: i32,
    option: i32,
    to: UserPtr<u8>,
    length: UserPtr<i32>,
) -> SysResult {
    let (_, socket) = find(call, fd)?;
    options::get(call, socket, level, option, to, length)
}

fn deadline(call: &Call, timeout_ns: u64) -> Option<Instant> {
    (timeout_ns > 0).then(|| call.kernel.clock.now().after(timeout_ns))
}

fn send_deadline(call: &Call, socket: Id<Socket>) -> Option<Instant> {
    deadline(call, call.kernel.sockets[socket].options.send_timeout_ns)
}

fn receive_deadline(call: &Call, socket: Id<Socket>) -> Option<Instant> {
    deadline(call, call.kernel.sockets[socket].options.receive_timeout_ns)
}

/// write(2) and its kin on a socket.
pub(crate) fn write(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    from: UserBuffer,
    nowait: bool,
) -> SysResult {
    let deadline = send_deadline(call, socket);
    let (file, ancillary) = (call.hold(file), Ancillary::default());
    let flags = if nowait { MSG_DONTWAIT } else { 0 };
    ops::start(call, Send { file, socket, from, to: None, ancillary, flags, done: 0, deadline })
}

/// read(2) and its kin on a socket. Nothing is received into an empty buffer: sock_read_iter() of Linux's net/socket.c.
pub(crate) fn read(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    to: UserBuffer,
    nowait: bool,
) -> SysResult {
    if to.remaining() == 0 {
        return Flow::OK;
    }
    let receive = receive(call, file, socket, to, Wanted::Bytes, if nowait { MSG_DONTWAIT } else { 0 });
    ops::start(call, receive)
}

/// sendto(2).
pub(crate) fn sendto(
    call: &mut Call,
    fd: Fd,
    buffer: UserSlice,
    flags: u32,
    name: UserPtr<u8>,
    length: i32,
) -> SysResult {
    let (file, socket) = find_unix(call, fd)?;
    let to = if name.is_null() { None } else { Some(address::read(call, name, length)?) };
    let deadline = send_deadline(call, socket);
    let file = call.hold(file);
    let ancillary = Ancillary::default();
    ops::start(call, Send { file, socket, from: buffer.into(), to, ancillary, flags, done: 0, deadline })
}

/// recvfrom(2).
pub(crate) fn recvfrom(
    call: &mut Call,
    fd: Fd,
    buffer: UserSlice,
    flags: u32,
    name: UserPtr<u8>,
    length: UserPtr<i32>,
) -> SysResult {
    let (file, socket) = find(call, fd)?;
    let receive = receive(call, file, socket, buffer.into(), Wanted::Name(name, length), flags);
    ops::start(call, receive)
}

fn receive(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    to: UserBuffer,
    wanted: Wanted,
    flags: u32,
) -> Receive {
    let deadline = receive_deadline(call, socket);
    let file = call.hold(file);
    let received = Received::default();
    Receive { file, socket, to, wanted, flags, done: 0, received, deadline }
}

/// The pieces of a message.
fn pieces(call: &mut Call, header: &MessageHeader) -> Result<UserBuffer, Error> {
    if header.piece_count > UIO_MAXIOV {
        return Err(Errno::EMSGSIZE.because("`msg_iovlen` is above 1,024"));
    }
    transfer::read_vector(call, UserPtr::new(header.pieces), header.piece_count)
}

/// sendmsg(2).
pub(crate) fn sendmsg(call: &mut Call, fd: Fd, message: UserPtr<MessageHeader>, flags: u32) -> SysResult {
    let (file, socket) = find_unix(call, fd)?;
    let send = prepare_send(call, file, socket, message, flags)?;
    ops::start(call, send)
}

/// What sendmsg(2) does; holds the file anew.
pub(super) fn prepare_send(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    message: UserPtr<MessageHeader>,
    flags: u32,
) -> Result<Send, Error> {
    let header = call.read(message)?;
    if header.name_length < 0 {
        return Err(Errno::EINVAL.because("`msg_namelen` is negative"));
    }
    let from = pieces(call, &header)?;
    let to = match header.name {
        0 => None,
        _ if header.name_length == 0 => None,
        name => Some(address::read(call, UserPtr::new(name), header.name_length.min(MAX_NAME_SIZE as i32))?),
    };
    let ancillary = ancillary::read(call, header.control, header.control_length)?;
    let deadline = send_deadline(call, socket);
    let file = call.hold(file);
    Ok(Send { file, socket, from, to, ancillary, flags, done: 0, deadline })
}

/// recvmsg(2).
pub(crate) fn recvmsg(call: &mut Call, fd: Fd, message: UserPtr<MessageHeader>, flags: u32) -> SysResult {
    let (file, socket) = find(call, fd)?;
    let receive = prepare_receive(call, file, socket, message, flags)?;
    ops::start(call, receive)
}

/// What recvmsg(2) does; holds the file anew.
pub(super) fn prepare_receive(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    message: UserPtr<MessageHeader>,
    flags: u32,
) -> Result<Receive, Error> {
    let header = call.read(message)?;
    if header.name_length < 0 {
        return Err(Errno::EINVAL.because("`msg_namelen` is negative"));
    }
    let to = pieces(call, &header)?;
    Ok(receive(call, file, socket, to, Wanted::Header(message), flags))
}
