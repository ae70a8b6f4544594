//! Code that is changed, mapped elsewhere or unmapped is never run as it was.

mod bench;

use bench::{ALL, CODE, DATA, EXECUTE, Machine, WRITE};
use machine::mmu::{Access, PageFault};
use machine::{Exception, Gpr, Trap};
use x86::{Options, X86Processor};

fn processor() -> X86Processor {
    X86Processor::with_options(Options { code_bytes: 1 << 20, ..Options::default() }).unwrap()
}

/// Runs to the next `syscall`; rax.
fn answer(machine: &mut Machine, processor: &mut X86Processor, rip: u64) -> u64 {
    machine.registers.rip = rip;
    let exit = machine.run(processor, 100_000);
    assert_eq!(exit.trap, Trap::Syscall);
    machine.registers.get(Gpr::Rax)
}

/// mov eax,value ; syscall
fn constant(value: u32) -> Vec<u8> {
    let mut code = vec![0xb8];
    code.extend(value.to_le_bytes());
    code.extend([0x0f, 0x05]);
    code
}

#[test]
fn an_instruction_that_the_block_itself_overwrites_runs_as_written() {
    // mov dword [rip+1],7 ; mov eax,1 ; syscall: the store changes the immediate of the next instruction.
    let mut code = vec![0xc7, 0x05, 1, 0, 0, 0, 7, 0, 0, 0];
    code.extend(constant(1));
    let mut machine = Machine::with_code(&code);
    let mut processor = processor();
    assert_eq!(answer(&mut machine, &mut processor, CODE), 7);
    // Again, now that the page has been written before: 9 over 7.
    machine.poke(CODE + 6, &[9]);
    assert_eq!(answer(&mut machine, &mut processor, CODE), 9);
}

#[test]
fn code_that_changes_in_a_loop_runs_as_written_each_time() {
    // add rsi,[the immediate]: the loop increments the immediate of `add eax,0` and runs it, ten times.
    let code = [
        0xb9, 10, 0, 0, 0, // mov ecx,10
        0x31, 0xc0, // xor eax,eax
        0x83, 0x05, 1, 0, 0, 0, 1, // loop: add dword [rip+1],1 (the immediate below)
        0x05, 0, 0, 0, 0, // add eax,imm32
        0xff, 0xc9, // dec ecx
        0x75, 0xf0, // jnz loop
        0x0f, 0x05,
    ];
    let mut machine = Machine::with_code(&code);
    assert_eq!(answer(&mut machine, &mut processor(), CODE), (1..=10).sum::<u64>());
}

#[test]
fn a_write_by_the_kernel_or_to_another_mapping_of_the_frame_is_seen() {
    let mut machine = Machine::with_code(&constant(1));
    let mut processor = processor();
    assert_eq!(answer(&mut machine, &mut processor, CODE), 1);
    machine.poke(CODE + 1, &[2]);
    assert_eq!(answer(&mut machine, &mut processor, CODE), 2);
    let frame = machine.table.entry(&machine.memory, CODE).frame();
    machine.map_frame(DATA + 0x10_0000, frame, WRITE);
    // At the start of the second page: mov byte [rbx+1],3 ; jmp CODE
    let mut writer = vec![0xc6, 0x43, 1, 3, 0xe9];
    writer.extend((-0x1009_i32).to_le_bytes());
    machine.poke(CODE + 0x1000, &writer);
    machine.registers.set(Gpr::Rbx, DATA + 0x10_0000);
    assert_eq!(answer(&mut machine, &mut processor, CODE + 0x1000), 3);
}

#[test]
fn a_page_that_is_exchanged_or_taken_away_is_noticed_behind_a_link() {
    // The first page jumps to the second.
    let mut machine = Machine::with_code(&[0xe9, 0xfb, 0x0f, 0, 0]);
    machine.poke(CODE + 0x1000, &constant(1));
    let mut processor = processor();
    for _ in 0..3 {
        assert_eq!(answer(&mut machine, &mut processor, CODE), 1);
    }
    let first = machine.table.entry(&machine.memory, CODE + 0x1000).frame();
    machine.map(CODE + 0x1000, EXECUTE);
    machine.poke(CODE + 0x1000, &constant(2));
    assert_eq!(answer(&mut machine, &mut processor, CODE), 2);
    machine.map_frame(CODE + 0x1000, first, EXECUTE);
    assert_eq!(answer(&mut machine, &mut processor, CODE), 1);
    machine.unmap(CODE + 0x1000);
    machine.registers.rip = CODE;
    let exit = machine.run(&mut processor, 100);
    let address = CODE + 0x1000;
    assert_eq!(exit.trap, Trap::PageFault(PageFault { address, access: Access::Execute, present: false }));
    assert_eq!(exit.instructions, 1);
    assert_eq!(machine.registers.rip, address);
    machine.map_frame(CODE + 0x1000, first, WRITE);
    let exit = machine.run(&mut processor, 100);
    assert_eq!(exit.trap, Trap::PageFault(PageFault { address, access: Access::Execute, present: true }));
}

