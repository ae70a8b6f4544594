//! How addresses fall apart under a paging scheme: what `belljar translate` shows.

use crate::text;
use machine::PagingScheme;
use std::fmt::Write;

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The address.
    pub address: u64,
    /// The index into the table at each level, the root's first.
    pub indices: Vec<usize>,
    /// Where in the page.
    pub offset: u64,
}

/// Splits an address.
///
/// # Errors
/// If it has more bits than the scheme. (Up to 32 bits there are no others; beyond, those above must equal the highest.)
pub fn split(scheme: &PagingScheme, address: u64) -> Result<Split, String> {
    let bits = scheme.address_bits();
    if bits > 32 && bits < 64 {
        if (address as i64) << (64 - bits) >> (64 - bits) != address as i64 {
            let highest = bits - 1;
            return Err(format!(
                "{address:#x} is no address of {scheme}: bits above {highest} must repeat bit {highest}"
            ));
        }
    } else if bits < 64 && address >> bits != 0 {
        return Err(format!("{address:#x} has more than the {bits} bits of {scheme}"));
    }
    Ok(Split {
        address,
        indices: (0..scheme.levels()).map(|level| scheme.index(level, address)).collect(),
        offset: address & (scheme.page_size() - 1),
    })
}

/// The name of a level's table.
pub(crate) fn level_name(level: usize) -> String {
    if level == 0 { "root".to_string() } else { format!("level {}", level + 1) }
}

/// Bytes, exactly if that is short.
fn size(bytes: u128) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    while unit + 1 < UNITS.len() && bytes >> (10 * (unit + 1)) != 0 {
        unit += 1;
    }
    let whole = bytes >> (10 * unit);
    if whole << (10 * unit) == bytes {
        return format!("{whole} {}", UNITS[unit]);
    }
    format!("{:.1} {}", bytes as f64 / (1_u128 << (10 * unit)) as f64, UNITS[unit])
}

/// A number with its thousands apart, or a power of two if it is long.
fn number(value: u128) -> String {
    match u64::try_from(value) {
        Ok(value) if value < 1 << 40 => text::number(value),
        _ => format!("2^{}", value.ilog2()),
    }
}

/// Tables that there are at a level if every page is mapped.
fn tables_at_most(scheme: &PagingScheme, level: usize) -> u128 {
    1 << (0..level).map(|above| scheme.index_bits(above)).sum::<u32>()
}

/// The bits of a field, as in `47-39`.
fn bit_range(shift: u32, bits: u32) -> String {
    if bits == 1 { shift.to_string() } else { format!("{}-{shift}", shift + bits - 1) }
}

/// The scheme: its tables, what they cover, and how many there can be.
pub fn describe(scheme: &PagingScheme) -> String {
    let mut out = String::new();
    let named = if scheme.name() == scheme.bits() { String::new() } else { format!(" = {}", scheme.bits()) };
    _ = writeln!(
        out,
        "{scheme}{named}: addresses of {} bits, pages of {}, entries of {} bytes",
        scheme.address_bits(),
        size(u128::from(scheme.page_size())),
        scheme.entry_bytes(),
    );
    let head = ["table", "bits", "entries", "bytes", "an entry covers", "tables if all is mapped"];
    let mut table = vec![head.map(str::to_string).to_vec()];
    for level in 0..scheme.levels() {
        table.push(vec![
            level_name(level),
            bit_range(scheme.shift(level), scheme.index_bits(level)),
            number(1 << scheme.index_bits(level)),
            size(scheme.table_bytes(level)),
            size(1 << scheme.shift(level)),
            number(tables_at_most(scheme, level)),
        ]);
    }
    let offset = bit_range(0, scheme.offset_bits());
    table.push(["page".to_string(), offset].into_iter().chain((0..4).map(|_| String::new())).collect());
    out.push_str(&text::columns(&table, &[0]));
    let one: u128 = (0..scheme.levels()).map(|level| scheme.table_bytes(level)).sum();
    let all: u128 = (0..scheme.levels()).map(|level| scheme.table_bytes(level) * tables_at_most(scheme, level)).sum();
    let tables = text::count(scheme.levels() as u64, "table");
    _ = writeln!(out, "  one page needs {tables}, {}; all pages together {} of tables", size(one), size(all));
    out
}

