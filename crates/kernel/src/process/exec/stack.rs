//! The first stack: strings, auxiliary vector, pointers. Linux `setup_arg_pages`, `create_elf_tables`.
//!
//! ```text
//! top of user space
//!   8 bytes of zero
//!   the path as it was given to execve     AT_EXECFN
//!   environment strings
//!   argument strings
//!   "x86_64"                               AT_PLATFORM
//!   16 random bytes                        AT_RANDOM
//!   auxiliary vector, up to AT_NULL
//!   environment pointers, null
//!   argument pointers, null
//!   argc                                   rsp, aligned to 16
//! ```

use super::Strings;
use super::load::{Files, Loaded};
use crate::entry::Call;
use crate::mm::AddressSpace;
use crate::mm::map::{self, Request, Source};
use crate::signal;
use crate::table::Id;
use abi::mman::{MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, MAP_STACK};
use abi::process::*;
use abi::resource::RLIMIT_STACK;
use abi::{Errno, Error};

/// Bytes of stack that are mapped below the strings at once; the rest grows.
const ROOM: u64 = 128 << 10;
/// AT_HWCAP is edx of CPUID leaf 1, so this is what the `x86` crate's processor says there: FPU, TSC, PAE, CX8, APIC, PGE,
/// CMOV, PAT, CLFSH, MMX, FXSR, SSE, SSE2.
const HWCAP: u64 = 0x0789_a351;
/// HTT in the same register: several logical processors.
const HWCAP_SEVERAL: u64 = 1 << 28;
/// AT_HWCAP2: user programs may use rdfsbase and its siblings.
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// Bytes of `struct rseq` in use, up to `mm_cid`.
const RSEQ_FEATURE_SIZE: u64 = 28;
const RSEQ_ALIGNMENT: u64 = 32;

/// Where the stack was mapped.
pub(super) struct Area {
    top: u64,
}

/// What lies where on the stack.
pub(super) struct Stack {
    /// The stack pointer at the start.
    pub(super) pointer: u64,
    pub(super) arguments: (u64, u64),
    pub(super) environment: (u64, u64),
    pub(super) auxiliary: Vec<u64>,
}

fn bytes_of(strings: &[Vec<u8>]) -> u64 {
    strings.iter().map(|string| string.len() as u64 + 1).sum()
}

/// Maps the stack, large enough for everything that [`fill`] puts there.
///
/// # Errors
/// `ENOMEM` if the limits forbid it.
pub(super) fn reserve(
    call: &mut Call,
    space: Id<AddressSpace>,
    strings: &Strings,
    protection: u32,
) -> Result<Area, Error> {
    let top = call.kernel.spaces[space].layout.window_end;
    let pointers = 8 * (strings.arguments.len() + strings.environment.len() + 64) as u64;
    let contents = bytes_of(&strings.arguments) + bytes_of(&strings.environment) + strings.file_name.len() as u64;
    let limit = call.process().limits.soft(RLIMIT_STACK);
    let page_size = call.kernel.page_size();
    let needed = page_size.round_up(contents + pointers + 4096).unwrap_or(u64::MAX);
    let length = (needed + ROOM).min(page_size.start(limit).max(needed));
    if length >= top / 2 {
        return Err(Errno::ENOMEM.because("the strings do not fit into the program's addresses"));
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK;
    let address = top - length;
    map::map(call, space, Request { address, length, protection, flags, source: Source::Anonymous })?;
    Ok(Area { top })
}

/// Writes the first stack.
///
/// # Errors
/// `EFAULT` if there is no memory for it.
pub(super) fn fill(
    call: &mut Call,
    space: Id<AddressSpace>,
    area: &Area,
    files: &Files,
    loaded: &Loaded,
    base: u64,
    strings: &Strings,
) -> Result<Stack, Error> {
    let file_name_at = area.top - 8 - (strings.file_name.len() as u64 + 1);
    let environment_at = file_name_at - bytes_of(&strings.environment);
    let arguments_at = environment_at - bytes_of(&strings.arguments);
    let mut text = Vec::with_capacity((area.top - arguments_at) as usize);
    let mut put_all = |strings: &[Vec<u8>]| {
        for string in strings {
            text.extend_from_slice(string);
            text.push(0);
        }
    };
    put_all(&strings.arguments);
    put_all(&strings.environment);
    put_all(std::slice::from_ref(&strings.file_name));
    call.copy_out_to(space, arguments_at, &text)?;

    let platform_at = (arguments_at & !15) - 7;
    call.copy_out_to(space, platform_at, b"x86_64\0")?;
    let random_at = platform_at - 16;
    let mut random = [0; 16];
    call.chooser.random(&mut random);
    call.copy_out_to(space, random_at, &random)?;

    let auxiliary = auxiliary(call, files, loaded, base, [platform_at, random_at, file_name_at]);
    let words = 1 + strings.arguments.len() + 1 + strings.environment.len() + 1;
    let pointer = (random_at - 8 * auxiliary.len() as u64 - 8 * words as u64) & !15;
    let mut vector = Vec::with_capacity(words + auxiliary.len());
    vector.push(strings.arguments.len() as u64);
    push_pointers(&mut vector, &strings.arguments, arguments_at);
    push_pointers(&mut vector, &strings.environment, environment_at);
    vector.extend_from_slice(&auxiliary);
    let bytes: Vec<u8> = vector.iter().flat_map(|word| word.to_le_bytes()).collect();
    call.copy_out_to(space, pointer, &bytes)?;
    call.kernel.spaces[space].stack_start = pointer;
    Ok(Stack {
        pointer,
        arguments: (arguments_at, environment_at),
        environment: (environment_at, file_name_at),
        auxiliary,
    })
}

fn push_pointers(vector: &mut Vec<u64>, strings: &[Vec<u8>], mut at: u64) {
    for string in strings {
        vector.push(at);
        at += string.len() as u64 + 1;
    }
    vector.push(0);
}

/// The auxiliary vector, in Linux's order; no vDSO, so AT_SYSINFO_EHDR is absent.
fn auxiliary(call: &mut Call, files: &Files, loaded: &Loaded, base: u64, strings: [u64; 3]) -> Vec<u64> {
    let [platform, random, file_name] = strings;
    let elf = &files.elf;
    let given = super::commit::credentials_after(call, files);
    vec![
        AT_MINSIGSTKSZ,
        signal::MINIMUM_STACK,
        AT_HWCAP,
        HWCAP | if call.kernel.configuration.cpus > 1 { HWCAP_SEVERAL } else { 0 },
        AT_PAGESZ,
        call.kernel.page_size().bytes(),
        AT_CLKTCK,
        100,
        AT_PHDR,
        loaded.headers,
        AT_PHENT,
        elf.header_size,
        AT_PHNUM,
        elf.segments.len() as u64,
        AT_BASE,
        base,
        AT_FLAGS,
        0,
        AT_ENTRY,
        elf.entry.wrapping_add(loaded.bias),
        AT_UID,
        u64::from(given.uid),
        AT_EUID,
        u64::from(given.euid),
        AT_GID,
        u64::from(given.gid),
        AT_EGID,
        u64::from(given.egid),
        AT_SECURE,
        u64::from(given.uid != given.euid || given.gid != given.egid),
        AT_RANDOM,
        random,
        AT_HWCAP2,
        HWCAP2_FSGSBASE,
        AT_EXECFN,
        file_name,
        AT_PLATFORM,
        platform,
        AT_RSEQ_FEATURE_SIZE,
        RSEQ_FEATURE_SIZE,
        AT_RSEQ_ALIGN,
        RSEQ_ALIGNMENT,
        AT_NULL,
        0,
    ]
}
