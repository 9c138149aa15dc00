//! Test results: a suite for every file, a failed test for every error and warning.

use std::fmt::Write as _;

use super::{in_full, severity};
use crate::finding::Severity;
use crate::lint::Located;
use crate::source::Source;

/// The document. A file without findings is one test that passes; so is a note, which has its words as output.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let fails = |located: &&Located| located.finding.severity > Severity::Note;
    let failures = findings.iter().filter(fails).count();
    let mut suites = String::new();
    let mut tests = 0;
    for (file, source) in sources.iter().enumerate() {
        let own: Vec<&Located> = findings.iter().filter(|located| located.file == file).collect();
        let failed = own.iter().copied().filter(fails).count();
        tests += own.len().max(1);
        let name = escape(&source.name);
        let _ = writeln!(suites, "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\">", own.len().max(1));
        if own.is_empty() {
            let _ = writeln!(suites, "    <testcase name=\"no findings\" classname=\"{name}\"/>");
        }
        for located in own {
            suites.push_str(&case(located, &name));
        }
        suites.push_str("  </testsuite>\n");
    }
    let head = format!("<testsuites name=\"cbwgen lint\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{head}\n{suites}</testsuites>\n")
}

fn case(located: &Located, file: &str) -> String {
    let finding = &located.finding;
    let (line, column) = (located.start.line, located.start.column);
    let title = format!("{} at {line}:{column}", finding.rule);
    let full = escape(&format!("{file}:{line}:{column}\n{}", in_full(located)));
    let inner = if finding.severity == Severity::Note {
        format!("<system-out>{full}</system-out>")
    } else {
        let (kind, message) = (severity(finding.severity), escape(&finding.message));
        format!("<failure type=\"{kind}\" message=\"{message}\">{full}</failure>")
    };
    format!("    <testcase name=\"{}\" classname=\"{file}\" line=\"{line}\">\n      {inner}\n    </testcase>\n", escape(&title))
}

/// A text as XML 1.0 may hold it: markup is escaped, and characters that it cannot hold at all are left out.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(c),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_ends_an_attribute_or_a_document() {
        assert_eq!(escape("<a b=\"c\">&\u{1b}[0m\0\u{ffff}é]]>"), "&lt;a b=&quot;c&quot;&gt;&amp;[0mé]]&gt;");
    }
}
