//! The out-of-memory killer: when no frame is free and no page can go, a process has to. Linux mm/oom_kill.c.

use crate::event::Event;
use crate::kernel::Kernel;
use crate::mm::unmap::{self, Taken};
use crate::mm::{AddressSpace, Backing};
use crate::ports::Chooser;
use crate::process::Process;
use crate::signal::{self, Target};
use crate::table::Id;
use abi::signal::{SIGKILL, SigInfo};

/// The lowest `oom_score_adj`: such a process is never chosen.
const NEVER: i64 = -1000;

/// How much killing a process would free, in pages, with its wish added: Linux `oom_badness`. `None` if it must not be
/// chosen, or has no memory any more.
pub fn badness(kernel: &Kernel, process: Id<Process>) -> Option<i64> {
    let process = kernel.processes.get(process)?;
    let space = kernel.spaces.get(process.space)?;
    let adjustment = i64::from(process.attributes.oom_score_adjustment);
    if process.threads.is_empty() || adjustment == NEVER || space.is_reaped {
        return None;
    }
    let tables = space.table.table_frames();
    let points = space.resident.total() + space.swapped + tables;
    Some(points as i64 + adjustment * total_pages(kernel) / 1000)
}

/// `/proc/PID/oom_score`: badness in thousandths of memory and swap, from 0 to 2000. Linux `proc_oom_score`.
pub fn score(kernel: &Kernel, process: Id<Process>) -> i64 {
    match badness(kernel, process) {
        Some(points) => ((1000 + points * 1000 / total_pages(kernel).max(1)) * 2 / 3).max(0),
        None => 0,
    }
}

/// Pages of memory and swap.
fn total_pages(kernel: &Kernel) -> i64 {
    i64::from(kernel.memory.total()) + i64::from(kernel.mm.swap.limit())
}

/// Chooses the process with the highest badness, kills it and all that share its memory, and takes its private pages at
/// once. The handle of its address space; `None` if there is nobody to choose.
pub(crate) fn kill_somebody(kernel: &mut Kernel, chooser: &mut dyn Chooser) -> Option<Id<AddressSpace>> {
    let mut worst: Option<(i64, Id<Process>)> = None;
    for (id, _) in kernel.processes.iter() {
        if let Some(points) = badness(kernel, id)
            && worst.is_none_or(|(most, _)| points > most)
        {
            worst = Some((points, id));
        }
    }
    let (badness, victim) = worst?;
    let Process { space, pid, ref attributes, .. } = kernel.processes[victim];
    let adjustment = attributes.oom_score_adjustment;
    let here = &kernel.spaces[space];
    let event = Event::OutOfMemoryKill {
        pid,
        badness,
        resident: here.resident.total(),
        swapped: here.swapped,
        tables: here.table.table_frames(),
        adjustment,
    };
    kernel.mm.counters.out_of_memory += 1;
    kernel.emit(event);
    let users: Vec<_> =
        kernel.processes.iter().filter(|(_, process)| process.space == space).map(|(id, _)| id).collect();
    for user in users {
        signal::send(kernel, chooser, Target::Process(user), SigInfo::kernel(SIGKILL));
    }
    reap(kernel, space);
    Some(space)
}

/// Takes the private pages of a process that was killed and may sleep for a while yet. Linux `__oom_reap_task_mm`. From now
/// on nothing is brought in: a call that it is in must not see zeroes where its data was.
fn reap(kernel: &mut Kernel, space: Id<AddressSpace>) {
    kernel.spaces[space].is_reaped = true;
    let areas: Vec<_> = kernel.spaces[space]
        .areas
        .iter()
        .filter(|area| !area.shared && area.backing == Backing::Anonymous)
        .map(|area| area.start..area.end)
        .collect();
    for range in areas {
        unmap::take_entries(kernel, space, Backing::Anonymous, range, Taken::Pages);
    }
}
