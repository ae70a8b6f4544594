//! How System V objects are found: by key, by identifier, by index; and who may do what. Linux's ipc/util.c.

use crate::entry::Call;
use crate::ipc::namespace::IpcNamespace;
use crate::table::Id;
use abi::ipc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE, IpcPermissions};
use abi::resource::{CAP_IPC_OWNER, CAP_SYS_ADMIN};
use abi::{Errno, Error};
use std::collections::BTreeMap;

/// An identifier as programs have it: an index, and above its low bits a sequence number, so that identifiers of removed
/// objects are not valid for those that take their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(pub i32);

/// An object: an identifier and the namespace in which it means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Where.
    pub namespace: Id<IpcNamespace>,
    /// Which.
    pub id: Identifier,
}

/// Bits of the index: `IPCMNI_SHIFT`.
const INDEX_BITS: u32 = 15;
/// Objects of a kind at most, whatever the limits say: `IPCMNI`.
pub const MOST: i32 = 1 << INDEX_BITS;
/// Indices are used in turn until at least so many were, so that identifiers come back late: `ipc_min_cycle`.
const SHORTEST_CYCLE: usize = 64;

impl Identifier {
    /// The place among the objects of its kind.
    pub fn index(self) -> i32 {
        self.0 & ((1 << INDEX_BITS) - 1)
    }
}

/// An object and what all kinds have in common.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// Its identifier.
    pub id: Identifier,
    /// Owner, creator, key, mode.
    pub permissions: IpcPermissions,
    /// When owner, permissions or limits last changed, in seconds since 1970.
    pub changed: i64,
    /// Itself.
    pub object: T,
}

/// The objects of one kind.
///
/// # Invariants
/// - `by_key` finds exactly the entries whose key is not `IPC_PRIVATE`.
#[derive(Clone, Debug)]
pub struct Registry<T> {
    entries: BTreeMap<i32, Entry<T>>,
    by_key: BTreeMap<i32, i32>,
    sequence: i32,
    /// Of the object that was made last.
    last_index: i32,
    /// Where the search for the next free index begins.
    cursor: i32,
    /// The identifier that the next object is to get, `msg_next_id` and its kin; -1: the next in turn.
    pub wanted_id: i32,
}

impl<T> Default for Registry<T> {
    fn default() -> Registry<T> {
        Registry {
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            sequence: 0,
            last_index: -1,
            cursor: 0,
            wanted_id: -1,
        }
    }
}

/// What looking up a key said.
pub enum Found {
    /// The object exists.
    Existing(Identifier),
    /// It has to be made.
    New,
}

impl<T> Registry<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.values()
    }

    /// The highest index in use; 0 if there is none: what IPC_INFO returns.
    pub fn highest_index(&self) -> i32 {
        self.entries.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// The object of an identifier.
    ///
    /// # Errors
    /// `EINVAL` if it never was one, or its object was removed.
    pub fn get(&self, id: Identifier) -> Result<&Entry<T>, Error> {
        let entry = self.entries.get(&id.index()).filter(|entry| entry.id == id);
        entry.ok_or(Errno::EINVAL.because("there is no object of this identifier"))
    }

    /// As [`Registry::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get_mut(&mut self, id: Identifier) -> Result<&mut Entry<T>, Error> {
        let entry = self.entries.get_mut(&id.index()).filter(|entry| entry.id == id);
        entry.ok_or(Errno::EINVAL.because("there is no object of this identifier"))
    }

    /// The object at an index: `MSG_STAT` and its kin.
    ///
    /// # Errors
    /// `EINVAL` if there is none.
    pub fn at_index(&self, index: i32) -> Result<&Entry<T>, Error> {
        let entry = self.entries.get(&(index & ((1 << INDEX_BITS) - 1)));
        entry.ok_or(Errno::EINVAL.because("there is no object at this index"))
    }

    /// The next free index in turn, with a sequence number that makes it new: ipc_idr_alloc() of ipc/util.c.
    fn next_id(&mut self) -> Identifier {
        let wanted = std::mem::replace(&mut self.wanted_id, -1);
        if wanted >= 0 {
            let wanted = Identifier(wanted);
            let index = self.free_index(wanted.index());
            return Identifier(wanted.0 & !(MOST - 1) | index);
        }
        let cycle = (self.entries.len() * 3 / 2).clamp(SHORTEST_CYCLE, MOST as usize) as i32;
        let mut index = self.free_index(self.cursor);
        if index >= cycle {
            index = self.free_index(0);
        }
        self.cursor = index + 1;
        if index <= self.last_index {
            self.sequence = (self.sequence + 1) & ((1 << (31 - INDEX_BITS)) - 1);
        }
        self.last_index = index;
        Identifier(self.sequence << INDEX_BITS | index)
    }

    /// The first free index that is not below `from`.
    fn free_index(&self, from: i32) -> i32 {
        let used = self.entries.range(from..).map(|(index, _)| *index);
        from + used.zip(from..).take_while(|(used, expected)| used == expected).count() as i32
    }

    /// Adds an object. The caller has checked the limit of its kind.
    pub fn insert(&mut self, mut permissions: IpcPermissions, now: i64, object: T) -> Identifier {
        let id = self.next_id();
        permissions.sequence = (id.0 >> INDEX_BITS) as u16;
        if permissions.key != IPC_PRIVATE {
            self.by_key.insert(permissions.key, id.index());
        }
        self.entries.insert(id.index(), Entry { id, permissions, changed: now, object });
        id
    }

    /// Removes an object.
    pub fn remove(&mut self, id: Identifier) -> Option<Entry<T>> {
        self.get(id).ok()?;
        let entry = self.entries.remove(&id.index())?;
        if entry.permissions.key != IPC_PRIVATE {
            self.by_key.remove(&entry.permissions.key);
        }
        Some(entry)
    }

    /// Takes an object's key away, so that the key can name another: a removed segment that is still attached.
    pub fn forget_key(&mut self, id: Identifier) {
        if let Ok(entry) = self.get_mut(id) {
            let key = std::mem::replace(&mut entry.permissions.key, IPC_PRIVATE);
            if key != IPC_PRIVATE {
                self.by_key.remove(&key);
            }
        }
    }

    /// Looks a key up as msgget(2), semget(2) and shmget(2) do.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `EACCES`, and what `check` says of an existing object.
    pub fn look_up(
        &self,
        call: &Call,
        key: i32,
        flags: i32,
        check: impl Fn(&Entry<T>) -> Result<(), Error>,
    ) -> Result<Found, Error> {
        if key == IPC_PRIVATE {
            return Ok(Found::New);
        }
        match self.by_key.get(&key) {
            None if flags & IPC_CREAT == 0 => Err(Errno::ENOENT.because("the key has no object")),
            None => Ok(Found::New),
            Some(_) if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL => {
                Err(Errno::EEXIST.because("the key has an object already"))
            }
            Some(index) => {
                let entry = &self.entries[index];
                check(entry)?;
                check_access(call, &entry.permissions, flags as u32)?;
                Ok(Found::Existing(entry.id))
            }
        }
    }
}

