//! The document that lists the supported encodings.

use super::encodings;
use std::fmt::Write;
use x86::assist::classify::{self, Handler};

const HEAD: &str = "\
# Instructions

belljar's processor is x86-64-v3 (SSE4.2, AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE, POPCNT, XSAVE) with XSAVEC,
XSAVEOPT, FSGSBASE, RDTSCP and PREFETCHW, whatever the host is, and `cpuid` says exactly that. Every other instruction
raises #UD (SIGILL), also if the host has it, and the report names it.

This list is generated: `BELLJAR_BLESS=1 cargo test -p belljar-x86 --test oracle` writes it, the plain test checks that
it is current. *Host* means that the instruction runs on the host's processor with its memory operand behind the guest's
page table; *belljar* that it is written in Rust for an instruction alone (the translator may do better). *Compared*
means that random instances are executed natively and here and all registers, flags, vectors, x87 state, memory and
faults compared (`crates/x86/tests/oracle`).

Known differences from one processor or another, all in what the manuals leave open:

- The last instruction, data and opcode fields of the x87 state are always zero.
- A store that faults in its second page (`maskmovdqu`, `enter`) has stored nothing in the first.
- `call` to a non-canonical address faults at the call, but the return address may have been stored.
- After a page fault, and where a thread is preempted, an arithmetic flag that the following instructions overwrite before
  anything reads it may hold another value.
- A gather that faults leaves the mask of elements that are not done as it was.

";

fn who(handler: Handler) -> &'static str {
    match handler {
        Handler::Generic => "host",
        Handler::Nothing => "nothing to do",
        _ => "belljar",
    }
}

/// The whole document.
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    let supported = encodings::supported();
    let compared = supported.iter().filter(|code| encodings::why_not_compared(**code).is_none()).count();
    writeln!(text, "{} encodings, {compared} of them compared.\n", supported.len()).unwrap();
    text.push_str("| instruction | encoding | executed by | compared |\n| --- | --- | --- | --- |\n");
    for code in supported {
        let info = code.op_code();
        let mut instruction = iced_x86::Instruction::default();
        instruction.set_code(code);
        let compared = encodings::why_not_compared(code).map_or("yes".to_owned(), |why| format!("no: {why}"));
        let (name, encoding) = (info.instruction_string(), info.op_code_string());
        writeln!(text, "| {name} | {encoding} | {} | {compared} |", who(classify::handler(&instruction))).unwrap();
    }
    text
}
