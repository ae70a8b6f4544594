//! The program that a process runs: its file is kept, and kept from being written (`ETXTBSY`).

use super::{Image, Process};
use crate::fs::Node;
use crate::kernel::Kernel;
use crate::table::Id;

/// Makes `node` somebody's program: it is held, and its file cannot be opened for writing.
pub(crate) fn hold(kernel: &mut Kernel, node: Id<Node>) {
    kernel.hold_node(node);
    kernel.inode_mut(node).executed += 1;
}

/// Undoes [`hold`].
pub(crate) fn release(kernel: &mut Kernel, node: Id<Node>) {
    kernel.inode_mut(node).executed -= 1;
    kernel.release_node(node);
}

/// The image of a process for a child that runs the same program.
pub(super) fn share(kernel: &mut Kernel, process: Id<Process>) -> Image {
    let image = kernel.processes[process].image.clone();
    if let Some(program) = image.program {
        hold(kernel, program);
    }
    image
}

/// The absolute path of the program file, `/proc/PID/exe`; `None` for init and for what has ended.
pub fn path(kernel: &Kernel, process: Id<Process>) -> Option<Vec<u8>> {
    Some(kernel.path_of(kernel.processes[process].image.program?))
}
