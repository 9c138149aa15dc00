//! `deadline-shorter-than-work`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::Context;
use crate::spec::values::Duration;

rule! {
    /// A worker needs longer than its broker waits.
    ///
    /// ### What happens
    /// The broker takes every worker for stuck: it gives each request to the next one before the first can answer. All of
    /// them do the same work, and the request fails when its turns are used up.
    ///
    /// ### What to do
    /// Let the broker wait longer than the slowest worker needs, with room for a slow day: `deadline = "10s"` for work of 5 s.
    ///
    /// ### Example
    /// ```toml
    /// [broker.bro]
    /// deadline = "10s"
    /// [worker.wor]
    /// service_time = "5s"
    /// ```
    "deadline-shorter-than-work", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for peers in context.plan.brokers().values() {
        let broker = peers.broker;
        let Role::Broker { deadline, retries, .. } = broker.role else { continue };
        for worker in &peers.workers {
            let Role::Worker { service_time: Some(time), .. } = worker.role else { continue };
            if time < deadline {
                continue;
            }
            let turns = (u64::from(retries) + 1).min(time.as_millis() / deadline.as_millis().max(1) + 1);
            let fails = time.as_millis() >= deadline.as_millis().saturating_mul(u64::from(retries) + 1);
            let end = if fails { "then it fails" } else { "all of them do the same work, and the answer comes late or never" };
            let better = twice(time);
            let mut finding = RULE.finding(
                Place::value_of(&worker.pointer, "service_time"),
                format!("worker `{}` needs {time} for a request, but broker `{}` waits {deadline}", worker.name, broker.name),
                match turns {
                    1 => "every request is taken away from its worker before it can answer, and fails".to_owned(),
                    _ => format!("every request is given to {turns} workers, one after the other, before one can answer; {end}"),
                },
                format!("let the broker wait longer: `deadline = \"{better}\"` in `[broker.{}]`", broker.name),
            );
            let label = format!("it waits {deadline} here");
            finding.related.push((Place::value_of(&broker.pointer, "deadline"), label));
            findings.push(finding);
        }
    }
}

/// Twice a time, in whole seconds from one second on.
fn twice(time: Duration) -> Duration {
    let ms = time.as_millis().saturating_mul(2);
    Duration::from_millis(if ms > 1000 { ms.div_ceil(1000).saturating_mul(1000) } else { ms })
}
