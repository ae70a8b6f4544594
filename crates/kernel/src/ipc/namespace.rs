//! IPC namespaces, ipc_namespaces(7): System V objects, POSIX message queues and their limits, which only the threads in
//! the namespace see.

use super::posix::{self, Queues};
use super::sysv::{self, SystemV};
use crate::entry::Call;
use crate::fs::FileSystem;
use crate::kernel::Kernel;
use crate::table::Id;

/// Inode number of the first namespace in `/proc/PID/ns/ipc`, linux/proc_ns.h `PROC_IPC_INIT_INO`.
const FIRST_NUMBER: u32 = 0xEFFF_FFFF;
/// Inode numbers of those that are made later begin here, linux/proc_ns.h `PROC_DYNAMIC_FIRST`.
const DYNAMIC_FIRST: u32 = 0xF000_0000;

/// What threads share that are in the same IPC namespace.
///
/// # Invariants
/// - `references` = threads in it;
/// - without threads it has nothing but segments that are attached somewhere.
#[derive(Clone, Debug)]
pub struct IpcNamespace {
    /// Threads in it.
    pub references: u32,
    /// How many were made before it.
    serial: u32,
    /// Queues, semaphores and segments.
    pub system_v: SystemV,
    /// POSIX message queues.
    pub posix_queues: Queues,
}

impl IpcNamespace {
    /// Its number in `/proc/PID/ns/ipc`.
    pub fn number(&self) -> u32 {
        if self.serial == 0 { FIRST_NUMBER } else { DYNAMIC_FIRST + self.serial - 1 }
    }
}

/// The namespace that every run begins in.
pub const FIRST: Id<IpcNamespace> = Id::FIRST;

/// Makes a namespace with default limits and nothing in it. The caller holds it.
pub fn create(kernel: &mut Kernel) -> Id<IpcNamespace> {
    let serial = kernel.ipc_namespaces_made;
    kernel.ipc_namespaces_made += 1;
    let directory = match serial {
        0 => kernel.queues_root(),
        _ => kernel.mount(FileSystem::Queues, "mqueue", None, 0o1777),
    };
    let posix_queues = Queues { directory, count: 0, limits: Default::default() };
    kernel.ipc_namespaces.insert(IpcNamespace { references: 1, serial, system_v: SystemV::default(), posix_queues })
}

/// A thread leaves a namespace; what is in it goes with the last.
pub fn release(call: &mut Call, id: Id<IpcNamespace>) {
    let namespace = &mut call.kernel.ipc_namespaces[id];
    assert!(namespace.references > 0, "a thread leaves a namespace once");
    if namespace.references > 1 || id == FIRST {
        namespace.references -= 1;
        return;
    }
    // It is held while what is in it goes: its last segment would take it along.
    let directory = namespace.posix_queues.directory;
    sysv::remove_all(call, id);
    posix::names::remove_all(call.kernel, directory);
    call.kernel.ipc_namespaces[id].references = 0;
    forget_if_empty(call.kernel, id);
}

/// The last segment of a namespace that nobody is in is gone: so is the namespace.
pub(super) fn forget_if_empty(kernel: &mut Kernel, id: Id<IpcNamespace>) {
    let namespace = &kernel.ipc_namespaces[id];
    if id != FIRST && namespace.references == 0 && namespace.system_v.segments.is_empty() {
        kernel.ipc_namespaces.remove(id);
    }
}

impl Call<'_> {
    /// The calling thread's namespace.
    pub fn ipc_namespace(&self) -> Id<IpcNamespace> {
        self.kernel.threads[self.thread].ipc_namespace
    }

    /// System V objects as the calling thread sees them.
    pub fn system_v(&self) -> &SystemV {
        &self.kernel.ipc_namespaces[self.ipc_namespace()].system_v
    }

    /// As [`Call::system_v`].
    pub fn system_v_mut(&mut self) -> &mut SystemV {
        let namespace = self.ipc_namespace();
        &mut self.kernel.ipc_namespaces[namespace].system_v
    }

    /// POSIX message queues as the calling thread sees them.
    pub fn posix_queues(&self) -> &Queues {
        &self.kernel.ipc_namespaces[self.ipc_namespace()].posix_queues
    }

    /// As [`Call::posix_queues`].
    pub fn posix_queues_mut(&mut self) -> &mut Queues {
        let namespace = self.ipc_namespace();
        &mut self.kernel.ipc_namespaces[namespace].posix_queues
    }
}
