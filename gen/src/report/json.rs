//! Findings as a versioned JSON document.
//!
//! Lines and columns count from 1, columns in characters; the end is the place behind the last character.

use serde::Serialize;

use super::name;
use crate::finding::Severity;
use crate::lint::{self, Located, summary};
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
    /// What stands under the underlined text, where something does.
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    /// Whether `docker compose config` refuses the project because of it.
    refused_by_compose: bool,
    /// Whether `--fix` can correct it.
    fixable: bool,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
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
            file: name(sources, located.file),
            line: located.start.line,
            column: located.start.column,
            end_line: located.end.line,
            end_column: located.end.column,
            path: &located.finding.path,
            label: &located.finding.label,
            refused_by_compose: located.finding.refused,
            fixable: located.finding.fix.is_some(),
            related: located.related.iter().filter_map(|other| related(sources, other)).collect(),
        })
        .collect();
    let document = Document { version: VERSION, findings, summary: Summary { errors, warnings, notes } };
    // Texts and numbers alone: there is nothing in it that JSON could not hold.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn related<'a>(sources: &'a [Source], other: &'a lint::Related) -> Option<Related<'a>> {
    let source = sources.get(other.file)?;
    let (start, end) = (source.line_column(other.span.start), source.line_column(other.span.end));
    Some(Related {
        message: &other.text,
        file: &source.name,
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    })
}
