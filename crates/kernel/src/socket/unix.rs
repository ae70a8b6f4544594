//! Sockets between processes of one machine, unix(7): names, connections, delivery, the end. net/unix/af_unix.c.

use super::address::{Address, Name};
use super::message::Message;
use super::{Kind, PeerCredentials, Socket, State, address};
use crate::entry::Call;
use crate::fs::poll::Readiness;
use crate::fs::signal_driven::{self, News, Source};
use crate::fs::{Fd, InodeKind, open, path, permission};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Keys, WaitKey};
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use abi::socket::SocketCredentials;
use abi::stat::S_IFSOCK;
use abi::{Errno, Error};
use std::collections::VecDeque;

/// Messages that may wait in a datagram socket's queue before senders have to wait, less one:
/// `/proc/sys/net/unix/max_dgram_qlen`.
pub const MAX_DATAGRAMS: usize = 10;

/// Who the caller is, for its peers.
pub(super) fn own_credentials(call: &Call) -> PeerCredentials {
    PeerCredentials { ids: own_ids(call), groups: call.credentials().groups.clone() }
}

/// Makes two sockets that are connected with each other: socketpair(2).
pub(super) fn create_pair(call: &mut Call, kind: Kind) -> (Id<Socket>, Id<Socket>) {
    let credentials = own_credentials(call);
    let state = || if kind.is_connected_kind() { State::Connected } else { State::Idle };
    let socket = || Socket { state: state(), peer_credentials: Some(credentials.clone()), ..Socket::new(kind) };
    let sockets = &mut call.kernel.sockets;
    let (first, second) = (sockets.insert(socket()), sockets.insert(socket()));
    set_peer(call.kernel, first, second);
    set_peer(call.kernel, second, first);
    (first, second)
}

fn set_peer(kernel: &mut Kernel, id: Id<Socket>, peer: Id<Socket>) {
    kernel.sockets[id].peer = Some(peer);
    if kernel.sockets[id].kind == Kind::Datagram {
        kernel.sockets[peer].admirers.insert(id);
    }
}

/// bind(2).
///
/// # Errors
/// `EINVAL` if it has a name already or the address is of another family, `EADDRINUSE`, those of making a file.
pub(super) fn bind(call: &mut Call, id: Id<Socket>, to: Address) -> Result<(), Error> {
    let is_bound = call.kernel.sockets[id].name.is_some();
    let already = Errno::EINVAL.because("the socket has a name already");
    match to {
        Address::Other(_) => Err(Errno::EINVAL.because("the address is not of the socket's family")),
        // "If a socket is bound already, autobinding it has no effect": unix_autobind().
        Address::Unnamed if is_bound => Ok(()),
        Address::Unnamed => bind_automatically(call, id),
        Address::Abstract(_) if is_bound => Err(already),
        Address::Abstract(name) => bind_abstract(call, id, &name),
        Address::Path(path) => bind_path(call, id, &path, if is_bound { Some(already) } else { None }),
    }
}

fn bind_abstract(call: &mut Call, id: Id<Socket>, name: &[u8]) -> Result<(), Error> {
    let key = (call.kernel.sockets[id].kind, name.to_vec());
    let bound = &mut call.kernel.bound_sockets.by_name;
    if bound.contains_key(&key) {
        return Err(Errno::EADDRINUSE.because("another socket has the abstract name"));
    }
    bound.insert(key, id);
    call.kernel.sockets[id].name = Some(Name::of_abstract(name));
    Ok(())
}

/// Chooses an abstract name of five hexadecimal digits, unix(7) "Autobind feature".
fn bind_automatically(call: &mut Call, id: Id<Socket>) -> Result<(), Error> {
    const NAMES: u32 = 1 << 20;
    for _ in 0..NAMES {
        let next = &mut call.kernel.bound_sockets.next_automatic;
        *next = (*next + 1) % NAMES;
        let name = format!("{next:05x}");
        if bind_abstract(call, id, name.as_bytes()).is_ok() {
            return Ok(());
        }
    }
    Err(Errno::ENOSPC.because("all automatic names are in use"))
}

