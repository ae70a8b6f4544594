//! Translated code that is saved and restored does what it did.

mod bench;

use bench::{ALL, CODE, Machine};
use machine::{Gpr, Trap};
use x86::X86Processor;

/// Sums in a loop, calls into the second page and returns.
fn machine() -> Machine {
    let mut machine = Machine::with_code(&[
        0xb9, 100, 0, 0, 0, // mov ecx,100
        0x31, 0xc0, // xor eax,eax
        0xe8, 0xf4, 0x0f, 0, 0, // loop: call the second page
        0xff, 0xc9, // dec ecx
        0x75, 0xf7, // jnz loop
        0x0f, 0x05, // syscall
    ]);
    machine.poke(CODE + 0x1000, &[0x48, 0x01, 0xc8, 0x48, 0x01, 0x0d, 0, 0, 0x10, 0, 0xc3]); // add rax,rcx; add [DATA..],rcx
    machine
}

fn run(machine: &mut Machine, processor: &mut X86Processor) -> (u64, u64) {
    machine.registers.rip = CODE;
    let exit = machine.run(processor, 100_000);
    assert_eq!(exit.trap, Trap::Syscall);
    (machine.registers.get(Gpr::Rax), exit.instructions)
}

fn saved() -> ((u64, u64), Vec<u8>) {
    let mut processor = X86Processor::new().unwrap();
    let answer = run(&mut machine(), &mut processor);
    (answer, processor.save())
}

#[test]
fn restored_code_runs_without_a_translation() {
    let (answer, image) = saved();
    let mut processor = X86Processor::new().unwrap();
    processor.restore(&image).unwrap();
    for _ in 0..3 {
        assert_eq!(run(&mut machine(), &mut processor), answer);
    }
    assert_eq!((processor.statistics().blocks, processor.save()), (0, image));
}

#[test]
fn restored_code_is_not_run_for_other_bytes_or_elsewhere() {
    let (answer, image) = saved();
    let mut processor = X86Processor::new().unwrap();
    processor.restore(&image).unwrap();
    let mut changed = machine();
    changed.poke(CODE + 0x1002, &[0xc0]); // add rax,rax
    assert_eq!(run(&mut changed, &mut processor).0, 0);
    changed.poke(CODE + 0x1002, &[0xc8]);
    assert_eq!(run(&mut changed, &mut processor), answer);
    let mut moved = machine();
    let bytes = moved.peek(CODE, 0x2000);
    for page in 0..2 {
        moved.map(0x40_0000 + (page << 12), ALL);
    }
    moved.poke(0x40_0000, &bytes);
    moved.map(0x50_0000 + 0x1000, bench::WRITE);
    moved.registers.rip = 0x40_0000;
    assert_eq!(moved.run(&mut processor, 100_000).trap, Trap::Syscall);
    assert_eq!(moved.registers.get(Gpr::Rax), answer.0);
}

#[test]
fn an_image_that_is_cut_or_has_wrong_counts_is_refused() {
    let (answer, image) = saved();
    let mut processor = X86Processor::new().unwrap();
    for length in (0..image.len()).step_by(7) {
        assert!(processor.restore(&image[..length]).is_err(), "{length}");
    }
    for at in 0..36 {
        let mut wrong = image.clone();
        wrong[at] ^= 1;
        assert!(processor.restore(&wrong).is_err(), "{at}");
    }
    assert_eq!(run(&mut machine(), &mut processor), answer);
}
