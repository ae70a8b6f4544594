//! The line discipline, alone.

use super::*;

struct Typist {
    discipline: LineDiscipline,
    screen: Vec<u8>,
    effects: Vec<Effect>,
}

fn typist(change: impl FnOnce(&mut Termios)) -> Typist {
    let mut termios = Termios::standard();
    change(&mut termios);
    Typist { discipline: LineDiscipline::new(termios), screen: Vec::new(), effects: Vec::new() }
}

impl Typist {
    fn types(&mut self, bytes: &[u8]) -> &mut Typist {
        for byte in bytes {
            assert!(self.discipline.room() > 0);
            let effect = self.discipline.receive(*byte, &mut self.screen);
            if effect != Effect::default() {
                self.effects.push(effect);
            }
        }
        self
    }

    fn reads(&mut self, limit: usize) -> Option<String> {
        let chunk = self.discipline.peek(limit)?;
        self.discipline.consume(chunk.cells);
        Some(chunk.bytes.escape_ascii().to_string())
    }

    fn screen(&mut self) -> String {
        std::mem::take(&mut self.screen).escape_ascii().to_string()
    }
}

fn standard() -> Typist {
    typist(|_| {})
}

fn raw() -> Typist {
    typist(|termios| {
        termios.local = 0;
        termios.input = 0;
    })
}

#[test]
fn a_line_is_readable_once_it_is_finished_and_one_read_gets_one_line() {
    let mut typist = standard();
    assert_eq!(typist.types(b"ab").reads(10), None);
    assert_eq!(typist.discipline.readable_bytes(), 0);
    assert_eq!(typist.types(b"c\rnext\n").reads(10).as_deref(), Some("abc\\n"));
    assert_eq!(typist.discipline.readable_bytes(), 5);
    assert_eq!(typist.reads(2).as_deref(), Some("ne"));
    assert_eq!(typist.reads(10).as_deref(), Some("xt\\n"));
    assert_eq!(typist.reads(10), None);
    assert_eq!(typist.screen(), "abc\\r\\nnext\\r\\n");
}

#[test]
fn erase_takes_a_character_off_the_line_and_off_the_screen() {
    let mut typist = standard();
    typist.types(b"ab\x7f\x7f\x7fc\n");
    assert_eq!(typist.screen(), "ab\\x08 \\x08\\x08 \\x08c\\r\\n");
    assert_eq!(typist.reads(10).as_deref(), Some("c\\n"));
}

#[test]
fn erasing_a_control_character_takes_two_columns_off_the_screen() {
    let mut typist = standard();
    typist.types(b"\x01\x7f");
    assert_eq!(typist.screen(), "^A\\x08 \\x08\\x08 \\x08");
}

#[test]
fn erasing_a_tab_moves_back_to_where_it_began() {
    let mut typist = standard();
    typist.types(b"ab\t\x7f");
    assert_eq!(typist.screen(), "ab\\t\\x08\\x08\\x08\\x08\\x08\\x08");
    typist.types(b"\tcd\t\x7f");
    assert_eq!(typist.screen(), "\\tcd\\t\\x08\\x08\\x08\\x08\\x08\\x08");
}

#[test]
fn erasing_a_tab_counts_the_prompt_before_the_line() {
    let mut typist = standard();
    let mut out = Vec::new();
    for byte in b"name: " {
        typist.discipline.write(*byte, &mut out);
    }
    typist.types(b"\t\x7f");
    assert_eq!(typist.screen(), "\\t\\x08\\x08");
}

#[test]
fn erase_takes_a_whole_utf8_character_with_iutf8_only() {
    let mut typist = typist(|termios| termios.input |= IUTF8);
    typist.types("aä\x7f\n".as_bytes());
    assert_eq!(typist.reads(10).as_deref(), Some("a\\n"));
    let mut typist = standard();
    typist.types("aä\x7f\n".as_bytes());
    assert_eq!(typist.reads(10).as_deref(), Some("a\\xc3\\n"));
}

#[test]
fn word_erase_takes_the_last_word_and_what_follows_it() {
    let mut typist = standard();
    typist.types(b"one two_2, \x17X\n");
    assert_eq!(typist.reads(20).as_deref(), Some("one X\\n"));
}

