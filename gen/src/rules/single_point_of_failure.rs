//! `single-point-of-failure`

use crate::finding::{Finding, Place};
use crate::plan::{Plan, Role};
use crate::rules::{Context, instances, replicas_place};
use crate::source::pointer;
use crate::spec::Restart;

rule! {
    /// Availability is promised, and one failure breaks it.
    ///
    /// ### What happens
    /// With a single worker, nothing is answered from the moment it fails until it is back. With `restart = "no"`, what failed
    /// stays down until a person starts it, after a restart of the machine too.
    ///
    /// ### What to do
    /// Run at least two instances of the work, and leave `restart` at its default, `unless-stopped`. A broker and a logger
    /// cannot be doubled under one name (see `two-brokers`): for them the quick restart is the remedy.
    "single-point-of-failure", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let plan = context.plan;
    let Some(promised) = plan.sla.as_ref().and_then(|sla| sla.availability).filter(|_| plan.complete) else { return };
    let promise = (Place::Value(pointer(["sla", "availability"])), format!("{} % is promised here", percent(promised.0)));
    lone_workers(plan, &promise, findings);
    for component in plan.deployed().filter(|component| component.restart == Restart::No && component.replicas > 0) {
        if !matches!(component.role, Role::Broker { .. } | Role::Worker { .. } | Role::Logger { .. }) {
            continue;
        }
        let own = Place::value_of(&component.pointer, "restart");
        let place = if context.is_written(&own) { own } else { Place::Value(pointer(["defaults", "restart"])) };
        let (role, name) = (component.role.name(), &component.name);
        let mut finding = RULE.finding(
            place,
            format!("{role} `{name}` is not started again when it fails"),
            "after one crash, or a restart of the machine, it stays down until a person starts it".to_owned(),
            "write `restart = \"unless-stopped\"`".to_owned(),
        );
        finding.related.push(promise.clone());
        findings.push(finding);
    }
}

fn lone_workers(plan: &Plan, promise: &(Place, String), findings: &mut Vec<Finding>) {
    for peers in plan.brokers().values() {
        let asked = !peers.clients.is_empty() || !peers.broker.published.is_empty();
        let Some(worker) = peers.workers.iter().find(|worker| worker.replicas > 0) else { continue };
        if !asked || peers.broker.replicas == 0 || peers.worker_instances() != 1 {
            continue;
        }
        let mut finding = RULE.finding(
            replicas_place(worker),
            format!("{}, the only one of broker `{}`", instances(worker), peers.broker.name),
            "when it fails, nothing is answered until it is back".to_owned(),
            "run at least two: `replicas = 2`".to_owned(),
        );
        finding.related.push(promise.clone());
        findings.push(finding);
    }
}

/// `0.999` as people say it, `99.9`.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}
