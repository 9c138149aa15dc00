//! Any text as a Dockerfile: see `promises::dockerfile`.
#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| promises::dockerfile(&String::from_utf8_lossy(data)));
