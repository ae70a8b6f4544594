//! The host's processor as an oracle, for tests: runs code untranslated, at the guest's own addresses, with the guest's
//! registers, until a breakpoint or a fault.

use machine::Registers;
use machine::registers::{ExtendedState, RFLAGS_USER};
use std::arch::{asm, global_asm};
use std::mem::offset_of;
use std::ops::Range;
use std::ptr::{addr_of, addr_of_mut, copy_nonoverlapping};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, Once};

/// Everything that is exchanged; reached relative to rip, for no register is free.
#[repr(C, align(64))]
struct Area {
    general: [u64; 16],
    rflags: u64,
    target: u64,
    host_rsp: u64,
    host_fs: u64,
    host_gs: u64,
    fs_base: u64,
    gs_base: u64,
    mxcsr: u32,
    host_mxcsr: u32,
    ymm: [[u8; 32]; 16],
    fxsave: [u8; 512],
    event: Event,
}

/// How a native run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// The exception's number. Intel SDM 3A table 6-1.
    pub vector: u64,
    /// Its error code.
    pub error_code: u64,
    /// cr2, if it is a page fault.
    pub address: u64,
}

/// `int3`.
pub const BREAKPOINT: u64 = 3;

#[unsafe(no_mangle)]
static mut BELLJAR_ORACLE_AREA: Area = Area {
    general: [0; 16],
    rflags: 0,
    target: 0,
    host_rsp: 0,
    host_fs: 0,
    host_gs: 0,
    fs_base: 0,
    gs_base: 0,
    mxcsr: 0,
    host_mxcsr: 0,
    ymm: [[0; 32]; 16],
    fxsave: [0; 512],
    event: Event { vector: 0, error_code: 0, address: 0 },
};

const _: () = assert!(offset_of!(Area, fxsave) % 16 == 0);

