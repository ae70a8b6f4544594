//! Wall time of commands, from outside.

use std::process::{Command, Stdio};
use std::time::Instant;

/// Several measurements of one thing, in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, seconds: f64) {
        let at = self.0.partition_point(|other| *other < seconds);
        self.0.insert(at, seconds);
    }

    /// The middle one, in seconds; none if there is none.
    pub(crate) fn median(&self) -> Option<f64> {
        self.0.get(self.0.len() / 2).copied()
    }

    /// Half of what lies between the quarters, as a part of the median: how far to trust it.
    pub(crate) fn spread(&self) -> Option<f64> {
        let quarter = self.0.len() / 4;
        let (low, high) = (self.0.get(quarter)?, self.0.get(self.0.len() - 1 - quarter)?);
        Some((high - low) / 2.0 / self.median()?)
    }
}

/// Runs a command to its end. Gives its wall seconds.
///
/// # Errors
/// If it cannot be run or does not exit with 0; with the end of what it said.
pub(crate) fn time(command: &mut Command) -> Result<f64, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let output = child.wait_with_output().map_err(|error| format!("{command:?}: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if output.status.success() {
        return Ok(seconds);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{}: {last}", output.status))
}
