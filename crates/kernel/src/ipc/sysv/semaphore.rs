//! Semaphore sets, semop(2): lists of operations that take effect together or not at all. Linux's ipc/sem.c.
//!
//! Whoever changes a set also completes the waiting lists that have become possible, in the order in which they came
//! ([`serve_waiting`]), so that nobody who comes later can take what they wait for.

use super::SEMAPHORE_MAXIMUM;
use super::registry::{self, Identifier};
use crate::clock::Instant;
use crate::entry::{self, Call};
use crate::process::{Process, Thread};
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::ipc::{IPC_NOWAIT, SEM_UNDO, SemaphoreOperation};
use abi::{Errno, Error};
use std::collections::BTreeMap;

/// A set.
#[derive(Clone, Debug, Default)]
pub struct SemaphoreSet {
    /// Its semaphores.
    pub semaphores: Vec<Semaphore>,
    /// When it was last operated on, in seconds since 1970; 0: never.
    pub operated: i64,
    waiting: Vec<Waiting>,
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
    operations: Vec<SemaphoreOperation>,
    /// The operation that cannot be done.
    obstacle: usize,
}

/// What a list of operations changes, if it can take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It can: the values afterwards, and the adjustments at exit.
    Possible { values: Vec<(u16, i32)>, adjustments: Vec<(u16, i16)> },
    /// The operation at this index cannot be done now.
    Impossible(usize),
}

/// What to add to semaphores when a process ends, by process and set.
pub type Undo = BTreeMap<(Id<Process>, Identifier), Vec<i16>>;

impl SemaphoreSet {
    /// A set of semaphores with the value 0.
    pub fn new(count: usize) -> SemaphoreSet {
        SemaphoreSet { semaphores: vec![Semaphore::default(); count], operated: 0, waiting: Vec::new() }
    }

    /// Tries a list of operations, each seeing what those before it did: perform_atomic_semop().
    ///
    /// # Errors
    /// `ERANGE` if a value or an adjustment would leave its range.
    fn attempt(&self, operations: &[SemaphoreOperation], undo: &[i16]) -> Result<Outcome, Error> {
        let mut values: Vec<(u16, i32)> = Vec::with_capacity(operations.len());
        let mut adjustments: Vec<(u16, i16)> = Vec::new();
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
        Ok(Outcome::Possible { values, adjustments })
    }

    /// Puts an outcome into effect.
    fn apply(&mut self, values: &[(u16, i32)], pid: i32, now: i64) {
        for (number, value) in values {
            self.semaphores[usize::from(*number)] = Semaphore { value: *value, last: pid };
        }
        self.operated = now;
    }

    /// How many lists wait at an operation on a semaphore: to become 0, or to grow.
    pub fn count_waiting(&self, number: u16, for_zero: bool) -> usize {
        let obstacle = |waiting: &Waiting| waiting.operations[waiting.obstacle];
        self.waiting
            .iter()
            .filter(|waiting| obstacle(waiting).number == number && (obstacle(waiting).change == 0) == for_zero)
            .count()
    }
}

/// semop(2) and semtimedop(2) while they cannot take effect.
#[derive(Clone, Debug)]
pub struct SemaphoreWait {
    /// The set.
    pub id: Identifier,
    /// The operations; those of a list that waits are in the set.
    pub operations: Vec<SemaphoreOperation>,
    /// Until when to wait.
    pub deadline: Option<Instant>,
    /// Whether the list is among those that wait.
    pub is_listed: bool,
}

