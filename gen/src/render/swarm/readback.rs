//! A rendered stack file is read back by types of its own and compared with what was to be written, as a Compose file is
//! (see [`crate::render::readback`]). Everything that the plan decides must be there; further variables, labels and keys
//! are the template's own business, further services, ports and mounts are not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Deserialize;

use super::view::{Port, Service, Stack};
use crate::render::readback::{at_most, parse};
use crate::render::view::{Healthcheck, Pair};

/// Compares a rendered stack file with what was to be written. The error tells what differs.
pub(super) fn check(text: &str, stack: &Stack) -> Result<(), Vec<String>> {
    let document = parse(text).and_then(|value| serde_json::from_value::<Document>(value).map_err(|error| error.to_string()));
    let differences = match document {
        Ok(document) => compare(&document, stack),
        Err(error) => vec![error],
    };
    if differences.is_empty() { Ok(()) } else { Err(at_most(differences)) }
}

/// A stack file, as far as the plan decides it.
#[derive(Debug, Deserialize)]
struct Document {
    version: String,
    services: BTreeMap<String, Found>,
    #[serde(default)]
    networks: BTreeMap<String, FoundNetwork>,
    #[serde(default)]
    volumes: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    secrets: BTreeMap<String, FoundFile>,
    #[serde(default)]
    configs: BTreeMap<String, FoundFile>,
}

