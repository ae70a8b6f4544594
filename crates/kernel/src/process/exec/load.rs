//! Building the new program's address space. Linux fs/binfmt_elf.c `load_elf_binary`.

use super::elf::{self, Elf, Segment, not_a_program, page_align};
use super::program::Program;
use super::{Strings, stack};
use crate::entry::Call;
use crate::fs::path::Follow;
use crate::fs::permission::EXECUTE;
use crate::fs::{self, Fd, FileDescription, Inode};
use crate::mm::map::{self, Request, Source};
use crate::mm::{self, AddressSpace};
use crate::table::Id;
use abi::fcntl::O_RDONLY;
use abi::mman::{MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::resource::RLIMIT_STACK;
use abi::{Errno, Error};
use machine::PageSize;
use object::elf::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD};

/// The program and, if it is linked dynamically, its interpreter, open and with their headers read.
pub(super) struct Files {
    pub(super) program: Program,
    pub(super) elf: Elf,
    file: Id<FileDescription>,
    interpreter: Option<(Elf, Id<FileDescription>)>,
}

impl Files {
    /// Closes what was opened to load the program. Mappings hold their own.
    pub(super) fn close_loaded(&mut self, call: &mut Call) {
        call.release_file(self.file);
        if let Some((_, file)) = self.interpreter.take() {
            call.release_file(file);
        }
    }

    /// Closes everything.
    pub(super) fn close(mut self, call: &mut Call) {
        self.close_loaded(call);
        self.program.close(call);
    }
}

/// A new address space, ready to run.
pub(super) struct Built {
    pub(super) space: Id<AddressSpace>,
    pub(super) entry: u64,
    pub(super) stack: stack::Stack,
    pub(super) code: (u64, u64),
    pub(super) data: (u64, u64),
}

/// Where an ELF file came to lie.
pub(super) struct Loaded {
    /// What is added to the addresses in the file.
    pub(super) bias: u64,
    /// Address of the program headers.
    pub(super) headers: u64,
    /// The end of the last segment.
    end: u64,
    code: (u64, u64),
    data: (u64, u64),
}

/// Reads the headers of the program and its interpreter.
///
/// # Errors
/// Those of execve(2), with the program, which stays open.
pub(super) fn open(call: &mut Call, program: Program) -> Result<Files, (Program, Error)> {
    let node = program.node;
    let inode = call.kernel.vfs.nodes[node].inode;
    let opened = read_elf(call, inode).and_then(|elf| {
        let interpreter = match elf.of_kind(PT_INTERP).next().copied() {
            Some(segment) => Some(open_interpreter(call, inode, &segment)?),
            None => None,
        };
        Ok((elf, interpreter))
    });
    let (elf, interpreter) = match opened {
        Ok(opened) => opened,
        Err(error) => return Err((program, error)),
    };
    match fs::open::open_node(call, node, O_RDONLY) {
        Ok(file) => Ok(Files { program, elf, file, interpreter }),
        Err(error) => {
            if let Some((_, file)) = interpreter {
                call.release_file(file);
            }
            Err((program, error))
        }
    }
}

fn read_elf(call: &mut Call, inode: Id<Inode>) -> Result<Elf, Error> {
    elf::read(|offset, bytes| fs::file::read_at(call, inode, offset, bytes))
}

fn open_interpreter(call: &mut Call, inode: Id<Inode>, segment: &Segment) -> Result<(Elf, Id<FileDescription>), Error> {
    Elf::check_interpreter(segment)?;
    let mut path = vec![0; segment.file_size as usize];
    if fs::file::read_at(call, inode, segment.offset, &mut path)? != path.len() {
        return Err(Errno::EIO.because("the ELF file ends before its interpreter's path does"));
    }
    if path.pop() != Some(0) {
        return Err(not_a_program("the interpreter's path has no end"));
    }
    if let Some(end) = path.iter().position(|byte| *byte == 0) {
        path.truncate(end);
    }
    let node = fs::path::resolve(call, Fd::WORKING_DIRECTORY, &path, Follow::Yes)?;
    let found = call.kernel.inode(node);
    if !found.is_regular() {
        return Err(Errno::EACCES.because("the ELF file's interpreter is no regular file"));
    }
    call.subject().check(found, EXECUTE)?;
    let inode = call.kernel.vfs.nodes[node].inode;
    let elf = read_elf(call, inode).map_err(|error| match error.errno {
        Errno::ENOEXEC => Errno::ELIBBAD.because("the ELF file's interpreter is no ELF file for this machine"),
        _ => error,
    })?;
    Ok((elf, fs::open::open_node(call, node, O_RDONLY)?))
}

