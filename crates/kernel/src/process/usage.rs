//! What threads and processes have used, getrusage(2).

use super::report::TICK_NS;
use super::{Process, Thread};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::Errno;
use abi::resource::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, Rusage, Tms};

/// Counts that add up: of a thread, of a process's ended threads, of its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nanoseconds in user mode: instructions retired. A living thread keeps these in `instructions`.
    pub user_ns: u64,
    /// Nanoseconds in the kernel.
    pub system_ns: u64,
    /// Page faults served without the host's files.
    pub minor_faults: u64,
    /// Page faults that read a host file.
    pub major_faults: u64,
    /// Switches because the thread blocked.
    pub voluntary_switches: u64,
    /// Switches because its slice was over.
    pub involuntary_switches: u64,
    /// Bytes that read(2) and its kin gave it.
    pub bytes_read: u64,
    /// Bytes that write(2) and its kin took.
    pub bytes_written: u64,
    /// Calls of read(2) and its kin.
    pub reads: u64,
    /// Calls of write(2) and its kin.
    pub writes: u64,
    /// Largest resident set in pages; adds up as a maximum.
    pub max_resident_pages: u64,
}

impl Usage {
    /// Adds another's.
    pub fn add(&mut self, other: &Usage) {
        self.user_ns += other.user_ns;
        self.system_ns += other.system_ns;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.reads += other.reads;
        self.writes += other.writes;
        self.max_resident_pages = self.max_resident_pages.max(other.max_resident_pages);
    }
}

/// What a thread has used so far.
pub fn of_thread(thread: &Thread) -> Usage {
    Usage { user_ns: thread.instructions, ..thread.usage }
}

/// What a process has used so far, its ended threads included.
pub fn of_process(kernel: &Kernel, process: Id<Process>) -> Usage {
    let process = &kernel.processes[process];
    let mut total = process.usage;
    for thread in &process.threads {
        total.add(&of_thread(&kernel.threads[*thread]));
    }
    total
}

impl Usage {
    /// As getrusage(2) gives it.
    pub fn to_wire(&self) -> Rusage {
        let seconds = |ns: u64| (ns / 1_000_000_000) as i64;
        let microseconds = |ns: u64| (ns / 1000 % 1_000_000) as i64;
        Rusage {
            user_seconds: seconds(self.user_ns),
            user_microseconds: microseconds(self.user_ns),
            system_seconds: seconds(self.system_ns),
            system_microseconds: microseconds(self.system_ns),
            max_resident_kib: (self.max_resident_pages * 4) as i64,
            minor_faults: self.minor_faults as i64,
            major_faults: self.major_faults as i64,
            voluntary_switches: self.voluntary_switches as i64,
            involuntary_switches: self.involuntary_switches as i64,
            ..Rusage::default()
        }
    }
}

/// getrusage(2).
pub fn getrusage(call: &mut Call, who: i32, to: UserPtr<Rusage>) -> SysResult {
    let process = call.process_id();
    let space = call.space();
    let peak = call.kernel.spaces[space].peak.resident;
    let mut used = match who {
        RUSAGE_SELF => of_process(call.kernel, process),
        RUSAGE_CHILDREN => call.kernel.processes[process].children_usage,
        RUSAGE_THREAD => of_thread(call.current()),
        _ => return Err(Errno::EINVAL.because("`who` is none of RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD")),
    };
    if who != RUSAGE_CHILDREN {
        used.max_resident_pages = used.max_resident_pages.max(peak);
    }
    call.write(to, &used.to_wire())?;
    Flow::OK
}

/// times(2). The result counts ticks since some moment before the start.
pub fn times(call: &mut Call, to: UserPtr<Tms>) -> SysResult {
    let process = call.process_id();
    let own = of_process(call.kernel, process);
    let children = call.kernel.processes[process].children_usage;
    let ticks = |ns: u64| (ns / TICK_NS) as i64;
    let times = Tms {
        user: ticks(own.user_ns),
        system: ticks(own.system_ns),
        children_user: ticks(children.user_ns),
        children_system: ticks(children.system_ns),
    };
    call.write_if_given(to, &times)?;
    Ok(Flow::Done(call.kernel.clock.monotonic_ns() / TICK_NS))
}
