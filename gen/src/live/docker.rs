//! What the engine says of containers, by the `docker` command: it knows where the engine is.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::stream::output;
use super::{Error, Instance, State};

/// `docker` with these arguments.
#[must_use]
pub fn docker<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// Our client in a container of its own on `network`, told where the broker is; what it shall do comes behind.
#[must_use]
pub fn client_in(network: &str, image: &str, project: &str, host: &str, port: u16) -> Command {
    let mut command = docker(["run", "--rm", "-i", "--network", network]);
    command.args(["--label", &format!("{}.verify={project}", crate::render::LABEL)]);
    command.args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"]);
    command.args(["--env", &format!("BROKER_HOST={host}"), "--env", &format!("BROKER_PORT={port}")]);
    command.args(["--entrypoint", "/client", image]);
    command
}

/// What `docker` with these arguments prints.
pub fn say<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    output(&mut docker(arguments))
}

/// `docker inspect` of all containers that have the label, running or not.
pub fn inspect(label: &str) -> Result<Vec<Value>, Error> {
    let ids = say(["ps", "-aq", "--no-trunc", "--filter", &format!("label={label}")])?;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let text = say(["inspect", "--type", "container"].into_iter().chain(ids))?;
    serde_json::from_str(&text).map_err(|error| Error(format!("cannot understand `docker inspect`: {error}")))
}

/// A text somewhere in a document; empty when it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A container's label; empty when it has none.
#[must_use]
pub fn label<'a>(container: &'a Value, name: &str) -> &'a str {
    container.pointer("/Config/Labels").and_then(|labels| labels.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// A variable of a container's environment.
#[must_use]
pub fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let env = container.pointer("/Config/Env")?.as_array()?;
    env.iter().filter_map(Value::as_str).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The networks of a container: name, address, aliases.
#[must_use]
pub fn networks(container: &Value) -> Vec<(String, String, Vec<String>)> {
    let Some(networks) = container.pointer("/NetworkSettings/Networks").and_then(Value::as_object) else { return Vec::new() };
    let aliases = |network: &Value| -> Vec<String> {
        let aliases = network["Aliases"].as_array().map(Vec::as_slice).unwrap_or_default();
        aliases.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    networks.iter().map(|(name, network)| (name.clone(), text(network, "/IPAddress").to_owned(), aliases(network))).collect()
}

/// A container as an instance of `component`.
#[must_use]
pub fn instance(container: &Value, name: String, component: String, role: &str) -> Instance {
    let state = match text(container, "/State/Status") {
        "running" => State::Running,
        "paused" => State::Paused,
        "created" | "restarting" => State::Starting,
        _ => State::Exited(
            container.pointer("/State/ExitCode").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok()).unwrap_or(-1),
        ),
    };
    let host_name = text(container, "/Config/Hostname");
    let identity = match (role, variable(container, "ID").filter(|id| *id != "HN")) {
        ("worker" | "client", Some(id)) => Some(id.to_owned()),
        ("worker", None) => Some(format!("WOR_{host_name}")),
        ("client", None) => Some(format!("CLI_{host_name}")),
        _ => None,
    };
    let since = text(container, "/State/StartedAt");
    let number = |pointer: &str| container.pointer(pointer).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    Instance {
        name,
        component,
        role: role.to_owned(),
        id: text(container, "/Id").chars().take(12).collect(),
        identity,
        state,
        health: container.pointer("/State/Health/Status").and_then(Value::as_str).map(str::to_owned),
        addresses: networks(container).into_iter().map(|(_, address, _)| address).filter(|address| !address.is_empty()).collect(),
        published: published(container),
        restarts: number("/RestartCount").unwrap_or(0),
        since: timestamp(since),
        node: None,
    }
}

/// `0.0.0.0:9998 → 9998/tcp`, each once.
fn published(container: &Value) -> Vec<String> {
    let Some(ports) = container.pointer("/NetworkSettings/Ports").and_then(Value::as_object) else { return Vec::new() };
    let mut found = BTreeSet::new();
    for (port, bindings) in ports {
        for binding in bindings.as_array().map(Vec::as_slice).unwrap_or_default() {
            let (address, host_port) = (text(binding, "/HostIp"), text(binding, "/HostPort"));
            // The same for all IPv6 addresses says nothing new.
            if address != "::" {
                found.insert(format!("{address}:{host_port} → {port}"));
            }
        }
    }
    found.into_iter().collect()
}

/// `2026-11-22T08:40:59.492487Z` in ms since 1970; the engine says year 1 for never.
#[must_use]
pub fn timestamp(text: &str) -> Option<u64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_of_the_engine_is_understood() {
        assert_eq!(timestamp("1970-01-01T00:00:00.000000000Z"), Some(0));
        assert_eq!(timestamp("2026-11-22T08:40:59.492487123Z"), Some(1_795_336_859_492));
        assert_eq!(timestamp("0001-01-01T00:00:00Z"), None);
        assert_eq!(timestamp("never"), None);
    }

    #[test]
    fn a_container_becomes_an_instance() {
        let container = json!({
            "Id": "0123456789abcdef",
            "Config": { "Hostname": "0123456789ab", "Env": ["ID=HN"], "Labels": {} },
            "State": { "Status": "running", "Health": { "Status": "healthy" }, "StartedAt": "2026-11-22T08:40:59.492487123Z" },
            "RestartCount": 2,
            "NetworkSettings": {
                "Ports": { "9998/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "80" }, { "HostIp": "::", "HostPort": "80" }] },
                "Networks": { "a": { "IPAddress": "172.18.0.2", "Aliases": ["wor"] } },
            },
        });
        let found = instance(&container, "wor-1".to_owned(), "wor".to_owned(), "worker");
        assert_eq!((found.id.as_str(), found.identity.as_deref()), ("0123456789ab", Some("WOR_0123456789ab")));
        assert_eq!((found.addresses, found.published), (vec!["172.18.0.2".to_owned()], vec!["0.0.0.0:80 → 9998/tcp".to_owned()]));
        assert_eq!((found.state, found.restarts), (State::Running, 2));
    }
}
