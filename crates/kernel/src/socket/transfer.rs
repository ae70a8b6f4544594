//! Sending and receiving: send(2), recv(2) and their kin, as operations that sleep.

use super::address::{self, Address};
use super::ancillary::{self, Ancillary};
use super::message::{Message, Rights};
use super::unix;
use super::{Kind, Socket, State};
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::{FileDescription, FileObject, Transfer};
use crate::structures::{self, Room};
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::{UserBuffer, UserPtr};
use crate::wait::{Keys, Wait, WaitKey};
use abi::socket::{
    MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MessageHeader, SocketCredentials,
};
use abi::{Errno, Error};

/// The largest part of a stream that becomes one message: `SKB_MAX_HEAD(0) + UNIX_SKB_FRAGS_SZ` of af_unix.c.
const MAX_STREAM_PART: usize = 3776 + 32768;

/// send(2), sendto(2), sendmsg(2), write(2): until all bytes have gone.
#[derive(Clone, Debug)]
pub struct Send {
    /// The socket's open file, held.
    pub file: Id<FileDescription>,
    /// The socket.
    pub socket: Id<Socket>,
    /// What is left.
    pub from: UserBuffer,
    /// To whom, instead of the peer.
    pub to: Option<Address>,
    /// Open files (held) and credentials that go with the first bytes.
    pub ancillary: Ancillary,
    /// `MSG_` flags.
    pub flags: u32,
    /// Bytes that have gone.
    pub done: u64,
    /// `SO_SNDTIMEO`.
    pub deadline: Option<Instant>,
}

impl Blocking for Send {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        loop {
            match send_part(call, self) {
                Ok(Transfer::Done(count)) => {
                    self.done += count as u64;
                    if self.from.remaining() == 0 {
                        return Ok(Step::Done(self.done));
                    }
                }
                Ok(Transfer::WouldBlock(keys)) => {
                    if let Some(wait) = may_sleep(call, self.file, self.flags, self.deadline, keys) {
                        return Ok(Step::Block(wait));
                    }
                    if self.done > 0 {
                        return Ok(Step::Done(self.done));
                    }
                    return Err(Errno::EAGAIN.because("there is no room, and the call may not sleep"));
                }
                Err(error) => {
                    if error.errno == Errno::EPIPE && self.flags & MSG_NOSIGNAL == 0 && self.is_stream(call) {
                        crate::signal::raise_pipe(call);
                    }
                    return if self.done > 0 { Ok(Step::Done(self.done)) } else { Err(error) };
                }
            }
        }
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 {
            Interrupted::Partial(self.done)
        } else if self.deadline.is_some() {
            // "If a timeout has been set on the socket", signal(7): never restarted.
            Interrupted::NeverNorWhenStopped
        } else {
            Interrupted::RestartIfAllowed
        }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        self.ancillary.rights.iter().copied().chain([self.file]).collect()
    }

    fn release(&mut self, call: &mut Call) {
        for file in self.ancillary.rights.drain(..) {
            call.release_file(file);
        }
        call.release_file(self.file);
    }
}

impl Send {
    fn is_stream(&self, call: &Call) -> bool {
        call.kernel.sockets[self.socket].kind == Kind::Stream
    }
}

/// Whether a call that can do nothing now sleeps, and how.
fn may_sleep(
    call: &Call,
    file: Id<FileDescription>,
    flags: u32,
    deadline: Option<Instant>,
    keys: Keys,
) -> Option<Wait> {
    let nonblocking = flags & MSG_DONTWAIT != 0 || call.kernel.files[file].is_nonblocking();
    let is_over = deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now());
    (!nonblocking && !is_over).then_some(Wait { keys, deadline })
}

