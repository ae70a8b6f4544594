//! `/proc/PID`: its files, who may read them, and where its links lead.

use super::Subject;
use super::{identity, memory, net, status};
use crate::entry::Call;
use crate::fs::Node;
use crate::fs::generated::Target;
use crate::fs::tree::tree;
use crate::kernel::Kernel;
use crate::process::Process;
use crate::table::Id;
use abi::resource::CAP_SYS_PTRACE;
use abi::{Errno, Error};

tree! {
    /// A file of a process.
    pub(crate) enum ProcessFile: PROCESS {
        Auxv = "auxv" 0o400;
        Cgroup = "cgroup" 0o444;
        Children = "children" 0o444;
        ClearRefs = "clear_refs" 0o200;
        Cmdline = "cmdline" 0o444;
        Comm = "comm" 0o644;
        CoredumpFilter = "coredump_filter" 0o644;
        Cwd = "cwd" 0o120777;
        Environ = "environ" 0o400;
        Exe = "exe" 0o120777;
        Fd = "fd/" 0o500;
        Fdinfo = "fdinfo/" 0o555;
        GidMap = "gid_map" 0o644;
        Io = "io" 0o400;
        Limits = "limits" 0o644;
        Loginuid = "loginuid" 0o644;
        Maps = "maps" 0o444;
        Mountinfo = "mountinfo" 0o444;
        Mounts = "mounts" 0o444;
        NetDev = "net/dev" 0o444;
        NetIf6 = "net/if_inet6" 0o444;
        NetRaw = "net/raw" 0o444;
        NetRoute = "net/route" 0o444;
        NetTcp = "net/tcp" 0o444;
        NetTcp6 = "net/tcp6" 0o444;
        NetUdp = "net/udp" 0o444;
        NetUdp6 = "net/udp6" 0o444;
        NetUnix = "net/unix" 0o444;
        NsCgroup = "ns/cgroup" 0o120777;
        NsIpc = "ns/ipc" 0o120777;
        NsMnt = "ns/mnt" 0o120777;
        NsNet = "ns/net" 0o120777;
        NsPid = "ns/pid" 0o120777;
        NsPidForChildren = "ns/pid_for_children" 0o120777;
        NsTime = "ns/time" 0o120777;
        NsTimeForChildren = "ns/time_for_children" 0o120777;
        NsUser = "ns/user" 0o120777;
        NsUts = "ns/uts" 0o120777;
        OomAdj = "oom_adj" 0o644;
        OomScore = "oom_score" 0o444;
        OomScoreAdj = "oom_score_adj" 0o644;
        Pagemap = "pagemap" 0o400;
        Personality = "personality" 0o400;
        ProjidMap = "projid_map" 0o644;
        Root = "root" 0o120777;
        Sched = "sched" 0o644;
        Schedstat = "schedstat" 0o444;
        Sessionid = "sessionid" 0o444;
        Setgroups = "setgroups" 0o644;
        Smaps = "smaps" 0o444;
        SmapsRollup = "smaps_rollup" 0o444;
        Stack = "stack" 0o400;
        Stat = "stat" 0o444;
        Statm = "statm" 0o444;
        Status = "status" 0o444;
        Syscall = "syscall" 0o400;
        Task = "task/" 0o555;
        TimerslackNs = "timerslack_ns" 0o666;
        UidMap = "uid_map" 0o644;
        Wchan = "wchan" 0o444;
    }
}

/// Whether the caller may look into a process, ptrace(2) "Ptrace access mode checking": the same user, and the process has
/// not been given other privileges.
///
/// # Errors
/// `EACCES`.
pub(crate) fn check_access(call: &Call, process: Id<Process>) -> Result<(), Error> {
    if call.process_id() == process || call.has_capability(CAP_SYS_PTRACE) {
        return Ok(());
    }
    let own = call.credentials();
    let target = &call.kernel.processes[process];
    let credentials = &call.kernel.credentials[target.credentials];
    let is_same_user = [credentials.uid, credentials.euid, credentials.suid].iter().all(|uid| *uid == own.fsuid)
        && [credentials.gid, credentials.egid, credentials.sgid].iter().all(|gid| *gid == own.fsgid);
    let is_subset = credentials.permitted & !own.permitted == 0;
    if is_same_user && is_subset && target.attributes.dumpable == 1 {
        return Ok(());
    }
    Err(Errno::EACCES.because("the process belongs to another user or has more privileges"))
}

