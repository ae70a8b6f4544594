//! The host's files, read-only.

use super::errno;
use kernel::Errno;
use kernel::ports::{HostEntry, HostMetadata};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use std::collections::BTreeMap;

/// Host files kept open at most, so that reading a file page by page opens it once.
const OPEN_FILES: usize = 128;

/// Files opened for reading, by path.
#[derive(Debug, Default)]
pub struct Files {
    open: BTreeMap<Vec<u8>, OpenFile>,
    uses: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: OwnedFd,
    last_use: u64,
}

impl Files {
    /// Reads a regular file at an offset, less than the buffer only at its end.
    ///
    /// # Errors
    /// The host's; `EISDIR`, `EINVAL` for what is not a regular file.
    pub fn read(&mut self, path: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.uses += 1;
        if !self.open.contains_key(path) {
            let file = open_untouched(path, OFlags::NOCTTY)?;
            match FileType::from_raw_mode(rustix::fs::fstat(&file).map_err(errno)?.st_mode) {
                FileType::RegularFile => {}
                FileType::Directory => return Err(Errno::EISDIR),
                _ => return Err(Errno::EINVAL),
            }
            if self.open.len() >= OPEN_FILES {
                let oldest = self.open.iter().min_by_key(|(_, open)| open.last_use).map(|(path, _)| path.clone());
                self.open.remove(&oldest.expect("the cache is full, so not empty"));
            }
            self.open.insert(path.to_vec(), OpenFile { file, last_use: self.uses });
        }
        let open = self.open.get_mut(path).expect("opened above");
        open.last_use = self.uses;
        let mut done = 0;
        while done < buffer.len() {
            match rustix::io::pread(&open.file, &mut buffer[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(done)
    }
}

/// lstat(2).
///
/// # Errors
/// The host's.
pub fn metadata(path: &[u8]) -> Result<HostMetadata, Errno> {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(from_stat).map_err(errno)
}

/// What stat(2) says in the kernel's form.
pub(super) fn from_stat(stat: Stat) -> HostMetadata {
    let nanoseconds = |seconds: i64, nanoseconds: u64| {
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::try_from(nanoseconds).unwrap_or(0))
    };
    HostMetadata {
        device: stat.st_dev,
        inode: stat.st_ino,
        mode: stat.st_mode,
        links: stat.st_nlink,
        uid: stat.st_uid,
        gid: stat.st_gid,
        special_device: stat.st_rdev,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        block_size: u64::try_from(stat.st_blksize).unwrap_or(4096),
        blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// A directory's entries without `.` and `..`, sorted by name: the host's order depends on its history.
///
/// # Errors
/// The host's.
pub fn read_directory(path: &[u8]) -> Result<Vec<HostEntry>, Errno> {
    let directory = open_untouched(path, OFlags::DIRECTORY)?;
    let mut entries = Vec::new();
    for entry in Dir::new(directory).map_err(errno)? {
        let entry = entry.map_err(errno)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let kind = match entry.file_type() {
                FileType::Unknown => 0,
                known => known.as_raw_mode(),
            };
            entries.push(HostEntry { name: name.to_vec(), inode: entry.ino(), kind });
        }
    }
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

/// Opens a file for reading so that nobody can see it afterwards: the time of its last access stays, if the host permits
/// (`O_NOATIME` is for owners, open(2)).
fn open_untouched(path: &[u8], how: OFlags) -> Result<OwnedFd, Errno> {
    // O_NONBLOCK: a FIFO in the file's place must not stop the run.
    let flags = how | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(rustix::io::Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()).map_err(errno),
        opened => opened.map_err(errno),
    }
}

/// readlink(2).
///
/// # Errors
/// The host's.
pub fn read_link(path: &[u8]) -> Result<Vec<u8>, Errno> {
    rustix::fs::readlinkat(CWD, path, Vec::new()).map(|target| target.into_bytes()).map_err(errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_directory_is_sorted_and_without_the_dots() {
        let here = std::env::temp_dir().join(format!("belljar-files-{}", std::process::id()));
        std::fs::create_dir_all(&here).unwrap();
        for name in ["b", "a", "c"] {
            std::fs::write(here.join(name), name).unwrap();
        }
        let entries = read_directory(here.as_os_str().as_bytes()).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        let a = here.join("a");
        let a = a.as_os_str().as_bytes();
        let mut files = Files::default();
        let mut buffer = [0; 4];
        let read = files.read(a, 0, &mut buffer);
        let behind = files.read(a, 9, &mut buffer);
        let size = metadata(a).map(|metadata| metadata.size);
        std::fs::remove_dir_all(&here).unwrap();
        assert_eq!(names, [b"a", b"b", b"c"]);
        assert_eq!((read, behind, size), (Ok(1), Ok(0), Ok(1)));
    }

    #[test]
    fn a_directory_is_not_read_as_a_file() {
        assert_eq!(Files::default().read(b"/", 0, &mut [0; 4]), Err(Errno::EISDIR));
        assert_eq!(metadata(b"/no/such/file").unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn more_files_than_the_cache_holds_can_be_read() {
        let here = std::env::temp_dir().join(format!("belljar-cache-{}", std::process::id()));
        std::fs::create_dir_all(&here).unwrap();
        let mut files = Files::default();
        for round in 0..2 {
            for number in 0..OPEN_FILES + 10 {
                let path = here.join(number.to_string());
                if round == 0 {
                    std::fs::write(&path, number.to_string()).unwrap();
                }
                let mut buffer = [0; 8];
                let count = files.read(path.as_os_str().as_bytes(), 0, &mut buffer).unwrap();
                assert_eq!(buffer[..count], *number.to_string().as_bytes());
            }
        }
        std::fs::remove_dir_all(&here).unwrap();
        assert_eq!(files.open.len(), OPEN_FILES);
    }
}
