//! Random programs of ordinary instructions, run in translated code and one instruction at a time: the two must agree on
//! registers, memory, instruction counts and traps, whatever the options and wherever slices end.

mod bench;

use bench::{CODE, DATA, EXECUTE, Machine, STACK, WRITE};
use machine::{Exit, Gpr, Processor, Trap};
use x86::step::Stepper;
use x86::{Options, X86Processor};

/// Data pages, a hole behind them.
const DATA_PAGES: u64 = 4;
/// Registers that hold addresses, and are changed only by small amounts.
const POINTERS: [u8; 7] = [3, 5, 6, 7, 12, 13, 15];
/// Registers that hold anything.
const VALUES: [u8; 6] = [0, 2, 8, 10, 11, 14];
/// A register that holds a small number, for indices.
const INDEX: u8 = 9;

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

struct Generator {
    random: Random,
    code: Vec<u8>,
}

impl Generator {
    /// An instruction with a ModRM byte: optional prefixes, REX by need, opcode, operands, immediate.
    fn with_mod_rm(&mut self, prefixes: &[u8], wide: bool, opcode: &[u8], register: u8, memory: bool, other: u8) {
        self.code.extend_from_slice(prefixes);
        let mut rex = u8::from(wide) << 3 | (register >> 3) << 2;
        let mut tail = Vec::new();
        if memory {
            let base = self.random.of(&POINTERS);
            let displacement = (self.random.below(128) as i8).wrapping_sub(64);
            let field = (register & 7) << 3;
            match self.random.below(8) {
                0 => {
                    // An address relative to rip: somewhere in the first data page. Filled in when the length is known.
                    tail.extend([field | 5, 0, 0, 0, 0]);
                }
                1 | 2 => {
                    rex |= 2 | base >> 3;
                    let scale = self.random.below(4) as u8;
                    tail.extend([0x44 | field, scale << 6 | (INDEX & 7) << 3 | base & 7, displacement as u8]);
                }
                3 => {
                    rex |= base >> 3;
                    if base & 7 == 4 || base & 7 == 5 {
                        tail.extend([0x44 | field, 0x20 | base & 7, 0]);
                    } else {
                        tail.push(field | base & 7);
                    }
                }
                _ => {
                    rex |= base >> 3;
                    tail.push(0x40 | field | base & 7);
                    if base & 7 == 4 {
                        tail.push(0x24);
                    }
                    tail.push(displacement as u8);
                }
            }
        } else {
            rex |= other >> 3;
            tail.push(0xc0 | (register & 7) << 3 | other & 7);
        }
        // Always, so that byte registers are the low ones.
        self.code.push(0x40 | rex);
        self.code.extend_from_slice(opcode);
        if tail.len() == 5 {
            let end = CODE + self.code.len() as u64 + 5 + u64::from(opcode_immediate(prefixes, opcode));
            let target = DATA + self.random.below(0x1008);
            tail[1..].copy_from_slice(&(target.wrapping_sub(end) as u32).to_le_bytes());
        }
        self.code.extend(tail);
        for _ in 0..opcode_immediate(prefixes, opcode) {
            let byte = self.random.next() as u8;
            self.code.push(byte);
        }
    }

