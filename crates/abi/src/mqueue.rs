//! POSIX message queues, mq_overview(7).

crate::structure! {
    /// mq_getattr(3), `struct mq_attr`.
    pub struct QueueAttributes {
        /// `O_NONBLOCK`.
        pub flags: i64,
        /// Messages at most.
        pub messages_max: i64,
        /// Bytes of a message at most.
        pub message_size: i64,
        /// Messages in it.
        pub messages: i64,
        /// Unused.
        pub _reserved: [u64; 4],
    }
}

/// Priorities are below this.
pub const MQ_PRIO_MAX: u32 = 32768;
