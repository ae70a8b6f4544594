//! The programs of `bench/`: which there are, and how they are built.

use std::path::Path;
use std::process::Command;

/// Programs that only compute: name and folder under `bench/`.
pub(crate) const COMPUTE: &[(&str, &str)] = &[
    ("sha256_64m", "programs"),
    ("qsort_2m", "programs"),
    ("matmul_384", "programs"),
    ("calls", "compute"),
    ("chase", "compute"),
    ("bytecode", "compute"),
    ("strings", "compute"),
    ("nbody", "compute"),
    ("hash", "compute"),
];

/// Microbenchmarks, and how many operations take some tenths of a second natively.
pub(crate) const KERNEL: &[(&str, u64)] = &[
    ("getppid", 2_000_000),
    ("pipe_pingpong", 50_000),
    ("fifo_pingpong", 50_000),
    ("futex_pingpong", 50_000),
    ("pthread_cond_pingpong", 50_000),
    ("posix_sem_pingpong", 50_000),
    ("posix_mq_pingpong", 50_000),
    ("sysv_msg_pingpong", 50_000),
    ("sysv_sem_pingpong", 50_000),
    ("signal_pingpong", 50_000),
    ("unix_stream_pingpong", 50_000),
    ("unix_dgram_pingpong", 50_000),
    ("spin_yield_pingpong", 100_000),
    ("pipe_throughput", 20_000),
    ("pipeline5", 10),
    ("epoll_pipes", 50_000),
    ("fork_exit_wait", 2_000),
    ("fork_exec_wait", 500),
    ("fork_dirty", 30),
    ("first_touch", 10),
    ("cow_fault", 10),
    ("mmap_touch_munmap", 50_000),
    ("mprotect_segv", 50_000),
];

/// Builds the programs that are older than their sources.
///
/// # Errors
/// What the compiler says.
pub(crate) fn build(sources: &Path, binaries: &Path) -> Result<(), String> {
    std::fs::create_dir_all(binaries).map_err(|error| format!("{}: {error}", binaries.display()))?;
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
    Ok(())
}
