//! Devices without state, major number 1: null(4), zero, full(4), random(4).

use crate::entry::Call;
use crate::fs::Transfer;
use crate::fs::poll::Readiness;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserBuffer, UserSlice};
use abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::stat::make_device;
use abi::{Errno, Error};

/// A device without state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Takes everything, gives nothing.
    Null,
    /// Takes everything, gives zeroes.
    Zero,
    /// Takes nothing, gives zeroes.
    Full,
    /// Random bytes, as many as asked for. Differs from `/dev/urandom` by its number only, random(7).
    Random,
    /// Random bytes.
    Urandom,
}

/// Bytes made at a time.
const CHUNK: usize = 65536;

/// All of them: minor number and name in `/dev`.
pub(super) const DEVICES: [(Device, u32, &str); 5] = [
    (Device::Null, 3, "null"),
    (Device::Zero, 5, "zero"),
    (Device::Full, 7, "full"),
    (Device::Random, 8, "random"),
    (Device::Urandom, 9, "urandom"),
];

/// `MEM_MAJOR`.
pub(super) const MAJOR: u32 = 1;

impl Device {
    /// The device with these numbers.
    pub fn of_number(major: u32, minor: u32) -> Option<Device> {
        let found = DEVICES.iter().find(|(_, own, _)| (major, minor) == (MAJOR, *own));
        found.map(|(device, _, _)| *device)
    }

    /// Whether it gives random bytes.
    pub fn is_random(self) -> bool {
        matches!(self, Device::Random | Device::Urandom)
    }

    /// Its device number, `st_rdev`.
    pub fn number(self) -> u64 {
        make_device(MAJOR, self.row().1)
    }

    /// Its name in `/dev`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Device, u32, &'static str) {
        DEVICES.iter().find(|(device, _, _)| *device == self).expect("all devices are listed")
    }
}

/// read(2). `to` is advanced.
///
/// # Errors
/// `EFAULT` if the first byte cannot be stored.
pub fn read(call: &mut Call, device: Device, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if device == Device::Null {
        return Ok(Transfer::Done(0));
    }
    let mut bytes = vec![0; (CHUNK as u64).min(to.remaining()) as usize];
    let mut done = 0;
    while to.remaining() > 0 {
        let length = bytes.len().min(usize::try_from(to.remaining()).unwrap_or(CHUNK));
        if matches!(device, Device::Random | Device::Urandom) {
            call.chooser.random(&mut bytes[..length]);
        }
        match call.scatter(to, &bytes[..length]) {
            Ok(()) => to.advance(length as u64),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        done += length;
    }
    Ok(Transfer::Done(done))
}

/// Bytes for the kernel's own use: splice(2).
pub(in crate::fs) fn read_bytes(call: &mut Call, device: Device, limit: usize) -> Vec<u8> {
    let mut bytes = vec![0; if device == Device::Null { 0 } else { limit.min(CHUNK) }];
    if matches!(device, Device::Random | Device::Urandom) {
        call.chooser.random(&mut bytes);
    }
    bytes
}

/// getrandom(2). Never waits and never runs short: the bytes are the seed's.
///
/// # Errors
/// `EINVAL` for flags that do not exist or exclude each other; `EFAULT` if the first byte cannot be stored.
pub fn getrandom(call: &mut Call, buffer: UserSlice, flags: u32) -> SysResult {
    const GRND_NONBLOCK: u32 = 1;
    const GRND_RANDOM: u32 = 2;
    const GRND_INSECURE: u32 = 4;
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0 {
        return Err(Errno::EINVAL.because("`flags` has an unknown bit"));
    }
    if flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE {
        return Err(Errno::EINVAL.because("`GRND_RANDOM` and `GRND_INSECURE` exclude each other"));
    }
    // Linux's drivers/char/random.c moves INT_MAX bytes at most.
    let mut to = UserBuffer::from(buffer.part(0, i32::MAX as u64));
    match read(call, Device::Random, &mut to)? {
        Transfer::Done(count) => Ok(Flow::Done(count as u64)),
        Transfer::WouldBlock(_) => unreachable!("random bytes are always there"),
    }
}

/// write(2). `from` is advanced. What is written to random devices changes nothing: their bytes are the seed's.
///
/// # Errors
/// `ENOSPC` from `/dev/full`.
pub fn write(device: Device, from: &mut UserBuffer) -> Result<Transfer, Error> {
    let count = take(device, from.remaining())?;
    from.advance(count);
    Ok(Transfer::Done(count as usize))
}

/// Takes bytes of the kernel's own: sendfile(2), splice(2).
///
/// # Errors
/// As [`write`].
pub(in crate::fs) fn write_bytes(device: Device, bytes: &[u8]) -> Result<usize, Error> {
    take(device, bytes.len() as u64).map(|count| count as usize)
}

fn take(device: Device, count: u64) -> Result<u64, Error> {
    if device == Device::Full {
        return Err(Errno::ENOSPC.because("`/dev/full` is always full"));
    }
    Ok(count)
}

/// Always ready.
pub fn poll() -> Readiness {
    Readiness::always(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)
}
