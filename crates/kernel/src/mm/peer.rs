//! process_vm_readv(2), process_vm_writev(2): another process's memory, one page at a time. process_madvise(2).

use crate::entry::Call;
use crate::fs::Fd;
use crate::mm::arguments::Advice;
use crate::mm::{AddressSpace, advise};
use crate::process::{permission, pidfd};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::fcntl::Iovec;
use abi::mman::{MADV_COLD, MADV_COLLAPSE, MADV_PAGEOUT, MADV_WILLNEED};
use abi::resource::{CAP_SYS_NICE, CAP_SYS_PTRACE};
use abi::{Errno, Error};

/// `UIO_MAXIOV`.
const MOST_PIECES: u64 = 1024;
/// `MAX_RW_COUNT`: bytes that one call moves at most.
const MOST_BYTES: u64 = 0x7fff_f000;

/// The memory of process or thread `pid`, if the caller may look into it, ptrace(2) "Ptrace access mode checking"
/// (`PTRACE_MODE_ATTACH_REALCREDS`); 0 is the caller.
///
/// # Errors
/// `ESRCH` if there is no such process; `EPERM`.
pub(crate) fn process_for_access(call: &mut Call, pid: i32) -> Result<Id<AddressSpace>, Error> {
    if pid == 0 {
        return Ok(call.space());
    }
    let missing = Errno::ESRCH.because("there is no such process");
    let thread = call.kernel.pids.threads.get(&pid).copied().ok_or(missing)?;
    let target = call.kernel.threads[thread].process;
    if target != call.process_id() {
        let theirs = &call.kernel.credentials[call.kernel.threads[thread].credentials];
        let ours = call.credentials();
        let is_same_user = [theirs.uid, theirs.euid, theirs.suid].iter().all(|uid| *uid == ours.uid)
            && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|gid| *gid == ours.gid);
        let is_open = is_same_user && call.kernel.processes[target].attributes.dumpable == 1;
        if !is_open && !call.has_capability(CAP_SYS_PTRACE) {
            return Err(Errno::EPERM.because("the process belongs to another user, or is not dumpable"));
        }
    }
    Ok(call.kernel.processes[target].space)
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromPeer,
    ToPeer,
}

/// process_vm_readv(2).
pub fn process_vm_readv(
    call: &mut Call,
    pid: i32,
    local: UserPtr<Iovec>,
    local_count: u64,
    remote: UserPtr<Iovec>,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    move_bytes(call, pid, (local, local_count), (remote, remote_count), flags, Direction::FromPeer)
}

/// process_vm_writev(2).
pub fn process_vm_writev(
    call: &mut Call,
    pid: i32,
    local: UserPtr<Iovec>,
    local_count: u64,
    remote: UserPtr<Iovec>,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    move_bytes(call, pid, (local, local_count), (remote, remote_count), flags, Direction::ToPeer)
}

/// Reads a vector of pieces.
fn read_pieces(call: &mut Call, (at, count): (UserPtr<Iovec>, u64)) -> Result<Vec<Iovec>, Error> {
    if count > MOST_PIECES {
        return Err(Errno::EINVAL.because("more than `IOV_MAX` pieces"));
    }
    let pieces = call.read_array(at, count as usize)?;
    if pieces.iter().any(|piece| piece.length > i64::MAX as u64) {
        return Err(Errno::EINVAL.because("a piece is longer than `ssize_t` can say"));
    }
    Ok(pieces)
}

fn move_bytes(
    call: &mut Call,
    pid: i32,
    local: (UserPtr<Iovec>, u64),
    remote: (UserPtr<Iovec>, u64),
    flags: u64,
    direction: Direction,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0"));
    }
    let local = read_pieces(call, local)?;
    let remote = read_pieces(call, remote)?;
    if local.iter().all(|piece| piece.length == 0) || remote.iter().all(|piece| piece.length == 0) {
        return Ok(Flow::Done(0));
    }
    let (own, theirs) = (call.space(), process_for_access(call, pid)?);
    let (mut here, mut there) = (Cursor::new(&local), Cursor::new(&remote));
    let mut done = 0;
    let mut bytes = [0u8; CHUNK as usize];
    while done < MOST_BYTES {
        let (Some((to, room)), Some((from, left))) = (here.next(), there.next()) else { break };
        let length = room.min(left).min(MOST_BYTES - done);
        let chunk = &mut bytes[..length as usize];
        let moved = match direction {
            Direction::FromPeer => {
                call.copy_in_from(theirs, from, chunk).and_then(|()| call.copy_out_to(own, to, chunk))
            }
            Direction::ToPeer => call.copy_in_from(own, to, chunk).and_then(|()| call.copy_out_to(theirs, from, chunk)),
        };
        if let Err(error) = moved {
            return if done > 0 { Ok(Flow::Done(done)) } else { Err(error) };
        }
        here.advance(length);
        there.advance(length);
        done += length;
    }
    Ok(Flow::Done(done))
}

/// process_madvise(2). Another process only gets advice that changes nothing that it can see.
pub fn process_madvise(
    call: &mut Call,
    pidfd: Fd,
    pieces: UserPtr<Iovec>,
    count: u64,
    Advice(advice): Advice,
    flags: u32,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0"));
    }
    let pieces = read_pieces(call, (pieces, count))?;
    let subject = pidfd::subject(call, pidfd)?;
    let thread = subject.thread(call.kernel).ok_or(Errno::ESRCH.because("the process is gone"))?;
    permission::may_look_at(call, thread)?;
    let space = call.kernel.processes[call.kernel.threads[thread].process].space;
    if space != call.space() {
        if !matches!(advice, MADV_COLD | MADV_PAGEOUT | MADV_WILLNEED | MADV_COLLAPSE) {
            return Err(Errno::EINVAL.because("another process cannot be given that `advice`"));
        }
        if !call.has_capability(CAP_SYS_NICE) {
            return Err(Errno::EPERM.because("advice for another process needs `CAP_SYS_NICE`"));
        }
    }
    let mut done = 0;
    for piece in pieces {
        if let Err(error) = advise::advise_checked(call, space, piece.base, piece.length, advice) {
            return if done > 0 { Ok(Flow::Done(done)) } else { Err(error) };
        }
        done += piece.length;
    }
    Ok(Flow::Done(done))
}

/// Bytes that are moved at a time: what lies in one page, however small pages are.
const CHUNK: u64 = 4096;

/// Where a transfer stands in a vector of pieces.
struct Cursor<'a> {
    pieces: &'a [Iovec],
    offset: u64,
}

impl Cursor<'_> {
    fn new(pieces: &[Iovec]) -> Cursor<'_> {
        Cursor { pieces, offset: 0 }
    }

    /// The next address, and bytes from there to the end of the piece or chunk.
    fn next(&mut self) -> Option<(u64, u64)> {
        while self.pieces.first()?.length == self.offset {
            self.pieces = &self.pieces[1..];
            self.offset = 0;
        }
        let piece = self.pieces.first()?;
        let address = piece.base.wrapping_add(self.offset);
        Some((address, (piece.length - self.offset).min(CHUNK - address % CHUNK)))
    }

    fn advance(&mut self, bytes: u64) {
        self.offset += bytes;
    }
}
