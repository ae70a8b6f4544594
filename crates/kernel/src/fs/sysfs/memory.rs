//! `/sys/devices/system/node/node0/meminfo`: all memory belongs to the one node.

use crate::kernel::Kernel;

/// The text.
pub(crate) fn node_text(kernel: &Kernel) -> String {
    let total = u64::from(kernel.memory.total()) * 4;
    let free = u64::from(kernel.memory.available()) * 4;
    format!(
        "Node 0 MemTotal:       {total:8} kB\nNode 0 MemFree:        {free:8} kB\nNode 0 MemUsed:        {:8} kB\n",
        total - free
    )
}
