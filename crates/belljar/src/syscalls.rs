//! `belljar syscalls`: what is supported, from the table that the kernel itself uses.

use kernel::syscalls::table::{ROWS, Row, Support};
use std::fmt::Write;

/// The rows in the order of their numbers.
fn rows() -> Vec<&'static Row> {
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    rows.sort_by_key(|row| row.number);
    rows
}

/// The table for a terminal.
pub fn plain() -> String {
    let mut out = String::new();
    for row in rows() {
        let level = match row.support {
            Support::Full => "full".to_string(),
            Support::Partial(missing) => format!("partial: {missing}"),
        };
        _ = writeln!(out, "{:>4}  {:<24}{level}", row.number, row.name);
    }
    _ = writeln!(out, "{}", summary());
    out
}

/// The page docs/syscalls.md.
pub fn markdown() -> String {
    let mut out = String::from(
        "# System calls\n\n<!-- Written by `belljar syscalls --markdown` from crates/kernel/src/syscalls/table.rs. -->\n\n",
    );
    _ = writeln!(out, "{}\n", summary());
    out.push_str("| number | call | support | manual | test |\n| ---: | --- | --- | --- | --- |\n");
    for row in rows() {
        let level = match row.support {
            Support::Full => "full".to_string(),
            Support::Partial(missing) => format!("partial: {}", missing.replace('|', "\\|")),
        };
        let call = format!("{}({})", row.name, row.arguments.join(", "));
        _ = writeln!(out, "| {} | `{call}` | {level} | {} | `{}` |", row.number, row.manual, row.test);
    }
    out
}

fn summary() -> String {
    let full = ROWS.iter().filter(|row| matches!(row.support, Support::Full)).count();
    format!(
        "{} system calls: {full} in full, {} in part. Every other answers ENOSYS, as a kernel without it would, and is \
         listed as unsupported in the account of a run (`--stats`).",
        ROWS.len(),
        ROWS.len() - full
    )
}
