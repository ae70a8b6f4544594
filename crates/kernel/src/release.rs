//! What the kernel calls itself: uname(2), `/proc/version`, `/proc/sys/kernel`.

/// `sysname`.
pub const SYSTEM: &str = "Linux";
/// `release`: the Linux whose behaviour is the model, and who imitates it.
pub const RELEASE: &str = "6.12.0-belljar";
/// `version`.
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC belljar";
/// `machine`.
pub const MACHINE: &str = "x86_64";
/// `domainname` until setdomainname(2).
pub const DOMAIN: &str = "(none)";
