//! `empty-topology`

use crate::finding::{Finding, Place};
use crate::rules::Context;

rule! {
    /// The topology has nothing that could be deployed.
    ///
    /// ### What happens
    /// `docker compose` refuses a file without services.
    ///
    /// ### What to do
    /// Add a component: `[broker.bro]`, `[worker.wor]` and `[client.cli]` make a whole system.
    "empty-topology", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if context.plan.complete && context.plan.compose.is_empty() && context.plan.deployed().next().is_none() {
        findings.push(RULE.finding(
            Place::Bytes(0..0),
            "there is nothing to deploy".to_owned(),
            "`docker compose` refuses a file without services".to_owned(),
            "add a component; `[broker.bro]`, `[worker.wor]` and `[client.cli]` make a whole system".to_owned(),
        ));
    }
}
