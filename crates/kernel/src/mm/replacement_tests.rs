//! More pages than memory: every algorithm against a model, with everything recounted.

use super::replacement::Algorithm;
use super::tests::{map_anonymous, map_file, read, recount, write};
use super::*;
use crate::entry::Call;
use crate::event::FaultKind;
use crate::testing::Bench;
use abi::mman::*;
use fault::fill;
use machine::Access;

const PAGE: u64 = 4096;
const ALL: [Algorithm; 4] = [Algorithm::Clock, Algorithm::Fifo, Algorithm::Lru, Algorithm::Random];

fn faults(call: &Call) -> u64 {
    call.kernel.mm.counters.swapped_in
}

#[test]
fn private_pages_survive_in_swap_and_clean_ones_are_not_written_twice() {
    for algorithm in ALL {
        let mut bench = Bench::with_stores(160, [400, 0], algorithm, &[]);
        let call = &mut bench.call();
        let space = call.space();
        let at = map_anonymous(call, space, 0, 300, MAP_PRIVATE | MAP_NORESERVE);
        for page in 0..300 {
            write(call, space, at + page * PAGE, page as u8).unwrap();
        }
        recount(call);
        let written = call.kernel.mm.counters.swapped_out;
        assert!(written >= 140, "{algorithm:?} wrote {written} pages");
        for page in (0..300).chain(0..300) {
            assert_eq!(read(call, space, at + page * PAGE), Ok(page as u8), "{algorithm:?}, page {page}");
        }
        recount(call);
        let counters = call.kernel.mm.counters;
        assert!(counters.writes_saved > 100, "{algorithm:?}: {counters:?}");
        assert!(counters.swapped_out <= 300 + 20, "{algorithm:?}: each page is written once: {counters:?}");
        assert_eq!(counters.out_of_memory, 0);
        unmap::unmap(call, space, at..at + 300 * PAGE);
        assert_eq!((call.kernel.mm.swap.used(), call.kernel.spaces[space].swapped), (0, 0));
        recount(call);
    }
}

/// One page is used all the time while others come in one after the other.
#[test]
fn fifo_takes_what_was_loaded_first_and_lru_what_was_used_longest_ago() {
    let faults_of = |algorithm| {
        let mut bench = Bench::with_stores(256, [1000, 0], algorithm, &[]);
        let call = &mut bench.call();
        let space = call.space();
        let at = map_anonymous(call, space, 0, 900, MAP_PRIVATE | MAP_NORESERVE);
        for page in 0..900 {
            write(call, space, at + page * PAGE, 1).unwrap();
            assert_eq!(read(call, space, at), Ok(1));
        }
        let frames = call.kernel.spaces[space].resident.private;
        (faults(call), 900 / frames)
    };
    let (fifo, rounds) = faults_of(Algorithm::Fifo);
    assert_eq!(fifo, rounds, "the page goes whenever all others have gone");
    let (lru, _) = faults_of(Algorithm::Lru);
    assert_eq!(lru, 1, "the page goes once: before the first sample all look alike");
    let (clock, _) = faults_of(Algorithm::Clock);
    assert_eq!(clock, 1, "likewise: the hand's first round finds all used");
    assert!((1..40).contains(&faults_of(Algorithm::Random).0));
}

#[test]
fn a_page_that_fork_shared_is_written_and_read_once_for_all() {
    let mut bench = Bench::with_stores(200, [400, 0], Algorithm::Fifo, &[]);
    let call = &mut bench.call();
    let parent = call.space();
    let at = map_anonymous(call, parent, 0, 4, MAP_PRIVATE);
    for page in 0..4 {
        write(call, parent, at + page * PAGE, 7 + page as u8).unwrap();
    }
    let children: Vec<_> = (0..2).map(|_| fork::copy(call, parent).unwrap()).collect();
    let filler = map_anonymous(call, parent, 0, 230, MAP_PRIVATE | MAP_NORESERVE);
    for page in 0..230 {
        write(call, parent, filler + page * PAGE, 1).unwrap();
    }
    recount(call);
    let [first, second] = [children[0], children[1]];
    for space in [parent, first, second] {
        assert!(call.kernel.spaces[space].swapped >= 4);
    }
    let before = faults(call);
    assert_eq!(fill(call, first, at, Access::Read), Ok(FaultKind::SwapIn));
    assert_eq!(faults(call), before + 1);
    for space in [parent, second] {
        assert!(call.kernel.spaces[space].is_resident(&call.kernel.memory, at));
        assert_eq!(read(call, space, at), Ok(7));
    }
    assert_eq!(faults(call), before + 1);
    recount(call);
    assert_eq!(fill(call, second, at + PAGE, Access::Write), Ok(FaultKind::SwapIn));
    write(call, second, at + PAGE, 99).unwrap();
    assert_eq!([parent, first, second].map(|space| read(call, space, at + PAGE)), [Ok(8), Ok(8), Ok(99)]);
    recount(call);
    release_space(call, first);
    release_space(call, second);
    recount(call);
}

