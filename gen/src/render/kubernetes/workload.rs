//! What runs: a Deployment or a Job, and what keeps it up.

use serde_json::{Value, json};

use super::{Cluster, pod, storage};
use crate::plan::{Component, Role};
use crate::spec::Restart;

/// How often an instance of a Job is tried again, each time after twice as long a pause: ten minutes in all, more than the
/// others need to come up.
const TRIES: u32 = 6;

/// Whether a component runs until it is stopped. A client that is to be started again whenever it ends does.
pub(super) fn runs_on(component: &Component) -> bool {
    !component.is_one_shot() || matches!(component.restart, Restart::Always | Restart::UnlessStopped)
}

/// The Deployment or the Job of a component, its autoscaler and its disruption budget.
pub(super) fn workload(cluster: &Cluster<'_>, component: &Component) -> Vec<Value> {
    if !runs_on(component) {
        return vec![job(cluster, component)];
    }
    let mut objects = vec![deployment(cluster, component)];
    objects.extend(autoscaler(cluster, component));
    objects.extend(disruption_budget(cluster, component));
    objects
}

fn deployment(cluster: &Cluster<'_>, component: &Component) -> Value {
    let is_alone = matches!(component.role, Role::Broker { .. } | Role::Logger { .. })
        || component.volumes.iter().any(|volume| storage::is_kept(volume) && !volume.read_only);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": cluster.metadata(component, &component.name),
        "spec": {
            // With an autoscaler the number is its business.
            "replicas": autoscale(component).is_none().then_some(component.replicas),
            // The old one ends before the new one begins: two of them would share the work or the data.
            "strategy": is_alone.then(|| json!({ "type": "Recreate" })),
            "selector": { "matchLabels": cluster.selector(&component.name) },
            "template": pod::template(cluster, component, true),
        },
    })
}

fn job(cluster: &Cluster<'_>, component: &Component) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": cluster.metadata(component, &component.name),
        "spec": {
            "completionMode": "Indexed",
            "completions": component.replicas,
            "parallelism": component.replicas,
            "backoffLimitPerIndex": TRIES,
            "template": pod::template(cluster, component, false),
        },
    })
}

fn autoscale(component: &Component) -> Option<&crate::spec::Autoscale> {
    match &component.role {
        Role::Worker { autoscale, .. } => autoscale.as_ref(),
        _ => None,
    }
}

fn autoscaler(cluster: &Cluster<'_>, component: &Component) -> Option<Value> {
    let autoscale = autoscale(component)?;
    Some(json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": cluster.metadata(component, &component.name),
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": component.name },
            "minReplicas": autoscale.min.0,
            "maxReplicas": autoscale.max.0,
            "metrics": [{
                "type": "Resource",
                "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": autoscale.cpu.0 } },
            }],
        },
    }))
}

/// While nodes are emptied one after the other, at most one instance is missing. What has one instance has no budget: it would
/// keep its node from ever being emptied.
fn disruption_budget(cluster: &Cluster<'_>, component: &Component) -> Option<Value> {
    let fewest = autoscale(component).map_or(component.replicas, |autoscale| autoscale.min.0);
    (fewest > 1).then(|| {
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": cluster.metadata(component, &component.name),
            "spec": {
                "maxUnavailable": 1,
                // What is not ready anyway, as when the broker is away, does not count.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": { "matchLabels": cluster.selector(&component.name) },
            },
        })
    })
}
