//! The Compose specification's own schema.
//!
//! Compiling all of it takes longer than everything else together. So only what can matter for the document at hand is
//! compiled: a property that no mapping of the document has cannot change the verdict, and neither can a definition that
//! nothing refers to.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

/// `docker compose` v5.6.1's copy of the schema; see `schemas/README.md`.
const SCHEMA: &str = include_str!("../../../schemas/compose-spec.json");

/// The keys of a document.
pub type Keys<'k> = HashSet<&'k str>;

/// The schema as it is written.
#[must_use]
pub fn whole() -> &'static Value {
    static WHOLE: OnceLock<Value> = OnceLock::new();
    WHOLE.get_or_init(|| serde_json::from_str(SCHEMA).unwrap_or_default())
}

/// The names of all properties.
fn properties() -> &'static HashSet<&'static str> {
    static PROPERTIES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    PROPERTIES.get_or_init(|| {
        let mut names = HashSet::new();
        let mut open = vec![whole()];
        while let Some(value) = open.pop() {
            if let Some(properties) = value.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().map(String::as_str));
            }
            match value {
                Value::Object(map) => open.extend(map.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        names
    })
}

/// A validator and the properties that it knows.
type Compiled = (HashSet<&'static str>, Rc<Validator>);

thread_local! {
    /// The last one: most documents have the same few properties, and a project may include many.
    static LAST: RefCell<Option<Compiled>> = const { RefCell::new(None) };
}

/// A validator for documents that have no other keys than these.
pub fn validator(keys: &Keys<'_>) -> Result<Rc<Validator>, String> {
    let wanted = || properties().iter().copied().filter(|name| keys.contains(name));
    LAST.with_borrow_mut(|last| {
        let mut known = HashSet::new();
        if let Some((compiled, validator)) = last {
            if wanted().all(|name| compiled.contains(name)) {
                return Ok(Rc::clone(validator));
            }
            known.clone_from(compiled);
        }
        known.extend(wanted());
        let validator = jsonschema::validator_for(&relevant(whole().clone(), &known)).map_err(|error| error.to_string())?;
        let validator = Rc::new(validator);
        *last = Some((known, Rc::clone(&validator)));
        Ok(validator)
    })
}

/// Adds all keys of a document.
pub fn collect_keys<'v>(value: &'v Value, keys: &mut Keys<'v>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key);
                collect_keys(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

/// The schema without what cannot matter for documents with these keys.
fn relevant(mut schema: Value, keys: &Keys<'_>) -> Value {
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
    prune(&mut schema, keys);
    let mut kept = Map::new();
    let mut wanted = references(&schema);
    let mut definitions = match definitions {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    while let Some(name) = wanted.pop() {
        if let Some(mut definition) = definitions.remove(&name) {
            prune(&mut definition, keys);
            wanted.extend(references(&definition));
            kept.insert(name, definition);
        }
    }
    if let Value::Object(schema) = &mut schema {
        schema.insert("$defs".to_owned(), Value::Object(kept));
    }
    schema
}

/// Takes out the properties that no mapping has, and the words for people.
fn prune(schema: &mut Value, keys: &Keys<'_>) {
    match schema {
        Value::Object(map) => {
            map.remove("description");
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                properties.retain(|name, _| keys.contains(name.as_str()));
            }
            for (key, value) in map.iter_mut() {
                if key == "properties" {
                    // The names in here are the user's, not the schema's.
                    value.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(|property| prune(property, keys));
                } else {
                    prune(value, keys);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prune(item, keys)),
        _ => {}
    }
}

/// The definitions that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
                    found.push(name.to_owned());
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(document: &Value) -> bool {
        let mut keys = HashSet::new();
        collect_keys(document, &mut keys);
        validator(&keys).unwrap().is_valid(document)
    }

    #[test]
    fn what_is_left_out_does_not_change_the_verdict() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let whole = jsonschema::validator_for(&schema).unwrap();
        let service = |service: Value| json!({ "name": "p", "services": { "a": service } });
        for (document, valid) in [
            (json!({}), true),
            (json!([]), false),
            (json!({ "servcies": {} }), false),
            (json!({ "services": { "a b": { "image": "x" } } }), false),
            (json!({ "x-mine": { "ports": 1 }, "networks": { "n": { "driver": "bridge" } }, "volumes": { "v": {} } }), true),
            (json!({ "networks": { "n": { "drivre": "bridge" } } }), false),
            (service(json!({ "image": "x", "x-mine": true, "ports": ["1:1", { "target": 1 }] })), true),
            (service(json!({ "imgae": "x" })), false),
            (service(json!({ "image": 1 })), false),
            (service(json!({ "image": "x", "scale": -1.5 })), false),
            (service(json!({ "image": "x", "scale": 0, "deploy": { "replicas": 0 } })), true),
            (service(json!({ "image": "x", "deploy": { "repilcas": 1 } })), false),
            (service(json!({ "image": "x", "depends_on": { "b": { "condition": "service_healthy" } } })), true),
            (service(json!({ "image": "x", "depends_on": { "b": { "condition": "healthy" } } })), false),
            (service(json!({ "image": "x", "healthcheck": { "test": ["CMD", "x"], "interval": "2s", "retries": 3 } })), true),
            (service(json!({ "image": "x", "healthcheck": { "tset": [] } })), false),
            (service(json!({ "image": "x", "environment": { "A": "1" }, "labels": { "b": "c" }, "tmpfs": ["/tmp"] })), true),
            (service(json!({ "image": "x", "environment": { "A": ["1"] } })), false),
            (service(json!({ "image": "x", "cap_drop": ["ALL", "ALL"] })), false),
            (service(json!({ "provider": {} })), false),
        ] {
            assert_eq!(whole.is_valid(&document), valid, "{document}");
            assert_eq!(check(&document), valid, "{document}");
        }
    }
}
