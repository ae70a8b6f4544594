//! Instructions that the host's processor executes: once, alone, with their memory operand replaced by a buffer.

use super::{Core, NativeUnit, classify};
use crate::native::{self, Area, ExecutableMemory, context};
use iced_x86::{
    Code, CpuidFeature, Encoder, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind,
    Register,
};
use machine::mmu::Access;
use machine::registers::ExtendedState;
use machine::tlb::BLOCK_WORDS;
use machine::{Exception, Gpr, Trap};

/// Bytes for the code of one instruction: the instruction, and a jump to the exit.
const SLOT_BYTES: usize = 32;

/// `si_code` of SIGFPE after an integer division. sigaction(2).
const FPE_INTDIV: i32 = 1;

/// How to execute one instruction natively.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    memory: Option<MemoryOperand>,
    /// The x87 or MMX registers take part.
    x87: bool,
    /// A pending x87 exception is raised first.
    waits: bool,
}

#[derive(Clone, Copy, Debug)]
struct MemoryOperand {
    size: usize,
    access: Access,
    alignment: u64,
}

/// The host's side: code slots, and a context of our own, apart from those of address spaces.
impl NativeUnit {
    /// Room for the code of `slots` instructions.
    ///
    /// # Errors
    /// As [`native::prepare`] and [`ExecutableMemory::new`].
    pub(crate) fn new(slots: usize) -> std::io::Result<NativeUnit> {
        native::prepare()?;
        let mut memory = ExecutableMemory::new(2 * slots * SLOT_BYTES)?;
        let base = memory.reserve(Area::Hot, slots * SLOT_BYTES);
        let base = base.map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let mut block = vec![0; BLOCK_WORDS].into_boxed_slice();
        context::initialise(&mut block);
        let bounce = context::bounce_word(&block);
        Ok(NativeUnit { memory, base, block, bounce, info: InstructionInfoFactory::new() })
    }

    fn address(&self, slot: usize) -> u64 {
        self.base + (slot * SLOT_BYTES) as u64
    }

    /// Finds out how to execute an instruction, and writes its code into a slot. `None` if it cannot be encoded.
    pub(crate) fn prepare(&mut self, instruction: &Instruction, slot: usize) -> Option<Plan> {
        let mut rewritten = *instruction;
        // One host thread runs the guest: nobody is locked out. On a buffer of our own it would only cost time.
        rewritten.set_has_lock_prefix(false);
        let operand = (0..instruction.op_count()).find(|operand| instruction.op_kind(*operand) == OpKind::Memory);
        let memory = match operand {
            Some(operand) => {
                let options = InstructionInfoOptions::NO_REGISTER_USAGE;
                let access = self.info.info_options(instruction, options).op_access(operand);
                rewritten.set_memory_base(Register::None);
                rewritten.set_memory_index(Register::None);
                rewritten.set_memory_index_scale(1);
                rewritten.set_memory_displacement64((self.bounce * 8) as u64);
                rewritten.set_memory_displ_size(8);
                rewritten.set_segment_prefix(Register::GS);
                let access = match access {
                    OpAccess::Read | OpAccess::CondRead => Access::Read,
                    _ => Access::Write,
                };
                let size = instruction.memory_size().size();
                Some(MemoryOperand { size, access, alignment: classify::alignment(instruction) })
            }
            None => None,
        };
        let address = self.address(slot);
        let mut encoder = Encoder::new(64);
        encoder.encode(&rewritten, address).ok()?;
        let mut code = encoder.take_buffer();
        code.extend([0xff, 0x25, 0, 0, 0, 0]); // jmp [rip]
        code.extend(native::exit_address().to_le_bytes());
        assert!(code.len() <= SLOT_BYTES, "an instruction and a jump fit into a slot");
        self.memory.patch(address, &code);
        let x87 = uses_x87(instruction);
        Some(Plan { memory, x87, waits: x87 && !is_no_wait(instruction) })
    }
}

/// Whether the instruction uses the x87 or MMX registers.
fn uses_x87(instruction: &Instruction) -> bool {
    let of_x87 = |feature: &CpuidFeature| {
        matches!(feature, CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::FPU387 | CpuidFeature::MMX)
    };
    instruction.code() == Code::Wait
        || instruction.cpuid_features().iter().any(of_x87)
        || (0..instruction.op_count()).any(|operand| instruction.op_register(operand).is_mm())
}

/// Whether the x87 instruction does not look for pending exceptions. Intel SDM 1 8.6.
fn is_no_wait(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic as M;
    matches!(instruction.mnemonic(), M::Fninit | M::Fnclex | M::Fnstcw | M::Fnstsw | M::Fneni | M::Fndisi | M::Fnsetpm)
}

