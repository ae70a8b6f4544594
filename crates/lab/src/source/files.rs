//! The bytes of the guest's files as the guest would read them, without changing anything.

use super::map::CodeFile;
use kernel::Kernel;
use kernel::fs::page_cache;
use kernel::fs::{DirectoryEntry, Inode, InodeKind};
use kernel::ports::Outside;
use kernel::table::Id;

/// Bytes of a file that is looked at as a whole, at most.
const MOST_BYTES: u64 = 1 << 30;

/// Reads the guest's files.
pub struct GuestFiles<'a> {
    /// What changed them.
    pub kernel: &'a Kernel,
    /// What they were.
    pub outside: &'a mut dyn Outside,
}

impl GuestFiles<'_> {
    /// A file that was mapped: as it is now, or what has its path if it is gone.
    pub fn mapped(&mut self, file: &CodeFile) -> Option<Vec<u8>> {
        match self.kernel.vfs.inodes.get(file.inode) {
            Some(_) => self.contents(file.inode),
            None => self.named(&file.path),
        }
    }

    /// The file of an absolute path. Symbolic links are followed only on the host.
    pub fn named(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        match self.look_up(path) {
            Found::Inode(inode) => self.contents(inode),
            Found::Host => self.host(path),
            Found::Nothing => None,
        }
    }

    fn look_up(&self, path: &[u8]) -> Found {
        let vfs = &self.kernel.vfs;
        let root = vfs.mounts.iter().next().and_then(|(_, mount)| mount.root);
        let Some(mut node) = root else { return Found::Host };
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            while let Some(mount) = vfs.nodes[node].mounted {
                match vfs.mounts[mount].root {
                    Some(root) => node = root,
                    None => return Found::Nothing,
                }
            }
            let InodeKind::Directory(directory) = &self.kernel.inode(node).kind else { return Found::Host };
            match directory.entries.get(name) {
                Some(DirectoryEntry::Node(next)) => node = *next,
                Some(DirectoryEntry::Absent) => return Found::Nothing,
                Some(DirectoryEntry::OnHost { .. }) | None => return Found::Host,
            }
        }
        match self.kernel.inode(node).kind {
            InodeKind::Symlink(_) => Found::Host,
            _ => Found::Inode(vfs.nodes[node].inode),
        }
    }

    fn contents(&mut self, id: Id<Inode>) -> Option<Vec<u8>> {
        let inode = self.kernel.vfs.inodes.get(id)?;
        let pages = inode.pages()?;
        let (size, on_host) = (pages.size().min(MOST_BYTES), pages.host_length());
        let mut bytes = vec![0; size as usize];
        if let Some(host) = inode.host.as_ref().filter(|_| on_host > 0) {
            let length = size.min(on_host) as usize;
            self.outside.read_file(&host.path, 0, &mut bytes[..length]).ok()?;
        }
        if pages.is_changed() {
            let page_size = self.kernel.page_size();
            for index in 0..page_size.pages(size) {
                let Some(frame) = page_cache::cached(self.kernel, id, index) else { continue };
                let start = (index * page_size.bytes()) as usize;
                let length = (bytes.len() - start).min(page_size.bytes() as usize);
                bytes[start..start + length].copy_from_slice(&self.kernel.memory.bytes(frame)[..length]);
            }
        }
        Some(bytes)
    }

    fn host(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        // lstat(2) of a symbolic link says nothing about its target's size: read until nothing comes.
        let mut bytes = Vec::new();
        let mut step = 1 << 16;
        while (bytes.len() as u64) < MOST_BYTES {
            let done = bytes.len();
            bytes.resize(done + step, 0);
            let got = self.outside.read_file(path, done as u64, &mut bytes[done..]).ok()?;
            bytes.truncate(done + got);
            if got < step {
                break;
            }
            step = (step * 2).min(1 << 24);
        }
        Some(bytes)
    }
}

enum Found {
    Inode(Id<Inode>),
    /// Nothing in memory says otherwise: the host decides.
    Host,
    Nothing,
}
