//! What `compose` passes through must be what Compose understands.

use serde_json::{Map as Table, Value as Json, json};

use super::Topology;
use crate::compose::problem::Problems;
use crate::compose::tree::{Entry, Map, Node, Value};
use crate::compose::validate::validate;
use crate::finding::{Finding, Place, below};
use crate::render::passthrough::nothing_for_empty;
use crate::source::{Origin, Pointer, pointer};

/// The most mistakes that are told of one table.
const MAX_MISTAKES: usize = 5;

/// Holds every `compose` table against the schema of Compose files.
pub(super) fn check(topology: &Topology, findings: &mut Vec<Finding>) {
    for component in topology.components.iter().filter(|component| !component.keys.compose.0.is_empty()) {
        let service = component.keys.service.as_deref().unwrap_or(component.name.as_str());
        let document = json!({ "services": { service: without_empty(&component.keys.compose.0) } });
        check_one(&document, 2, &below(&component.pointer, "compose"), findings);
    }
    if !topology.compose.0.is_empty() {
        check_one(&without_empty(&topology.compose.0), 0, &pointer(["compose"]), findings);
    }
}

fn without_empty(table: &Table<String, Json>) -> Json {
    table.iter().map(|(key, value)| (key.clone(), nothing_for_empty(value.clone()))).collect::<Table<_, _>>().into()
}

/// Checks a document of which the first `above` steps are not in the topology.
fn check_one(document: &Json, above: usize, table: &Pointer, findings: &mut Vec<Finding>) {
    let mut places = Vec::new();
    let mut root = node(document, above, table, &mut places);
    let mut problems = Problems::default();
    validate(&mut root, &mut problems);
    for finding in problems.findings.into_iter().take(MAX_MISTAKES) {
        let place = match finding.place {
            Place::At(origin) => places.get(origin.start as usize).cloned(),
            _ => None,
        };
        findings.push(Finding { place: place.unwrap_or_else(|| Place::Key(table.clone())), related: Vec::new(), ..finding });
    }
}

/// A value with places: the origin of each is the index of its place in the topology.
fn node(value: &Json, above: usize, way: &Pointer, places: &mut Vec<Place>) -> Node {
    let mut origin = |place: Place| {
        let start = u32::try_from(places.len()).unwrap_or(u32::MAX);
        places.push(place);
        Origin { file: 0, start, end: start }
    };
    let here = origin(Place::Value(way.clone()));
    let below = |step: &str| if above > 0 { way.clone() } else { below(way, step) };
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => {
            let items =
                items.iter().enumerate().map(|(index, item)| node(item, above.saturating_sub(1), &below(&index.to_string()), places));
            Value::List(items.collect())
        }
        Json::Object(entries) => {
            let mut map = Map::default();
            for (key, value) in entries {
                let way = below(key);
                let start = u32::try_from(places.len()).unwrap_or(u32::MAX);
                places.push(Place::Key(way.clone()));
                let entry = Entry { key: Origin { file: 0, start, end: start }, node: node(value, above.saturating_sub(1), &way, places) };
                map.insert(key.clone(), entry);
            }
            Value::Map(map)
        }
    };
    Node::new(here, value)
}

#[cfg(test)]
mod tests {
    use crate::lint::{Facts, lint, load};
    use crate::report::text::report;
    use crate::source::Source;
    use crate::topology::WhatIf;

    #[test]
    fn what_compose_does_not_know_is_told_where_it_stands() {
        let text = "[service.web]\nimage = \"nginx:1.27\"\ncompose = { hostnme = \"web\", privileged = [1] }\n\n[compose.networks]\nfront = \"x\"\n";
        let loaded = load(Source::new("topology.toml", text), "demo", &WhatIf::default());
        let said = report(std::slice::from_ref(&loaded.source), &lint(&loaded, &Facts::default()), false);
        let heads: Vec<&str> = said.lines().filter(|line| line.starts_with("error") || line.contains("-->")).collect();
        assert_eq!(
            heads,
            [
                "error[unknown-key]: `services.web` has no key `hostnme`",
                " --> topology.toml:3:13",
                "error[wrong-type]: `services.web.privileged` is a list, and must be a boolean or string",
                " --> topology.toml:3:43",
                "error[wrong-type]: `networks.front` is a string (`x`), and must be a mapping or null",
                " --> topology.toml:6:9",
            ]
        );
    }
}
