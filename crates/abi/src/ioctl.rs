//! Requests of ioctl(2), asm-generic/ioctls.h and linux/fs.h.

macro_rules! requests {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: u32 = $number;)*

        /// A request's name, if it is one of those known here; several devices may use one number.
        pub fn name(request: u32) -> Option<&'static str> {
            match request {
                $($number => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

requests! {
    TCGETS = 0x5401, "Reads the terminal's attributes.";
    TCSETS = 0x5402, "Sets them now.";
    TCSETSW = 0x5403, "Sets them after the output was sent.";
    TCSETSF = 0x5404, "Sets them after the output was sent; drops input.";
    TCGETA = 0x5405, "Reads them as `struct termio`.";
    TCSETA = 0x5406, "Sets them from `struct termio`.";
    TCSETAW = 0x5407, "The same after the output was sent.";
    TCSETAF = 0x5408, "The same; drops input.";
    TCSBRK = 0x5409, "Sends a break, or (argument not 0) waits until the output was sent.";
    TCXONC = 0x540A, "Stops or starts output or input.";
    TCFLSH = 0x540B, "Drops queued bytes.";
    TIOCEXCL = 0x540C, "No further open by others than root.";
    TIOCNXCL = 0x540D, "Ends exclusive mode.";
    TIOCSCTTY = 0x540E, "Makes the terminal the controlling one.";
    TIOCGPGRP = 0x540F, "Reads the foreground group.";
    TIOCSPGRP = 0x5410, "Sets the foreground group.";
    TIOCOUTQ = 0x5411, "Counts bytes of output not yet sent.";
    TIOCSTI = 0x5412, "Fakes input.";
    TIOCGWINSZ = 0x5413, "Reads the window size.";
    TIOCSWINSZ = 0x5414, "Sets the window size.";
    TIOCMGET = 0x5415, "Reads modem lines.";
    TIOCMBIS = 0x5416, "Sets modem lines.";
    TIOCMBIC = 0x5417, "Clears modem lines.";
    TIOCMSET = 0x5418, "Writes modem lines.";
    TIOCGSOFTCAR = 0x5419, "Reads CLOCAL.";
    TIOCSSOFTCAR = 0x541A, "Sets CLOCAL.";
    FIONREAD = 0x541B, "Counts bytes that can be read.";
    TIOCLINUX = 0x541C, "Requests of the Linux console.";
    TIOCCONS = 0x541D, "Redirects console output.";
    TIOCPKT = 0x5420, "Turns packet mode on or off.";
    FIONBIO = 0x5421, "Sets or clears `O_NONBLOCK`.";
    TIOCNOTTY = 0x5422, "Gives up the controlling terminal.";
    TIOCSETD = 0x5423, "Sets the line discipline.";
    TIOCGETD = 0x5424, "Reads the line discipline.";
    TCSBRKP = 0x5425, "Sends a break of a given length.";
    TIOCSBRK = 0x5427, "Begins a break.";
    TIOCCBRK = 0x5428, "Ends a break.";
    TIOCGSID = 0x5429, "Reads the session.";
    TCGETS2 = 0x802C_542A, "Reads the attributes as `struct termios2`.";
    TCSETS2 = 0x402C_542B, "Sets them from `struct termios2`.";
    TCSETSW2 = 0x402C_542C, "The same after the output was sent.";
    TCSETSF2 = 0x402C_542D, "The same; drops input.";
    TIOCGPTN = 0x8004_5430, "Reads a pseudo-terminal's number.";
    TIOCSPTLCK = 0x4004_5431, "Locks or unlocks the other end of a pseudo-terminal.";
    TIOCGDEV = 0x8004_5432, "Reads the device number.";
    TIOCSIG = 0x4004_5436, "Sends a signal to a pseudo-terminal's foreground group.";
    TIOCVHANGUP = 0x5437, "Hangs the terminal up.";
    TIOCGPKT = 0x8004_5438, "Reads packet mode.";
    TIOCGPTLCK = 0x8004_5439, "Reads the lock of a pseudo-terminal's other end.";
    TIOCGEXCL = 0x8004_5440, "Reads exclusive mode.";
    TIOCGPTPEER = 0x5441, "Opens a pseudo-terminal's other end.";
    FIONCLEX = 0x5450, "Clears the close-on-exec flag.";
    FIOCLEX = 0x5451, "Sets the close-on-exec flag.";
    FIOASYNC = 0x5452, "Sets or clears `O_ASYNC`.";
    FIOQSIZE = 0x5460, "Reads a file's size.";
    FIBMAP = 0x1, "Maps a block of a file.";
    FIGETBSZ = 0x2, "Reads the file system's block size.";
    FICLONE = 0x4004_9409, "Shares another file's blocks.";
    FICLONERANGE = 0x4020_940D, "Shares some of another file's blocks.";
    TFD_IOC_SET_TICKS = 0x4008_5400, "Says how often a timer has expired.";
    PIDFD_GET_INFO = 0xC040_FF0B, "Asks about a process by its descriptor.";
    FS_IOC_FIEMAP = 0xC020_660B, "Reads a file's extents.";
    FS_IOC_GETFLAGS = 0x8008_6601, "Reads inode flags.";
    FS_IOC_SETFLAGS = 0x4008_6602, "Sets inode flags.";
    RNDGETENTCNT = 0x8004_5200, "Reads the count of random bits, random(4).";
    RNDADDTOENTCNT = 0x4004_5201, "Changes the count of random bits.";
    RNDADDENTROPY = 0x4008_5203, "Adds random bytes and counts them.";
    RNDZAPENTCNT = 0x5204, "Sets the count of random bits to 0.";
    RNDCLEARPOOL = 0x5206, "Forgets all random bits.";
    RNDRESEEDCRNG = 0x5207, "Mixes the random bits anew.";
}
