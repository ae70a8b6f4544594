//! Devices by number, null(4), random(4), tty(4): what opening a device node gives, and the nodes in `/dev`.

mod memory;

pub use memory::{Device, getrandom, poll, read, write};
pub(in crate::fs) use memory::{read_bytes, write_bytes};

use super::inode::InodeKind;
use super::node::Node;
use crate::entry::Call;
use crate::fs::{FileObject, tty};
use crate::kernel::Kernel;
use crate::table::Id;
use abi::stat::{S_IFBLK, S_IFCHR, S_IFLNK, device_major, device_minor, make_device};
use abi::{Errno, Error};

/// Terminals in `/dev` besides those under `pts`: name, permissions, minor number.
const TERMINALS: &[(&str, u32, u32)] = &[("tty", 0o666, 0), ("console", 0o600, 1), ("ptmx", 0o666, 2)];

/// Symbolic links in `/dev`.
const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Fills `/dev`. Called once, when it is mounted.
pub fn populate(kernel: &mut Kernel, directory: Id<Node>) {
    for (device, _, name) in memory::DEVICES {
        make_node(kernel, directory, name.as_bytes(), 0o666, device.number());
    }
    for (name, mode, minor) in TERMINALS {
        make_node(kernel, directory, name.as_bytes(), *mode, make_device(tty::device::AUXILIARY_MAJOR, *minor));
    }
    let names = tty::device::names_directory(kernel);
    make_node(kernel, names, b"ptmx", 0o666, make_device(tty::device::AUXILIARY_MAJOR, 2));
    for (name, target) in LINKS {
        let target = InodeKind::Symlink(target.as_bytes().to_vec());
        kernel.make_entry(directory, name.as_bytes(), S_IFLNK | 0o777, target);
    }
}

/// Makes a character device's node for the kernel's own use.
pub fn make_node(kernel: &mut Kernel, directory: Id<Node>, name: &[u8], mode: u32, number: u64) -> Id<Node> {
    let node = kernel.make_entry(directory, name, S_IFCHR | mode, InodeKind::Device);
    kernel.inode_mut(node).special_device = number;
    node
}

/// Opens a device by its number, wherever its node is. Gives the object; the description is made by the caller.
///
/// # Errors
/// `ENXIO` if there is no such device.
pub fn open(call: &mut Call, node: Id<Node>, flags: u32) -> Result<FileObject, Error> {
    let inode = call.kernel.inode(node);
    let number = inode.special_device;
    if inode.type_bits() == S_IFBLK {
        return Err(Errno::ENXIO.because("there are no block devices"));
    }
    let (major, minor) = (device_major(number), device_minor(number));
    if let Some(opened) = tty::device::open(call, major, minor, flags) {
        return opened;
    }
    match Device::of_number(major, minor) {
        Some(device) => Ok(FileObject::Device(device)),
        None => Err(Errno::ENXIO.because("there is no such device")),
    }
}
