//! Any frames on any port: a message or a reason, never a panic, and no frame left behind.
#![no_main]

mod frames;

use cbw_services::wire::{self, Dialect, peer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = frames::split(data);
    let Some(choice) = input.pop() else { return };
    let known = [None, Some(Dialect::CbwShort), Some(Dialect::CbwLong), Some(Dialect::Guide), Some(Dialect::Ppp)];
    let known = known[usize::from(choice.first().copied().unwrap_or_default()) % known.len()];
    let _ = wire::refusal_word(&input);
    let _ = wire::from_worker(&mut input.clone(), known);
    let _ = peer::to_worker(&mut input.clone());
    let _ = peer::client_reply(&mut input.clone());
    let sent = input.clone();
    if let Ok(request) = wire::request(&mut input) {
        // What was understood can be said again.
        let mut again = Vec::new();
        wire::put_reply(&mut again, request.client, request.envelope, request.body);
        assert_eq!(again, sent);
        assert!(input.is_empty());
    }
});
