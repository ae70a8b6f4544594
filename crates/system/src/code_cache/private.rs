//! Directories and files that are one user's alone.

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

/// Why a directory or a key is not used.
#[derive(Debug)]
pub enum Refused {
    /// The host's error.
    Host(std::io::Error),
    /// It belongs to another user, or others may write it (or read it, if it is the key), or it is of another kind.
    NotPrivate(std::path::PathBuf),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Host(error) => write!(f, "{error}"),
            Refused::NotPrivate(path) => write!(f, "{} is not this user's alone", path.display()),
        }
    }
}

impl std::error::Error for Refused {}

impl From<rustix::io::Errno> for Refused {
    fn from(errno: rustix::io::Errno) -> Refused {
        Refused::Host(errno.into())
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Refused {
        Refused::Host(error)
    }
}

/// The permissions that others must not have.
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);
const OTHERS_ANY: Mode = Mode::RWXG.union(Mode::RWXO);

fn is_private(file: &OwnedFd, kind: FileType, forbidden: Mode) -> rustix::io::Result<bool> {
    let status = fs::fstat(file)?;
    let owned = status.st_uid == rustix::process::geteuid().as_raw();
    let mode = Mode::from_raw_mode(status.st_mode);
    Ok(owned && FileType::from_raw_mode(status.st_mode) == kind && !mode.intersects(forbidden))
}

/// A directory that only this user may write.
#[derive(Debug)]
pub(super) struct Directory {
    handle: OwnedFd,
}

impl Directory {
    /// Opens a directory, making it and those above it if they are not there.
    pub(super) fn open(path: &Path) -> Result<Directory, Refused> {
        use std::os::unix::fs::DirBuilderExt;
        // Symbolic links are followed, to directories of this user: who may make one here may also do without.
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let handle = match fs::open(path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                fs::open(path, flags, Mode::empty())?
            }
            other => other?,
        };
        if !is_private(&handle, FileType::Directory, OTHERS_WRITE)? {
            return Err(Refused::NotPrivate(path.to_path_buf()));
        }
        Ok(Directory { handle })
    }

    /// Opens a regular file that only this user may write.
    pub(super) fn open_file(&self, name: &str) -> Option<File> {
        self.open_private(name, OTHERS_WRITE).ok().flatten()
    }

    /// `None` if others have permissions that are forbidden.
    fn open_private(&self, name: &str, forbidden: Mode) -> rustix::io::Result<Option<File>> {
        // Without waiting for a writer, should it be a FIFO.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = fs::openat(&self.handle, name, flags, Mode::empty())?;
        Ok(is_private(&file, FileType::RegularFile, forbidden)?.then(|| File::from(file)))
    }

    /// Makes a file that is not there yet.
    pub(super) fn create_file(&self, name: &str) -> std::io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        Ok(fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    pub(super) fn remove(&self, name: &str) {
        _ = fs::unlinkat(&self.handle, name, AtFlags::empty());
    }

    /// Name, size and time of last modification of all files.
    pub(super) fn files(&self) -> Vec<(String, u64, SystemTime)> {
        let Ok(entries) = Dir::read_from(&self.handle) else { return Vec::new() };
        let facts = |entry: rustix::io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name().to_str().ok()?.to_string();
            let status = fs::statat(&self.handle, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let modified = SystemTime::UNIX_EPOCH + std::time::Duration::new(status.st_mtime.try_into().ok()?, 0);
            let regular = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
            regular.then_some((name, status.st_size as u64, modified))
        };
        entries.filter_map(facts).collect()
    }
}

/// A file name that nobody else chooses.
pub(super) fn random_name() -> std::io::Result<String> {
    Ok(blake3::Hash::from_bytes(random()?).to_hex().to_string())
}

fn random() -> std::io::Result<[u8; blake3::KEY_LEN]> {
    let mut bytes = [0; blake3::KEY_LEN];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// The name of the key's file.
const KEY_FILE: &str = "cache.key";

/// The user's key, made if there is none.
pub(super) fn key(directory: &Path) -> Result<[u8; blake3::KEY_LEN], Refused> {
    let opened = Directory::open(directory)?;
    match opened.open_private(KEY_FILE, OTHERS_ANY) {
        Err(rustix::io::Errno::NOENT) => {}
        found => return read_key(found?, directory),
    }
    // Whole before it has its name. Of several who make one at once, one wins.
    let temporary = format!("{}.new", random_name()?);
    let mut file = opened.create_file(&temporary)?;
    let linked = random().and_then(|key| file.write_all(&key)).and_then(|()| {
        let handle = &opened.handle;
        match fs::linkat(handle, temporary.as_str(), handle, KEY_FILE, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    });
    opened.remove(&temporary);
    linked?;
    read_key(opened.open_private(KEY_FILE, OTHERS_ANY)?, directory)
}

fn read_key(file: Option<File>, directory: &Path) -> Result<[u8; blake3::KEY_LEN], Refused> {
    let Some(mut file) = file else { return Err(Refused::NotPrivate(directory.join(KEY_FILE))) };
    let mut key = [0; blake3::KEY_LEN];
    file.read_exact(&mut key)?;
    Ok(key)
}
