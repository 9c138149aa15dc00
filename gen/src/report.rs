//! How findings are told: one file a format.

pub mod json;
pub mod text;

use crate::lint::Located;
use crate::source::Source;

/// A format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: the line, underlined, and what to do.
    Text,
    /// For programs: a versioned document.
    Json,
}

/// Tells findings in a format. `color` is whether the reader sees colours.
#[must_use]
pub fn report(format: Format, source: &Source, findings: &[Located], color: bool) -> String {
    match format {
        Format::Text => text::report(source, findings, color),
        Format::Json => json::report(source, findings),
    }
}
