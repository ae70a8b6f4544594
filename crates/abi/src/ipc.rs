//! System V communication: sysvipc(7), msgget(2), semget(2), shmget(2) and the calls around them.

crate::structure! {
    /// `struct ipc64_perm`: who owns an object and who may use it.
    pub struct IpcPermissions {
        /// The key it was made with.
        pub key: i32,
        /// Owner.
        pub uid: u32,
        /// Owner's group.
        pub gid: u32,
        /// Creator.
        pub creator_uid: u32,
        /// Creator's group.
        pub creator_gid: u32,
        /// Permissions, and `SHM_DEST`, `SHM_LOCKED`.
        pub mode: u32,
        /// Sequence number.
        pub sequence: u16,
        /// Padding.
        pub _pad0: u16,
        /// Padding.
        pub _pad1: u32,
        /// Unused.
        pub _unused: [u64; 2],
    }
}

crate::structure! {
    /// msgctl(2), `struct msqid64_ds`.
    pub struct MessageQueueStatus {
        /// Owner and permissions.
        pub permissions: IpcPermissions,
        /// When something was last sent, in seconds since 1970.
        pub sent: i64,
        /// When something was last received.
        pub received: i64,
        /// When it was last changed.
        pub changed: i64,
        /// Bytes in it.
        pub bytes: u64,
        /// Messages in it.
        pub messages: u64,
        /// Bytes that may be in it.
        pub limit: u64,
        /// Who sent last.
        pub last_sender: i32,
        /// Who received last.
        pub last_receiver: i32,
        /// Unused.
        pub _unused: [u64; 2],
    }
}

crate::structure! {
    /// semctl(2), `struct semid64_ds`.
    pub struct SemaphoreSetStatus {
        /// Owner and permissions.
        pub permissions: IpcPermissions,
        /// When it was last operated on.
        pub operated: i64,
        /// Unused.
        pub _unused0: u64,
        /// When it was last changed.
        pub changed: i64,
        /// Unused.
        pub _unused1: u64,
        /// Semaphores in it.
        pub count: u64,
        /// Unused.
        pub _unused2: [u64; 2],
    }
}

crate::structure! {
    /// shmctl(2), `struct shmid64_ds`.
    pub struct SharedMemoryStatus {
        /// Owner and permissions.
        pub permissions: IpcPermissions,
        /// Bytes.
        pub size: u64,
        /// When it was last attached.
        pub attached: i64,
        /// When it was last detached.
        pub detached: i64,
        /// When it was last changed.
        pub changed: i64,
        /// Who made it.
        pub creator: i32,
        /// Who attached or detached it last.
        pub last: i32,
        /// How often it is attached.
        pub attachments: u64,
        /// Unused.
        pub _unused: [u64; 2],
    }
}

crate::structure! {
    /// msgctl(2) `IPC_INFO`, `MSG_INFO`: `struct msginfo`.
    pub struct MessageInfo {
        /// KiB of all messages that there may be; `MSG_INFO`: queues.
        pub pool: i32,
        /// Entries of the message map; `MSG_INFO`: messages.
        pub map: i32,
        /// Bytes of a message at most.
        pub max: i32,
        /// Bytes of a queue at most.
        pub queue_bytes: i32,
        /// Queues at most.
        pub queues: i32,
        /// Size of a segment.
        pub segment_size: i32,
        /// Messages at most; `MSG_INFO`: bytes.
        pub messages: i32,
        /// Segments at most.
        pub segments: u16,
        /// Padding.
        pub _pad: u16,
    }
}

crate::structure! {
    /// semctl(2) `IPC_INFO`, `SEM_INFO`: `struct seminfo`.
    pub struct SemaphoreInfo {
        /// Entries of the semaphore map.
        pub map: i32,
        /// Sets at most.
        pub sets: i32,
        /// Semaphores at most.
        pub semaphores: i32,
        /// Undo structures at most.
        pub undos: i32,
        /// Semaphores of a set at most.
        pub per_set: i32,
        /// Operations of a call at most.
        pub operations: i32,
        /// Undo entries of a process at most.
        pub undo_entries: i32,
        /// Size of an undo structure; `SEM_INFO`: sets.
        pub undo_size: i32,
        /// Largest value.
        pub maximum: i32,
        /// Largest undo value; `SEM_INFO`: semaphores.
        pub undo_maximum: i32,
    }
}

