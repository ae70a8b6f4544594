//! What a process is doing and has done: `stat`, `status`, `sched`, `schedstat`, `wchan`, `syscall`, `io`, proc_pid_stat(5),
//! proc_pid_status(5). Linux, fs/proc/array.c.

use super::Subject;
use crate::entry::Call;
use crate::fs::sysfs;
use crate::fs::tty::device;
use crate::kernel::Kernel;
use crate::mm::report;
use crate::process::{Process, Thread, ThreadState, Usage, report::TICK_NS, usage};
use crate::table::Id;
use abi::resource::{RLIMIT_RSS, RLIMIT_SIGPENDING};
use machine::Gpr;
use std::fmt::Write;

/// `PF_FORKNOEXEC` in field 9 of `stat`.
const FORKED_BUT_DID_NOT_EXECUTE: u32 = 0x40;
/// `PF_EXITING`.
const EXITING: u32 = 0x4;

/// The letter of a state and its name in `status`.
pub(crate) fn state(kernel: &Kernel, subject: Subject, process: Id<Process>) -> (char, &'static str) {
    if kernel.processes[process].exit_status.is_some() {
        return ('Z', "zombie");
    }
    if kernel.processes[process].stopped {
        return ('T', "stopped");
    }
    match subject.thread(kernel).map(|thread| &kernel.threads[thread].state) {
        Some(ThreadState::Runnable) => ('R', "running"),
        // belljar's own init only ever waits.
        Some(ThreadState::Blocked(_)) | None => ('S', "sleeping"),
    }
}

