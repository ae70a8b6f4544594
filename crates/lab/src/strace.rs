//! Every system call, as strace(1) shows them, with the reason for each failure:
//!
//! ```text
//! [3] openat(AT_FDCWD, "missing", 0, 0) = -1 ENOENT (no entry of that name)
//! [3] wait4(-1, 0x7ffd10, 0, NULL <unfinished ...>
//! [4] +++ exited with 0 +++
//! [3] <... wait4 resumed> = 4
//! ```

use crate::text;
use kernel::Kernel;
use kernel::event::{Event, Record};
use kernel::process::Thread;
use kernel::syscalls::argument::Peek;
use kernel::syscalls::table;
use kernel::table::Id;
use machine::Gpr;
use std::collections::BTreeMap;
use std::io::Write;
use system::observer::Observer;

/// Bytes of a buffer shown.
const SHOWN: usize = 40;

/// Writes a line for every call, signal and end.
pub struct Strace {
    out: Box<dyn Write>,
    /// Calls that began and did not end, by thread number.
    open: BTreeMap<i32, OpenCall>,
}

struct OpenCall {
    number: u64,
    arguments: [u64; 6],
    thread: Id<Thread>,
    text: String,
    /// The line was begun and left `<unfinished ...>`.
    unfinished: bool,
}

impl Strace {
    /// A writer of lines to `out`. Errors of `out` are ignored: they must not change the run.
    pub fn new(out: Box<dyn Write>) -> Strace {
        Strace { out, open: BTreeMap::new() }
    }

    /// Hands on what is still kept back. To be called when the run is over.
    pub fn flush(&mut self) {
        // As with every line: an error must not change the run.
        _ = self.out.flush();
    }

    fn line(&mut self, tid: i32, text: &str) {
        _ = writeln!(self.out, "[{tid}] {text}");
    }

    /// Calls of other threads that are still open cannot be told in one line any more.
    fn interrupt_open(&mut self, except: i32) {
        let mut lines = Vec::new();
        for (tid, call) in &mut self.open {
            if *tid != except && !call.unfinished {
                call.unfinished = true;
                lines.push((*tid, format!("{} <unfinished ...>", call.text.trim_end_matches(')'))));
            }
        }
        for (tid, text) in lines {
            self.line(tid, &text);
        }
    }

    fn left(&mut self, kernel: &Kernel, tid: i32, result: &Result<u64, kernel::Error>) {
        self.interrupt_open(tid);
        let Some(call) = self.open.remove(&tid) else { return };
        let answer = match result {
            Ok(value) => answer(call.number, *value),
            Err(error) => format!("-1 {} ({})", error.errno.name(), error.why),
        };
        let text = match (call.unfinished, result) {
            (true, _) => format!("<... {} resumed>", text::call_name(call.number)),
            (false, Ok(value)) => filled(kernel, &call, *value),
            (false, Err(_)) => call.text,
        };
        self.line(tid, &format!("{text} = {answer}"));
    }
}

impl Observer for Strace {
    fn before_call(&mut self, kernel: &Kernel, id: Id<Thread>) {
        let thread = &kernel.threads[id];
        let number = thread.registers.get(Gpr::Rax);
        let arguments =
            [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::R10, Gpr::R8, Gpr::R9].map(|register| thread.registers.get(register));
        let peek = Peek { kernel, thread: id };
        let mut text = table::show(number, arguments, peek);
        if matches!(text::call_name(number).as_str(), "write" | "pwrite64") {
            text = with_bytes(&text, peek, arguments[1], arguments[2]);
        }
        self.open.insert(thread.tid, OpenCall { number, arguments, thread: id, text, unfinished: false });
    }

    fn record(&mut self, kernel: &Kernel, record: &Record) {
        let tid = record.tid;
        match &record.event {
            Event::SyscallLeft { result, .. } => self.left(kernel, tid, result),
            Event::Blocked(_) => self.interrupt_open(i32::MIN),
            Event::SignalDelivered { signal } => {
                self.interrupt_open(i32::MIN);
                self.line(tid, &format!("--- {} ---", text::signal(*signal)));
            }
            Event::UnsupportedInstruction { address, bytes, text } => {
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                self.line(tid, &format!("!!! unsupported instruction at {address:#x}: {text} ({})", bytes.join(" ")));
            }
            Event::ThreadEnded { tid: ended } => {
                if let Some(call) = self.open.remove(ended)
                    && !call.unfinished
                {
                    self.line(*ended, &format!("{} = ?", call.text));
                }
            }
            Event::ProcessEnded { pid, status, .. } => {
                if let Some(call) = self.open.remove(pid)
                    && !call.unfinished
                {
                    self.line(*pid, &format!("{} = ?", call.text));
                }
                self.line(*pid, &format!("+++ {} +++", text::ending(*status)));
            }
            _ => {}
        }
    }
}

/// A result as strace(1) shows it: addresses in hexadecimal.
fn answer(number: u64, value: u64) -> String {
    match text::call_name(number).as_str() {
        "mmap" | "mremap" | "brk" | "shmat" => format!("{value:#x}"),
        _ => (value as i64).to_string(),
    }
}

/// The call with the bytes that it brought, if it is one that reads.
fn filled(kernel: &Kernel, call: &OpenCall, value: u64) -> String {
    if matches!(text::call_name(call.number).as_str(), "read" | "pread64" | "getrandom") {
        let (buffer, peek) = (call.arguments, Peek { kernel, thread: call.thread });
        let address = if call.number == 318 { buffer[0] } else { buffer[1] };
        return with_bytes(&call.text, peek, address, value);
    }
    call.text.clone()
}

/// `text` with the address of a buffer replaced by the bytes that are there.
fn with_bytes(text: &str, peek: Peek<'_>, address: u64, length: u64) -> String {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let bytes = peek.bytes(address, length.min(SHOWN));
    if bytes.len() < length.min(SHOWN) {
        return text.to_string();
    }
    let more = if length > SHOWN { "..." } else { "" };
    text.replacen(&format!("{address:#x}"), &format!("\"{}\"{more}", text::printable(&bytes)), 1)
}