crate::structure! {
    /// shmctl(2) `IPC_INFO`: `struct shminfo64`.
    pub struct SharedMemoryLimits {
        /// Bytes of a segment at most.
        pub max: u64,
        /// Bytes of a segment at least.
        pub min: u64,
        /// Segments at most.
        pub segments: u64,
        /// Segments of a process at most.
        pub per_process: u64,
        /// Pages of all segments at most.
        pub pages: u64,
        /// Unused.
        pub _unused: [u64; 4],
    }
}

crate::structure! {
    /// shmctl(2) `SHM_INFO`: `struct shm_info`.
    pub struct SharedMemoryUse {
        /// Segments.
        pub segments: i32,
        /// Padding.
        pub _pad: u32,
        /// Pages of all segments.
        pub pages: u64,
        /// Of these, in memory.
        pub resident: u64,
        /// Of these, swapped out.
        pub swapped: u64,
        /// Unused.
        pub swap_attempts: u64,
        /// Unused.
        pub swap_successes: u64,
    }
}

crate::structure! {
    /// semop(2), `struct sembuf`.
    pub struct SemaphoreOperation {
        /// Which semaphore of the set.
        pub number: u16,
        /// Added to it; 0 waits for it to be 0.
        pub change: i16,
        /// `IPC_NOWAIT`, `SEM_UNDO`.
        pub flags: i16,
    }
}

/// A key that always makes a new object.
pub const IPC_PRIVATE: i32 = 0;
/// Make the object if the key has none.
pub const IPC_CREAT: i32 = 0o1000;
/// With [`IPC_CREAT`]: fail if the key has one.
pub const IPC_EXCL: i32 = 0o2000;
/// Do not sleep.
pub const IPC_NOWAIT: i32 = 0o4000;
/// Remove the object.
pub const IPC_RMID: i32 = 0;
/// Change owner and permissions.
pub const IPC_SET: i32 = 1;
/// Tell about an object.
pub const IPC_STAT: i32 = 2;
/// Tell limits.
pub const IPC_INFO: i32 = 3;
/// In the command: the structures are those of today; 64-bit kernels take it for granted.
pub const IPC_64: i32 = 0x100;

/// [`IPC_STAT`] by index.
pub const MSG_STAT: i32 = 11;
/// Tell what is used.
pub const MSG_INFO: i32 = 12;
/// [`MSG_STAT`] without read permission.
pub const MSG_STAT_ANY: i32 = 13;
/// msgrcv(2): cut messages that are too long.
pub const MSG_NOERROR: i32 = 0o10000;
/// msgrcv(2): any type but this.
pub const MSG_EXCEPT: i32 = 0o20000;
/// msgrcv(2): copy the message at a position.
pub const MSG_COPY: i32 = 0o40000;

/// Who operated last.
pub const GETPID: i32 = 11;
/// The value.
pub const GETVAL: i32 = 12;
/// All values.
pub const GETALL: i32 = 13;
/// How many wait for it to grow.
pub const GETNCNT: i32 = 14;
/// How many wait for it to be 0.
pub const GETZCNT: i32 = 15;
/// Set the value.
pub const SETVAL: i32 = 16;
/// Set all values.
pub const SETALL: i32 = 17;
/// [`IPC_STAT`] by index.
pub const SEM_STAT: i32 = 18;
/// Tell what is used.
pub const SEM_INFO: i32 = 19;
/// [`SEM_STAT`] without read permission.
pub const SEM_STAT_ANY: i32 = 20;
/// semop(2): undo the change when the process ends.
pub const SEM_UNDO: i16 = 0x1000;

/// Keep the segment in memory.
pub const SHM_LOCK: i32 = 11;
/// Let the segment be swapped out again.
pub const SHM_UNLOCK: i32 = 12;
/// [`IPC_STAT`] by index.
pub const SHM_STAT: i32 = 13;
/// Tell what is used.
pub const SHM_INFO: i32 = 14;
/// [`SHM_STAT`] without read permission.
pub const SHM_STAT_ANY: i32 = 15;
/// In the mode: removed at the last detach.
pub const SHM_DEST: u32 = 0o1000;
/// In the mode: locked.
pub const SHM_LOCKED: u32 = 0o2000;
/// shmget(2): huge pages.
pub const SHM_HUGETLB: i32 = 0o4000;
/// shmat(2): read only.
pub const SHM_RDONLY: i32 = 0o10000;
/// shmat(2): round the address down to a multiple of `SHMLBA`, the page size.
pub const SHM_RND: i32 = 0o20000;
/// shmat(2): replace what is mapped there.
pub const SHM_REMAP: i32 = 0o40000;
/// shmat(2): may be executed.
pub const SHM_EXEC: i32 = 0o100000;
