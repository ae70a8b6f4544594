//! Making POSIX message queues and finding them by name: a file system with one directory, which every namespace has, and
//! which is mounted on `/dev/mqueue`; mq_overview(7) "Mounting the message queue filesystem".

use super::limits::{LARGEST_SIZE, MOST_MESSAGES};
use super::message_queue::MessageQueue;
use crate::entry::Call;
use crate::fs::{self, DirectoryEntry, InodeKind, Node, open};
use crate::kernel::Kernel;
use crate::table::Id;
use abi::inotify::IN_CREATE;
use abi::mqueue::{MQ_PRIO_MAX, QueueAttributes};
use abi::resource::{CAP_SYS_RESOURCE, RLIMIT_MSGQUEUE};
use abi::stat::S_IFREG;
use abi::{Errno, Error};

/// What a message costs beside its bytes: `sizeof(struct msg_msg)`.
const MESSAGE_OVERHEAD: u64 = 48;
/// What a priority costs: `sizeof(struct posix_msg_tree_node)`.
const PRIORITY_OVERHEAD: u64 = 48;
/// Bytes of a queue's file: `FILENT_SIZE`.
const FILE_SIZE: u64 = 80;

impl Kernel {
    /// Whether the files in a directory are message queues.
    pub fn is_queues_directory(&self, directory: Id<Node>) -> bool {
        let mount = self.vfs.nodes[directory].mount;
        self.vfs.mounts[mount].file_system == fs::FileSystem::Queues
    }
}

/// Takes all names away: nobody is in the namespace any more.
pub(in crate::ipc) fn remove_all(kernel: &mut Kernel, directory: Id<Node>) {
    let entries = kernel.inode(directory).directory().map(|directory| &directory.entries);
    let nodes: Vec<Id<Node>> = entries
        .into_iter()
        .flat_map(|entries| entries.values())
        .filter_map(|entry| match entry {
            DirectoryEntry::Node(node) => Some(*node),
            _ => None,
        })
        .collect();
    for node in nodes {
        kernel.inode_mut(node).links = 0;
        kernel.detach_node(node);
    }
    kernel.give_up_mount(directory);
}

/// Makes a queue with a name that is free in `directory`: mqueue_create_attr(). `mode` is cut by the umask.
///
/// # Errors
/// `EACCES`, `ENOSPC` for too many queues, `EINVAL` for attributes above the limits, `EMFILE` at RLIMIT_MSGQUEUE.
pub(crate) fn create(
    call: &mut Call,
    directory: Id<Node>,
    name: &[u8],
    mode: u32,
    attributes: Option<QueueAttributes>,
) -> Result<Id<Node>, Error> {
    open::check_writable_directory(call, directory)?;
    let queue = make_queue(call, attributes)?;
    let inode = open::new_inode(call, directory, S_IFREG | mode & 0o7777, InodeKind::Queue(queue, FILE_SIZE), 0);
    let inode = call.kernel.vfs.inodes.insert(inode);
    call.kernel.queues[queue].inode = Some(inode);
    let node = call.kernel.make_node(Some(directory), name, inode);
    call.kernel.attach_node(node);
    open::touch_directory(call, directory);
    fs::inotify::notify_name(call.kernel, node, IN_CREATE);
    Ok(node)
}

fn make_queue(call: &mut Call, attributes: Option<QueueAttributes>) -> Result<Id<MessageQueue>, Error> {
    let queues = call.posix_queues();
    let limits = queues.limits;
    let is_privileged = call.has_capability(CAP_SYS_RESOURCE);
    if queues.count >= limits.queues_max && !is_privileged {
        return Err(Errno::ENOSPC.because("there are as many queues as `/proc/sys/fs/mqueue/queues_max` allows"));
    }
    let (messages, size) = match attributes {
        None => (limits.messages_default.min(limits.messages_max), limits.size_default.min(limits.size_max)),
        Some(asked) => {
            let (messages_max, size_max) =
                if is_privileged { (MOST_MESSAGES, LARGEST_SIZE) } else { (limits.messages_max, limits.size_max) };
            if !(1..=messages_max).contains(&asked.messages_max) || !(1..=size_max).contains(&asked.message_size) {
                return Err(Errno::EINVAL.because("`mq_maxmsg` or `mq_msgsize` is not positive, or above its limit"));
            }
            (asked.messages_max, asked.message_size)
        }
    };
    let (messages, size) = (messages as u64, size as u64);
    let bytes = messages * (size + MESSAGE_OVERHEAD) + messages.min(u64::from(MQ_PRIO_MAX)) * PRIORITY_OVERHEAD;
    let user = call.credentials().uid;
    let limit = call.process().limits.soft(RLIMIT_MSGQUEUE);
    let account = call.kernel.users.entry(user).or_default();
    if account.queue_bytes.saturating_add(bytes) > limit {
        return Err(Errno::EMFILE.because("the user's queues would exceed RLIMIT_MSGQUEUE"));
    }
    account.queue_bytes += bytes;
    let namespace = call.ipc_namespace();
    call.posix_queues_mut().count += 1;
    let mut queue = MessageQueue::new(namespace, messages as usize, size as usize);
    queue.charge = (user, bytes);
    Ok(call.kernel.queues.insert(queue))
}
