//! A hang as text: the first line complete in itself, then each thread with what it waits for and who alone could help,
//! then the circle, the cause, one suggestion, and the way to see it again.

use super::cause;
use super::phrases::{Voice, at, awaited, descriptor, ending, ends, full_party, full_person, object, remedy};
use crate::text::{count, duration, number, size};
use crate::verdict::{Await, Hang, Leak, LeakKind, Means, Need, Occasion, Party, State, Waker};
use std::fmt::Write;

/// Numbers from here on are shown as addresses.
const LOWEST_ADDRESS: u64 = 1 << 32;
/// Wakers told one by one.
const WAKERS_TOLD: usize = 4;

/// A hang for people.
pub fn hang(hang: &Hang) -> String {
    let mut out = String::new();
    let stuck = hang.parties.iter().filter(|party| party.is_stuck).count();
    let after = duration(hang.at_ns);
    _ = match hang.occasion {
        Occasion::Hang => writeln!(out, "hang: no thread can run again, {after} after the start"),
        Occasion::Left => writeln!(
            out,
            "left: the program has ended, and {} can never run again, {after} after the start",
            count(threads(hang), "thread")
        ),
        Occasion::TimeLimit if stuck > 0 => writeln!(
            out,
            "time limit: stopped {after} after the start; {} can never run again",
            count(stuck as u64, "thread")
        ),
        Occasion::TimeLimit => writeln!(out, "time limit: stopped {after} after the start; nobody is stuck for ever"),
        Occasion::Asked => writeln!(out, "state {after} after the start: {}", count(threads(hang), "thread")),
    };
    for party in &hang.parties {
        tell_party(&mut out, hang, party);
    }
    if hang.others > 0 {
        _ = writeln!(out, "  ... and {} more", count(hang.others as u64, "thread"));
    }
    tell_cycle(&mut out, hang);
    if let Some(told) = hang.cause.as_ref().map(|cause| cause::tell(hang, cause)) {
        _ = writeln!(out, "  cause: {}", told.sentence);
        _ = writeln!(out, "  this is a bug in the program");
        _ = writeln!(out, "  help: {}", told.help);
    } else if hang.occasion == Occasion::Hang {
        _ = writeln!(out, "  this is a bug in the program");
    }
    if let Some(again) = &hang.again {
        _ = writeln!(out, "  again: {again}");
    }
    out
}

fn threads(hang: &Hang) -> u64 {
    (hang.parties.len() + hang.others) as u64
}

fn tell_party(out: &mut String, hang: &Hang, who: &Party) {
    _ = write!(out, "  {}", full_party(who));
    if let Some(call) = call(who) {
        _ = write!(out, " in {call}");
    }
    out.push_str(&place(who));
    if let Some(done) = who.done_bytes {
        _ = write!(out, ", {} bytes done", number(done));
    }
    if let Some(since) = who.since_ns {
        _ = write!(out, ", since {}", duration(since));
    }
    out.push('\n');
    match who.state {
        State::Ready => _ = writeln!(out, "     it can run"),
        State::Stopped => _ = writeln!(out, "     it was stopped by a signal"),
        State::Asleep { until_ns: Some(until) } => {
            _ = writeln!(out, "     it goes on by itself {} after the start", duration(until));
        }
        State::Asleep { until_ns: None } => {}
    }
    if who.awaits.len() > 1 {
        _ = writeln!(out, "     it waits for any of these:");
    }
    for wait in &who.awaits {
        let indent = if who.awaits.len() > 1 { "       " } else { "     " };
        for line in tell_wait(hang, who, wait) {
            _ = writeln!(out, "{indent}{line}");
        }
    }
}

/// The call as a person made it.
fn call(party: &Party) -> Option<String> {
    let call = party.call.as_ref()?;
    match &party.library_call {
        // A futex's arguments say nothing to anybody; the function that waits does.
        Some(function) if call.starts_with("futex") => Some(format!("{function}()")),
        _ => Some(with_addresses(call)),
    }
}

/// A call with large numbers as addresses.
fn with_addresses(call: &str) -> String {
    let shown = |word: &str| match word.trim_end_matches(')').parse::<u64>() {
        Ok(value) if value >= LOWEST_ADDRESS => format!("{value:#x}{}", if word.ends_with(')') { ")" } else { "" }),
        _ => word.to_string(),
    };
    call.split(", ").map(shown).collect::<Vec<_>>().join(", ")
}