#[derive(Debug, Deserialize)]
struct FoundNetwork {
    driver: String,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct FoundFile {
    file: Option<String>,
    external: bool,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Found {
    image: String,
    hostname: Option<String>,
    command: Option<Vec<String>>,
    #[serde(default)]
    init: bool,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    ports: Vec<FoundPort>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    configs: Vec<FoundUse>,
    #[serde(default)]
    tmpfs: Vec<String>,
    #[serde(default)]
    secrets: Vec<FoundUse>,
    healthcheck: Option<FoundHealthcheck>,
    stop_grace_period: String,
    user: Option<String>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
    #[serde(default)]
    cap_add: Vec<String>,
    deploy: FoundDeploy,
}

#[derive(Debug, Deserialize)]
struct FoundPort {
    target: u16,
    published: u16,
    protocol: String,
    mode: String,
}

/// `NAME`, or `{ source: NAME, target: WHERE }`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FoundUse {
    Short(String),
    Long { source: String, target: String },
}

#[derive(Debug, Deserialize)]
struct FoundHealthcheck {
    test: Vec<String>,
    interval: String,
    timeout: String,
    retries: u16,
    start_period: String,
}

#[derive(Debug, Deserialize)]
struct FoundDeploy {
    replicas: u32,
    endpoint_mode: String,
    #[serde(default)]
    placement: FoundPlacement,
    #[serde(default)]
    resources: FoundResources,
    restart_policy: FoundRestart,
    update_config: FoundUpdate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FoundPlacement {
    constraints: Vec<String>,
    max_replicas_per_node: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FoundResources {
    limits: FoundLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FoundLimits {
    cpus: Option<String>,
    memory: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FoundRestart {
    condition: String,
}

#[derive(Debug, Deserialize)]
struct FoundUpdate {
    order: String,
}

fn compare(found: &Document, stack: &Stack) -> Vec<String> {
    let mut differences = Vec::new();
    let mut wrong = |what: String| differences.push(what);
    if !found.version.starts_with("3.") {
        wrong(format!("its `version` is `{}`, and `docker stack deploy` reads 3.x alone", found.version));
    }
    let services: Vec<&String> = stack.services.iter().map(|service| &service.name).collect();
    names("service", &services, &found.services, &mut wrong);
    names("network", &stack.networks.iter().collect::<Vec<_>>(), &found.networks, &mut wrong);
    names("volume", &stack.volumes.iter().collect::<Vec<_>>(), &found.volumes, &mut wrong);
    names("secret", &stack.secrets.iter().map(|secret| &secret.name).collect::<Vec<_>>(), &found.secrets, &mut wrong);
    names("config", &stack.configs.iter().map(|config| &config.name).collect::<Vec<_>>(), &found.configs, &mut wrong);
    for (name, network) in found.networks.iter().filter(|(_, network)| network.driver != "overlay") {
        wrong(format!("the network `{name}` has the driver `{}`, which does not reach other nodes", network.driver));
    }
    for secret in &stack.secrets {
        let planned = FoundFile { file: secret.file.clone(), external: secret.file.is_none(), name: secret.external_name.clone() };
        if found.secrets.get(&secret.name).is_some_and(|found| *found != planned) {
            wrong(format!("the secret `{}` comes from somewhere else", secret.name));
        }
    }
    for config in &stack.configs {
        if found.configs.get(&config.name).is_some_and(|found| found.file.as_ref() != Some(&config.value)) {
            wrong(format!("the config `{}` comes from somewhere else", config.name));
        }
    }
    for service in &stack.services {
        if let Some(found) = found.services.get(&service.name) {
            compare_service(found, service, &mut wrong);
        }
    }
    differences
}

fn names<T>(kind: &str, planned: &[&String], found: &BTreeMap<String, T>, wrong: &mut dyn FnMut(String)) {
    let planned: BTreeSet<&String> = planned.iter().copied().collect();
    let found: BTreeSet<&String> = found.keys().collect();
    planned.difference(&found).for_each(|name| wrong(format!("the {kind} `{name}` is missing")));
    found.difference(&planned).for_each(|name| wrong(format!("the {kind} `{name}` was not planned")));
}

fn compare_service(found: &Found, planned: &Service, wrong: &mut dyn FnMut(String)) {
    let ports = found.ports.iter().map(|port| Port { target: port.target, published: port.published, protocol: port.protocol.clone() });
    let mut ports: Vec<Port> = ports.collect();
    let mut planned_ports = planned.ports.clone();
    ports.sort_unstable();
    planned_ports.sort_unstable();
    let healthcheck = found.healthcheck.as_ref().map(|check| Healthcheck {
        test: check.test.clone(),
        interval: Some(check.interval.clone()),
        timeout: Some(check.timeout.clone()),
        retries: Some(check.retries),
        start_period: Some(check.start_period.clone()),
    });
    let deploy = &found.deploy;
    let mut same = Same { name: &planned.name, wrong };
    same.check("image", &found.image, &planned.image);
    same.check("hostname", &found.hostname, &planned.hostname);
    same.check("command", &found.command, &planned.command);
    same.check("init", &found.init, &planned.init);
    same.check("networks", &sorted(&found.networks), &sorted(&planned.networks));
    same.check("ports", &ports, &planned_ports);
    same.check("volumes", &sorted(&found.volumes), &sorted(&planned.volumes));
    same.check("configs", &uses(&found.configs), &by_name(&planned.configs));
    same.check("tmpfs", &sorted(&found.tmpfs), &sorted(&planned.tmpfs));
    same.check("secrets", &uses(&found.secrets), &by_name(&planned.secrets));
    same.check("healthcheck", &healthcheck, &planned.healthcheck);
    same.check("stop_grace_period", &found.stop_grace_period, &planned.stop_grace_period);
    same.check("user", &found.user, &planned.user);
    same.check("read_only", &found.read_only, &planned.read_only);
    same.check("cap_drop", &sorted(&found.cap_drop), &sorted(&planned.cap_drop));
    same.check("cap_add", &sorted(&found.cap_add), &sorted(&planned.cap_add));
    same.check("deploy.replicas", &deploy.replicas, &planned.replicas);
    same.check("deploy.endpoint_mode", deploy.endpoint_mode.as_str(), "dnsrr");
    same.check("deploy.placement.constraints", &sorted(&deploy.placement.constraints), &sorted(&planned.constraints));
    same.check("deploy.placement.max_replicas_per_node", &deploy.placement.max_replicas_per_node, &planned.max_replicas_per_node);
    same.check("deploy.resources.limits.cpus", &deploy.resources.limits.cpus, &planned.cpus);
    same.check("deploy.resources.limits.memory", &deploy.resources.limits.memory, &planned.memory);
    same.check("deploy.restart_policy.condition", deploy.restart_policy.condition.as_str(), planned.restart);
    same.check("deploy.update_config.order", deploy.update_config.order.as_str(), planned.update_order);
    for port in found.ports.iter().filter(|port| port.mode != "host") {
        wrong(format!("port {} of `{}` is published in mode `{}`, which `dnsrr` does not allow", port.published, planned.name, port.mode));
    }
    for (what, found, planned_pairs) in
        [("environment", &found.environment, &planned.environment), ("labels", &found.labels, &planned.labels)]
    {
        for pair in planned_pairs {
            match found.get(&pair.name) {
                Some(value) if *value == pair.value => {}
                Some(_) => wrong(format!("`{}` in the {what} of `{}` has another value", pair.name, planned.name)),
                None => wrong(format!("`{}` is missing in the {what} of `{}`", pair.name, planned.name)),
            }
        }
    }
}

/// Compares the values of one service.
struct Same<'a> {
    name: &'a str,
    wrong: &'a mut dyn FnMut(String),
}

impl Same<'_> {
    fn check<T: PartialEq + Debug + ?Sized>(&mut self, key: &str, found: &T, planned: &T) {
        if found != planned {
            let short = |value: &T| crate::source::decode::shorten(&format!("{value:?}"));
            (self.wrong)(format!("`{key}` of `{}` is {} instead of {}", self.name, short(found), short(planned)));
        }
    }
}

/// Where, and which.
fn uses(found: &[FoundUse]) -> BTreeMap<String, String> {
    let pair = |one: &FoundUse| match one {
        FoundUse::Short(name) => (name.clone(), name.clone()),
        FoundUse::Long { source, target } => (target.clone(), source.clone()),
    };
    found.iter().map(pair).collect()
}

fn by_name(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect()
}

fn sorted(items: &[String]) -> Vec<String> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items
}
