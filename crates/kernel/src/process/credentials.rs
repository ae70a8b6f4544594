//! In whose name a thread acts: user, group and capability sets, credentials(7), capabilities(7).

use crate::entry::Call;
use crate::kernel::{Configuration, Kernel};
use crate::process::Thread;
use crate::table::Id;
use abi::resource::CAP_FULL;

/// User and group numbers and capabilities; shared until one of the sharers changes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
    /// Saved user.
    pub suid: u32,
    /// User for file access.
    pub fsuid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Saved group.
    pub sgid: u32,
    /// Group for file access.
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capabilities in effect, a bit each.
    pub effective: u64,
    /// Capabilities that may be put into effect.
    pub permitted: u64,
    /// Capabilities that may pass execve(2).
    pub inheritable: u64,
    /// Capabilities that execve(2) may give at most.
    pub bounding: u64,
    /// Capabilities that pass execve(2) of programs without privileges.
    pub ambient: u64,
    /// prctl(2) `PR_SET_SECUREBITS`.
    pub secure_bits: u32,
    /// Processes and threads that use it.
    pub references: u32,
}

impl Credentials {
    /// Those of the user who runs belljar: root has all capabilities, others none.
    pub fn of_host(configuration: &Configuration) -> Credentials {
        let (uid, gid) = (configuration.uid, configuration.gid);
        let capabilities = if uid == 0 { CAP_FULL } else { 0 };
        Credentials {
            uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups: configuration.groups.clone(),
            effective: capabilities,
            permitted: capabilities,
            inheritable: 0,
            bounding: CAP_FULL,
            ambient: 0,
            secure_bits: 0,
            references: 0,
        }
    }

    /// Whether a capability is in effect.
    pub fn has_capability(&self, capability: u32) -> bool {
        self.effective & 1 << capability != 0
    }

    /// Whether the file system user is in the group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}

impl Call<'_> {
    /// The calling thread's credentials.
    pub fn credentials(&self) -> &Credentials {
        let thread = &self.kernel.threads[self.thread];
        &self.kernel.credentials[thread.credentials]
    }

    /// Whether the calling thread has a capability in effect, capabilities(7).
    pub fn has_capability(&self, capability: u32) -> bool {
        self.credentials().has_capability(capability)
    }
}

/// Gives a thread other credentials, and its process if it is the leader.
pub(crate) fn replace(kernel: &mut Kernel, thread: Id<Thread>, mut credentials: Credentials) {
    credentials.references = 0;
    let after = credentials.uid;
    let new = kernel.credentials.insert(credentials);
    let old = std::mem::replace(&mut kernel.threads[thread].credentials, new);
    retain(kernel, new);
    let before = kernel.credentials[old].uid;
    if before != after {
        kernel.users.entry(before).or_default().processes -= 1;
        kernel.users.entry(after).or_default().processes += 1;
    }
    release(kernel, old);
    let process = kernel.threads[thread].process;
    if kernel.processes[process].pid == kernel.threads[thread].tid {
        retain(kernel, new);
        let old = std::mem::replace(&mut kernel.processes[process].credentials, new);
        release(kernel, old);
    }
}

/// One more user of a set.
pub(crate) fn retain(kernel: &mut Kernel, credentials: Id<Credentials>) {
    kernel.credentials[credentials].references += 1;
}

/// One user less; the last one frees it.
pub(crate) fn release(kernel: &mut Kernel, credentials: Id<Credentials>) {
    let set = &mut kernel.credentials[credentials];
    assert!(set.references > 0, "credentials are released as often as they are retained");
    set.references -= 1;
    if set.references == 0 {
        kernel.credentials.remove(credentials);
    }
}

/// What is counted per user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserAccount {
    /// Threads, and processes that have no leader any more, for RLIMIT_NPROC.
    pub processes: u64,
    /// Queued signals, for RLIMIT_SIGPENDING.
    pub signals: u64,
    /// Slots of pipes, `/proc/sys/fs/pipe-user-pages-soft`.
    pub pipe_pages: u64,
    /// Bytes that POSIX message queues may hold, for RLIMIT_MSGQUEUE.
    pub queue_bytes: u64,
    /// Interests in epoll sets, `/proc/sys/fs/epoll/max_user_watches`.
    pub epoll_interests: u64,
    /// Queues of inotify, `/proc/sys/fs/inotify/max_user_instances`.
    pub inotify_queues: u64,
    /// Their watches, `/proc/sys/fs/inotify/max_user_watches`.
    pub inotify_watches: u64,
}
