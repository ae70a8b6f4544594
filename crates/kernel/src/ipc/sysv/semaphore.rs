//! Semaphore sets, semop(2): lists of operations that take effect together or not at all. Linux's ipc/sem.c.
//!
//! Whoever changes a set also completes the waiting lists that have become possible, in the order in which they came
//! ([`serve_waiting`]), so that nobody who comes later can take what they wait for.

use super::SEMAPHORE_MAXIMUM;
use super::registry::{self, Entry, ObjectId};
use crate::clock::Instant;
use crate::entry::{self, Call};
use crate::ipc::line::{Line, Ticket};
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::ipc::{IPC_NOWAIT, SEM_UNDO, SemaphoreOperation};
use abi::{Errno, Error};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};

/// Operations of a call. Most have one or two.
pub type Operations = SmallVec<[SemaphoreOperation; 2]>;

/// A set.
///
/// # Invariants
/// - `by_obstacle` lists every waiting list once, under the operation that cannot be done.
#[derive(Clone, Debug, Default)]
pub struct SemaphoreSet {
    /// Its semaphores.
    pub semaphores: Vec<Semaphore>,
    /// When it was last operated on, in seconds since 1970; 0: never.
    pub operated: i64,
    /// Lists that only wait for 0 come before those that change something, ranks 0 and 1: they take nothing from others.
    waiting: Line<Waiting>,
    by_obstacle: BTreeMap<Obstacle, BTreeSet<Ticket>>,
    /// Waiting lists with more than one operation.
    compound: BTreeSet<Ticket>,
    /// Who has adjustments for it.
    undone_by: BTreeSet<Id<UndoList>>,
}

/// A semaphore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Semaphore {
    /// 0 to 32,767.
    pub value: i32,
    /// Who operated on it last.
    pub last: i32,
}

/// A list of operations that cannot take effect yet.
#[derive(Clone, Debug)]
struct Waiting {
    thread: Id<Thread>,
    operations: Operations,
    /// The operation that cannot be done.
    obstacle: usize,
}

/// What a waiting list waits for first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Obstacle {
    number: u16,
    /// That the semaphore becomes 0, not that it grows.
    for_zero: bool,
}

impl Waiting {
    fn obstacle(&self) -> Obstacle {
        let operation = self.operations[self.obstacle];
        Obstacle { number: operation.number, for_zero: operation.change == 0 }
    }
}

/// What a list of operations changes, if it can take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It can.
    Possible(Changes),
    /// The operation at this index cannot be done now.
    Impossible(usize),
}

/// What a list of operations does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Changes {
    /// The values afterwards.
    values: SmallVec<[(u16, i32); 2]>,
    /// The adjustments at exit.
    adjustments: SmallVec<[(u16, i16); 2]>,
}

/// What to add to semaphores when the last of some threads ends.
#[derive(Clone, Debug, Default)]
pub struct UndoList {
    /// Threads that share it, clone(2) `CLONE_SYSVSEM`.
    pub references: u32,
    adjustments: BTreeMap<ObjectId, Vec<i16>>,
}

impl SemaphoreSet {
    /// A set of semaphores with the value 0.
    pub fn new(count: usize) -> SemaphoreSet {
        SemaphoreSet { semaphores: vec![Semaphore::default(); count], ..SemaphoreSet::default() }
    }

    /// Tries a list of operations, each seeing what those before it did: perform_atomic_semop().
    ///
    /// # Errors
    /// `ERANGE` if a value or an adjustment would leave its range.
    fn attempt(&self, operations: &[SemaphoreOperation], undo: &[i16]) -> Result<Outcome, Error> {
        let mut changes = Changes::default();
        let Changes { values, adjustments } = &mut changes;
        for (index, operation) in operations.iter().enumerate() {
            let number = operation.number;
            let before = values.iter().rev().find(|(of, _)| *of == number).map(|(_, value)| *value);
            let before = before.unwrap_or(self.semaphores[usize::from(number)].value);
            let after = before + i32::from(operation.change);
            if operation.change == 0 && before != 0 || after < 0 {
                return Ok(Outcome::Impossible(index));
            }
            if after > SEMAPHORE_MAXIMUM {
                return Err(Errno::ERANGE.because("the semaphore would exceed 32,767"));
            }
            if operation.flags & SEM_UNDO != 0 {
                let known = adjustments.iter().rev().find(|(of, _)| *of == number).map(|(_, change)| *change);
                let known = known.unwrap_or_else(|| undo.get(usize::from(number)).copied().unwrap_or(0));
                let change = i32::from(known) - i32::from(operation.change);
                if !(-SEMAPHORE_MAXIMUM - 1..=SEMAPHORE_MAXIMUM).contains(&change) {
                    return Err(Errno::ERANGE.because("the adjustment at exit would leave its range"));
                }
                adjustments.push((number, change as i16));
            }
            values.push((number, after));
        }
        Ok(Outcome::Possible(changes))
    }