    fn instruction(&mut self) {
        let value = self.random.of(&VALUES);
        let other = self.random.of(&VALUES);
        let memory = self.random.below(2) == 0;
        let wide = self.random.below(2) == 0;
        match self.random.below(34) {
            // add or adc sbb and sub xor cmp: r/m,r and r,r/m, of all sizes
            0..=5 => {
                let operation = self.random.below(8) as u8 * 8 + self.random.below(4) as u8;
                let prefix: &[u8] = if self.random.below(6) == 0 { &[0x66] } else { &[] };
                self.with_mod_rm(prefix, wide, &[operation], value, memory, other);
            }
            6 | 7 => {
                let opcode = self.random.of(&[0x88, 0x89, 0x8a, 0x8b, 0x84, 0x85, 0x63]);
                self.with_mod_rm(&[], wide, &[opcode], value, memory, other);
            }
            8 => {
                // group 1 with an immediate
                let operation = self.random.below(8) as u8;
                let opcode = self.random.of(&[0x80, 0x83]);
                self.with_mod_rm(&[], wide, &[opcode], operation, memory, other);
            }
            9 => {
                // shifts and rotations by an immediate, by one, by cl
                let operation = self.random.of(&[0, 1, 2, 3, 4, 5, 7]);
                let opcode = self.random.of(&[0xc0, 0xc1, 0xd0, 0xd1, 0xd3]);
                self.with_mod_rm(&[], wide, &[opcode], operation, memory, other);
            }
            10 => {
                // not neg mul imul div idiv
                let operation = self.random.of(&[2, 3, 2, 3, 4, 5, 4, 5, 6, 7]);
                self.with_mod_rm(&[], wide, &[0xf7], operation, memory, other);
            }
            11 => {
                let condition = self.random.below(16) as u8;
                self.with_mod_rm(&[], wide, &[0x0f, 0x40 | condition], value, memory, other);
            }
            12 => {
                let condition = self.random.below(16) as u8;
                self.with_mod_rm(&[], false, &[0x0f, 0x90 | condition], 0, memory, other);
            }
            13 => {
                let second = self.random.of(&[0xb6, 0xb7, 0xbe, 0xbf, 0xaf, 0xc0, 0xc1, 0xb0, 0xb1]);
                self.with_mod_rm(&[], wide, &[0x0f, second], value, memory, other);
            }
            14 => {
                // Pointers move.
                let pointer = self.random.of(&POINTERS);
                let operation = self.random.of(&[0, 5]);
                let by = self.random.below(48) as u8;
                self.code.extend([0x48 | pointer >> 3, 0x83, 0xc0 | operation << 3 | pointer & 7, by]);
            }
            15 => {
                let (to, from) = (self.random.of(&POINTERS), self.random.of(&POINTERS));
                let rex = 0x48 | (to >> 3) << 2 | from >> 3;
                if self.random.below(2) == 0 {
                    self.code.extend([rex, 0x8b, 0xc0 | (to & 7) << 3 | from & 7]);
                } else {
                    self.code.extend([rex, 0x8d, 0x40 | (to & 7) << 3 | from & 7]);
                    if from & 7 == 4 {
                        self.code.push(0x24);
                    }
                    let by = (self.random.below(64) as i8).wrapping_sub(32);
                    self.code.push(by as u8);
                }
            }
            16 | 17 => {
                // push, pop; sometimes pairs so that the stack stays where it is
                let rex = 0x40 | value >> 3;
                self.code.extend([rex, 0x50 | value & 7]);
                if self.random.below(3) != 0 {
                    self.code.extend([0x40 | other >> 3, 0x58 | other & 7]);
                }
            }
            18 => {
                let byte = self.random.next() as u8;
                self.code.extend([0x6a, byte]);
                self.with_mod_rm(&[], false, &[0xff], 6, true, 0);
            }
            19 => {
                // vectors without alignment
                let opcode = self.random.of(&[0x10, 0x11, 0x10, 0x11, 0x14]);
                let register = self.random.below(16) as u8;
                if opcode == 0x14 {
                    self.with_mod_rm(&[0x66], false, &[0x0f, 0xef], register, false, other);
                } else {
                    self.with_mod_rm(&[], false, &[0x0f, opcode], register, memory, other);
                }
            }
            20 => {
                // movaps: may raise #GP
                let opcode = self.random.of(&[0x28, 0x29]);
                let aligned = self.random.below(8) == 0;
                self.with_mod_rm(&[], false, &[0x0f, opcode], self_register(value), aligned, other);
            }
            21 => {
                // movd, movq, addsd, mulsd, cvtsi2sd
                let (prefix, second) =
                    self.random.of(&[(0x66, 0x6e), (0x66, 0x7e), (0xf2, 0x58), (0xf2, 0x59), (0xf2, 0x2a)]);
                self.with_mod_rm(&[prefix], wide, &[0x0f, second], value, memory, other);
            }
            22 => {
                // string instructions: rcx is small
                self.code.extend([0xb9, self.random.below(40) as u8, 0, 0, 0]);
                let opcode = self.random.of(&[0xa4, 0xa5, 0xaa, 0xab]);
                if self.random.below(2) == 0 {
                    self.code.push(0xf3);
                }
                if wide {
                    self.code.push(0x48);
                }
                self.code.push(opcode);
            }
            23 => {
                // high bytes: no REX
                let opcode = self.random.of(&[0x00, 0x02, 0x88, 0x8a, 0x38]);
                let register = self.random.of(&[4, 6, 0, 2]);
                let base = self.random.of(&[3, 6, 7]);
                self.code.extend([opcode, 0x40 | register << 3 | base, self.random.below(100) as u8]);
            }
            24 => {
                // a short jump over some bytes that decode: a few one-byte instructions
                let condition = self.random.below(16) as u8;
                self.code.extend([0x70 | condition, 3, 0xf8, 0xf5, 0xf9]);
            }
            25 => {
                // loop: mov ecx,n ; add ; dec ecx ; jnz
                let count = self.random.below(5) as u8 + 1;
                self.code.extend([0xb9, count, 0, 0, 0]);
                let start = self.code.len();
                self.with_mod_rm(&[], wide, &[0x03], value, memory, other);
                self.with_mod_rm(&[], wide, &[0x11], value, memory, other);
                self.code.extend([0xff, 0xc9, 0x75]);
                let back = start as i64 - (self.code.len() as i64 + 1);
                self.code.push(back as i8 as u8);
            }
            26 => {
                // call over a jump, return
                self.code.extend([0xe8, 2, 0, 0, 0, 0xeb, 0x0b]);
                let start = self.code.len();
                self.with_mod_rm(&[], wide, &[0x01], value, memory, other);
                self.code.push(0xc3);
                while self.code.len() < start + 11 {
                    self.code.push(0x90);
                }
            }
            27 => {
                let opcode = self.random.of(&[0x9f, 0x9e, 0xf8, 0xf9, 0xf5, 0x98, 0x99, 0xfc]);
                self.code.push(opcode);
            }
            28 => {
                // what is stepped: cpuid, pushfq; popfq is left out, it could set TF
                let choice: &[u8] = self.random.of(&[&[0x9c], &[0x48, 0x8d, 0x64, 0x24, 0xf8]]);
                self.code.extend_from_slice(choice);
            }
            29 => {
                // x87: fld1, fld tbyte/qword, fadd, fstp
                self.code.extend([0xd9, 0xe8]);
                self.with_mod_rm(&[], false, &[0xdc], 0, true, 0);
                self.with_mod_rm(&[], false, &[0xdd], 3, true, 0);
            }
            30 => {
                // bmi and vex: andn, shlx, vmovdqu, vpxor
                let pointer = self.random.of(&[3, 6, 7]);
                let displacement = self.random.below(100) as u8;
                match self.random.below(4) {
                    0 => self.code.extend([0xc4, 0xe2, 0xe8, 0xf2, 0x40 | pointer, displacement]),
                    1 => self.code.extend([0xc4, 0xc2, 0x89, 0xf7, 0xc2]),
                    2 => self.code.extend([0xc5, 0xfe, 0x6f, 0x48 | pointer, displacement]),
                    _ => self.code.extend([0xc5, 0xfe, 0x7f, 0x48 | pointer, displacement]),
                }
            }
            31 => {
                // test and bt with an immediate
                self.with_mod_rm(&[], wide, &[0x0f, 0xba], self_register(4 + (value & 3)), memory, other);
            }
            32 => {
                // a fixed index again
                let small = self.random.below(24) as u8;
                self.code.extend([0x41, 0xb9, small, 0, 0, 0]);
            }
            _ => {
                // lea relative to rip, xchg
                if memory {
                    self.with_mod_rm(&[], true, &[0x8d], value, true, 0);
                } else {
                    self.with_mod_rm(&[], wide, &[0x87], value, true, other);
                }
            }
        }
    }
}

