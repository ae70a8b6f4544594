//! Translated code kept from one run of a program for the next.

use std::path::PathBuf;
use system::code_cache::{CodeCache, EntryName, Places};
use x86::X86Processor;

/// The share of the blocks that has to be new for the entry to be written again.
const NEWS: u64 = 32;

/// Where a run's translated code comes from and goes to.
#[derive(Debug)]
pub(crate) struct KeptCode {
    cache: CodeCache,
    name: EntryName,
}

impl KeptCode {
    /// Gives a processor what earlier runs of the program translated. `None` if nothing is to be kept: the user said so,
    /// or has no directory that is theirs alone.
    pub(crate) fn find(program: &[u8], processor: &mut X86Processor) -> Option<KeptCode> {
        let places = places(|name| std::env::var_os(name))?;
        let name = EntryName::new(program, &processor.identity())?;
        let cache = CodeCache::open(&places).ok()?;
        if let Some(image) = cache.load(&name) {
            // An image that does not fit is as good as none.
            _ = processor.restore(&image);
        }
        Some(KeptCode { cache, name })
    }

    /// Saves what the processor translated, if that is more than a little.
    pub(crate) fn renew(&self, processor: &X86Processor) {
        let statistics = processor.statistics();
        if statistics.blocks * NEWS > statistics.restored {
            // A full disk is no reason to complain: the run is over and went well.
            _ = self.cache.store(&self.name, &processor.save());
        }
    }
}

/// The directories of cache and key: XDG Base Directory Specification 0.8.
fn places(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<Places> {
    if variable("BELLJAR_CACHE").is_some_and(|value| value == "off") {
        return None;
    }
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("HOME");
    let directory = |name: &str, below_home: &str| {
        let base = absolute(name).or_else(|| home.as_ref().map(|home| home.join(below_home)))?;
        Some(base.join("belljar"))
    };
    Some(Places { entries: directory("XDG_CACHE_HOME", ".cache")?, key: directory("XDG_STATE_HOME", ".local/state")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(environment: &[(&str, &str)]) -> Option<Places> {
        places(|name| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn directories_are_those_of_the_specification() {
        let expected = |entries: &str, key: &str| Some(Places { entries: entries.into(), key: key.into() });
        assert_eq!(found(&[("HOME", "/h")]), expected("/h/.cache/belljar", "/h/.local/state/belljar"));
        let all = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(found(&all), expected("/c/belljar", "/s/belljar"));
        assert_eq!(found(&[("XDG_CACHE_HOME", "relative"), ("XDG_STATE_HOME", "/s")]), None);
        assert_eq!(found(&[("HOME", "/h"), ("BELLJAR_CACHE", "off")]), None);
    }
}
