//! The words that texts are made of: who, where, when, what.

use crate::source::Location;
use crate::text;
use crate::verdict::{Await, Deed, Descriptor, Hang, Need, Object, Party, Person};

/// How a text names processes: with their programs, unless all run the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    is_brief: bool,
}

impl Voice {
    /// The voice for a hang.
    pub(super) fn of(hang: &Hang) -> Voice {
        let mut names = hang.parties.iter().map(|party| &party.process.name);
        let first = names.next();
        Voice { is_brief: names.all(|name| Some(name) == first) }
    }

    /// `process 3`, or `process 3 (cat)`.
    pub(super) fn person(self, person: &Person) -> String {
        if self.is_brief && person.pid != 0 { format!("process {}", person.pid) } else { full_person(person) }
    }

    /// The same, or `thread 5 of process 3`.
    pub(super) fn party(self, party: &Party) -> String {
        of_thread(party, self.person(&party.process))
    }
}

/// `process 3 (cat)`.
pub(super) fn full_person(person: &Person) -> String {
    if person.pid == 0 { person.name.clone() } else { format!("process {} ({})", person.pid, person.name) }
}

/// `process 3 (cat)`, or `thread 5 of process 3 (cat)`.
pub(super) fn full_party(party: &Party) -> String {
    of_thread(party, full_person(&party.process))
}

fn of_thread(party: &Party, process: String) -> String {
    if party.is_one_of_several { format!("thread {} of {process}", party.tid) } else { process }
}

/// How a process ended: `exited with 1`.
pub(super) fn ending(person: &Person) -> Option<String> {
    person.ending.map(|ending| text::ending(ending.status))
}

/// ` at pipe.c:23`, or nothing if a person could not find it.
pub(super) fn at(place: Option<&Location>) -> String {
    match place {
        Some(place) if place.line.is_some() || place.function.is_some() => format!(" at {}", place.short()),
        _ => String::new(),
    }
}

/// `pipe 3 (made at pipe.c:12)`.
pub(super) fn object(object: &Object) -> String {
    match object.made.as_ref().map(|made| at(made.place.as_ref())) {
        Some(place) if !place.is_empty() => format!("{} (made{place})", object.name),
        _ => object.name.clone(),
    }
}

/// `fd 4, from the fork at pipe.c:12`.
pub(super) fn descriptor(voice: Voice, descriptor: &Descriptor, of: &Object) -> String {
    let mut parts = vec![format!("fd {}", descriptor.fd)];
    let is_known =
        |deed: &Deed| deed.place.as_ref().is_some_and(|place| place.line.is_some() || place.function.is_some());
    if let Some(deed) = descriptor.duplicated.as_ref().filter(|deed| is_known(deed)) {
        parts.push(format!("made by {}{}", deed.call, at(deed.place.as_ref())));
    } else if let Some(deed) = descriptor.opened.as_ref().filter(|deed| is_known(deed))
        && of.made.as_ref().is_none_or(|made| made.place != deed.place)
    {
        parts.push(format!("opened{}", at(deed.place.as_ref())));
    }
    if let Some(deed) = &descriptor.inherited {
        let from = if deed.by.pid == 0 { String::new() } else { format!(" from {}", voice.person(&deed.by)) };
        parts.push(format!("inherited{from}{}", at(deed.place.as_ref())));
    }
    parts.join(", ")
}

/// What a thread waits for: `room in pipe 3`.
pub(super) fn awaited(voice: Voice, wait: &Await) -> String {
    let name = &wait.object.name;
    match &wait.need {
        Need::PipeBytes | Need::SocketBytes => format!("bytes from {name}"),
        Need::PipeRoom { .. } | Need::SocketRoom | Need::QueueRoom { .. } | Need::PosixRoom { .. } => {
            format!("room in {name}")
        }
        Need::FifoReader { .. } => format!("somebody to open {name} for reading"),
        Need::FifoWriter { .. } => format!("somebody to open {name} for writing"),
        Need::Connection => format!("a connection to {name}"),
        Need::Message { wanted, .. } => format!("{wanted} in {name}"),
        Need::PosixMessage => format!("a message in {name}"),
        Need::Semaphore { number, take: 0, .. } => format!("semaphore {number} of {name} to become 0"),
        Need::Semaphore { number, .. } => format!("semaphore {number} of {name}"),
        Need::Mutex { .. } | Need::PosixSemaphore { .. } | Need::Condition | Need::Futex { .. } => name.clone(),
        Need::ThreadEnd { tid } => format!("the end of thread {tid}"),
        Need::Child => match wait.wakers.as_slice() {
            [only] => format!("{} to end", voice.person(&only.who)),
            _ => "a child to end".to_string(),
        },
        Need::ProcessEnd => format!("{name} to end"),
        Need::Vfork => format!("{name} to run a program or end"),
        Need::Signal { signals, .. } => match signals.as_slice() {
            [] => "a signal".to_string(),
            signals => signals.join(" or "),
        },
        Need::Continue => "SIGCONT".to_string(),
        Need::FileLock { .. } => format!("the lock on {name}"),
        Need::EventCount => format!("a count in {name}"),
        Need::EventRoom => format!("room in {name}"),
        Need::Timer => format!("{name}, which is not set"),
        Need::FileEvent => format!("a change of a file that {name} watches"),
        Need::TerminalInput => format!("input from {name}"),
        Need::TerminalRoom => format!("room in {name}"),
        Need::ProcessorTime => "processor time to pass".to_string(),
        Need::Nothing => name.clone(),
    }
}

/// What somebody would have to do: `make room`.
pub(super) fn remedy(need: &Need) -> &'static str {
    match need {
        Need::PipeBytes => "write to it or end it",
        Need::PipeRoom { .. } => "make room",
        Need::FifoReader { .. } => "open it for reading",
        Need::FifoWriter { .. } => "open it for writing",
        Need::SocketBytes => "send or close",
        Need::SocketRoom | Need::QueueRoom { .. } | Need::PosixRoom { .. } => "receive",
        Need::Connection => "connect",
        Need::Message { .. } | Need::PosixMessage => "send",
        Need::Semaphore { .. } => "give it",
        Need::Mutex { .. } => "unlock it",
        Need::PosixSemaphore { .. } => "post it",
        Need::Condition => "signal it",
        Need::Futex { .. } => "wake it",
        Need::ThreadEnd { .. } | Need::Child | Need::ProcessEnd => "end",
        Need::Vfork => "run a program or end",
        Need::Signal { .. } => "send one",
        Need::Continue => "continue it",
        Need::FileLock { .. } => "unlock it",
        Need::EventCount => "add to it",
        Need::EventRoom => "read it",
        Need::Timer => "set it",
        Need::FileEvent => "change one",
        Need::TerminalInput => "write to it",
        Need::TerminalRoom => "read from it",
        Need::ProcessorTime => "use some",
        Need::Nothing => "help",
    }
}

/// What descriptors on the other side are called.
pub(super) fn ends(need: &Need, count: usize) -> &'static str {
    match (need, count) {
        (Need::PipeBytes, 1) => "write end",
        (Need::PipeBytes, _) => "write ends",
        (Need::PipeRoom { .. }, 1) => "read end",
        (Need::PipeRoom { .. }, _) => "read ends",
        (Need::SocketBytes | Need::SocketRoom, 1) => "other end",
        (Need::SocketBytes | Need::SocketRoom, _) => "other ends",
        (_, 1) => "descriptor",
        _ => "descriptors",
    }
}
