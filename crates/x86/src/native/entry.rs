//! The way into translated code and back.

use super::{ExecutableMemory, context, fault};
use machine::registers::ExtendedState;
use machine::tlb::BLOCK_WORDS;
use std::arch::{asm, global_asm};
use std::cell::Cell;

const YMM: usize = std::mem::offset_of!(ExtendedState, ymm);
const MXCSR: usize = std::mem::offset_of!(ExtendedState, mxcsr);

// Where all upper halves of vectors are zero, only the lower ones are loaded: while the processor knows that the upper
// halves are zero, SSE instructions do not depend on what their destination held before (three times faster in places).
global_asm!(
    ".p2align 6",
    "belljar_x86_load_vectors:",
    "vmovdqu xmm0, [rax + {ymm} + 0x10]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x30]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x50]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x70]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x90]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0xb0]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0xd0]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0xf0]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x110]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x130]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x150]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x170]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x190]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x1b0]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x1d0]",
    "vpor xmm0, xmm0, [rax + {ymm} + 0x1f0]",
    "vptest xmm0, xmm0",
    "jnz 2f",
    "vmovups xmm0, [rax + {ymm}]",
    "vmovups xmm1, [rax + {ymm} + 0x20]",
    "vmovups xmm2, [rax + {ymm} + 0x40]",
    "vmovups xmm3, [rax + {ymm} + 0x60]",
    "vmovups xmm4, [rax + {ymm} + 0x80]",
    "vmovups xmm5, [rax + {ymm} + 0xa0]",
    "vmovups xmm6, [rax + {ymm} + 0xc0]",
    "vmovups xmm7, [rax + {ymm} + 0xe0]",
    "vmovups xmm8, [rax + {ymm} + 0x100]",
    "vmovups xmm9, [rax + {ymm} + 0x120]",
    "vmovups xmm10, [rax + {ymm} + 0x140]",
    "vmovups xmm11, [rax + {ymm} + 0x160]",
    "vmovups xmm12, [rax + {ymm} + 0x180]",
    "vmovups xmm13, [rax + {ymm} + 0x1a0]",
    "vmovups xmm14, [rax + {ymm} + 0x1c0]",
    "vmovups xmm15, [rax + {ymm} + 0x1e0]",
    "ldmxcsr [rax + {mxcsr}]",
    "ret",
    "2:",
    "vmovups ymm0, [rax + {ymm}]",
    "vmovups ymm1, [rax + {ymm} + 0x20]",
    "vmovups ymm2, [rax + {ymm} + 0x40]",
    "vmovups ymm3, [rax + {ymm} + 0x60]",
    "vmovups ymm4, [rax + {ymm} + 0x80]",
    "vmovups ymm5, [rax + {ymm} + 0xa0]",
    "vmovups ymm6, [rax + {ymm} + 0xc0]",
    "vmovups ymm7, [rax + {ymm} + 0xe0]",
    "vmovups ymm8, [rax + {ymm} + 0x100]",
    "vmovups ymm9, [rax + {ymm} + 0x120]",
    "vmovups ymm10, [rax + {ymm} + 0x140]",
    "vmovups ymm11, [rax + {ymm} + 0x160]",
    "vmovups ymm12, [rax + {ymm} + 0x180]",
    "vmovups ymm13, [rax + {ymm} + 0x1a0]",
    "vmovups ymm14, [rax + {ymm} + 0x1c0]",
    "vmovups ymm15, [rax + {ymm} + 0x1e0]",
    "ldmxcsr [rax + {mxcsr}]",
    "ret",
    ".p2align 6",
    "belljar_x86_save_vectors:",
    "vmovups [rax + {ymm}], ymm0",
    "vmovups [rax + {ymm} + 0x20], ymm1",
    "vmovups [rax + {ymm} + 0x40], ymm2",
    "vmovups [rax + {ymm} + 0x60], ymm3",
    "vmovups [rax + {ymm} + 0x80], ymm4",
    "vmovups [rax + {ymm} + 0xa0], ymm5",
    "vmovups [rax + {ymm} + 0xc0], ymm6",
    "vmovups [rax + {ymm} + 0xe0], ymm7",
    "vmovups [rax + {ymm} + 0x100], ymm8",
    "vmovups [rax + {ymm} + 0x120], ymm9",
    "vmovups [rax + {ymm} + 0x140], ymm10",
    "vmovups [rax + {ymm} + 0x160], ymm11",
    "vmovups [rax + {ymm} + 0x180], ymm12",
    "vmovups [rax + {ymm} + 0x1a0], ymm13",
    "vmovups [rax + {ymm} + 0x1c0], ymm14",
    "vmovups [rax + {ymm} + 0x1e0], ymm15",
    "stmxcsr [rax + {mxcsr}]",
    "vzeroupper",
    "ret",
    ymm = const YMM,
    mxcsr = const MXCSR,
);

