//! Which word a futex is: Linux `get_futex_key`.

use crate::entry::Call;
use crate::mm::{AddressSpace, Origin};
use crate::table::Id;
use abi::{Errno, Error};

/// The identity of a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A word that only users of one address space can mean, by its address.
    Private(Id<AddressSpace>, u64),
    /// A word of private memory, as calls without `FUTEX_PRIVATE_FLAG` mean it: for Linux another one, `FUT_OFF_MMSHARED`.
    Unshared(Id<AddressSpace>, u64),
    /// A word of a file or of shared memory, by its offset in bytes.
    Shared(Origin, u64),
}

/// Whether other processes can mean the same word: without `FUTEX_PRIVATE_FLAG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sharing {
    /// `FUTEX_PRIVATE_FLAG`: the address alone says which word.
    Private,
    /// What is mapped there says which word.
    Shared,
}

impl Key {
    /// A number that spreads keys over buckets.
    pub(crate) fn hash(self) -> usize {
        let (object, at) = match self {
            Key::Private(space, address) | Key::Unshared(space, address) => (space.index(), address),
            Key::Shared(Origin::Inode(inode), offset) => (inode.index(), offset),
            Key::Shared(Origin::Shared(object), offset) => (object.index(), offset),
        };
        (at >> 2 ^ at >> 12) as usize ^ object as usize
    }

    /// The key of an address in the calling process.
    ///
    /// # Errors
    /// `EINVAL` if the address is not a multiple of 4, `EFAULT` if nothing is mapped there.
    pub(crate) fn of(call: &mut Call, address: u64, sharing: Sharing) -> Result<Key, Error> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL.because("the futex is not aligned to 4 bytes"));
        }
        let space = call.space();
        if sharing == Sharing::Shared {
            let area = call.kernel.spaces[space].areas.containing(address);
            let area = area.ok_or(Errno::EFAULT.because("nothing is mapped at the futex"))?;
            if area.shared
                && let Some(object) = area.backing.object()
            {
                return Ok(Key::Shared(object.origin(), area.backing.offset() + (address - area.start)));
            }
        }
        if address >= call.kernel.configuration.paging.user_end() {
            return Err(Errno::EFAULT.because("the futex lies outside the program's addresses"));
        }
        Ok(match sharing {
            Sharing::Private => Key::Private(space, address),
            Sharing::Shared => Key::Unshared(space, address),
        })
    }
}