    /// Puts an outcome into effect.
    fn apply(&mut self, values: &[(u16, i32)], pid: i32, now: i64) {
        for (number, value) in values {
            self.semaphores[usize::from(*number)] = Semaphore { value: *value, last: pid };
        }
        self.operated = now;
    }

    /// The operation that keeps a waiting thread's list from taking effect.
    pub fn obstacle(&self, thread: Id<Thread>) -> Option<SemaphoreOperation> {
        let (_, waiting) = self.waiting.iter().find(|(_, waiting)| waiting.thread == thread)?;
        waiting.operations.get(waiting.obstacle).copied()
    }

    /// How many lists wait at an operation on a semaphore: to become 0, or to grow.
    pub fn count_waiting(&self, number: u16, for_zero: bool) -> usize {
        self.by_obstacle.get(&Obstacle { number, for_zero }).map_or(0, BTreeSet::len)
    }

    /// Threads that wait at it.
    pub fn waiting(&self) -> impl Iterator<Item = Id<Thread>> + '_ {
        self.waiting.iter().map(|(_, waiting)| waiting.thread)
    }

    /// Checks the set's invariants.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn check(&self, kernel: &Kernel, object: ObjectId) -> Result<(), String> {
        let listed: usize = self.by_obstacle.values().map(BTreeSet::len).sum();
        let is_listed = |ticket: Ticket, waiting: &Waiting| {
            self.by_obstacle.get(&waiting.obstacle()).is_some_and(|tickets| tickets.contains(&ticket))
        };
        if listed != self.waiting.len() || !self.waiting.iter().all(|(ticket, waiting)| is_listed(ticket, waiting)) {
            return Err(format!("lists that wait at {object:?} are not listed under their obstacles"));
        }
        let knows = |list: &Id<UndoList>| {
            kernel.undo_lists.get(*list).is_some_and(|list| list.adjustments.contains_key(&object))
        };
        if !self.undone_by.iter().all(knows) {
            return Err(format!("{object:?} is to be undone by who does not know of it"));
        }
        Ok(())
    }

    fn join(&mut self, waiting: Waiting) -> Ticket {
        let obstacle = waiting.obstacle();
        let is_compound = waiting.operations.len() > 1;
        let ticket = self.waiting.join(i32::from(changes_anything(&waiting.operations)), waiting);
        if is_compound {
            self.compound.insert(ticket);
        }
        self.by_obstacle.entry(obstacle).or_default().insert(ticket);
        ticket
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.leave(ticket)?;
        self.compound.remove(&ticket);
        self.forget_obstacle(waiting.obstacle(), ticket);
        Some(waiting)
    }

    fn forget_obstacle(&mut self, obstacle: Obstacle, ticket: Ticket) {
        // An empty entry stays: the next one to wait there finds it.
        if let Some(tickets) = self.by_obstacle.get_mut(&obstacle) {
            tickets.remove(&ticket);
        }
    }

    /// A waiting list has met another obstacle.
    fn note_obstacle(&mut self, ticket: Ticket, at: usize) {
        let Some(waiting) = self.waiting.get_mut(ticket) else { return };
        let before = waiting.obstacle();
        waiting.obstacle = at;
        let after = waiting.obstacle();
        if before != after {
            self.forget_obstacle(before, ticket);
            self.by_obstacle.entry(after).or_default().insert(ticket);
        }
    }

    /// The first list behind `after` whose obstacle may have gone because one of these semaphores has changed.
    fn next_candidate(&self, changed: &[u16], after: Option<Ticket>) -> Option<Ticket> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let worth_a_look = |obstacle: &Obstacle| {
            // A list of one operation sees the value itself.
            let value = self.semaphores[usize::from(obstacle.number)].value;
            !self.compound.is_empty() || obstacle.for_zero == (value == 0)
        };
        // Those of several operations may meet another obstacle now, which GETNCNT and GETZCNT tell: update_queue() and
        // wake_const_ops() try them all, but those that only wait for 0 only if a semaphore has become 0.
        let is_zero = |number: &u16| self.semaphores[usize::from(*number)].value == 0;
        let has_zero = changed.iter().any(is_zero);
        let is_tried = |ticket: &&Ticket| {
            has_zero || self.waiting.get(**ticket).is_some_and(|waiting| changes_anything(&waiting.operations))
        };
        let compound = self.compound.range((from, Bound::Unbounded)).find(is_tried);
        changed
            .iter()
            .flat_map(|number| [false, true].map(|for_zero| Obstacle { number: *number, for_zero }))
            .filter(worth_a_look)
            .filter_map(|obstacle| self.by_obstacle.get(&obstacle)?.range((from, Bound::Unbounded)).next())
            .chain(compound)
            .min()
            .copied()
    }
}

