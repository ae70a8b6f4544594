//! Restartable sequences, rseq(2): a thread learns which processor it runs on, and a sequence of its instructions that is
//! cut short begins anew. Linux kernel/rseq.c.

use crate::entry::Call;
use crate::process::Thread;
use crate::signal;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::sched::{Rseq, RseqSection};
use abi::signal::{SIGSEGV, SigInfo};
use abi::{Errno, Error};

/// A thread's registered area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where it is.
    pub address: u64,
    /// Its size in bytes as registered.
    pub length: u32,
    /// What stands before every abort handler.
    pub signature: u32,
}

/// Size of the first published `struct rseq`, and its alignment.
const FIRST_SIZE: u32 = 32;
/// `RSEQ_FLAG_UNREGISTER`.
const UNREGISTER: u32 = 1;
/// `RSEQ_CPU_ID_UNINITIALIZED`.
const NO_CPU: u32 = u32::MAX;
/// Offset of the critical section's address in `struct rseq`.
const SECTION: u64 = 8;

/// rseq(2).
pub fn rseq(call: &mut Call, address: u64, length: u32, flags: u32, signature: u32) -> SysResult {
    if flags & UNREGISTER != 0 {
        return unregister(call, address, length, flags, signature);
    }
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags"));
    }
    if let Some(own) = call.current().rseq {
        if own.address != address || own.length != length {
            return Err(Errno::EINVAL.because("the thread has registered another area"));
        }
        if own.signature != signature {
            return Err(Errno::EPERM.because("the signature is not the registered one"));
        }
        return Err(Errno::EBUSY.because("the area is registered already"));
    }
    if length < FIRST_SIZE || !address.is_multiple_of(u64::from(FIRST_SIZE)) {
        return Err(Errno::EINVAL.because("the area is too small or misaligned"));
    }
    let end = call.kernel.configuration.paging.user_end();
    if address.checked_add(u64::from(length)).is_none_or(|last| last > end) {
        return Err(Errno::EFAULT.because("the area lies outside the program's addresses"));
    }
    call.current().rseq = Some(Registration { address, length, signature });
    if publish(call).is_err() {
        // As Linux: the thread finds out on its way back.
        call.current().rseq = None;
        signal::raise_fault(call, SigInfo::kernel(SIGSEGV));
    }
    Flow::OK
}

fn unregister(call: &mut Call, address: u64, length: u32, flags: u32, signature: u32) -> SysResult {
    let own = call.current().rseq;
    let Some(own) = own.filter(|own| own.address == address && own.length == length && flags == UNREGISTER) else {
        return Err(Errno::EINVAL.because("the area is not the registered one"));
    };
    if own.signature != signature {
        return Err(Errno::EPERM.because("the signature is not the registered one"));
    }
    write_cpu(call, own.address, 0, NO_CPU)?;
    call.current().rseq = None;
    Flow::OK
}

/// Tells the thread its processor.
///
/// # Errors
/// `EFAULT`.
pub(super) fn publish(call: &mut Call) -> Result<(), Error> {
    let Thread { rseq: Some(own), cpu, .. } = *call.current() else { return Ok(()) };
    write_cpu(call, own.address, cpu, cpu)
}

fn write_cpu(call: &mut Call, address: u64, start: u32, cpu: u32) -> Result<(), Error> {
    let before: Rseq = call.read(UserPtr::new(address))?;
    let mm_cid = if cpu == NO_CPU { 0 } else { cpu };
    call.write(UserPtr::new(address), &Rseq { cpu_id_start: start, cpu_id: cpu, node_id: 0, mm_cid, ..before })
}

/// The thread was interrupted between two instructions, by another thread or by a signal: a sequence that it was in is
/// aborted.
pub(crate) fn interrupted(call: &mut Call) {
    let Some(own) = call.current().rseq else { return };
    if abort(call, own).is_err() {
        signal::raise_fault(call, SigInfo::kernel(SIGSEGV));
    }
}

fn abort(call: &mut Call, own: Registration) -> Result<(), Error> {
    let pointer = UserPtr::<u64>::new(own.address.wrapping_add(SECTION));
    let at = call.read(pointer)?;
    if at == 0 {
        return Ok(());
    }
    let section: RseqSection = call.read(UserPtr::new(at))?;
    if section.version > 0 {
        return Err(Errno::EINVAL.because("the critical section has an unknown version"));
    }
    let rip = call.current().registers.rip;
    if rip.wrapping_sub(section.start) >= section.length {
        // It was left already; the pointer is cleared lazily.
        return call.write(pointer, &0);
    }
    let signature: u32 = call.read(UserPtr::new(section.abort.wrapping_sub(4)))?;
    if signature != own.signature || section.abort.wrapping_sub(section.start) < section.length {
        return Err(Errno::EINVAL.because("the abort handler is inside its section, or not signed"));
    }
    call.write(pointer, &0)?;
    call.current().registers.rip = section.abort;
    Ok(())
}
