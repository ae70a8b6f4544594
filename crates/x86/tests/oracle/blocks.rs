//! Blocks of several random instructions: what one leaves in registers and flags, the next uses.

use super::compare;
use super::generate::{self, Case};
use super::random::Random;
use super::world::{CODE, CODE_BYTES, World};
use iced_x86::{Code, Instruction, Mnemonic};
use machine::{Exception, Gpr, Processor, Registers, Trap};
use std::fmt::Write;
use x86::native::oracle::BREAKPOINT;
use x86::step::Stepper;

/// A program in the code pages, and what it starts from.
pub struct Block {
    /// Everything that is not a breakpoint: address and bytes.
    pub parts: Vec<(u64, Vec<u8>)>,
    pub registers: Registers,
    pub memory: Vec<u8>,
    /// Instructions that complete before the breakpoint or the fault.
    pub instructions: u64,
    text: String,
    /// The instruction that runs last, and may fault.
    last: Instruction,
    /// Data accesses and TLB misses of the block when stepped with an empty TLB.
    counts: Option<(u64, u64)>,
}

/// Makes a block of about `length` instructions of `codes`, by stepping through it. The guest's memory is afterwards
/// as before.
pub fn generate(world: &mut World, stepper: &mut Stepper, codes: &[Code], length: usize, random: &mut Random) -> Block {
    let memory = world.snapshot();
    let mut registers = generate::registers(random);
    registers.extended.mxcsr |= if random.percent(95) { 0x1f80 } else { 0 };
    if random.percent(95) {
        // No x87 exception is unmasked or pending.
        registers.extended.fxsave[0] |= 0x3f;
        registers.extended.fxsave[2] &= 0x7f;
        registers.extended.fxsave[3] &= 0x7f;
    }
    // Pointers to begin with.
    for number in 0..16 {
        if number != Gpr::Rsp as usize && random.percent(50) {
            registers.general[number] = World::target(8, 8, random);
        }
    }
    registers.rip = CODE + 0x200 + random.below(0x1000);
    world.set_code(CODE, &[]);
    let mut block = Block {
        parts: Vec::new(),
        registers: registers.clone(),
        memory,
        instructions: 0,
        text: String::new(),
        last: Instruction::default(),
        counts: Some((0, 0)),
    };
    let mut used = vec![false; CODE_BYTES as usize];
    world.guest.registers = registers;
    world.guest.tlb.flush(machine::tlb_model::FlushCause::Unmap);
    let counts = (world.guest.tlb.accesses, world.guest.tlb.misses);
    for _ in 0..length {
        let code = random.pick(codes);
        if !block.append(world, stepper, code, &mut used, random) {
            break;
        }
    }
    if block.counts.is_some() {
        block.counts = Some((world.guest.tlb.accesses - counts.0, world.guest.tlb.misses - counts.1));
    }
    world.restore_guest(&block.memory);
    block
}

impl Block {
    /// Adds an instance of `code` where execution is, and steps through it. Whether the block can go on.
    fn append(
        &mut self,
        world: &mut World,
        stepper: &mut Stepper,
        code: Code,
        used: &mut [bool],
        random: &mut Random,
    ) -> bool {
        let before = world.guest.registers.clone();
        let room = |address: u64| {
            (CODE..CODE + CODE_BYTES - 256).contains(&address)
                && used[(address - CODE) as usize..(address - CODE) as usize + 200].iter().all(|used| !used)
        };
        if !room(before.rip) {
            return false;
        }
        let Some(case) = generate::next_case(code, random, before.rip, &before) else { return true };
        if !is_suitable(&case.instruction, world, &before) {
            return true;
        }
        let mut instructions: Vec<Vec<u8>> = (0..16)
            .filter(|number| case.registers.general[*number] != before.general[*number])
            .map(|number| generate::load_immediate(number, case.registers.general[number]))
            .collect();
        let start = before.rip + 10 * instructions.len() as u64;
        let Some(bytes) = encode_at(&case.instruction, start) else { return true };
        instructions.push(bytes);
        for bytes in instructions {
            let address = world.guest.registers.rip;
            used[(address - CODE) as usize..(address - CODE) as usize + bytes.len()].fill(true);
            world.guest.poke(address, &bytes);
            let mut decoder = iced_x86::Decoder::with_ip(64, &bytes, address, iced_x86::DecoderOptions::NONE);
            self.last = decoder.decode();
            writeln!(self.text, "    {address:#x} {} {bytes:02x?}", self.last).unwrap();
            self.parts.push((address, bytes));
            let outcome = world.guest.step(stepper);
            let landed = world.guest.registers.rip.wrapping_sub(CODE) as usize;
            // What a gather that faulted leaves in its mask differs between processors. A jump into what is there
            // already might never end.
            let gather = outcome.is_err() && case.instruction.memory_index().is_vector_register();
            if gather || outcome.is_ok() && used.get(landed) == Some(&true) {
                let undone = self.parts.pop().map_or(0, |(_, bytes)| bytes.len());
                world.guest.poke(address, &vec![0xcc; undone]);
                self.counts = None;
                return false;
            }
            if outcome.is_err() {
                return false;
            }
            self.instructions += 1;
        }
        true
    }
}