fn place(party: &Party) -> String {
    party.place.as_ref().map_or_else(String::new, |place| format!(" at {}", place.short()))
}

/// What the object is like, and then who could help.
fn tell_wait(hang: &Hang, who: &Party, wait: &Await) -> Vec<String> {
    let voice = Voice::of(hang);
    let mut lines = condition(voice, wait);
    if let Need::Signal { earlier, .. } = &wait.need {
        for deed in earlier {
            let from = deed.from.as_ref().map_or_else(String::new, |from| format!(" from {}", voice.person(from)));
            lines.push(format!("{}{from} had come already, {} after the start", deed.signal, duration(deed.at_ns)));
        }
    }
    if let Need::FifoReader { earlier } | Need::FifoWriter { earlier } = &wait.need {
        for deed in earlier {
            let who = voice.person(&deed.by);
            lines.push(format!(
                "{who} had opened it{} ({}), {} after the start, and closed it",
                at(deed.place.as_ref()),
                deed.call,
                duration(deed.at_ns)
            ));
        }
    }
    lines.extend(tell_wakers(hang, who, wait));
    lines
}

/// What the object is like, in one line or two.
fn condition(voice: Voice, wait: &Await) -> Vec<String> {
    let name = object(&wait.object);
    let line = match &wait.need {
        Need::PipeBytes | Need::SocketBytes if wait.wakers.is_empty() => format!("{name} is empty"),
        Need::PipeBytes => format!("{name} is empty, and not at its end while a write end is open"),
        Need::PipeRoom { used } => format!("{name} is full: {} bytes", number(*used as u64)),
        Need::FifoReader { .. } => format!("nobody has {name} open for reading"),
        Need::FifoWriter { .. } => format!("nobody has {name} open for writing"),
        Need::SocketBytes => format!("{name} has nothing to receive"),
        Need::SocketRoom => format!("{name} is full"),
        Need::Connection => format!("nobody connects to {name}"),
        Need::Message { wanted, present, .. } if present.is_empty() => format!("{name} is empty; it takes {wanted}"),
        Need::Message { wanted, present, last_sender, .. } => {
            let present: Vec<String> = present.iter().map(|(kind, count)| format!("{count} of type {kind}")).collect();
            let sender = last_sender.as_ref().map_or_else(String::new, |who| format!(", from {}", voice.person(who)));
            format!("it takes {wanted}, but {name} holds only {}{sender}", present.join(", "))
        }
        Need::QueueRoom { bytes, messages } => {
            format!("{name} is full: {} in {} bytes", count(*messages as u64, "message"), number(*bytes as u64))
        }
        Need::PosixMessage => format!("{name} is empty"),
        Need::PosixRoom { messages } => format!("{name} is full: {}", count(*messages as u64, "message")),
        Need::Semaphore { number, value, take: 0, .. } => {
            format!("semaphore {number} of {name} is {value}, and it waits for 0")
        }
        Need::Semaphore { number, value, take, .. } => {
            format!("semaphore {number} of {name} is {value}, and it takes {take}")
        }
        Need::Mutex { copied_from: Some(from), owner: Some(owner) } => {
            format!("{name} is locked by thread {owner}, which belongs to {}", voice.person(from))
        }
        Need::Mutex { .. } => format!("{name} is locked"),
        Need::PosixSemaphore { .. } => format!("{name} is 0"),
        Need::Condition => format!("nobody signals {name}"),
        Need::Futex { .. } => format!("nobody wakes {name}"),
        Need::ThreadEnd { tid } => format!("thread {tid} has not ended"),
        Need::Child if wait.wakers.is_empty() => "it has no such child".to_string(),
        Need::Child => "no child has ended".to_string(),
        Need::ProcessEnd | Need::Vfork => format!("{name} has not ended"),
        Need::Signal { signals, .. } if signals.is_empty() => {
            "it waits for a signal, and has a handler for none".to_string()
        }
        Need::Signal { signals, .. } => format!("{} does not come", listed(signals)),
        Need::Continue => "nobody sends it SIGCONT".to_string(),
        Need::FileLock { by, mode } => {
            let article = if mode == "exclusive" { "an" } else { "a" };
            format!("{} is locked; it wants {article} {mode} lock ({by})", wait.object.name)
        }
        Need::EventCount => format!("{name} is 0"),
        Need::EventRoom => format!("{name} has no room"),
        Need::Timer => format!("{name} is not set"),
        Need::FileEvent => format!("no file that {name} watches changes"),
        Need::TerminalInput => format!("{name} has no input"),
        Need::TerminalRoom => format!("{name} is full"),
        Need::ProcessorTime => "it sleeps until a processor time is used".to_string(),
        Need::Nothing => format!("it waits for {name}"),
    };
    let last = match &wait.need {
        Need::Semaphore { taken: Some(deed), .. } => Some((deed, "took it last", "")),
        Need::PosixSemaphore { taken: Some(deed) } => Some((deed, "took it last", "at the latest ")),
        Need::FileLock { .. } => wait.object.made.as_ref().map(|deed| (deed, "locked it", "")),
        _ => None,
    };
    let last = last.map(|(deed, what, about)| {
        let (who, place) = (voice.person(&deed.by), at(deed.place.as_ref()));
        format!("{who} {what}{place}, {about}{} after the start", duration(deed.at_ns))
    });
    [Some(line), last].into_iter().flatten().collect()
}

