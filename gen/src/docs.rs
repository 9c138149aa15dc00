//! Documentation that is made of the code: rules with their examples, and the command line.

use std::fmt::Write as _;

use crate::report::severity;
use crate::rules::{self, Group, Rule};

/// An example of a rule: files that it finds fault with, and what lint says.
#[derive(Debug)]
pub struct Example {
    /// Names and texts.
    pub files: &'static [(&'static str, &'static str)],
    /// The report as text.
    pub output: &'static str,
}

impl Example {
    /// Whether it is a topology, not a Compose project.
    #[must_use]
    pub fn is_topology(&self) -> bool {
        self.files.iter().any(|(name, _)| is_toml(name))
    }
}

/// Every rule with its examples, by name.
static EXAMPLES: &[(&str, &[Example])] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The examples of a rule: a topology, a Compose project, or both.
#[must_use]
pub fn examples(rule: &Rule) -> &'static [Example] {
    EXAMPLES.binary_search_by(|(name, _)| name.cmp(&rule.name)).map_or(&[], |found| EXAMPLES[found].1)
}

/// When a rule is asked, in one word.
#[must_use]
pub fn group(rule: &Rule) -> &'static str {
    match rule.group {
        Group::Default => "default",
        Group::Pedantic => "pedantic",
        Group::Security => "security",
    }
}

/// What a rule judges, in one word. The readers' own rules have no check; their examples tell.
#[must_use]
pub fn judges(rule: &Rule) -> &'static str {
    let shown = |topology: bool| examples(rule).iter().any(|example| example.is_topology() == topology);
    let reads = rule.check.is_none() && rule.compose.is_none();
    match (rule.check.is_some() || (reads && shown(true)), rule.compose.is_some() || (reads && shown(false))) {
        (true, true) => "both",
        (false, true) => "compose",
        _ => "topology",
    }
}

/// A rule's documentation with its examples, as Markdown.
#[must_use]
pub fn explain(rule: &Rule) -> String {
    let when = match rule.group {
        Group::Default if rule.is_fixed() => ", always reported",
        Group::Default => "",
        Group::Pedantic => ", with `--pedantic`",
        Group::Security => ", with `--security`",
    };
    format!("# {} ({}{when})\n\n{}\n{}", rule.name, severity(rule.severity), body(rule), shown(rule))
}

/// A rule's documentation without its title.
#[must_use]
pub fn body(rule: &Rule) -> String {
    // Doc comments keep the space behind `///`.
    rule.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The examples of a rule and what lint says of them.
fn shown(rule: &Rule) -> String {
    let mut text = String::new();
    for example in examples(rule) {
        let what = if example.is_topology() { "a topology" } else { "a Compose project" };
        let _ = writeln!(text, "\n### In {what}");
        for (name, content) in example.files {
            if example.files.len() > 1 {
                let _ = writeln!(text, "`{name}`:");
            }
            let _ = writeln!(text, "{}", fence(language(name), content));
        }
        let _ = writeln!(text, "{}", fence("text", example.output));
    }
    text
}

/// A code block that ends where its content does, whatever that is.
fn fence(language: &str, content: &str) -> String {
    let mut mark = "```".to_owned();
    while content.contains(&mark) {
        mark.push('`');
    }
    let content: Vec<&str> = content.trim_end().lines().map(str::trim_end).collect();
    format!("{mark}{language}\n{}\n{mark}", content.join("\n"))
}

fn is_toml(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

fn language(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("toml") => "toml",
        Some("yaml" | "yml") => "yaml",
        Some("json") => "json",
        _ if name.contains("Dockerfile") => "dockerfile",
        _ => "text",
    }
}

/// The page of all rules.
#[must_use]
pub fn rules_page() -> String {
    let mut page = "# Rules\n\nMade of the rules' own documentation and tests. A severity is changed with `[lints]`, a finding is \
        allowed at its place with a comment: see the README. Rules of the group `pedantic` are asked with `--pedantic`, those of \
        `security` with `--security`.\n\n| rule | severity | group | judges | what it finds |\n|---|---|---|---|---|\n"
        .to_owned();
    for rule in rules::ALL {
        let (severity, group, judges) = (severity(rule.severity), group(rule), judges(rule));
        let _ = writeln!(page, "| [`{0}`](#{0}) | {severity} | {group} | {judges} | {1} |", rule.name, rule.summary());
    }
    for rule in rules::ALL {
        let _ = write!(page, "\n## {}\n\n{}\n{}", rule.name, body(rule), shown(rule));
    }
    page
}

/// A table of rules for the terminal.
#[must_use]
pub fn rules_table() -> String {
    let width = rules::ALL.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let mut table = String::new();
    for rule in rules::ALL {
        let (severity, group, judges) = (severity(rule.severity), group(rule), judges(rule));
        let _ = writeln!(table, "{:width$}  {severity:7}  {group:8}  {judges:8}  {}", rule.name, rule.summary());
    }
    table
}
