//! A few host instructions run on a context.

use super::*;
use machine::registers::ExtendedState;
use machine::tlb::{BLOCK_WORDS, READ_TAGS};

struct Bench {
    memory: ExecutableMemory,
    block: Vec<u64>,
    extended: ExtendedState,
}

impl Bench {
    fn new() -> Bench {
        prepare().unwrap();
        let mut block = vec![0; BLOCK_WORDS];
        context::initialise(&mut block);
        Bench { memory: ExecutableMemory::new(1 << 20).unwrap(), block, extended: ExtendedState::initial() }
    }

    /// Runs the bytes, followed by a jump to the exit.
    fn run(&mut self, code: &[u8]) {
        let mut bytes = code.to_vec();
        bytes.extend([0xff, 0x25, 0, 0, 0, 0]); // jmp [rip]
        bytes.extend(exit_address().to_le_bytes());
        let address = self.memory.append(Area::Hot, &bytes).unwrap();
        enter(&self.memory, &mut self.block, &mut self.extended, address);
    }
}

#[test]
fn registers_flags_and_vectors_make_the_round_trip() {
    let mut bench = Bench::new();
    for register in 0..13 {
        bench.block[context::GENERAL + register] = 0x1111_0000_0000_0000 + register as u64;
    }
    bench.extended.ymm[3] = [0xa5; 32];
    bench.extended.ymm[15] = [0x5a; 32];
    bench.extended.mxcsr = 0x7f80;
    // add rax,rcx ; vmovdqa ymm4,ymm3 ; std ; stc
    bench.run(&[0x48, 0x01, 0xc8, 0xc5, 0xfd, 0x6f, 0xe3, 0xfd, 0xf9]);
    assert_eq!(bench.block[context::GENERAL], 0x2222_0000_0000_0001);
    for register in 1..13 {
        assert_eq!(bench.block[context::GENERAL + register], 0x1111_0000_0000_0000 + register as u64);
    }
    assert_eq!(bench.extended.ymm[4], [0xa5; 32]);
    assert_eq!(bench.extended.ymm[15], [0x5a; 32]);
    assert_eq!(bench.extended.mxcsr, 0x7f80);
    assert_eq!(bench.block[context::RFLAGS] & context::NATIVE_FLAGS, 0x401);
}

#[test]
fn words_behind_the_gs_base_are_the_block() {
    let mut bench = Bench::new();
    bench.block[READ_TAGS] = 0x1234_5678_9abc_def0;
    let displacement = context::displacement(READ_TAGS).to_le_bytes();
    let mut code = vec![0x65, 0x48, 0x8b, 0x14, 0x25]; // mov rdx,gs:[disp32]
    code.extend(displacement);
    bench.run(&code);
    assert_eq!(bench.block[context::GENERAL + 2], 0x1234_5678_9abc_def0);
}

#[test]
fn a_division_by_zero_leaves_the_registers_and_tells_its_place() {
    let mut bench = Bench::new();
    bench.block[context::GENERAL] = 5;
    bench.block[context::GENERAL + 4] = 0xdead_0000; // no stack at all
    let start = bench.memory.cursor(Area::Hot);
    bench.run(&[0x31, 0xc9, 0xf7, 0xf1]); // xor ecx,ecx ; div ecx
    assert_eq!(bench.block[context::EXIT], context::EXIT_FAULT);
    assert_eq!(bench.block[context::FAULT_PC], bench.memory.range().start + start + 2);
    assert_eq!(bench.block[context::FAULT_SIGNAL] as u32, libc::SIGFPE as u32);
    assert_eq!(bench.block[context::GENERAL], 5);
    assert_eq!(bench.block[context::GENERAL + 4], 0xdead_0000);
}

#[test]
fn x87_state_is_loaded_and_saved() {
    let mut bench = Bench::new();
    load_x87(&bench.extended);
    bench.run(&[0xd9, 0xe8, 0xd9, 0xeb]); // fld1 ; fldpi
    save_x87(&mut bench.extended);
    let top = (bench.extended.fxsave[3] >> 3) & 7;
    assert_eq!(top, 6);
    assert_eq!(bench.extended.fxsave[32..42], [0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40]);
    let copy = bench.extended.fxsave;
    load_x87(&bench.extended);
    bench.run(&[0xd9, 0xd0]); // fnop
    save_x87(&mut bench.extended);
    assert_eq!(bench.extended.fxsave, copy);
}

#[test]
fn code_memory_that_is_full_says_so() {
    let mut memory = ExecutableMemory::new(8192).unwrap();
    memory.append(Area::Cold, &[0x90; 4096]).unwrap();
    assert_eq!(memory.append(Area::Cold, &[0x90]), Err(CodeMemoryFull));
    memory.append(Area::Hot, &[1, 2, 3]).unwrap();
    memory.reset(2);
    assert_eq!(memory.used(Area::Hot), 2);
    assert_eq!(memory.bytes(0, 2), [1, 2]);
}

#[test]
fn handlers_that_others_installed_run_on_the_alternate_stack() {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: an all-zero sigaction is valid; the handler has the signature of one without SA_SIGINFO.
    let flags = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
        prepare().unwrap();
        assert_eq!(libc::sigaction(libc::SIGUSR2, std::ptr::null(), &mut action), 0);
        assert_eq!(action.sa_sigaction, nothing as *const () as usize);
        action.sa_flags
    };
    assert_ne!(flags & libc::SA_ONSTACK, 0);
}
