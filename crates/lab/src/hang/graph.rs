//! The wait-for graph: who is stuck for ever, and the shortest circle among them.

use crate::verdict::{Need, Party, State};
use std::collections::{BTreeMap, VecDeque};

/// What there is beside the threads that are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    /// Timers that are set: they may send a signal.
    pub(super) has_timers: bool,
    /// Threads: they may be able to do anything.
    pub(super) has_others: bool,
}

/// Marks the threads that can never go on: not ready, without a deadline, and every thread that could wake them is
/// stuck, too.
pub(super) fn mark_stuck(parties: &mut [Party], beside: Beside) {
    let index: BTreeMap<i32, usize> = parties.iter().enumerate().map(|(at, party)| (party.tid, at)).collect();
    let can_move = |party: &Party| match party.state {
        State::Ready => true,
        State::Stopped => false,
        State::Asleep { until_ns } => {
            until_ns.is_some()
                || beside.has_timers
                    && party.awaits.iter().any(|wait| matches!(wait.need, Need::Signal { .. } | Need::Timer))
        }
    };
    let mut moves: Vec<bool> = parties.iter().map(can_move).collect();
    loop {
        let mut has_changed = false;
        for at in 0..parties.len() {
            if moves[at] || parties[at].state == State::Ready {
                continue;
            }
            let could_be_woken = parties[at].awaits.iter().flat_map(|wait| &wait.wakers).any(|waker| {
                waker.tids.iter().any(|tid| match index.get(tid) {
                    Some(other) => moves[*other],
                    None => beside.has_others,
                })
            });
            if could_be_woken {
                moves[at] = true;
                has_changed = true;
            }
        }
        if !has_changed {
            break;
        }
    }
    for (party, moves) in parties.iter_mut().zip(moves) {
        party.is_stuck = !moves;
    }
}

/// The shortest circle of stuck threads that wait for each other; empty if there is none. One that waits for itself alone
/// is no circle.
pub(super) fn shortest_cycle(parties: &[Party]) -> Vec<usize> {
    let index: BTreeMap<i32, usize> = parties.iter().enumerate().map(|(at, party)| (party.tid, at)).collect();
    let edges: Vec<Vec<usize>> = parties
        .iter()
        .enumerate()
        .map(|(from, party)| {
            let tids = party.awaits.iter().flat_map(|wait| &wait.wakers).flat_map(|waker| &waker.tids);
            let mut to: Vec<usize> = tids.filter_map(|tid| index.get(tid).copied()).collect();
            to.retain(|to| *to != from && parties[*to].is_stuck);
            to.dedup();
            to
        })
        .collect();
    let mut best: Vec<usize> = Vec::new();
    for start in (0..parties.len()).filter(|start| parties[*start].is_stuck) {
        if let Some(cycle) = cycle_through(&edges, start)
            && (best.is_empty() || cycle.len() < best.len())
        {
            best = cycle;
        }
    }
    best
}

/// The shortest way from a thread back to itself, breadth first.
fn cycle_through(edges: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut from: Vec<Option<usize>> = vec![None; edges.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in &edges[at] {
            if *next == start {
                let mut cycle = vec![at];
                while let Some(before) = from[*cycle.last()?] {
                    cycle.push(before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if from[*next].is_none() {
                from[*next] = Some(at);
                queue.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_back_is_found() {
        // 0 -> 1 -> 2 -> 0, and 1 -> 3 -> 1.
        let edges = [vec![1], vec![2, 3], vec![0], vec![1]];
        assert_eq!(cycle_through(&edges, 0), Some(vec![0, 1, 2]));
        assert_eq!(cycle_through(&edges, 1), Some(vec![1, 3]));
        assert_eq!(cycle_through(&[vec![1], vec![]], 0), None);
    }
}
