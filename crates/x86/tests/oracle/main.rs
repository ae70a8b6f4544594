//! Random instructions of every supported encoding, once on the host's processor and once here: registers, flags,
//! vectors, x87 and memory must agree, and so must faults.
//!
//! `BELLJAR_SEED` and `BELLJAR_ROUNDS` (instances of each encoding) vary the run; `BELLJAR_ONLY` restricts it to
//! encodings whose name contains the given text.
#![allow(unreachable_pub)]

#[path = "../bench/mod.rs"]
mod bench;
mod compare;
mod document;
mod encodings;
mod generate;
mod random;
mod world;

use compare::Failure;
use iced_x86::Code;
use random::Random;
use world::World;
use x86::step::Stepper;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
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
fn single_instructions_agree_with_the_host() {
    let (seed, rounds) = (number("BELLJAR_SEED", 1), number("BELLJAR_ROUNDS", 30));
    println!("seed {seed}, {rounds} instances of each encoding");
    let mut stepper = Stepper::new(1).unwrap();
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
            match compare::single(&mut world, &mut stepper, &case) {
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

/// Says which encodings the host's processor lacks. Where it counts, that is a failure.
fn report_missing(missing: &[Code]) {
    for code in missing {
        eprintln!("NOT COMPARED, the host's processor lacks it: {}", code.op_code().instruction_string());
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
