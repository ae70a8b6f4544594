//! Address spaces in use: faults, counts, files that shrink, memory that runs out. After every step all is recounted.

use super::*;
use crate::entry::Call;
use crate::event::FaultKind;
use crate::fs::Fd;
use crate::fs::path::Follow;
use crate::testing::Bench;
use abi::fcntl::{O_RDONLY, O_RDWR};
use abi::mman::*;
use fault::fill;
use machine::Access;

const PAGE: u64 = 4096;
const RW: u32 = PROT_READ | PROT_WRITE;

pub(super) fn map_anonymous(call: &mut Call, space: Id<AddressSpace>, address: u64, pages: u64, flags: u32) -> u64 {
    let flags = flags | if address == 0 { 0 } else { MAP_FIXED };
    let request = Request { address, length: pages * PAGE, protection: RW, flags, source: Source::Anonymous };
    map::map(call, space, request).expect("the mapping is allowed")
}

pub(super) fn open(call: &mut Call, path: &str, flags: u32) -> (Id<crate::fs::FileDescription>, Id<crate::fs::Inode>) {
    let file = crate::fs::open::open_file(call, Fd::WORKING_DIRECTORY, path.as_bytes(), flags, 0).unwrap();
    let node = crate::fs::path::resolve(call, Fd::WORKING_DIRECTORY, path.as_bytes(), Follow::Yes).unwrap();
    (file, call.kernel.vfs.nodes[node].inode)
}

pub(super) fn map_file(
    call: &mut Call,
    path: &str,
    protection: u32,
    flags: u32,
    pages: u64,
) -> (u64, Id<crate::fs::Inode>) {
    let (file, inode) = open(call, path, if flags & MAP_SHARED != 0 { O_RDWR } else { O_RDONLY });
    let source = Source::File { file, offset: 0 };
    let request = Request { address: 0, length: pages * PAGE, protection, flags, source };
    let space = call.space();
    let at = map::map(call, space, request).unwrap();
    call.release_file(file);
    (at, inode)
}

pub(super) fn read(call: &mut Call, space: Id<AddressSpace>, address: u64) -> Result<u8, ()> {
    let mut byte = [0];
    call.copy_in_from(space, address, &mut byte).map(|()| byte[0]).map_err(|_| ())
}

pub(super) fn write(call: &mut Call, space: Id<AddressSpace>, address: u64, byte: u8) -> Result<(), ()> {
    call.copy_out_to(space, address, &[byte]).map_err(|_| ())
}

fn frame(call: &Call, space: Id<AddressSpace>, address: u64) -> machine::FrameNumber {
    call.kernel.spaces[space].table.entry(&call.kernel.memory, address).frame()
}

pub(super) fn recount(call: &Call) {
    check::check(call.kernel).unwrap();
}

#[test]
fn a_read_gets_the_shared_page_of_zeroes_and_a_write_a_page_of_its_own() {
    let mut bench = Bench::new(256, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let at = map_anonymous(call, space, 0, 4, MAP_PRIVATE);
    assert_eq!(fill(call, space, at, Access::Read), Ok(FaultKind::ZeroPage));
    assert_eq!(fill(call, space, at + PAGE, Access::Read), Ok(FaultKind::ZeroPage));
    assert_eq!(frame(call, space, at), frame(call, space, at + PAGE));
    assert_eq!(call.kernel.spaces[space].resident.total(), 0);
    recount(call);
    assert_eq!(fill(call, space, at, Access::Write), Ok(FaultKind::ZeroFill));
    assert_eq!(fill(call, space, at + 2 * PAGE, Access::Write), Ok(FaultKind::ZeroFill));
    assert_ne!(frame(call, space, at), frame(call, space, at + PAGE));
    assert_eq!(call.kernel.spaces[space].resident.private, 2);
    assert_eq!(fill(call, space, at + 4 * PAGE, Access::Read), Err(BadAccess::Unmapped));
    assert_eq!(fill(call, space, at, Access::Execute), Err(BadAccess::Forbidden));
    recount(call);
}

#[test]
fn after_fork_the_first_writer_copies_and_the_last_owner_keeps() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let parent = call.space();
    let at = map_anonymous(call, parent, 0, 2, MAP_PRIVATE);
    write(call, parent, at, 1).unwrap();
    let original = frame(call, parent, at);
    let children: Vec<_> = (0..2).map(|_| fork::copy(call, parent).unwrap()).collect();
    assert_eq!(call.kernel.memory.count(original), 3);
    recount(call);
    assert_eq!(fill(call, children[0], at, Access::Write), Ok(FaultKind::CopyOnWrite));
    write(call, children[0], at, 2).unwrap();
    write(call, parent, at, 3).unwrap();
    assert_eq!(call.kernel.memory.count(original), 1);
    assert_eq!(fill(call, children[1], at, Access::Write), Ok(FaultKind::Reuse));
    assert_eq!(frame(call, children[1], at), original);
    assert_eq!([parent, children[0], children[1]].map(|space| read(call, space, at)), [Ok(3), Ok(2), Ok(1)]);
    recount(call);
    let before = call.kernel.memory.available();
    release_space(call, children[0]);
    release_space(call, children[1]);
    assert!(call.kernel.memory.available() > before);
    recount(call);
}

