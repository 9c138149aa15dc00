//! `no-start-period`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::compose::view::milliseconds;
use crate::finding::{Finding, Place};

rule! {
    /// A health check gives a program little time to start.
    ///
    /// ### What happens
    /// Checks begin at once. A program that needs longer than all tries together is "unhealthy" before it is ready, and whoever waits
    /// for it fails: "dependency failed to start".
    ///
    /// ### What to do
    /// `start_period: 30s`: failures do not count while it starts.
    "no-start-period", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled && !health.test.is_empty()) else { continue };
        let Some(node) = health.node.filter(|node| node.get("start_period").is_none_or(Node::is_null)) else { continue };
        let interval = node.get("interval").and_then(Node::str).and_then(milliseconds).unwrap_or(30_000);
        let retries = node.get("retries").and_then(Node::int).and_then(|retries| u64::try_from(retries).ok()).filter(|retries| *retries > 0).unwrap_or(3);
        let patience = interval.saturating_mul(retries);
        if patience > 30_000 {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(health.origin),
                format!("the health check of `{}` gives it {} s to start", service.name, patience / 1000),
                "a program that needs longer is \"unhealthy\" before it is ready".to_owned(),
                "add `start_period: 30s`, or as long as it may take".to_owned(),
            )
            .about(service.path("healthcheck.start_period")),
        );
    }
}
