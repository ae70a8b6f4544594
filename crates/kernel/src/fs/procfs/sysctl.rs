//! `/proc/sys`: settings of the kernel, sysctl(8), proc_sys(5). Only those are here that say something true of this kernel
//! or change something in it.

use super::identity::parse;
use crate::entry::Call;
use crate::fs::tree::tree;
use crate::fs::tty::device::MOST_PTYS;
use crate::ipc::pipe;
use crate::ipc::posix::limits as posix;
use crate::ipc::sysv::limits::{self as system_v, LimitFile};
use crate::kernel::Kernel;
use crate::process::pids::PID_MAX;
use crate::release;
use abi::resource::CAP_LAST;
use abi::{Errno, Error};

tree! {
    /// A setting.
    pub enum Setting: SETTINGS {
        EpollWatches = "fs/epoll/max_user_watches" 0o644;
        FileMax = "fs/file-max" 0o444;
        FileNr = "fs/file-nr" 0o444;
        InodeNr = "fs/inode-nr" 0o444;
        InodeState = "fs/inode-state" 0o444;
        InotifyEvents = "fs/inotify/max_queued_events" 0o644;
        InotifyQueues = "fs/inotify/max_user_instances" 0o644;
        InotifyWatches = "fs/inotify/max_user_watches" 0o644;
        LeaseBreakTime = "fs/lease-break-time" 0o644;
        LeasesEnable = "fs/leases-enable" 0o644;
        MqMsgDefault = "fs/mqueue/msg_default" 0o644;
        MqMsgMax = "fs/mqueue/msg_max" 0o644;
        MqMsgsizeDefault = "fs/mqueue/msgsize_default" 0o644;
        MqMsgsizeMax = "fs/mqueue/msgsize_max" 0o644;
        MqQueuesMax = "fs/mqueue/queues_max" 0o644;
        NrOpen = "fs/nr_open" 0o444;
        OverflowFsGid = "fs/overflowgid" 0o444;
        OverflowFsUid = "fs/overflowuid" 0o444;
        PipeMaxSize = "fs/pipe-max-size" 0o644;
        PipeUserPagesHard = "fs/pipe-user-pages-hard" 0o644;
        PipeUserPagesSoft = "fs/pipe-user-pages-soft" 0o644;
        ProtectedSymlinks = "fs/protected_symlinks" 0o444;
        Arch = "kernel/arch" 0o444;
        AutoMsgmni = "kernel/auto_msgmni" 0o644;
        CapLastCap = "kernel/cap_last_cap" 0o444;
        Domainname = "kernel/domainname" 0o644;
        Hostname = "kernel/hostname" 0o644;
        MsgNextId = "kernel/msg_next_id" 0o444;
        Msgmax = "kernel/msgmax" 0o644;
        Msgmnb = "kernel/msgmnb" 0o644;
        Msgmni = "kernel/msgmni" 0o644;
        NgroupsMax = "kernel/ngroups_max" 0o444;
        NsLastPid = "kernel/ns_last_pid" 0o444;
        Osrelease = "kernel/osrelease" 0o444;
        Ostype = "kernel/ostype" 0o444;
        OverflowGid = "kernel/overflowgid" 0o444;
        OverflowUid = "kernel/overflowuid" 0o444;
        PidMax = "kernel/pid_max" 0o444;
        PtyMax = "kernel/pty/max" 0o444;
        PtyNr = "kernel/pty/nr" 0o444;
        PtyReserve = "kernel/pty/reserve" 0o444;
        BootId = "kernel/random/boot_id" 0o444;
        EntropyAvail = "kernel/random/entropy_avail" 0o444;
        PoolSize = "kernel/random/poolsize" 0o444;
        Uuid = "kernel/random/uuid" 0o444;
        RandomizeVaSpace = "kernel/randomize_va_space" 0o444;
        Sem = "kernel/sem" 0o644;
        SemNextId = "kernel/sem_next_id" 0o444;
        ShmNextId = "kernel/shm_next_id" 0o444;
        ShmRmidForced = "kernel/shm_rmid_forced" 0o644;
        Shmall = "kernel/shmall" 0o644;
        Shmmax = "kernel/shmmax" 0o644;
        Shmmni = "kernel/shmmni" 0o644;
        ThreadsMax = "kernel/threads-max" 0o444;
        Version = "kernel/version" 0o444;
        Somaxconn = "net/core/somaxconn" 0o444;
        MaxMapCount = "vm/max_map_count" 0o644;
        MmapMinAddr = "vm/mmap_min_addr" 0o644;
        NrHugepages = "vm/nr_hugepages" 0o444;
        OvercommitMemory = "vm/overcommit_memory" 0o644;
        OvercommitRatio = "vm/overcommit_ratio" 0o644;
        Swappiness = "vm/swappiness" 0o444;
    }
}

