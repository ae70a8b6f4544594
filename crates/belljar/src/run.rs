//! `belljar run`: options to a run, and its end to an exit status.

use crate::failure::Failure;
use crate::kept_code::KeptCode;
use crate::options::{Execute, Leaks, RunOptions};
use crate::profile;
use crate::program::{self, Program};
use crate::size;
use lab::crash::{self, Crashes};
use lab::out_of_memory::OutOfMemory;
use lab::statistics::{Statistics, Summary};
use lab::strace::Strace;
use lab::verdict::{Findings, Hang, Occasion};
use lab::walk::Walks;
use lab::witness::Witness;
use lab::{hang, leak, report, text, tlb_report};
use machine::Processor;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use system::boot::{self, BootError, INHERITED, Setup};
use system::choice::RoundRobin;
use system::outside::signals::Signals;
use system::outside::{Host, terminal};
use system::run::{Stop, System};
use system::write_back::write_back;
use x86::X86Processor;

/// Exit status: the program hangs.
pub const HANG: u8 = 120;
/// Exit status: the program left IPC objects or processes behind, and `--leaks fail` says that it must not.
pub const LEAK: u8 = 122;
/// Exit status: the time limit passed.
pub const TIME_LIMIT: u8 = 124;

type Watchers = (Option<Strace>, (Option<Crashes>, Walks));
type Others = (Watchers, (Option<Statistics>, OutOfMemory<terminal::Messages>));
type Readers = (Witness, Others);

/// Runs what the options say, connected to this process's standard streams, and gives the exit status.
///
/// # Errors
/// If it cannot begin.
pub fn run(options: &RunOptions) -> Result<u8, Failure> {
    let setup = setup(options)?;
    let crashes_to = (options.crashes.as_os_str() != "none").then(|| writer(&options.crashes)).transpose()?;
    let crashes = crashes_to.is_some().then(Crashes::default);
    let counts = options.stats.is_some() || options.tlb.is_some();
    let walks = walks(options, &setup)?;
    let mut looks: Vec<_> = walks.instants().collect();
    looks.sort_unstable_by(|left, right| right.cmp(left));
    looks.dedup();
    let counters = (counts.then(Statistics::default), OutOfMemory::new(terminal::Messages));
    let readers = (Witness::default(), ((strace(options)?, (crashes, walks)), counters));
    let account_to = options.stats.as_deref().map(writer).transpose()?;
    let findings_to = options.report.as_deref().map(writer).transpose()?;
    let signals = Signals::listen().map_err(|error| Failure::own(&format!("cannot listen to signals: {error}")))?;
    let mut processor = processor(options)?;
    let kept = if options.no_cache { None } else { KeptCode::find(&setup.program, &mut processor) };
    let begin = Instant::now();
    let mut system = boot::boot(&setup, processor, RoundRobin::new(options.seed), Host::new(signals), readers)
        .map_err(|error| boot_failure(error, &setup))?;
    system.looks = looks;
    terminal::take();
    let stop = loop {
        match system.run() {
            Stop::Asked => {
                let state = hang::explain(&system.kernel, &system.observer.0, &mut system.outside, Occasion::Asked);
                // As with every message during the run: an error must not change it.
                _ = write!(terminal::Messages, "belljar: {}", report::hang(&state));
            }
            stop => break stop,
        }
    };
    terminal::restore();
    if let Some(strace) = &mut system.observer.1.0.0 {
        strace.flush();
    }
    if let (Some(crashes), Some(mut out)) = (&system.observer.1.0.1.0, crashes_to) {
        let report = crash::report(crashes, &system.kernel, &mut system.outside, &again(std::env::args_os()));
        out.write_all(report.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::own(&format!("cannot write about crashes: {error}")))?;
    }
    let findings = findings(&mut system, &stop, options.leaks);
    tell(&findings);
    let status = match exit_status(&stop) {
        0 if options.leaks == Leaks::Fail && findings.is_anything_left() => LEAK,
        status => status,
    };
    if let Some(mut out) = findings_to {
        out.write_all(report::json(&findings).as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::own(&format!("cannot write the report: {error}")))?;
    }
    eprint!("{}", system.observer.1.0.1.1.render());
    if let (Some(statistics), Some(model), None) = (&system.observer.1.1.0, &system.tlb_model, &account_to) {
        eprint!("{}", tlb_report::render(model, &statistics.names()));
    }
    if let (Some(statistics), Some(mut out)) = (&system.observer.1.1.0, account_to) {
        let summary = Summary {
            ending: ending(&setup, &stop),
            hash: system.journal.hash(),
            records: system.journal.records(),
            account: &system.account,
            wall: begin.elapsed(),
            seed: options.seed,
            tlb_model: system.tlb_model.as_ref(),
        };
        let account = statistics.render(&system.kernel, &summary);
        out.write_all(account.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::own(&format!("cannot write the account: {error}")))?;
    }
    for directory in &setup.writable {
        write_back(&system.kernel, directory)
            .map_err(|what| Failure::own(&format!("cannot write the changes back: {what}")))?;
    }
    if let Some(kept) = kept {
        kept.renew(&system.processor);
    }
    if options.profile {
        eprintln!("belljar: {}", profile::render(&system.processor.statistics()));
    }
    finish(system);
    Ok(status)
}

