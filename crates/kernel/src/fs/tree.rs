//! Trees of names that never change, made from a list of paths: `/proc`'s own files, `/proc/sys`, `/sys`.

/// A file or a directory of a list of paths: the first `depth` names of the path in `row`. Of all rows that begin with
/// these names, the first; so equal places are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    row: u16,
    depth: u8,
}

impl Place {
    /// The directory that the paths begin in.
    pub const ROOT: Place = Place { row: 0, depth: 0 };

    /// The row whose path this is; `None` for a directory on the way to others.
    pub fn row<T>(self, rows: &[Row<T>]) -> Option<&Row<T>> {
        let row = &rows[usize::from(self.row)];
        (row.names().count() == usize::from(self.depth)).then_some(row)
    }

    /// Whether it is a directory: of the list's own, or because there are paths below it.
    pub fn is_directory<T>(self, rows: &[Row<T>]) -> bool {
        self.row(rows).is_none_or(|row| row.path.ends_with('/'))
    }

    /// What `name` is in this directory.
    pub fn lookup<T>(self, rows: &[Row<T>], name: &[u8]) -> Option<Place> {
        self.children(rows).find(|(found, _)| found.as_bytes() == name).map(|(_, place)| place)
    }

    /// The names in this directory, in the order of the list, and what they are.
    pub fn list<T>(self, rows: &[Row<T>]) -> Vec<(&'static str, Place)> {
        self.children(rows).collect()
    }

    /// A number of its own among all places of the list, from 1 on.
    pub fn number(self) -> u64 {
        (u64::from(self.row) << 4) | (u64::from(self.depth.min(14)) + 1)
    }

    fn children<T>(self, rows: &[Row<T>]) -> impl Iterator<Item = (&'static str, Place)> + '_ {
        let depth = usize::from(self.depth);
        let own = &rows[usize::from(self.row)];
        let mut seen: Vec<&'static str> = Vec::new();
        rows.iter().enumerate().filter_map(move |(index, row)| {
            let mut names = row.names();
            if !own.names().take(depth).eq(names.by_ref().take(depth)) {
                return None;
            }
            let name = names.next()?;
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            Some((name, Place { row: index as u16, depth: self.depth + 1 }))
        })
    }
}

/// A path and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Row<T> {
    /// Names with slashes between them; one behind the last: an empty directory, or one whose entries are not listed here.
    pub path: &'static str,
    /// Permissions; `None` for what only directories of the list need.
    pub mode: u32,
    /// What it is.
    pub what: T,
}

impl<T> Row<T> {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter(|name| !name.is_empty())
    }
}

/// Declares an enum of files and the list of their paths.
///
/// ```text
/// tree! { pub enum Files: ROWS { Ostype = "kernel/ostype" 0o444; } }
/// ```
macro_rules! tree {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident: $rows:ident { $($variant:ident = $path:literal $mode:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        $visibility enum $name { $($variant,)* }

        /// The paths.
        $visibility const $rows: &[$crate::fs::tree::Row<$name>] =
            &[$($crate::fs::tree::Row { path: $path, mode: $mode, what: $name::$variant },)*];
    };
}
pub(crate) use tree;

#[cfg(test)]
mod tests {
    use super::*;

    tree! {
        /// For the test.
        pub(super) enum Sample: SAMPLE {
            Alpha = "alpha" 0o444;
            Host = "kernel/hostname" 0o644;
            Empty = "kernel/empty/" 0o755;
            Max = "fs/max" 0o644;
            Uuid = "kernel/random/uuid" 0o444;
        }
    }

    fn walk(path: &str) -> Option<Place> {
        path.split('/').try_fold(Place::ROOT, |place, name| place.lookup(SAMPLE, name.as_bytes()))
    }

    #[test]
    fn names_of_a_directory_are_listed_once_in_order() {
        let names = |place: Place| place.list(SAMPLE).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(Place::ROOT), ["alpha", "kernel", "fs"]);
        assert_eq!(names(walk("kernel").unwrap()), ["hostname", "empty", "random"]);
        assert_eq!(names(walk("kernel/empty").unwrap()), [""; 0]);
    }

    #[test]
    fn a_path_leads_to_its_row_and_a_directory_to_none() {
        assert_eq!(walk("kernel/random/uuid").unwrap().row(SAMPLE).unwrap().what, Sample::Uuid);
        assert_eq!(walk("kernel/random").unwrap().row(SAMPLE).map(|row| row.what), None);
        assert!(walk("kernel/random").unwrap().is_directory(SAMPLE));
        assert!(walk("kernel/empty").unwrap().is_directory(SAMPLE));
        assert!(!walk("fs/max").unwrap().is_directory(SAMPLE));
        assert_eq!(walk("kernel/none"), None);
        assert_eq!(walk("alpha/none"), None);
    }
}
