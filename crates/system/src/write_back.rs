//! `--write DIR`: when the run is over, what the guest changed under DIR is done on the host.
//!
//! In three passes, because what is moved or removed may be what something else is made of: first every new file is
//! written to a staging directory beside the others; then things are removed; then directories are made and files put in
//! their places. A file that only changed is written in place, so that its other names see the change.

use kernel::Kernel;
use kernel::fs::changes::{self, Attributes, Base, Change, Contents};
use kernel::fs::page_cache;
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Does on the host what the guest did under `directory`, an absolute path without symbolic links.
///
/// # Errors
/// The first of the host's errors, with the path; what was done before stays done.
pub fn write_back(kernel: &Kernel, directory: &[u8]) -> Result<(), String> {
    let changes = changes::collect(kernel, directory);
    if changes.is_empty() {
        return Ok(());
    }
    let staging = path(directory).join(format!(".belljar-{}", std::process::id()));
    let mut work = Work { kernel, staging: staging.clone(), staged: BTreeMap::new(), directories: Vec::new() };
    let result = work.all(&changes);
    // It may never have been made.
    let _ = fs::remove_dir_all(&staging);
    result
}

struct Work<'a> {
    kernel: &'a Kernel,
    staging: PathBuf,
    /// What was prepared for a path.
    staged: BTreeMap<Vec<u8>, PathBuf>,
    /// Attributes of directories, to be set last: what happens in them changes their times.
    directories: Vec<(Vec<u8>, Attributes)>,
}