/// uid and gid that stand for those that do not fit, `DEFAULT_OVERFLOWUID`.
const OVERFLOW_ID: u32 = 65534;
/// `NGROUPS_MAX`.
const MOST_GROUPS: u32 = 65536;
/// `__NEW_UTS_LEN`.
const MOST_NAME: usize = 64;

/// The text of a setting.
///
/// # Errors
/// None.
pub fn read(call: &mut Call, setting: Setting) -> Result<Vec<u8>, Error> {
    if let Setting::Uuid = setting {
        return Ok(format!("{}\n", new_uuid(call)).into_bytes());
    }
    if let Setting::BootId = setting {
        let known = call.kernel.boot_id;
        let boot_id = known.unwrap_or_else(|| new_uuid_bytes(call));
        call.kernel.boot_id = Some(boot_id);
        return Ok(format!("{}\n", uuid_text(boot_id)).into_bytes());
    }
    let mut text = match (system_v_limit(setting), queue_limit(setting)) {
        (Some(file), _) => system_v::read(call, file),
        (_, Some(file)) => posix::read(call, file),
        _ => value(call.kernel, setting),
    }
    .into_bytes();
    text.push(b'\n');
    Ok(text)
}

fn value(kernel: &Kernel, setting: Setting) -> String {
    let words = |words: &[u64]| words.iter().map(u64::to_string).collect::<Vec<_>>().join("\t");
    match setting {
        Setting::FileMax => i64::MAX.to_string(),
        Setting::FileNr => words(&[kernel.files.len() as u64, 0, i64::MAX as u64]),
        Setting::InodeNr => words(&[kernel.vfs.inodes.len() as u64, 0]),
        Setting::InodeState => words(&[kernel.vfs.inodes.len() as u64, 0, 0, 0, 0, 0, 0]),
        Setting::EpollWatches => kernel.watch_limits.epoll_interests.to_string(),
        Setting::InotifyEvents => kernel.watch_limits.inotify_events.to_string(),
        Setting::InotifyQueues => kernel.watch_limits.inotify_queues.to_string(),
        Setting::InotifyWatches => kernel.watch_limits.inotify_watches.to_string(),
        Setting::LeaseBreakTime => kernel.lease_settings.break_time_s.to_string(),
        Setting::LeasesEnable => i32::from(kernel.lease_settings.enabled).to_string(),
        Setting::NrOpen => (1 << 20).to_string(),
        Setting::OverflowFsGid | Setting::OverflowFsUid | Setting::OverflowGid | Setting::OverflowUid => {
            OVERFLOW_ID.to_string()
        }
        Setting::PipeMaxSize => kernel.pipe_limits.largest.to_string(),
        Setting::PipeUserPagesHard => kernel.pipe_limits.hard_pages.to_string(),
        Setting::PipeUserPagesSoft => kernel.pipe_limits.soft_pages.to_string(),
        // See `check_sticky_link` in fs/path.rs.
        Setting::ProtectedSymlinks => "1".to_string(),
        Setting::Arch => release::MACHINE.to_string(),
        Setting::CapLastCap => CAP_LAST.to_string(),
        Setting::Domainname => kernel.domain_name.escape_ascii().to_string(),
        Setting::Hostname => kernel.configuration.host_name.escape_ascii().to_string(),
        Setting::NgroupsMax => MOST_GROUPS.to_string(),
        Setting::NsLastPid => kernel.pids.last().to_string(),
        Setting::Osrelease => release::RELEASE.to_string(),
        Setting::Ostype => release::SYSTEM.to_string(),
        Setting::PidMax => PID_MAX.to_string(),
        Setting::PtyMax => MOST_PTYS.to_string(),
        Setting::PtyNr => kernel.terminals.count().to_string(),
        Setting::PtyReserve => "0".to_string(),
        Setting::EntropyAvail | Setting::PoolSize => "256".to_string(),
        Setting::RandomizeVaSpace => "0".to_string(),
        Setting::ThreadsMax => {
            (u64::from(kernel.memory.total()) * kernel.page_size().bytes() / (8 * 16384)).max(20).to_string()
        }
        Setting::Version => release::VERSION.to_string(),
        Setting::Somaxconn => "4096".to_string(),
        Setting::MaxMapCount => kernel.mm.settings.most_areas.to_string(),
        Setting::MmapMinAddr => kernel.mm.settings.lowest_address.to_string(),
        Setting::NrHugepages | Setting::Swappiness => "0".to_string(),
        Setting::OvercommitMemory => kernel.mm.settings.overcommit.to_string(),
        Setting::OvercommitRatio => kernel.mm.settings.overcommit_ratio.to_string(),
        _ => unreachable!("made by the caller"),
    }
}