/// An address in binary with its fields marked, and what they say.
pub fn show(scheme: &PagingScheme, split: &Split) -> String {
    let bits = scheme.address_bits();
    let mut columns: Vec<[String; 4]> = Vec::new();
    if bits > 32 && bits < 64 {
        let above = format!("{:0width$b}", split.address >> bits, width = 64 - bits as usize);
        columns.push(["above".to_string(), bit_range(bits, 64 - bits), above, String::new()]);
    }
    for (level, index) in split.indices.iter().enumerate() {
        let width = scheme.index_bits(level) as usize;
        columns.push([
            level_name(level),
            bit_range(scheme.shift(level), scheme.index_bits(level)),
            format!("{index:0width$b}"),
            index.to_string(),
        ]);
    }
    let width = scheme.offset_bits() as usize;
    let binary = format!("{:0width$b}", split.offset);
    columns.push(["offset".to_string(), bit_range(0, scheme.offset_bits()), binary, split.offset.to_string()]);
    let digits = if bits > 32 { 16 } else { (bits as usize).div_ceil(4) };
    let mut out = format!("0x{:0digits$x}\n", split.address);
    for (line, name) in ["", "bits", "binary", "number"].iter().enumerate() {
        let mut text = format!("  {name:<6}");
        for column in &columns {
            let width = column.iter().map(String::len).max().unwrap_or(0);
            _ = write!(text, "  {:>width$}", column[line]);
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    let page = split.address & (u64::MAX << scheme.offset_bits());
    let page_number = (split.address & (u64::MAX >> (64 - bits))) >> scheme.offset_bits();
    _ = writeln!(out, "  page {page_number} ({page_number:#x}), which begins at {page:#x}; offset {:#x}", split.offset);
    out
}

/// Scheme and addresses as JSON.
pub fn json(scheme: &PagingScheme, splits: &[Split]) -> String {
    let levels: Vec<String> = (0..scheme.levels())
        .map(|level| {
            format!(
                "{{\"shift\": {}, \"bits\": {}, \"entries\": {}, \"table_bytes\": {}, \"entry_covers\": {}}}",
                scheme.shift(level),
                scheme.index_bits(level),
                1_u128 << scheme.index_bits(level),
                scheme.table_bytes(level),
                1_u128 << scheme.shift(level),
            )
        })
        .collect();
    let addresses: Vec<String> = splits
        .iter()
        .map(|split| {
            let indices: Vec<String> = split.indices.iter().map(usize::to_string).collect();
            let (address, offset) = (split.address, split.offset);
            format!(
                "    {{\"address\": \"{address:#x}\", \"indices\": [{}], \"offset\": {offset}}}",
                indices.join(", ")
            )
        })
        .collect();
    format!(
        "{{\n  \"scheme\": \"{scheme}\",\n  \"address_bits\": {},\n  \"page_bytes\": {},\n  \"entry_bytes\": {},\n  \
         \"levels\": [\n    {}\n  ],\n  \"addresses\": [\n{}\n  ]\n}}\n",
        scheme.address_bits(),
        scheme.page_size(),
        scheme.entry_bytes(),
        levels.join(",\n    "),
        addresses.join(",\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(scheme: &str, address: u64) -> Result<Vec<u64>, String> {
        let split = split(&PagingScheme::parse(scheme).unwrap(), address)?;
        Ok(split.indices.iter().map(|index| *index as u64).chain([split.offset]).collect())
    }

    #[test]
    fn addresses_split_as_in_the_textbooks() {
        assert_eq!(parts("x86-32", 0x0040_3004), Ok(vec![1, 3, 4]));
        assert_eq!(parts("6-5-5-8", 0x00ab_cdef), Ok(vec![0x2a, 0x1e, 0x0d, 0xef]));
        assert_eq!(parts("x86-64", 0x7fff_f7a0_1234), Ok(vec![255, 511, 445, 1, 0x234]));
        assert_eq!(parts("x86-64", 0xffff_8000_0000_0001), Ok(vec![256, 0, 0, 0, 1]));
        assert!(parts("x86-64", 0x8000_0000_0000).is_err());
        assert!(parts("x86-32", 0x1_0000_0000).is_err());
        assert_eq!(parts("1-1", 3), Ok(vec![1, 1]));
        assert_eq!(parts("32-16-16", u64::MAX), Ok(vec![u64::from(u32::MAX), 0xffff, 0xffff]));
    }

    #[test]
    fn sizes_are_exact_where_they_can_be() {
        assert_eq!([size(256), size(4096), size(1536), size(1 << 67)], ["256 B", "4 KiB", "1.5 KiB", "128 EiB"]);
        assert_eq!([number(134_217_728), number(1 << 50)], ["134,217,728", "2^50"]);
    }
}