// For translated code: r13 is the context.
global_asm!(
    ".globl belljar_x86_run",
    ".globl belljar_x86_leave",
    ".p2align 6",
    "belljar_x86_run:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "lea r13, [rdi + {bias}]",
    "push qword ptr [r13 + {rflags}]",
    "mov rax, [r13 + {extended}]",
    "call belljar_x86_load_vectors",
    "popfq",
    "mov [r13 + {host_rsp}], rsp",
    "mov rax, [r13 + {general}]",
    "mov rcx, [r13 + {general} + 0x8]",
    "mov rdx, [r13 + {general} + 0x10]",
    "mov rbx, [r13 + {general} + 0x18]",
    "mov rsp, [r13 + {general} + 0x20]",
    "mov rbp, [r13 + {general} + 0x28]",
    "mov rsi, [r13 + {general} + 0x30]",
    "mov rdi, [r13 + {general} + 0x38]",
    "mov r8, [r13 + {general} + 0x40]",
    "mov r9, [r13 + {general} + 0x48]",
    "mov r10, [r13 + {general} + 0x50]",
    "mov r11, [r13 + {general} + 0x58]",
    "mov r12, [r13 + {general} + 0x60]",
    "mov r14, [r13 + {scratch_14}]",
    "mov r15, [r13 + {scratch_15}]",
    "jmp qword ptr [r13 + {target}]",
    ".p2align 6",
    "belljar_x86_leave:",
    "mov [r13 + {general}], rax",
    "mov [r13 + {general} + 0x8], rcx",
    "mov [r13 + {general} + 0x10], rdx",
    "mov [r13 + {general} + 0x18], rbx",
    "mov [r13 + {general} + 0x20], rsp",
    "mov [r13 + {general} + 0x28], rbp",
    "mov [r13 + {general} + 0x30], rsi",
    "mov [r13 + {general} + 0x38], rdi",
    "mov [r13 + {general} + 0x40], r8",
    "mov [r13 + {general} + 0x48], r9",
    "mov [r13 + {general} + 0x50], r10",
    "mov [r13 + {general} + 0x58], r11",
    "mov [r13 + {general} + 0x60], r12",
    "mov [r13 + {scratch_14}], r14",
    "mov [r13 + {scratch_15}], r15",
    "mov rsp, [r13 + {host_rsp}]",
    "pushfq",
    "pop qword ptr [r13 + {rflags}]",
    "cld",
    "mov rax, [r13 + {extended}]",
    "call belljar_x86_save_vectors",
    "ldmxcsr [r13 + {host_mxcsr}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    rflags = const context::offset(context::RFLAGS),
    extended = const context::offset(context::EXTENDED),
    host_rsp = const context::offset(context::HOST_RSP),
    host_mxcsr = const context::offset(context::HOST_MXCSR),
    general = const context::offset(context::GENERAL),
    scratch_14 = const context::offset(context::SCRATCH_14),
    scratch_15 = const context::offset(context::SCRATCH_15),
    target = const context::offset(context::TARGET),
    bias = const context::BIAS,
);

