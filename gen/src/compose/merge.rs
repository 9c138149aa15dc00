//! How a later file overrides an earlier one, attribute by attribute.
//!
//! Compose file specification, section "Merge": mappings are merged, lists appended, single values replaced, with the exceptions
//! that [`Manner`] names. What a list then has twice ([`unique`]) is there once, as it was said last.

use std::collections::HashMap;

use super::path::Path;
use super::problem::Problems;
use super::tree::{Entry, Map, Node, Value};
use super::{ports, volumes};
use crate::source::Origin;

/// How an attribute is merged that is no plain mapping, list or value.
enum Manner {
    /// Lists and mappings become lists of `key=value`, one behind the other.
    Sequence,
    /// The later one stands.
    Replace,
    /// A text is the context.
    Build,
    /// A list of names is a mapping of names with these values.
    Names(&'static [(&'static str, &'static str)]),
    /// Options are those of the driver: another driver, other options.
    Logging,
    /// Like a sequence, without what is there already.
    Hosts,
    /// Subnets are merged by their address.
    Subnets,
}

const NEEDS: &[(&str, &str)] = &[("condition", "service_started"), ("required", "true")];

fn manner(path: &Path<'_>) -> Option<Manner> {
    Some(match path.depth() {
        3 if path.is(&["services", "*", "*"]) => match path.last() {
            "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "environment" | "labels" | "sysctls"
            | "tmpfs" => Manner::Sequence,
            "command" | "entrypoint" => Manner::Replace,
            "build" => Manner::Build,
            "depends_on" => Manner::Names(NEEDS),
            "models" | "networks" => Manner::Names(&[]),
            "extra_hosts" => Manner::Hosts,
            "logging" => Manner::Logging,
            _ => return None,
        },
        3 if path.is(&["networks", "*", "labels"]) || path.is(&["volumes", "*", "labels"]) => Manner::Sequence,
        4 if path.is(&["services", "*", "build", "*"]) => match path.last() {
            "args" | "additional_contexts" | "labels" => Manner::Sequence,
            "extra_hosts" => Manner::Hosts,
            _ => return None,
        },
        4 if path.is(&["services", "*", "deploy", "labels"]) => Manner::Sequence,
        4 if path.is(&["services", "*", "healthcheck", "test"]) || path.is(&["services", "*", "ulimits", "*"]) => Manner::Replace,
        4 if path.is(&["networks", "*", "ipam", "config"]) => Manner::Subnets,
        _ => return None,
    })
}

/// Merges `over` into `base`.
pub fn merge(base: Node, over: Node, path: &Path<'_>, problems: &mut Problems) -> Node {
    let Some(manner) = manner(path) else { return plainly(base, over, path, problems) };
    let origin = over.origin;
    match manner {
        Manner::Replace => over,
        Manner::Sequence => {
            let mut items = sequence(base);
            items.extend(sequence(over));
            Node::new(origin, Value::List(items))
        }
        Manner::Hosts => {
            let mut items = sequence(base);
            for item in sequence(over) {
                if !items.iter().any(|known| known.value == item.value) {
                    items.push(item);
                }
            }
            Node::new(origin, Value::List(items))
        }
        Manner::Build => Node::new(origin, Value::Map(mappings(context(base), context(over), path, problems))),
        Manner::Names(default) => Node::new(origin, Value::Map(mappings(names(base, default), names(over, default), path, problems))),
        Manner::Logging => {
            let driver = |node: &Node| node.get("driver").and_then(Node::str).map(str::to_owned);
            let (first, second) = (driver(&base), driver(&over));
            if base.map().is_some() && (first == second || first.is_none() || second.is_none()) {
                return plainly(base, over, path, problems);
            }
            over
        }
        Manner::Subnets => subnets(&base, &over, path, problems),
    }
}

fn plainly(base: Node, over: Node, path: &Path<'_>, problems: &mut Problems) -> Node {
    let origin = over.origin;
    match (base.value, over.value) {
        (base_value, Value::Null) => Node::new(base.origin, base_value),
        (Value::Wrong, _) | (_, Value::Wrong) => Node::new(origin, Value::Wrong),
        (Value::Map(mine), Value::Map(other)) => Node::new(origin, Value::Map(mappings(mine, other, path, problems))),
        (Value::List(mut mine), Value::List(other)) => {
            mine.extend(other);
            Node::new(origin, Value::List(mine))
        }
        (mine @ (Value::Map(_) | Value::List(_)), other) => {
            let (mine, other) = (Node::new(base.origin, mine), Node::new(origin, other));
            problems.cannot_override(&mine, &other, path);
            Node::new(origin, Value::Wrong)
        }
        (_, other) => Node::new(origin, other),
    }
}

fn mappings(mut base: Map, over: Map, path: &Path<'_>, problems: &mut Problems) -> Map {
    for (key, entry) in over {
        match base.get_mut(&key) {
            None => {
                base.insert(key, entry);
            }
            Some(known) => {
                let mine = std::mem::take(&mut known.node);
                known.key = entry.key;
                known.node = merge(mine, entry.node, &path.key(&key), problems);
            }
        }
    }
    base
}

/// A mapping or a text as a list of `key=value`.
fn sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(items) => items,
        Value::String(_) => vec![node],
        Value::Map(map) => {
            let mut items: Vec<Node> = Vec::with_capacity(map.len());
            for (key, Entry { key: place, node }) in map {
                match &node.value {
                    Value::List(values) => items.extend(
                        values.iter().map(|value| Node::text(value.origin, format!("{key}={}", value.scalar().unwrap_or_default()))),
                    ),
                    _ => items.push(match node.scalar() {
                        Some(value) => Node::text(node.origin, format!("{key}={value}")),
                        None => Node::text(place, key),
                    }),
                }
            }
            items.sort_by(|a, b| a.str().cmp(&b.str()));
            items
        }
        _ => Vec::new(),
    }
}