/// Sends one message: a whole datagram, or as much of a stream as goes together.
fn send_part(call: &mut Call, send: &mut Send) -> Result<Transfer, Error> {
    super::netlink::refuse(call, send.socket)?;
    if send.flags & MSG_OOB != 0 {
        call.kernel.unsupported("out-of-band data over Unix sockets");
        return Err(Errno::EOPNOTSUPP.because("Unix sockets have no out-of-band data here"));
    }
    if structures::grow(call.kernel, 4096) == Room::None {
        return Err(Errno::ENOBUFS.because("the kernel's structures have half of the machine's memory"));
    }
    let socket = &mut call.kernel.sockets[send.socket];
    if let Some(errno) = socket.error.take() {
        return Err(errno.because("the connection had failed"));
    }
    match socket.kind {
        Kind::Stream => send_stream(call, send),
        Kind::Datagram | Kind::SequencedPacket => send_record(call, send),
    }
}

/// The peer of a connection.
///
/// # Errors
/// `EISCONN` or `EOPNOTSUPP` if there is an address, `ENOTCONN`, `EPIPE`.
fn connected_peer(call: &Call, send: &Send) -> Result<Id<Socket>, Error> {
    let socket = &call.kernel.sockets[send.socket];
    let broken = Errno::EPIPE.because("the connection is shut down for sending, or the peer is gone");
    match socket.peer {
        _ if socket.send_shut => Err(broken),
        Some(peer) => Ok(peer),
        None if socket.lost_peer.is_some() => Err(broken),
        None => Err(Errno::ENOTCONN.because("the socket is not connected")),
    }
}

fn send_stream(call: &mut Call, send: &mut Send) -> Result<Transfer, Error> {
    let socket = &call.kernel.sockets[send.socket];
    if send.to.is_some() {
        return Err(match socket.peer {
            Some(_) => Errno::EISCONN.because("a connected stream takes no address"),
            None => Errno::EOPNOTSUPP.because("a stream takes no address"),
        });
    }
    let peer = connected_peer(call, send)?;
    if send.from.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    let socket = &mut call.kernel.sockets[send.socket];
    if socket.sent >= socket.options.send_buffer {
        socket.wants_room = true;
        return Ok(Transfer::WouldBlock(WaitKey::SocketWritable(send.socket).into()));
    }
    let most = (socket.options.send_buffer / 2).saturating_sub(64).clamp(1, MAX_STREAM_PART);
    let length = send.from.remaining().min(most as u64) as usize;
    post(call, send, peer, length)?;
    Ok(Transfer::Done(length))
}

fn send_record(call: &mut Call, send: &mut Send) -> Result<Transfer, Error> {
    let socket = &call.kernel.sockets[send.socket];
    let (kind, limit) = (socket.kind, socket.options.send_buffer.saturating_sub(32));
    if send.from.remaining() > limit as u64 {
        return Err(Errno::EMSGSIZE.because("the message is larger than the send buffer"));
    }
    let length = send.from.remaining() as usize;
    let peer = match (kind, &send.to) {
        (Kind::SequencedPacket, _) => connected_peer(call, send)?,
        (_, Some(address)) => {
            let address = address.clone();
            let target = unix::find(call, kind, &address)?;
            unix::check_hears(call.kernel, target, send.socket)?;
            target
        }
        (_, None) => associated_peer(call, send.socket)?,
    };
    let socket = &call.kernel.sockets[send.socket];
    if socket.send_shut {
        return Err(Errno::EPIPE.because("the socket was shut down for sending"));
    }
    if socket.sent >= socket.options.send_buffer {
        return Ok(Transfer::WouldBlock(WaitKey::SocketWritable(send.socket).into()));
    }
    if call.kernel.sockets[peer].receive_shut {
        return Err(Errno::EPIPE.because("the receiver was shut down for receiving"));
    }
    if unix::is_crowded(call.kernel, peer, send.socket) {
        return Ok(Transfer::WouldBlock(WaitKey::SocketRoom(peer).into()));
    }
    post(call, send, peer, length)?;
    Ok(Transfer::Done(length))
}

