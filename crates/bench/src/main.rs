//! Compares programs natively, in the jar and under the tools that people use today: from outside the process,
//! interleaved, several times.
//!
//! ```text
//! cargo build --release && cargo run --release -p belljar-bench -- [SUITE...] [--only NAME...] [--rounds N] [--write]
//! ```
//!
//! - `compute` runs whole programs that only compute, and gives the geometric mean of their ratios;
//! - `kernel` runs each microbenchmark with N and 2N operations and takes the difference, which leaves start-up out;
//! - `start` runs programs that end at once;
//! - `work` runs real programs on real work.
//!
//! Machines are shared and noisy: ratios count, not times.
#![forbid(unsafe_code)]

mod measure;
mod programs;
mod report;
mod runner;
mod suites;
mod work;

use clap::{Parser, ValueEnum};
use report::Table;
use runner::Runner;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Programs that only compute.
    Compute,
    /// One operation of the kernel each.
    Kernel,
    /// Programs that end at once.
    Start,
    /// Real programs on real work.
    Work,
}

/// Compares programs natively, in the jar and under other tools.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to compare; everything if none is named.
    suites: Vec<Suite>,
    /// Only the programs with these names.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
    /// How often each is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Leaves the other tools (qemu-user, valgrind, gVisor) out.
    #[arg(long)]
    no_peers: bool,
    /// Writes docs/performance.md, but for the suites that are not named.
    #[arg(long)]
    write: bool,
}

/// Where things are, and how often each is measured.
#[derive(Debug)]
struct Setup {
    /// The programs of `bench/`, built.
    binaries: PathBuf,
    /// Inputs of real work, made once.
    data: PathBuf,
    /// Natively first, then the jar, then the others that are installed.
    runners: Vec<Runner>,
    rounds: usize,
    only: Vec<String>,
}

impl Setup {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

fn main() -> ExitCode {
    match compare(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> Result<(), String> {
    let setup = prepare(arguments)?;
    let all = Suite::value_variants();
    let suites = if arguments.suites.is_empty() { all } else { &arguments.suites };
    let mut tables: Vec<Table> = Vec::new();
    for suite in suites {
        let table = match suite {
            Suite::Compute => suites::compute(&setup),
            Suite::Kernel => suites::kernel(&setup),
            Suite::Start => suites::start(&setup),
            Suite::Work => suites::work(&setup),
        };
        tables.push(table?);
    }
    if arguments.write {
        let page = root().join("docs/performance.md");
        let before = std::fs::read_to_string(&page).unwrap_or_default();
        let text = report::page(&before, &tables, &setup.runners, arguments.rounds)?;
        std::fs::write(&page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    }
    Ok(())
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn prepare(arguments: &Arguments) -> Result<Setup, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.parent().ok_or("no directory of binaries")?;
    let belljar = target.join("belljar");
    if !belljar.exists() {
        return Err(format!("{} is missing: cargo build --release first", belljar.display()));
    }
    let binaries = target.join("bench-programs");
    programs::build(&root().join("bench"), &binaries)?;
    let mut runners = vec![Runner::Native, Runner::Jar(belljar)];
    if !arguments.no_peers {
        let others = [Runner::Qemu, Runner::Valgrind, Runner::Gvisor];
        runners.extend(others.into_iter().filter(|runner| {
            let is_there = runner.version().is_some();
            if !is_there {
                eprintln!("bench: {} is not installed and is left out", runner.name());
            }
            is_there
        }));
    }
    Ok(Setup {
        binaries,
        data: target.join("bench-data"),
        runners,
        rounds: arguments.rounds as usize,
        only: arguments.only.clone(),
    })
}
