//! Locks as text: `/proc/locks`, and the lines about them in `/proc/PID/fdinfo/N`; proc_locks(5).

use super::description::FileDescription;
use super::fd_table::FdTable;
use super::inode::Inode;
use super::leases::Lease;
use super::locks::{Mode, Owner, RecordLock, TakeWhole, WholeLock, inode_of};
use crate::kernel::Kernel;
use crate::syscalls::operation::Operation;
use crate::table::Id;
use crate::wait::WaitKey;
use std::fmt::Write;

/// The text of `/proc/locks`.
pub(crate) fn text(kernel: &Kernel) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0;
    for (id, inode) in kernel.vfs.inodes.iter() {
        let locks = &inode.locks;
        if locks.records.is_empty() && locks.whole.is_empty() && locks.leases.is_empty() {
            continue;
        }
        let waiting = kernel.waits.on(WaitKey::FileLock(id));
        let waiting: Vec<_> = waiting.iter().filter_map(|thread| kernel.threads[*thread].operation.as_ref()).collect();
        for held in &locks.records {
            number += 1;
            let _ = writeln!(text, "{number}: {}", record_line(kernel, inode, held));
            for operation in &waiting {
                // Each waiter is shown once, behind the first lock that is in its way.
                if let Operation::TakeLock(take) = operation
                    && locks.conflict(&take.lock) == Some(held)
                {
                    let _ = writeln!(text, "{number}: -> {}", record_line(kernel, inode, &take.lock));
                }
            }
        }
        for (index, held) in locks.whole.iter().enumerate() {
            number += 1;
            let _ = writeln!(text, "{number}: {}", whole_line(kernel, inode, held));
            let takers = waiting.iter().filter_map(|operation| match operation {
                Operation::TakeWhole(take) if index == 0 => {
                    let TakeWhole { file, mode, pid, .. } = **take;
                    Some(WholeLock { file, mode, pid })
                }
                _ => None,
            });
            for take in takers {
                let _ = writeln!(text, "{number}: -> {}", whole_line(kernel, inode, &take));
            }
        }
        for (index, held) in locks.leases.iter().enumerate() {
            number += 1;
            let _ = writeln!(text, "{number}: {}", lease_line(kernel, inode, held));
            for operation in &waiting {
                // Each waiter is shown once, behind the lease that it was told to wait for.
                if let Operation::BreakLease(breaker) = operation
                    && index == 0
                {
                    let (mode, pid) = (mode_name(breaker.wanted), breaker.pid);
                    // Linux does not know the file of who has not opened it yet.
                    let _ = writeln!(text, "{number}: -> LEASE  BREAKER   {mode} {pid} <none>:0 0 EOF");
                }
            }
        }
    }
    text.into_bytes()
}

/// The lines of `/proc/PID/fdinfo/N` about locks that were taken through a description, or by its process.
pub(crate) fn text_of_file(kernel: &Kernel, file: Id<FileDescription>, table: Id<FdTable>) -> String {
    let mut text = String::new();
    let Some(inode) = inode_of(kernel, file).map(|inode| &kernel.vfs.inodes[inode]) else { return text };
    let owners = [Owner::Process(table), Owner::Description(file)];
    let records = inode.locks.records.iter().filter(|held| owners.contains(&held.owner));
    let records = records.map(|held| record_line(kernel, inode, held));
    let whole = inode.locks.whole.iter().filter(|held| held.file == file);
    let whole = whole.map(|held| whole_line(kernel, inode, held));
    let leases = inode.locks.leases.iter().filter(|held| held.file == file);
    let leases = leases.map(|held| lease_line(kernel, inode, held));
    for (index, line) in records.chain(whole).chain(leases).enumerate() {
        let _ = writeln!(text, "lock:\t{}: {line}", index + 1);
    }
    text
}

/// A line of `/proc/locks` behind its number: `lock_get_status` of Linux's fs/locks.c.
fn record_line(kernel: &Kernel, inode: &Inode, lock: &RecordLock) -> String {
    let kind = match lock.owner {
        Owner::Process(_) => "POSIX ",
        Owner::Description(_) => "OFDLCK",
    };
    let end = if lock.last >= i64::MAX as u64 { "EOF".to_string() } else { lock.last.to_string() };
    let (mode, place) = (mode_name(lock.mode), place_name(kernel, inode));
    format!("{kind} ADVISORY  {mode} {} {place} {} {end}", lock.pid, lock.start)
}

fn whole_line(kernel: &Kernel, inode: &Inode, lock: &WholeLock) -> String {
    let (mode, place) = (mode_name(lock.mode), place_name(kernel, inode));
    format!("FLOCK  ADVISORY  {mode} {} {place} 0 EOF", lock.pid)
}

fn lease_line(kernel: &Kernel, inode: &Inode, lease: &Lease) -> String {
    let state = if lease.is_breaking() { "BREAKING" } else { "ACTIVE  " };
    let (mode, place) = (lease.target().map_or("UNLCK", mode_name), place_name(kernel, inode));
    format!("LEASE  {state}  {mode} {} {place} 0 EOF", lease.pid)
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Shared => "READ",
        Mode::Exclusive => "WRITE",
    }
}

fn place_name(kernel: &Kernel, inode: &Inode) -> String {
    let device = kernel.vfs.mounts[inode.mount].device;
    let (major, minor) = (abi::stat::device_major(device), abi::stat::device_minor(device));
    format!("{major:02x}:{minor:02x}:{}", inode.number)
}
