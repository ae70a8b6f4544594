//! The process becomes another program. Linux fs/exec.c `begin_new_exec`, `setup_new_exec`.

use super::Strings;
use super::load::{Built, Files};
use crate::entry::Call;
use crate::event::Event;
use crate::fs;
use crate::mm;
use crate::process::{Credentials, Image, credentials, exit, image};
use abi::resource::CAP_FULL;
use abi::signal::{SIGCHLD, SS_DISABLE, SigStack};
use abi::stat::{S_ISGID, S_ISUID, S_IXGRP};
use machine::{Gpr, Registers};

/// Most bytes of a thread's name, its zero byte not included: Linux `TASK_COMM_LEN`.
pub(crate) const NAME_LENGTH: usize = 15;

/// Replaces the calling process's program. Nothing here can fail.
pub(super) fn replace(call: &mut Call, mut files: Files, built: Built, strings: Strings) {
    let granted = credentials_after(call, &files);
    exit::end_others(call);
    become_leader(call);
    let process = call.process_id();
    exit::leave_futexes(call);
    crate::time::posix_timer::delete_all(call.kernel, process);
    files.close_loaded(call);

    let old_space = std::mem::replace(&mut call.kernel.processes[process].space, built.space);
    mm::release_space(call, old_space);
    exit::end_vfork(call.kernel, process);
    unshare_files(call);
    unshare_actions(call);

    let path = strings.file_name;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = name[..name.len().min(NAME_LENGTH)].to_vec();
    let program = files.program.node;
    let thread = call.current();
    thread.name = name;
    thread.alternate_stack = SigStack { flags: SS_DISABLE, ..SigStack::default() };
    thread.clear_child_tid = 0;
    thread.robust_list = 0;
    thread.rseq = None;
    let mut registers = Registers::new();
    registers.rip = built.entry;
    registers.set(Gpr::Rsp, built.stack.pointer);
    *thread.registers = registers;

    let is_changed =
        *call.credentials() != Credentials { references: call.credentials().references, ..granted.clone() };
    let is_raised = granted.euid != granted.uid || granted.egid != granted.gid;
    if is_changed {
        credentials::replace(call.kernel, call.thread, granted);
    }
    let process = &mut call.kernel.processes[process];
    process.has_executed = true;
    process.exit_signal = if process.exit_signal == 0 { 0 } else { SIGCHLD };
    process.attributes.dumpable = if is_raised { 0 } else { 1 };
    if is_raised {
        process.attributes.parent_death_signal = 0;
    }
    let image = Image {
        program: Some(program),
        arguments: built.stack.arguments,
        environment: built.stack.environment,
        code: built.code,
        data: built.data,
        stack: built.stack.pointer,
        auxiliary: built.stack.auxiliary,
    };
    let old = std::mem::replace(&mut process.image, image);
    if let Some(program) = old.program {
        image::release(call.kernel, program);
    }
    call.kernel.emit(Event::Executed { path, arguments: strings.arguments });
}

/// The other threads are gone; the one that is left has the process's number from now on. Linux `de_thread`.
fn become_leader(call: &mut Call) {
    let pid = call.process().pid;
    let tid = call.current().tid;
    if tid == pid {
        return;
    }
    let thread = call.thread;
    call.current().tid = pid;
    call.kernel.pids.threads.remove(&tid);
    call.kernel.pids.threads.insert(pid, thread);
    call.process().leader_status = None;
    // The leader's place on its user's account was kept for the process; the thread's own goes.
    let uid = call.credentials().uid;
    exit::count_task(call.kernel, uid, -1);
    let set = call.current().credentials;
    let process = call.process_id();
    credentials::retain(call.kernel, set);
    let old = std::mem::replace(&mut call.kernel.processes[process].credentials, set);
    credentials::release(call.kernel, old);
}

fn unshare_files(call: &mut Call) {
    let table = call.current().fd_table;
    let own = if call.kernel.fd_tables[table].references > 1 {
        let copy = fs::file::copy_table(call.kernel, table);
        fs::file::release_table(call.kernel, table);
        call.current().fd_table = copy;
        copy
    } else {
        table
    };
    fs::file::close_on_exec(call.kernel, own);
}

fn unshare_actions(call: &mut Call) {
    let process = call.process_id();
    let actions = call.kernel.processes[process].actions;
    let own = if call.kernel.actions[actions].references > 1 {
        let copy = call.kernel.actions[actions].copy();
        call.kernel.actions[actions].references -= 1;
        let copy = call.kernel.actions.insert(copy);
        call.kernel.processes[process].actions = copy;
        copy
    } else {
        actions
    };
    call.kernel.actions[own].reset_handlers();
}

/// The credentials that the program will have: set-user-id and set-group-id files give those of their owner, unless
/// prctl(2) `PR_SET_NO_NEW_PRIVS` forbids it; root gets all capabilities. capabilities(7) "Transformation of capabilities
/// during execve()".
pub(super) fn credentials_after(call: &mut Call, files: &Files) -> Credentials {
    let mut new = call.credentials().clone();
    let inode = call.kernel.inode(files.program.node);
    let (mode, uid, gid) = (inode.mode, inode.uid, inode.gid);
    if !call.process().attributes.no_new_privileges {
        if mode & S_ISUID != 0 {
            new.euid = uid;
        }
        if mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
            new.egid = gid;
        }
    }
    (new.suid, new.fsuid) = (new.euid, new.euid);
    (new.sgid, new.fsgid) = (new.egid, new.egid);
    let is_privileged = new.euid != new.uid || new.egid != new.gid;
    if is_privileged {
        new.ambient = 0;
    }
    let ignores_root = new.secure_bits & SECBIT_NOROOT != 0;
    let root = |uid: u32| !ignores_root && uid == 0;
    new.permitted = if root(new.uid) || root(new.euid) {
        (new.inheritable | CAP_FULL) & (new.bounding | new.inheritable)
    } else {
        new.ambient
    };
    new.effective = if root(new.euid) { new.permitted } else { new.ambient };
    new.secure_bits &= !SECBIT_KEEP_CAPS;
    new
}

/// prctl(2) `PR_SET_SECUREBITS`: root has no special rights.
const SECBIT_NOROOT: u32 = 1;
/// Cleared by every execve(2).
const SECBIT_KEEP_CAPS: u32 = 1 << 4;
