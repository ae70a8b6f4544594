//! Those who wait at an object and are served by whoever changes it.

use std::collections::BTreeMap;

/// A place in a [`Line`]: the lowest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    rank: i32,
    number: u64,
}

/// A line of those who wait: by rank, and first come first served among equals. Whoever leaves from its middle, because a
/// signal came or the time was over, costs no more than who leaves its head.
#[derive(Clone, Debug)]
pub struct Line<T> {
    places: BTreeMap<Ticket, T>,
    next: u64,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line { places: BTreeMap::new(), next: 0 }
    }
}

impl<T> Line<T> {
    /// Adds one behind all of the same rank.
    pub fn join(&mut self, rank: i32, who: T) -> Ticket {
        let ticket = Ticket { rank, number: self.next };
        self.next += 1;
        self.places.insert(ticket, who);
        ticket
    }

    /// Takes one out, if he is still there.
    pub fn leave(&mut self, ticket: Ticket) -> Option<T> {
        self.places.remove(&ticket)
    }

    /// Takes out who is first.
    pub fn pop(&mut self) -> Option<T> {
        self.places.pop_first().map(|(_, who)| who)
    }

    /// One who is there.
    pub fn get(&self, ticket: Ticket) -> Option<&T> {
        self.places.get(&ticket)
    }

    /// One who is there.
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        self.places.get_mut(&ticket)
    }

    /// All, first to last.
    pub fn iter(&self) -> impl Iterator<Item = (Ticket, &T)> {
        self.places.iter().map(|(ticket, who)| (*ticket, who))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_before_arrival_and_who_leaves_is_skipped() {
        let mut line = Line::default();
        let first = line.join(120, 'a');
        line.join(120, 'b');
        line.join(100, 'c');
        let last = line.join(120, 'd');
        assert_eq!(line.iter().map(|(_, who)| *who).collect::<String>(), "cabd");
        assert_eq!(line.leave(first), Some('a'));
        assert_eq!(line.leave(first), None);
        assert_eq!((line.pop(), line.pop(), line.get(last)), (Some('c'), Some('b'), Some(&'d')));
        assert_eq!((line.len(), line.is_empty()), (1, false));
    }
}