fn listed(signals: &[String]) -> String {
    match signals {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        other => other.join(""),
    }
}

fn tell_wakers(hang: &Hang, who: &Party, wait: &Await) -> Vec<String> {
    let remedy = remedy(&wait.need);
    match wait.wakers.as_slice() {
        [] if matches!(wait.need, Need::Child | Need::Nothing) => Vec::new(),
        [] => vec![format!("nobody is left who could {remedy}")],
        [only] => vec![tell_only(hang, who, wait, only)],
        several if several.iter().all(|waker| matches!(waker.means, Means::Use | Means::Signal)) => {
            vec![anybody(hang, several, remedy)]
        }
        several => {
            let mut lines = vec![match wait.need {
                Need::Child => "only the end of one of these can wake it:".to_string(),
                _ => format!("only these could {remedy}:"),
            }];
            for waker in several.iter().take(WAKERS_TOLD) {
                let ends = held(Voice::of(hang), wait, waker).map_or_else(String::new, |held| format!(", {held}"));
                lines.push(format!("  {}{ends}{}", name(Voice::of(hang), who, waker), held_back(hang, who, waker)));
            }
            if several.len() > WAKERS_TOLD {
                lines.push(format!("  ... and {}", count((several.len() - WAKERS_TOLD) as u64, "process")));
            }
            lines
        }
    }
}

/// Everybody could help who is alive: what keeps them all.
fn anybody(hang: &Hang, wakers: &[Waker], remedy: &str) -> String {
    let is_stuck = |tid: &i32| hang.parties.iter().any(|party| party.tid == *tid && party.is_stuck);
    let stuck = wakers.iter().filter(|waker| waker.tids.iter().all(is_stuck)).count();
    let all = count(wakers.len() as u64, "process");
    match stuck {
        0 => format!("{all} could {remedy}"),
        stuck if stuck == wakers.len() => format!("{all} could {remedy}, but all of them wait themselves"),
        stuck => format!("{all} could {remedy}, but {stuck} of them wait themselves"),
    }
}

fn tell_only(hang: &Hang, who: &Party, wait: &Await, waker: &Waker) -> String {
    let remedy = remedy(&wait.need);
    let name = name(Voice::of(hang), who, waker);
    let back = held_back(hang, who, waker);
    match &waker.means {
        Means::Descriptors { .. } => {
            let held = held(Voice::of(hang), wait, waker).unwrap_or_default();
            format!("only {name} can {remedy}: it has {held}{back}")
        }
        Means::Owner if waker.tids.is_empty() => {
            let ended = ending(&waker.who).unwrap_or_else(|| "has ended".to_string());
            format!("only its owner {name} could {remedy}, and that {}", past(&ended))
        }
        Means::Owner => format!("only its owner {name} can {remedy}{back}"),
        Means::Ending if matches!(wait.need, Need::ThreadEnd { .. }) => format!("only its end can wake this one{back}"),
        Means::Ending => format!("only the end of {name} can wake it{back}"),
        Means::Memory => format!("only {name} shares the memory and could {remedy}{back}"),
        Means::Signal | Means::Use => format!("only {name} is left and could {remedy}{back}"),
    }
}

/// `exited with 0`, `was killed by SIGKILL`.
pub(super) fn past(ending: &str) -> String {
    if ending.starts_with("killed") { format!("was {ending}") } else { ending.to_string() }
}

