//! The long syntax of everything, and what goes without saying.

use super::path::Path;
use super::problem::Problems;
use super::tree::{Entry, Map, Node, Value};
use super::{ports, volumes};
use crate::finding::Place;
use crate::rules;
use crate::source::Origin;

/// The most ports that a project may publish once its ranges are spelt out: each is a mapping of its own.
const MAX_PORTS: usize = 150_000;

/// Makes the long syntax of a document that was merged.
pub fn canonical(root: &mut Node, problems: &mut Problems) {
    let Some(root) = root.map_mut() else { return };
    for_each(root, "services", |service, path| self::service(service, path, problems));
    for kind in ["volumes", "networks", "secrets", "configs"] {
        for_each(root, kind, |resource, path| external(resource, path, problems));
    }
}

/// Calls `change` for every entry of a section.
pub(super) fn for_each(root: &mut Map, section: &str, mut change: impl FnMut(&mut Node, &Path<'_>)) {
    let up = Path::ROOT.key(section);
    for (name, entry) in root.get_mut(section).and_then(|entry| entry.node.map_mut()).into_iter().flatten() {
        change(&mut entry.node, &up.key(name));
    }
}

/// The value of a key, to be changed.
pub(super) fn get<'m>(map: &'m mut Map, key: &str) -> Option<&'m mut Node> {
    map.get_mut(key).map(|entry| &mut entry.node)
}

/// Sets a key that goes without saying, at the place of what implies it.
pub(super) fn imply(map: &mut Map, key: &str, origin: Origin, value: Value) {
    map.entry(key.to_owned()).or_insert_with(|| Entry { key: origin, node: Node::new(origin, value) });
}

/// A mapping of implied values.
pub(super) fn mapping<const N: usize>(origin: Origin, values: [(&str, Value); N]) -> Node {
    let entry = |(key, value): (&str, Value)| (key.to_owned(), Entry { key: origin, node: Node::new(origin, value) });
    Node::new(origin, Value::Map(values.into_iter().map(entry).collect()))
}

/// A text where a list of texts may stand.
fn list(node: &mut Node) {
    if let Value::String(_) = node.value {
        let item = std::mem::take(node);
        *node = Node::new(item.origin, Value::List(vec![item]));
    }
}

/// A list of names as a mapping of names to what `value` makes.
fn names(node: &mut Node, value: impl Fn(Origin) -> Node) {
    if let Value::List(items) = &mut node.value {
        let items = std::mem::take(items);
        let entry = |item: Node| item.scalar().map(|name| (name, Entry { key: item.origin, node: value(item.origin) }));
        node.value = Value::Map(items.into_iter().filter_map(entry).collect());
    }
}

fn each_item(node: &mut Node, path: &Path<'_>, mut change: impl FnMut(&mut Node, &Path<'_>)) {
    if let Value::List(items) = &mut node.value {
        for (index, item) in items.iter_mut().enumerate() {
            change(item, &path.index(index));
        }
    }
}

fn service(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    let Some(service) = node.map_mut() else { return };
    if let Some(build) = get(service, "build") {
        self::build(build, &path.key("build"), problems);
    }
    if let Some(needs) = get(service, "depends_on") {
        let need = |origin| mapping(origin, [("condition", Value::String("service_started".to_owned())), ("required", Value::Bool(true))]);
        names(needs, need);
        for (_, entry) in needs.map_mut().into_iter().flatten() {
            let origin = entry.key;
            if let Some(map) = entry.node.map_mut() {
                imply(map, "condition", origin, Value::String("service_started".to_owned()));
                imply(map, "required", origin, Value::Bool(true));
            }
        }
    }
    if let Some(files) = get(service, "env_file") {
        list(files);
        each_item(files, &path.key("env_file"), |file, _| {
            let origin = file.origin;
            match &mut file.value {
                Value::String(name) => {
                    let name = Value::String(std::mem::take(name));
                    *file = mapping(origin, [("path", name), ("required", Value::Bool(true))]);
                }
                Value::Map(map) => imply(map, "required", origin, Value::Bool(true)),
                _ => {}
            }
        });
    }
    for key in ["label_file", "dns"] {
        if let Some(node) = get(service, key) {
            list(node);
        }
    }
    if let Some(Value::List(items)) = get(service, "dns").map(|node| &mut node.value) {
        items.retain(|item| !item.is_null() && item.str() != Some(""));
    }
    if let Some(gpus) = get(service, "gpus")
        && gpus.str().is_some()
    {
        let origin = gpus.origin;
        *gpus = Node::new(origin, Value::List(vec![mapping(origin, [("count", Value::String("all".to_owned()))])]));
    }
    for key in ["networks", "models"] {
        if let Some(node) = get(service, key) {
            names(node, |origin| Node::new(origin, Value::Null));
        }
    }
    if let Some(mounts) = get(service, "volumes") {
        each_item(mounts, &path.key("volumes"), |mount, path| volume(mount, path, problems));
    }
    if let Some(devices) = get(service, "devices") {
        each_item(devices, &path.key("devices"), |item, path| device(item, path, problems));
    }
    for key in ["secrets", "configs"] {
        if let Some(mounts) = get(service, key) {
            each_item(mounts, &path.key(key), |mount, _| source_of(mount));
        }
    }
    if let Some(node) = get(service, "ports") {
        self::all_ports(node, &path.key("ports"), problems);
    }
    if let Some(watches) = service.get_mut("develop").and_then(|entry| get(entry.node.map_mut()?, "watch")) {
        each_item(watches, path, |watch, _| {
            for key in ["ignore", "include"] {
                if let Some(node) = watch.map_mut().and_then(|map| get(map, key)) {
                    list(node);
                }
            }
        });
    }
}

