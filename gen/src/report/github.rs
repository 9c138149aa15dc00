//! Workflow commands: GitHub shows them at the lines of a change.

use std::fmt::Write as _;

use super::{harmless, in_full, name};
use crate::finding::Severity;
use crate::lint::Located;
use crate::source::Source;

/// One command a finding.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let mut text = String::new();
    for located in findings {
        let command = match located.finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let (start, end) = (located.start, located.end);
        let _ = write!(text, "::{command} file={},line={}", property(name(sources, located.file)), start.line);
        // An end on the same line is all that GitHub shows columns for; an empty place has none.
        let _ = write!(text, ",endLine={},col={}", end.line, start.column);
        if end.line == start.line && end.column > start.column {
            let _ = write!(text, ",endColumn={}", end.column);
        }
        let _ = writeln!(text, ",title={}::{}", property(located.finding.rule), data(&in_full(located)));
    }
    text
}

/// A message: what would end the command is escaped.
fn data(text: &str) -> String {
    harmless(text).replace('%', "%25").replace('\n', "%0A")
}

/// A property: what would end it is escaped too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("100 %:\r\na,b"), "100 %25:%0Aa,b");
        assert_eq!(property("C:\\a,b%"), "C%3A\\a%2Cb%25");
    }
}
