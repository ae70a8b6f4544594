//! Single instructions with a known outcome, and their faults.

mod bench;

use bench::{CODE, DATA, EXECUTE, Machine, READ, STACK};
use machine::mmu::{Access, PageFault};
use machine::{Exception, Gpr, Trap};
use x86::step::Stepper;

fn stepper() -> Stepper {
    Stepper::new(1).unwrap()
}

fn page_fault(address: u64, access: Access, present: bool) -> Result<(), Trap> {
    Err(Trap::PageFault(PageFault { address, access, present }))
}

#[test]
fn arithmetic_with_memory_reads_and_writes_it() {
    let mut machine = Machine::with_code(&[0x48, 0x01, 0x4b, 0x08]); // add [rbx+8],rcx
    machine.registers.set(Gpr::Rbx, DATA);
    machine.registers.set(Gpr::Rcx, u64::MAX);
    machine.poke(DATA + 8, &5u64.to_le_bytes());
    assert_eq!(machine.step(&mut stepper()), Ok(()));
    assert_eq!(machine.peek_number(DATA + 8), 4);
    assert_eq!(machine.registers.rflags & 1, 1);
    assert_eq!(machine.registers.rip, CODE + 4);
    assert_eq!(machine.tlb.accesses, 1);
}

#[test]
fn registers_that_the_translator_borrows_are_ordinary_here() {
    let mut machine = Machine::with_code(&[0x4d, 0x8d, 0x2c, 0x24, 0x4d, 0x01, 0xf5, 0x49, 0x87, 0xe7]);
    // lea r13,[r12] ; add r13,r14 ; xchg r15,rsp
    machine.registers.set(Gpr::R12, 100);
    machine.registers.set(Gpr::R14, 11);
    machine.registers.set(Gpr::R15, 0x1234);
    let mut stepper = stepper();
    for _ in 0..3 {
        machine.step(&mut stepper).unwrap();
    }
    assert_eq!(machine.registers.get(Gpr::R13), 111);
    assert_eq!(machine.registers.get(Gpr::Rsp), 0x1234);
    assert_eq!(machine.registers.get(Gpr::R15), STACK + 0x1000);
}

#[test]
fn a_store_across_a_page_that_may_not_be_written_has_no_effect() {
    let mut machine = Machine::with_code(&[0x48, 0x89, 0x03]); // mov [rbx],rax
    machine.registers.set(Gpr::Rbx, DATA + 0xffc);
    machine.registers.set(Gpr::Rax, u64::MAX);
    machine.protect(DATA + 0x1000, READ);
    let mut stepper = stepper();
    assert_eq!(machine.step(&mut stepper), page_fault(DATA + 0x1000, Access::Write, true));
    assert_eq!(machine.peek(DATA + 0xff8, 16), [0; 16]);
    assert_eq!(machine.registers.rip, CODE);
    machine.unmap(DATA + 0x1000);
    assert_eq!(machine.step(&mut stepper), page_fault(DATA + 0x1000, Access::Write, false));
}

#[test]
fn an_instruction_across_a_page_border_faults_at_the_second_page_only_if_it_needs_it() {
    let mut machine = Machine::with_code(&[]);
    machine.poke(CODE + 0xffe, &[0x31, 0xc0, 0x48, 0x89, 0xc8]); // xor eax,eax | mov rax,rcx
    machine.unmap(CODE + 0x1000);
    machine.registers.rip = CODE + 0xffe;
    let mut stepper = stepper();
    assert_eq!(machine.step(&mut stepper), Ok(()));
    assert_eq!(machine.step(&mut stepper), page_fault(CODE + 0x1000, Access::Execute, false));
    machine.poke(CODE + 0xffe, &[0x48, 0x89]); // mov rcx|,..
    machine.registers.rip = CODE + 0xffe;
    assert_eq!(machine.step(&mut stepper), page_fault(CODE + 0x1000, Access::Execute, false));
    machine.map(CODE + 0x1000, EXECUTE);
    machine.poke(CODE + 0x1000, &[0xc1]); // mov rcx,rax
    machine.registers.set(Gpr::Rax, 77);
    assert_eq!(machine.step(&mut stepper), Ok(()));
    assert_eq!(machine.registers.get(Gpr::Rcx), 77);
}

