//! What `compose` says, merged into what is generated: tables key by key, anything else replaces.
//!
//! What is generated under a key that `compose` has too is taken out of the view and written by it, so that a template need
//! not know what was passed through.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Options;
use super::paths::with_dot;
use super::view::{Pair, Project, Service};
use crate::compose::relative::retell;
use crate::plan::Plan;

/// A key of Compose and all that stands there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extra {
    /// The key.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// Merges what the plan passes through into the view.
pub(super) fn apply(plan: &Plan, project: &mut Project, options: &Options) {
    let mut root = plan.compose.clone();
    let mut services = match root.remove("services") {
        Some(Value::Object(services)) => services,
        _ => Map::new(),
    };
    for (service, component) in project.services.iter_mut().zip(plan.deployed()) {
        let mut all = Value::Object(component.compose.clone());
        if let Some(more) = services.remove(&service.name) {
            merge(&mut all, more);
        }
        let Value::Object(all) = told_from(&all, options) else { continue };
        // Compose itself makes a service wait for those that it is linked to.
        let linked =
            |name: &str| all.get("links").and_then(Value::as_array).is_some_and(|links| links.iter().any(|link| is_link_to(link, name)));
        if service.as_is {
            service.depends_on.retain(|need| !linked(&need.name));
        }
        if all.contains_key("scale") {
            // Compose wants `scale` and `deploy.replicas` to be the same, where both are there.
            service.replicas = 1;
        }
        service.compose = all.into_iter().map(|(key, value)| Extra { value: over(taken(service, &key), &key, value), name: key }).collect();
    }
    let services: Map<String, Value> = services.into_iter().map(|(name, service)| (name, told_from(&service, options))).collect();
    project.services_as_they_are = services.into_iter().map(|(name, value)| Extra { name, value: nothing_for_empty(value) }).collect();
    let (way, join) = way(options);
    retell(&mut root, &way, &join);
    let merged = root.into_iter().map(|(key, value)| Extra { value: over(taken_from_root(project, &key), &key, value), name: key });
    project.compose = merged.collect();
}

/// The way from the generated files to the topology, and a path behind it.
fn way(options: &Options) -> (String, impl Fn(&str) -> String) {
    let join = |path: &str| with_dot(options.out.way_to(&options.folder.join(path)));
    (options.out.way_to(&options.folder), join)
}

/// A service with its paths told from the folder of the generated files.
fn told_from(service: &Value, options: &Options) -> Value {
    let mut document = Map::from_iter([("services".to_owned(), json!({ "it": service }))]);
    let (way, join) = way(options);
    retell(&mut document, &way, &join);
    document["services"]["it"].take()
}

fn over(generated: Option<Value>, key: &str, passed: Value) -> Value {
    let passed = match generated {
        None | Some(Value::Null) => passed,
        Some(mut base) => {
            let passed = if base.is_object() { as_table(key, passed) } else { passed };
            merge(&mut base, passed);
            base
        }
    };
    nothing_for_empty(passed)
}

/// `db` or `db:alias`.
fn is_link_to(link: &Value, name: &str) -> bool {
    link.as_str().is_some_and(|link| link.split(':').next() == Some(name))
}

/// Merges tables key by key; anything else replaces.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(known) => merge(known, value),
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// The long form of a list that Compose takes for a table.
fn as_table(key: &str, value: Value) -> Value {
    let Value::Array(items) = &value else { return value };
    let texts = items.iter().filter_map(Value::as_str);
    match key {
        "environment" | "labels" => texts
            .map(|text| text.split_once('=').map_or((text.to_owned(), Value::Null), |(name, value)| (name.to_owned(), json!(value))))
            .collect::<Map<_, _>>()
            .into(),
        "networks" => texts.map(|name| (name.to_owned(), Value::Null)).collect::<Map<_, _>>().into(),
        "depends_on" => texts.map(|name| (name.to_owned(), json!({ "condition": "service_started" }))).collect::<Map<_, _>>().into(),
        _ => value,
    }
}

/// TOML has no `null`: an empty table stands for it, as the value of a key.
pub(crate) fn nothing_for_empty(value: Value) -> Value {
    match value {
        Value::Object(map) if map.is_empty() => Value::Null,
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, nothing_for_empty(value))).collect::<Map<_, _>>().into(),
        other => other,
    }
}