#[test]
fn shared_memory_and_locked_pages_and_changed_files() {
    for algorithm in ALL {
        let mut bench = Bench::with_stores(220, [600, 100], algorithm, &[("/data", &[5; 40 * 4096])]);
        let call = &mut bench.call();
        let space = call.space();
        let shared = map_anonymous(call, space, 0, 60, MAP_SHARED);
        let locked = map_anonymous(call, space, 0, 10, MAP_PRIVATE);
        let (file, inode) = map_file(call, "/data", PROT_READ | PROT_WRITE, MAP_SHARED, 40);
        for page in 0..60 {
            write(call, space, shared + page * PAGE, 100 + page as u8).unwrap();
        }
        for page in 0..20 {
            write(call, space, file + page * PAGE, 200 + page as u8).unwrap();
        }
        lock::lock(call, space, locked..locked + 10 * PAGE, AreaFlags::NONE).unwrap();
        write(call, space, locked, 77).unwrap();
        let child = fork::copy(call, space).unwrap();
        let private = map_anonymous(call, space, 0, 250, MAP_PRIVATE | MAP_NORESERVE);
        for round in 0..3u64 {
            for page in 0..250 {
                write(call, space, private + page * PAGE, page as u8 + round as u8).unwrap();
            }
            recount(call);
            for page in 0..10 {
                assert!(call.kernel.spaces[space].is_resident(&call.kernel.memory, locked + page * PAGE));
            }
            for page in 0..60u64 {
                assert_eq!(read(call, child, shared + page * PAGE), Ok(100 + page as u8), "{algorithm:?}");
            }
            for page in 0..40u64 {
                let expected = if page < 20 { 200 + page as u8 } else { 5 };
                assert_eq!(read(call, space, file + page * PAGE), Ok(expected), "{algorithm:?}, page {page}");
            }
            assert_eq!(read(call, child, locked), Ok(77));
            recount(call);
        }
        let changed: Vec<u64> = call.kernel.vfs.inodes[inode].pages().unwrap().changed_pages().collect();
        assert_eq!(changed, (0..20).collect::<Vec<_>>());
        for index in changed {
            assert_eq!(crate::fs::page_cache::changed_bytes(call.kernel, inode, index)[0], 200 + index as u8);
        }
        assert!(call.kernel.mm.counters.disk_out >= 20, "{algorithm:?}: {:?}", call.kernel.mm.counters);
        crate::fs::page_cache::set_size(call.kernel, inode, 3 * PAGE + 1);
        recount(call);
        assert_eq!(read(call, space, file + 3 * PAGE), Ok(203));
        assert_eq!(read(call, space, file + 3 * PAGE + 1), Ok(0));
        unmap::unmap(call, space, shared..shared + 60 * PAGE);
        release_space(call, child);
        assert!(call.kernel.mm.shared.is_empty());
        recount(call);
    }
}

#[test]
fn without_room_the_worst_process_goes_and_its_memory_at_once() {
    let mut bench = Bench::with_stores(128, [32, 0], Algorithm::Clock, &[]);
    let call = &mut bench.call();
    let space = call.space();
    let at = map_anonymous(call, space, 0, 300, MAP_PRIVATE | MAP_NORESERVE);
    let reached = (0..300).find(|page| write(call, space, at + page * PAGE, 1).is_err()).unwrap();
    assert!(reached > 100, "memory and swap were used: {reached}");
    assert_eq!(call.kernel.mm.counters.out_of_memory, 1);
    assert!(call.kernel.spaces[space].is_reaped);
    assert!(call.kernel.memory.available() > 60);
    assert_eq!(call.kernel.mm.swap.used(), 0);
    assert_eq!(read(call, space, at), Err(()), "no zeroes where data was");
    recount(call);
}
