//! What every way of running must keep: code that changes, slices that end anywhere, faults in the middle, operands at
//! page borders, exceptions. Each test runs stepped and translated.

mod bench;

use bench::{ALL, CODE, DATA, EXECUTE, Machine, READ, STACK, WRITE};
use machine::mmu::{Access, PageFault};
use machine::{Exception, Exit, Gpr, Processor, Registers, Trap};
use x86::step::Stepper;
use x86::{Options, X86Processor};

/// A way to make a processor, and its name. A processor belongs to one machine.
type Maker = Box<dyn Fn() -> Box<dyn Processor>>;

/// Makers of each kind of processor.
fn processors() -> Vec<(String, Maker)> {
    let default = Options { code_bytes: 1 << 20, ..Options::default() };
    let mut all: Vec<(String, Maker)> = vec![("stepped".to_owned(), Box::new(|| Box::new(Stepper::new(1).unwrap())))];
    for options in [
        default,
        Options { traces: false, ..default },
        Options { groups: false, ..default },
        Options { block_instructions: 1, ..default },
    ] {
        let maker: Maker = Box::new(move || Box::new(X86Processor::with_options(options).unwrap()));
        all.push((format!("{options:?}"), maker));
    }
    all
}

fn run(machine: &mut Machine, processor: &mut dyn Processor, instructions: u64) -> Exit {
    let (space, registers) = machine.space();
    processor.run(space, registers, machine::Slice { instructions, time_stamp: 0 })
}

fn page_fault(address: u64, access: Access, present: bool) -> Trap {
    Trap::PageFault(PageFault { address, access, present })
}

/// Runs to the `int3` at the end; rip is then at it.
fn finish(name: &str, machine: &mut Machine, processor: &mut dyn Processor) {
    let exit = run(machine, processor, 100_000);
    assert_eq!(exit.trap, Trap::Exception(Exception::Breakpoint), "{name}");
    machine.registers.rip -= 1;
}

#[test]
fn code_that_changes_the_next_instruction_runs_the_new_one() {
    for (name, make) in processors() {
        // mov byte [rip+1],7 ; mov al,1 ; int3
        let mut machine = Machine::with_code(&[0xc6, 0x05, 1, 0, 0, 0, 7, 0xb0, 1, 0xcc]);
        let mut processor = make();
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rax) & 0xff, 7, "{name}");
        machine.registers.rip = CODE;
        machine.poke(CODE + 6, &[9]);
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rax) & 0xff, 9, "{name}");
    }
}

#[test]
fn a_loop_that_changes_itself_runs_every_version() {
    for (name, make) in processors() {
        // again: add eax,1 (83 c0 01) ; inc byte [rip-7] (its immediate) ; dec ecx ; jnz again ; int3
        let code = [0x83, 0xc0, 1, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75, 0xf3, 0xcc];
        let mut machine = Machine::with_code(&code);
        let mut processor = make();
        machine.registers.set(Gpr::Rcx, 20);
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rax), (1..=20).sum::<u64>(), "{name}");
    }
}

#[test]
fn code_changed_through_another_mapping_is_run_as_it_is_now() {
    for (name, make) in processors() {
        // mov [rbx],cl ; jmp next ; next: mov al,1 ; int3
        let mut machine = Machine::with_code(&[0x88, 0x0b, 0xeb, 0, 0xb0, 1, 0xcc]);
        let mut processor = make();
        let frame = machine.table.entry(&machine.memory, CODE).frame();
        machine.protect(CODE, EXECUTE);
        machine.map_frame(DATA + 0x8000, frame, WRITE);
        machine.registers.set(Gpr::Rbx, DATA + 0x8005);
        for value in [3, 4, 5] {
            machine.registers.rip = CODE;
            machine.registers.set(Gpr::Rcx, value);
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.get(Gpr::Rax) & 0xff, value, "{name}");
        }
    }
}

#[test]
fn code_changed_by_a_string_store_is_run_as_it_is_now() {
    for (name, make) in processors() {
        // rep stosb ; nop (8) ; mov al,1 ; int3 at the end: the nops become inc ebx pairs
        let mut code = vec![0xf3, 0xaa];
        code.extend([0x90; 16]);
        code.extend([0xb0, 1, 0xcc]);
        let mut machine = Machine::with_code(&code);
        let mut processor = make();
        for (value, length) in [(0x90, 4), (0x91, 8), (0xf8, 16), (0xf9, 16)] {
            machine.registers.rip = CODE;
            machine.registers.set(Gpr::Rax, value);
            machine.registers.set(Gpr::Rdi, CODE + 2);
            machine.registers.set(Gpr::Rcx, length);
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.rflags & 1, u64::from(value == 0xf9), "{name}");
        }
    }
}