impl Core<'_, '_> {
    /// Executes an instruction natively; the next rip.
    pub(super) fn generic(&mut self, instruction: &Instruction, plan: Plan, slot: usize) -> Result<u64, Trap> {
        // Before the memory operand is looked at.
        if plan.waits && x87_exception_pending(&self.registers.extended) {
            return Err(Trap::Exception(Exception::X87));
        }
        let mut place = None;
        if let Some(memory) = plan.memory {
            let (address, segment) = self.memory_operand(instruction);
            if address & (memory.alignment - 1) != 0 {
                return Err(Trap::Exception(Exception::GeneralProtection));
            }
            self.touch(address, memory.size, memory.access, segment)?;
            let mut bytes = [0; 64];
            self.load(address, &mut bytes[..memory.size])?;
            let buffer = &mut self.native.block[self.native.bounce..];
            for (word, bytes) in buffer.iter_mut().zip(bytes.chunks_exact(8)).take(memory.size.div_ceil(8)) {
                *word = u64::from_le_bytes(std::array::from_fn(|index| bytes[index]));
            }
            place = Some((address, memory));
        }
        self.run(plan.x87, slot).map_err(|fault| self.exception_of(fault, plan.x87))?;
        if let Some((address, memory)) = place
            && memory.access == Access::Write
        {
            let mut bytes = [0; 64];
            let buffer = &self.native.block[self.native.bounce..];
            for (word, bytes) in buffer.iter().zip(bytes.chunks_exact_mut(8)).take(memory.size.div_ceil(8)) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            self.store(address, &bytes[..memory.size])?;
        }
        Ok(instruction.next_ip())
    }

    /// Runs the code of a slot on the guest's registers. After a host fault only MXCSR may have changed.
    fn run(&mut self, x87: bool, slot: usize) -> Result<(), HostFault> {
        let unit = &mut *self.native;
        let registers = &mut *self.registers;
        unit.block[context::GENERAL..context::GENERAL + 13].copy_from_slice(&registers.general[..13]);
        unit.block[context::SCRATCH_13] = registers.get(Gpr::R13);
        unit.block[context::SCRATCH_14] = registers.get(Gpr::R14);
        unit.block[context::SCRATCH_15] = registers.get(Gpr::R15);
        unit.block[context::RFLAGS] = registers.rflags & context::NATIVE_FLAGS;
        unit.block[context::EXIT] = 0;
        // Only the kernel could have set other bits, and the host would fault on them.
        registers.extended.mxcsr &= 0xffff;
        if x87 {
            native::load_x87(&registers.extended);
        }
        let code = unit.base + (slot * SLOT_BYTES) as u64;
        native::enter(&unit.memory, &mut unit.block, &mut registers.extended, code);
        if x87 {
            native::save_x87(&mut registers.extended);
            super::state::clean_x87(&mut registers.extended);
        }
        if unit.block[context::EXIT] == context::EXIT_FAULT {
            return Err(HostFault { signal: unit.block[context::FAULT_SIGNAL] });
        }
        registers.general[..13].copy_from_slice(&unit.block[context::GENERAL..context::GENERAL + 13]);
        registers.set(Gpr::R13, unit.block[context::SCRATCH_13]);
        registers.set(Gpr::R14, unit.block[context::SCRATCH_14]);
        registers.set(Gpr::R15, unit.block[context::SCRATCH_15]);
        let flags = unit.block[context::RFLAGS] & context::NATIVE_FLAGS;
        registers.rflags = registers.rflags & !context::NATIVE_FLAGS | flags;
        Ok(())
    }

    /// What a host fault in one instruction means.
    fn exception_of(&mut self, fault: HostFault, x87: bool) -> Trap {
        let (signal, code) = (fault.signal as i32, (fault.signal >> 32) as i32);
        let pending = x87_exception_pending(&self.registers.extended);
        Trap::Exception(match signal {
            libc::SIGFPE if code == FPE_INTDIV => Exception::Divide,
            libc::SIGFPE if x87 && pending => Exception::X87,
            libc::SIGFPE => Exception::Simd,
            // The host has no such instruction.
            libc::SIGILL => return self.invalid_opcode(),
            _ => Exception::GeneralProtection,
        })
    }
}

/// The host's signal number and, in the upper half, its code.
#[derive(Clone, Copy, Debug)]
struct HostFault {
    signal: u64,
}

/// ES of the x87 status word.
fn x87_exception_pending(state: &ExtendedState) -> bool {
    state.fxsave[2] & 0x80 != 0
}
