//! One document.

use serde::Serialize;

use crate::verify::{Check, Outcome};

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    name: &'a str,
    engine: &'a str,
    passed: bool,
    checks: &'a [Check],
}

/// The document, with a line break at its end.
#[must_use]
pub fn report(name: &str, engine: &str, checks: &[Check]) -> String {
    let passed = checks.iter().all(|check| check.outcome != Outcome::Fail);
    serde_json::to_string_pretty(&Document { version: VERSION, name, engine, passed, checks }).unwrap_or_default() + "\n"
}