global_asm!(
    ".p2align 6",
    "belljar_oracle_enter:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "stmxcsr [rip + {area} + {host_mxcsr}]",
    "fxrstor64 [rip + {area} + {fxsave}]",
    "vmovups ymm0, [rip + {area} + {ymm}]",
    "vmovups ymm1, [rip + {area} + {ymm} + 0x20]",
    "vmovups ymm2, [rip + {area} + {ymm} + 0x40]",
    "vmovups ymm3, [rip + {area} + {ymm} + 0x60]",
    "vmovups ymm4, [rip + {area} + {ymm} + 0x80]",
    "vmovups ymm5, [rip + {area} + {ymm} + 0xa0]",
    "vmovups ymm6, [rip + {area} + {ymm} + 0xc0]",
    "vmovups ymm7, [rip + {area} + {ymm} + 0xe0]",
    "vmovups ymm8, [rip + {area} + {ymm} + 0x100]",
    "vmovups ymm9, [rip + {area} + {ymm} + 0x120]",
    "vmovups ymm10, [rip + {area} + {ymm} + 0x140]",
    "vmovups ymm11, [rip + {area} + {ymm} + 0x160]",
    "vmovups ymm12, [rip + {area} + {ymm} + 0x180]",
    "vmovups ymm13, [rip + {area} + {ymm} + 0x1a0]",
    "vmovups ymm14, [rip + {area} + {ymm} + 0x1c0]",
    "vmovups ymm15, [rip + {area} + {ymm} + 0x1e0]",
    "ldmxcsr [rip + {area} + {mxcsr}]",
    "rdfsbase rax",
    "mov [rip + {area} + {host_fs}], rax",
    "rdgsbase rax",
    "mov [rip + {area} + {host_gs}], rax",
    "mov rax, [rip + {area} + {fs_base}]",
    "wrfsbase rax",
    "mov rax, [rip + {area} + {gs_base}]",
    "wrgsbase rax",
    "push qword ptr [rip + {area} + {rflags}]",
    "popfq",
    "mov [rip + {area} + {host_rsp}], rsp",
    "mov rax, [rip + {area}]",
    "mov rcx, [rip + {area} + 0x08]",
    "mov rdx, [rip + {area} + 0x10]",
    "mov rbx, [rip + {area} + 0x18]",
    "mov rsp, [rip + {area} + 0x20]",
    "mov rbp, [rip + {area} + 0x28]",
    "mov rsi, [rip + {area} + 0x30]",
    "mov rdi, [rip + {area} + 0x38]",
    "mov r8, [rip + {area} + 0x40]",
    "mov r9, [rip + {area} + 0x48]",
    "mov r10, [rip + {area} + 0x50]",
    "mov r11, [rip + {area} + 0x58]",
    "mov r12, [rip + {area} + 0x60]",
    "mov r13, [rip + {area} + 0x68]",
    "mov r14, [rip + {area} + 0x70]",
    "mov r15, [rip + {area} + 0x78]",
    "jmp qword ptr [rip + {area} + {target}]",
    ".p2align 6",
    "belljar_oracle_exit:",
    "mov [rip + {area}], rax",
    "mov [rip + {area} + 0x08], rcx",
    "mov [rip + {area} + 0x10], rdx",
    "mov [rip + {area} + 0x18], rbx",
    "mov [rip + {area} + 0x20], rsp",
    "mov [rip + {area} + 0x28], rbp",
    "mov [rip + {area} + 0x30], rsi",
    "mov [rip + {area} + 0x38], rdi",
    "mov [rip + {area} + 0x40], r8",
    "mov [rip + {area} + 0x48], r9",
    "mov [rip + {area} + 0x50], r10",
    "mov [rip + {area} + 0x58], r11",
    "mov [rip + {area} + 0x60], r12",
    "mov [rip + {area} + 0x68], r13",
    "mov [rip + {area} + 0x70], r14",
    "mov [rip + {area} + 0x78], r15",
    "mov rsp, [rip + {area} + {host_rsp}]",
    "pushfq",
    "pop qword ptr [rip + {area} + {rflags}]",
    "push 2",
    "popfq",
    "rdfsbase rax",
    "mov [rip + {area} + {fs_base}], rax",
    "mov rax, [rip + {area} + {host_fs}]",
    "wrfsbase rax",
    "rdgsbase rax",
    "mov [rip + {area} + {gs_base}], rax",
    "mov rax, [rip + {area} + {host_gs}]",
    "wrgsbase rax",
    "vmovups [rip + {area} + {ymm}], ymm0",
    "vmovups [rip + {area} + {ymm} + 0x20], ymm1",
    "vmovups [rip + {area} + {ymm} + 0x40], ymm2",
    "vmovups [rip + {area} + {ymm} + 0x60], ymm3",
    "vmovups [rip + {area} + {ymm} + 0x80], ymm4",
    "vmovups [rip + {area} + {ymm} + 0xa0], ymm5",
    "vmovups [rip + {area} + {ymm} + 0xc0], ymm6",
    "vmovups [rip + {area} + {ymm} + 0xe0], ymm7",
    "vmovups [rip + {area} + {ymm} + 0x100], ymm8",
    "vmovups [rip + {area} + {ymm} + 0x120], ymm9",
    "vmovups [rip + {area} + {ymm} + 0x140], ymm10",
    "vmovups [rip + {area} + {ymm} + 0x160], ymm11",
    "vmovups [rip + {area} + {ymm} + 0x180], ymm12",
    "vmovups [rip + {area} + {ymm} + 0x1a0], ymm13",
    "vmovups [rip + {area} + {ymm} + 0x1c0], ymm14",
    "vmovups [rip + {area} + {ymm} + 0x1e0], ymm15",
    "stmxcsr [rip + {area} + {mxcsr}]",
    "fxsave64 [rip + {area} + {fxsave}]",
    "fninit",
    "ldmxcsr [rip + {area} + {host_mxcsr}]",
    "vzeroupper",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    area = sym BELLJAR_ORACLE_AREA,
    rflags = const offset_of!(Area, rflags),
    target = const offset_of!(Area, target),
    host_rsp = const offset_of!(Area, host_rsp),
    host_fs = const offset_of!(Area, host_fs),
    host_gs = const offset_of!(Area, host_gs),
    fs_base = const offset_of!(Area, fs_base),
    gs_base = const offset_of!(Area, gs_base),
    mxcsr = const offset_of!(Area, mxcsr),
    host_mxcsr = const offset_of!(Area, host_mxcsr),
    ymm = const offset_of!(Area, ymm),
    fxsave = const offset_of!(Area, fxsave),
);

