//! Runs a case both ways and tells the differences.

use super::generate::Case;
use super::world::World;
use iced_x86::{Instruction, Mnemonic, RflagsBits};
use machine::mmu::Access;
use machine::{Exception, Gpr, Registers, Trap};
use std::fmt::Write;
use x86::X86Processor;
use x86::assist::classify::{self, Handler};
use x86::native::oracle::{BREAKPOINT, Event};
use x86::step::Stepper;

/// Why host and guest do not agree.
pub enum Failure {
    /// The host's processor does not have the instruction.
    Missing,
    /// What differs.
    Differs(String),
}

/// What executes an instruction here.
pub enum Executor {
    /// One instruction, and no more.
    Step(Box<Stepper>),
    /// Translated code, up to the breakpoint behind the instruction.
    Translate(Box<X86Processor>),
}

impl Executor {
    fn execute(&mut self, world: &mut World, case: &Case) -> Result<(), Trap> {
        let processor = match self {
            Executor::Step(stepper) => return world.guest.step(stepper),
            Executor::Translate(processor) => processor,
        };
        let trap = world.guest.run(&mut **processor, 1000).trap;
        let registers = &mut world.guest.registers;
        match trap {
            Trap::Exception(Exception::Breakpoint) => {
                registers.rip -= 1;
                Ok(())
            }
            // The jump is done.
            Trap::PageFault(fault) if fault.access == Access::Execute && registers.rip != case.registers.rip => Ok(()),
            trap => Err(trap),
        }
    }
}

/// The arithmetic flags: their bits in `RflagsBits` and in RFLAGS.
const FLAGS: [(u32, u64); 6] = [
    (RflagsBits::OF, 1 << 11),
    (RflagsBits::SF, 1 << 7),
    (RflagsBits::ZF, 1 << 6),
    (RflagsBits::AF, 1 << 4),
    (RflagsBits::CF, 1 << 0),
    (RflagsBits::PF, 1 << 2),
];

/// The flags that an instruction may overwrite, as a mask of RFLAGS.
pub fn overwritten_flags(instruction: &Instruction) -> u64 {
    FLAGS.iter().filter(|(bit, _)| instruction.rflags_modified() & bit != 0).map(|(_, flag)| flag).sum()
}

/// One instruction.
pub fn single(world: &mut World, executor: &mut Executor, case: &Case) -> Result<(), Failure> {
    world.apply(&case.patches);
    world.set_code(case.registers.rip, &case.bytes);
    let mut native = case.registers.clone();
    let event = world.run_host(&mut native);
    world.guest.registers = case.registers.clone();
    let outcome = executor.execute(world, case);
    let handler = classify::handler(&case.instruction);
    if event.vector == 6 && handler != Handler::Gather {
        world.differences();
        return Err(Failure::Missing);
    }
    if outcome.is_err() && matches!(executor, Executor::Translate(_)) {
        // Translated code does not keep the flags that are about to be overwritten.
        let mask = overwritten_flags(&case.instruction);
        native.rflags = native.rflags & !mask | world.guest.registers.rflags & mask;
    }
    forgive(case, outcome.is_err(), &mut native, &world.guest.registers);
    let mut report = String::new();
    // A jump to where nothing can be executed is done; the fault is the next instruction's.
    let jumped = event.vector == 14 && event.error_code & 16 != 0 && native.rip != case.registers.rip;
    let expected = if jumped { None } else { trap_of(&event) };
    match (&outcome, &expected) {
        (Ok(()), None) => {}
        (Err(trap), Some(expected)) if is_same(trap, expected, handler, case.instruction.memory_size().size()) => {}
        // With a mask of zeroes it is the processor's choice whether the place may fault. Intel SDM 2B `maskmovdqu`.
        (Ok(()), Some(expected)) if handler == Handler::MaskedBytes && is_of_address(expected) => {
            native = world.guest.registers.clone();
        }
        _ => writeln!(report, "  ended in {outcome:?}, natively {event:x?}").unwrap(),
    }
    let guest = world.guest.registers.clone();
    finish(world, case, &native, &guest, expected.is_some(), report)
}

