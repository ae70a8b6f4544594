//! Memory that holds translated code. Bytes are written once, behind one another, and later only patched.

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ptr::NonNull;

/// The part of the code memory that code goes to: what runs often apart from what runs seldom, for the host's caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The lower half.
    Hot,
    /// The upper half.
    Cold,
}

/// An area of the code memory has no room; the processor forgets all code and starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeMemoryFull;

/// One range of host memory that is writable and executable. Code is named by its offset from the start, for what is
/// written does not depend on where the host put the range.
///
/// Where the host forbids both at once, the same memory is mapped twice.
///
/// # Invariants
/// - `run` and `write` are mappings of `length` bytes of the same memory, `length` at most 1 GiB, so that a 32-bit
///   displacement reaches from everywhere to everywhere;
/// - `used` of each area is at most half of `length`.
#[derive(Debug)]
pub struct ExecutableMemory {
    run: NonNull<u8>,
    write: NonNull<u8>,
    length: usize,
    used: [usize; 2],
}

// SAFETY: the mappings are owned by the value alone and tied to no thread.
unsafe impl Send for ExecutableMemory {}

impl ExecutableMemory {
    /// Reserves `length` bytes, half for each area. Costs host memory only where used.
    ///
    /// # Errors
    /// The host's error if it gives no executable memory.
    pub fn new(length: usize) -> std::io::Result<ExecutableMemory> {
        assert!(
            length.is_multiple_of(8192) && (8192..=1 << 30).contains(&length),
            "two areas of whole pages, in reach"
        );
        let all = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new private mapping at an address of the host's choice aliases nothing.
        let (run, write) = match unsafe { mmap_anonymous(std::ptr::null_mut(), length, all, flags) } {
            Ok(address) => (address, address),
            Err(_) => {
                let file = rustix::fs::memfd_create("translated code", rustix::fs::MemfdFlags::CLOEXEC)?;
                rustix::fs::ftruncate(&file, length as u64)?;
                // SAFETY: two new mappings at addresses of the host's choice; only this value knows them, and it
                // reads and writes through `write` alone.
                unsafe {
                    let map = |protection| mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, &file, 0);
                    (map(ProtFlags::READ | ProtFlags::EXEC)?, map(ProtFlags::READ | ProtFlags::WRITE)?)
                }
            }
        };
        let pointer = |address: *mut std::ffi::c_void| {
            NonNull::new(address.cast()).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))
        };
        Ok(ExecutableMemory { run: pointer(run)?, write: pointer(write)?, length, used: [0; 2] })
    }

    fn start(&self, area: Area) -> usize {
        if area == Area::Hot { 0 } else { self.length / 2 }
    }

    /// The offset of the next byte of an area.
    pub fn cursor(&self, area: Area) -> u64 {
        (self.start(area) + self.used[area as usize]) as u64
    }

    /// The offset of the first byte of an area.
    pub fn area_start(&self, area: Area) -> u64 {
        self.start(area) as u64
    }

    /// Bytes in use in an area.
    pub fn used(&self, area: Area) -> usize {
        self.used[area as usize]
    }

    /// Bytes free in an area.
    pub fn available(&self, area: Area) -> usize {
        self.length / 2 - self.used[area as usize]
    }

    /// The host addresses at which code of this memory runs.
    pub fn range(&self) -> std::ops::Range<u64> {
        let start = self.run.as_ptr() as u64;
        start..start + self.length as u64
    }

    /// Appends code to an area; returns its offset.
    ///
    /// # Errors
    /// [`CodeMemoryFull`] if it does not fit.
    pub fn append(&mut self, area: Area, code: &[u8]) -> Result<u64, CodeMemoryFull> {
        if code.len() > self.available(area) {
            return Err(CodeMemoryFull);
        }
        let offset = self.cursor(area);
        self.used[area as usize] += code.len();
        self.patch(offset, code);
        Ok(offset)
    }

    /// Takes bytes of an area without writing them; returns their offset.
    ///
    /// # Errors
    /// [`CodeMemoryFull`] if they do not fit.
    pub fn reserve(&mut self, area: Area, length: usize) -> Result<u64, CodeMemoryFull> {
        if length > self.available(area) {
            return Err(CodeMemoryFull);
        }
        let offset = self.cursor(area);
        self.used[area as usize] += length;
        Ok(offset)
    }

    /// Asks the host for large pages: much code is to come, and they spare its look-aside buffer of instructions. For
    /// little code, clearing them costs more than they save.
    pub fn expect_much(&self) {
        // SAFETY: the range is the mapping made in `new`, and the advice changes none of its contents. It is only a wish.
        let _ = unsafe { madvise(self.write.as_ptr().cast(), self.length, Advice::LinuxHugepage) };
    }

    /// Overwrites code that was appended.
    pub fn patch(&mut self, offset: u64, code: &[u8]) {
        let end = offset.checked_add(code.len() as u64);
        assert!(end.is_some_and(|end| end <= self.length as u64), "the patch lies in the code memory");
        // SAFETY: the range lies inside the mapping (asserted above). Nobody else reads or writes it meanwhile:
        // translated code runs only inside `enter`, on this thread, and `&mut self` excludes other users.
        unsafe {
            let to = self.write.as_ptr().add(offset as usize);
            std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len());
        }
    }

    /// Some bytes of code.
    pub fn bytes(&self, offset: u64, length: usize) -> &[u8] {
        let end = offset.checked_add(length as u64);
        assert!(end.is_some_and(|end| end <= self.length as u64), "the bytes lie in the code memory");
        // SAFETY: inside the mapping (asserted above), always initialised (the host maps zeroes), and `&self`
        // excludes `patch`.
        unsafe { std::slice::from_raw_parts(self.write.as_ptr().add(offset as usize), length) }
    }

    /// Forgets everything but the first `keep` bytes of the hot area.
    pub fn reset(&mut self, keep: usize) {
        assert!(keep <= self.used[0], "only what is in use can be kept");
        self.used = [keep, 0];
    }
}

impl Drop for ExecutableMemory {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly the mappings made in `new`; no reference into them outlives `self`.
        unsafe {
            let _ = munmap(self.run.as_ptr().cast(), self.length);
            if self.write != self.run {
                let _ = munmap(self.write.as_ptr().cast(), self.length);
            }
        }
    }
}
