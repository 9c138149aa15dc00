//! Any text as YAML: see `promises::yaml`.
#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| promises::yaml(&String::from_utf8_lossy(data)));
