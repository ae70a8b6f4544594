//! NUMA memory policy, numa(7): checked, remembered and reported, without effect on a machine of one node.

use crate::entry::Call;
use crate::mm::AddressSpace;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::mman::*;
use abi::{Errno, Error};
use machine::Access;

/// A policy and its nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// `MPOL_` mode with its mode flags.
    pub mode: u32,
    /// A bit for each node; the machine has node 0 only.
    pub nodes: u64,
}

/// The nodes that there are, a bit each.
const NODES: u64 = 1;
/// Bits in Linux's node masks, `MAX_NUMNODES` as distributions configure it.
const MASK_BITS: u64 = 1024;

/// Reads a mask of nodes. Linux `get_nodes`.
fn read_nodes(call: &mut Call, mask: UserPtr<u64>, bits: u64) -> Result<u64, Error> {
    let bits = bits.wrapping_sub(1);
    if bits == 0 || mask.is_null() {
        return Ok(0);
    }
    if bits > call.kernel.page_size().bytes() * 8 {
        return Err(Errno::EINVAL.because("`maxnode` is too large"));
    }
    let words = call.read_array(mask, bits.div_ceil(64) as usize)?;
    let mut first = 0;
    for (index, word) in words.into_iter().enumerate() {
        let known = (bits - index as u64 * 64).min(64);
        let word = if known == 64 { word } else { word & ((1 << known) - 1) };
        if index == 0 {
            first = word;
        } else if word != 0 && index as u64 >= MASK_BITS / 64 {
            return Err(Errno::EINVAL.because("the mask names nodes that no machine has"));
        }
    }
    Ok(first)
}

/// A policy, if mode and nodes fit together. Linux `mpol_new`, `mpol_set_nodemask`.
fn policy_of(mode: u32, nodes: u64) -> Result<Policy, Error> {
    let mode_flags = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING);
    let kind = mode & !mode_flags;
    let invalid = |why| Err(Errno::EINVAL.because(why));
    if kind > MPOL_WEIGHTED_INTERLEAVE {
        return invalid("there is no such mode");
    }
    if mode_flags & MPOL_F_STATIC_NODES != 0 && mode_flags & MPOL_F_RELATIVE_NODES != 0 {
        return invalid("`MPOL_F_STATIC_NODES` and `MPOL_F_RELATIVE_NODES` exclude each other");
    }
    if mode_flags & MPOL_F_NUMA_BALANCING != 0 && kind != MPOL_BIND {
        return invalid("`MPOL_F_NUMA_BALANCING` goes with `MPOL_BIND` only");
    }
    match kind {
        MPOL_DEFAULT if nodes != 0 => invalid("`MPOL_DEFAULT` takes no nodes"),
        MPOL_DEFAULT => Ok(Policy::default()),
        MPOL_PREFERRED if nodes == 0 && mode_flags != 0 => invalid("mode flags need nodes"),
        MPOL_PREFERRED if nodes == 0 => Ok(Policy { mode: MPOL_LOCAL, nodes: 0 }),
        MPOL_LOCAL if nodes != 0 || mode_flags != 0 => invalid("`MPOL_LOCAL` takes neither nodes nor flags"),
        MPOL_LOCAL => Ok(Policy { mode, nodes: 0 }),
        _ if nodes & NODES == 0 => invalid("the mask names no node of this machine"),
        _ => Ok(Policy { mode, nodes: nodes & NODES }),
    }
}

/// get_mempolicy(2).
pub fn get_mempolicy(
    call: &mut Call,
    mode: UserPtr<i32>,
    mask: UserPtr<u64>,
    bits: u64,
    address: u64,
    flags: u32,
) -> SysResult {
    let invalid = |why| Err(Errno::EINVAL.because(why));
    if flags & !(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) != 0 {
        return invalid("`flags` has an unknown bit");
    }
    if !mask.is_null() && bits < 1 {
        return invalid("`maxnode` is smaller than the number of nodes");
    }
    let (found, nodes) = if flags & MPOL_F_MEMS_ALLOWED != 0 {
        if flags & (MPOL_F_NODE | MPOL_F_ADDR) != 0 {
            return invalid("`MPOL_F_MEMS_ALLOWED` goes with no other flag");
        }
        (0, NODES)
    } else {
        let space = call.space();
        let own = call.current().memory_policy;
        let policy = if flags & MPOL_F_ADDR != 0 {
            let area = call.kernel.spaces[space].areas.containing(address);
            let area = area.ok_or(Errno::EFAULT.because("nothing is mapped at `addr`"))?;
            area.policy
        } else if address != 0 {
            return invalid("`addr` is given without `MPOL_F_ADDR`");
        } else {
            own
        };
        match (flags & MPOL_F_NODE != 0, flags & MPOL_F_ADDR != 0) {
            (true, true) => {
                call.resolve(address, Access::Read)?;
                (0, policy.nodes)
            }
            (true, false) if policy.mode & 0xff != MPOL_INTERLEAVE => {
                return invalid("`MPOL_F_NODE` without `MPOL_F_ADDR` asks for the next node of `MPOL_INTERLEAVE`");
            }
            (true, false) => (0, policy.nodes),
            (false, _) => (policy.mode as i32, policy.nodes),
        }
    };
    call.write_if_given(mode, &found)?;
    if !mask.is_null() {
        let bytes = (bits.wrapping_sub(1).div_ceil(64) * 8) as usize;
        if bytes as u64 > call.kernel.page_size().bytes() {
            return invalid("`maxnode` is too large");
        }
        let mut words = vec![0; bytes];
        if let Some(first) = words.first_mut() {
            *first = nodes as u8;
        }
        call.copy_out(mask.address(), &words)?;
    }
    Flow::OK
}

