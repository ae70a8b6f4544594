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

use machine::PagingScheme;
use std::ops::Range;

/// The places of one address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// One past the last byte that a program may map; Linux `TASK_SIZE`.
    pub user_end: u64,
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

impl Layout {
    /// The layout for a scheme and a soft limit of the stack in bytes (RLIMIT_STACK, perhaps infinite). Linux
    /// arch/x86/mm/mmap.c `mmap_base`, without its random offsets.
    pub fn new(scheme: &PagingScheme, stack_limit: u64) -> Layout {
        let page = scheme.page_size();
        let whole = scheme.user_end();
        // Linux keeps the last page of the lower half unmapped, so that a `syscall` at its end does not return to a
        // non-canonical address.
        let user_end = whole - page;
        let align = |address: u64| address & !(page - 1);
        let gap = stack_limit.clamp(STACK_GAP.min(user_end / 6), user_end / 6 * 5);
        let files = if scheme.address_bits() >= 47 { whole / 2 - (1 << 42)..whole / 2 } else { 0..0 };
        Layout {
            user_end,
            mapping_top: align(user_end - gap),
            mapping_bottom: align(user_end / 3),
            program_base: align(user_end / 3 * 2),
            files,
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
}