/// Where a datagram without address goes.
///
/// # Errors
/// `ECONNREFUSED` once if the peer is gone, `ENOTCONN`.
fn associated_peer(call: &mut Call, id: Id<Socket>) -> Result<Id<Socket>, Error> {
    let socket = &mut call.kernel.sockets[id];
    match socket.peer {
        Some(peer) => Ok(peer),
        None if socket.lost_peer.take().is_some() => {
            Err(Errno::ECONNREFUSED.because("the socket connected to is gone"))
        }
        None => Err(Errno::ENOTCONN.because("the datagram has no address, and the socket no peer")),
    }
}

/// Copies bytes in and puts them into the peer's queue.
fn post(call: &mut Call, send: &mut Send, peer: Id<Socket>, length: usize) -> Result<(), Error> {
    let bytes = call.gather_vec(&send.from, length)?;
    post_bytes(call, send, peer, bytes);
    send.from.advance(length as u64);
    Ok(())
}

/// Puts bytes into the peer's queue, with what goes with them.
fn post_bytes(call: &mut Call, send: &mut Send, peer: Id<Socket>, bytes: Vec<u8>) {
    let (claimed, own) = (send.ancillary.credentials.take(), unix::own_ids(call));
    let mut message = Message::new(bytes, claimed.unwrap_or(own), send.socket);
    let sender = &call.kernel.sockets[send.socket];
    message.has_credentials =
        claimed.is_some() || sender.options.pass_credentials || call.kernel.sockets[peer].options.pass_credentials;
    if sender.kind == Kind::Datagram {
        message.from = sender.name.as_ref().map(|name| name.bytes.clone());
    }
    message.rights = std::mem::take(&mut send.ancillary.rights);
    unix::deliver(call.kernel, peer, message);
}

/// Sends bytes of the kernel's own, as much as fits now: splice(2), sendfile(2).
///
/// # Errors
/// Those of send(2); the sender of a stream gets SIGPIPE with `EPIPE`.
pub(crate) fn write_bytes(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    bytes: &[u8],
) -> Result<Transfer, Error> {
    let (from, ancillary) = (UserBuffer::new([]), Ancillary::default());
    let mut send = Send { file, socket, from, to: None, ancillary, flags: 0, done: 0, deadline: None };
    let peer = match call.kernel.sockets[socket].kind {
        Kind::Datagram => associated_peer(call, socket),
        _ => connected_peer(call, &send),
    };
    let peer = peer.inspect_err(|error| {
        if error.errno == Errno::EPIPE && send.is_stream(call) {
            crate::signal::raise_pipe(call);
        }
    })?;
    let Socket { sent, options, wants_room, .. } = &mut call.kernel.sockets[socket];
    if *sent >= options.send_buffer {
        *wants_room = true;
        return Ok(Transfer::WouldBlock(WaitKey::SocketWritable(socket).into()));
    }
    let most = (options.send_buffer / 2).saturating_sub(64).clamp(1, MAX_STREAM_PART);
    let length = bytes.len().min(most);
    post_bytes(call, &mut send, peer, bytes[..length].to_vec());
    Ok(Transfer::Done(length))
}

/// The first bytes that have come over a stream, at most `limit`, which stay; or what to wait for: splice(2).
///
/// # Errors
/// `EINVAL` for sockets that are no connected streams.
pub(crate) fn peek_bytes(call: &mut Call, id: Id<Socket>, limit: usize) -> Result<Result<Vec<u8>, Keys>, Error> {
    let socket = &call.kernel.sockets[id];
    if socket.kind != Kind::Stream || !matches!(socket.state, State::Connected) {
        return Err(Errno::EINVAL.because("bytes come from a connected stream"));
    }
    let mut bytes = Vec::new();
    for message in socket.queue.iter() {
        let part = message.remaining();
        bytes.extend_from_slice(&part[..part.len().min(limit - bytes.len())]);
    }
    if bytes.is_empty() && socket.peer.is_some() && !socket.receive_shut {
        return Ok(Err(WaitKey::SocketReadable(id).into()));
    }
    Ok(Ok(bytes))
}

