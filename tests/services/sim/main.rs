//! The broker among clients and workers that misbehave, in a network and a time of their own.
//!
//! Every run is decided by a seed and by how often each fault happens, so a failure repeats and shrinks; with `SIM_HISTORY=1` it
//! tells all that the broker heard and said. After a time of faults
//! everything is mended, and the system must come to rest with every account settled. What must hold at every moment is
//! asserted in `world`, at the broker's border:
//!
//! - a client gets one reply or one error for each accepted request, and it is its own, never one of an older request;
//! - no worker is idle while a request waits;
//! - what is held stays within the bounds;
//! - nothing that is due is left undone.

// What goes wrong here is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod ledger;
mod peers;
mod world;

use std::time::Duration;

use proptest::prelude::*;

use crate::world::{Faults, World};

/// How often a fault happens: never, or every so many milliseconds on average.
fn every(least: u64, most: u64) -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![1 => Just(None), 3 => (least..most).prop_map(|ms| Some(Duration::from_millis(ms)))]
}

prop_compose! {
    fn faults()(
        kill in every(100, 5_000),
        pause in every(100, 5_000),
        cut in every(100, 5_000),
        twin in every(500, 10_000),
        garbage in every(5, 2_000),
        restart in every(2_000, 20_000),
        poison in every(500, 10_000),
        slow in any::<bool>(),
        unnoticed in any::<bool>(),
    ) -> Faults {
        Faults { kill, pause, cut, twin, garbage, restart, poison, slow, unnoticed }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_account_is_settled_whatever_goes_wrong(
        seed in any::<u64>(),
        faults in faults(),
        clients in 1..12_usize,
        workers in 1..10_usize,
        queue in prop_oneof![Just(2_usize), Just(100)],
    ) {
        let mut world = World::new(seed, clients, workers, queue);
        world.run(Duration::from_secs(20), &faults);
        world.mend();
        world.run(Duration::from_secs(120), &Faults::default());
        world.assert_settled();
    }
}

#[test]
fn without_faults_every_request_is_answered_in_time() {
    let mut world = World::new(1, 8, 4, 100);
    world.run(Duration::from_secs(20), &Faults::default());
    world.mend();
    world.run(Duration::from_secs(10), &Faults::default());
    world.assert_settled();
    let counters = world.broker().counters();
    assert!(counters.replies > 500, "{counters:?}");
    assert_eq!((counters.timeouts, counters.redispatches, counters.late_replies, counters.unasked_replies), (0, 0, 0, 0));
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = || {
        let often = Some(Duration::from_millis(400));
        let faults = Faults { kill: often, pause: often, cut: often, restart: Some(Duration::from_secs(5)), ..Faults::default() };
        let mut world = World::new(7, 6, 4, 100);
        world.run(Duration::from_secs(20), &faults);
        *world.broker().counters()
    };
    assert_eq!(history(), history());
}