unsafe extern "sysv64" {
    fn belljar_oracle_enter();
    fn belljar_oracle_exit();
}

/// The host thread that runs code natively, 0 if none; faults of others are not ours.
static RUNNING: AtomicI64 = AtomicI64::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
static mut PREVIOUS: [usize; SIGNALS.len()] = [0; SIGNALS.len()];

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

// Runs with the guest's fs base, so it must touch no thread-local variable and must not panic.
extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, ucontext: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid ucontext_t to a handler with SA_SIGINFO.
    let registers = unsafe { &mut (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let rip = registers[libc::REG_RIP as usize] as u64;
    if RUNNING.load(Ordering::Relaxed) != thread() {
        let mut index = 0;
        while index < SIGNALS.len() - 1 && SIGNALS[index] != signal {
            index += 1;
        }
        // SAFETY: the handlers of `fault`, installed before this one (`Host::new`), with SA_SIGINFO.
        unsafe {
            let previous: Handler = std::mem::transmute(PREVIOUS[index]);
            previous(signal, info, ucontext);
        }
        return;
    }
    let vector = registers[libc::REG_TRAPNO as usize] as u64;
    let event = Event {
        vector,
        error_code: registers[libc::REG_ERR as usize] as u64,
        address: if vector == 14 { registers[libc::REG_CR2 as usize] as u64 } else { 0 },
    };
    RUNNING.store(0, Ordering::Relaxed);
    // SAFETY: this thread is inside `Host::run`, which waits for us.
    unsafe {
        (*addr_of_mut!(BELLJAR_ORACLE_AREA)).event = event;
        (*addr_of_mut!(BELLJAR_ORACLE_AREA)).target = rip;
    }
    registers[libc::REG_RIP as usize] = belljar_oracle_exit as *const () as i64;
}

/// gettid(2). Works whatever the fs base is.
fn thread() -> i64 {
    // SAFETY: the call reads a number and cannot fail, so errno, which needs the fs base, is not touched.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (index, signal) in SIGNALS.iter().enumerate() {
            // SAFETY: valid values; the handler has the signature that SA_SIGINFO asks for; `PREVIOUS` is written
            // only here, before the handler that reads it can be called.
            unsafe {
                let mut previous: libc::sigaction = std::mem::zeroed();
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handle as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                assert_eq!(libc::sigaction(*signal, std::ptr::null(), &mut previous), 0);
                (*addr_of_mut!(PREVIOUS))[index] = previous.sa_sigaction;
                assert_eq!(libc::sigaction(*signal, &action, std::ptr::null_mut()), 0);
            }
        }
    });
}

/// Host memory at the guest's addresses. One at a time in the process.
#[derive(Debug)]
pub struct Host {
    mapped: Vec<Range<u64>>,
    _alone: MutexGuard<'static, ()>,
}

