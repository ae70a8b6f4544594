//! The end of threads and processes, exit(2), exit_group(2). Linux kernel/exit.c.

use super::{Process, Thread, credentials, groups, image, report, usage};
use crate::entry::Call;
use crate::event::Event;
use crate::fs;
use crate::futex;
use crate::ipc::{namespace, sysv};
use crate::kernel::Kernel;
use crate::mm;
use crate::signal::{self, SignalSet, Target};
use crate::table::Id;
use crate::wait::WaitKey;
use abi::signal::{SIGCHLD, SigInfo};

/// Ends the calling thread's process with a signal's status; no core is dumped.
pub fn kill(call: &mut Call, signal: i32) {
    exit_group(call, abi::wait::killed(signal, false));
}

/// Ends all threads of the calling thread's process, this one last, and the process.
/// `status` is as wait(2) encodes it.
pub fn exit_group(call: &mut Call, status: i32) {
    let process = call.process_id();
    call.kernel.processes[process].exiting = Some(status);
    end_others(call);
    end_thread(call, status);
}

/// Ends all other threads of the process: for the end of the process, or execve(2).
pub(crate) fn end_others(call: &mut Call) {
    let process = call.process_id();
    for thread in call.kernel.processes[process].threads.clone() {
        if thread != call.thread {
            end_thread(&mut call.as_thread(thread), 0);
        }
    }
}

/// Ends the calling thread; the process ends with its last thread. `status` is as wait(2) encodes it.
pub fn end_thread(call: &mut Call, status: i32) {
    let (id, process_id) = (call.thread, call.process_id());
    if let Some(mut operation) = call.current().operation.take() {
        operation.release(call);
    }
    call.current().call = None;
    leave_futexes(call);
    sysv::semaphore::leave(call);
    let kernel = &mut *call.kernel;
    kernel.unblock(id);
    kernel.scheduler.forget(id);
    kernel.scheduler.note_class(id, false);
    let tid = kernel.threads[id].tid;
    kernel.emit(Event::ThreadEnded { tid });
    let (fd_table, fs_context) = (kernel.threads[id].fd_table, kernel.threads[id].fs_context);
    fs::file::release_table(call.kernel, fd_table);
    call.kernel.release_context(fs_context);

    let kernel = &mut *call.kernel;
    let used = usage::of_thread(&kernel.threads[id]);
    let payers = kernel.threads[id].signals.pending.flush(SignalSet(u64::MAX));
    signal::release_payers(kernel, payers);
    kernel.pids.threads.remove(&tid);
    let name = kernel.threads[id].name.clone();
    kernel.cpu_timers.forget(crate::time::clocks::ClockId::Thread(id));
    let process = &mut kernel.processes[process_id];
    process.usage.add(&used);
    process.threads.retain(|other| *other != id);
    let is_leader = process.pid == tid;
    if is_leader {
        process.leader_status = Some(status);
        process.name = name;
    }
    if process.threads.is_empty() {
        let status = process.exiting.or(process.leader_status).unwrap_or(status);
        end_process(call, process_id, status);
    }
    sysv::shared_memory::creator_ended(call.kernel, id);
    namespace::release(call, call.ipc_namespace());
    let kernel = &mut *call.kernel;
    let Thread { credentials: set, .. } = kernel.threads.remove(id);
    let uid = kernel.credentials[set].uid;
    credentials::release(kernel, set);
    call.kernel.wake(WaitKey::ThreadEnd(id));
    let kernel = &mut *call.kernel;
    if !is_leader {
        // The leader's place stays on its user's account until the zombie is reaped.
        count_task(kernel, uid, -1);
    }
}

/// Changes the number of tasks on a user's account, RLIMIT_NPROC.
pub(crate) fn count_task(kernel: &mut Kernel, uid: u32, by: i64) {
    let account = kernel.users.entry(uid).or_default();
    account.processes = account.processes.checked_add_signed(by).expect("tasks leave the account they came to");
}

/// Robust futexes are marked and woken, and the joiner of the thread too, set_tid_address(2).
pub(crate) fn leave_futexes(call: &mut Call) {
    futex::robust::leave(call);
    let space = call.space();
    let address = std::mem::take(&mut call.current().clear_child_tid);
    let process = call.process_id();
    let is_shared = call.kernel.processes[process].threads.len() > 1 || call.kernel.spaces[space].references > 1;
    if address != 0 && is_shared && call.copy_out(address, &0_u32.to_le_bytes()).is_ok() {
        futex::wake_one(call, address);
    }
}

