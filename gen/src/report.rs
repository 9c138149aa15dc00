//! How findings are told: one file a format.
//!
//! | severity | sarif | github | junit | gitlab |
//! |---|---|---|---|---|
//! | error that Compose refuses | `error` | `error` | failure | `blocker` |
//! | error | `error` | `error` | failure | `critical` |
//! | warning | `warning` | `warning` | failure | `major` |
//! | note | `note` | `notice` | output of a test that passes | `info` |

mod fingerprint;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod short;
pub mod text;

use crate::finding::Severity;
use crate::lint::Located;
use crate::source::Source;

/// A format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: the line, underlined, and what to do
    Text,
    /// One line a finding: `file:line:column: severity[rule]: message`
    Short,
    /// For programs: a versioned document
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// Commands that annotate a change on GitHub
    Github,
    /// Test results, as most build servers show them
    Junit,
    /// A Code Quality report of GitLab
    Gitlab,
}

/// Tells findings in a format. Each names its file by its index in `sources`. `color` is whether the reader sees colours.
#[must_use]
pub fn report(format: Format, sources: &[Source], findings: &[Located], color: bool) -> String {
    match format {
        Format::Text => text::report(sources, findings, color),
        Format::Short => short::report(sources, findings),
        Format::Json => json::report(sources, findings),
        Format::Sarif => sarif::report(sources, findings),
        Format::Github => github::report(sources, findings),
        Format::Junit => junit::report(sources, findings),
        Format::Gitlab => gitlab::report(sources, findings),
    }
}

/// The name of a file, as the user knows it.
fn name(sources: &[Source], file: usize) -> &str {
    sources.get(file).map_or("", |source| source.name.as_str())
}

/// A severity in one word.
#[must_use]
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A text without characters that a terminal would act on.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Message, consequence and help, each on a line of its own.
pub(crate) fn in_full(located: &Located) -> String {
    let finding = &located.finding;
    let mut text = finding.message.clone();
    for (name, more) in [("consequence", &finding.consequence), ("help", &finding.help)] {
        if !more.is_empty() {
            text.extend(["\n", name, ": ", more]);
        }
    }
    text
}
