//! Random bytes as code: whatever they are, translated and stepped they do the same, and end in a trap.

use super::bench::{ALL, Machine, READ, WRITE};
use super::generate;
use super::random::Random;
use iced_x86::Code;
use machine::{Exception, Exit, Processor, Registers, Trap};
use x86::step::Stepper;

const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
const DATA_PAGES: u64 = 4;
/// The six arithmetic flags.
const ARITHMETIC: u64 = 0x8d5;

/// Bytes that are often instructions: whole ones, damaged ones, prefixes, noise.
fn bytes(codes: &[Code], random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < 0x600 {
        match random.below(10) {
            0 => bytes.push(random.next() as u8),
            1 => {
                bytes.push(random.pick(&[0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x48, 0x4f, 0x0f, 0xc4, 0xc5, 0x62]))
            }
            2 => bytes.extend(random.next().to_le_bytes()),
            _ => {
                let Some(case) = generate::case(random.pick(codes), random) else { continue };
                let mut one = case.bytes;
                if random.percent(15) {
                    let place = random.below(one.len() as u64) as usize;
                    one[place] ^= 1 << random.below(8);
                }
                bytes.extend(one);
            }
        }
    }
    bytes
}

pub struct Arena {
    pub machine: Machine,
    registers: Registers,
    code: Vec<u8>,
    data: Vec<u8>,
}

impl Arena {
    pub fn new() -> Arena {
        let mut machine = Machine::new();
        for page in 0..2 {
            machine.map(CODE + (page << 12), ALL);
        }
        for page in 0..DATA_PAGES {
            machine.map(DATA + (page << 12), if page == 2 { READ } else { WRITE });
        }
        Arena { machine, registers: Registers::new(), code: Vec::new(), data: Vec::new() }
    }

    pub fn randomise(&mut self, codes: &[Code], random: &mut Random) {
        self.code = vec![0xcc; 0x2000];
        let bytes = bytes(codes, random);
        let start = 0x1000 - bytes.len().min(0x1000) / 2;
        self.code[start..start + bytes.len()].copy_from_slice(&bytes);
        self.data = (0..DATA_PAGES * 512).flat_map(|_| random.word().to_le_bytes()).collect();
        self.registers = generate::registers(random);
        for register in &mut self.registers.general {
            if random.percent(70) {
                *register = DATA + random.below(DATA_PAGES << 12);
            }
        }
        self.registers.rip = CODE + start as u64;
        if random.percent(5) {
            // TF, AC
            self.registers.rflags |= random.pick(&[1 << 8, 1 << 18]);
        }
    }

    /// Runs from the beginning: the exits, and what is there afterwards.
    fn run(&mut self, processor: &mut impl Processor, slices: &[u64]) -> (Vec<Exit>, Registers, Vec<u8>, u64) {
        self.machine.poke(CODE, &self.code);
        self.machine.poke(DATA, &self.data);
        self.machine.registers = self.registers.clone();
        let accesses = self.machine.tlb.accesses;
        let mut exits = Vec::new();
        for slice in slices {
            let exit = self.machine.run(processor, *slice);
            let end = exit.trap != Trap::Budget;
            exits.push(exit);
            if end {
                break;
            }
        }
        let memory = [self.machine.peek(CODE, 0x2000), self.machine.peek(DATA, self.data.len())].concat();
        (exits, self.machine.registers.clone(), memory, self.machine.tlb.accesses - accesses)
    }

    /// Runs both ways.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(
        &mut self,
        stepper: &mut Stepper,
        processor: &mut impl Processor,
        slices: &[u64],
    ) -> Result<(), String> {
        let mut stepped = self.run(stepper, slices);
        let mut translated = self.run(processor, slices);
        let last = stepped.0.last().map(|exit| exit.trap.clone());
        // Flags that are about to be overwritten are not kept.
        if matches!(last, Some(Trap::Budget | Trap::PageFault(_) | Trap::Exception(_))) {
            stepped.1.rflags &= !ARITHMETIC;
            translated.1.rflags &= !ARITHMETIC;
        }
        if last == Some(Trap::Exception(Exception::GeneralProtection)) {
            // A call to where nothing can be has pushed its return address.
            let below = stepped.1.get(machine::Gpr::Rsp).wrapping_sub(8).wrapping_sub(DATA);
            for place in (0..8).map(|byte| below.wrapping_add(byte)).filter(|place| *place < DATA_PAGES << 12) {
                translated.2[0x2000 + place as usize] = stepped.2[0x2000 + place as usize];
            }
        }
        let agree = stepped == translated;
        if agree {
            return Ok(());
        }
        let mut report = format!("slices {slices:?}\n  stepped {:?}\n  translated {:?}\n", stepped.0, translated.0);
        super::compare::registers(&mut report, &stepped.1, &translated.1);
        for (place, (stepped, translated)) in stepped.2.iter().zip(&translated.2).enumerate() {
            if stepped != translated {
                report.push_str(&format!("  byte {place:#x} {translated:02x}, stepped {stepped:02x}\n"));
            }
        }
        report.push_str(&format!("  accesses {}, stepped {}\n", translated.3, stepped.3));
        report.push_str(&self.trace(stepper));
        Err(report)
    }

    /// The instructions that run, one by one.
    pub fn trace(&mut self, stepper: &mut Stepper) -> String {
        let mut text = format!("  {:x?} {:x}\n", self.registers.general, self.registers.rflags);
        self.machine.poke(CODE, &self.code);
        self.machine.poke(DATA, &self.data);
        self.machine.registers = self.registers.clone();
        for _ in 0..60 {
            let rip = self.machine.registers.rip;
            let bytes = if rip & !0x1fff == CODE {
                self.machine.peek(rip, 15.min(0x2000 - (rip & 0x1fff) as usize))
            } else {
                Vec::new()
            };
            let instruction = iced_x86::Decoder::with_ip(64, &bytes, rip, iced_x86::DecoderOptions::NONE).decode();
            let outcome = self.machine.step(stepper);
            text.push_str(&format!(
                "    {rip:#x} {instruction} {:02x?}\n",
                &bytes[..instruction.len().min(bytes.len())]
            ));
            if let Err(trap) = outcome
                && trap != Trap::Exception(Exception::SingleStep)
            {
                break;
            }
        }
        text
    }
}
