//! Communication between processes: objects that move bytes and know nothing of threads, sleeping or signals.

pub mod pipe;
