//! What outlives a run: IPC objects that nobody removed.

use crate::scene::Scene;
use crate::text;
use crate::verdict::{Leak, LeakKind};
use crate::witness::{Made, Witness};
use abi::ipc::IPC_PRIVATE;
use kernel::fs::{DirectoryEntry, Inode, InodeKind, Node};
use kernel::ipc::namespace;
use kernel::ipc::sysv::ObjectId;
use kernel::ports::Outside;
use kernel::{Id, Kernel};

/// Every IPC object there is.
pub fn find(kernel: &Kernel, witness: &Witness, outside: &mut dyn Outside) -> Vec<Leak> {
    let mut scene = Scene::new(kernel, witness, outside);
    let mut leaks = Vec::new();
    let mut add = |scene: &mut Scene<'_>, kind, name, bytes, count, made: Made, remove| {
        let made = witness.maker(&made).cloned().map(|site| scene.deed(&site));
        leaks.push(Leak { kind, name, bytes, count, made, remove });
    };
    // The namespaces that programs made go with their last thread; what is in the first one stays.
    let Some(first) = kernel.ipc_namespaces.get(namespace::FIRST) else { return Vec::new() };
    let system_v = &first.system_v;
    let in_first = |id| ObjectId { namespace: namespace::FIRST, id };
    let named = |id: i32, key: i32| {
        if key == IPC_PRIVATE { format!("{id} (IPC_PRIVATE)") } else { format!("{id} (key {key:#010x})") }
    };
    for entry in system_v.segments.iter() {
        let (id, key) = (entry.id.0, entry.permissions.key);
        let remove = format!("shmctl(id, IPC_RMID, NULL), or ipcrm -m {id}");
        add(
            &mut scene,
            LeakKind::Segment,
            named(id, key),
            entry.object.size,
            None,
            Made::Segment(in_first(entry.id)),
            remove,
        );
    }
    for entry in system_v.queues.iter() {
        let (id, key) = (entry.id.0, entry.permissions.key);
        let remove = format!("msgctl(id, IPC_RMID, NULL), or ipcrm -q {id}");
        let (bytes, count) = (entry.object.bytes() as u64, Some(entry.object.len()));
        add(&mut scene, LeakKind::Queue, named(id, key), bytes, count, Made::Queue(in_first(entry.id)), remove);
    }
    for entry in system_v.semaphores.iter() {
        let (id, key) = (entry.id.0, entry.permissions.key);
        let remove = format!("semctl(id, 0, IPC_RMID), or ipcrm -s {id}");
        let count = Some(entry.object.semaphores.len());
        add(&mut scene, LeakKind::SemaphoreSet, named(id, key), 0, count, Made::Semaphores(in_first(entry.id)), remove);
    }
    for (name, inode) in files_in(kernel, first.posix_queues.directory) {
        let InodeKind::Queue(id, _) = kernel.vfs.inodes[inode].kind else { continue };
        let Some(queue) = kernel.queues.get(id) else { continue };
        let shown = format!("/{}", text::printable(&name));
        let remove = format!("mq_unlink(\"{shown}\")");
        let (bytes, count) = (queue.bytes() as u64, Some(queue.len()));
        add(&mut scene, LeakKind::PosixQueue, shown, bytes, count, Made::PosixQueue(id), remove);
    }
    for (name, inode) in shared_files(kernel) {
        let size = kernel.vfs.inodes[inode].size();
        let made = Made::SharedFile(inode);
        match name.strip_prefix(b"sem.") {
            Some(semaphore) => {
                let shown = format!("/{}", text::printable(semaphore));
                let remove = format!("sem_unlink(\"{shown}\")");
                add(&mut scene, LeakKind::NamedSemaphore, shown, size, None, made, remove);
            }
            None => {
                let shown = format!("/{}", text::printable(&name));
                let remove = format!("shm_unlink(\"{shown}\")");
                add(&mut scene, LeakKind::SharedMemory, shown, size, None, made, remove);
            }
        }
    }
    leaks
}

/// The regular files of `/dev/shm` that were made in the run.
fn shared_files(kernel: &Kernel) -> Vec<(Vec<u8>, Id<Inode>)> {
    let roots = kernel.vfs.mounts.iter().filter_map(|(_, mount)| mount.root);
    roots.filter(|root| kernel.path_of(*root) == b"/dev/shm").flat_map(|root| files_in(kernel, root)).collect()
}

/// The regular files in a directory that were made in the run.
fn files_in(kernel: &Kernel, directory: Id<Node>) -> Vec<(Vec<u8>, Id<Inode>)> {
    let Some(directory) = kernel.inode(directory).directory() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, entry) in &directory.entries {
        let DirectoryEntry::Node(node) = entry else { continue };
        let inode = kernel.vfs.nodes[*node].inode;
        let file = &kernel.vfs.inodes[inode];
        if file.is_regular() && file.host.is_none() {
            found.push((name.clone(), inode));
        }
    }
    found
}
