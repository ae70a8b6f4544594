//! Numbers, times and names as people read them.

use std::fmt::Write;

/// A number with its thousands apart: `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and what is counted: `1 page`, `1,200 pages`.
pub fn count(value: u64, singular: &str) -> String {
    let plural = match singular {
        "process" => "processes".to_string(),
        "data access" => "data accesses".to_string(),
        "entry" => "entries".to_string(),
        other => format!("{other}s"),
    };
    format!("{} {}", number(value), if value == 1 { singular } else { &plural })
}

/// A size: `512 B`, `12.5 KiB`, `4.0 GiB`.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// A duration: `999 ns`, `1.234 us`, `12.345 ms`, `3.204 s`.
pub fn duration(nanoseconds: u64) -> String {
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.3} us", nanoseconds as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3} ms", nanoseconds as f64 / 1e6),
        _ => format!("{:.3} s", nanoseconds as f64 / 1e9),
    }
}

/// Bytes as text that cannot confuse a terminal.
pub fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The name of a system call: `read`, `syscall_999`.
pub fn call_name(number: u64) -> String {
    abi::syscall_names::name(number).map_or_else(|| format!("syscall_{number}"), str::to_string)
}

/// The name of a signal: `SIGTERM`, `SIGRTMIN+2`.
pub fn signal(signal: i32) -> String {
    if (abi::signal::SIGRTMIN..=abi::signal::SIGRTMAX).contains(&signal) {
        return format!("SIGRTMIN+{}", signal - abi::signal::SIGRTMIN);
    }
    match abi::signal::name(signal) {
        "SIG?" => format!("signal {signal}"),
        name => name.to_string(),
    }
}

/// How a process ended, from the status that wait(2) gives: `exited with 1`, `killed by SIGSEGV`.
pub fn ending(status: i32) -> String {
    match status & 0x7f {
        0 => format!("exited with {}", status >> 8 & 0xff),
        number => format!("killed by {}", signal(number)),
    }
}

/// The last part of a path.
pub fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A table with its columns aligned: those listed to the left, the others to the right.
pub fn columns(table: &[Vec<String>], left: &[usize]) -> String {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
    let mut out = String::new();
    for row in table {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            _ = if left.contains(&column) {
                write!(line, "  {cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let table = [["a", "1"], ["bcd", "23"]].map(|row| row.map(str::to_string).to_vec());
        assert_eq!(columns(&table, &[0]), "  a     1\n  bcd  23\n");
    }

    #[test]
    fn numbers_sizes_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [count(1, "process"), count(2, "process"), count(0, "page")],
            ["1 process", "2 processes", "0 pages"]
        );
        assert_eq!([1023, 1024, 1536, 4 << 30].map(size), ["1023 B", "1.0 KiB", "1.5 KiB", "4.0 GiB"]);
        assert_eq!([7, 1500, 12_345_000, 3_204_000_000].map(duration), ["7 ns", "1.500 us", "12.345 ms", "3.204 s"]);
        assert_eq!(
            [ending(0x100), ending(11), ending(0x8b)],
            ["exited with 1", "killed by SIGSEGV", "killed by SIGSEGV"]
        );
    }
}
