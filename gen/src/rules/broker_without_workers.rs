//! `broker-without-workers`

use crate::finding::{Finding, Place};
use crate::rules::{Context, instances, replicas_place, used};

rule! {
    /// A broker has nobody who does the work.
    ///
    /// ### What happens
    /// Every request waits in the broker's queue until the client gives up. Nothing is answered, and no container reports an
    /// error.
    ///
    /// ### What to do
    /// Bind a worker to it: a `[worker.NAME]` table, with `broker = "…"` where there are several brokers; or raise its
    /// `replicas` above 0.
    "broker-without-workers", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // Workers that could not be bound, or that come from other machines, would be overlooked.
    if !context.plan.complete {
        return;
    }
    let used = used(context.plan);
    for peers in context.plan.brokers().values() {
        let broker = peers.broker;
        let from_outside = broker.published.iter().any(|published| published.endpoint == "backend");
        if broker.replicas == 0 || peers.worker_instances() > 0 || from_outside {
            continue;
        }
        let name = &broker.name;
        let (place, message, help) = match peers.workers.first() {
            Some(worker) => (
                replicas_place(worker),
                format!("{}, so that broker `{name}` has no worker", instances(worker)),
                format!("give `{}` at least one instance", worker.name),
            ),
            None if used.contains(&(name.as_str(), "backend")) => continue,
            None => (
                Place::key(&broker.pointer),
                format!("broker `{name}` has no worker"),
                format!("add a worker: `[worker.wor]` with `broker = \"{name}\"`"),
            ),
        };
        findings.push(RULE.finding(
            place,
            message,
            "every request waits in the broker's queue until its client gives up; nothing is ever answered".to_owned(),
            help,
        ));
    }
}
