//! GitLab's Code Quality report.

use serde::Serialize;

use super::fingerprint::fingerprints;
use super::name;
use crate::finding::Severity;
use crate::lint::Located;
use crate::source::Source;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    /// The same while the line is the same, wherever it moves.
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// The document, with a line break at its end.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let issues: Vec<Issue<'_>> = findings
        .iter()
        .zip(fingerprints(sources, findings))
        .map(|(located, fingerprint)| {
            let finding = &located.finding;
            let severity = match finding.severity {
                Severity::Error if finding.refused => "blocker",
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Note => "info",
            };
            let path = name(sources, located.file);
            Issue {
                description: format!("{}: {}", finding.message, finding.consequence),
                check_name: finding.rule,
                fingerprint,
                severity,
                location: Location {
                    path: path.strip_prefix("./").unwrap_or(path),
                    lines: Lines { begin: located.start.line, end: located.end.line },
                },
            }
        })
        .collect();
    serde_json::to_string_pretty(&issues).unwrap_or_default() + "\n"
}