/// The last thread is gone: gives back what the process holds, hands its children on, tells its parent.
fn end_process(call: &mut Call, process: Id<Process>, status: i32) {
    crate::time::itimer::process_ended(call.kernel, process);
    let space = call.kernel.processes[process].space;
    let peak = call.kernel.spaces[space].peak.resident;
    let used = &mut call.kernel.processes[process].usage;
    used.max_resident_pages = used.max_resident_pages.max(peak);
    mm::release_space(call, space);
    let kernel = &mut *call.kernel;
    let payers = kernel.processes[process].signals.flush(SignalSet(u64::MAX));
    signal::release_payers(kernel, payers);
    release_actions(kernel, process);
    if let Some(program) = kernel.processes[process].image.program.take() {
        image::release(kernel, program);
    }
    kernel.processes[process].exit_status = Some(status);
    kernel.processes[process].stopped = false;
    kernel.processes[process].report = None;
    end_vfork(kernel, process);
    let pid = kernel.processes[process].pid;
    kernel.emit(Event::ProcessEnded { process, pid, status });
    fs::tty::jobs::process_ends(call.kernel, call.chooser, process);
    hand_on_children(call, process);
    groups::hang_up_if_orphaned(call.kernel, call.chooser, process, process);
    call.kernel.wake(WaitKey::ProcessEnd(process));
    if report::tell_end(call.kernel, call.chooser, process) {
        reap(call.kernel, process);
    }
}

/// Wakes a parent that sleeps in vfork(2).
pub(crate) fn end_vfork(kernel: &mut Kernel, process: Id<Process>) {
    if std::mem::take(&mut kernel.processes[process].vfork_parent_waits) {
        kernel.wake(WaitKey::Vfork(process));
    }
}

pub(crate) fn release_actions(kernel: &mut Kernel, process: Id<Process>) {
    let actions = kernel.processes[process].actions;
    let shared = &mut kernel.actions[actions];
    shared.references -= 1;
    if shared.references == 0 {
        kernel.actions.remove(actions);
    }
}

/// Gives the children of a process that ends to the nearest subreaper above it, or to init. Linux
/// `forget_original_parent`.
fn hand_on_children(call: &mut Call, process: Id<Process>) {
    let children = std::mem::take(&mut call.kernel.processes[process].children);
    if children.is_empty() {
        return;
    }
    let reaper = find_reaper(call.kernel, process);
    for child in children {
        let kernel = &mut *call.kernel;
        kernel.processes[child].parent = Some(reaper);
        kernel.processes[reaper].children.push(child);
        kernel.processes[child].exit_signal = SIGCHLD;
        kernel.processes[child].is_first = false;
        let death_signal = kernel.processes[child].attributes.parent_death_signal;
        if death_signal != 0 {
            signal::send(kernel, call.chooser, Target::Process(child), SigInfo::kernel(death_signal));
        }
        let is_zombie = kernel.processes[child].exit_status.is_some();
        if is_zombie && report::tell_end(kernel, call.chooser, child) {
            reap(kernel, child);
            continue;
        }
        groups::hang_up_if_orphaned(kernel, call.chooser, child, process);
    }
}

fn find_reaper(kernel: &Kernel, process: Id<Process>) -> Id<Process> {
    let mut candidate = kernel.processes[process].parent.expect("init does not end");
    loop {
        let process = &kernel.processes[candidate];
        let Some(parent) = process.parent else { return candidate };
        if process.attributes.child_subreaper && !process.threads.is_empty() {
            return candidate;
        }
        candidate = parent;
    }
}

/// Removes a process that has ended and that nobody will ask about: its number is free again.
pub(crate) fn reap(kernel: &mut Kernel, process: Id<Process>) {
    let gone = kernel.processes.remove(process);
    let status = gone.exit_status.expect("only zombies are reaped");
    assert!(gone.threads.is_empty(), "only zombies are reaped");
    kernel.pids.processes.remove(&gone.pid);
    kernel.pids.leave(process, gone.group, gone.session);
    if let Some(parent) = gone.parent {
        // Who was born early mostly dies early.
        let children = &mut kernel.processes[parent].children;
        if let Some(place) = children.iter().position(|child| *child == process) {
            children.remove(place);
        }
    }
    let uid = kernel.credentials[gone.credentials].uid;
    credentials::release(kernel, gone.credentials);
    count_task(kernel, uid, -1);
    super::pidfd::reaped(kernel, process, status);
}