fn bind_path(call: &mut Call, id: Id<Socket>, path: &[u8], already_bound: Option<Error>) -> Result<(), Error> {
    let found = path::walk(call, Fd::WORKING_DIRECTORY, path, path::Follow::No, 0)?;
    if found.node.is_some() || found.last != path::Last::Name {
        return Err(Errno::EADDRINUSE.because("the path exists"));
    }
    if let Some(error) = already_bound {
        return Err(error);
    }
    let node = open::make(call, &found, S_IFSOCK | 0o777, InodeKind::Socket, 0)?;
    let inode = call.kernel.vfs.nodes[node].inode;
    call.kernel.retain_inode(inode);
    call.kernel.bound_sockets.by_inode.insert(inode, id);
    call.kernel.sockets[id].name = Some(Name::of_file(path, inode));
    Ok(())
}

/// Finds the socket that an address names, for connect(2) and sendto(2).
///
/// # Errors
/// `ECONNREFUSED` if nobody is bound there, `EPROTOTYPE` if it is of another kind, `EINVAL` for other families, those of
/// path resolution, `EACCES` without permission to write to the file.
pub(super) fn find(call: &mut Call, kind: Kind, address: &Address) -> Result<Id<Socket>, Error> {
    let refused = Errno::ECONNREFUSED.because("no socket is bound to the address");
    match address {
        Address::Other(_) | Address::Unnamed => Err(Errno::EINVAL.because("the address names no socket")),
        Address::Abstract(name) => {
            let bound = &call.kernel.bound_sockets.by_name;
            bound.get(&(kind, name.clone())).copied().ok_or(refused)
        }
        Address::Path(path) => {
            let node = path::resolve(call, Fd::WORKING_DIRECTORY, path, path::Follow::Yes)?;
            call.subject().check(call.kernel.inode(node), permission::WRITE)?;
            if !matches!(call.kernel.inode(node).kind, InodeKind::Socket) {
                return Err(Errno::ECONNREFUSED.because("the file is no socket"));
            }
            let inode = call.kernel.vfs.nodes[node].inode;
            let socket = call.kernel.bound_sockets.by_inode.get(&inode).copied().ok_or(refused)?;
            if call.kernel.sockets[socket].kind != kind {
                return Err(Errno::EPROTOTYPE.because("the socket at the path is of another type"));
            }
            Ok(socket)
        }
    }
}

/// listen(2).
///
/// # Errors
/// `EOPNOTSUPP` for datagrams, `EINVAL` without a name or with a peer.
pub(super) fn listen(call: &mut Call, id: Id<Socket>, backlog: i32) -> Result<(), Error> {
    let credentials = own_credentials(call);
    let socket = &mut call.kernel.sockets[id];
    if !socket.kind.is_connected_kind() {
        return Err(Errno::EOPNOTSUPP.because("datagram sockets do not listen"));
    }
    if socket.name.is_none() {
        return Err(Errno::EINVAL.because("the socket has no name"));
    }
    let backlog = (backlog as u32).min(abi::socket::SOMAXCONN as u32) as usize;
    match &mut socket.state {
        State::Connected => return Err(Errno::EINVAL.because("the socket is connected")),
        State::Listening { backlog: before, .. } => *before = backlog,
        State::Idle => socket.state = State::Listening { pending: VecDeque::new(), backlog },
    }
    socket.listener_credentials = Some(credentials);
    call.kernel.wake(WaitKey::SocketRoom(id));
    Ok(())
}

/// What an attempt to connect gave.
pub(super) enum Attempt {
    /// It is connected.
    Connected,
    /// The listener has as many unaccepted connections as it wants: sleep on this.
    Full(WaitKey),
}

