//! What page tables cost, level by level: the part of the account with which schemes are compared.

use crate::text;
use machine::PagingScheme;
use std::fmt::Write;

/// Tables by level, the root's first.
pub type Tables = [u32];

/// Bytes of frames that tables take.
fn bytes(scheme: &PagingScheme, tables: &Tables) -> u64 {
    let frames = (0..scheme.levels()).map(|level| u64::from(tables[level]) * u64::from(scheme.table_frames(level)));
    frames.sum::<u64>() * scheme.page_size()
}

/// The table of the account: a line for each process, and one for all of them at the moment when they took most.
pub fn render(scheme: &PagingScheme, processes: &[(String, String, &Tables)], together: &Tables) -> String {
    let mut out = String::new();
    let named = if scheme.name() == scheme.bits() { String::new() } else { format!(" = {}", scheme.bits()) };
    _ = writeln!(
        out,
        "\npage tables (--paging {scheme}{named}: pages of {}, entries of {} bytes; tables when they were most)",
        text::size(scheme.page_size()),
        scheme.entry_bytes(),
    );
    let mut head = vec!["process".to_string(), String::new()];
    for level in 0..scheme.levels() {
        let size = u64::from(scheme.table_frames(level)) * scheme.page_size();
        let name = if level == 0 { "root".to_string() } else { format!("level {}", level + 1) };
        head.push(format!("{name} ({})", text::size(size)));
    }
    head.push("memory".to_string());
    let row = |pid: &str, name: &str, tables: &Tables| {
        let mut row = vec![pid.to_string(), name.to_string()];
        row.extend((0..scheme.levels()).map(|level| text::number(u64::from(tables[level]))));
        row.push(text::size(bytes(scheme, tables)));
        row
    };
    let mut table = vec![head];
    table.extend(processes.iter().map(|(pid, name, tables)| row(pid, name, tables)));
    if processes.len() > 1 {
        table.push(row("all", "at once", together));
    }
    out.push_str(&text::columns(&table, &[0, 1]));
    out
}