// For single instructions: all registers are the guest's, and the context is behind gs.
global_asm!(
    ".globl belljar_x86_enter",
    ".globl belljar_x86_exit",
    ".p2align 6",
    "belljar_x86_enter:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push qword ptr gs:[{rflags}]",
    "mov rax, gs:[{extended}]",
    "call belljar_x86_load_vectors",
    "popfq",
    "mov gs:[{host_rsp}], rsp",
    "mov rax, gs:[{general}]",
    "mov rcx, gs:[{general} + 0x8]",
    "mov rdx, gs:[{general} + 0x10]",
    "mov rbx, gs:[{general} + 0x18]",
    "mov rsp, gs:[{general} + 0x20]",
    "mov rbp, gs:[{general} + 0x28]",
    "mov rsi, gs:[{general} + 0x30]",
    "mov rdi, gs:[{general} + 0x38]",
    "mov r8, gs:[{general} + 0x40]",
    "mov r9, gs:[{general} + 0x48]",
    "mov r10, gs:[{general} + 0x50]",
    "mov r11, gs:[{general} + 0x58]",
    "mov r12, gs:[{general} + 0x60]",
    "mov r13, gs:[{scratch_13}]",
    "mov r14, gs:[{scratch_14}]",
    "mov r15, gs:[{scratch_15}]",
    "jmp qword ptr gs:[{target}]",
    ".p2align 6",
    "belljar_x86_exit:",
    "mov gs:[{general}], rax",
    "mov gs:[{general} + 0x8], rcx",
    "mov gs:[{general} + 0x10], rdx",
    "mov gs:[{general} + 0x18], rbx",
    "mov gs:[{general} + 0x20], rsp",
    "mov gs:[{general} + 0x28], rbp",
    "mov gs:[{general} + 0x30], rsi",
    "mov gs:[{general} + 0x38], rdi",
    "mov gs:[{general} + 0x40], r8",
    "mov gs:[{general} + 0x48], r9",
    "mov gs:[{general} + 0x50], r10",
    "mov gs:[{general} + 0x58], r11",
    "mov gs:[{general} + 0x60], r12",
    "mov gs:[{scratch_13}], r13",
    "mov gs:[{scratch_14}], r14",
    "mov gs:[{scratch_15}], r15",
    "mov rsp, gs:[{host_rsp}]",
    "pushfq",
    "pop qword ptr gs:[{rflags}]",
    "cld",
    "mov rax, gs:[{extended}]",
    "call belljar_x86_save_vectors",
    "ldmxcsr gs:[{host_mxcsr}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    rflags = const context::displacement(context::RFLAGS),
    extended = const context::displacement(context::EXTENDED),
    host_rsp = const context::displacement(context::HOST_RSP),
    host_mxcsr = const context::displacement(context::HOST_MXCSR),
    general = const context::displacement(context::GENERAL),
    scratch_13 = const context::displacement(context::SCRATCH_13),
    scratch_14 = const context::displacement(context::SCRATCH_14),
    scratch_15 = const context::displacement(context::SCRATCH_15),
    target = const context::displacement(context::TARGET),
);

unsafe extern "sysv64" {
    fn belljar_x86_run();
    fn belljar_x86_leave();
    fn belljar_x86_enter();
    fn belljar_x86_exit();
}

/// Where translated code jumps to in order to come back, `context::EXIT` set.
pub fn leave_address() -> u64 {
    belljar_x86_leave as *const () as u64
}

/// Where code that runs a single instruction jumps to in order to come back, `context::EXIT` set.
pub fn exit_address() -> u64 {
    belljar_x86_exit as *const () as u64
}

/// Makes sure that this host processor and this process can run translated code: the instructions are there, and
/// host faults reach the handler. To be called after the process has installed its own signal handlers: it makes them
/// use the alternate stack, for the stack pointer may be the guest's when a signal comes.
///
/// # Errors
/// `Unsupported` if the host's processor is not an x86-64-v3; the host's error if the handlers cannot be installed.
pub fn prepare() -> std::io::Result<()> {
    macro_rules! have {
        ($($feature:tt),*) => { $(std::is_x86_feature_detected!($feature))&&* };
    }
    if !have!("avx2", "bmi1", "bmi2", "fma", "f16c", "lzcnt", "movbe", "popcnt", "sse4.2", "cmpxchg16b", "xsave") {
        let message = "the processor lacks instructions of x86-64-v3 (AVX2, BMI2, FMA, ...)";
        return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, message));
    }
    fault::install()?;
    fault::move_handlers_to_alternate_stack();
    Ok(())
}