/// Maps program, interpreter and stack into a new address space.
///
/// # Errors
/// Whatever makes it impossible; nothing is left over.
pub(super) fn build(call: &mut Call, files: &Files, strings: &Strings) -> Result<Built, Error> {
    let limit = call.process().limits.soft(RLIMIT_STACK);
    let space = mm::new_space(call.kernel, limit).map_err(|_| Errno::ENOMEM.because("no memory is left"))?;
    let built = build_in(call, space, files, strings);
    if built.is_err() {
        mm::release_space(call, space);
    }
    built
}

fn build_in(call: &mut Call, space: Id<AddressSpace>, files: &Files, strings: &Strings) -> Result<Built, Error> {
    let layout = call.kernel.spaces[space].layout.clone();
    let wish = match (files.elf.is_relocatable, &files.interpreter) {
        (true, Some(_)) => Some(layout.program_base),
        _ => None,
    };
    let stack_protection = files
        .elf
        .of_kind(PT_GNU_STACK)
        .next()
        .map_or(PROT_EXEC, |segment| if segment.flags & PF_X != 0 { PROT_EXEC } else { 0 })
        | PROT_READ
        | PROT_WRITE;
    // Before the segments, as on Linux: a program that wants to lie where the stack is, is refused.
    let area = stack::reserve(call, space, strings, stack_protection)?;
    let loaded = load(call, space, &files.elf, files.file, wish)?;
    let (entry, base) = match &files.interpreter {
        Some((elf, file)) => {
            let interpreter = load(call, space, elf, *file, None)?;
            (elf.entry.wrapping_add(interpreter.bias), interpreter.bias)
        }
        None => (files.elf.entry.wrapping_add(loaded.bias), 0),
    };
    if entry >= layout.user_end {
        return Err(Errno::EINVAL.because("the program's first instruction lies outside its addresses"));
    }
    // A relocatable program without interpreter, perhaps ld.so itself, lies among the mappings: its heap does not follow it.
    let is_among_mappings = files.elf.is_relocatable && files.interpreter.is_none();
    mm::heap::begin(call.kernel, space, if is_among_mappings { layout.program_base } else { loaded.end });
    let stack = stack::fill(call, space, &area, files, &loaded, base, strings)?;
    Ok(Built { space, entry, stack, code: loaded.code, data: loaded.data })
}

fn load(
    call: &mut Call,
    space: Id<AddressSpace>,
    elf: &Elf,
    file: Id<FileDescription>,
    wish: Option<u64>,
) -> Result<Loaded, Error> {
    check_page_size(call.kernel.page_size(), elf)?;
    let user_end = call.kernel.spaces[space].layout.user_end;
    let mut bias = None;
    let mut loaded = Loaded { bias: 0, headers: 0, end: 0, code: (u64::MAX, 0), data: (0, 0) };
    for segment in elf.of_kind(PT_LOAD) {
        let (bias, is_first) = match bias {
            Some(bias) => (bias, false),
            None => {
                let chosen = choose_bias(call, space, elf, file, segment, wish)?;
                bias = Some(chosen);
                (chosen, true)
            }
        };
        loaded.bias = bias;
        let start = segment.address.wrapping_add(bias);
        check_place(segment, start, user_end)?;
        let may_replace = !is_first || elf.is_relocatable && wish.is_none();
        map_segment(call, space, file, segment, start, may_replace)?;
        note(&mut loaded, elf, segment, start);
    }
    Ok(loaded)
}

/// Whether the segments can be mapped with pages of this size: they may have been laid out for smaller ones. See
/// docs/decisions/0006-page-size.md.
fn check_page_size(page_size: PageSize, elf: &Elf) -> Result<(), Error> {
    let mut end = 0;
    for segment in elf.of_kind(PT_LOAD).filter(|_| page_size != PageSize::SMALLEST) {
        if segment.file_size > 0 && page_size.offset(segment.offset) != page_size.offset(segment.address) {
            return Err(Errno::EINVAL.because(
                "its segments lie in the file where only smaller pages can be mapped; link it with -z max-page-size=65536",
            ));
        }
        if page_size.start(segment.address) < end {
            return Err(Errno::EINVAL.because(
                "two of its segments share a page, whose protection can be but one; link it with -z max-page-size=65536",
            ));
        }
        end =
            page_size.start(segment.address.saturating_add(segment.memory_size).saturating_sub(1)) + page_size.bytes();
    }
    Ok(())
}

fn check_place(segment: &Segment, start: u64, user_end: u64) -> Result<(), Error> {
    let does_fit = segment.file_size <= segment.memory_size
        && segment.memory_size <= user_end
        && start < user_end
        && user_end - segment.memory_size >= start;
    if does_fit { Ok(()) } else { Err(Errno::EINVAL.because("a segment does not fit into the program's addresses")) }
}

