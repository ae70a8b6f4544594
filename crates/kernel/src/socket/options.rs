//! Options of sockets: getsockopt(2), setsockopt(2), socket(7).

use super::{Family, Kind, Socket, State};
use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time::{self, timeval};
use crate::user::UserPtr;
use abi::resource::{CAP_NET_ADMIN, CAP_SYS_ADMIN};
use abi::socket::*;
use abi::time::Timeval;
use abi::{Errno, Error, Wire};

/// proc(5) `/proc/sys/net/core/wmem_default` and `rmem_default`.
const DEFAULT_BUFFER: usize = 212_992;
/// proc(5) `/proc/sys/net/core/wmem_max` and `rmem_max`.
const MAX_BUFFER: usize = 212_992;
/// SOCK_MIN_SNDBUF of Linux's include/net/sock.h.
const MIN_SEND_BUFFER: usize = 4608;
/// SOCK_MIN_RCVBUF of Linux's include/net/sock.h.
const MIN_RECEIVE_BUFFER: usize = 2304;

/// What setsockopt(2) has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `SO_SNDBUF`: how much may be sent and not received.
    pub send_buffer: usize,
    /// `SO_RCVBUF`: without effect on Unix sockets.
    pub receive_buffer: usize,
    /// `SO_PASSCRED`: messages come with their sender's credentials.
    pub pass_credentials: bool,
    /// `SO_RCVTIMEO` in nanoseconds; 0: none.
    pub receive_timeout_ns: u64,
    /// `SO_SNDTIMEO` in nanoseconds; 0: none.
    pub send_timeout_ns: u64,
    /// `SO_LINGER`.
    pub linger: Linger,
    /// `SO_RCVLOWAT`.
    pub receive_low_water: i32,
    /// `SO_PRIORITY`.
    pub priority: i32,
    /// Options that are 0 or 1, a bit each, by their number.
    pub(super) switches: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            send_buffer: DEFAULT_BUFFER,
            receive_buffer: DEFAULT_BUFFER,
            pass_credentials: false,
            receive_timeout_ns: 0,
            send_timeout_ns: 0,
            linger: Linger::default(),
            receive_low_water: 1,
            priority: 0,
            switches: 0,
        }
    }
}

/// Options that are remembered and have no effect on Unix sockets.
const SWITCHES: [i32; 7] =
    [SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_TIMESTAMP];

/// setsockopt(2) on a Unix socket.
pub(super) fn set(
    call: &mut Call,
    id: Id<Socket>,
    level: i32,
    option: i32,
    from: UserPtr<u8>,
    length: i32,
) -> SysResult {
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP.because("Unix sockets have no options of this level"));
    }
    if length < 4 {
        return Err(Errno::EINVAL.because("`optlen` is too small for the option"));
    }
    let value = call.read(UserPtr::<i32>::new(from.address()))?;
    match option {
        SO_LINGER => {
            if length < Linger::SIZE as i32 {
                return Err(Errno::EINVAL.because("`optlen` is too small for `struct linger`"));
            }
            let linger = call.read(UserPtr::<Linger>::new(from.address()))?;
            call.kernel.sockets[id].options.linger = Linger { on: i32::from(linger.on != 0), ..linger };
        }
        SO_RCVTIMEO | SO_SNDTIMEO => {
            let timeout = read_timeout(call, from, length)?;
            let options = &mut call.kernel.sockets[id].options;
            if option == SO_RCVTIMEO {
                options.receive_timeout_ns = timeout;
            } else {
                options.send_timeout_ns = timeout;
            }
        }
        SO_SNDBUFFORCE | SO_RCVBUFFORCE if !call.has_capability(CAP_NET_ADMIN) => {
            return Err(Errno::EPERM.because("buffers above the limit take `CAP_NET_ADMIN`"));
        }
        SO_DEBUG if value != 0 && !call.has_capability(CAP_NET_ADMIN) => {
            return Err(Errno::EACCES.because("debugging takes `CAP_NET_ADMIN`"));
        }
        SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR | SO_ACCEPTCONN | SO_PEERCRED | SO_PEERGROUPS => {
            return Err(Errno::ENOPROTOOPT.because("the option cannot be set"));
        }
        SO_REUSEPORT if value != 0 => {
            return Err(Errno::EOPNOTSUPP.because("Unix sockets have no ports"));
        }
        _ => set_value(&mut call.kernel.sockets[id].options, option, value)?,
    }
    Flow::OK
}

/// Sets an option that is a number.
fn set_value(options: &mut Options, option: i32, value: i32) -> Result<(), Error> {
    // The kernel doubles buffer sizes "to allow space for bookkeeping overhead", socket(7).
    let buffer = |limit: usize, least: usize| ((value as u32 as usize).min(limit) * 2).clamp(least, i32::MAX as usize);
    match option {
        SO_SNDBUF => options.send_buffer = buffer(MAX_BUFFER, MIN_SEND_BUFFER),
        SO_SNDBUFFORCE => options.send_buffer = buffer(i32::MAX as usize / 2, MIN_SEND_BUFFER),
        SO_RCVBUF => options.receive_buffer = buffer(MAX_BUFFER, MIN_RECEIVE_BUFFER),
        SO_RCVBUFFORCE => options.receive_buffer = buffer(i32::MAX as usize / 2, MIN_RECEIVE_BUFFER),
        SO_PASSCRED => options.pass_credentials = value != 0,
        SO_PRIORITY if (0..=6).contains(&value) => options.priority = value,
        SO_PRIORITY => return Err(Errno::EPERM.because("priorities above 6 take `CAP_NET_ADMIN`")),
        SO_RCVLOWAT => options.receive_low_water = if value < 0 { i32::MAX } else { value.max(1) },
        SO_REUSEPORT => {}
        _ if SWITCHES.contains(&option) => {
            options.switches = options.switches & !(1 << option) | u64::from(value != 0) << option;
        }
        _ => return Err(Errno::ENOPROTOOPT.because("Unix sockets have no such option")),
    }
    Ok(())
}