/// Permissions of a new object of the caller's.
pub fn new_permissions(call: &Call, key: i32, flags: i32) -> IpcPermissions {
    let own = call.credentials();
    IpcPermissions {
        key,
        uid: own.euid,
        gid: own.egid,
        creator_uid: own.euid,
        creator_gid: own.egid,
        mode: flags as u32 & 0o777,
        ..IpcPermissions::default()
    }
}

/// Seconds since 1970, as the times of objects are told.
pub fn now(call: &Call) -> i64 {
    (call.kernel.clock.realtime_ns() / crate::time::SECOND_NS) as i64
}

/// Whether the caller may use an object: `wanted` has the bits of any or all of owner, group and others; ipcperms() of
/// ipc/util.c.
///
/// # Errors
/// `EACCES`.
pub fn check_access(call: &Call, permissions: &IpcPermissions, wanted: u32) -> Result<(), Error> {
    let own = call.credentials();
    let wanted = wanted >> 6 | wanted >> 3 | wanted;
    let is_member = |gid: u32| own.egid == gid || own.groups.contains(&gid);
    let granted = if own.euid == permissions.uid || own.euid == permissions.creator_uid {
        permissions.mode >> 6
    } else if is_member(permissions.gid) || is_member(permissions.creator_gid) {
        permissions.mode >> 3
    } else {
        permissions.mode
    };
    if wanted & !granted & 0o7 != 0 && !own.has_capability(CAP_IPC_OWNER) {
        return Err(Errno::EACCES.because("the object's permissions forbid it"));
    }
    Ok(())
}

/// Reading permission for everybody concerned.
pub const READ: u32 = 0o444;
/// Writing permission for everybody concerned.
pub const WRITE: u32 = 0o222;

/// Whether the caller may change or remove an object.
///
/// # Errors
/// `EPERM` if it is neither owner nor creator.
pub fn check_owner(call: &Call, permissions: &IpcPermissions) -> Result<(), Error> {
    let own = call.credentials();
    let is_owner = own.euid == permissions.uid || own.euid == permissions.creator_uid;
    if !is_owner && !own.has_capability(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.because("the caller neither owns nor made the object"));
    }
    Ok(())
}

/// What IPC_SET changes of owner and permissions.
///
/// # Errors
/// `EINVAL` for the number that is no user or no group.
pub fn change(permissions: &mut IpcPermissions, asked: &IpcPermissions) -> Result<(), Error> {
    if asked.uid == u32::MAX || asked.gid == u32::MAX {
        return Err(Errno::EINVAL.because("-1 is no user and no group"));
    }
    permissions.uid = asked.uid;
    permissions.gid = asked.gid;
    permissions.mode = permissions.mode & !0o777 | asked.mode & 0o777;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_not_used_again_for_the_object_that_takes_its_place() {
        let mut registry = Registry::default();
        let permissions = |key| IpcPermissions { key, ..Default::default() };
        assert_eq!(registry.insert(permissions(5), 0, 'a'), Identifier(0));
        assert_eq!(registry.insert(permissions(IPC_PRIVATE), 0, 'b'), Identifier(1));
        assert_eq!(registry.remove(Identifier(0)).map(|entry| entry.object), Some('a'));
        for index in 2..SHORTEST_CYCLE as i32 {
            assert_eq!(registry.insert(permissions(IPC_PRIVATE), 0, 'x'), Identifier(index));
            registry.remove(Identifier(index));
        }
        let id = registry.insert(permissions(5), 0, 'c');
        assert_eq!(id, Identifier(1 << INDEX_BITS));
        assert!(registry.get(Identifier(0)).is_err());
        assert_eq!(registry.at_index(0).unwrap().object, 'c');
        registry.forget_key(id);
        assert_eq!(registry.insert(permissions(5), 0, 'd'), Identifier(1 << INDEX_BITS | 2));
        registry.wanted_id = 5 << INDEX_BITS | 70;
        assert_eq!(registry.insert(permissions(7), 0, 'f'), Identifier(5 << INDEX_BITS | 70));
        assert_eq!(registry.insert(permissions(8), 0, 'g'), Identifier(1 << INDEX_BITS | 3));
        assert_eq!(registry.highest_index(), 70);
    }
}
