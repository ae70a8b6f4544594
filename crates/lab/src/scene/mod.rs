//! What explanations are made from: the kernel as it stands, what was noted while it ran, who holds what open, and lines.

pub(crate) mod holders;

use crate::source::{self, GuestFiles, Location, Sources};
use crate::text;
use crate::verdict::{Deed, Ending, Object, Person};
use crate::witness::{Site, Witness};
use holders::Holders;
use kernel::Kernel;
use kernel::ports::Outside;
use kernel::process::{Process, Thread};
use kernel::table::Id;
use std::rc::Rc;

/// What an explanation is made from.
pub(crate) struct Scene<'a> {
    /// The machine as it stands.
    pub(crate) kernel: &'a Kernel,
    /// What was noted while it ran.
    pub(crate) witness: &'a Witness,
    outside: &'a mut dyn Outside,
    sources: Sources,
    /// Who has which end of what open.
    pub(crate) holders: Holders,
}

impl<'a> Scene<'a> {
    /// For one explanation.
    pub(crate) fn new(kernel: &'a Kernel, witness: &'a Witness, outside: &'a mut dyn Outside) -> Scene<'a> {
        Scene { kernel, witness, outside, sources: Sources::default(), holders: Holders::of(kernel) }
    }

    /// The calls that a thread is in, the innermost first.
    pub(crate) fn backtrace(&mut self, thread: Id<Thread>) -> Vec<Location> {
        let mut files = GuestFiles { kernel: self.kernel, outside: self.outside };
        self.sources.backtrace(&mut files, thread)
    }

    /// The line that the programmer wrote.
    pub(crate) fn place(&mut self, site: &Site) -> Option<Location> {
        let mut files = GuestFiles { kernel: self.kernel, outside: self.outside };
        let stack = self.sources.stack(&mut files, &site.code, site, site.frame);
        source::own_frame(&stack).cloned()
    }

    /// A call somebody made.
    pub(crate) fn deed(&mut self, site: &Rc<Site>) -> Deed {
        let place = self.place(site);
        Deed { by: self.person(site.process), call: text::call_name(site.call), place, at_ns: site.at.0 }
    }

    /// A process as reports name it.
    pub(crate) fn person(&self, id: Id<Process>) -> Person {
        let life = self.witness.life(id);
        if let Some(process) = self.kernel.processes.get(id) {
            let leader = process.threads.first().and_then(|thread| self.kernel.threads.get(*thread));
            let name = leader.map_or(&process.name, |leader| &leader.name);
            // comm has 15 bytes at most, prctl(2): the program's whole name says more, unless it calls itself otherwise.
            let program = life.map(|life| &life.name).filter(|program| program.starts_with(name));
            let name = program.unwrap_or(name);
            let at_ns = life.and_then(|life| life.ended).map_or(0, |(_, at)| at.0);
            let ending = process.exit_status.map(|status| Ending { status, at_ns });
            return Person { pid: process.pid, name: text::printable(name), ending };
        }
        match life {
            Some(life) => Person {
                pid: life.pid,
                name: text::printable(&life.name),
                ending: life.ended.map(|(status, at)| Ending { status, at_ns: at.0 }),
            },
            None => Person { pid: 0, name: "a process that is gone".to_string(), ending: None },
        }
    }

    /// A process by its number, dead or alive.
    pub(crate) fn person_numbered(&self, pid: i32) -> Option<Person> {
        let id = self.kernel.pids.processes.get(&pid).copied().or_else(|| self.witness.process_of(pid))?;
        Some(self.person(id))
    }

    /// An object with the line at which it was made.
    pub(crate) fn object(&mut self, name: String, made: Option<Rc<Site>>) -> Object {
        Object { name, made: made.map(|site| self.deed(&site)) }
    }
}