#[test]
fn kill_takes_the_line_but_not_the_lines_before() {
    let mut typist = standard();
    typist.types(b"first\nxy\x15z\n");
    assert_eq!(typist.screen(), "first\\r\\nxy\\x08 \\x08\\x08 \\x08z\\r\\n");
    assert_eq!(typist.reads(20).as_deref(), Some("first\\n"));
    assert_eq!(typist.reads(20).as_deref(), Some("z\\n"));
}

#[test]
fn kill_without_echoke_shows_the_kill_character_and_a_newline() {
    let mut typist = typist(|termios| termios.local &= !ECHOKE);
    typist.types(b"xy\x15");
    assert_eq!(typist.screen(), "xy^U\\r\\n");
}

#[test]
fn erased_characters_are_printed_between_slashes_with_echoprt() {
    let mut typist = typist(|termios| termios.local |= ECHOPRT);
    typist.types(b"abc\x7f\x7fd");
    assert_eq!(typist.screen(), "abc\\\\cb/d");
}

#[test]
fn the_next_character_is_literal_after_lnext() {
    let mut typist = standard();
    typist.types(b"\x16\x03\x16\x7f\n");
    assert_eq!(typist.effects, []);
    assert_eq!(typist.screen(), "^\\x08^C^\\x08^?\\r\\n");
    assert_eq!(typist.reads(10).as_deref(), Some("\\x03\\x7f\\n"));
}

#[test]
fn reprint_shows_the_line_again() {
    let mut typist = standard();
    typist.types(b"abc\x12");
    assert_eq!(typist.screen(), "abc^R\\r\\nabc");
}

#[test]
fn end_of_file_alone_is_a_read_of_nothing_and_behind_characters_it_ends_the_line() {
    let mut typist = standard();
    typist.types(b"\x04");
    assert_eq!(typist.discipline.readable_bytes(), 0);
    assert_eq!(typist.reads(10).as_deref(), Some(""));
    assert_eq!(typist.reads(10), None);
    typist.types(b"ab\x04");
    assert_eq!(typist.discipline.readable_bytes(), 2);
    assert_eq!(typist.reads(10).as_deref(), Some("ab"));
    assert_eq!(typist.reads(10), None);
    assert_eq!(typist.screen(), "ab");
}

#[test]
fn end_of_file_goes_with_a_line_that_just_fits_the_reader() {
    let mut typist = standard();
    typist.types(b"ab\x04");
    assert_eq!(typist.reads(2).as_deref(), Some("ab"));
    assert_eq!(typist.reads(2), None);
}

#[test]
fn interrupt_quit_and_suspend_flush_and_send_their_signals() {
    let mut typist = standard();
    typist.types(b"ab\x03\x1c\x1a\n");
    let sent: Vec<_> = typist.effects.iter().map(|effect| (effect.signal, effect.flush)).collect();
    assert_eq!(sent, [(Some(2), true), (Some(3), true), (Some(20), true)]);
    assert_eq!(typist.screen(), "ab^C^\\\\^Z\\r\\n");
    assert_eq!(typist.reads(10).as_deref(), Some("\\n"));
}

#[test]
fn a_signal_keeps_the_line_with_noflsh() {
    let mut typist = typist(|termios| termios.local |= NOFLSH);
    typist.types(b"ab\x03c\n");
    assert_eq!(typist.reads(10).as_deref(), Some("abc\\n"));
}

#[test]
fn stop_holds_output_and_start_lets_it_go_on() {
    let mut typist = standard();
    typist.types(b"\x13");
    assert!(typist.discipline.is_stopped());
    typist.types(b"x\x11");
    assert!(!typist.discipline.is_stopped());
    let changes: Vec<_> = typist.effects.iter().map(|effect| (effect.stopped, effect.started)).collect();
    assert_eq!(changes, [(true, false), (false, true)]);
    assert_eq!(typist.types(b"\n").reads(10).as_deref(), Some("x\\n"));
}

#[test]
fn any_character_restarts_output_with_ixany() {
    let mut typist = typist(|termios| termios.input |= IXANY);
    typist.types(b"\x13x");
    assert!(!typist.discipline.is_stopped());
}