impl Blocking for SemaphoreWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if !self.is_listed {
            match operate(call, self.id, &self.operations)? {
                None => return Ok(Step::Done(0)),
                Some(obstacle) => self.list(call, obstacle)?,
            }
        } else if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::EAGAIN.because("the time is over, and the operations were not possible"));
        }
        Ok(Step::Block(Wait::on(WaitKey::Semaphores(self.id)).with_deadline(self.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        // "never restarted after being interrupted by a signal handler", signal(7).
        Interrupted::Never
    }

    fn release(&mut self, call: &mut Call) {
        let thread = call.thread;
        if self.is_listed
            && let Ok(entry) = call.kernel.system_v.semaphores.get_mut(self.id)
        {
            entry.object.waiting.retain(|waiting| waiting.thread != thread);
        }
    }
}

impl SemaphoreWait {
    fn list(&mut self, call: &mut Call, obstacle: usize) -> Result<(), Error> {
        let waiting = Waiting { thread: call.thread, operations: std::mem::take(&mut self.operations), obstacle };
        call.kernel.system_v.semaphores.get_mut(self.id)?.object.waiting.push(waiting);
        self.is_listed = true;
        Ok(())
    }
}

/// Puts a list of operations into effect for the caller, and then those that wait and have become possible. Gives the
/// index of the operation that cannot be done now, if there is one and it may be waited for.
///
/// # Errors
/// `EAGAIN` if it may not, `ERANGE`.
fn operate(call: &mut Call, id: Identifier, operations: &[SemaphoreOperation]) -> Result<Option<usize>, Error> {
    let (process, now) = (call.process_id(), registry::now(call));
    let pid = call.kernel.processes[process].pid;
    let system_v = &mut call.kernel.system_v;
    let undo = system_v.undo.get(&(process, id)).map_or(&[][..], |undo| &undo[..]);
    let set = &mut system_v.semaphores.get_mut(id)?.object;
    match set.attempt(operations, undo)? {
        Outcome::Impossible(obstacle) if i32::from(operations[obstacle].flags) & IPC_NOWAIT != 0 => {
            Err(Errno::EAGAIN.because("the operation is not possible now, and `IPC_NOWAIT` is set"))
        }
        Outcome::Impossible(obstacle) => Ok(Some(obstacle)),
        Outcome::Possible { values, adjustments } => {
            set.apply(&values, pid, now);
            let count = set.semaphores.len();
            remember(&mut system_v.undo, process, id, count, &adjustments);
            if operations.iter().any(|operation| operation.change != 0) {
                serve_waiting(call, id);
            }
            Ok(None)
        }
    }
}

fn remember(undo: &mut Undo, process: Id<Process>, id: Identifier, count: usize, adjustments: &[(u16, i16)]) {
    if adjustments.is_empty() {
        return;
    }
    let own = undo.entry((process, id)).or_insert_with(|| vec![0; count]);
    for (number, change) in adjustments {
        own[usize::from(*number)] = *change;
    }
}

/// Completes the lists that have become possible, again and again until none is: first those that only wait for 0, then
/// those that change something, each in the order in which they came; do_smart_update().
pub(super) fn serve_waiting(call: &mut Call, id: Identifier) {
    while let Some((index, result)) = next_possible(call, id) {
        let Ok(entry) = call.kernel.system_v.semaphores.get_mut(id) else { return };
        let waiting = entry.object.waiting.remove(index);
        let process = call.kernel.threads[waiting.thread].process;
        let pid = call.kernel.processes[process].pid;
        let now = registry::now(call);
        let result = result.map(|(values, adjustments)| {
            let system_v = &mut call.kernel.system_v;
            if let Ok(entry) = system_v.semaphores.get_mut(id) {
                entry.object.apply(&values, pid, now);
                let count = entry.object.semaphores.len();
                remember(&mut system_v.undo, process, id, count, &adjustments);
            }
            0
        });
        entry::complete(call, waiting.thread, result);
    }
}

/// New values of semaphores, and new adjustments at exit.
type Changes = (Vec<(u16, i32)>, Vec<(u16, i16)>);

/// The first waiting list that is possible or has failed, and what it gives.
fn next_possible(call: &mut Call, id: Identifier) -> Option<(usize, Result<Changes, Error>)> {
    let kernel = &mut *call.kernel;
    let system_v = &mut kernel.system_v;
    let entry = system_v.semaphores.get_mut(id).ok()?;
    for changes in [false, true] {
        for index in 0..entry.object.waiting.len() {
            let waiting = &entry.object.waiting[index];
            if waiting.operations.iter().any(|operation| operation.change != 0) != changes {
                continue;
            }
            // Most waiting lists fail where they failed before.
            let obstacle = waiting.operations[waiting.obstacle];
            let value = entry.object.semaphores[usize::from(obstacle.number)].value;
            let still_impossible = value + i32::from(obstacle.change) < 0 || obstacle.change == 0 && value != 0;
            if still_impossible && waiting.obstacle == 0 {
                continue;
            }
            let process = kernel.threads[waiting.thread].process;
            let undo = system_v.undo.get(&(process, id)).map_or(&[][..], |undo| &undo[..]);
            match entry.object.attempt(&waiting.operations, undo) {
                Ok(Outcome::Possible { values, adjustments }) => return Some((index, Ok((values, adjustments)))),
                Ok(Outcome::Impossible(at)) if i32::from(waiting.operations[at].flags) & IPC_NOWAIT != 0 => {
                    let error = Errno::EAGAIN.because("the operation is not possible, and `IPC_NOWAIT` is set");
                    return Some((index, Err(error)));
                }
                Ok(Outcome::Impossible(at)) => entry.object.waiting[index].obstacle = at,
                Err(error) => return Some((index, Err(error))),
            }
        }
    }
    None
}

/// Removes a set: who waits gets `EIDRM`, and nothing of it is undone any more.
pub(super) fn remove(call: &mut Call, id: Identifier) {
    let Some(entry) = call.kernel.system_v.semaphores.remove(id) else { return };
    call.kernel.system_v.undo.retain(|(_, set), _| *set != id);
    for waiting in entry.object.waiting {
        entry::complete(call, waiting.thread, Err(Errno::EIDRM.because("the semaphore set was removed")));
    }
}

/// Forgets what exits would undo of some semaphores: their values were set, semctl(2) `SETVAL`.
pub(super) fn forget_undo(undo: &mut Undo, id: Identifier, numbers: std::ops::Range<usize>) {
    for ((_, set), adjustments) in undo.iter_mut() {
        if *set == id {
            adjustments[numbers.clone()].fill(0);
        }
    }
}

/// Undoes what an ending process did under `SEM_UNDO`: exit_sem(). A value that would leave its range stops at its end.
pub(crate) fn process_ended(call: &mut Call, process: Id<Process>) {
    if call.kernel.system_v.undo.is_empty() {
        return;
    }
    let own: Vec<Identifier> =
        call.kernel.system_v.undo.keys().filter(|(of, _)| *of == process).map(|(_, id)| *id).collect();
    let pid = call.kernel.processes[process].pid;
    let now = registry::now(call);
    for id in own {
        let Some(adjustments) = call.kernel.system_v.undo.remove(&(process, id)) else { continue };
        let Ok(entry) = call.kernel.system_v.semaphores.get_mut(id) else { continue };
        for (semaphore, change) in entry.object.semaphores.iter_mut().zip(adjustments) {
            if change != 0 {
                let value = (semaphore.value + i32::from(change)).clamp(0, SEMAPHORE_MAXIMUM);
                *semaphore = Semaphore { value, last: pid };
            }
        }
        entry.object.operated = now;
        serve_waiting(call, id);
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
        let Ok(Outcome::Possible { values, .. }) = set.attempt(&exchange, &[]) else { panic!("it is possible") };
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
                Ok(Outcome::Possible { values, adjustments }) => {
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
