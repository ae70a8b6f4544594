//! All translated blocks: found by guest address and frame, forgotten when a frame's bytes change.

use crate::emit::Link;
use machine::FrameNumber;
use std::collections::BTreeMap;

/// A block's number, until everything is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockId(pub(crate) u32);

/// A page of code: where it is mapped, and which frame. Its name is its number plus one, so that 0 names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CodePage {
    pub(crate) address: u64,
    pub(crate) frame: FrameNumber,
}

/// What a block is found by: address and frame of its first byte, the frame of the second page if it has one, and
/// whether it checks each access by itself.
type Place = (u64, FrameNumber, Option<FrameNumber>, bool);

/// A translated block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) rip: u64,
    pub(crate) page: CodePage,
    /// The other page if its one instruction straddles two.
    pub(crate) second: Option<CodePage>,
    /// Where its host code is entered.
    pub(crate) entry: u64,
    /// Where its host code ends, but for what runs seldom.
    pub(crate) end: u64,
    /// Whether it needs the flags that hold where it is entered.
    pub(crate) reads_flags: bool,
    /// Whether it checks each access by itself.
    pub(crate) apart: bool,
    /// Links that lead here.
    pub(crate) incoming: Vec<u32>,
}

impl Block {
    fn place(&self) -> Place {
        (self.rip, self.page.frame, self.second.map(|second| second.frame), self.apart)
    }
}

/// The blocks and the links between them.
///
/// # Invariants
/// - a block found by `find` was translated from what its frames hold now;
/// - a link that is patched to a block is in its `incoming`.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    blocks: Vec<Block>,
    by_place: BTreeMap<Place, BlockId>,
    by_frame: BTreeMap<FrameNumber, Vec<BlockId>>,
    pages: Vec<CodePage>,
    page_names: BTreeMap<CodePage, u32>,
    links: Vec<Link>,
}

impl Cache {
    /// The block at an address whose page (and following page, if it straddles) is in these frames.
    pub(crate) fn find(
        &self,
        rip: u64,
        frame: FrameNumber,
        second: Option<FrameNumber>,
        apart: bool,
    ) -> Option<BlockId> {
        self.by_place.get(&(rip, frame, second, apart)).copied()
    }

    pub(crate) fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// The guest addresses at which blocks begin, ascending.
    pub(crate) fn addresses(&self) -> Vec<u64> {
        let mut addresses: Vec<u64> = self.by_place.keys().map(|place| place.0).collect();
        addresses.dedup();
        addresses
    }

    /// The blocks that begin at a guest address, in whatever page and variant.
    pub(crate) fn blocks_at(&self, rip: u64) -> impl Iterator<Item = &Block> {
        self.by_place.values().map(|id| self.block(*id)).filter(move |block| block.rip == rip)
    }

    /// Adds a block.
    pub(crate) fn add(&mut self, block: Block) -> BlockId {
        let id = BlockId(self.blocks.len() as u32);
        self.by_place.insert(block.place(), id);
        for frame in std::iter::once(block.page.frame).chain(block.second.map(|second| second.frame)) {
            self.by_frame.entry(frame).or_default().push(id);
        }
        self.blocks.push(block);
        id
    }

    /// The name of a page in a frame. Not 0.
    pub(crate) fn page_name(&mut self, page: CodePage) -> u32 {
        if let Some(name) = self.page_names.get(&page) {
            return *name;
        }
        self.pages.push(page);
        let name = self.pages.len() as u32;
        self.page_names.insert(page, name);
        name
    }

    /// The page of a name.
    pub(crate) fn page(&self, name: u32) -> Option<CodePage> {
        self.pages.get((name as usize).checked_sub(1)?).copied()
    }

    /// Adds a link that leads to its stub; returns its number.
    pub(crate) fn add_link(&mut self, link: Link) -> u32 {
        self.links.push(link);
        self.links.len() as u32 - 1
    }

    /// How many links there are.
    pub(crate) fn link_count(&self) -> u32 {
        self.links.len() as u32
    }

    pub(crate) fn link(&self, number: u32) -> Link {
        self.links[number as usize]
    }

    /// Notes that a link was patched to lead to a block.
    pub(crate) fn note_linked(&mut self, number: u32, to: BlockId) {
        self.blocks[to.0 as usize].incoming.push(number);
    }

    /// Forgets the blocks of a frame; returns the links that led to them, to be patched back to their stubs.
    pub(crate) fn forget_frame(&mut self, frame: FrameNumber) -> Vec<Link> {
        let mut unlinked = Vec::new();
        for id in self.by_frame.remove(&frame).unwrap_or_default() {
            let block = &mut self.blocks[id.0 as usize];
            let place = block.place();
            if self.by_place.get(&place) == Some(&id) {
                self.by_place.remove(&place);
            }
            unlinked.extend(std::mem::take(&mut block.incoming).into_iter().map(|link| self.links[link as usize]));
        }
        unlinked
    }

    /// Forgets all blocks and links, but not the names of pages.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.by_place.clear();
        self.by_frame.clear();
        self.links.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(address: u64, frame: u32) -> CodePage {
        CodePage { address, frame: FrameNumber(frame) }
    }

    #[test]
    fn a_written_frame_takes_its_blocks_and_their_links_away() {
        let mut cache = Cache::default();
        let block = |rip, page, second| Block {
            rip,
            page,
            second,
            entry: 0x100,
            end: 0x110,
            reads_flags: false,
            apart: false,
            incoming: Vec::new(),
        };
        let first = cache.add(block(0x1010, page(0x1000, 5), None));
        let second = cache.add(block(0x2ffe, page(0x2000, 6), Some(page(0x3000, 5))));
        let other = cache.add(block(0x2000, page(0x2000, 6), None));
        let link = Link { site: 1, stub: 2, target: 0x1010, page: 0x2000, apart: false };
        let number = cache.add_link(link);
        cache.note_linked(number, first);
        assert_eq!(cache.find(0x2ffe, FrameNumber(6), Some(FrameNumber(5)), false), Some(second));
        assert_eq!(cache.forget_frame(FrameNumber(5)), [link]);
        assert_eq!(cache.find(0x1010, FrameNumber(5), None, false), None);
        assert_eq!(cache.find(0x2ffe, FrameNumber(6), Some(FrameNumber(5)), false), None);
        assert_eq!(cache.find(0x2000, FrameNumber(6), None, false), Some(other));
    }

    #[test]
    fn a_page_keeps_its_name() {
        let mut cache = Cache::default();
        let name = cache.page_name(page(0x1000, 5));
        assert_ne!(name, 0);
        assert_eq!(cache.page_name(page(0x1000, 5)), name);
        assert_ne!(cache.page_name(page(0x1000, 6)), name);
        assert_eq!(cache.page(name), Some(page(0x1000, 5)));
        assert_eq!(cache.page(0), None);
    }
}