/// Threads of a process, whose numbers add up for it; the one of a thread.
fn used(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Usage {
    match subject {
        Subject::Process(_) => usage::of_process(kernel, process),
        Subject::Thread(thread) => usage::of_thread(&kernel.threads[thread]),
    }
}

/// The comm of a thread, or of a process that has none any more.
pub(crate) fn name(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Vec<u8> {
    match subject.thread(kernel) {
        Some(thread) => kernel.threads[thread].name.clone(),
        None => kernel.processes[process].name.clone(),
    }
}

/// `/proc/PID/stat`.
pub(crate) fn stat(call: &Call, subject: Subject, id: Id<Process>) -> Vec<u8> {
    let kernel = &*call.kernel;
    let shows_addresses = super::process::check_access(call, id).is_ok();
    let process = &kernel.processes[id];
    let thread = subject.thread(kernel).map(|thread| &kernel.threads[thread]);
    let used = used(kernel, subject, id);
    let children = &process.children_usage;
    let space = kernel.spaces.get(process.space).map(|_| report::summary(kernel, process.space));
    let summary = space.unwrap_or_default();
    let image = &process.image;
    let address = |value: u64| if shows_addresses { value } else { 0 };
    let (terminal, foreground) = match process.terminal.map(|terminal| &kernel.terminals.table[terminal]) {
        Some(terminal) => (device::device_number(terminal), terminal.foreground.unwrap_or(-1)),
        None => (0, -1),
    };
    let (signals, actions) = (pending_low(kernel, thread, id), kernel.actions.get(process.actions));
    let policy = thread.map(|thread| thread.policy).unwrap_or_default();
    let started = thread.map_or(process.started, |thread| thread.started);
    let mut text = format!("{} (", subject.number(kernel)).into_bytes();
    text.extend(name(kernel, subject, id));
    let mut rest = String::new();
    let mut field = |value: &dyn std::fmt::Display| {
        let _ = write!(rest, " {value}");
    };
    let mut flags = if process.has_executed { 0 } else { FORKED_BUT_DID_NOT_EXECUTE };
    if process.exit_status.is_some() {
        flags |= EXITING;
    }
    field(&state(kernel, subject, id).0);
    field(&parent_of(kernel, id));
    field(&process.group);
    field(&process.session);
    field(&(terminal as i64));
    field(&foreground);
    field(&flags);
    field(&used.minor_faults);
    field(&children.minor_faults);
    field(&used.major_faults);
    field(&children.major_faults);
    field(&(used.user_ns / TICK_NS));
    field(&(used.system_ns / TICK_NS));
    field(&(children.user_ns / TICK_NS));
    field(&(children.system_ns / TICK_NS));
    // kernel priority: 20 + nice, or -1 - the real-time priority.
    field(&(if policy.priority > 0 { -1 - policy.priority } else { 20 + policy.nice }));
    field(&(if policy.priority > 0 { 0 } else { policy.nice }));
    field(&process.threads.len());
    field(&0); // itrealvalue: not maintained
    field(&((kernel.clock.boot_offset_ns + started.0) / TICK_NS));
    field(&summary.totals.mapped);
    field(&summary.resident.total());
    field(&process.limits.soft(RLIMIT_RSS));
    field(&address(image.code.0));
    field(&address(image.code.1));
    field(&address(image.stack));
    field(&0); // kstkesp: only shown for what dumps core
    field(&0); // kstkeip
    field(&signals);
    field(&thread.map_or(0, |thread| thread.signals.blocked.0 as u32 & 0x7fff_ffff));
    field(&actions.map_or(0, |actions| actions.ignored().0 as u32 & 0x7fff_ffff));
    field(&actions.map_or(0, |actions| actions.caught().0 as u32 & 0x7fff_ffff));
    field(&u32::from(thread.is_some_and(|thread| matches!(thread.state, ThreadState::Blocked(_))))); // wchan
    field(&0); // nswap
    field(&0); // cnswap
    field(&process.exit_signal);
    field(&0); // processor
    field(&policy.priority);
    field(&policy.class);
    field(&0); // delayacct_blkio_ticks
    field(&0); // guest_time
    field(&0); // cguest_time
    for value in [
        image.data.0,
        image.data.1,
        kernel.spaces.get(process.space).map_or(0, |space| space.heap_start),
        image.arguments.0,
        image.arguments.1,
        image.environment.0,
        image.environment.1,
    ] {
        field(&address(value));
    }
    field(&(if shows_addresses { process.exit_status.unwrap_or(0) } else { 0 }));
    text.extend_from_slice(b")");
    text.extend(rest.into_bytes());
    text.push(b'\n');
    text
}

/// Signals 1 to 31 that are pending for the thread alone.
fn pending_low(_kernel: &Kernel, thread: Option<&Thread>, _process: Id<Process>) -> u32 {
    thread.map_or(0, |thread| thread.signals.pending.set().0 as u32 & 0x7fff_ffff)
}

/// The parent's number; 0 for belljar's own init.
fn parent_of(kernel: &Kernel, process: Id<Process>) -> i32 {
    kernel.processes[process].parent.map_or(0, |parent| kernel.processes[parent].pid)
}

/// `/proc/PID/status`.
pub(crate) fn status(kernel: &Kernel, subject: Subject, id: Id<Process>) -> Vec<u8> {
    let process = &kernel.processes[id];
    let thread = subject.thread(kernel).map(|thread| &kernel.threads[thread]);
    let credentials = &kernel.credentials[thread.map_or(process.credentials, |thread| thread.credentials)];
    let (letter, state) = state(kernel, subject, id);
    let number = subject.number(kernel);
    let mut text = b"Name:\t".to_vec();
    text.extend(escaped_name(&name(kernel, subject, id)));
    let mut rest = String::from("\n");
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(rest, "{key}:\t{value}");
    };
    if let Some(thread) = thread {
        line("Umask", &format_args!("{:04o}", kernel.fs_contexts[thread.fs_context].umask));
    }
    line("State", &format_args!("{letter} ({state})"));
    line("Tgid", &process.pid);
    line("Ngid", &0);
    line("Pid", &number);
    line("PPid", &parent_of(kernel, id));
    line("TracerPid", &0);
    let four = |a: u32, b: u32, c: u32, d: u32| format!("{a}\t{b}\t{c}\t{d}");
    line("Uid", &four(credentials.uid, credentials.euid, credentials.suid, credentials.fsuid));
    line("Gid", &four(credentials.gid, credentials.egid, credentials.sgid, credentials.fsgid));
    line("FDSize", &thread.map_or(0, |thread| kernel.fd_tables[thread.fd_table].size()));
    let groups: String = credentials.groups.iter().map(|group| format!("{group} ")).collect();
    line("Groups", &if groups.is_empty() { " ".to_string() } else { groups });
    line("NStgid", &process.pid);
    line("NSpid", &number);
    line("NSpgid", &process.group);
    line("NSsid", &process.session);
    line("Kthread", &0);
    if kernel.spaces.get(process.space).is_some() {
        memory_lines(kernel, process, &mut line);
    }
    line("Threads", &process.threads.len());
    let queued = kernel.users.get(&credentials.uid).map_or(0, |account| account.signals);
    line("SigQ", &format_args!("{queued}/{}", process.limits.soft(RLIMIT_SIGPENDING)));
    let set = |set: u64| format!("{set:016x}");
    line("SigPnd", &set(thread.map_or(0, |thread| thread.signals.pending.set().0)));
    line("ShdPnd", &set(process.signals.set().0));
    line("SigBlk", &set(thread.map_or(0, |thread| thread.signals.blocked.0)));
    let actions = kernel.actions.get(process.actions);
    line("SigIgn", &set(actions.map_or(0, |actions| actions.ignored().0)));
    line("SigCgt", &set(actions.map_or(0, |actions| actions.caught().0)));
    line("CapInh", &set(credentials.inheritable));
    line("CapPrm", &set(credentials.permitted));
    line("CapEff", &set(credentials.effective));
    line("CapBnd", &set(credentials.bounding));
    line("CapAmb", &set(credentials.ambient));
    line("NoNewPrivs", &u32::from(process.attributes.no_new_privileges));
    line("Seccomp", &0);
    line("Seccomp_filters", &0);
    let processors = kernel.configuration.cpus;
    line("Cpus_allowed", &sysfs::mask_of(0, processors, processors));
    line("Cpus_allowed_list", &sysfs::list_of(0, processors));
    line("Mems_allowed", &1);
    line("Mems_allowed_list", &0);
    let used = used(kernel, subject, id);
    line("voluntary_ctxt_switches", &used.voluntary_switches);
    line("nonvoluntary_ctxt_switches", &used.involuntary_switches);
    text.extend(rest.into_bytes());
    text
}

fn memory_lines(kernel: &Kernel, process: &Process, line: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
    let summary = report::summary(kernel, process.space);
    let mut kilobytes = |key: &str, bytes: u64| line(key, &format_args!("{:8} kB", bytes / 1024));
    let (page_size, page_bytes) = (kernel.page_size(), kernel.page_size().bytes());
    let code = process.image.code;
    let executable = page_size.start(code.1).saturating_sub(page_size.start(code.0));
    let executable = executable.min(summary.totals.executable);
    kilobytes("VmPeak", summary.peak.mapped.max(summary.totals.mapped));
    kilobytes("VmSize", summary.totals.mapped);
    kilobytes("VmLck", summary.totals.locked);
    kilobytes("VmPin", 0);
    kilobytes("VmHWM", summary.peak.resident.max(summary.resident.total()) * page_bytes);
    kilobytes("VmRSS", summary.resident.total() * page_bytes);
    kilobytes("RssAnon", summary.resident.private * page_bytes);
    kilobytes("RssFile", summary.resident.file * page_bytes);
    kilobytes("RssShmem", summary.resident.shared * page_bytes);
    kilobytes("VmData", summary.totals.data);
    kilobytes("VmStk", summary.totals.stack);
    kilobytes("VmExe", executable);
    kilobytes("VmLib", summary.totals.executable - executable);
    kilobytes("VmPTE", summary.table_bytes);
    kilobytes("VmSwap", summary.swapped * page_bytes);
    kilobytes("HugetlbPages", 0);
    line("CoreDumping", &0);
    line("THP_enabled", &0);
    line("untag_mask", &"0xffffffffffffffff");
}

/// Backslashes and newlines in a name would break the line.
fn escaped_name(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in name {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\\' => text.extend_from_slice(b"\\\\"),
            _ => text.push(*byte),
        }
    }
    text
}