fn source_of(mount: &mut Node) {
    if let Value::String(source) = &mut mount.value {
        *mount = mapping(mount.origin, [("source", Value::String(std::mem::take(source)))]);
    }
}

fn build(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    if let Value::String(context) = &mut node.value {
        *node = mapping(node.origin, [("context", Value::String(std::mem::take(context)))]);
        return;
    }
    let Some(build) = node.map_mut() else { return };
    if let Some(secrets) = get(build, "secrets") {
        each_item(secrets, &path.key("secrets"), |secret, _| source_of(secret));
    }
    for key in ["provenance", "sbom"] {
        if let Some(node) = get(build, key)
            && let (true, Some(text)) = (node.str().is_none(), node.scalar())
        {
            node.value = Value::String(text);
        }
    }
    if let Some(node) = get(build, "additional_contexts")
        && let Value::List(items) = &mut node.value
    {
        let mut map = Map::default();
        for (index, item) in std::mem::take(items).into_iter().enumerate() {
            let text = item.scalar().unwrap_or_default();
            match text.split_once('=') {
                Some((name, value)) => {
                    map.insert(name.to_owned(), Entry { key: item.origin, node: Node::text(item.origin, value) });
                }
                None => {
                    let path = path.key("additional_contexts");
                    let path = path.index(index);
                    problems.refuse(
                        &rules::wrong_value::RULE,
                        item.origin,
                        path,
                        format!("`{path}` is no `NAME=CONTEXT`"),
                        format!("write `{text}=./folder`, or another context behind the `=`"),
                    );
                }
            }
        }
        node.value = Value::Map(map);
    }
    if let Some(node) = get(build, "ssh")
        && let Value::List(items) = &mut node.value
    {
        let mut map = Map::default();
        for (index, item) in std::mem::take(items).into_iter().enumerate() {
            let text = item.scalar().unwrap_or_default();
            let (id, value) = match text.split_once('=') {
                Some((id, path)) => (id, Node::text(item.origin, path)),
                None if text == "default" => ("default", Node::new(item.origin, Value::Null)),
                None => {
                    let path = path.key("ssh");
                    problems.refuse(
                        &rules::wrong_value::RULE,
                        item.origin,
                        path.index(index),
                        format!("the SSH key `{text}` names no file"),
                        format!("write `{text}=PATH`; `default` alone is the agent"),
                    );
                    continue;
                }
            };
            map.insert(id.to_owned(), Entry { key: item.origin, node: value });
        }
        node.value = Value::Map(map);
    }
}

fn volume(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    let Value::String(text) = &node.value else { return };
    match volumes::parse(text) {
        Ok(volume) => *node = volumes::long(volume, node.origin),
        Err(error) => {
            let message = format!("the volume `{text}` cannot be read: {error}");
            problems.refuse(&rules::wrong_value::RULE, node.origin, path, message, "write `SOURCE:TARGET` or `SOURCE:TARGET:ro`");
            node.value = Value::Wrong;
        }
    }
}

fn device(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    let Value::String(text) = &node.value else { return };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            let message = format!("the device `{text}` has more than three parts");
            problems.refuse(
                &rules::wrong_value::RULE,
                node.origin,
                path,
                message,
                "write it as a mapping with `source`, `target` and `permissions`",
            );
            node.value = Value::Wrong;
            return;
        }
    };
    let target = if target.is_empty() { source } else { target };
    let text = |text: &str| Value::String(text.to_owned());
    *node = mapping(node.origin, [("source", text(source)), ("target", text(target)), ("permissions", text(permissions))]);
}

