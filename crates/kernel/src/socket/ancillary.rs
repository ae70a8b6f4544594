//! What travels with bytes: open files and credentials, unix(7) "Ancillary messages", cmsg(3).

use super::message::Rights;
use super::transfer::Received;
use super::{Socket, options};
use crate::entry::Call;
use crate::fs::Fd;
use crate::table::Id;
use crate::user::UserPtr;
use abi::socket::{
    ControlHeader, MSG_CMSG_CLOEXEC, MSG_CTRUNC, MessageHeader, SCM_CREDENTIALS, SCM_MAX_FD, SCM_RIGHTS, SOL_SOCKET,
    SocketCredentials,
};
use abi::{Errno, Error, Wire};

/// Control messages are at most so many bytes: `/proc/sys/net/core/optmem_max`.
const MAX_CONTROL: u64 = 131_072;
/// Control messages begin at multiples of this.
const ALIGNMENT: usize = 8;

/// What a sender sends besides bytes.
#[derive(Clone, Debug, Default)]
pub struct Ancillary {
    /// Open files, held.
    pub rights: Rights,
    /// Credentials to show instead of the sender's own.
    pub credentials: Option<SocketCredentials>,
}

/// Reads the control messages of sendmsg(2): scm_send() of Linux's net/core/scm.c.
///
/// # Errors
/// `EINVAL` for malformed or unknown ones and more than 253 descriptors, `EBADF`, `EPERM` or `ESRCH` for false
/// credentials, `ENOBUFS` for too many bytes, `EFAULT`. What was held is released.
pub(super) fn read(call: &mut Call, address: u64, length: u64) -> Result<Ancillary, Error> {
    let mut ancillary = Ancillary::default();
    if address == 0 || length == 0 {
        return Ok(ancillary);
    }
    if length > MAX_CONTROL {
        return Err(Errno::ENOBUFS.because("the control messages are too long"));
    }
    let mut bytes = vec![0; length as usize];
    call.copy_in(address, &mut bytes)?;
    let result = parse(call, &bytes, &mut ancillary);
    if let Err(error) = result {
        for file in ancillary.rights {
            call.release_file(file);
        }
        return Err(error);
    }
    Ok(ancillary)
}

fn parse(call: &mut Call, bytes: &[u8], ancillary: &mut Ancillary) -> Result<(), Error> {
    let mut rest = bytes;
    while rest.len() >= ControlHeader::SIZE {
        let header = ControlHeader::read(&rest[..ControlHeader::SIZE]);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < ControlHeader::SIZE || length > rest.len() {
            return Err(Errno::EINVAL.because("a control message's length is impossible"));
        }
        let data = &rest[ControlHeader::SIZE..length];
        if header.level == SOL_SOCKET {
            match header.kind {
                SCM_RIGHTS => read_rights(call, data, &mut ancillary.rights)?,
                SCM_CREDENTIALS => ancillary.credentials = Some(read_credentials(call, data)?),
                _ => return Err(Errno::EINVAL.because("a control message has an unknown type")),
            }
        }
        rest = &rest[length.next_multiple_of(ALIGNMENT).min(rest.len())..];
    }
    Ok(())
}

fn read_rights(call: &mut Call, data: &[u8], rights: &mut Rights) -> Result<(), Error> {
    if data.len() / 4 + rights.len() > SCM_MAX_FD {
        return Err(Errno::EINVAL.because("a message carries at most 253 descriptors"));
    }
    for number in data.chunks_exact(4).map(i32::read) {
        let file = call.file(Fd(number))?;
        rights.push(call.hold(file));
    }
    Ok(())
}

fn read_credentials(call: &mut Call, data: &[u8]) -> Result<SocketCredentials, Error> {
    if data.len() != SocketCredentials::SIZE {
        return Err(Errno::EINVAL.because("the control message is no `struct ucred`"));
    }
    let claimed = SocketCredentials::read(data);
    if !options::may_claim(call, &claimed) {
        return Err(Errno::EPERM.because("the credentials are not the sender's"));
    }
    if !call.kernel.pids.processes.contains_key(&claimed.pid) {
        return Err(Errno::ESRCH.because("the credentials name no process"));
    }
    Ok(claimed)
}

/// Tells recvmsg(2)'s caller what came with the bytes: name, control messages, flags.
pub(super) fn tell(
    call: &mut Call,
    socket: Id<Socket>,
    to: UserPtr<MessageHeader>,
    received: &mut Received,
    flags: u32,
) -> Result<(), Error> {
    let header = call.read(to)?;
    if header.name != 0 {
        // The length in the header is updated; it is the second field.
        let name = received.from.take().unwrap_or_default();
        let room = usize::try_from(header.name_length).unwrap_or(0);
        call.copy_out(header.name, &name[..room.min(name.len())])?;
        call.write(to.byte_offset::<i32>(8), &(name.len() as i32))?;
    }
    let mut writer = Writer { at: header.control, room: header.control_length as usize, used: 0, truncated: false };
    if header.control == 0 {
        writer.room = 0;
    }
    if call.kernel.sockets[socket].options.pass_credentials
        && let Some(credentials) = received.credentials
    {
        writer.put(call, SCM_CREDENTIALS, &credentials.to_bytes())?;
    }
    if !received.rights.is_empty() {
        put_rights(call, &mut writer, received, flags)?;
    }
    let truncated = if writer.truncated { MSG_CTRUNC } else { 0 };
    call.write(to.byte_offset::<u64>(40), &(writer.used as u64))?;
    call.write(to.byte_offset::<u32>(48), &(received.flags | truncated | flags & MSG_CMSG_CLOEXEC))
}

/// Gives the receiver descriptors for as many files as its buffer has room for; the others are closed:
/// scm_detach_fds() of Linux's net/core/scm.c.
fn put_rights(call: &mut Call, writer: &mut Writer, received: &mut Received, flags: u32) -> Result<(), Error> {
    let room = writer.room.saturating_sub(writer.used + ControlHeader::SIZE) / 4;
    let mut numbers = Vec::new();
    let count = room.min(received.rights.len());
    for file in received.rights.drain(..count).collect::<Vec<_>>() {
        match call.install_fd(file, flags & MSG_CMSG_CLOEXEC != 0) {
            Ok(fd) => numbers.push(fd.0),
            Err(_) => break,
        }
    }
    if count < received.rights.len() + count || numbers.len() < count {
        writer.truncated = true;
    }
    if !numbers.is_empty() {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        writer.put(call, SCM_RIGHTS, &bytes)?;
    }
    Ok(())
}

/// Control messages on their way to the receiver: put_cmsg() of Linux's net/core/scm.c.
struct Writer {
    at: u64,
    room: usize,
    used: usize,
    truncated: bool,
}

impl Writer {
    fn put(&mut self, call: &mut Call, kind: i32, data: &[u8]) -> Result<(), Error> {
        let left = self.room.saturating_sub(self.used);
        if left < ControlHeader::SIZE {
            self.truncated = true;
            return Ok(());
        }
        let mut length = ControlHeader::SIZE + data.len();
        if length > left {
            self.truncated = true;
            length = left;
        }
        let header = ControlHeader { length: length as u64, level: SOL_SOCKET, kind };
        let bytes = [&header.to_bytes(), data].concat();
        call.copy_out(self.at.wrapping_add(self.used as u64), &bytes[..length])?;
        self.used += length.next_multiple_of(ALIGNMENT).min(left);
        Ok(())
    }
}
