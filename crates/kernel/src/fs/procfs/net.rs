//! `/proc/net`, proc_pid_net(5): Unix sockets. There are no network devices and no sockets of other families: of those,
//! only headings.

use super::process::ProcessFile;
use crate::fs::stat::socket_number;
use crate::kernel::Kernel;
use crate::socket::{Family, Kind, State};
use std::io::Write;

const DEVICES: &str = concat!(
    "Inter-|   Receive                                                |  Transmit\n",
    " face |bytes    packets errs drop fifo frame compressed multicast",
    "|bytes    packets errs drop fifo colls carrier compressed\n"
);
const SOCKETS: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const SOCKETS_6: &str = concat!(
    "  sl  local_address                         remote_address                        st tx_queue rx_queue tr ",
    "tm->when retrnsmt   uid  timeout inode"
);

/// The text.
pub(crate) fn read(kernel: &Kernel, file: ProcessFile) -> Vec<u8> {
    match file {
        ProcessFile::NetDev => DEVICES.to_string(),
        ProcessFile::NetRoute => {
            format!("{:<127}\n", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
        }
        ProcessFile::NetTcp => format!("{SOCKETS:<149}\n"),
        ProcessFile::NetUdp | ProcessFile::NetRaw => format!("{:<127}\n", format!(" {SOCKETS} ref pointer drops")),
        ProcessFile::NetTcp6 => format!("{SOCKETS_6}\n"),
        ProcessFile::NetUdp6 => format!("{SOCKETS_6} ref pointer drops\n"),
        ProcessFile::NetUnix => return unix(kernel),
        // A file of addresses has no heading.
        _ => String::new(),
    }
    .into_bytes()
}

/// `/proc/net/unix`: unix_seq_show() of Linux's net/unix/af_unix.c. Addresses of kernel objects are replaced by numbers.
fn unix(kernel: &Kernel) -> Vec<u8> {
    /// `__SO_ACCEPTCON`: it listens.
    const ACCEPTS: u32 = 0x1_0000;
    /// States of linux/net.h: `SS_UNCONNECTED`, `SS_CONNECTED`.
    const UNCONNECTED: u32 = 1;
    const CONNECTED: u32 = 3;
    let mut text = b"Num       RefCount Protocol Flags    Type St Inode Path\n".to_vec();
    for (id, socket) in kernel.sockets.iter().filter(|(_, socket)| socket.family == Family::Unix) {
        let kind = match socket.kind {
            Kind::Stream => abi::socket::SOCK_STREAM,
            Kind::Datagram => abi::socket::SOCK_DGRAM,
            Kind::SequencedPacket => abi::socket::SOCK_SEQPACKET,
        };
        let (flags, state) = match socket.state {
            State::Listening { .. } => (ACCEPTS, UNCONNECTED),
            State::Connected => (0, CONNECTED),
            State::Idle => (0, UNCONNECTED),
        };
        let references = 2 + u32::from(socket.peer.is_some());
        let (number, inode) = (id.index() + 1, socket_number(id));
        let _ = write!(text, "{number:016x}: {references:08X} {:08X} {flags:08X} {kind:04X} {state:02X} {inode:5}", 0);
        if let Some(name) = &socket.name {
            text.push(b' ');
            match name.as_abstract() {
                Some(name) => {
                    text.push(b'@');
                    text.extend(name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }));
                }
                None => text.extend(name.bytes[2..].iter().take_while(|byte| **byte != 0)),
            }
        }
        text.push(b'\n');
    }
    text
}
