//! Verdicts to text for people and to JSON for programs.

mod cause;
mod phrases;
mod text;

pub use text::{hang, leaks};

use crate::verdict::Findings;

/// The findings as JSON, indented, with a line end.
pub fn json(findings: &Findings) -> String {
    let mut text = serde_json::to_string_pretty(findings).expect("findings are plain data");
    text.push('\n');
    text
}
