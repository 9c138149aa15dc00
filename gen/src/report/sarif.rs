//! SARIF 2.1.0 (OASIS), for code scanning.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use serde::Serialize;

use super::fingerprint::fingerprints;
use super::{in_full, name};
use crate::docs;
use crate::finding::{Fix, Severity};
use crate::lint::Located;
use crate::rules::{self, Group};
use crate::source::Source;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Columns count characters, not UTF-16 units.
    column_kind: &'static str,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Text,
    help: Help,
    default_configuration: Configuration,
    properties: Properties,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Properties {
    tags: Vec<&'static str>,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Text,
    locations: [Spot; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Spot>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Correction>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spot {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Correction {
    description: Text,
    artifact_changes: Vec<Change>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    artifact_location: Artifact,
    replacements: Vec<Replacement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Text,
}

/// The document, with a line break at its end.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located]) -> String {
    let mut used: Vec<&str> = findings.iter().map(|located| located.finding.rule).collect();
    used.sort_unstable();
    used.dedup();
    let rules: Vec<Descriptor> = used.iter().filter_map(|name| rules::by_name(name)).map(descriptor).collect();
    let results = findings.iter().zip(fingerprints(sources, findings)).map(|(located, fingerprint)| {
        let related = located.related.iter().enumerate().map(|(index, related)| Spot {
            id: Some(index + 1),
            physical_location: physical(sources, related.file, &related.span),
            logical_locations: Vec::new(),
            message: Some(Text { text: related.text.clone() }),
        });
        let path = &located.finding.path;
        let object = (!path.is_empty()).then(|| LogicalLocation { fully_qualified_name: path.clone() });
        Outcome {
            rule_id: located.finding.rule,
            rule_index: rules.iter().position(|rule| rule.id == located.finding.rule),
            level: level(located.finding.severity),
            message: Text { text: in_full(located) },
            locations: [Spot {
                id: None,
                physical_location: physical(sources, located.file, &located.span),
                logical_locations: object.into_iter().collect(),
                message: None,
            }],
            related_locations: related.collect(),
            partial_fingerprints: BTreeMap::from([("cbwgen/v1", fingerprint)]),
            fixes: located.finding.fix.iter().map(|edit| fix(sources, edit)).collect(),
        }
    });
    let results = results.collect();
    let version = env!("CARGO_PKG_VERSION");
    let driver = Driver { name: "cbwgen", version, semantic_version: version, rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    let log = Log { schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn descriptor(rule: &'static rules::Rule) -> Descriptor {
    let text = docs::body(rule);
    Descriptor {
        id: rule.name,
        short_description: Text { text: rule.summary().to_owned() },
        help: Help { text: text.clone(), markdown: text },
        default_configuration: Configuration { level: level(rule.severity) },
        properties: Properties {
            tags: match rule.group {
                Group::Default => Vec::new(),
                Group::Pedantic => vec!["pedantic"],
                Group::Security => vec!["security"],
            },
        },
    }
}

fn level(severity: Severity) -> &'static str {
    super::severity(severity)
}

fn physical(sources: &[Source], file: usize, span: &Range<usize>) -> PhysicalLocation {
    PhysicalLocation { artifact_location: artifact(sources, file), region: region(sources, file, span) }
}

fn region(sources: &[Source], file: usize, span: &Range<usize>) -> Region {
    let place = |at| sources.get(file).map_or((1, 1), |source| (source.line_column(at).line, source.line_column(at).column));
    let ((start_line, start_column), (end_line, end_column)) = (place(span.start), place(span.end));
    Region { start_line, start_column, end_line, end_column }
}

fn artifact(sources: &[Source], file: usize) -> Artifact {
    Artifact { uri: uri(name(sources, file)) }
}

/// A path as a reference: relative ones stay relative, to the folder that code scanning takes for the root.
pub(crate) fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

fn fix(sources: &[Source], fix: &Fix) -> Correction {
    let mut changes: BTreeMap<u32, Vec<Replacement>> = BTreeMap::new();
    for (origin, text) in &fix.edits {
        changes.entry(origin.file).or_default().push(Replacement {
            deleted_region: region(sources, origin.file as usize, &origin.range()),
            inserted_content: Text { text: text.clone() },
        });
    }
    let changes =
        changes.into_iter().map(|(file, replacements)| Change { artifact_location: artifact(sources, file as usize), replacements });
    Correction { description: Text { text: fix.title.clone() }, artifact_changes: changes.collect() }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("./a b/compose.yaml"), "a%20b/compose.yaml");
        assert_eq!(uri("/srv/ü.yaml"), "file:///srv/%C3%BC.yaml");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
