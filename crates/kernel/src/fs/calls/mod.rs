//! The system calls on files, by subject. Each reads like its man page; what it does to nodes and inodes is next door.

pub(crate) mod attributes;
pub(crate) mod descriptors;
pub(crate) mod directories;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod size;
pub(crate) mod splice;
pub(crate) mod status;
pub(crate) mod transfer;
pub(crate) mod xattr;
