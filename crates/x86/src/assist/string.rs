//! String instructions with every prefix, in both directions. Intel SDM 2A `rep`, 2A and 2B `movs`, `cmps`, `scas`,
//! `lods`, `stos`.
//!
//! Runs inside a page are copied, filled or scanned at once; an element across a page border, and everything
//! downwards, goes element by element. Registers are kept up to date after each run, so that a fault leaves exactly
//! the iterations before it done.

use super::Core;
use super::memory::Segment;
use super::operand::{
    FLAG_ADJUST, FLAG_CARRY, FLAG_DIRECTION, FLAG_OVERFLOW, FLAG_PARITY, FLAG_SIGN, FLAG_ZERO, get, set, truncate,
};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use machine::mmu::Access;
use machine::{SMALLEST_FRAME, Trap};

/// The six flags that arithmetic sets.
pub(crate) const FLAGS_ARITHMETIC: u64 = FLAG_CARRY | FLAG_PARITY | FLAG_ADJUST | FLAG_ZERO | FLAG_SIGN | FLAG_OVERFLOW;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Move,
    Store,
    Load,
    Scan,
    Compare,
}

/// What stays the same over the iterations.
struct Shape {
    kind: Kind,
    /// Bytes in an element.
    size: usize,
    /// rsi, rdi and rcx, or with the prefix 67h their lower halves.
    source: Register,
    destination: Register,
    counter: Register,
    /// Base of the source's segment.
    source_base: u64,
    backwards: bool,
    repeats: bool,
    /// ZF at which `repe` or `repne` goes on.
    while_zero: bool,
}

/// The arithmetic flags of `a - b` in `size` bytes.
pub(crate) fn flags_of_difference(a: u64, b: u64, size: usize) -> u64 {
    let (a, b) = (truncate(a, size), truncate(b, size));
    let difference = truncate(a.wrapping_sub(b), size);
    let sign = 1u64 << (8 * size - 1);
    let flag = |condition, flag| if condition { flag } else { 0 };
    flag(a < b, FLAG_CARRY)
        | flag((difference as u8).count_ones().is_multiple_of(2), FLAG_PARITY)
        | flag((a ^ b ^ difference) & 0x10 != 0, FLAG_ADJUST)
        | flag(difference == 0, FLAG_ZERO)
        | flag(difference & sign != 0, FLAG_SIGN)
        | flag((a ^ b) & (a ^ difference) & sign != 0, FLAG_OVERFLOW)
}

fn shape(core: &Core<'_, '_>, instruction: &Instruction) -> Shape {
    let kind = match instruction.mnemonic() {
        Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsd | Mnemonic::Movsq => Kind::Move,
        Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => Kind::Store,
        Mnemonic::Lodsb | Mnemonic::Lodsw | Mnemonic::Lodsd | Mnemonic::Lodsq => Kind::Load,
        Mnemonic::Scasb | Mnemonic::Scasw | Mnemonic::Scasd | Mnemonic::Scasq => Kind::Scan,
        _ => Kind::Compare,
    };
    let short = (0..instruction.op_count())
        .any(|operand| matches!(instruction.op_kind(operand), OpKind::MemorySegESI | OpKind::MemoryESEDI));
    let (source, destination, counter) = match short {
        true => (Register::ESI, Register::EDI, Register::ECX),
        false => (Register::RSI, Register::RDI, Register::RCX),
    };
    Shape {
        kind,
        size: instruction.memory_size().size(),
        source,
        destination,
        counter,
        source_base: core.segment_base(instruction.memory_segment()),
        backwards: core.registers.rflags & FLAG_DIRECTION != 0,
        repeats: instruction.has_rep_prefix() || instruction.has_repne_prefix(),
        while_zero: !instruction.has_repne_prefix(),
    }
}

impl Core<'_, '_> {
    /// Executes one of them; the next rip. With TF set a repeated one stops after each iteration, rip unchanged.
    pub(super) fn string(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let shape = shape(self, instruction);
        let next = instruction.next_ip();
        if !shape.repeats {
            self.element(&shape)?;
            return Ok(next);
        }
        let single = self.registers.rflags & super::FLAG_TRAP != 0;
        loop {
            let left = get(self.registers, shape.counter);
            if left == 0 {
                return Ok(next);
            }
            let run = if single || shape.backwards { 0 } else { self.run_in_pages(&shape, left)? };
            let done = if run == 0 {
                self.element(&shape)?;
                1
            } else {
                run
            };
            // What is done stays done even if the next iteration faults.
            self.space.tlb.accesses += std::mem::take(&mut self.accesses);
            set(self.registers, shape.counter, left.wrapping_sub(done));
            let compares = matches!(shape.kind, Kind::Scan | Kind::Compare);
            if compares && (self.registers.rflags & FLAG_ZERO != 0) != shape.while_zero {
                return Ok(next);
            }
            if single && left != done {
                return Ok(instruction.ip());
            }
        }
    }

    fn source_address(&self, shape: &Shape) -> u64 {
        get(self.registers, shape.source).wrapping_add(shape.source_base)
    }

    /// Moves the index registers by whole elements.
    fn advance(&mut self, shape: &Shape, elements: u64) {
        let distance = elements.wrapping_mul(shape.size as u64);
        let distance = if shape.backwards { distance.wrapping_neg() } else { distance };
        if shape.kind != Kind::Store && shape.kind != Kind::Scan {
            let moved = get(self.registers, shape.source).wrapping_add(distance);
            set(self.registers, shape.source, moved);
        }
        if shape.kind != Kind::Load {
            let moved = get(self.registers, shape.destination).wrapping_add(distance);
            set(self.registers, shape.destination, moved);
        }
    }

