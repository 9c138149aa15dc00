//! A component's pod: one container with its environment, its probes, its limits and no privileges.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Cluster, network, some, storage};
use crate::plan::{Component, Healthcheck, ImageSource, Origin, Role};
use crate::render::{LABEL, text};
use crate::spec::values::Duration;
use crate::spec::{Placement, Spread};

/// The label by which nodes tell their names.
const HOST_NAME: &str = "kubernetes.io/hostname";

/// A component's environment, as its `ConfigMap` holds it.
fn environment(component: &Component) -> Map<String, Value> {
    // A pod has one address. The name that is to have a network's address means nothing here; a policy closes the port instead.
    let is_alias = |origin, value: &str| origin == Origin::Setting && component.alias.as_ref().is_some_and(|(_, alias)| alias == value);
    let variables = component.env.iter().filter(|(_, variable)| !is_alias(variable.origin, &variable.value));
    variables.map(|(name, variable)| (name.clone(), text::unset(&variable.value).into())).collect()
}

/// The component's environment.
pub(super) fn config_map(cluster: &Cluster<'_>, component: &Component) -> Option<Value> {
    let data = environment(component);
    (!data.is_empty()).then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": cluster.metadata(component, &component.name),
            "data": data,
        })
    })
}

/// The template that all pods of a component are made of.
pub(super) fn template(cluster: &Cluster<'_>, component: &Component, runs_on: bool) -> Value {
    let mut mounts = storage::mounts(cluster, component);
    if let Some((volume, mount)) = cluster.secrets.mount(component) {
        mounts.volumes.push(volume);
        mounts.mounts.push(mount);
    }
    // A Deployment replaces its pods when their template changes, and only then. A Job's must not change at all.
    let environment = environment(component);
    let annotations = (runs_on && !environment.is_empty()).then(|| json!({ format!("{LABEL}/config"): digest(&environment) }));
    json!({
        "metadata": { "labels": cluster.labels(component), "annotations": annotations },
        "spec": {
            "restartPolicy": (!runs_on).then_some("Never"),
            "terminationGracePeriodSeconds": seconds(component.stop_grace),
            "automountServiceAccountToken": false,
            // Or a Service called `broker` would set BROKER_PORT=tcp://… in every pod.
            "enableServiceLinks": false,
            // The pod's own process 1 then takes in orphans, and programs that are not made to be process 1 receive their signals.
            "shareProcessNamespace": needs_init(component).then_some(true),
            "securityContext": of_pod(component),
            "nodeSelector": node_selector(&component.placement),
            "affinity": apart(cluster, component),
            "topologySpreadConstraints": some(spread(cluster, component)),
            "containers": [container(cluster, component, !environment.is_empty(), &mounts.mounts)],
            "volumes": some(mounts.volumes),
        },
    })
}

fn container(cluster: &Cluster<'_>, component: &Component, has_environment: bool, mounts: &[Value]) -> Value {
    let ports = network::ports(component);
    // Where the program's own check is enough to tell that a new start helps: it asks nobody else, and nothing is lost by it.
    let is_own_broker = component.is_own() && matches!(component.role, Role::Broker { .. });
    let check = component.healthcheck.as_ref();
    json!({
        "name": component.name,
        "image": super::image(cluster.plan, component),
        // What is built here may be loaded into the nodes by hand.
        "imagePullPolicy": component.is_built_here().then_some("IfNotPresent"),
        "args": component.command.as_ref().map(|words| words.iter().map(|word| text::literal(word)).collect::<Vec<_>>()),
        "envFrom": has_environment.then(|| json!([{ "configMapRef": { "name": component.name } }])),
        "ports": some(ports.iter().map(network::Port::of_container).collect()),
        "startupProbe": check.filter(|_| is_own_broker).map(startup),
        "readinessProbe": check.map(|check| probe(check, check.retries())),
        "livenessProbe": check.filter(|_| is_own_broker).map(|check| probe(check, check.retries())),
        "resources": resources(component),
        "securityContext": of_container(component),
        "volumeMounts": (!mounts.is_empty()).then_some(mounts),
    })
}

/// A probe that runs the component's own check in its container. `$(VAR)` would be replaced, so every `$` is doubled.
fn probe(check: &Healthcheck, failures: u16) -> Value {
    let words = match check.test.split_first() {
        Some((form, words)) if form == "CMD-SHELL" => ["/bin/sh", "-c"].into_iter().chain(words.iter().map(String::as_str)).collect(),
        Some((_, words)) => words.iter().map(String::as_str).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    json!({
        "exec": { "command": words.into_iter().map(text::literal).collect::<Vec<_>>() },
        "periodSeconds": seconds(check.interval()).max(1),
        "timeoutSeconds": seconds(check.timeout()).max(1),
        "failureThreshold": failures.max(1),
    })
}

/// Until it has been ready once, or its start and the failures after it have taken their time.
fn startup(check: &Healthcheck) -> Value {
    let periods = seconds(check.start_period()).div_ceil(seconds(check.interval()).max(1));
    probe(check, u16::try_from(periods).unwrap_or(u16::MAX).saturating_add(check.retries()))
}

/// In whole seconds, as Kubernetes counts; a part of one counts as one.
fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000)
}