#[test]
fn shared_memory_is_one_for_parent_and_child_and_goes_with_the_last() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let parent = call.space();
    let before = call.kernel.memory.available();
    let at = map_anonymous(call, parent, 0, 3, MAP_SHARED);
    let child = fork::copy(call, parent).unwrap();
    write(call, child, at + PAGE, 9).unwrap();
    assert_eq!(read(call, parent, at + PAGE), Ok(9));
    recount(call);
    unmap::unmap(call, parent, at..at + 3 * PAGE);
    assert_eq!(call.kernel.mm.shared.len(), 1);
    assert_eq!(read(call, child, at + PAGE), Ok(9));
    release_space(call, child);
    assert!(call.kernel.mm.shared.is_empty());
    assert_eq!(call.kernel.memory.available(), before);
    recount(call);
}

#[test]
fn a_child_gets_neither_locks_nor_what_it_must_not() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let parent = call.space();
    let at = map_anonymous(call, parent, 0, 3, MAP_PRIVATE);
    for page in 0..3 {
        write(call, parent, at + page * PAGE, 7).unwrap();
    }
    advise::advise(call, parent, at..at + PAGE, MADV_DONTFORK).unwrap();
    advise::advise(call, parent, at + PAGE..at + 2 * PAGE, MADV_WIPEONFORK).unwrap();
    lock::lock(call, parent, at + 2 * PAGE..at + 3 * PAGE, AreaFlags::NONE).unwrap();
    let child = fork::copy(call, parent).unwrap();
    assert_eq!([0, 1, 2].map(|page| read(call, child, at + page * PAGE)), [Err(()), Ok(0), Ok(7)]);
    assert_eq!(call.kernel.spaces[child].areas.totals().locked, 0);
    assert_eq!(call.kernel.spaces[parent].areas.totals().locked, PAGE);
    recount(call);
    release_space(call, child);
    recount(call);
}

#[test]
fn a_private_mapping_of_a_file_shares_the_cache_until_it_is_written() {
    let mut bench = Bench::new(512, &[("/data", &[5; 10000])]);
    let call = &mut bench.call();
    let space = call.space();
    let (at, inode) = map_file(call, "/data", RW, MAP_PRIVATE, 4);
    assert_eq!(fill(call, space, at, Access::Read), Ok(FaultKind::FileMajor));
    assert_eq!(Some(frame(call, space, at)), crate::fs::page_cache::cached(call.kernel, inode, 0));
    assert_eq!(fill(call, space, at, Access::Write), Ok(FaultKind::CopyOnWrite));
    write(call, space, at, 6).unwrap();
    assert_eq!(read(call, space, at + 1), Ok(5));
    let cached = crate::fs::page_cache::cached(call.kernel, inode, 0).unwrap();
    assert_eq!(call.kernel.memory.bytes(cached)[0], 5);
    assert_eq!(read(call, space, at + 10_000), Ok(0));
    assert_eq!(fill(call, space, at + 3 * PAGE, Access::Read), Err(BadAccess::BeyondFile));
    recount(call);
    advise::advise(call, space, at..at + PAGE, MADV_DONTNEED).unwrap();
    assert_eq!(read(call, space, at), Ok(5));
    recount(call);
}

