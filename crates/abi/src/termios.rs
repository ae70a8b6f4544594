//! Terminal attributes: `struct termios` as the kernel has it, asm-generic/termbits.h and termios(3).

use crate::structure;

structure! {
    /// `struct termios` of the system call interface (`TCGETS`): 36 bytes. libc's own has room for more characters.
    pub struct Termios {
        /// Input modes, `IGNBRK`...
        pub input: u32,
        /// Output modes, `OPOST`...
        pub output: u32,
        /// Control modes: speed, size, parity.
        pub control: u32,
        /// Local modes, `ICANON`...
        pub local: u32,
        /// Line discipline; 0 is `N_TTY`.
        pub discipline: u8,
        /// Special characters by `V...` index; 0 disables one.
        pub characters: [u8; CHARACTERS],
    }
}

structure! {
    /// `struct termios2` (`TCGETS2`): the same with speeds in baud.
    pub struct Termios2 {
        /// As in [`Termios`].
        pub base: Termios,
        /// Baud.
        pub input_speed: u32,
        /// Baud.
        pub output_speed: u32,
    }
}

structure! {
    /// `struct termio` (`TCGETA`), System V's: sixteen low bits of each mode and eight characters.
    pub struct Termio {
        /// Input modes.
        pub input: u16,
        /// Output modes.
        pub output: u16,
        /// Control modes.
        pub control: u16,
        /// Local modes.
        pub local: u16,
        /// Line discipline.
        pub discipline: u8,
        /// The first eight special characters.
        pub characters: [u8; 8],
        /// Padding.
        pub _pad: u8,
    }
}

structure! {
    /// `struct winsize`, TIOCGWINSZ(2const).
    pub struct WindowSize {
        /// Characters.
        pub rows: u16,
        /// Characters.
        pub columns: u16,
        /// Pixels, unused by Linux.
        pub x_pixels: u16,
        /// Pixels, unused by Linux.
        pub y_pixels: u16,
    }
}

/// `NCCS` of the kernel's structure.
pub const CHARACTERS: usize = 19;

