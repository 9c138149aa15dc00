//! Names to choose from: of components in topologies, of services and other named things in Compose files.
//!
//! The text is looked at line by line: while somebody types, it is seldom whole.

use std::collections::BTreeSet;
use std::path::Path;

use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, Position, TextEdit};

use super::position;
use super::workspace::{Role, Workspace};
use crate::lint;
use crate::source::Source;
use crate::topology::WhatIf;

impl Workspace {
    /// The names that may stand at a place.
    pub fn complete(&self, path: &Path, place: Position) -> Vec<CompletionItem> {
        let Some((source, role)) = self.source(path) else { return Vec::new() };
        let at = position::offset(&source, place);
        let line = source.line_column(at).line;
        let before = &source.text[source.line_range(line).start..at];
        let names = match role {
            Role::Topology => of_topology(&source, before),
            Role::Project => {
                let known = self.services.get(path).map_or(&[][..], Vec::as_slice);
                of_project(&source, line, before, known)
            }
            Role::Settings | Role::Other => BTreeSet::new(),
        };
        let word = before.len() - before.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).len();
        let range = position::range(&source, &(at - word..at));
        let item = |name: String| CompletionItem {
            kind: Some(CompletionItemKind::MODULE),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: name.clone() })),
            label: name,
            ..CompletionItem::default()
        };
        names.into_iter().map(item).collect()
    }
}

/// `broker = "`: the brokers; `needs = { db = "`: all components, with their endpoints.
fn of_topology(source: &Source, before: &str) -> BTreeSet<String> {
    let Some((left, _)) = before.rsplit_once('=') else { return BTreeSet::new() };
    let key = |text: &str| text.trim_end().rsplit([' ', '{', ',', '.', '\t']).next().unwrap_or_default().to_owned();
    let key = if left.contains("needs") { "needs".to_owned() } else { key(left) };
    let declared = |kinds: &[&str]| {
        let headers = source.text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
        let named = headers.filter_map(|header| {
            let (kind, name) = header.split_once('.')?;
            kinds.contains(&kind.trim()).then(|| name.trim().trim_matches('"').to_owned())
        });
        named.filter(|name| !name.contains('.')).collect::<BTreeSet<_>>()
    };
    match key.as_str() {
        "broker" => declared(&["broker"]),
        "logger" => declared(&["logger"]),
        "needs" => {
            let mut names = declared(&["broker", "worker", "client", "logger", "service", "external"]);
            let loaded = lint::load(source.clone(), "", &WhatIf::default());
            for component in loaded.plan.components.values() {
                names.extend(component.endpoints.iter().map(|endpoint| format!("{}.{}", component.name, endpoint.name)));
            }
            names
        }
        _ => BTreeSet::new(),
    }
}

/// What a key of a service refers to: keys of which top-level mapping.
const REFERENCES: &[(&str, &str)] = &[
    ("depends_on", "services"),
    ("links", "services"),
    ("volumes_from", "services"),
    ("service", "services"),
    ("networks", "networks"),
    ("secrets", "secrets"),
    ("configs", "configs"),
    ("volumes", "volumes"),
];

fn of_project(source: &Source, line: usize, before: &str, known: &[String]) -> BTreeSet<String> {
    let Some(section) = reference(source, line, before) else { return BTreeSet::new() };
    let mut names = keys_of(source, section);
    if section == "services" {
        names.extend(known.iter().cloned());
        if let Some(own) = service(source, line) {
            names.remove(own);
        }
    }
    names
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The key of a line, as in `  web:`; none for items.
fn key(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if line.starts_with(['#', '-']) {
        return None;
    }
    line.split_once(':').map(|(key, _)| key.trim().trim_matches(['"', '\'']))
}

/// The mapping whose keys may stand behind `before`: the key of the line itself, or of the line that it is indented below.
fn reference(source: &Source, line: usize, before: &str) -> Option<&'static str> {
    let section = |key: &str| REFERENCES.iter().find(|(name, _)| *name == key).map(|(_, section)| *section);
    if indent(before) == 0 && !before.trim_start().starts_with('-') && !before.is_empty() {
        return None;
    }
    if let Some((own, value)) = before.split_once(':')
        && let Some(own) = key(&format!("{own}:"))
    {
        // `depends_on: [a, ` or `service: `; anything else that has a value already is no reference.
        return section(own).filter(|_| own == "service" || value.trim_start().starts_with('['));
    }
    let own = indent(before);
    let is_item = before.trim_start().starts_with('-');
    let above = (1..line).rev().map(|line| &source.text[source.line_range(line)]).filter(|text| !text.trim().is_empty());
    let parent = above.filter(|text| !text.trim_start().starts_with('#')).find(|text| {
        let deeper = if is_item { indent(text) <= own && !text.trim_start().starts_with('-') } else { indent(text) < own };
        deeper && key(text).is_some()
    })?;
    section(key(parent)?).filter(|_| indent(parent) > 0)
}

