//! Documentation that is made of the code: rules and the command line.

use std::fmt::Write as _;

use crate::finding::Severity;
use crate::rules::{self, Rule};

/// A severity as people read it.
fn severity(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A rule's documentation as plain Markdown.
#[must_use]
pub fn explain(rule: &Rule) -> String {
    let fixed = if rule.is_fixed() { ", always reported" } else { "" };
    format!("# {} ({}{fixed})\n\n{}\n", rule.name, severity(rule), unindent(rule.docs))
}

/// A rule's documentation without its title.
#[must_use]
pub fn body(rule: &Rule) -> String {
    unindent(rule.docs)
}

/// The page of all rules.
#[must_use]
pub fn rules_page() -> String {
    let mut page = "# Rules\n\nMade of the rules' own documentation. A severity is changed with `[lints]`, a finding is \
        allowed at its place with a comment: see the README.\n\n| rule | severity | what it finds |\n|---|---|---|\n"
        .to_owned();
    for rule in rules::ALL {
        let _ = writeln!(page, "| [`{0}`](#{0}) | {1} | {2} |", rule.name, severity(rule), rule.summary());
    }
    for rule in rules::ALL {
        let _ = write!(page, "\n## {}\n\n{}\n", rule.name, unindent(rule.docs));
    }
    page
}

/// A table of rules for the terminal.
#[must_use]
pub fn rules_table() -> String {
    let width = rules::ALL.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let mut table = String::new();
    for rule in rules::ALL {
        let _ = writeln!(table, "{:width$}  {:7}  {}", rule.name, severity(rule), rule.summary());
    }
    table
}

/// Doc comments keep the space behind `///`.
fn unindent(docs: &str) -> String {
    docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}
