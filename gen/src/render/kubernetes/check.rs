//! The manifests are read back, by a parser of its own, and held against what the API server would refuse or silently take for
//! nothing: names, ports, and everything that one object says of another one. A schema sees none of this.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize as _;
use serde_json::Value;

use super::names::{MAX_LABEL, is_label, is_port_name, is_service_name};
use crate::render::readback::Unique;

/// The most differences that are told.
const MAX_TOLD: usize = 5;

/// The most bytes that a `ConfigMap` may hold.
const MAX_CONFIG: usize = 1024 * 1024;

/// The largest number of a user or a group.
const MAX_ID: u64 = 2_147_483_647;

/// Reads manifests and tells what is wrong with them. `wanted` is what was to be written, `secrets` are the Secrets that are
/// made elsewhere.
pub(super) fn check(text: &str, wanted: &[&Value], secrets: &[&str]) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        match Unique::deserialize(document) {
            Ok(Unique(value)) => found.push(value),
            Err(error) => return Err(vec![format!("it is not YAML: {error}")]),
        }
    }
    if found.iter().ne(wanted.iter().copied()) && !(text.is_empty() && wanted.is_empty()) {
        wrong.push("what was written is read as something else".to_owned());
    }
    let manifests = Manifests::of(&found, secrets);
    for object in &found {
        manifests.check(object, &mut |what| wrong.push(what));
    }
    check_uniqueness(&found, &mut |what| wrong.push(what));
    if wrong.is_empty() {
        return Ok(());
    }
    if wrong.len() > MAX_TOLD {
        let rest = wrong.len() - MAX_TOLD;
        wrong.truncate(MAX_TOLD);
        wrong.push(format!("and {rest} more"));
    }
    Err(wrong)
}

/// What objects may speak of.
struct Manifests<'v> {
    /// Kind and name.
    objects: HashSet<(&'v str, &'v str)>,
    /// The labels of each workload's pods, by the labels' values of the commonest question: which pods have this name?
    pods: HashMap<&'v str, Vec<Pod<'v>>>,
    secrets: HashSet<&'v str>,
}

/// The pods of one workload.
struct Pod<'v> {
    labels: &'v Value,
    ports: HashSet<&'v str>,
}

/// The label that tells a component's pods from others'.
const NAME: &str = "app.kubernetes.io/name";

