//! How a processor is to work, and what it did.

use crate::discover::MAX_INSTRUCTIONS;

/// How a processor is to work. The default is the fastest; the others exist for tests and measurements. None changes
/// what guest code computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Executes every instruction one by one, outside of translated code.
    pub step_only: bool,
    /// Lets blocks go on behind jumps.
    pub traces: bool,
    /// Lets blocks go on at the targets of direct jumps and calls.
    pub follow: bool,
    /// Lets one check serve several accesses.
    pub groups: bool,
    /// Instructions in a block at most, at least 1 and at most 64.
    pub block_instructions: usize,
    /// Bytes of host memory reserved for translated code, a power of two from 1 MiB to 1 GiB.
    pub code_bytes: usize,
    /// Takes the time of each translation, which itself takes some.
    pub measure: bool,
    /// How many processors `cpuid` tells of.
    pub processors: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            step_only: false,
            traces: true,
            follow: true,
            groups: true,
            block_instructions: MAX_INSTRUCTIONS,
            code_bytes: 128 << 20,
            measure: false,
            processors: 1,
        }
    }
}

/// What a processor did since it was made. Not part of any guest's outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Blocks translated.
    pub blocks: u64,
    /// Blocks restored from what an earlier run saved.
    pub restored: u64,
    /// Guest instructions translated.
    pub instructions: u64,
    /// Nanoseconds that took, if [`Options::measure`] says so.
    pub translation_ns: u64,
    /// Bytes of host code that run often.
    pub hot_bytes: u64,
    /// Bytes of host code that run seldom.
    pub cold_bytes: u64,
    /// Instructions executed one by one.
    pub steps: u64,
    /// Accesses whose inlined check failed.
    pub misses: u64,
    /// Jumps whose target had to be looked for.
    pub dispatches: u64,
    /// Frames whose blocks were forgotten because they were written.
    pub invalidations: u64,
    /// Times that all code was forgotten because there was no room for more.
    pub resets: u64,
}