impl Host {
    /// Nothing mapped yet.
    ///
    /// # Errors
    /// As [`super::prepare`].
    pub fn new() -> std::io::Result<Host> {
        super::prepare()?;
        if !super::fault::has_fsgsbase() {
            let message = "the oracle needs a host kernel that permits FSGSBASE";
            return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, message));
        }
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        install();
        Ok(Host { mapped: Vec::new(), _alone: alone })
    }

    /// Maps zeroed pages at exactly these addresses.
    ///
    /// # Errors
    /// The host's; `EEXIST` if something is there.
    pub fn map(&mut self, range: Range<u64>, writable: bool, executable: bool) -> std::io::Result<()> {
        let length = (range.end - range.start) as usize;
        let mut protection = libc::PROT_READ;
        protection |= if writable { libc::PROT_WRITE } else { 0 };
        protection |= if executable { libc::PROT_EXEC } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE | libc::MAP_POPULATE;
        // SAFETY: MAP_FIXED_NOREPLACE never replaces a mapping.
        let address = unsafe { libc::mmap(range.start as *mut libc::c_void, length, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        assert_eq!(address as u64, range.start, "the host honours MAP_FIXED_NOREPLACE");
        self.mapped.push(range);
        Ok(())
    }

    fn contains(&self, address: u64, length: usize) -> bool {
        let end = address + length as u64;
        let mapped = |page: u64| self.mapped.iter().any(|range| range.contains(&page));
        (address & !0xfff..end).step_by(0x1000).all(mapped)
    }

    /// Copies bytes in; the range must be mapped and writable.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        assert!(self.contains(address, bytes.len()), "only mapped memory is written");
        // SAFETY: the range is mapped by this value (asserted), and belongs to nothing else.
        unsafe { copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
    }

    /// The bytes of mapped memory.
    pub fn bytes(&self, address: u64, length: usize) -> &[u8] {
        assert!(self.contains(address, length), "only mapped memory is read");
        // SAFETY: the range is mapped by this value (asserted) and initialised (the kernel's zeroes); `&self` excludes
        // `write` and `run`.
        unsafe { std::slice::from_raw_parts(address as *const u8, length) }
    }

    /// Runs from rip until `int3` or a fault. `registers` are then those of that moment; rip is at the `int3` or at the
    /// instruction that faulted.
    ///
    /// The code must end like that: nothing else stops it. It may access only what this value mapped, or fault.
    pub fn run(&mut self, registers: &mut Registers) -> Event {
        assert!(self.contains(registers.rip, 1), "code runs in mapped memory");
        assert!(registers.extended.mxcsr <= 0xffff, "MXCSR has no reserved bits");
        let _signals = SignalStack::ensure();
        // SAFETY: this value is the only one in the process (`_alone`), so nobody else uses the area. The code is the
        // caller's to answer for; it returns through the handler, which restores stack, segment bases and all
        // callee-saved registers in `belljar_oracle_exit`.
        unsafe {
            let area = &mut *addr_of_mut!(BELLJAR_ORACLE_AREA);
            area.general = registers.general;
            area.rflags = registers.rflags & RFLAGS_USER & !(1 << 8) & !(1 << 18) | 0x202;
            area.target = registers.rip;
            area.fs_base = registers.fs_base;
            area.gs_base = registers.gs_base;
            area.mxcsr = registers.extended.mxcsr;
            area.ymm = registers.extended.ymm;
            area.fxsave = registers.extended.fxsave;
            area.fxsave[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
            RUNNING.store(thread(), Ordering::Relaxed);
            asm!("call {}", sym belljar_oracle_enter, clobber_abi("sysv64"));
            let area = &*addr_of!(BELLJAR_ORACLE_AREA);
            registers.general = area.general;
            registers.rflags = registers.rflags & !RFLAGS_USER | area.rflags & RFLAGS_USER;
            registers.fs_base = area.fs_base;
            registers.gs_base = area.gs_base;
            registers.extended.mxcsr = area.mxcsr;
            registers.extended.ymm = area.ymm;
            save_x87(&mut registers.extended, &area.fxsave);
            // The handler left rip there; after a breakpoint rip is behind it.
            registers.rip = if area.event.vector == BREAKPOINT { area.target - 1 } else { area.target };
            area.event
        }
    }
}

fn save_x87(state: &mut ExtendedState, image: &[u8; 512]) {
    state.fxsave[..5].copy_from_slice(&image[..5]);
    state.fxsave[32..160].copy_from_slice(&image[32..160]);
}

impl Drop for Host {
    fn drop(&mut self) {
        for range in &self.mapped {
            // SAFETY: unmaps exactly what `map` mapped.
            unsafe { libc::munmap(range.start as *mut libc::c_void, (range.end - range.start) as usize) };
        }
    }
}

/// Handlers need a stack of their own: the stack pointer is the guest's.
struct SignalStack;

impl SignalStack {
    fn ensure() -> SignalStack {
        // SAFETY: asks for, or sets, this thread's alternate stack; a new one is leaked and so outlives its use.
        unsafe {
            let mut current: libc::stack_t = std::mem::zeroed();
            assert_eq!(libc::sigaltstack(std::ptr::null(), &mut current), 0);
            if current.ss_flags & libc::SS_DISABLE != 0 || current.ss_size < 32 << 10 {
                let memory = Box::leak(vec![0_u8; 64 << 10].into_boxed_slice());
                let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: memory.len() };
                assert_eq!(libc::sigaltstack(&stack, std::ptr::null_mut()), 0);
            }
        }
        SignalStack
    }
}