/// sock_set_timeout() of Linux's net/core/sock.c: a negative time is none at all.
fn read_timeout(call: &mut Call, from: UserPtr<u8>, length: i32) -> Result<u64, Error> {
    if length < Timeval::SIZE as i32 {
        return Err(Errno::EINVAL.because("`optlen` is too small for `struct timeval`"));
    }
    let time = call.read(UserPtr::<Timeval>::new(from.address()))?;
    if !(0..1_000_000).contains(&time.microseconds) {
        return Err(Errno::EDOM.because("`tv_usec` is not within 0 and 999,999"));
    }
    Ok(if time.seconds < 0 { 0 } else { time::nanoseconds_of_timeval(time)? })
}

/// getsockopt(2) on a Unix socket.
pub(super) fn get(
    call: &mut Call,
    id: Id<Socket>,
    level: i32,
    option: i32,
    to: UserPtr<u8>,
    length: UserPtr<i32>,
) -> SysResult {
    let room = call.read(length)?;
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP.because("Unix sockets have no options of this level"));
    }
    let Ok(room) = usize::try_from(room) else {
        return Err(Errno::EINVAL.because("`optlen` is negative"));
    };
    let socket = &mut call.kernel.sockets[id];
    let number = |value: i32| value.to_le_bytes().to_vec();
    let options = &socket.options;
    let value = match option {
        SO_TYPE => number(match socket.kind {
            Kind::Stream => SOCK_STREAM,
            Kind::Datagram => SOCK_DGRAM,
            Kind::SequencedPacket => SOCK_SEQPACKET,
        }),
        SO_ERROR => number(socket.error.take().map_or(0, |errno| i32::from(errno.0))),
        SO_SNDBUF => number(options.send_buffer as i32),
        SO_RCVBUF => number(options.receive_buffer as i32),
        SO_PASSCRED => number(i32::from(options.pass_credentials)),
        SO_PEERCRED => match &socket.peer_credentials {
            Some(peer) => peer.ids.to_bytes(),
            None => SocketCredentials { pid: 0, uid: u32::MAX, gid: u32::MAX }.to_bytes(),
        },
        SO_PEERGROUPS => return get_peer_groups(call, id, room, to, length),
        SO_RCVLOWAT => number(options.receive_low_water),
        SO_SNDLOWAT => number(1),
        SO_RCVTIMEO => timeval(options.receive_timeout_ns).to_bytes(),
        SO_SNDTIMEO => timeval(options.send_timeout_ns).to_bytes(),
        SO_LINGER => options.linger.to_bytes(),
        SO_ACCEPTCONN => number(i32::from(matches!(socket.state, State::Listening { .. }))),
        SO_PROTOCOL | SO_REUSEPORT => number(0),
        SO_DOMAIN => number(i32::from(match socket.family {
            Family::Unix => AF_UNIX,
            Family::Netlink => AF_NETLINK,
        })),
        SO_PRIORITY => number(options.priority),
        SO_PEEK_OFF => number(-1),
        _ if SWITCHES.contains(&option) => number(i32::from(options.switches & 1 << option != 0)),
        _ => return Err(Errno::ENOPROTOOPT.because("Unix sockets have no such option")),
    };
    let told = room.min(value.len());
    call.copy_out(to.address(), &value[..told])?;
    call.write(length, &(told as i32))?;
    Flow::OK
}

fn get_peer_groups(call: &mut Call, id: Id<Socket>, room: usize, to: UserPtr<u8>, length: UserPtr<i32>) -> SysResult {
    let Some(peer) = &call.kernel.sockets[id].peer_credentials else {
        return Err(Errno::ENODATA.because("the socket has no peer"));
    };
    let bytes: Vec<u8> = peer.groups.iter().flat_map(|group| group.to_le_bytes()).collect();
    call.write(length, &(bytes.len() as i32))?;
    if room < bytes.len() {
        return Err(Errno::ERANGE.because("`optlen` is too small for the peer's groups"));
    }
    call.copy_out(to.address(), &bytes)?;
    Flow::OK
}

/// Whether a process may give credentials that are not its own: unix(7).
pub(super) fn may_claim(call: &Call, claimed: &SocketCredentials) -> bool {
    let own = call.credentials();
    let pid = call.kernel.processes[call.process_id()].pid;
    let may_set = |capability: u32| call.has_capability(capability);
    (claimed.pid == pid || may_set(CAP_SYS_ADMIN))
        && ([own.uid, own.euid, own.suid].contains(&claimed.uid) || may_set(abi::resource::CAP_SETUID))
        && ([own.gid, own.egid, own.sgid].contains(&claimed.gid) || may_set(abi::resource::CAP_SETGID))
}
