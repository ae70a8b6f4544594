//! Guest memory as one instruction sees it: canonical addresses, access rights of every byte, copies.
//!
//! An instruction first touches all that it will access, so that a fault leaves nothing half done, and copies afterwards.

use super::Core;
use machine::mmu::{self, Access};
use machine::tlb_model::Use;
use machine::{Exception, FrameNumber, Trap};

/// RFLAGS.AC: misaligned data accesses raise #AC. Intel SDM 3A 6.15, interrupt 17.
pub(crate) const FLAG_ALIGNMENT_CHECK: u64 = 1 << 18;

/// Which exception a non-canonical address raises. Intel SDM 1 3.3.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// #GP.
    Data,
    /// #SS: the address came from rsp or rbp, or the access is a push or pop.
    Stack,
}

impl Core<'_, '_> {
    /// Whether an address is a sign-extended 48-bit (with five levels of page tables: 57-bit) number.
    pub(crate) fn is_canonical(&self, address: u64) -> bool {
        let unused = 64 - self.space.table.scheme().canonical_bits();
        (address as i64) << unused >> unused == address as i64
    }

    /// Checks that all of `length` bytes may be accessed; counts one data access.
    ///
    /// # Errors
    /// The exception for a non-canonical or, with AC set, misaligned address; a page fault at the first byte that may
    /// not be accessed.
    pub(crate) fn touch(&mut self, address: u64, length: usize, access: Access, segment: Segment) -> Result<(), Trap> {
        let last = address.wrapping_add(length as u64 - 1);
        if !self.is_canonical(address) || !self.is_canonical(last) {
            return Err(Trap::Exception(match segment {
                Segment::Data => Exception::GeneralProtection,
                Segment::Stack => Exception::StackFault,
            }));
        }
        if self.registers.rflags & FLAG_ALIGNMENT_CHECK != 0
            && matches!(length, 2 | 4 | 8)
            && !address.is_multiple_of(length as u64)
        {
            return Err(Trap::Exception(Exception::AlignmentCheck));
        }
        self.accesses += 1;
        self.touch_page(address, access)?;
        let page_size = self.space.memory.page_size();
        let mut page = page_size.start(address);
        while page != page_size.start(last) {
            page = page.wrapping_add(page_size.bytes());
            self.touch_page(page, access)?;
        }
        Ok(())
    }

    /// Checks that a byte may be accessed, and tells the model.
    fn touch_page(&mut self, address: u64, access: Access) -> Result<(), Trap> {
        let translated = self.translate(address, access);
        if let Some(model) = &mut self.space.model {
            match translated {
                Ok(_) => model.access(address, Use::Data),
                Err(_) => model.fault(Use::Data),
            }
        }
        translated.map(|_| ())
    }

    /// The frame and offset of one byte.
    pub(crate) fn translate(&mut self, address: u64, access: Access) -> Result<(FrameNumber, usize), Trap> {
        let space = &mut *self.space;
        mmu::translate(space.memory, space.table, space.tlb, address, access).map_err(Trap::PageFault)
    }

    /// Copies bytes that were touched.
    pub(crate) fn load(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Trap> {
        let mut done = 0;
        while done < buffer.len() {
            let (frame, offset) = self.translate(address.wrapping_add(done as u64), Access::Read)?;
            let bytes = &self.space.memory.bytes(frame)[offset..];
            let length = bytes.len().min(buffer.len() - done);
            buffer[done..done + length].copy_from_slice(&bytes[..length]);
            done += length;
        }
        Ok(())
    }

    /// Overwrites bytes that were touched for writing.
    pub(crate) fn store(&mut self, address: u64, bytes: &[u8]) -> Result<(), Trap> {
        let mut done = 0;
        while done < bytes.len() {
            let (frame, offset) = self.translate(address.wrapping_add(done as u64), Access::Write)?;
            let target = &mut self.space.memory.bytes_mut(frame)[offset..];
            let length = target.len().min(bytes.len() - done);
            target[..length].copy_from_slice(&bytes[done..done + length]);
            done += length;
        }
        Ok(())
    }

    /// Reads a little-endian number of 1 to 8 bytes.
    pub(crate) fn read_number(&mut self, address: u64, size: usize, segment: Segment) -> Result<u64, Trap> {
        self.touch(address, size, Access::Read, segment)?;
        let mut bytes = [0; 8];
        self.load(address, &mut bytes[..size])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes the low 1 to 8 bytes of a number.
    pub(crate) fn write_number(&mut self, address: u64, size: usize, value: u64, segment: Segment) -> Result<(), Trap> {
        self.touch(address, size, Access::Write, segment)?;
        self.store(address, &value.to_le_bytes()[..size])
    }
}
