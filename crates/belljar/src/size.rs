//! Sizes, durations and dates as people write them on a command line.

/// Bytes: a number with an optional unit, `512M`, `4G`, `1.5GiB`, `65536`. Units are powers of 1,024.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    if number.is_empty() {
        return Err(format!("`{text}` is not a size; write for example 512M or 4G"));
    }
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1_u64 << 40,
        _ => return Err(format!("`{unit}` is not a unit of size; write for example 512M or 4G")),
    };
    scaled(number, factor).ok_or_else(|| format!("`{text}` is not a size; write for example 512M or 4G"))
}

/// The guest's memory: a size between 1 MiB and 8 TiB.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text)?;
    if bytes < 1 << 20 {
        return Err(format!("{bytes} bytes are too little for any program; the least is 1M, the default 4G"));
    }
    if bytes > 8 << 40 {
        return Err("more than 8T cannot be simulated; the default is 4G".to_string());
    }
    Ok(bytes)
}

/// The size of swap or disk: at most 8 TiB, possibly 0.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_store(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text)?;
    if bytes > 8 << 40 {
        return Err("more than 8T cannot be simulated".to_string());
    }
    Ok(bytes)
}

/// Nanoseconds: a number with a unit, `10s`, `1.5ms`, `2h`; seconds without one.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    if number.is_empty() {
        return Err(format!("`{text}` is not a duration; write for example 10s, 500ms or 2h"));
    }
    let factor = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(format!("`{unit}` is not a unit of time; write for example 10s, 500ms or 2h")),
    };
    match scaled(number, factor) {
        Some(nanoseconds) if nanoseconds > 0 => Ok(nanoseconds),
        _ => Err(format!("`{text}` is not a duration; write for example 10s, 500ms or 2h")),
    }
}

/// When the run begins, for the guest: seconds since 1970, `@1700000000` or without the `@`.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_date(text: &str) -> Result<u64, String> {
    let seconds: Option<u64> = text.strip_prefix('@').unwrap_or(text).parse().ok();
    seconds
        .and_then(|seconds| seconds.checked_mul(1_000_000_000))
        .filter(|nanoseconds| i64::try_from(*nanoseconds).is_ok())
        .ok_or_else(|| format!("`{text}` is not a date; write seconds since 1970, as `date +%s` does"))
}

/// The number at the beginning, and the rest.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// A decimal number times a factor, exactly, rounded down.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 12 {
        return None;
    }
    let mut value = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    if !fraction.is_empty() {
        let digits = u128::from(fraction.parse::<u64>().ok()?);
        value += digits * u128::from(factor) / 10_u128.pow(fraction.len() as u32);
    }
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_that_are_powers_of_1024() {
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert_eq!(["64M", "64MiB", "64 mb"].map(parse_size), [Ok(64 << 20), Ok(64 << 20), Ok(64 << 20)]);
        assert_eq!(parse_size("1.5G"), Ok(3 << 29));
        for nonsense in ["", "G", "12Q", "-1M", "1..5G", "99999999999T", "0x10", "1e3"] {
            assert!(parse_size(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn memory_has_bounds() {
        assert_eq!(parse_memory("1M"), Ok(1 << 20));
        assert!(parse_memory("1023K").unwrap_err().contains("too little"));
        assert!(parse_memory("0").is_err());
        assert!(parse_memory("9T").unwrap_err().contains("8T"));
    }

    #[test]
    fn durations_have_units_and_are_not_zero() {
        assert_eq!(
            ["10", "10s", "1.5ms", "2h"].map(parse_duration),
            [Ok(10_000_000_000), Ok(10_000_000_000), Ok(1_500_000), Ok(7_200_000_000_000)]
        );
        assert!(["0", "x", "5 parsecs", ""].iter().all(|text| parse_duration(text).is_err()));
    }

    #[test]
    fn dates_are_seconds_since_1970() {
        assert_eq!(parse_date("@1700000000"), Ok(1_700_000_000_000_000_000));
        assert!(parse_date("yesterday").is_err());
        assert!(parse_date("99999999999999").is_err());
    }
}