/// Why the run could not go on, and what it left behind.
fn findings<P: Processor>(system: &mut System<P, RoundRobin, Host, Readers>, stop: &Stop, leaks: Leaks) -> Findings {
    let (kernel, witness, outside) = (&system.kernel, &system.observer.0, &mut system.outside);
    let occasion = match stop {
        Stop::Hang => Occasion::Hang,
        Stop::TimeLimit => Occasion::TimeLimit,
        Stop::Ended { .. } if leaks != Leaks::Ignore => {
            let leaks = leak::find(kernel, witness, outside);
            // Whoever sleeps until some time was only cut off; who sleeps for ever was forgotten.
            let is_anybody_left = kernel.threads.iter().next().is_some() && kernel.clock.next_expiry().is_none();
            let left = is_anybody_left.then(|| hang::explain(kernel, witness, outside, Occasion::Left));
            let left = left.map(|left| Hang { again: Some(again(std::env::args_os())), ..left });
            return Findings { hang: left, leaks };
        }
        _ => return Findings::default(),
    };
    let mut found = hang::explain(kernel, witness, outside, occasion);
    found.again = Some(again(std::env::args_os()));
    Findings { hang: Some(found), leaks: Vec::new() }
}

fn tell(findings: &Findings) {
    if let Some(found) = &findings.hang {
        eprint!("belljar: {}", report::hang(found));
    }
    if !findings.leaks.is_empty() {
        eprint!("belljar: {}", report::leaks(&findings.leaks));
    }
}

/// The command line as a shell takes it: a run depends on it and on the files it names, so it shows the same again.
fn again(arguments: impl Iterator<Item = OsString>) -> String {
    let quoted = |argument: OsString| {
        let text = argument.to_string_lossy().into_owned();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
        if !text.is_empty() && text.bytes().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
    };
    let rest: Vec<String> = arguments.skip(1).map(quoted).collect();
    format!("belljar {}", rest.join(" "))
}

/// The machine goes with the process; taking it apart piece by piece would only cost time.
fn finish<P: Processor>(system: System<P, RoundRobin, Host, Readers>) {
    std::mem::forget(system);
}

fn processor(options: &RunOptions) -> Result<X86Processor, Failure> {
    let plain = x86::Options { processors: options.cpus, ..x86::Options::default() };
    let plain = x86::Options { measure: options.profile, ..plain };
    X86Processor::with_options(match options.execute {
        Execute::Traces => plain,
        Execute::Blocks => x86::Options { traces: false, follow: false, ..plain },
        Execute::Straight => x86::Options { follow: false, ..plain },
        Execute::Apart => x86::Options { groups: false, ..plain },
        Execute::Steps => x86::Options { step_only: true, ..plain },
    })
    .map_err(|error| Failure::own(&format!("the host gives no memory for translated code: {error}")))
}

