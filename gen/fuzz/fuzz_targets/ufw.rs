//! Any text as what ufw says: see `promises::ufw`.
#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| promises::ufw(&String::from_utf8_lossy(data)));
