//! The blame in one sentence, and one suggestion.

use super::phrases::{Voice, at, awaited, ending};
use super::text::past;
use crate::text::duration;
use crate::verdict::{Await, Cause, Deed, Descriptor, Hang, Means, Need, Party};

/// What is said of a cause.
pub(super) struct Told {
    pub(super) sentence: String,
    pub(super) help: String,
}

pub(super) fn tell(hang: &Hang, cause: &Cause) -> Told {
    let voice = Voice::of(hang);
    let one = |index: usize, wait: usize| (&hang.parties[index], &hang.parties[index].awaits[wait]);
    match cause {
        Cause::OwnEnd { party, wait } => own_end(voice, one(*party, *wait)),
        Cause::DeadOwner { party, wait, owner } => {
            let (_, wait) = one(*party, *wait);
            let ended = ending(owner).unwrap_or_else(|| "ended".to_string());
            dead_owner(wait, &voice.person(owner), &past(&ended))
        }
        Cause::CopiedLock { party: who, wait } => {
            let (who, wait) = one(*who, *wait);
            let Need::Mutex { copied_from: Some(from), owner } = &wait.need else {
                unreachable!("a copied lock is a mutex")
            };
            let thread = owner.map_or_else(String::new, |owner| format!("thread {owner} of "));
            Told {
                sentence: format!(
                    "{} has a copy of {} as it was at the fork: locked by {thread}{}, which does not exist here",
                    voice.party(who),
                    wait.object.name,
                    voice.person(from)
                ),
                help: "fork while no other thread holds the mutex (pthread_atfork), or exec at once".to_string(),
            }
        }
        Cause::OwnLock { party, wait } => own_lock(voice, one(*party, *wait)),
        Cause::WrongType { party: who, wait } => {
            let (who, wait) = one(*who, *wait);
            let Need::Message { wanted, present, .. } = &wait.need else { unreachable!("a wrong type is a message's") };
            let kinds: Vec<String> = present.iter().map(|(kind, _)| kind.to_string()).collect();
            Told {
                sentence: format!(
                    "{} waits for {wanted}, and nobody is left to send one; {} holds type {} only",
                    voice.party(who),
                    wait.object.name,
                    kinds.join(", ")
                ),
                help: "let sender and receiver agree on the message type (msgop(2))".to_string(),
            }
        }
        Cause::SignalTooEarly { party: who, wait } => too_early(voice, one(*who, *wait)),
        Cause::PartnerLeft { party: who, wait } => partner_left(voice, one(*who, *wait)),
        Cause::NobodyLeft { party: who, wait } => nobody_left(voice, one(*who, *wait)),
        Cause::Cycle => cycle(hang),
        Cause::Stopped { party: who } => Told {
            sentence: format!(
                "{} is stopped, and nobody is left who would continue it",
                voice.party(&hang.parties[*who])
            ),
            help: "send it SIGCONT, or wait for stopped children with WUNTRACED".to_string(),
        },
    }
}

