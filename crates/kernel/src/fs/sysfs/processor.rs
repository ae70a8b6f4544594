//! `/sys/devices/system/cpu/cpuN`: topology and caches, as the guest's `cpuid` leaves 4 and 0Bh tell them: one package,
//! one thread a core.

use crate::fs::tree::tree;

tree! {
    /// A file of one processor.
    pub(crate) enum ProcessorFile: PROCESSOR {
        Cache0 = "cache/index0/" 0o755;
        Cache1 = "cache/index1/" 0o755;
        Cache2 = "cache/index2/" 0o755;
        Cache3 = "cache/index3/" 0o755;
        ClusterCpus = "topology/cluster_cpus" 0o444;
        ClusterCpusList = "topology/cluster_cpus_list" 0o444;
        ClusterId = "topology/cluster_id" 0o444;
        CoreCpus = "topology/core_cpus" 0o444;
        CoreCpusList = "topology/core_cpus_list" 0o444;
        CoreId = "topology/core_id" 0o444;
        CoreSiblings = "topology/core_siblings" 0o444;
        CoreSiblingsList = "topology/core_siblings_list" 0o444;
        DieCpus = "topology/die_cpus" 0o444;
        DieCpusList = "topology/die_cpus_list" 0o444;
        DieId = "topology/die_id" 0o444;
        PackageCpus = "topology/package_cpus" 0o444;
        PackageCpusList = "topology/package_cpus_list" 0o444;
        PackageId = "topology/physical_package_id" 0o444;
        ThreadSiblings = "topology/thread_siblings" 0o444;
        ThreadSiblingsList = "topology/thread_siblings_list" 0o444;
    }
}

tree! {
    /// A file of one cache.
    pub(crate) enum CacheFile: CACHE {
        LineSize = "coherency_line_size" 0o444;
        Id = "id" 0o444;
        Level = "level" 0o444;
        Sets = "number_of_sets" 0o444;
        Partition = "physical_line_partition" 0o444;
        SharedList = "shared_cpu_list" 0o444;
        SharedMap = "shared_cpu_map" 0o444;
        Size = "size" 0o444;
        Type = "type" 0o444;
        Ways = "ways_of_associativity" 0o444;
    }
}

impl ProcessorFile {
    /// Which cache's directory it is.
    pub(crate) fn cache_index(self) -> Option<u32> {
        match self {
            ProcessorFile::Cache0 => Some(0),
            ProcessorFile::Cache1 => Some(1),
            ProcessorFile::Cache2 => Some(2),
            ProcessorFile::Cache3 => Some(3),
            _ => None,
        }
    }
}

/// Type, level, ways, sets; lines have 64 bytes. The third level is shared by all.
const CACHES: [(&str, u32, u32, u32); 4] =
    [("Data", 1, 8, 64), ("Instruction", 1, 8, 64), ("Unified", 2, 8, 512), ("Unified", 3, 16, 8192)];

/// The text of a file of processor `number`; `None` for a directory.
pub(crate) fn text(processors: u32, number: u32, file: ProcessorFile) -> Option<String> {
    let own = || mask_of(number, number + 1, processors);
    let all = || mask_of(0, processors, processors);
    let text = match file {
        ProcessorFile::Cache0 | ProcessorFile::Cache1 | ProcessorFile::Cache2 | ProcessorFile::Cache3 => return None,
        ProcessorFile::ClusterId => "65535".to_string(),
        ProcessorFile::CoreId => number.to_string(),
        ProcessorFile::DieId | ProcessorFile::PackageId => "0".to_string(),
        ProcessorFile::ClusterCpus | ProcessorFile::CoreCpus | ProcessorFile::ThreadSiblings => own(),
        ProcessorFile::ClusterCpusList | ProcessorFile::CoreCpusList | ProcessorFile::ThreadSiblingsList => {
            number.to_string()
        }
        ProcessorFile::CoreSiblings | ProcessorFile::DieCpus | ProcessorFile::PackageCpus => all(),
        ProcessorFile::CoreSiblingsList | ProcessorFile::DieCpusList | ProcessorFile::PackageCpusList => {
            list_of(0, processors)
        }
    };
    Some(text + "\n")
}

/// The text of a file of a processor's cache.
pub(crate) fn cache_text(processors: u32, number: u32, index: u32, file: CacheFile) -> String {
    let (kind, level, ways, sets) = CACHES[index as usize];
    let (first, end) = if level == 3 { (0, processors) } else { (number, number + 1) };
    let text = match file {
        CacheFile::LineSize => "64".to_string(),
        CacheFile::Id => first.to_string(),
        CacheFile::Level => level.to_string(),
        CacheFile::Sets => sets.to_string(),
        CacheFile::Partition => "1".to_string(),
        CacheFile::SharedList => list_of(first, end),
        CacheFile::SharedMap => mask_of(first, end, processors),
        CacheFile::Size => format!("{}K", ways * sets * 64 / 1024),
        CacheFile::Type => kind.to_string(),
        CacheFile::Ways => ways.to_string(),
    };
    text + "\n"
}

/// Processors `first` to `end` without it as a list: `0-3`, cpuset(7) "List format".
pub(crate) fn list_of(first: u32, end: u32) -> String {
    match end.saturating_sub(first) {
        0 => String::new(),
        1 => first.to_string(),
        _ => format!("{first}-{}", end - 1),
    }
}

/// The same as a mask: words of 32 bits in hexadecimal with commas, cpuset(7) "Mask format"; as wide as all processors
/// need.
pub(crate) fn mask_of(first: u32, end: u32, processors: u32) -> String {
    let words = processors.max(1).div_ceil(32);
    let digits = if words > 1 { 8 } else { (processors.max(1).div_ceil(4)) as usize };
    let word = |index: u32| {
        let bits = (0..32).filter(|bit| (first..end).contains(&(index * 32 + bit)));
        bits.fold(0_u32, |mask, bit| mask | 1 << bit)
    };
    let texts: Vec<String> = (0..words).rev().map(|index| format!("{:0digits$x}", word(index))).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks_name_the_same_processors() {
        assert_eq!((list_of(0, 1).as_str(), mask_of(0, 1, 1).as_str()), ("0", "1"));
        assert_eq!((list_of(0, 4).as_str(), mask_of(0, 4, 4).as_str()), ("0-3", "f"));
        assert_eq!(mask_of(3, 4, 6), "08");
        assert_eq!(mask_of(32, 34, 40), "00000003,00000000");
    }

    #[test]
    fn caches_have_the_sizes_of_cpuid_leaf_4() {
        assert_eq!(cache_text(2, 1, 0, CacheFile::Size), "32K\n");
        assert_eq!(cache_text(2, 1, 2, CacheFile::Size), "256K\n");
        assert_eq!(cache_text(2, 1, 3, CacheFile::Size), "8192K\n");
        assert_eq!(cache_text(2, 1, 0, CacheFile::SharedList), "1\n");
        assert_eq!(cache_text(2, 1, 3, CacheFile::SharedList), "0-1\n");
    }
}
