//! Physical memory: frames with reference counts, all inside one host mapping. A frame has the size of a page, which is
//! 4 KiB unless the paging scheme says otherwise.
//!
//! The host mapping is reserved at once and costs host memory only where it is touched. Frames that were never used
//! are known to be zero (the host's mapping is), so a demand-zero page of a fresh frame needs no clearing.

use crate::PageSize;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes in the smallest frame, of which every frame is a multiple; the processor looks at memory in pieces of this size.
pub const SMALLEST_FRAME: usize = 4096;

/// The number of a frame of physical memory; its guest-physical address is the number times
/// [`PhysicalMemory::frame_size`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u32);

/// No frame is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames;

/// The frame holds bytes that a processor has translated; a write must be reported to it.
const FLAG_CODE: u8 = 1;
/// Some TLB may hold a writable entry for the frame.
const FLAG_WRITABLE_CACHED: u8 = 2;

/// All frames, their reference counts and the free ones.
///
/// # Invariants
/// - a frame with count 0 is either never used (`>= fresh`), on the free list, or in a free run, exactly once;
/// - frames never used are all zero.
#[derive(Debug)]
pub struct PhysicalMemory {
    base: NonNull<u8>,
    page_size: PageSize,
    /// Binary logarithm of a frame's bytes.
    shift: u32,
    total: u32,
    counts: Vec<u32>,
    flags: Vec<u8>,
    free: Vec<u32>,
    /// Frames that follow one another and were given back together: the first, and how many.
    free_runs: Vec<(u32, u32)>,
    fresh: u32,
    most_used: u32,
    /// Frames that are not given away: others use their memory.
    reserved: u32,
    code_writes: Vec<FrameNumber>,
    code_marks: u64,
}

impl PhysicalMemory {
    /// Reserves physical memory of `size_bytes` in frames of 4 KiB, rounded down to whole frames.
    ///
    /// # Errors
    /// As [`Self::with_frames_of`].
    pub fn new(size_bytes: u64) -> std::io::Result<PhysicalMemory> {
        PhysicalMemory::with_frames_of(PageSize::SMALLEST, size_bytes)
    }

