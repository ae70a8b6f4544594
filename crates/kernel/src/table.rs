//! Typed handles into kernel object tables. Handles are plain numbers, so a kernel is plain data.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A handle to a `T` in its [`Table`]. A stale handle is caught, never followed.
pub struct Id<T> {
    index: u32,
    generation: u32,
    marker: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Not after any other handle in the order of handles: where a range begins.
    pub(crate) const FIRST: Id<T> = Id { index: 0, generation: 0, marker: PhantomData };

    /// A number that no other handle of its table ever has.
    pub fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// A number for reports and for inode numbers of kernel objects: small, and reused after the object is gone.
    pub fn index(self) -> u32 {
        self.index
    }
}

#[cfg(test)]
impl<T> Id<T> {
    /// A handle without a table, for tests of what only compares handles.
    pub(crate) fn numbered(index: u32) -> Id<T> {
        Id { index, generation: 0, marker: PhantomData }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
        self.generation.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or("?");
        write!(f, "{name}#{}", self.index)
    }
}

/// All objects of one type, by handle.
///
/// # Invariants
/// - `free` lists exactly the empty slots.
#[derive(Clone, Debug)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Puts a value in.
    pub fn insert(&mut self, value: T) -> Id<T> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        assert!(slot.value.is_none(), "a free slot is empty");
        slot.value = Some(value);
        Id { index, generation: slot.generation, marker: PhantomData }
    }

    /// Takes a value out; its handles are stale from now on.
    pub fn remove(&mut self, id: Id<T>) -> T {
        let slot = &mut self.slots[id.index as usize];
        assert_eq!(slot.generation, id.generation, "stale handle");
        slot.generation += 1;
        self.free.push(id.index);
        slot.value.take().expect("a live handle's slot is full")
    }

    /// The value, unless the handle is stale.
    #[inline]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.slots.get(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// The value, unless the handle is stale.
    #[inline]
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// All handles, in the order of their indices.
    pub fn ids(&self) -> impl Iterator<Item = Id<T>> + '_ {
        self.iter().map(|(id, _)| id)
    }

    /// All handles and values, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> + '_ {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = Id { index: index as u32, generation: slot.generation, marker: PhantomData };
            slot.value.as_ref().map(|value| (id, value))
        })
    }

    /// All handles and values, in the order of their indices, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id<T>, &mut T)> + '_ {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| {
            let id = Id { index: index as u32, generation: slot.generation, marker: PhantomData };
            slot.value.as_mut().map(|value| (id, value))
        })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Index<Id<T>> for Table<T> {
    type Output = T;
    #[inline]
    fn index(&self, id: Id<T>) -> &T {
        match self.slots.get(id.index as usize) {
            Some(Slot { generation, value: Some(value) }) if *generation == id.generation => value,
            _ => stale(id.index),
        }
    }
}

impl<T> IndexMut<Id<T>> for Table<T> {
    #[inline]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        match self.slots.get_mut(id.index as usize) {
            Some(Slot { generation, value: Some(value) }) if *generation == id.generation => value,
            _ => stale(id.index),
        }
    }
}

/// Apart, so that the way to it takes no room in those who look things up.
#[cold]
#[inline(never)]
fn stale(index: u32) -> ! {
    panic!("stale handle to slot {index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_is_not_followed_to_the_slot_s_next_owner() {
        let mut table = Table::default();
        let first = table.insert('a');
        assert_eq!(table.remove(first), 'a');
        let second = table.insert('b');
        assert_eq!(second.index(), first.index());
        assert_eq!(table.get(first), None);
        assert_eq!(table[second], 'b');
        assert_eq!(table.ids().collect::<Vec<_>>(), [second]);
    }
}