/// The options, completed from the host.
///
/// # Errors
/// If they make no sense, or the program cannot be found.
pub fn setup(options: &RunOptions) -> Result<Setup, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::own(&format!("the working directory cannot be found: {error}")))?;
    let directory = match &options.cwd {
        Some(directory) => existing_directory("--cwd", &here.join(directory))?,
        None => here.clone(),
    };
    let environment = environment(&options.env, &directory)?;
    let path = environment.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let Some((name, arguments)) = options.program.split_first() else {
        return Err(Failure::own("no program is given; write for example: belljar run -- ls"));
    };
    let Program { path, arguments: mut all } = program::find(name, path, &directory)?;
    all.extend(arguments.iter().map(|argument| argument.as_bytes().to_vec()));
    let writable = options
        .write
        .iter()
        .map(|place| Ok(existing_directory("--write", &here.join(place))?.into_os_string().into_vec()))
        .collect::<Result<_, Failure>>()?;
    let mut groups: Vec<u32> =
        rustix::process::getgroups().unwrap_or_default().into_iter().map(|group| group.as_raw()).collect();
    groups.sort_unstable();
    Ok(Setup {
        program: path,
        arguments: all,
        environment: environment
            .into_iter()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .collect(),
        directory: directory.into_os_string().into_vec(),
        memory_bytes: nameable(options, "--memory", options.memory)?,
        swap_bytes: nameable(options, "--swap", options.swap)?,
        disk_bytes: options.disk,
        replacement: options.replacement.into(),
        paging: options.paging.clone(),
        tlb: options.tlb,
        cpus: options.cpus,
        host_name: options.hostname.as_bytes().to_vec(),
        start_ns: start(options.date.as_deref())?,
        time_limit_ns: options.time_limit,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        groups,
        writable,
    })
}

/// Bytes of memory or swap: no more than the scheme's entries can name.
fn nameable(options: &RunOptions, option: &str, bytes: u64) -> Result<u64, Failure> {
    let most = options.paging.most_frames() * options.paging.page_size();
    if bytes > most {
        return Err(Failure::own(&format!(
            "{option} {}: entries of --paging {} name pages of at most {}",
            text::size(bytes),
            options.paging,
            text::size(most)
        )));
    }
    Ok(bytes)
}

/// The absolute path of a directory without symbolic links.
fn existing_directory(option: &str, path: &Path) -> Result<PathBuf, Failure> {
    let path = path.canonicalize().map_err(|error| Failure::own(&format!("{option} {}: {error}", path.display())))?;
    if !path.is_dir() {
        return Err(Failure::own(&format!("{option} {}: is not a directory", path.display())));
    }
    Ok(path)
}

/// The guest's environment: a fixed set of the host's variables, the working directory, and what `--env` says.
fn environment(added: &[OsString], directory: &Path) -> Result<BTreeMap<OsString, OsString>, Failure> {
    let mut environment = BTreeMap::new();
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            environment.insert(OsString::from(name), value);
        }
    }
    environment.insert("PWD".into(), directory.into());
    for entry in added {
        let bytes = entry.as_bytes();
        match bytes.iter().position(|byte| *byte == b'=') {
            Some(0) => {
                return Err(Failure::own(&format!("--env {}: the name of the variable is empty", entry.display())));
            }
            Some(at) => {
                let (name, value) = (OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..]));
                environment.insert(name.to_os_string(), value.to_os_string());
            }
            None => match std::env::var_os(entry) {
                Some(value) => _ = environment.insert(entry.clone(), value),
                None => {
                    return Err(Failure::own(&format!(
                        "--env {0}: the host has no such variable; write --env {0}=VALUE",
                        entry.display()
                    )));
                }
            },
        }
    }
    Ok(environment)
}