    /// Reserves physical memory of `size_bytes` in frames of a page each, rounded down to whole frames.
    ///
    /// # Errors
    /// The host's error if the address range cannot be reserved; `size_bytes` must hold at least one frame and at most
    /// 2^32 - 1 of them (`InvalidInput` otherwise).
    pub fn with_frames_of(page_size: PageSize, size_bytes: u64) -> std::io::Result<PhysicalMemory> {
        let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidInput);
        let shift = page_size.shift();
        let total = u32::try_from(size_bytes >> shift).map_err(|_| invalid())?;
        if total == 0 {
            return Err(invalid());
        }
        let length = (total as usize) << shift;
        // SAFETY: a new private anonymous mapping at an address of the host's choice aliases nothing.
        let address = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        // SAFETY: the range is the mapping just made. Huge pages are a wish: without them only speed differs.
        let _ = unsafe { madvise(address, length, Advice::LinuxHugepage) };
        Ok(PhysicalMemory {
            base: NonNull::new(address.cast()).ok_or_else(invalid)?,
            page_size,
            shift,
            total,
            counts: vec![0; total as usize],
            flags: vec![0; total as usize],
            free: Vec::new(),
            free_runs: Vec::new(),
            fresh: 0,
            most_used: 0,
            reserved: 0,
            code_writes: Vec::new(),
            code_marks: 0,
        })
    }

    /// How many frames there are.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The size of a frame, and of a page.
    #[inline]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Bytes in a frame.
    #[inline]
    pub fn frame_size(&self) -> usize {
        1 << self.shift
    }

    /// Binary logarithm of [`Self::frame_size`].
    #[inline]
    pub fn frame_shift(&self) -> u32 {
        self.shift
    }

    /// How many frames can be given away.
    pub fn available(&self) -> u32 {
        (self.total - self.in_use()).saturating_sub(self.reserved)
    }

    /// How many frames have references.
    pub fn in_use(&self) -> u32 {
        let in_runs: u32 = self.free_runs.iter().map(|(_, length)| length).sum();
        self.fresh - self.free.len() as u32 - in_runs
    }

    /// Keeps `frames` from being given away: the kernel uses as much memory outside. It may be more than are left.
    pub fn reserve(&mut self, frames: u32) {
        self.reserved = frames.min(self.total);
    }

    /// How many frames have to be released before `wanted` can be given away.
    pub fn shortage(&self, wanted: u32) -> u32 {
        (self.in_use() + self.reserved).saturating_add(wanted).saturating_sub(self.total)
    }

    /// The most frames that were in use at once.
    pub fn most_used(&self) -> u32 {
        self.most_used
    }

    /// Takes a frame with unspecified contents; its count is 1.
    ///
    /// # Errors
    /// [`OutOfFrames`] if all are in use.
    pub fn allocate(&mut self) -> Result<FrameNumber, OutOfFrames> {
        Ok(self.take()?.0)
    }

    /// Takes a frame of zeroes; its count is 1.
    ///
    /// # Errors
    /// [`OutOfFrames`] if all are in use.
    pub fn allocate_zeroed(&mut self) -> Result<FrameNumber, OutOfFrames> {
        let (frame, zero) = self.take()?;
        if !zero {
            self.bytes_mut(frame).fill(0);
        }
        Ok(frame)
    }

    /// Takes `length` frames of zeroes that follow one another; each has the count 1. Returns the first.
    ///
    /// # Errors
    /// [`OutOfFrames`] if no so many free frames follow one another.
    pub fn allocate_run_zeroed(&mut self, length: u32) -> Result<FrameNumber, OutOfFrames> {
        if length == 1 {
            return self.allocate_zeroed();
        }
        if self.shortage(length) > 0 {
            return Err(OutOfFrames);
        }
        let first = match self.free_runs.iter().rposition(|(_, free)| *free == length) {
            Some(position) => self.free_runs.swap_remove(position).0,
            None if self.total - self.fresh >= length => {
                self.fresh += length;
                return Ok(self.mark_run(self.fresh - length, length));
            }
            None => self.find_run(length).ok_or(OutOfFrames)?,
        };
        let run = self.mark_run(first, length);
        for number in first..first + length {
            self.bytes_mut(FrameNumber(number)).fill(0);
        }
        Ok(run)
    }

    fn mark_run(&mut self, first: u32, length: u32) -> FrameNumber {
        for count in &mut self.counts[first as usize..(first + length) as usize] {
            assert_eq!(*count, 0, "a free frame has no references");
            *count = 1;
        }
        FrameNumber(first)
    }

    /// Takes frames that follow one another out of all that are free, wherever they come from.
    fn find_run(&mut self, length: u32) -> Option<u32> {
        self.free
            .extend(std::mem::take(&mut self.free_runs).into_iter().flat_map(|(first, length)| first..first + length));
        self.free.extend(self.fresh..self.total);
        // Frames never used were zero; those on the free list need not be.
        self.fresh = self.total;
        // The lowest frame last, as the list is taken from its end.
        self.free.sort_unstable_by(|left, right| right.cmp(left));
        let end = self
            .free
            .windows(length as usize)
            .rposition(|window| window[0] - window[window.len() - 1] == length - 1)?;
        let first = self.free[end + length as usize - 1];
        self.free.drain(end..end + length as usize);
        Some(first)
    }

    /// A frame with count 1, and whether it is known to be zero.
    fn take(&mut self) -> Result<(FrameNumber, bool), OutOfFrames> {
        if self.in_use() + self.reserved >= self.total {
            return Err(OutOfFrames);
        }
        if self.free.is_empty()
            && self.fresh == self.total
            && let Some((first, length)) = self.free_runs.pop()
        {
            self.free.extend((first..first + length).rev());
        }
        let (number, zero) = match self.free.pop() {
            Some(number) => (number, false),
            None if self.fresh < self.total => {
                self.fresh += 1;
                (self.fresh - 1, true)
            }
            None => return Err(OutOfFrames),
        };
        assert_eq!(self.counts[number as usize], 0, "a free frame has no references");
        self.counts[number as usize] = 1;
        self.most_used = self.most_used.max(self.in_use());
        Ok((FrameNumber(number), zero))
    }

    /// Adds a reference to a frame in use.
    pub fn retain(&mut self, frame: FrameNumber) {
        let count = &mut self.counts[frame.0 as usize];
        assert!(*count > 0, "only a frame in use can be shared");
        *count += 1;
    }

    /// Drops a reference; the frame is free when the last is gone.
    pub fn release(&mut self, frame: FrameNumber) {
        let count = &mut self.counts[frame.0 as usize];
        assert!(*count > 0, "a reference is dropped once");
        *count -= 1;
        if *count == 0 {
            // What was translated from the old contents must not meet the new ones.
            self.note_write(frame);
            self.free.push(frame.0);
        }
    }

    /// Gives back frames of [`Self::allocate_run_zeroed`], each of which has the count 1 still.
    pub fn release_run(&mut self, first: FrameNumber, length: u32) {
        if length == 1 {
            self.release(first);
            return;
        }
        for number in first.0..first.0 + length {
            assert_eq!(self.counts[number as usize], 1, "nobody shares a frame of a run");
            self.counts[number as usize] = 0;
            self.note_write(FrameNumber(number));
        }
        self.free_runs.push((first.0, length));
    }

    /// How many references the frame has.
    pub fn count(&self, frame: FrameNumber) -> u32 {
        self.counts[frame.0 as usize]
    }

    /// The frame's bytes.
    #[inline]
    pub fn bytes(&self, frame: FrameNumber) -> &[u8] {
        assert!(frame.0 < self.total, "the frame exists");
        // SAFETY: the frame lies inside the mapping made in `new` (asserted above), is always initialised (the host
        // maps zeroes), and `&self` excludes writers: translated code runs only while `Processor::run` holds `&mut`.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add((frame.0 as usize) << self.shift), 1 << self.shift) }
    }

    /// The frame's bytes, to be changed. Tells the processor if it had translated them.
    #[inline]
    pub fn bytes_mut(&mut self, frame: FrameNumber) -> &mut [u8] {
        assert!(frame.0 < self.total, "the frame exists");
        self.note_write(frame);
        let base = self.base.as_ptr();
        // SAFETY: as in `bytes`; `&mut self` excludes every other reader and writer.
        unsafe { std::slice::from_raw_parts_mut(base.add((frame.0 as usize) << self.shift), 1 << self.shift) }
    }

    /// Copies a whole frame.
    pub fn copy(&mut self, from: FrameNumber, to: FrameNumber) {
        assert_ne!(from, to, "a frame is not copied onto itself");
        assert!(from.0 < self.total && to.0 < self.total, "both frames exist");
        self.note_write(to);
        // SAFETY: two different frames inside the mapping made in `new` do not overlap (both asserted above).
        unsafe {
            let base = self.base.as_ptr();
            let source = base.add((from.0 as usize) << self.shift);
            std::ptr::copy_nonoverlapping(source, base.add((to.0 as usize) << self.shift), 1 << self.shift);
        }
    }

    /// Copies `length` bytes from a place in a frame to one in another or the same frame, as memmove(3) does.
    pub fn copy_part(&mut self, from: (FrameNumber, usize), to: (FrameNumber, usize), length: usize) {
        assert!(from.0.0 < self.total && to.0.0 < self.total, "both frames exist");
        let size = self.frame_size();
        assert!(length <= size && from.1 <= size - length && to.1 <= size - length, "in the frames");
        self.note_write(to.0);
        // SAFETY: both ranges lie inside frames of the mapping made in `new` (asserted above); `copy` allows overlap,
        // and `&mut self` excludes every other reader and writer.
        unsafe {
            let base = self.base.as_ptr();
            let source = base.add(((from.0.0 as usize) << self.shift) + from.1);
            std::ptr::copy(source, base.add(((to.0.0 as usize) << self.shift) + to.1), length);
        }
    }

    /// The `index`-th eight-byte word from the frame's start on, as page tables use them; a table may go on in the frames
    /// that follow.
    #[inline]
    pub fn word(&self, frame: FrameNumber, index: usize) -> u64 {
        let at = ((frame.0 as usize) << (self.shift - 3)) + index;
        assert!(at < (self.total as usize) << (self.shift - 3), "the word exists");
        // SAFETY: the word lies inside the mapping and is aligned (asserted above); exclusion as in `bytes`.
        unsafe { *self.base.as_ptr().cast::<u64>().add(at) }
    }

    /// Sets what [`Self::word`] reads. For page tables: never reported as a write to code.
    #[inline]
    pub fn set_word(&mut self, frame: FrameNumber, index: usize, value: u64) {
        let at = ((frame.0 as usize) << (self.shift - 3)) + index;
        assert!(at < (self.total as usize) << (self.shift - 3), "the word exists");
        // SAFETY: as in `word`; `&mut self` excludes every other reader and writer.
        unsafe { *self.base.as_ptr().cast::<u64>().add(at) = value }
    }

    /// The `index`-th four-byte word from the frame's start on; otherwise as [`Self::word`].
    #[inline]
    pub fn half_word(&self, frame: FrameNumber, index: usize) -> u32 {
        let at = ((frame.0 as usize) << (self.shift - 2)) + index;
        assert!(at < (self.total as usize) << (self.shift - 2), "the word exists");
        // SAFETY: the word lies inside the mapping and is aligned (asserted above); exclusion as in `bytes`.
        unsafe { *self.base.as_ptr().cast::<u32>().add(at) }
    }

    /// Sets what [`Self::half_word`] reads. For page tables: never reported as a write to code.
    #[inline]
    pub fn set_half_word(&mut self, frame: FrameNumber, index: usize, value: u32) {
        let at = ((frame.0 as usize) << (self.shift - 2)) + index;
        assert!(at < (self.total as usize) << (self.shift - 2), "the word exists");
        // SAFETY: as in `half_word`; `&mut self` excludes every other reader and writer.
        unsafe { *self.base.as_ptr().cast::<u32>().add(at) = value }
    }

    /// The host address of a frame, for processors that run guest code natively.
    #[inline]
    pub fn host_address(&self, frame: FrameNumber) -> u64 {
        self.host_base() + (u64::from(frame.0) << self.shift)
    }

    /// The host address of frame 0, for processors that run guest code natively. Frames follow one another.
    pub fn host_base(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    /// Says that a processor has translated code from this frame. Writes through [`Self::bytes_mut`] and write
    /// accesses through [`crate::mmu::translate`] are reported by [`Self::take_code_writes`] from now on; what TLBs
    /// permitted before is taken back by [`crate::Tlb::revoke_writes_to_code`].
    pub fn mark_code(&mut self, frame: FrameNumber) {
        let flags = &mut self.flags[frame.0 as usize];
        if *flags & FLAG_WRITABLE_CACHED != 0 {
            self.code_marks += 1;
        }
        *flags = *flags & !FLAG_WRITABLE_CACHED | FLAG_CODE;
    }

    /// How often a frame became code that some TLB may permit to write.
    pub fn code_marks(&self) -> u64 {
        self.code_marks
    }

    /// Whether a processor has translated code from this frame since it was last written.
    pub fn is_code(&self, frame: FrameNumber) -> bool {
        self.flags[frame.0 as usize] & FLAG_CODE != 0
    }

    /// Records that the frame's bytes change (or are about to). Takes the code mark away.
    pub fn note_write(&mut self, frame: FrameNumber) {
        let flags = &mut self.flags[frame.0 as usize];
        if *flags & FLAG_CODE != 0 {
            *flags &= !FLAG_CODE;
            self.code_writes.push(frame);
        }
    }

    /// Records that a TLB caches a writable entry for the frame.
    pub(crate) fn note_writable_cached(&mut self, frame: FrameNumber) {
        self.flags[frame.0 as usize] |= FLAG_WRITABLE_CACHED;
    }

    /// Whether any code frame was written since the last [`Self::take_code_writes`].
    #[inline]
    pub fn has_code_writes(&self) -> bool {
        !self.code_writes.is_empty()
    }

    /// The code frames written since the last call, in order. The processor forgets what it translated from them.
    pub fn take_code_writes(&mut self) -> Vec<FrameNumber> {
        std::mem::take(&mut self.code_writes)
    }
}

