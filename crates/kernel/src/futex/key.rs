//! Which word a futex is: Linux `get_futex_key`.

use crate::entry::Call;
use crate::mm::AddressSpace;
use crate::table::Id;
use abi::{Errno, Error};

/// The identity of a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A word that only users of one address space can mean.
    Private(Id<AddressSpace>, u64),
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
        let Key::Private(space, address) = self;
        ((address >> 2) ^ (address >> 12)) as usize ^ space.index() as usize
    }

    /// The key of an address in the calling process.
    ///
    /// # Errors
    /// `EINVAL` if the address is not a multiple of 4, `EFAULT` if nothing is mapped there.
    pub(crate) fn of(call: &mut Call, address: u64, sharing: Sharing) -> Result<Key, Error> {
        if address % 4 != 0 {
            return Err(Errno::EINVAL.because("the futex is not aligned to 4 bytes"));
        }
        let space = call.space();
        match sharing {
            Sharing::Private if address >= call.kernel.configuration.paging.user_end() => {
                Err(Errno::EFAULT.because("the futex lies outside the program's addresses"))
            }
            Sharing::Private | Sharing::Shared => Ok(Key::Private(space, address)),
        }
    }
}
