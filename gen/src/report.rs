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

/// Tells findings in a format. Each names its file by its index in `sources`. `color` is whether the reader sees colours.
#[must_use]
pub fn report(format: Format, sources: &[Source], findings: &[Located], color: bool) -> String {
    match format {
        Format::Text => text::report(sources, findings, color),
        Format::Json => json::report(sources, findings),
    }
}