fn context(node: Node) -> Map {
    match node.value {
        Value::Map(map) => map,
        Value::String(_) => {
            let entry = Entry { key: node.origin, node };
            std::iter::once(("context".to_owned(), entry)).collect()
        }
        _ => Map::default(),
    }
}

/// A list of names as a mapping.
fn names(node: Node, default: &[(&str, &str)]) -> Map {
    match node.value {
        Value::Map(map) => map,
        Value::List(items) => {
            let entry = |item: Node| {
                let origin = item.origin;
                let node = if default.is_empty() { Node::new(origin, Value::Null) } else { implied(origin, default) };
                item.scalar().map(|name| (name, Entry { key: origin, node }))
            };
            items.into_iter().filter_map(entry).collect()
        }
        _ => Map::default(),
    }
}

/// A mapping that goes without saying.
fn implied(origin: Origin, values: &[(&str, &str)]) -> Node {
    let value = |text: &str| if text == "true" { Value::Bool(true) } else { Value::String(text.to_owned()) };
    let entry = |(key, text): &(&str, &str)| ((*key).to_owned(), Entry { key: origin, node: Node::new(origin, value(text)) });
    Node::new(origin, Value::Map(values.iter().map(entry).collect()))
}

fn subnets(base: &Node, over: &Node, path: &Path<'_>, problems: &mut Problems) -> Node {
    let origin = over.origin;
    let (Value::List(mine), Value::List(other)) = (&base.value, &over.value) else {
        problems.cannot_override(base, over, path);
        return Node::new(origin, Value::Wrong);
    };
    let subnet = |node: &Node| node.get("subnet").and_then(Node::scalar);
    let mut merged: Vec<Node> = Vec::new();
    for original in mine {
        for over in other {
            let known = |merged: &[Node], node: &Node| merged.iter().position(|one| subnet(one) == subnet(node));
            if subnet(original) != subnet(over) && known(&merged, over).is_none() {
                merged.push(over.clone());
                continue;
            }
            let one = plainly(original.clone(), over.clone(), path, problems);
            match known(&merged, &one) {
                Some(index) => merged[index] = one,
                None => merged.push(one),
            }
        }
    }
    Node::new(origin, Value::List(merged))
}

