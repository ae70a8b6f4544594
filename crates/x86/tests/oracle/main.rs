//! Random instructions of every supported encoding, once on the host's processor and once here: registers, flags,
//! vectors, x87 and memory must agree, and so must faults.
//!
//! `BELLJAR_SEED` and `BELLJAR_ROUNDS` (instances of each encoding) vary the run; `BELLJAR_ONLY` restricts it to
//! encodings whose name contains the given text.
#![allow(unreachable_pub)]

#[path = "../bench/mod.rs"]
mod bench;
mod blocks;
mod compare;
mod document;
mod encodings;
mod generate;
mod hostile;
mod places;
mod random;
mod world;

use blocks::Warmth;
use compare::{Executor, Failure};
use iced_x86::Code;
use machine::Processor;
use random::Random;
use std::io::Write;
use world::World;
use x86::step::Stepper;
use x86::{Options, X86Processor};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Prints also what a successful test has to say: from the seed a run can be repeated.
fn say(text: &str) {
    let mut out = std::io::stderr();
    writeln!(out, "{text}").unwrap();
}

/// Encodings to compare.
fn compared() -> Vec<Code> {
    let only = std::env::var("BELLJAR_ONLY").unwrap_or_default();
    encodings::supported()
        .into_iter()
        .filter(|code| encodings::why_not_compared(*code).is_none())
        .filter(|code| format!("{code:?}").contains(&only))
        .collect()
}

#[test]
fn instructions_stepped_agree_with_the_host() {
    instructions_agree(Executor::Step(Box::new(Stepper::new(1).unwrap())));
}

#[test]
fn instructions_translated_agree_with_the_host() {
    instructions_agree(Executor::Translate(Box::new(X86Processor::new().unwrap())));
}

/// Compares a number of instances of each encoding.
fn instructions_agree(mut executor: Executor) {
    let (seed, rounds) = (number("BELLJAR_SEED", 1), number("BELLJAR_ROUNDS", 30));
    say(&format!("seed {seed}, {rounds} instances of each encoding"));
    let trace = std::env::var_os("BELLJAR_TRACE").is_some();
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    let mut compared_cases = 0_u64;
    let mut random = Random::new(seed);
    let mut world = World::new(&mut random);
    for code in compared() {
        // Each encoding has its own sequence, so that a failure repeats alone.
        let mut random = Random::new(seed ^ (code as u64) << 32);
        let mut failed = 0;
        let mut built = 0;
        for _ in 0..rounds {
            let Some(case) = generate::case(code, &mut random) else { continue };
            built += 1;
            if trace {
                eprint!("{}", compare::describe(&case));
            }
            match compare::single(&mut world, &mut executor, &case) {
                Ok(()) => {}
                Err(Failure::Missing) => {
                    missing.push(code);
                    break;
                }
                Err(Failure::Differs(report)) => {
                    failed += 1;
                    if failed <= 2 {
                        failures.push(report);
                    }
                }
            }
        }
        compared_cases += built;
        if built == 0 {
            failures.push(format!("{code:?}: no instance could be built"));
        }
        if failed > 0 {
            failures.push(format!("{code:?}: {failed} of {built} differ"));
        }
    }
    report_missing(&missing);
    println!("{compared_cases} instances compared");
    assert!(failures.is_empty(), "seed {seed}:\n{}", failures.join("\n"));
}