#[test]
fn divisions_and_undefined_instructions_raise_their_exceptions() {
    let mut stepper = stepper();
    let mut raises = |code: &[u8]| {
        let mut machine = Machine::with_code(code);
        let trap = machine.step(&mut stepper).unwrap_err();
        assert_eq!(machine.registers.rip, CODE);
        trap
    };
    assert_eq!(raises(&[0xf7, 0xf1]), Trap::Exception(Exception::Divide)); // div ecx
    assert_eq!(raises(&[0xf4]), Trap::Exception(Exception::GeneralProtection)); // hlt
    assert_eq!(raises(&[0xcd, 0x80]), Trap::Exception(Exception::GeneralProtection)); // int 80h
    let undefined = |bytes: &[u8], text: Option<&str>| {
        Trap::Exception(Exception::InvalidOpcode { bytes: bytes.to_vec(), instruction: text.map(str::to_owned) })
    };
    assert_eq!(raises(&[0x0f, 0x0b]), undefined(&[0x0f, 0x0b], None));
    assert_eq!(raises(&[0x0f, 0xc7, 0xf0]), undefined(&[0x0f, 0xc7, 0xf0], Some("rdrand eax")));
    assert!(matches!(raises(&[0x06]), Trap::Exception(Exception::InvalidOpcode { instruction: None, .. })));
    // vpaddd zmm0,zmm0,zmm0
    assert!(matches!(
        raises(&[0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc0]),
        Trap::Exception(Exception::InvalidOpcode { instruction: Some(_), .. })
    ));
}

#[test]
fn a_repeated_move_stops_at_the_fault_and_goes_on_from_there() {
    let mut machine = Machine::with_code(&[0xf3, 0xa4]); // rep movsb
    machine.poke(DATA, &[7; 0x1000]);
    machine.registers.set(Gpr::Rsi, DATA);
    machine.registers.set(Gpr::Rdi, DATA + 0x3c00);
    machine.registers.set(Gpr::Rcx, 0x800);
    let mut stepper = stepper();
    assert_eq!(machine.step(&mut stepper), page_fault(DATA + 0x4000, Access::Write, false));
    assert_eq!(machine.registers.get(Gpr::Rcx), 0x400);
    assert_eq!(machine.registers.get(Gpr::Rsi), DATA + 0x400);
    assert_eq!(machine.registers.rip, CODE);
    machine.map(DATA + 0x4000, bench::WRITE);
    assert_eq!(machine.step(&mut stepper), Ok(()));
    assert_eq!(machine.peek(DATA + 0x3c00, 0x800), [7; 0x800]);
    assert_eq!(machine.tlb.accesses, 0x1000);
}

#[test]
fn changed_code_is_run_as_it_is_now() {
    let mut machine = Machine::with_code(&[0xff, 0xc0]); // inc eax
    let mut stepper = stepper();
    machine.step(&mut stepper).unwrap();
    machine.poke(CODE, &[0xff, 0xc8]); // dec eax
    machine.registers.rip = CODE;
    machine.step(&mut stepper).unwrap();
    assert_eq!(machine.registers.get(Gpr::Rax), 0);
}

#[test]
fn a_system_call_sets_rcx_and_r11_and_counts() {
    let mut machine = Machine::with_code(&[0x0f, 0x05]);
    let exit = machine.run(&mut stepper(), 10);
    assert_eq!((exit.trap, exit.instructions), (Trap::Syscall, 1));
    assert_eq!(machine.registers.get(Gpr::Rcx), CODE + 2);
    assert_eq!(machine.registers.get(Gpr::R11), machine.registers.rflags);
}

#[test]
fn single_steps_trap_behind_each_instruction_and_each_iteration() {
    let mut machine = Machine::with_code(&[0x90, 0xf3, 0xaa]); // nop ; rep stosb
    machine.registers.rflags |= 1 << 8;
    machine.registers.set(Gpr::Rdi, DATA);
    machine.registers.set(Gpr::Rcx, 2);
    let mut stepper = stepper();
    for rip in [CODE + 1, CODE + 1, CODE + 3] {
        assert_eq!(machine.step(&mut stepper), Err(Trap::Exception(Exception::SingleStep)));
        assert_eq!(machine.registers.rip, rip);
    }
}