fn self_register(number: u8) -> u8 {
    number & 15
}

/// Bytes of the immediate of the opcodes used here.
fn opcode_immediate(_prefixes: &[u8], opcode: &[u8]) -> u8 {
    match opcode {
        [0x80 | 0x83 | 0xc0 | 0xc1] | [0x0f, 0xba] => 1,
        _ => 0,
    }
}

fn program(seed: u64) -> Machine {
    let mut generator = Generator { random: Random(seed | 1 << 40), code: Vec::new() };
    for _ in 0..10 {
        generator.random.next();
    }
    let length = 20 + generator.random.below(80);
    for _ in 0..length {
        generator.instruction();
    }
    generator.code.extend([0x0f, 0x05]);
    let mut random = generator.random;
    let mut machine = Machine::with_code(&[]);
    machine.map(DATA + DATA_PAGES * 0x1000 + 0x8000, WRITE);
    // Neighbours are not always neighbours in physical memory.
    for page in (DATA..DATA + DATA_PAGES * 0x1000).step_by(0x1000) {
        if random.below(2) == 0 {
            machine.map(page, WRITE);
        }
    }
    // Sometimes the code lies across a page's end.
    let shift = if random.below(2) == 0 { 0xfc0 - random.below(0x40) } else { 0 };
    machine.poke(CODE + shift, &generator.code);
    machine.registers.rip = CODE + shift;
    for page in 0..2 {
        machine.protect(CODE + (page << 12), EXECUTE);
    }
    let bytes: Vec<u8> = (0..DATA_PAGES << 12).map(|_| random.next() as u8 & 0x3f).collect();
    machine.poke(DATA, &bytes);
    for register in VALUES {
        machine.registers.general[usize::from(register)] = random.next() >> random.below(64);
    }
    for register in POINTERS {
        let page = random.below(DATA_PAGES) << 12;
        let offset = if random.below(3) == 0 { 0xfc0 + random.below(0x40) } else { random.below(0x1000) };
        machine.registers.general[usize::from(register)] = (DATA + page + offset) & !(random.below(2) * 15);
    }
    machine.registers.general[usize::from(INDEX)] = random.below(16);
    machine.registers.set(Gpr::Rcx, random.below(64));
    machine.registers.set(Gpr::Rsp, STACK + 0x1000 + random.below(8) * 8);
    for ymm in &mut machine.registers.extended.ymm {
        for byte in ymm {
            *byte = random.next() as u8;
        }
    }
    machine
}

