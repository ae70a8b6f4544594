//! NUMA memory policy, numa(7): remembered and reported, without effect on a machine of one node.

/// A policy and its nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// `MPOL_` mode with its mode flags.
    pub mode: u32,
    /// A bit for each node; the machine has node 0 only.
    pub nodes: u64,
}