#[test]
fn code_that_was_unmapped_or_may_not_be_executed_any_more_faults() {
    for (name, make) in processors() {
        // loop: jmp over ; over: jmp loop, on two pages
        let mut machine = Machine::with_code(&[0xe9, 0xfb, 0x0f, 0, 0]);
        let mut processor = make();
        machine.poke(CODE + 0x1000, &[0xe9, 0xfb, 0xef, 0xff, 0xff]);
        assert_eq!(run(&mut machine, &mut *processor, 1000).trap, Trap::Budget, "{name}");
        machine.protect(CODE + 0x1000, WRITE);
        let exit = run(&mut machine, &mut *processor, 1000);
        assert_eq!(exit.trap, page_fault(CODE + 0x1000, Access::Execute, true), "{name}");
        machine.protect(CODE + 0x1000, EXECUTE);
        assert_eq!(run(&mut machine, &mut *processor, 1000).trap, Trap::Budget, "{name}");
        machine.unmap(CODE);
        let exit = run(&mut machine, &mut *processor, 1000);
        assert_eq!(exit.trap, page_fault(CODE, Access::Execute, false), "{name}");
        // Other code in its place.
        machine.map(CODE, EXECUTE);
        machine.poke(CODE, &[0xb0, 5, 0xcc]);
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rax), 5, "{name}");
    }
}

#[test]
fn two_address_spaces_with_different_code_at_one_address_run_their_own() {
    for (name, make) in processors() {
        let mut machine = Machine::with_code(&[0xb0, 1, 0xcc]);
        let mut processor = make();
        let first = machine.table.entry(&machine.memory, CODE).frame();
        let second = machine.map(CODE, EXECUTE);
        machine.poke(CODE, &[0xb0, 2, 0xcc]);
        for (frame, expected) in [(first, 1), (second, 2), (first, 1), (second, 2)] {
            machine.map_frame(CODE, frame, EXECUTE);
            machine.registers.rip = CODE;
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.get(Gpr::Rax), expected, "{name}");
        }
    }
}

/// A loop with memory, stack, calls, vectors, x87 and a string instruction; ends with a system call.
#[rustfmt::skip]
const PROGRAM: [u8; 46] = [
    0xb9, 5, 0, 0, 0,       // mov ecx,5
    0x48, 0x01, 0x0b,       // again: add [rbx],rcx
    0x48, 0x8b, 0x03,       // mov rax,[rbx]
    0x50,                   // push rax
    0xe8, 0x14, 0, 0, 0,    // call function
    0x5a,                   // pop rdx
    0x0f, 0x28, 0x03,       // movaps xmm0,[rbx]
    0x66, 0x0f, 0xd4, 0xc8, // paddq xmm1,xmm0
    0xdd, 0x03,             // fld qword [rbx]
    0xdd, 0x5b, 0x10,       // fstp qword [rbx+16]
    0xa4,                   // movsb
    0xff, 0xc9,             // dec ecx
    0x75, 0xe2,             // jnz again
    0x0f, 0x05,             // syscall
    0x48, 0x6b, 0xc0, 3,    // function: imul rax,rax,3
    0x48, 0x83, 0xf8, 7,    // cmp rax,7
    0xc3,                   // ret
];