/// Whom the files of a process belong to: its effective user; root if it may not be looked into, proc(5).
pub(crate) fn owner(kernel: &Kernel, process: Id<Process>) -> (u32, u32) {
    let process = &kernel.processes[process];
    let credentials = &kernel.credentials[process.credentials];
    if process.attributes.dumpable == 1 { (credentials.euid, credentials.egid) } else { (0, 0) }
}

/// The text of a file.
///
/// # Errors
/// `ESRCH`, `EACCES`, `EPERM`.
pub(crate) fn read(call: &mut Call, subject: Subject, file: ProcessFile) -> Result<Vec<u8>, Error> {
    let process = subject.process(call.kernel)?;
    if is_private(file) {
        check_access(call, process)?;
    }
    let kernel = &*call.kernel;
    Ok(match file {
        ProcessFile::Stat => status::stat(call, subject, process),
        ProcessFile::Status => status::status(kernel, subject, process),
        ProcessFile::Statm => memory::statm(kernel, process),
        ProcessFile::Sched => status::sched(kernel, subject, process),
        ProcessFile::Schedstat => status::schedstat(kernel, subject, process),
        ProcessFile::Wchan => status::wait_channel(kernel, subject),
        ProcessFile::Syscall => status::system_call(kernel, subject),
        ProcessFile::Io => status::io(kernel, subject, process),
        ProcessFile::Children => status::children(kernel, subject, process),
        ProcessFile::Stack => return Err(Errno::EPERM.because("kernel stacks are not shown")),
        ProcessFile::Cmdline => memory::strings(call, process, memory::Strings::Arguments)?,
        ProcessFile::Environ => memory::strings(call, process, memory::Strings::Environment)?,
        ProcessFile::Auxv => memory::auxiliary(kernel, process),
        ProcessFile::Maps => memory::maps(kernel, process),
        ProcessFile::Smaps => memory::smaps(kernel, process),
        ProcessFile::SmapsRollup => memory::smaps_rollup(kernel, process)?,
        ProcessFile::Comm => identity::name(kernel, subject, process),
        ProcessFile::Limits => identity::limits(kernel, process),
        ProcessFile::Mounts | ProcessFile::Mountinfo => {
            let thread = subject.thread(kernel).ok_or(Errno::EINVAL.because("a zombie has no mounts"))?;
            let root = kernel.fs_contexts[kernel.threads[thread].fs_context].root;
            if file == ProcessFile::Mounts { kernel.mounts_text(root) } else { kernel.mountinfo_text(root) }
        }
        ProcessFile::Cgroup => b"0::/\n".to_vec(),
        ProcessFile::OomScore => identity::oom_score(kernel, process),
        ProcessFile::OomAdj => identity::oom_adjustment_old(kernel, process),
        ProcessFile::OomScoreAdj => identity::oom_adjustment(kernel, process),
        ProcessFile::Loginuid | ProcessFile::Sessionid => b"4294967295".to_vec(),
        ProcessFile::CoredumpFilter => identity::core_filter(kernel, process),
        ProcessFile::Personality => identity::personality(kernel, process),
        ProcessFile::TimerslackNs => identity::timer_slack(kernel, process),
        ProcessFile::Setgroups => b"allow\n".to_vec(),
        ProcessFile::UidMap | ProcessFile::GidMap | ProcessFile::ProjidMap => {
            b"         0          0 4294967295\n".to_vec()
        }
        ProcessFile::NetDev
        | ProcessFile::NetIf6
        | ProcessFile::NetRaw
        | ProcessFile::NetRoute
        | ProcessFile::NetTcp
        | ProcessFile::NetTcp6
        | ProcessFile::NetUdp
        | ProcessFile::NetUdp6
        | ProcessFile::NetUnix => net::read(kernel, file),
        ProcessFile::Pagemap => return Err(Errno::EINVAL.because("pagemap is read in parts")),
        ProcessFile::ClearRefs => return Err(Errno::EINVAL.because("the file can be written only")),
        ProcessFile::Fd | ProcessFile::Fdinfo | ProcessFile::Task => {
            return Err(Errno::EISDIR.because("a directory is read with getdents64(2)"));
        }
        ProcessFile::Cwd
        | ProcessFile::Exe
        | ProcessFile::Root
        | ProcessFile::NsCgroup
        | ProcessFile::NsIpc
        | ProcessFile::NsMnt
        | ProcessFile::NsNet
        | ProcessFile::NsPid
        | ProcessFile::NsPidForChildren
        | ProcessFile::NsTime
        | ProcessFile::NsTimeForChildren
        | ProcessFile::NsUser
        | ProcessFile::NsUts => return Err(Errno::EINVAL.because("the file is a symbolic link")),
    })
}

