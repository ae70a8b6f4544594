//! Where things lie in an address space: a function of the paging scheme and the stack's limit, never of chance.
//!
//! ```text
//! 0x0000555555554000  the program (position-independent), then the heap, growing up
//! 0x00003fff........  program files mapped without a wish: each has a place of its own, the same in every process,
//!                     because translated code is shared by processes that map a page at the same address
//! ...                 mappings, from the top down
//! 0x00007ffff7fff000  the top of mappings: 128 MiB (or the stack's limit) below the end
//! 0x00007ffffffff000  the end of user space; the stack grows down from there
//! ```
//!
//! The addresses are those of x86-64; other schemes have the same order in what they give to programs. With five levels
//! (57 bits) programs get the same, and more only where they ask for an address beyond.

use machine::PagingScheme;
use std::ops::Range;

/// The places of one address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// One past the last byte that a program may map; Linux `TASK_SIZE`.
    pub user_end: u64,
    /// One past the last byte that a program gets without asking for an address beyond it; Linux `DEFAULT_MAP_WINDOW`. The
    /// stack ends here.
    pub window_end: u64,
    /// Below this, mappings without a wish are placed from the top down; Linux `mmap_base`.
    pub mapping_top: u64,
    /// Where mappings are placed from the bottom up when nothing is free below `mapping_top`; Linux
    /// `TASK_UNMAPPED_BASE`.
    pub mapping_bottom: u64,
    /// Where a position-independent program is loaded; Linux `ELF_ET_DYN_BASE`.
    pub program_base: u64,
    /// Where program files have places of their own; empty if the address space is too small for that.
    pub files: Range<u64>,
}

/// Bytes that mappings without a wish leave free for the stack at least. Linux `MIN_GAP`.
const STACK_GAP: u64 = 128 << 20;

/// Address bits that programs get without asking: with five levels, many would take the upper bits of pointers for free.
/// Linux Documentation/arch/x86/x86_64/5level-paging.rst.
const WINDOW_BITS: u32 = 47;

impl Layout {
    /// The layout for a scheme and a soft limit of the stack in bytes (RLIMIT_STACK, perhaps infinite). Linux
    /// arch/x86/mm/mmap.c `mmap_base`, without its random offsets.
    pub fn new(scheme: &PagingScheme, stack_limit: u64) -> Layout {
        let page = scheme.page_size();
        let whole = scheme.user_end().min(1 << WINDOW_BITS);
        // Linux keeps the last page of the lower half unmapped, so that a `syscall` at its end does not return to a
        // non-canonical address.
        let window_end = whole - page;
        let align = |address: u64| address & !(page - 1);
        let gap = stack_limit.clamp(STACK_GAP.min(window_end / 6), window_end / 6 * 5);
        let has_room_for_files = scheme.address_bits() >= 36;
        Layout {
            user_end: scheme.user_end() - page,
            window_end,
            mapping_top: align(window_end - gap),
            mapping_bottom: align(window_end / 3),
            program_base: align(window_end / 3 * 2),
            files: if has_room_for_files { whole / 2 - whole / 32..whole / 2 } else { 0..0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_64_has_the_addresses_of_linux_without_randomisation() {
        let layout = Layout::new(&PagingScheme::x86_64(), 8 << 20);
        assert_eq!(layout.user_end, 0x7fff_ffff_f000);
        assert_eq!(layout.mapping_top, 0x7fff_f7ff_f000);
        assert_eq!(layout.program_base, 0x5555_5555_4000);
        assert_eq!(layout.files, 0x3c00_0000_0000..0x4000_0000_0000);
        assert_eq!(Layout::new(&PagingScheme::x86_64(), 1 << 30).mapping_top, 0x7fff_bfff_f000);
        assert!(Layout::new(&PagingScheme::x86_64(), u64::MAX).mapping_top > 0x1000_0000_0000);
    }

    #[test]
    fn other_schemes_put_everything_inside_their_user_space() {
        for name in ["x86-64-la57", "sv39", "x86-32", "flat-32", "10-10-12", "8-8-16", "7-7-12", "9-9-9-16"] {
            let scheme = PagingScheme::parse(name).unwrap();
            for limit in [0, 8 << 20, 1 << 40, u64::MAX] {
                let layout = Layout::new(&scheme, limit);
                let Layout { user_end, window_end, mapping_top, mapping_bottom, program_base, files } = layout;
                assert!(user_end < scheme.user_end() && window_end <= user_end && mapping_top < window_end, "{name}");
                assert!(mapping_bottom < window_end && program_base < window_end, "{name}");
                assert!(files.end <= window_end, "{name}");
                let places = [user_end, window_end, mapping_top, mapping_bottom, program_base, files.start, files.end];
                assert!(places.iter().all(|place| place & (scheme.page_size() - 1) == 0), "{name}");
            }
        }
        let five = Layout::new(&PagingScheme::parse("x86-64-la57").unwrap(), 8 << 20);
        let four = Layout::new(&PagingScheme::x86_64(), 8 << 20);
        assert_eq!((five.user_end, five.window_end), ((1 << 56) - 4096, four.user_end));
        assert_eq!(
            (five.mapping_top, five.program_base, five.files),
            (four.mapping_top, four.program_base, four.files)
        );
    }
}
