//! sysfs(5), as far as programs look at it: processors and their caches, the memory node, huge pages; and directories that
//! are empty because there are no such devices.

mod memory;
mod processor;

use super::generated::{Attributes, Listed};
use super::tree::{Place, tree};
use crate::kernel::Kernel;
use abi::stat::{S_IFDIR, S_IFREG};
use abi::{Errno, Error};
use processor::{CACHE, PROCESSOR};
pub(crate) use processor::{list_of, mask_of};

/// A file or directory of sysfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SysEntry {
    /// Of the list.
    Place(Place),
    /// Below `/sys/devices/system/cpu/cpuN`, by N.
    Processor(u32, Place),
    /// Below `/sys/devices/system/cpu/cpuN/cache/indexM`, by N and M.
    Cache(u32, u32, Place),
}

tree! {
    /// A file of sysfs.
    pub enum SysFile: FILES {
        Block = "block/" 0o755;
        Bus = "bus/" 0o755;
        ClassBlock = "class/block/" 0o755;
        ClassNet = "class/net/" 0o755;
        ClassTty = "class/tty/" 0o755;
        DevBlock = "dev/block/" 0o755;
        DevChar = "dev/char/" 0o755;
        AvailableClock = "devices/system/clocksource/clocksource0/available_clocksource" 0o444;
        CurrentClock = "devices/system/clocksource/clocksource0/current_clocksource" 0o444;
        CpuIsolated = "devices/system/cpu/isolated" 0o444;
        CpuKernelMax = "devices/system/cpu/kernel_max" 0o444;
        CpuOffline = "devices/system/cpu/offline" 0o444;
        CpuOnline = "devices/system/cpu/online" 0o444;
        CpuPossible = "devices/system/cpu/possible" 0o444;
        CpuPresent = "devices/system/cpu/present" 0o444;
        NodeHasCpu = "devices/system/node/has_cpu" 0o444;
        NodeHasMemory = "devices/system/node/has_memory" 0o444;
        NodeHasNormalMemory = "devices/system/node/has_normal_memory" 0o444;
        NodeCpuList = "devices/system/node/node0/cpulist" 0o444;
        NodeCpuMap = "devices/system/node/node0/cpumap" 0o444;
        NodeDistance = "devices/system/node/node0/distance" 0o444;
        NodeMeminfo = "devices/system/node/node0/meminfo" 0o444;
        NodeOnline = "devices/system/node/online" 0o444;
        NodePossible = "devices/system/node/possible" 0o444;
        Firmware = "firmware/" 0o755;
        Cgroup = "fs/cgroup/" 0o755;
        HugePages = "kernel/mm/hugepages/" 0o755;
        HugePageEnabled = "kernel/mm/transparent_hugepage/enabled" 0o444;
        HugePageSize = "kernel/mm/transparent_hugepage/hpage_pmd_size" 0o444;
        Module = "module/" 0o755;
        Power = "power/" 0o755;
    }
}

/// Where the processors' directories are.
const PROCESSORS: &str = "devices/system/cpu";

/// The root directory.
pub const ROOT: SysEntry = SysEntry::Place(Place::ROOT);

/// What `name` is in a directory.
pub fn lookup(kernel: &Kernel, directory: SysEntry, name: &[u8]) -> Option<SysEntry> {
    match directory {
        SysEntry::Place(place) => {
            if let Some(found) = place.lookup(FILES, name) {
                return Some(SysEntry::Place(found));
            }
            let number = name.strip_prefix(b"cpu").and_then(parse_number)?;
            let is_there = place == processors() && number < kernel.configuration.cpus;
            is_there.then_some(SysEntry::Processor(number, Place::ROOT))
        }
        SysEntry::Processor(number, place) => {
            let found = place.lookup(PROCESSOR, name)?;
            match found.row(PROCESSOR).and_then(|row| row.what.cache_index()) {
                Some(index) => Some(SysEntry::Cache(number, index, Place::ROOT)),
                None => Some(SysEntry::Processor(number, found)),
            }
        }
        SysEntry::Cache(number, index, place) => Some(SysEntry::Cache(number, index, place.lookup(CACHE, name)?)),
    }
}

/// The entries of a directory.
pub fn list(kernel: &Kernel, directory: SysEntry) -> Vec<Listed> {
    let names: Vec<Vec<u8>> = match directory {
        SysEntry::Place(place) => {
            let fixed = place.list(FILES).into_iter().map(|(name, _)| name.as_bytes().to_vec());
            let numbered = if place == processors() { kernel.configuration.cpus } else { 0 };
            (0..numbered).map(|number| format!("cpu{number}").into_bytes()).chain(fixed).collect()
        }
        SysEntry::Processor(_, place) => names_of(&place.list(PROCESSOR)),
        SysEntry::Cache(_, _, place) => names_of(&place.list(CACHE)),
    };
    let listed = |name: Vec<u8>| {
        let entry = lookup(kernel, directory, &name)?;
        let kind = if is_directory(entry) { S_IFDIR } else { S_IFREG };
        Some(Listed { name, number: number(entry), kind })
    };
    names.into_iter().filter_map(listed).collect()
}