#[test]
fn output_stopped_by_request_is_started_by_request_only() {
    let mut typist = standard();
    assert!(typist.discipline.stop_by_request(true));
    typist.types(b"\x11");
    assert!(typist.discipline.is_stopped());
    assert!(typist.discipline.stop_by_request(false));
    assert!(!typist.discipline.is_stopped());
}

#[test]
fn in_raw_mode_every_byte_is_data_and_nothing_is_shown() {
    let mut typist = raw();
    typist.types(b"\x03\x7f\r\n\x00\x04");
    assert_eq!(typist.screen(), "");
    assert_eq!(typist.reads(3).as_deref(), Some("\\x03\\x7f\\r"));
    assert!(typist.discipline.has_input(3));
    assert!(!typist.discipline.has_input(4));
    assert_eq!(typist.reads(9).as_deref(), Some("\\n\\x00\\x04"));
}

#[test]
fn without_icanon_a_newline_is_shown_as_a_control_character_and_a_translated_return_is_not() {
    let mut typist = typist(|termios| termios.local &= !ICANON);
    typist.types(b"\n\r");
    assert_eq!(typist.screen(), "^J\\r\\n");
}

#[test]
fn a_password_is_not_shown_but_its_newline_is_with_echonl() {
    let mut typist = typist(|termios| termios.local = termios.local & !ECHO | ECHONL);
    typist.types(b"secret\x7fT\n");
    assert_eq!(typist.screen(), "\\r\\n");
    assert_eq!(typist.reads(10).as_deref(), Some("secreT\\n"));
}

#[test]
fn returns_are_dropped_newlines_translated_and_bits_stripped_as_the_input_modes_say() {
    let mut typist = typist(|termios| termios.input = IGNCR | INLCR | ISTRIP | IUCLC);
    typist.discipline.set_termios(Termios { local: IEXTEN, ..*typist.discipline.termios() });
    typist.types(b"A\r\n\xe1");
    assert_eq!(typist.reads(10).as_deref(), Some("a\\ra"));
}

#[test]
fn a_line_that_fills_the_buffer_can_still_be_ended() {
    let mut typist = standard();
    typist.types(&[b'x'; 5000]);
    assert_eq!(typist.reads(5000), None);
    typist.types(b"\n");
    assert_eq!(typist.discipline.room(), 0);
    let chunk = typist.discipline.peek(10_000).unwrap();
    assert_eq!(chunk.bytes.len(), INPUT_CAPACITY);
    assert_eq!(&chunk.bytes[4094..], b"x\n");
    typist.discipline.consume(chunk.cells);
    assert_eq!(typist.discipline.room(), INPUT_CAPACITY - 1);
}

#[test]
fn a_raw_buffer_that_is_full_takes_no_more() {
    let mut typist = raw();
    typist.types(&[b'x'; INPUT_CAPACITY - 1]);
    assert_eq!(typist.discipline.room(), 0);
}

#[test]
fn what_was_typed_becomes_readable_when_the_mode_changes() {
    let mut typist = standard();
    typist.types(b"ab");
    let standard_modes = *typist.discipline.termios();
    typist.discipline.set_termios(Termios { local: 0, ..standard_modes });
    assert_eq!(typist.reads(1).as_deref(), Some("a"));
    typist.discipline.set_termios(standard_modes);
    assert_eq!(typist.reads(10).as_deref(), Some("b"));
}

#[test]
fn a_byte_of_all_ones_is_doubled_with_parmrk() {
    let mut typist = typist(|termios| {
        termios.local = 0;
        termios.input = PARMRK;
    });
    typist.types(b"\xff1");
    assert_eq!(typist.reads(10).as_deref(), Some("\\xff\\xff1"));
}

#[test]
fn a_second_end_of_line_character_ends_the_line_and_is_part_of_it() {
    let mut typist = typist(|termios| termios.characters[VEOL] = b';');
    typist.types(b"ab;");
    assert_eq!(typist.reads(10).as_deref(), Some("ab;"));
    assert_eq!(typist.screen(), "ab;");
}
