//! `/proc/sysvipc`, proc_sysvipc(5): the objects of the reader's namespace, one line each, in the order of their indices.

use super::shared_memory;
use crate::entry::Call;
use std::fmt::Write;

const QUEUES: &str = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      \
    rtime      ctime\n";
const SETS: &str = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
const SEGMENTS: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      \
    dtime      ctime                   rss                  swap\n";

/// `/proc/sysvipc/msg`: sysvipc_msg_proc_show().
pub(crate) fn queues(call: &Call) -> Vec<u8> {
    let mut text = QUEUES.to_string();
    for entry in call.system_v().queues.iter() {
        let (own, queue) = (&entry.permissions, &entry.object);
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}",
            own.key,
            entry.id.0,
            own.mode,
            queue.bytes(),
            queue.len(),
            queue.last_sender,
            queue.last_receiver,
            own.uid,
            own.gid,
            own.creator_uid,
            own.creator_gid,
            queue.sent,
            queue.received,
            entry.changed
        );
    }
    text.into_bytes()
}

/// `/proc/sysvipc/sem`: sysvipc_sem_proc_show().
pub(crate) fn sets(call: &Call) -> Vec<u8> {
    let mut text = SETS.to_string();
    for entry in call.system_v().semaphores.iter() {
        let (own, set) = (&entry.permissions, &entry.object);
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}",
            own.key,
            entry.id.0,
            own.mode,
            set.semaphores.len(),
            own.uid,
            own.gid,
            own.creator_uid,
            own.creator_gid,
            set.operated,
            entry.changed
        );
    }
    text.into_bytes()
}

/// `/proc/sysvipc/shm`: sysvipc_shm_proc_show().
pub(crate) fn segments(call: &Call) -> Vec<u8> {
    let mut text = SEGMENTS.to_string();
    for entry in call.system_v().segments.iter() {
        let (own, segment) = (&entry.permissions, &entry.object);
        let _ = writeln!(
            text,
            "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}",
            own.key,
            entry.id.0,
            own.mode,
            segment.size,
            segment.creator,
            segment.last,
            shared_memory::attachments(call.kernel, segment),
            own.uid,
            own.gid,
            own.creator_uid,
            own.creator_gid,
            segment.attached,
            segment.detached,
            entry.changed,
            shared_memory::resident(call.kernel, segment) * call.kernel.page_size().bytes(),
            shared_memory::swapped(call.kernel, segment) * call.kernel.page_size().bytes(),
        );
    }
    text.into_bytes()
}
