//! Runs a static program on the processor alone and tells what it took: `guest [OPTION...] PROGRAM [ARG...]`.

#[path = "../tests/linux/mod.rs"]
mod linux;

use std::time::Instant;
use x86::{Options, X86Processor};

fn main() {
    let mut options = Options::default();
    let mut list_all = false;
    let (mut slice, mut listings) = (100_000, Vec::new());
    let mut arguments = std::env::args().skip(1).peekable();
    while let Some(option) = arguments.next_if(|argument| argument.starts_with("--")) {
        match option.as_str() {
            "--step" => options.step_only = true,
            "--no-traces" => options.traces = false,
            "--no-follow" => options.follow = false,
            "--block" => options.block_instructions = arguments.next().unwrap().parse().unwrap(),
            "--slice" => slice = arguments.next().unwrap().parse().unwrap(),
            "--list" => listings.push(u64::from_str_radix(&arguments.next().unwrap(), 16).unwrap()),
            "--list-all" => list_all = true,
            other => panic!("unknown option {other}"),
        }
    }
    let arguments: Vec<String> = arguments.collect();
    let elf = std::fs::read(&arguments[0]).unwrap();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut guest = linux::Guest::load(&elf, &texts);
    guest.slice = slice;
    let mut processor = X86Processor::with_options(options).unwrap();
    let start = Instant::now();
    let end = guest.run(&mut processor);
    let wall = start.elapsed();
    print!("{}", String::from_utf8_lossy(&guest.output));
    eprintln!("{end:x?} rip={:x}", guest.registers.rip);
    eprintln!(
        "{:.3} s, {} instructions, {} accesses, {} misses",
        wall.as_secs_f64(),
        guest.instructions,
        guest.tlb.accesses,
        guest.tlb.misses
    );
    eprintln!("{:?}", processor.statistics());
    if list_all {
        listings = processor.block_addresses();
    }
    for address in listings {
        eprintln!("{}", processor.listing(address));
    }
}
