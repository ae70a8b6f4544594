//! Sockets, socket(7): those between processes of one machine, unix(7). Other families are refused with `EAFNOSUPPORT`
//! and reported as unsupported.
//!
//! [`unix`] has the objects: names, connections, queues of messages. [`transfer`] has the operations that send and receive
//! and sleep; [`calls`] the handlers; [`ancillary`] open files and credentials inside messages.

mod accept;
mod address;
mod ancillary;
pub(crate) mod calls;
mod message;
pub mod multiple;
pub(crate) mod netlink;
mod options;
pub mod transfer;
pub mod unix;

pub use accept::{Accept, Connect};
pub use address::{BoundSockets, Name};
pub use message::{Message, Rights};
pub use options::Options;

use crate::fs::FileDescription;
use crate::table::Id;
use abi::Errno;
use abi::socket::SocketCredentials;
use message::Queue;
use std::collections::VecDeque;

/// Between whom a socket moves bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Processes of this machine, unix(7).
    Unix,
    /// The kernel and processes, netlink(7).
    Netlink,
}

/// How a socket moves bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A stream of bytes over a connection.
    Stream,
    /// Datagrams, each to an address or to the one connected to.
    Datagram,
    /// Records over a connection.
    SequencedPacket,
}

impl Kind {
    /// Whether it needs a connection.
    pub fn is_connected_kind(self) -> bool {
        self != Kind::Datagram
    }
}

/// What a socket of a connected kind is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// Nothing yet, or it is a datagram socket.
    Idle,
    /// It waits for connections: those made and not accepted, and how many may be.
    Listening {
        /// The other ends of connections that nobody has accepted.
        pending: VecDeque<Id<Socket>>,
        /// How many there may be, less one.
        backlog: usize,
    },
    /// It has, or had, a peer.
    Connected,
}

/// A socket.
///
/// # Invariants
/// - the peer of a connected kind's peer is the socket itself;
/// - `sent` is what its messages in other sockets' queues weigh.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Between whom.
    pub family: Family,
    /// How it moves bytes.
    pub kind: Kind,
    /// What it is doing.
    pub state: State,
    /// The name it was bound to.
    pub name: Option<Name>,
    /// Who gets what it sends; `None` if there is none, or it is gone.
    pub peer: Option<Id<Socket>>,
    /// The C form of the name of a peer that is gone.
    lost_peer: Option<Vec<u8>>,
    /// Sockets that are connected to this datagram socket, one by one.
    admirers: std::collections::BTreeSet<Id<Socket>>,
    /// What has come and was not received.
    queue: Queue,
    /// Weight of what it has sent and nobody has received.
    sent: usize,
    /// Whether somebody met a full send buffer since there was room last: `SOCKWQ_ASYNC_NOSPACE`.
    wants_room: bool,
    /// shutdown(2) of the receiving half, by this side or the sending half of the peer.
    pub receive_shut: bool,
    /// shutdown(2) of the sending half, by this side or the receiving half of the peer.
    pub send_shut: bool,
    /// `SO_ERROR`.
    pub error: Option<Errno>,
    /// Who made the peer, or bound and listened: `SO_PEERCRED`.
    pub peer_credentials: Option<PeerCredentials>,
    /// Who called listen(2), for those who connect.
    listener_credentials: Option<PeerCredentials>,
    /// setsockopt(2).
    pub options: Options,
}

/// Who was at the other end when a connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Process, user, group.
    pub ids: SocketCredentials,
    /// `SO_PEERGROUPS`.
    pub groups: Vec<u32>,
}

impl Socket {
    /// Bytes of memory that what waits in it keeps.
    pub fn held_bytes(&self) -> u64 {
        (self.queue.bytes() + self.queue.len() * 400) as u64
    }

    /// A socket without name or peer.
    pub fn new(kind: Kind) -> Socket {
        Socket {
            family: Family::Unix,
            kind,
            state: State::Idle,
            name: None,
            peer: None,
            lost_peer: None,
            admirers: Default::default(),
            queue: Queue::default(),
            sent: 0,
            wants_room: false,
            receive_shut: false,
            send_shut: false,
            error: None,
            peer_credentials: None,
            listener_credentials: None,
            options: Options::default(),
        }
    }

    /// Bytes that can be received: `FIONREAD`, unix(7). Of datagrams, those of the first.
    pub fn readable_bytes(&self) -> usize {
        match self.kind {
            Kind::Datagram => self.queue.front().map_or(0, |message| message.remaining().len()),
            _ => self.queue.bytes(),
        }
    }

    /// Weight of what it has sent and nobody has received: `SIOCOUTQ`.
    pub fn unsent_weight(&self) -> usize {
        self.sent
    }

    /// The open files in messages that have come and were not received, once for each time that they are held.
    pub fn files_in_flight(&self) -> impl Iterator<Item = Id<FileDescription>> + '_ {
        self.queue.iter().flat_map(|message| message.rights.iter().copied())
    }

    /// Whether there is room to send: unix_writable() of Linux's net/unix/af_unix.c.
    fn is_writable(&self) -> bool {
        !matches!(self.state, State::Listening { .. }) && self.sent * 4 <= self.options.send_buffer
    }
}
