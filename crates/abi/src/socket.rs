//! Sockets: families, types, flags, options and structures, socket(2), socket(7), unix(7), cmsg(3).

crate::structure! {
    /// recvmsg(2), `struct msghdr` as the kernel has it.
    pub struct MessageHeader {
        /// Address of the peer's name, 0 if not wanted.
        pub name: u64,
        /// Its size in bytes.
        pub name_length: i32,
        /// Padding.
        pub _pad0: u32,
        /// Address of the array of pieces.
        pub pieces: u64,
        /// How many.
        pub piece_count: u64,
        /// Address of control messages.
        pub control: u64,
        /// Their size in bytes.
        pub control_length: u64,
        /// Flags of a received message.
        pub flags: u32,
        /// Padding.
        pub _pad1: u32,
    }
}

crate::structure! {
    /// recvmmsg(2), `struct mmsghdr`.
    pub struct MultipleMessageHeader {
        /// The message.
        pub header: MessageHeader,
        /// How many bytes went.
        pub length: u32,
        /// Padding.
        pub _pad: u32,
    }
}

crate::structure! {
    /// cmsg(3), `struct cmsghdr`; its data follow.
    pub struct ControlHeader {
        /// Bytes, this header included.
        pub length: u64,
        /// Protocol.
        pub level: i32,
        /// Type.
        pub kind: i32,
    }
}

crate::structure! {
    /// unix(7), `struct ucred`.
    pub struct SocketCredentials {
        /// Process number.
        pub pid: i32,
        /// User.
        pub uid: u32,
        /// Group.
        pub gid: u32,
    }
}

crate::structure! {
    /// socket(7), `struct linger`.
    pub struct Linger {
        /// Whether close lingers.
        pub on: i32,
        /// For so many seconds.
        pub seconds: i32,
    }
}

/// Unspecified: connect(2) with it dissolves an association.
pub const AF_UNSPEC: u16 = 0;
/// Sockets between processes of one machine.
pub const AF_UNIX: u16 = 1;
/// IPv4.
pub const AF_INET: u16 = 2;
/// IPv6.
pub const AF_INET6: u16 = 10;
/// Kernel user interface.
pub const AF_NETLINK: u16 = 16;
/// Low-level packets.
pub const AF_PACKET: u16 = 17;
/// One more than the highest family.
pub const AF_MAX: i32 = 46;

/// A byte stream.
pub const SOCK_STREAM: i32 = 1;
/// Datagrams.
pub const SOCK_DGRAM: i32 = 2;
/// Raw access; datagrams for [`AF_UNIX`].
pub const SOCK_RAW: i32 = 3;
/// Reliable datagrams of a connection.
pub const SOCK_SEQPACKET: i32 = 5;
/// The bits of the type argument that are the type.
pub const SOCK_TYPE_MASK: i32 = 0xf;
/// One more than the highest type.
pub const SOCK_MAX: i32 = 11;
/// In the type argument: `O_NONBLOCK`.
pub const SOCK_NONBLOCK: i32 = 0o4000;
/// In the type argument: `O_CLOEXEC`.
pub const SOCK_CLOEXEC: i32 = 0o2000000;

/// Out-of-band data.
pub const MSG_OOB: u32 = 0x1;
/// Look at data and leave it.
pub const MSG_PEEK: u32 = 0x2;
/// Do not use a gateway.
pub const MSG_DONTROUTE: u32 = 0x4;
/// Control data were cut off.
pub const MSG_CTRUNC: u32 = 0x8;
/// Data were cut off; asked for: tell the whole length.
pub const MSG_TRUNC: u32 = 0x20;
/// Do not sleep.
pub const MSG_DONTWAIT: u32 = 0x40;
/// The end of a record.
pub const MSG_EOR: u32 = 0x80;
/// Wait until all has come.
pub const MSG_WAITALL: u32 = 0x100;
/// Confirm a path.
pub const MSG_CONFIRM: u32 = 0x800;
/// Fetch from the error queue.
pub const MSG_ERRQUEUE: u32 = 0x2000;
/// No SIGPIPE.
pub const MSG_NOSIGNAL: u32 = 0x4000;
/// More data follow.
pub const MSG_MORE: u32 = 0x8000;
/// recvmmsg(2): sleep for the first message only.
pub const MSG_WAITFORONE: u32 = 0x10000;
/// Received descriptors are closed on exec.
pub const MSG_CMSG_CLOEXEC: u32 = 0x4000_0000;

