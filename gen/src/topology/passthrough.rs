//! What `compose` passes through must be what Compose understands.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Topology;
use crate::compose::schema;
use crate::finding::{Finding, Place};
use crate::render::passthrough::nothing_for_empty;
use crate::rules;
use crate::source::{Pointer, pointer};

/// The most mistakes that are told of one table.
const MAX_MISTAKES: usize = 5;

/// Holds every `compose` table against the schema of Compose files.
pub(super) fn check(topology: &Topology, findings: &mut Vec<Finding>) {
    for component in topology.components.iter().filter(|component| !component.keys.compose.0.is_empty()) {
        let mut place = component.pointer.clone();
        place.push("compose".to_owned());
        check_one(json!({ "services": { "it": component.keys.compose.0 } }), 2, &place, findings);
    }
    if !topology.compose.0.is_empty() {
        check_one(Value::Object(topology.compose.0.clone()), 0, &pointer(["compose"]), findings);
    }
}

/// Checks a document of which the first `above` steps are not in the file.
fn check_one(document: Value, above: usize, place: &Pointer, findings: &mut Vec<Finding>) {
    let document = match document {
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, nothing_for_empty(value))).collect::<Map<_, _>>()),
        other => other,
    };
    let mut keys = HashSet::new();
    schema::collect_keys(&document, &mut keys);
    let Ok(validator) = schema::validator(&keys) else { return };
    for error in validator.iter_errors(&document).take(MAX_MISTAKES) {
        let way = error.instance_path().to_string();
        let steps = way.split('/').skip(1 + above).map(|step| step.replace("~1", "/").replace("~0", "~"));
        findings.push(rules::wrong_value::RULE.finding(
            Place::Value(place.iter().cloned().chain(steps).collect()),
            format!("Compose does not understand this: {}", crate::source::decode::shorten(&error.to_string())),
            "Compose would refuse the whole project".to_owned(),
            "write under `compose` what the Compose specification has, in the same words".to_owned(),
        ));
    }
}