impl<'v> Manifests<'v> {
    fn of(found: &'v [Value], secrets: &[&'v str]) -> Self {
        let mut pods: HashMap<&str, Vec<Pod<'_>>> = HashMap::new();
        for template in found.iter().filter_map(|object| object.pointer("/spec/template")) {
            let labels = &template["metadata"]["labels"];
            let ports =
                items(&template["spec"]["containers"]).flat_map(|container| items(&container["ports"])).map(|port| text(&port["name"]));
            pods.entry(text(&labels[NAME])).or_default().push(Pod { labels, ports: ports.collect() });
        }
        Self {
            objects: found.iter().map(|object| (kind(object), name(object))).collect(),
            pods,
            secrets: secrets.iter().copied().collect(),
        }
    }

    /// The workloads whose pods have all of some labels.
    fn matching(&self, labels: &Value) -> Vec<&Pod<'v>> {
        let named = labels.get(NAME).and_then(Value::as_str);
        let candidates = match named {
            Some(name) => self.pods.get(name).map_or(&[][..], Vec::as_slice).iter().collect::<Vec<_>>(),
            None => self.pods.values().flatten().collect(),
        };
        candidates.into_iter().filter(|pod| is_subset(labels, pod.labels)).collect()
    }

    fn check(&self, object: &Value, wrong: &mut dyn FnMut(String)) {
        let (kind, name) = (kind(object), name(object));
        let mut wrong = |what: String| wrong(format!("{kind} `{name}`: {what}"));
        let legal = if kind == "Service" { is_service_name(name) } else { is_label(name) };
        if !legal || kind.is_empty() {
            let letter = if kind == "Service" { ", with a letter in front" } else { "" };
            wrong(format!("its name is no DNS label{letter}"));
        }
        labels(&object["metadata"]["labels"], &mut wrong);
        let spec = &object["spec"];
        match kind {
            "Deployment" | "Job" => self.workload(object, spec, &mut wrong),
            "Service" => self.service(spec, &mut wrong),
            "NetworkPolicy" => self.policy(spec, &mut wrong),
            "PodDisruptionBudget" if self.matching(&spec["selector"]["matchLabels"]).is_empty() => wrong("it selects no pods".to_owned()),
            "HorizontalPodAutoscaler" => self.autoscaler(spec, &mut wrong),
            "ConfigMap" => {
                let values = object["data"].as_object().into_iter().flatten();
                if values.map(|(key, value)| key.len() + text(value).len()).sum::<usize>() > MAX_CONFIG {
                    wrong("it holds more than 1 MiB".to_owned());
                }
            }
            _ => {}
        }
    }

    fn workload(&self, object: &Value, spec: &Value, wrong: &mut dyn FnMut(String)) {
        let template = &spec["template"];
        labels(&template["metadata"]["labels"], wrong);
        if kind(object) == "Deployment" {
            let selector = &spec["selector"]["matchLabels"];
            if selector.as_object().is_none_or(serde_json::Map::is_empty) || !is_subset(selector, &template["metadata"]["labels"]) {
                wrong("its selector does not match the labels of its own pods".to_owned());
            }
            if self.matching(selector).len() > 1 {
                wrong("its selector matches the pods of another one too".to_owned());
            }
        } else {
            let last = spec["completions"].as_u64().unwrap_or(1).saturating_sub(1);
            if name(object).len() + 1 + last.to_string().len() > MAX_LABEL {
                wrong(format!("its pods' host names would have more than {MAX_LABEL} characters"));
            }
        }
        let pod = &template["spec"];
        labels(&pod["nodeSelector"], wrong);
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            if pod["securityContext"][id].as_u64().is_some_and(|id| id > MAX_ID) {
                wrong(format!("`{id}` is more than {MAX_ID}"));
            }
        }
        let volumes = unique("volume", items(&pod["volumes"]).map(|volume| text(&volume["name"])), is_label, wrong);
        unique("container", items(&pod["containers"]).map(|container| text(&container["name"])), is_label, wrong);
        for volume in items(&pod["volumes"]) {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                self.exists("PersistentVolumeClaim", claim, wrong);
            }
            for source in items(&volume["projected"]["sources"]) {
                self.exists("Secret", text(&source["secret"]["name"]), wrong);
            }
        }
        for container in items(&pod["containers"]) {
            unique("port", items(&container["ports"]).map(|port| text(&port["name"])), is_port_name, wrong);
            numbers(items(&container["ports"]).map(|port| (&port["containerPort"], text(&port["protocol"]))), wrong);
            for source in items(&container["envFrom"]) {
                self.exists("ConfigMap", text(&source["configMapRef"]["name"]), wrong);
            }
            let mut paths = BTreeSet::new();
            for mount in items(&container["volumeMounts"]) {
                if !volumes.contains(text(&mount["name"])) {
                    wrong(format!("there is no volume `{}` to mount", text(&mount["name"])));
                }
                let path = text(&mount["mountPath"]);
                if !path.starts_with('/') || path.contains(':') {
                    wrong(format!("nothing can be mounted at `{path}`"));
                }
                if !paths.insert(path.trim_end_matches('/')) {
                    wrong(format!("two volumes are mounted at `{path}`"));
                }
            }
        }
    }

    fn service(&self, spec: &Value, wrong: &mut dyn FnMut(String)) {
        let pods = self.matching(&spec["selector"]);
        if pods.is_empty() || spec["selector"].as_object().is_none_or(serde_json::Map::is_empty) {
            return wrong("its selector matches no pods".to_owned());
        }
        unique("port", items(&spec["ports"]).map(|port| text(&port["name"])), is_port_name, wrong);
        numbers(items(&spec["ports"]).map(|port| (&port["port"], text(&port["protocol"]))), wrong);
        for port in items(&spec["ports"]) {
            let target = text(&port["targetPort"]);
            if !pods.iter().all(|pod| pod.ports.contains(target)) {
                wrong(format!("its pods have no port `{target}`"));
            }
        }
    }

    fn policy(&self, spec: &Value, wrong: &mut dyn FnMut(String)) {
        let peers = items(&spec["ingress"]).flat_map(|rule| items(&rule["from"])).map(|peer| &peer["podSelector"]);
        for selector in std::iter::once(&spec["podSelector"]).chain(peers) {
            let mut named: Vec<&str> = items(&selector["matchExpressions"]).flat_map(|one| items(&one["values"])).map(text).collect();
            named.retain(|name| !self.pods.contains_key(name));
            if self.matching(&selector["matchLabels"]).is_empty() || !named.is_empty() {
                wrong("it speaks of pods that there are not".to_owned());
            }
        }
        numbers(items(&spec["ingress"]).flat_map(|rule| items(&rule["ports"])).map(|port| (&port["port"], text(&port["protocol"]))), wrong);
    }

    fn autoscaler(&self, spec: &Value, wrong: &mut dyn FnMut(String)) {
        self.exists(text(&spec["scaleTargetRef"]["kind"]), text(&spec["scaleTargetRef"]["name"]), wrong);
        if spec["minReplicas"].as_u64() > spec["maxReplicas"].as_u64() || spec["minReplicas"].as_u64() == Some(0) {
            wrong("its smallest number of instances is 0 or more than its largest".to_owned());
        }
    }

    fn exists(&self, kind: &str, name: &str, wrong: &mut dyn FnMut(String)) {
        let is_there = if kind == "Secret" { self.secrets.contains(name) } else { self.objects.contains(&(kind, name)) };
        if !is_there {
            wrong(format!("there is no {kind} `{name}`"));
        }
    }
}