/// Runs in slices until something else than the budget ends it; the trap and the instructions.
fn finish(machine: &mut Machine, processor: &mut impl Processor, slices: &mut Random) -> (Trap, u64) {
    let mut instructions = 0;
    loop {
        let slice = if slices.below(3) == 0 { slices.below(30) + 1 } else { 100_000 };
        let Exit { trap, instructions: retired } = machine.run(processor, slice);
        instructions += retired;
        assert!(instructions < 1_000_000, "the programs end");
        if trap != Trap::Budget {
            return (trap, instructions);
        }
        assert_eq!(retired, slice, "the budget is used up to the instruction");
    }
}

fn compare(seed: u64, processor: &mut X86Processor, stepper: &mut Stepper, name: &str) {
    let (mut fast, mut slow) = (program(seed), program(seed));
    let start = slow.registers.clone();
    let fast_end = finish(&mut fast, processor, &mut Random(seed ^ 0x5555_0000));
    let slow_end = finish(&mut slow, stepper, &mut Random(1));
    let context = || {
        let code = slow.peek(start.rip, 0x300.min((CODE + 0x2000 - start.rip) as usize));
        let mut text = format!("seed {seed} ({name}), from {:x}:\n", start.rip);
        for instruction in &mut iced_x86::Decoder::with_ip(64, &code, start.rip, 0) {
            text.push_str(&format!("{:x} {instruction}\n", instruction.ip()));
            if instruction.mnemonic() == iced_x86::Mnemonic::Syscall {
                break;
            }
        }
        text + &format!("start {:x?}\n", start.general)
    };
    assert_eq!(fast_end, slow_end, "{}", context());
    assert_eq!(fast.registers.rip, slow.registers.rip, "{}", context());
    assert_eq!(fast.registers.general.map(Hex), slow.registers.general.map(Hex), "{}", context());
    if fast_end.0 == Trap::Syscall {
        assert_eq!(fast.registers.rflags, slow.registers.rflags, "{}", context());
    }
    assert!(fast.registers.extended == slow.registers.extended, "vectors: {}", context());
    for page in 0..DATA_PAGES + 8 {
        let address = if page < DATA_PAGES { DATA + (page << 12) } else { STACK + ((page & 1) << 12) };
        assert!(fast.peek(address, 4096) == slow.peek(address, 4096), "memory at {address:x}: {}", context());
    }
    assert_eq!(fast.tlb.accesses, slow.tlb.accesses, "accesses: {}", context());
}

#[derive(PartialEq)]
struct Hex(u64);

impl std::fmt::Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

fn compare_many(options: Options, seeds: std::ops::Range<u64>, name: &str) {
    let mut stepper = Stepper::new(1).unwrap();
    for seed in seeds {
        // A processor knows frames by their numbers, so each memory has its own.
        let mut processor = X86Processor::with_options(Options { code_bytes: 1 << 20, ..options }).unwrap();
        compare(seed, &mut processor, &mut stepper, name);
    }
}

fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    first..first + std::env::var("BELLJAR_TEST_SEEDS").map_or(count, |text| text.parse().unwrap())
}

#[test]
fn translated_programs_do_what_stepped_ones_do() {
    compare_many(Options::default(), seeds(0, 3000), "default");
}

#[test]
fn blocks_of_one_instruction_do_the_same() {
    compare_many(Options { block_instructions: 1, ..Options::default() }, seeds(10_000, 500), "single");
}

#[test]
fn basic_blocks_do_the_same() {
    compare_many(Options { traces: false, ..Options::default() }, seeds(20_000, 500), "basic blocks");
}

#[test]
fn accesses_checked_apart_do_the_same() {
    compare_many(Options { groups: false, ..Options::default() }, seeds(30_000, 500), "apart");
}
