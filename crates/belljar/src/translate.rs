//! `belljar translate`: how addresses fall apart.

use crate::failure::Failure;
use crate::size;
use kernel::clock::Instant;
use lab::split;
use lab::walk::{self, Place, Question, When};
use machine::PagingScheme;
use std::path::Path;

/// What to print.
///
/// # Errors
/// If an address does not fit the scheme.
pub fn translate(scheme: &PagingScheme, addresses: &[u64], as_json: bool) -> Result<String, Failure> {
    let split = |address: &u64| split::split(scheme, *address).map_err(|why| Failure::own(&why));
    let splits = addresses.iter().map(split).collect::<Result<Vec<_>, Failure>>()?;
    if as_json {
        return Ok(split::json(scheme, &splits));
    }
    let mut text = split::describe(scheme);
    for split in &splits {
        text.push('\n');
        text.push_str(&split::show(scheme, split));
    }
    Ok(text)
}

/// An address: hexadecimal after `0x`, binary after `0b`, otherwise decimal; underscores do not count.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_address(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let parsed = match (digits.strip_prefix("0x"), digits.strip_prefix("0b")) {
        (Some(hexadecimal), _) => u64::from_str_radix(hexadecimal, 16),
        (_, Some(binary)) => u64::from_str_radix(binary, 2),
        _ => digits.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is not an address of 64 bits; write for example 0x7fff1234, 0b1011 or 4096"))
}

/// What `belljar run --translate PID:ADDRESS@TIME` asks for, before its symbol is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    text: String,
    pid: i32,
    place: Where,
    when: When,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Address(u64),
    Symbol { name: String, plus: u64 },
}

impl Look {
    /// Reads `PID:ADDRESS@TIME`: an address or a symbol of the first program with or without `+BYTES`; a duration, or
    /// `exit`.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub fn parse(text: &str) -> Result<Look, String> {
        let form = || "write PID:ADDRESS@TIME, as in 2:0x7fff1234@1ms or 2:main@exit".to_string();
        let (pid, rest) = text.split_once(':').ok_or_else(form)?;
        let (place, when) = rest.rsplit_once('@').ok_or_else(form)?;
        let pid =
            pid.parse().map_err(|_| format!("`{pid}` is not the number of a process; the first program's is 2"))?;
        let when = match when {
            "exit" => When::Exit,
            duration => When::At(Instant(size::parse_duration(duration)?)),
        };
        let place = if place.starts_with(|first: char| first.is_ascii_digit()) {
            Where::Address(parse_address(place)?)
        } else {
            let (name, plus) = match place.split_once('+') {
                Some((name, plus)) => (name, parse_address(plus)?),
                None => (place, 0),
            };
            if name.is_empty() {
                return Err(form());
            }
            Where::Symbol { name: name.to_string(), plus }
        };
        Ok(Look { text: text.to_string(), pid, place, when })
    }

    /// The question, with the symbol looked up in the first program.
    ///
    /// # Errors
    /// If there is no such symbol.
    pub fn question(&self, program: &Path) -> Result<Question, Failure> {
        let place = match &self.place {
            Where::Address(address) => Place::Address(*address),
            Where::Symbol { name, plus } => {
                let found = std::fs::read(program)
                    .map_err(|error| error.to_string())
                    .and_then(|bytes| walk::symbol(&bytes, name))
                    .map_err(|why| Failure::own(&format!("--translate {}: {}: {why}", self.text, program.display())))?;
                Place::FromEntry(found.wrapping_add(*plus))
            }
        };
        Ok(Question { text: self.text.clone(), pid: self.pid, place, when: self.when })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(parse_address("0x7fff_f000"), Ok(0x7fff_f000));
        assert_eq!(parse_address("0b101"), Ok(5));
        assert_eq!(parse_address("4096"), Ok(4096));
        for wrong in ["", "0x", "12h", "-1", "+5x", "0x1ffffffffffffffff"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn looks_are_read() {
        let look = Look::parse("2:0x1000@1.5ms").unwrap();
        assert_eq!((look.pid, look.place, look.when), (2, Where::Address(0x1000), When::At(Instant(1_500_000))));
        let look = Look::parse("3:counter+0x10@exit").unwrap();
        assert_eq!((look.place, look.when), (Where::Symbol { name: "counter".to_string(), plus: 16 }, When::Exit));
        for wrong in ["", "2:main", "main@1s", "x:main@1s", "2:@1s", "2:main@later", "2:0xzz@1s", "2:a+b@1s"] {
            assert!(Look::parse(wrong).is_err(), "{wrong}");
        }
    }
}
