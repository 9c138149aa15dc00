//! What goes without saying once all files are merged: names, the default network, needs that other keys imply.

use std::collections::HashSet;

use super::canonical::{for_each, get, imply, mapping};
use super::interpolate::Environment;
use super::paths::section;
use super::tree::{Entry, Map, Node, Value};
use super::volumes::clean;
use crate::source::Origin;

/// A text as a project's name: lower case letters, digits, `-` and `_`.
#[must_use]
pub fn project_name(text: &str) -> String {
    let kept: String = text.to_lowercase().chars().filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')).collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// Fills in what is implied.
pub fn normalize(root: &mut Node, name: &str, environment: &Environment) {
    let Some(root) = root.map_mut() else { return };
    default_network(root);
    for_each(root, "services", |node, _| service(node, environment));
    for kind in ["networks", "volumes", "configs", "secrets"] {
        let Some(resources) = root.get_mut(kind).and_then(|entry| entry.node.map_mut()) else { continue };
        for (key, entry) in resources {
            let origin = entry.key;
            if entry.node.is_null() {
                entry.node = Node::new(origin, Value::Map(Map::default()));
            }
            let external = entry.node.get("external").is_some_and(Node::is_true);
            let full = if external { key.clone() } else { format!("{name}_{key}") };
            if let Some(resource) = entry.node.map_mut() {
                if resource.get("name").is_some_and(|entry| entry.node.is_null()) {
                    resource.shift_remove("name");
                }
                imply(resource, "name", origin, Value::String(full));
            }
        }
    }
    let origin = root.get("name").map_or_else(Origin::default, |entry| entry.node.origin);
    root.insert("name".to_owned(), Entry { key: origin, node: Node::text(origin, name) });
}

fn default_network(root: &mut Map) {
    let mut used = None;
    if let Some(services) = root.get_mut("services").and_then(|entry| entry.node.map_mut()) {
        for entry in services.values_mut() {
            let place = entry.key;
            let Some(service) = entry.node.map_mut() else { continue };
            if service.contains_key("provider") || service.contains_key("network_mode") {
                continue;
            }
            let default = || mapping(place, [("default", Value::Null)]);
            match service.get_mut("networks") {
                None => {
                    service.insert("networks".to_owned(), Entry { key: place, node: default() });
                    used.get_or_insert(place);
                }
                Some(networks) => match &networks.node.value {
                    Value::Map(map) if map.contains_key("default") => {
                        used.get_or_insert(place);
                    }
                    Value::Map(map) if !map.is_empty() => {}
                    Value::Map(_) | Value::Null => {
                        networks.node = default();
                        used.get_or_insert(place);
                    }
                    _ => {}
                },
            }
        }
    }
    if let Some(place) = used {
        let networks = section(root, "networks");
        networks.entry("default".to_owned()).or_insert_with(|| Entry { key: place, node: Node::new(place, Value::Null) });
    }
}

fn service(node: &mut Node, environment: &Environment) {
    let place = node.origin;
    let Some(service) = node.map_mut() else { return };
    if let Some(policy) = get(service, "pull_policy").filter(|policy| policy.str() == Some("if_not_present")) {
        policy.value = Value::String("missing".to_owned());
    }
    if let Some(build) = service.get_mut("build") {
        let origin = build.key;
        if let Some(build) = build.node.map_mut() {
            imply(build, "context", origin, Value::String(".".to_owned()));
            if !build.contains_key("dockerfile_inline") {
                imply(build, "dockerfile", origin, Value::String("Dockerfile".to_owned()));
            }
            if let Some(args) = get(build, "args") {
                from_environment(args, environment, false);
            }
        }
    }
    if let Some(variables) = get(service, "environment") {
        from_environment(variables, environment, true);
    }
    let mut needs: Vec<(String, Origin, bool)> = Vec::new();
    if let Some(links) = service.get("links") {
        for link in links.node.items() {
            let text = link.str().unwrap_or_default();
            needs.push((text.split_once(':').map_or(text, |(name, _)| name).to_owned(), link.origin, true));
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(entry) = service.get(key) else { continue };
        if let Some(name) = entry.node.str().and_then(|mode| mode.strip_prefix("service:")) {
            needs.push((name.to_owned(), entry.node.origin, true));
        }
    }
    if let Some(volumes) = get(service, "volumes")
        && let Value::List(items) = &mut volumes.value
    {
        for item in items {
            if let Some(Value::String(target)) = item.map_mut().and_then(|map| get(map, "target")).map(|node| &mut node.value) {
                *target = clean(target);
            }
        }
    }
    if let Some(list) = service.get("volumes_from") {
        for item in list.node.items() {
            let text = item.str().unwrap_or_default();
            if !text.starts_with("container:") {
                needs.push((text.split(':').next().unwrap_or_default().to_owned(), item.origin, false));
            }
        }
    }
    if !needs.is_empty() {
        let depends_on = section(service, "depends_on");
        for (name, origin, restart) in needs {
            let need = mapping(
                origin,
                [
                    ("condition", Value::String("service_started".to_owned())),
                    ("restart", Value::Bool(restart)),
                    ("required", Value::Bool(true)),
                ],
            );
            depends_on.entry(name).or_insert_with(|| Entry { key: origin, node: need });
        }
    }
    let image = service.get("image").map(|entry| entry.node.clone()).filter(|image| image.str().is_some_and(|image| !image.is_empty()));
    if let (Some(image), Some(Value::List(hooks))) = (image, get(service, "pre_start").map(|node| &mut node.value)) {
        for hook in hooks {
            if let Some(hook) = hook.map_mut() {
                hook.entry("image".to_owned()).or_insert_with(|| Entry { key: place, node: image.clone() });
            }
        }
    }
}

/// Gives names without a value that of the environment. `keep`: names that it does not have stay, without a value.
fn from_environment(node: &mut Node, environment: &Environment, keep: bool) {
    match &mut node.value {
        Value::Map(map) => {
            for (name, entry) in map.iter_mut() {
                if let (true, Some(value)) = (entry.node.is_null(), environment.get(name)) {
                    entry.node = Node::text(entry.key, value.as_str());
                }
            }
            if !keep {
                map.retain(|_, entry| !entry.node.is_null());
            }
        }
        Value::List(items) => {
            for item in items.iter_mut() {
                let found =
                    item.str().filter(|text| !text.contains('=')).and_then(|name| Some(format!("{name}={}", environment.get(name)?)));
                if let Some(found) = found {
                    item.value = Value::String(found);
                }
            }
            if !keep {
                items.retain(|item| item.str().is_none_or(|text| text.contains('=')));
            }
        }
        _ => {}
    }
}

/// Leaves out networks, volumes, secrets, configs and models that no service uses.
pub fn prune(root: &mut Node) {
    let mut used: HashSet<(&'static str, String)> = HashSet::new();
    for (_, entry) in root.get("services").into_iter().flat_map(Node::entries) {
        let service = &entry.node;
        let mut keys = |kind: &'static str, node: Option<&Node>| {
            used.extend(node.into_iter().flat_map(Node::entries).map(|(name, _)| (kind, name.to_owned())));
        };
        keys("networks", service.get("networks"));
        keys("models", service.get("models"));
        let mut sources = |kind: &'static str, node: Option<&Node>| {
            let items = node.map_or(&[][..], Node::items);
            used.extend(items.iter().filter_map(|item| Some((kind, item.get("source")?.scalar()?))));
        };
        for kind in ["secrets", "configs", "volumes"] {
            sources(kind, service.get(kind));
        }
        sources("secrets", service.at(&["build", "secrets"]));
    }
    let Some(root) = root.map_mut() else { return };
    for kind in ["networks", "volumes", "secrets", "configs", "models"] {
        if let Some(resources) = root.get_mut(kind).and_then(|entry| entry.node.map_mut()) {
            resources.retain(|name, _| used.contains(&(kind, name.clone())));
        }
    }
}