impl Drop for PhysicalMemory {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly the mapping made in `new`; no reference into it outlives `self`.
        let _ = unsafe { munmap(self.base.as_ptr().cast::<c_void>(), (self.total as usize) << self.shift) };
    }
}

/// Words that are zero at first, and cost host memory only where they are written. An allocation would be cleared where
/// the allocator hands out memory again.
#[derive(Debug)]
pub struct ZeroedWords {
    base: NonNull<u64>,
    length: usize,
}

impl ZeroedWords {
    /// So many words; at least one.
    ///
    /// # Panics
    /// If the host gives no address range, as an allocation would.
    pub fn new(length: usize) -> ZeroedWords {
        assert!(length > 0, "a mapping has a page");
        // SAFETY: a new private anonymous mapping at an address of the host's choice aliases nothing.
        let address = unsafe {
            mmap_anonymous(std::ptr::null_mut(), length * 8, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        let address = address.expect("the host gives an address range");
        ZeroedWords { base: NonNull::new(address.cast()).expect("a mapping is not at address 0"), length }
    }
}

impl Deref for ZeroedWords {
    type Target = [u64];
    #[inline]
    fn deref(&self) -> &[u64] {
        // SAFETY: the mapping made in `new` is as long, aligned to a page, initialised (the host's zeroes), lives as long
        // as `self`, and only `self` leads to it.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.length) }
    }
}

impl DerefMut for ZeroedWords {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `deref`; `&mut self` excludes every other reader and writer.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.length) }
    }
}

