//! One line a finding, as compilers print them: editors and `grep` understand it.

use std::fmt::Write as _;

use super::{harmless, name, severity};
use crate::lint::Located;
use crate::source::Source;

/// All findings; columns count from 1, in characters.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let mut text = String::new();
    for located in findings {
        let finding = &located.finding;
        let (file, start) = (harmless(name(sources, located.file)), located.start);
        let severity = severity(finding.severity);
        let message = harmless(&finding.message).replace('\n', " ");
        let _ = writeln!(text, "{file}:{}:{}: {severity}[{}]: {message}", start.line, start.column, finding.rule);
    }
    text
}