/// shutdown(2): no more is received.
pub const SHUT_RD: i32 = 0;
/// shutdown(2): no more is sent.
pub const SHUT_WR: i32 = 1;
/// shutdown(2): both.
pub const SHUT_RDWR: i32 = 2;

/// Level of options and control messages of sockets as such.
pub const SOL_SOCKET: i32 = 1;
/// Record debugging information.
pub const SO_DEBUG: i32 = 1;
/// Reuse of local addresses.
pub const SO_REUSEADDR: i32 = 2;
/// The socket's type.
pub const SO_TYPE: i32 = 3;
/// The pending error, which is cleared.
pub const SO_ERROR: i32 = 4;
/// Do not use a gateway.
pub const SO_DONTROUTE: i32 = 5;
/// Broadcasts may be sent.
pub const SO_BROADCAST: i32 = 6;
/// Size of the send buffer.
pub const SO_SNDBUF: i32 = 7;
/// Size of the receive buffer.
pub const SO_RCVBUF: i32 = 8;
/// Keep connections alive.
pub const SO_KEEPALIVE: i32 = 9;
/// Out-of-band data stay in the stream.
pub const SO_OOBINLINE: i32 = 10;
/// Priority of packets.
pub const SO_PRIORITY: i32 = 12;
/// close(2) waits.
pub const SO_LINGER: i32 = 13;
/// Several sockets on one port.
pub const SO_REUSEPORT: i32 = 15;
/// Receive the sender's credentials.
pub const SO_PASSCRED: i32 = 16;
/// The peer's credentials.
pub const SO_PEERCRED: i32 = 17;
/// Least number of bytes for a read.
pub const SO_RCVLOWAT: i32 = 18;
/// Least number of bytes for a write.
pub const SO_SNDLOWAT: i32 = 19;
/// Timeout of reads.
pub const SO_RCVTIMEO: i32 = 20;
/// Timeout of writes.
pub const SO_SNDTIMEO: i32 = 21;
/// Timestamps of received packets.
pub const SO_TIMESTAMP: i32 = 29;
/// Whether it listens.
pub const SO_ACCEPTCONN: i32 = 30;
/// The peer's security label.
pub const SO_PEERSEC: i32 = 31;
/// [`SO_SNDBUF`] without its limit.
pub const SO_SNDBUFFORCE: i32 = 32;
/// [`SO_RCVBUF`] without its limit.
pub const SO_RCVBUFFORCE: i32 = 33;
/// The protocol.
pub const SO_PROTOCOL: i32 = 38;
/// The family.
pub const SO_DOMAIN: i32 = 39;
/// Where peeking begins.
pub const SO_PEEK_OFF: i32 = 42;
/// The peer's groups.
pub const SO_PEERGROUPS: i32 = 59;

/// Control message: open files, unix(7).
pub const SCM_RIGHTS: i32 = 1;
/// Control message: credentials, unix(7).
pub const SCM_CREDENTIALS: i32 = 2;
/// Descriptors in a message at most.
pub const SCM_MAX_FD: usize = 253;

/// proc(5) `/proc/sys/net/core/somaxconn`.
pub const SOMAXCONN: i32 = 4096;
/// Bytes of a name at most: `struct sockaddr_storage`.
pub const MAX_NAME_SIZE: usize = 128;
/// Bytes of a path or abstract name in `struct sockaddr_un`.
pub const UNIX_PATH_MAX: usize = 108;
/// Pieces of a message at most: `IOV_MAX`.
pub const UIO_MAXIOV: u64 = 1024;
