//! One ELF file: its symbols, its DWARF or that of its separate debug file, and how to unwind its frames.

use super::files::GuestFiles;
use super::map::CodeFile;
use gimli::{EndianRcSlice, LittleEndian, SectionId, UnwindSection};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, ObjectSymbolTable, RelocationTarget, SymbolKind};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) type Reader = EndianRcSlice<LittleEndian>;

/// Where separate debug files are, as gdb(1) looks for them.
const DEBUG_DIRECTORY: &str = "/usr/lib/debug";

/// What is known of an ELF file.
pub(super) struct Module {
    bytes: Vec<u8>,
    /// Offset in the file, address, length of what is loaded.
    segments: Vec<(u64, u64, u64)>,
    /// Sorted by address.
    symbols: Vec<Symbol>,
    lines: Option<addr2line::Context<Reader>>,
    frames: Option<FrameSections>,
    /// Names of what other files provide, by the address of the word that the dynamic linker fills.
    imports: BTreeMap<u64, String>,
}

struct Symbol {
    address: u64,
    size: u64,
    name: String,
}

/// `.eh_frame` and the table that finds its way in it.
pub(super) struct FrameSections {
    pub(super) sections: gimli::EhFrame<Reader>,
    pub(super) index: Option<gimli::ParsedEhFrameHdr<Reader>>,
    pub(super) bases: gimli::BaseAddresses,
}

/// What DWARF or the symbols say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

impl Module {
    /// Reads a mapped file and, if it has no DWARF, its separate debug file. `None` if it is no ELF file.
    pub(super) fn load(files: &mut GuestFiles<'_>, file: &CodeFile) -> Option<Module> {
        let bytes = files.mapped(file)?;
        let elf = object::File::parse(&*bytes).ok()?;
        let segments =
            elf.segments().map(|segment| (segment.file_range().0, segment.address(), segment.file_range().1)).collect();
        let mut symbols = Vec::new();
        collect_symbols(&elf, &mut symbols);
        let frames = FrameSections::of(&elf);
        let mut lines = None;
        if elf.section_by_name(".debug_info").is_some() {
            lines = line_context(files, &elf, &file.path);
        } else if let Some((path, debug)) = separate_debug_file(files, &elf, &file.path)
            && let Ok(debug) = object::File::parse(&*debug)
        {
            collect_symbols(&debug, &mut symbols);
            lines = line_context(files, &debug, &path);
        }
        symbols.sort_by(|left, right| left.address.cmp(&right.address).then_with(|| plainness(left, right)));
        symbols.dedup_by_key(|symbol| symbol.address);
        let imports = imports(&elf);
        drop(elf);
        Some(Module { bytes, segments, symbols, lines, frames, imports })
    }

