//! Addresses of guest code to functions, files and lines, and stacks to calls, for reports.
//!
//! ```text
//! CodeMap: address -> file and offset     kept with what was recorded, so that the dead can be told of, too
//! Sources: file and offset -> Location    ELF symbols, DWARF, separate debug files; read once, when first asked
//! Sources::stack: registers, stack        frames by .eh_frame
//! ```
//!
//! Nothing is read before somebody asks, so a run without a report pays nothing.

mod files;
mod map;
mod module;
mod unwind;

pub use files::GuestFiles;
pub use map::{CodeFile, CodeMap, CodePlace};
pub use unwind::{FrameRegisters, StackMemory};

use crate::text;
use kernel::Kernel;
use kernel::process::{Process, Thread};
use kernel::syscalls::argument::Peek;
use kernel::table::Id;
use module::Module;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Frames of a stack that are looked at, at most.
pub const MOST_FRAMES: usize = 64;

/// What is known of code files, read when first asked for.
#[derive(Default)]
pub struct Sources {
    modules: BTreeMap<Rc<CodeFile>, Option<Rc<Module>>>,
}

/// A place in a program as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The function, demangled, without arguments.
    pub function: Option<String>,
    /// The source file as the compiler was given it, made absolute.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The path of the program or library.
    pub module: String,
    /// Where in that file, in bytes.
    pub offset: u64,
    /// The function that is called there, if it is the place of a call.
    pub calls: Option<String>,
}

impl Location {
    /// The shortest that a person can find it by: `pipe.c:23`, or `main in program`, or `program+0x1139`.
    pub fn short(&self) -> String {
        let module = text::base_name(self.module.as_bytes()).escape_ascii();
        match (&self.file, self.line, &self.function) {
            (Some(file), Some(line), _) => {
                format!("{}:{line}", text::base_name(file.as_bytes()).escape_ascii())
            }
            (_, _, Some(function)) => format!("{function} in {module}"),
            _ => format!("{module}+{:#x}", self.offset),
        }
    }

    /// Whether it lies in the C library or the dynamic linker: not what the programmer wrote.
    pub fn is_c_library(&self) -> bool {
        let name = text::base_name(self.module.as_bytes());
        [&b"libc.so"[..], b"libc-", b"ld-linux", b"ld-musl", b"libpthread", b"librt"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    }
}

/// The stack of a thread, read without any effect on it.
struct LiveStack<'a>(Peek<'a>);

impl StackMemory for LiveStack<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.0.bytes(address, 8).try_into().ok()?))
    }
}

impl Sources {
    /// What lies at an address of a process that is alive.
    pub fn locate(&mut self, files: &mut GuestFiles<'_>, process: &Process, address: u64) -> Option<Location> {
        let place = CodeMap::of(files.kernel, process.space).place(address)?;
        Some(self.describe(files, &place))
    }

    /// What lies at a place.
    pub fn describe(&mut self, files: &mut GuestFiles<'_>, place: &CodePlace) -> Location {
        let module = text::printable(&place.file.path);
        let plain = Location { module, offset: place.offset, ..Location::default() };
        let Some(found) = self.module(files, &place.file) else { return plain };
        match found.address(place.offset) {
            Some(address) => {
                let described = found.describe(address);
                Location { function: described.function, file: described.file, line: described.line, ..plain }
            }
            None => plain,
        }
    }

    /// The calls that a thread is in, the innermost first.
    pub fn backtrace(&mut self, files: &mut GuestFiles<'_>, thread: Id<Thread>) -> Vec<Location> {
        let kernel: &Kernel = files.kernel;
        let Some(owner) = kernel.threads.get(thread) else { return Vec::new() };
        let map = CodeMap::of(kernel, kernel.processes[owner.process].space);
        let stack = LiveStack(Peek { kernel, thread });
        self.stack(files, &map, &stack, FrameRegisters::of(&owner.registers))
    }

    /// The calls on a stack, the innermost first.
    pub fn stack(
        &mut self,
        files: &mut GuestFiles<'_>,
        map: &CodeMap,
        memory: &dyn StackMemory,
        start: FrameRegisters,
    ) -> Vec<Location> {
        let places = unwind::unwind(self, files, map, memory, start, MOST_FRAMES);
        let mut stack: Vec<Location> = places.iter().map(|place| self.describe(files, place)).collect();
        for (location, place) in stack.iter_mut().zip(&places).skip(1) {
            let module = self.module(files, &place.file);
            location.calls = module.and_then(|module| module.called(place.offset + 1));
        }
        stack
    }

    fn module(&mut self, files: &mut GuestFiles<'_>, file: &Rc<CodeFile>) -> Option<Rc<Module>> {
        self.modules.entry(Rc::clone(file)).or_insert_with(|| Module::load(files, file).map(Rc::new)).clone()
    }
}

/// The frame that the programmer wrote: the innermost outside the C library, with a line if any has one.
pub fn own_frame(stack: &[Location]) -> Option<&Location> {
    let own = || stack.iter().filter(|location| !location.is_c_library());
    // In a program that is linked statically, the library's functions lie in the program itself, without lines.
    own().find(|location| location.line.is_some()).or_else(|| own().next()).or(stack.first())
}

/// The function of the C library that the programmer called.
pub fn library_call(stack: &[Location]) -> Option<&str> {
    let own = own_frame(stack)?;
    let at = stack.iter().position(|location| location == own)?;
    // Inside, the library has other names for its functions.
    own.calls.as_deref().or(stack[..at].last()?.function.as_deref())
}
