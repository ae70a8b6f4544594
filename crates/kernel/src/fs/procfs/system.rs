//! Files of the whole machine: `/proc/stat`, `/proc/uptime`, `/proc/filesystems` and the like, proc(5).

use super::{cpuinfo, meminfo};
use crate::entry::Call;
use crate::fs::FileSystem;
use crate::fs::tree::tree;
use crate::ipc::sysv::listing;
use crate::kernel::Kernel;
use crate::process::report::TICK_NS;
use crate::process::{Usage, usage};
use crate::release;
use abi::{Errno, Error};
use std::fmt::Write;

tree! {
    /// A file of the machine.
    pub(crate) enum SystemFile: SYSTEM {
        Cgroups = "cgroups" 0o444;
        Cmdline = "cmdline" 0o444;
        Cpuinfo = "cpuinfo" 0o444;
        Devices = "devices" 0o444;
        Filesystems = "filesystems" 0o444;
        Loadavg = "loadavg" 0o444;
        Locks = "locks" 0o444;
        Meminfo = "meminfo" 0o444;
        Mounts = "mounts" 0o120777;
        Net = "net" 0o120777;
        Partitions = "partitions" 0o444;
        SelfLink = "self" 0o120777;
        Stat = "stat" 0o444;
        Swaps = "swaps" 0o444;
        Sys = "sys/" 0o555;
        SysvipcMsg = "sysvipc/msg" 0o444;
        SysvipcSem = "sysvipc/sem" 0o444;
        SysvipcShm = "sysvipc/shm" 0o444;
        ThreadSelf = "thread-self" 0o120777;
        TtyDrivers = "tty/drivers" 0o444;
        Uptime = "uptime" 0o444;
        Version = "version" 0o444;
        Vmstat = "vmstat" 0o444;
    }
}

const FILE_SYSTEMS: [FileSystem; 7] = [
    FileSystem::Sys,
    FileSystem::Tmp,
    FileSystem::Proc,
    FileSystem::Devices,
    FileSystem::Nameless,
    FileSystem::Terminals,
    FileSystem::Queues,
];

const DEVICES: &str = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n128 ptm\n136 pts\n\nBlock \
    devices:\n";

/// name, device, major, minors, kind; Linux `show_tty_driver`.
const TTY_DRIVERS: &str = "\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
";

/// The text of a file.
///
/// # Errors
/// `EINVAL` for a symbolic link.
pub(crate) fn read(call: &mut Call, file: SystemFile) -> Result<Vec<u8>, Error> {
    let kernel = &*call.kernel;
    Ok(match file {
        SystemFile::Cgroups => "#subsys_name\thierarchy\tnum_cgroups\tenabled\n".into(),
        SystemFile::Cmdline => "\n".into(),
        SystemFile::Cpuinfo => cpuinfo::text(kernel.configuration.cpus, kernel.configuration.paging.address_bits()),
        SystemFile::Devices => DEVICES.into(),
        SystemFile::Filesystems => {
            let nodev = FILE_SYSTEMS.iter().map(|kind| format!("nodev\t{}\n", kind.type_name()));
            let text: String = nodev.chain([format!("\t{}\n", FileSystem::Host.type_name())]).collect();
            text.into_bytes()
        }
        SystemFile::Loadavg => load_average(kernel),
        SystemFile::Locks => crate::fs::lock_listing::text(kernel),
        SystemFile::Meminfo => meminfo::text(kernel),
        SystemFile::Partitions => "major minor  #blocks  name\n\n".into(),
        SystemFile::Stat => statistics(kernel),
        SystemFile::Swaps => meminfo::swaps(kernel),
        SystemFile::SysvipcMsg => listing::queues(call),
        SystemFile::SysvipcSem => listing::sets(call),
        SystemFile::SysvipcShm => listing::segments(call),
        SystemFile::TtyDrivers => TTY_DRIVERS.into(),
        SystemFile::Uptime => uptime(kernel),
        SystemFile::Version => {
            let (system, release, version) = (release::SYSTEM, release::RELEASE, release::VERSION);
            format!("{system} version {release} (belljar@belljar) (rustc) {version}\n").into_bytes()
        }
        SystemFile::Vmstat => meminfo::statistics(kernel),
        SystemFile::Mounts | SystemFile::Net | SystemFile::SelfLink | SystemFile::ThreadSelf => {
            return Err(Errno::EINVAL.because("the file is a symbolic link"));
        }
        SystemFile::Sys => return Err(Errno::EISDIR.because("a directory is read with getdents64(2)")),
    })
}

/// What all processes have used, those that have ended included as far as somebody waited for them.
fn total_usage(kernel: &Kernel) -> Usage {
    let mut total = Usage::default();
    for (id, process) in kernel.processes.iter() {
        total.add(&usage::of_process(kernel, id));
        total.add(&process.children_usage);
    }
    total
}

/// Nanoseconds since boot, and of them those in which nothing ran.
fn times(kernel: &Kernel) -> (u64, u64) {
    let up = kernel.clock.monotonic_ns();
    let used = total_usage(kernel);
    (up, up.saturating_sub(used.user_ns + used.system_ns))
}

/// `/proc/uptime`: seconds since boot, and idle seconds of all processors.
fn uptime(kernel: &Kernel) -> Vec<u8> {
    let (up, idle) = times(kernel);
    let others = u64::from(kernel.configuration.cpus.saturating_sub(1));
    let seconds = |ns: u64| format!("{}.{:02}", ns / 1_000_000_000, ns / TICK_NS % 100);
    format!("{} {}\n", seconds(up), seconds(idle.saturating_add(up.saturating_mul(others)))).into_bytes()
}

/// `/proc/stat`. Threads share one processor's time in turns, so the first did all the work and the others none.
fn statistics(kernel: &Kernel) -> Vec<u8> {
    let (up, idle) = times(kernel);
    let used = total_usage(kernel);
    let processors = u64::from(kernel.configuration.cpus);
    let ticks = |ns: u64| ns / TICK_NS;
    let line = |name: &str, user: u64, system: u64, idle: u64| {
        format!("{name} {} 0 {} {} 0 0 0 0 0 0\n", ticks(user), ticks(system), ticks(idle))
    };
    let all_idle = idle.saturating_add(up.saturating_mul(processors - 1));
    let mut text = line("cpu ", used.user_ns, used.system_ns, all_idle);
    text += &line("cpu0", used.user_ns, used.system_ns, idle);
    for processor in 1..processors {
        text += &line(&format!("cpu{processor}"), 0, 0, up);
    }
    let booted = kernel.clock.real_start_ns.saturating_sub(kernel.clock.boot_offset_ns) / 1_000_000_000;
    let switches = used.voluntary_switches + used.involuntary_switches;
    let _ = write!(
        text,
        "intr 0\nctxt {switches}\nbtime {booted}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n\
         softirq 0 0 0 0 0 0 0 0 0 0 0\n",
        kernel.pids.created(),
        running(kernel)
    );
    text.into_bytes()
}

/// Threads that run or could.
fn running(kernel: &Kernel) -> usize {
    kernel.scheduler.active()
}

/// `/proc/loadavg`.
fn load_average(kernel: &Kernel) -> Vec<u8> {
    let averages = kernel.load.hundredths().map(|load| format!("{}.{:02}", load / 100, load % 100));
    let threads = kernel.threads.len();
    let last = kernel.pids.last();
    format!("{} {}/{threads} {last}\n", averages.join(" "), running(kernel)).into_bytes()
}
