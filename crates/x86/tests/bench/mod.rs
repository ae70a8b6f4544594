//! A guest machine for tests: some memory, an address space, registers.
#![allow(dead_code, unreachable_pub)]

use machine::tlb_model::FlushCause;
use machine::{
    Entry, Exit, FrameNumber, Gpr, PageTable, PagingScheme, PhysicalMemory, Processor, Registers, Slice, Space, Tlb,
    Trap,
};
use x86::step::Stepper;

/// What may be done with a page, as entry bits.
pub const READ: u64 = Entry::USER | Entry::NO_EXECUTE;
pub const WRITE: u64 = READ | Entry::WRITABLE;
pub const EXECUTE: u64 = Entry::USER;
pub const ALL: u64 = Entry::USER | Entry::WRITABLE;

/// Where tests put code, data and the stack.
pub const CODE: u64 = 0x10_0000;
pub const DATA: u64 = 0x20_0000;
pub const STACK: u64 = 0x30_0000;

pub struct Machine {
    pub memory: PhysicalMemory,
    pub table: PageTable,
    pub tlb: Tlb,
    pub registers: Registers,
}

impl Machine {
    /// Nothing mapped.
    pub fn new() -> Machine {
        let mut memory = PhysicalMemory::new(16 << 20).unwrap();
        let table = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let tlb = Tlb::new(&memory);
        Machine { memory, table, tlb, registers: Registers::new() }
    }

    /// Two pages of code with these bytes, four of data, two of stack with rsp in the middle; rip at the code.
    pub fn with_code(code: &[u8]) -> Machine {
        let mut machine = Machine::new();
        for page in 0..2 {
            machine.map(CODE + (page << 12), ALL);
            machine.map(STACK + (page << 12), WRITE);
        }
        for page in 0..4 {
            machine.map(DATA + (page << 12), WRITE);
        }
        machine.poke(CODE, code);
        machine.registers.rip = CODE;
        machine.registers.set(Gpr::Rsp, STACK + 0x1000);
        machine
    }

    /// Maps a fresh frame of zeroes.
    pub fn map(&mut self, page: u64, bits: u64) -> FrameNumber {
        let frame = self.memory.allocate_zeroed().unwrap();
        self.map_frame(page, frame, bits);
        frame
    }

    pub fn map_frame(&mut self, page: u64, frame: FrameNumber, bits: u64) {
        self.table.set(&mut self.memory, page, Entry::new(frame, bits)).unwrap();
        self.tlb.flush_page(page, FlushCause::Protect);
    }

    pub fn unmap(&mut self, page: u64) {
        self.table.set(&mut self.memory, page, Entry::NONE).unwrap();
        self.tlb.flush_page(page, FlushCause::Protect);
    }

    /// Changes what may be done with a page.
    pub fn protect(&mut self, page: u64, bits: u64) {
        let frame = self.table.entry(&self.memory, page).frame();
        self.map_frame(page, frame, bits);
    }

    /// Writes whatever the rights are.
    pub fn poke(&mut self, address: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let address = address + done as u64;
            let offset = (address & 0xfff) as usize;
            let length = (4096 - offset).min(bytes.len() - done);
            let frame = self.table.entry(&self.memory, address).frame();
            self.memory.bytes_mut(frame)[offset..offset + length].copy_from_slice(&bytes[done..done + length]);
            done += length;
        }
    }

    /// Reads whatever the rights are.
    pub fn peek(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let address = address + bytes.len() as u64;
            let offset = (address & 0xfff) as usize;
            let frame = self.table.entry(&self.memory, address).frame();
            let part = (4096 - offset).min(length - bytes.len());
            bytes.extend_from_slice(&self.memory.bytes(frame)[offset..offset + part]);
        }
        bytes
    }

    pub fn peek_number(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.peek(address, 8).try_into().unwrap())
    }

    pub fn space(&mut self) -> (Space<'_>, &mut Registers) {
        (
            Space { memory: &mut self.memory, table: &mut self.table, tlb: &mut self.tlb, model: None },
            &mut self.registers,
        )
    }

    pub fn step(&mut self, stepper: &mut Stepper) -> Result<(), Trap> {
        let (mut space, registers) = self.space();
        stepper.step(&mut space, registers, 0)
    }

    pub fn run(&mut self, processor: &mut impl Processor, instructions: u64) -> Exit {
        let (space, registers) = self.space();
        processor.run(space, registers, Slice { instructions, time_stamp: 0 })
    }
}
