//! The system calls on users, groups and capabilities: setuid(2) and its family, getgroups(2), capget(2).

use super::{Credentials, credentials, permission};
use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::resource::{
    CAP_FULL, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAPABILITY_VERSION_1, CAPABILITY_VERSION_2, CAPABILITY_VERSION_3,
    CapabilityData, CapabilityHeader,
};
use abi::{Errno, Error};

/// "Leave as it is", in arguments of setresuid(2) and its kin.
const UNCHANGED: u32 = u32::MAX;
/// Most supplementary groups, `NGROUPS_MAX`.
const MOST_GROUPS: i32 = 65536;
/// Capabilities that concern files: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD,
/// MAC_OVERRIDE. They follow the file system user.
const FILE_CAPABILITIES: u64 = 0x1f | 1 << 9 | 1 << 27 | 1 << 32;
/// prctl(2) `PR_SET_SECUREBITS`: changes of users leave capabilities alone.
const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2;
/// prctl(2) `PR_SET_KEEPCAPS`.
pub(super) const SECBIT_KEEP_CAPS: u32 = 1 << 4;

/// getuid(2).
pub fn getuid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(u64::from(call.credentials().uid)))
}

/// geteuid(2).
pub fn geteuid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(u64::from(call.credentials().euid)))
}

/// getgid(2).
pub fn getgid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(u64::from(call.credentials().gid)))
}

/// getegid(2).
pub fn getegid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(u64::from(call.credentials().egid)))
}

/// getresuid(2).
pub fn getresuid(call: &mut Call, real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    let Credentials { uid, euid, suid, .. } = *call.credentials();
    call.write(real, &uid)?;
    call.write(effective, &euid)?;
    call.write(saved, &suid)?;
    Flow::OK
}

/// getresgid(2).
pub fn getresgid(call: &mut Call, real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    let Credentials { gid, egid, sgid, .. } = *call.credentials();
    call.write(real, &gid)?;
    call.write(effective, &egid)?;
    call.write(saved, &sgid)?;
    Flow::OK
}

fn is_one_of(id: u32, permitted: &[u32]) -> bool {
    id == UNCHANGED || permitted.contains(&id)
}

fn refused() -> Error {
    Errno::EPERM.because("only a privileged process may take numbers that it does not have")
}

/// Makes changed credentials the calling thread's own: capabilities follow the users, capabilities(7) "Effect of user ID
/// changes on capabilities".
fn adopt(call: &mut Call, mut new: Credentials) {
    let old = call.credentials().clone();
    if new.secure_bits & SECBIT_NO_SETUID_FIXUP == 0 {
        let had_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
        let has_root = new.uid == 0 || new.euid == 0 || new.suid == 0;
        if had_root && !has_root {
            if new.secure_bits & SECBIT_KEEP_CAPS == 0 {
                (new.permitted, new.effective) = (0, 0);
            }
            new.ambient = 0;
        }
        if old.euid == 0 && new.euid != 0 {
            new.effective = 0;
        } else if old.euid != 0 && new.euid == 0 {
            new.effective = new.permitted;
        }
    }
    if (old.euid, old.egid, old.fsuid, old.fsgid) != (new.euid, new.egid, new.fsuid, new.fsgid) {
        // Linux `commit_creds`: others may no longer look into the process.
        let process = call.process();
        process.attributes.dumpable = 0;
        process.attributes.parent_death_signal = 0;
    }
    credentials::replace(call.kernel, call.thread, new);
}

/// setuid(2).
pub fn setuid(call: &mut Call, uid: u32) -> SysResult {
    if uid == UNCHANGED {
        return Err(Errno::EINVAL.because("no user has this number"));
    }
    let mut new = call.credentials().clone();
    if new.has_capability(CAP_SETUID) {
        (new.uid, new.suid) = (uid, uid);
    } else if uid != new.uid && uid != new.suid {
        return Err(refused());
    }
    (new.euid, new.fsuid) = (uid, uid);
    adopt(call, new);
    Flow::OK
}

/// setgid(2).
pub fn setgid(call: &mut Call, gid: u32) -> SysResult {
    if gid == UNCHANGED {
        return Err(Errno::EINVAL.because("no group has this number"));
    }
    let mut new = call.credentials().clone();
    if new.has_capability(CAP_SETGID) {
        (new.gid, new.sgid) = (gid, gid);
    } else if gid != new.gid && gid != new.sgid {
        return Err(refused());
    }
    (new.egid, new.fsgid) = (gid, gid);
    adopt(call, new);
    Flow::OK
}