fn changes_anything(operations: &[SemaphoreOperation]) -> bool {
    operations.iter().any(|operation| operation.change != 0)
}

fn changed_numbers(operations: &[SemaphoreOperation]) -> impl Iterator<Item = u16> {
    operations.iter().filter(|operation| operation.change != 0).map(|operation| operation.number)
}

/// semop(2) and semtimedop(2) while they cannot take effect.
#[derive(Clone, Debug)]
pub struct SemaphoreWait {
    /// The set.
    pub object: ObjectId,
    /// The operations; those of a list that waits are in the set.
    pub operations: Operations,
    /// Until when to wait.
    pub deadline: Option<Instant>,
    /// The place of the list among those that wait.
    pub ticket: Option<Ticket>,
}

fn find(kernel: &mut Kernel, object: ObjectId) -> Result<&mut Entry<SemaphoreSet>, Error> {
    kernel.ipc_namespaces[object.namespace].system_v.semaphores.get_mut(object.id)
}

impl Blocking for SemaphoreWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if self.ticket.is_none() {
            let Some(obstacle) = operate(call, self.object, &self.operations)? else { return Ok(Step::Done(0)) };
            let waiting = Waiting { thread: call.thread, operations: std::mem::take(&mut self.operations), obstacle };
            self.ticket = Some(find(call.kernel, self.object)?.object.join(waiting));
        } else if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::EAGAIN.because("the time is over, and the operations were not possible"));
        }
        Ok(Step::Block(Wait::on(WaitKey::Semaphores(self.object)).with_deadline(self.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        // "never restarted after being interrupted by a signal handler", signal(7).
        Interrupted::NeverNorWhenStopped
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(ticket) = self.ticket
            && let Ok(entry) = find(call.kernel, self.object)
        {
            entry.object.leave(ticket);
        }
    }
}

/// Puts a list of operations into effect for the caller, and then those that wait and have become possible. Gives the
/// index of the operation that cannot be done now, if there is one and it may be waited for.
///
/// # Errors
/// `EAGAIN` if it may not, `ERANGE`.
fn operate(call: &mut Call, object: ObjectId, operations: &[SemaphoreOperation]) -> Result<Option<usize>, Error> {
    match attempt(call, object, operations, call.thread)? {
        Outcome::Impossible(obstacle) => Ok(Some(obstacle)),
        Outcome::Possible(changes) => {
            take_effect(call, object, &changes);
            if changes_anything(operations) {
                serve_waiting(call, object, changed_numbers(operations));
            }
            Ok(None)
        }
    }
}

/// Tries a thread's list of operations.
///
/// # Errors
/// `EAGAIN` if one of them cannot be done now and has `IPC_NOWAIT`, `ERANGE`.
fn attempt(
    call: &mut Call,
    object: ObjectId,
    operations: &[SemaphoreOperation],
    thread: Id<Thread>,
) -> Result<Outcome, Error> {
    let kernel = &mut *call.kernel;
    let undo = kernel.threads[thread].undo.and_then(|undo| kernel.undo_lists[undo].adjustments.get(&object));
    let set = &kernel.ipc_namespaces[object.namespace].system_v.semaphores.get(object.id)?.object;
    match set.attempt(operations, undo.map_or(&[], |undo| &undo[..]))? {
        Outcome::Impossible(obstacle) if i32::from(operations[obstacle].flags) & IPC_NOWAIT != 0 => {
            Err(Errno::EAGAIN.because("the operation is not possible now, and `IPC_NOWAIT` is set"))
        }
        outcome => Ok(outcome),
    }
}

/// Puts what [`attempt`] found possible into effect, on behalf of the calling thread.
fn take_effect(call: &mut Call, object: ObjectId, changes: &Changes) {
    let (pid, now) = (call.process().pid, registry::now(call));
    let undo = (!changes.adjustments.is_empty()).then(|| own_undo(call.kernel, call.thread));
    let Ok(entry) = find(call.kernel, object) else { return };
    let set = &mut entry.object;
    set.apply(&changes.values, pid, now);
    if let Some(undo) = undo {
        set.undone_by.insert(undo);
        let count = set.semaphores.len();
        let own = call.kernel.undo_lists[undo].adjustments.entry(object).or_insert_with(|| vec![0; count]);
        for (number, change) in &changes.adjustments {
            own[usize::from(*number)] = *change;
        }
    }
}

/// Ends the sleep of lists that have become possible because semaphores have changed, and of those that have become
/// possible thereby: do_smart_update(). In the order in which they came, but those first that only wait for 0.
pub(super) fn serve_waiting(call: &mut Call, object: ObjectId, changed: impl IntoIterator<Item = u16>) {
    let mut changed: SmallVec<[u16; 4]> = changed.into_iter().collect();
    let mut after = None;
    loop {
        let Ok(entry) = find(call.kernel, object) else { return };
        let set = &mut entry.object;
        let Some(ticket) = set.next_candidate(&changed, after) else { return };
        after = Some(ticket);
        let waiting = set.waiting.get(ticket).expect("it is listed under its obstacle").clone();
        let Waiting { thread, operations, .. } = &waiting;
        let result = match attempt(call, object, operations, *thread) {
            Ok(Outcome::Impossible(at)) => {
                if let Ok(entry) = find(call.kernel, object) {
                    entry.object.note_obstacle(ticket, at);
                }
                continue;
            }
            Ok(Outcome::Possible(changes)) => {
                take_effect(&mut call.as_thread(*thread), object, &changes);
                Ok(0)
            }
            Err(error) => Err(error),
        };
        let Ok(entry) = find(call.kernel, object) else { return };
        entry.object.leave(ticket);
        if result.is_ok() && changes_anything(operations) {
            // check_restart() of Linux: who came earlier than a single operation has seen a larger value and could not
            // go on, so only those need a look that wait for 0.
            let is_single = entry.object.compound.is_empty() && operations.len() == 1;
            let is_zero = |number: &u16| entry.object.semaphores[usize::from(*number)].value == 0;
            if !is_single || changed_numbers(operations).any(|number| is_zero(&number)) {
                after = None;
            }
            for number in changed_numbers(operations) {
                if !changed.contains(&number) {
                    changed.push(number);
                }
            }
        }
        entry::complete(call, *thread, result);
    }
}

/// Removes a set: who waits gets `EIDRM`, and nothing of it is undone any more.
pub(super) fn remove(call: &mut Call, object: ObjectId) {
    let system_v = &mut call.kernel.ipc_namespaces[object.namespace].system_v;
    let Some(entry) = system_v.semaphores.remove(object.id) else { return };
    let mut set = entry.object;
    system_v.semaphores_used -= set.semaphores.len();
    for undo in set.undone_by {
        call.kernel.undo_lists[undo].adjustments.remove(&object);
    }
    while let Some(waiting) = set.waiting.pop() {
        entry::complete(call, waiting.thread, Err(Errno::EIDRM.because("the semaphore set was removed")));
    }
}

/// Forgets what exits would undo of some semaphores: their values were set, semctl(2) `SETVAL`.
pub(super) fn forget_undo(kernel: &mut Kernel, object: ObjectId, numbers: Range<usize>) {
    let Ok(entry) = find(kernel, object) else { return };
    for undo in entry.object.undone_by.clone() {
        if let Some(adjustments) = kernel.undo_lists[undo].adjustments.get_mut(&object) {
            adjustments[numbers.clone()].fill(0);
        }
    }
}

/// A thread's list of adjustments, made if it has none.
fn own_undo(kernel: &mut Kernel, thread: Id<Thread>) -> Id<UndoList> {
    if let Some(undo) = kernel.threads[thread].undo {
        return undo;
    }
    let undo = kernel.undo_lists.insert(UndoList { references: 1, ..UndoList::default() });
    kernel.threads[thread].undo = Some(undo);
    undo
}

/// A thread's list of adjustments for another thread to share, clone(2) `CLONE_SYSVSEM`.
pub(crate) fn share_undo(kernel: &mut Kernel, thread: Id<Thread>) -> Id<UndoList> {
    let undo = own_undo(kernel, thread);
    kernel.undo_lists[undo].references += 1;
    undo
}

/// The calling thread ends, or leaves those with whom it shares adjustments; the last one undoes what all of them did
/// under `SEM_UNDO`: exit_sem(). A value that would leave its range stops at its end.
pub(crate) fn leave(call: &mut Call) {
    let Some(id) = call.current().undo.take() else { return };
    let undo = &mut call.kernel.undo_lists[id];
    undo.references -= 1;
    if undo.references > 0 {
        return;
    }
    let undo = call.kernel.undo_lists.remove(id);
    let (pid, now) = (call.process().pid, registry::now(call));
    for (object, adjustments) in undo.adjustments {
        let Ok(entry) = find(call.kernel, object) else { continue };
        let set = &mut entry.object;
        set.undone_by.remove(&id);
        let mut changed = Vec::new();
        for (number, change) in adjustments.into_iter().enumerate().filter(|(_, change)| *change != 0) {
            let value = (set.semaphores[number].value + i32::from(change)).clamp(0, SEMAPHORE_MAXIMUM);
            set.semaphores[number] = Semaphore { value, last: pid };
            changed.push(number as u16);
        }
        set.operated = now;
        serve_waiting(call, object, changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(number: u16, change: i16, flags: i16) -> SemaphoreOperation {
        SemaphoreOperation { number, change, flags }
    }

    fn set(values: &[i32]) -> SemaphoreSet {
        let mut set = SemaphoreSet::new(values.len());
        for (semaphore, value) in set.semaphores.iter_mut().zip(values) {
            semaphore.value = *value;
        }
        set
    }

    #[test]
    fn a_list_takes_effect_as_a_whole_or_not_at_all() {
        let set = set(&[1, 0]);
        let both = [operation(0, -1, 0), operation(1, -1, 0)];
        assert_eq!(set.attempt(&both, &[]), Ok(Outcome::Impossible(1)));
        let exchange = [operation(0, -1, 0), operation(1, 1, 0), operation(1, -1, 0), operation(0, 0, 0)];
        let Ok(Outcome::Possible(Changes { values, .. })) = set.attempt(&exchange, &[]) else {
            panic!("it is possible")
        };
        let mut after = set.clone();
        after.apply(&values, 7, 3);
        assert_eq!(after.semaphores, [Semaphore { value: 0, last: 7 }, Semaphore { value: 0, last: 7 }]);
    }

    #[test]
    fn a_value_above_its_range_is_an_error_and_not_a_wait() {
        let set = set(&[SEMAPHORE_MAXIMUM]);
        assert_eq!(set.attempt(&[operation(0, 1, 0)], &[]).unwrap_err().errno, Errno::ERANGE);
        assert_eq!(
            set.attempt(&[operation(0, -1, SEM_UNDO)], &[SEMAPHORE_MAXIMUM as i16]).unwrap_err().errno,
            Errno::ERANGE
        );
    }

    #[test]
    fn adjustments_are_the_opposite_of_what_was_done() {
        // Against a model: whatever possible lists a process has done, values plus adjustments are what they began as.
        let mut set = set(&[3, 4, 5]);
        let mut undo = vec![0i16; 3];
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..2000 {
            let operations: Vec<_> =
                (0..random(4) + 1).map(|_| operation(random(3) as u16, random(7) as i16 - 3, SEM_UNDO)).collect();
            let mut model: Vec<i32> = set.semaphores.iter().map(|semaphore| semaphore.value).collect();
            let mut possible = true;
            for operation in &operations {
                let value = &mut model[usize::from(operation.number)];
                possible &= operation.change != 0 || *value == 0;
                *value += i32::from(operation.change);
                possible &= *value >= 0;
            }
            match set.attempt(&operations, &undo) {
                Ok(Outcome::Possible(Changes { values, adjustments })) => {
                    assert!(possible);
                    set.apply(&values, 1, 1);
                    for (number, change) in adjustments {
                        undo[usize::from(number)] = change;
                    }
                    let now: Vec<i32> = set.semaphores.iter().map(|semaphore| semaphore.value).collect();
                    assert_eq!(now, model);
                }
                outcome => assert!(!possible, "{outcome:?}"),
            }
            for ((semaphore, undo), start) in set.semaphores.iter().zip(&undo).zip([3, 4, 5]) {
                assert_eq!(semaphore.value + i32::from(*undo), start);
            }
        }
    }
}