/// Takes over from the guest what processors do differently after a fault.
fn forgive(case: &Case, faulted: bool, native: &mut Registers, guest: &Registers) {
    if !faulted {
        return;
    }
    match case.instruction.mnemonic() {
        // The step into MMX is done, or not.
        Mnemonic::Maskmovq => native.extended.fxsave = guest.extended.fxsave,
        // Of masks that are not done, only the sign counts; the rest may have been filled with it.
        _ if case.instruction.memory_index().is_vector_register() => {
            let mask = case.instruction.op2_register().number();
            let size = if case.instruction.memory_size().size() == 8 { 8 } else { 4 };
            let mut signs = guest.extended.ymm[mask];
            for (sign, native) in signs.chunks_exact_mut(size).zip(native.extended.ymm[mask].chunks_exact(size)) {
                let last = sign.len() - 1;
                sign[last] = sign[last] & 0x7f | native[last] & 0x80;
            }
            native.extended.ymm[mask] = signs;
        }
        _ => {}
    }
}

fn finish(
    world: &mut World,
    case: &Case,
    native: &Registers,
    guest: &Registers,
    faulted: bool,
    mut report: String,
) -> Result<(), Failure> {
    registers(&mut report, native, guest);
    let mut ignored = ignored_memory(case);
    let masked = classify::handler(&case.instruction) == Handler::MaskedBytes;
    if (masked || case.instruction.mnemonic() == Mnemonic::Enter) && faulted {
        // The processor stores what comes before the fault; again when it goes on.
        ignored.push(0..u64::MAX);
    }
    if faulted && case.instruction.mnemonic() == Mnemonic::Call {
        // A call to where nothing can be has pushed its return address.
        let rsp = native.get(Gpr::Rsp);
        ignored.push(rsp.wrapping_sub(8)..rsp);
    }
    for (address, host, guest) in world.differences() {
        if ignored.iter().any(|range| range.contains(&address)) {
            continue;
        }
        writeln!(report, "  [{address:#x}] {guest:02x}, natively {host:02x}").unwrap();
    }
    if report.is_empty() { Ok(()) } else { Err(Failure::Differs(format!("{}{report}", describe(case)))) }
}

pub fn describe(case: &Case) -> String {
    let mut text = format!("{:?}: {} at {:#x}:", case.instruction.code(), case.instruction, case.registers.rip);
    for byte in &case.bytes {
        write!(text, " {byte:02x}").unwrap();
    }
    let general: Vec<String> = case.registers.general.iter().map(|value| format!("{value:x}")).collect();
    write!(text, "\n  general {}", general.join(" ")).unwrap();
    writeln!(
        text,
        "\n  rflags {:x} mxcsr {:x} fs {:x} gs {:x} x87 {:x?}",
        case.registers.rflags,
        case.registers.extended.mxcsr,
        case.registers.fs_base,
        case.registers.gs_base,
        &case.registers.extended.fxsave[..5]
    )
    .unwrap();
    text
}

/// Tells the registers that differ.
pub fn registers(report: &mut String, native: &Registers, guest: &Registers) {
    for number in 0..16 {
        let (native, guest) = (native.general[number], guest.general[number]);
        if native != guest {
            writeln!(report, "  general {number} {guest:#x}, natively {native:#x}").unwrap();
        }
    }
    let mut scalar = |name: &str, native: u64, guest: u64| {
        if native != guest {
            writeln!(report, "  {name} {guest:#x}, natively {native:#x}").unwrap();
        }
    };
    scalar("rip", native.rip, guest.rip);
    scalar("rflags", native.rflags, guest.rflags);
    scalar("fs base", native.fs_base, guest.fs_base);
    scalar("gs base", native.gs_base, guest.gs_base);
    scalar("mxcsr", native.extended.mxcsr.into(), guest.extended.mxcsr.into());
    for number in 0..16 {
        let (native, guest) = (native.extended.ymm[number], guest.extended.ymm[number]);
        if native != guest {
            writeln!(report, "  ymm{number} {guest:02x?}\n  natively {native:02x?}").unwrap();
        }
    }
    let (native, guest) = (&native.extended.fxsave, &guest.extended.fxsave);
    if native[..5] != guest[..5] {
        writeln!(report, "  x87 control, status, tags {:02x?}, natively {:02x?}", &guest[..5], &native[..5]).unwrap();
    }
    for number in 0..8 {
        let place = 32 + 16 * number..42 + 16 * number;
        if native[place.clone()] != guest[place.clone()] {
            writeln!(report, "  st{number} {:02x?}, natively {:02x?}", &guest[place.clone()], &native[place]).unwrap();
        }
    }
}