/// Files that only those may read who may look into the process.
fn is_private(file: ProcessFile) -> bool {
    matches!(
        file,
        ProcessFile::Environ
            | ProcessFile::Auxv
            | ProcessFile::Maps
            | ProcessFile::Smaps
            | ProcessFile::SmapsRollup
            | ProcessFile::Pagemap
            | ProcessFile::Syscall
            | ProcessFile::Io
            | ProcessFile::Personality
            | ProcessFile::TimerslackNs
            | ProcessFile::Stack
    )
}

/// Takes what was written to a file.
///
/// # Errors
/// `EINVAL`, `EACCES`, `EPERM`, `EIO` if it cannot be written.
pub(crate) fn write(call: &mut Call, subject: Subject, file: ProcessFile, bytes: &[u8]) -> Result<usize, Error> {
    let process = subject.process(call.kernel)?;
    match file {
        ProcessFile::Comm => identity::set_name(call, subject, process, bytes)?,
        ProcessFile::OomScoreAdj => identity::set_oom_adjustment(call, process, bytes)?,
        ProcessFile::OomAdj => identity::set_oom_adjustment_old(call, process, bytes)?,
        ProcessFile::CoredumpFilter => identity::set_core_filter(call, process, bytes)?,
        ProcessFile::TimerslackNs => identity::set_timer_slack(call, process, bytes)?,
        ProcessFile::ClearRefs => memory::clear_references(call, process, bytes)?,
        ProcessFile::Setgroups | ProcessFile::UidMap | ProcessFile::GidMap | ProcessFile::ProjidMap => {
            return Err(Errno::EPERM.because("the first user namespace's maps are fixed"));
        }
        ProcessFile::Loginuid => return Err(Errno::EPERM.because("there is no audit system")),
        _ => return Err(crate::fs::generated::read_only()),
    }
    Ok(bytes.len())
}

/// Where a link leads.
///
/// # Errors
/// `EACCES`, `ENOENT` for a zombie.
pub(crate) fn follow(call: &mut Call, subject: Subject, file: ProcessFile) -> Result<Target, Error> {
    let process = subject.process(call.kernel).map_err(|_| Errno::ENOENT.because("the process has ended"))?;
    check_access(call, process)?;
    let kernel = &*call.kernel;
    let ended = Errno::ENOENT.because("the process has ended");
    if let Some((name, number)) = namespace(file) {
        // Links like these cannot be followed by their text; but for IPC, there is only the first of each kind.
        return Ok(Target::Path(format!("{name}:[{number}]").into_bytes()));
    }
    let thread = subject.thread(kernel).ok_or(ended)?;
    if file == ProcessFile::NsIpc {
        let number = kernel.ipc_namespaces[kernel.threads[thread].ipc_namespace].number();
        return Ok(Target::Path(format!("ipc:[{number}]").into_bytes()));
    }
    let context = &kernel.fs_contexts[kernel.threads[thread].fs_context];
    match file {
        ProcessFile::Cwd => Ok(Target::Node(context.directory)),
        ProcessFile::Root => Ok(Target::Node(context.root)),
        ProcessFile::Exe => kernel.processes[process].image.program.map(Target::Node).ok_or(ended),
        _ => Err(Errno::EINVAL.because("the file is no symbolic link")),
    }
}

/// The namespaces: name and inode number of the first one of each kind, linux/proc_ns.h.
fn namespace(file: ProcessFile) -> Option<(&'static str, u32)> {
    Some(match file {
        ProcessFile::NsCgroup => ("cgroup", 0xEFFF_FFFB),
        ProcessFile::NsMnt => ("mnt", 0xEFFF_FFF8),
        ProcessFile::NsNet => ("net", 0xEFFF_FFF9),
        ProcessFile::NsPid | ProcessFile::NsPidForChildren => ("pid", 0xEFFF_FFFC),
        ProcessFile::NsTime | ProcessFile::NsTimeForChildren => ("time", 0xEFFF_FFFA),
        ProcessFile::NsUser => ("user", 0xEFFF_FFFD),
        ProcessFile::NsUts => ("uts", 0xEFFF_FFFE),
        _ => return None,
    })
}

/// A node's path as seen from `root`, as links show it.
pub(crate) fn shown_path(kernel: &Kernel, node: Id<Node>, root: Id<Node>) -> Vec<u8> {
    let mut path = kernel.path_below(node, Some(root)).unwrap_or_else(|| kernel.path_of(node));
    if kernel.is_detached(node) && !path.ends_with(b" (deleted)") {
        path.extend_from_slice(b" (deleted)");
    }
    path
}