fn descriptors(wait: &Await) -> Vec<&Descriptor> {
    wait.wakers
        .iter()
        .filter_map(|waker| match &waker.means {
            Means::Descriptors { descriptors } => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect()
}

fn numbers(descriptors: &[&Descriptor]) -> String {
    let all: Vec<String> = descriptors.iter().map(|descriptor| format!("fd {}", descriptor.fd)).collect();
    all.join(" and ")
}

fn own_end(voice: Voice, (who, wait): (&Party, &Await)) -> Told {
    let own = descriptors(wait);
    let fds = numbers(&own);
    let name = &wait.object.name;
    let inherited = own.iter().find_map(|descriptor| descriptor.inherited.as_ref());
    let when = match inherited.map(|deed: &Deed| at(deed.place.as_ref())) {
        Some(place) if !place.is_empty() => format!(", after the fork{place}"),
        Some(_) => ", after the fork".to_string(),
        None => String::new(),
    };
    match wait.need {
        Need::PipeRoom { .. } | Need::SocketRoom => Told {
            sentence: format!(
                "{} fills {name}, and nobody but itself could read it ({fds}): neither room nor an error ever comes",
                voice.party(who)
            ),
            help: format!("close {fds} in the writer{when}; then it learns by EPIPE that nobody reads"),
        },
        _ => Told {
            sentence: format!(
                "{} reads {name} to its end, and keeps the last write end open itself ({fds}): the end never comes",
                voice.party(who)
            ),
            help: format!("close {fds} in {} before it reads{when}", voice.party(who)),
        },
    }
}

fn dead_owner(wait: &Await, owner: &str, ended: &str) -> Told {
    let name = &wait.object.name;
    match &wait.need {
        Need::Semaphore { number, with_undo, taken, .. } => {
            let undo = if *with_undo { "" } else { ", without SEM_UNDO," };
            let place = taken.as_ref().map_or_else(String::new, |deed| at(deed.place.as_ref()));
            Told {
                sentence: format!(
                    "{owner} took semaphore {number} of {name}{place}{undo} and {ended} without giving it back"
                ),
                help: "take it with SEM_UNDO, which gives it back when the process ends".to_string(),
            }
        }
        Need::PosixSemaphore { .. } => Told {
            sentence: format!("{owner} took {name} and {ended} without posting it"),
            help: "post it before the process ends; a robust mutex (pthread_mutexattr_setrobust) survives its owner"
                .to_string(),
        },
        _ => Told {
            sentence: format!("{owner} {ended} while it held {name}, which is not robust: nobody can unlock it"),
            help: "make the mutex robust (pthread_mutexattr_setrobust) and treat EOWNERDEAD".to_string(),
        },
    }
}

fn own_lock(voice: Voice, (who, wait): (&Party, &Await)) -> Told {
    let name = &wait.object.name;
    let (how, help) = match &wait.need {
        Need::FileLock { by, .. } if by == "flock" => (
            "through another open file description",
            "lock it through one description, or use locks that belong to the process (fcntl F_SETLK)",
        ),
        Need::Mutex { .. } => ("already", "unlock it first, or make it recursive (pthread_mutexattr_settype)"),
        _ => ("already", "give it back before taking it again"),
    };
    Told {
        sentence: format!("{} waits for {name}, which it holds itself {how}", voice.party(who)),
        help: help.to_string(),
    }
}

fn too_early(voice: Voice, (who, wait): (&Party, &Await)) -> Told {
    let Need::Signal { earlier, .. } = &wait.need else { unreachable!("the pattern is a signal's") };
    let (signal, when) = earlier.last().map_or(("a signal", 0), |deed| (deed.signal.as_str(), deed.at_ns));
    let call = who.call.as_deref().and_then(|call| call.split('(').next()).unwrap_or("its wait");
    let began = who.since_ns.unwrap_or(0);
    Told {
        sentence: format!(
            "{signal} was handled {} before {} began {call}: it wakes nobody any more",
            duration(began.saturating_sub(when)),
            voice.party(who)
        ),
        help: format!("block {signal} before testing the condition, and wait with sigsuspend or sigwait"),
    }
}

fn partner_left(voice: Voice, (who, wait): (&Party, &Await)) -> Told {
    let (earlier, side) = match &wait.need {
        Need::FifoReader { earlier } => (earlier, "for writing"),
        Need::FifoWriter { earlier } => (earlier, "for reading"),
        _ => unreachable!("the pattern is a FIFO's"),
    };
    let left = earlier.last().map_or_else(
        || "the other side".to_string(),
        |deed| format!("{} ({}{})", voice.person(&deed.by), deed.call, at(deed.place.as_ref())),
    );
    let is_both = earlier.last().is_some_and(|deed| deed.call.contains("O_RDWR"));
    let help = if is_both {
        "open it with O_WRONLY or O_RDONLY, which wait for the other side; O_RDWR does not"
    } else {
        "open it before the other side closes it, or let the other side wait"
    };
    Told {
        sentence: format!("{} opened {} {side} only after {left} had closed it", voice.party(who), wait.object.name),
        help: help.to_string(),
    }
}

fn nobody_left(voice: Voice, (who, wait): (&Party, &Await)) -> Told {
    let help = match wait.need {
        Need::Condition => "change the state under the mutex before signalling, and wait in a loop that tests it",
        Need::FifoReader { .. } | Need::FifoWriter { .. } => "start the other side before, or open with O_NONBLOCK",
        Need::Signal { .. } => "wait only for a signal that is still to come: block it before and use sigsuspend",
        Need::Timer => "set the timer (timerfd_settime) before waiting for it",
        Need::Connection => "start the client first, or limit the wait",
        _ => "limit the wait, or see to it that somebody answers it",
    };
    Told {
        sentence: format!("{} waits for {}, and nobody is left who could help", voice.party(who), awaited(voice, wait)),
        help: help.to_string(),
    }
}

/// Who waits for whom, as one mistake.
fn cycle(hang: &Hang) -> Told {
    let voice = Voice::of(hang);
    let links: Vec<(&Party, &Await, &Party)> = hang.links().collect();
    let every = |test: fn(&Need) -> bool| links.iter().all(|(_, wait, _)| test(&wait.need));
    let first = |test: fn(&Need) -> bool| links.iter().find(|(_, wait, _)| test(&wait.need));
    let is_child = |need: &Need| matches!(need, Need::Child | Need::ProcessEnd | Need::ThreadEnd { .. });
    let told = |sentence: String, help: &str| Told { sentence, help: help.to_string() };
    if every(is_lock) {
        return told(
            "each holds what the next one wants: they take the locks in different orders".to_string(),
            "take the locks in the same order everywhere",
        );
    }
    if every(is_room) {
        return told(
            "each sends more than fits before it receives what the other sends".to_string(),
            "receive while sending, or send no more than the other has room for",
        );
    }
    if every(is_bytes) {
        return told(
            "each waits for the other to speak first".to_string(),
            "let one side begin; if one has, see that its bytes were flushed",
        );
    }
    if let Some((who, wait, partner)) = first(|need| matches!(need, Need::FifoReader { .. } | Need::FifoWriter { .. }))
    {
        let side = if matches!(wait.need, Need::FifoReader { .. }) { "reader" } else { "writer" };
        return told(
            format!(
                "{} opens {} and waits for a {side}; {}, which could be it, waits for {} in the end",
                voice.party(who),
                wait.object.name,
                voice.party(partner),
                voice.party(who)
            ),
            "start the other side of the FIFO first, or do not wait before both sides have opened it",
        );
    }
    if let Some((parent, ..)) = first(is_child) {
        if let Some((child, wait, holder)) = first(is_bytes) {
            let fds = fds_of(wait, holder);
            return told(
                format!(
                    "{} waits for {} while it keeps its end of {} open{fds}, from which {} reads",
                    voice.party(parent),
                    awaited(voice, links.iter().find(|(_, wait, _)| is_child(&wait.need)).map_or(wait, |link| link.1)),
                    wait.object.name,
                    voice.party(child)
                ),
                "close that end, or send what is awaited, before waiting",
            );
        }
        if let Some((writer, wait, _)) = first(is_room) {
            return told(
                format!(
                    "{} waits for an end before it has read what {} sends through {}",
                    voice.party(parent),
                    voice.party(writer),
                    wait.object.name
                ),
                "read to the end before waiting",
            );
        }
        if let Some((_, wait, _)) = first(is_lock) {
            return told(
                format!("{} waits for an end while it holds {}", voice.party(parent), wait.object.name),
                "give up what the other needs before waiting for its end",
            );
        }
    }
    if let Some((_, wait, holder)) = first(is_lock) {
        return told(
            format!("{} holds {} while it waits for others that need it", voice.party(holder), wait.object.name),
            "do not wait for others while holding what they need",
        );
    }
    told("they wait for each other".to_string(), "let one of them go first")
}

/// ` (fd 4)`: with what somebody keeps an object from its end.
fn fds_of(wait: &Await, holder: &Party) -> String {
    let of_holder = wait.wakers.iter().find(|waker| waker.tids.contains(&holder.tid));
    match of_holder.map(|waker| &waker.means) {
        Some(Means::Descriptors { descriptors }) => format!(" ({})", numbers(&descriptors.iter().collect::<Vec<_>>())),
        _ => String::new(),
    }
}

fn is_bytes(need: &Need) -> bool {
    matches!(need, Need::PipeBytes | Need::SocketBytes | Need::PosixMessage | Need::Message { .. })
}

fn is_lock(need: &Need) -> bool {
    matches!(need, Need::Mutex { .. } | Need::Semaphore { .. } | Need::PosixSemaphore { .. } | Need::FileLock { .. })
}

fn is_room(need: &Need) -> bool {
    matches!(need, Need::PipeRoom { .. } | Need::SocketRoom | Need::QueueRoom { .. } | Need::PosixRoom { .. })
}
