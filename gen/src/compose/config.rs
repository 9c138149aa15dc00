//! The resolved model as `docker compose config` prints it.

use std::time::Duration;

use serde_json::{Map as JsonMap, Number, Value as Json};

use super::Project;
use super::tree::{Node, Value};
use super::types;

/// Printed even when there is nothing: Compose tells an empty command from none.
const ALWAYS: [&str; 2] = ["command", "entrypoint"];

/// As JSON, with a line break at the end.
#[must_use]
pub fn json(project: &Project) -> String {
    serde_json::to_string_pretty(&document(project)).unwrap_or_default() + "\n"
}

/// As YAML.
#[must_use]
pub fn yaml(project: &Project) -> String {
    let mut document = model(project, true);
    for (_, service) in document["services"].as_object_mut().into_iter().flatten() {
        if let Some(service) = service.as_object_mut() {
            service.retain(|key, value| !(ALWAYS.contains(&key.as_str()) && value.is_null()));
        }
    }
    // What belongs together stands in the order of the specification.
    let mut ordered = JsonMap::new();
    for section in ["name", "services", "networks", "volumes", "secrets", "configs", "models"] {
        if let Some(value) = document.as_object_mut().and_then(|map| map.shift_remove(section)) {
            ordered.insert(section.to_owned(), value);
        }
    }
    ordered.extend(document.as_object_mut().map(std::mem::take).into_iter().flatten());
    serde_yaml::to_string(&ordered).unwrap_or_default()
}

/// The model as Compose's own types print it.
#[must_use]
pub fn document(project: &Project) -> Json {
    model(project, false)
}

fn model(project: &Project, models: bool) -> Json {
    let mut document = JsonMap::new();
    document.insert("name".to_owned(), Json::String(project.name.clone()));
    document.insert("services".to_owned(), Json::Object(JsonMap::new()));
    for (section, entry) in project.model.entries() {
        let value = match section {
            "services" => each(&entry.node, service),
            "networks" => each(&entry.node, network),
            // Compose prints models in YAML only.
            "models" if !models => continue,
            "volumes" | "secrets" | "configs" | "models" => each(&entry.node, |node| object(node, &[])),
            _ if section.starts_with("x-") => plain(&entry.node),
            _ => continue,
        };
        if section == "services" || section.starts_with("x-") || value.as_object().is_some_and(|map| !map.is_empty()) {
            document.insert(section.to_owned(), value);
        }
    }
    for (_, config) in document.get_mut("configs").and_then(Json::as_object_mut).into_iter().flatten() {
        if let Some(config) = config.as_object_mut().filter(|config| config.contains_key("environment")) {
            config.shift_remove("content");
        }
    }
    sorted(Json::Object(document))
}