fn set_unless_unchanged(field: &mut u32, value: u32) {
    if value != UNCHANGED {
        *field = value;
    }
}

/// setreuid(2).
pub fn setreuid(call: &mut Call, real: u32, effective: u32) -> SysResult {
    let old = call.credentials().clone();
    let is_permitted = is_one_of(real, &[old.uid, old.euid]) && is_one_of(effective, &[old.uid, old.euid, old.suid]);
    if !is_permitted && !old.has_capability(CAP_SETUID) {
        return Err(refused());
    }
    let mut new = old.clone();
    set_unless_unchanged(&mut new.uid, real);
    set_unless_unchanged(&mut new.euid, effective);
    if real != UNCHANGED || effective != UNCHANGED && effective != old.uid {
        new.suid = new.euid;
    }
    new.fsuid = new.euid;
    adopt(call, new);
    Flow::OK
}

/// setregid(2).
pub fn setregid(call: &mut Call, real: u32, effective: u32) -> SysResult {
    let old = call.credentials().clone();
    let is_permitted = is_one_of(real, &[old.gid, old.egid]) && is_one_of(effective, &[old.gid, old.egid, old.sgid]);
    if !is_permitted && !old.has_capability(CAP_SETGID) {
        return Err(refused());
    }
    let mut new = old.clone();
    set_unless_unchanged(&mut new.gid, real);
    set_unless_unchanged(&mut new.egid, effective);
    if real != UNCHANGED || effective != UNCHANGED && effective != old.gid {
        new.sgid = new.egid;
    }
    new.fsgid = new.egid;
    adopt(call, new);
    Flow::OK
}

/// setresuid(2).
pub fn setresuid(call: &mut Call, real: u32, effective: u32, saved: u32) -> SysResult {
    let mut new = call.credentials().clone();
    let own = [new.uid, new.euid, new.suid];
    let is_permitted = [real, effective, saved].iter().all(|uid| is_one_of(*uid, &own));
    if !is_permitted && !new.has_capability(CAP_SETUID) {
        return Err(refused());
    }
    set_unless_unchanged(&mut new.uid, real);
    set_unless_unchanged(&mut new.euid, effective);
    set_unless_unchanged(&mut new.suid, saved);
    new.fsuid = new.euid;
    adopt(call, new);
    Flow::OK
}

/// setresgid(2).
pub fn setresgid(call: &mut Call, real: u32, effective: u32, saved: u32) -> SysResult {
    let mut new = call.credentials().clone();
    let own = [new.gid, new.egid, new.sgid];
    let is_permitted = [real, effective, saved].iter().all(|gid| is_one_of(*gid, &own));
    if !is_permitted && !new.has_capability(CAP_SETGID) {
        return Err(refused());
    }
    set_unless_unchanged(&mut new.gid, real);
    set_unless_unchanged(&mut new.egid, effective);
    set_unless_unchanged(&mut new.sgid, saved);
    new.fsgid = new.egid;
    adopt(call, new);
    Flow::OK
}

/// setfsuid(2): never fails, and tells the number before.
pub fn setfsuid(call: &mut Call, uid: u32) -> SysResult {
    let mut new = call.credentials().clone();
    let before = new.fsuid;
    let is_permitted = [new.uid, new.euid, new.suid, new.fsuid].contains(&uid);
    if uid != UNCHANGED && uid != before && (is_permitted || new.has_capability(CAP_SETUID)) {
        new.fsuid = uid;
        if new.secure_bits & SECBIT_NO_SETUID_FIXUP == 0 {
            if before == 0 {
                new.effective &= !FILE_CAPABILITIES;
            } else if uid == 0 {
                new.effective |= new.permitted & FILE_CAPABILITIES;
            }
        }
        adopt(call, new);
    }
    Ok(Flow::Done(u64::from(before)))
}

/// setfsgid(2): never fails, and tells the number before.
pub fn setfsgid(call: &mut Call, gid: u32) -> SysResult {
    let mut new = call.credentials().clone();
    let before = new.fsgid;
    let is_permitted = [new.gid, new.egid, new.sgid, new.fsgid].contains(&gid);
    if gid != UNCHANGED && gid != before && (is_permitted || new.has_capability(CAP_SETGID)) {
        new.fsgid = gid;
        adopt(call, new);
    }
    Ok(Flow::Done(u64::from(before)))
}