/// connect(2) of a connected kind: the connection is there before anybody accepts it.
///
/// # Errors
/// `EISCONN`, `EINVAL` for one that listens, `ECONNREFUSED`, those of [`find`].
pub(super) fn connect(call: &mut Call, id: Id<Socket>, address: &Address) -> Result<Attempt, Error> {
    let kind = call.kernel.sockets[id].kind;
    let listener = find(call, kind, address)?;
    let target = &call.kernel.sockets[listener];
    let State::Listening { pending, backlog } = &target.state else {
        return Err(Errno::ECONNREFUSED.because("the socket at the address does not listen"));
    };
    if target.receive_shut {
        return Err(Errno::ECONNREFUSED.because("the socket at the address is shut down"));
    }
    if pending.len() > *backlog {
        return Ok(Attempt::Full(WaitKey::SocketRoom(listener)));
    }
    match &call.kernel.sockets[id].state {
        State::Idle => {}
        State::Connected => return Err(Errno::EISCONN.because("the socket is connected already")),
        State::Listening { .. } => return Err(Errno::EINVAL.because("the socket listens")),
    }
    let own = own_credentials(call);
    let target = &call.kernel.sockets[listener];
    let listener_credentials = target.listener_credentials.clone();
    let accepted = Socket {
        state: State::Connected,
        name: target.name.as_ref().map(|name| Name { bytes: name.bytes.clone(), inode: None }),
        peer_credentials: Some(own),
        options: super::Options { pass_credentials: target.options.pass_credentials, ..Default::default() },
        ..Socket::new(kind)
    };
    let accepted = call.kernel.sockets.insert(accepted);
    let socket = &mut call.kernel.sockets[id];
    socket.state = State::Connected;
    socket.peer_credentials = listener_credentials;
    set_peer(call.kernel, id, accepted);
    set_peer(call.kernel, accepted, id);
    if let State::Listening { pending, .. } = &mut call.kernel.sockets[listener].state {
        pending.push_back(accepted);
    }
    signal_driven::tell_receiver(call.kernel, listener, News::Readable);
    call.kernel.wake(WaitKey::SocketReadable(listener));
    call.kernel.wake(WaitKey::SocketWritable(id));
    Ok(Attempt::Connected)
}

/// connect(2) of a datagram socket: where its datagrams go, and whom it hears. `None` dissolves it.
///
/// # Errors
/// `EPERM` if the other is connected to a third one, those of [`find`].
pub(super) fn associate(call: &mut Call, id: Id<Socket>, address: Option<&Address>) -> Result<(), Error> {
    let target = match address {
        Some(address) => Some(find(call, Kind::Datagram, address)?),
        None => None,
    };
    if let Some(target) = target {
        check_hears(call.kernel, target, id)?;
    }
    let credentials = own_credentials(call);
    dissociate(call.kernel, id);
    let socket = &mut call.kernel.sockets[id];
    socket.lost_peer = None;
    socket.peer_credentials = target.map(|_| credentials);
    if let Some(target) = target {
        set_peer(call.kernel, id, target);
    }
    call.kernel.wake(WaitKey::SocketWritable(id));
    Ok(())
}

/// A datagram socket that is connected hears its peer only: unix_may_send().
pub(super) fn check_hears(kernel: &Kernel, target: Id<Socket>, sender: Id<Socket>) -> Result<(), Error> {
    match kernel.sockets[target].peer {
        Some(peer) if peer != sender => Err(Errno::EPERM.because("the socket is connected to another one")),
        _ => Ok(()),
    }
}

fn dissociate(kernel: &mut Kernel, id: Id<Socket>) {
    if let Some(peer) = kernel.sockets[id].peer.take()
        && let Some(peer) = kernel.sockets.get_mut(peer)
    {
        peer.admirers.remove(&id);
    }
}

/// Takes the oldest connection that nobody has accepted.
///
/// # Errors
/// `EINVAL` if the socket does not listen, or was shut down.
pub(super) fn accept(kernel: &mut Kernel, id: Id<Socket>) -> Result<Option<Id<Socket>>, Error> {
    let socket = &mut kernel.sockets[id];
    let was_shut = socket.receive_shut;
    let State::Listening { pending, .. } = &mut socket.state else {
        return Err(Errno::EINVAL.because("the socket does not listen"));
    };
    match pending.pop_front() {
        Some(accepted) => {
            kernel.wake(WaitKey::SocketRoom(id));
            Ok(Some(accepted))
        }
        None if was_shut => Err(Errno::EINVAL.because("the listening socket was shut down")),
        None => Ok(None),
    }
}