/// Where the first segment goes decides where all go.
fn choose_bias(
    call: &mut Call,
    space: Id<AddressSpace>,
    elf: &Elf,
    file: Id<FileDescription>,
    first: &Segment,
    wish: Option<u64>,
) -> Result<u64, Error> {
    if !elf.is_relocatable {
        return Ok(0);
    }
    let page_size = call.kernel.page_size();
    let size = elf.total_size(page_size).filter(|size| *size > 0);
    let size = size.ok_or(Errno::EINVAL.because("the segments have no common size"))?;
    let alignment = elf.alignment(page_size);
    let address = match wish {
        Some(wish) => wish & !(alignment - 1),
        None => {
            let place = reserve(call, space, file, size, 0)?;
            if page_size.start(place) & (alignment - 1) == 0 {
                place
            } else {
                let wide = size.checked_add(alignment).ok_or(Errno::ENOMEM.because("the segments are too large"))?;
                mm::unmap::unmap(call, space, place..place + page_align(page_size, size));
                let place = reserve(call, space, file, wide, 0)?;
                mm::unmap::unmap(call, space, place..place + page_align(page_size, wide));
                let aligned = place.next_multiple_of(alignment);
                reserve(call, space, file, size, aligned)?
            }
        }
    };
    Ok(page_size.start(address.wrapping_sub(page_size.start(first.address))))
}

/// Reserves room for a whole file that can lie anywhere: at the place that the file has in every process, or from the top
/// of the mappings. The segments replace it, as they do on Linux; gaps between them stay reserved.
fn reserve(
    call: &mut Call,
    space: Id<AddressSpace>,
    file: Id<FileDescription>,
    size: u64,
    address: u64,
) -> Result<u64, Error> {
    let length = call.kernel.page_size().round_up(size).ok_or(Errno::ENOMEM.because("the segments are too large"))?;
    let flags = MAP_PRIVATE | if address == 0 { 0 } else { MAP_FIXED };
    map::map(call, space, Request { address, length, protection: 0, flags, source: Source::File { file, offset: 0 } })
}

fn map_segment(
    call: &mut Call,
    space: Id<AddressSpace>,
    file: Id<FileDescription>,
    segment: &Segment,
    start: u64,
    may_replace: bool,
) -> Result<(), Error> {
    let page_size = call.kernel.page_size();
    let protection = protection(segment);
    let address = page_size.start(start);
    let in_file = segment.file_size.wrapping_add(page_size.offset(segment.address));
    let placing = MAP_PRIVATE | if may_replace { MAP_FIXED } else { MAP_FIXED_NOREPLACE };
    let mut zero_from = address;
    if segment.file_size > 0 {
        let offset = segment.offset.wrapping_sub(page_size.offset(segment.address));
        let source = Source::File { file, offset };
        map::map(call, space, Request { address, length: in_file, protection, flags: placing, source })?;
        zero_from = start.wrapping_add(segment.file_size);
        if segment.memory_size > segment.file_size {
            clear_rest_of_page(call, space, zero_from, protection)?;
        }
        zero_from = page_align(page_size, zero_from);
    }
    let end = page_align(page_size, start.wrapping_add(segment.memory_size));
    if segment.memory_size > segment.file_size && end > zero_from {
        // Linux maps these as it does the heap: readable and writable, whatever the segment says.
        let protection = PROT_READ | PROT_WRITE | protection & PROT_EXEC;
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        let length = end - zero_from;
        map::map(call, space, Request { address: zero_from, length, protection, flags, source: Source::Anonymous })?;
    }
    Ok(())
}

/// The rest of a segment's last page behind the file's part is zero. Linux `padzero`.
fn clear_rest_of_page(call: &mut Call, space: Id<AddressSpace>, from: u64, protection: u32) -> Result<(), Error> {
    let rest = page_align(call.kernel.page_size(), from).wrapping_sub(from);
    if rest == 0 {
        return Ok(());
    }
    let cleared = call.copy_out_to(space, from, &vec![0; rest as usize]);
    // A segment that cannot be written keeps what the file has there.
    if protection & PROT_WRITE != 0 { cleared } else { Ok(()) }
}

fn protection(segment: &Segment) -> u32 {
    let bit = |flag: u32, protection: u32| if segment.flags & flag != 0 { protection } else { 0 };
    bit(PF_R, PROT_READ) | bit(PF_W, PROT_WRITE) | bit(PF_X, PROT_EXEC)
}

fn note(loaded: &mut Loaded, elf: &Elf, segment: &Segment, start: u64) {
    let in_file = segment.offset..segment.offset.saturating_add(segment.file_size);
    if in_file.contains(&elf.headers_at) {
        loaded.headers = elf.headers_at.wrapping_sub(segment.offset).wrapping_add(start);
    }
    let end = start.wrapping_add(segment.memory_size);
    loaded.end = loaded.end.max(end);
    loaded.code.0 = loaded.code.0.min(start);
    loaded.data.0 = loaded.data.0.max(start);
    let file_end = start.wrapping_add(segment.file_size);
    if segment.flags & PF_X != 0 {
        loaded.code.1 = loaded.code.1.max(file_end);
    }
    loaded.data.1 = loaded.data.1.max(file_end);
}
