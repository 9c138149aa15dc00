//! A table, a line a check as it is made, with advice below those that failed.

use std::fmt::Write as _;

use crate::verify::{Check, Outcome};

/// Room for names: `logger-restart (bro)`.
const NAME: usize = 22;

/// The line of a check.
#[must_use]
pub fn line(check: &Check, color: bool) -> String {
    let (word, code) = match check.outcome {
        Outcome::Pass => ("pass", "32"),
        Outcome::Fail => ("FAIL", "1;31"),
        Outcome::Skip => ("skip", "33"),
    };
    let (on, off) = if color { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    let subject = if check.subject.is_empty() { String::new() } else { format!(" ({})", check.subject) };
    let what = if check.done.is_empty() { check.seen.clone() } else { format!("{}: {}", check.done, check.seen) };
    let mut text = format!("{on}{word}{off}  {:NAME$}  {what}\n", format!("{}{subject}", check.name));
    if let Some(advice) = &check.advice {
        let _ = writeln!(text, "      {:NAME$}  what to do: {advice}", "");
    }
    text
}

/// The last line.
#[must_use]
pub fn summary(checks: &[Check]) -> String {
    let count = |outcome: Outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (passed, failed, skipped) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::Skip));
    let verdict = if failed == 0 { "verified" } else { "not verified" };
    format!("{verdict}: {passed} passed, {failed} failed, {skipped} skipped\n")
}