/// Compares so many blocks on a processor; each also cut into slices at random places.
fn blocks_agree(seed: u64, blocks: u64, processor: &mut impl Processor) {
    let mut stepper = Stepper::new(1).unwrap();
    let mut world = World::new(&mut Random::new(seed));
    let codes = compared();
    // What programs are made of.
    let integer: Vec<Code> = codes.iter().copied().filter(|code| encodings::is_integer(*code)).collect();
    let mut failures = Vec::new();
    let mut instructions = 0;
    for number in 0..blocks {
        let mut random = Random::new(seed ^ number << 32);
        world.fill(&mut random);
        // Few kinds of instruction often, or all of them.
        let few: Vec<Code> = (0..4).map(|_| random.pick(&codes)).collect();
        let choice = random.pick(&[&few, &codes, &integer, &integer]);
        let length = 1 + random.below(24) as usize;
        let block = blocks::generate(&mut world, &mut stepper, choice, length, &mut random);
        instructions += block.instructions;
        let slices: Vec<u64> = (0..random.below(4)).map(|_| random.below(8)).collect();
        let warmth = random.pick(&[Warmth::Once, Warmth::Cold, Warmth::Twice]);
        if let Err(report) = blocks::run(&mut world, processor, &block, &slices, warmth) {
            failures.push(format!("block {number}: {report}"));
            if failures.len() == 5 {
                break;
            }
        }
    }
    println!("{blocks} blocks of {instructions} instructions compared");
    assert!(failures.is_empty(), "seed {seed}:\n{}", failures.join("\n"));
}

#[test]
fn blocks_stepped_agree_with_the_host() {
    let (seed, rounds) = (number("BELLJAR_SEED", 1), number("BELLJAR_BLOCKS", 1000));
    say(&format!("seed {seed}, {rounds} programs"));
    blocks_agree(seed, rounds, &mut Stepper::new(1).unwrap());
}

#[test]
fn blocks_translated_agree_with_the_host() {
    let (seed, rounds) = (number("BELLJAR_SEED", 1), number("BELLJAR_BLOCKS", 1000));
    say(&format!("seed {seed}, {rounds} programs"));
    let default = Options::default();
    for options in [
        default,
        Options { groups: false, ..default },
        Options { traces: false, ..default },
        Options { block_instructions: 1, ..default },
        Options { block_instructions: 5, ..default },
    ] {
        println!("{options:?}");
        blocks_agree(seed, rounds, &mut X86Processor::with_options(options).unwrap());
    }
}

#[test]
fn random_bytes_do_the_same_stepped_and_translated() {
    let (seed, rounds) = (number("BELLJAR_SEED", 1), number("BELLJAR_BLOCKS", 1000));
    say(&format!("seed {seed}, {rounds} programs"));
    let codes: Vec<Code> = compared().into_iter().filter(|code| random_bytes_may_hold(*code)).collect();
    let mut stepper = Stepper::new(1).unwrap();
    let mut processor = X86Processor::new().unwrap();
    let mut arena = hostile::Arena::new();
    let trace = std::env::var_os("BELLJAR_TRACE").is_some();
    let mut failures = Vec::new();
    for number in 0..rounds {
        let mut random = Random::new(seed ^ number << 32 ^ 0x5555);
        arena.randomise(&codes, &mut random);
        let slices: Vec<u64> = (0..4).map(|_| random.below(20)).chain([400]).collect();
        if trace {
            eprintln!("bytes {number}, slices {slices:?}\n{}", arena.trace(&mut stepper));
        }
        if let Err(report) = arena.compare(&mut stepper, &mut processor, &slices) {
            failures.push(format!("bytes {number}: {report}"));
            if failures.len() == 3 {
                break;
            }
        }
    }
    assert!(failures.is_empty(), "seed {seed}:\n{}", failures.join("\n"));
}

/// Not what makes most programs end soon.
fn random_bytes_may_hold(code: Code) -> bool {
    use iced_x86::Mnemonic;
    !matches!(code.mnemonic(), Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Iretq)
}

/// Says which encodings the host's processor lacks. Where it counts, that is a failure.
fn report_missing(missing: &[Code]) {
    for code in missing {
        say(&format!("NOT COMPARED, the host's processor lacks it: {}", code.op_code().instruction_string()));
    }
    if std::env::var("CI").is_ok_and(|value| value == "true") {
        assert!(missing.is_empty(), "{} encodings could not be compared on this host", missing.len());
    }
}

/// `docs/instructions.md` lists all encodings; `BELLJAR_BLESS=1` writes it anew.
#[test]
fn the_list_of_instructions_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/instructions.md");
    let text = document::text();
    if std::env::var_os("BELLJAR_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == text,
        "docs/instructions.md is out of date; BELLJAR_BLESS=1 cargo test -p belljar-x86 --test oracle"
    );
}
