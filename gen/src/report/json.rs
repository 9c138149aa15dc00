//! Findings as a versioned JSON document.
//!
//! Lines and columns count from 1, columns in characters; the end is the place behind the last character.

use serde::Serialize;

use crate::finding::Severity;
use crate::lint::{Located, summary};
use crate::source::Source;

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    findings: Vec<Finding<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    severity: Severity,
    message: &'a str,
    consequence: &'a str,
    help: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    /// The object, as in `services.web.ports.0`, where there is one.
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    /// Whether `docker compose config` refuses the project because of it.
    refused_by_compose: bool,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// The document, with a line break at its end.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let (errors, warnings, notes) = summary(findings);
    let findings = findings
        .iter()
        .map(|located| Finding {
            rule: located.finding.rule,
            severity: located.finding.severity,
            message: &located.finding.message,
            consequence: &located.finding.consequence,
            help: &located.finding.help,
            file: sources.get(located.file).map_or("", |source| source.name.as_str()),
            line: located.start.line,
            column: located.start.column,
            end_line: located.end.line,
            end_column: located.end.column,
            path: &located.finding.path,
            refused_by_compose: located.finding.refused,
        })
        .collect();
    let document = Document { version: VERSION, findings, summary: Summary { errors, warnings, notes } };
    // Texts and numbers alone: there is nothing in it that JSON could not hold.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}
