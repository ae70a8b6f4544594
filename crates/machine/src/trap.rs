//! Why a processor stopped.

use crate::PageFault;

/// The reason for which [`crate::Processor::run`] came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `syscall`: rip is behind it, rcx and r11 are set as the instruction sets them.
    Syscall,
    /// An access that the page table does not permit. rip is at the instruction, which had no effect, or, if it is a
    /// repeated string instruction, has done its earlier iterations and no more.
    PageFault(PageFault),
    /// The slice's instructions are retired; rip is at the next.
    Budget,
    /// A fault or trap of the processor's own.
    Exception(Exception),
}

/// The exceptions that user-mode code can raise, by their names in Intel SDM 3A 6.15. Faults leave rip at the
/// instruction; `Breakpoint`, `SingleStep` and `Overflow` are traps and leave it behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// #DE: division by zero or quotient too large.
    Divide,
    /// #DB after an instruction with TF set, or `int1`.
    SingleStep,
    /// #BP: `int3`.
    Breakpoint,
    /// #OF: `into` (not in 64-bit mode) or `int 4`.
    Overflow,
    /// #UD: the instruction is undefined, or this processor does not have it.
    InvalidOpcode {
        /// The instruction's bytes as far as they could be fetched.
        bytes: Vec<u8>,
        /// The instruction if it is one that other processors have, for the report that it is unsupported.
        instruction: Option<String>,
    },
    /// #SS: a stack access with a non-canonical address.
    StackFault,
    /// #GP: a privileged instruction, a non-canonical address, a misaligned SSE operand, `int n`.
    GeneralProtection,
    /// #MF: an unmasked x87 exception.
    X87,
    /// #XM: an unmasked SSE exception.
    Simd,
    /// #AC: a misaligned access with AC set.
    AlignmentCheck,
}