    /// The address, as the file's own tables count, of a byte of the file.
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        let inside = |(start, _, length): &&(u64, u64, u64)| (*start..start + length).contains(&offset);
        // Segments share pages of the file: the last that has the byte is the later one.
        let (start, address, _) = self.segments.iter().rev().find(inside)?;
        Some(address + (offset - start))
    }

    pub(super) fn frames(&self) -> Option<&FrameSections> {
        self.frames.as_ref()
    }

    /// What lies at an address.
    pub(super) fn describe(&self, address: u64) -> Described {
        let mut found = self.in_dwarf(address).unwrap_or_default();
        if found.function.is_none() {
            found.function = self.symbol(address);
        }
        found
    }

    fn in_dwarf(&self, address: u64) -> Option<Described> {
        let context = self.lines.as_ref()?;
        let mut frames = context.find_frames(address).skip_all_loads().ok()?;
        // The first is the innermost: what was inlined there, at its own line.
        let frame = frames.next().ok()??;
        let location = frame.location.as_ref();
        Some(Described {
            function: frame.function.as_ref().and_then(|name| name.demangle().ok()).map(|name| name.into_owned()),
            file: location.and_then(|location| location.file).map(str::to_string),
            line: location.and_then(|location| location.line).filter(|line| *line > 0),
        })
    }

    fn symbol(&self, address: u64) -> Option<String> {
        let next = self.symbols.partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols[..next].last()?;
        let is_inside = symbol.size == 0 || address < symbol.address + symbol.size;
        is_inside.then(|| addr2line::demangle_auto(symbol.name.as_str().into(), None).into_owned())
    }

    /// The name of the function that was called, from the place behind the call: what the programmer wrote, whatever the
    /// library calls it inside.
    pub(super) fn called(&self, return_offset: u64) -> Option<String> {
        let after = self.address(return_offset.checked_sub(1)?)? + 1;
        let at = usize::try_from(return_offset).ok()?;
        match self.bytes.get(at.checked_sub(6)?..at)? {
            // call *displacement(%rip), compiled with -fno-plt.
            [0xff, 0x15, rest @ ..] => self.imports.get(&target(after, rest)?).cloned(),
            [_, 0xe8, rest @ ..] => {
                let target = target(after, rest)?;
                self.import_behind_stub(target).or_else(|| self.symbol_at(target))
            }
            _ => None,
        }
    }

    /// What a stub of the procedure linkage table jumps to: `endbr64`, perhaps; `jmp *displacement(%rip)`.
    fn import_behind_stub(&self, stub: u64) -> Option<String> {
        let (start, address, _) =
            self.segments.iter().find(|(_, address, length)| (*address..address + length).contains(&stub))?;
        let at = usize::try_from(start + (stub - address)).ok()?;
        let code = self.bytes.get(at..at + 16)?;
        let skipped = if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) { 4 } else { 0 };
        // A `bnd` prefix may precede the jump.
        let skipped = skipped + usize::from(code[skipped] == 0xf2);
        let [0xff, 0x25, rest @ ..] = code.get(skipped..skipped + 6)? else { return None };
        self.imports.get(&target(stub + skipped as u64 + 6, rest)?).cloned()
    }

    fn symbol_at(&self, address: u64) -> Option<String> {
        let at = self.symbols.binary_search_by_key(&address, |symbol| symbol.address).ok()?;
        Some(self.symbols[at].name.clone())
    }

    /// Whether the bytes before `offset` in the file end with a call: what stands there may be a return address.
    pub(super) fn follows_call(&self, offset: u64) -> bool {
        let Ok(offset) = usize::try_from(offset) else { return false };
        let byte = |back: usize| offset.checked_sub(back).and_then(|at| self.bytes.get(at)).copied();
        // call rel32; call r/m64 with its ModRM at the places it can have, Intel SDM 2 CALL.
        let indirect =
            |back: usize| byte(back) == Some(0xff) && byte(back - 1).is_some_and(|modrm| modrm & 0x38 == 0x10);
        byte(5) == Some(0xe8) || [2, 3, 4, 6, 7].into_iter().any(indirect)
    }
}

/// Where a displacement of 32 bits leads, counted from the end of its instruction.
fn target(after: u64, displacement: &[u8]) -> Option<u64> {
    let displacement = i32::from_le_bytes(displacement.try_into().ok()?);
    Some(after.wrapping_add_signed(i64::from(displacement)))
}

fn imports(elf: &object::File<'_>) -> BTreeMap<u64, String> {
    let (Some(relocations), Some(table)) = (elf.dynamic_relocations(), elf.dynamic_symbol_table()) else {
        return BTreeMap::new();
    };
    let name = |relocation: &object::Relocation| {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { return None };
        Some(table.symbol_by_index(symbol).ok()?.name().ok()?.to_string())
    };
    relocations.filter_map(|(address, relocation)| Some((address, name(&relocation)?))).collect()
}

/// The name that people know: with fewest underscores in front, then the shortest.
fn plainness(left: &Symbol, right: &Symbol) -> std::cmp::Ordering {
    let rank = |symbol: &Symbol| {
        let bare = symbol.name.trim_start_matches('_');
        (symbol.name.len() - bare.len(), bare.len())
    };
    rank(left).cmp(&rank(right)).then_with(|| left.name.cmp(&right.name))
}