fn all_ports(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    let Value::List(items) = &mut node.value else { return };
    let mut all = Vec::with_capacity(items.len());
    for (index, item) in std::mem::take(items).into_iter().enumerate() {
        let spec = match &item.value {
            Value::String(_) | Value::Int(_) => item.scalar().unwrap_or_default(),
            _ => {
                all.push(item);
                continue;
            }
        };
        // Ranges that come after too many are not even spelt out.
        if problems.ports > MAX_PORTS {
            continue;
        }
        match ports::parse(&spec, item.origin) {
            Ok(ports) if problems.ports + ports.len() > MAX_PORTS => {
                problems.ports = MAX_PORTS + 1;
                let message = format!("the ranges of ports name more than {MAX_PORTS} ports");
                problems.refuse(&rules::too_large::RULE, item.origin, path.index(index), message, "publish the ports that are used");
            }
            Ok(ports) => {
                problems.ports += ports.len();
                all.extend(ports);
            }
            Err(error) => {
                let help = "write `HOST:CONTAINER`, as in `\"8080:80\"`, or `ADDRESS:HOST:CONTAINER/PROTOCOL`";
                problems.refuse(
                    &rules::wrong_value::RULE,
                    item.origin,
                    path.index(index),
                    format!("the port `{}` cannot be read: {error}", crate::source::decode::shorten(&spec)),
                    help,
                );
            }
        }
    }
    node.value = Value::List(all);
}

/// `external: { name: x }`, as it was written long ago.
fn external(node: &mut Node, path: &Path<'_>, problems: &mut Problems) {
    let Some(resource) = node.map_mut() else { return };
    let Some(external) = resource.get("external") else { return };
    let (place, origin) = (external.key, external.node.origin);
    let Some(old) = external.node.map() else { return };
    let old_name = old.get("name").map(|entry| entry.node.clone());
    if let Some(entry) = resource.get_mut("external") {
        entry.node = Node::new(origin, Value::Bool(true));
    }
    let Some(old_name) = old_name else { return };
    match resource.get("name") {
        None => {
            resource.insert("name".to_owned(), Entry { key: place, node: old_name });
        }
        Some(name) if name.node.scalar() != old_name.scalar() => {
            let other = name.node.origin;
            problems
                .refuse(
                    &rules::conflicting_keys::RULE,
                    old_name.origin,
                    path,
                    format!("`{path}` has two names: `name` and `external.name`"),
                    "write `external: true` and `name: …`",
                )
                .related
                .push((Place::At(other), "the other name".to_owned()));
        }
        Some(_) => {}
    }
}

/// Sets what goes without saying.
pub fn defaults(root: &mut Node) {
    let Some(root) = root.map_mut() else { return };
    for_each(root, "services", |node, path| {
        let Some(service) = node.map_mut() else { return };
        let text = |text: &str| Value::String(text.to_owned());
        if let Some(build) = service.get_mut("build") {
            let origin = build.key;
            if let Some(build) = build.node.map_mut() {
                imply(build, "context", origin, text("."));
            }
        }
        if let Some(secrets) = get(service, "secrets") {
            each_item(secrets, path, |secret, _| {
                let origin = secret.origin;
                let source = secret.get("source").and_then(Node::scalar).unwrap_or_default();
                if let Some(secret) = secret.map_mut() {
                    imply(secret, "target", origin, Value::String(format!("/run/secrets/{source}")));
                }
            });
        }
        if let Some(ports) = get(service, "ports") {
            each_item(ports, path, |port, _| {
                let origin = port.origin;
                if let Some(port) = port.map_mut() {
                    imply(port, "protocol", origin, text("tcp"));
                    imply(port, "mode", origin, text("ingress"));
                }
            });
        }
        let device = |device: &mut Node, _: &Path<'_>| {
            let origin = device.origin;
            if let Some(map) = device.map_mut().filter(|map| !map.contains_key("count") && !map.contains_key("device_ids")) {
                imply(map, "count", origin, text("all"));
            }
        };
        if let Some(gpus) = get(service, "gpus") {
            each_item(gpus, path, device);
        }
        let requests = ["deploy", "resources", "reservations"].iter().try_fold(&mut *service, |map, key| get(map, key)?.map_mut());
        if let Some(devices) = requests.and_then(|map| get(map, "devices")) {
            each_item(devices, path, device);
        }
        if let Some(volumes) = get(service, "volumes") {
            each_item(volumes, path, |volume, _| {
                let Some(bind) = volume.map_mut().and_then(|map| get(map, "bind")) else { return };
                let origin = bind.origin;
                if let Some(bind) = bind.map_mut() {
                    imply(bind, "create_host_path", origin, Value::Bool(true));
                }
            });
        }
    });
}
