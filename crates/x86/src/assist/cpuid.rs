//! What `cpuid` says: exactly x86-64-v3 and what this translator adds, whatever the host is. Intel SDM 2A `cpuid`.

/// XCR0: x87, SSE and AVX state are enabled. Intel SDM 1 13.3.
pub const XCR0: u64 = 7;
/// Bytes of the standard form of an `xsave` image of all of [`XCR0`].
pub const XSAVE_BYTES: u32 = 832;

/// Family 6, model 3Ch, stepping 3: the first x86-64-v3.
const SIGNATURE: u32 = 0x0003_06c3;
const BRAND: &[u8; 48] = b"belljar x86-64-v3 processor\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A bit number each.
const fn bits<const N: usize>(numbers: [u32; N]) -> u32 {
    let mut all = 0;
    let mut index = 0;
    while index < N {
        all |= 1 << numbers[index];
        index += 1;
    }
    all
}

/// SSE3, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, XSAVE, OSXSAVE, AVX, F16C.
const LEAF_1_ECX: u32 = bits([0, 9, 12, 13, 19, 20, 22, 23, 26, 27, 28, 29]);
/// FPU, TSC, PAE, CX8, APIC, PGE, CMOV, PAT, CLFSH, MMX, FXSR, SSE, SSE2.
const LEAF_1_EDX: u32 = bits([0, 4, 6, 8, 9, 13, 15, 16, 19, 23, 24, 25, 26]);
/// In leaf 1: several logical processors.
const HTT: u32 = 1 << 28;
/// FSGSBASE, BMI1, AVX2, FDP_EXCPTN_ONLY, BMI2, ERMS, no FPU CS and DS.
const LEAF_7_EBX: u32 = bits([0, 3, 5, 6, 8, 9, 13]);
/// UMIP.
const LEAF_7_ECX: u32 = bits([2]);
/// FSRM.
const LEAF_7_EDX: u32 = bits([4]);
/// XSAVEOPT, XSAVEC, XGETBV with ecx = 1.
const LEAF_13_1_EAX: u32 = bits([0, 1, 2]);
/// LAHF, LZCNT, PREFETCHW.
const LEAF_80000001_ECX: u32 = bits([0, 5, 8]);
/// SYSCALL, NX, 1 GiB pages, RDTSCP, LM.
const LEAF_80000001_EDX: u32 = bits([11, 20, 26, 27, 29]);
/// Physical address bits that are told; frames are numbered with 32 bits.
const PHYSICAL_ADDRESS_BITS: u32 = 39;

/// eax, ebx, ecx and edx for a leaf, of the first of `processors` processors. What is not listed is zero.
pub fn cpuid(leaf: u32, subleaf: u32, processors: u32, address_bits: u32) -> [u32; 4] {
    let processors = processors.clamp(1, 255);
    match leaf {
        0 => [0xd, u32::from_le_bytes(*b"Genu"), u32::from_le_bytes(*b"ntel"), u32::from_le_bytes(*b"ineI")],
        1 => {
            let threads = if processors > 1 { HTT } else { 0 };
            [SIGNATURE, 8 << 8 | processors << 16, LEAF_1_ECX, LEAF_1_EDX | threads]
        }
        // "Caches: see leaf 4", 64-byte prefetching.
        2 => [0x00fe_ff01, 0xf0, 0, 0],
        4 => cache(subleaf, processors),
        // ARAT: the timer goes on.
        6 => [4, 0, 0, 0],
        7 if subleaf == 0 => [0, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX],
        0xb => topology(subleaf, processors),
        0xd => match subleaf {
            0 => [XCR0 as u32, XSAVE_BYTES, XSAVE_BYTES, 0],
            1 => [LEAF_13_1_EAX, XSAVE_BYTES, 0, 0],
            2 => [256, 576, 0, 0],
            _ => [0; 4],
        },
        0x8000_0000 => [0x8000_0008, 0, 0, 0],
        0x8000_0001 => [0, 0, LEAF_80000001_ECX, LEAF_80000001_EDX],
        0x8000_0002..=0x8000_0004 => {
            let part = &BRAND[(leaf - 0x8000_0002) as usize * 16..][..16];
            std::array::from_fn(|word| u32::from_le_bytes([0, 1, 2, 3].map(|byte| part[4 * word + byte])))
        }
        // Second-level cache: 256 KiB, 8 ways, 64-byte lines.
        0x8000_0006 => [0, 0, 256 << 16 | 6 << 12 | 64, 0],
        // The time stamp counter runs at a constant rate.
        0x8000_0007 => [0, 0, 0, 1 << 8],
        0x8000_0008 => [PHYSICAL_ADDRESS_BITS | address_bits.max(48) << 8, 0, 0, 0],
        _ => [0; 4],
    }
}

/// Leaf 4: first-level data, first-level code, second level (each a processor's own), third level (shared).
fn cache(subleaf: u32, processors: u32) -> [u32; 4] {
    let (kind, level, sharers, ways, sets) = match subleaf {
        0 => (1, 1, 1, 8, 64),
        1 => (2, 1, 1, 8, 64),
        2 => (3, 2, 1, 8, 512),
        3 => (3, 3, processors, 16, 8192),
        _ => return [0; 4],
    };
    let eax = kind | level << 5 | 1 << 8 | (sharers - 1) << 14 | (processors.min(64) - 1) << 26;
    [eax, 63 | (ways - 1) << 22, sets - 1, if level == 3 { 2 } else { 0 }]
}

/// Leaf 0Bh: one thread a core, all cores in one package.
fn topology(subleaf: u32, processors: u32) -> [u32; 4] {
    match subleaf {
        0 => [0, 1, 1 << 8, 0],
        1 => [processors.next_power_of_two().ilog2(), processors, 2 << 8 | 1, 0],
        _ => [0, 0, subleaf & 0xff, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_are_those_of_x86_64_v3_and_no_hidden_ones() {
        let [_, _, ecx, edx] = cpuid(1, 0, 1, 48);
        let pclmul_aes_rdrand = bits([1, 25, 30]);
        assert_eq!(ecx & pclmul_aes_rdrand, 0);
        assert_eq!(edx & HTT, 0);
        let [_, ebx, _, _] = cpuid(7, 0, 1, 48);
        let tsx_avx512_rdseed_adx_sha = bits([4, 11, 16, 18, 19, 29]);
        assert_eq!(ebx & tsx_avx512_rdseed_adx_sha, 0);
    }

    #[test]
    fn the_brand_is_ours() {
        let text: Vec<u8> = (0x8000_0002..=0x8000_0004)
            .flat_map(|leaf| cpuid(leaf, 0, 1, 48))
            .flat_map(u32::to_le_bytes)
            .take_while(|byte| *byte != 0)
            .collect();
        assert_eq!(text, b"belljar x86-64-v3 processor");
    }
}
