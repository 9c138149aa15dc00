//! `missing-component`

use crate::finding::{Finding, Place};
use crate::topology::Component;

rule! {
    /// A component needs a broker or a logger, and there is none.
    ///
    /// ### What happens
    /// A worker without a broker never gets work; a client without one waits for ever.
    ///
    /// ### What to do
    /// Add the missing table, for example `[broker.bro]`; a logger can be declined with `logger = false`.
    "missing-component", Error, None
}

/// `component` needs one of `role`.
#[must_use]
pub fn finding(component: &Component, role: &str) -> Finding {
    let name = &component.name;
    let own = component.role.name();
    let (consequence, help) = match (role, own) {
        ("logger", _) => ("its log lines would be lost", "add `[logger.log]`, or set `logger = false`"),
        (_, "worker") => ("it would never get any work", "add `[broker.bro]`"),
        _ => ("its requests would never be answered", "add `[broker.bro]`"),
    };
    RULE.finding(
        Place::key(&component.pointer),
        format!("{own} `{name}` needs a {role}, and there is none"),
        consequence.to_owned(),
        help.to_owned(),
    )
}
