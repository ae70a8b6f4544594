//! Graphs made by hand: who is stuck, which circle is told, and which cause comes first.

use super::{cause, graph};
use crate::verdict::{Await, Cause, Means, Need, Object, Party, Person, State, Waker};

const FOR_EVER: State = State::Asleep { until_ns: None };

fn person(pid: i32) -> Person {
    Person { pid, name: "program".to_string(), ending: None }
}

/// The only thread of process `pid`.
fn party(pid: i32, state: State, awaits: Vec<Await>) -> Party {
    Party {
        process: person(pid),
        tid: pid,
        is_one_of_several: false,
        call: None,
        library_call: None,
        place: None,
        stack: Vec::new(),
        since_ns: None,
        done_bytes: None,
        state,
        awaits,
        is_stuck: false,
    }
}

/// A wait that only `wakers` can end; those in `dead` have no thread any more.
fn wait(need: Need, means: Means, wakers: &[i32], dead: &[i32]) -> Await {
    let alive = wakers.iter().map(|pid| Waker { who: person(*pid), tids: vec![*pid], means: means.clone() });
    let dead = dead.iter().map(|pid| Waker { who: person(*pid), tids: Vec::new(), means: means.clone() });
    Await { object: Object { name: "it".to_string(), made: None }, need, wakers: alive.chain(dead).collect() }
}

fn pipe(holders: &[i32]) -> Await {
    wait(Need::PipeBytes, Means::Descriptors { descriptors: Vec::new() }, holders, &[])
}

fn lock(owner: &[i32], dead: &[i32]) -> Await {
    wait(Need::Mutex { owner: None, copied_from: None }, Means::Owner, owner, dead)
}

fn stuck(mut parties: Vec<Party>) -> (Vec<i32>, Vec<Party>) {
    graph::mark_stuck(&mut parties, graph::Beside { has_timers: false, has_others: false });
    (parties.iter().filter(|party| party.is_stuck).map(|party| party.tid).collect(), parties)
}

fn found(parties: Vec<Party>) -> Option<Cause> {
    let (_, parties) = stuck(parties);
    cause::find(&parties, &graph::shortest_cycle(&parties))
}

#[test]
fn who_can_be_woken_by_somebody_that_runs_is_not_stuck() {
    let parties = vec![
        party(2, State::Ready, vec![]),
        party(3, FOR_EVER, vec![pipe(&[2])]),
        party(4, FOR_EVER, vec![pipe(&[3])]),
        party(5, FOR_EVER, vec![pipe(&[6])]),
        party(6, FOR_EVER, vec![pipe(&[5])]),
        party(7, State::Asleep { until_ns: Some(9) }, vec![pipe(&[7])]),
    ];
    assert_eq!(stuck(parties).0, [5, 6]);
}

#[test]
fn any_of_several_waits_is_enough() {
    let parties = vec![party(2, State::Ready, vec![]), party(3, FOR_EVER, vec![pipe(&[3]), pipe(&[2])])];
    assert_eq!(stuck(parties).0, [0; 0]);
}

#[test]
fn a_stopped_process_wakes_nobody() {
    let parties = vec![party(2, State::Stopped, vec![]), party(3, FOR_EVER, vec![pipe(&[2])])];
    assert_eq!(stuck(parties).0, [2, 3]);
}

#[test]
fn a_timer_may_bring_a_signal() {
    let signal = || wait(Need::Signal { signals: Vec::new(), earlier: Vec::new() }, Means::Signal, &[], &[]);
    let mut parties = vec![party(2, FOR_EVER, vec![signal()]), party(3, FOR_EVER, vec![pipe(&[3])])];
    graph::mark_stuck(&mut parties, graph::Beside { has_timers: true, has_others: false });
    assert_eq!(parties.iter().map(|party| party.is_stuck).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn threads_that_are_not_told_may_do_anything() {
    let mut parties = vec![party(2, FOR_EVER, vec![pipe(&[99])])];
    graph::mark_stuck(&mut parties, graph::Beside { has_timers: false, has_others: true });
    assert!(!parties[0].is_stuck);
}

#[test]
fn the_last_end_of_one_s_own_comes_before_the_circle() {
    let child = wait(Need::Child, Means::Ending, &[3], &[]);
    let parties = vec![party(2, FOR_EVER, vec![child]), party(3, FOR_EVER, vec![pipe(&[3])])];
    assert_eq!(found(parties), Some(Cause::OwnEnd { party: 1, wait: 0 }));
}

#[test]
fn a_dead_owner_is_told_from_one_that_waits() {
    let dead = vec![party(2, FOR_EVER, vec![lock(&[], &[3])])];
    assert_eq!(found(dead), Some(Cause::DeadOwner { party: 0, wait: 0, owner: person(3) }));
    let own = vec![party(2, FOR_EVER, vec![lock(&[2], &[])])];
    assert_eq!(found(own), Some(Cause::OwnLock { party: 0, wait: 0 }));
    let order = vec![party(2, FOR_EVER, vec![lock(&[3], &[])]), party(3, FOR_EVER, vec![lock(&[2], &[])])];
    assert_eq!(found(order), Some(Cause::Cycle));
}

#[test]
fn without_wakers_nobody_is_left() {
    let parties = vec![party(2, FOR_EVER, vec![wait(Need::Condition, Means::Memory, &[], &[])])];
    assert_eq!(found(parties), Some(Cause::NobodyLeft { party: 0, wait: 0 }));
}

#[test]
fn nobody_is_blamed_while_somebody_can_go_on() {
    let parties = vec![party(2, State::Ready, vec![]), party(3, FOR_EVER, vec![pipe(&[2, 3])])];
    assert_eq!(found(parties), None);
}
