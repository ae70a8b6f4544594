//! The command.
#![forbid(unsafe_code)]

use belljar::failure::Failure;
use belljar::options::{Command, CommandLine};
use belljar::{run, syscalls, translate};
use clap::Parser;
use clap::error::ErrorKind;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::process::exit;
use system::outside::terminal;

fn main() {
    std::panic::set_hook(Box::new(|panic| {
        terminal::restore();
        eprintln!("belljar: {panic}");
        eprintln!("this is a bug in belljar {}, not in the program it ran", env!("CARGO_PKG_VERSION"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            eprintln!("{trace}");
        }
        eprintln!("help: please report it with this message, the command line, and a program that shows it");
        exit(i32::from(Failure::OWN));
    }));
    let status = match CommandLine::try_parse() {
        Ok(line) => act(line.command),
        Err(error) => {
            // Help and version are what was asked for; anything else is a wrong use.
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            _ = error.print();
            if asked { 0 } else { Failure::OWN }
        }
    };
    exit(i32::from(status));
}

fn act(command: Command) -> u8 {
    match command {
        Command::Run(options) => run::run(&options).unwrap_or_else(|failure| {
            eprintln!("{failure}");
            failure.status
        }),
        Command::Translate { paging, json, addresses } => match translate::translate(&paging, &addresses, json) {
            Ok(text) => {
                print!("{text}");
                0
            }
            Err(failure) => {
                eprintln!("{failure}");
                failure.status
            }
        },
        Command::Syscalls { markdown } => {
            print!("{}", if markdown { syscalls::markdown() } else { syscalls::plain() });
            0
        }
    }
}
