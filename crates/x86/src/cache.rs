//! All translated blocks, found by guest address and page.
//!
//! What a block does depends on nothing but the bytes of its page and the address at which they are mapped. A page of
//! code therefore *is* its address and the hash of its bytes, and has a name, whatever frames hold those bytes. A frame
//! is *bound* to the name as long as its bytes are known to be these; a write to the frame ends that, and leaves the
//! blocks as true as before.

use machine::FrameNumber;
use std::collections::BTreeMap;

/// A block's number, until everything is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockId(pub(crate) u32);

/// A page's name, until everything is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageName(pub(crate) u32);

/// Which of the blocks at one address: they differ in how far they reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As far as it goes.
    Whole,
    /// A few instructions that check each access by itself.
    Apart,
    /// The last of a slice: at most 2 to this power, which must be less than [`Form::ENDINGS`]. It links to no other.
    Ending(u8),
}

impl Form {
    /// How many lengths of endings there are. The longest together with a block's first instruction make a whole block.
    pub(crate) const ENDINGS: u8 = 6;

    /// A number for each form, below [`Form::NUMBERS`].
    pub(crate) fn number(self) -> u32 {
        match self {
            Form::Whole => 0,
            Form::Apart => 1,
            Form::Ending(power) => 2 + u32::from(power),
        }
    }

    /// The form of a number.
    pub(crate) fn of_number(number: u32) -> Option<Form> {
        match number {
            0 => Some(Form::Whole),
            1 => Some(Form::Apart),
            2..Form::NUMBERS => Some(Form::Ending(number as u8 - 2)),
            _ => None,
        }
    }

    /// How many forms there are.
    const NUMBERS: u32 = 2 + Form::ENDINGS as u32;
}

/// Names no page.
pub(crate) const NO_PAGE: PageName = PageName(0);

/// The hash of a page's bytes. Guests cannot make two pages of the same hash.
pub(crate) type PageHash = [u8; 32];

/// A page of code.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) address: u64,
    pub(crate) hash: PageHash,
    /// The blocks that begin in it and do not straddle, by [`key`], ascending.
    blocks: Vec<(u32, BlockId)>,
}

/// A translated block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) rip: u64,
    pub(crate) page: PageName,
    /// The other page if its one instruction straddles two.
    pub(crate) second: Option<PageName>,
    /// Where its host code is entered.
    pub(crate) entry: u64,
    /// Where its host code ends, but for what runs seldom.
    pub(crate) end: u64,
    /// Whether it needs the flags that hold where it is entered.
    pub(crate) reads_flags: bool,
    pub(crate) form: Form,
}

/// The blocks, and the pages they were translated from.
///
/// # Invariants
/// - a block's host code does what the bytes of its pages say at their addresses;
/// - a bound frame holds the bytes of its page, and is marked as code so that a write is reported.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    blocks: Vec<Block>,
    pages: Vec<Page>,
    names: BTreeMap<(u64, PageHash), PageName>,
    straddling: BTreeMap<(u64, PageName, PageName), BlockId>,
    bound: BTreeMap<(FrameNumber, u64), PageName>,
}

/// What a block of a page is found by.
fn key(rip: u64, form: Form) -> u32 {
    ((rip & 0xffff) as u32) << 3 | form.number()
}

impl Cache {
    /// The block at an address in a page.
    pub(crate) fn find(&self, rip: u64, page: PageName, form: Form) -> Option<BlockId> {
        let blocks = &self.page(page).blocks;
        let index = blocks.binary_search_by_key(&key(rip, form), |(key, _)| *key).ok()?;
        Some(blocks[index].1)
    }

    /// The block of an instruction that begins in one page and ends in another.
    pub(crate) fn find_straddling(&self, rip: u64, page: PageName, second: PageName) -> Option<BlockId> {
        self.straddling.get(&(rip, page, second)).copied()
    }

