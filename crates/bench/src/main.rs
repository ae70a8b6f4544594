//! Compares programs natively and in the jar, from outside the process, interleaved, several times.
//!
//! ```text
//! cargo build --release && cargo run --release -p belljar-bench -- [--rounds N] [compute|kernel] [NAME...]
//! ```
//!
//! `compute` runs whole programs and prints the ratio of the medians and their geometric mean. `kernel` runs each
//! microbenchmark with N and 2N operations and prints the time of one operation, start-up taken out:
//! (wall time with 2N - wall time with N) / N. Machines are shared and noisy: ratios count, not times.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Whole programs: name and folder under `bench/`.
const COMPUTE: &[(&str, &str)] = &[
    ("sha256_64m", "programs"),
    ("qsort_2m", "programs"),
    ("matmul_384", "programs"),
    ("calls", "compute"),
    ("chase", "compute"),
    ("bytecode", "compute"),
    ("strings", "compute"),
    ("nbody", "compute"),
];

/// Microbenchmarks, and operations that take some tenths of a second natively.
const KERNEL: &[(&str, u64)] = &[
    ("getppid", 2_000_000),
    ("pipe_pingpong", 20_000),
    ("fifo_pingpong", 20_000),
    ("futex_pingpong", 20_000),
    ("pthread_cond_pingpong", 20_000),
    ("posix_sem_pingpong", 20_000),
    ("posix_mq_pingpong", 20_000),
    ("sysv_msg_pingpong", 20_000),
    ("sysv_sem_pingpong", 20_000),
    ("signal_pingpong", 20_000),
    ("unix_stream_pingpong", 20_000),
    ("unix_dgram_pingpong", 20_000),
    ("spin_yield_pingpong", 20_000),
    ("fork_exit_wait", 2_000),
    ("fork_exec_wait", 500),
    ("first_touch", 50_000),
    ("cow_fault", 50_000),
    ("mmap_touch_munmap", 50_000),
    ("mprotect_segv", 50_000),
];

struct Setup {
    belljar: PathBuf,
    binaries: PathBuf,
    rounds: usize,
}

fn main() -> ExitCode {
    let mut rounds = 5;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => match arguments.next().and_then(|value| value.parse().ok()) {
                Some(value) if value > 0 => rounds = value,
                _ => return usage(),
            },
            flag if flag.starts_with('-') => return usage(),
            _ => names.push(argument),
        }
    }
    let setup = match prepare(rounds) {
        Ok(setup) => setup,
        Err(message) => {
            eprintln!("bench: {message}");
            return ExitCode::FAILURE;
        }
    };
    let kernel = names.first().is_some_and(|name| name == "kernel");
    names.retain(|name| name != "kernel" && name != "compute");
    let chosen = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let result = if kernel { run_kernel(&setup, chosen) } else { run_compute(&setup, chosen) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: belljar-bench [--rounds N] [compute|kernel] [NAME...]");
    ExitCode::FAILURE
}

/// Builds the programs that are older than their sources.
fn prepare(rounds: usize) -> Result<Setup, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own.parent().ok_or("no directory of binaries")?;
    let belljar = target.join("belljar");
    if !belljar.exists() {
        return Err(format!("{} is missing: cargo build --release first", belljar.display()));
    }
    let binaries = target.join("bench-programs");
    std::fs::create_dir_all(&binaries).map_err(|error| error.to_string())?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench");
    let kernel = KERNEL.iter().map(|(name, _)| (*name, "programs"));
    for (name, folder) in COMPUTE.iter().copied().chain(kernel).chain([("tiny", "programs")]) {
        let source = sources.join(folder).join(name).with_extension("c");
        let binary = binaries.join(name);
        let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
        if modified(&binary).is_ok_and(|built| modified(&source).is_ok_and(|edited| edited < built)) {
            continue;
        }
        let status = Command::new("cc")
            .args(["-O2", "-std=gnu11", "-static", "-o"])
            .arg(&binary)
            .arg(&source)
            .args(["-lm", "-lpthread"])
            .status()
            .map_err(|error| format!("cc: {error}"))?;
        if !status.success() {
            return Err(format!("cc {}: {status}", source.display()));
        }
    }
    Ok(Setup { belljar, binaries, rounds })
}

/// Wall seconds of one run; its output must be there and its status 0.
fn time(setup: &Setup, name: &str, in_jar: bool, argument: Option<u64>) -> Result<(f64, Vec<u8>), String> {
    let program = setup.binaries.join(name);
    let mut command = if in_jar {
        let mut command = Command::new(&setup.belljar);
        command.args(["run", "--"]).arg(&program);
        command
    } else {
        // Ping-pongs are faster natively when both ends share a processor: that is the case to beat.
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(&program);
        command
    };
    command.args(argument.map(|value| value.to_string())).stderr(Stdio::inherit());
    let start = Instant::now();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("{name} {}: {}", if in_jar { "in the jar" } else { "natively" }, output.status));
    }
    Ok((seconds, output.stdout))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn run_compute(setup: &Setup, chosen: impl Fn(&str) -> bool) -> Result<(), String> {
    println!("{:<14} {:>10} {:>10} {:>7}", "program", "native s", "jar s", "ratio");
    let mut logarithms = Vec::new();
    for (name, _) in COMPUTE.iter().filter(|(name, _)| chosen(name)) {
        let (mut native, mut jar) = (Vec::new(), Vec::new());
        for _ in 0..setup.rounds {
            native.push(time(setup, name, false, None)?.0);
            jar.push(time(setup, name, true, None)?.0);
        }
        let (native, jar) = (median(native), median(jar));
        logarithms.push((jar / native).ln());
        println!("{name:<14} {native:>10.3} {jar:>10.3} {:>7.2}", jar / native);
    }
    if !logarithms.is_empty() {
        let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
        println!("{:<14} {:>29.2}", "geometric mean", mean);
    }
    Ok(())
}

fn run_kernel(setup: &Setup, chosen: impl Fn(&str) -> bool) -> Result<(), String> {
    println!("{:<24} {:>12} {:>12} {:>16}", "program", "native ns/op", "jar ns/op", "native / jar");
    for (name, count) in KERNEL.iter().filter(|(name, _)| chosen(name)) {
        let operation = |in_jar| -> Result<f64, String> {
            let once = time(setup, name, in_jar, Some(*count))?.0;
            let twice = time(setup, name, in_jar, Some(2 * count))?.0;
            Ok((twice - once) / *count as f64 * 1e9)
        };
        let (mut native, mut jar) = (Vec::new(), Vec::new());
        let mut failure = None;
        for _ in 0..setup.rounds {
            native.push(operation(false)?);
            match operation(true) {
                Ok(value) => jar.push(value),
                Err(message) => failure = Some(message),
            }
        }
        match failure {
            Some(message) => println!("{name:<24} {message}"),
            None => {
                let (native, jar) = (median(native), median(jar));
                println!("{name:<24} {native:>12.0} {jar:>12.0} {:>16.2}", native / jar);
            }
        }
    }
    Ok(())
}
