//! The cache gives back what was stored by the same user for the same purpose, and nothing else.

use super::*;
use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Places of a test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let place = std::env::temp_dir().join(format!("belljar-code-cache-{name}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir(&place).unwrap();
        Scratch(place)
    }

    fn places(&self) -> Places {
        Places { entries: self.0.join("cache/belljar"), key: self.0.join("state/belljar") }
    }

    fn open(&self) -> CodeCache {
        CodeCache::open(&self.places()).unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.places().entries).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn name(program: &str) -> EntryName {
    EntryName::new(program.as_bytes(), "processor").unwrap()
}

#[test]
fn what_was_stored_comes_back_under_its_name_only() {
    let scratch = Scratch::new("round-trip");
    let cache = scratch.open();
    assert_eq!(cache.load(&name("a")), None);
    cache.store(&name("a"), b"image").unwrap();
    assert_eq!(scratch.open().load(&name("a")).as_deref(), Some(&b"image"[..]));
    assert_eq!(cache.load(&name("b")), None);
    cache.store(&name("a"), b"another").unwrap();
    assert_eq!(cache.load(&name("a")).as_deref(), Some(&b"another"[..]));
    assert_eq!(scratch.entries().len(), 1);
}

#[test]
fn an_entry_moved_to_another_name_is_ignored() {
    let scratch = Scratch::new("moved");
    let cache = scratch.open();
    cache.store(&name("a"), b"image").unwrap();
    std::fs::rename(&scratch.entries()[0], scratch.places().entries.join(name("b").file_name())).unwrap();
    assert_eq!(cache.load(&name("b")), None);
}

#[test]
fn every_changed_bit_and_every_missing_byte_is_noticed() {
    let scratch = Scratch::new("damage");
    let cache = scratch.open();
    cache.store(&name("a"), b"some image").unwrap();
    let path = scratch.entries().remove(0);
    let whole = std::fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(cache.load(&name("a")), None, "bit {bit}");
    }
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(cache.load(&name("a")), None, "{length} bytes");
    }
    std::fs::write(&path, whole).unwrap();
    assert!(cache.load(&name("a")).is_some());
}

#[test]
fn an_entry_made_with_another_key_is_ignored() {
    let scratch = Scratch::new("foreign");
    scratch.open().store(&name("a"), b"image").unwrap();
    std::fs::remove_file(scratch.places().key.join("cache.key")).unwrap();
    let cache = scratch.open();
    assert_eq!(cache.load(&name("a")), None);
    cache.store(&name("a"), b"image").unwrap();
    assert!(cache.load(&name("a")).is_some());
}

#[test]
fn what_others_may_write_is_not_used() {
    let scratch = Scratch::new("permissions");
    scratch.open().store(&name("a"), b"image").unwrap();
    let change = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let Places { entries, key } = scratch.places();
    for directory in [&entries, &key] {
        change(directory, 0o770);
        assert!(matches!(CodeCache::open(&scratch.places()), Err(Refused::NotPrivate(_))), "{directory:?}");
        change(directory, 0o755);
    }
    let secret = key.join("cache.key");
    assert_eq!(std::fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
    change(&secret, 0o640);
    assert!(matches!(CodeCache::open(&scratch.places()), Err(Refused::NotPrivate(_))));
    change(&secret, 0o600);
    let entry = scratch.entries().remove(0);
    change(&entry, 0o620);
    assert_eq!(scratch.open().load(&name("a")), None);
    change(&entry, 0o600);
    assert!(scratch.open().load(&name("a")).is_some());
    let elsewhere = scratch.0.join("elsewhere");
    std::fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    assert_eq!(scratch.open().load(&name("a")), None);
}

#[test]
fn the_entries_used_longest_ago_make_room() {
    let scratch = Scratch::new("limit");
    let cache = scratch.open();
    let image = vec![0; ENTRY_LIMIT_BYTES - MAC_BYTES];
    let fitting = (LIMIT_BYTES as usize / ENTRY_LIMIT_BYTES) as u64;
    for number in 0..=fitting {
        if number == fitting {
            std::fs::write(scratch.places().entries.join("dead.new"), "").unwrap();
        }
        // Each was used an hour after the one before it.
        cache.store(&name(&number.to_string()), &image).unwrap();
        let path = scratch.places().entries.join(name(&number.to_string()).file_name());
        let used = SystemTime::now() - Duration::from_secs(3600 * (fitting + 2 - number));
        File::options().write(true).open(path).unwrap().set_modified(used).unwrap();
    }
    let kept = |number: u64| cache.load(&name(&number.to_string())).is_some();
    assert!(!kept(0) && (1..=fitting).all(kept));
    let old = File::options().write(true).open(scratch.places().entries.join("dead.new")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    cache.store(&name("small"), b"").unwrap();
    assert!(!scratch.places().entries.join("dead.new").exists());
    assert!(cache.store(&name("too large"), &vec![0; ENTRY_LIMIT_BYTES]).is_ok() && !kept(99));
}

#[test]
fn writers_at_once_leave_one_whole_entry_and_one_key() {
    let scratch = Scratch::new("concurrent");
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let places = scratch.places();
            scope.spawn(move || {
                let cache = CodeCache::open(&places).unwrap();
                for _ in 0..20 {
                    cache.store(&name("a"), &vec![writer; 10_000]).unwrap();
                    let found = cache.load(&name("a")).expect("an entry is there at any time");
                    assert!(found.len() == 10_000 && found.iter().all(|byte| *byte == found[0]));
                }
            });
        }
    });
    assert_eq!(scratch.entries().len(), 1);
}