    pub(crate) fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// All blocks, by number.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Adds a block.
    pub(crate) fn add(&mut self, block: Block) -> BlockId {
        let id = BlockId(self.blocks.len() as u32);
        match block.second {
            Some(second) => _ = self.straddling.insert((block.rip, block.page, second), id),
            None => {
                let blocks = &mut self.pages[block.page.0 as usize - 1].blocks;
                let key = key(block.rip, block.form);
                let place = blocks.partition_point(|(other, _)| *other < key);
                blocks.insert(place, (key, id));
            }
        }
        self.blocks.push(block);
        id
    }

    /// The name of a page of these bytes at this address.
    pub(crate) fn name(&mut self, address: u64, hash: PageHash) -> PageName {
        let next = PageName(self.pages.len() as u32 + 1);
        *self.names.entry((address, hash)).or_insert_with(|| {
            self.pages.push(Page { address, hash, blocks: Vec::new() });
            next
        })
    }

    /// The page of a name.
    pub(crate) fn page(&self, name: PageName) -> &Page {
        &self.pages[name.0 as usize - 1]
    }

    /// All pages, by name.
    pub(crate) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The name to which a frame is bound where it is mapped at an address.
    pub(crate) fn bound(&self, frame: FrameNumber, address: u64) -> Option<PageName> {
        self.bound.get(&(frame, address)).copied()
    }

    /// Binds a frame, mapped at the page's address, to the page.
    pub(crate) fn bind(&mut self, frame: FrameNumber, page: PageName) {
        self.bound.insert((frame, self.page(page).address), page);
    }

    /// Forgets what a frame holds.
    pub(crate) fn unbind(&mut self, frame: FrameNumber) {
        let places: Vec<_> = self.bound.range((frame, 0)..=(frame, u64::MAX)).map(|(place, _)| *place).collect();
        for place in places {
            self.bound.remove(&place);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Cache::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rip: u64, page: PageName, second: Option<PageName>) -> Block {
        Block { rip, page, second, entry: 0x100, end: 0x110, reads_flags: false, form: Form::Whole }
    }

    #[test]
    fn blocks_are_found_by_address_and_page() {
        let mut cache = Cache::default();
        let (here, there) = (cache.name(0x1000, [1; 32]), cache.name(0x2000, [2; 32]));
        let other = cache.name(0x1000, [3; 32]);
        let ids = [0x1800, 0x1010, 0x1ffe].map(|rip| cache.add(block(rip, here, None)));
        let apart = cache.add(Block { form: Form::Apart, ..block(0x1010, here, None) });
        let straddling = cache.add(block(0x1ffe, here, Some(there)));
        assert_eq!([0x1800, 0x1010, 0x1ffe].map(|rip| cache.find(rip, here, Form::Whole)), ids.map(Some));
        assert_eq!(cache.find(0x1010, here, Form::Apart), Some(apart));
        assert_eq!(cache.find_straddling(0x1ffe, here, there), Some(straddling));
        assert_eq!((cache.find(0x1010, other, Form::Whole), cache.find_straddling(0x1ffe, other, there)), (None, None));
    }

    #[test]
    fn a_page_keeps_its_name_whatever_frame_holds_it() {
        let mut cache = Cache::default();
        let name = cache.name(0x1000, [1; 32]);
        assert_eq!(cache.name(0x1000, [1; 32]), name);
        assert_ne!(cache.name(0x2000, [1; 32]), name);
        assert_eq!(cache.page(name).address, 0x1000);
        cache.bind(FrameNumber(5), name);
        cache.bind(FrameNumber(6), name);
        cache.unbind(FrameNumber(5));
        assert_eq!(cache.bound(FrameNumber(5), 0x1000), None);
        assert_eq!(cache.bound(FrameNumber(6), 0x1000), Some(name));
        assert_eq!(cache.bound(FrameNumber(6), 0x2000), None);
    }
}
