//! A test suite, a test a check.

use std::fmt::Write as _;

use crate::report::junit::escape;
use crate::verify::{Check, Outcome};

/// The document.
#[must_use]
pub fn report(name: &str, checks: &[Check]) -> String {
    let count = |outcome: Outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (failures, skipped) = (count(Outcome::Fail), count(Outcome::Skip));
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let time = seconds(checks.iter().map(|check| check.took).sum());
    let suite = escape(name);
    let mut cases = String::new();
    for check in checks {
        let title = if check.subject.is_empty() { check.name.to_owned() } else { format!("{} ({})", check.name, check.subject) };
        let (done, seen) = (escape(&check.done), escape(&check.seen));
        let inner = match check.outcome {
            Outcome::Pass => format!("<system-out>{done}: {seen}</system-out>"),
            Outcome::Skip => format!("<skipped message=\"{seen}\"/>"),
            Outcome::Fail => {
                let advice = escape(check.advice.as_deref().unwrap_or_default());
                format!("<failure message=\"{seen}\">{done}\nwhat to do: {advice}</failure>")
            }
        };
        let _ = writeln!(
            cases,
            "    <testcase name=\"{}\" classname=\"{suite}\" time=\"{}\">{inner}</testcase>",
            escape(&title),
            seconds(check.took)
        );
    }
    let head = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{time}\"", checks.len());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cbwgen verify\" {head}>\n  <testsuite name=\"{suite}\" {head}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}