/// Puts a message into a socket's queue; it fills the sender's buffer until it is received.
pub(super) fn deliver(kernel: &mut Kernel, to: Id<Socket>, message: Message) {
    let (sender, weight) = message.charged;
    kernel.sockets[sender].sent += weight;
    let bytes = message.remaining().len();
    kernel.sockets[to].queue.push(message);
    // Whoever sends next meets the bound.
    crate::structures::grow(kernel, bytes as u64);
    kernel.emit(crate::event::Event::SocketSent { from: sender, to, bytes });
    signal_driven::tell_receiver(kernel, to, News::Readable);
    kernel.wake(WaitKey::SocketReadable(to));
}

/// A message has left its queue: its sender has room again.
pub(super) fn discharge(kernel: &mut Kernel, from: Id<Socket>, message: &Message) {
    let (sender, weight) = message.charged;
    if let Some(socket) = kernel.sockets.get_mut(sender) {
        socket.sent -= weight;
        if socket.is_writable() {
            let wanted_room = std::mem::take(&mut socket.wants_room);
            kernel.wake(WaitKey::SocketWritable(sender));
            if wanted_room {
                signal_driven::tell(kernel, Source::Socket(sender), News::Writable);
            }
        }
    }
    if kernel.sockets[from].kind == Kind::Datagram {
        kernel.wake(WaitKey::SocketRoom(from));
    }
}

/// Closes halves of a connection: shutdown(2).
///
/// # Errors
/// `ENOTCONN` cannot happen: Unix sockets may be shut down in any state.
pub(super) fn shutdown(kernel: &mut Kernel, id: Id<Socket>, receiving: bool, sending: bool) {
    let socket = &mut kernel.sockets[id];
    socket.receive_shut |= receiving;
    socket.send_shut |= sending;
    let peer = socket.peer.filter(|_| socket.kind.is_connected_kind());
    if let Some(peer) = peer {
        let other = &mut kernel.sockets[peer];
        other.receive_shut |= sending;
        other.send_shut |= receiving;
        match (sending, receiving) {
            (true, true) => signal_driven::tell_receiver(kernel, peer, News::HungUp),
            (true, false) => signal_driven::tell_receiver(kernel, peer, News::Readable),
            (false, _) => {}
        }
    }
    for changed in [Some(id), peer].into_iter().flatten() {
        kernel.wake(WaitKey::SocketReadable(changed));
        kernel.wake(WaitKey::SocketWritable(changed));
    }
    kernel.wake(WaitKey::SocketRoom(id));
}

/// The last description of a socket is gone: unix_release_sock().
pub(crate) fn close(kernel: &mut Kernel, id: Id<Socket>) {
    release(kernel, id, Embryo::No);
}

/// Whether the socket is a connection that nobody accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Embryo {
    Yes,
    No,
}

fn release(kernel: &mut Kernel, id: Id<Socket>, embryo: Embryo) {
    let has_unread = !kernel.sockets[id].queue.is_empty();
    let name = kernel.sockets[id].name.as_ref().map_or_else(address::unnamed, |name| name.bytes.clone());
    if kernel.sockets[id].kind.is_connected_kind()
        && let Some(peer) = kernel.sockets[id].peer.take()
    {
        let other = &mut kernel.sockets[peer];
        other.peer = None;
        other.lost_peer = Some(name.clone());
        other.receive_shut = true;
        other.send_shut = true;
        if has_unread || embryo == Embryo::Yes {
            other.error = Some(Errno::ECONNRESET);
        }
        signal_driven::tell_receiver(kernel, peer, News::HungUp);
        kernel.wake(WaitKey::SocketReadable(peer));
        kernel.wake(WaitKey::SocketWritable(peer));
    }
    dissociate(kernel, id);
    for admirer in std::mem::take(&mut kernel.sockets[id].admirers) {
        let other = &mut kernel.sockets[admirer];
        other.peer = None;
        other.lost_peer = Some(name.clone());
        kernel.wake(WaitKey::SocketWritable(admirer));
    }
    if let State::Listening { pending, .. } = &mut kernel.sockets[id].state {
        for accepted in std::mem::take(pending) {
            release(kernel, accepted, Embryo::Yes);
        }
    }
    while let Some(message) = kernel.sockets[id].queue.pop() {
        discharge(kernel, id, &message);
        // Files that nobody received are closed when the present close is over: one may hold a socket that holds the next.
        kernel.files_in_flight_dropped.extend(message.rights);
    }
    kernel.wake(WaitKey::SocketRoom(id));
    let socket = kernel.sockets.remove(id);
    forget_name(kernel, id, &socket);
}