/// The trap that the host's exception stands for; `None` for the breakpoint behind the code.
pub fn trap_of(event: &Event) -> Option<Trap> {
    let exception = match event.vector {
        BREAKPOINT => return None,
        0 => Exception::Divide,
        6 => Exception::InvalidOpcode { bytes: Vec::new(), instruction: None },
        12 => Exception::StackFault,
        13 => Exception::GeneralProtection,
        14 => {
            let access = match event.error_code {
                code if code & 16 != 0 => Access::Execute,
                code if code & 2 != 0 => Access::Write,
                _ => Access::Read,
            };
            let present = event.error_code & 1 != 0;
            return Some(Trap::PageFault(machine::PageFault { address: event.address, access, present }));
        }
        16 => Exception::X87,
        19 => Exception::Simd,
        vector => panic!("the host raised exception {vector}"),
    };
    Some(Trap::Exception(exception))
}

fn is_same(trap: &Trap, expected: &Trap, handler: Handler, size: usize) -> bool {
    match (trap, expected) {
        // In which order these access their many bytes is not defined.
        _ if matches!(handler, Handler::State | Handler::MaskedBytes) || size == 10 => {
            trap == expected || is_of_address(trap) && is_of_address(expected)
        }
        (Trap::Exception(Exception::InvalidOpcode { .. }), Trap::Exception(Exception::InvalidOpcode { .. })) => true,
        // Linux says of addresses that are never the user's that they are present, arch/x86/mm/fault.c
        // `sanitize_error_code`.
        (Trap::PageFault(fault), Trap::PageFault(expected)) => {
            let kernel = fault.address >= (1 << 47) - 4096;
            let present = if kernel { true } else { fault.present };
            machine::PageFault { present, ..*fault } == *expected
        }
        _ => trap == expected,
    }
}

/// Whether the traps agree, as far as can be told without knowing the instruction.
pub fn is_same_in_block(trap: &Trap, expected: &Trap) -> bool {
    is_same(trap, expected, Handler::Generic, 0) || is_of_address(trap) && is_of_address(expected)
}

/// Whether the trap is about the place of an operand.
fn is_of_address(trap: &Trap) -> bool {
    matches!(trap, Trap::PageFault(_) | Trap::Exception(Exception::GeneralProtection | Exception::StackFault))
}

#[allow(clippy::single_range_in_vec_init)]
/// Where host and guest store different things by design: the x87 pointers, which are zero here, and MXCSR's mask.
fn ignored_memory(case: &Case) -> Vec<std::ops::Range<u64>> {
    let Some(address) = case.instruction.virtual_address(0, 0, |register, _, _| {
        Some(match register {
            iced_x86::Register::FS => case.registers.fs_base,
            iced_x86::Register::GS => case.registers.gs_base,
            register if register.is_segment_register() => 0,
            register => {
                let value = case.registers.general[register.number()];
                if register.size() == 4 { value & 0xffff_ffff } else { value }
            }
        })
    }) else {
        return Vec::new();
    };
    if address.checked_add(1 << 12).is_none() {
        return Vec::new();
    }
    match case.instruction.mnemonic() {
        Mnemonic::Fnstenv | Mnemonic::Fnsave => {
            use iced_x86::Code;
            if matches!(case.instruction.code(), Code::Fnstenv_m14byte | Code::Fnsave_m94byte) {
                vec![address + 6..address + 14]
            } else {
                vec![address + 12..address + 26]
            }
        }
        Mnemonic::Fxsave
        | Mnemonic::Fxsave64
        | Mnemonic::Xsave
        | Mnemonic::Xsave64
        | Mnemonic::Xsaveopt
        | Mnemonic::Xsaveopt64
        | Mnemonic::Xsavec
        | Mnemonic::Xsavec64 => {
            vec![address + 6..address + 24, address + 28..address + 32]
        }
        _ => Vec::new(),
    }
}