/// What is generated under a key, as Compose reads it; it is no longer in the view then.
fn taken(service: &mut Service, key: &str) -> Option<Value> {
    use std::mem::take;
    let some = |is_there: bool, value: Value| is_there.then_some(value);
    match key {
        "image" => some(!service.image.is_empty(), json!(take(&mut service.image))),
        "build" => service.build.take().map(|build| {
            let mut table = json!({ "context": build.context, "dockerfile": build.dockerfile });
            if !build.labels.is_empty() {
                table["labels"] = pairs(build.labels);
            }
            table
        }),
        "command" => service.command.take().map(|command| json!(command)),
        "init" => some(take(&mut service.init), json!(true)),
        "deploy" => {
            let mut deploy = Map::new();
            if service.replicas != 1 {
                deploy.insert("replicas".to_owned(), json!(service.replicas));
                service.replicas = 1;
            }
            let mut limits = Map::new();
            limits.extend(service.cpus.take().map(|cpus| ("cpus".to_owned(), json!(cpus))));
            limits.extend(service.memory.take().map(|memory| ("memory".to_owned(), json!(memory))));
            if !limits.is_empty() {
                deploy.insert("resources".to_owned(), json!({ "limits": limits }));
            }
            some(!deploy.is_empty(), deploy.into())
        }
        "depends_on" => {
            let needs = take(&mut service.depends_on).into_iter().map(|need| (need.name, json!({ "condition": need.value })));
            table(needs.collect())
        }
        "environment" => table(take(&mut service.environment).into_iter().map(|pair| (pair.name, json!(pair.value))).collect()),
        "labels" => table(take(&mut service.labels).into_iter().map(|pair| (pair.name, json!(pair.value))).collect()),
        "networks" => {
            let networks = take(&mut service.networks).into_iter().map(|network| {
                let aliases = network.aliases;
                (network.name, if aliases.is_empty() { Value::Null } else { json!({ "aliases": aliases }) })
            });
            table(networks.collect())
        }
        "expose" => list(take(&mut service.expose)),
        "ports" => list(take(&mut service.ports)),
        "volumes" => list(take(&mut service.volumes)),
        "tmpfs" => list(take(&mut service.tmpfs)),
        "cap_drop" => list(take(&mut service.cap_drop)),
        "cap_add" => list(take(&mut service.cap_add)),
        "security_opt" => list(take(&mut service.security_opt)),
        "secrets" => {
            let secrets = take(&mut service.secrets).into_iter().map(|secret| json!({ "source": secret.value, "target": secret.name }));
            let secrets: Vec<Value> = secrets.collect();
            some(!secrets.is_empty(), secrets.into())
        }
        "healthcheck" => service.healthcheck.take().and_then(|check| serde_json::to_value(check).ok()).map(|mut check| {
            if let Some(check) = check.as_object_mut() {
                check.retain(|_, value| !value.is_null());
            }
            check
        }),
        "logging" => {
            some(take(&mut service.rotate_logs), json!({ "driver": "json-file", "options": { "max-size": "10m", "max-file": "3" } }))
        }
        "restart" => some(!service.restart.is_empty(), json!(take(&mut service.restart))),
        "stop_grace_period" => some(!service.stop_grace_period.is_empty(), json!(take(&mut service.stop_grace_period))),
        "user" => service.user.take().map(|user| json!(user)),
        "read_only" => some(take(&mut service.read_only), json!(true)),
        _ => None,
    }
}

fn taken_from_root(project: &mut Project, key: &str) -> Option<Value> {
    use std::mem::take;
    match key {
        "name" => Some(json!(take(&mut project.name))),
        "networks" => table(take(&mut project.networks).into_iter().map(|name| (name, json!({ "driver": "bridge" }))).collect()),
        "volumes" => table(take(&mut project.volumes).into_iter().map(|name| (name, Value::Null)).collect()),
        "secrets" => {
            let secrets = take(&mut project.secrets).into_iter().map(|secret| {
                let mut source = Map::new();
                source.extend(secret.file.map(|file| ("file".to_owned(), json!(file))));
                source.extend(secret.environment.map(|variable| ("environment".to_owned(), json!(variable))));
                source.extend(secret.external.then(|| ("external".to_owned(), json!(true))));
                (secret.name, Value::Object(source))
            });
            table(secrets.collect())
        }
        _ => None,
    }
}

fn pairs(pairs: Vec<Pair>) -> Value {
    pairs.into_iter().map(|pair| (pair.name, json!(pair.value))).collect::<Map<_, _>>().into()
}

fn table(entries: Map<String, Value>) -> Option<Value> {
    (!entries.is_empty()).then(|| entries.into())
}

fn list(items: Vec<String>) -> Option<Value> {
    (!items.is_empty()).then(|| items.into())
}