/// Takes the bytes that [`peek_bytes`] showed; open files that came with them are closed.
pub(crate) fn take_bytes(call: &mut Call, id: Id<Socket>, count: usize) {
    let mut left = count;
    while left > 0 {
        let queue = &mut call.kernel.sockets[id].queue;
        let length = queue.front().map_or(0, |message| message.remaining().len()).min(left);
        assert!(length > 0, "no more is taken than there is");
        let rights = queue.take_rights();
        let finished = queue.consume(length);
        left -= length;
        rights.into_iter().for_each(|file| call.release_file(file));
        if let Some(message) = finished {
            unix::discharge(call.kernel, id, &message);
        }
    }
    emit_received(call, id, count as u64);
}

/// recv(2), recvfrom(2), recvmsg(2), read(2).
#[derive(Clone, Debug)]
pub struct Receive {
    /// The socket's open file, held.
    pub file: Id<FileDescription>,
    /// The socket.
    pub socket: Id<Socket>,
    /// Where bytes go.
    pub to: UserBuffer,
    /// What else is wanted.
    pub wanted: Wanted,
    /// `MSG_` flags.
    pub flags: u32,
    /// Bytes of a stream received so far, under `MSG_WAITALL`.
    pub done: u64,
    /// What came with them.
    pub received: Received,
    /// `SO_RCVTIMEO`.
    pub deadline: Option<Instant>,
}

/// What a receiver wants besides bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Bytes,
    /// recvfrom(2): the sender's name, and its length.
    Name(UserPtr<u8>, UserPtr<i32>),
    /// recvmsg(2): name, control messages and flags.
    Header(UserPtr<MessageHeader>),
}

/// What came with received bytes.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The sender's name in its C form.
    pub from: Option<Vec<u8>>,
    /// Who sent it.
    pub credentials: Option<SocketCredentials>,
    /// Open files, held.
    pub rights: Rights,
    /// `MSG_` flags.
    pub flags: u32,
}

impl Blocking for Receive {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        match receive(call, self) {
            Ok(Transfer::Done(count)) => {
                self.tell(call)?;
                Ok(Step::Done(count as u64))
            }
            Ok(Transfer::WouldBlock(keys)) => {
                if let Some(wait) = may_sleep(call, self.file, self.flags, self.deadline, keys) {
                    return Ok(Step::Block(wait));
                }
                if self.done > 0 {
                    self.tell(call)?;
                    return Ok(Step::Done(self.done));
                }
                Err(Errno::EAGAIN.because("nothing has come, and the call may not sleep"))
            }
            Err(_) if self.done > 0 => {
                self.tell(call)?;
                Ok(Step::Done(self.done))
            }
            Err(error) => Err(error),
        }
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 {
            Interrupted::Partial(self.done)
        } else if self.deadline.is_some() {
            Interrupted::NeverNorWhenStopped
        } else {
            Interrupted::RestartIfAllowed
        }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        self.received.rights.iter().copied().chain([self.file]).collect()
    }

    fn release(&mut self, call: &mut Call) {
        for file in self.received.rights.drain(..) {
            call.release_file(file);
        }
        call.release_file(self.file);
    }
}

impl Receive {
    /// Tells what came with the bytes.
    fn tell(&mut self, call: &mut Call) -> Result<(), Error> {
        match self.wanted {
            Wanted::Bytes => Ok(()),
            Wanted::Name(to, _) if to.is_null() => Ok(()),
            Wanted::Name(to, length) => match self.received.from.take() {
                Some(from) => address::write(call, &from, to, length),
                None => call.write(length, &0),
            },
            Wanted::Header(header) => ancillary::tell(call, self.socket, header, &mut self.received, self.flags),
        }
    }
}