#[test]
fn a_file_that_is_cut_takes_its_pages_from_shared_and_private_mappings() {
    let mut bench = Bench::new(512, &[("/data", &[5; 12288])]);
    let call = &mut bench.call();
    let space = call.space();
    let (shared, inode) = map_file(call, "/data", RW, MAP_SHARED, 3);
    let (private, _) = map_file(call, "/data", RW, MAP_PRIVATE, 3);
    for at in [shared, private] {
        for page in 0..3 {
            write(call, space, at + page * PAGE, 1).unwrap();
        }
    }
    assert_eq!(call.kernel.spaces[space].resident, address_space::Resident { private: 3, file: 3, shared: 0 });
    crate::fs::page_cache::set_size(call.kernel, inode, PAGE + 1);
    recount(call);
    assert_eq!(call.kernel.spaces[space].resident, address_space::Resident { private: 2, file: 2, shared: 0 });
    assert_eq!(read(call, space, shared + PAGE), Ok(1));
    assert_eq!(read(call, space, shared + PAGE + 1), Ok(0));
    assert_eq!(read(call, space, private + 2 * PAGE), Err(()));
    assert_eq!(fill(call, space, shared + 2 * PAGE, Access::Write), Err(BadAccess::BeyondFile));
    crate::fs::page_cache::set_size(call.kernel, inode, 3 * PAGE);
    assert_eq!(read(call, space, private + 2 * PAGE), Ok(0));
    recount(call);
}

#[test]
fn a_write_to_a_shared_mapping_makes_the_file_s_page_changed_once() {
    let mut bench = Bench::new(512, &[("/data", &[5; 8192])]);
    let call = &mut bench.call();
    let space = call.space();
    let (at, inode) = map_file(call, "/data", RW, MAP_SHARED, 2);
    read(call, space, at).unwrap();
    assert!(!call.kernel.vfs.inodes[inode].pages().unwrap().is_changed());
    assert_eq!(fill(call, space, at, Access::Write), Ok(FaultKind::Reuse));
    let changed: Vec<u64> = call.kernel.vfs.inodes[inode].pages().unwrap().changed_pages().collect();
    assert_eq!(changed, [0]);
    recount(call);
}

#[test]
fn protections_follow_the_area_and_the_owners_of_a_page() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let at = map_anonymous(call, space, 0, 3, MAP_PRIVATE);
    write(call, space, at, 1).unwrap();
    write(call, space, at + PAGE, 2).unwrap();
    protect::protect(call, space, at..at + 2 * PAGE, PROT_NONE).unwrap();
    assert_eq!(read(call, space, at), Err(()));
    recount(call);
    let child = fork::copy(call, space).unwrap();
    write(call, space, at + 2 * PAGE, 3).unwrap();
    protect::protect(call, space, at..at + 3 * PAGE, RW).unwrap();
    recount(call);
    let entry = |call: &Call, at| call.kernel.spaces[space].table.entry(&call.kernel.memory, at);
    assert!(!entry(call, at).is_writable(), "the child has the page too");
    assert!(entry(call, at + 2 * PAGE).is_writable(), "the page has one owner: no fault is needed");
    assert_eq!(read(call, space, at + PAGE), Ok(2));
    assert_eq!(call.kernel.spaces[space].areas.len(), 1);
    release_space(call, child);
    recount(call);
}

#[test]
fn a_moved_mapping_keeps_its_pages_and_their_frames() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let at = map_anonymous(call, space, 0, 4, MAP_PRIVATE);
    write(call, space, at + PAGE, 8).unwrap();
    let frame_before = frame(call, space, at + PAGE);
    let request = remap::Remap {
        address: at,
        old_length: 4 * PAGE,
        new_length: 4 * PAGE,
        flags: MREMAP_MAYMOVE | MREMAP_FIXED,
        new_address: 0x1234_5000,
    };
    assert_eq!(remap::remap(call, space, request), Ok(0x1234_5000));
    assert_eq!(frame(call, space, 0x1234_6000), frame_before);
    assert_eq!(read(call, space, 0x1234_6000), Ok(8));
    assert_eq!(read(call, space, at + PAGE), Err(()));
    recount(call);
}

