//! `/proc/PID/fd` and `/proc/PID/fdinfo`, proc_pid_fd(5), proc_pid_fdinfo(5).

use super::Subject;
use super::process;
use crate::entry::Call;
use crate::fs::{Fd, FdEntry, FileDescription, FileObject, lock_listing, stat};
use crate::kernel::Kernel;
use crate::table::Id;
use abi::fcntl::{O_CLOEXEC, O_PATH};
use abi::{Errno, Error};
use std::fmt::Write;

/// A descriptor of a process or thread, if it is open.
pub(crate) fn entry(kernel: &Kernel, subject: Subject, number: i32) -> Option<FdEntry> {
    let thread = subject.thread(kernel)?;
    kernel.fd_tables.get(kernel.threads[thread].fd_table)?.get(Fd(number))
}

/// The numbers of all open descriptors, as names.
pub(crate) fn numbers(kernel: &Kernel, subject: Subject) -> Vec<Vec<u8>> {
    let Some(thread) = subject.thread(kernel) else { return Vec::new() };
    let table = &kernel.fd_tables[kernel.threads[thread].fd_table];
    table.iter().map(|(fd, _)| fd.0.to_string().into_bytes()).collect()
}

/// Permissions of a descriptor's link: the owner's bits say how the file is open.
pub(crate) fn link_mode(kernel: &Kernel, file: Id<FileDescription>) -> u32 {
    let description = &kernel.files[file];
    let readable = if description.is_readable() { 0o500 } else { 0o100 };
    let writable = if description.is_writable() { 0o300 } else { 0o100 };
    if description.flags & O_PATH != 0 { 0o100 } else { readable | writable }
}

/// The text of `/proc/PID/fdinfo/N`.
///
/// # Errors
/// `ENOENT` if it is closed, `EACCES`.
pub(crate) fn info(call: &mut Call, subject: Subject, number: i32) -> Result<Vec<u8>, Error> {
    let owner = subject.process(call.kernel)?;
    process::check_access(call, owner)?;
    let found = entry(call.kernel, subject, number).ok_or(Errno::ENOENT.because("the descriptor is closed"))?;
    let inode = stat::of_file(call, found.file).map_or(0, |stat| stat.inode);
    let kernel = &*call.kernel;
    let description = &kernel.files[found.file];
    let close_on_exec = if found.close_on_exec { O_CLOEXEC } else { 0 };
    let mount = match description.node {
        Some(node) => crate::fs::mount::mount_number(kernel.vfs.nodes[node].mount),
        None => crate::fs::mount::mount_number(kernel.nameless_mount()),
    };
    let flags = description.flags | close_on_exec;
    let mut text = format!("pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{inode}\n", description.offset);
    if let FileObject::Master(terminal) = description.object {
        let _ = writeln!(text, "tty-index:\t{}", kernel.terminals.table[terminal].number());
    }
    if let FileObject::TimerFd(id) = description.object {
        let timer = &kernel.timer_fds[id];
        let left = timer.interval.remaining(kernel);
        let (value, interval) = (left.value, left.interval);
        let _ = writeln!(text, "clockid: {}\nticks: {}", timer.clock, timer.expirations);
        let _ = writeln!(text, "settime flags: 0{:o}", timer.flags);
        let _ = writeln!(text, "it_value: ({}, {})", value.seconds, value.nanoseconds);
        let _ = writeln!(text, "it_interval: ({}, {})", interval.seconds, interval.nanoseconds);
    }
    if let FileObject::Process(subject) = description.object {
        let number = subject.number(kernel).unwrap_or(-1);
        let _ = writeln!(text, "Pid:\t{number}\nNSpid:\t{number}");
    }
    if let Some(thread) = subject.thread(kernel) {
        text += &lock_listing::text_of_file(kernel, found.file, kernel.threads[thread].fd_table);
    }
    Ok(text.into_bytes())
}