/// Receives what is there now.
fn receive(call: &mut Call, receive: &mut Receive) -> Result<Transfer, Error> {
    if receive.flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP.because("Unix sockets have no out-of-band data here"));
    }
    match call.kernel.sockets[receive.socket].kind {
        Kind::Stream => receive_stream(call, receive),
        Kind::Datagram | Kind::SequencedPacket => receive_record(call, receive),
    }
}

/// unix_stream_read_generic().
fn receive_stream(call: &mut Call, receive: &mut Receive) -> Result<Transfer, Error> {
    let id = receive.socket;
    if !matches!(call.kernel.sockets[id].state, State::Connected) {
        return Err(Errno::EINVAL.because("the stream is not connected"));
    }
    let before = receive.done;
    let mut at = 0;
    while receive.to.remaining() > 0 {
        // The queue is ours while bytes are copied to the guest: nothing that a page fault does looks at it.
        let mut queue = std::mem::take(&mut call.kernel.sockets[id].queue);
        let copied = receive_from_front(call, receive, &mut queue, &mut at);
        call.kernel.sockets[id].queue = queue;
        match copied? {
            Next::GoOn(finished) => {
                if let Some(message) = finished {
                    unix::discharge(call.kernel, id, &message);
                }
            }
            Next::Stop(finished) => {
                if let Some(message) = finished {
                    unix::discharge(call.kernel, id, &message);
                }
                break;
            }
            Next::Empty => {
                let socket = &mut call.kernel.sockets[id];
                let enough = receive.done > 0 && (receive.flags & MSG_WAITALL == 0 || receive.flags & MSG_PEEK != 0);
                if enough {
                    break;
                }
                if receive.done == 0
                    && let Some(errno) = socket.error.take()
                {
                    return Err(errno.because("the peer closed the connection with bytes unread"));
                }
                if socket.receive_shut {
                    break;
                }
                emit_received(call, id, receive.done - before);
                return Ok(Transfer::WouldBlock(WaitKey::SocketReadable(id).into()));
            }
        }
    }
    emit_received(call, id, receive.done - before);
    Ok(Transfer::Done(receive.done as usize))
}

fn emit_received(call: &mut Call, socket: Id<Socket>, bytes: u64) {
    if bytes > 0 {
        call.kernel.emit(crate::event::Event::SocketReceived { socket, bytes: bytes as usize });
    }
}

/// How receiving a stream goes on.
enum Next {
    /// With the next message; this one was used up.
    GoOn(Option<Message>),
    /// Not at all: what comes next does not mix with what has come.
    Stop(Option<Message>),
    /// No message is there.
    Empty,
}

/// Receives from one message of a stream: the oldest, or under `MSG_PEEK` the `at`-th.
fn receive_from_front(
    call: &mut Call,
    receive: &mut Receive,
    queue: &mut super::message::Queue,
    at: &mut usize,
) -> Result<Next, Error> {
    let peeks = receive.flags & MSG_PEEK != 0;
    let index = if peeks { *at } else { 0 };
    let Some(message) = queue.get(index) else { return Ok(Next::Empty) };
    let passes = call.kernel.sockets[receive.socket].options.pass_credentials;
    if passes {
        // Bytes of different senders are not mixed if the receiver is told who they are.
        if receive.done > 0 && receive.received.credentials.is_some_and(|known| known != shown(message)) {
            return Ok(Next::Stop(None));
        }
        receive.received.credentials = Some(shown(message));
    }
    let length = message.remaining().len().min(usize::try_from(receive.to.remaining()).unwrap_or(usize::MAX));
    call.scatter(&receive.to, &message.remaining()[..length])?;
    receive.to.advance(length as u64);
    receive.done += length as u64;
    let has_rights = !message.rights.is_empty();
    if peeks {
        *at += 1;
        if has_rights {
            let rights = message.rights.clone();
            receive.received.rights.extend(rights.into_iter().map(|file| call.hold(file)));
        }
        return Ok(if has_rights { Next::Stop(None) } else { Next::GoOn(None) });
    }
    receive.received.rights.extend(queue.take_rights());
    let finished = queue.consume(length);
    Ok(if has_rights { Next::Stop(finished) } else { Next::GoOn(finished) })
}

