//! ELF headers, elf(5), as far as Linux's loader looks at them.

use abi::fcntl::PATH_MAX;
use abi::{Errno, Error};
use machine::PageSize;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, ProgramHeader64};
use object::{LittleEndian as LE, pod};

/// Bytes of the file header.
pub(super) const HEADER: usize = size_of::<FileHeader64<LE>>();
/// Bytes of a program header.
const PROGRAM_HEADER: usize = size_of::<ProgramHeader64<LE>>();
/// Most bytes of program headers, Linux `load_elf_phdrs`.
const MOST_HEADERS: usize = 65536;

/// A file's headers.
#[derive(Clone, Debug)]
pub(super) struct Elf {
    /// ET_DYN: it can be loaded anywhere.
    pub(super) is_relocatable: bool,
    /// Address of the first instruction.
    pub(super) entry: u64,
    /// Where the program headers are in the file.
    pub(super) headers_at: u64,
    /// Bytes of one program header.
    pub(super) header_size: u64,
    /// The program headers.
    pub(super) segments: Vec<Segment>,
}

/// A program header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// `PT_`
    pub(super) kind: u32,
    /// `PF_`
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) alignment: u64,
}

/// Why a file is not an ELF program for this machine.
pub(super) fn not_a_program(why: &'static str) -> Error {
    Errno::ENOEXEC.because(why)
}

/// Reads the headers through `read_at`, which says how many bytes there were.
///
/// # Errors
/// `ENOEXEC`, or those of `read_at`.
pub(super) fn read(mut read_at: impl FnMut(u64, &mut [u8]) -> Result<usize, Error>) -> Result<Elf, Error> {
    let mut bytes = [0; HEADER];
    read_at(0, &mut bytes)?;
    let Ok((header, _)) = pod::from_bytes::<FileHeader64<LE>>(&bytes) else {
        return Err(not_a_program("the file header cannot be read"));
    };
    if header.e_ident.magic != object::elf::ELFMAG {
        return Err(not_a_program("the file is neither an ELF program nor a script"));
    }
    let kind = header.e_type.get(LE);
    if kind != ET_EXEC && kind != ET_DYN {
        return Err(not_a_program("the ELF file is no program"));
    }
    if header.e_machine.get(LE) != EM_X86_64 || header.e_ident.class != object::elf::ELFCLASS64 {
        return Err(not_a_program("the ELF file is for another machine than x86-64"));
    }
    let count = usize::from(header.e_phnum.get(LE));
    if usize::from(header.e_phentsize.get(LE)) != PROGRAM_HEADER || count == 0 || count * PROGRAM_HEADER > MOST_HEADERS
    {
        return Err(not_a_program("the ELF file's program headers have another size or number than there can be"));
    }
    let headers_at = header.e_phoff.get(LE);
    let mut bytes = vec![0; count * PROGRAM_HEADER];
    if headers_at > i64::MAX as u64 || read_at(headers_at, &mut bytes)? != bytes.len() {
        return Err(not_a_program("the ELF file ends before its program headers do"));
    }
    let Ok((headers, _)) = pod::slice_from_bytes::<ProgramHeader64<LE>>(&bytes, count) else {
        return Err(not_a_program("the program headers cannot be read"));
    };
    let segments = headers
        .iter()
        .map(|header| Segment {
            kind: header.p_type.get(LE),
            flags: header.p_flags.get(LE),
            offset: header.p_offset.get(LE),
            address: header.p_vaddr.get(LE),
            file_size: header.p_filesz.get(LE),
            memory_size: header.p_memsz.get(LE),
            alignment: header.p_align.get(LE),
        })
        .collect();
    Ok(Elf {
        is_relocatable: kind == ET_DYN,
        entry: header.e_entry.get(LE),
        headers_at,
        header_size: PROGRAM_HEADER as u64,
        segments,
    })
}

impl Elf {
    /// The program headers of a kind.
    pub(super) fn of_kind(&self, kind: u32) -> impl Iterator<Item = &Segment> + '_ {
        self.segments.iter().filter(move |segment| segment.kind == kind)
    }

    /// Pages from the first to the last byte of all segments that are loaded; `None` if there is none. Linux
    /// `total_mapping_size`.
    pub(super) fn total_size(&self, page_size: PageSize) -> Option<u64> {
        let first = self.of_kind(object::elf::PT_LOAD).map(|segment| page_size.start(segment.address)).min()?;
        let last = self
            .of_kind(object::elf::PT_LOAD)
            .map(|segment| segment.address.wrapping_add(segment.memory_size))
            .max()?;
        last.checked_sub(first)
    }

    /// The largest power of two that a loaded segment wants to be aligned to. Linux `maximum_alignment`.
    pub(super) fn alignment(&self, page_size: PageSize) -> u64 {
        let aligned = self.of_kind(object::elf::PT_LOAD).map(|segment| segment.alignment);
        aligned.filter(|alignment| alignment.is_power_of_two()).max().unwrap_or(0).max(page_size.bytes())
    }

    /// Whether the interpreter's path has a length that it can have.
    ///
    /// # Errors
    /// `ENOEXEC`.
    pub(super) fn check_interpreter(segment: &Segment) -> Result<(), Error> {
        if (2..=PATH_MAX as u64).contains(&segment.file_size) {
            Ok(())
        } else {
            Err(not_a_program("the path of the ELF file's interpreter is too short or too long"))
        }
    }
}

/// The next page boundary, wrapping like Linux's arithmetic.
pub(super) fn page_align(page_size: PageSize, address: u64) -> u64 {
    page_size.start(address.wrapping_add(page_size.bytes() - 1))
}