fn program() -> Machine {
    let mut machine = Machine::with_code(&PROGRAM);
    machine.registers.set(Gpr::Rbx, DATA);
    machine.registers.set(Gpr::Rsi, DATA + 0xffd);
    machine.registers.set(Gpr::Rdi, DATA + 0x1ffe);
    machine.poke(DATA + 0xff8, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    machine
}

fn state(machine: &Machine) -> (Registers, Vec<u8>, Vec<u8>, u64) {
    let memory = machine.peek(DATA, 0x4000);
    (machine.registers.clone(), memory, machine.peek(STACK, 0x2000), machine.tlb.accesses)
}

#[test]
fn a_slice_may_end_after_every_instruction() {
    let mut stepper = Stepper::new(1).unwrap();
    let mut machine = program();
    let mut states = vec![state(&machine)];
    while machine.step(&mut stepper).is_ok() {
        states.push(state(&machine));
    }
    let last = state(&machine);
    assert!(states.len() > 70, "the program runs its loop");
    for (name, make) in processors() {
        // Blocks for the end of a slice are made where one has ended before: each processor meets each end three times.
        // (Machines alike have the same bytes in the same frames, so one processor may serve them all.)
        let mut known = make();
        let ends = || states.iter().enumerate();
        for (count, expected) in ends().chain(ends()).chain(ends()) {
            let mut machine = program();
            let mut new = make();
            let processor: &mut dyn Processor = if count % 8 == 0 { &mut *new } else { &mut *known };
            let exit = run(&mut machine, processor, count as u64);
            assert_eq!(exit, Exit { trap: Trap::Budget, instructions: count as u64 }, "{name}");
            // What is overwritten before it is read, translated code does not keep; the rest of the run shows that it
            // was not needed.
            let mut found = state(&machine);
            found.0.rflags = expected.0.rflags;
            assert!(found == *expected, "{name}, after {count}");
            let exit = run(&mut machine, processor, 1000);
            let rest = (states.len() - count) as u64;
            assert_eq!(exit, Exit { trap: Trap::Syscall, instructions: rest }, "{name}");
            assert!(state(&machine).0 == last.0 && state(&machine).1 == last.1, "{name}, after {count} and the rest");
        }
    }
}

#[test]
fn repeated_string_instructions_stop_at_a_fault_and_go_on() {
    for (name, make) in processors() {
        for (code, forward) in [(vec![0xf3, 0xa4, 0xcc], true), (vec![0xfd, 0xf3, 0xa4, 0xfc, 0xcc], false)] {
            let mut machine = Machine::with_code(&code);
            let mut processor = make();
            machine.poke(DATA, &(0..0x1000).map(|index| index as u8 | 1).collect::<Vec<_>>());
            // The destination goes over into a page that is not there: upwards at its end, downwards at its start.
            let (hole, first) = (DATA + 0x2000, if forward { DATA + 0x1800 } else { DATA + 0x3400 });
            machine.unmap(hole);
            let source = if forward { DATA } else { DATA + 0xfff };
            machine.registers.set(Gpr::Rsi, source);
            machine.registers.set(Gpr::Rdi, first);
            machine.registers.set(Gpr::Rcx, 0x1000);
            let exit = run(&mut machine, &mut *processor, 100);
            let (address, done) = if forward { (hole, 0x800) } else { (hole + 0xfff, 0x401) };
            assert_eq!(exit.trap, page_fault(address, Access::Write, false), "{name}");
            assert_eq!(exit.instructions, u64::from(!forward), "{name}");
            assert_eq!(machine.registers.get(Gpr::Rcx), 0x1000 - done, "{name}");
            let moved = |start: u64| if forward { start + done } else { start - done };
            assert_eq!(machine.registers.get(Gpr::Rsi), moved(source), "{name}");
            assert_eq!(machine.registers.get(Gpr::Rdi), moved(first), "{name}");
            machine.map(hole, WRITE);
            finish(&name, &mut machine, &mut *processor);
            let target = if forward { first } else { first - 0xfff };
            assert!(machine.peek(target, 0x1000) == machine.peek(DATA, 0x1000), "{name}");
            assert_eq!(machine.tlb.accesses, 0x2000, "{name}");
        }
    }
}

#[test]
fn repeated_string_instructions_go_over_pages_and_leave_flags_alone() {
    for (name, make) in processors() {
        // stc ; rep movs or stos of each size ; setc bl ; int3. With `cmp ebp,ebp` behind, the flags are dead before.
        for (opcode, size, moves) in [
            (&[0xf3, 0xa4][..], 1, true),
            (&[0xf3, 0x66, 0xa5], 2, true),
            (&[0xf3, 0xa5], 4, true),
            (&[0xf3, 0x48, 0xa5], 8, true),
            (&[0xf3, 0xaa], 1, false),
            (&[0xf3, 0x48, 0xab], 8, false),
        ] {
            for flags_are_dead in [false, true] {
                for (source, destination) in [(0, 0), (0xffd, 3), (0x7f8, 0xff9)] {
                    let end: &[u8] = if flags_are_dead { &[0x39, 0xed, 0xcc] } else { &[0x0f, 0x92, 0xc3, 0xcc] };
                    let code = [&[0xf9], opcode, end].concat();
                    let mut machine = Machine::with_code(&code);
                    (0x10..0x18).for_each(|page| _ = machine.map(DATA + (page << 12), WRITE));
                    let (from, to) = (DATA + 0x10000 + source, DATA + 0x14000 + destination);
                    let bytes: Vec<u8> = (0..0x2800).map(|index: u32| ((index * 7) >> 3) as u8).collect();
                    machine.poke(from, &bytes);
                    let mut processor = make();
                    let count = 0x2800 / size;
                    // Once with a TLB that knows nothing, once with what the first time left there.
                    for time in 1..=2 {
                        machine.poke(to, &vec![0; 0x2801]);
                        machine.registers.rip = CODE;
                        machine.registers.set(Gpr::Rax, 0x0807_0605_0403_0201);
                        machine.registers.set(Gpr::Rsi, from);
                        machine.registers.set(Gpr::Rdi, to);
                        machine.registers.set(Gpr::Rcx, count);
                        finish(&name, &mut machine, &mut *processor);
                        let expected: Vec<u8> = if moves {
                            bytes.clone()
                        } else {
                            (0..0x2800).map(|index| (index % size) as u8 + 1).collect()
                        };
                        assert!(
                            machine.peek(to, 0x2800) == expected,
                            "{name}, {opcode:x?}, {source:#x}, {destination:#x}"
                        );
                        assert_eq!(machine.peek(to + 0x2800, 1), [0], "{name}");
                        assert_eq!(machine.registers.get(Gpr::Rcx), 0, "{name}");
                        assert_eq!(machine.registers.get(Gpr::Rdi), to + 0x2800, "{name}");
                        assert_eq!(machine.registers.get(Gpr::Rsi), from + if moves { 0x2800 } else { 0 }, "{name}");
                        assert_eq!(machine.tlb.accesses, time * count * if moves { 2 } else { 1 }, "{name}");
                        if !flags_are_dead {
                            assert_eq!(machine.registers.get(Gpr::Rbx) & 1, 1, "{name}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn accesses_that_share_a_check_write_code_no_sooner_than_the_store_among_them() {
    for (name, make) in processors() {
        // call rdi ; mov rdx,[rbx] ; mov [rbx+8],rcx ; call rdi ; int3. The store changes what is called, which lies in the
        // page of the load or behind its end.
        let code = [0xff, 0xd7, 0x48, 0x8b, 0x13, 0x48, 0x89, 0x4b, 8, 0xff, 0xd7, 0xcc];
        for load in [DATA + 0x4100, DATA + 0x4ff8, DATA + 0x4ff4] {
            let mut machine = Machine::with_code(&code);
            machine.map(DATA + 0x4000, ALL);
            machine.map(DATA + 0x5000, ALL);
            // add eax,1 ; ret, and later add eax,64 ; ret
            let (before, after) = ([0x83, 0xc0, 1, 0xc3, 0, 0, 0, 0], [0x83, 0xc0, 64, 0xc3, 0, 0, 0, 0]);
            let mut processor = make();
            for time in 1..=3 {
                machine.poke(load, &[7; 8]);
                machine.poke(load + 8, &before);
                machine.registers.rip = CODE;
                machine.registers.set(Gpr::Rax, 0);
                machine.registers.set(Gpr::Rbx, load);
                machine.registers.set(Gpr::Rdi, load + 8);
                machine.registers.set(Gpr::Rcx, u64::from_le_bytes(after));
                finish(&name, &mut machine, &mut *processor);
                assert_eq!(machine.registers.get(Gpr::Rax), 65, "{name}, {load:#x}, time {time}");
                assert_eq!(machine.registers.get(Gpr::Rdx), 0x0707_0707_0707_0707, "{name}");
            }
        }
    }
}

#[test]
fn a_store_to_code_that_shares_a_check_over_a_page_s_end_takes_effect_at_once() {
    for (name, make) in processors() {
        let place = DATA + 0x4ff8;
        // call rdi ; mov [place],rcx ; test eax,eax ; jnz over ; mov rdx,[place+4] ; over: call rdi ; int3. The store changes
        // what is called; the load, which would reach into the next page, does not happen.
        let absolute = |opcode: [u8; 4], address: u64| [&opcode[..], &(address as u32).to_le_bytes()].concat();
        let store = absolute([0x48, 0x89, 0x0c, 0x25], place);
        let load = absolute([0x48, 0x8b, 0x14, 0x25], place + 4);
        let code = [&[0xff, 0xd7], &store[..], &[0x85, 0xc0, 0x75, 8], &load, &[0xff, 0xd7, 0xcc]].concat();
        let mut machine = Machine::with_code(&code);
        machine.map(DATA + 0x4000, ALL);
        machine.map(DATA + 0x5000, WRITE);
        // add eax,1 ; ret, and later add eax,64 ; ret
        let (before, after) = ([0x83, 0xc0, 1, 0xc3, 0, 0, 0, 0], [0x83, 0xc0, 64, 0xc3, 0, 0, 0, 0]);
        let mut processor = make();
        for time in 1..=3 {
            machine.poke(place, &before);
            machine.registers.rip = CODE;
            machine.registers.set(Gpr::Rax, 0);
            machine.registers.set(Gpr::Rdi, place);
            machine.registers.set(Gpr::Rcx, u64::from_le_bytes(after));
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.get(Gpr::Rax), 65, "{name}, time {time}");
        }
    }
}

/// A load and a store of each width: bytes of the instruction on [rbx], width, whether it writes.
#[rustfmt::skip]
const WIDTHS: [(&[u8], usize, bool); 16] = [
    (&[0x8a, 0x03], 1, false),                         // mov al,[rbx]
    (&[0x88, 0x03], 1, true),
    (&[0x66, 0x8b, 0x03], 2, false),
    (&[0x66, 0x89, 0x03], 2, true),
    (&[0x8b, 0x03], 4, false),
    (&[0x01, 0x03], 4, true),                          // add [rbx],eax
    (&[0x48, 0x8b, 0x03], 8, false),
    (&[0x48, 0x89, 0x03], 8, true),
    (&[0xdb, 0x2b], 10, false),                        // fld tbyte [rbx]
    (&[0xdb, 0x3b], 10, true),                         // fstp tbyte [rbx]
    (&[0x0f, 0x10, 0x03], 16, false),                  // movups xmm0,[rbx]
    (&[0x0f, 0x11, 0x03], 16, true),
    (&[0xc5, 0xfc, 0x10, 0x03], 32, false),            // vmovups ymm0,[rbx]
    (&[0xc5, 0xfc, 0x11, 0x03], 32, true),
    (&[0xff, 0x33], 8, false),                         // push qword [rbx]
    (&[0x8f, 0x03], 8, true),                          // pop qword [rbx]
];

/// A machine for one of [`WIDTHS`]: all that is stored is ones, all that is loaded 1, 2, 3, ...
fn accessing(code: &[u8], address: u64) -> Machine {
    let mut machine = Machine::with_code(&[code, &[0xcc]].concat());
    machine.registers.set(Gpr::Rbx, address);
    machine.registers.set(Gpr::Rax, u64::MAX);
    machine.registers.extended.ymm[0] = [0xff; 32];
    machine.registers.extended.fxsave[4] = 1 << 0;
    machine.registers.extended.fxsave[32..42].copy_from_slice(&[0xff; 10]);
    machine.poke(STACK + 0x1000, &[0xff; 8]);
    machine.poke(DATA + 0x1000 - 64, &(1..=128).collect::<Vec<u8>>());
    machine
}

#[test]
fn operands_of_every_width_work_at_every_distance_from_a_page_border() {
    for (name, make) in processors() {
        for (code, width, writes) in WIDTHS {
            for before in 0..=width as u64 {
                for contiguous in [true, false] {
                    let address = DATA + 0x1000 - before;
                    let mut machine = accessing(code, address);
                    let mut processor = make();
                    if !contiguous {
                        let bytes = machine.peek(DATA + 0x1000, 64);
                        machine.map(DATA + 0x9000, WRITE);
                        machine.map(DATA + 0x1000, WRITE);
                        machine.poke(DATA + 0x1000, &bytes);
                    }
                    let mut expected = machine.peek(DATA + 0x1000 - 64, 128);
                    if writes {
                        let start = 64 - before as usize;
                        let mut stored = vec![0xff; width];
                        if code == [0x01, 0x03] {
                            // add -1
                            let old = u32::from_le_bytes(expected[start..start + 4].try_into().unwrap());
                            stored = old.wrapping_sub(1).to_le_bytes().to_vec();
                        }
                        expected[start..start + width].copy_from_slice(&stored);
                    }
                    finish(&name, &mut machine, &mut *processor);
                    let context = format!("{name}, {code:02x?}, {before} bytes before the border");
                    assert_eq!(machine.peek(DATA + 0x1000 - 64, 128), expected, "{context}");
                    if !writes {
                        let start = 64 - before as usize;
                        let loaded = match width {
                            10 => machine.registers.extended.fxsave[32..42].to_vec(),
                            16 | 32 => machine.registers.extended.ymm[0][..width].to_vec(),
                            8 if code[0] == 0xff => machine.peek(STACK + 0xff8, 8),
                            _ => machine.registers.get(Gpr::Rax).to_le_bytes()[..width].to_vec(),
                        };
                        assert_eq!(loaded, expected[start..start + width], "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn operands_that_reach_into_a_page_that_is_missing_or_read_only_fault_without_effect() {
    for (name, make) in processors() {
        for (code, width, writes) in WIDTHS {
            for before in 0..=width as u64 {
                for missing in [true, false] {
                    let mut machine = accessing(code, DATA + 0x1000 - before);
                    let mut processor = make();
                    if missing {
                        machine.unmap(DATA + 0x1000);
                    } else {
                        machine.protect(DATA + 0x1000, READ);
                    }
                    let initial =
                        (machine.registers.clone(), machine.peek(DATA + 0xf00, 0x100), machine.peek(STACK, 8192));
                    let exit = run(&mut machine, &mut *processor, 100);
                    let context = format!("{name}, {code:02x?}, {before} bytes before the border, missing: {missing}");
                    let reaches = before < width as u64;
                    if !reaches || !missing && !writes {
                        assert_eq!(exit.trap, Trap::Exception(Exception::Breakpoint), "{context}");
                        continue;
                    }
                    let access = if writes { Access::Write } else { Access::Read };
                    assert_eq!(exit.trap, page_fault(DATA + 0x1000, access, !missing), "{context}");
                    assert_eq!(exit.instructions, 0, "{context}");
                    machine.registers.rflags = initial.0.rflags;
                    assert!(machine.registers == initial.0, "{context}: {:?}", machine.registers);
                    assert!(machine.peek(DATA + 0xf00, 0x100) == initial.1, "{context}");
                    assert!(machine.peek(STACK, 8192) == initial.2, "{context}");
                }
            }
        }
    }
}

#[test]
fn aligned_vector_operands_work_at_one_of_16_places() {
    for (name, make) in processors() {
        for offset in 0..16 {
            // movaps [rbx],xmm0 ; movaps xmm1,[rbx] ; int3
            let mut machine = Machine::with_code(&[0x0f, 0x29, 0x03, 0x0f, 0x28, 0x0b, 0xcc]);
            let mut processor = make();
            machine.registers.set(Gpr::Rbx, DATA + 0x40 + offset);
            machine.registers.extended.ymm[0] = [7; 32];
            let exit = run(&mut machine, &mut *processor, 100);
            if offset == 0 {
                assert_eq!(exit.trap, Trap::Exception(Exception::Breakpoint), "{name}");
                assert_eq!(machine.registers.extended.ymm[1][..16], [7; 16], "{name}");
            } else {
                assert_eq!(exit.trap, Trap::Exception(Exception::GeneralProtection), "{name}, offset {offset}");
                assert_eq!((exit.instructions, machine.registers.rip), (0, CODE), "{name}");
                assert_eq!(machine.peek(DATA + 0x40, 32), [0; 32], "{name}");
            }
        }
    }
}

#[test]
fn long_doubles_are_computed_with_64_bits() {
    for (name, make) in processors() {
        // fld1 ; fidiv dword [rbx] ; fstp tbyte [rbx+16] ; int3: a third
        let mut machine = Machine::with_code(&[0xd9, 0xe8, 0xda, 0x33, 0xdb, 0x7b, 0x10, 0xcc]);
        let mut processor = make();
        machine.registers.set(Gpr::Rbx, DATA);
        machine.poke(DATA, &3_u32.to_le_bytes());
        finish(&name, &mut machine, &mut *processor);
        let third = [0xab, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xfd, 0x3f];
        assert_eq!(machine.peek(DATA + 16, 10), third, "{name}");
    }
}

#[test]
fn unmasked_floating_point_exceptions_are_raised_where_they_belong() {
    for (name, make) in processors() {
        // nop ; divss xmm0,xmm1 ; int3
        let mut machine = Machine::with_code(&[0x90, 0xf3, 0x0f, 0x5e, 0xc1, 0xcc]);
        let mut processor = make();
        machine.registers.extended.ymm[0][..4].copy_from_slice(&1_f32.to_le_bytes());
        machine.registers.extended.mxcsr = 0x1f80 & !(1 << 9);
        let exit = run(&mut machine, &mut *processor, 100);
        assert_eq!(exit, Exit { trap: Trap::Exception(Exception::Simd), instructions: 1 }, "{name}");
        assert_eq!((machine.registers.rip, machine.registers.extended.mxcsr & 0x3f), (CODE + 1, 4), "{name}");
        assert_eq!(machine.registers.extended.ymm[0][..4], 1_f32.to_le_bytes(), "{name}");

        // fld1 ; fldz ; fdivp ; nop ; fwait ; int3: the division completes, the next that waits faults
        let mut machine = Machine::with_code(&[0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x90, 0x9b, 0xcc]);
        let mut processor = make();
        machine.registers.extended.fxsave[0] = 0x7f & !4;
        let exit = run(&mut machine, &mut *processor, 100);
        assert_eq!(exit, Exit { trap: Trap::Exception(Exception::X87), instructions: 4 }, "{name}");
        assert_eq!(machine.registers.rip, CODE + 7, "{name}");
        assert_eq!(machine.registers.extended.fxsave[2] & 0x84, 0x84, "{name}");
    }
}

#[test]
fn fs_and_gs_add_their_bases() {
    for (name, make) in processors() {
        // mov rax,fs:[0] ; mov rdx,gs:[rbx-8] ; mov fs:[16],rdx ; int3
        #[rustfmt::skip]
        let code = [
            0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0,
            0x65, 0x48, 0x8b, 0x53, 0xf8,
            0x64, 0x48, 0x89, 0x14, 0x25, 16, 0, 0, 0,
            0xcc,
        ];
        let mut machine = Machine::with_code(&code);
        let mut processor = make();
        machine.registers.fs_base = DATA + 0x100;
        machine.registers.gs_base = DATA.wrapping_sub(0x5000_0000_0000);
        machine.registers.set(Gpr::Rbx, 0x5000_0000_0208);
        machine.poke(DATA + 0x100, &77_u64.to_le_bytes());
        machine.poke(DATA + 0x200, &88_u64.to_le_bytes());
        finish(&name, &mut machine, &mut *processor);
        assert_eq!((machine.registers.get(Gpr::Rax), machine.registers.get(Gpr::Rdx)), (77, 88), "{name}");
        assert_eq!(machine.peek_number(DATA + 0x110), 88, "{name}");
    }
}

#[test]
fn a_misaligned_access_with_ac_set_is_an_exception() {
    for (name, make) in processors() {
        let mut machine = Machine::with_code(&[0x8b, 0x03, 0x8b, 0x43, 1, 0xcc]); // mov eax,[rbx] ; mov eax,[rbx+1]
        let mut processor = make();
        machine.registers.set(Gpr::Rbx, DATA);
        machine.registers.rflags |= 1 << 18;
        let exit = run(&mut machine, &mut *processor, 100);
        assert_eq!(exit, Exit { trap: Trap::Exception(Exception::AlignmentCheck), instructions: 1 }, "{name}");
    }
}

#[test]
fn non_canonical_addresses_are_protection_and_stack_faults() {
    for (name, make) in processors() {
        for (code, exception) in [
            (vec![0x8b, 0x03], Exception::GeneralProtection), // mov eax,[rbx]
            (vec![0x8b, 0x45, 0x00], Exception::StackFault),  // mov eax,[rbp]
            (vec![0x55], Exception::StackFault),              // push rbp
            (vec![0xff, 0xe3], Exception::GeneralProtection), // jmp rbx
            (vec![0xff, 0x23], Exception::GeneralProtection), // jmp [rbx]
        ] {
            let mut machine = Machine::with_code(&code);
            let mut processor = make();
            for register in [Gpr::Rbx, Gpr::Rbp] {
                machine.registers.set(register, 1 << 47);
            }
            if code == [0x55] {
                machine.registers.set(Gpr::Rsp, 1 << 47 | 8);
            }
            let exit = run(&mut machine, &mut *processor, 100);
            assert_eq!(exit, Exit { trap: Trap::Exception(exception), instructions: 0 }, "{name}, {code:02x?}");
            assert_eq!(machine.registers.rip, CODE, "{name}");
        }
    }
}

#[test]
fn a_page_that_loses_a_permission_is_checked_again() {
    for (name, make) in processors() {
        let mut machine = Machine::with_code(&[0x89, 0x03, 0xcc]); // mov [rbx],eax
        let mut processor = make();
        machine.registers.set(Gpr::Rbx, DATA);
        finish(&name, &mut machine, &mut *processor);
        machine.protect(DATA, READ);
        machine.registers.rip = CODE;
        let exit = run(&mut machine, &mut *processor, 100);
        assert_eq!(exit.trap, page_fault(DATA, Access::Write, true), "{name}");
        machine.protect(DATA, WRITE);
        finish(&name, &mut machine, &mut *processor);
        machine.unmap(DATA);
        machine.registers.rip = CODE;
        let exit = run(&mut machine, &mut *processor, 100);
        assert_eq!(exit.trap, page_fault(DATA, Access::Write, false), "{name}");
    }
}

#[test]
fn the_time_stamp_is_the_slice_s_and_counts_instructions() {
    for (name, make) in processors() {
        // rdtsc ; mov ebx,eax ; nop ; nop ; rdtsc ; int3
        let mut machine = Machine::with_code(&[0x0f, 0x31, 0x89, 0xc3, 0x90, 0x90, 0x0f, 0x31, 0xcc]);
        let mut processor = make();
        let (space, registers) = machine.space();
        processor.run(space, registers, machine::Slice { instructions: 5, time_stamp: 1 << 40 | 1000 });
        assert_eq!(machine.registers.get(Gpr::Rbx), 1000, "{name}");
        assert_eq!(machine.registers.get(Gpr::Rax), 1004, "{name}");
        assert_eq!(machine.registers.get(Gpr::Rdx), 1 << 8, "{name}");
    }
}

#[test]
fn a_page_of_code_may_be_written_and_run_in_turn() {
    for (name, make) in processors() {
        // A code generator: writes a function at rbx, calls it, again with another immediate.
        #[rustfmt::skip]
        let code = [
            0xc6, 0x03, 0xb8,       // again: mov byte [rbx],0b8h (mov eax,imm32)
            0x89, 0x4b, 0x01,       // mov [rbx+1],ecx
            0xc6, 0x43, 0x05, 0xc3, // mov byte [rbx+5],0c3h (ret)
            0xff, 0xd3,             // call rbx
            0x01, 0xc2,             // add edx,eax
            0xff, 0xc9,             // dec ecx
            0x75, 0xee,             // jnz again
            0xcc,
        ];
        for place in [CODE + 0x100, CODE + 0xffd, DATA + 0x4000] {
            let mut machine = Machine::with_code(&code);
            let mut processor = make();
            machine.map(DATA + 0x4000, ALL);
            machine.registers.set(Gpr::Rbx, place);
            machine.registers.set(Gpr::Rcx, 50);
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.get(Gpr::Rdx), (1..=50).sum::<u64>(), "{name}, at {place:#x}");
        }
    }
}

#[test]
fn what_is_reserved_for_hints_does_nothing_and_touches_no_memory() {
    for (name, make) in processors() {
        for code in [
            vec![0x0f, 0x0d, 0xf3],             // reserved next to prefetchw
            vec![0x0f, 0x1f, 0x03],             // nop [rbx]
            vec![0x0f, 0x19, 0x03],             // reserved
            vec![0x0f, 0x18, 0x03],             // prefetchnta [rbx]
            vec![0x0f, 0x0d, 0x0b],             // prefetchw [rbx]
            vec![0xf3, 0x48, 0x0f, 0x1e, 0xc9], // rdsspq rcx
            vec![0xf3, 0x0f, 0x1e, 0xfa],       // endbr64
        ] {
            let mut machine = Machine::with_code(&[code.clone(), vec![0xcc]].concat());
            let mut processor = make();
            machine.registers.set(Gpr::Rcx, 77);
            machine.registers.set(Gpr::Rbx, 0xdead_0000);
            finish(&name, &mut machine, &mut *processor);
            assert_eq!(machine.registers.get(Gpr::Rcx), 77, "{name}, {code:02x?}");
        }
    }
}

#[test]
fn instructions_across_pages_that_share_a_slot_run_in_turn() {
    let slot = machine::tlb::execute_slot;
    let first = 0x1000_0000_u64;
    // Pairs of pages; the first pages share a slot with each other, and one of them with its own second page if there is
    // such a pair.
    let mut places: Vec<u64> = (1..0x40000)
        .map(|page| first + (page << 12))
        .filter(|page| slot(*page) == slot(first) || slot(page + 0x1000) == slot(first))
        .step_by(3)
        .take(5)
        .collect();
    places.insert(0, first);
    for (name, make) in processors() {
        let mut machine = Machine::new();
        let mut processor = make();
        for (index, place) in places.iter().enumerate() {
            for page in [*place, place + 0x1000] {
                if !machine.table.entry(&machine.memory, page).is_present() {
                    machine.map(page, EXECUTE);
                }
            }
            // mov eax,index + 1 ; add edx,eax ; dec ecx ; jne next ; int3
            let next = places[(index + 1) % places.len()] + 0xffe;
            let jump = place + 0xffe + 9;
            let distance = (next as i64 - (jump as i64 + 6)) as i32;
            let mut code = vec![0xb8, index as u8 + 1, 0, 0, 0, 0x01, 0xc2, 0xff, 0xc9, 0x0f, 0x85];
            code.extend(distance.to_le_bytes());
            code.push(0xcc);
            machine.poke(place + 0xffe, &code);
        }
        machine.registers.rip = first + 0xffe;
        machine.registers.set(Gpr::Rcx, 60);
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rdx), 10 * (1..=6).sum::<u64>(), "{name}");
        // The second page of one of them is exchanged in between.
        let frame = machine.map(places[2] + 0x1000, EXECUTE);
        let bytes = machine.peek(places[1] + 0x1000, 32);
        machine.memory.bytes_mut(frame)[..32].copy_from_slice(&bytes);
        machine.registers.rip = places[2] + 0xffe;
        machine.registers.set(Gpr::Rcx, 1);
        machine.registers.set(Gpr::Rdx, 0);
        finish(&name, &mut machine, &mut *processor);
        assert_eq!(machine.registers.get(Gpr::Rdx), 3, "{name}");
        assert_eq!(machine.registers.rip, places[2] + 0xffe + 15, "{name}");
    }
}

#[test]
fn a_constant_address_of_more_than_32_bits_is_reached_by_translated_code_of_every_kind() {
    const FAR: u64 = 0x3c00_0000_0000;
    // mov byte [rip+0xff9],7 ; int3
    let code = [0xc6, 0x05, 0xf9, 0x0f, 0, 0, 7, 0xcc];
    let steps = [true, false].map(|groups| {
        let mut machine = Machine::with_code(&code);
        let frames = [CODE, DATA].map(|page| machine.table.entry(&machine.memory, page).frame());
        machine.map_frame(FAR, frames[0], EXECUTE);
        machine.map_frame(FAR + 0x1000, frames[1], WRITE);
        machine.registers.rip = FAR;
        let mut processor = X86Processor::with_options(Options { groups, ..Options::default() }).unwrap();
        finish("far", &mut machine, &mut processor);
        assert_eq!(machine.peek(DATA, 2), [7, 0]);
        processor.statistics().steps
    });
    // The breakpoint is stepped.
    assert_eq!(steps, [1, 1]);
}

#[test]
fn a_small_program_uses_little_of_the_block_that_its_address_space_has() {
    // again: call next ; dec ecx ; jnz again ; int3 ; next: inc qword [rbx] ; ret
    let code = [0xe8, 5, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0xcc, 0x48, 0xff, 0x03, 0xc3];
    let mut machine = Machine::with_code(&code);
    machine.registers.set(Gpr::Rcx, 100);
    machine.registers.set(Gpr::Rbx, DATA);
    let mut processor = X86Processor::new().unwrap();
    finish("small", &mut machine, &mut processor);
    assert_eq!(machine.peek_number(DATA), 100);
    let used = machine.tlb.block().chunks(512).filter(|page| page.iter().any(|word| *word != 0)).count();
    assert!(used <= 16, "{used} pages of 4 KiB, which the host then has to keep for each process");
}

#[test]
fn translated_code_is_bounded_however_much_code_there_was() {
    const ROUNDS: u32 = 3000;
    let mut machine = Machine::with_code(&[]);
    let mut processor = X86Processor::with_options(Options { code_bytes: 1 << 20, ..Options::default() }).unwrap();
    let mut most = 0;
    for round in 0..ROUNDS {
        // 64 times add eax,imm32 ; mov [rbx],eax, other code each time; int3
        let code: Vec<u8> = (0..64)
            .flat_map(|index: u32| [&[0x05][..], &(round * 64 + index).to_le_bytes(), &[0x89, 0x03]].concat())
            .chain([0xcc])
            .collect();
        machine.poke(CODE, &code);
        machine.registers.rip = CODE;
        machine.registers.set(Gpr::Rax, 0);
        machine.registers.set(Gpr::Rbx, DATA);
        finish("bounded", &mut machine, &mut processor);
        let sum: u32 = (0..64).map(|index| round * 64 + index).fold(0, u32::wrapping_add);
        assert_eq!(machine.registers.get(Gpr::Rax), u64::from(sum), "round {round}");
        if round % 10 == 0 {
            most = most.max(processor.save().len());
        }
    }
    // Code and the tables that explain it, all of which an image holds. What all rounds need would be far more.
    let statistics = processor.statistics();
    assert!(most < 2 << 20, "{most} bytes");
    assert!(statistics.hot_bytes + statistics.cold_bytes > 2 << 20, "{statistics:?}");
    assert!((4..100).contains(&statistics.resets), "{statistics:?}");
}
