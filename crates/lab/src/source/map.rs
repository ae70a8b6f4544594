//! Where a program's code comes from: addresses to files and offsets.

use kernel::Kernel;
use kernel::fs::Inode;
use kernel::mm::AddressSpace;
use kernel::mm::vma::Backing;
use kernel::table::Id;
use std::rc::Rc;

/// A file that code was mapped from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeFile {
    /// Its path when it was mapped.
    pub path: Vec<u8>,
    /// What it was; may be gone by now.
    pub inode: Id<Inode>,
}

/// A byte of code: which file, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodePlace {
    /// Which.
    pub file: Rc<CodeFile>,
    /// In bytes from the beginning of the file.
    pub offset: u64,
}

/// The executable mappings of an address space at some time. It outlives the process, so that what the dead did can be
/// told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeMap {
    areas: Vec<CodeArea>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CodeArea {
    start: u64,
    end: u64,
    offset: u64,
    file: Rc<CodeFile>,
}

impl CodeMap {
    /// The executable mappings of files in `space` now; none if it is gone.
    pub fn of(kernel: &Kernel, space: Id<AddressSpace>) -> CodeMap {
        let Some(space) = kernel.spaces.get(space) else { return CodeMap::default() };
        let areas = space.areas.iter().filter(|area| area.is_executable()).filter_map(|area| {
            let Backing::File { file, inode, offset } = area.backing else { return None };
            let node = kernel.files.get(file)?.node?;
            let file = Rc::new(CodeFile { path: kernel.path_of(node), inode });
            Some(CodeArea { start: area.start, end: area.end, offset, file })
        });
        CodeMap { areas: areas.collect() }
    }

    /// What lies at `address`.
    pub fn place(&self, address: u64) -> Option<CodePlace> {
        let next = self.areas.partition_point(|area| area.start <= address);
        let area = self.areas[..next].last().filter(|area| address < area.end)?;
        Some(CodePlace { file: Rc::clone(&area.file), offset: area.offset + (address - area.start) })
    }
}
