//! From options to a machine that is about to run its first program.

use crate::observer::Observer;
use crate::outside::Surroundings;
use crate::run::System;
use kernel::clock::Instant;
use kernel::mm::replacement::Algorithm;
use kernel::ports::Chooser;
use kernel::{Configuration, Error, Kernel, process};
use machine::tlb_model::{TlbModel, TlbShape};
use machine::{PageSize, PagingScheme, PhysicalMemory, Processor};

/// Everything that a run is a function of, but for the host's files and standard input.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Absolute path of the first program.
    pub program: Vec<u8>,
    /// Its arguments, the zeroth included.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment, `NAME=VALUE`.
    pub environment: Vec<Vec<u8>>,
    /// Its working directory, absolute.
    pub directory: Vec<u8>,
    /// Bytes of physical memory.
    pub memory_bytes: u64,
    /// Bytes of swap.
    pub swap_bytes: u64,
    /// Bytes of the disk for changed pages of files that memory has no room for.
    pub disk_bytes: u64,
    /// Which page goes when memory is full.
    pub replacement: Algorithm,
    /// How addresses split; programs can run under it ([`PagingScheme::check_runs`]).
    pub paging: PagingScheme,
    /// A TLB that is to count every access.
    pub tlb: Option<TlbShape>,
    /// Processors that the guest sees.
    pub cpus: u32,
    /// uname(2) `nodename`.
    pub host_name: Vec<u8>,
    /// Nanoseconds since 1970 at the start of the run.
    pub start_ns: u64,
    /// Virtual nanoseconds after which the run is stopped.
    pub time_limit_ns: Option<u64>,
    /// Who runs.
    pub uid: u32,
    /// See `uid`.
    pub gid: u32,
    /// See `uid`.
    pub groups: Vec<u32>,
    /// Host directories that changes reach; elsewhere they stay in the jar.
    pub writable: Vec<Vec<u8>>,
}

/// Why a machine could not be made.
#[derive(Debug)]
pub enum BootError {
    /// The host cannot reserve that much memory.
    Memory(std::io::Error),
    /// The first program cannot be executed: the answer of execve(2).
    Execute(Error),
}

/// Makes a machine and starts its first program in it.
///
/// # Errors
/// If the host has no memory for it or the program cannot be executed.
pub fn boot<P: Processor, C: Chooser, O: Surroundings, V: Observer>(
    setup: &Setup,
    processor: P,
    chooser: C,
    outside: O,
    observer: V,
) -> Result<System<P, C, O, V>, BootError> {
    let page_size = PageSize::of_bits(setup.paging.offset_bits()).expect("programs can run under the scheme");
    let memory = PhysicalMemory::with_frames_of(page_size, setup.memory_bytes).map_err(BootError::Memory)?;
    let configuration = Configuration {
        host_name: setup.host_name.clone(),
        cpus: setup.cpus,
        paging: setup.paging.clone(),
        swap_bytes: setup.swap_bytes,
        disk_bytes: setup.disk_bytes,
        replacement: setup.replacement,
        real_start_ns: setup.start_ns,
        uid: setup.uid,
        gid: setup.gid,
        groups: setup.groups.clone(),
    };
    let mut system = System::new(Kernel::new(configuration, memory), processor, chooser, outside, observer);
    system.tlb_model = setup.tlb.map(|shape| TlbModel::new(shape, page_size.shift()));
    system.kernel.mm.logs_flushes = setup.tlb.is_some();
    system.time_limit = setup.time_limit_ns.map(Instant);
    let first = process::boot::start_first(
        &mut system.kernel,
        &mut system.outside,
        &mut system.chooser,
        &process::boot::FirstProgram {
            path: &setup.program,
            arguments: &setup.arguments,
            environment: &setup.environment,
            directory: &setup.directory,
        },
    )
    .map_err(BootError::Execute)?;
    system.watch(first);
    Ok(system)
}

/// Variables of the host's environment that the guest gets. Few and fixed, so that a run does not depend on what else the
/// host's environment holds.
pub const INHERITED: &[&str] =
    &["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER"];
