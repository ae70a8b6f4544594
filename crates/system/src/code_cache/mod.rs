//! Translated code on the host's disk, so that the next run of a program need not translate it again.
//!
//! An entry is a file: what the processor saved, and a MAC over that and over everything it depends on. The file is named
//! by the hash of what it depends on, written under another name and renamed, so that a reader sees all of it or nothing.
//! Entries hold code that is executed outside of the jar's checks. So none is read unless its MAC holds, and the MAC's key
//! is this user's secret ([`private`]): what others wrote, or the disk damaged, is as good as not there.
//! docs/decisions/0007 weighs what that protects from.

mod private;

pub use private::Refused;

use private::Directory;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Bytes of all entries together at most; the ones used longest ago go.
pub const LIMIT_BYTES: u64 = 256 << 20;
/// Bytes of an entry at most.
pub const ENTRY_LIMIT_BYTES: usize = 64 << 20;
/// Bytes of the MAC at the end of an entry.
const MAC_BYTES: usize = 32;
/// How entries are called, and files that become entries.
const SUFFIX: &str = ".code";
const TEMPORARY: &str = ".new";
/// How old an entry's time of last use may be before it is renewed.
const USED_RECENTLY: Duration = Duration::from_secs(3600);

/// Where the cache and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Directory of the entries.
    pub entries: PathBuf,
    /// Directory of the key. It should not be where caches are copied from elsewhere.
    pub key: PathBuf,
}

/// The cache of one user.
#[derive(Debug)]
pub struct CodeCache {
    directory: Directory,
    key: [u8; blake3::KEY_LEN],
}

/// What an entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    hash: blake3::Hash,
}

impl EntryName {
    /// The entry for a program (a hint: its code is recognised by its bytes) run by this very executable on a processor
    /// that calls itself `processor`. `None` if this executable cannot tell what it is.
    pub fn new(program: &[u8], processor: &str) -> Option<EntryName> {
        // Any other build is another file, or one written at another time.
        let own = std::fs::metadata("/proc/self/exe").ok()?;
        let mut hasher = blake3::Hasher::new();
        for number in [own.dev(), own.ino(), own.size()] {
            hasher.update(&number.to_le_bytes());
        }
        for time in [own.mtime(), own.mtime_nsec(), own.ctime(), own.ctime_nsec()] {
            hasher.update(&time.to_le_bytes());
        }
        for text in [processor.as_bytes(), program] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text);
        }
        Some(EntryName { hash: hasher.finalize() })
    }

    fn file_name(&self) -> String {
        format!("{}{SUFFIX}", &self.hash.to_hex()[..32])
    }
}

impl CodeCache {
    /// Opens the cache, making it if it is not there.
    ///
    /// # Errors
    /// [`Refused`] if a directory or the key cannot be made, or is not this user's alone.
    pub fn open(places: &Places) -> Result<CodeCache, Refused> {
        Ok(CodeCache { directory: Directory::open(&places.entries)?, key: private::key(&places.key)? })
    }

    /// What was saved under a name, if it is there and whole.
    pub fn load(&self, name: &EntryName) -> Option<Vec<u8>> {
        let mut file = self.directory.open_file(&name.file_name())?;
        let metadata = file.metadata().ok()?;
        let length = usize::try_from(metadata.len()).ok().filter(|length| *length <= ENTRY_LIMIT_BYTES)?;
        let mut bytes = Vec::with_capacity(length);
        Read::by_ref(&mut file).take(length as u64).read_to_end(&mut bytes).ok()?;
        let (image, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        // The comparison of hashes takes the same time wherever they differ.
        if self.mac(name, image) != blake3::Hash::from_bytes(*mac) {
            return None;
        }
        if metadata.modified().is_ok_and(|used| used.elapsed().is_ok_and(|age| age > USED_RECENTLY)) {
            _ = file.set_modified(SystemTime::now());
        }
        bytes.truncate(bytes.len() - MAC_BYTES);
        Some(bytes)
    }

    /// Saves an image under a name, in place of what was there, and removes old entries if there are too many.
    ///
    /// # Errors
    /// The host's.
    pub fn store(&self, name: &EntryName, image: &[u8]) -> std::io::Result<()> {
        if image.len() + MAC_BYTES > ENTRY_LIMIT_BYTES {
            return Ok(());
        }
        let temporary = format!("{}{TEMPORARY}", private::random_name()?);
        let written = self.directory.create_file(&temporary).and_then(|mut file| {
            file.write_all(image)?;
            file.write_all(self.mac(name, image).as_bytes())
        });
        let result = written.and_then(|()| self.directory.rename(&temporary, &name.file_name()));
        if result.is_err() {
            self.directory.remove(&temporary);
        }
        self.evict(&name.file_name());
        result
    }

    fn mac(&self, name: &EntryName, image: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(name.hash.as_bytes()).update(image);
        hasher.finalize()
    }

    /// Removes what was used longest ago until the rest is within the limit, and what writers that died left.
    fn evict(&self, keep: &str) {
        let now = SystemTime::now();
        let mut entries = Vec::new();
        for (name, size, used) in self.directory.files() {
            if name.ends_with(TEMPORARY) {
                if now.duration_since(used).is_ok_and(|age| age > USED_RECENTLY) {
                    self.directory.remove(&name);
                }
            } else if name.ends_with(SUFFIX) {
                entries.push((used, name, size));
            }
        }
        let mut total: u64 = entries.iter().map(|(_, _, size)| size).sum();
        entries.sort_unstable();
        for (_, name, size) in entries.into_iter().filter(|(_, name, _)| name != keep) {
            if total <= LIMIT_BYTES {
                return;
            }
            self.directory.remove(&name);
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests;