fn name(voice: Voice, who: &Party, waker: &Waker) -> String {
    if waker.who.pid != who.process.pid {
        return voice.person(&waker.who);
    }
    match waker.tids.as_slice() {
        [tid] if *tid != who.tid => format!("thread {tid} of the same process"),
        [_] => format!("{} itself", voice.person(&waker.who)),
        _ => format!("{} itself (any of its threads)", voice.person(&waker.who)),
    }
}

/// `the one write end (fd 4, inherited at pipe.c:12)`.
fn held(voice: Voice, wait: &Await, waker: &Waker) -> Option<String> {
    let Means::Descriptors { descriptors } = &waker.means else { return None };
    let all: Vec<String> = descriptors.iter().map(|each| descriptor(voice, each, &wait.object)).collect();
    let is_only = wait.wakers.len() == 1 && descriptors.len() == 1;
    let article = if is_only { "the only" } else { "the" };
    Some(match all.as_slice() {
        [one] => format!("{article} {} ({one})", ends(&wait.need, 1)),
        many => format!("{} {} ({})", many.len(), ends(&wait.need, many.len()), many.join("; ")),
    })
}

/// Why somebody does not help.
fn held_back(hang: &Hang, who: &Party, waker: &Waker) -> String {
    if waker.tids == [who.tid] {
        return String::new();
    }
    if waker.tids.is_empty() {
        return match ending(&waker.who) {
            Some(ended) => format!("; it {}", past(&ended)),
            None => "; it is gone".to_string(),
        };
    }
    let voice = Voice::of(hang);
    let told = |tid: &i32| hang.parties.iter().find(|party| party.tid == *tid);
    match waker.tids.iter().map(told).collect::<Option<Vec<_>>>().as_deref() {
        Some([other]) if other.state == State::Stopped => ", but it is stopped".to_string(),
        Some([other]) if other.is_stuck => match other.awaits.as_slice() {
            [wait] => format!(", but waits itself for {}", awaited(voice, wait)),
            _ => ", but waits itself".to_string(),
        },
        Some(others) if !others.is_empty() && others.iter().all(|other| other.is_stuck) => {
            ", but all its threads wait themselves".to_string()
        }
        _ => String::new(),
    }
}

fn tell_cycle(out: &mut String, hang: &Hang) {
    let voice = Voice::of(hang);
    let steps: Vec<String> = hang
        .links()
        .map(|(from, wait, _)| format!("{} waits for {}", voice.party(from), awaited(voice, wait)))
        .collect();
    for (at, step) in steps.iter().enumerate() {
        let before = if at == 0 { "cycle: " } else { "       " };
        let after = if at + 1 < steps.len() { "," } else { "" };
        _ = writeln!(out, "  {before}{step}{after}");
    }
}

/// What a run left behind, for people; empty if there is nothing.
pub fn leaks(leaks: &[Leak]) -> String {
    let mut out = String::new();
    if leaks.is_empty() {
        return out;
    }
    _ = writeln!(out, "leak: {} outlived the run", count(leaks.len() as u64, "IPC object"));
    for leak in leaks {
        let what = match (leak.kind, leak.count) {
            (LeakKind::Segment, _) => format!("shared memory segment {}, {}", leak.name, size(leak.bytes)),
            (LeakKind::Queue, messages) => {
                format!("message queue {}, {} in it", leak.name, count(messages.unwrap_or(0) as u64, "message"))
            }
            (LeakKind::SemaphoreSet, semaphores) => {
                format!("semaphore set {}, {}", leak.name, count(semaphores.unwrap_or(0) as u64, "semaphore"))
            }
            (LeakKind::PosixQueue, messages) => {
                format!("POSIX queue {}, {} in it", leak.name, count(messages.unwrap_or(0) as u64, "message"))
            }
            (LeakKind::NamedSemaphore, _) => format!("named semaphore {}", leak.name),
            (LeakKind::SharedMemory, _) => format!("shared memory object {}, {}", leak.name, size(leak.bytes)),
        };
        let made = leak
            .made
            .as_ref()
            .map_or_else(String::new, |made| format!(", made by {}{}", full_person(&made.by), at(made.place.as_ref())));
        _ = writeln!(out, "  {what}{made}");
        _ = writeln!(out, "     remove it: {}", leak.remove);
    }
    out
}