/// A message's credentials as its receiver sees them: nobody's if neither side asked to pass them when it was sent.
fn shown(message: &Message) -> SocketCredentials {
    const NOBODY: u32 = 65534;
    if message.has_credentials { message.credentials } else { SocketCredentials { pid: 0, uid: NOBODY, gid: NOBODY } }
}

/// unix_dgram_recvmsg().
fn receive_record(call: &mut Call, receive: &mut Receive) -> Result<Transfer, Error> {
    let id = receive.socket;
    let socket = &mut call.kernel.sockets[id];
    if socket.kind == Kind::SequencedPacket && !matches!(socket.state, State::Connected) {
        return Err(Errno::ENOTCONN.because("the socket is not connected"));
    }
    if let Some(errno) = socket.error.take() {
        return Err(errno.because("the peer closed the connection with messages unread"));
    }
    let passes = socket.options.pass_credentials;
    let Some(message) = socket.queue.front() else {
        if socket.receive_shut {
            return Ok(Transfer::Done(0));
        }
        return Ok(Transfer::WouldBlock(WaitKey::SocketReadable(id).into()));
    };
    let whole = message.remaining().len();
    let length = whole.min(usize::try_from(receive.to.remaining()).unwrap_or(usize::MAX));
    let received = &mut receive.received;
    received.from = message.from.clone();
    received.credentials = passes.then(|| shown(message));
    if length < whole {
        received.flags |= MSG_TRUNC;
    }
    let peeks = receive.flags & MSG_PEEK != 0;
    let queue = std::mem::take(&mut socket.queue);
    let copied = match queue.front() {
        Some(message) => call.scatter(&receive.to, &message.remaining()[..length]),
        None => Ok(()),
    };
    call.kernel.sockets[id].queue = queue;
    copied?;
    receive.to.advance(length as u64);
    if peeks {
        let rights = call.kernel.sockets[id].queue.front().map(|message| message.rights.clone()).unwrap_or_default();
        receive.received.rights = rights.into_iter().map(|file| call.hold(file)).collect();
    } else if let Some(mut message) = call.kernel.sockets[id].queue.pop() {
        receive.received.rights = std::mem::take(&mut message.rights);
        unix::discharge(call.kernel, id, &message);
        emit_received(call, id, length as u64);
    }
    Ok(Transfer::Done(if receive.flags & MSG_TRUNC != 0 { whole } else { length }))
}

/// The socket behind an open file.
pub(super) fn socket_of(call: &Call, file: Id<FileDescription>) -> Result<Id<Socket>, Error> {
    match call.kernel.files[file].object {
        FileObject::Socket(id) => Ok(id),
        _ => Err(Errno::ENOTSOCK.because("the descriptor is no socket")),
    }
}

/// Writes to a socket from within the kernel's own transfers, such as sendfile(2): what fits now.
///
/// # Errors
/// Those of send(2).
pub(crate) fn write(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    from: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let ancillary = Ancillary::default();
    let mut send = Send { file, socket, from: from.clone(), to: None, ancillary, flags: 0, done: 0, deadline: None };
    let transfer = send_part(call, &mut send);
    *from = send.from;
    transfer
}

/// Reads from a socket: what is there now.
///
/// # Errors
/// Those of recv(2).
pub(crate) fn read(
    call: &mut Call,
    file: Id<FileDescription>,
    socket: Id<Socket>,
    to: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let received = Received::default();
    let (wanted, buffer) = (Wanted::Bytes, to.clone());
    let mut single = Receive { file, socket, to: buffer, wanted, flags: 0, done: 0, received, deadline: None };
    let transfer = receive(call, &mut single);
    *to = single.to;
    for file in single.received.rights {
        call.release_file(file);
    }
    transfer
}
