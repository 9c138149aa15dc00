//! From a Compose project to a topology that renders to the same project.
//!
//! [`import()`] is pure: a project as it is written ([`crate::compose::load::written`]) goes in, a text comes out, with a note for
//! each thing that a topology has no words for. [`differences()`] holds what is rendered from it against the original.

mod service;
mod text;
mod toml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::source::Pointer;
use crate::spec::values::Name;
use service::Component;

/// A topology made of a Compose project.
#[derive(Debug)]
pub struct Imported {
    /// The text of the topology.
    pub text: String,
    /// What it has no words for.
    pub notes: Vec<Note>,
}

/// Something that a topology has no words for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands in the Compose project.
    pub place: Pointer,
    /// What became of it.
    pub text: String,
}

impl Note {
    fn kept(place: &[&str], why: &str) -> Self {
        let place: Pointer = place.iter().map(|step| (*step).to_owned()).collect();
        let name = place.join(".");
        Self { text: format!("`{name}` {why}: kept under `compose`"), place }
    }
}

/// Makes a topology of a project. `document` is the project as it is written, with paths as seen from the topology's folder;
/// `name` is the project's resolved name; `from` is what the comment at the top calls the Compose file.
#[must_use]
pub fn import(document: &Map<String, Value>, name: &str, from: &str) -> Imported {
    let mut notes = Vec::new();
    let empty = Map::new();
    let table = |key: &str| document.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let mut compose = Map::new();
    let mut components: BTreeMap<&str, Component> = BTreeMap::new();
    let mut others = Map::new();
    let hosts = hosts(table("services"));
    for (service, value) in table("services") {
        match (hosts.get(service.as_str()), value) {
            (Some(host), Value::Object(keys)) => {
                components.insert(service, service::component(service, host, keys, table("secrets"), &mut notes));
            }
            _ => {
                notes.push(Note::kept(&["services", service], "cannot be a component"));
                others.insert(service.clone(), value.clone());
            }
        }
    }
    service::bind(table("services"), &mut components, &hosts, &mut notes);

    let is_name = name.parse::<Name>().is_ok();
    if !is_name {
        notes.push(Note::kept(&["name"], "is no host name"));
        compose.insert("name".to_owned(), Value::String(name.to_owned()));
    }
    if !others.is_empty() {
        compose.insert("services".to_owned(), others.into());
    }
    for (key, value) in document {
        let rest = match (key.as_str(), value) {
            ("name" | "services" | "version" | "include", _) => continue,
            ("volumes", Value::Object(volumes)) => {
                let said = |name: &str| components.values().any(|component| component.volumes.contains(name));
                without(volumes, |name, value| said(name) && is_nothing(value))
            }
            ("secrets", Value::Object(secrets)) => {
                let said = |name: &str| components.values().any(|component| component.secrets.contains(name));
                without(secrets, |name, _| said(name))
            }
            _ => value.clone(),
        };
        if key.starts_with("x-") || !is_nothing(&rest) {
            match &rest {
                Value::Object(members) if !key.starts_with("x-") => {
                    notes.extend(members.keys().map(|member| Note::kept(&[key, member], "is said of the whole project")));
                }
                _ => notes.push(Note::kept(&[key], "is said of the whole project")),
            }
            compose.insert(key.clone(), rest);
        }
    }

    let mut out = toml::Document::new();
    out.comment(&format!("Imported from {from} by `cbwgen import`."));
    out.comment("`cbwgen render` writes a Compose file of it that means the same as the original.");
    if is_name {
        out.key("name", &Value::String(name.to_owned()), "");
    }
    out.table(&["defaults"]);
    out.key("as_is", &Value::Bool(true), "nothing is added; `as_is = false` in a component gives it hardening, log rotation, networks");
    for (service, _) in table("services") {
        if let Some(component) = components.remove(service.as_str()) {
            out.section(&["service", &hosts[service.as_str()]], &component.keys);
        }
    }
    if !compose.is_empty() {
        out.section(&["compose"], &compose);
    }
    Imported { text: out.finish(), notes }
}

/// The name of each service as a host name, where it can have one: its own, or the nearest.
fn hosts(services: &Map<String, Value>) -> BTreeMap<&str, String> {
    let own = |name: &str| name.parse::<Name>().is_ok();
    let mut hosts: BTreeMap<&str, String> = services.keys().filter(|name| own(name)).map(|name| (name.as_str(), name.clone())).collect();
    for name in services.keys().filter(|name| !own(name)) {
        let near: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let near = near.trim_matches('-');
        let candidates = std::iter::once(near.to_owned()).chain((2..100).map(|number| format!("{near}-{number}")));
        let free = candidates.into_iter().find(|host| own(host) && !hosts.values().any(|taken| taken == host));
        hosts.extend(free.map(|host| (name.as_str(), host)));
    }
    hosts
}

fn without(map: &Map<String, Value>, said: impl Fn(&str, &Value) -> bool) -> Value {
    map.iter().filter(|(name, value)| !said(name, value)).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// How two resolved projects differ, one line for each value: where, what it was, what it is.
#[must_use]
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(before, after, &mut Vec::new(), &mut found);
    found
}

fn compare<'v>(before: &'v Value, after: &'v Value, way: &mut Vec<String>, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let null = &Value::Null;
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                way.push(key.clone());
                match (a.get(key), b.get(key)) {
                    (Some(_), None) | (None, Some(_)) => found.push(said(way, a.get(key), b.get(key))),
                    (before, after) => compare(before.unwrap_or(null), after.unwrap_or(null), way, found),
                }
                way.pop();
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (before, after)) in a.iter().zip(b).enumerate() {
                way.push(index.to_string());
                compare(before, after, way, found);
                way.pop();
            }
        }
        (before, after) if before != after => found.push(said(way, Some(before), Some(after))),
        _ => {}
    }
}

fn said(way: &[String], before: Option<&Value>, after: Option<&Value>) -> String {
    let show = |value: Option<&Value>| {
        value.map_or("missing".to_owned(), |value| format!("`{}`", crate::source::decode::shorten(&value.to_string())))
    };
    format!("`{}` was {} and would be {}", way.join("."), show(before), show(after))
}