/// Runs one instruction on registers that `prepare` changes.
fn one(code: &[u8], prepare: impl Fn(&mut Machine)) -> (Result<(), Trap>, Machine) {
    let mut machine = Machine::with_code(code);
    prepare(&mut machine);
    let (mut space, registers) = machine.space();
    let outcome = Stepper::new(4).unwrap().step(&mut space, registers, 0x1_0000_0007);
    (outcome, machine)
}

#[test]
fn the_processor_tells_what_it_is_and_what_time() {
    let (outcome, machine) = one(&[0x0f, 0xa2], |machine| machine.registers.set(Gpr::Rax, u64::MAX << 32));
    assert_eq!(outcome, Ok(()));
    let words = [Gpr::Rbx, Gpr::Rdx, Gpr::Rcx].map(|register| machine.registers.get(register) as u32);
    assert_eq!(words.map(u32::to_le_bytes).concat(), b"GenuineIntel");
    assert_eq!(machine.registers.get(Gpr::Rax), 0xd);
    let (_, machine) = one(&[0x0f, 0xa2], |machine| machine.registers.set(Gpr::Rax, 1));
    assert_eq!(machine.registers.get(Gpr::Rbx) >> 16 & 0xff, 4, "four processors");
    for code in [&[0x0f, 0x31][..], &[0x0f, 0x01, 0xf9]] {
        let (outcome, machine) = one(code, |machine| machine.registers.set(Gpr::Rax, u64::MAX));
        assert_eq!(outcome, Ok(()));
        assert_eq!((machine.registers.get(Gpr::Rax), machine.registers.get(Gpr::Rdx)), (7, 1));
    }
    let (outcome, machine) = one(&[0x0f, 0x01, 0xd0], |_| {});
    assert_eq!((outcome, machine.registers.get(Gpr::Rax)), (Ok(()), 7));
    let (outcome, _) = one(&[0x0f, 0x01, 0xd0], |machine| machine.registers.set(Gpr::Rcx, 5));
    assert_eq!(outcome, Err(Trap::Exception(Exception::GeneralProtection)));
}

#[test]
fn segment_registers_take_the_null_selector_and_user_data() {
    let load = |code: &[u8], selector: u64| {
        one(code, |machine| {
            machine.registers.set(Gpr::Rax, selector);
            machine.registers.fs_base = 0x1234;
        })
    };
    for (code, selector, expected) in [
        (&[0x8e, 0xd8][..], 0x2b, Ok(())),                                         // mov ds,eax
        (&[0x8e, 0xe0], 0, Ok(())),                                                // mov fs,eax
        (&[0x8e, 0xe0], 0x33, Err(Trap::Exception(Exception::GeneralProtection))), // code
        (&[0x8e, 0xd0], 0, Err(Trap::Exception(Exception::GeneralProtection))),    // mov ss,eax
        (&[0x8e, 0xd0], 0x2b, Ok(())),
    ] {
        assert_eq!(load(code, selector).0, expected, "{code:02x?} {selector:#x}");
    }
    assert_eq!(load(&[0x8e, 0xe0], 0).1.registers.fs_base, 0);
    assert_eq!(load(&[0x8e, 0xd8], 0).1.registers.fs_base, 0x1234);
    // pop fs
    let (outcome, machine) = one(&[0x0f, 0xa1], |machine| machine.registers.fs_base = 5);
    assert_eq!((outcome, machine.registers.fs_base), (Ok(()), 0));
    assert_eq!(machine.registers.get(Gpr::Rsp), STACK + 0x1008);
}

#[test]
fn software_interrupts_are_traps_or_protection_faults() {
    for (code, exception, behind) in [
        (&[0xcc][..], Exception::Breakpoint, 1),
        (&[0xcd, 3], Exception::Breakpoint, 2),
        (&[0xcd, 4], Exception::Overflow, 2),
        (&[0xf1], Exception::SingleStep, 1),
        (&[0xcd, 0x2d], Exception::GeneralProtection, 0),
        (&[0x0f, 0x01, 0x00], Exception::GeneralProtection, 0), // sgdt [rax]
        (&[0x0f, 0x33], Exception::GeneralProtection, 0),       // rdpmc
        (&[0xfa], Exception::GeneralProtection, 0),             // cli
        (&[0xec], Exception::GeneralProtection, 0),             // in al,dx
    ] {
        let (outcome, machine) = one(code, |_| {});
        assert_eq!(outcome, Err(Trap::Exception(exception)), "{code:02x?}");
        assert_eq!(machine.registers.rip, CODE + behind, "{code:02x?}");
    }
}