macro_rules! numbers {
    ($(#[$meta:meta])* $type:ty: $($name:ident = $value:expr, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: $type = $value;)*
    };
}

numbers! {
    usize:
    VINTR = 0, "Sends SIGINT.";
    VQUIT = 1, "Sends SIGQUIT.";
    VERASE = 2, "Erases a character.";
    VKILL = 3, "Erases the line.";
    VEOF = 4, "Ends the line without a character; alone, the end of the file.";
    VTIME = 5, "Timeout of a raw read, in tenths of a second.";
    VMIN = 6, "Bytes that a raw read waits for.";
    VSWTC = 7, "Not used by Linux.";
    VSTART = 8, "Lets output go on.";
    VSTOP = 9, "Holds output.";
    VSUSP = 10, "Sends SIGTSTP.";
    VEOL = 11, "Another end of a line.";
    VREPRINT = 12, "Shows the line again.";
    VDISCARD = 13, "Not used by Linux.";
    VWERASE = 14, "Erases a word.";
    VLNEXT = 15, "Takes the next character literally.";
    VEOL2 = 16, "Yet another end of a line.";
}

numbers! {
    u32:
    IGNBRK = 0x1, "Ignore a break.";
    BRKINT = 0x2, "A break is an interrupt.";
    IGNPAR = 0x4, "Ignore parity errors.";
    PARMRK = 0x8, "Mark parity errors; a byte 255 is doubled.";
    INPCK = 0x10, "Check parity.";
    ISTRIP = 0x20, "Clear the eighth bit.";
    INLCR = 0x40, "Newline becomes carriage return.";
    IGNCR = 0x80, "Ignore carriage returns.";
    ICRNL = 0x100, "Carriage return becomes newline.";
    IUCLC = 0x200, "Upper case becomes lower case.";
    IXON = 0x400, "The characters START and STOP control output.";
    IXANY = 0x800, "Any character restarts output.";
    IXOFF = 0x1000, "Send STOP and START to control input.";
    IMAXBEL = 0x2000, "Ring when the input queue is full.";
    IUTF8 = 0x4000, "Input is UTF-8: erase whole characters.";

    OPOST = 0x1, "Process output.";
    OLCUC = 0x2, "Lower case becomes upper case.";
    ONLCR = 0x4, "Newline becomes carriage return and newline.";
    OCRNL = 0x8, "Carriage return becomes newline.";
    ONOCR = 0x10, "No carriage return at column 0.";
    ONLRET = 0x20, "A newline returns the carriage.";
    TABDLY = 0x1800, "Mask of what tabs do.";
    XTABS = 0x1800, "Tabs become spaces.";

    CBAUD = 0x100f, "Mask of the speed.";
    B0 = 0, "Speed 0: hang up.";
    B38400 = 0xf, "38400 baud.";
    BOTHER = 0x1000, "The speed is in `output_speed`.";
    CSIZE = 0x30, "Mask of the character size.";
    CS8 = 0x30, "Eight bits.";
    CREAD = 0x80, "Enable the receiver.";
    PARENB = 0x100, "Parity.";
    HUPCL = 0x400, "Hang up when the last descriptor is closed.";
    CLOCAL = 0x800, "Ignore modem lines.";
    CIBAUD = 0x100f_0000, "Mask of the input speed.";

    ISIG = 0x1, "INTR, QUIT and SUSP send signals.";
    ICANON = 0x2, "Input comes in lines and can be edited.";
    ECHO = 0x8, "Show what is typed.";
    ECHOE = 0x10, "Erasing removes the character from the screen.";
    ECHOK = 0x20, "KILL shows a newline.";
    ECHONL = 0x40, "Show newlines even without ECHO.";
    NOFLSH = 0x80, "Signals do not flush the queues.";
    TOSTOP = 0x100, "Output of background jobs stops them.";
    ECHOCTL = 0x200, "Control characters are shown as ^X.";
    ECHOPRT = 0x400, "Characters are printed as they are erased.";
    ECHOKE = 0x800, "KILL erases the line on the screen.";
    FLUSHO = 0x1000, "Not used by Linux.";
    PENDIN = 0x4000, "Not used by Linux.";
    IEXTEN = 0x8000, "LNEXT, WERASE, REPRINT, EOL2, IUCLC work.";
    EXTPROC = 0x1_0000, "Input is processed elsewhere.";

    TCIFLUSH = 0, "TCFLSH: drop input.";
    TCOFLUSH = 1, "TCFLSH: drop output.";
    TCIOFLUSH = 2, "TCFLSH: drop both.";
    TCOOFF = 0, "TCXONC: hold output.";
    TCOON = 1, "TCXONC: let output go on.";
    TCIOFF = 2, "TCXONC: send STOP.";
    TCION = 3, "TCXONC: send START.";
}

numbers! {
    u8:
    TIOCPKT_DATA = 0, "Packet mode: data follow.";
    TIOCPKT_FLUSHREAD = 1, "Packet mode: the input queue was flushed.";
    TIOCPKT_FLUSHWRITE = 2, "Packet mode: the output queue was flushed.";
    TIOCPKT_STOP = 4, "Packet mode: output was stopped.";
    TIOCPKT_START = 8, "Packet mode: output was started.";
    TIOCPKT_NOSTOP = 16, "Packet mode: the start and stop characters are not ^S and ^Q.";
    TIOCPKT_DOSTOP = 32, "Packet mode: the start and stop characters are ^S and ^Q.";
    TIOCPKT_IOCTL = 64, "Packet mode: attributes changed under EXTPROC.";
}

impl Termios {
    /// A fresh terminal, `tty_std_termios` with the control modes of a pseudo-terminal (drivers/tty/pty.c).
    pub fn standard() -> Termios {
        let mut characters = [0; CHARACTERS];
        for (index, character) in [
            (VINTR, 0x03),
            (VQUIT, 0x1c),
            (VERASE, 0x7f),
            (VKILL, 0x15),
            (VEOF, 0x04),
            (VMIN, 1),
            (VSTART, 0x11),
            (VSTOP, 0x13),
            (VSUSP, 0x1a),
            (VREPRINT, 0x12),
            (VDISCARD, 0x0f),
            (VWERASE, 0x17),
            (VLNEXT, 0x16),
        ] {
            characters[index] = character;
        }
        Termios {
            input: ICRNL | IXON,
            output: OPOST | ONLCR,
            control: B38400 | CS8 | CREAD,
            local: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            discipline: 0,
            characters,
        }
    }
}

/// Baud for the speed bits of `control`; `None` for `BOTHER`, termios(3).
pub fn baud_of(control: u32) -> Option<u32> {
    const SPEEDS: [u32; 16] = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
    const FAST: [u32; 16] = [
        0, 57600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000,
        2_500_000, 3_000_000, 3_500_000, 4_000_000,
    ];
    let bits = control & CBAUD;
    if bits == BOTHER {
        return None;
    }
    let table = if bits & BOTHER == 0 { SPEEDS } else { FAST };
    Some(table[(bits & 0xf) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wire;

    #[test]
    fn the_structures_have_the_sizes_that_the_ioctl_numbers_say() {
        assert_eq!(Termios::SIZE, 36);
        assert_eq!(Termios2::SIZE, 0x2c);
        assert_eq!(Termio::SIZE, 18);
        assert_eq!(WindowSize::SIZE, 8);
    }

    #[test]
    fn speeds_are_read_from_both_halves_of_the_table() {
        assert_eq!(baud_of(B38400), Some(38400));
        assert_eq!(baud_of(0x1002), Some(115_200));
        assert_eq!(baud_of(BOTHER), None);
    }
}