#[test]
fn an_instruction_over_the_end_of_a_page_belongs_to_both() {
    // mov eax,imm32 of which two bytes are on the second page
    let mut machine = Machine::with_code(&[]);
    let start = CODE + 0x1000 - 3;
    machine.poke(start, &constant(0x0403_0201));
    let mut processor = processor();
    for _ in 0..3 {
        assert_eq!(answer(&mut machine, &mut processor, start), 0x0403_0201);
    }
    machine.poke(CODE + 0x1000, &[0x33]);
    assert_eq!(answer(&mut machine, &mut processor, start), 0x0433_0201);
    machine.map(CODE + 0x1000, EXECUTE);
    machine.poke(start, &constant(0x0504_0201));
    assert_eq!(answer(&mut machine, &mut processor, start), 0x0504_0201);
    machine.unmap(CODE + 0x1000);
    machine.registers.rip = start;
    let exit = machine.run(&mut processor, 100);
    let address = CODE + 0x1000;
    assert_eq!(exit.trap, Trap::PageFault(PageFault { address, access: Access::Execute, present: false }));
    assert_eq!((exit.instructions, machine.registers.rip), (0, start));
}

#[test]
fn two_address_spaces_share_what_is_the_same_and_only_that() {
    let mut machine = Machine::with_code(&constant(5));
    let mut processor = processor();
    assert_eq!(answer(&mut machine, &mut processor, CODE), 5);
    let blocks = processor.statistics().blocks;
    let mut other = Machine::with_code(&[]);
    // The other address space, in the same memory: the same frame of code at the same address.
    let frame = machine.table.entry(&machine.memory, CODE).frame();
    let mut table = machine::PageTable::new(machine::PagingScheme::x86_64(), &mut machine.memory).unwrap();
    table.set(&mut machine.memory, CODE, machine::Entry::new(frame, EXECUTE)).unwrap();
    other.table = table;
    other.tlb = machine::Tlb::new(&machine.memory);
    std::mem::swap(&mut machine.memory, &mut other.memory);
    assert_eq!(answer(&mut other, &mut processor, CODE), 5);
    assert_eq!(processor.statistics().blocks, blocks);
    other.map(CODE, ALL);
    other.poke(CODE, &constant(6));
    assert_eq!(answer(&mut other, &mut processor, CODE), 6);
    std::mem::swap(&mut machine.memory, &mut other.memory);
    assert_eq!(answer(&mut machine, &mut processor, CODE), 5);
}

#[test]
fn code_that_does_not_fit_the_code_memory_is_translated_again() {
    let mut machine = Machine::with_code(&[]);
    let mut processor = processor();
    for page in 0..200 {
        machine.map(0x100_0000 + (page << 12), EXECUTE);
        for block in 0..64 {
            machine.poke(0x100_0000 + (page << 12) + block * 64, &constant((page * 64 + block) as u32));
        }
    }
    for _ in 0..2 {
        for page in 0..200 {
            for block in 0..64 {
                let rip = 0x100_0000 + (page << 12) + block * 64;
                assert_eq!(answer(&mut machine, &mut processor, rip), page * 64 + block);
            }
        }
    }
    assert!(processor.statistics().resets > 0);
}

#[test]
fn exceptions_of_translated_code_are_exact() {
    // mov eax,1 ; xor edx,edx ; xor ecx,ecx ; div ecx
    let mut machine = Machine::with_code(&[0xb8, 1, 0, 0, 0, 0x31, 0xd2, 0x31, 0xc9, 0xf7, 0xf1]);
    let exit = machine.run(&mut processor(), 100);
    assert_eq!((exit.trap, exit.instructions), (Trap::Exception(Exception::Divide), 3));
    assert_eq!(machine.registers.rip, CODE + 9);
    // stmxcsr would be needed to unmask: mxcsr comes from the registers. divss xmm0,xmm1 with 0/0
    let mut machine = Machine::with_code(&[0x90, 0xf3, 0x0f, 0x5e, 0xc1]);
    machine.registers.extended.mxcsr = 0x1f00;
    let exit = machine.run(&mut processor(), 100);
    assert_eq!((exit.trap, exit.instructions), (Trap::Exception(Exception::Simd), 1));
    assert_eq!(machine.registers.rip, CODE + 1);
    // fld1 ; fldz ; fdivp with #Z unmasked ; fld1 raises #MF
    let mut machine = Machine::with_code(&[0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xd9, 0xe8]);
    machine.registers.extended.fxsave[..2].copy_from_slice(&0x37b_u16.to_le_bytes());
    let exit = machine.run(&mut processor(), 100);
    assert_eq!((exit.trap, exit.instructions), (Trap::Exception(Exception::X87), 3));
    assert_eq!(machine.registers.rip, CODE + 6);
}

#[test]
fn a_slice_ends_where_it_should() {
    // loop: inc eax ; jmp loop
    let mut machine = Machine::with_code(&[0xff, 0xc0, 0xeb, 0xfc]);
    let mut processor = processor();
    for (slice, total) in [(1, 1), (1, 2), (2, 4), (1001, 1005), (100_000, 101_005)] {
        let exit = machine.run(&mut processor, slice);
        assert_eq!((exit.trap, exit.instructions), (Trap::Budget, slice));
        assert_eq!(machine.registers.get(Gpr::Rax), u64::div_ceil(total, 2));
    }
}

#[test]
fn an_address_that_is_not_canonical_is_a_general_protection_fault() {
    // mov ecx,[rbx] at first where it may, then where no address is: sites that remember nothing must not match.
    for address in [1 << 63, (1 << 63) + 0xff8, (1 << 63) - 8, 0x8000_0000_0000] {
        let mut machine = Machine::with_code(&[0x90, 0x48, 0x8b, 0x0b, 0x48, 0x89, 0x4b, 0x08]);
        let mut processor = processor();
        machine.registers.set(Gpr::Rbx, address);
        let exit = machine.run(&mut processor, 100);
        assert_eq!((exit.trap, exit.instructions), (Trap::Exception(Exception::GeneralProtection), 1));
        assert_eq!(machine.registers.rip, CODE + 1);
    }
}
