//! Whose fault it is: patterns of known mistakes, the most telling first.

use crate::verdict::{Await, Cause, Means, Need, Party, State, Waker};

/// The first pattern that fits.
pub(super) fn find(parties: &[Party], cycle: &[usize]) -> Option<Cause> {
    let stuck = || parties.iter().enumerate().filter(|(_, party)| party.is_stuck);
    let waits = || {
        stuck()
            .flat_map(|(party, of)| of.awaits.iter().enumerate().map(move |(wait, of_wait)| (party, wait, of, of_wait)))
    };
    for (party, wait, of, awaited) in waits() {
        if is_alone(of) && is_own_end(of, awaited) {
            return Some(Cause::OwnEnd { party, wait });
        }
    }
    for (party, wait, of, awaited) in waits().filter(|(_, _, of, _)| is_alone(of)) {
        if let Some(owner) = dead_owner(awaited) {
            return Some(Cause::DeadOwner { party, wait, owner: owner.who.clone() });
        }
        if matches!(awaited.need, Need::Mutex { copied_from: Some(_), .. }) {
            return Some(Cause::CopiedLock { party, wait });
        }
        if is_own_lock(of, awaited) {
            return Some(Cause::OwnLock { party, wait });
        }
        if matches!(&awaited.need, Need::Message { present, .. } if !present.is_empty()) {
            return Some(Cause::WrongType { party, wait });
        }
        if matches!(&awaited.need, Need::Signal { earlier, .. } if !earlier.is_empty()) {
            return Some(Cause::SignalTooEarly { party, wait });
        }
        if let Need::FifoReader { earlier } | Need::FifoWriter { earlier } = &awaited.need
            && !earlier.is_empty()
        {
            return Some(Cause::PartnerLeft { party, wait });
        }
    }
    if !cycle.is_empty() {
        return Some(Cause::Cycle);
    }
    if let Some((party, _)) = stuck().find(|(_, party)| party.state == State::Stopped) {
        return Some(Cause::Stopped { party });
    }
    waits()
        .find(|(_, _, of, awaited)| is_alone(of) && awaited.wakers.iter().all(|waker| waker.tids.is_empty()))
        .map(|(party, wait, _, _)| Cause::NobodyLeft { party, wait })
}

/// Whether one thing would have to happen, not one of several.
fn is_alone(party: &Party) -> bool {
    party.awaits.len() == 1
}

/// Every end that could help belongs to the waiting process, and it has no other thread to use it.
fn is_own_end(party: &Party, awaited: &Await) -> bool {
    let is_end = matches!(
        awaited.need,
        Need::PipeBytes | Need::PipeRoom { .. } | Need::SocketBytes | Need::SocketRoom | Need::EventCount
    );
    is_end
        && !party.is_one_of_several
        && !awaited.wakers.is_empty()
        && awaited.wakers.iter().all(|waker| waker.who.pid == party.process.pid)
}

fn dead_owner(awaited: &Await) -> Option<&Waker> {
    awaited.wakers.iter().find(|waker| waker.means == Means::Owner && waker.tids.is_empty())
}

/// The thread holds what it waits for; of a lock by flock(2), its process does.
fn is_own_lock(party: &Party, awaited: &Await) -> bool {
    let is_lock = matches!(
        awaited.need,
        Need::Mutex { .. } | Need::Semaphore { .. } | Need::PosixSemaphore { .. } | Need::FileLock { .. }
    );
    is_lock
        && !awaited.wakers.is_empty()
        && awaited
            .wakers
            .iter()
            .all(|waker| waker.who.pid == party.process.pid && (!party.is_one_of_several || waker.tids == [party.tid]))
        && awaited.wakers.iter().all(|waker| waker.means != Means::Memory && waker.means != Means::Use)
}