/// `/proc/PID/schedstat`: nanoseconds on the processor, nanoseconds waiting for it (not counted), turns.
pub(crate) fn schedstat(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Vec<u8> {
    let used = used(kernel, subject, process);
    let turns = used.voluntary_switches + used.involuntary_switches;
    format!("{} 0 {turns}\n", used.user_ns + used.system_ns).into_bytes()
}

/// `/proc/PID/sched`: what of it has a meaning here.
pub(crate) fn sched(kernel: &Kernel, subject: Subject, id: Id<Process>) -> Vec<u8> {
    let used = used(kernel, subject, id);
    let thread = subject.thread(kernel).map(|thread| &kernel.threads[thread]);
    let policy = thread.map(|thread| thread.policy).unwrap_or_default();
    let mut text = name(kernel, subject, id);
    let threads = kernel.processes[id].threads.len();
    let ran_ns = used.user_ns + used.system_ns;
    let mut rest = format!(" ({}, #threads: {threads})\n{}\n", subject.number(kernel), "-".repeat(67));
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(rest, "{key:<45}:{value:>21}");
    };
    line("se.sum_exec_runtime", &format_args!("{}.{:06}", ran_ns / 1_000_000, ran_ns % 1_000_000));
    line("nr_switches", &(used.voluntary_switches + used.involuntary_switches));
    line("nr_voluntary_switches", &used.voluntary_switches);
    line("nr_involuntary_switches", &used.involuntary_switches);
    line("policy", &policy.class);
    line("prio", &(if policy.priority > 0 { 99 - policy.priority } else { 120 + policy.nice }));
    text.extend(rest.into_bytes());
    text
}