/// What two items of a list must not share.
#[derive(Debug, Clone, Copy)]
enum By {
    /// The text before `=`.
    Name,
    /// The target of a mount.
    Target,
    /// The target of a device.
    Device,
    /// The text or number.
    Value,
    /// The target of a secret or a config; the default is a file in this folder.
    File(&'static str),
    /// Host address, published and target port, protocol.
    Port,
    /// The path.
    EnvFile,
}

const SERVICE_LISTS: &[(&str, By)] = &[
    ("annotations", By::Name),
    ("cap_add", By::Name),
    ("cap_drop", By::Name),
    ("devices", By::Device),
    ("configs", By::File("")),
    ("dns", By::Name),
    ("dns_opt", By::Name),
    ("dns_search", By::Name),
    ("environment", By::Name),
    ("env_file", By::EnvFile),
    ("expose", By::Value),
    ("labels", By::Name),
    ("links", By::Name),
    ("ports", By::Port),
    ("profiles", By::Name),
    ("secrets", By::File("/run/secrets")),
    ("sysctls", By::Name),
    ("tmpfs", By::Name),
    ("volumes", By::Target),
];

/// Keeps of each list what its items say last, in the place of the first.
pub fn unique(root: &mut Node, problems: &mut Problems) {
    let Some(root) = root.map_mut() else { return };
    if let Some(Value::Map(services)) = root.get_mut("services").map(|entry| &mut entry.node.value) {
        for (name, service) in services {
            let Some(service) = service.node.map_mut() else { continue };
            let up = Path::ROOT.key("services");
            let path = up.key(name);
            for (key, by) in SERVICE_LISTS {
                once(service.get_mut(*key), *by, &path.key(key), problems);
            }
            for (outer, inner, by) in [
                ("build", &["args", "additional_contexts", "platform", "tags", "labels"][..], By::Name),
                ("deploy", &["labels"][..], By::Name),
            ] {
                if let Some(map) = service.get_mut(outer).and_then(|entry| entry.node.map_mut()) {
                    let path = path.key(outer);
                    for key in inner {
                        once(map.get_mut(*key), by, &path.key(key), problems);
                    }
                }
            }
            if let Some(networks) = service.get_mut("networks").and_then(|entry| entry.node.map_mut()) {
                let path = path.key("networks");
                for (name, network) in networks {
                    if let Some(network) = network.node.map_mut() {
                        for key in ["aliases", "link_local_ips"] {
                            once(network.get_mut(key), By::Name, &path.key(name).key(key), problems);
                        }
                    }
                }
            }
        }
    }
    if let Some(Value::Map(networks)) = root.get_mut("networks").map(|entry| &mut entry.node.value) {
        let up = Path::ROOT.key("networks");
        for (name, network) in networks {
            if let Some(network) = network.node.map_mut() {
                once(network.get_mut("labels"), By::Name, &up.key(name).key("labels"), problems);
            }
        }
    }
}

fn once(entry: Option<&mut Entry>, by: By, path: &Path<'_>, problems: &mut Problems) {
    let Some(Value::List(items)) = entry.map(|entry| &mut entry.node.value) else { return };
    if items.len() < 2 && !matches!(by, By::Target | By::Port | By::EnvFile) {
        return;
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(items.len());
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    for (index, item) in std::mem::take(items).into_iter().enumerate() {
        let Some(name) = identity(&item, by, &path.index(index), problems) else {
            kept.push(item);
            continue;
        };
        match places.get(&name) {
            Some(place) => kept[*place] = item,
            None => {
                places.insert(name, kept.len());
                kept.push(item);
            }
        }
    }
    *items = kept;
}

/// What tells an item from the others; `None` when there is something wrong with it.
fn identity(item: &Node, by: By, path: &Path<'_>, problems: &mut Problems) -> Option<String> {
    let text = |key: &str| item.get(key).and_then(Node::scalar);
    match (by, &item.value) {
        (By::Name, Value::String(value)) => Some(value.split_once('=').map_or(value.as_str(), |(name, _)| name).to_owned()),
        (By::Value | By::Port, Value::String(_) | Value::Int(_)) | (By::EnvFile, Value::String(_)) => item.scalar(),
        (By::File(folder), Value::String(value)) => Some(format!("{folder}/{value}")),
        (By::File(folder), Value::Map(_)) => text("target").or_else(|| Some(format!("{folder}/{}", text("source").unwrap_or_default()))),
        (By::Target | By::Device, Value::Map(_)) => text("target").or_else(|| {
            problems.lacks(item, "target", path);
            None
        }),
        (By::Target, Value::String(value)) => match volumes::parse(value) {
            Ok(volume) => Some(volume.target),
            Err(_) => None,
        },
        (By::Device, Value::String(value)) => {
            let mut parts = value.split(':');
            let first = parts.next().unwrap_or_default();
            Some(parts.next().unwrap_or(first).to_owned())
        }
        (By::Port, Value::Map(_)) => match text("target") {
            Some(target) => Some(ports::identity(item, &target)),
            None => {
                problems.lacks(item, "target", path);
                None
            }
        },
        (By::EnvFile, Value::Map(_)) => text("path").or_else(|| {
            problems.lacks(item, "path", path);
            None
        }),
        _ => None,
    }
}