/// Keys in the order of the alphabet, as Compose prints them; dollar signs doubled, so that the output can be read again.
fn sorted(value: Json) -> Json {
    let escape = |text: String| if text.contains('$') { text.replace('$', "$$") } else { text };
    match value {
        Json::String(text) => Json::String(escape(text)),
        Json::Object(map) => {
            let mut entries: Vec<(String, Json)> = map.into_iter().map(|(key, value)| (escape(key), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(entries.into_iter().collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn each(node: &Node, one: impl Fn(&Node) -> Json) -> Json {
    Json::Object(node.entries().map(|(name, entry)| (name.to_owned(), one(&entry.node))).collect())
}

/// A value as it is, without its places.
#[must_use]
pub fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Wrong => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Number((*value).into()),
        Value::Float(value) => float(*value),
        Value::String(value) => Json::String(value.clone()),
        Value::List(items) => Json::Array(items.iter().map(plain).collect()),
        Value::Map(map) => Json::Object(map.iter().map(|(key, entry)| (key.clone(), plain(&entry.node))).collect()),
    }
}

/// Whole numbers have no fraction.
fn float(value: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers in the range of 53 bits are cast")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Json::Number((value as i64).into());
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// A mapping without its empty values and without extensions. `keep`: keys that are printed even when they are empty.
fn object(node: &Node, keep: &[&str]) -> Json {
    if node.is_null() {
        return Json::Null;
    }
    let entries = node.entries().filter(|(key, _)| !key.starts_with("x-"));
    let entries = entries.map(|(key, entry)| (key.to_owned(), plain(&entry.node)));
    Json::Object(entries.filter(|(key, value)| keep.contains(&key.as_str()) && !value.is_null() || !is_empty(value)).collect())
}

fn without_extensions(value: &mut Json) {
    match value {
        Json::Object(map) => {
            map.retain(|key, _| !key.starts_with("x-"));
            map.values_mut().for_each(without_extensions);
        }
        Json::Array(items) => items.iter_mut().for_each(without_extensions),
        _ => {}
    }
}

fn network(node: &Node) -> Json {
    let mut network = object(node, &["enable_ipv4", "enable_ipv6"]);
    without_extensions(&mut network);
    if let Some(map) = network.as_object_mut() {
        map.entry("ipam").or_insert_with(|| Json::Object(JsonMap::new()));
    }
    network
}

fn texts(words: Vec<String>) -> Json {
    Json::Array(words.into_iter().map(Json::String).collect())
}

fn command(node: Option<&Node>) -> Json {
    match node.map(|node| &node.value) {
        Some(Value::String(text)) => types::words(text).map_or(Json::Null, texts),
        Some(Value::List(items)) => texts(items.iter().filter_map(Node::scalar).collect()),
        _ => Json::Null,
    }
}

fn service(node: &Node) -> Json {
    let mut map = JsonMap::new();
    for (key, entry) in node.entries().filter(|(key, _)| !key.starts_with("x-")) {
        let node = &entry.node;
        let value = match key {
            "command" | "entrypoint" | "env_file" | "label_file" => continue,
            "build" => build(node),
            "deploy" => deploy(node),
            "healthcheck" => healthcheck(node),
            "stop_grace_period" => time(node),
            "mem_limit" | "mem_reservation" | "memswap_limit" | "mem_swappiness" | "shm_size" => size(node),
            "extra_hosts" => hosts(node),
            "networks" => each(node, |network| object(network, &[])),
            "models" => each(node, |model| object(model, &[])),
            "depends_on" => each(node, |need| object(need, &["required"])),
            "ports" | "devices" => Json::Array(node.items().iter().map(|item| object(item, &[])).collect()),
            "secrets" | "configs" => Json::Array(node.items().iter().map(mounted).collect()),
            "volumes" => Json::Array(node.items().iter().map(volume).collect()),
            "gpus" => Json::Array(node.items().iter().map(device).collect()),
            "ulimits" => each(node, ulimit),
            "logging" | "credential_spec" | "provider" => object(node, &[]),
            "post_start" | "pre_stop" => Json::Array(node.items().iter().map(hook).collect()),
            "pre_start" => Json::Array(node.items().iter().map(before_start).collect()),
            "develop" => develop(node),
            "blkio_config" => blkio(node),
            _ => plain(node),
        };
        let pointer = matches!(
            key,
            "init"
                | "attach"
                | "scale"
                | "build"
                | "deploy"
                | "healthcheck"
                | "logging"
                | "develop"
                | "blkio_config"
                | "credential_spec"
                | "provider"
                | "stop_grace_period"
        );
        if !is_empty(&value) || (pointer && !node.is_null()) {
            map.insert(key.to_owned(), value);
        }
    }
    for key in ALWAYS {
        map.insert(key.to_owned(), command(node.get(key)));
    }
    let mut value = Json::Object(map);
    for key in [
        "build",
        "deploy",
        "healthcheck",
        "ports",
        "volumes",
        "develop",
        "logging",
        "networks",
        "secrets",
        "configs",
        "devices",
        "gpus",
        "post_start",
        "pre_stop",
        "pre_start",
        "blkio_config",
    ] {
        if let Some(part) = value.get_mut(key) {
            if key == "networks" {
                part.as_object_mut().into_iter().flatten().for_each(|(_, network)| without_extensions(network));
            } else {
                without_extensions(part);
            }
        }
    }
    value
}

fn device(node: &Node) -> Json {
    let mut value = object(node, &[]);
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| matches!(key.as_str(), "capabilities" | "driver" | "count" | "device_ids" | "options"));
    }
    value
}

fn size(node: &Node) -> Json {
    match node.int() {
        Some(0) | None => Json::Null,
        Some(bytes) => Json::String(bytes.to_string()),
    }
}

fn time(node: &Node) -> Json {
    node.str().and_then(types::duration).map_or(Json::Null, |duration| Json::String(shown(duration)))
}

/// A duration as Go prints it: `1m30s`, `500ms`.
fn shown(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |value: u128, unit: u128, name: &str| {
        let (whole, rest) = (value / unit, value % unit);
        if rest == 0 {
            return format!("{whole}{name}");
        }
        let digits = unit.to_string().len() - 1;
        format!("{whole}.{}{name}", format!("{rest:0digits$}").trim_end_matches('0'))
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => fraction(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(nanos, 1_000_000, "ms"),
        _ => {
            let (minutes, seconds) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = fraction(seconds, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

fn hosts(node: &Node) -> Json {
    let bare = |address: &str| address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address).to_owned();
    let mut all: Vec<String> = Vec::new();
    match &node.value {
        Value::List(items) => {
            for text in items.iter().filter_map(Node::scalar) {
                if let Some((host, addresses)) = text.split_once('=').or_else(|| text.split_once(':')) {
                    all.extend(addresses.split(',').map(|address| format!("{host}={}", bare(address))));
                }
            }
        }
        Value::Map(map) => {
            for (host, entry) in map {
                let addresses = match &entry.node.value {
                    Value::List(items) => items.iter().filter_map(Node::scalar).collect(),
                    _ => vec![entry.node.scalar().unwrap_or_default()],
                };
                all.extend(addresses.iter().map(|address| format!("{host}={}", bare(address))));
            }
        }
        _ => {}
    }
    all.sort();
    texts(all)
}

fn ulimit(node: &Node) -> Json {
    match node.map() {
        Some(_) => object(node, &[]),
        None => plain(node),
    }
}

fn mounted(node: &Node) -> Json {
    let mut value = object(node, &[]);
    if let Some(mode) = node.get("mode").and_then(Node::int) {
        value["mode"] = Json::String(format!("0{mode:o}"));
    }
    value
}

fn volume(node: &Node) -> Json {
    let mut value = object(node, &["bind", "volume", "tmpfs", "image"]);
    if let Some(bind) = value.get_mut("bind").and_then(Json::as_object_mut) {
        // `true` goes without saying, `false` does not.
        bind.retain(|key, value| if key == "create_host_path" { *value == Json::Bool(false) } else { !is_empty(value) });
    }
    if let Some(options) = value.get_mut("volume").and_then(Json::as_object_mut) {
        options.retain(|_, value| !is_empty(value));
    }
    if let Some(size) = node.at(&["tmpfs", "size"]).and_then(Node::int)
        && let Some(options) = value.get_mut("tmpfs").and_then(Json::as_object_mut)
    {
        options.shift_remove("size");
        if size != 0 {
            options.insert("size".to_owned(), Json::String(size.to_string()));
        }
    }
    value
}

fn build(node: &Node) -> Json {
    let mut value = object(node, &[]);
    let Some(map) = value.as_object_mut() else { return value };
    for (key, make) in [("extra_hosts", hosts as fn(&Node) -> Json), ("shm_size", size)] {
        if let Some(node) = node.get(key) {
            map.insert(key.to_owned(), make(node));
        }
    }
    if let Some(secrets) = node.get("secrets").filter(|secrets| !secrets.items().is_empty()) {
        map.insert("secrets".to_owned(), Json::Array(secrets.items().iter().map(mounted).collect()));
    }
    if let Some(keys) = node.get("ssh").filter(|keys| keys.map().is_some()) {
        let key = |(id, entry): (&str, &super::tree::Entry)| match entry.node.scalar() {
            Some(path) => format!("{id}={path}"),
            None => id.to_owned(),
        };
        map.insert("ssh".to_owned(), texts(keys.entries().map(key).collect()));
    }
    value
}

fn deploy(node: &Node) -> Json {
    let mut value = object(node, &["replicas"]);
    let Some(map) = value.as_object_mut() else { return value };
    for key in ["update_config", "rollback_config", "restart_policy"] {
        let Some(part) = node.get(key).filter(|part| part.map().is_some()) else { continue };
        let mut value = object(part, &["parallelism", "max_attempts"]);
        for inner in ["delay", "monitor", "window"] {
            if let Some(node) = part.get(inner) {
                value[inner] = time(node);
            }
        }
        map.insert(key.to_owned(), value);
    }
    let mut resources = JsonMap::new();
    for kind in ["limits", "reservations"] {
        let Some(part) = node.at(&["resources", kind]).filter(|part| part.map().is_some()) else { continue };
        let mut value = object(part, &[]);
        if let Some(memory) = part.get("memory").map(size).filter(|memory| !memory.is_null()) {
            value["memory"] = memory;
        }
        resources.insert(kind.to_owned(), value);
    }
    map.insert("resources".to_owned(), Json::Object(resources));
    map.entry("placement").or_insert_with(|| Json::Object(JsonMap::new()));
    value
}

fn healthcheck(node: &Node) -> Json {
    let mut value = object(node, &["retries"]);
    let Some(map) = value.as_object_mut() else { return value };
    if let Some(Value::String(text)) = node.get("test").map(|test| &test.value) {
        map.insert("test".to_owned(), texts(vec!["CMD-SHELL".to_owned(), text.clone()]));
    }
    for key in ["interval", "timeout", "start_period", "start_interval"] {
        if let Some(node) = node.get(key) {
            map.insert(key.to_owned(), time(node));
        }
    }
    value
}

fn hook(node: &Node) -> Json {
    let mut value = object(node, &[]);
    if let Some(map) = value.as_object_mut() {
        map.insert("command".to_owned(), command(node.get("command")));
    }
    value
}

/// What runs before a container starts is a container of its own.
fn before_start(node: &Node) -> Json {
    let mut value = hook(node);
    if let Some(map) = value.as_object_mut() {
        map.insert("entrypoint".to_owned(), command(node.get("entrypoint")));
        map.entry("networks").or_insert_with(|| serde_json::json!({ "default": null }));
    }
    value
}

fn develop(node: &Node) -> Json {
    let watches = node.get("watch").map_or(&[][..], Node::items).iter().map(|watch| {
        let mut value = object(watch, &["path", "action"]);
        // Compose prints the command of every action.
        value["exec"] = watch.get("exec").map_or_else(|| serde_json::json!({ "command": null }), hook);
        value
    });
    let mut value = object(node, &[]);
    let watches: Vec<Json> = watches.collect();
    if let (Some(map), false) = (value.as_object_mut(), watches.is_empty()) {
        map.insert("watch".to_owned(), Json::Array(watches));
    }
    value
}

/// These have no names for JSON in Compose: they are those of Go.
fn blkio(node: &Node) -> Json {
    let mut value = object(node, &[]);
    for (key, entry) in node.entries().filter(|(key, _)| *key != "weight" && !key.starts_with("x-")) {
        let items = entry.node.items().iter().map(|item| {
            let mut device = JsonMap::new();
            device.insert("Path".to_owned(), item.get("path").map_or(Json::Null, plain));
            if let Some(weight) = item.get("weight") {
                device.insert("Weight".to_owned(), plain(weight));
            }
            if let Some(rate) = item.get("rate") {
                device.insert("Rate".to_owned(), Json::String(rate.int().unwrap_or(0).to_string()));
            }
            Json::Object(device)
        });
        let items: Vec<Json> = items.collect();
        if !items.is_empty() {
            value[key] = Json::Array(items);
        }
    }
    value
}