fn collect_symbols(elf: &object::File<'_>, symbols: &mut Vec<Symbol>) {
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        let is_code = symbol.kind() == SymbolKind::Text || symbol.kind() == SymbolKind::Unknown && symbol.size() > 0;
        if let Ok(name) = symbol.name()
            && is_code
            && symbol.is_definition()
            && !name.is_empty()
        {
            symbols.push(Symbol { address: symbol.address(), size: symbol.size(), name: name.to_string() });
        }
    }
}

fn section(elf: &object::File<'_>, name: &str) -> Reader {
    let data = elf.section_by_name(name).and_then(|section| section.uncompressed_data().ok()).unwrap_or_default();
    Reader::new(Rc::from(&*data), LittleEndian)
}

impl FrameSections {
    fn of(elf: &object::File<'_>) -> Option<FrameSections> {
        let address = |name: &str| elf.section_by_name(name).map(|section| section.address());
        let bases = gimli::BaseAddresses::default()
            .set_eh_frame(address(".eh_frame")?)
            .set_eh_frame_hdr(address(".eh_frame_hdr").unwrap_or(0))
            .set_text(address(".text").unwrap_or(0))
            .set_got(address(".got").unwrap_or(0));
        let index = gimli::EhFrameHdr::from(section(elf, ".eh_frame_hdr")).parse(&bases, 8).ok();
        Some(FrameSections { sections: section(elf, ".eh_frame").into(), index, bases })
    }

    /// The rules for unwinding the frame of the code at an address, and whether it is that of a signal's return.
    pub(super) fn row(
        &self,
        context: &mut gimli::UnwindContext<usize>,
        address: u64,
    ) -> Option<(gimli::UnwindTableRow<usize>, bool)> {
        let table = self.index.as_ref().and_then(|index| index.table());
        let entry = match table {
            Some(table) => {
                table.fde_for_address(&self.sections, &self.bases, address, gimli::EhFrame::cie_from_offset).ok()?
            }
            None => self.sections.fde_for_address(&self.bases, address, gimli::EhFrame::cie_from_offset).ok()?,
        };
        let is_signal = entry.is_signal_trampoline();
        let row = entry.unwind_info_for_address(&self.sections, &self.bases, context, address).ok()?;
        Some((row.clone(), is_signal))
    }
}

fn line_context(files: &mut GuestFiles<'_>, elf: &object::File<'_>, path: &[u8]) -> Option<addr2line::Context<Reader>> {
    let load = |elf: &object::File<'_>, id: SectionId| Ok::<_, gimli::Error>(section(elf, id.name()));
    let mut dwarf = gimli::Dwarf::load(|id| load(elf, id)).ok()?;
    // What several debug files have in common may be in another one: dwz(1).
    if let Ok(Some((name, _))) = elf.gnu_debugaltlink()
        && let Some(common) = files.named(&beside(path, name))
        && let Ok(common) = object::File::parse(&*common)
    {
        dwarf.load_sup(|id| load(&common, id)).ok()?;
    }
    addr2line::Context::from_dwarf(dwarf).ok()
}

/// A path relative to the directory of a file.
fn beside(file: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return name.to_vec();
    }
    let directory = file.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &file[..at]);
    [directory, b"/", name].concat()
}

/// The file that holds what strip(1) took away: by build id, then by the name in `.gnu_debuglink`.
fn separate_debug_file(files: &mut GuestFiles<'_>, elf: &object::File<'_>, path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let id = elf.build_id().ok().flatten();
    let mut candidates = Vec::new();
    if let Some([first, rest @ ..]) = id {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        candidates.push(format!("{DEBUG_DIRECTORY}/.build-id/{first:02x}/{rest}.debug").into_bytes());
    }
    if let Ok(Some((name, _))) = elf.gnu_debuglink() {
        candidates.push(beside(path, name));
        candidates.push(beside(path, &[b".debug/", name].concat()));
        candidates.push([DEBUG_DIRECTORY.as_bytes(), &beside(path, name)].concat());
    }
    candidates.retain(|candidate| candidate != path);
    candidates.into_iter().find_map(|candidate| {
        let bytes = files.named(&candidate)?;
        let is_same = object::File::parse(&*bytes).is_ok_and(|debug| debug.build_id().ok().flatten() == id);
        is_same.then_some((candidate, bytes))
    })
}
