//! Translated code as bytes, to be kept between runs. Host code and tables do not depend on where they are, so saving and
//! restoring are copies.
//!
//! An image is to be restored only if it is known to be what [`save`] made: it holds host code, and no check of its
//! contents could tell whether that code stays in the jar. What is checked here are lengths and numbers, so that damage
//! is an error and not a panic.

use crate::cache::{Block, Form, PageName};
use crate::code::Code;
use crate::native::Area;

/// How images begin; the number changes with their format.
const MAGIC: &[u8; 16] = b"belljar code 3\0\0";
/// The lengths of hot and cold code in bytes, of exits in words, the numbers of pages and of blocks.
const COUNTS: usize = 5;
/// Bytes of code that are worth large pages.
const MUCH_CODE: usize = 1 << 20;
const BLOCK_WORDS: usize = 7;
const PAGE_WORDS: usize = 10;
const READS_FLAGS: u32 = 1;
/// Where the number of the form begins.
const FORM_SHIFT: u32 = 1;

/// The bytes are no image, or of one that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadImage;

/// All translated code.
pub(crate) fn save(code: &Code) -> Vec<u8> {
    let [hot, cold] = [code.written(Area::Hot), code.written(Area::Cold)];
    let (pages, blocks) = (code.cache.pages(), code.cache.blocks());
    let exits = &code.exits.words;
    let counts: [usize; COUNTS] = [hot.len(), cold.len(), exits.len(), pages.len(), blocks.len()];
    let mut image = Vec::with_capacity(length(counts));
    image.extend_from_slice(MAGIC);
    counts.iter().for_each(|count| image.extend_from_slice(&(*count as u32).to_le_bytes()));
    image.extend_from_slice(hot);
    image.extend_from_slice(cold);
    let mut put = |words: &[u32]| image.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    put(exits);
    for page in pages {
        let (hash, _) = page.hash.as_chunks::<4>();
        put(&[page.address as u32, (page.address >> 32) as u32]);
        hash.iter().for_each(|bytes| put(&[u32::from_le_bytes(*bytes)]));
    }
    for block in blocks {
        let flags = if block.reads_flags { READS_FLAGS } else { 0 } | block.form.number() << FORM_SHIFT;
        let second = block.second.map_or(0, |second| second.0);
        let (low, high) = (block.rip as u32, (block.rip >> 32) as u32);
        put(&[low, high, block.page.0, second, block.entry as u32, block.end as u32, flags]);
    }
    image
}

/// Bytes of an image.
fn length([hot, cold, exits, pages, blocks]: [usize; COUNTS]) -> usize {
    MAGIC.len() + 4 * COUNTS + hot + cold + 4 * (exits + pages * PAGE_WORDS + blocks * BLOCK_WORDS)
}

/// Puts what was saved into code that holds nothing yet.
///
/// # Errors
/// [`BadImage`]; the code then has to be cleared.
pub(crate) fn restore(code: &mut Code, image: &[u8]) -> Result<(), BadImage> {
    let (magic, rest) = image.split_first_chunk::<{ MAGIC.len() }>().ok_or(BadImage)?;
    let (counts, mut rest) = rest.split_first_chunk::<{ 4 * COUNTS }>().ok_or(BadImage)?;
    let counts: [usize; COUNTS] = std::array::from_fn(|index| word(counts, index) as usize);
    if magic != MAGIC || image.len() != length(counts) {
        return Err(BadImage);
    }
    let [hot, cold, exits, pages, blocks] = counts;
    let mut take = |bytes: usize| rest.split_off(..bytes).ok_or(BadImage);
    if hot > MUCH_CODE {
        code.memory.expect_much();
    }
    code.memory.append(Area::Hot, take(hot)?).map_err(|_| BadImage)?;
    code.memory.append(Area::Cold, take(cold)?).map_err(|_| BadImage)?;
    code.exits.words = words(take(4 * exits)?);
    for (index, page) in take(4 * pages * PAGE_WORDS)?.chunks_exact(4 * PAGE_WORDS).enumerate() {
        let hash = page[8..].try_into().map_err(|_| BadImage)?;
        if code.cache.name(long(page, 0), hash) != PageName(index as u32 + 1) {
            return Err(BadImage);
        }
    }
    for block in take(4 * blocks * BLOCK_WORDS)?.chunks_exact(4 * BLOCK_WORDS) {
        let [page, second, entry, end, flags] = std::array::from_fn(|index| word(block, index + 2));
        let known = |name: u32| (name as usize <= pages && name != 0).then_some(PageName(name)).ok_or(BadImage);
        code.cache.add(Block {
            rip: long(block, 0),
            page: known(page)?,
            second: if second == 0 { None } else { Some(known(second)?) },
            entry: entry.into(),
            end: end.into(),
            reads_flags: flags & READS_FLAGS != 0,
            form: Form::of_number(flags >> FORM_SHIFT).ok_or(BadImage)?,
        });
    }
    Ok(())
}

fn word(bytes: &[u8], index: usize) -> u32 {
    let (words, _) = bytes.as_chunks::<4>();
    u32::from_le_bytes(words[index])
}

fn long(bytes: &[u8], index: usize) -> u64 {
    u64::from(word(bytes, index)) | u64::from(word(bytes, index + 1)) << 32
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