/// The host's processor: vendor, model, stepping and features, as numbers.
pub fn processor_name() -> String {
    use std::arch::x86_64::__cpuid_count;
    const LEAVES: [u32; 4] = [0, 1, 7, 0x8000_0001];
    // The upper byte of leaf 1's ebx is the number of the processor that happens to run this.
    const EBX_OF_LEAF_1: u32 = 0x00ff_ffff;
    let words = LEAVES.map(|leaf| {
        #[allow(unused_unsafe)]
        // SAFETY: every x86-64 processor has the instruction; a leaf that it lacks gives zeroes or another leaf.
        let answer = unsafe { __cpuid_count(leaf, 0) };
        let ebx = if leaf == 1 { answer.ebx & EBX_OF_LEAF_1 } else { answer.ebx };
        format!("{:x}.{:x}.{:x}.{:x}", answer.eax, ebx, answer.ecx, answer.edx)
    });
    words.join("-")
}

thread_local! {
    /// What this thread's gs base is, as far as it was set here. The host's own code does not use gs.
    static GS_BASE: Cell<u64> = const { Cell::new(0) };
}

fn set_gs_base(base: u64) {
    if GS_BASE.get() == base {
        return;
    }
    if fault::has_fsgsbase() {
        // SAFETY: the host's auxiliary vector permits the instruction; neither Rust nor libc uses gs on x86-64.
        unsafe { asm!("wrgsbase {}", in(reg) base, options(nostack, preserves_flags)) };
    } else {
        const ARCH_SET_GS: i64 = 0x1001;
        // SAFETY: arch_prctl(2) sets a register that neither Rust nor libc uses; a canonical base cannot fail.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
    }
    GS_BASE.set(base);
}

/// Runs translated code from offset `code` until it jumps to [`leave_address`] or faults. Its r13 is the address of the block
/// plus [`context::BIAS`], and must stay so.
///
/// On entry and exit the guest's registers are in `block` (laid out in [`context`], constants set) and in the `ymm` and
/// `mxcsr` of `extended`; `mxcsr` must have no reserved bits. x87 is left alone.
pub fn run(memory: &ExecutableMemory, block: &mut [u64], extended: &mut ExtendedState, code: u64) {
    prepare_context(memory, block, extended, code);
    let address = block.as_mut_ptr();
    fault::begin(memory.range(), address, leave_address());
    // SAFETY: `code` lies in executable memory, filled only with what the emitter wrote: it reaches memory through r13
    // (the block, borrowed mutably here) and through TLB entries and what was copied from them (frames, which
    // `Processor::run` holds mutably), and ends with a jump to `belljar_x86_leave`, which restores the stack and every
    // callee-saved register. A fault in it lands there as well. Vectors go to `extended`, borrowed mutably.
    // The stack is used, all caller-saved registers are declared; the upper halves of vectors are zeroed.
    unsafe { asm!("call {}", sym belljar_x86_run, in("rdi") address, clobber_abi("sysv64")) };
    fault::end();
}

/// Runs code from offset `code` until it jumps to [`exit_address`] or faults, with all general registers the guest's: 0 to 12
/// from `context::GENERAL`, the others from the `SCRATCH` words; the block is behind gs. Otherwise as [`run`].
pub fn enter(memory: &ExecutableMemory, block: &mut [u64], extended: &mut ExtendedState, code: u64) {
    prepare_context(memory, block, extended, code);
    set_gs_base(block.as_mut_ptr() as u64);
    fault::begin(memory.range(), block.as_mut_ptr(), exit_address());
    // SAFETY: as in `run`, but that the code is one instruction, which accesses memory only through gs.
    unsafe { asm!("call {}", sym belljar_x86_enter, clobber_abi("sysv64")) };
    fault::end();
}

fn prepare_context(memory: &ExecutableMemory, block: &mut [u64], extended: &mut ExtendedState, code: u64) {
    let code = memory.range().start + code;
    assert!(memory.range().contains(&code), "only translated code is entered");
    assert!(block.len() == BLOCK_WORDS && extended.mxcsr <= 0xffff, "the context is a TLB block");
    block[context::EXTENDED] = std::ptr::from_mut(extended) as u64;
    block[context::TARGET] = code;
    block[context::RFLAGS] = block[context::RFLAGS] & context::NATIVE_FLAGS | 2;
}