fn resources(component: &Component) -> Option<Value> {
    // Without a request of its own, a limit is the request too; told, so that an overlay can lower it.
    let cpu = component.resources.cpus.map(|cpus| millicores(cpus.0));
    let memory = component.resources.memory.map(storage::quantity);
    let most = (cpu.is_some() || memory.is_some()).then(|| json!({ "cpu": cpu, "memory": memory }))?;
    Some(json!({ "requests": most, "limits": most }))
}

/// `500m`: Kubernetes takes no less than a thousandth of a processor.
fn millicores(cpus: f64) -> String {
    format!("{}m", (cpus * 1000.0).ceil())
}

/// Whether a program runs that may not be made to be process 1: Compose gives it an init.
fn needs_init(component: &Component) -> bool {
    match &component.image {
        ImageSource::Program(_) => true,
        ImageSource::Ready(_) => component.command.is_some(),
        ImageSource::Static { .. } | ImageSource::Source { .. } | ImageSource::Compose => false,
    }
}

fn of_pod(component: &Component) -> Value {
    let (uid, gid) = match &component.user {
        Some(user) => {
            let (uid, gid) = user.split_once(':').map_or((user.as_str(), None), |(uid, gid)| (uid, Some(gid)));
            (uid.parse::<u32>().ok(), gid.and_then(|gid| gid.parse::<u32>().ok()))
        }
        None => (None, None),
    };
    let has_volumes = !component.volumes.is_empty() || !component.tmpfs.is_empty() || !component.secrets.is_empty();
    let group = gid.or(uid).filter(|_| has_volumes);
    json!({
        "runAsNonRoot": uid.filter(|uid| *uid != 0).map(|_| true),
        "runAsUser": uid,
        "runAsGroup": gid,
        // A new volume belongs to root: this gives it to the program.
        "fsGroup": group,
        "fsGroupChangePolicy": group.map(|_| "OnRootMismatch"),
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

fn of_container(component: &Component) -> Value {
    let added: Vec<&str> = component.cap_add.iter().map(|name| name.strip_prefix("CAP_").unwrap_or(name)).collect();
    let dropped = component.drop_capabilities.then(|| vec!["ALL"]);
    let capabilities = (dropped.is_some() || !added.is_empty()).then(|| json!({ "drop": dropped, "add": some(added) }));
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": component.read_only.then_some(true),
        "capabilities": capabilities,
    })
}

/// The labels of the nodes that an instance may run on.
fn node_selector(placement: &Placement) -> Option<Value> {
    let host_name = placement.node.as_ref().map(|node| (HOST_NAME.to_owned(), node.as_str().into()));
    let labels = placement.labels.iter().map(|(label, value)| (label.to_string(), value.to_string().into()));
    let selector: Map<String, Value> = host_name.into_iter().chain(labels).collect();
    (!selector.is_empty()).then_some(Value::Object(selector))
}

/// One instance a node at most.
fn apart(cluster: &Cluster<'_>, component: &Component) -> Option<Value> {
    component.placement.max_per_node.filter(|most| most.get() == 1)?;
    Some(json!({
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "topologyKey": HOST_NAME,
                "labelSelector": { "matchLabels": cluster.selector(&component.name) },
            }],
        },
    }))
}

/// Over what the instances are spread. A bound of several instances a node exists only as a difference between nodes.
fn spread(cluster: &Cluster<'_>, component: &Component) -> Vec<Value> {
    let constraint = |skew: u32, otherwise: &str| {
        json!({
            "maxSkew": skew,
            "topologyKey": HOST_NAME,
            "whenUnsatisfiable": otherwise,
            "labelSelector": { "matchLabels": cluster.selector(&component.name) },
        })
    };
    let evenly = component.placement.spread.map(|Spread::Node| constraint(1, "ScheduleAnyway"));
    let most = component.placement.max_per_node.filter(|most| most.get() > 1).map(|most| constraint(most.get(), "DoNotSchedule"));
    evenly.into_iter().chain(most).collect()
}

fn digest(environment: &Map<String, Value>) -> String {
    let mut hasher = Sha256::new();
    for (name, value) in environment {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(value.as_str().unwrap_or_default());
        hasher.update([0]);
    }
    hasher.finalize().iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_second_and_of_a_processor_are_rounded_up() {
        assert_eq!(seconds(Duration::from_millis(1500)), 2);
        assert_eq!(seconds(Duration::from_millis(0)), 0);
        assert_eq!((millicores(0.5), millicores(0.0001), millicores(2.0)), ("500m".to_owned(), "1m".to_owned(), "2000m".to_owned()));
    }
}