/// Nanoseconds since 1970 at which the guest's clock starts.
fn start(date: Option<&str>) -> Result<u64, Failure> {
    const DAY_NS: u64 = 86_400_000_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let now = u64::try_from(now).unwrap_or(0);
    match date {
        None => Ok(now - now % DAY_NS + DAY_NS - 1_000_000_000),
        Some("now") => Ok(now),
        Some(text) => size::parse_date(text).map_err(|what| Failure::own(&format!("--date: {what}"))),
    }
}

/// The walks that `--translate` asks for.
fn walks(options: &RunOptions, setup: &Setup) -> Result<Walks, Failure> {
    let program = Path::new(OsStr::from_bytes(&setup.program));
    Ok(Walks::new(options.translate.iter().map(|look| look.question(program)).collect::<Result<_, _>>()?))
}

fn strace(options: &RunOptions) -> Result<Option<Strace>, Failure> {
    options.strace.as_deref().map(|path| writer(path).map(Strace::new)).transpose()
}

/// Where `--strace` or `--stats` write: a file, or standard error for `-`.
fn writer(path: &Path) -> Result<Box<dyn Write>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(terminal::Messages));
    }
    let file =
        File::create(path).map_err(|error| Failure::own(&format!("cannot write {}: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn boot_failure(error: BootError, setup: &Setup) -> Failure {
    let program = text::printable(&setup.program);
    match error {
        BootError::Memory(error) => Failure::own(&format!(
            "the host gives no {} of memory: {error}\nhelp: choose less with --memory",
            text::size(setup.memory_bytes)
        )),
        BootError::Execute(error) if error.errno == kernel::Errno::ENOENT => {
            Failure::not_found(&format!("{program}: {}", error.why))
        }
        BootError::Execute(error) => {
            Failure::cannot_execute(&format!("{program}: {} ({})", error.why, error.errno.name()))
        }
    }
}

/// The exit status of the command for the end of a run.
fn exit_status(stop: &Stop) -> u8 {
    match stop {
        Stop::Ended { status } if status & 0x7f == 0 => (status >> 8 & 0xff) as u8,
        Stop::Ended { status } => 128 + (status & 0x7f) as u8,
        Stop::Hang => HANG,
        Stop::TimeLimit => TIME_LIMIT,
        Stop::Asked => 0,
        Stop::Terminated(signal) => 128 + signal.number() as u8,
    }
}

fn ending(setup: &Setup, stop: &Stop) -> String {
    let program = text::printable(text::base_name(&setup.program));
    match stop {
        Stop::Ended { status } => format!("{program} {}", text::ending(*status)),
        Stop::Hang => format!("{program} hangs"),
        Stop::Asked => format!("{program} goes on"),
        Stop::TimeLimit => format!("{program} was stopped by the time limit"),
        Stop::Terminated(signal) => format!("{program} was stopped by {}", text::signal(signal.number())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_the_program_s_or_its_signal_s() {
        let ended = |status| exit_status(&Stop::Ended { status });
        assert_eq!([ended(0), ended(0x300), ended(9), ended(0x8b)], [0, 3, 137, 139]);
    }

    #[test]
    fn a_day_s_runs_start_at_the_same_time() {
        assert_eq!(start(None).unwrap() % 86_400_000_000_000, 86_399_000_000_000);
        assert_eq!(start(Some("5")).unwrap(), 5_000_000_000);
        assert!(start(Some("soon")).is_err());
    }

    #[test]
    fn the_environment_is_a_fixed_set_and_what_the_options_add() {
        let added = ["A=b=c".into(), "EMPTY=".into()];
        let environment = environment(&added, Path::new("/")).unwrap();
        assert_eq!(environment[OsStr::new("A")], "b=c");
        assert_eq!(environment[OsStr::new("EMPTY")], "");
        assert_eq!(environment[OsStr::new("PWD")], "/");
        assert!(!environment.contains_key(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(super::environment(&["=x".into()], Path::new("/")).is_err());
    }
}
