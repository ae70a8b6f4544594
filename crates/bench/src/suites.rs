//! What is compared, suite by suite. A row is measured in turns: every runner once, then every runner again.

use crate::Setup;
use crate::measure::{self, Series};
use crate::report::{Cell, Row, Table, Unit};
use crate::runner::{Place, Runner};
use crate::{programs, work};
use std::path::{Path, PathBuf};

/// Whole programs that only compute.
pub(crate) fn compute(setup: &Setup) -> Result<Table, String> {
    let mut table = Table::new("Computing", "whole programs; every access of a guest is checked", Unit::Seconds, setup);
    for (name, _) in programs::COMPUTE.iter().filter(|(name, _)| setup.wants(name)) {
        let program = setup.binaries.join(name);
        table.add(row(setup, name, |runner| {
            measure::time(&mut runner.command(Place::OneProcessor, [program.as_os_str()]))
        }));
    }
    table.finish_with_mean();
    Ok(table)
}

/// One operation of the kernel each.
pub(crate) fn kernel(setup: &Setup) -> Result<Table, String> {
    let about = "one operation, start-up taken out; natively on one processor, which is the faster case";
    let mut table = Table::new("The kernel's operations", about, Unit::NanosecondsPerOperation, setup);
    for (name, count) in programs::KERNEL.iter().filter(|(name, _)| setup.wants(name)) {
        let program = setup.binaries.join(name);
        table.add(row(setup, name, |runner| {
            // Those that are far slower get a tenth of the work.
            let count = if matches!(runner, Runner::Native | Runner::Jar(_)) { *count } else { (count / 10).max(1) };
            let run = |count: u64| {
                let argument = PathBuf::from(count.to_string());
                measure::time(&mut runner.command(Place::OneProcessor, [program.as_path(), argument.as_path()]))
            };
            // Memory that lay idle can cost more when it is used again, above all in a virtual machine: not counted.
            run(count)?;
            let once = run(count)?;
            Ok((run(2 * count)? - once) / count as f64)
        }));
    }
    Ok(table)
}

/// Programs that end at once.
pub(crate) fn start(setup: &Setup) -> Result<Table, String> {
    let mut table = Table::new("Starting", "whole commands, warm caches", Unit::Seconds, setup);
    let programs: &[(&str, &[&str])] = &[
        ("true", &["true"]),
        ("sh -c true", &["sh", "-c", "true"]),
        ("python3 -c pass", &["/usr/bin/python3", "-c", "pass"]),
        ("perl -e 1", &["perl", "-e", "1"]),
        ("git --version", &["git", "--version"]),
    ];
    for (name, arguments) in programs.iter().filter(|(name, _)| setup.wants(name)) {
        table.add(row(setup, name, |runner| measure::time(&mut runner.command(Place::Anywhere, *arguments))));
    }
    Ok(table)
}

/// Real programs on real work.
pub(crate) fn work(setup: &Setup) -> Result<Table, String> {
    let about = "whole commands; qemu-user runs what a program executes natively, so only single programs count";
    let mut table = Table::new("Real work", about, Unit::Seconds, setup);
    let tasks = work::prepare(&setup.data)?;
    for task in tasks.iter().filter(|task| setup.wants(task.name)) {
        table.add(row(setup, task.name, |runner| {
            let folder = task.fresh_folder(&setup.data)?;
            let mut command = runner.command(Place::Anywhere, &task.command);
            command.current_dir(&folder);
            measure::time(&mut command)
        }));
    }
    remove(&setup.data.join("scratch"))?;
    Ok(table)
}

/// Measures one thing with every runner in turn. A runner that fails has its reason in the row.
fn row(setup: &Setup, name: &str, mut measure: impl FnMut(&Runner) -> Result<f64, String>) -> Row {
    let mut series = vec![Series::default(); setup.runners.len()];
    let mut failures: Vec<Option<String>> = vec![None; setup.runners.len()];
    for round in 0..setup.rounds {
        for (index, runner) in setup.runners.iter().enumerate() {
            // Twice is enough of what is not ours.
            let is_peer = !matches!(runner, Runner::Native | Runner::Jar(_));
            if failures[index].is_some() || is_peer && round >= 2 {
                continue;
            }
            match measure(runner) {
                Ok(seconds) => series[index].add(seconds),
                Err(message) => failures[index] = Some(message),
            }
        }
    }
    let cells = series.into_iter().zip(failures).map(|(series, failure)| match failure {
        Some(message) => Cell::Failed(message),
        None => Cell::Measured(series),
    });
    Row { name: name.to_owned(), cells: cells.collect() }
}

/// Removes a folder with all it holds, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}