fn names_of(list: &[(&'static str, Place)]) -> Vec<Vec<u8>> {
    list.iter().map(|(name, _)| name.as_bytes().to_vec()).collect()
}

/// What stat(2) says.
pub fn attributes(kernel: &Kernel, entry: SysEntry) -> Attributes {
    let mode = match entry {
        SysEntry::Place(place) => place.row(FILES).map(|row| row.mode),
        SysEntry::Processor(_, place) => place.row(PROCESSOR).map(|row| row.mode),
        SysEntry::Cache(_, _, place) => place.row(CACHE).map(|row| row.mode),
    };
    let (mode, links, size) = if is_directory(entry) {
        let below = list(kernel, entry).iter().filter(|listed| listed.kind == S_IFDIR).count();
        let mode = if entry == ROOT { 0o555 } else { mode.unwrap_or(0o755) };
        (S_IFDIR | mode, 2 + below as u32, 0)
    } else {
        (S_IFREG | mode.unwrap_or(0o444), 1, 4096)
    };
    Attributes { number: number(entry), mode, uid: 0, gid: 0, links, size }
}

/// The text of a file.
///
/// # Errors
/// `EISDIR` for a directory.
pub fn read(kernel: &Kernel, entry: SysEntry) -> Result<Vec<u8>, Error> {
    let text = match entry {
        SysEntry::Place(place) => place.row(FILES).and_then(|row| text(kernel, row.what)),
        SysEntry::Processor(number, place) => {
            place.row(PROCESSOR).and_then(|row| processor::text(kernel.configuration.cpus, number, row.what))
        }
        SysEntry::Cache(number, index, place) => {
            place.row(CACHE).map(|row| processor::cache_text(kernel.configuration.cpus, number, index, row.what))
        }
    };
    text.map(String::into_bytes).ok_or(Errno::EISDIR.because("a directory is read with getdents64(2)"))
}

fn text(kernel: &Kernel, file: SysFile) -> Option<String> {
    let processors = kernel.configuration.cpus;
    Some(match file {
        SysFile::AvailableClock | SysFile::CurrentClock => "tsc\n".to_string(),
        SysFile::CpuIsolated | SysFile::CpuOffline => "\n".to_string(),
        SysFile::CpuKernelMax => format!("{}\n", processors.saturating_sub(1).max(255)),
        SysFile::CpuOnline | SysFile::CpuPossible | SysFile::CpuPresent | SysFile::NodeCpuList => {
            format!("{}\n", processor::list_of(0, processors))
        }
        SysFile::NodeHasCpu
        | SysFile::NodeHasMemory
        | SysFile::NodeHasNormalMemory
        | SysFile::NodeOnline
        | SysFile::NodePossible => "0\n".to_string(),
        SysFile::NodeCpuMap => format!("{}\n", processor::mask_of(0, processors, processors)),
        SysFile::NodeDistance => "10\n".to_string(),
        SysFile::NodeMeminfo => memory::node_text(kernel),
        SysFile::HugePageEnabled => "always madvise [never]\n".to_string(),
        SysFile::HugePageSize => "2097152\n".to_string(),
        SysFile::Block
        | SysFile::Bus
        | SysFile::ClassBlock
        | SysFile::ClassNet
        | SysFile::ClassTty
        | SysFile::DevBlock
        | SysFile::DevChar
        | SysFile::Firmware
        | SysFile::Cgroup
        | SysFile::HugePages
        | SysFile::Module
        | SysFile::Power => return None,
    })
}

/// Whether it is a directory.
pub fn is_directory(entry: SysEntry) -> bool {
    match entry {
        SysEntry::Place(place) => place.is_directory(FILES),
        SysEntry::Processor(_, place) => place.is_directory(PROCESSOR),
        SysEntry::Cache(_, _, place) => place.is_directory(CACHE),
    }
}

/// st_ino.
fn number(entry: SysEntry) -> u64 {
    match entry {
        SysEntry::Place(place) => place.number(),
        SysEntry::Processor(number, place) => (u64::from(number) + 1) << 20 | place.number(),
        SysEntry::Cache(number, index, place) => {
            (u64::from(number) + 1) << 20 | (u64::from(index) + 1) << 16 | place.number()
        }
    }
}

fn processors() -> Place {
    let step = |place: Place, name: &str| place.lookup(FILES, name.as_bytes());
    PROCESSORS.split('/').try_fold(Place::ROOT, step).expect("the directory of processors is in the list")
}

/// A decimal number without leading zeroes.
pub(super) fn parse_number(name: &[u8]) -> Option<u32> {
    if name.len() > 1 && name[0] == b'0' || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}
