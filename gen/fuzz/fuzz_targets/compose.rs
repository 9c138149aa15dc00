//! Any texts as a Compose project and the files beside it: see `promises::compose`.
#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| promises::compose(&String::from_utf8_lossy(data)));