    fn set_difference(&mut self, a: u64, b: u64, size: usize) {
        self.registers.rflags = self.registers.rflags & !FLAGS_ARITHMETIC | flags_of_difference(a, b, size);
    }

    /// One iteration.
    fn element(&mut self, shape: &Shape) -> Result<(), Trap> {
        let size = shape.size;
        let source = self.source_address(shape);
        let destination = get(self.registers, shape.destination);
        let accumulator = self.registers.general[0];
        match shape.kind {
            Kind::Move => {
                let value = self.read_number(source, size, Segment::Data)?;
                self.write_number(destination, size, value, Segment::Data)?;
            }
            Kind::Store => self.write_number(destination, size, accumulator, Segment::Data)?,
            Kind::Load => {
                let value = self.read_number(source, size, Segment::Data)?;
                let register = [Register::AL, Register::AX, Register::EAX, Register::RAX][size.ilog2() as usize];
                set(self.registers, register, value);
            }
            Kind::Scan => {
                let value = self.read_number(destination, size, Segment::Data)?;
                self.set_difference(accumulator, value, size);
            }
            Kind::Compare => {
                let left = self.read_number(source, size, Segment::Data)?;
                let right = self.read_number(destination, size, Segment::Data)?;
                self.set_difference(left, right, size);
            }
        }
        self.advance(shape, 1);
        Ok(())
    }

    /// How many whole elements upwards from `address` lie in its 4 KiB and, with 32-bit addresses, below 4 GiB.
    fn room(&self, address: u64, register: Register, size: usize) -> u64 {
        let in_page = (SMALLEST_FRAME as u64 - (address & 0xfff)) / size as u64;
        if register.size() == 8 {
            return in_page;
        }
        in_page.min(((1 << 32) - get(self.registers, register)) / size as u64)
    }

    /// As many iterations upwards as the pages of both operands hold, at once; how many were done. 0 if an element
    /// crosses a border or the plain way has to tell the exception.
    fn run_in_pages(&mut self, shape: &Shape, left: u64) -> Result<u64, Trap> {
        let size = shape.size;
        let (source, destination) = (self.source_address(shape), get(self.registers, shape.destination));
        let has_source = shape.kind != Kind::Store && shape.kind != Kind::Scan;
        let has_destination = shape.kind != Kind::Load;
        let mut count = left;
        for (used, address, register) in
            [(has_source, source, shape.source), (has_destination, destination, shape.destination)]
        {
            if used {
                count = count.min(self.room(address, register, size));
                let aligned = self.registers.rflags & super::memory::FLAG_ALIGNMENT_CHECK == 0;
                if !self.is_canonical(address) || !aligned {
                    return Ok(0);
                }
            }
        }
        // A model sees every element.
        if count < 2 || self.space.model.is_some() {
            return Ok(0);
        }
        let bytes = count as usize * size;
        let done = match shape.kind {
            Kind::Move => {
                let (from, start) = self.translate(source, Access::Read)?;
                let (to, end) = self.translate(destination, Access::Write)?;
                if from == to {
                    move_within(self.space.memory.bytes_mut(to), start, end, bytes, size);
                } else {
                    self.space.memory.copy_part((from, start), (to, end), bytes);
                }
                count
            }
            Kind::Store => {
                let (to, end) = self.translate(destination, Access::Write)?;
                let pattern = self.registers.general[0].to_le_bytes();
                let target = &mut self.space.memory.bytes_mut(to)[end..end + bytes];
                if size == 1 {
                    target.fill(pattern[0]);
                } else {
                    target.chunks_exact_mut(size).for_each(|chunk| chunk.copy_from_slice(&pattern[..size]));
                }
                count
            }
            Kind::Load => {
                // All but the last value are overwritten.
                self.translate(source, Access::Read)?;
                self.advance(shape, count - 1);
                self.accesses += count - 1;
                self.element(shape)?;
                return Ok(count);
            }
            Kind::Scan => {
                let (frame, start) = self.translate(destination, Access::Read)?;
                let wanted = truncate(self.registers.general[0], size);
                let bytes = &self.space.memory.bytes(frame)[start..start + bytes];
                let stop = bytes.chunks_exact(size).position(|chunk| (number(chunk) == wanted) != shape.while_zero);
                let last = stop.unwrap_or(count as usize - 1);
                let value = number(&bytes[last * size..(last + 1) * size]);
                self.set_difference(wanted, value, size);
                last as u64 + 1
            }
            Kind::Compare => {
                let (from, start) = self.translate(source, Access::Read)?;
                let (to, end) = self.translate(destination, Access::Read)?;
                let left = &self.space.memory.bytes(from)[start..start + bytes];
                let right = &self.space.memory.bytes(to)[end..end + bytes];
                let mut pairs = left.chunks_exact(size).zip(right.chunks_exact(size));
                let stop = pairs.position(|(left, right)| (left == right) != shape.while_zero);
                let last = stop.unwrap_or(count as usize - 1);
                let place = last * size..(last + 1) * size;
                let (left, right) = (number(&left[place.clone()]), number(&right[place]));
                self.set_difference(left, right, size);
                last as u64 + 1
            }
        };
        self.accesses += done * (u64::from(has_source) + u64::from(has_destination));
        self.advance(shape, done);
        Ok(done)
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Copies upwards inside one frame, element by element: where the target begins inside the source, what was written
/// is read again.
fn move_within(frame: &mut [u8], from: usize, to: usize, bytes: usize, size: usize) {
    if to <= from || to >= from + bytes {
        frame.copy_within(from..from + bytes, to);
        return;
    }
    for offset in (0..bytes).step_by(size) {
        frame.copy_within(from + offset..from + offset + size, to + offset);
    }
}
