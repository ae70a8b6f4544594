//! Page tables: how an address splits ([`PagingScheme`]), what an entry says ([`Entry`]), and the tables themselves
//! ([`PageTable`]), which live in frames.

mod entry;
mod page_table;
mod scheme;

pub use entry::Entry;
pub use page_table::{Mapped, PageTable, Visited};
pub use scheme::{MOST_LEVELS, PagingScheme};
