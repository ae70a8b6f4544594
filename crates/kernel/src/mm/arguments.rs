//! Arguments of the memory calls as types of their own, so that strace shows them by name.

use crate::syscalls::argument::{Argument, Peek};
use abi::mman::*;

/// An address that nothing is read from or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub u64);

/// `PROT_` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection(pub u32);

/// `MAP_` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFlags(pub u32);

/// `MREMAP_` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemapFlags(pub u32);

/// `MS_` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncFlags(pub u32);

/// An `MADV_` number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice(pub u32);

/// The names of the bits that are set, and what is left over in hexadecimal.
fn names(bits: u32, known: &[(u32, &str)], none: &str) -> String {
    let mut found: Vec<String> =
        known.iter().filter(|(bit, _)| bits & bit == *bit).map(|(_, name)| (*name).to_string()).collect();
    let rest = known.iter().fold(bits, |rest, (bit, _)| rest & !bit);
    if rest != 0 {
        found.push(format!("{rest:#x}"));
    }
    if found.is_empty() { none.to_string() } else { found.join("|") }
}

const PROTECTIONS: &[(u32, &str)] = &[
    (PROT_READ, "PROT_READ"),
    (PROT_WRITE, "PROT_WRITE"),
    (PROT_EXEC, "PROT_EXEC"),
    (PROT_GROWSDOWN, "PROT_GROWSDOWN"),
    (PROT_GROWSUP, "PROT_GROWSUP"),
];

const MAPS: &[(u32, &str)] = &[
    (MAP_FIXED, "MAP_FIXED"),
    (MAP_ANONYMOUS, "MAP_ANONYMOUS"),
    (MAP_32BIT, "MAP_32BIT"),
    (MAP_GROWSDOWN, "MAP_GROWSDOWN"),
    (MAP_DENYWRITE, "MAP_DENYWRITE"),
    (MAP_EXECUTABLE, "MAP_EXECUTABLE"),
    (MAP_LOCKED, "MAP_LOCKED"),
    (MAP_NORESERVE, "MAP_NORESERVE"),
    (MAP_POPULATE, "MAP_POPULATE"),
    (MAP_NONBLOCK, "MAP_NONBLOCK"),
    (MAP_STACK, "MAP_STACK"),
    (MAP_HUGETLB, "MAP_HUGETLB"),
    (MAP_SYNC, "MAP_SYNC"),
    (MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"),
];

const REMAPS: &[(u32, &str)] =
    &[(MREMAP_MAYMOVE, "MREMAP_MAYMOVE"), (MREMAP_FIXED, "MREMAP_FIXED"), (MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP")];

const SYNCS: &[(u32, &str)] = &[(MS_ASYNC, "MS_ASYNC"), (MS_INVALIDATE, "MS_INVALIDATE"), (MS_SYNC, "MS_SYNC")];

macro_rules! arguments {
    ($($type:ident($inner:ty): $show:expr;)*) => {$(
        impl Argument for $type {
            fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
                $type(<$inner>::decode(registers))
            }
            fn show(&self, _: Peek<'_>) -> String {
                let show: fn($inner) -> String = $show;
                show(self.0)
            }
        }
    )*};
}

arguments! {
    Address(u64): |address| if address == 0 { "NULL".to_string() } else { format!("{address:#x}") };
    Protection(u32): |bits| names(bits, PROTECTIONS, "PROT_NONE");
    MapFlags(u32): |bits| {
        let kind = ["0", "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE"];
        let kind = match kind.get((bits & MAP_TYPE) as usize) {
            Some(kind) => kind.to_string(),
            None => format!("{:#x}", bits & MAP_TYPE),
        };
        match names(bits & !MAP_TYPE, MAPS, "").as_str() {
            "" => kind,
            rest => format!("{kind}|{rest}"),
        }
    };
    RemapFlags(u32): |bits| names(bits, REMAPS, "0");
    SyncFlags(u32): |bits| names(bits, SYNCS, "0");
    Advice(u32): |advice| advice_name(advice).map_or_else(|| advice.to_string(), str::to_string);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_shown_by_name_and_unknown_bits_as_numbers() {
        assert_eq!(names(PROT_READ | PROT_EXEC, PROTECTIONS, "PROT_NONE"), "PROT_READ|PROT_EXEC");
        assert_eq!(names(0, PROTECTIONS, "PROT_NONE"), "PROT_NONE");
        assert_eq!(names(PROT_READ | 0x40, PROTECTIONS, "PROT_NONE"), "PROT_READ|0x40");
        assert_eq!(advice_name(MADV_DONTNEED), Some("MADV_DONTNEED"));
        assert_eq!(advice_name(77), None);
    }
}
