//! [`Store`]: pages outside the machine's memory, in slots: the swap area, and the disk under the guest's own files.
//!
//! The bytes lie in belljar's own memory, so that a snapshot of the process has them too; a slot costs host memory only
//! while it holds a page.

use machine::FrameNumber;

/// The number of a slot; page-table entries of pages that are swapped out hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(pub u32);

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {
    /// The swap area, `--swap`: private pages, shared memory, tmpfs.
    Swap,
    /// The disk, `--disk`: pages of other files that differ from the host's.
    Disk,
}

/// Slots for pages.
///
/// # Invariants
/// - a slot's `users` is the number of page-table entries and objects that have their page nowhere but in it;
/// - a slot without users holds bytes only as a copy of a frame, and may be taken for another page at any time;
/// - `used` counts the slots with users.
#[derive(Debug, Default)]
pub struct Store {
    limit: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    used: u32,
    most_used: u32,
    /// Where the search for a copy to give up goes on.
    hand: usize,
}

#[derive(Debug, Default)]
struct Slot {
    users: u32,
    /// The frame that holds the same bytes while its record says so too.
    copy_of: Option<FrameNumber>,
    bytes: Option<Box<[u8]>>,
    /// How many pages had been written to the store when this one was.
    written_at: u64,
}

impl Store {
    /// A store for at most `limit` pages.
    pub fn new(limit: u32) -> Store {
        Store { limit, ..Store::default() }
    }

    /// How many pages it can hold.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many pages are here and nowhere else.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// The most that [`Store::used`] was.
    pub fn most_used(&self) -> u32 {
        self.most_used
    }

    /// Whether a page more would find a place.
    pub fn has_room(&self) -> bool {
        self.used < self.limit
    }

    /// Puts a page in, for `users` users, at least one; `None` if it is full. `at` is a time of the caller's choice,
    /// [`Store::written_at`].
    pub fn write(&mut self, bytes: &[u8], users: u32, at: u64) -> Option<SlotNumber> {
        let number = self.take_free()?;
        let slot = &mut self.slots[number as usize];
        match &mut slot.bytes {
            Some(old) => old.copy_from_slice(bytes),
            None => slot.bytes = Some(bytes.into()),
        }
        (slot.users, slot.copy_of, slot.written_at) = (0, None, at);
        self.add_users(SlotNumber(number), users);
        Some(SlotNumber(number))
    }

    fn take_free(&mut self) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        if let Some(number) = self.free.pop() {
            return Some(number);
        }
        if self.slots.len() < self.limit as usize {
            self.slots.push(Slot::default());
            return Some(self.slots.len() as u32 - 1);
        }
        // Not all have users, so one is a copy.
        loop {
            self.hand = (self.hand + 1) % self.slots.len();
            if self.slots[self.hand].users == 0 {
                return Some(self.hand as u32);
            }
        }
    }

    /// The page in a slot.
    pub fn bytes(&self, slot: SlotNumber) -> &[u8] {
        self.slots[slot.0 as usize].bytes.as_ref().expect("a slot in use holds a page")
    }

    /// The page in a slot, to be changed. It must not be a copy.
    pub fn bytes_mut(&mut self, slot: SlotNumber) -> &mut [u8] {
        self.slots[slot.0 as usize].bytes.as_mut().expect("a slot in use holds a page")
    }

    /// Gives the page another time: it went out of memory again, though nothing had to be written.
    pub fn set_written_at(&mut self, slot: SlotNumber, at: u64) {
        self.slots[slot.0 as usize].written_at = at;
    }

    /// The time that the page was written with.
    pub fn written_at(&self, slot: SlotNumber) -> u64 {
        self.slots[slot.0 as usize].written_at
    }

    /// How many have their page in the slot only.
    pub fn users(&self, slot: SlotNumber) -> u32 {
        self.slots[slot.0 as usize].users
    }

    /// More users for a slot.
    pub fn add_users(&mut self, slot: SlotNumber, users: u32) {
        assert!(users > 0, "somebody uses the slot");
        let slot = &mut self.slots[slot.0 as usize];
        self.used += u32::from(slot.users == 0);
        slot.users += users;
        self.most_used = self.most_used.max(self.used);
    }

    /// A user less; the slot is free when the last is gone, unless it is a copy.
    pub fn release(&mut self, slot: SlotNumber) {
        let number = slot.0;
        let slot = &mut self.slots[number as usize];
        assert!(slot.users > 0, "a slot is released once by each user");
        slot.users -= 1;
        if slot.users == 0 {
            self.used -= 1;
            if slot.copy_of.is_none() {
                slot.bytes = None;
                self.free.push(number);
            }
        }
    }

    /// Says that `frame` holds the same bytes as the slot, which has users.
    pub fn set_copy(&mut self, slot: SlotNumber, frame: FrameNumber) {
        let slot = &mut self.slots[slot.0 as usize];
        assert!(slot.users > 0, "a slot that is read has users");
        slot.copy_of = Some(frame);
    }

    /// Whether the slot still holds what was in `frame` when [`Store::set_copy`] said so.
    pub fn is_copy(&self, slot: SlotNumber, frame: FrameNumber) -> bool {
        self.slots[slot.0 as usize].copy_of == Some(frame)
    }

    /// The frame has other bytes now, or goes: the slot is no copy of it any more.
    pub fn forget_copy(&mut self, slot: SlotNumber, frame: FrameNumber) {
        if self.is_copy(slot, frame) {
            let number = slot.0;
            let slot = &mut self.slots[number as usize];
            slot.copy_of = None;
            if slot.users == 0 {
                slot.bytes = None;
                self.free.push(number);
            }
        }
    }

    /// Users of every slot that has any, for those who recount.
    pub fn all_users(&self) -> impl Iterator<Item = (SlotNumber, u32)> + '_ {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.users > 0);
        used.map(|(number, slot)| (SlotNumber(number as u32), slot.users))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gives_way_when_the_store_is_full_and_a_page_with_users_never() {
        let mut store = Store::new(2);
        let (one, two, frame) = ([1; 4096], [2; 4096], FrameNumber(7));
        let first = store.write(&one, 2, 0).unwrap();
        let second = store.write(&two, 1, 1).unwrap();
        assert_eq!(store.write(&one, 1, 2), None);
        store.set_copy(second, frame);
        store.release(second);
        assert!(store.is_copy(second, frame));
        let third = store.write(&one, 1, 3).unwrap();
        assert_eq!(third, second);
        assert!(!store.is_copy(second, frame));
        store.forget_copy(second, frame);
        assert_eq!((store.users(second), store.bytes(first)[0]), (1, 1));
        store.release(first);
        assert!(!store.has_room());
        store.release(first);
        assert_eq!((store.used(), store.most_used(), store.has_room()), (1, 2, true));
    }

    #[test]
    fn a_copy_without_users_is_free_as_soon_as_its_frame_changes() {
        let mut store = Store::new(1);
        let slot = store.write(&[1; 4096], 1, 0).unwrap();
        store.set_copy(slot, FrameNumber(3));
        store.release(slot);
        assert_eq!(store.used(), 0);
        store.add_users(slot, 1);
        store.release(slot);
        store.forget_copy(slot, FrameNumber(4));
        assert!(store.is_copy(slot, FrameNumber(3)));
        store.forget_copy(slot, FrameNumber(3));
        assert_eq!(store.write(&[2; 4096], 1, 0), Some(slot));
    }
}
