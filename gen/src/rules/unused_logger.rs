//! `unused-logger`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::{Context, used};

rule! {
    /// Nobody logs to a logger.
    ///
    /// ### What happens
    /// The logger runs, and its file stays empty. Whoever looks into it on a bad day finds nothing.
    ///
    /// ### What to do
    /// Say who logs to it, `logger = "…"` in a component or in `[defaults]`, or remove it.
    "unused-logger", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if !context.plan.complete {
        return;
    }
    let used = used(context.plan);
    for logger in context.plan.deployed().filter(|component| matches!(component.role, Role::Logger { .. })) {
        let name = &logger.name;
        if logger.replicas == 0 || !logger.published.is_empty() || used.contains(&(name.as_str(), "ingest")) {
            continue;
        }
        findings.push(RULE.finding(
            Place::key(&logger.pointer),
            format!("nobody logs to logger `{name}`"),
            "its file stays empty: whoever looks into it on a bad day finds nothing".to_owned(),
            format!("write `logger = \"{name}\"` into the components that should log, or remove `[logger.{name}]`"),
        ));
    }
}
