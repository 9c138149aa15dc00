//! `restart-conflict`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service has two restart policies that do not say the same.
    ///
    /// ### What happens
    /// `docker compose` takes `restart` and ignores `deploy.restart_policy`; `docker stack` does the opposite. Half of the readers are
    /// wrong about what happens after a crash.
    ///
    /// ### What to do
    /// Keep the one of your tool.
    "restart-conflict", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some((restart, origin)) = service.text("restart") else { continue };
        let Some(condition) = service.node.at(&["deploy", "restart_policy", "condition"]) else { continue };
        let means = match restart.split(':').next() {
            Some("always" | "unless-stopped") => "any",
            Some("on-failure") => "on-failure",
            _ => "none",
        };
        if condition.str().is_none_or(|condition| condition == means || condition == restart) {
            continue;
        }
        let said = condition.str().unwrap_or_default();
        findings.push(
            RULE.finding(
                Place::At(condition.origin),
                format!("`{}` has `restart: {restart}` and `restart_policy.condition: {said}`", service.name),
                "`docker compose` takes `restart`, `docker stack` the other".to_owned(),
                "keep the one of your tool".to_owned(),
            )
            .about(service.path("deploy.restart_policy.condition"))
            .with(Place::At(origin), "this one counts for Compose"),
        );
    }
}
