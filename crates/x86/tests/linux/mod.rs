//! A handful of Linux system calls, so that static programs can run without the kernel crate: enough for libc's start,
//! memory, and output.
#![allow(dead_code, unreachable_pub)]

use machine::mmu::{self, Access};
use machine::tlb_model::FlushCause;
use machine::{Entry, Gpr, PageTable, PagingScheme, PhysicalMemory, Processor, Registers, Slice, Space, Tlb, Trap};

const WRITE: u64 = Entry::USER | Entry::WRITABLE;
const HEAP: u64 = 0x1000_0000_0000;
const STACK_TOP: u64 = 0x7fff_ffff_f000;
const STACK_BYTES: u64 = 8 << 20;

/// One process with one thread.
pub struct Guest {
    pub memory: PhysicalMemory,
    pub table: PageTable,
    pub tlb: Tlb,
    pub registers: Registers,
    pub instructions: u64,
    pub output: Vec<u8>,
    /// Instructions in a slice.
    pub slice: u64,
    lazy: Vec<std::ops::Range<u64>>,
    next_map: u64,
    heap_end: u64,
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Exited(u64),
    Trapped(Trap),
}

impl Guest {
    /// Loads a static program.
    pub fn load(elf: &[u8], arguments: &[&str]) -> Guest {
        let mut memory = PhysicalMemory::new(1 << 30).unwrap();
        let table = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let tlb = Tlb::new(&memory);
        let mut guest = Guest {
            memory,
            table,
            tlb,
            registers: Registers::new(),
            instructions: 0,
            output: Vec::new(),
            slice: 100_000,
            lazy: std::iter::once(STACK_TOP - STACK_BYTES..STACK_TOP).collect(),
            next_map: 0x2000_0000_0000,
            heap_end: HEAP,
        };
        let word = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().unwrap());
        let half = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().unwrap());
        assert_eq!(&elf[..4], b"\x7fELF");
        assert_eq!(half(16), 2, "the program is static and not position-independent");
        let (entry, headers, size, count) = (word(24), word(32) as usize, half(54) as usize, half(56) as usize);
        let mut headers_address = 0;
        for header in (0..count).map(|index| headers + index * size) {
            if elf[header] != 1 {
                continue;
            }
            let (offset, address, in_file, in_memory) =
                (word(header + 8), word(header + 16), word(header + 32), word(header + 40));
            let mut page = address & !0xfff;
            while page < address + in_memory {
                guest.map(page);
                page += 0x1000;
            }
            guest.write(address, &elf[offset as usize..(offset + in_file) as usize]);
            if offset == 0 {
                headers_address = address + headers as u64;
            }
        }
        guest.registers.rip = entry;
        guest.start_stack(arguments, [headers_address, size as u64, count as u64, entry]);
        guest
    }

    fn start_stack(&mut self, arguments: &[&str], [headers, size, count, entry]: [u64; 4]) {
        let mut top = STACK_TOP - 64;
        let mut pointers = Vec::new();
        for argument in arguments {
            top -= argument.len() as u64 + 1;
            self.write(top, argument.as_bytes());
            pointers.push(top);
        }
        let random = (top - 32) & !15;
        let mut words = vec![pointers.len() as u64];
        words.extend(pointers);
        words.extend([0, 0]); // no environment
        let clock_ticks = 100;
        for (key, value) in
            [(3, headers), (4, size), (5, count), (6, 4096), (9, entry), (17, clock_ticks), (25, random), (0, 0)]
        {
            words.extend([key, value]);
        }
        let top = (random - words.len() as u64 * 8) & !15;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(top, &bytes);
        self.registers.set(Gpr::Rsp, top);
    }

    fn map(&mut self, page: u64) {
        if self.table.entry(&self.memory, page) == Entry::NONE {
            let frame = self.memory.allocate_zeroed().unwrap();
            self.table.set(&mut self.memory, page, Entry::new(frame, WRITE)).unwrap();
            self.tlb.flush_page(page, FlushCause::Unmap);
        }
    }

    fn access(&mut self, address: u64) -> (machine::FrameNumber, usize) {
        if self.is_lazy(address) {
            self.map(address & !0xfff);
        }
        mmu::translate(&mut self.memory, &mut self.table, &mut self.tlb, address, Access::Write).unwrap()
    }

    fn is_lazy(&self, address: u64) -> bool {
        self.lazy.iter().any(|range| range.contains(&address)) || (HEAP..self.heap_end).contains(&address)
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            let (frame, offset) = self.access(address + index as u64);
            self.memory.bytes_mut(frame)[offset] = *byte;
        }
    }

    pub fn read(&mut self, address: u64, length: u64) -> Vec<u8> {
        (address..address + length)
            .map(|address| {
                let (frame, offset) = self.access(address);
                self.memory.bytes(frame)[offset]
            })
            .collect()
    }

    /// Runs to the end.
    pub fn run(&mut self, processor: &mut impl Processor) -> End {
        loop {
            let space = Space { memory: &mut self.memory, table: &mut self.table, tlb: &mut self.tlb, model: None };
            let slice = Slice { instructions: self.slice, time_stamp: self.instructions };
            let exit = processor.run(space, &mut self.registers, slice);
            self.instructions += exit.instructions;
            match exit.trap {
                Trap::Budget => {}
                Trap::Syscall => {
                    if let Some(status) = self.system_call() {
                        return End::Exited(status);
                    }
                }
                Trap::PageFault(fault) if !fault.present && self.is_lazy(fault.address) => {
                    self.map(fault.address & !0xfff);
                }
                trap => return End::Trapped(trap),
            }
        }
    }

    fn system_call(&mut self) -> Option<u64> {
        let argument = |register| self.registers.get(register);
        let number = argument(Gpr::Rax);
        let [first, second, third] = [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx].map(argument);
        const INVALID: u64 = (-22_i64) as u64;
        const MISSING: u64 = (-38_i64) as u64;
        let result = match number {
            1 => {
                let bytes = self.read(second, third);
                self.output.extend(bytes);
                third
            }
            20 => {
                let mut total = 0;
                for index in 0..third {
                    let vector = self.read(second + index * 16, 16);
                    let word = |at: usize| u64::from_le_bytes(vector[at..at + 8].try_into().unwrap());
                    let bytes = self.read(word(0), word(8));
                    self.output.extend(bytes);
                    total += word(8);
                }
                total
            }
            9 => {
                let length = (second + 0xfff) & !0xfff;
                let start = self.next_map;
                self.next_map += length + 0x1000;
                self.lazy.push(start..start + length);
                start
            }
            12 => {
                if (HEAP..HEAP + (1 << 30)).contains(&first) {
                    self.heap_end = first;
                }
                self.heap_end
            }
            10 | 11 | 13 | 14 | 28 => 0,
            25 => MISSING,
            39 | 186 => 1,
            96 => 0,
            158 if first == 0x1002 => {
                self.registers.fs_base = second;
                0
            }
            158 => INVALID,
            218 => 1,
            228 => {
                let now = self.instructions;
                let mut bytes = (now / 1_000_000_000).to_le_bytes().to_vec();
                bytes.extend((now % 1_000_000_000).to_le_bytes());
                self.write(second, &bytes);
                0
            }
            60 | 231 => return Some(first),
            16 => (-25_i64) as u64,
            _ => MISSING,
        };
        self.registers.set(Gpr::Rax, result);
        None
    }
}
