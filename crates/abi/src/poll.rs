//! poll(2), select(2): event bits and structures.

crate::structure! {
    /// poll(2), `struct pollfd`.
    pub struct PollFd {
        /// The descriptor; negative ones are passed over.
        pub fd: i32,
        /// What is asked for.
        pub events: u16,
        /// What holds.
        pub returned_events: u16,
    }
}

crate::structure! {
    /// pselect(2): the kernel's sixth argument, a pointer to a signal set and the set's size.
    pub struct SelectMask {
        /// Address of the set, 0 if the mask stays.
        pub address: u64,
        /// Its size in bytes.
        pub size: u64,
    }
}

/// There is data to read.
pub const POLLIN: u32 = 0x001;
/// There is an exceptional condition: out-of-band data, a packet-mode change.
pub const POLLPRI: u32 = 0x002;
/// Writing is possible.
pub const POLLOUT: u32 = 0x004;
/// Error condition; reported whether asked for or not.
pub const POLLERR: u32 = 0x008;
/// Hang up; reported whether asked for or not.
pub const POLLHUP: u32 = 0x010;
/// The descriptor is not open; reported whether asked for or not.
pub const POLLNVAL: u32 = 0x020;
/// As [`POLLIN`].
pub const POLLRDNORM: u32 = 0x040;
/// Priority band data can be read.
pub const POLLRDBAND: u32 = 0x080;
/// As [`POLLOUT`].
pub const POLLWRNORM: u32 = 0x100;
/// Priority data may be written.
pub const POLLWRBAND: u32 = 0x200;
/// A message is there; not used by Linux.
pub const POLLMSG: u32 = 0x400;
/// The peer of a stream socket has shut down its writing half.
pub const POLLRDHUP: u32 = 0x2000;

/// What select(2) calls readable: `POLLIN_SET` of fs/select.c.
pub const SELECT_READABLE: u32 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
/// What select(2) calls writable: `POLLOUT_SET` of fs/select.c.
pub const SELECT_WRITABLE: u32 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
/// What select(2) calls exceptional: `POLLEX_SET` of fs/select.c.
pub const SELECT_EXCEPTIONAL: u32 = POLLPRI;
