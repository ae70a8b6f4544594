//! Names, limits and attributes of a process that proc(5) shows, and some of which it lets others set.

use super::{Subject, status};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::mm::oom;
use crate::process::Process;
use crate::table::Id;
use abi::resource::{CAP_SYS_NICE, CAP_SYS_RESOURCE, RLIM_INFINITY};
use abi::{Errno, Error};
use std::fmt::Write;

/// Most bytes of a thread's name, `TASK_COMM_LEN` without the zero.
const NAME_LENGTH: usize = 15;

/// `/proc/PID/comm`.
pub(crate) fn name(kernel: &Kernel, subject: Subject, process: Id<Process>) -> Vec<u8> {
    let mut text = status::name(kernel, subject, process);
    text.push(b'\n');
    text
}

/// Writes `/proc/PID/comm`: threads of one process may rename one another.
///
/// # Errors
/// `EINVAL` from another process.
pub(crate) fn set_name(call: &mut Call, subject: Subject, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    if call.process_id() != process {
        return Err(Errno::EINVAL.because("only threads of the same process may change the name"));
    }
    let thread = subject.thread(call.kernel).ok_or(Errno::ESRCH.because("the process has ended"))?;
    let mut name = bytes;
    if let Some(end) = name.iter().position(|byte| *byte == 0 || *byte == b'\n') {
        name = &name[..end];
    }
    call.kernel.threads[thread].name = name[..name.len().min(NAME_LENGTH)].to_vec();
    Ok(())
}

/// `/proc/PID/limits`: name, unit; in the order of resource numbers but for the first, as Linux shows them.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// `/proc/PID/limits`.
pub(crate) fn limits(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    let limits = &kernel.processes[process].limits;
    let show = |value: u64| if value == RLIM_INFINITY { "unlimited".to_string() } else { value.to_string() };
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (resource, (name, unit)) in LIMITS.iter().enumerate() {
        let limit = limits.get(resource);
        let _ = writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", show(limit.current), show(limit.maximum));
    }
    text.into_bytes()
}

/// `/proc/PID/personality`.
pub(crate) fn personality(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    format!("{:08x}\n", kernel.processes[process].attributes.personality).into_bytes()
}

/// `/proc/PID/timerslack_ns`.
pub(crate) fn timer_slack(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    format!("{}\n", kernel.processes[process].attributes.timer_slack_ns).into_bytes()
}

/// Writes `/proc/PID/timerslack_ns`; 0 is the default of 50 microseconds.
///
/// # Errors
/// `EINVAL`, `EPERM` for another's process.
pub(crate) fn set_timer_slack(call: &mut Call, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    let value = parse(bytes)?;
    if call.process_id() != process && !call.has_capability(CAP_SYS_NICE) {
        return Err(Errno::EPERM.because("only CAP_SYS_NICE may change another process's timer slack"));
    }
    let value = u64::try_from(value).map_err(|_| Errno::EINVAL.because("the slack is negative"))?;
    call.kernel.processes[process].attributes.timer_slack_ns = if value == 0 { 50_000 } else { value };
    Ok(())
}

/// `/proc/PID/oom_score`: who would be killed first.
pub(crate) fn oom_score(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    format!("{}\n", oom::score(kernel, process)).into_bytes()
}

/// `/proc/PID/oom_score_adj`.
pub(crate) fn oom_adjustment(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    format!("{}\n", kernel.processes[process].attributes.oom_score_adjustment).into_bytes()
}

/// `/proc/PID/oom_adj`: the same from -17 to 15.
pub(crate) fn oom_adjustment_old(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    let value = kernel.processes[process].attributes.oom_score_adjustment;
    let old = if value == 1000 { 15 } else { value * 17 / 1000 };
    format!("{old}\n").into_bytes()
}

/// Writes `/proc/PID/oom_score_adj`.
///
/// # Errors
/// `EINVAL` outside -1000 to 1000, `EACCES` for less than before without CAP_SYS_RESOURCE.
pub(crate) fn set_oom_adjustment(call: &mut Call, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    let value = parse(bytes)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL.because("the adjustment lies between -1000 and 1000"));
    }
    let before = i64::from(call.kernel.processes[process].attributes.oom_score_adjustment);
    if value < before && !call.has_capability(CAP_SYS_RESOURCE) {
        return Err(Errno::EACCES.because("only CAP_SYS_RESOURCE may lower the adjustment"));
    }
    call.kernel.processes[process].attributes.oom_score_adjustment = value as i32;
    Ok(())
}

/// Writes `/proc/PID/oom_adj`.
///
/// # Errors
/// As [`set_oom_adjustment`].
pub(crate) fn set_oom_adjustment_old(call: &mut Call, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    let value = parse(bytes)?;
    if !(-17..=15).contains(&value) {
        return Err(Errno::EINVAL.because("the adjustment lies between -17 and 15"));
    }
    let value = if value == 15 { 1000 } else { value * 1000 / 17 };
    set_oom_adjustment(call, process, value.to_string().as_bytes())
}

/// `/proc/PID/coredump_filter`.
pub(crate) fn core_filter(kernel: &Kernel, process: Id<Process>) -> Vec<u8> {
    format!("{:08x}\n", kernel.processes[process].attributes.core_filter).into_bytes()
}

/// Writes `/proc/PID/coredump_filter`.
///
/// # Errors
/// `EINVAL` if it is no number.
pub(crate) fn set_core_filter(call: &mut Call, process: Id<Process>, bytes: &[u8]) -> Result<(), Error> {
    let value = parse(bytes)?;
    call.kernel.processes[process].attributes.core_filter = value as u32 & 0x1ff;
    Ok(())
}

/// A number as C's `strtoll` with base 0 reads it, with space around it.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn parse(bytes: &[u8]) -> Result<i64, Error> {
    let wrong = Errno::EINVAL.because("a number was expected");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong)?.trim_matches(['\0', '\n', ' ', '\t']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(digits, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else if digits.starts_with(['+', '-']) {
        return Err(wrong);
    } else {
        digits.parse()
    };
    value.map(|value| sign * value).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_three_bases_with_space_around_them() {
        assert_eq!(parse(b"12\n").unwrap(), 12);
        assert_eq!(parse(b" -0x10 ").unwrap(), -16);
        assert_eq!(parse(b"010").unwrap(), 8);
        assert_eq!(parse(b"+7").unwrap(), 7);
        for wrong in [&b""[..], b"x", b"1 2", b"--1", b"-+1"] {
            assert_eq!(parse(wrong).unwrap_err().errno, Errno::EINVAL, "{}", wrong.escape_ascii());
        }
    }
}
