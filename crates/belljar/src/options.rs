//! The command line.

use crate::size;
use crate::translate::{Look, parse_address};
use clap::{Args, Parser, Subcommand};
use kernel::mm::replacement::Algorithm;
use machine::PagingScheme;
use machine::tlb_model::TlbShape;
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs unmodified multi-process Linux programs on a kernel of its own, inside one ordinary unprivileged process.
#[derive(Parser, Debug)]
#[command(name = "belljar", version, disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a program with everything it starts; the exit status is the program's
    Run(Box<RunOptions>),
    /// Show how addresses fall apart into indices and an offset
    Translate {
        /// As for `run`, and any other split: offsets and indices of any size, such as 8-8-8
        #[arg(long, value_name = "SCHEME", default_value = "x86-64", value_parser = PagingScheme::parse)]
        paging: PagingScheme,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Addresses: hexadecimal after 0x, binary after 0b, otherwise decimal
        #[arg(required = true, value_name = "ADDRESS", value_parser = parse_address)]
        addresses: Vec<u64>,
    },
    /// Show which system calls are supported, and how far
    Syscalls {
        /// As the page docs/syscalls.md
        #[arg(long)]
        markdown: bool,
    },
}

/// Options of `belljar run`.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit status: the program's; 128+N if signal N killed it; 120 the program hangs; 124 the time limit \
passed; 122 IPC objects or processes were left behind (with --leaks fail); 125 belljar itself failed; 126 the program cannot be executed; 127 it was not found."
)]
pub struct RunOptions {
    /// What decides whatever Linux leaves open: turns on the processor, random bytes
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Memory of the machine; the host's is used only as far as it is touched
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = size::parse_memory)]
    pub memory: u64,
    /// Swap: pages that memory has no room for; the host's memory is used only as far as it is written
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size::parse_store)]
    pub swap: u64,
    /// Disk: changed pages of files (except under /tmp and /dev/shm) that memory has no room for
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size::parse_store)]
    pub disk: u64,
    /// Which page goes when memory is full
    #[arg(long, value_name = "HOW", value_enum, default_value = "clock")]
    pub replacement: Replacement,
    /// How addresses split: x86-64, x86-64-la57, sv39, x86-32, flat-32, or bits such as 10-10-12 (offsets of 12 to 16)
    #[arg(long, value_name = "SCHEME", default_value = "x86-64", value_parser = parse_paging)]
    pub paging: PagingScheme,
    /// Count every access in a TLB of SETS sets of WAYS entries, with `,asid` tagged with address spaces; slow
    #[arg(long, value_name = "SETSxWAYS[,asid]", value_parser = TlbShape::parse)]
    pub tlb: Option<TlbShape>,
    /// Show the walk of an address (or symbol) through a process's page table after so much virtual time, or at its exit
    #[arg(long, value_name = "PID:ADDRESS@TIME", value_parser = Look::parse)]
    pub translate: Vec<Look>,
    /// Set a variable of the environment, or pass on the host's
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Working directory
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Let changes under DIR reach the host; all others stay in the jar
    #[arg(long, value_name = "DIR")]
    pub write: Vec<PathBuf>,
    /// Stop after so much virtual time
    #[arg(long, value_name = "DURATION", value_parser = size::parse_duration)]
    pub time_limit: Option<u64>,
    /// Show every system call, on standard error or in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub strace: Option<PathBuf>,
    /// What to do about what the run leaves behind: System V objects, POSIX queues, named semaphores, shared memory, and
    /// processes that can never run again
    #[arg(long, value_name = "WHAT", value_enum, default_value = "report")]
    pub leaks: Leaks,
    /// Write what was found, a hang or leaks, to FILE as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Give an account at the end, on standard error or in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub stats: Option<PathBuf>,
    /// Where processes that died of a fault are explained: `-` for standard error, FILE, or `none`
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub crashes: PathBuf,
    /// Processors that the programs see (one thread runs at a time, whatever this says)
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub cpus: u32,
    /// How guest code is executed: none changes what programs do, the others than `traces` are slower
    #[arg(long, value_name = "HOW", value_enum, default_value = "traces", hide = true)]
    pub execute: Execute,
    /// Translate all code anew and keep none for later runs; so does BELLJAR_CACHE=off
    #[arg(long)]
    pub no_cache: bool,
    /// Tell, on standard error, what the translator did
    #[arg(long, hide = true)]
    pub profile: bool,
    /// Name of the machine
    #[arg(long, value_name = "NAME", default_value = "belljar")]
    pub hostname: OsString,
    /// When the run begins, in seconds since 1970, or `now`; otherwise the last second of this day, so that the runs
    /// of a day are alike
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
    /// The program, looked for as a shell does, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

/// Which page goes when memory is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Replacement {
    /// The first that was not used since the clock's hand came by
    Clock,
    /// The one that was loaded first
    Fifo,
    /// The one that was not used for longest, as far as accessed bits tell
    Lru,
    /// Any, as the seed says
    Random,
}

impl From<Replacement> for Algorithm {
    fn from(replacement: Replacement) -> Algorithm {
        match replacement {
            Replacement::Clock => Algorithm::Clock,
            Replacement::Fifo => Algorithm::Fifo,
            Replacement::Lru => Algorithm::Lru,
            Replacement::Random => Algorithm::Random,
        }
    }
}

/// A scheme that programs can run under.
fn parse_paging(text: &str) -> Result<PagingScheme, String> {
    let scheme = PagingScheme::parse(text)?;
    scheme.check_runs()?;
    Ok(scheme)
}

/// What to do about IPC objects that the run leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Leaks {
    /// Tell, and exit with 122 if the program exited with 0.
    Fail,
    /// Tell.
    Report,
    /// Nothing.
    Ignore,
}

/// How guest code is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Execute {
    /// Translated, along the expected path across jumps, calls and returns.
    Traces,
    /// Translated, across conditional jumps.
    Straight,
    /// Translated up to the next jump.
    Blocks,
    /// Translated, each access to memory checked by itself.
    Apart,
    /// Instruction by instruction, the measure of the others.
    Steps,
}