/// The setting as a limit of System V objects, if it is one.
fn system_v_limit(setting: Setting) -> Option<LimitFile> {
    Some(match setting {
        Setting::AutoMsgmni => LimitFile::AutoMsgmni,
        Setting::MsgNextId => LimitFile::MsgNextId,
        Setting::Msgmax => LimitFile::Msgmax,
        Setting::Msgmnb => LimitFile::Msgmnb,
        Setting::Msgmni => LimitFile::Msgmni,
        Setting::Sem => LimitFile::Sem,
        Setting::SemNextId => LimitFile::SemNextId,
        Setting::ShmNextId => LimitFile::ShmNextId,
        Setting::ShmRmidForced => LimitFile::ShmRmidForced,
        Setting::Shmall => LimitFile::Shmall,
        Setting::Shmmax => LimitFile::Shmmax,
        Setting::Shmmni => LimitFile::Shmmni,
        _ => return None,
    })
}

/// The setting as a limit of POSIX message queues, if it is one.
fn queue_limit(setting: Setting) -> Option<posix::LimitFile> {
    Some(match setting {
        Setting::MqMsgDefault => posix::LimitFile::MessagesDefault,
        Setting::MqMsgMax => posix::LimitFile::MessagesMax,
        Setting::MqMsgsizeDefault => posix::LimitFile::SizeDefault,
        Setting::MqMsgsizeMax => posix::LimitFile::SizeMax,
        Setting::MqQueuesMax => posix::LimitFile::QueuesMax,
        _ => return None,
    })
}