impl Drop for ZeroedWords {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly the mapping made in `new`; no reference into it outlives `self`.
        let _ = unsafe { munmap(self.base.as_ptr().cast::<c_void>(), self.length * 8) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_frame_is_zeroed_before_it_is_handed_out_as_zero() {
        let mut memory = PhysicalMemory::new(2 * 4096).unwrap();
        let frame = memory.allocate_zeroed().unwrap();
        memory.bytes_mut(frame)[7] = 9;
        memory.release(frame);
        let again = memory.allocate_zeroed().unwrap();
        assert_eq!(again, frame);
        assert!(memory.bytes(again).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn memory_runs_out_and_comes_back() {
        let mut memory = PhysicalMemory::new(2 * 4096).unwrap();
        let first = memory.allocate().unwrap();
        memory.allocate().unwrap();
        assert_eq!(memory.allocate(), Err(OutOfFrames));
        memory.retain(first);
        memory.release(first);
        assert_eq!(memory.available(), 0);
        memory.release(first);
        assert_eq!(memory.available(), 1);
    }

    #[test]
    fn a_write_to_a_code_frame_is_reported_once() {
        let mut memory = PhysicalMemory::new(4096).unwrap();
        let frame = memory.allocate().unwrap();
        memory.mark_code(frame);
        memory.bytes_mut(frame)[0] = 1;
        memory.bytes_mut(frame)[1] = 1;
        assert_eq!(memory.take_code_writes(), [frame]);
        assert!(!memory.is_code(frame));
    }

    #[test]
    fn runs_are_found_again_however_their_frames_came_back() {
        let mut memory = PhysicalMemory::with_frames_of(PageSize::of_bits(13).unwrap(), 16 << 13).unwrap();
        let single = memory.allocate().unwrap();
        let run = memory.allocate_run_zeroed(8).unwrap();
        memory.bytes_mut(FrameNumber(run.0 + 7))[8191] = 1;
        memory.release_run(run, 8);
        assert_eq!(memory.available(), 15);
        assert_eq!(memory.allocate_run_zeroed(8), Ok(run));
        assert!((0..8).all(|index| memory.bytes(FrameNumber(run.0 + index)).iter().all(|byte| *byte == 0)));
        assert_eq!(memory.allocate_run_zeroed(8), Err(OutOfFrames));
        memory.release_run(run, 8);
        let all: Vec<_> = (0..15).map(|_| memory.allocate().unwrap()).collect();
        assert_eq!(memory.allocate(), Err(OutOfFrames));
        for frame in all.into_iter().step_by(2).chain([single]) {
            memory.release(frame);
        }
        assert_eq!((memory.available(), memory.allocate_run_zeroed(4)), (9, Err(OutOfFrames)));
    }
}