fn check_uniqueness(found: &[Value], wrong: &mut dyn FnMut(String)) {
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for object in found {
        *seen.entry((kind(object), name(object))).or_default() += 1;
    }
    for ((kind, name), _) in seen.into_iter().filter(|(_, times)| *times > 1) {
        wrong(format!("there are two objects {kind} `{name}`"));
    }
}

fn kind(object: &Value) -> &str {
    text(&object["kind"])
}

fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether every entry of one mapping is in the other one.
fn is_subset(some: &Value, all: &Value) -> bool {
    some.as_object().into_iter().flatten().all(|(key, value)| all.get(key) == Some(value))
}

/// Names that must be legal and different.
fn unique<'v>(
    what: &str,
    names: impl Iterator<Item = &'v str>,
    is_legal: fn(&str) -> bool,
    wrong: &mut dyn FnMut(String),
) -> HashSet<&'v str> {
    let mut seen = HashSet::new();
    for name in names {
        if !is_legal(name) {
            wrong(format!("`{name}` cannot be the name of a {what}"));
        }
        if !seen.insert(name) {
            wrong(format!("there are two {what}s `{name}`"));
        }
    }
    seen
}

/// Ports with their protocols: numbers of ports, each once.
fn numbers<'v>(ports: impl Iterator<Item = (&'v Value, &'v str)>, wrong: &mut dyn FnMut(String)) {
    let mut seen = HashSet::new();
    for (number, protocol) in ports {
        match number.as_u64() {
            Some(number @ 1..=65535) if seen.insert((number, protocol)) => {}
            Some(number @ 1..=65535) => wrong(format!("there are two ports {number}/{protocol}")),
            _ => wrong(format!("`{number}` is not a port")),
        }
    }
}

/// A label's value is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends; so is its name, behind a
/// DNS name and `/` where it has them.
fn labels(labels: &Value, wrong: &mut dyn FnMut(String)) {
    let is_legal = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let ends = |end: Option<char>| end.is_none_or(|c| c.is_ascii_alphanumeric());
        text.len() <= MAX_LABEL && text.chars().all(legal) && ends(text.chars().next()) && ends(text.chars().last())
    };
    for (key, value) in labels.as_object().into_iter().flatten() {
        let (prefix, name) = key.split_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
        if name.is_empty() || !is_legal(name) || !prefix.is_none_or(|prefix| prefix.split('.').all(is_label)) {
            wrong(format!("`{key}` cannot be a label"));
        }
        let value = text(value);
        if !is_legal(value) {
            wrong(format!("`{value}` cannot be the value of the label `{key}`"));
        }
    }
}