/// Changes a setting.
///
/// # Errors
/// `EINVAL` for what it cannot be, `EACCES` if it cannot be changed.
pub fn write(call: &mut Call, setting: Setting, mode: u32, bytes: &[u8]) -> Result<usize, Error> {
    if let Some(file) = system_v_limit(setting) {
        system_v::write(call, file, bytes)?;
        return Ok(bytes.len());
    }
    if let Some(file) = queue_limit(setting) {
        posix::write(call, file, bytes)?;
        return Ok(bytes.len());
    }
    if mode & 0o200 == 0 {
        return Err(Errno::EACCES.because("the setting cannot be changed"));
    }
    let settings = &mut call.kernel.mm.settings;
    match setting {
        Setting::Hostname => call.kernel.configuration.host_name = line(bytes),
        Setting::Domainname => call.kernel.domain_name = line(bytes),
        Setting::OvercommitMemory => settings.overcommit = within(bytes, 0, 2)? as u32,
        Setting::OvercommitRatio => settings.overcommit_ratio = within(bytes, 0, i64::from(i32::MAX))? as u32,
        Setting::EpollWatches => call.kernel.watch_limits.epoll_interests = within(bytes, 0, i64::MAX)? as u64,
        Setting::InotifyEvents => {
            call.kernel.watch_limits.inotify_events = within(bytes, 0, i64::from(i32::MAX))? as usize;
        }
        Setting::InotifyQueues => {
            call.kernel.watch_limits.inotify_queues = within(bytes, 0, i64::from(i32::MAX))? as u64;
        }
        Setting::InotifyWatches => {
            call.kernel.watch_limits.inotify_watches = within(bytes, 0, i64::from(i32::MAX))? as u64;
        }
        Setting::LeaseBreakTime => {
            let seconds = within(bytes, i64::from(i32::MIN), i64::from(i32::MAX))?;
            call.kernel.lease_settings.break_time_s = seconds as i32;
        }
        Setting::LeasesEnable => {
            let enabled = within(bytes, i64::from(i32::MIN), i64::from(i32::MAX))? != 0;
            call.kernel.lease_settings.enabled = enabled;
        }
        Setting::PipeMaxSize => {
            let size = within(bytes, 1, 1 << 31)?;
            call.kernel.pipe_limits.largest = pipe::slots_for(size as u64)? * pipe::SLOT_SIZE;
        }
        Setting::PipeUserPagesHard => call.kernel.pipe_limits.hard_pages = within(bytes, 0, i64::MAX)? as u64,
        Setting::PipeUserPagesSoft => call.kernel.pipe_limits.soft_pages = within(bytes, 0, i64::MAX)? as u64,
        Setting::MaxMapCount => settings.most_areas = within(bytes, 0, i64::from(i32::MAX))? as usize,
        Setting::MmapMinAddr => settings.lowest_address = within(bytes, 0, i64::MAX)? as u64,
        _ => return Err(Errno::EACCES.because("the setting cannot be changed")),
    }
    Ok(bytes.len())
}

/// A name: the first line, as much as fits.
fn line(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0)).unwrap_or(bytes.len());
    bytes[..end.min(MOST_NAME)].to_vec()
}

fn within(bytes: &[u8], least: i64, most: i64) -> Result<i64, Error> {
    let value = parse(bytes)?;
    if !(least..=most).contains(&value) {
        return Err(Errno::EINVAL.because("the number is outside the setting's range"));
    }
    Ok(value)
}

/// At most `count` numbers with white space between them, each at most `most`: proc_dointvec_minmax() and its kin.
///
/// # Errors
/// `EINVAL` for what is no number, or out of its range.
pub(crate) fn numbers(bytes: &[u8], count: usize, most: u64) -> Result<Vec<u64>, Error> {
    let wrong = Errno::EINVAL.because("a number was expected, within the setting's range");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong)?;
    let words = text.split(['\0', '\n', ' ', '\t']).filter(|word| !word.is_empty()).take(count);
    let number = |word: &str| word.parse().or_else(|_| u64::try_from(parse(word.as_bytes())?).map_err(|_| wrong));
    words.map(|word| number(word).ok().filter(|value| *value <= most).ok_or(wrong)).collect()
}

fn new_uuid(call: &mut Call) -> String {
    uuid_text(new_uuid_bytes(call))
}

/// A random UUID, RFC 9562 version 4.
fn new_uuid_bytes(call: &mut Call) -> [u8; 16] {
    let mut bytes = [0; 16];
    call.chooser.random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_five_parts() {
        assert_eq!(uuid_text([0xab; 16]), "abababab-abab-abab-abab-abababababab");
    }

    #[test]
    fn a_name_is_the_first_line() {
        assert_eq!(line(b"jar\nmore"), b"jar");
        assert_eq!(line(&[b'x'; 100]).len(), MOST_NAME);
    }
}
