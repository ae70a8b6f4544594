//! Limits of System V objects: `/proc/sys/kernel`, sysvipc(7), proc_sys_kernel(5). Linux's ipc/ipc_sysctl.c.

use super::registry::MOST;
use super::shared_memory;
use crate::entry::Call;
use crate::fs::procfs::sysctl::numbers;
use abi::resource::{CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN};
use abi::{Errno, Error};

/// Limits that `/proc/sys/kernel` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `msgmax`: bytes of a message.
    pub message_size: usize,
    /// `msgmnb`: bytes of a queue.
    pub queue_size: usize,
    /// `msgmni`: queues.
    pub queues: usize,
    /// `sem`, first: semaphores of a set.
    pub semaphores_per_set: usize,
    /// `sem`, second: semaphores.
    pub semaphores: usize,
    /// `sem`, third: operations of a call.
    pub operations: usize,
    /// `sem`, fourth: sets.
    pub sets: usize,
    /// `shmmax`: bytes of a segment.
    pub segment_size: u64,
    /// `shmall`: pages of all segments.
    pub segment_pages: u64,
    /// `shmmni`: segments.
    pub segments: usize,
    /// `shm_rmid_forced`: segments that nobody has attached go when who made them ends.
    pub removes_orphans: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        // Linux's include/uapi/linux/msg.h, sem.h, shm.h.
        Limits {
            message_size: 8192,
            queue_size: 16384,
            queues: 32000,
            semaphores_per_set: 32000,
            semaphores: 1_024_000_000,
            operations: 500,
            sets: 32000,
            segment_size: u64::MAX - (1 << 24),
            segment_pages: u64::MAX - (1 << 24),
            segments: 4096,
            removes_orphans: false,
        }
    }
}

/// A file of `/proc/sys/kernel` about System V objects of the reader's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitFile {
    /// `auto_msgmni`: without effect since Linux 3.19.
    AutoMsgmni,
    /// `msgmax`
    Msgmax,
    /// `msgmnb`
    Msgmnb,
    /// `msgmni`
    Msgmni,
    /// `msg_next_id`
    MsgNextId,
    /// `sem`
    Sem,
    /// `sem_next_id`
    SemNextId,
    /// `shmall`
    Shmall,
    /// `shmmax`
    Shmmax,
    /// `shmmni`
    Shmmni,
    /// `shm_next_id`
    ShmNextId,
    /// `shm_rmid_forced`
    ShmRmidForced,
}

/// The text without its line's end.
pub(crate) fn read(call: &Call, file: LimitFile) -> String {
    let system_v = call.system_v();
    let limits = &system_v.limits;
    match file {
        LimitFile::AutoMsgmni => 0.to_string(),
        LimitFile::Msgmax => limits.message_size.to_string(),
        LimitFile::Msgmnb => limits.queue_size.to_string(),
        LimitFile::Msgmni => limits.queues.to_string(),
        LimitFile::MsgNextId => system_v.queues.wanted_id.to_string(),
        LimitFile::Sem => {
            let Limits { semaphores_per_set, semaphores, operations, sets, .. } = limits;
            format!("{semaphores_per_set}\t{semaphores}\t{operations}\t{sets}")
        }
        LimitFile::SemNextId => system_v.semaphores.wanted_id.to_string(),
        LimitFile::Shmall => limits.segment_pages.to_string(),
        LimitFile::Shmmax => limits.segment_size.to_string(),
        LimitFile::Shmmni => limits.segments.to_string(),
        LimitFile::ShmNextId => system_v.segments.wanted_id.to_string(),
        LimitFile::ShmRmidForced => u8::from(limits.removes_orphans).to_string(),
    }
}

/// Changes a limit.
///
/// # Errors
/// `EINVAL` outside its range, `EACCES` for the identifiers to come without `CAP_CHECKPOINT_RESTORE`, `ERANGE` for too
/// many sets.
pub(crate) fn write(call: &mut Call, file: LimitFile, bytes: &[u8]) -> Result<(), Error> {
    const INT_MAX: u64 = i32::MAX as u64;
    let most = MOST as u64;
    let one = |most: u64| numbers(bytes, 1, most).map(|values| values.first().copied());
    match file {
        LimitFile::MsgNextId | LimitFile::SemNextId | LimitFile::ShmNextId => {
            if !call.has_capability(CAP_CHECKPOINT_RESTORE) && !call.has_capability(CAP_SYS_ADMIN) {
                return Err(Errno::EACCES.because("only CAP_CHECKPOINT_RESTORE may choose identifiers"));
            }
            let Some(wanted) = one(INT_MAX)? else { return Ok(()) };
            let system_v = call.system_v_mut();
            *match file {
                LimitFile::MsgNextId => &mut system_v.queues.wanted_id,
                LimitFile::SemNextId => &mut system_v.semaphores.wanted_id,
                _ => &mut system_v.segments.wanted_id,
            } = wanted as i32;
            return Ok(());
        }
        LimitFile::Sem => return set_semaphore_limits(&mut call.system_v_mut().limits, bytes),
        _ => {}
    }
    let value = one(match file {
        LimitFile::AutoMsgmni | LimitFile::ShmRmidForced => 1,
        LimitFile::Msgmax | LimitFile::Msgmnb => INT_MAX,
        LimitFile::Msgmni | LimitFile::Shmmni => most,
        _ => u64::MAX,
    })?;
    let Some(value) = value else { return Ok(()) };
    let limits = &mut call.system_v_mut().limits;
    match file {
        LimitFile::Msgmax => limits.message_size = value as usize,
        LimitFile::Msgmnb => limits.queue_size = value as usize,
        LimitFile::Msgmni => limits.queues = value as usize,
        LimitFile::Shmall => limits.segment_pages = value,
        LimitFile::Shmmax => limits.segment_size = value,
        LimitFile::Shmmni => limits.segments = value as usize,
        LimitFile::ShmRmidForced => {
            limits.removes_orphans = value == 1;
            shared_memory::remove_orphans(call.kernel);
        }
        _ => {}
    }
    Ok(())
}

/// `sem`: as many of the four as were written, proc_ipc_sem_dointvec().
fn set_semaphore_limits(limits: &mut Limits, bytes: &[u8]) -> Result<(), Error> {
    let mut values = numbers(bytes, 4, i32::MAX as u64)?.into_iter().map(|value| value as usize);
    for limit in [&mut limits.semaphores_per_set, &mut limits.semaphores, &mut limits.operations] {
        *limit = values.next().unwrap_or(*limit);
    }
    let sets = values.next().unwrap_or(limits.sets);
    if sets > MOST as usize {
        return Err(Errno::ERANGE.because("there are 32,768 identifiers at most"));
    }
    limits.sets = sets;
    Ok(())
}
