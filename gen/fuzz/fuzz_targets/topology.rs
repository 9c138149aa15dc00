//! Any text as a topology: see `promises::topology`.
#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| promises::topology(&String::from_utf8_lossy(data)));