/// `/proc/PID/wchan`: the function a thread sleeps in would be here; Linux shows 0 to those it does not trust.
pub(crate) fn wait_channel(_kernel: &Kernel, _subject: Subject) -> Vec<u8> {
    b"0".to_vec()
}

/// `/proc/PID/syscall`: `running`, or the call a thread sleeps in, with its arguments, stack pointer and program counter.
pub(crate) fn system_call(kernel: &Kernel, subject: Subject) -> Vec<u8> {
    let Some(thread) = subject.thread(kernel).map(|thread| &kernel.threads[thread]) else {
        return b"running\n".to_vec();
    };
    let Some(call) = thread.call.filter(|_| matches!(thread.state, ThreadState::Blocked(_))) else {
        return b"running\n".to_vec();
    };
    let mut text = call.number.to_string();
    for argument in call.arguments {
        let _ = write!(text, " {argument:#x}");
    }
    let _ = writeln!(text, " {:#x} {:#x}", thread.registers.get(Gpr::Rsp), thread.registers.rip);
    text.into_bytes()
}

/// `/proc/PID/io`.
pub(crate) fn io(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Vec<u8> {
    let used = used(kernel, subject, process);
    format!(
        "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
        used.bytes_read, used.bytes_written, used.reads, used.writes
    )
    .into_bytes()
}

/// `/proc/PID/task/TID/children`: a thread's children. They belong to the process here, and are shown for its leader.
pub(crate) fn children(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Vec<u8> {
    let parent = &kernel.processes[process];
    if subject.number(kernel) != parent.pid {
        return Vec::new();
    }
    let numbers = parent.children.iter().map(|child| format!("{} ", kernel.processes[*child].pid));
    numbers.collect::<String>().into_bytes()
}
