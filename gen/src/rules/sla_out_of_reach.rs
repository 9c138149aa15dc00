//! `sla-out-of-reach`

use crate::finding::{Finding, Place};
use crate::plan::{Component, Plan, Role};
use crate::rules::{Context, count};
use crate::source::pointer;
use crate::spec::values::Duration;

rule! {
    /// What `[sla]` promises is more than the workers can do.
    ///
    /// ### What happens
    /// Above the workers' capacity the queue grows with every second, and all requests wait longer and longer until it is
    /// full. No queue, cache or faster broker helps: the workers themselves are too slow or too few.
    ///
    /// ### What to do
    /// Raise `replicas` of the workers, make the work shorter, or promise less. The capacity is the number of worker
    /// instances divided by their `service_time`.
    ///
    /// ### Example
    /// Four workers with `service_time = "100ms"` answer at most 40 requests in a second, none of them in less than 100 ms.
    "sla-out-of-reach", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let plan = context.plan;
    let Some(sla) = plan.sla.as_ref().filter(|_| plan.complete) else { return };
    let Some(workers) = timed_workers(plan).filter(|workers| !workers.is_empty()) else { return };
    let seconds = |ms: u64| Duration::from_millis(ms);
    let capacity: f64 = workers.iter().map(|(worker, ms)| f64::from(worker.replicas) * 1000.0 / as_f64(*ms)).sum();
    if let Some(promised) = sla.throughput.filter(|promised| promised.0 > capacity) {
        let instances: u64 = workers.iter().map(|(worker, _)| u64::from(worker.replicas)).sum();
        let help = match workers.as_slice() {
            [(worker, ms)] => {
                let needed = (promised.0 * as_f64(*ms) / 1000.0).ceil();
                format!("{needed} instances of `{}` are needed at least, and some more for a bad day", worker.name)
            }
            _ => "raise `replicas` of the workers, or promise less".to_owned(),
        };
        let mut finding = RULE.finding(
            Place::Value(pointer(["sla", "throughput"])),
            format!("{} can answer {} requests/s, not {}", count(instances, "worker instance"), rounded(capacity), promised.0),
            "at the promised rate the queue grows without end: every request waits longer than the one before".to_owned(),
            help,
        );
        finding.related.extend(workers.iter().take(3).map(|(worker, ms)| {
            let label = format!("{} for {} each", count(u64::from(worker.replicas), "instance"), seconds(*ms));
            (Place::value_of(&worker.pointer, "service_time"), label)
        }));
        findings.push(finding);
    }
    let Some((fastest, ms)) = workers.iter().min_by_key(|(_, ms)| *ms) else { return };
    if let Some(promised) = sla.p95.filter(|promised| promised.as_millis() < *ms) {
        let mut finding = RULE.finding(
            Place::Value(pointer(["sla", "p95"])),
            format!("no request can be answered within {promised}: the work alone takes {}", seconds(*ms)),
            "the promise is broken by every single request".to_owned(),
            format!("make the work of `{}` shorter, or promise more than {}", fastest.name, seconds(*ms)),
        );
        let label = format!("a request takes {} here", seconds(*ms));
        finding.related.push((Place::value_of(&fastest.pointer, "service_time"), label));
        findings.push(finding);
    }
}

/// All workers that run, with the time that they need in ms. `None` when one does not say: then nothing is known.
fn timed_workers(plan: &Plan) -> Option<Vec<(&Component, u64)>> {
    let workers = plan.deployed().filter(|component| component.replicas > 0);
    let workers = workers.filter_map(|component| match component.role {
        Role::Worker { service_time, .. } => Some((component, service_time)),
        _ => None,
    });
    workers.map(|(worker, time)| Some((worker, time.map(Duration::as_millis).filter(|ms| *ms > 0)?))).collect()
}

/// One place behind the point where it matters.
fn rounded(rate: f64) -> f64 {
    if rate < 100.0 { (rate * 10.0).round() / 10.0 } else { rate.round() }
}

#[allow(clippy::cast_precision_loss, reason = "durations are far below 2^53 ms")]
fn as_f64(ms: u64) -> f64 {
    ms as f64
}