fn forget_name(kernel: &mut Kernel, id: Id<Socket>, socket: &Socket) {
    let Some(name) = &socket.name else { return };
    if let Some(inode) = name.inode {
        kernel.bound_sockets.by_inode.remove(&inode);
        kernel.release_inode(inode);
    } else if let Some(name) = name.as_abstract() {
        let key = (socket.kind, name.to_vec());
        if kernel.bound_sockets.by_name.get(&key) == Some(&id) {
            kernel.bound_sockets.by_name.remove(&key);
        }
    }
}

/// unix_poll() and unix_dgram_poll().
pub fn poll(kernel: &Kernel, id: Id<Socket>) -> Readiness {
    let socket = &kernel.sockets[id];
    let mut events = 0;
    let mut keys = Keys::Two([WaitKey::SocketReadable(id), WaitKey::SocketWritable(id)]);
    if socket.error.is_some() {
        events |= POLLERR;
    }
    if socket.receive_shut && socket.send_shut {
        events |= POLLHUP;
    }
    if socket.receive_shut {
        events |= POLLRDHUP | POLLIN | POLLRDNORM;
    }
    let has_pending = matches!(&socket.state, State::Listening { pending, .. } if !pending.is_empty());
    if !socket.queue.is_empty() || has_pending {
        events |= POLLIN | POLLRDNORM;
    }
    if socket.kind.is_connected_kind() && matches!(socket.state, State::Idle) {
        events |= POLLHUP;
    }
    let mut writable = socket.is_writable();
    if socket.kind == Kind::Datagram
        && let Some(peer) = socket.peer
    {
        writable &= !is_crowded(kernel, peer, id);
        keys.push(WaitKey::SocketRoom(peer));
    }
    if writable {
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    }
    Readiness::new(events, keys)
}

/// Whether a sender of datagrams has to wait for the receiver to take some.
pub(super) fn is_crowded(kernel: &Kernel, receiver: Id<Socket>, sender: Id<Socket>) -> bool {
    let other = &kernel.sockets[receiver];
    receiver != sender && other.peer != Some(sender) && other.queue.len() > MAX_DATAGRAMS
}

/// The caller's credentials as messages carry them.
pub(super) fn own_ids(call: &Call) -> SocketCredentials {
    let own = call.credentials();
    let pid = call.kernel.processes[call.process_id()].pid;
    SocketCredentials { pid, uid: own.euid, gid: own.egid }
}

/// The C form of a peer's name: getpeername(2). `None`: there is no peer.
pub(super) fn peer_name(kernel: &Kernel, id: Id<Socket>) -> Option<Vec<u8>> {
    let socket = &kernel.sockets[id];
    match socket.peer {
        Some(peer) => {
            let name = kernel.sockets[peer].name.as_ref();
            Some(name.map_or_else(address::unnamed, |name| name.bytes.clone()))
        }
        None => socket.lost_peer.clone(),
    }
}

/// `SIOCOUTQ`, ioctl(2): the weight of what was sent and not received.
const SIOCOUTQ: u32 = 0x5411;
/// `SIOCINQ`, that is `FIONREAD`: bytes that can be received.
const SIOCINQ: u32 = 0x541b;

/// ioctl(2), unix(7).
///
/// # Errors
/// `EINVAL` for `SIOCINQ` on a socket that listens, `ENOTTY` for other requests, `EFAULT`.
pub(crate) fn control(call: &mut Call, id: Id<Socket>, request: u32, argument: u64) -> SysResult {
    let socket = &call.kernel.sockets[id];
    let value = match request {
        SIOCOUTQ => socket.unsent_weight(),
        SIOCINQ if matches!(socket.state, State::Listening { .. }) => {
            return Err(Errno::EINVAL.because("the socket listens"));
        }
        SIOCINQ => socket.readable_bytes(),
        _ => return Err(Errno::ENOTTY.because("Unix sockets do not know this request")),
    };
    call.write(UserPtr::new(argument), &(value as i32))?;
    Flow::OK
}