/// The service in whose block a line is.
fn service(source: &Source, line: usize) -> Option<&str> {
    let mut found = None;
    for above in (1..=line).rev().map(|line| &source.text[source.line_range(line)]) {
        if above.trim().is_empty() || above.trim_start().starts_with('#') {
            continue;
        }
        if indent(above) == 0 {
            return if key(above) == Some("services") { found } else { None };
        }
        if let Some(key) = key(above) {
            found = Some(key);
        }
    }
    None
}

/// The keys of a top-level mapping of the text.
fn keys_of(source: &Source, section: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut level = None;
    let mut inside = false;
    for line in source.text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if indent(line) == 0 {
            inside = key(line) == Some(section);
            level = None;
        } else if inside && *level.get_or_insert(indent(line)) == indent(line) {
            names.extend(key(line).filter(|key| !key.is_empty()).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names at `|`.
    fn names(text: &str, find: fn(&Source, usize, &str) -> BTreeSet<String>) -> Vec<String> {
        let at = text.find('|').unwrap();
        let source = Source::new("t", text.replacen('|', "", 1));
        let line = source.line_column(at).line;
        find(&source, line, &source.text[source.line_range(line).start..at]).into_iter().collect()
    }

    fn compose(text: &str) -> Vec<String> {
        let rest = "  db:\n    image: b\n  cache:\n    image: c\nnetworks:\n  front: {}\n";
        names(&(text.to_owned() + rest), |source, line, before| of_project(source, line, before, &["far".to_owned()]))
    }

    fn topology(text: &str) -> Vec<String> {
        let rest = "\n[broker.bro]\n[broker.two]\n[logger.log]\n[service.web]\nimage = \"nginx:1\"\nports = { http = 80 }\n";
        names(&(text.to_owned() + rest), |source, _, before| of_topology(source, before))
    }

    #[test]
    fn services_are_offered_where_they_are_referred_to() {
        let others = ["cache", "db", "far"];
        assert_eq!(compose("services:\n  web:\n    depends_on: [|]\n"), others);
        assert_eq!(compose("services:\n  web:\n    depends_on:\n      - |\n"), others);
        assert_eq!(compose("services:\n  web:\n    depends_on:\n    - db\n    - |\n"), others);
        assert_eq!(compose("services:\n  web:\n    depends_on:\n      d|\n"), others);
        assert_eq!(compose("services:\n  web:\n    extends:\n      service: |\n"), others);
        assert_eq!(compose("services:\n  web:\n    networks:\n      - |\n"), ["front"]);
        for text in
            ["services:\n  web:\n    image: |\n", "services:\n  w|\n", "services:\n  web:\n    ports:\n      - |\n", "n|\nservices:\n"]
        {
            assert_eq!(compose(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn components_are_offered_where_they_are_referred_to() {
        assert_eq!(topology("[client.cli]\nbroker = \"|\""), ["bro", "two"]);
        assert_eq!(topology("[client.cli]\nbroker = \"|"), ["bro", "two"]);
        assert_eq!(topology("[client.cli]\nlogger=\"|\""), ["log"]);
        let needs = topology("[client.cli]\nbroker = \"bro\"\nneeds = { a = \"|\" }");
        assert!(needs.contains(&"web".to_owned()) && needs.contains(&"web.http".to_owned()), "{needs:?}");
        assert_eq!(topology("[client.cli]\nimage = \"|\""), Vec::<String>::new());
    }
}
