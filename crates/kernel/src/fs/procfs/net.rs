//! `/proc/net`: a machine without network devices and open sockets, proc_pid_net(5). Only headings.

use super::process::ProcessFile;
use crate::kernel::Kernel;

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
pub(crate) fn read(_kernel: &Kernel, file: ProcessFile) -> Vec<u8> {
    match file {
        ProcessFile::NetDev => DEVICES.to_string(),
        ProcessFile::NetRoute => {
            format!("{:<127}\n", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
        }
        ProcessFile::NetTcp => format!("{SOCKETS:<149}\n"),
        ProcessFile::NetUdp | ProcessFile::NetRaw => format!("{:<127}\n", format!(" {SOCKETS} ref pointer drops")),
        ProcessFile::NetTcp6 => format!("{SOCKETS_6}\n"),
        ProcessFile::NetUdp6 => format!("{SOCKETS_6} ref pointer drops\n"),
        ProcessFile::NetUnix => "Num       RefCount Protocol Flags    Type St Inode Path\n".to_string(),
        // A file of addresses has no heading.
        _ => String::new(),
    }
    .into_bytes()
}