/// getgroups(2).
pub fn getgroups(call: &mut Call, size: i32, list: UserPtr<u32>) -> SysResult {
    let groups = call.credentials().groups.clone();
    if size < 0 || size > 0 && (size as usize) < groups.len() {
        return Err(Errno::EINVAL.because("`size` is less than the number of groups"));
    }
    if size > 0 {
        let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
        call.copy_out(list.address(), &bytes)?;
    }
    Ok(Flow::Done(groups.len() as u64))
}

/// setgroups(2).
pub fn setgroups(call: &mut Call, size: i32, list: UserPtr<u32>) -> SysResult {
    if !call.has_capability(CAP_SETGID) {
        return Err(Errno::EPERM.because("setting the groups needs CAP_SETGID"));
    }
    if !(0..=MOST_GROUPS).contains(&size) {
        return Err(Errno::EINVAL.because("`size` is negative or larger than NGROUPS_MAX"));
    }
    let mut groups: Vec<u32> = call.read_array(list, size as usize)?;
    groups.sort_unstable();
    let new = Credentials { groups, ..call.credentials().clone() };
    adopt(call, new);
    Flow::OK
}

/// The number of 32-bit words that a version of the capability calls has.
fn words(call: &mut Call, header: UserPtr<CapabilityHeader>, version: u32) -> Result<usize, Error> {
    match version {
        CAPABILITY_VERSION_1 => Ok(1),
        CAPABILITY_VERSION_2 | CAPABILITY_VERSION_3 => Ok(2),
        _ => {
            call.write(UserPtr::new(header.address()), &CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL.because("the version in `hdrp` is unknown; the preferred one is stored there"))
        }
    }
}

/// capget(2).
pub fn capget(call: &mut Call, header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) -> SysResult {
    let asked = call.read(header)?;
    let words = match words(call, header, asked.version) {
        // A question for the preferred version only.
        Err(error) if error.errno == Errno::EINVAL && data.is_null() => return Flow::OK,
        words => words?,
    };
    if asked.pid < 0 {
        return Err(Errno::EINVAL.because("`pid` is negative"));
    }
    let thread = if asked.pid == 0 { call.thread } else { permission::find_thread(call.kernel, asked.pid)? };
    let set = &call.kernel.credentials[call.kernel.threads[thread].credentials];
    let (effective, permitted, inheritable) = (set.effective, set.permitted, set.inheritable);
    if data.is_null() {
        return Flow::OK;
    }
    for word in 0..words {
        let part = |set: u64| (set >> (32 * word)) as u32;
        let values =
            CapabilityData { effective: part(effective), permitted: part(permitted), inheritable: part(inheritable) };
        call.write(data.byte_offset::<CapabilityData>(12 * word as u64), &values)?;
    }
    Flow::OK
}

/// capset(2).
pub fn capset(call: &mut Call, header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) -> SysResult {
    let asked = call.read(header)?;
    let words = words(call, header, asked.version)?;
    let own = call.current().tid;
    if asked.pid != 0 && asked.pid != own {
        return Err(Errno::EPERM.because("a thread sets its own capabilities only"));
    }
    let (mut effective, mut permitted, mut inheritable) = (0, 0, 0);
    for word in 0..words {
        let values = call.read(data.byte_offset::<CapabilityData>(12 * word as u64))?;
        effective |= u64::from(values.effective) << (32 * word);
        permitted |= u64::from(values.permitted) << (32 * word);
        inheritable |= u64::from(values.inheritable) << (32 * word);
    }
    (effective, permitted, inheritable) = (effective & CAP_FULL, permitted & CAP_FULL, inheritable & CAP_FULL);
    let old = call.credentials().clone();
    let may_inherit_more = old.has_capability(CAP_SETPCAP);
    if inheritable & !(old.inheritable | old.permitted) != 0 && !may_inherit_more {
        return Err(Errno::EPERM.because("inheritable capabilities have to be permitted ones"));
    }
    if inheritable & !(old.inheritable | old.bounding) != 0 {
        return Err(Errno::EPERM.because("inheritable capabilities have to be in the bounding set"));
    }
    if permitted & !old.permitted != 0 || effective & !permitted != 0 {
        return Err(Errno::EPERM.because("a thread cannot permit itself more capabilities, nor use others"));
    }
    let ambient = old.ambient & permitted & inheritable;
    credentials::replace(call.kernel, call.thread, Credentials { effective, permitted, inheritable, ambient, ..old });
    Flow::OK
}