/// set_mempolicy(2).
pub fn set_mempolicy(call: &mut Call, mode: u32, mask: UserPtr<u64>, bits: u64) -> SysResult {
    let nodes = read_nodes(call, mask, bits)?;
    call.current().memory_policy = policy_of(mode, nodes)?;
    Flow::OK
}

/// mbind(2).
pub fn mbind(
    call: &mut Call,
    address: u64,
    length: u64,
    mode: u32,
    mask: UserPtr<u64>,
    bits: u64,
    flags: u32,
) -> SysResult {
    let nodes = read_nodes(call, mask, bits)?;
    if flags & !(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.because("`flags` has an unknown bit"));
    }
    if flags & MPOL_MF_MOVE_ALL != 0 && !call.has_capability(abi::resource::CAP_SYS_NICE) {
        return Err(Errno::EPERM.because("`MPOL_MF_MOVE_ALL` needs `CAP_SYS_NICE`"));
    }
    if !call.kernel.page_size().divides(address) {
        return Err(Errno::EINVAL.because("`addr` is not a multiple of the page size"));
    }
    let wraps = Errno::EINVAL.because("the range wraps around");
    let end = call.kernel.page_size().round_up(length).and_then(|length| address.checked_add(length)).ok_or(wraps)?;
    if end == address {
        return Flow::OK;
    }
    let policy = policy_of(mode, nodes)?;
    let space: Id<AddressSpace> = call.space();
    let areas = &mut call.kernel.spaces[space].areas;
    if !areas.covers(address..end) {
        return Err(Errno::EFAULT.because("part of the range is not mapped"));
    }
    areas.change(address..end, |area| area.policy = policy);
    Flow::OK
}

/// migrate_pages(2): all pages are on the one node already; none failed to move.
pub fn migrate_pages(call: &mut Call, pid: i32, bits: u64, old: UserPtr<u64>, new: UserPtr<u64>) -> SysResult {
    read_nodes(call, old, bits)?;
    let to = read_nodes(call, new, bits)?;
    super::peer::process_for_access(call, pid)?;
    if to & NODES == 0 {
        return Err(Errno::EINVAL.because("no new node exists"));
    }
    Flow::OK
}

/// move_pages(2).
pub fn move_pages(
    call: &mut Call,
    pid: i32,
    count: u64,
    pages: UserPtr<u64>,
    nodes: UserPtr<i32>,
    status: UserPtr<i32>,
    flags: u32,
) -> SysResult {
    if flags & !(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.because("`flags` has an unknown bit"));
    }
    if flags & MPOL_MF_MOVE_ALL != 0 && !call.has_capability(abi::resource::CAP_SYS_NICE) {
        return Err(Errno::EPERM.because("`MPOL_MF_MOVE_ALL` needs `CAP_SYS_NICE`"));
    }
    let space = super::peer::process_for_access(call, pid)?;
    for index in 0..count {
        let page: u64 = call.read(UserPtr::new(pages.address().wrapping_add(index.wrapping_mul(8))))?;
        if !nodes.is_null() {
            let node: i32 = call.read(UserPtr::new(nodes.address().wrapping_add(index.wrapping_mul(4))))?;
            if node != 0 {
                return Err(Errno::ENODEV.because("there is no such node"));
            }
        }
        let kernel = &*call.kernel;
        let here = &kernel.spaces[space];
        let found = if here.areas.containing(page).is_none() {
            -i32::from(Errno::EFAULT.0)
        } else if here.is_resident(&kernel.memory, page) {
            0
        } else {
            -i32::from(Errno::ENOENT.0)
        };
        call.write(UserPtr::new(status.address().wrapping_add(index.wrapping_mul(4))), &found)?;
    }
    Flow::OK
}
