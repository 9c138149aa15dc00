//! `stop-grace-too-short`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::Context;
use crate::spec::values::Duration;

rule! {
    /// A component is killed before it has ended by itself.
    ///
    /// ### What happens
    /// On SIGTERM our services finish what they have in hand, for up to 4 s (`DRAIN`). When the engine does not wait that long it
    /// kills them: requests in hand are lost, the last records of a logger are not written, and the exit code is 137.
    ///
    /// ### What to do
    /// Let `stop_grace` be longer than the drain; the default, `10s`, is.
    "stop-grace-too-short", Warning, Some(check)
}

/// How long our own services drain when `DRAIN` does not say otherwise.
const DRAIN: Duration = Duration::from_millis(4000);

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.deployed().filter(|component| component.is_own()) {
        if !matches!(component.role, Role::Broker { .. } | Role::Worker { .. } | Role::Logger { .. }) {
            continue;
        }
        let drain = match component.env.get("DRAIN").map(|variable| variable.value.parse()) {
            None => DRAIN,
            Some(Ok(drain)) => drain,
            Some(Err(_)) => continue,
        };
        if component.stop_grace > drain {
            continue;
        }
        findings.push(RULE.finding(
            Place::value_of(&component.pointer, "stop_grace"),
            format!("`{}` is killed after {}, but it may take {drain} to end by itself", component.name, component.stop_grace),
            "what it has in hand is lost, and it ends with exit code 137".to_owned(),
            "remove `stop_grace` (the default is `10s`), or set `DRAIN` in `env` to a shorter time".to_owned(),
        ));
    }
}
