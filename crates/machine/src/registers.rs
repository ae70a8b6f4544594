//! The registers of one hardware thread as user mode sees them.

/// General-purpose registers by their number in instruction encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// MXCSR after reset: all exceptions masked, round to nearest. Intel SDM 1 10.2.3.
pub const MXCSR_INITIAL: u32 = 0x1f80;

/// Bits of RFLAGS that user mode can change by arithmetic, `std` and `popfq`: CF, PF, AF, ZF, SF, TF, DF, OF, AC, ID.
pub const RFLAGS_USER: u64 = 0x0024_0dd5;
/// RFLAGS at the start of a program: IF and the bit that is always one.
pub const RFLAGS_INITIAL: u64 = 0x202;

/// Everything that a context switch exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// General-purpose registers, indexed by [`Gpr`].
    pub general: [u64; 16],
    /// Address of the next instruction.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
    /// Base of the fs segment.
    pub fs_base: u64,
    /// Base of the gs segment.
    pub gs_base: u64,
    /// Vector and floating-point state.
    pub extended: ExtendedState,
}

/// x87, MMX, SSE and AVX state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct ExtendedState {
    /// The 512-byte image that `fxsave64` writes (Intel SDM 1 10.5.1), of which this crate's users keep x87 control,
    /// status, tag, opcode, pointers and registers up to date; its MXCSR and XMM fields are ignored in favour of the
    /// fields below.
    pub fxsave: [u8; 512],
    /// YMM registers, the low half of each is the XMM register.
    pub ymm: [[u8; 32]; 16],
    /// SSE control and status.
    pub mxcsr: u32,
}

impl ExtendedState {
    /// The state after `execve`: x87 control word 0x37f, empty stack; MXCSR 0x1f80; vectors zero.
    pub fn initial() -> ExtendedState {
        let mut fxsave = [0; 512];
        fxsave[0..2].copy_from_slice(&0x37f_u16.to_le_bytes());
        fxsave[24..28].copy_from_slice(&MXCSR_INITIAL.to_le_bytes());
        ExtendedState { fxsave, ymm: [[0; 32]; 16], mxcsr: MXCSR_INITIAL }
    }
}

impl Registers {
    /// All zero but for the flags and the floating-point control words.
    pub fn new() -> Registers {
        Registers {
            general: [0; 16],
            rip: 0,
            rflags: RFLAGS_INITIAL,
            fs_base: 0,
            gs_base: 0,
            extended: ExtendedState::initial(),
        }
    }

    /// The value of one general-purpose register.
    pub fn get(&self, register: Gpr) -> u64 {
        self.general[register as usize]
    }

    /// Sets one general-purpose register.
    pub fn set(&mut self, register: Gpr, value: u64) {
        self.general[register as usize] = value;
    }
}

impl Default for Registers {
    fn default() -> Registers {
        Registers::new()
    }
}