impl Work<'_> {
    fn all(&mut self, changes: &[Change]) -> Result<(), String> {
        let passes: [fn(&mut Self, &Change) -> io::Result<()>; 3] = [Work::stage, Work::remove, Work::place];
        for pass in passes {
            for change in changes {
                pass(self, change).map_err(|error| format!("{}: {error}", path(place_of(change)).display()))?;
            }
        }
        for (place, attributes) in std::mem::take(&mut self.directories).iter().rev() {
            set_attributes(path(place), attributes).map_err(|error| format!("{}: {error}", path(place).display()))?;
        }
        Ok(())
    }

    /// Prepares what may be made of things that later passes change.
    fn stage(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::File { path: place, contents, .. } if !is_in_place(place, contents) => {
                let staged = self.staging_place(place)?;
                self.write_file(&staged, contents)
            }
            Change::Copy { from, path: place } => {
                let staged = self.staging_place(place)?;
                copy_tree(path(from), &staged)
            }
            Change::CopyEntries { from, path: place, except } => {
                for entry in fs::read_dir(path(from))? {
                    let name = entry?.file_name();
                    if !except.contains(name.as_bytes()) {
                        let target = path(place).join(&name);
                        let staged = self.staging_place(target.as_os_str().as_bytes())?;
                        copy_tree(&path(from).join(&name), &staged)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn remove(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::Remove(place) => remove_any(path(place)),
            Change::Keep { directory, names } => {
                for entry in fs::read_dir(path(directory))? {
                    let name = entry?.file_name();
                    let gone = path(directory).join(&name);
                    if !names.contains(name.as_bytes()) && gone != self.staging {
                        remove_any(&gone)?;
                    }
                }
                Ok(())
            }
            Change::Directory { path: place, .. } => match fs::symlink_metadata(path(place)) {
                Ok(metadata) if !metadata.is_dir() => remove_any(path(place)),
                _ => Ok(()),
            },
            Change::File { path: place, contents, .. } if is_in_place(place, contents) => Ok(()),
            Change::File { path: place, .. }
            | Change::Link { path: place, .. }
            | Change::Symlink { path: place, .. }
            | Change::Fifo { path: place, .. }
            | Change::Copy { path: place, .. } => remove_any(path(place)),
            Change::CopyEntries { .. } => Ok(()),
        }
    }

    fn place(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::Remove(_) | Change::Keep { .. } => Ok(()),
            Change::Directory { path: place, attributes } => {
                if !path(place).is_dir() {
                    fs::create_dir(path(place))?;
                }
                self.directories.extend(attributes.map(|attributes| (place.clone(), attributes)));
                Ok(())
            }
            Change::File { path: place, contents, attributes } => {
                match self.staged.get(place) {
                    Some(staged) => fs::rename(staged, path(place))?,
                    None => self.write_pages(&OpenOptions::new().write(true).open(path(place))?, contents)?,
                }
                set_attributes(path(place), attributes)
            }
            Change::Link { path: place, first } => fs::hard_link(path(first), path(place)),
            Change::Symlink { path: place, target, attributes } => {
                symlink(path(target), path(place))?;
                set_times(path(place), attributes)
            }
            Change::Fifo { path: place, attributes } => {
                rustix::fs::mknodat(CWD, path(place), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
                set_attributes(path(place), attributes)
            }
            Change::Copy { path: place, .. } => fs::rename(&self.staged[place], path(place)),
            Change::CopyEntries { path: place, .. } => {
                let ours: Vec<(Vec<u8>, PathBuf)> = self
                    .staged
                    .iter()
                    .filter(|(target, _)| path(target).parent() == Some(path(place)))
                    .map(|(target, staged)| (target.clone(), staged.clone()))
                    .collect();
                for (target, staged) in ours {
                    if staged.symlink_metadata().is_ok() && path(&target).symlink_metadata().is_err() {
                        fs::rename(staged, path(&target))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// A new place in the staging directory for what will be at `place`.
    fn staging_place(&mut self, place: &[u8]) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.staging)?;
        let staged = self.staging.join(self.staged.len().to_string());
        self.staged.insert(place.to_vec(), staged.clone());
        Ok(staged)
    }

    fn write_file(&self, to: &Path, contents: &Contents) -> io::Result<()> {
        let mut file = File::create_new(to)?;
        if let Some(Base { path: from, length, .. }) = &contents.base {
            io::copy(&mut File::open(path(from))?.take(*length), &mut file)?;
        }
        self.write_pages(&file, contents)
    }

    /// Cuts what is no longer the host's, writes the pages that the guest changed, sets the size.
    fn write_pages(&self, file: &File, contents: &Contents) -> io::Result<()> {
        let kept = contents.base.as_ref().map_or(0, |base| base.length);
        if file.metadata()?.len() > kept {
            file.set_len(kept)?;
        }
        let pages = self.kernel.vfs.inodes[contents.inode].pages();
        for index in pages.into_iter().flat_map(|pages| pages.changed_pages()) {
            let page_bytes = self.kernel.page_size().bytes();
            let offset = index * page_bytes;
            let length = contents.size.saturating_sub(offset).min(page_bytes) as usize;
            let bytes = page_cache::changed_bytes(self.kernel, contents.inode, index);
            file.write_all_at(&bytes[..length], offset)?;
        }
        file.set_len(contents.size)
    }
}

/// Whether the file at `place` is the one that the contents began as.
fn is_in_place(place: &[u8], contents: &Contents) -> bool {
    contents.base.as_ref().is_some_and(|base| {
        fs::symlink_metadata(path(place)).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == base.identity)
    })
}

fn place_of(change: &Change) -> &[u8] {
    match change {
        Change::Remove(path)
        | Change::Keep { directory: path, .. }
        | Change::Directory { path, .. }
        | Change::File { path, .. }
        | Change::Link { path, .. }
        | Change::Symlink { path, .. }
        | Change::Fifo { path, .. }
        | Change::Copy { path, .. }
        | Change::CopyEntries { path, .. } => path,
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Removes a file or a directory with everything in it; fine if there is none.
fn remove_any(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies a file, link or directory with everything in it and its attributes.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    let attributes = Attributes {
        permissions: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        accessed_ns: metadata.atime().saturating_mul(1_000_000_000).saturating_add(metadata.atime_nsec()),
        modified_ns: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
    };
    if metadata.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
        return set_times(to, &attributes);
    }
    if metadata.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
    } else if metadata.is_file() {
        fs::copy(from, to)?;
    }
    set_attributes(to, &attributes)
}

fn set_attributes(place: &Path, attributes: &Attributes) -> io::Result<()> {
    let metadata = fs::symlink_metadata(place)?;
    if (metadata.uid(), metadata.gid()) != (attributes.uid, attributes.gid) {
        // Only root may give files away; without that right they stay the user's.
        let _ = std::os::unix::fs::lchown(place, Some(attributes.uid), Some(attributes.gid));
    }
    if metadata.mode() & 0o7777 != attributes.permissions {
        fs::set_permissions(place, Permissions::from_mode(attributes.permissions))?;
    }
    set_times(place, attributes)
}

fn set_times(place: &Path, attributes: &Attributes) -> io::Result<()> {
    // The run's clock may be ahead of the host's; a file from the future would confuse make(1).
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let time = |nanoseconds: i64| {
        let past = nanoseconds.min(now);
        Timespec { tv_sec: past.div_euclid(1_000_000_000), tv_nsec: past.rem_euclid(1_000_000_000) }
    };
    let times =
        Timestamps { last_access: time(attributes.accessed_ns), last_modification: time(attributes.modified_ns) };
    rustix::fs::utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}
