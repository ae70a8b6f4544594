//! Names of Unix sockets, unix(7): paths, abstract names, none. Their C form, and where bound sockets are found.

use super::{Kind, Socket};
use crate::entry::Call;
use crate::fs::Inode;
use crate::table::Id;
use crate::user::UserPtr;
use abi::socket::{AF_UNIX, MAX_NAME_SIZE, UNIX_PATH_MAX};
use abi::{Errno, Error};
use std::collections::BTreeMap;

/// What a socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The C form, `struct sockaddr_un`: family; path with its zero byte, or a zero byte and an abstract name.
    pub bytes: Vec<u8>,
    /// The socket file that connect(2) finds, held; `None` for abstract names, and for sockets that accept(2) made.
    pub inode: Option<Id<Inode>>,
}

impl Name {
    /// The name of a socket bound to a file.
    pub fn of_file(path: &[u8], inode: Id<Inode>) -> Name {
        Name { bytes: [&AF_UNIX.to_le_bytes()[..], path, &[0]].concat(), inode: Some(inode) }
    }

    /// A name that is no file, given without the leading zero byte.
    pub fn of_abstract(name: &[u8]) -> Name {
        Name { bytes: [&AF_UNIX.to_le_bytes()[..], &[0], name].concat(), inode: None }
    }

    /// The abstract name without its leading zero byte, if it is one.
    pub fn as_abstract(&self) -> Option<&[u8]> {
        self.bytes[2..].strip_prefix(&[0])
    }
}

/// The C form of no name: the family.
pub(super) fn unnamed() -> Vec<u8> {
    AF_UNIX.to_le_bytes().to_vec()
}

/// Bound sockets.
#[derive(Clone, Debug, Default)]
pub struct BoundSockets {
    /// By the socket file.
    pub by_inode: BTreeMap<Id<Inode>, Id<Socket>>,
    /// By abstract name; each kind has names of its own.
    pub by_name: BTreeMap<(Kind, Vec<u8>), Id<Socket>>,
    /// Where automatic names go on.
    pub next_automatic: u32,
}

/// An address as a program gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Only a family: bind(2) chooses an abstract name.
    Unnamed,
    /// A path.
    Path(Vec<u8>),
    /// An abstract name.
    Abstract(Vec<u8>),
    /// Another family, with the bytes after it.
    Other(u16),
}

/// Copies an address in: move_addr_to_kernel() of Linux's net/socket.c, and unix_validate_addr() of af_unix.c.
///
/// # Errors
/// `EINVAL` for an impossible length, `EFAULT`.
pub(super) fn read(call: &mut Call, from: UserPtr<u8>, length: i32) -> Result<Address, Error> {
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_NAME_SIZE);
    let Some(length) = length else {
        return Err(Errno::EINVAL.because("the address's length is impossible"));
    };
    if length < 2 {
        return Err(Errno::EINVAL.because("the address is too short for a family"));
    }
    let mut bytes = [0; MAX_NAME_SIZE];
    call.copy_in(from.address(), &mut bytes[..length])?;
    let family = u16::from_le_bytes([bytes[0], bytes[1]]);
    if family != AF_UNIX {
        return Ok(Address::Other(family));
    }
    let name = &bytes[2..length];
    if name.len() > UNIX_PATH_MAX {
        return Err(Errno::EINVAL.because("the address is longer than `struct sockaddr_un`"));
    }
    Ok(match name.first() {
        None => Address::Unnamed,
        Some(0) => Address::Abstract(name[1..].to_vec()),
        Some(_) => {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            Address::Path(name[..end].to_vec())
        }
    })
}

/// Copies a name out as far as there is room, and its whole length: move_addr_to_user() of Linux's net/socket.c.
///
/// # Errors
/// `EINVAL` if the room is negative, `EFAULT`.
pub(super) fn write(call: &mut Call, name: &[u8], to: UserPtr<u8>, length: UserPtr<i32>) -> Result<(), Error> {
    let room = call.read(length)?;
    let Ok(room) = usize::try_from(room) else {
        return Err(Errno::EINVAL.because("`addrlen` is negative"));
    };
    call.copy_out(to.address(), &name[..room.min(name.len())])?;
    call.write(length, &(name.len() as i32))
}
