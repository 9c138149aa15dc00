//! Any events in any order: the broker's machine keeps its promises at every moment.
#![no_main]

mod frames;

use std::time::Duration;

use cbw_services::broker::{Broker, Config, Event, Outbox, Side};
use libfuzzer_sys::fuzz_target;

const QUEUE: usize = 3;

fuzz_target!(|data: &[u8]| {
    let mut broker = Broker::<Vec<u8>>::new(Config { queue: QUEUE, retries: 1, ..Config::default() });
    let mut now = Duration::ZERO;
    let mut most_working = 0;
    for step in data.split(|&byte| byte == 0xff) {
        let Some((&what, rest)) = step.split_first() else { continue };
        let mut frames = frames::split(rest);
        // One of a few identities, so that they meet again.
        let id = vec![b'a' + what / 16 % 4];
        if !matches!(what % 16, 10..) {
            frames.insert(0, id.clone());
        }
        let mut out = Outbox::default();
        let event = match what % 16 {
            0..=3 => Event::FromClient(&mut frames),
            4..=9 => Event::FromWorker(&mut frames),
            10 => Event::WorkerSeen(&id),
            11 => Event::WorkerGone(&id),
            12 => Event::Undelivered { worker: &id, work: what >= 128 },
            13 => Event::ReplyUndelivered(&id),
            14 => {
                now += Duration::from_millis(u64::from(what) * 20);
                Event::Tick
            }
            _ if what == 0xfe => Event::Drain { until: now + Duration::from_secs(1) },
            _ => Event::ClientGone(&id),
        };
        broker.handle(now, event, &mut out, &mut ());
        assert_eq!(out.frames.len(), out.messages.iter().map(|message| message.1).sum::<usize>());
        assert!(out.messages.iter().all(|&(side, count)| count >= if side == Side::Frontend { 3 } else { 2 }));
        let state = broker.snapshot(now);
        most_working = most_working.max(state.working);
        assert!(state.ready == 0 || state.pending == 0, "a worker is idle while a request waits");
        assert!(state.pending + state.working <= QUEUE + most_working, "the queue has grown beyond its bound");
        assert!(broker.next_timeout().is_none_or(|due| due > now), "something that is due was not done");
    }
});