/// Whether an instruction can be in a block, where memory cannot be prepared for it.
fn is_suitable(instruction: &Instruction, world: &World, registers: &Registers) -> bool {
    let rsp = registers.get(Gpr::Rsp);
    match instruction.mnemonic() {
        Mnemonic::Ret => World::is_data(rsp, 8) && (CODE..CODE + CODE_BYTES).contains(&world.guest.peek_number(rsp)),
        // These would set flags that end everything, or go nowhere.
        Mnemonic::Retf | Mnemonic::Iretq | Mnemonic::Popf | Mnemonic::Popfq => false,
        Mnemonic::Jmp | Mnemonic::Call => instruction.op0_kind() != iced_x86::OpKind::Memory,
        // What is compared of these needs more care.
        Mnemonic::Maskmovq | Mnemonic::Maskmovdqu | Mnemonic::Vmaskmovdqu | Mnemonic::Enter => false,
        Mnemonic::Fnstenv | Mnemonic::Fnsave | Mnemonic::Fxsave | Mnemonic::Fxsave64 => false,
        Mnemonic::Xsave | Mnemonic::Xsave64 | Mnemonic::Xsaveopt | Mnemonic::Xsaveopt64 => false,
        Mnemonic::Xsavec | Mnemonic::Xsavec64 | Mnemonic::Xrstor | Mnemonic::Xrstor64 => false,
        Mnemonic::Wrfsbase | Mnemonic::Wrgsbase => false,
        _ => true,
    }
}

fn encode_at(instruction: &Instruction, address: u64) -> Option<Vec<u8>> {
    let mut encoder = iced_x86::Encoder::new(64);
    encoder.encode(instruction, address).ok()?;
    Some(encoder.take_buffer())
}

/// How often the processor runs a block, and what happens to the TLB before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// Once, with the TLB as it is.
    Once,
    /// Once, with an empty TLB.
    Cold,
    /// Twice, the second time with everything translated, linked and in the TLB.
    Twice,
}

/// Runs the block natively and on the processor, the latter in slices of the given lengths and then to the end.
///
/// # Errors
/// What differs.
pub fn run(
    world: &mut World,
    processor: &mut impl Processor,
    block: &Block,
    slices: &[u64],
    warmth: Warmth,
) -> Result<(), String> {
    world.restore(&block.memory);
    world.set_code(CODE, &[]);
    for (address, bytes) in &block.parts {
        world.set(*address, bytes);
    }
    let code = world.host.bytes(CODE, CODE_BYTES as usize).to_vec();
    let mut native = block.registers.clone();
    let event = world.run_host(&mut native);
    world.guest.registers = block.registers.clone();
    match warmth {
        Warmth::Once => {}
        Warmth::Cold => world.guest.tlb.flush(machine::tlb_model::FlushCause::Unmap),
        Warmth::Twice => {
            world.guest.run(processor, 1 << 16);
            world.restore_guest(&block.memory);
            world.guest.poke(CODE, &code);
            world.guest.registers = block.registers.clone();
        }
    }
    let mut report = String::new();
    let mut retired = 0;
    let counts = (world.guest.tlb.accesses, world.guest.tlb.misses);
    for slice in slices.iter().copied().chain([1 << 16]) {
        let exit = world.guest.run(processor, slice);
        retired += exit.instructions;
        if exit.trap == Trap::Budget && exit.instructions == slice && slice != 1 << 16 {
            continue;
        }
        // The breakpoint behind the block counts as an instruction.
        let expected = if event.vector == BREAKPOINT { block.instructions + 1 } else { block.instructions };
        let agrees = match (&exit.trap, compare::trap_of(&event)) {
            (Trap::Exception(Exception::Breakpoint), None) => {
                world.guest.registers.rip -= 1;
                true
            }
            (trap, Some(expected)) => compare::is_same_in_block(trap, &expected),
            _ => false,
        };
        if !agrees {
            writeln!(report, "  ended in {:?}, natively {event:x?}", exit.trap).unwrap();
        } else if retired != expected {
            writeln!(report, "  {retired} instructions retired, not {expected}").unwrap();
        }
        break;
    }
    let counts = (world.guest.tlb.accesses - counts.0, world.guest.tlb.misses - counts.1);
    // Translated code looks for the page before the host finds the operand misaligned, or an x87 exception pending;
    // and a page of code that is written is looked for again.
    let changed = world.host.bytes(CODE, CODE_BYTES as usize) != code;
    let counted = warmth == Warmth::Cold && !matches!(event.vector, 12 | 13 | 16) && !changed;
    if let Some(expected) = block.counts.filter(|_| counted)
        && counts != expected
    {
        writeln!(report, "  accesses and misses {counts:?}, stepped {expected:?}").unwrap();
    }
    let mut guest = world.guest.registers.clone();
    if event.vector != BREAKPOINT {
        // Translated code does not keep flags that the faulting instruction is about to overwrite.
        let mask = compare::overwritten_flags(&block.last);
        guest.rflags = guest.rflags & !mask | native.rflags & mask;
    }
    compare::registers(&mut report, &native, &guest);
    // A call to where nothing can be has pushed its return address here.
    let called = event.vector != BREAKPOINT && block.last.mnemonic() == Mnemonic::Call;
    let pushed = native.get(Gpr::Rsp).wrapping_sub(8)..native.get(Gpr::Rsp);
    for (address, host, guest) in world.differences() {
        if called && pushed.contains(&address) {
            continue;
        }
        writeln!(report, "  [{address:#x}] {guest:02x}, natively {host:02x}").unwrap();
    }
    if report.is_empty() {
        return Ok(());
    }
    let case = Case::of(Instruction::default(), block.registers.clone());
    Err(format!("slices {slices:?} {warmth:?}\n{}{}{report}", compare::describe(&case), block.text))
}