#[test]
fn pages_given_up_go_when_memory_is_short_unless_they_were_written() {
    let mut bench = Bench::new(128, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let at = map_anonymous(call, space, 0, 200, MAP_PRIVATE | MAP_NORESERVE);
    for page in 0..40 {
        write(call, space, at + page * PAGE, 9).unwrap();
    }
    advise::advise(call, space, at..at + 40 * PAGE, MADV_FREE).unwrap();
    write(call, space, at + 3 * PAGE + 1, 1).unwrap();
    recount(call);
    let mut page = 40;
    while write(call, space, at + page * PAGE, 7).is_ok() {
        page += 1;
        assert_eq!(read(call, space, at + 3 * PAGE), Ok(9));
    }
    assert!(page > 80, "what was given up made room");
    assert_eq!(call.kernel.mm.counters.out_of_memory, 1);
    recount(call);
    unmap::unmap(call, space, at..at + 200 * PAGE);
    recount(call);
}

#[test]
fn without_memory_fork_fails_and_leaves_nothing_behind() {
    let mut bench = Bench::new(64, &[]);
    let call = &mut bench.call();
    let space = call.space();
    for step in 0..8u64 {
        map_anonymous(call, space, 0x1000_0000 + (step << 32), 1, MAP_PRIVATE);
        write(call, space, 0x1000_0000 + (step << 32), 1).unwrap();
    }
    let available = call.kernel.memory.available();
    let mut children = Vec::new();
    let error = loop {
        match fork::copy(call, space) {
            Ok(child) => children.push(child),
            Err(error) => break error,
        }
    };
    assert_eq!(error.errno, abi::Errno::ENOMEM);
    recount(call);
    for child in children {
        release_space(call, child);
    }
    assert_eq!(call.kernel.memory.available(), available);
    recount(call);
}

#[test]
fn clean_pages_of_files_make_room_even_when_they_are_mapped() {
    let contents = vec![3; 100 * PAGE as usize];
    let mut bench = Bench::new(160, &[("/big", &contents)]);
    let call = &mut bench.call();
    let space = call.space();
    let (at, _) = map_file(call, "/big", PROT_READ, MAP_PRIVATE, 100);
    for page in 0..100 {
        assert_eq!(read(call, space, at + page * PAGE), Ok(3));
    }
    let own = map_anonymous(call, space, 0, 100, MAP_PRIVATE);
    for page in 0..100 {
        write(call, space, own + page * PAGE, 4).unwrap();
    }
    recount(call);
    assert_eq!(read(call, space, at), Ok(3));
    assert_eq!(read(call, space, own + 50 * PAGE), Ok(4));
    recount(call);
}

#[test]
fn a_stack_grows_to_its_limit_and_not_into_others() {
    let mut bench = Bench::new(512, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let top = 0x7000_0000_0000;
    map_anonymous(call, space, top - PAGE, 1, MAP_PRIVATE | MAP_GROWSDOWN);
    assert_eq!(write(call, space, top - 100 * PAGE, 1), Ok(()));
    assert_eq!(call.kernel.spaces[space].areas.totals().stack, 100 * PAGE);
    assert_eq!(fill(call, space, top - (8 << 20) - PAGE, Access::Write), Err(BadAccess::Unmapped));
    map_anonymous(call, space, top - 500 * PAGE, 1, MAP_PRIVATE);
    assert_eq!(fill(call, space, top - 300 * PAGE, Access::Write), Err(BadAccess::Unmapped));
    assert_eq!(write(call, space, top - 240 * PAGE, 1), Ok(()));
    recount(call);
}

/// How long the paths of faults take; printed, not checked: `cargo test --release -p belljar-kernel mm_speed --
/// --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_types, reason = "a measurement takes the host's time")]
fn mm_speed() {
    let mut bench = Bench::new(1 << 16, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let mut records = Vec::new();
    for round in 0..4 {
        let at = map_anonymous(call, space, 0, 16384, MAP_PRIVATE);
        let start = std::time::Instant::now();
        for page in 0..16384 {
            let fault = machine::PageFault { address: at + page * PAGE, access: Access::Write, present: false };
            fault::handle(call, space, fault).unwrap();
            if page % 16 == 0 {
                call.kernel.take_records(&mut records);
            }
        }
        let touched = start.elapsed();
        let start = std::time::Instant::now();
        let child = fork::copy(call, space).unwrap();
        let forked = start.elapsed();
        let start = std::time::Instant::now();
        for page in 0..16384 {
            let fault = machine::PageFault { address: at + page * PAGE, access: Access::Write, present: true };
            fault::handle(call, child, fault).unwrap();
            if page % 16 == 0 {
                call.kernel.take_records(&mut records);
            }
        }
        let copied = start.elapsed();
        let start = std::time::Instant::now();
        release_space(call, child);
        let released = start.elapsed();
        let start = std::time::Instant::now();
        unmap::unmap(call, space, at..at + 16384 * PAGE);
        let unmapped = start.elapsed();
        let each = |time: std::time::Duration| time.as_nanos() / 16384;
        println!(
            "round {round}: touch {} fork {} copy {} release {} unmap {} ns a page",
            each(touched),
            each(forked),
            each(copied),
            each(released),
            each(unmapped)
        );
    }
}