#[test]
fn instructions_of_other_processors_are_undefined_and_named() {
    for (code, name) in [
        (&[0x0f, 0x34][..], "sysenter"),
        (&[0x66, 0x0f, 0x38, 0xdc, 0xc1], "aesenc xmm0,xmm1"),
        (&[0x66, 0x0f, 0x3a, 0x44, 0xc1, 0], "pclmullqlqdq xmm0,xmm1"),
        (&[0x0f, 0x38, 0xcb, 0xc1], "sha256rnds2 xmm0,xmm1"),
        (&[0x66, 0x0f, 0x38, 0xf6, 0xc1], "adcx eax,ecx"),
        (&[0x0f, 0xc7, 0xf8], "rdseed eax"),
        (&[0xc7, 0xf8, 0, 0, 0, 0], "xbegin 0000000000100006h"),
        (&[0x0f, 0x01, 0xd6], "xtest"),
        (&[0xf3, 0x0f, 0xc7, 0xf8], "rdpid rax"),
        (&[0xc5, 0xf8, 0x92, 0xc0], "kmovw k0,eax"),
        (&[0x66, 0x0f, 0xae, 0x38], "clflushopt [rax]"),
    ] {
        let (outcome, _) = one(code, |_| {});
        let instruction = Some(name.to_owned());
        let expected = Exception::InvalidOpcode { bytes: code.to_vec(), instruction };
        assert_eq!(outcome, Err(Trap::Exception(expected)), "{code:02x?}");
    }
    let (outcome, _) = one(&[0x66; 16], |_| {});
    assert_eq!(outcome, Err(Trap::Exception(Exception::GeneralProtection)), "longer than 15 bytes");
}

#[test]
fn popping_the_trap_flag_traps_behind_the_next_instruction() {
    let mut machine = Machine::with_code(&[0x9d, 0x90, 0x90]); // popfq ; nop
    machine.poke(STACK + 0x1000, &0x302_u64.to_le_bytes());
    let mut stepper = stepper();
    assert_eq!(machine.step(&mut stepper), Ok(()));
    assert_eq!(machine.step(&mut stepper), Err(Trap::Exception(Exception::SingleStep)));
    assert_eq!(machine.registers.rip, CODE + 2);
}

#[test]
fn user_mode_cannot_change_the_privileged_flags() {
    let (_, machine) = one(&[0x9d], |machine| machine.poke(STACK + 0x1000, &u64::MAX.to_le_bytes()));
    assert_eq!(machine.registers.rflags, 0x24_0fd7);
    let (_, machine) = one(&[0x9d], |_| {});
    assert_eq!(machine.registers.rflags, 0x202);
}

#[test]
fn a_gather_goes_on_with_the_elements_that_a_fault_left() {
    // vpgatherdd xmm0,[rbx+xmm1*4],xmm2
    let mut machine = Machine::with_code(&[0xc4, 0xe2, 0x69, 0x90, 0x04, 0x8b]);
    machine.registers.set(Gpr::Rbx, DATA);
    for (element, index) in [0_u32, 1, 0x1000, 2].into_iter().enumerate() {
        machine.registers.extended.ymm[1][4 * element..][..4].copy_from_slice(&index.to_le_bytes());
    }
    machine.registers.extended.ymm[0] = [0xee; 32];
    machine.registers.extended.ymm[2] = [0xff; 32];
    machine.poke(DATA, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    let mut stepper = stepper();
    assert_eq!(machine.step(&mut stepper), page_fault(DATA + 0x4000, Access::Read, false));
    assert_eq!(
        machine.registers.extended.ymm[0][..16],
        [1, 0, 0, 0, 2, 0, 0, 0, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
    );
    assert_eq!(machine.registers.extended.ymm[2][..8], [0; 8]);
    machine.map(DATA + 0x4000, READ);
    machine.poke(DATA + 0x4000, &[9]);
    assert_eq!(machine.step(&mut stepper), Ok(()));
    assert_eq!(machine.registers.extended.ymm[0][..16], [1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(machine.registers.extended.ymm[0][16..], [0; 16]);
    assert_eq!(machine.registers.extended.ymm[2], [0; 32]);
}
