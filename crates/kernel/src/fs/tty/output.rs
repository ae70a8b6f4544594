//! Output processing of a terminal: what `OPOST` makes of the bytes that a program writes, termios(3).

use abi::termios::{IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, Termios, XTABS};

/// Where the cursor is, as far as the line discipline can tell from the bytes that went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Column of the next character.
    pub column: u32,
    /// Column at which the line being typed began.
    pub line_column: u32,
}

impl Cursor {
    /// Sends one byte through output processing.
    ///
    /// Source: Linux `drivers/tty/n_tty.c` `do_output_char`.
    pub fn put(&mut self, termios: &Termios, byte: u8, out: &mut Vec<u8>) {
        let modes = termios.output;
        if modes & OPOST == 0 {
            out.push(byte);
            return;
        }
        let mut byte = byte;
        match byte {
            b'\n' => {
                if modes & ONLRET != 0 {
                    self.column = 0;
                }
                if modes & ONLCR != 0 {
                    (self.column, self.line_column) = (0, 0);
                    out.extend_from_slice(b"\r\n");
                    return;
                }
                self.line_column = self.column;
            }
            b'\r' => {
                if modes & ONOCR != 0 && self.column == 0 {
                    return;
                }
                if modes & OCRNL != 0 {
                    byte = b'\n';
                    if modes & ONLRET != 0 {
                        (self.column, self.line_column) = (0, 0);
                    }
                } else {
                    (self.column, self.line_column) = (0, 0);
                }
            }
            b'\t' => {
                let spaces = 8 - (self.column & 7);
                self.column = self.column.wrapping_add(spaces);
                if modes & TABDLY == XTABS {
                    out.resize(out.len() + spaces as usize, b' ');
                    return;
                }
            }
            b'\x08' => self.column = self.column.saturating_sub(1),
            _ if !is_control(byte) => {
                if modes & OLCUC != 0 {
                    byte = upper_case(byte);
                }
                if !is_continuation(termios, byte) {
                    self.column = self.column.wrapping_add(1);
                }
            }
            _ => {}
        }
        out.push(byte);
    }

    /// Sends a byte past output processing, as cursor movements of echo are.
    pub fn put_raw(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == b'\x08' {
            self.column = self.column.saturating_sub(1);
        }
        out.push(byte);
    }
}

/// Letters as Linux's `lib/ctype.c` sees them, in ISO 8859-1, where 0xd7 and 0xf7 are signs.
fn upper_case(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | 0xdf..=0xf6 | 0xf8..=0xff => byte - 32,
        _ => byte,
    }
}

/// See [`upper_case`].
pub fn lower_case(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte + 32,
        _ => byte,
    }
}

/// Whether a byte is part of a word.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || matches!(byte, 0xc0..=0xd6 | 0xd8..=0xf6 | 0xf8..=0xff)
}

/// Whether a byte is a control character of ASCII.
pub fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Whether a byte goes on a character that an earlier byte began, in a terminal with `IUTF8`.
pub fn is_continuation(termios: &Termios, byte: u8) -> bool {
    termios.input & IUTF8 != 0 && byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(output: u32, bytes: &[u8]) -> (String, u32) {
        let termios = Termios { output, ..Termios::standard() };
        let mut cursor = Cursor::default();
        let mut out = Vec::new();
        for byte in bytes {
            cursor.put(&termios, *byte, &mut out);
        }
        (out.escape_ascii().to_string(), cursor.column)
    }

    #[test]
    fn a_newline_becomes_two_characters_only_with_opost_and_onlcr() {
        assert_eq!(written(OPOST | ONLCR, b"a\nb"), ("a\\r\\nb".to_string(), 1));
        assert_eq!(written(OPOST, b"a\nb").0, "a\\nb");
        assert_eq!(written(ONLCR, b"a\nb").0, "a\\nb");
    }

    #[test]
    fn tabs_become_spaces_up_to_the_next_multiple_of_eight() {
        assert_eq!(written(OPOST | XTABS, b"abc\tx"), ("abc     x".to_string(), 9));
        assert_eq!(written(OPOST, b"abc\tx"), ("abc\\tx".to_string(), 9));
    }

    #[test]
    fn a_carriage_return_can_be_dropped_at_column_zero_or_become_a_newline() {
        assert_eq!(written(OPOST | ONOCR, b"\rab\r").0, "ab\\r");
        assert_eq!(written(OPOST | OCRNL, b"ab\r").0, "ab\\n");
    }

    #[test]
    fn lower_case_becomes_upper_case_with_olcuc() {
        assert_eq!(written(OPOST | OLCUC, b"a1b").0, "A1B");
    }
}
